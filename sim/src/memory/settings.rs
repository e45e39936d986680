//! How a memory behaves.

use std::ops::{Range, RangeInclusive};

use edge_moe_isa::arch::ArchConfig;

/// Bytes that a port moves in a number of cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes, at least 1.
    pub bytes: u32,
    /// Cycles, at least 1.
    pub cycles: u32,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Beats at these device addresses are answered with an error; nothing is written there.
    pub errors: Option<Range<u64>>,
    /// Read bursts that are answered, counted from the start; later ones wait for ever.
    pub answered_reads: Option<u64>,
}

/// How a memory behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct MemorySettings {
    /// Address on the bus of address 0 of device memory, a multiple of 4096.
    pub base: u64,
    /// Cycles from an address to the first beat or the write's answer, drawn for each burst; at least 1.
    pub latency: RangeInclusive<u32>,
    /// Of each port.
    pub bandwidth: Bandwidth,
    /// Probability that a channel waits in a cycle in which it need not, up to 0.95.
    pub back_pressure: f64,
    /// Bursts of a port that are read at a time.
    pub reads_in_flight: usize,
    /// Seed of all random choices.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
}

impl MemorySettings {
    /// Latency in cycles if nobody says otherwise.
    pub const LATENCY: u32 = 64;
    /// An address whose low half overflows within the first few thousand bytes.
    pub const BASE: u64 = 0x3f_ffff_f000;

    /// Memory as fast as the architecture takes it to be, 64 cycles away.
    pub fn of(arch: &ArchConfig) -> Self {
        Self {
            base: Self::BASE,
            latency: Self::LATENCY..=Self::LATENCY,
            bandwidth: Bandwidth { bytes: arch.memory_bytes, cycles: 1 },
            back_pressure: 0.0,
            reads_in_flight: 16,
            seed: 0,
            faults: Faults::default(),
        }
    }

    /// Does the device memory of some bytes contain a beat that is to fail?
    pub(crate) fn fails(&self, start: u64, bytes: u64) -> bool {
        self.faults.errors.as_ref().is_some_and(|errors| start < errors.end && errors.start < start + bytes)
    }
}
