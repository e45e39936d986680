//! AVX-512 with VNNI: `vpdpbusd` multiplies 64 pairs of bytes and adds them four by four, `vpdpwssd`
//! 32 pairs of 16-bit values two by two.
//!
//! An activation is 256·high + low. With 128 added to the high byte both are unsigned, so that each takes
//! one `vpdpbusd` with the signed weights. The sum is then 2^15·Σ weights too large, which is taken off it at
//! the start; sums wrap at 32 bits on the way and are right in the end, because the result fits.

use std::arch::asm;
use std::arch::x86_64::*;

use edge_moe_kernels::fixed::ACTIVATION_BITS;
use edge_moe_kernels::{gelu, softmax, tables};

use super::super::sums::RowSums;
use super::super::vectorised::{Finish, FinishAlike, Gelu};
use super::panel::{Line, ROWS};
use super::{BLOCK_LINES, Computation, Panels, Path, PerRow, Rows};

/// Proof that the CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// Rows of activations and panels of a tile of weights: 2 · 3 · 4 of the 32 registers are sums.
const WEIGHT_TILE: (usize, usize) = (3, 4);
/// The same for pairs, whose sums take one register each.
const PAIR_TILE: (usize, usize) = (8, 3);

impl Avx512 {
    /// The path, if the CPU has it.
    pub fn detect() -> Option<Self> {
        let detected = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        detected.then_some(Self(()))
    }
}

impl Path for Avx512 {
    const SPLIT: bool = true;

