//! The path that runs anywhere; what the others are compared with.

use super::panel::{Line, ROWS};
use super::{Computation, Path, Rows, panels_of};

/// Plain Rust.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Path for Portable {
    const SPLIT: bool = false;

    fn vectorise<C: Computation>(self, computation: C) -> C::Output {
        computation.compute()
    }

    fn pack(self, rows: &[&[u8]], panel: &mut [Line]) {
        panel.fill(Line::default());
        for (index, row) in rows.iter().enumerate() {
            let (quads, rest) = row.as_chunks::<4>();
            for (line, quad) in panel.iter_mut().zip(quads) {
                line.0[index] = *quad;
            }
            if !rest.is_empty() {
                panel[quads.len()].0[index][..rest.len()].copy_from_slice(rest);
            }
        }
    }

    fn weights(
        self,
        panels: &[Line],
        lines: usize,
        inputs: usize,
        rows: Rows<'_>,
        _: &[u8],
        sums: &mut [i64],
    ) {
        panels_of(panels, lines, rows.count, sums);
        let row_sums = sums.len() / rows.count;
        let rows = rows.words.chunks(rows.stride).take(rows.count);
        for (row, sums) in rows.zip(sums.chunks_mut(row_sums)) {
            for (panel, sums) in panels.chunks(lines).zip(sums.chunks_mut(ROWS)) {
                sums.fill(0);
                // 2^7 · 2^15 · 4 · 64 = 2^30: a block fits 32 bits.
                let panel = &panel[..inputs.div_ceil(4)];
                for (lines, row) in panel.chunks(64).zip(row.chunks(256)) {
                    let mut block = [0i32; ROWS];
                    for (line, values) in lines.iter().zip(row.as_chunks::<4>().0) {
                        for (sum, quad) in block.iter_mut().zip(&line.0) {
                            for (&weight, &value) in quad.iter().zip(values) {
                                *sum += i32::from(weight as i8) * i32::from(value);
                            }
                        }
                    }
                    add(sums, &block);
                }
            }
        }
    }

    fn pairs(self, panels: &[Line], lines: usize, rows: &[i16], stride: usize, sums: &mut [i64]) {
        let row_sums = panels_of(panels, lines, rows.len() / stride, sums) * ROWS;
        for (row, sums) in rows.chunks(stride).zip(sums.chunks_mut(row_sums)) {
            for (panel, sums) in panels.chunks(lines).zip(sums.chunks_mut(ROWS)) {
                sums.fill(0);
                // 2^8 · 2^15 · 2 · 64 = 2^30: a block fits 32 bits.
                for (lines, row) in panel.chunks(64).zip(row.chunks(128)) {
                    let mut block = [0i32; ROWS];
                    for (line, values) in lines.iter().zip(row.as_chunks::<2>().0) {
                        for (sum, &[a, b, c, d]) in block.iter_mut().zip(&line.0) {
                            *sum += i32::from(i16::from_le_bytes([a, b])) * i32::from(values[0])
                                + i32::from(i16::from_le_bytes([c, d])) * i32::from(values[1]);
                        }
                    }
                    add(sums, &block);
                }
            }
        }
    }
}

fn add(sums: &mut [i64], block: &[i32; ROWS]) {
    for (sum, &part) in sums.iter_mut().zip(block) {
        *sum += i64::from(part);
    }
}
