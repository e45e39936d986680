//! The reset of a board.

use crate::support::prelude::*;

/// Beats for which the reset lasts, a power of two.
const BEATS: usize = 8;

/// A reset from when the clock starts, or `ready` goes low, until 2^8 beats after `ready` has come; in step with
/// the clock, from a signal that need not be. Registers of an FPGA start at zero.
#[derive(LogicBlock, Default)]
pub struct ResetTimer {
    pub clock: Signal<In, Clock>,
    pub ready: Signal<In, Bit>,
    pub reset: Signal<Out, Bit>,

    metastable: Register<Bit>,
    settled: Register<Bit>,
    count: Register<Bits<BEATS>>,
    released: Register<Bit>,
}

impl Logic for ResetTimer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, metastable, settled, count, released);
        self.metastable.d.next = self.ready.val();
        self.settled.d.next = self.metastable.q.val();
        if !self.released.q.val() {
            self.count.d.next = self.count.q.val() + 1;
        }
        if self.count.q.val().all() {
            self.released.d.next = true;
        }
        if !self.settled.q.val() {
            self.count.d.next = 0.into();
            self.released.d.next = false;
        }
        self.reset.next = !self.released.q.val();
    }
}
