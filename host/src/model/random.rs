//! Networks with random weights: any shape, the same weights on every machine.
//!
//! For tests and benchmarks of shapes that nobody trained. Weights are
//! uniform with the variance that keeps activations near one (1/inputs).

use ndarray::{Array1, Array2};

use super::{
    Attention, Block, Expert, FeedForward, Head, Linear, Model, ModelConfig, Norm, Provenance, Task,
};
use crate::split_mix::SplitMix;

/// Sizes of a random network that its [`ModelConfig`] does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Depths {
    /// Number of blocks; odd ones are mixtures of experts if there are experts.
    pub blocks: usize,
    /// Hidden channels of a dense MLP, F.
    pub hidden: usize,
    /// Hidden channels of an expert, Fe.
    pub expert_hidden: usize,
}

/// A network of the given shape with weights drawn from `seed`.
///
/// # Errors
/// What is wrong with `config`, as [`ModelConfig::validate`] says it.
pub fn random(config: &ModelConfig, depths: Depths, seed: u64) -> Result<Model, String> {
    config.validate()?;
    let mut random = Random { stream: SplitMix::new(seed), drawn: 0 };
    let patch_embed = random.linear(config.dim, config.patch_values());
    let position = random.matrix(config.tokens(), config.dim, Spread::POSITION);
    let blocks = (0..depths.blocks).map(|index| random.block(config, depths, index)).collect();
    let mut head = |task: &Task| {
        let channels = task.head_channels()?;
        Some(Head { norm: random.norm(config.dim), linear: random.linear(channels, config.dim) })
    };
    let heads = config.tasks.iter().map(&mut head).collect();
    let provenance = Provenance {
        file: format!("random-{seed}"),
        note: format!("random weights from seed {seed}, not trained"),
        parameters: random.drawn,
    };
    Ok(Model { config: config.clone(), patch_embed, position, blocks, heads, provenance })
}

/// Mean and standard deviation of a kind of parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    mean: f32,
    deviation: f32,
}

impl Spread {
    /// Of a positional embedding.
    pub const POSITION: Self = Self { mean: 0.0, deviation: 1.0 };
    /// Of a linear layer's bias.
    pub const BIAS: Self = Self { mean: 0.0, deviation: 0.1 };
    /// Of a LayerNorm's gain.
    pub const GAIN: Self = Self { mean: 1.0, deviation: 0.2 };
    /// Of a LayerNorm's offset.
    pub const OFFSET: Self = Self { mean: 0.0, deviation: 0.2 };

    /// Of the weights of a layer: variance 1/inputs.
    pub fn weights(inputs: usize) -> Self {
        Self { mean: 0.0, deviation: (inputs as f32).sqrt().recip() }
    }

    /// So many parameters.
    pub fn draw(self, random: &mut SplitMix, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.mean + random.uniform(self.deviation)).collect()
    }
}

/// Draws the parts of a network.
struct Random {
    stream: SplitMix,
    /// Number of values drawn: each is a parameter of the network.
    drawn: u64,
}

impl Random {
    fn vector(&mut self, length: usize, spread: Spread) -> Array1<f32> {
        self.drawn += length as u64;
        spread.draw(&mut self.stream, length).into()
    }

    fn matrix(&mut self, rows: usize, columns: usize, spread: Spread) -> Array2<f32> {
        let values = self.vector(rows * columns, spread);
        values.into_shape_with_order((rows, columns)).expect("as many values were drawn")
    }

    /// Weights of a layer, shape [out, in].
    fn weights(&mut self, outputs: usize, inputs: usize) -> Array2<f32> {
        self.matrix(outputs, inputs, Spread::weights(inputs))
    }

    fn linear(&mut self, outputs: usize, inputs: usize) -> Linear {
        Linear { weight: self.weights(outputs, inputs), bias: self.vector(outputs, Spread::BIAS) }
    }

    fn norm(&mut self, dim: usize) -> Norm {
        Norm { gain: self.vector(dim, Spread::GAIN), offset: self.vector(dim, Spread::OFFSET) }
    }

    fn expert(&mut self, dim: usize, hidden: usize) -> Expert {
        Expert { fc1: self.linear(hidden, dim), fc2: self.linear(dim, hidden) }
    }

    fn block(&mut self, config: &ModelConfig, depths: Depths, index: usize) -> Block {
        let dim = config.dim;
        Block {
            norm1: self.norm(dim),
            attention: Attention {
                query: self.linear(dim, dim),
                key: self.weights(dim, dim),
                value: self.weights(dim, dim),
                proj: self.linear(dim, dim),
            },
            norm2: self.norm(dim),
            feed_forward: if index % 2 == 1 && config.experts > 0 {
                FeedForward::Experts {
                    gates: config.tasks.iter().map(|_| self.weights(config.experts, dim)).collect(),
                    experts: (0..config.experts).map(|_| self.expert(dim, depths.expert_hidden)).collect(),
                }
            } else {
                FeedForward::Dense(self.expert(dim, depths.hidden))
            },
        }
    }
}
