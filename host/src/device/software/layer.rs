//! A linear layer: channels in groups, for each group the rows in blocks.

use std::ops::Range;

use super::rows::{Activations, Scratch};
use super::simd::panel::{self, Line, ROWS};
use super::simd::{BLOCK_LINES, Panels, Path, PerRow};
use super::vectorised::Finish;

/// Most panels of a group: 64 channels.
const GROUP_PANELS: usize = 4;
/// Rows whose sums are computed before they are requantised; a multiple of every path's tile.
const BLOCK_ROWS: usize = 48;

/// A linear layer, packed ([`Weights`](super::weights::Weights)).
pub struct Layer<'a> {
    pub inputs: usize,
    /// Panel after panel; and the lines of the layers behind this one.
    pub lines: &'a [Line],
    pub after: &'a [Line],
    /// What sums begin with: block by block of a panel's lines, panel by panel.
    pub starts: &'a [PerRow],
    /// Per channel: the multiplier, and what is added before the shift.
    pub multipliers: &'a [i32],
    pub constants: &'a [i64],
    pub shift: u32,
}

/// How the results of a layer are finished.
#[derive(Clone, Copy)]
pub struct Finishing {
    /// Bits of a result.
    pub bits: u32,
    /// Fraction bits of a GELU after the layer.
    pub gelu_bits: Option<u32>,
}

impl Layer<'_> {
    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.multipliers.len()
    }

    /// Multiplies some rows of the input; the results stand `stride` values a row.
    pub fn apply<P: Path>(
        &self,
        path: P,
        finishing: Finishing,
        (input, range): (&Activations, Range<usize>),
        scratch: &mut Scratch,
        (results, stride): (&mut [i16], usize),
    ) {
        let panel_lines = panel::lines(self.inputs);
        let panels = self.lines.len() / panel_lines;
        for first_panel in (0..panels).step_by(GROUP_PANELS) {
            let group = first_panel..panels.min(first_panel + GROUP_PANELS);
            let (lines, next) = self.group(panel_lines, &group);
            let channels = first_panel * ROWS..self.outputs().min(group.end * ROWS);
            for (start, results) in
                range.clone().step_by(BLOCK_ROWS).zip(results.chunks_mut(BLOCK_ROWS * stride))
            {
                let rows = input.rows(start..range.end.min(start + BLOCK_ROWS));
                let multiply = |first: usize, count: usize, sums: &mut [i32]| {
                    let starts = &self.starts[first / BLOCK_LINES * panels..][group.clone()];
                    let next = if start == range.start && first == 0 { next } else { &[] };
                    let panels = Panels { lines, stride: panel_lines, first, count };
                    path.weights(panels, starts, rows, next, sums);
                };
                let size = (rows.count, group.len() * ROWS);
                scratch.sums.of_rows(size, self.inputs.div_ceil(4), multiply, |row, sums| {
                    path.finish(Finish {
                        sums,
                        multipliers: &self.multipliers[channels.clone()],
                        constants: &self.constants[channels.clone()],
                        shift: self.shift,
                        bits: finishing.bits,
                        results: &mut results[row * stride..][channels.clone()],
                    });
                });
            }
        }
        if let Some(fraction_bits) = finishing.gelu_bits {
            results.chunks_mut(stride).for_each(|row| path.gelu(&mut row[..self.outputs()], fraction_bits));
        }
    }

    /// The lines of some panels, and as many that come after them, in this layer or behind it.
    fn group(&self, panel_lines: usize, panels: &Range<usize>) -> (&[Line], &[Line]) {
        let (_, rest) = self.lines.split_at(panels.start * panel_lines);
        let (group, rest) = rest.split_at(panels.len() * panel_lines);
        let next = if rest.is_empty() { self.after } else { rest };
        (group, &next[..next.len().min(group.len())])
    }
}
