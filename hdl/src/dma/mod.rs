//! Memory: streams of entries and words over AXI4 master ports.
//!
//! A *bus beat* is as wide as a port, a *chunk* is 16 bus beats, aligned to its
//! size. Bursts are INCR, as wide as the bus, and never cross a chunk, so that
//! they never cross 4 KiB. `base` of device memory is a multiple of 4096.

mod collect;
mod cutter;
mod read_port;
mod read_stream;
mod write_stream;

pub use collect::Collect;
pub use cutter::Cutter;
pub use read_port::ReadPort;
pub use read_stream::ReadStream;
pub use write_stream::WriteStream;

/// Bus beats of a chunk.
pub const CHUNK_BEATS: usize = 16;
/// Bytes of a descriptor.
pub const DESCRIPTOR_BYTES: usize = 64;
