//! Rounding, saturation and requantisation: the only ways a number loses bits.

/// The widest accumulator a lane keeps, in bits (signed).
pub const ACCUMULATOR_BITS: u32 = 36;
/// Largest legal requantise shift `s`.
pub const MAX_SHIFT: u32 = 47;
/// Largest legal bias shift `t`.
pub const MAX_BIAS_SHIFT: u32 = 24;
/// Bits of an activation.
pub const ACTIVATION_BITS: u32 = 16;
/// Bits of a quantised query: the row operand of a lane.
pub const QUERY_BITS: u32 = 9;

/// Clamps to the range of a signed `bits`-bit integer.
#[inline(always)]
pub fn saturate(value: i64, bits: u32) -> i64 {
    let limit = 1i64 << (bits - 1);
    value.clamp(-limit, limit - 1)
}

/// Clamps to s16.
#[inline(always)]
pub fn saturate16(value: i64) -> i16 {
    saturate(value, 16) as i16
}

/// `(value + 2^(shift−1)) >> shift`: divides by 2^shift, rounding to nearest,
/// halves towards +∞. `shift` is at least 1.
#[inline(always)]
pub fn round_shift(value: i64, shift: u32) -> i64 {
    debug_assert!(shift >= 1);
    (value + (1 << (shift - 1))) >> shift
}

/// How one tensor is requantised: shifts shared by all its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requantise {
    /// `t`: the bias is given in units of 2^(t−s) of the result. 0…24.
    pub bias_shift: u32,
    /// `s`: the product is given in units of 2^−s of the result. 1…47.
    pub shift: u32,
}

impl Requantise {
    /// `sat_bits((acc·m + (b << t) + 2^(s−1)) >> s)`.
    ///
    /// `acc` is s36, `m` is u16 (linear layers) or s16 (LayerNorm gains), `b`
    /// is s32; the sum needs at most 57 bits. `bits` is 9 or 16.
    #[inline(always)]
    pub fn apply(self, acc: i64, multiplier: i32, bias: i32, bits: u32) -> i16 {
        debug_assert!((1..=MAX_SHIFT).contains(&self.shift));
        debug_assert!(self.bias_shift <= MAX_BIAS_SHIFT);
        debug_assert_eq!(acc, saturate(acc, ACCUMULATOR_BITS), "accumulator overflow");
        let sum = acc * i64::from(multiplier) + (i64::from(bias) << self.bias_shift);
        saturate(round_shift(sum, self.shift), bits) as i16
    }

    /// What [`apply`](Self::apply) approximates: `acc·m/2^s + b·2^(t−s)`.
    pub fn reference(self, acc: i64, multiplier: i32, bias: i32) -> f64 {
        let unit = f64::from(self.shift as i32).exp2().recip();
        let bias = f64::from(bias) * f64::from(self.bias_shift).exp2();
        (acc as f64 * f64::from(multiplier) + bias) * unit
    }
}

/// `sat16(residual + branch)`: the residual connection.
#[inline(always)]
pub fn accumulate(residual: i16, branch: i16) -> i16 {
    residual.saturating_add(branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_round_towards_plus_infinity() {
        let halves: Vec<i64> = [-3, -1, 1, 3].map(|odd| round_shift(odd, 1)).to_vec();
        assert_eq!(halves, [-1, 0, 1, 2]);
        assert_eq!(round_shift(-6, 2), -1);
        assert_eq!(round_shift(6, 2), 2);
    }

    #[test]
    fn saturates_at_nine_and_sixteen_bits() {
        let unit = Requantise { bias_shift: 0, shift: 1 };
        assert_eq!(unit.apply(511, 1, 0, 9), 255);
        assert_eq!(unit.apply(-512, 1, 0, 9), -256);
        assert_eq!(unit.apply(-514, 1, 0, 9), -256);
        assert_eq!(unit.apply(i64::from(u16::MAX), 1, 0, 16), 32767);
        assert_eq!(unit.apply(-65537, 1, 0, 16), -32768);
    }

    #[test]
    fn the_widest_operands_do_not_overflow() {
        let acc = (1i64 << (ACCUMULATOR_BITS - 1)) - 1;
        let widest = Requantise { bias_shift: MAX_BIAS_SHIFT, shift: MAX_SHIFT };
        assert_eq!(widest.apply(acc, 65535, i32::MAX, 16), 272);
        assert_eq!(widest.apply(-acc - 1, 65535, i32::MIN, 16), -272);
    }

    #[test]
    fn all_sixteen_bit_accumulators_round_to_nearest() {
        let scale = Requantise { bias_shift: 3, shift: 9 };
        for acc in i64::from(i16::MIN)..=i64::from(i16::MAX) {
            let got = f64::from(scale.apply(acc, 300, -77, 16));
            let exact = scale.reference(acc, 300, -77).clamp(-32768.0, 32767.0);
            assert!((got - exact).abs() <= 0.5, "acc {acc}: got {got}, exact {exact}");
        }
    }

    proptest! {
        #[test]
        fn requantise_is_within_half_a_step(
            acc in -(1i64 << 35)..(1i64 << 35),
            multiplier in -32768..=65535i32,
            bias in any::<i32>(),
            bias_shift in 0..=MAX_BIAS_SHIFT,
            shift in 1..=MAX_SHIFT,
        ) {
            let scale = Requantise { bias_shift, shift };
            let exact = scale.reference(acc, multiplier, bias).clamp(-32768.0, 32767.0);
            let got = f64::from(scale.apply(acc, multiplier, bias, 16));
            prop_assert!((got - exact).abs() <= 0.5 + 1e-6);
        }
    }
}
