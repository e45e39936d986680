//! Bytes of a line to bytes of frames.

use edge_moe_isa::link::{END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE};

use crate::support::prelude::*;

/// Takes escapes out, and finds the ends of frames.
///
/// Twin of `edge_moe_isa::link::Deframer`; only, lengths are left to the request buffer. A byte is
/// taken every three beats at most, and what it says is given out two beats after: no byte
/// is under way when `ended` is high.
#[derive(LogicBlock)]
pub struct Deframer {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// No byte is taken.
    pub hold: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    pub data: Signal<In, Bits<8>>,
    /// What this byte belongs to is no frame.
    pub marked: Signal<In, Bit>,

    /// A byte of a frame.
    pub take: Signal<Out, Bit>,
    pub frame_data: Signal<Out, Bits<8>>,
    /// The bytes since the last `ended` are over.
    pub ended: Signal<Out, Bit>,
    /// They may be a frame.
    pub whole: Signal<Out, Bit>,

    held: Register<Bit>,
    byte_held: Register<Bits<8>>,
    mark_held: Register<Bit>,
    escaped: Register<Bit>,
    spoilt: Register<Bit>,
    takes: Register<Bit>,
    taken: Register<Bits<8>>,
    ends: Register<Bit>,
    good: Register<Bit>,
    end_byte: Constant<Bits<8>>,
    escape: Constant<Bits<8>>,
    escaped_end: Constant<Bits<8>>,
    escaped_escape: Constant<Bits<8>>,
}

impl Default for Deframer {
    fn default() -> Self {
        let constant = |byte: u8| Constant::new(u64::from(byte).into());
        with_defaults!(
            clock, reset, hold, valid, ready, data, marked, take, frame_data, ended, whole, held, byte_held,
            mark_held, escaped, spoilt, takes, taken, ends, good;
            end_byte: constant(END),
            escape: constant(ESCAPE),
            escaped_end: constant(ESCAPED_END),
            escaped_escape: constant(ESCAPED_ESCAPE),
        )
    }
}

impl Logic for Deframer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, byte_held, mark_held, escaped, spoilt, takes, taken, ends, good);
        self.ready.next = !self.hold.val() & !self.held.q.val() & !self.takes.q.val() & !self.ends.q.val();
        self.held.d.next = self.valid.val() & self.ready.val();
        self.byte_held.d.next = self.data.val();
        self.mark_held.d.next = self.marked.val();

        self.takes.d.next = false;
        self.ends.d.next = false;
        self.taken.d.next = self.byte_held.q.val();
        self.good.d.next = !self.spoilt.q.val() & !self.mark_held.q.val() & !self.escaped.q.val();
        if self.held.q.val() {
            self.escaped.d.next = false;
            if self.mark_held.q.val() {
                self.spoilt.d.next = true;
            }
            if self.byte_held.q.val() == self.end_byte.val() {
                self.ends.d.next = true;
                self.spoilt.d.next = false;
            } else if self.escaped.q.val() {
                self.takes.d.next = true;
                if self.byte_held.q.val() == self.escaped_end.val() {
                    self.taken.d.next = self.end_byte.val();
                } else if self.byte_held.q.val() == self.escaped_escape.val() {
                    self.taken.d.next = self.escape.val();
                } else {
                    self.spoilt.d.next = true;
                }
            } else if self.byte_held.q.val() == self.escape.val() {
                self.escaped.d.next = true;
            } else {
                self.takes.d.next = true;
            }
        }
        self.take.next = self.takes.q.val();
        self.frame_data.next = self.taken.q.val();
        self.ended.next = self.ends.q.val();
        self.whole.next = self.good.q.val();

        if self.reset.val() {
            self.held.d.next = false;
            self.escaped.d.next = false;
            self.spoilt.d.next = false;
            self.takes.d.next = false;
            self.ends.d.next = false;
        }
    }
}
