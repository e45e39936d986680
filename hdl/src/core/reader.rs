//! Consecutive words of an on-chip memory as a stream.

use crate::support::prelude::*;

/// Reads `count` words from `address` on through a read port that grants
/// (`read_valid` and `read_ready`) and answers in order (`read_comes`), up to twelve beats later; offers them
/// ready/valid, from a queue. With `limited` only words of which `available` counted, a beat
/// ago, more than stand before them are read: it follows whoever writes them, as `available` grows.
///
/// Throughput one word a beat; a word is offered two beats after the answer.
/// Up to fifteen words are read and not taken, so that no read waits for `word_ready`.
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
    pub read_comes: Signal<In, Bit>,
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
    words: Fifo<WORD, 4>,
    /// A word was asked for a beat ago.
    asked: Register<Bit>,
    /// One was taken a beat ago.
    taken: Register<Bit>,
    /// Words asked for before, and not taken before.
    owed: Register<Bits<4>>,
    /// A beat ago there was room for three words more.
    room: Register<Bit>,
    take: Signal<Local, Bit>,
    granted: Signal<Local, Bit>,
}

impl<const WORD: usize> Logic for Reader<WORD> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, next_address, written, remaining, left, done, asked, taken, owed, room);
        self.words.clock.next = self.clock.val();
        self.words.reset.next = self.reset.val();
        self.words.write.next = self.read_comes.val();
        self.words.write_data.next = self.read_data.val();
        self.words.read_ready.next = self.word_ready.val();
        self.word_valid.next = self.words.read_valid.val();
        self.word_data.next = self.words.read_data.val();
        self.take.next = self.word_valid.val() & self.word_ready.val();

        self.read_valid.next = self.left.q.val() & self.room.q.val() & self.written.q.val();
        self.room.d.next = self.owed.q.val() < 13;
        self.read_address.next = self.next_address.q.val();
        self.granted.next = self.read_valid.val() & self.read_ready.val();
        self.next_done.next = self.done.q.val() + 1;
        // Gates choose, because synthesis puts a multiplexer before the comparison.
        self.written.d.next = !self.limited.val()
            | (!self.granted.val() & (self.done.q.val() < self.available.val()))
            | (self.granted.val() & (self.next_done.val() < self.available.val()));
        if self.granted.val() {
            self.next_address.d.next = self.next_address.q.val() + 1;
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.left.d.next = self.remaining.q.val() != 1;
            self.done.d.next = self.next_done.val();
        }
        self.asked.d.next = self.granted.val();
        self.taken.d.next = self.take.val();
        if self.asked.q.val() & !self.taken.q.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        } else if self.taken.q.val() & !self.asked.q.val() {
            self.owed.d.next = self.owed.q.val() - 1;
        }

        self.busy.next = self.left.q.val() | self.asked.q.val() | self.owed.q.val().any();

        if self.start.val() {
            self.next_address.d.next = self.address.val();
            self.remaining.d.next = self.count.val();
            self.left.d.next = self.count.val().any();
            self.done.d.next = 0.into();
            self.written.d.next = !self.limited.val() | self.available.val().any();
        }
        if self.reset.val() {
            self.left.d.next = false;
            self.asked.d.next = false;
            self.taken.d.next = false;
            self.owed.d.next = 0.into();
        }
    }
}
