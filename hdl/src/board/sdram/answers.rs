//! What comes back: columns to bus beats and words, and confirmations.

use super::CAPTURE_BEATS;
use crate::support::prelude::*;

/// SLVERR.
const FAILED: u64 = 2;

/// Joins the columns that come back to bus beats. Whoever asked takes every answer in the beat it comes.
///
/// A beat is there two beats after `dq_in` had its last column; a write is confirmed the beat after its
/// last column was issued.
#[derive(LogicBlock)]
pub struct Answers<const BUS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// A column is issued in this beat, as in `Commands`.
    pub issued: Signal<In, Bit>,
    pub issued_write: Signal<In, Bit>,
    pub issued_host: Signal<In, Bit>,
    pub issued_outside: Signal<In, Bit>,
    pub issued_id: Signal<In, Bits<1>>,
    pub ends_beat: Signal<In, Bit>,
    pub ends: Signal<In, Bit>,
    pub dq_in: Signal<In, Bits<16>>,

    pub rid: Signal<Out, Bits<1>>,
    pub rdata: Signal<Out, Bits<BUS>>,
    pub rresp: Signal<Out, Bits<2>>,
    pub rlast: Signal<Out, Bit>,
    pub rvalid: Signal<Out, Bit>,
    pub bid: Signal<Out, Bits<1>>,
    pub bresp: Signal<Out, Bits<2>>,
    pub bvalid: Signal<Out, Bit>,
    pub memory_read_valid: Signal<Out, Bit>,
    pub memory_read_data: Signal<Out, Bits<32>>,

    /// What is known of a column, until `captured` has it: one beat to the pins, then `CAPTURE_BEATS`.
    coming: ValidDelay<{ 1 + CAPTURE_BEATS }>,
    notes: Delay<Bits<5>, { 1 + CAPTURE_BEATS }>,
    note: Concat<Bit, 5, 5>,
    captured: Register<Bits<16>>,
    joined: Widen<16, BUS>,
    word: Slice<BUS, 32>,
    ended: Signal<Local, Bit>,
    came_outside: Signal<Local, Bit>,
    came_host: Signal<Local, Bit>,

    read_valid: Register<Bit>,
    word_valid: Register<Bit>,
    data: Register<Bits<BUS>>,
    read_outside: Register<Bit>,
    read_id: Register<Bits<1>>,
    read_last: Register<Bit>,
    confirms: Register<Bit>,
    confirm_outside: Register<Bit>,
    confirm_id: Register<Bits<1>>,
    failed: Constant<Bits<2>>,
}

impl<const BUS: usize> Default for Answers<BUS> {
    fn default() -> Self {
        with_defaults!(
            clock, reset, issued, issued_write, issued_host, issued_outside, issued_id, ends_beat, ends, dq_in,
            rid, rdata, rresp, rlast, rvalid, bid, bresp, bvalid, memory_read_valid, memory_read_data, coming,
            notes, note, captured, joined, ended, came_outside, came_host, read_valid, word_valid, data,
            read_outside, read_id, read_last, confirms, confirm_outside, confirm_id;
            word: Slice::new(BUS - 32),
            failed: Constant::new(FAILED.into()),
        )
    }
}

impl<const BUS: usize> Logic for Answers<BUS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, captured, read_valid, word_valid, data, read_outside, read_id, read_last);
        dff_setup!(self, clock, confirms, confirm_outside, confirm_id);

        // Columns on their way.
        self.coming.clock.next = self.clock.val();
        self.coming.reset.next = self.reset.val();
        self.coming.d.next = self.issued.val() & !self.issued_write.val();
        self.notes.clock.next = self.clock.val();
        self.note.lane[0].next = self.ends_beat.val();
        self.note.lane[1].next = self.ends.val();
        self.note.lane[2].next = self.issued_outside.val();
        self.note.lane[3].next = self.issued_host.val();
        self.note.lane[4].next = self.issued_id.val().any();
        self.notes.d.next = self.note.bus.val();

        // Beats; a word of the host is the last 32 bits of one.
        self.captured.d.next = self.dq_in.val();
        self.joined.clock.next = self.clock.val();
        self.joined.take.next = self.coming.q.val();
        self.joined.narrow.next = self.captured.q.val();
        self.ended.next = self.coming.q.val() & self.notes.q.val().get_bit(0);
        self.came_outside.next = self.notes.q.val().get_bit(2);
        self.came_host.next = self.notes.q.val().get_bit(3);
        self.read_valid.d.next = self.ended.val() & !self.came_host.val();
        self.word_valid.d.next = self.ended.val() & self.came_host.val();
        self.data.d.next = self.joined.wide.val();
        if self.came_outside.val() {
            self.data.d.next = 0.into();
        }
        self.read_last.d.next = self.notes.q.val().get_bit(1);
        self.read_outside.d.next = self.came_outside.val();
        self.read_id.d.next = self.notes.q.val().get_bits::<1>(4);
        self.rvalid.next = self.read_valid.q.val();
        self.rdata.next = self.data.q.val();
        self.rlast.next = self.read_last.q.val();
        self.rid.next = self.read_id.q.val();
        self.rresp.next = 0.into();
        if self.read_outside.q.val() {
            self.rresp.next = self.failed.val();
        }
        self.word.bus.next = self.data.q.val();
        self.memory_read_valid.next = self.word_valid.q.val();
        self.memory_read_data.next = self.word.bits.val();

        // Confirmations.
        self.confirms.d.next =
            self.issued.val() & self.issued_write.val() & self.ends.val() & !self.issued_host.val();
        self.confirm_outside.d.next = self.issued_outside.val();
        self.confirm_id.d.next = self.issued_id.val();
        self.bvalid.next = self.confirms.q.val();
        self.bid.next = self.confirm_id.q.val();
        self.bresp.next = 0.into();
        if self.confirm_outside.q.val() {
            self.bresp.next = self.failed.val();
        }

        if self.reset.val() {
            self.read_valid.d.next = false;
            self.word_valid.d.next = false;
            self.confirms.d.next = false;
        }
    }
}
