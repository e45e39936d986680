//! Dot products: a lane's multipliers, adder tree and accumulator.
//!
//! A lane multiplies a 9-bit signed row operand (s8 weight, s9 query or u8
//! probability) with an s16 activation and sums exactly; the accumulator is
//! 36 bits wide. The functions here sum blocks short enough for 32 bits and
//! the blocks in 64 bits, so the result is exact for every input.

/// Terms whose sum always fits i32: 2^8 · 2^15 · 128 = 2^30.
const BLOCK: usize = 128;

/// Row operand of a lane: at most nine bits with its sign.
pub trait RowOperand: Copy {
    /// The operand as a 16-bit integer.
    fn widen(self) -> i16;
}

impl RowOperand for i8 {
    fn widen(self) -> i16 {
        i16::from(self)
    }
}

impl RowOperand for u8 {
    fn widen(self) -> i16 {
        i16::from(self)
    }
}

/// Queries are stored as s16 but hold s9 values.
impl RowOperand for i16 {
    fn widen(self) -> i16 {
        debug_assert!((-256..=255).contains(&self), "query exceeds nine bits");
        self
    }
}

/// An s16 word's element as a lane's row bank keeps it: its low nine bits, signed.
#[inline(always)]
pub fn query_operand(element: i16) -> i16 {
    (element << 7) >> 7
}

/// Exact `Σ row[i]·activations[i]`; the slices have equal length.
pub fn dot<R: RowOperand>(row: &[R], activations: &[i16]) -> i64 {
    debug_assert_eq!(row.len(), activations.len());
    let blocks = row.chunks(BLOCK).zip(activations.chunks(BLOCK));
    blocks.map(|(row, activations)| i64::from(dot_block(row, activations))).sum()
}

fn dot_block<R: RowOperand>(row: &[R], activations: &[i16]) -> i32 {
    let products = row.iter().zip(activations);
    products.map(|(&r, &a)| i32::from(r.widen()) * i32::from(a)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extremes_stay_exact() {
        for length in [1, 127, 128, 129, 255, 8192] {
            let expected = length as i64 * -128 * -32768;
            assert_eq!(dot(&vec![-128i8; length], &vec![-32768; length]), expected);
            assert_eq!(dot(&vec![-256i16; length], &vec![-32768; length]), expected * 2);
            assert_eq!(dot(&vec![255u8; length], &vec![-32768; length]), length as i64 * 255 * -32768);
        }
    }

    #[test]
    fn query_operands_keep_nine_bits() {
        assert_eq!([-256, -1, 0, 255, 256, -257].map(query_operand), [-256, -1, 0, 255, -256, 255]);
    }

    proptest! {
        #[test]
        fn equals_the_plain_sum(terms in proptest::collection::vec((any::<i8>(), any::<i16>()), 0..600)) {
            let (row, activations): (Vec<i8>, Vec<i16>) = terms.iter().copied().unzip();
            let plain: i64 = terms.iter().map(|&(w, a)| i64::from(w) * i64::from(a)).sum();
            prop_assert_eq!(dot(&row, &activations), plain);
        }
    }
}
