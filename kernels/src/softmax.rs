//! Softmax of one query's logits, in base 2 and one pass over the keys.
//!
//! softmax(x) = 2^(z − M) / Σ 2^(z − M) for z = x·log2(e) and any M. The
//! factor is folded into the logits' scale; M is the running maximum rounded
//! up to an integer, so that 2^(z − M) is a table lookup and a shift.
//! Probabilities have 8 bits; the part that rounding cuts off one key is
//! carried to the next, so that a long tail of small probabilities keeps its
//! mass. They are normalised by the sum of what was kept, not of what was cut.

use crate::fixed::{ACTIVATION_BITS, Requantise};
use crate::reciprocal::{MANTISSA_BITS, reciprocal};
use crate::tables::EXP2;

/// Fraction bits of an attention logit (base 2).
pub const LOGIT_FRACTION_BITS: u32 = 8;
/// Most keys of one query: keeps the context accumulator within 36 bits.
pub const MAX_KEYS: usize = 4096;
/// Most bits that 1/Σp adds to the context's shift: Σp ≤ 255·4096 < 2^20.
pub const MAX_SUM_EXPONENT: u32 = 19;

/// Running maximum of one query, as the smallest integer ≥ every logit so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningMaximum(i32);

impl RunningMaximum {
    /// Before the first logit.
    pub const START: Self = Self(i32::MIN);

    /// Takes one more logit into account.
    #[must_use]
    #[inline(always)]
    pub fn update(self, logit: i16) -> Self {
        let ceiling = (i32::from(logit) + (1 << LOGIT_FRACTION_BITS) - 1) >> LOGIT_FRACTION_BITS;
        Self(self.0.max(ceiling))
    }

    /// The integer itself.
    #[inline(always)]
    pub fn get(self) -> i32 {
        self.0
    }

    /// `M − logit ≥ 0`, with 8 fraction bits.
    #[inline(always)]
    fn distance(self, logit: i16) -> u32 {
        ((self.0 << LOGIT_FRACTION_BITS) - i32::from(logit)) as u32
    }
}

/// 2^−x in Q0.16 for x ≥ 0 with 8 fraction bits: at most 65535, rounded to
/// nearest after the shift.
#[inline(always)]
pub fn exp2_negative(x: u32) -> u32 {
    let (whole, fraction) = (x >> LOGIT_FRACTION_BITS, x & ((1 << LOGIT_FRACTION_BITS) - 1));
    let doubled = (EXP2[fraction as usize] as u32) << 1;
    // Beyond 17 bits nothing is left of it.
    ((doubled >> whole.min(31)) + 1) >> 1
}

/// Probabilities of one query: `probabilities[i]/255 ≈ 2^(logit[i] − M)`;
/// returns their sum (at least 127, at most 255·4096).
///
/// With e in Q0.16 and the running total `t[i] = 1/2 + Σ 255·e[j]` over j ≤ i, in units of one
/// probability: `p[i] = ⌊t[i]⌋ − ⌊t[i − 1]⌋`. What rounding cuts off one key is carried to the next.
#[inline(always)]
pub fn softmax<P: From<u8>>(logits: &[i16], probabilities: &mut [P]) -> u32 {
    debug_assert!(!logits.is_empty() && logits.len() <= MAX_KEYS);
    let largest = logits.iter().fold(i16::MIN, |largest, &logit| largest.max(logit));
    let maximum = RunningMaximum::START.update(largest);
    let mut total = 1u64 << 15;
    for (&logit, probability) in logits.iter().zip(probabilities) {
        let before = total >> 16;
        total += 255 * u64::from(exp2_negative(maximum.distance(logit)));
        *probability = P::from(((total >> 16) - before) as u8);
    }
    (total >> 16) as u32
}

/// How Σ p·v becomes a context value: `sat16((acc·m′ + 2^(s′−1)) >> s′)`, where 1/Σp is
/// folded into multiplier and shift: `m′ = (m·mantissa + 2^16) >> 17`, `s′ = s + exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextScale {
    multiplier: i32,
    scale: Requantise,
}

impl ContextScale {
    /// Folds 1/`sum` into `multiplier` (u16) and `shift` (1…28).
    pub fn new(multiplier: u16, shift: u32, sum: u32) -> Self {
        let inverse = reciprocal(sum);
        let product = u64::from(multiplier) * u64::from(inverse.mantissa);
        Self {
            multiplier: ((product + (1 << (MANTISSA_BITS - 1))) >> MANTISSA_BITS) as i32,
            scale: Requantise { bias_shift: 0, shift: shift + inverse.exponent },
        }
    }