    fn vectorise<C: Computation>(self, computation: C) -> C::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        fn compiled<C: Computation>(computation: C) -> C::Output {
            computation.compute()
        }
        // SAFETY: `self` exists, so the CPU has these.
        unsafe { compiled(computation) }
    }

    fn finish(self, finish: Finish<'_>) {
        let RowSums::Narrow(sums) = finish.sums else { return self.vectorise(finish) };
        if finish.bits != ACTIVATION_BITS {
            return self.vectorise(finish);
        }
        let Finish { multipliers, constants, shift, bits, results, .. } = finish;
        let whole = results.len() / ROWS * ROWS;
        let (blocks, results) = results.split_at_mut(whole);
        let columns = (multipliers.as_chunks().0, constants.as_chunks().0);
        // SAFETY: `self` exists.
        unsafe { finish_blocks(sums.as_chunks().0, columns, shift, blocks.as_chunks_mut().0) };
        if !results.is_empty() {
            let (multipliers, constants) = (&multipliers[whole..], &constants[whole..]);
            let sums = RowSums::Narrow(&sums[whole..]);
            self.vectorise(Finish { sums, multipliers, constants, shift, bits, results });
        }
    }

    fn finish_alike(self, finish: FinishAlike<'_>) {
        let RowSums::Narrow(sums) = finish.sums else { return self.vectorise(finish) };
        let FinishAlike { multiplier, shift, results, .. } = finish;
        let whole = results.len() / ROWS * ROWS;
        let (blocks, results) = results.split_at_mut(whole);
        // SAFETY: `self` exists.
        unsafe { finish_alike_blocks(sums.as_chunks().0, multiplier, shift, blocks.as_chunks_mut().0) };
        if !results.is_empty() {
            let sums = RowSums::Narrow(&sums[whole..]);
            self.vectorise(FinishAlike { sums, multiplier, shift, results });
        }
    }

    fn gelu(self, values: &mut [i16], fraction_bits: u32) {
        let (blocks, rest) = values.as_chunks_mut::<32>();
        // SAFETY: `self` exists.
        unsafe { gelu_blocks(blocks, fraction_bits) };
        self.vectorise(Gelu { values: rest, fraction_bits });
    }

    fn weigh(self, logits: &[i16], operands: &mut [i16]) -> u32 {
        assert!(logits.len() <= operands.len());
        // SAFETY: `self` exists.
        unsafe { weigh(logits, operands) }
    }

    fn pack(self, rows: &[&[u8]], panel: &mut [Line]) {
        // SAFETY: `self` exists.
        unsafe { transpose(rows, panel, |_, _| ()) };
    }

    fn pack_weights(self, rows: &[&[u8]], panel: &mut [Line], starts: &mut [PerRow]) {
        starts.fill(PerRow::default());
        // SAFETY: `self` exists.
        unsafe { transpose_weights(rows, panel, starts) };
    }

    fn weights(self, panels: Panels<'_>, starts: &[PerRow], rows: Rows<'_>, next: &[Line], sums: &mut [i32]) {
        panels.check(rows.count, sums);
        let bytes = rows.count * rows.stride;
        assert!(4 * (panels.first + panels.count) <= rows.stride && starts.len() == panels.panels());
        assert!(bytes <= rows.low.len() && bytes <= rows.high.len());
        // Each tile asks for some of what comes next, so that memory and multipliers work at the same time.
        let mut next = next.chunks(panels.count);
        for panel in (0..panels.panels()).step_by(WEIGHT_TILE.1) {
            for row in (0..rows.count).step_by(WEIGHT_TILE.0) {
                let tile = WeightTile { panels, starts, rows, next: next.next().unwrap_or_default() };
                let size = (WEIGHT_TILE.0.min(rows.count - row), WEIGHT_TILE.1.min(panels.panels() - panel));
                // SAFETY: `self` exists; as many rows and panels are left as the tile has.
                unsafe {
                    match size {
                        (3, 4) => tile.sums::<3, 4>(row, panel, sums),
                        (3, 3) => tile.sums::<3, 3>(row, panel, sums),
                        (3, 2) => tile.sums::<3, 2>(row, panel, sums),
                        (3, _) => tile.sums::<3, 1>(row, panel, sums),
                        (2, 4) => tile.sums::<2, 4>(row, panel, sums),
                        (2, 3) => tile.sums::<2, 3>(row, panel, sums),
                        (2, 2) => tile.sums::<2, 2>(row, panel, sums),
                        (2, _) => tile.sums::<2, 1>(row, panel, sums),
                        (_, 4) => tile.sums::<1, 4>(row, panel, sums),
                        (_, 3) => tile.sums::<1, 3>(row, panel, sums),
                        (_, 2) => tile.sums::<1, 2>(row, panel, sums),
                        (_, _) => tile.sums::<1, 1>(row, panel, sums),
                    }
                }
            }
        }
        for line in next.flatten() {
            // SAFETY: `self` exists.
            unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *line).cast()) };
        }
    }

    fn pairs(self, panels: Panels<'_>, rows: &[i16], stride: usize, sums: &mut [i32]) {
        let count = rows.len() / stride;
        panels.check(count, sums);
        assert!(2 * (panels.first + panels.count) <= stride);
        let tile = PairTile { panels, rows, stride };
        for panel in (0..panels.panels()).step_by(PAIR_TILE.1) {
            let width = PAIR_TILE.1.min(panels.panels() - panel);
            let mut row = 0;
            while row < count {
                let whole = count - row >= PAIR_TILE.0;
                // SAFETY: `self` exists; as many rows and panels are left as the tile has.
                unsafe {
                    match (whole, width) {
                        (true, 3) => tile.sums::<8, 3>(row, panel, sums),
                        (true, 2) => tile.sums::<8, 2>(row, panel, sums),
                        (true, _) => tile.sums::<8, 1>(row, panel, sums),
                        (false, 3) => tile.sums::<1, 3>(row, panel, sums),
                        (false, 2) => tile.sums::<1, 2>(row, panel, sums),
                        (false, _) => tile.sums::<1, 1>(row, panel, sums),
                    }
                }
                row += if whole { PAIR_TILE.0 } else { 1 };
            }
        }
    }
}

/// Panels of weights, and the rows that they are multiplied with.
struct WeightTile<'a> {
    panels: Panels<'a>,
    starts: &'a [PerRow],
    rows: Rows<'a>,
    /// What is to be asked for.
    next: &'a [Line],
}

