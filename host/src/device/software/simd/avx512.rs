//! AVX-512 with VNNI: `vpdpbusd` multiplies 64 pairs of bytes and adds them four by four, `vpdpwssd`
//! 32 pairs of 16-bit values two by two.
//!
//! An activation is 256·high + low. With 128 added to the high byte both are unsigned, so that each takes
//! one `vpdpbusd` with the signed weights; the sums are then 2^15·Σ weights too large.

use std::arch::asm;
use std::arch::x86_64::*;

use edge_moe_kernels::{gelu, softmax, tables};

use super::super::vectorised::Gelu;
use super::panel::{Line, ROWS};
use super::{Computation, Path, Rows, panels_of};

/// Proof that the CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// Rows of activations and panels of a tile of weights: 2 · 3 · 4 of the 32 registers are sums.
const WEIGHT_TILE: (usize, usize) = (3, 4);
/// The same for pairs, whose sums take one register each.
const PAIR_TILE: (usize, usize) = (8, 3);
/// Lines whose sums of pairs fit 32 bits: 2 · 2^8 · 2^15 · 127 < 2^31.
const PAIR_BLOCK: usize = 127;

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
        #[target_feature(
            enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi1,bmi2,lzcnt,popcnt"
        )]
        fn compiled<C: Computation>(computation: C) -> C::Output {
            computation.compute()
        }
        // SAFETY: `self` exists, so the CPU has these, and every CPU with AVX-512 has the others.
        unsafe { compiled(computation) }
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
        assert!(rows.len() <= ROWS && rows.iter().all(|row| row.len() <= 4 * panel.len()));
        // SAFETY: `self` exists, and rows are no longer than the panel.
        unsafe { transpose(rows, panel) }
    }

    fn excess(self, panel: &[Line]) -> [i64; ROWS] {
        // SAFETY: `self` exists.
        unsafe { weight_sums(panel) }.map(|sum| sum << 15)
    }

    fn weights(
        self,
        panels: &[Line],
        lines: usize,
        inputs: usize,
        rows: Rows<'_>,
        next: &[u8],
        sums: &mut [i64],
    ) {
        let count = panels_of(panels, lines, rows.count, sums);
        let used = inputs.div_ceil(4);
        let bytes = rows.count * rows.stride;
        assert!(used <= lines && 4 * used <= rows.stride);
        assert!(bytes <= rows.low.len() && bytes <= rows.high.len());
        // Each tile asks for some of what comes next, so that memory and multipliers work at the same time.
        let mut next = next.chunks(size_of::<Line>() * used);
        for panel in (0..count).step_by(WEIGHT_TILE.1) {
            let panels = &panels[panel * lines..];
            for row in (0..rows.count).step_by(WEIGHT_TILE.0) {
                let next = next.next().unwrap_or_default();
                let tile = WeightTile { panels, lines, used, rows, next, row_sums: count * ROWS };
                let sums = &mut sums[row * count * ROWS + panel * ROWS..];
                let size = (WEIGHT_TILE.0.min(rows.count - row), WEIGHT_TILE.1.min(count - panel));
                // SAFETY: `self` exists; as many rows and panels are left as the tile has.
                unsafe {
                    match size {
                        (3, 4) => tile.sums::<3, 4>(row, sums),
                        (3, 3) => tile.sums::<3, 3>(row, sums),
                        (3, 2) => tile.sums::<3, 2>(row, sums),
                        (3, _) => tile.sums::<3, 1>(row, sums),
                        (2, 4) => tile.sums::<2, 4>(row, sums),
                        (2, 3) => tile.sums::<2, 3>(row, sums),
                        (2, 2) => tile.sums::<2, 2>(row, sums),
                        (2, _) => tile.sums::<2, 1>(row, sums),
                        (_, 4) => tile.sums::<1, 4>(row, sums),
                        (_, 3) => tile.sums::<1, 3>(row, sums),
                        (_, 2) => tile.sums::<1, 2>(row, sums),
                        (_, _) => tile.sums::<1, 1>(row, sums),
                    }
                }
            }
        }
    }

    fn pairs(self, panels: &[Line], lines: usize, rows: &[i16], stride: usize, sums: &mut [i64]) {
        let row_count = rows.len() / stride;
        let count = panels_of(panels, lines, row_count, sums);
        assert!(2 * lines <= stride);
        for panel in (0..count).step_by(PAIR_TILE.1) {
            let tile = PairTile { panels: &panels[panel * lines..], lines, stride, row_sums: count * ROWS };
            let width = PAIR_TILE.1.min(count - panel);
            let mut row = 0;
            while row < row_count {
                let sums = &mut sums[row * count * ROWS + panel * ROWS..];
                let (rows, whole) = (&rows[row * stride..], row_count - row >= PAIR_TILE.0);
                // SAFETY: `self` exists; as many rows and panels are left as the tile has.
                unsafe {
                    match (whole, width) {
                        (true, 3) => tile.sums::<8, 3>(rows, sums),
                        (true, 2) => tile.sums::<8, 2>(rows, sums),
                        (true, _) => tile.sums::<8, 1>(rows, sums),
                        (false, 3) => tile.sums::<1, 3>(rows, sums),
                        (false, 2) => tile.sums::<1, 2>(rows, sums),
                        (false, _) => tile.sums::<1, 1>(rows, sums),
                    }
                }
                row += if whole { PAIR_TILE.0 } else { 1 };
            }
        }
    }
}

