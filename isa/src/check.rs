//! What makes a program legal.
//!
//! A program is untrusted until it passes [`check`]: every operand is in
//! range, every address lies inside its memory, nothing is read on the chip
//! that was not written before, memory is written only in the window granted
//! for it, weights come from the image, and no descriptor touches what an
//! earlier one may still be using unless it waits. A device that executes a
//! checked program needs no check of its own to stay inside its memories; none
//! of its accumulators can overflow.

mod footprint;
mod operands;
mod written;

use thiserror::Error;

use crate::arch::ArchConfig;
use crate::descriptor::{BYTES, DecodeError, Descriptor, Operation, Space};
use footprint::{Footprint, Region};
pub use written::Written;

/// Most descriptors of one program.
pub const MAX_DESCRIPTORS: usize = 4096;

/// The memory a program may use: `[0, writable_bytes)` can be written
/// (pictures, results), `[writable_bytes, total_bytes)` holds the image
/// (weights, programs) and is only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryWindow {
    /// End of the writable part, start of the image.
    pub writable_bytes: u64,
    /// End of the image.
    pub total_bytes: u64,
}

/// An illegal program: which descriptor, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("descriptor {index}: {reason}")]
pub struct ProgramError {
    /// Index of the descriptor in its program.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Decodes the descriptors of a program.
pub fn decode(program: &[u8]) -> Result<Vec<Descriptor>, ProgramError> {
    let error = |index: usize, reason: String| ProgramError { index, reason };
    let (descriptors, rest) = program.as_chunks::<BYTES>();
    if !rest.is_empty() || descriptors.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
        let bytes = program.len();
        let reason =
            format!("a program of {bytes} bytes is not 1 to {MAX_DESCRIPTORS} descriptors of {BYTES}");
        return Err(error(descriptors.len(), reason));
    }
    let decode = |(index, bytes)| {
        Descriptor::decode(bytes).map_err(|cause: DecodeError| error(index, cause.to_string()))
    };
    descriptors.iter().enumerate().map(decode).collect()
}

const ONE_END: &str = "a program has exactly one `end`, its last descriptor";

/// Checks a whole program for a device of the given sizes, which must be valid
/// ([`ArchConfig::validate`]).
pub fn check(arch: &ArchConfig, window: MemoryWindow, program: &[Descriptor]) -> Result<(), ProgramError> {
    if program.is_empty() {
        return Err(ProgramError { index: 0, reason: ONE_END.into() });
    }
    let mut checker = Checker::new(arch, window);
    for (index, descriptor) in program.iter().enumerate() {
        let last = index + 1 == program.len();
        let end = matches!(descriptor.operation, Operation::End(_));
        let result = if end == last { checker.step(descriptor) } else { Err(ONE_END.into()) };
        result.map_err(|reason| ProgramError { index, reason })?;
    }
    Ok(())
}

type Reason = Result<(), String>;

/// What descriptors since the last wait may still read or write.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Footprint);

impl InFlight {
    /// Adds a descriptor to those in progress; true if it must wait for them first.
    pub fn issue(&mut self, arch: &ArchConfig, operation: &Operation) -> bool {
        let footprint = Footprint::of(arch, operation);
        let wait = self.0.conflict(&footprint).is_some();
        if wait {
            self.0 = Footprint::default();
        }
        self.0.add(footprint);
        wait
    }
}

/// Checks a program descriptor by descriptor: what is known about the device's
/// memories before the next one. That `end` comes last is left to [`check`].
#[derive(Clone, Debug)]
pub struct Checker<'a> {
    arch: &'a ArchConfig,
    window: MemoryWindow,
    written: Written,
    in_flight: InFlight,
    /// Token ranges in the queues, and how many experts the queues are for.
    routed: Vec<std::ops::Range<u32>>,
    routed_experts: u32,
    queue_nodes: u32,
}

impl<'a> Checker<'a> {
    /// A checker before the first descriptor, for a device of valid sizes.
    pub fn new(arch: &'a ArchConfig, window: MemoryWindow) -> Self {
        Self {
            arch,
            window,
            written: Written::new(arch),
            in_flight: InFlight::default(),
            routed: Vec::new(),
            routed_experts: 0,
            queue_nodes: 0,
        }
    }

