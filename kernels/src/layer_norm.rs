//! LayerNorm of one token in integers, in one pass over the residual.
//!
//! With S1 = Σr, S2 = Σr² over the D channels of a token,
//! D²·variance = D·S2 − S1², so `z = (D·r − S1) / √(D·S2 − S1² + ε)` needs
//! no division by D and no second pass.

use crate::fixed::{ACTIVATION_BITS, Requantise, round_shift, saturate};
use crate::reciprocal::{MANTISSA_BITS, Normalised, inverse_root};

/// Widest token: keeps every sum below within 57 bits, and |z| ≤ √D ≤ 64.
pub const MAX_DIM: usize = 4096;
/// Fraction bits of a normalised value z.
pub const NORMALISED_FRACTION_BITS: u32 = 12;
/// Bits of a normalised value z, saturated: Q6.12 and a sign.
pub const NORMALISED_BITS: u32 = 19;

/// Gain and offset of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelNorm {
    /// s16, in units of 2^−s of the result per unit of z (2^−12).
    pub gain: i16,
    /// s32, in units of 2^(t−s) of the result.
    pub offset: i32,
}

/// ε as the kernel adds it: `max(1, round(ε·D²·2^(2r)))` for a residual with
/// `fraction_bits` = r.
pub fn integer_epsilon(epsilon: f64, dim: usize, fraction_bits: i32) -> u64 {
    let scaled = epsilon * (dim as f64).powi(2) * f64::from(2 * fraction_bits).exp2();
    scaled.round().max(1.0) as u64
}

/// Normalises one token. `epsilon` is at most 2^48; `token`, `channels` and `out` have the
/// same length D ≤ 4096.
///
/// `z = sat19(((D·r − S1)·mantissa + half) >> (5 + exponent))` with
/// (mantissa, exponent) of 1/√(D·S2 − S1² + ε); `out = sat16(z·gain + offset)`
/// by [`Requantise`].
#[inline(always)]
pub fn layer_norm(token: &[i16], channels: &[ChannelNorm], epsilon: u64, scale: Requantise, out: &mut [i16]) {
    debug_assert!(token.len() <= MAX_DIM);
    let dim = token.len() as i64;
    let sum: i64 = token.iter().map(|&r| i64::from(r)).sum();
    let squares: i64 = token.iter().map(|&r| i64::from(r) * i64::from(r)).sum();
    let spread = (dim * squares - sum * sum) as u64 + epsilon;
    let inverse = inverse_root(spread);
    for ((&r, channel), out) in token.iter().zip(channels).zip(out) {
        let z = normalise(dim * i64::from(r) - sum, inverse);
        *out = scale.apply(z, i32::from(channel.gain), channel.offset, ACTIVATION_BITS);
    }
}

/// `centred · inverse` as saturated Q6.12.
#[inline(always)]
fn normalise(centred: i64, inverse: Normalised) -> i64 {
    let shift = MANTISSA_BITS - NORMALISED_FRACTION_BITS + inverse.exponent;
    saturate(round_shift(centred * i64::from(inverse.mantissa), shift), NORMALISED_BITS)
}

/// LayerNorm of one token in f32 (sums in f64): `(x − mean)/√(var + ε)·gain + offset`.
pub fn reference(token: &[f32], gain: &[f32], offset: &[f32], epsilon: f64, out: &mut [f32]) {
    let count = token.len() as f64;
    let mean = token.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = token.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let inverse = (variance + epsilon).sqrt().recip();
    for (((&x, &gain), &offset), out) in token.iter().zip(gain).zip(offset).zip(out) {
        *out = ((f64::from(x) - mean) * inverse) as f32 * gain + offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNIT: Requantise = Requantise { bias_shift: 0, shift: 12 };

    /// Gain 4096 and shift 12 pass z through: Q6.12 out, saturated to s16 (±8).
    fn normalised(token: &[i16], epsilon: u64) -> Vec<i16> {
        let channels = vec![ChannelNorm { gain: 4096, offset: 0 }; token.len()];
        let mut out = vec![0; token.len()];
        layer_norm(token, &channels, epsilon, UNIT, &mut out);
        out
    }

    fn exact(token: &[i16], epsilon: f64) -> Vec<f64> {
        let count = token.len() as f64;
        let mean = token.iter().map(|&r| f64::from(r)).sum::<f64>() / count;
        let variance = token.iter().map(|&r| (f64::from(r) - mean).powi(2)).sum::<f64>() / count;
        let inverse = (variance + epsilon / (count * count)).sqrt().recip();
        token.iter().map(|&r| (f64::from(r) - mean) * inverse).collect()
    }

    #[test]
    fn a_constant_token_normalises_to_the_offset() {
        for value in [i16::MIN, -1, 0, 7, i16::MAX] {
            assert_eq!(normalised(&[value; 96], 1), [0; 96]);
        }
        let channels = [ChannelNorm { gain: 32767, offset: -300 }; 4];
        let mut out = [0; 4];
        layer_norm(&[5; 4], &channels, 1, Requantise { bias_shift: 2, shift: 3 }, &mut out);
        assert_eq!(out, [-150; 4]);
    }

    #[test]
    fn one_outlier_reaches_root_dim() {
        let mut token = [0i16; 4096];
        token[17] = i16::MAX;
        let channels = [ChannelNorm { gain: 512, offset: 0 }; 4096];
        let mut out = [0; 4096];
        layer_norm(&token, &channels, 1, UNIT, &mut out);
        // z = 63.99 in Q6.12, times 512/4096
        assert_eq!(out[17], 32764);
    }

    #[test]
    fn extreme_tokens_do_not_overflow() {
        for dim in [1, 2, 96, 4096] {
            let alternating: Vec<i16> =
                (0..dim).map(|i| if i % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
            let expected = if dim == 1 { 0 } else { 4096 };
            assert!(normalised(&alternating, 1).iter().all(|&z| z.abs() == expected));
        }
    }

    #[test]
    fn epsilon_keeps_at_least_one_unit() {
        assert_eq!(integer_epsilon(1e-6, 192, 9), 9664);
        assert_eq!(integer_epsilon(1e-6, 4, 0), 1);
    }

    proptest! {
        /// z is within one step of 2^−12 plus 2^−16 of itself.
        #[test]
        fn z_is_exact_to_a_step(token in proptest::collection::vec(any::<i16>(), 2..300), shrink in 0u32..15) {
            let token: Vec<i16> = token.iter().map(|r| r >> shrink).collect();
            let got = normalised(&token, 1);
            for (&got, exact) in got.iter().zip(exact(&token, 1.0)) {
                let exact = exact.clamp(-8.0, 32767.0 / 4096.0);
                let bound = 1.01 / 4096.0 + exact.abs() / 65536.0;
                prop_assert!((f64::from(got) / 4096.0 - exact).abs() <= bound, "got {got}, exact {exact}");
            }
        }
    }
}
