//! 1/x and 1/√x of integers, as a 17-bit mantissa and an exponent.

use crate::tables::{INVERSE_ROOT, RECIPROCAL, interpolate};

/// Fraction bits of the normalised operand that address the table.
const INDEX_BITS: u32 = 8;
/// Fraction bits of the normalised operand that interpolate.
const FRACTION_BITS: u32 = 12;
/// Fraction bits of the normalised operand: anything finer is cut off.
const OPERAND_BITS: u32 = INDEX_BITS + FRACTION_BITS;
/// Fraction bits of the mantissa.
pub const MANTISSA_BITS: u32 = 17;

/// A positive number `mantissa · 2^−17 · 2^−exponent`, 2^16 ≤ mantissa < 2^17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// u17 with its top bit set.
    pub mantissa: u32,
    /// How many places the mantissa stands further right.
    pub exponent: u32,
}

impl Normalised {
    /// The value as a float.
    pub fn to_f64(self) -> f64 {
        f64::from(self.mantissa) * (-f64::from(MANTISSA_BITS + self.exponent)).exp2()
    }
}

/// 1/x for x ≥ 1; relative error at most 2^−16.
///
/// x = w·2^a with 1 ≤ w < 2; the table gives 2^17/w, the exponent is a.
pub fn reciprocal(x: u32) -> Normalised {
    assert!(x > 0, "reciprocal of zero");
    let exponent = x.ilog2();
    let operand = shift_to(u64::from(x), exponent);
    Normalised { mantissa: lookup(&RECIPROCAL, operand), exponent }
}

/// 1/√v for v ≥ 1; relative error at most 2^−16.
///
/// v = u·4^a with 1 ≤ u < 4; the table gives 2^17/√u, the exponent is a.
pub fn inverse_root(v: u64) -> Normalised {
    assert!(v > 0, "inverse root of zero");
    let exponent = v.ilog2() / 2;
    let operand = shift_to(v, 2 * exponent);
    Normalised { mantissa: lookup(&INVERSE_ROOT, operand), exponent }
}

/// `x / 2^exponent` with 20 fraction bits, truncated.
fn shift_to(x: u64, exponent: u32) -> u32 {
    let shifted = if exponent <= OPERAND_BITS {
        x << (OPERAND_BITS - exponent)
    } else {
        x >> (exponent - OPERAND_BITS)
    };
    shifted as u32
}

/// Interpolates in a table over operands from 1.0 upwards; rounds to nearest.
fn lookup(table: &[i32], operand: u32) -> u32 {
    let index = (operand >> FRACTION_BITS) as usize - (1 << INDEX_BITS);
    let fraction = (operand & ((1 << FRACTION_BITS) - 1)) as i32;
    let value = interpolate(table, index, fraction, FRACTION_BITS);
    ((value + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUND: f64 = 1.0 / 65536.0;

    fn relative(got: Normalised, exact: f64) -> f64 {
        assert!((1 << 16..1 << 17).contains(&got.mantissa), "{got:?}");
        (got.to_f64() / exact - 1.0).abs()
    }

    #[test]
    fn reciprocal_of_every_probability_sum() {
        let worst = (1..1u32 << 20).map(|x| relative(reciprocal(x), 1.0 / f64::from(x))).fold(0.0, f64::max);
        assert!(worst <= BOUND, "{worst:e}");
    }

    #[test]
    fn inverse_root_of_every_small_operand() {
        let worst =
            (1..1u64 << 20).map(|v| relative(inverse_root(v), 1.0 / (v as f64).sqrt())).fold(0.0, f64::max);
        assert!(worst <= BOUND, "{worst:e}");
    }

    proptest! {
        #[test]
        fn inverse_root_of_large_operands(v in 1u64..1 << 60) {
            prop_assert!(relative(inverse_root(v), 1.0 / (v as f64).sqrt()) <= BOUND);
        }

        #[test]
        fn reciprocal_of_large_operands(x in 1u32..) {
            prop_assert!(relative(reciprocal(x), 1.0 / f64::from(x)) <= BOUND);
        }
    }
}
