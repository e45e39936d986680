//! Random legal programs: every operation, shape and memory order that a device must
//! get right, small enough for thousands of them in RTL.
//!
//! A program belongs to no network: it reads random numbers through random weights. Each one has passed
//! `edge_moe_isa::check`. The same seed gives the same program.

mod content;
mod operations;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact::Step;
use edge_moe_isa::check::{Checker, InFlight, MemoryWindow};
use edge_moe_isa::descriptor::{Descriptor, End, Operation, Space};
use edge_moe_isa::packing::ADDRESS_ALIGNMENT;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::executable::{Executable, Listing};
use crate::{Error, Result};

/// A program and what stands in writable memory before it runs.
#[derive(Debug)]
pub struct RandomProgram {
    /// The program.
    pub executable: Arc<Executable>,
    /// The whole writable part.
    pub memory: Vec<u8>,
}

/// Makes the program of a seed for an architecture.
///
/// # Errors
/// An architecture that no device can have.
pub fn random_program(arch: &ArchConfig, seed: u64) -> Result<RandomProgram> {
    arch.validate().map_err(|cause| Error::input("architecture", cause))?;
    let mut builder = Builder::new(arch, seed);
    builder.fill_memories();
    let large = builder.chance(LARGE);
    builder.budget = if large { 40_000 } else { 2_500 };
    for _ in 0..if large { builder.random.random_range(8..=24) } else { builder.random.random_range(1..=7) } {
        builder.add_operation();
    }
    if builder.chance(0.7) {
        builder.store_something();
    }
    builder.push(End {});
    builder.finish()
}

/// Share of programs with many descriptors.
const LARGE: f64 = 0.06;
/// Proposals for one operation before it is left out.
const ATTEMPTS: usize = 12;
/// End of memory while the length of the image is not known.
const ANY_IMAGE: u64 = 1 << 31;

/// A program under construction.
struct Builder<'a> {
    arch: &'a ArchConfig,
    random: StdRng,
    writable_bytes: u32,
    image: Vec<u8>,
    checker: Checker<'a>,
    in_flight: InFlight,
    program: Vec<Descriptor>,
    /// Regions that were written last: later operations like to read them.
    recent: Vec<(Space, u32, u32)>,
    /// Beats that the lanes may still take.
    budget: u64,
}

