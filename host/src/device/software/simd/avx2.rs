//! AVX2: `vpmaddwd` multiplies sixteen pairs of 16-bit values and adds them two by two.

use std::arch::x86_64::*;

use super::panel::{Line, ROWS};
use super::{Computation, Panels, Path, PerRow, Portable, Rows};

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The path, if the CPU has it.
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Path for Avx2 {
    const SPLIT: bool = false;

    fn vectorise<C: Computation>(self, computation: C) -> C::Output {
        #[target_feature(enable = "avx2")]
        fn compiled<C: Computation>(computation: C) -> C::Output {
            computation.compute()
        }
        // SAFETY: `self` exists, so the CPU has AVX2.
        unsafe { compiled(computation) }
    }

    fn pack(self, rows: &[&[u8]], panel: &mut [Line]) {
        Portable.pack(rows, panel);
    }

    fn weights(self, panels: Panels<'_>, starts: &[PerRow], rows: Rows<'_>, _: &[Line], sums: &mut [i32]) {
        panels.check(rows.count, sums);
        assert!(4 * (panels.first + panels.count) <= rows.stride);
        assert!(rows.count * rows.stride <= rows.words.len());
        let width = panels.panels() * ROWS;
        for (index, start) in starts.iter().enumerate() {
            let panel = panels.panel(index);
            let mut row = 0;
            while row < rows.count {
                let values = &rows.words[row * rows.stride + 4 * panels.first..];
                let sums = &mut sums[row * width + index * ROWS..];
                // SAFETY: `self` exists; every row has four values a line.
                row += unsafe {
                    match rows.count - row {
                        1 => weights_tile::<1>(panel, start, values, rows.stride, sums, width),
                        _ => weights_tile::<2>(panel, start, values, rows.stride, sums, width),
                    }
                };
            }
        }
    }

    fn pairs(self, panels: Panels<'_>, rows: &[i16], stride: usize, sums: &mut [i32]) {
        let count = rows.len() / stride;
        panels.check(count, sums);
        assert!(2 * (panels.first + panels.count) <= stride);
        let width = panels.panels() * ROWS;
        for index in 0..panels.panels() {
            let panel = panels.panel(index);
            let mut row = 0;
            while row < count {
                let values = &rows[row * stride + 2 * panels.first..];
                let sums = &mut sums[row * width + index * ROWS..];
                // SAFETY: `self` exists; every row has two values a line.
                row += unsafe {
                    match count - row {
                        1..=3 => pairs_tile::<1>(panel, values, stride, sums, width),
                        _ => pairs_tile::<4>(panel, values, stride, sums, width),
                    }
                };
            }
        }
    }
}

/// Sums of one panel with `N` rows; returns `N`.
///
/// # Safety
/// Rows hold four values a line.
#[target_feature(enable = "avx2")]
unsafe fn weights_tile<const N: usize>(
    panel: &[Line],
    start: &PerRow,
    rows: &[i16],
    stride: usize,
    sums: &mut [i32],
    width: usize,
) -> usize {
    // Four channels a vector, two sums a channel.
    let mut acc = [[_mm256_setzero_si256(); 4]; N];
    for (index, line) in panel.iter().enumerate() {
        let mut values = [_mm256_setzero_si256(); N];
        for (row, values) in values.iter_mut().enumerate() {
            let at = row * stride + 4 * index;
            // SAFETY: four values of the row, by the contract; they need no alignment.
            *values = _mm256_set1_epi64x(unsafe { rows.as_ptr().add(at).cast::<i64>().read_unaligned() });
        }
        for quarter in 0..4 {
            // SAFETY: a line holds four times sixteen bytes.
            let weights = unsafe { _mm_load_si128((&raw const line.0).cast::<__m128i>().add(quarter)) };
            let weights = _mm256_cvtepi8_epi16(weights);
            for (acc, &values) in acc.iter_mut().zip(&values) {
                acc[quarter] = _mm256_add_epi32(acc[quarter], _mm256_madd_epi16(weights, values));
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        let quarters = sums[row * width..][..ROWS].as_chunks_mut::<4>().0.iter_mut();
        for ((sums, start), &acc) in quarters.zip(start.as_chunks::<4>().0).zip(acc) {
            // SAFETY: the target holds eight sums of 32 bits.
            let parts: [i32; 8] = unsafe { std::mem::transmute(acc) };
            for ((sum, start), parts) in sums.iter_mut().zip(start).zip(parts.as_chunks::<2>().0) {
                *sum = start + parts[0] + parts[1];
            }
        }
    }
    N
}

/// Sums of one panel of pairs with `N` rows; returns `N`.
///
/// # Safety
/// Rows hold two values a line.
#[target_feature(enable = "avx2")]
unsafe fn pairs_tile<const N: usize>(
    panel: &[Line],
    rows: &[i16],
    stride: usize,
    sums: &mut [i32],
    width: usize,
) -> usize {
    let mut acc = [[_mm256_setzero_si256(); 2]; N];
    for (index, line) in panel.iter().enumerate() {
        // SAFETY: a line holds twice 32 bytes, aligned to 64.
        let halves = unsafe {
            let line = (&raw const line.0).cast::<__m256i>();
            [_mm256_load_si256(line), _mm256_load_si256(line.add(1))]
        };
        for (row, acc) in acc.iter_mut().enumerate() {
            let at = row * stride + 2 * index;
            // SAFETY: two values of the row, by the contract; they need no alignment.
            let pair = _mm256_set1_epi32(unsafe { rows.as_ptr().add(at).cast::<i32>().read_unaligned() });
            for (acc, half) in acc.iter_mut().zip(halves) {
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(half, pair));
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        let halves = sums[row * width..][..ROWS].as_chunks_mut::<8>().0.iter_mut();
        for (sums, &acc) in halves.zip(acc) {
            // SAFETY: eight sums of 32 bits.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), acc) };
        }
    }
    N
}
