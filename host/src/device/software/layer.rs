//! A linear layer: channels in groups, each group packed once for all tokens.

use std::ops::Range;

use edge_moe_isa::packing::{PackedLinear, Parameter};
use edge_moe_kernels::fixed::Requantise;

use super::rows::{Activations, Scratch};
use super::simd::Path;
use super::simd::panel::{self, Line, ROWS};
use super::vectorised::{Finish, WeightSum};

/// Most channels of a group: four panels.
pub const GROUP_CHANNELS: usize = 4 * ROWS;
/// Rows whose sums are computed before they are requantised; a multiple of every path's tile.
const BLOCK_ROWS: usize = 48;

/// A linear layer as it stands in memory, with how its results are finished.
pub struct Layer<'a> {
    pub packed: PackedLinear,
    /// Memory from the layer's first byte on, with what follows the layer.
    pub bytes: &'a [u8],
    pub scale: Requantise,
    pub bits: u32,
    /// Fraction bits of a GELU after the layer.
    pub gelu_bits: Option<u32>,
}

impl Layer<'_> {
    /// Results of every row for all channels, row after row, on this thread.
    pub fn all<P: Path>(&self, path: P, input: &Activations, scratch: &mut Scratch, results: &mut [i16]) {
        let outputs = self.packed.outputs;
        for first in (0..outputs).step_by(GROUP_CHANNELS) {
            let channels = first..outputs.min(first + GROUP_CHANNELS);
            self.group(path, input, channels, scratch, (&mut results[first..], outputs));
        }
    }

    /// Results of every row for a group of at most [`GROUP_CHANNELS`] channels, `stride` values a row.
    pub fn group<P: Path>(
        &self,
        path: P,
        input: &Activations,
        channels: Range<usize>,
        scratch: &mut Scratch,
        (results, stride): (&mut [i16], usize),
    ) {
        let lines = panel::lines(self.packed.inputs);
        self.pack(path, channels.clone(), lines, scratch);
        let sums_of_row = channels.len().next_multiple_of(ROWS);
        for (block, results) in results.chunks_mut(BLOCK_ROWS * stride).enumerate() {
            let start = block * BLOCK_ROWS;
            let rows = input.rows(start..input.count().min(start + BLOCK_ROWS));
            let sums = &mut scratch.sums;
            sums.resize(rows.count * sums_of_row, 0);
            path.weights(&scratch.panels, lines, self.packed.inputs, rows, sums);
            for (sums, results) in sums.chunks(sums_of_row).zip(results.chunks_mut(stride)) {
                let results = &mut results[..channels.len()];
                path.vectorise(Finish {
                    sums,
                    multipliers: &scratch.multipliers,
                    constants: &scratch.constants,
                    shift: self.scale.shift,
                    bits: self.bits,
                    results,
                });
                if let Some(fraction_bits) = self.gelu_bits {
                    path.gelu(results, fraction_bits);
                }
            }
        }
    }

    /// Packs the rows of some channels, and sets how their sums are requantised.
    fn pack<P: Path>(&self, path: P, channels: Range<usize>, lines: usize, scratch: &mut Scratch) {
        let Scratch { panels, multipliers, constants, .. } = scratch;
        panels.resize(channels.len().div_ceil(ROWS) * lines, Line::default());
        multipliers.clear();
        constants.clear();
        let mut first = channels.start;
        for panel in panels.chunks_mut(lines) {
            let count = ROWS.min(channels.end - first);
            let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
            for (index, row) in rows[..count].iter_mut().enumerate() {
                *row = self.row(first + index);
            }
            path.pack(&rows[..count], panel);
            for (index, row) in rows[..count].iter().enumerate() {
                let parameter = self.parameter(first + index);
                let excess = if P::SPLIT { path.vectorise(WeightSum(row)) << 15 } else { 0 };
                let multiplier = i64::from(parameter.multiplier);
                multipliers.push(multiplier);
                constants.push(self.constant(parameter.bias) - excess * multiplier);
            }
            first += count;
        }
        // The next group's rows, or those of the next layer, come while this group is multiplied.
        let (start, end) = (self.packed.row_offset(channels.start), self.packed.row_offset(channels.end));
        let next = &self.bytes[end.min(self.bytes.len())..];
        path.prefetch(&next[..next.len().min(end - start)]);
    }

    fn row(&self, channel: usize) -> &[u8] {
        &self.bytes[self.packed.row_offset(channel)..][..self.packed.inputs]
    }

    fn parameter(&self, channel: usize) -> Parameter {
        Parameter::decode_unsigned(&self.bytes[self.packed.parameter_offset(channel)..])
    }

    /// The bias and one half, in units of the product.
    fn constant(&self, bias: i32) -> i64 {
        (i64::from(bias) << self.scale.bias_shift) + (1 << (self.scale.shift - 1))
    }
}
