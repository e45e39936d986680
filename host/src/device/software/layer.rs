//! A linear layer: channels in groups, each group packed once for all tokens.

use std::ops::Range;

use edge_moe_isa::packing::PackedLinear;
use edge_moe_kernels::fixed::Requantise;

use super::rows::{Activations, Scratch, room};
use super::simd::panel::{self, ROWS};
use super::simd::{BLOCK_LINES, Panels, Path};
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
        let panels = channels.len().div_ceil(ROWS);
        self.pack(path, channels.clone(), lines, scratch);
        let Scratch { panels: packed, starts, sums, multipliers, constants, .. } = scratch;
        let packed = &packed[..panels * lines];
        for (block, results) in results.chunks_mut(BLOCK_ROWS * stride).enumerate() {
            let start = block * BLOCK_ROWS;
            let rows = input.rows(start..input.count().min(start + BLOCK_ROWS));
            let multiply = |first: usize, count: usize, sums: &mut [i32]| {
                let starts = &starts[first / BLOCK_LINES * panels..][..panels];
                let panels = Panels { lines: packed, stride: lines, first, count };
                let next = if block == 0 && first == 0 { self.after(&channels) } else { &[] };
                path.weights(panels, starts, rows, next, sums);
            };
            let used = self.packed.inputs.div_ceil(4);
            sums.of_rows((rows.count, panels * ROWS), used, multiply, |row, sums| {
                let results = &mut results[row * stride..][..channels.len()];
                let (shift, bits) = (self.scale.shift, self.bits);
                path.vectorise(Finish { sums, multipliers, constants, shift, bits, results });
                if let Some(fraction_bits) = self.gelu_bits {
                    path.gelu(results, fraction_bits);
                }
            });
        }
    }

    /// Packs the rows of some channels, and sets how their sums are requantised.
    fn pack<P: Path>(&self, path: P, channels: Range<usize>, lines: usize, scratch: &mut Scratch) {
        let Scratch { panels, starts, row_starts, multipliers, constants, .. } = scratch;
        let count = channels.len().div_ceil(ROWS);
        let panels = room(panels, count * lines);
        let blocks = lines.div_ceil(BLOCK_LINES);
        let (starts, row_starts) = (room(starts, blocks * count), room(row_starts, blocks));
        multipliers.clear();
        constants.clear();
        let mut channels = self.packed.channels(self.bytes, channels.start).take(channels.len());
        for (index, panel) in panels.chunks_mut(lines).enumerate() {
            let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
            let mut filled = 0;
            for (slot, (row, parameter)) in rows.iter_mut().zip(channels.by_ref()) {
                *slot = row;
                filled += 1;
                multipliers.push(parameter.multiplier);
                constants.push(self.constant(parameter.bias));
            }
            path.pack_weights(&rows[..filled], panel, row_starts);
            for (starts, start) in starts.chunks_mut(count).zip(&*row_starts) {
                starts[index] = *start;
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
