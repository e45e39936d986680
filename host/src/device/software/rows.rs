//! Buffers of activations and packed operands that are used again for every picture.

use std::ops::Range;

use super::simd::panel::Line;
use super::simd::{Path, ROW_BYTES, Rows, TILE_ROWS};
use super::sums::Sums;
use super::vectorised::Split;

/// Activations of some tokens, in the form in which a [`Path`] multiplies them with weights.
#[derive(Default)]
pub struct Activations {
    words: Vec<i16>,
    low: Vec<u8>,
    high: Vec<u8>,
    stride: usize,
    count: usize,
}

impl Activations {
    /// Takes `count` rows of `width` values.
    pub fn fill<'a, P: Path>(
        &mut self,
        path: P,
        width: usize,
        rows: impl ExactSizeIterator<Item = &'a [i16]>,
    ) {
        self.stride = width.next_multiple_of(ROW_BYTES);
        self.count = rows.len();
        // Threads begin at any row.
        let values = (self.count + TILE_ROWS - 1) * self.stride;
        if P::SPLIT {
            self.words.clear();
            // What stands in the padding meets weights of zero, or is a sum nobody asks for.
            let low = room(&mut self.low, values).chunks_mut(self.stride);
            let targets = low.zip(room(&mut self.high, values).chunks_mut(self.stride));
            for (row, (low, high)) in rows.zip(targets) {
                path.vectorise(Split { row, low, high });
            }
        } else {
            self.low.clear();
            self.high.clear();
            for (row, target) in rows.zip(room(&mut self.words, values).chunks_mut(self.stride)) {
                target[..width].copy_from_slice(row);
            }
        }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Some of the rows.
    pub fn rows(&self, range: Range<usize>) -> Rows<'_> {
        let start = range.start * self.stride;
        let low = self.low.get(start..).unwrap_or_default();
        let tiles = range.len().next_multiple_of(TILE_ROWS) * self.stride;
        assert!(low.is_empty() || tiles <= low.len(), "{range:?} of {} rows in whole tiles", self.count);
        Rows {
            words: self.words.get(start..).unwrap_or_default(),
            low,
            high: self.high.get(start..).unwrap_or_default(),
            stride: self.stride,
            count: range.len(),
        }
    }
}

/// The first `count` elements of a buffer, which grows if it must. They hold whatever was there.
pub fn room<T: Copy + Default>(buffer: &mut Vec<T>, count: usize) -> &mut [T] {
    if buffer.len() < count {
        buffer.resize(count, T::default());
    }
    &mut buffer[..count]
}

/// What one thread computes with.
#[derive(Default)]
pub struct Scratch {
    /// Packed keys, then values.
    pub panels: Vec<Line>,
    pub sums: Sums,
    /// Tokens of an expert and their hidden values.
    pub input: Activations,
    pub hidden: Vec<i16>,
    pub queries: Vec<i16>,
    pub probabilities: Vec<i16>,
    pub logits: Vec<i16>,
}