impl WeightTile<'_> {
    /// Sums of `R` rows from `row` on with `N` panels from `panel` on.
    ///
    /// # Safety
    /// These rows and panels exist, and rows have four bytes a line.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn sums<const R: usize, const N: usize>(&self, row: usize, panel: usize, sums: &mut [i32]) {
        let Self { panels, starts, rows, next } = self;
        let mut first = [_mm512_setzero_si512(); N];
        for (first, start) in first.iter_mut().zip(&starts[panel..][..N]) {
            // SAFETY: sixteen numbers of four bytes.
            *first = unsafe { _mm512_loadu_si512(start.as_ptr().cast()) };
        }
        let (mut low, mut high) = ([first; R], [[_mm512_setzero_si512(); N]; R]);
        let first_line = panel * panels.stride + panels.first;
        let first_byte = row * rows.stride + 4 * panels.first;
        let ahead = usize::from(!next.is_empty());
        for line in 0..panels.count {
            _mm_prefetch::<_MM_HINT_T0>(next.as_ptr().wrapping_add(line * ahead).cast());
            let mut weights = [_mm512_setzero_si512(); N];
            for (n, weights) in weights.iter_mut().enumerate() {
                // SAFETY: the line exists, by the contract.
                *weights = unsafe { load(panels.lines.as_ptr().add(first_line + n * panels.stride + line)) };
            }
            for row in 0..R {
                let at = first_byte + row * rows.stride + 4 * line;
                // SAFETY: four bytes of the row, by the contract.
                let bytes =
                    unsafe { [broadcast(rows.low.as_ptr().add(at)), broadcast(rows.high.as_ptr().add(at))] };
                for n in 0..N {
                    low[row][n] = _mm512_dpbusd_epi32(low[row][n], bytes[0], weights[n]);
                    high[row][n] = _mm512_dpbusd_epi32(high[row][n], bytes[1], weights[n]);
                }
            }
        }
        let width = panels.panels() * ROWS;
        for r in 0..R {
            let sums = &mut sums[(row + r) * width + panel * ROWS..][..N * ROWS];
            for (n, sums) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                store(sums, _mm512_add_epi32(low[r][n], _mm512_slli_epi32::<8>(high[r][n])));
            }
        }
    }
}

/// Panels of pairs, and the rows that they are multiplied with.
struct PairTile<'a> {
    panels: Panels<'a>,
    rows: &'a [i16],
    stride: usize,
}

impl PairTile<'_> {
    /// Sums of `R` rows from `row` on with `N` panels from `panel` on.
    ///
    /// # Safety
    /// These rows and panels exist, and rows have two values a line.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn sums<const R: usize, const N: usize>(&self, row: usize, panel: usize, sums: &mut [i32]) {
        let Self { panels, rows, stride } = *self;
        let mut acc = [[_mm512_setzero_si512(); N]; R];
        let first_line = panel * panels.stride + panels.first;
        let first_value = row * stride + 2 * panels.first;
        for line in 0..panels.count {
            let mut values = [_mm512_setzero_si512(); N];
            for (n, values) in values.iter_mut().enumerate() {
                // SAFETY: the line exists, by the contract.
                *values = unsafe { load(panels.lines.as_ptr().add(first_line + n * panels.stride + line)) };
            }
            for (row, acc) in acc.iter_mut().enumerate() {
                let at = first_value + row * stride + 2 * line;
                // SAFETY: two values of the row, by the contract.
                let pair = unsafe { broadcast(rows.as_ptr().add(at).cast()) };
                for (acc, &values) in acc.iter_mut().zip(&values) {
                    multiply_pairs(acc, pair, values);
                }
            }
        }
        let width = panels.panels() * ROWS;
        for (r, acc) in acc.iter().enumerate() {
            let sums = &mut sums[(row + r) * width + panel * ROWS..][..N * ROWS];
            for (sums, &acc) in sums.as_chunks_mut::<ROWS>().0.iter_mut().zip(acc) {
                store(sums, acc);
            }
        }
    }
}

/// `vpdpwssd` as one instruction: of its intrinsic the compiler makes a product and a sum.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_pairs(sums: &mut __m512i, pair: __m512i, values: __m512i) {
    // SAFETY: changes the one register that it names.
    unsafe {
        asm!(
            "vpdpwssd {sums}, {values}, {pair}",
            sums = inout(zmm_reg) *sums,
            values = in(zmm_reg) values,
            pair = in(zmm_reg) pair,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// # Safety
/// The line exists.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(line: *const Line) -> __m512i {
    // SAFETY: a line is 64 bytes at a multiple of 64.
    unsafe { _mm512_load_si512(line.cast()) }
}

/// Four bytes in every quarter of every 128 bits.
///
/// # Safety
/// The four bytes exist.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn broadcast(bytes: *const u8) -> __m512i {
    // SAFETY: four bytes, by the contract; read without alignment.
    _mm512_set1_epi32(unsafe { bytes.cast::<i32>().read_unaligned() })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &mut PerRow, values: __m512i) {
    // SAFETY: sixteen sums of four bytes.
    unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), values) };
}

