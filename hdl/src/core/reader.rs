//! Consecutive words of an on-chip memory as a stream.

use crate::scratchpad::LATENCY;
use crate::support::prelude::*;

/// Reads `count` words from `address` on through a read port that grants
/// (`read_valid` and `read_ready`) and answers [`LATENCY`] beats later; offers them
/// ready/valid, from a queue. With `limited` only words of which `available` counted, a beat
/// ago, more than stand before them are read: it follows whoever writes them, as `available` grows.
///
/// Throughput one word a beat; a word is offered two beats after the answer.
/// Up to seven words are read and not taken, so that no read waits for `word_ready`.
#[derive(LogicBlock, Default)]
pub struct Reader<const WORD: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `address` and `count`; while not busy.
    pub start: Signal<In, Bit>,
    pub address: Signal<In, Bits<20>>,
    pub count: Signal<In, Bits<20>>,
    pub limited: Signal<In, Bit>,
    pub available: Signal<In, Bits<20>>,

    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub read_data: Signal<In, Bits<WORD>>,

    pub word_valid: Signal<Out, Bit>,
    pub word_ready: Signal<In, Bit>,
    pub word_data: Signal<Out, Bits<WORD>>,
    /// Words are still to be read or taken.
    pub busy: Signal<Out, Bit>,

    next_address: Register<Bits<20>>,
    remaining: Register<Bits<20>>,
    /// There are some.
    left: Register<Bit>,
    done: Register<Bits<20>>,
    next_done: Signal<Local, Bits<20>>,
    written: Register<Bit>,
    /// A word that was asked for comes.
    coming: ValidDelay<LATENCY>,
    words: Fifo<WORD, 3>,
    /// Words read and not taken.
    owed: Register<Bits<3>>,
    take: Signal<Local, Bit>,
    granted: Signal<Local, Bit>,
}

impl<const WORD: usize> Logic for Reader<WORD> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, next_address, written, remaining, left, done, owed);
        self.coming.clock.next = self.clock.val();
        self.coming.reset.next = self.reset.val();
        self.words.clock.next = self.clock.val();
        self.words.reset.next = self.reset.val();
        self.words.write.next = self.coming.q.val();
        self.words.write_data.next = self.read_data.val();
        self.words.read_ready.next = self.word_ready.val();
        self.word_valid.next = self.words.read_valid.val();
        self.word_data.next = self.words.read_data.val();
        self.take.next = self.word_valid.val() & self.word_ready.val();

        self.read_valid.next =
            self.left.q.val() & (self.owed.q.val() != 7) & (!self.limited.val() | self.written.q.val());
        self.read_address.next = self.next_address.q.val();
        self.granted.next = self.read_valid.val() & self.read_ready.val();
        self.coming.d.next = self.granted.val();
        self.next_done.next = self.done.q.val() + 1;
        self.written.d.next = self.done.q.val() < self.available.val();
        if self.granted.val() {
            self.next_address.d.next = self.next_address.q.val() + 1;
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.left.d.next = self.remaining.q.val() != 1;
            self.done.d.next = self.next_done.val();
            self.written.d.next = self.next_done.val() < self.available.val();
        }
        if self.granted.val() & !self.take.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        } else if self.take.val() & !self.granted.val() {
            self.owed.d.next = self.owed.q.val() - 1;
        }

        self.busy.next = self.left.q.val() | self.owed.q.val().any();

        if self.start.val() {
            self.next_address.d.next = self.address.val();
            self.remaining.d.next = self.count.val();
            self.left.d.next = self.count.val().any();
            self.done.d.next = 0.into();
            self.written.d.next = self.available.val().any();
        }
        if self.reset.val() {
            self.left.d.next = false;
            self.owed.d.next = 0.into();
        }
    }
}
