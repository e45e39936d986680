//! Consecutive words of an on-chip memory as a stream.

use crate::support::prelude::*;

/// Reads `count` words from `address` on through a read port that grants
/// (`read_valid` and `read_ready`) and answers in the beat after; offers them
/// ready/valid. With `limited` only words of which `available` counts more
/// than stand before them are read: it follows whoever writes them.
///
/// Throughput one word a beat; a word is offered in the beat of the answer.
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
    coming: Register<Bit>,
    held: Register<Bit>,
    held_word: Register<Bits<WORD>>,
    take: Signal<Local, Bit>,
    granted: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
}

impl<const WORD: usize> Logic for Reader<WORD> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, next_address, remaining, done, coming, held, held_word);

        self.word_valid.next = self.coming.q.val() | self.held.q.val();
        self.word_data.next = self.read_data.val();
        if self.held.q.val() {
            self.word_data.next = self.held_word.q.val();
        }
        self.take.next = self.word_valid.val() & self.word_ready.val();

        // Read while no word is here, or while it leaves.
        self.room.next = !self.word_valid.val() | self.word_ready.val();
        self.read_valid.next = self.remaining.q.val().any()
            & self.room.val()
            & (!self.limited.val() | (self.done.q.val() < self.available.val()));
        self.read_address.next = self.next_address.q.val();
        self.granted.next = self.read_valid.val() & self.read_ready.val();
        self.coming.d.next = self.granted.val();
        if self.granted.val() {
            self.next_address.d.next = self.next_address.q.val() + 1;
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.done.d.next = self.done.q.val() + 1;
        }
        if self.take.val() {
            self.held.d.next = false;
        } else if self.coming.q.val() {
            self.held.d.next = true;
            self.held_word.d.next = self.read_data.val();
        }
        self.busy.next = self.remaining.q.val().any() | self.word_valid.val();

        if self.start.val() {
            self.next_address.d.next = self.address.val();
            self.remaining.d.next = self.count.val();
            self.done.d.next = 0.into();
        }
        if self.reset.val() {
            self.remaining.d.next = 0.into();
            self.coming.d.next = false;
            self.held.d.next = false;
        }
    }
}
