//! Words to the bytes of a line.

use edge_moe_isa::link::{END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE};

use super::Crc32;
use crate::support::prelude::*;

/// Gives out the bytes of words with their escapes, and sums them on the way; or sums them alone, a word
/// every five beats.
#[derive(LogicBlock)]
pub struct Encoder {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// The sum begins anew; not while a word is held.
    pub clear: Signal<In, Bit>,
    /// A word, or `END` if `mark` is high; low while one is held: then all is given out.
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    pub word: Signal<In, Bits<32>>,
    pub mark: Signal<In, Bit>,
    /// Words are not given out; stays while a word is held.
    pub silent: Signal<In, Bit>,
    /// CRC-32 of the words since `clear`, once `ready` is high.
    pub sum: Signal<Out, Bits<32>>,

    pub byte_valid: Signal<Out, Bit>,
    pub byte_ready: Signal<In, Bit>,
    pub byte_data: Signal<Out, Bits<8>>,

    crc: Crc32,
    held: Register<Bits<32>>,
    left: Register<Bits<3>>,
    mark_held: Register<Bit>,
    /// `ESCAPE` was given out for the present byte.
    escaped: Register<Bit>,
    active: Signal<Local, Bit>,
    present: Signal<Local, Bits<8>>,
    escapes: Signal<Local, Bit>,
    given: Signal<Local, Bit>,
    next_byte: Signal<Local, Bit>,
    end_byte: Constant<Bits<8>>,
    escape: Constant<Bits<8>>,
    escaped_end: Constant<Bits<8>>,
    escaped_escape: Constant<Bits<8>>,
}

impl Default for Encoder {
    fn default() -> Self {
        let constant = |byte: u8| Constant::new(u64::from(byte).into());
        with_defaults!(
            clock, reset, clear, valid, ready, word, mark, silent, sum, byte_valid, byte_ready, byte_data, crc,
            held, left, mark_held, escaped, active, present, escapes, given, next_byte;
            end_byte: constant(END),
            escape: constant(ESCAPE),
            escaped_end: constant(ESCAPED_END),
            escaped_escape: constant(ESCAPED_ESCAPE),
        )
    }
}

impl Logic for Encoder {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, left, mark_held, escaped);
        self.active.next = self.left.q.val().any();
        self.ready.next = !self.active.val();
        self.present.next = self.held.q.val().get_bits::<8>(0);

        // The byte that is given out.
        self.escapes.next = !self.mark_held.q.val()
            & !self.escaped.q.val()
            & ((self.present.val() == self.end_byte.val()) | (self.present.val() == self.escape.val()));
        self.byte_valid.next = self.active.val() & !self.silent.val();
        self.byte_data.next = self.present.val();
        if self.escapes.val() {
            self.byte_data.next = self.escape.val();
        }
        if self.escaped.q.val() {
            self.byte_data.next = self.escaped_escape.val();
            if self.present.val() == self.end_byte.val() {
                self.byte_data.next = self.escaped_end.val();
            }
        }

        // The byte that comes next.
        self.given.next = self.byte_valid.val() & self.byte_ready.val();
        self.next_byte.next =
            (self.active.val() & self.silent.val()) | (self.given.val() & !self.escapes.val());
        if self.given.val() {
            self.escaped.d.next = self.escapes.val();
        }
        if self.next_byte.val() {
            self.held.d.next = self.held.q.val() >> 8;
            self.left.d.next = self.left.q.val() - 1;
        }
        if self.valid.val() & self.ready.val() {
            self.held.d.next = self.word.val();
            self.left.d.next = 4.into();
            self.mark_held.d.next = self.mark.val();
            if self.mark.val() {
                self.held.d.next = bit_cast::<32, 8>(self.end_byte.val());
                self.left.d.next = 1.into();
            }
        }

        self.crc.clock.next = self.clock.val();
        self.crc.clear.next = self.clear.val();
        self.crc.take.next = self.next_byte.val() & !self.mark_held.q.val();
        self.crc.data.next = self.present.val();
        self.sum.next = self.crc.sum.val();

        if self.reset.val() {
            self.left.d.next = 0.into();
            self.escaped.d.next = false;
        }
    }
}
