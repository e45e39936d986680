//! Sums of rows longer than a block: blocks fit 32 bits, their total may not.

use super::rows::room;
use super::simd::BLOCK_LINES;

/// Sums of one row of activations, one per channel.
#[derive(Clone, Copy)]
pub enum RowSums<'a> {
    /// Of one block.
    Narrow(&'a [i32]),
    /// Of several.
    Wide(&'a [i64]),
}

/// Buffers for sums.
#[derive(Default)]
pub struct Sums {
    block: Vec<i32>,
    total: Vec<i64>,
}

impl Sums {
    /// Computes the sums of some rows, `width` each, over `lines` lines of panels: `multiply` fills those of
    /// a block, given its first line and how many there are. Then calls `finish` with every row.
    pub fn of_rows(
        &mut self,
        (rows, width): (usize, usize),
        lines: usize,
        mut multiply: impl FnMut(usize, usize, &mut [i32]),
        mut finish: impl FnMut(usize, RowSums<'_>),
    ) {
        let block = room(&mut self.block, rows * width);
        if lines <= BLOCK_LINES {
            multiply(0, lines, block);
            block.chunks(width).enumerate().for_each(|(row, sums)| finish(row, RowSums::Narrow(sums)));
            return;
        }
        let total = room(&mut self.total, rows * width);
        total.fill(0);
        for first in (0..lines).step_by(BLOCK_LINES) {
            multiply(first, BLOCK_LINES.min(lines - first), block);
            total.iter_mut().zip(&*block).for_each(|(total, &sum)| *total += i64::from(sum));
        }
        total.chunks(width).enumerate().for_each(|(row, sums)| finish(row, RowSums::Wide(sums)));
    }
}
