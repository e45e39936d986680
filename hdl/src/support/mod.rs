//! The thin layer over rust-hdl: what it lacks, and what it gets wrong, in
//! one place.
//!
//! rust-hdl's kernel language is translated token by token, so that some
//! ordinary expressions emit Verilog that means something else. Rules for
//! every unit:
//!
//! - parenthesise each `&`, `|`, `^` beside a comparison;
//! - no sum, product or negation inside a cast or a slice: go through a local
//!   signal of the full width (`!x` is `~x` there, at the width of the cast);
//! - no literal beside a signed value, none compared with a sum that may wrap:
//!   use a `Constant` or a local signal;
//! - one index per path; const generics are no values in the kernel;
//! - every output and local signal gets a value on every path;
//! - registers come from [`Register`], which has no initial value: whatever
//!   must be known after reset is reset in the unit, at the end of its kernel.
//!
//! The leaf cells that rust-hdl cannot say are Verilog in strings, all of them
//! in `leaf` and `memory`. [`verilog`] checks what can be checked in emitted text; the rest
//! is found by comparing every unit with its kernel in Verilator.

/// `Self` with the named fields at their defaults, and others as given: derives of `Default` cannot
/// say this for arrays, constants and memories.
macro_rules! with_defaults {
    ($($name:ident),* $(,)?; $($given:ident: $value:expr),* $(,)?) => {
        Self { $($name: Default::default(),)* $($given: $value,)* }
    };
}
pub(crate) use with_defaults;

mod delay;
mod emit;
mod fifo;
mod leaf;
mod memory;
mod signed;
mod skid;

pub use delay::{Delay, ValidDelay};
pub use emit::{EmitError, verilog};
pub use fifo::Fifo;
pub use leaf::{
    ArithmeticShiftRight, Concat, Dot, Gather, Moments, Piece, Register, Replica, ShiftLeft, ShiftOut,
    ShiftRightInto, Slice, Split, Spread, Widen,
};
pub use memory::{LaneRam, Ram, Rom};
pub use signed::{AsSigned, S};
pub use skid::Skid;

/// What every unit imports: rust-hdl's core and this layer.
pub mod prelude {
    pub(crate) use super::with_defaults;
    pub use super::{
        ArithmeticShiftRight, AsSigned, Concat, Delay, Dot, Fifo, Gather, LaneRam, Moments, Piece, Ram,
        Register, Replica, Rom, S, ShiftLeft, ShiftOut, ShiftRightInto, Skid, Slice, Split, Spread,
        ValidDelay, Widen,
    };
    pub use rust_hdl_core::prelude::*;
    pub use rust_hdl_widgets::dff_setup;
    pub use std::array::from_fn;
}