/// [`transpose`] of rows of s8 weights: adds −2^15 times the sum of each block of a row to `starts`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn transpose_weights(rows: &[&[u8]], panel: &mut [Line], starts: &mut [PerRow]) {
    transpose(rows, panel, |first_line, columns| {
        let mut sums = _mm512_setzero_si512();
        for column in columns {
            sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), *column);
        }
        let start = &mut starts[first_line / BLOCK_LINES];
        // SAFETY: sixteen numbers of four bytes.
        let before = unsafe { _mm512_loadu_si512(start.as_ptr().cast()) };
        store(start, _mm512_sub_epi32(before, _mm512_slli_epi32::<15>(sums)));
    });
}

/// Transposes up to sixteen rows of equal length, sixteen times four bytes at a time; shows `see` every
/// sixteen lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn transpose(rows: &[&[u8]], panel: &mut [Line], mut see: impl FnMut(usize, &[__m512i; 16])) {
    let length = rows.first().map_or(0, |row| row.len());
    let (blocks, rest) = panel.as_chunks_mut::<16>();
    assert!(rest.is_empty(), "panels are padded to whole rows of a tile");
    assert!(rows.len() <= ROWS && rows.iter().all(|row| row.len() == length));
    for (block, lines) in blocks.iter_mut().enumerate() {
        let start = 64 * block;
        let columns = match <&[&[u8]; ROWS]>::try_from(rows) {
            Ok(rows) if start + 64 <= length => {
                let mut block = [_mm512_setzero_si512(); ROWS];
                for (vector, row) in block.iter_mut().zip(rows) {
                    // SAFETY: the 64 bytes lie inside the row.
                    *vector = unsafe { _mm512_loadu_si512(row.as_ptr().add(start).cast()) };
                }
                transpose_block(block)
            }
            _ => {
                let mut block = [_mm512_setzero_si512(); ROWS];
                for (vector, row) in block.iter_mut().zip(rows) {
                    let rest = row.get(start..).unwrap_or_default();
                    let mask = if rest.len() >= 64 { u64::MAX } else { (1 << rest.len()) - 1 };
                    // SAFETY: only bytes inside the row are touched.
                    *vector = unsafe { _mm512_maskz_loadu_epi8(mask, rest.as_ptr().cast()) };
                }
                transpose_block(block)
            }
        };
        for (line, &column) in lines.iter_mut().zip(&columns) {
            // SAFETY: a line is 64 bytes at a multiple of 64.
            unsafe { _mm512_store_si512((&raw mut *line).cast(), column) };
        }
        see(16 * block, &columns);
    }
}

/// Transposes sixteen rows of sixteen times 32 bits: first inside each 128 bits, then the 128 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_block(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut pairs = rows;
    for (to, from) in pairs.as_chunks_mut::<2>().0.iter_mut().zip(rows.as_chunks::<2>().0) {
        *to = [_mm512_unpacklo_epi32(from[0], from[1]), _mm512_unpackhi_epi32(from[0], from[1])];
    }
    // Of rows 4·i…4·i + 3, columns j, 4 + j, 8 + j, 12 + j stand in quads[i][j].
    let mut quads = [[_mm512_setzero_si512(); 4]; 4];
    for (to, from) in quads.iter_mut().zip(pairs.as_chunks::<4>().0) {
        *to = [
            _mm512_unpacklo_epi64(from[0], from[2]),
            _mm512_unpackhi_epi64(from[0], from[2]),
            _mm512_unpacklo_epi64(from[1], from[3]),
            _mm512_unpackhi_epi64(from[1], from[3]),
        ];
    }
    let mut columns = rows;
    for j in 0..4 {
        let even = [0, 2].map(|i| _mm512_shuffle_i32x4::<0x44>(quads[i][j], quads[i + 1][j]));
        let odd = [0, 2].map(|i| _mm512_shuffle_i32x4::<0xee>(quads[i][j], quads[i + 1][j]));
        columns[j] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        columns[4 + j] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        columns[8 + j] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        columns[12 + j] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    columns
}

/// [`Finish`] of sixteen channels at a time, to 16 bits. The compiler's own loop narrows straight into
/// memory; into a register, which is stored then, is faster on Zen 4.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn finish_blocks(
    sums: &[PerRow],
    (multipliers, constants): (&[[i32; ROWS]], &[[i64; ROWS]]),
    shift: u32,
    results: &mut [[i16; ROWS]],
) {
    let shift = _mm_cvtsi32_si128(shift as i32);
    let columns = multipliers.iter().zip(constants);
    for ((results, sums), (multipliers, constants)) in results.iter_mut().zip(sums).zip(columns) {
        let half = |first: usize| {
            // SAFETY: eight of sixteen multipliers and constants.
            let (multipliers, constants) = unsafe {
                (
                    _mm256_loadu_si256(multipliers.as_ptr().add(first).cast()),
                    _mm512_loadu_si512(constants.as_ptr().add(first).cast()),
                )
            };
            scale(sums, first, _mm512_cvtepi32_epi64(multipliers), constants, shift)
        };
        store_results(results, [half(0), half(ROWS / 2)]);
    }
}

