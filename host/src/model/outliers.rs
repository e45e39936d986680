//! The outlier-stressed variant of a model: the same function, harder to quantise.

use ndarray::Array2;
use serde::Serialize;

use super::{FeedForward, Model, Norm};
use crate::split_mix::SplitMix;

/// Channels that stand out in the activations of a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outliers {
    /// What the channels are drawn from.
    pub seed: u64,
    /// Channels of each LayerNorm that are scaled up (all, if there are fewer).
    pub channels: usize,
    /// How much: positive and finite.
    pub factor: f32,
}

impl Outliers {
    /// Three channels, 24 times as large.
    pub fn new(seed: u64) -> Self {
        Self { seed, channels: 3, factor: 24.0 }
    }

    fn draw(&self, random: &mut SplitMix, dim: usize) -> Vec<usize> {
        let mut channels = Vec::new();
        while channels.len() < self.channels.min(dim) {
            let channel = random.below(dim);
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    /// Multiplies a few channels of a LayerNorm and divides the weights that read them.
    fn scale(&self, random: &mut SplitMix, norm: &mut Norm, readers: &mut [&mut Array2<f32>]) {
        for channel in self.draw(random, norm.gain.len()) {
            norm.gain[channel] *= self.factor;
            norm.offset[channel] *= self.factor;
            readers
                .iter_mut()
                .for_each(|weight| weight.column_mut(channel).mapv_inplace(|w| w / self.factor));
        }
    }
}

/// A model that computes what `model` does, up to rounding, with outliers after every LayerNorm of its blocks.
pub fn with_outliers(model: &Model, outliers: Outliers) -> Model {
    let mut model = model.clone();
    let mut random = SplitMix::new(outliers.seed);
    for block in &mut model.blocks {
        let attention = &mut block.attention;
        let mut readers = [&mut attention.query.weight, &mut attention.key, &mut attention.value];
        outliers.scale(&mut random, &mut block.norm1, &mut readers);
        let mut readers: Vec<&mut Array2<f32>> = match &mut block.feed_forward {
            FeedForward::Dense(mlp) => vec![&mut mlp.fc1.weight],
            FeedForward::Experts { gates, experts } => {
                gates.iter_mut().chain(experts.iter_mut().map(|expert| &mut expert.fc1.weight)).collect()
            }
        };
        outliers.scale(&mut random, &mut block.norm2, &mut readers);
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{float_reference, random, sample_shapes};
    use crate::picture;

    #[test]
    fn the_function_stays_the_same_and_the_gains_do_not() {
        let (config, depths) = sample_shapes::mixture();
        let model = random(&config, depths, 51).unwrap();
        // A power of two changes nothing but exponents: equal to the last bit.
        let outliers = Outliers { factor: 32.0, ..Outliers::new(1) };
        let stressed = with_outliers(&model, outliers);
        let patches = picture::patches(&picture::synthetic(32, 16), config.patch);
        let answers = |model| float_reference::run(model, &patches, &[0, 1], &mut ());
        assert_eq!(answers(&model), answers(&stressed));
        for (block, other) in model.blocks.iter().zip(&stressed.blocks) {
            for (norm, other) in [(&block.norm1, &other.norm1), (&block.norm2, &other.norm2)] {
                let scaled = norm.gain.iter().zip(&other.gain).filter(|(gain, other)| gain != other);
                assert_eq!(scaled.count(), 3);
            }
        }
        assert!(with_outliers(&model, Outliers::new(1)) == with_outliers(&model, Outliers::new(1)));
    }
}
