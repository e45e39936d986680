//! RTL of the Edge-MoE accelerator, described in rust-hdl.
//!
//! Each unit stands in its own file with its function, ports, latency and
//! throughput, and equals its kernel in `edge-moe-kernels` byte for byte: the
//! tests simulate the emitted Verilog. Everything runs on one clock with a
//! synchronous reset.

// rust-hdl derives emit items without documentation and compare with `.into()`s that clippy
// takes for useless.
#![allow(missing_docs, clippy::useless_conversion)]

pub mod attention;
pub mod board;
pub mod config;
pub mod control;
pub mod core;
pub mod dma;
pub mod drain;
pub mod epilogue;
pub mod gelu;
pub mod lane;
pub mod lane_array;
pub mod layer_norm;
pub mod reciprocal;
pub mod requantise;
pub mod router;
pub mod scratchpad;
pub mod softmax;
pub mod support;
