//! What goes back to the host.

use super::Encoder;
use crate::support::prelude::*;

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Part {
    /// No answer: words of memory are summed.
    Rest,
    Begin,
    Header,
    Payload,
    Sum,
    End,
    /// The last byte waits for the line.
    Leave,
}

/// Frames an answer, its payload as it comes from memory; between answers, sums words of memory.
///
/// A word of memory is taken every five beats in between, in an answer as the line takes it.
#[derive(LogicBlock)]
pub struct Answer {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Begins an answer; what goes with it stays while busy.
    pub start: Signal<In, Bit>,
    /// An answer is under way, or words are summed.
    pub busy: Signal<Out, Bit>,
    /// The words of its header.
    pub session: Signal<In, Bits<32>>,
    pub kind: Signal<In, Bits<32>>,
    pub address: Signal<In, Bits<32>>,
    pub value: Signal<In, Bits<32>>,
    /// Words of memory that follow, up to 256.
    pub payload_words: Signal<In, Bits<9>>,

    /// The sum of words of memory begins anew; not while busy.
    pub clear: Signal<In, Bit>,
    /// The CRC-32 of those since, while not busy.
    pub sum: Signal<Out, Bits<32>>,
    /// Words of memory.
    pub word_valid: Signal<In, Bit>,
    pub word_ready: Signal<Out, Bit>,
    pub word: Signal<In, Bits<32>>,

    pub byte_valid: Signal<Out, Bit>,
    pub byte_ready: Signal<In, Bit>,
    pub byte_data: Signal<Out, Bits<8>>,

    part: Register<Part>,
    index: Register<Bits<2>>,
    left: Register<Bits<9>>,
    rests: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    encoder: Encoder,
    of_memory: Signal<Local, Bit>,
    given: Signal<Local, Bit>,
    last_word: Constant<Bits<9>>,
}

impl Default for Answer {
    fn default() -> Self {
        with_defaults!(
            clock, reset, start, busy, session, kind, address, value, payload_words, clear, sum, word_valid,
            word_ready, word, byte_valid, byte_ready, byte_data, part, index, left, rests, leaves, encoder, of_memory,
            given;
            last_word: Constant::new(1_u64.into()),
        )
    }
}

impl Logic for Answer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, part, index, left);
        self.rests.next = self.part.q.val() == Part::Rest;
        self.leaves.next = self.part.q.val() == Part::Leave;
        self.busy.next = !self.rests.val() | !self.encoder.ready.val();

        // What the encoder is offered.
        self.of_memory.next = self.rests.val() | (self.part.q.val() == Part::Payload);
        self.encoder.clock.next = self.clock.val();
        self.encoder.reset.next = self.reset.val();
        self.encoder.clear.next = self.clear.val() | self.start.val();
        self.encoder.silent.next = self.rests.val();
        self.encoder.mark.next = (self.part.q.val() == Part::Begin) | (self.part.q.val() == Part::End);
        self.encoder.valid.next = !self.leaves.val() & (!self.of_memory.val() | self.word_valid.val());
        self.encoder.word.next = self.word.val();
        if self.part.q.val() == Part::Sum {
            self.encoder.word.next = self.encoder.sum.val();
        }
        if self.part.q.val() == Part::Header {
            self.encoder.word.next = self.value.val();
            if self.index.q.val() == 0 {
                self.encoder.word.next = self.session.val();
            }
            if self.index.q.val() == 1 {
                self.encoder.word.next = self.kind.val();
            }
            if self.index.q.val() == 2 {
                self.encoder.word.next = self.address.val();
            }
        }
        self.word_ready.next = self.of_memory.val() & self.encoder.ready.val();
        self.given.next = self.encoder.valid.val() & self.encoder.ready.val();

        // What comes next.
        if self.given.val() {
            if self.part.q.val() == Part::Begin {
                self.part.d.next = Part::Header;
            }
            if self.part.q.val() == Part::Header {
                self.index.d.next = self.index.q.val() + 1;
                if self.index.q.val().all() {
                    self.part.d.next = Part::Payload;
                    if !self.left.q.val().any() {
                        self.part.d.next = Part::Sum;
                    }
                }
            }
            if self.part.q.val() == Part::Payload {
                self.left.d.next = self.left.q.val() - 1;
                if self.left.q.val() == self.last_word.val() {
                    self.part.d.next = Part::Sum;
                }
            }
            if self.part.q.val() == Part::Sum {
                self.part.d.next = Part::End;
            }
            if self.part.q.val() == Part::End {
                self.part.d.next = Part::Leave;
            }
        }
        if self.leaves.val() & self.encoder.ready.val() {
            self.part.d.next = Part::Rest;
        }
        if self.start.val() {
            self.part.d.next = Part::Begin;
            self.index.d.next = 0.into();
            self.left.d.next = self.payload_words.val();
        }
        self.sum.next = self.encoder.sum.val();
        self.byte_valid.next = self.encoder.byte_valid.val();
        self.encoder.byte_ready.next = self.byte_ready.val();
        self.byte_data.next = self.encoder.byte_data.val();

        if self.reset.val() {
            self.part.d.next = Part::Rest;
        }
    }
}