/// [`FinishAlike`] of sixteen sums at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn finish_alike_blocks(sums: &[PerRow], multiplier: i32, shift: u32, results: &mut [[i16; ROWS]]) {
    let (multiplier, half) = (_mm512_set1_epi64(multiplier.into()), _mm512_set1_epi64(1 << (shift - 1)));
    let shift = _mm_cvtsi32_si128(shift as i32);
    for (results, sums) in results.iter_mut().zip(sums) {
        store_results(results, [0, ROWS / 2].map(|first| scale(sums, first, multiplier, half, shift)));
    }
}

/// `sat16((sum·multiplier + constant) >> shift)` of eight sums from `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn scale(sums: &PerRow, first: usize, multipliers: __m512i, constants: __m512i, shift: __m128i) -> __m128i {
    let sums = &sums[first..][..ROWS / 2];
    // SAFETY: eight sums.
    let sums = _mm512_cvtepi32_epi64(unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) });
    let scaled = _mm512_add_epi64(_mm512_mul_epi32(sums, multipliers), constants);
    _mm512_cvtsepi64_epi16(_mm512_sra_epi64(scaled, shift))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn store_results(results: &mut [i16; ROWS], [low, high]: [__m128i; 2]) {
    // SAFETY: sixteen results of two bytes.
    unsafe { _mm256_storeu_si256(results.as_mut_ptr().cast(), _mm256_set_m128i(high, low)) };
}

/// GELU of 32 values at a time. Starts and slopes of the segments are looked up in registers; one `vpmaddwd`
/// makes `start·2^shift + slope·fraction` of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn gelu_blocks(blocks: &mut [[i16; 32]], fraction_bits: u32) {
    let shift = fraction_bits - gelu::STEP_BITS;
    let (starts, slopes) = (SEGMENT_STARTS.load(), SEGMENT_SLOPES.load());
    let (last, mask) = (_mm512_set1_epi16(TABLE as i16 - 1), _mm512_set1_epi16((1 << shift) - 1));
    let (unit, half) = (_mm512_set1_epi16(1 << shift), _mm512_set1_epi32(1 << (gelu::OUTPUT_SHIFT - 1)));
    let shift = _mm_cvtsi32_si128(shift as i32);
    for block in blocks {
        // SAFETY: 32 values of two bytes.
        let values = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let magnitude = _mm512_abs_epi16(values);
        let segment = _mm512_min_epu16(_mm512_srl_epi16(magnitude, shift), last);
        let (start, slope) = (starts.look_up(segment), slopes.look_up(segment));
        let fraction = _mm512_and_si512(magnitude, mask);
        let low =
            _mm512_madd_epi16(_mm512_unpacklo_epi16(start, slope), _mm512_unpacklo_epi16(unit, fraction));
        let high =
            _mm512_madd_epi16(_mm512_unpackhi_epi16(start, slope), _mm512_unpackhi_epi16(unit, fraction));
        let low = _mm512_srai_epi32::<{ gelu::OUTPUT_SHIFT }>(_mm512_add_epi32(low, half));
        let high = _mm512_srai_epi32::<{ gelu::OUTPUT_SHIFT }>(_mm512_add_epi32(high, half));
        let relu = _mm512_max_epi16(values, _mm512_setzero_si512());
        let result = _mm512_sub_epi16(relu, _mm512_packs_epi32(low, high));
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(block.as_mut_ptr().cast(), result) };
    }
}

