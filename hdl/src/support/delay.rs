//! Delay lines.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff_setup;
use std::array::from_fn;

use super::Register;

/// `q` is what `d` was N beats ago.
#[derive(LogicBlock)]
pub struct Delay<T: Synth, const N: usize> {
    pub clock: Signal<In, Clock>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
    stage: [Register<T>; N],
}

impl<T: Synth, const N: usize> Default for Delay<T, N> {
    fn default() -> Self {
        assert!(N > 0, "a delay of no beats is a wire");
        Self {
            clock: Default::default(),
            d: Default::default(),
            q: Default::default(),
            stage: from_fn(|_| Default::default()),
        }
    }
}

impl<T: Synth, const N: usize> Logic for Delay<T, N> {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..N {
            self.stage[i].clock.next = self.clock.val();
        }
        self.stage[0].d.next = self.d.val();
        for i in 1..N {
            self.stage[i].d.next = self.stage[i - 1].q.val();
        }
        // The last of these assignments holds.
        for i in 0..N {
            self.q.next = self.stage[i].q.val();
        }
    }
}

/// The delay of a valid bit by N > 1 beats: reset forgets what is on its way.
#[derive(LogicBlock)]
pub struct ValidDelay<const N: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub d: Signal<In, Bit>,
    pub q: Signal<Out, Bit>,
    /// Any stage holds a valid bit; from a register, not from a gate behind all stages.
    pub any: Signal<Out, Bit>,
    stages: Register<Bits<N>>,
    holds: Register<Bit>,
}

impl<const N: usize> Default for ValidDelay<N> {
    fn default() -> Self {
        assert!(N > 1, "a delay of one beat is a register");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            d: Default::default(),
            q: Default::default(),
            any: Default::default(),
            stages: Default::default(),
            holds: Default::default(),
        }
    }
}

impl<const N: usize> Logic for ValidDelay<N> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, stages, holds);
        self.stages.d.next = (self.stages.q.val() << 1) | bit_cast::<N, 1>(self.d.val().into());
        if self.reset.val() {
            self.stages.d.next = 0.into();
        }
        // The last stage is the highest bit.
        for i in (N - 1)..N {
            self.q.next = self.stages.q.val().get_bit(i);
        }
        self.holds.d.next = self.stages.d.val().any();
        self.any.next = self.holds.q.val();
    }
}
