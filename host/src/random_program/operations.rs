//! Random operations. A proposal may turn out to be illegal; then there is another.

use edge_moe_isa::descriptor::{Attention, Copy, Destination, Experts, Linear, Norm, Route, Space};
use edge_moe_isa::packing::{ADDRESS_ALIGNMENT, PackedLinear};
use edge_moe_kernels::fixed::MAX_SHIFT;
use rand::Rng;

use super::content::Scaling;
use super::{ATTEMPTS, Builder};

const SPACES: [Space; 3] = [Space::Memory, Space::Scratchpad, Space::Residual];
/// Longest row and token of a norm, in words.
const MAX_NORM_WORDS: u32 = 32;

impl Builder<'_> {
    /// Copies numbers into both on-chip memories.
    pub fn fill_memories(&mut self) {
        for space in [Space::Scratchpad, Space::Residual] {
            for _ in 0..self.random.random_range(1..=2) {
                let words = self.random.random_range(24..=200).min(self.words_of(space));
                self.load(space, words);
            }
        }
    }

    /// Copies new numbers from the image to an on-chip memory.
    fn load(&mut self, space: Space, words: u32) -> Option<()> {
        let bytes = self.values((words * self.arch.vector) as usize);
        let source = self.append(&bytes);
        let destination = self.place(space, words)?;
        self.copy_words((Space::Memory, source), (space, destination), words)
    }

    /// Copies results to memory.
    pub fn store_something(&mut self) {
        for space in [Space::Scratchpad, Space::Residual] {
            self.attempt(|builder| builder.copy_from_to(space, Space::Memory));
        }
    }

    /// Adds an operation, or several that belong together.
    pub fn add_operation(&mut self) {
        match self.random.random_range(0..12) {
            0..=3 => self.attempt(Self::linear),
            4 | 5 => self.attempt(Self::norm),
            6 | 7 => self.attempt(Self::attention),
            8 | 9 => self.attempt(Self::mixture),
            _ => self.attempt(Self::copy),
        }
    }

    /// Tries an operation until it is legal, for a while.
    fn attempt(&mut self, operation: impl Fn(&mut Self) -> Option<()>) {
        for _ in 0..ATTEMPTS {
            let image = self.image.len();
            let descriptors = self.program.len();
            if operation(self).is_some() {
                return;
            }
            if self.program.len() == descriptors {
                self.image.truncate(image);
            }
        }
    }

    /// Takes beats out of the budget.
    fn afford(&mut self, beats: u64) -> Option<()> {
        self.budget = self.budget.checked_sub(beats)?;
        Some(())
    }

    fn sets(&mut self) -> u32 {
        if self.chance(0.7) { 1 } else { self.random.random_range(2..=4) }
    }

    fn linear(&mut self) -> Option<()> {
        let (lanes, vector) = (self.arch.lanes, self.arch.vector);
        let row = self.size(self.arch.bank_words);
        let (tokens, sets) = (self.size(self.arch.max_tokens), self.sets());
        let destination = [Destination::Tokens, Destination::Channels, Destination::Residual]
            [self.random.random_range(0..3)];
        let outputs = match destination {
            Destination::Residual => vector * self.size(12),
            _ => self.size(6 * lanes),
        };
        let packed = PackedLinear::new(self.arch, (row * vector) as usize, outputs as usize);
        let beats = packed.groups() as u64 * u64::from(sets * tokens * row);
        let input = self.readable(Space::Scratchpad, sets * tokens * row)?;
        let (space, words) = match destination {
            Destination::Tokens => (Space::Scratchpad, sets * tokens * self.arch.words(outputs)),
            Destination::Channels => (Space::Scratchpad, sets * outputs * self.arch.words(tokens)),
            Destination::Residual => (Space::Residual, sets * tokens * self.arch.words(outputs)),
        };
        let output = match destination {
            Destination::Residual => self.readable(space, words)?,
            _ => self.place(space, words)?,
        };
        self.afford(beats)?;
        let layer = self.layer(packed);
        let Scaling { shift, bias_shift } = self.scaling(row * vector);
        let weights = self.append(&layer);
        let linear = Linear {
            input,
            output,
            weights,
            inputs: (row * vector) as u16,
            outputs: outputs as u16,
            tokens: tokens as u16,
            sets: sets as u8,
            destination,
            bits: if self.chance(0.25) { 9 } else { 16 },
            shift,
            bias_shift,
            gelu_bits: if self.chance(0.3) { self.random.random_range(9..=13) } else { 0 },
        };
        self.push(linear).then(|| self.wrote(space, output, words))
    }

    fn norm(&mut self) -> Option<()> {
        let row = self.size(MAX_NORM_WORDS);
        let tokens = self.size(self.arch.max_tokens);
        let input = self.readable(Space::Residual, row * tokens)?;
        let output = self.place(Space::Scratchpad, row * tokens)?;
        let channels = row * self.arch.vector;
        let parameters = self.norm_parameters(channels as usize);
        let norm = Norm {
            input,
            output,
            parameters: self.append(&parameters),
            channels: channels as u16,
            tokens: tokens as u16,
            shift: self.shift(14, MAX_SHIFT),
            bias_shift: self.random.random_range(0..=4),
            epsilon: (1 << self.random.random_range(0..=48)) - u64::from(self.chance(0.5)),
        };
        self.push(norm).then(|| self.wrote(Space::Scratchpad, output, row * tokens))
    }

    fn attention(&mut self) -> Option<()> {
        let vector = self.arch.vector;
        let row = self.size(self.arch.bank_words.min(12));
        let heads = self.size(6);
        let most = self.arch.max_tokens.min(vector * self.arch.bank_words);
        let (tokens, sets) = (self.size(most), self.sets());
        let token_major = sets * tokens * heads * row;
        let channel_major = sets * heads * row * vector * self.arch.words(tokens);
        let queries = self.readable(Space::Scratchpad, token_major)?;
        let keys = self.readable(Space::Scratchpad, token_major)?;
        let values = self.readable(Space::Scratchpad, channel_major)?;
        let context = if self.chance(0.5) { queries } else { self.place(Space::Scratchpad, token_major)? };
        let groups = u64::from(tokens.div_ceil(self.arch.lanes) * sets * heads);
        self.afford(groups * u64::from(tokens * row + row * vector * self.arch.words(tokens)))?;
        let multiplier =
            |builder: &mut Self| (builder.random.random::<u16>() | 1) >> builder.random.random_range(0..12);
        let (logit_multiplier, context_multiplier) = (multiplier(self), multiplier(self));
        let usual = 21 + (row * vector).ilog2() / 2 + bits(logit_multiplier) - 10;
        let attention = Attention {
            queries,
            keys,
            values,
            context,
            tokens: tokens as u16,
            sets: sets as u8,
            heads: heads as u8,
            head_channels: (row * vector) as u16,
            logit_multiplier,
            context_multiplier,
            logit_shift: self.shift(usual, MAX_SHIFT),
            context_shift: self.shift(bits(context_multiplier), 28),
        };
        self.push(attention).then(|| self.wrote(Space::Scratchpad, context, token_major))
    }

    /// Routes of some sets, perhaps something else, perhaps the experts that they lead to.
    fn mixture(&mut self) -> Option<()> {
        let experts = self.size(self.arch.max_experts);
        let top_k = self.size(experts);
        let mut end = 0;
        for set in 0..self.random.random_range(1..=3) {
            let first = end + if self.chance(0.2) { self.random.random_range(1..=3) } else { 0 };
            let tokens = self.size(self.arch.max_tokens.min(16));
            if self.route(experts, top_k, first, tokens, set > 0).is_none() {
                break;
            }
            end = first + tokens;
        }
        if end == 0 {
            return None;
        }
        if self.chance(0.3) {
            self.attempt(Self::linear);
        }
        if self.chance(0.9) {
            self.attempt(|builder| builder.experts(experts, end));
        }
        Some(())
    }

    fn route(&mut self, experts: u32, top_k: u32, first: u32, tokens: u32, append: bool) -> Option<()> {
        let words = tokens * self.arch.words(experts);
        let logits = if self.chance(0.8) {
            let stride = self.arch.words(experts) * self.arch.vector;
            let bytes = self.logits(tokens as usize, experts as usize, stride as usize);
            let (source, place) = (self.append(&bytes), self.place(Space::Scratchpad, words)?);
            self.copy_words((Space::Memory, source), (Space::Scratchpad, place), words)?;
            place
        } else {
            self.readable(Space::Scratchpad, words)?
        };
        let route = Route {
            logits,
            first_token: first as u16,
            tokens: tokens as u16,
            experts: experts as u16,
            top_k: top_k as u8,
            append: append.into(),
        };
        self.push(route).then_some(())
    }

    fn experts(&mut self, experts: u32, routed: u32) -> Option<()> {
        let vector = self.arch.vector;
        let (row, hidden_row) =
            (self.size(self.arch.bank_words.min(12)), self.size(self.arch.bank_words.min(12)));
        let tokens = routed + if self.chance(0.2) { self.random.random_range(1..=3) } else { 0 };
        let input = self.readable(Space::Scratchpad, tokens * row)?;
        let residual = self.readable(Space::Residual, tokens * row)?;
        let hidden = self.place(Space::Scratchpad, tokens * hidden_row)?;
        let (channels, hidden_channels) = (row * vector, hidden_row * vector);
        let fc1 = PackedLinear::new(self.arch, channels as usize, hidden_channels as usize);
        let fc2 = PackedLinear::new(self.arch, hidden_channels as usize, channels as usize);
        let alignment = ADDRESS_ALIGNMENT as usize;
        let gap = if self.chance(0.3) { alignment } else { 0 };
        let stride = (fc1.bytes() + fc2.bytes()).next_multiple_of(alignment) + gap;
        let beats = fc1.groups() as u64 * u64::from(row) + fc2.groups() as u64 * u64::from(hidden_row);
        self.afford(beats * u64::from(tokens) * 2)?;
        let mut bytes = Vec::new();
        for expert in 1..=experts as usize {
            bytes.extend(self.layer(fc1));
            bytes.extend(self.layer(fc2));
            bytes.resize(expert * stride, 0x5a);
        }
        let (fc1, fc2) = (self.scaling(channels), self.scaling(hidden_channels));
        let operation = Experts {
            input,
            hidden,
            residual,
            weights: self.append(&bytes),
            stride: stride as u32,
            channels: channels as u16,
            hidden_channels: hidden_channels as u16,
            experts: experts as u16,
            tokens: tokens as u16,
            fc1_shift: fc1.shift,
            fc1_bias_shift: fc1.bias_shift,
            fc2_shift: fc2.shift,
            fc2_bias_shift: fc2.bias_shift,
            gelu_bits: self.random.random_range(9..=13),
        };
        self.push(operation).then(|| self.wrote(Space::Residual, residual, tokens * row))
    }

    fn copy(&mut self) -> Option<()> {
        let source = SPACES[self.random.random_range(0..3)];
        let destination = SPACES[self.random.random_range(0..3)];
        self.copy_from_to(source, destination)
    }

    /// Copies any words; from memory, of the writable part.
    fn copy_from_to(&mut self, from: Space, to: Space) -> Option<()> {
        let most = [from, to].map(|space| self.words_of(space)).into_iter().min()?;
        let words = self.size(most.min(300));
        let bytes = words * self.arch.word_bytes();
        let source = match from {
            Space::Memory => self.writable_address(bytes)?,
            _ => self.readable(from, words)?,
        };
        let destination = match to {
            Space::Memory => self.writable_address(bytes)?,
            _ => self.place(to, words)?,
        };
        self.copy_words((from, source), (to, destination), words)
    }

    fn copy_words(&mut self, from: (Space, u32), to: (Space, u32), words: u32) -> Option<()> {
        let ((source_space, source), (destination_space, destination)) = (from, to);
        let copy = Copy { source, destination, words, source_space, destination_space };
        self.push(copy).then(|| self.wrote(destination_space, destination, words))
    }
}

/// Bits of a number.
fn bits(value: u16) -> u32 {
    16 - value.leading_zeros()
}