/// Some panels of weights, and the rows that they are multiplied with.
struct WeightTile<'a> {
    panels: &'a [Line],
    lines: usize,
    /// Lines that hold weights.
    used: usize,
    rows: Rows<'a>,
    /// Bytes to be asked for, a line at a time.
    next: &'a [u8],
    row_sums: usize,
}

impl WeightTile<'_> {
    /// Sums of `R` rows from `first` on with `N` panels.
    ///
    /// # Safety
    /// There are `R` rows with `4·used` bytes each, and `N` panels.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn sums<const R: usize, const N: usize>(&self, first: usize, sums: &mut [i64]) {
        let (mut low, mut high) = ([[_mm512_setzero_si512(); N]; R], [[_mm512_setzero_si512(); N]; R]);
        let start = first * self.rows.stride;
        let ahead = if self.next.is_empty() { 0 } else { size_of::<Line>() };
        for line in 0..self.used {
            _mm_prefetch::<_MM_HINT_T0>(self.next.as_ptr().wrapping_add(line * ahead).cast());
            // SAFETY: line `line` of each panel, and four bytes of each row, by the contract.
            unsafe {
                let weights: [__m512i; N] =
                    std::array::from_fn(|n| load(self.panels.as_ptr().add(n * self.lines + line)));
                for row in 0..R {
                    let at = start + row * self.rows.stride + 4 * line;
                    let (low_bytes, high_bytes) =
                        (broadcast(self.rows.low.as_ptr().add(at)), broadcast(self.rows.high.as_ptr().add(at)));
                    for n in 0..N {
                        low[row][n] = _mm512_dpbusd_epi32(low[row][n], low_bytes, weights[n]);
                        high[row][n] = _mm512_dpbusd_epi32(high[row][n], high_bytes, weights[n]);
                    }
                }
            }
        }
        for row in 0..R {
            let sums = &mut sums[row * self.row_sums..][..N * ROWS];
            for (sums, (&low, &high)) in sums.as_chunks_mut::<ROWS>().0.iter_mut().zip(low[row].iter().zip(&high[row])) {
                let [low, high] = [low, high].map(|sums| widen(sums));
                let halves = [0, 1].map(|half| _mm512_add_epi64(low[half], _mm512_slli_epi64(high[half], 8)));
                store(sums, halves);
            }
        }
    }
}