/// Probabilities of sixteen logits at a time, and their sum: the running total of
/// [`softmax()`](edge_moe_kernels::softmax::softmax()) is a sum over lanes, and what is left of the sixteen before.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn weigh(logits: &[i16], operands: &mut [i16]) -> u32 {
    const LOW: i32 = 0xffff;
    let largest = logits.iter().fold(i16::MIN, |largest, &logit| largest.max(logit));
    let maximum = softmax::RunningMaximum::START.update(largest);
    let maximum = _mm512_set1_epi32(maximum.get() << softmax::LOGIT_FRACTION_BITS);
    let powers = POWERS.load();
    let (zero, low) = (_mm512_setzero_si512(), _mm512_set1_epi32(LOW));
    let mut carried = _mm512_set1_epi32(1 << 15);
    let mut sum = zero;
    for (logits, operands) in logits.chunks(16).zip(operands.chunks_mut(16)) {
        let mask = (LOW >> (16 - logits.len())) as u16;
        // SAFETY: only logits that exist are touched.
        let logits = _mm512_cvtepi16_epi32(unsafe { _mm256_maskz_loadu_epi16(mask, logits.as_ptr()) });
        let distance = _mm512_sub_epi32(maximum, logits);
        let power = powers.look_up(_mm512_and_si512(distance, _mm512_set1_epi32(TABLE as i32 - 1)));
        let doubled = _mm512_slli_epi32::<1>(_mm512_and_si512(power, low));
        let whole = _mm512_srli_epi32::<{ softmax::LOGIT_FRACTION_BITS }>(distance);
        let rounded = _mm512_add_epi32(_mm512_srlv_epi32(doubled, whole), _mm512_set1_epi32(1));
        let power = _mm512_maskz_srli_epi32::<1>(mask, rounded);
        let mut total = _mm512_sub_epi32(_mm512_slli_epi32::<8>(power), power);
        total = _mm512_add_epi32(total, _mm512_alignr_epi32::<15>(total, zero));
        total = _mm512_add_epi32(total, _mm512_alignr_epi32::<14>(total, zero));
        total = _mm512_add_epi32(total, _mm512_alignr_epi32::<12>(total, zero));
        total = _mm512_add_epi32(total, _mm512_alignr_epi32::<8>(total, zero));
        total = _mm512_add_epi32(total, carried);
        let floor = _mm512_srli_epi32::<16>(total);
        let probabilities = _mm512_sub_epi32(floor, _mm512_alignr_epi32::<15>(floor, zero));
        // SAFETY: only operands of logits that exist are touched.
        unsafe { _mm512_mask_cvtepi32_storeu_epi16(operands.as_mut_ptr().cast(), mask, probabilities) };
        let last = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), total);
        carried = _mm512_and_si512(last, low);
        sum = _mm512_add_epi32(sum, _mm512_srli_epi32::<16>(last));
    }
    _mm_cvtsi128_si32(_mm512_castsi512_si128(sum)) as u32
}

/// Entries of a table.
const TABLE: usize = 256;

static SEGMENT_STARTS: Table = Table::of(&gelu::SEGMENT_STARTS);
static SEGMENT_SLOPES: Table = Table::of(&gelu::SEGMENT_SLOPES);
/// [`tables::EXP2`] without its last entry, u16.
static POWERS: Table = {
    let mut powers = [0; TABLE];
    let mut index = 0;
    while index < TABLE {
        powers[index] = tables::EXP2[index] as u16 as i16;
        index += 1;
    }
    Table(powers)
};

/// A table of 16-bit values.
#[repr(align(64))]
struct Table([i16; TABLE]);

impl Table {
    /// Some values, then zeros.
    const fn of(values: &[i16]) -> Self {
        let mut table = [0; TABLE];
        let mut index = 0;
        while index < values.len() {
            table[index] = values[index];
            index += 1;
        }
        Self(table)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(&self) -> LoadedTable {
        let mut registers = [_mm512_setzero_si512(); 8];
        for (register, part) in registers.iter_mut().zip(self.0.as_chunks::<32>().0) {
            // SAFETY: 32 values of two bytes.
            *register = unsafe { _mm512_loadu_si512(part.as_ptr().cast()) };
        }
        LoadedTable(registers)
    }
}

/// A [`Table`] in eight registers.
struct LoadedTable([__m512i; 8]);

impl LoadedTable {
    /// The values at 32 indices below [`TABLE`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn look_up(&self, indices: __m512i) -> __m512i {
        let [a, b, c, d, e, f, g, h] = self.0;
        let upper_quarter = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(64));
        let upper_half = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(128));
        let (first, second) =
            (_mm512_permutex2var_epi16(a, indices, b), _mm512_permutex2var_epi16(c, indices, d));
        let (third, fourth) =
            (_mm512_permutex2var_epi16(e, indices, f), _mm512_permutex2var_epi16(g, indices, h));
        let lower = _mm512_mask_mov_epi16(first, upper_quarter, second);
        let upper = _mm512_mask_mov_epi16(third, upper_quarter, fourth);
        _mm512_mask_mov_epi16(lower, upper_half, upper)
    }
}
