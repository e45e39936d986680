use std::collections::HashMap;

use half::{bf16, f16};
use proptest::prelude::*;
use safetensors::tensor::TensorView;

use super::*;
use crate::model::{random, sample_shapes, to_safetensors};

/// A safetensors file taken apart.
#[derive(Clone)]
struct Contents {
    entries: HashMap<String, String>,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Contents {
    /// A legal file.
    fn mixture() -> Self {
        let (config, depths) = sample_shapes::mixture();
        let bytes = to_safetensors(&random(&config, depths, 1).unwrap()).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let take = |(name, view): (&str, TensorView<'_>)| {
            (name.to_string(), view.dtype(), view.shape().to_vec(), view.data().to_vec())
        };
        Self { entries: metadata.metadata().clone().unwrap(), tensors: tensors.iter().map(take).collect() }
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        safetensors::serialize(views.collect::<Vec<_>>(), Some(self.entries.clone())).unwrap()
    }

    fn entry(&mut self, name: &str, value: &str) -> &mut Self {
        self.entries.insert(name.into(), value.into());
        self
    }

    fn tensor(&mut self, name: &str) -> &mut (String, Dtype, Vec<usize>, Vec<u8>) {
        self.tensors.iter_mut().find(|tensor| tensor.0 == name).unwrap()
    }

    fn remove(&mut self, name: &str) -> &mut Self {
        self.tensors.retain(|tensor| tensor.0 != name);
        self
    }

    /// The message this file is refused with.
    fn refusal(&self) -> String {
        parse(&self.bytes(), "file").unwrap_err()
    }

    /// The same values as another type.
    fn converted(&self, dtype: Dtype, convert: impl Fn(f32) -> [u8; 2]) -> Self {
        let mut converted = self.clone();
        for tensor in &mut converted.tensors {
            let values = tensor.3.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            (tensor.1, tensor.3) = (dtype, values.flat_map(&convert).collect());
        }
        converted
    }
}

#[test]
fn half_precision_reads_as_the_values_it_holds() {
    let contents = Contents::mixture();
    let full = parse(&contents.bytes(), "file").unwrap();
    let half = contents.converted(Dtype::F16, |value| f16::from_f32(value).to_le_bytes());
    let brain = contents.converted(Dtype::BF16, |value| bf16::from_f32(value).to_le_bytes());
    let half = parse(&half.bytes(), "file").unwrap();
    let brain = parse(&brain.bytes(), "file").unwrap();
    for ((&full, &half), &brain) in
        full.patch_embed.weight.iter().zip(&half.patch_embed.weight).zip(&brain.patch_embed.weight)
    {
        assert_eq!(half, f16::from_f32(full).to_f32());
        assert_eq!(brain, bf16::from_f32(full).to_f32());
    }
}

#[test]
fn biases_of_keys_and_values_change_nothing_but_projs_bias() {
    let mut contents = Contents::mixture();
    let before = parse(&contents.bytes(), "file").unwrap();
    let bias = &mut contents.tensor("backbone.blocks.0.attn.qkv.bias").3;
    let dim = before.config.dim;
    for (index, value) in bias.as_chunks_mut().0.iter_mut().enumerate().skip(dim) {
        *value = if index < 2 * dim { 7.0f32 } else { 0.5 }.to_le_bytes();
    }
    let after = parse(&contents.bytes(), "file").unwrap();
    let (before, after) = (&before.blocks[0].attention, &after.blocks[0].attention);
    assert_eq!((&before.query, &before.key, &before.value), (&after.query, &after.key, &after.value));
    for (channel, row) in before.proj.weight.outer_iter().enumerate() {
        let expected = before.proj.bias[channel] + 0.5 * row.sum();
        approx::assert_abs_diff_eq!(after.proj.bias[channel], expected, epsilon = 1e-5);
    }
}

#[test]
fn every_missing_tensor_is_named() {
    let contents = Contents::mixture();
    for (name, ..) in &contents.tensors {
        let refusal = contents.clone().remove(name).refusal();
        assert_eq!(refusal, format!("has no tensor `{name}`"));
    }
}

#[test]
fn every_misshapen_tensor_is_named() {
    let contents = Contents::mixture();
    for (name, ..) in &contents.tensors {
        let mut changed = contents.clone();
        let tensor = changed.tensor(name);
        let last = tensor.2.len() - 1;
        tensor.2[last] += 1;
        tensor.3.resize(tensor.2.iter().product::<usize>() * 4, 0);
        let refusal = changed.refusal();
        assert!(refusal.contains(&format!("`{name}`")), "{name}: {refusal}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_found() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut contents = Contents::mixture();
        contents.tensor("backbone.blocks.2.mlp.fc2.weight").3[40..44].copy_from_slice(&bad.to_le_bytes());
        let expected = format!(
            "tensor `backbone.blocks.2.mlp.fc2.weight` holds {bad} at index 10, expected finite numbers"
        );
        assert_eq!(contents.refusal(), expected);
    }
}

#[test]
fn other_types_of_numbers_are_refused() {
    let mut contents = Contents::mixture();
    contents.tensor("backbone.blocks.0.norm1.bias").1 = Dtype::I32;
    let expected = "tensor `backbone.blocks.0.norm1.bias` is I32, expected F32, F16 or BF16";
    assert_eq!(contents.refusal(), expected);
}

#[test]
fn tensors_the_network_does_not_have_are_refused() {
    let mut contents = Contents::mixture();
    contents.tensors.push(("backbone.norm.weight".into(), Dtype::F32, vec![1], vec![0; 4]));
    let expected = "has 1 tensors that are not part of the network, the first is `backbone.norm.weight`";
    assert_eq!(contents.refusal(), expected);
}

#[test]
fn contradictions_between_card_and_tensors_are_named() {
    let cases = [
        ("embed_dim", "128", "model card entry `embed_dim` is 128, but `backbone.patch_embed.proj.weight`"),
        ("patch", "16", "model card entry `patch` is 16, but `backbone.patch_embed.proj.weight`"),
        ("depth", "5", "has blocks 0 to 3, but its model card says depth 5"),
        (
            "experts",
            "8",
            "tensor `backbone.blocks.1.mlp.experts.htoh4.weight` has shape [4, 64, 64], expected",
        ),
        ("heads", "3", "heads 3 do not divide embed_dim 64"),
        ("top_k", "5", "top_k 5 of 4 experts"),
        (
            "image",
            "3x32x32 RGB, values pixel/256",
            "tensor `backbone.pos_embed` has shape [1, 9, 64], expected",
        ),
        ("moe_layers", "even", "model card entry `moe_layers` asks for `backbone.blocks.0.mlp.experts.htoh4"),
        ("moe_layers", "none", "model card entry `moe_layers` asks for `backbone.blocks.1.mlp.fc1.weight`"),
        ("tasks", "depth", "tensors that are not part of the network"),
        (
            "encoder_outputs",
            "semseg",
            "has 4 tensors that are not part of the network, the first is `decoders.semseg",
        ),
        ("classes", "road", "tensor `decoders.semseg.linear.weight` has shape [48, 64], expected [16, 64]"),
    ];
    for (entry, value, expected) in cases {
        let refusal = Contents::mixture().entry(entry, value).refusal();
        assert!(refusal.contains(expected), "{entry} = {value}: {refusal}");
    }
}

#[test]
fn every_missing_entry_of_the_card_is_named() {
    let contents = Contents::mixture();
    for name in contents.entries.keys().filter(|name| *name != "provenance") {
        let mut changed = contents.clone();
        changed.entries.remove(name);
        let expected = format!("model card (safetensors metadata) has no entry `{name}`");
        assert_eq!(changed.refusal(), expected);
    }
}

#[test]
fn senseless_entries_of_the_card_are_named() {
    let cases = [
        ("architecture", "ViT"),
        ("gelu", "tanh"),
        ("gate", "noisy"),
        ("image", "3x16 RGB, values pixel/256"),
        ("image", "3x16x99999999999 RGB, values pixel/256"),
        ("image", "1x16x32 RGB, values pixel/256"),
        ("patch", "0"),
        ("patch", "-8"),
        ("heads", "two"),
        ("depth", "99999999999999999999"),
        ("layer_norm_eps", "NaN"),
        ("layer_norm_eps", "1"),
        ("moe_layers", "some"),
        ("tasks", "semseg,semseg"),
        ("tasks", "flow"),
        ("encoder_outputs", "task0"),
        ("depth_units", "metres"),
        ("depth_units", "ln(metres) = value*NaN + 2.75, clipped at 80 m"),
        ("depth_units", "ln(metres) = value*1.05 + 2.75, clipped at -80 m"),
    ];
    for (entry, value) in cases {
        let refusal = Contents::mixture().entry(entry, value).refusal();
        assert!(refusal.starts_with(&format!("model card entry `{entry}`")), "{entry} = {value}: {refusal}");
    }
}

#[test]
fn task_names_are_fit_for_files() {
    for name in ["../semseg", "a.b", "a b", ""] {
        let mut contents = Contents::mixture();
        contents.entry("tasks", &format!("{name},depth")).entry("encoder_outputs", name);
        let expected = format!("task `{name}`: names are of letters, digits, `_` and `-`");
        assert_eq!(contents.refusal(), expected);
    }
}

#[test]
fn a_file_without_a_card_says_so() {
    let mut contents = Contents::mixture();
    contents.entries.clear();
    assert!(contents.refusal().starts_with("model card (safetensors metadata) has no entry"));
}

#[test]
fn files_that_are_cut_off_or_something_else_are_refused() {
    let bytes = Contents::mixture().bytes();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for length in (0..header).step_by(97).chain([header, header + 1, bytes.len() - 1]) {
        let refusal = parse(&bytes[..length], "file").unwrap_err();
        assert!(refusal.starts_with("is not a safetensors file"), "{length} bytes: {refusal}");
    }
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(parse(&huge, "file").unwrap_err().starts_with("is not a safetensors file"));
    assert!(parse(b"\x89PNG\r\n\x1a\n and so on", "file").is_err());
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let error = read_safetensors(Path::new("no/such/model.safetensors")).unwrap_err();
    assert!(error.to_string().starts_with("no/such/model.safetensors: cannot be read"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.safetensors");
    std::fs::write(&empty, b"").unwrap();
    assert!(read_safetensors(&empty).is_err());
    assert!(read_safetensors(directory.path()).is_err());
}

proptest! {
    /// Whatever bytes of the header change, there is an answer: a model or one message.
    #[test]
    fn mutated_headers_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = Contents::mixture().bytes();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (index, value) in changes {
            bytes[index.index(header)] = value;
        }
        if let Err(refusal) = parse(&bytes, "file") {
            prop_assert!(!refusal.is_empty());
        }
    }
}