    /// Checks the next descriptor; one that is refused leaves a checker that is of no more use.
    ///
    /// # Errors
    /// What is wrong with the descriptor.
    pub fn step(&mut self, descriptor: &Descriptor) -> Result<(), String> {
        operands::check(self.arch, &descriptor.operation)?;
        let footprint = Footprint::of(self.arch, &descriptor.operation);
        footprint.needed().try_for_each(|region| self.check_inside(region))?;
        footprint.changed().try_for_each(|region| self.check_inside(region))?;
        footprint.changed().try_for_each(|region| self.check_writable(region))?;
        let copy = matches!(descriptor.operation, Operation::Copy(_));
        footprint.reads.iter().try_for_each(|region| self.check_source(region, copy))?;
        footprint.needed().try_for_each(|region| self.check_written(region))?;
        if let Some(region) = footprint.self_conflict() {
            return Err(format!("would change {region} while it is still read or written"));
        }
        self.check_queues(&descriptor.operation)?;
        self.written.add(&footprint);
        self.check_hazards(descriptor.wait, footprint)
    }

    /// Words that hold results now.
    pub fn written(&self) -> &Written {
        &self.written
    }

    fn check_inside(&self, region: &Region) -> Reason {
        let size = match region.space {
            Space::Memory => self.window.total_bytes,
            Space::Scratchpad => u64::from(self.arch.scratchpad_words),
            Space::Residual => u64::from(self.arch.residual_words),
        };
        if region.end() > size {
            return Err(format!("{region} lie outside its {size}"));
        }
        Ok(())
    }

    fn check_writable(&self, region: &Region) -> Reason {
        let writable = self.window.writable_bytes;
        if region.space == Space::Memory && region.end() > writable {
            return Err(format!("{region} would be written, writable memory ends at {writable}"));
        }
        Ok(())
    }

    /// Weights and parameters come from the image; a copy reads either part of
    /// memory, but not across their boundary: a device may keep them apart.
    fn check_source(&self, region: &Region, copy: bool) -> Reason {
        let image = self.window.writable_bytes;
        if region.space != Space::Memory || region.start >= image {
            return Ok(());
        }
        if !copy {
            return Err(format!("{region} hold weights, but the image starts at {image}"));
        }
        if region.end() > image {
            return Err(format!("{region} lie across the start of the image at {image}"));
        }
        Ok(())
    }

    fn check_written(&self, region: &Region) -> Reason {
        let Some(written) = self.written.words(region.space) else { return Ok(()) };
        let range = region.start as usize..region.end() as usize;
        match written[range.clone()].iter().position(|&written| !written) {
            Some(offset) => {
                Err(format!("reads {} word {}, never written", region.space, range.start + offset))
            }
            None => Ok(()),
        }
    }

    fn check_hazards(&mut self, wait: bool, footprint: Footprint) -> Reason {
        if wait {
            self.in_flight = InFlight::default();
        }
        if let Some(region) = self.in_flight.0.conflict(&footprint) {
            return Err(format!("touches {region}, in use by an earlier descriptor, without waiting"));
        }
        self.in_flight.0.add(footprint);
        Ok(())
    }

    fn check_queues(&mut self, operation: &Operation) -> Reason {
        match operation {
            Operation::Route(route) => {
                let tokens =
                    u32::from(route.first_token)..u32::from(route.first_token) + u32::from(route.tokens);
                self.append_tokens(
                    tokens,
                    route.append == 1,
                    u32::from(route.experts),
                    u32::from(route.top_k),
                )
            }
            Operation::Experts(experts) => {
                self.drain_queues(u32::from(experts.experts), u32::from(experts.tokens))
            }
            _ => Ok(()),
        }
    }

    fn append_tokens(
        &mut self,
        tokens: std::ops::Range<u32>,
        append: bool,
        experts: u32,
        top_k: u32,
    ) -> Reason {
        if !append {
            self.routed.clear();
            self.queue_nodes = 0;
            self.routed_experts = experts;
        }
        if append && self.routed.is_empty() {
            return Err("appends to queues that no route has filled".into());
        }
        if experts != self.routed_experts {
            return Err(format!(
                "appends to queues of {} experts with {experts} experts",
                self.routed_experts
            ));
        }
        if let Some(other) =
            self.routed.iter().find(|other| tokens.start < other.end && other.start < tokens.end)
        {
            return Err(format!("tokens {tokens:?} overlap tokens {other:?}, already in the queues"));
        }
        self.queue_nodes += tokens.len() as u32 * top_k;
        if self.queue_nodes > self.arch.queue_nodes {
            return Err(format!("needs {} queue nodes of {}", self.queue_nodes, self.arch.queue_nodes));
        }
        self.routed.push(tokens);
        Ok(())
    }

    fn drain_queues(&mut self, experts: u32, tokens: u32) -> Reason {
        if self.routed.is_empty() {
            return Err("experts without a route before it".into());
        }
        if experts != self.routed_experts {
            return Err(format!("{experts} experts, but {} were routed", self.routed_experts));
        }
        if let Some(range) = self.routed.iter().find(|range| range.end > tokens) {
            return Err(format!("routed tokens {range:?} lie beyond its {tokens} tokens"));
        }
        self.routed.clear();
        self.queue_nodes = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
