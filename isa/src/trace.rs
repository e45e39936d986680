//! Where the cycles of a run went, descriptor by descriptor: counted in RTL or predicted by a model.

use crate::registers::Activity;

/// A run of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Cycles from the start of the program to its end.
    pub cycles: u64,
    /// One entry per descriptor, in order. Together they hold all cycles.
    pub descriptors: Vec<DescriptorTrace>,
}

/// The time from a descriptor's start to the start of the next one (of the first: from the program's start).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescriptorTrace {
    /// Cycle in which it started.
    pub start: u64,
    /// Cycles of each [`Activity`], by its value.
    pub activities: [u64; Activity::ALL.len()],
    /// Bytes that crossed the memory ports meanwhile, in either direction. Rows are read ahead: they may belong to a later descriptor.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl DescriptorTrace {
    /// Cycles until the next descriptor started.
    pub fn cycles(&self) -> u64 {
        self.activities.iter().sum()
    }

    /// Cycles in which the lanes multiplied.
    pub fn beats(&self) -> u64 {
        self.activities[Activity::Beat as usize]
    }
}
