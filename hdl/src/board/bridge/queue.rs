//! Received bytes that wait for the deframer.

use crate::support::prelude::*;

/// A queue of 2047 bytes, in order, with what was lost between them.
///
/// A byte that finds no room is lost; the next one that finds room says so by its mark. A byte without its stop
/// bit is a mark alone. A byte is offered two beats after it came at the earliest.
#[derive(LogicBlock, Default)]
pub struct ByteQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// As from the receiver.
    pub valid: Signal<In, Bit>,
    pub data: Signal<In, Bits<8>>,
    pub fault: Signal<In, Bit>,

    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_data: Signal<Out, Bits<8>>,
    /// Something was lost before this byte, or it is none itself.
    pub read_marked: Signal<Out, Bit>,

    entries: Fifo<9, 11>,
    waiting: Register<Bits<11>>,
    lost: Register<Bit>,
    comes: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    write: Signal<Local, Bit>,
    marked: Signal<Local, Bit>,
    kept: Signal<Local, Bits<8>>,
    read: Signal<Local, Bit>,
}

impl Logic for ByteQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, lost);
        self.comes.next = self.valid.val() | self.fault.val();
        self.room.next = !self.waiting.q.val().all();
        self.write.next = self.comes.val() & self.room.val();
        if self.comes.val() {
            self.lost.d.next = !self.room.val();
        }
        // What came without a stop bit must not look like `END`.
        self.kept.next = self.data.val();
        if self.fault.val() {
            self.kept.next = 0.into();
        }
        self.marked.next = self.fault.val() | self.lost.q.val();
        self.entries.clock.next = self.clock.val();
        self.entries.reset.next = self.reset.val();
        self.entries.write.next = self.write.val();
        self.entries.write_data.next =
            bit_cast::<9, 8>(self.kept.val()) | (bit_cast::<9, 1>(self.marked.val().into()) << 8);
        self.entries.read_ready.next = self.read_ready.val();
        self.read_valid.next = self.entries.read_valid.val();
        self.read_data.next = self.entries.read_data.val().get_bits::<8>(0);
        self.read_marked.next = self.entries.read_data.val().get_bit(8);
        self.read.next = self.read_valid.val() & self.read_ready.val();
        if self.write.val() & !self.read.val() {
            self.waiting.d.next = self.waiting.q.val() + 1;
        }
        if self.read.val() & !self.write.val() {
            self.waiting.d.next = self.waiting.q.val() - 1;
        }

        if self.reset.val() {
            self.waiting.d.next = 0.into();
            self.lost.d.next = false;
        }
    }
}
