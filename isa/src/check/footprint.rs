//! What a descriptor reads and writes.

use std::fmt;

use crate::arch::ArchConfig;
use crate::descriptor::{Attention, Copy, Destination, Experts, Linear, Norm, Operation, Route, Space};
use crate::packing::{PARAMETER_BYTES, PackedLinear};

/// Consecutive words (bytes in memory).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub space: Space,
    pub start: u64,
    pub length: u64,
}

impl Region {
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.space == other.space && self.start < other.end() && other.start < self.end()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.space == Space::Memory { "bytes" } else { "words" };
        write!(f, "{} {unit} {}..{}", self.space, self.start, self.end())
    }
}

/// Everything that one or several descriptors read and write.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Read while the descriptor runs.
    pub reads: Vec<Region>,
    /// Written while the descriptor runs.
    pub writes: Vec<Region>,
    /// Replaced in place: each word is read before it is written.
    pub updates: Vec<Region>,
    /// Room for values of its own: written, and not to be read afterwards,
    /// because what stands there depends on the device.
    pub scratch: Vec<Region>,
}

impl Footprint {
    /// What an operation with legal operands touches.
    pub fn of(arch: &ArchConfig, operation: &Operation) -> Self {
        let mut footprint = Self::default();
        match operation {
            Operation::End(_) => {}
            Operation::Linear(linear) => footprint.linear(arch, linear),
            Operation::Norm(norm) => footprint.norm(arch, norm),
            Operation::Attention(attention) => footprint.attention(arch, attention),
            Operation::Route(route) => footprint.route(arch, route),
            Operation::Experts(experts) => footprint.experts(arch, experts),
            Operation::Copy(copy) => footprint.copy(arch, copy),
        }
        footprint
    }

    /// Takes another footprint in.
    pub fn add(&mut self, other: Self) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        self.updates.extend(other.updates);
        self.scratch.extend(other.scratch);
    }

    /// Regions whose old content matters.
    pub fn needed(&self) -> impl Iterator<Item = &Region> {
        self.reads.iter().chain(&self.updates)
    }

    /// Regions that later descriptors may read.
    pub fn results(&self) -> impl Iterator<Item = &Region> {
        self.writes.iter().chain(&self.updates)
    }

    /// Regions whose content changes.
    pub fn changed(&self) -> impl Iterator<Item = &Region> {
        self.results().chain(&self.scratch)
    }

    /// The first region of `later` that must not be touched while `self` is in progress.
    pub fn conflict(&self, later: &Self) -> Option<Region> {
        let changing = |region: &&Region| self.changed().any(|change| change.overlaps(region));
        let touched = |region: &&Region| changing(region) || self.needed().any(|need| need.overlaps(region));
        later.needed().find(changing).or_else(|| later.changed().find(touched)).copied()
    }

    /// A region that the descriptor would change under its own feet.
    pub fn self_conflict(&self) -> Option<Region> {
        let changing = |region: &&Region| self.changed().any(|change| change.overlaps(region));
        let twice = |region: &&Region| self.changed().filter(|change| change.overlaps(region)).count() > 1;
        self.reads.iter().find(changing).or_else(|| self.changed().find(twice)).copied()
    }

    fn read(&mut self, space: Space, start: u32, length: u64) {
        self.reads.push(Region { space, start: start.into(), length });
    }

    fn write(&mut self, space: Space, start: u32, length: u64) {
        self.writes.push(Region { space, start: start.into(), length });
    }

    fn update(&mut self, space: Space, start: u32, length: u64) {
        self.updates.push(Region { space, start: start.into(), length });
    }

    fn linear(&mut self, arch: &ArchConfig, linear: &Linear) {
        let words = |values: u16| u64::from(arch.words(values.into()));
        let (sets, tokens) = (u64::from(linear.sets), u64::from(linear.tokens));
        let packed = PackedLinear::new(arch, linear.inputs.into(), linear.outputs.into());
        self.read(Space::Scratchpad, linear.input, sets * tokens * words(linear.inputs));
        self.read(Space::Memory, linear.weights, packed.bytes() as u64);
        let token_major = sets * tokens * words(linear.outputs);
        match linear.destination {
            Destination::Tokens => self.write(Space::Scratchpad, linear.output, token_major),
            Destination::Channels => {
                let channel_major = sets * u64::from(linear.outputs) * words(linear.tokens);
                self.write(Space::Scratchpad, linear.output, channel_major);
            }
            Destination::Residual => self.update(Space::Residual, linear.output, token_major),
        }
    }

    fn norm(&mut self, arch: &ArchConfig, norm: &Norm) {
        let words = u64::from(norm.tokens) * u64::from(arch.words(norm.channels.into()));
        self.read(Space::Residual, norm.input, words);
        self.read(Space::Memory, norm.parameters, u64::from(norm.channels) * PARAMETER_BYTES as u64);
        self.write(Space::Scratchpad, norm.output, words);
    }

    fn attention(&mut self, arch: &ArchConfig, attention: &Attention) {
        let channels = u64::from(attention.heads) * u64::from(attention.head_channels);
        let sets = u64::from(attention.sets);
        let token_major = sets * u64::from(attention.tokens) * channels / u64::from(arch.vector);
        let channel_major = sets * channels * u64::from(arch.words(attention.tokens.into()));
        self.read(Space::Scratchpad, attention.keys, token_major);
        self.read(Space::Scratchpad, attention.values, channel_major);
        if attention.context == attention.queries {
            self.update(Space::Scratchpad, attention.context, token_major);
        } else {
            self.read(Space::Scratchpad, attention.queries, token_major);
            self.write(Space::Scratchpad, attention.context, token_major);
        }
    }

    fn route(&mut self, arch: &ArchConfig, route: &Route) {
        let words = u64::from(route.tokens) * u64::from(arch.words(route.experts.into()));
        self.read(Space::Scratchpad, route.logits, words);
    }

    fn experts(&mut self, arch: &ArchConfig, experts: &Experts) {
        let tokens = u64::from(experts.tokens);
        let words = tokens * u64::from(arch.words(experts.channels.into()));
        let hidden = tokens * u64::from(arch.words(experts.hidden_channels.into()));
        self.read(Space::Scratchpad, experts.input, words);
        let weights = u64::from(experts.experts) * u64::from(experts.stride);
        self.read(Space::Memory, experts.weights, weights);
        self.scratch.push(Region { space: Space::Scratchpad, start: experts.hidden.into(), length: hidden });
        self.update(Space::Residual, experts.residual, words);
    }

    fn copy(&mut self, arch: &ArchConfig, copy: &Copy) {
        let length = |space| match space {
            Space::Memory => u64::from(copy.words) * u64::from(arch.word_bytes()),
            Space::Scratchpad | Space::Residual => u64::from(copy.words),
        };
        self.read(copy.source_space, copy.source, length(copy.source_space));
        self.write(copy.destination_space, copy.destination, length(copy.destination_space));
    }
}
