//! Consecutive words of an on-chip memory as a stream.

use crate::support::prelude::*;

/// Reads `count` words from `address` on through a read port that grants
/// (`read_valid` and `read_ready`) and answers in the beat after; offers them
/// ready/valid, from a register. With `limited` only words of which `available` counted, a beat
/// ago, more than stand before them are read: it follows whoever writes them, as `available` grows.
///
/// Throughput one word a beat; a word is offered in the beat after the answer.
/// Up to three words are read and not taken, so that no read waits for `word_ready`.
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
    done: Register<Bits<20>>,
    next_done: Signal<Local, Bits<20>>,
    written: Register<Bit>,
    coming: Register<Bit>,
    /// The word that came in the beat before: offered if none is held.
    came: Register<Bit>,
    arrived: Register<Bits<WORD>>,
    /// Words that are held: the first is offered.
    held: Register<Bits<2>>,
    first: Register<Bits<WORD>>,
    second: Register<Bits<WORD>>,
    third: Register<Bits<WORD>>,
    /// Words read and not taken, and what is left of those held.
    owed: Register<Bits<2>>,
    left: Signal<Local, Bits<2>>,
    take: Signal<Local, Bit>,
    granted: Signal<Local, Bit>,
}

impl<const WORD: usize> Logic for Reader<WORD> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            next_address,
            written,
            remaining,
            done,
            coming,
            came,
            arrived,
            held,
            first,
            second,
            third,
            owed
        );

        self.came.d.next = self.coming.q.val();
        self.arrived.d.next = self.read_data.val();
        self.word_valid.next = self.came.q.val() | self.held.q.val().any();
        self.word_data.next = self.arrived.q.val();
        if self.held.q.val().any() {
            self.word_data.next = self.first.q.val();
        }
        self.take.next = self.word_valid.val() & self.word_ready.val();

        self.read_valid.next = self.remaining.q.val().any()
            & (self.owed.q.val() != 3)
            & (!self.limited.val() | self.written.q.val());
        self.read_address.next = self.next_address.q.val();
        self.granted.next = self.read_valid.val() & self.read_ready.val();
        self.coming.d.next = self.granted.val();
        self.next_done.next = self.done.q.val() + 1;
        self.written.d.next = self.done.q.val() < self.available.val();
        if self.granted.val() {
            self.next_address.d.next = self.next_address.q.val() + 1;
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.done.d.next = self.next_done.val();
            self.written.d.next = self.next_done.val() < self.available.val();
        }
        if self.granted.val() & !self.take.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        } else if self.take.val() & !self.granted.val() {
            self.owed.d.next = self.owed.q.val() - 1;
        }

        // What came and is not taken goes behind what is left.
        self.left.next = self.held.q.val();
        if self.take.val() & self.held.q.val().any() {
            self.left.next = self.held.q.val() - 1;
            self.first.d.next = self.second.q.val();
            self.second.d.next = self.third.q.val();
        }
        self.held.d.next = self.left.val();
        if self.came.q.val() & (self.held.q.val().any() | !self.take.val()) {
            self.held.d.next = self.left.val() + 1;
            if self.left.val() == 0 {
                self.first.d.next = self.arrived.q.val();
            }
            if self.left.val() == 1 {
                self.second.d.next = self.arrived.q.val();
            }
            if self.left.val() == 2 {
                self.third.d.next = self.arrived.q.val();
            }
        }
        self.busy.next = self.remaining.q.val().any() | self.owed.q.val().any();

        if self.start.val() {
            self.next_address.d.next = self.address.val();
            self.remaining.d.next = self.count.val();
            self.done.d.next = 0.into();
            self.written.d.next = self.available.val().any();
        }
        if self.reset.val() {
            self.remaining.d.next = 0.into();
            self.coming.d.next = false;
            self.came.d.next = false;
            self.held.d.next = 0.into();
            self.owed.d.next = 0.into();
        }
    }
}
