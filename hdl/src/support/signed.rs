//! A signed number of any width up to 63 bits.
//!
//! rust-hdl's own `Signed` multiplies only 16 × 16 bits and cannot widen. The
//! kernel translation looks at tokens alone, so a type of our own with the
//! same operators translates just as well: sums, differences and products of
//! [`S`] are Verilog expressions of signed operands, evaluated at the width
//! of what they are assigned to.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Neg, Sub};

use rust_hdl_core::prelude::*;

/// N bits, two's complement: `reg signed [N-1:0]`.
#[derive(Copy, Clone, Debug, PartialEq, Default)]
pub struct S<const N: usize>(i64);

impl<const N: usize> S<N> {
    /// The low N bits of `value`.
    pub const fn new(value: i64) -> Self {
        S((value << (64 - N)) >> (64 - N))
    }

    /// Another width, sign-extended or cut. In Verilog the assignment does it.
    pub fn into<const M: usize>(self) -> S<M> {
        S::new(self.0)
    }

    /// M bits from bit `start` up, unsigned.
    pub fn get_bits<const M: usize>(&self, start: usize) -> Bits<M> {
        Bits::from(((self.0 >> start) as u64) & (u64::MAX >> (64 - M)))
    }

    /// One bit.
    pub fn get_bit(&self, index: usize) -> bool {
        (self.0 >> index) & 1 != 0
    }
}

/// `$signed(bits)`.
pub trait AsSigned<const N: usize> {
    /// The same bits as a signed number.
    fn to_signed_bits(self) -> S<N>;
}

impl<const N: usize> AsSigned<N> for Bits<N> {
    fn to_signed_bits(self) -> S<N> {
        S::new(self.to_u64() as i64)
    }
}

macro_rules! operator {
    ($name:ident, $method:ident, $wrapping:ident) => {
        impl<const N: usize, const M: usize> $name<S<M>> for S<N> {
            type Output = S<64>;

            fn $method(self, other: S<M>) -> S<64> {
                S(self.0.$wrapping(other.0))
            }
        }
    };
}
operator!(Add, add, wrapping_add);
operator!(Sub, sub, wrapping_sub);
operator!(Mul, mul, wrapping_mul);

impl<const N: usize> Neg for S<N> {
    type Output = S<64>;

    fn neg(self) -> S<64> {
        S(self.0.wrapping_neg())
    }
}

impl<const N: usize> PartialOrd for S<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl<const N: usize> Synth for S<N> {
    const BITS: usize = N;

    fn descriptor() -> TypeDescriptor {
        TypeDescriptor { name: format!("S<{N}>"), kind: TypeKind::Signed(N) }
    }

    fn vcd(self) -> VCDValue {
        self.get_bits::<N>(0).into()
    }

    fn verilog(self) -> VerilogLiteral {
        self.get_bits::<N>(0).into()
    }
}
