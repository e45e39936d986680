//! Import of M³ViT weights from safetensors.
//!
//! The shape of the network follows from the tensors; the model card in the
//! file's metadata says what tensors cannot. Whatever both say must agree, and
//! every tensor of the file must be one that the network has.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use half::{bf16, f16};
use memmap2::Mmap;
use ndarray::{Array1, Array2, Axis};
use safetensors::{Dtype, SafeTensors};

use super::card::Card;
use super::{Attention, Block, Expert, FeedForward, Head, Linear, Model, ModelConfig, Norm, Provenance};
use crate::{Error, Result};

/// Reads a model from a safetensors file (f32, f16 or bf16).
pub fn read_safetensors(path: &Path) -> Result<Model> {
    let file = File::open(path).map_err(|cause| Error::reading(path, cause))?;
    // SAFETY: the map is private to this process, only read, and dropped before returning.
    let map = unsafe { Mmap::map(&file) }.map_err(|cause| Error::reading(path, cause))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parse(&map, &name).map_err(|problem| {
        Error::input(path.display(), problem)
            .hint("expected an M3ViT checkpoint with a model card, such as models/m3vit-street-small.f16.safetensors")
    })
}

type Parsed<T> = std::result::Result<T, String>;

fn parse(bytes: &[u8], file: &str) -> Parsed<Model> {
    let not_safetensors = |cause| format!("is not a safetensors file: {cause}");
    let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    let entries = metadata.metadata().clone().unwrap_or_default();
    let mut reader = Reader { tensors: &tensors, unused: tensors.names().into_iter().collect() };
    let card = Card::parse(&entries)?;
    let model = reader.model(&card, file)?;
    match reader.unused.first() {
        None => Ok(model),
        Some(name) => Err(format!(
            "has {} tensors that are not part of the network, the first is `{name}`",
            reader.unused.len()
        )),
    }
}

/// Takes tensors out of a file, each with the shape it must have.
struct Reader<'a> {
    tensors: &'a SafeTensors<'a>,
    unused: BTreeSet<&'a str>,
}

