//! A register stage of a stream, also for `ready`.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff_setup;

use super::Register;

/// Two entries of W bits: `in_ready` and all that goes out come from registers, so that no path leads
/// through. Latency one beat, one entry a beat.
#[derive(LogicBlock, Default)]
pub struct Skid<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub in_valid: Signal<In, Bit>,
    pub in_ready: Signal<Out, Bit>,
    pub in_data: Signal<In, Bits<W>>,
    pub out_valid: Signal<Out, Bit>,
    pub out_ready: Signal<In, Bit>,
    pub out_data: Signal<Out, Bits<W>>,

    offered: Register<Bit>,
    entry: Register<Bits<W>>,
    /// An entry came while the one that is offered was not taken.
    waiting: Register<Bit>,
    next: Register<Bits<W>>,
}

impl<const W: usize> Logic for Skid<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, offered, entry, waiting, next);
        self.in_ready.next = !self.waiting.q.val();
        self.out_valid.next = self.offered.q.val();
        self.out_data.next = self.entry.q.val();

        if !self.waiting.q.val() {
            self.next.d.next = self.in_data.val();
        }
        if self.out_ready.val() | !self.offered.q.val() {
            self.offered.d.next = self.in_valid.val() | self.waiting.q.val();
            self.entry.d.next = self.in_data.val();
            if self.waiting.q.val() {
                self.entry.d.next = self.next.q.val();
            }
            self.waiting.d.next = false;
        } else {
            self.waiting.d.next = self.in_valid.val() | self.waiting.q.val();
        }

        if self.reset.val() {
            self.offered.d.next = false;
            self.waiting.d.next = false;
        }
    }
}
