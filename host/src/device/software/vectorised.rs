//! What is not a product: short loops over values, which the compiler vectorises for each path.
//!
//! Each is a [`Computation`], so that [`Path::vectorise`](super::simd::Path::vectorise) compiles it for the
//! instructions of its path: whatever is inlined into `compute` is, so all of it must be.

use edge_moe_kernels::dot::query_operand;
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise, round_shift, saturate, saturate16};
use edge_moe_kernels::gelu::gelu;
use edge_moe_kernels::layer_norm::{ChannelNorm, layer_norm};
use edge_moe_kernels::softmax::softmax;

use super::simd::Computation;
use super::sums::RowSums;

/// Splits activations in low byte and high byte + 128.
pub struct Split<'a> {
    pub row: &'a [i16],
    pub low: &'a mut [u8],
    pub high: &'a mut [u8],
}

impl Computation for Split<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        for (&value, (low, high)) in self.row.iter().zip(self.low.iter_mut().zip(self.high)) {
            *low = value as u8;
            *high = (value >> 8) as u8 ^ 0x80;
        }
    }
}

/// `sat_bits((sum·multiplier + constant) >> shift)`, channel by channel:
/// [`Requantise::apply`] with bias and rounding in the constant.
pub struct Finish<'a> {
    pub sums: RowSums<'a>,
    pub multipliers: &'a [i32],
    pub constants: &'a [i64],
    pub shift: u32,
    pub bits: u32,
    pub results: &'a mut [i16],
}

impl Computation for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        match self.sums {
            RowSums::Narrow(sums) => self.each(sums),
            RowSums::Wide(sums) => self.each(sums),
        }
    }
}

impl Finish<'_> {
    #[inline(always)]
    fn each<S: Copy + Into<i64>>(self, sums: &[S]) {
        let Self { multipliers, constants, shift, bits, results, .. } = self;
        let sums = sums.iter().zip(multipliers.iter().zip(constants));
        let scaled = sums.map(|(&sum, (&multiplier, &constant))| {
            let sum: i64 = sum.into();
            (sum * i64::from(multiplier) + constant) >> shift
        });
        // Most layers give 16 bits, which the CPU knows how to saturate.
        if bits == ACTIVATION_BITS {
            results.iter_mut().zip(scaled).for_each(|(result, scaled)| *result = saturate16(scaled));
        } else {
            results
                .iter_mut()
                .zip(scaled)
                .for_each(|(result, scaled)| *result = saturate(scaled, bits) as i16);
        }
    }
}

/// [`Requantise::apply`] with the same multiplier for all sums and no bias, to s16.
pub struct FinishAlike<'a> {
    pub sums: RowSums<'a>,
    pub multiplier: i32,
    pub shift: u32,
    pub results: &'a mut [i16],
}

impl Computation for FinishAlike<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        match self.sums {
            RowSums::Narrow(sums) => self.each(sums),
            RowSums::Wide(sums) => self.each(sums),
        }
    }
}

impl FinishAlike<'_> {
    #[inline(always)]
    fn each<S: Copy + Into<i64>>(self, sums: &[S]) {
        for (result, &sum) in self.results.iter_mut().zip(sums) {
            let sum: i64 = sum.into();
            *result = saturate16(round_shift(sum * i64::from(self.multiplier), self.shift));
        }
    }
}

/// [`gelu()`] of every value.
pub struct Gelu<'a> {
    pub values: &'a mut [i16],
    pub fraction_bits: u32,
}

impl Computation for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        for value in self.values {
            *value = gelu(*value, self.fraction_bits);
        }
    }
}

/// [`layer_norm`] of a token.
pub struct NormToken<'a> {
    pub token: &'a [i16],
    pub channels: &'a [ChannelNorm],
    pub epsilon: u64,
    pub scale: Requantise,
    pub out: &'a mut [i16],
}

impl Computation for NormToken<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        layer_norm(self.token, self.channels, self.epsilon, self.scale, self.out);
    }
}

/// A query as a row operand.
pub struct TakeQuery<'a> {
    pub query: &'a [i16],
    pub operands: &'a mut [i16],
}

impl Computation for TakeQuery<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        for (operand, &value) in self.operands.iter_mut().zip(self.query) {
            *operand = query_operand(value);
        }
    }
}

/// The [`softmax()`] of a query's logits as a row operand; gives the sum of the probabilities.
pub struct Weigh<'a> {
    pub logits: &'a [i16],
    pub operands: &'a mut [i16],
}

impl Computation for Weigh<'_> {
    type Output = u32;

    #[inline(always)]
    fn compute(self) -> u32 {
        softmax(self.logits, self.operands)
    }
}
