//! Runs of memory cut into bursts.

use super::CHUNK_BEATS;
use crate::support::prelude::*;

/// Cuts runs, one after another, at chunks of 16 beats of 2^B bytes.
///
/// One burst a beat; a run is accepted as the last burst of the one before
/// leaves. The first burst is offered the beat after.
#[derive(LogicBlock)]
pub struct Cutter<const B: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub run_valid: Signal<In, Bit>,
    pub run_ready: Signal<Out, Bit>,
    /// A multiple of 2^B bytes.
    pub run_address: Signal<In, Bits<32>>,
    /// A multiple of 2^B bytes, not zero.
    pub run_bytes: Signal<In, Bits<32>>,

    pub burst_valid: Signal<Out, Bit>,
    pub burst_ready: Signal<In, Bit>,
    pub burst_address: Signal<Out, Bits<32>>,
    /// 1 to 16.
    pub burst_beats: Signal<Out, Bits<5>>,

    active: Register<Bit>,
    address: Register<Bits<32>>,
    left: Register<Bits<32>>,
    /// From the start of a run's first chunk; from the address to the end of its chunk.
    offset: Signal<Local, Bits<32>>,
    behind: Register<Bits<32>>,
    step: Signal<Local, Bits<32>>,
    last: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    chunk: Constant<Bits<32>>,
    mask: Constant<Bits<32>>,
}

impl<const B: usize> Default for Cutter<B> {
    fn default() -> Self {
        let chunk = (CHUNK_BEATS << B) as u64;
        assert!(chunk <= 4096, "chunks of {chunk} bytes exceed a page of AXI4");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            run_valid: Default::default(),
            run_ready: Default::default(),
            run_address: Default::default(),
            run_bytes: Default::default(),
            burst_valid: Default::default(),
            burst_ready: Default::default(),
            burst_address: Default::default(),
            burst_beats: Default::default(),
            active: Default::default(),
            address: Default::default(),
            left: Default::default(),
            offset: Default::default(),
            behind: Default::default(),
            step: Default::default(),
            last: Default::default(),
            leaves: Default::default(),
            chunk: Constant::new(chunk.into()),
            mask: Constant::new((chunk - 1).into()),
        }
    }
}

impl<const B: usize> Logic for Cutter<B> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, address, left, behind);
        self.offset.next = self.run_address.val() & self.mask.val();
        self.last.next = self.left.q.val() <= self.behind.q.val();
        self.step.next = self.behind.q.val();
        if self.last.val() {
            self.step.next = self.left.q.val();
        }
        self.burst_valid.next = self.active.q.val();
        self.burst_address.next = self.address.q.val();
        for shift in B..(B + 1) {
            self.burst_beats.next = self.step.val().get_bits::<5>(shift);
        }

        self.leaves.next = self.active.q.val() & self.burst_ready.val();
        if self.leaves.val() {
            self.active.d.next = !self.last.val();
            // Of a run that goes on; all its chunks but the first begin at their start.
            self.address.d.next = self.address.q.val() + self.behind.q.val();
            self.left.d.next = self.left.q.val() - self.behind.q.val();
            self.behind.d.next = self.chunk.val();
        }
        self.run_ready.next = !self.active.q.val() | (self.leaves.val() & self.last.val());
        if self.run_valid.val() & self.run_ready.val() {
            self.active.d.next = true;
            self.address.d.next = self.run_address.val();
            self.left.d.next = self.run_bytes.val();
            self.behind.d.next = self.chunk.val() - self.offset.val();
        }

        if self.reset.val() {
            self.active.d.next = false;
        }
    }
}