/// Some panels of pairs.
struct PairTile<'a> {
    panels: &'a [Line],
    lines: usize,
    stride: usize,
    row_sums: usize,
}

impl PairTile<'_> {
    /// Sums of the first `R` rows with `N` panels.
    ///
    /// # Safety
    /// There are `R` rows with `2·lines` values each, and `N` panels.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn sums<const R: usize, const N: usize>(&self, rows: &[i16], sums: &mut [i64]) {
        let mut totals = [[[_mm512_setzero_si512(); 2]; N]; R];
        for block in (0..self.lines).step_by(PAIR_BLOCK) {
            let mut acc = [[_mm512_setzero_si512(); N]; R];
            for line in block..self.lines.min(block + PAIR_BLOCK) {
                // SAFETY: line `line` of each panel, and two values of each row, by the contract.
                unsafe {
                    let values: [__m512i; N] =
                        std::array::from_fn(|n| load(self.panels.as_ptr().add(n * self.lines + line)));
                    for row in 0..R {
                        let pair = broadcast(rows.as_ptr().add(row * self.stride + 2 * line).cast());
                        for n in 0..N {
                            multiply_pairs(&mut acc[row][n], pair, values[n]);
                        }
                    }
                }
            }
            for (totals, acc) in totals.as_flattened_mut().iter_mut().zip(acc.as_flattened()) {
                let parts = widen(*acc);
                *totals = [0, 1].map(|half| _mm512_add_epi64(totals[half], parts[half]));
            }
        }
        for (row, totals) in totals.iter().enumerate() {
            let sums = &mut sums[row * self.row_sums..][..N * ROWS];
            for (sums, &totals) in sums.as_chunks_mut::<ROWS>().0.iter_mut().zip(totals) {
                store(sums, totals);
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

/// Sum of each row of a panel of s8 weights.
#[target_feature(enable = "avx512f,avx512vnni")]
fn weight_sums(panel: &[Line]) -> [i64; ROWS] {
    let mut total = _mm512_setzero_si512();
    for line in panel {
        // SAFETY: the line is a reference.
        total = _mm512_dpbusd_epi32(total, _mm512_set1_epi8(1), unsafe { load(line) });
    }
    let mut sums = [0; ROWS];
    store(&mut sums, widen(total));
    sums
}

/// # Safety
/// The line exists.
#[target_feature(enable = "avx512f")]
unsafe fn load(line: *const Line) -> __m512i {
    // SAFETY: a line is 64 bytes at a multiple of 64.
    unsafe { _mm512_load_si512(line.cast()) }
}

/// Four bytes in every quarter of every 128 bits.
///
/// # Safety
/// The four bytes exist.
#[target_feature(enable = "avx512f")]
unsafe fn broadcast(bytes: *const u8) -> __m512i {
    // SAFETY: four bytes, by the contract; read without alignment.
    _mm512_set1_epi32(unsafe { bytes.cast::<i32>().read_unaligned() })
}

/// Sixteen sums in 64 bits each.
#[target_feature(enable = "avx512f")]
fn widen(sums: __m512i) -> [__m512i; 2] {
    [_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums)].map(|half| _mm512_cvtepi32_epi64(half))
}

#[target_feature(enable = "avx512f")]
fn store(sums: &mut [i64; ROWS], halves: [__m512i; 2]) {
    for (sums, half) in sums.as_chunks_mut::<8>().0.iter_mut().zip(halves) {
        // SAFETY: eight sums of eight bytes.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), half) };
    }
}

/// Transposes up to sixteen rows, sixteen times four bytes at a time.
///
/// # Safety
/// Rows are of equal length, and no longer than the panel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn transpose(rows: &[&[u8]], panel: &mut [Line]) {
    let length = rows.first().map_or(0, |row| row.len());
    let (blocks, rest) = panel.as_chunks_mut::<16>();
    assert!(rest.is_empty(), "panels are padded to whole rows of a tile");
    for (block, lines) in blocks.iter_mut().enumerate() {
        let start = 64 * block;
        let mut block_rows = [_mm512_setzero_si512(); ROWS];
        if let (Ok(rows), true) = (<&[&[u8]; ROWS]>::try_from(rows), start + 64 <= length) {
            for (vector, row) in block_rows.iter_mut().zip(rows) {
                // SAFETY: the 64 bytes lie inside the row.
                *vector = unsafe { _mm512_loadu_si512(row.as_ptr().add(start).cast()) };
            }
        } else {
            for (vector, row) in block_rows.iter_mut().zip(rows) {
                let rest = row.get(start..).unwrap_or_default();
                let mask = if rest.len() >= 64 { u64::MAX } else { (1 << rest.len()) - 1 };
                // SAFETY: only bytes inside the row are touched.
                *vector = unsafe { _mm512_maskz_loadu_epi8(mask, rest.as_ptr().cast()) };
            }
        }
        for (line, column) in lines.iter_mut().zip(transpose_block(block_rows)) {
            // SAFETY: a line is 64 bytes at a multiple of 64.
            unsafe { _mm512_store_si512((&raw mut *line).cast(), column) };
        }
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

/// GELU of 32 values at a time. Starts and slopes of the segments are looked up in registers; one `vpmaddwd`
/// makes `start·2^shift + slope·fraction` of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn gelu_blocks(blocks: &mut [[i16; 32]], fraction_bits: u32) {
    let shift = fraction_bits - gelu::STEP_BITS;
    let starts = Table::new(gelu::SEGMENT_STARTS.iter().map(|&start| start as u16));
    let slopes = Table::new(gelu::SEGMENT_SLOPES.iter().map(|&slope| slope as u16));
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
        let low = _mm512_madd_epi16(_mm512_unpacklo_epi16(start, slope), _mm512_unpacklo_epi16(unit, fraction));
        let high = _mm512_madd_epi16(_mm512_unpackhi_epi16(start, slope), _mm512_unpackhi_epi16(unit, fraction));
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
    let maximum = _mm512_set1_epi32(softmax::ceiling(largest) << softmax::LOGIT_FRACTION_BITS);
    let powers = Table::new(tables::EXP2.iter().take(TABLE).map(|&power| power as u16));
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

/// Entries of a [`Table`].
const TABLE: usize = 256;
const _: () = assert!(gelu::SEGMENT_STARTS.len() <= TABLE && tables::EXP2.len() > TABLE);

/// A table of 16-bit values in eight registers, zero after the last value.
struct Table([__m512i; 8]);

impl Table {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(values: impl Iterator<Item = u16>) -> Self {
        let mut padded = [0; TABLE];
        padded.iter_mut().zip(values).for_each(|(entry, value)| *entry = value);
        let mut registers = [_mm512_setzero_si512(); 8];
        for (register, part) in registers.iter_mut().zip(padded.as_chunks::<32>().0) {
            // SAFETY: 32 values of two bytes.
            *register = unsafe { _mm512_loadu_si512(part.as_ptr().cast()) };
        }
        Self(registers)
    }

    /// The values at 32 indices below [`TABLE`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn look_up(&self, indices: __m512i) -> __m512i {
        let [a, b, c, d, e, f, g, h] = self.0;
        let upper_quarter = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(64));
        let upper_half = _mm512_test_epi16_mask(indices, _mm512_set1_epi16(128));
        let (first, second) = (_mm512_permutex2var_epi16(a, indices, b), _mm512_permutex2var_epi16(c, indices, d));
        let (third, fourth) = (_mm512_permutex2var_epi16(e, indices, f), _mm512_permutex2var_epi16(g, indices, h));
        let lower = _mm512_mask_mov_epi16(first, upper_quarter, second);
        let upper = _mm512_mask_mov_epi16(third, upper_quarter, fourth);
        _mm512_mask_mov_epi16(lower, upper_half, upper)
    }
}
