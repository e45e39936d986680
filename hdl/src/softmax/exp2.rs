//! 2^−x of a key's distance to the maximum.

use edge_moe_kernels::tables::EXP2;

use crate::support::prelude::*;

/// `kernels::softmax::exp2_negative`: 2^−x in Q0.16.
///
/// Throughput one a beat, latency [`Exp2Negative::LATENCY`] beats.
#[derive(LogicBlock)]
pub struct Exp2Negative {
    pub clock: Signal<In, Clock>,
    /// 8 fraction bits.
    pub x: Signal<In, Bits<17>>,
    pub result: Signal<Out, Bits<16>>,

    powers: Rom<16, 8>,
    /// The integer part of x, or more than the bits that there are to shift.
    places: Register<Bits<5>>,
    doubled: Signal<Local, Bits<17>>,
    shifted: Register<Bits<17>>,
    plus_one: Signal<Local, Bits<17>>,
    rounded: Register<Bits<16>>,
}

impl Exp2Negative {
    /// Beats from operand to result.
    pub const LATENCY: usize = 3;
}

impl Default for Exp2Negative {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            x: Default::default(),
            result: Default::default(),
            powers: Rom::new(EXP2[..256].iter().map(|&entry| entry as u64)),
            places: Default::default(),
            doubled: Default::default(),
            shifted: Default::default(),
            plus_one: Default::default(),
            rounded: Default::default(),
        }
    }
}

impl Logic for Exp2Negative {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, places, shifted, rounded);
        self.powers.clock.next = self.clock.val();

        // Beat 1: look up the fraction.
        self.powers.enable.next = true;
        self.powers.address.next = self.x.val().get_bits::<8>(0);
        self.places.d.next = self.x.val().get_bits::<5>(8);
        if self.x.val().get_bits::<4>(13).any() {
            self.places.d.next = 31.into();
        }

        // Beat 2: all but the last place of twice the entry.
        self.doubled.next = bit_cast::<17, 16>(self.powers.data.val()) << 1;
        self.shifted.d.next = self.doubled.val() >> self.places.q.val();

        // Beat 3: round, the last place.
        self.plus_one.next = self.shifted.q.val() + 1;
        self.rounded.d.next = self.plus_one.val().get_bits::<16>(1);
        self.result.next = self.rounded.q.val();
    }
}
