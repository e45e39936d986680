//! A linear layer: channels in groups, each group packed once for all tokens.

use std::ops::Range;

use edge_moe_isa::packing::{PARAMETER_BYTES, PackedLinear, Parameter};
use edge_moe_kernels::fixed::Requantise;

use super::rows::{Activations, Scratch, room};
use super::simd::Path;
use super::simd::panel::{self, ROWS};
use super::vectorised::Finish;

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
        let panels = sums_of_row / ROWS * lines;
        for (block, results) in results.chunks_mut(BLOCK_ROWS * stride).enumerate() {
            let start = block * BLOCK_ROWS;
            let rows = input.rows(start..input.count().min(start + BLOCK_ROWS));
            let sums = room(&mut scratch.sums, rows.count * sums_of_row);
            path.weights(&scratch.panels[..panels], lines, self.packed.inputs, rows, self.after(&channels), sums);
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
        let panels = room(panels, channels.len().div_ceil(ROWS) * lines);
        multipliers.clear();
        constants.clear();
        for (panel, first) in panels.chunks_mut(lines).zip(channels.clone().step_by(ROWS)) {
            let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
            let rows = &mut rows[..ROWS.min(channels.end - first)];
            for (channel, row) in (first..).zip(rows.iter_mut()) {
                let (group, lane) = (channel / self.packed.lanes, channel % self.packed.lanes);
                let group = &self.bytes[group * self.packed.group_bytes()..][..self.packed.group_bytes()];
                let (weights, parameters) = group.split_at(self.packed.lanes * self.packed.inputs);
                *row = &weights[lane * self.packed.inputs..][..self.packed.inputs];
                let parameter = Parameter::decode_unsigned(&parameters[lane * PARAMETER_BYTES..]);
                multipliers.push(parameter.multiplier.into());
                constants.push(self.constant(parameter.bias));
            }
            path.pack(rows, panel);
            let constants = constants.iter_mut().zip(&*multipliers).skip(first - channels.start);
            for ((constant, multiplier), excess) in constants.zip(path.excess(panel)) {
                *constant -= excess * multiplier;
            }
        }
    }

    /// As many bytes as some channels have, after them: what will be packed next, in this layer or the one
    /// behind it.
    fn after(&self, channels: &Range<usize>) -> &[u8] {
        let (start, end) = (self.packed.row_offset(channels.start), self.packed.row_offset(channels.end));
        let after = &self.bytes[end.min(self.bytes.len())..];
        &after[..after.len().min(end - start)]
    }

    /// The bias and one half, in units of the product.
    fn constant(&self, bias: i32) -> i64 {
        (i64::from(bias) << self.scale.bias_shift) + (1 << (self.scale.shift - 1))
    }
}