impl<'a> Builder<'a> {
    fn new(arch: &'a ArchConfig, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let writable_bytes = ADDRESS_ALIGNMENT * random.random_range(8..=128);
        let window = MemoryWindow { writable_bytes: writable_bytes.into(), total_bytes: ANY_IMAGE };
        Self {
            arch,
            random,
            writable_bytes,
            image: Vec::new(),
            checker: Checker::new(arch, window),
            in_flight: InFlight::default(),
            program: Vec::new(),
            recent: Vec::new(),
            budget: 0,
        }
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    /// A size from 1 to `most`: often one, mostly small, sometimes any.
    fn size(&mut self, most: u32) -> u32 {
        match self.random.random_range(0..10) {
            0 | 1 => 1,
            2..=8 => self.random.random_range(1..=most.min(9)),
            _ => {
                let bits = self.random.random_range(0.0..=f64::from(most).log2());
                (bits.exp2() as u32).clamp(1, most)
            }
        }
    }

    /// Adds an operation, waiting where it must and sometimes where it need not; false if it is not legal here.
    fn push(&mut self, operation: impl Into<Operation>) -> bool {
        let operation = operation.into();
        let needless = self.chance(0.15);
        let mut in_flight = if needless { InFlight::default() } else { self.in_flight.clone() };
        let wait = in_flight.issue(self.arch, &operation) || needless;
        let descriptor = Descriptor { wait, operation };
        let mut checker = self.checker.clone();
        if checker.step(&descriptor).is_err() {
            return false;
        }
        (self.checker, self.in_flight) = (checker, in_flight);
        self.program.push(descriptor);
        true
    }

    /// Notes where an operation left its results.
    fn wrote(&mut self, space: Space, address: u32, words: u32) {
        self.recent.push((space, address, words));
        if self.recent.len() > 4 {
            self.recent.remove(0);
        }
    }

    fn words_of(&self, space: Space) -> u32 {
        match space {
            Space::Memory => self.writable_bytes / self.arch.word_bytes(),
            Space::Scratchpad => self.arch.scratchpad_words,
            Space::Residual => self.arch.residual_words,
        }
    }

    /// First of `words` words that hold results.
    fn readable(&mut self, space: Space, words: u32) -> Option<u32> {
        let fits = |entry: &&(Space, u32, u32)| entry.0 == space && entry.2 >= words;
        let recent: Vec<_> = self.recent.iter().filter(fits).copied().collect();
        if !recent.is_empty() && self.chance(0.6) {
            let (_, start, length) = recent[self.random.random_range(0..recent.len())];
            let spare = length - words;
            let start =
                start + if self.random.random_bool(0.5) { 0 } else { self.random.random_range(0..=spare) };
            let written = self.checker.written().words(space)?;
            if written[start as usize..][..words as usize].iter().all(|&written| written) {
                return Some(start);
            }
        }
        let runs = runs(self.checker.written().words(space)?, words);
        let (start, length) = *runs.get(self.random.random_range(0..runs.len().max(1)))?;
        Some(start + self.random.random_range(0..=length - words))
    }

    /// Anywhere for `words` words of results.
    fn place(&mut self, space: Space, words: u32) -> Option<u32> {
        let spare = self.words_of(space).checked_sub(words)?;
        let most = if self.chance(0.5) { spare.min(256) } else { spare };
        Some(self.random.random_range(0..=most))
    }

    /// An address of device memory: a multiple of 64, for `bytes` bytes of writable memory.
    fn writable_address(&mut self, bytes: u32) -> Option<u32> {
        let spare = self.writable_bytes.checked_sub(bytes)? / ADDRESS_ALIGNMENT;
        Some(ADDRESS_ALIGNMENT * self.random.random_range(0..=spare))
    }

    /// Appends to the image, with a gap now and then; its address.
    fn append(&mut self, bytes: &[u8]) -> u32 {
        let alignment = ADDRESS_ALIGNMENT as usize;
        let gap = if self.chance(0.4) { self.random.random_range(1..=3) } else { 0 };
        self.image.resize(self.image.len().next_multiple_of(alignment) + gap * alignment, 0x5a);
        let address = self.writable_bytes + self.image.len() as u32;
        self.image.extend_from_slice(bytes);
        address
    }

    fn finish(mut self) -> Result<RandomProgram> {
        let bytes: Vec<u8> = self.program.iter().flat_map(Descriptor::encode).collect();
        let address = self.append(&bytes).into();
        if self.chance(0.5) {
            let after = vec![0xa5; 64 * self.random.random_range(1..=5)];
            self.image.extend(after);
        }
        self.image.resize(self.image.len().next_multiple_of(ADDRESS_ALIGNMENT as usize), 0);
        let name = |descriptor: &Descriptor| descriptor.operation.layout().name.to_string();
        let step = |descriptor| Step { label: name(descriptor), results: Vec::new() };
        let listing = Listing { address, steps: self.program.iter().map(step).collect() };
        let memory = self.values(self.writable_bytes as usize / 2);
        let writable_bytes = self.writable_bytes.into();
        let executable = Executable::of_program(self.arch.clone(), writable_bytes, self.image, listing)?;
        Ok(RandomProgram { executable: Arc::new(executable), memory })
    }
}

/// Starts and lengths of all runs of at least `words` written words.
fn runs(written: &[bool], words: u32) -> Vec<(u32, u32)> {
    let mut runs = Vec::new();
    let mut end = 0;
    for run in written.chunk_by(|a, b| a == b) {
        let start = end;
        end += run.len() as u32;
        if run[0] && run.len() as u32 >= words {
            runs.push((start, run.len() as u32));
        }
    }
    runs
}
