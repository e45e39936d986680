//! Networks with random weights: any shape, the same weights on every machine.
//!
//! For tests and benchmarks of shapes that nobody trained. Weights are
//! uniform with the variance that keeps activations near one (1/inputs).

use ndarray::{Array1, Array2};

use super::{
    Attention, Block, Expert, FeedForward, Head, Linear, Model, ModelConfig, Norm, Provenance, Task,
};

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
    let mut random = Random { state: seed, drawn: 0 };
    let patch_embed = random.linear(config.dim, config.patch_values());
    let position = random.matrix(config.tokens(), config.dim, 1.0);
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

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
struct Random {
    state: u64,
    /// Number of values drawn: each is a parameter of the network.
    drawn: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform with mean zero and the given standard deviation.
    fn value(&mut self, deviation: f32) -> f32 {
        self.drawn += 1;
        let unit = (self.next() >> 40) as f32 / (1 << 24) as f32;
        (2.0 * unit - 1.0) * deviation * 3f32.sqrt()
    }

    fn vector(&mut self, length: usize, mean: f32, deviation: f32) -> Array1<f32> {
        Array1::from_shape_simple_fn(length, || mean + self.value(deviation))
    }

    fn matrix(&mut self, rows: usize, columns: usize, deviation: f32) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.value(deviation))
    }

    /// Weights of a layer, shape [out, in].
    fn weights(&mut self, outputs: usize, inputs: usize) -> Array2<f32> {
        self.matrix(outputs, inputs, (inputs as f32).sqrt().recip())
    }

    fn linear(&mut self, outputs: usize, inputs: usize) -> Linear {
        Linear { weight: self.weights(outputs, inputs), bias: self.vector(outputs, 0.0, 0.1) }
    }

    fn norm(&mut self, dim: usize) -> Norm {
        Norm { gain: self.vector(dim, 1.0, 0.2), offset: self.vector(dim, 0.0, 0.2) }
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
