//! Calibration: the range of every tensor over a set of pictures.

use std::collections::BTreeMap;

use image::RgbImage;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::model::{Model, Observer, Point, Tensor, float_reference};
use crate::picture;

/// Least and greatest value of each channel of every tensor.
///
/// A tensor is known by its block and name: tasks and experts share scales,
/// because they run through the same descriptors. Only heads differ by task.
#[derive(Clone, Debug, Default)]
pub struct Ranges(BTreeMap<Key, Vec<ChannelRange>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    block: Option<usize>,
    head: Option<usize>,
    tensor: Tensor,
}

#[derive(Clone, Copy, Debug)]
struct ChannelRange {
    least: f32,
    greatest: f32,
}

impl ChannelRange {
    fn merge(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    fn magnitude(self) -> f64 {
        f64::from(self.greatest.max(-self.least))
    }
}

impl Ranges {
    /// Greatest magnitude of a block's tensor (of the embedding if `block` is none).
    pub fn magnitude(&self, block: Option<usize>, tensor: Tensor) -> f64 {
        self.magnitudes(Key { block, head: None, tensor }, 1)[0]
    }

    /// Greatest magnitude of each head's part of a block's tensor.
    pub fn head_magnitudes(&self, block: usize, tensor: Tensor, heads: usize) -> Vec<f64> {
        self.magnitudes(Key { block: Some(block), head: None, tensor }, heads)
    }

    /// Greatest magnitude of a tensor of one task's head.
    pub fn task_magnitude(&self, task: usize, tensor: Tensor) -> f64 {
        self.magnitudes(Key { block: None, head: Some(task), tensor }, 1)[0]
    }

    /// Greatest (not least) value of a block's tensor.
    pub fn greatest(&self, block: usize, tensor: Tensor) -> f64 {
        let channels = self.channels(Key { block: Some(block), head: None, tensor });
        channels.iter().map(|range| f64::from(range.greatest)).fold(0.0, f64::max)
    }

    fn magnitudes(&self, key: Key, parts: usize) -> Vec<f64> {
        let channels = self.channels(key);
        let part = channels.len().div_ceil(parts).max(1);
        let mut magnitudes: Vec<f64> = channels
            .chunks(part)
            .map(|channels| channels.iter().map(|range| range.magnitude()).fold(0.0, f64::max))
            .collect();
        magnitudes.resize(parts, 0.0);
        magnitudes
    }

    /// A tensor that no picture reached (experts that nobody visits) has no channels.
    fn channels(&self, key: Key) -> &[ChannelRange] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    fn merge(mut self, other: Self) -> Self {
        for (key, channels) in other.0 {
            match self.0.get_mut(&key) {
                Some(known) => known.iter_mut().zip(channels).for_each(|(known, other)| known.merge(other)),
                None => drop(self.0.insert(key, channels)),
            }
        }
        self
    }
}

impl Observer for Ranges {
    fn tensor(&mut self, point: Point, values: ArrayView2<'_, f32>) {
        let is_head = matches!(point.tensor, Tensor::HeadNorm | Tensor::Head);
        let head = if is_head { point.task } else { None };
        let key = Key { block: point.block, head, tensor: point.tensor };
        let start = ChannelRange { least: f32::INFINITY, greatest: f32::NEG_INFINITY };
        let channels = values.axis_iter(Axis(1)).map(|channel| {
            channel.iter().fold(start, |mut range, &value| {
                range.merge(ChannelRange { least: value, greatest: value });
                range
            })
        });
        let observed = Ranges(BTreeMap::from([(key, channels.collect())]));
        *self = std::mem::take(self).merge(observed);
    }
}

/// Runs the float reference on every picture (already at the network's input
/// size) and records ranges. `done` is called after each picture.
pub fn calibrate(model: &Model, pictures: &[RgbImage], done: &(dyn Fn() + Sync)) -> Ranges {
    let tasks: Vec<usize> = (0..model.config.tasks.len()).collect();
    let observe = |picture: &RgbImage| {
        let mut ranges = Ranges::default();
        let patches = picture::patches(picture, model.config.patch);
        float_reference::run(model, &patches, &tasks, &mut ranges);
        done();
        ranges
    };
    pictures.par_iter().map(observe).reduce(Ranges::default, Ranges::merge)
}
