//! The constants of the cycle model: latencies of the core, in cycles, and sizes of its queues.
//!
//! They are calibrated against RTL. Nothing else in the model is a number of its own.

/// From the start of a program to the request for its first descriptor.
pub const START: u64 = 4;
/// From the moment when a descriptor may start to its start.
pub const DISPATCH: u64 = 9;
/// From the last result of a program to its end.
pub const END: u64 = 4;

/// From room in the stream's queue to a request at a memory port.
pub const REQUEST: u64 = 4;
/// From a beat of a memory port to an entry at the end of the stream's queue.
pub const STREAM: u64 = 4;
/// Bursts that a memory port may owe.
pub const BURSTS_IN_FLIGHT: usize = 16;
/// From the last entry of a row group to its first beat.
pub const ROWS_READY: u64 = 3;
/// From the start of a layer to its first beat, if its rows are there.
pub const LAYER: u64 = 2;

/// From the last beat of a row group to the room for the one after the next.
pub const BANK_USED: u64 = 2;

/// From the last beat of a dot product to its result: lanes and requantiser.
pub const LANES: u64 = 13;
/// From there to its first word.
pub const DRAIN: u64 = 5;
/// From a word's last slice in the epilogue to its write.
pub const EPILOGUE: u64 = 10;
/// From a word to its write if the epilogue has nothing to do.
pub const PLAIN: u64 = 2;
/// From a write to the start of what waits for it.
pub const SETTLED: u64 = 2;
/// Dot products whose results may be on their way when lanes issue another.
pub const RESULTS_IN_FLIGHT: u64 = 16;

/// From the last word of a token to its first normalised word.
pub const NORM: u64 = 29;
/// From the start of a norm to its first word of the residual.
pub const NORM_START: u64 = 6;
/// From a word's write to the beat of a layer that follows word by word.
pub const FOLLOW: u64 = 3;

/// From the start of attention to its first beat, besides a cycle a word of its first queries.
pub const ATTENTION_START: u64 = 8;
/// From the last key's result to the scale of the first lane, besides a cycle a key.
pub const SOFTMAX: u64 = 19;

/// Least cycles of the router for a token.
pub const ROUTE_TOKEN: u64 = 15;
/// From the end of a set's last token to closed queues.
pub const ROUTE_CLOSE: u64 = 3;
/// From closed queues, or from the expert before, to the next expert.
pub const EXPERT: u64 = 3;

/// From the first word that a copy reads to its write.
pub const COPY: u64 = 9;
/// From the last word of a copy into memory to its confirmation, besides memory's latency.
pub const CONFIRMATION: u64 = 3;