impl Reader<'_> {
    fn model(&mut self, card: &Card, file: &str) -> Parsed<Model> {
        let dim = self.check_card(card)?;
        let config = ModelConfig {
            image_height: card.image_height,
            image_width: card.image_width,
            patch: card.patch,
            dim,
            heads: card.heads,
            experts: card.experts,
            top_k: card.top_k,
            layer_norm_eps: card.layer_norm_eps,
            tasks: card.tasks.clone(),
        };
        config.validate()?;
        let depth = self.depth();
        if depth != card.depth {
            return Err(format!(
                "has blocks 0 to {}, but its model card says depth {}",
                depth as i64 - 1,
                card.depth
            ));
        }
        let patch_embed = self.patch_embed(&config)?;
        let position = self.position(&config)?;
        let blocks = (0..depth).map(|index| self.block(&config, card, index)).collect::<Parsed<Vec<_>>>()?;
        let heads = config.tasks.iter().map(|task| {
            let Some(channels) = task.head_channels() else { return Ok(None) };
            let name = format!("decoders.{}", task.name);
            let norm = self.norm(&format!("{name}.norm"), dim)?;
            Ok(Some(Head { norm, linear: self.linear(&format!("{name}.linear"), channels, dim)? }))
        });
        let heads = heads.collect::<Parsed<Vec<_>>>()?;
        let parameters =
            self.tensors.iter().map(|(_, view)| view.shape().iter().product::<usize>() as u64).sum();
        let provenance = Provenance { file: file.to_string(), note: card.provenance.clone(), parameters };
        Ok(Model { config, patch_embed, position, blocks, heads, provenance })
    }

    /// Compares what single tensors tell of the network's shape with the card; returns D.
    fn check_card(&self, card: &Card) -> Parsed<usize> {
        let shape = self.shape("backbone.patch_embed.proj.weight")?;
        if shape.len() != 4 || shape[1] != 3 || shape[2] != shape[3] {
            return Err(format!(
                "tensor `backbone.patch_embed.proj.weight` has shape {shape:?}, expected [D, 3, p, p]"
            ));
        }
        for (entry, stated, found) in [("embed_dim", card.dim, shape[0]), ("patch", card.patch, shape[2])] {
            if stated != found {
                return Err(format!(
                    "model card entry `{entry}` is {stated}, but `backbone.patch_embed.proj.weight` has shape {shape:?}"
                ));
            }
        }
        Ok(shape[0])
    }

    /// Number of blocks: one more than the largest index in a tensor's name.
    fn depth(&self) -> usize {
        let index = |name: &&str| {
            name.strip_prefix("backbone.blocks.")?
                .split('.')
                .next()?
                .parse::<usize>()
                .ok()
                .filter(|&i| i < 4096)
        };
        self.unused.iter().filter_map(index).max().map_or(0, |last| last + 1)
    }

    fn patch_embed(&mut self, config: &ModelConfig) -> Parsed<Linear> {
        let (name, patch) = ("backbone.patch_embed.proj", config.patch);
        let weight = self.values(&format!("{name}.weight"), &[config.dim, 3, patch, patch])?;
        Ok(Linear {
            weight: matrix(config.dim, config.patch_values(), weight),
            bias: self.vector(&format!("{name}.bias"), config.dim)?,
        })
    }

    /// Positional embedding with the cls token added into its first row.
    fn position(&mut self, config: &ModelConfig) -> Parsed<Array2<f32>> {
        let (tokens, dim) = (config.tokens(), config.dim);
        let mut position = matrix(tokens, dim, self.values("backbone.pos_embed", &[1, tokens, dim])?);
        let cls = self.values("backbone.cls_token", &[1, 1, dim])?;
        position.row_mut(0).iter_mut().zip(cls).for_each(|(position, cls)| *position += cls);
        Ok(position)
    }

    fn block(&mut self, config: &ModelConfig, card: &Card, index: usize) -> Parsed<Block> {
        let (name, dim) = (format!("backbone.blocks.{index}"), config.dim);
        Ok(Block {
            norm1: self.norm(&format!("{name}.norm1"), dim)?,
            attention: self.attention(&format!("{name}.attn"), dim)?,
            norm2: self.norm(&format!("{name}.norm2"), dim)?,
            feed_forward: self.feed_forward(
                &format!("{name}.mlp"),
                config,
                card.moe_layers.contains(index),
            )?,
        })
    }

    fn attention(&mut self, name: &str, dim: usize) -> Parsed<Attention> {
        let qkv = self.linear(&format!("{name}.qkv"), 3 * dim, dim)?;
        let proj = self.linear(&format!("{name}.proj"), dim, dim)?;
        Ok(attention(&qkv, proj))
    }

    fn feed_forward(&mut self, name: &str, config: &ModelConfig, moe: bool) -> Parsed<FeedForward> {
        let (dense, experts) = (format!("{name}.fc1.weight"), format!("{name}.experts.htoh4.weight"));
        let (expected, other) = if moe { (&experts, &dense) } else { (&dense, &experts) };
        if self.tensors.tensor(expected).is_err() && self.tensors.tensor(other).is_ok() {
            return Err(format!(
                "model card entry `moe_layers` asks for `{expected}`, but the file has `{other}`"
            ));
        }
        if moe { self.experts(name, config) } else { self.dense(name, config) }
    }

    fn dense(&mut self, name: &str, config: &ModelConfig) -> Parsed<FeedForward> {
        let shape = self.shape(&format!("{name}.fc1.weight"))?;
        let hidden = shape.first().copied().unwrap_or_default();
        Ok(FeedForward::Dense(Expert {
            fc1: self.linear(&format!("{name}.fc1"), hidden, config.dim)?,
            fc2: self.linear(&format!("{name}.fc2"), config.dim, hidden)?,
        }))
    }

    fn experts(&mut self, name: &str, config: &ModelConfig) -> Parsed<FeedForward> {
        let (count, dim) = (config.experts, config.dim);
        let shape = self.shape(&format!("{name}.experts.htoh4.weight"))?;
        let hidden = shape.get(1).copied().unwrap_or_default();
        let fc1 = self.stacked(&format!("{name}.experts.htoh4"), count, hidden, dim)?;
        let fc2 = self.stacked(&format!("{name}.experts.h4toh"), count, dim, hidden)?;
        let experts = fc1.into_iter().zip(fc2).map(|(fc1, fc2)| Expert { fc1, fc2 }).collect();
        let gate = |task: usize| {
            let values = self.values(&format!("{name}.gate.{task}.w_gate"), &[dim, count])?;
            Ok(matrix(dim, count, values).reversed_axes().as_standard_layout().into_owned())
        };
        let gates = (0..config.tasks.len()).map(gate).collect::<Parsed<_>>()?;
        Ok(FeedForward::Experts { gates, experts })
    }

    /// The same linear layer of all experts.
    fn stacked(&mut self, name: &str, count: usize, outputs: usize, inputs: usize) -> Parsed<Vec<Linear>> {
        let weight = self.values(&format!("{name}.weight"), &[count, outputs, inputs])?;
        let bias = self.values(&format!("{name}.bias"), &[count, outputs])?;
        Ok(layers(outputs, inputs, &weight, &bias))
    }

    fn norm(&mut self, name: &str, dim: usize) -> Parsed<Norm> {
        Ok(Norm {
            gain: self.vector(&format!("{name}.weight"), dim)?,
            offset: self.vector(&format!("{name}.bias"), dim)?,
        })
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Parsed<Linear> {
        let weight = self.values(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok(Linear {
            weight: matrix(outputs, inputs, weight),
            bias: self.vector(&format!("{name}.bias"), outputs)?,
        })
    }

    fn vector(&mut self, name: &str, length: usize) -> Parsed<Array1<f32>> {
        self.values(name, &[length]).map(Array1::from_vec)
    }

    fn shape(&self, name: &str) -> Parsed<Vec<usize>> {
        let tensor = self.tensors.tensor(name).map_err(|_| format!("has no tensor `{name}`"))?;
        Ok(tensor.shape().to_vec())
    }

    /// All values of a tensor, which must have the given shape and be finite.
    fn values(&mut self, name: &str, shape: &[usize]) -> Parsed<Vec<f32>> {
        let tensor = self.tensors.tensor(name).map_err(|_| format!("has no tensor `{name}`"))?;
        if tensor.shape() != shape {
            return Err(format!("tensor `{name}` has shape {:?}, expected {shape:?}", tensor.shape()));
        }
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => tensor.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => {
                tensor.data().as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()
            }
            Dtype::BF16 => {
                tensor.data().as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect()
            }
            other => return Err(format!("tensor `{name}` is {other:?}, expected F32, F16 or BF16")),
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!(
                "tensor `{name}` holds {} at index {index}, expected finite numbers",
                values[index]
            ));
        }
        self.unused.remove(name);
        Ok(values)
    }
}

