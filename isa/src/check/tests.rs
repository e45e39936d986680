//! Tests of the checker on small hand-written programs for `tiny` (P = V = 4).

mod addresses;
mod hazards;
mod mutations;
mod operands;
mod queues;
mod structure;

use super::*;
use crate::descriptor::{Attention, Copy, Destination, End, Experts, Linear, Norm, Operation, Route, Space};

/// Memory of all tests: 4 KiB for pictures and results, then 60 KiB of image.
const WINDOW: MemoryWindow = MemoryWindow { writable_bytes: 4096, total_bytes: 65536 };
/// Address of the image.
const IMAGE: u32 = 4096;

/// Words that [`prepared`] fills, from word 0 on.
const SCRATCHPAD_WORDS: u32 = 256;
const RESIDUAL_WORDS: u32 = 64;

/// A program under construction.
#[derive(Clone, Default)]
struct Listing(Vec<Descriptor>);

impl Listing {
    /// Adds a descriptor that does not wait.
    fn then(self, operation: impl Into<Operation>) -> Self {
        self.push(false, operation.into())
    }

    /// Adds a descriptor that waits for all before it.
    fn wait(self, operation: impl Into<Operation>) -> Self {
        self.push(true, operation.into())
    }

    fn push(mut self, wait: bool, operation: Operation) -> Self {
        self.0.push(Descriptor { wait, operation });
        self
    }

    /// Checks the program without adding an `end`.
    fn check_as_it_is(&self) -> Result<(), ProgramError> {
        check(&ArchConfig::tiny(), WINDOW, &self.0)
    }

    /// Asserts that the program, with an `end`, is legal.
    #[track_caller]
    fn assert_legal(self) {
        self.then(End {}).check_as_it_is().unwrap();
    }

    /// Asserts that the last descriptor of the program is refused, and why.
    #[track_caller]
    fn assert_refused(self, reason: &str) {
        let expected = ProgramError { index: self.0.len() - 1, reason: reason.into() };
        assert_eq!(self.then(End {}).check_as_it_is(), Err(expected));
    }
}

/// Fills the first words of scratchpad and residual memory. What follows must wait.
fn prepared() -> Listing {
    Listing::default().then(copy((Space::Memory, 0), (Space::Scratchpad, 0), SCRATCHPAD_WORDS)).then(copy(
        (Space::Memory, 0),
        (Space::Residual, 0),
        RESIDUAL_WORDS,
    ))
}

fn copy(source: (Space, u32), destination: (Space, u32), words: u32) -> Copy {
    Copy {
        source_space: source.0,
        source: source.1,
        destination_space: destination.0,
        destination: destination.1,
        words,
    }
}

/// Two tokens of 8 channels (words 0..4) to 6 channels (words 300..304); 128 bytes of weights.
fn linear() -> Linear {
    Linear {
        input: 0,
        output: 300,
        weights: IMAGE,
        inputs: 8,
        outputs: 6,
        tokens: 2,
        sets: 1,
        destination: Destination::Tokens,
        bits: 16,
        shift: 20,
        bias_shift: 4,
        gelu_bits: 0,
    }
}

/// Two tokens of 8 channels: residual words 0..4 to scratchpad words 310..314; 64 bytes of parameters.
fn norm() -> Norm {
    Norm {
        input: 0,
        output: 310,
        parameters: IMAGE,
        channels: 8,
        tokens: 2,
        shift: 20,
        bias_shift: 4,
        epsilon: 1,
    }
}

/// Two tokens, two heads of 4 channels: queries 0..4, keys 4..8, values 8..16, context 320..324.
fn attention() -> Attention {
    Attention {
        queries: 0,
        keys: 4,
        values: 8,
        context: 320,
        tokens: 2,
        sets: 1,
        heads: 2,
        head_channels: 4,
        logit_multiplier: 1000,
        context_multiplier: 1000,
        logit_shift: 20,
        context_shift: 20,
    }
}

/// Two tokens, the best two of four experts; logits are words 0..2.
fn route() -> Route {
    Route { logits: 0, first_token: 0, tokens: 2, experts: 4, top_k: 2, append: 0 }
}

/// Two tokens of 8 channels (words 0..4), hidden 4 channels (words 330..332), residual words
/// 0..4; fc1 takes 64 bytes, fc2 96 bytes.
fn experts() -> Experts {
    Experts {
        input: 0,
        hidden: 330,
        residual: 0,
        weights: IMAGE,
        stride: 192,
        channels: 8,
        hidden_channels: 4,
        experts: 4,
        tokens: 2,
        fc1_shift: 20,
        fc1_bias_shift: 4,
        fc2_shift: 20,
        fc2_bias_shift: 4,
        gelu_bits: 11,
    }
}

/// A program of all operations.
fn all_operations() -> Listing {
    prepared()
        .wait(norm())
        .wait(Linear { input: 310, ..linear() })
        .then(attention())
        .then(route())
        .then(experts())
        .wait(copy((Space::Residual, 0), (Space::Memory, 1024), 4))
        .then(End {})
}
