//! GELU of one value.
//!
//! Twin of `edge_moe_kernels::gelu::gelu`: `max(x, 0) − δ(|x|)`, δ from a table
//! with step 1/32 and linear interpolation. |x| is aligned to thirteen fraction
//! bits first, so that index and fraction stand at fixed places; what that
//! shifts δ by is taken back when rounding. Beyond the table δ is zero.
//!
//! Throughput one a beat, latency [`Gelu::LATENCY`] beats. All operands travel
//! with x and may change every beat. Without `apply` x comes out as it went in.

use edge_moe_kernels::tables::GELU_DELTA;

use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct Gelu {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, S<16>>,
    pub apply: Signal<In, Bit>,
    /// Fraction bits of x and result, 9…13.
    pub fraction_bits: Signal<In, Bits<4>>,
    pub result: Signal<Out, S<16>>,

    /// δ; an entry is a value (14 bits) above difference to the next (11 bits, signed).
    delta: Rom<25, 8>,
    aligner: ShiftLeft<17, 21, 3>,
    shifter: ArithmeticShiftRight<13, 3>,
    looked_up: Register<Bits<25>>,
    magnitude: Register<S<17>>,
    outside: Register<Bit>,
    fraction: [Register<S<9>>; 2],
    product: Register<S<20>>,
    value: Register<Bits<14>>,
    sum: Register<S<23>>,
    rounded: Register<S<13>>,
    difference: Register<S<16>>,
    /// 13 − f beside `magnitude` and what follows, up to `sum`.
    places: [Register<Bits<3>>; 5],
    /// x, or max(x, 0), beside `magnitude` and what follows, up to `rounded`.
    base: [Register<S<16>>; 6],
    scaled: Signal<Local, Bits<23>>,
    plus_one: Signal<Local, S<14>>,
    zero: Constant<S<17>>,
    one: Constant<S<14>>,
    /// 13 in three bits.
    most_fraction_bits: Constant<Bits<3>>,
    last_entry: Constant<Bits<8>>,
}

impl Gelu {
    /// Beats from operands to result.
    pub const LATENCY: usize = 7;
}

/// Entries of the table; all behind them are zero, and so is the last one that `Rom` adds.
fn entries() -> impl Iterator<Item = u64> {
    GELU_DELTA.windows(2).map(|pair| {
        let difference = pair[1] - pair[0];
        assert!((0..1 << 14).contains(&pair[0]) && (-1024..1024).contains(&difference));
        (pair[0] as u64) << 11 | (difference as u64 & 0x7ff)
    })
}

impl Default for Gelu {
    fn default() -> Self {
        assert!(GELU_DELTA.len() <= 256, "the last entry stands for all beyond the table");
        Self {
            clock: Default::default(),
            x: Default::default(),
            apply: Default::default(),
            fraction_bits: Default::default(),
            result: Default::default(),
            delta: Rom::new(entries()),
            aligner: Default::default(),
            shifter: Default::default(),
            looked_up: Default::default(),
            magnitude: Default::default(),
            outside: Default::default(),
            fraction: Default::default(),
            product: Default::default(),
            value: Default::default(),
            sum: Default::default(),
            rounded: Default::default(),
            difference: Default::default(),
            places: Default::default(),
            base: Default::default(),
            scaled: Default::default(),
            plus_one: Default::default(),
            zero: Constant::new(S::new(0)),
            one: Constant::new(S::new(1)),
            most_fraction_bits: Constant::new((13_u64 & 7).into()),
            last_entry: Constant::new(255_u64.into()),
        }
    }
}

impl Logic for Gelu {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, looked_up, magnitude, outside, product, value, sum, rounded, difference);
        self.delta.clock.next = self.clock.val();
        for i in 0..2 {
            self.fraction[i].clock.next = self.clock.val();
        }
        for i in 0..5 {
            self.places[i].clock.next = self.clock.val();
        }
        for i in 0..6 {
            self.base[i].clock.next = self.clock.val();
        }
        for i in 1..5 {
            self.places[i].d.next = self.places[i - 1].q.val();
        }
        for i in 1..6 {
            self.base[i].d.next = self.base[i - 1].q.val();
        }

        // Beat 1: |x|, and what δ is taken from.
        self.magnitude.d.next = self.x.val().into();
        self.base[0].d.next = self.x.val();
        if self.x.val().get_bit(15) {
            self.magnitude.d.next = (self.zero.val() - self.x.val()).into();
            if self.apply.val() {
                self.base[0].d.next = self.zero.val().into();
            }
        }
        self.outside.d.next = !self.apply.val();
        self.places[0].d.next = self.most_fraction_bits.val() - self.fraction_bits.val().get_bits::<3>(0);

        // Beat 2: look δ up.
        self.aligner.x.next = self.magnitude.q.val();
        self.aligner.amount.next = self.places[0].q.val();
        self.delta.enable.next = true;
        self.delta.address.next = self.aligner.y.val().get_bits::<8>(8);
        if self.outside.q.val() | self.aligner.y.val().get_bits::<5>(16).any() {
            self.delta.address.next = self.last_entry.val();
        }
        self.fraction[0].d.next = bit_cast::<9, 8>(self.aligner.y.val().get_bits::<8>(0)).to_signed_bits();

        // Beat 3: hold what was looked up.
        self.looked_up.d.next = self.delta.data.val();
        self.fraction[1].d.next = self.fraction[0].q.val();

        // Beat 4: multiply.
        self.product.d.next =
            (self.looked_up.q.val().get_bits::<11>(0).to_signed_bits() * self.fraction[1].q.val()).into();
        self.value.d.next = self.looked_up.q.val().get_bits::<14>(11);

        // Beat 5: add.
        self.scaled.next = bit_cast::<23, 14>(self.value.q.val()) << 8;
        self.sum.d.next = (self.product.q.val() + self.scaled.val().to_signed_bits()).into();

        // Beat 6: shift right by 11 + 13 − f and round.
        self.shifter.x.next = self.sum.q.val().get_bits::<13>(10).to_signed_bits();
        self.shifter.amount.next = self.places[4].q.val();
        self.plus_one.next = (self.shifter.y.val() + self.one.val()).into();
        self.rounded.d.next = self.plus_one.val().get_bits::<13>(1).to_signed_bits();

        // Beat 7: subtract.
        self.difference.d.next = (self.base[5].q.val() - self.rounded.q.val()).into();
        self.result.next = self.difference.q.val();
    }
}
