//! The arithmetic of the Edge-MoE accelerator.
//!
//! Every number the accelerator produces is defined here, once, in integers:
//! no floating point, no dependence on the platform. The software device runs
//! these functions; the RTL is compared with them bit by bit. Beside each
//! integer kernel stands `reference`, the same operation in floating point,
//! which says what the kernel approximates and how far it may be off.
//!
//! Notation: `sN` / `uN` is a signed / unsigned N-bit integer, `Qa.b` a number
//! with `a` integer and `b` fraction bits. Rounding is to nearest, halves
//! towards +∞, unless a kernel says otherwise. `docs/numerics.md` has the
//! formulas, ranges and measured errors side by side.

pub mod dot;
pub mod fixed;
pub mod gelu;
pub mod layer_norm;
pub mod reciprocal;
pub mod route;
pub mod softmax;
pub mod tables;
