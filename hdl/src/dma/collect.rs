//! Bus beats side by side.

use crate::support::prelude::*;

/// The last N beats that were taken, the oldest lowest. Latency one beat.
#[derive(LogicBlock)]
pub struct Collect<const BUS: usize, const N: usize, const WIDE: usize> {
    pub clock: Signal<In, Clock>,
    pub take: Signal<In, Bit>,
    pub beat: Signal<In, Bits<BUS>>,
    pub wide: Signal<Out, Bits<WIDE>>,

    held: [Register<Bits<BUS>>; N],
    joined: Concat<Bits<BUS>, N, WIDE>,
}

impl<const BUS: usize, const N: usize, const WIDE: usize> Default for Collect<BUS, N, WIDE> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            take: Default::default(),
            beat: Default::default(),
            wide: Default::default(),
            held: from_fn(|_| Default::default()),
            joined: Default::default(),
        }
    }
}

impl<const BUS: usize, const N: usize, const WIDE: usize> Logic for Collect<BUS, N, WIDE> {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..N {
            self.held[i].clock.next = self.clock.val();
            self.held[i].d.next = self.held[i].q.val();
            self.joined.lane[i].next = self.held[i].q.val();
        }
        if self.take.val() {
            for i in 1..N {
                self.held[i - 1].d.next = self.held[i].q.val();
            }
            for i in (N - 1)..N {
                self.held[i].d.next = self.beat.val();
            }
        }
        self.wide.next = self.joined.bus.val();
    }
}
