//! Import of the weights directory that Edge-MoE releases, from directories of random weights.

mod common;

use std::path::{Path, PathBuf};

use common::{pictures, random_model, write_edge_moe_weights};
use edge_moe::ErrorKind;
use edge_moe::model::{
    Depths, EdgeMoeImport, FeedForward, Model, ModelConfig, read_edge_moe, read_edge_moe_picture,
    read_safetensors, sample_shapes, write_safetensors,
};
use tempfile::TempDir;

/// A directory of a small model's weights.
struct Weights {
    directory: TempDir,
    model: Model,
}

impl Weights {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let model = random_model(shape(), 61);
        write_edge_moe_weights(&model, &pictures(&model.config, 1)[0], directory.path());
        Self { directory, model }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.float32.bin"))
    }

    fn remove(&self, names: &[&str]) {
        names.iter().for_each(|name| std::fs::remove_file(self.file(name)).unwrap());
    }

    fn import(&self, fill: Option<u64>) -> edge_moe::Result<EdgeMoeImport> {
        let (config, depths) = shape();
        read_edge_moe(self.path(), (&config, depths), fill)
    }

    #[track_caller]
    fn refusal(&self) -> String {
        let error = self.import(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.hint_text().is_some());
        error.to_string()
    }
}

fn shape() -> (ModelConfig, Depths) {
    sample_shapes::headless(sample_shapes::mixture())
}

#[test]
fn every_tensor_finds_its_place() {
    let weights = Weights::new();
    let mut import = weights.import(None).unwrap();
    // 3 of the embedding; 8 of every block; 4 of an MLP, 6 of a mixture with its two gates.
    assert_eq!((import.files, import.filled.len()), (3 + 4 * 8 + 2 * 4 + 2 * 6, 0));
    // The files also hold the biases of keys and values.
    assert_eq!(import.model.provenance.parameters, weights.model.provenance.parameters + 4 * 2 * 64);
    import.model.provenance = weights.model.provenance.clone();
    assert!(import.model == weights.model);
}

#[test]
fn the_short_ending_is_understood() {
    let weights = Weights::new();
    for entry in std::fs::read_dir(weights.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().replace(".float32.bin", ".bin");
        std::fs::rename(&path, name).unwrap();
    }
    assert!(weights.import(None).unwrap().model.blocks == weights.model.blocks);
    assert!(read_edge_moe_picture(weights.path(), &weights.model.config).is_ok());
}

#[test]
fn the_picture_reads_as_it_was() {
    let weights = Weights::new();
    let config = &weights.model.config;
    assert_eq!(read_edge_moe_picture(weights.path(), config).unwrap(), pictures(config, 1)[0]);
    std::fs::write(weights.file("image"), 0.7f32.to_le_bytes().repeat(3 * 16 * 32)).unwrap();
    let error = read_edge_moe_picture(weights.path(), config).unwrap_err();
    let expected = "image.float32.bin: holds 0.7 at index 0, expected a pixel from 0 to 255, divided by 256";
    assert!(error.to_string().ends_with(expected), "{error}");
    weights.remove(&["image"]);
    let error = read_edge_moe_picture(weights.path(), config).unwrap_err();
    assert!(error.to_string().ends_with("1 file is missing: image.float32.bin"), "{error}");
    assert!(weights.import(None).is_ok());
}

#[test]
fn every_missing_file_is_named() {
    let weights = Weights::new();
    let missing = ["pos_embed", "l0_qkv_bias", "l1_htoh4_weight", "l3_w_gate_T_task1"];
    weights.remove(&missing);
    let files = missing.map(|name| format!("{name}.float32.bin")).join(", ");
    let refusal = weights.refusal();
    assert!(refusal.ends_with(&format!(": 4 files are missing: {files}")), "{refusal}");
}

#[test]
fn a_directory_without_any_weights_is_refused() {
    let (config, depths) = shape();
    let empty = tempfile::tempdir().unwrap();
    for fill in [None, Some(1)] {
        let error = read_edge_moe(empty.path(), (&config, depths), fill).unwrap_err();
        assert!(
            error.to_string().contains("55 files are missing: patch_embed_weight.float32.bin"),
            "{error}"
        );
    }
    let error = read_edge_moe(Path::new("no/such/weights"), (&config, depths), None).unwrap_err();
    assert!(error.to_string().starts_with("no/such/weights: cannot be read"), "{error}");
    let weights = Weights::new();
    let error = read_edge_moe(&weights.file("pos_embed"), (&config, depths), None).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn missing_weights_are_filled_the_same_whatever_else_is_missing() {
    let weights = Weights::new();
    weights.remove(&["l1_htoh4_weight"]);
    let one = weights.import(Some(5)).unwrap();
    assert_eq!(one.filled, ["l1_htoh4_weight"]);
    assert!(one.model.provenance.note.contains("random values from seed 5: l1_htoh4_weight"));
    weights.remove(&["l0_norm1_weight", "l3_h4toh_bias"]);
    let two = weights.import(Some(5)).unwrap();
    assert_eq!(two.filled, ["l0_norm1_weight", "l1_htoh4_weight", "l3_h4toh_bias"]);
    let fc1 = |import: &EdgeMoeImport| match &import.model.blocks[1].feed_forward {
        FeedForward::Experts { experts, .. } => experts[2].fc1.weight.clone(),
        FeedForward::Dense(_) => panic!("block 1 is a mixture"),
    };
    assert!(fc1(&one) == fc1(&two));
    assert!(fc1(&one) != fc1(&weights.import(Some(6)).unwrap()));
    let deviation = (fc1(&one).mapv(|weight| weight * weight).mean().unwrap()).sqrt();
    approx::assert_relative_eq!(deviation, 64f32.sqrt().recip(), max_relative = 0.05);
    let path = weights.path().join("model.safetensors");
    write_safetensors(&two.model, &path).unwrap();
    let read = read_safetensors(&path).unwrap();
    assert!(read.blocks == two.model.blocks && read.config == two.model.config);
    assert_eq!(read.provenance.note, two.model.provenance.note);
}

#[test]
fn files_of_the_wrong_size_are_named_with_both_sizes() {
    let weights = Weights::new();
    let bytes = std::fs::read(weights.file("l2_fc1_bias")).unwrap();
    assert_eq!(bytes.len(), 1024);
    for length in [0, 1, 1020, 1023, 1025, 2048] {
        let mut bytes = bytes.clone();
        bytes.resize(length, 0);
        std::fs::write(weights.file("l2_fc1_bias"), bytes).unwrap();
        let refusal = weights.refusal();
        let expected = format!(
            "l2_fc1_bias.float32.bin: holds {length} bytes, expected 1024: f32 values of shape [256]"
        );
        assert!(refusal.ends_with(&expected), "{refusal}");
    }
}

#[test]
fn numbers_that_cannot_be_weights_are_found() {
    for (bad, shown) in
        [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf"), (-2e4, "-20000")]
    {
        let weights = Weights::new();
        let mut bytes = std::fs::read(weights.file("l1_qkv_weight")).unwrap();
        bytes[40..44].copy_from_slice(&bad.to_le_bytes());
        std::fs::write(weights.file("l1_qkv_weight"), bytes).unwrap();
        let refusal = weights.refusal();
        let expected = format!(
            "l1_qkv_weight.float32.bin: holds {shown} at index 10, expected finite numbers within ±10000"
        );
        assert!(refusal.ends_with(&expected), "{refusal}");
    }
}