    /// m′ above.
    #[inline(always)]
    pub fn multiplier(self) -> i32 {
        self.multiplier
    }

    /// s′ above.
    #[inline(always)]
    pub fn shift(self) -> u32 {
        self.scale.shift
    }

    /// One context value from Σ p·v.
    pub fn apply(self, acc: i64) -> i16 {
        self.scale.apply(acc, self.multiplier, 0, ACTIVATION_BITS)
    }
}

/// Softmax in f32: `exp(x − max) / Σ exp(x − max)`.
pub fn reference(logits: &mut [f32]) {
    let maximum = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = libm::expf(*logit - maximum);
        sum += *logit;
    }
    for logit in logits.iter_mut() {
        *logit /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(logits: &[i16]) -> Vec<f64> {
        let powers: Vec<f64> = logits.iter().map(|&z| (f64::from(z) / 256.0).exp2()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| power / sum).collect()
    }

    fn normalised(logits: &[i16]) -> Vec<f64> {
        let mut probabilities = vec![0u8; logits.len()];
        let sum = softmax(logits, &mut probabilities);
        assert_eq!(sum, probabilities.iter().map(|&p| u32::from(p)).sum::<u32>());
        probabilities.iter().map(|&p| f64::from(p) / f64::from(sum)).collect()
    }

    #[test]
    fn every_power_of_two_is_rounded_to_nearest() {
        // The table entry and the result are rounded once each.
        for x in 0..1u32 << 17 {
            let exact = 65536.0 * (-f64::from(x) / 256.0).exp2();
            let error = (f64::from(exp2_negative(x)) - exact).abs();
            assert!(error <= 1.0, "x = {x}: off by {error}");
        }
    }

    #[test]
    fn equal_logits_share_equally_whatever_they_are() {
        for logit in [i16::MIN, -256, -1, 0, 1, 255, 256, i16::MAX] {
            for keys in [1, 2, 129, 4096] {
                let worst = normalised(&vec![logit; keys])
                    .iter()
                    .map(|p| (p * keys as f64 - 1.0).abs())
                    .fold(0.0, f64::max);
                assert!(worst <= 1.0 / 127.0, "logit {logit}, {keys} keys: {worst}");
            }
        }
    }

    #[test]
    fn a_long_tail_keeps_its_mass() {
        // One dominant key and 4095 keys each at 1/2000 of it: plain 8-bit
        // rounding would give the tail nothing, it holds two thirds.
        let mut logits = vec![-2807i16; 4096];
        logits[0] = 0;
        let tail: f64 = normalised(&logits)[1..].iter().sum();
        let expected: f64 = exact(&logits)[1..].iter().sum();
        assert!((tail / expected - 1.0).abs() < 0.01, "tail {tail}, exact {expected}");
    }

    #[test]
    fn the_sum_is_never_zero() {
        for logit in i16::MIN..=i16::MAX {
            let sum = softmax(&[logit], &mut [0u8]);
            assert!((127..=255).contains(&sum), "logit {logit}: {sum}");
        }
    }

    #[test]
    fn reference_is_softmax() {
        let mut logits = [1.0f32, 2.0, -1.0];
        reference(&mut logits);
        let total: f32 = logits.iter().sum();
        assert!((total - 1.0).abs() < 1e-6);
        assert!((logits[1] / logits[0] - std::f32::consts::E).abs() < 1e-5);
    }

    proptest! {
        /// Each partial sum of probabilities is within 1.5 steps of 1/Σp of the exact one.
        #[test]
        fn partial_sums_stay_close(logits in proptest::collection::vec(-4000i16..4000, 1..200)) {
            let got = normalised(&logits);
            let exact = exact(&logits);
            let (mut got_sum, mut exact_sum) = (0.0, 0.0);
            for (got, exact) in got.iter().zip(&exact) {
                got_sum += got;
                exact_sum += exact;
                prop_assert!((got_sum - exact_sum).abs() <= 1.5 / 127.0);
            }
        }

        /// A context of constant values is that value: the weights sum to one.
        #[test]
        fn constant_values_pass_through(
            logits in proptest::collection::vec(any::<i16>(), 1..200),
            value in -32768i64..32768,
        ) {
            let mut probabilities = vec![0u8; logits.len()];
            let sum = softmax(&logits, &mut probabilities);
            let got = ContextScale::new(1 << 15, 15, sum).apply(i64::from(sum) * value);
            let bound = 0.5 + value.abs() as f64 / 16384.0;
            prop_assert!((f64::from(got) - value as f64).abs() <= bound, "got {got}, value {value}");
        }
    }
}
