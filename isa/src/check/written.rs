//! Which on-chip words hold results.

use super::footprint::{Footprint, Region};
use crate::arch::ArchConfig;
use crate::descriptor::{Operation, Space};

/// Words of the on-chip memories that a program has written so far and may read: the same on every device.
#[derive(Clone, Debug)]
pub struct Written {
    scratchpad: Vec<bool>,
    residual: Vec<bool>,
}

impl Written {
    /// Nothing is written.
    pub fn new(arch: &ArchConfig) -> Self {
        Self {
            scratchpad: vec![false; arch.scratchpad_words as usize],
            residual: vec![false; arch.residual_words as usize],
        }
    }

    /// Whether each word of a memory holds a result; none for device memory.
    pub fn words(&self, space: Space) -> Option<&[bool]> {
        match space {
            Space::Memory => None,
            Space::Scratchpad => Some(&self.scratchpad),
            Space::Residual => Some(&self.residual),
        }
    }

    /// Takes in what an operation of a legal program leaves. The `hidden` words of `experts` hold no result after it.
    pub fn execute(&mut self, arch: &ArchConfig, operation: &Operation) {
        self.add(&Footprint::of(arch, operation));
    }

    pub(super) fn add(&mut self, footprint: &Footprint) {
        footprint.results().for_each(|region| self.mark(region, true));
        footprint.scratch.iter().for_each(|region| self.mark(region, false));
    }

    fn mark(&mut self, region: &Region, holds_results: bool) {
        let words = match region.space {
            Space::Memory => return,
            Space::Scratchpad => &mut self.scratchpad,
            Space::Residual => &mut self.residual,
        };
        words[region.start as usize..region.end() as usize].fill(holds_results);
    }
}
