//! Export of a model to safetensors (f32), in the names and with the model
//! card that import reads.
//!
//! What import folds together stays folded: keys and values get zero biases,
//! the cls token is part of the positional embedding.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use ndarray::{Array1, ArrayView, Axis, Dimension, concatenate, stack};
use safetensors::tensor::{Dtype, TensorView};

use super::{Attention, FeedForward, Linear, Model, Norm, TaskKind, card};
use crate::{Error, Result, atomic_file};

/// Writes a model; the file appears complete or not at all.
pub fn write_safetensors(model: &Model, path: &Path) -> Result<()> {
    let bytes = to_safetensors(model).map_err(|problem| Error::writing(path, problem))?;
    atomic_file::write(path, |file| file.write_all(&bytes))
}

/// The bytes of a safetensors file that holds the model.
pub fn to_safetensors(model: &Model) -> std::result::Result<Vec<u8>, String> {
    let mut tensors = Tensors::default();
    tensors.model(model);
    let views = tensors.0.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<std::result::Result<_, _>>().map_err(|cause| cause.to_string())?;
    safetensors::serialize(views, Some(card(model))).map_err(|cause| cause.to_string())
}

/// Name, shape and little-endian values of each tensor.
#[derive(Default)]
struct Tensors(Vec<(String, Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn model(&mut self, model: &Model) {
        let config = &model.config;
        let (dim, patch) = (config.dim, config.patch);
        self.add(
            "backbone.patch_embed.proj.weight",
            &[dim, 3, patch, patch],
            model.patch_embed.weight.view(),
        );
        self.add("backbone.patch_embed.proj.bias", &[dim], model.patch_embed.bias.view());
        self.add("backbone.pos_embed", &[1, config.tokens(), dim], model.position.view());
        self.zeros("backbone.cls_token", &[1, 1, dim]);
        for (index, block) in model.blocks.iter().enumerate() {
            let name = format!("backbone.blocks.{index}");
            self.norm(&format!("{name}.norm1"), &block.norm1);
            self.norm(&format!("{name}.norm2"), &block.norm2);
            self.attention(&format!("{name}.attn"), dim, &block.attention);
            self.feed_forward(&format!("{name}.mlp"), &block.feed_forward);
        }
        for (task, head) in config.tasks.iter().zip(&model.heads) {
            let Some(head) = head else { continue };
            self.norm(&format!("decoders.{}.norm", task.name), &head.norm);
            self.linear(&format!("decoders.{}.linear", task.name), &head.linear);
        }
    }

    fn feed_forward(&mut self, name: &str, feed_forward: &FeedForward) {
        match feed_forward {
            FeedForward::Dense(mlp) => {
                self.linear(&format!("{name}.fc1"), &mlp.fc1);
                self.linear(&format!("{name}.fc2"), &mlp.fc2);
            }
            FeedForward::Experts { gates, experts } => {
                for (task, gate) in gates.iter().enumerate() {
                    let (experts, dim) = gate.dim();
                    self.add(&format!("{name}.gate.{task}.w_gate"), &[dim, experts], gate.t());
                }
                let fc1: Vec<&Linear> = experts.iter().map(|expert| &expert.fc1).collect();
                let fc2: Vec<&Linear> = experts.iter().map(|expert| &expert.fc2).collect();
                self.stacked(&format!("{name}.experts.htoh4"), &fc1);
                self.stacked(&format!("{name}.experts.h4toh"), &fc2);
            }
        }
    }

    /// Queries, keys and values in one matrix, as M³ViT stacks them.
    fn attention(&mut self, name: &str, dim: usize, attention: &Attention) {
        let weights = [attention.query.weight.view(), attention.key.view(), attention.value.view()];
        let none = Array1::zeros(dim);
        let biases = [attention.query.bias.view(), none.view(), none.view()];
        let weight = concatenate(Axis(0), &weights).expect("all are D wide");
        let bias = concatenate(Axis(0), &biases).expect("vectors have no other axis");
        self.linear(&format!("{name}.qkv"), &Linear { weight, bias });
        self.linear(&format!("{name}.proj"), &attention.proj);
    }

    /// The same linear layer of all experts.
    fn stacked(&mut self, name: &str, layers: &[&Linear]) {
        let weights: Vec<_> = layers.iter().map(|layer| layer.weight.view()).collect();
        let biases: Vec<_> = layers.iter().map(|layer| layer.bias.view()).collect();
        let weight = stack(Axis(0), &weights).expect("experts have one shape");
        let bias = stack(Axis(0), &biases).expect("experts have one shape");
        self.add(&format!("{name}.weight"), weight.shape(), weight.view());
        self.add(&format!("{name}.bias"), bias.shape(), bias.view());
    }

    fn norm(&mut self, name: &str, norm: &Norm) {
        self.add(&format!("{name}.weight"), &[norm.gain.len()], norm.gain.view());
        self.add(&format!("{name}.bias"), &[norm.offset.len()], norm.offset.view());
    }

    fn linear(&mut self, name: &str, layer: &Linear) {
        self.add(&format!("{name}.weight"), layer.weight.shape(), layer.weight.view());
        self.add(&format!("{name}.bias"), layer.bias.shape(), layer.bias.view());
    }

    fn zeros(&mut self, name: &str, shape: &[usize]) {
        self.add(name, shape, Array1::zeros(shape.iter().product::<usize>()).view());
    }

    fn add<D: Dimension>(&mut self, name: &str, shape: &[usize], values: ArrayView<'_, f32, D>) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.push((name.to_string(), shape.to_vec(), bytes));
    }
}

/// The model card's entries.
pub(super) fn card(model: &Model) -> HashMap<String, String> {
    let config = &model.config;
    let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
    let is_moe = |&index: &usize| matches!(model.blocks[index].feed_forward, FeedForward::Experts { .. });
    let moe_layers: Vec<String> =
        (0..model.blocks.len()).filter(is_moe).map(|index| index.to_string()).collect();
    let mut entries = HashMap::new();
    let mut entry = |name: &str, value: String| drop(entries.insert(name.to_string(), value));
    entry("architecture", card::ARCHITECTURE.to_string());
    entry("gelu", card::GELU.to_string());
    entry("gate", card::GATE.to_string());
    entry("image", format!("3x{}x{} {}", config.image_height, config.image_width, card::PIXELS));
    entry("patch", config.patch.to_string());
    entry("embed_dim", config.dim.to_string());
    entry("depth", model.blocks.len().to_string());
    entry("heads", config.heads.to_string());
    entry("experts", config.experts.to_string());
    entry("top_k", config.top_k.to_string());
    entry("moe_layers", if moe_layers.is_empty() { "none".into() } else { moe_layers.join(",") });
    entry("layer_norm_eps", config.layer_norm_eps.to_string());
    entry("tasks", names.join(","));
    entry("provenance", model.provenance.note.clone());
    let headless = config.tasks.iter().filter(|task| task.kind == TaskKind::Encoder);
    let headless: Vec<&str> = headless.map(|task| task.name.as_str()).collect();
    if !headless.is_empty() {
        entry("encoder_outputs", headless.join(","));
    }
    for task in &config.tasks {
        match &task.kind {
            TaskKind::Encoder => (),
            TaskKind::Segmentation { classes } => entry("classes", classes.join(",")),
            TaskKind::Depth { scale, offset, max_metres } => entry(
                "depth_units",
                format!("ln(metres) = value*{scale} + {offset}, clipped at {max_metres} m"),
            ),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{random, read_safetensors, sample_shapes};

    #[test]
    fn an_exported_model_reads_back_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("random-3");
        for (config, depths) in [
            sample_shapes::mixture(),
            sample_shapes::dense(),
            sample_shapes::headless(sample_shapes::mixture()),
        ] {
            let model = random(&config, depths, 3).unwrap();
            write_safetensors(&model, &path).unwrap();
            let mut read = read_safetensors(&path).unwrap();
            // The file also holds the biases and the cls token that import folds away.
            assert!(read.provenance.parameters > model.provenance.parameters);
            read.provenance.parameters = model.provenance.parameters;
            assert!(read == model);
        }
    }
}
