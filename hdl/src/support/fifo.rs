//! A first-in first-out memory.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff_setup;

use super::Ram;
use super::Register;

/// 2^A entries of W bits in a RAM. Whoever writes sees to it that there is
/// room: an entry counts from its write until it is read.
///
/// An entry is offered two beats after its write at the earliest; one a beat.
#[derive(LogicBlock, Default)]
pub struct Fifo<const W: usize, const A: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Writes an entry; there must be room.
    pub write: Signal<In, Bit>,
    pub write_data: Signal<In, Bits<W>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_data: Signal<Out, Bits<W>>,

    memory: Ram<W, A>,
    write_pointer: Register<Bits<A>>,
    read_pointer: Register<Bits<A>>,
    /// The memory holds an entry beyond the one that is offered.
    waiting: Signal<Local, Bit>,
    offered: Register<Bit>,
    fetch: Signal<Local, Bit>,
}

impl<const W: usize, const A: usize> Logic for Fifo<W, A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, write_pointer, read_pointer, offered);
        self.memory.clock.next = self.clock.val();
        self.memory.write_enable.next = self.write.val();
        self.memory.write_address.next = self.write_pointer.q.val();
        self.memory.write_data.next = self.write_data.val();
        if self.write.val() {
            self.write_pointer.d.next = self.write_pointer.q.val() + 1;
        }

        self.waiting.next = self.write_pointer.q.val() != self.read_pointer.q.val();
        self.fetch.next = self.waiting.val() & (!self.offered.q.val() | self.read_ready.val());
        self.memory.read_enable.next = self.fetch.val();
        self.memory.read_address.next = self.read_pointer.q.val();
        if self.fetch.val() {
            self.read_pointer.d.next = self.read_pointer.q.val() + 1;
            self.offered.d.next = true;
        } else if self.read_ready.val() {
            self.offered.d.next = false;
        }
        self.read_valid.next = self.offered.q.val();
        self.read_data.next = self.memory.read_data.val();

        if self.reset.val() {
            self.write_pointer.d.next = 0.into();
            self.read_pointer.d.next = 0.into();
            self.offered.d.next = false;
        }
    }
}
