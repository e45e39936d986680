//! AVX2: `vpmaddwd` multiplies sixteen pairs of 16-bit values and adds them two by two.

use std::arch::x86_64::*;

use super::panel::{Line, ROWS};
use super::{Computation, Path, Portable, Rows, panels_of};

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// Lines whose sums of weights times activations fit 32 bits: a sum takes two products a line,
/// 2 · 2^7 · 2^15 · 255 < 2^31.
const WEIGHT_BLOCK: usize = 255;
/// The same for 9-bit operands: 2 · 2^8 · 2^15 · 127 < 2^31.
const PAIR_BLOCK: usize = 127;

impl Avx2 {
    /// The path, if the CPU has it.
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Path for Avx2 {
    const SPLIT: bool = false;

    fn vectorise<C: Computation>(self, computation: C) -> C::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn compiled<C: Computation>(computation: C) -> C::Output {
            computation.compute()
        }
        // SAFETY: `self` exists, so the CPU has AVX2, and every CPU that has it has the others.
        unsafe { compiled(computation) }
    }

    fn pack(self, rows: &[&[u8]], panel: &mut [Line]) {
        Portable.pack(rows, panel);
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
        let count = panels_of(panels, lines, rows.count, sums);
        let used = inputs.div_ceil(4);
        assert!(used <= lines && 4 * used <= rows.stride && rows.count * rows.stride <= rows.words.len());
        let row_sums = count * ROWS;
        for (panel_index, panel) in panels.chunks(lines).enumerate() {
            let mut row = 0;
            while row < rows.count {
                let values = &rows.words[row * rows.stride..];
                let target = &mut sums[row * row_sums + panel_index * ROWS..];
                // SAFETY: `self` exists; the slices hold as many rows of `stride` values and `row_sums` sums.
                unsafe {
                    if rows.count - row >= 2 {
                        weights_tile::<2>(&panel[..used], values, rows.stride, target, row_sums);
                    } else {
                        weights_tile::<1>(&panel[..used], values, rows.stride, target, row_sums);
                    }
                }
                row += 2;
            }
        }
    }

    fn pairs(self, panels: &[Line], lines: usize, rows: &[i16], stride: usize, sums: &mut [i64]) {
        let count = rows.len() / stride;
        let row_sums = panels_of(panels, lines, count, sums) * ROWS;
        assert!(2 * lines <= stride);
        for (panel_index, panel) in panels.chunks(lines).enumerate() {
            let mut row = 0;
            while row < count {
                let target = &mut sums[row * row_sums + panel_index * ROWS..];
                // SAFETY: `self` exists; the slices hold as many rows of `stride` values and `row_sums` sums.
                unsafe {
                    if count - row >= 4 {
                        pairs_tile::<4>(panel, &rows[row * stride..], stride, target, row_sums);
                        row += 4;
                    } else {
                        pairs_tile::<1>(panel, &rows[row * stride..], stride, target, row_sums);
                        row += 1;
                    }
                }
            }
        }
    }
}

/// Sums of one panel with `N` rows.
///
/// # Safety
/// Rows hold at least four values a line.
#[target_feature(enable = "avx2")]
unsafe fn weights_tile<const N: usize>(
    panel: &[Line],
    rows: &[i16],
    stride: usize,
    sums: &mut [i64],
    row_sums: usize,
) {
    for row in 0..N {
        sums[row * row_sums..][..ROWS].fill(0);
    }
    for (block, lines) in panel.chunks(WEIGHT_BLOCK).enumerate() {
        // Four channels a vector, two sums a channel.
        let mut acc = [[_mm256_setzero_si256(); 4]; N];
        for (index, line) in lines.iter().enumerate() {
            let at = 4 * (block * WEIGHT_BLOCK + index);
            // SAFETY: four values of each row, by the contract; they need no alignment.
            let values: [__m256i; N] = std::array::from_fn(|row| unsafe {
                _mm256_set1_epi64x(rows.as_ptr().add(row * stride + at).cast::<i64>().read_unaligned())
            });
            for quarter in 0..4 {
                // SAFETY: a line holds four times sixteen bytes.
                let weights = unsafe { _mm_load_si128((&raw const line.0).cast::<__m128i>().add(quarter)) };
                let weights = _mm256_cvtepi8_epi16(weights);
                for row in 0..N {
                    let products = _mm256_madd_epi16(weights, values[row]);
                    acc[row][quarter] = _mm256_add_epi32(acc[row][quarter], products);
                }
            }
        }
        for (row, acc) in acc.iter().enumerate() {
            for (quarter, &acc) in acc.iter().enumerate() {
                // SAFETY: the target holds eight sums of 32 bits.
                let parts: [i32; 8] = unsafe { std::mem::transmute(acc) };
                let sums = &mut sums[row * row_sums + 4 * quarter..][..4];
                for (sum, parts) in sums.iter_mut().zip(parts.as_chunks::<2>().0) {
                    *sum += i64::from(parts[0]) + i64::from(parts[1]);
                }
            }
        }
    }
}

/// Sums of one panel of pairs with `N` rows.
///
/// # Safety
/// Rows hold at least two values a line.
#[target_feature(enable = "avx2")]
unsafe fn pairs_tile<const N: usize>(
    panel: &[Line],
    rows: &[i16],
    stride: usize,
    sums: &mut [i64],
    row_sums: usize,
) {
    for row in 0..N {
        sums[row * row_sums..][..ROWS].fill(0);
    }
    for (block, lines) in panel.chunks(PAIR_BLOCK).enumerate() {
        let mut acc = [[_mm256_setzero_si256(); 2]; N];
        for (index, line) in lines.iter().enumerate() {
            let at = 2 * (block * PAIR_BLOCK + index);
            // SAFETY: a line holds twice 32 bytes, aligned to 64.
            let halves = unsafe {
                let line = (&raw const line.0).cast::<__m256i>();
                [_mm256_load_si256(line), _mm256_load_si256(line.add(1))]
            };
            for (row, acc) in acc.iter_mut().enumerate() {
                // SAFETY: two values of the row, by the contract; they need no alignment.
                let pair = unsafe { rows.as_ptr().add(row * stride + at).cast::<i32>().read_unaligned() };
                let pair = _mm256_set1_epi32(pair);
                for (acc, half) in acc.iter_mut().zip(halves) {
                    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(half, pair));
                }
            }
        }
        for (row, acc) in acc.iter().enumerate() {
            for (half, &acc) in acc.iter().enumerate() {
                // SAFETY: the target holds eight sums of 32 bits.
                let parts: [i32; 8] = unsafe { std::mem::transmute(acc) };
                let sums = &mut sums[row * row_sums + 8 * half..][..8];
                for (sum, part) in sums.iter_mut().zip(parts) {
                    *sum += i64::from(part);
                }
            }
        }
    }
}
