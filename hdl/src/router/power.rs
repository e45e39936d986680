//! 2^−x of the distance of two gate logits.
//!
//! Twin of `exp2_negative` in `edge_moe_kernels::route`: 2^−x for the fraction
//! of x from a table with 256 entries, interpolated; shifted by the whole part
//! and rounded once. All of it stands times two, so that the rounding after a
//! shift by four places is one addition.
//!
//! | beat | what |
//! |---:|---|
//! | 1 | table |
//! | 2 | entry held |
//! | 3 | product of the interpolation |
//! | 4 | sum |
//! | 5 | shift, rounding |
//!
//! Throughput one a beat, latency [`LATENCY`] beats.

use edge_moe_kernels::route::GATE_FRACTION_BITS;
use edge_moe_kernels::tables::EXP2;

use crate::support::prelude::*;

/// Beats from a distance to its power.
pub const LATENCY: usize = 5;

#[derive(LogicBlock)]
pub struct Power {
    pub clock: Signal<In, Clock>,
    /// x ≥ 0, eleven fraction bits.
    pub distance: Signal<In, Bits<16>>,
    /// Q0.16.
    pub power: Signal<Out, Bits<16>>,

    /// An entry, u16, and above it the way to the next, s9.
    pairs: Rom<25, 8>,
    looked_up: Register<Bits<25>>,
    whole: Delay<Bits<5>, 4>,
    rest: Delay<Bits<3>, 2>,
    slope: Signal<Local, S<9>>,
    twice_rest: Signal<Local, Bits<5>>,
    product: Register<S<14>>,
    twice_entry: Signal<Local, Bits<21>>,
    entry: Register<S<21>>,
    value: Register<S<21>>,
    shifter: ArithmeticShiftRight<21, 5>,
    rounded: Signal<Local, S<21>>,
    result: Register<Bits<16>>,
    half: Constant<S<21>>,
}

impl Default for Power {
    fn default() -> Self {
        assert_eq!(GATE_FRACTION_BITS, 11, "what the slices of the distance are made for");
        let pair = |pair: &[i32]| {
            let slope = pair[1] - pair[0];
            assert!((-1 << 8..1 << 8).contains(&slope), "a table as steep as {slope}");
            pair[0] as u64 | (slope as u64 & 0x1ff) << 16
        };
        Self {
            clock: Default::default(),
            distance: Default::default(),
            power: Default::default(),
            pairs: Rom::new(EXP2.windows(2).map(pair)),
            looked_up: Default::default(),
            whole: Default::default(),
            rest: Default::default(),
            slope: Default::default(),
            twice_rest: Default::default(),
            product: Default::default(),
            twice_entry: Default::default(),
            entry: Default::default(),
            value: Default::default(),
            shifter: Default::default(),
            rounded: Default::default(),
            result: Default::default(),
            half: Constant::new(S::new(8)),
        }
    }
}

impl Logic for Power {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, looked_up, product, entry, value, result);
        self.pairs.clock.next = self.clock.val();
        self.whole.clock.next = self.clock.val();
        self.rest.clock.next = self.clock.val();

        // Beat 1: look up.
        self.pairs.enable.next = true;
        self.pairs.address.next = self.distance.val().get_bits::<8>(3);
        self.rest.d.next = self.distance.val().get_bits::<3>(0);
        self.whole.d.next = self.distance.val().get_bits::<5>(11);

        // Beat 2: hold what was looked up.
        self.looked_up.d.next = self.pairs.data.val();

        // Beat 3: multiply.
        self.slope.next = self.looked_up.q.val().get_bits::<9>(16).to_signed_bits();
        self.twice_rest.next = bit_cast::<5, 3>(self.rest.q.val()) << 1;
        self.product.d.next = (self.slope.val() * self.twice_rest.val().to_signed_bits()).into();
        self.twice_entry.next = bit_cast::<21, 16>(self.looked_up.q.val().get_bits::<16>(0)) << 4;
        self.entry.d.next = self.twice_entry.val().to_signed_bits();

        // Beat 4: add.
        self.value.d.next = (self.entry.q.val() + self.product.q.val()).into();

        // Beat 5: shift and round.
        self.shifter.x.next = self.value.q.val();
        self.shifter.amount.next = self.whole.q.val();
        self.rounded.next = (self.shifter.y.val() + self.half.val()).into();
        self.result.d.next = self.rounded.val().get_bits::<16>(4);
        self.power.next = self.result.q.val();
    }
}