/// A row-major matrix of values whose number was checked with their shape.
pub(super) fn matrix(rows: usize, columns: usize, values: Vec<f32>) -> Array2<f32> {
    Array2::from_shape_vec((rows, columns), values).expect("shapes were checked")
}

/// Layers of equal shape out of their stacked weights and biases.
pub(super) fn layers(outputs: usize, inputs: usize, weights: &[f32], biases: &[f32]) -> Vec<Linear> {
    let layer = |(weight, bias): (&[f32], &[f32])| Linear {
        weight: matrix(outputs, inputs, weight.to_vec()),
        bias: Array1::from(bias.to_vec()),
    };
    weights.chunks(outputs * inputs).zip(biases.chunks(outputs)).map(layer).collect()
}

/// Attention out of the stacked queries, keys and values, and the output projection.
pub(super) fn attention(qkv: &Linear, proj: Linear) -> Attention {
    let dim = qkv.weight.ncols();
    let part = |index: usize| {
        let rows = index * dim..(index + 1) * dim;
        let weight = qkv.weight.slice(ndarray::s![rows.clone(), ..]).to_owned();
        (weight, qkv.bias.slice(ndarray::s![rows]).to_owned())
    };
    let ((query, query_bias), (key, _), (value, value_bias)) = (part(0), part(1), part(2));
    Attention {
        query: Linear { weight: query, bias: query_bias },
        key,
        value,
        proj: fold_value_bias(proj, &value_bias),
    }
}

/// W·(c + b) = W·c + W·b: a bias of the values reaches `proj` unchanged,
/// because softmax weights sum to one. Summed in f64, in order.
pub(super) fn fold_value_bias(mut proj: Linear, value_bias: &Array1<f32>) -> Linear {
    for (bias, row) in proj.bias.iter_mut().zip(proj.weight.axis_iter(Axis(0))) {
        let products = row.iter().zip(value_bias).map(|(&w, &b)| f64::from(w) * f64::from(b));
        *bias = (f64::from(*bias) + products.sum::<f64>()) as f32;
    }
    proj
}

#[cfg(test)]
mod tests;
