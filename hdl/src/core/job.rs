//! A job: a descriptor with what was derived from it, on its way to an engine.
//!
//! | bits | content |
//! |---:|---|
//! | 0…319 | the first 40 bytes of the descriptor: all that its fields cover |
//! | 320…339 | product 0: tokens over all sets (`linear`), words (`norm`, `route`), words of a token (`attention`) |
//! | 340…359 | product 1: words of a set (`attention`) |
//! | 360…379 | product 2: words of a set, channel-major (`linear`) |
//! | 380…391 | index of the descriptor |
//! | 392…395 | error code, or zero |

use edge_moe_isa::descriptor::LAYOUTS;

use crate::support::prelude::*;

/// Bits of a job.
pub const JOB: usize = 396;
/// Bits of a descriptor in it.
pub const DESCRIPTOR: usize = 320;

/// A field of a descriptor at the low end of a bus, by the names of `edge_moe_isa::descriptor`.
pub fn field<const W: usize, const N: usize>(operation: &str, name: &str) -> Slice<W, N> {
    let layout = LAYOUTS.iter().find(|layout| layout.name == operation).expect("a known operation");
    let field = layout.fields.iter().find(|field| field.name == name).expect("a known field");
    assert!(8 * field.bytes == N && 8 * field.offset + N <= DESCRIPTOR, "{operation}.{name} as {N} bits");
    Slice::new(8 * field.offset)
}

/// Opcode of a descriptor.
pub fn opcode<const W: usize>() -> Slice<W, 8> {
    Slice::new(0)
}

/// Wait flag of a descriptor.
pub fn wait<const W: usize>() -> Slice<W, 1> {
    Slice::new(8)
}

/// Product 0, 1 or 2 of a job.
pub fn product(number: usize) -> Slice<JOB, 20> {
    Slice::new(DESCRIPTOR + 20 * number)
}

/// Index of a job's descriptor.
pub fn index() -> Slice<JOB, 12> {
    Slice::new(380)
}

/// Error of a job.
pub fn error() -> Slice<JOB, 4> {
    Slice::new(392)
}
