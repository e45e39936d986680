//! The path that runs anywhere; what the others are compared with.

use super::panel::{Line, ROWS};
use super::{Computation, Panels, Path, PerRow, Rows};

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

    fn weights(self, panels: Panels<'_>, starts: &[PerRow], rows: Rows<'_>, _: &[Line], sums: &mut [i32]) {
        panels.check(rows.count, sums);
        for (row, sums) in rows.words.chunks(rows.stride).zip(sums.chunks_mut(panels.panels() * ROWS)) {
            let values = row[4 * panels.first..].as_chunks::<4>().0;
            for (index, sums) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                *sums = starts[index];
                for (line, values) in panels.panel(index).iter().zip(values) {
                    for (sum, quad) in sums.iter_mut().zip(&line.0) {
                        for (&weight, &value) in quad.iter().zip(values) {
                            *sum += i32::from(weight as i8) * i32::from(value);
                        }
                    }
                }
            }
        }
    }

    fn pairs(self, panels: Panels<'_>, rows: &[i16], stride: usize, sums: &mut [i32]) {
        panels.check(rows.len() / stride, sums);
        for (row, sums) in rows.chunks(stride).zip(sums.chunks_mut(panels.panels() * ROWS)) {
            let pairs = row[2 * panels.first..].as_chunks::<2>().0;
            for (index, sums) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                *sums = PerRow::default();
                for (line, pair) in panels.panel(index).iter().zip(pairs) {
                    for (sum, &[a, b, c, d]) in sums.iter_mut().zip(&line.0) {
                        *sum += i32::from(i16::from_le_bytes([a, b])) * i32::from(pair[0])
                            + i32::from(i16::from_le_bytes([c, d])) * i32::from(pair[1]);
                    }
                }
            }
        }
    }
}
