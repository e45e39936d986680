//! Ranges of memory to accesses of words.

use crate::support::prelude::*;

/// Writes words of the payload to successive addresses, or reads some, one after another.
///
/// A word is offered two beats behind the one before was taken at the earliest. Of words that are read, up to
/// eight are asked for or wait to be taken.
#[derive(LogicBlock, Default)]
pub struct MemoryPort {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Begins; `write` stays while busy.
    pub start: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    /// The first word.
    pub word_address: Signal<In, Bits<30>>,
    /// Their number, not zero.
    pub words: Signal<In, Bits<15>>,
    /// From the next beat on until all are written, or taken.
    pub busy: Signal<Out, Bit>,
    /// The payload, as in the request buffer.
    pub payload_enable: Signal<Out, Bit>,
    pub payload_index: Signal<Out, Bits<8>>,
    pub payload_data: Signal<In, Bits<32>>,
    /// Words that were read.
    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_data: Signal<Out, Bits<32>>,

    pub memory_valid: Signal<Out, Bit>,
    pub memory_ready: Signal<In, Bit>,
    pub memory_write: Signal<Out, Bit>,
    pub memory_address: Signal<Out, Bits<32>>,
    pub memory_write_data: Signal<Out, Bits<32>>,
    pub memory_read_valid: Signal<In, Bit>,
    pub memory_read_data: Signal<In, Bits<32>>,

    at: Register<Bits<30>>,
    index: Register<Bits<8>>,
    left: Register<Bits<15>>,
    offered: Register<Bit>,
    /// Words asked for and not taken.
    owed: Register<Bits<4>>,
    came: Fifo<32, 3>,
    offer: Signal<Local, Bit>,
    asked: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
}

impl Logic for MemoryPort {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, at, index, left, offered, owed);
        self.memory_valid.next = self.offered.q.val();
        self.memory_write.next = self.write.val();
        self.memory_address.next = bit_cast::<32, 30>(self.at.q.val()) << 2;
        self.memory_write_data.next = self.payload_data.val();
        self.payload_index.next = self.index.q.val();

        self.offer.next = self.left.q.val().any()
            & !self.offered.q.val()
            & (self.write.val() | !self.owed.q.val().get_bit(3));
        self.payload_enable.next = self.offer.val() & self.write.val();
        if self.offer.val() {
            self.offered.d.next = true;
        }
        self.asked.next = self.offered.q.val() & self.memory_ready.val() & !self.write.val();
        if self.offered.q.val() & self.memory_ready.val() {
            self.offered.d.next = false;
            self.at.d.next = self.at.q.val() + 1;
            self.index.d.next = self.index.q.val() + 1;
            self.left.d.next = self.left.q.val() - 1;
        }
        if self.start.val() {
            self.at.d.next = self.word_address.val();
            self.index.d.next = 0.into();
            self.left.d.next = self.words.val();
        }

        self.came.clock.next = self.clock.val();
        self.came.reset.next = self.reset.val();
        self.came.write.next = self.memory_read_valid.val();
        self.came.write_data.next = self.memory_read_data.val();
        self.came.read_ready.next = self.read_ready.val();
        self.read_valid.next = self.came.read_valid.val();
        self.read_data.next = self.came.read_data.val();
        self.taken.next = self.read_valid.val() & self.read_ready.val();
        if self.asked.val() & !self.taken.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        }
        if self.taken.val() & !self.asked.val() {
            self.owed.d.next = self.owed.q.val() - 1;
        }
        self.busy.next = self.left.q.val().any() | self.owed.q.val().any();

        if self.reset.val() {
            self.left.d.next = 0.into();
            self.offered.d.next = false;
            self.owed.d.next = 0.into();
        }
    }
}
