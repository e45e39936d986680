//! GELU as ReLU minus a small even function: gelu(x) = max(x, 0) − δ(|x|).
//!
//! δ(x) = x·Φ(−x) vanishes beyond |x| ≈ 4.7, so a short table with linear
//! interpolation suffices (Edge-MoE, arXiv 2305.18691).

use crate::tables::GELU_DELTA;

/// Least number of fraction bits of a GELU operand.
pub const MIN_FRACTION_BITS: u32 = 9;
/// Greatest number of fraction bits of a GELU operand.
pub const MAX_FRACTION_BITS: u32 = 13;

/// log2 of the table's steps per unit: δ is tabulated at multiples of 1/32.
pub const STEP_BITS: u32 = 5;
/// From interpolated δ to the result: Q0.16 table, `f − 5` interpolation bits, `f` fraction bits out.
pub const OUTPUT_SHIFT: u32 = 16 - STEP_BITS;

/// GELU of `x`, both with `fraction_bits` (9…13) fraction bits.
///
/// With d = interpolated δ in Q0.(11 + f): `y = max(x, 0) − ((d + 2^10) >> 11)`.
/// Error against the exact function: at most 9.7e-5 plus 0.57 steps of 2^−f.
#[inline(always)]
pub fn gelu(x: i16, fraction_bits: u32) -> i16 {
    debug_assert!((MIN_FRACTION_BITS..=MAX_FRACTION_BITS).contains(&fraction_bits));
    let magnitude = i32::from(x).unsigned_abs();
    let index_shift = fraction_bits - STEP_BITS;
    let fraction = (magnitude & ((1 << index_shift) - 1)) as i32;
    let segment = (magnitude >> index_shift).min(SEGMENTS as u32 - 1) as usize;
    let (start, slope) = (i32::from(SEGMENT_STARTS[segment]), i32::from(SEGMENT_SLOPES[segment]));
    let delta = (start << index_shift) + slope * fraction;
    let rounded = (delta + (1 << (OUTPUT_SHIFT - 1))) >> OUTPUT_SHIFT;
    x.max(0) - rounded as i16
}

/// Segments of the table, and one more that is zero.
const SEGMENTS: usize = GELU_DELTA.len();

/// δ at the start of each segment, Q0.16.
pub static SEGMENT_STARTS: [i16; SEGMENTS] = {
    let mut starts = [0; SEGMENTS];
    let mut index = 0;
    while index + 1 < SEGMENTS {
        starts[index] = GELU_DELTA[index] as i16;
        index += 1;
    }
    starts
};

/// What δ gains over each segment, Q0.16.
pub static SEGMENT_SLOPES: [i16; SEGMENTS] = {
    let mut slopes = [0; SEGMENTS];
    let mut index = 0;
    while index + 1 < SEGMENTS {
        slopes[index] = (GELU_DELTA[index + 1] - GELU_DELTA[index]) as i16;
        index += 1;
    }
    slopes
};

/// The function itself: x·Φ(x), with the error function.
pub fn reference(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(x: f64) -> f64 {
        x * libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
    }

    #[test]
    fn every_input_is_within_the_stated_bound() {
        for fraction_bits in MIN_FRACTION_BITS..=MAX_FRACTION_BITS {
            let unit = f64::from(1 << fraction_bits);
            let worst = (i16::MIN..=i16::MAX)
                .map(|x| (f64::from(gelu(x, fraction_bits)) / unit - exact(f64::from(x) / unit)).abs())
                .fold(0.0, f64::max);
            let bound = 9.7e-5 + 0.57 / unit;
            assert!(worst <= bound, "f = {fraction_bits}: {worst:e} > {bound:e}");
        }
    }

    #[test]
    fn zero_is_exact_and_large_inputs_are_relu() {
        for fraction_bits in MIN_FRACTION_BITS..=12 {
            assert_eq!(gelu(0, fraction_bits), 0);
            assert_eq!(gelu(i16::MAX, fraction_bits), i16::MAX);
            assert_eq!(gelu(i16::MIN, fraction_bits), 0);
        }
    }

    #[test]
    fn reference_is_gelu() {
        for x in [-6.0f32, -1.5, -0.1, 0.0, 0.3, 2.0, 7.0] {
            assert!((f64::from(reference(x)) - exact(f64::from(x))).abs() < 1e-6);
        }
    }
}
