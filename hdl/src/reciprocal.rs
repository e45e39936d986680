//! 1/x and 1/√v of integers, as a 17-bit mantissa and an exponent.
//!
//! Twins of `edge_moe_kernels::reciprocal::{reciprocal, inverse_root}`. The
//! operand moves left until its leading one (for 1/√v: its leading pair of
//! bits) stands at the top, by halves of what is left to move; each step that
//! need not move is a bit of the exponent. The eight bits behind 1.0 address a
//! table, the next twelve interpolate in it, the rest is cut off.
//!
//! | beats | what |
//! |---:|---|
//! | 1, 2 | operand normalised, exponent |
//! | 3 | table |
//! | 4 | entry held |
//! | 5 | product of the interpolation |
//! | 6 | mantissa, rounded |
//!
//! Throughput one a beat, latency [`LATENCY`] beats, no back-pressure:
//! `result_valid` is `valid` of that many beats ago. An operand of zero gives
//! a result without meaning.

use edge_moe_kernels::tables;

use crate::support::prelude::*;

/// Beats from an operand to its result.
pub const LATENCY: usize = 6;
/// Beats from the second half of the normalisation to the result.
const SECOND_HALF: usize = 5;

/// 1/x of an integer x ≥ 1.
#[derive(LogicBlock)]
pub struct Reciprocal {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub x: Signal<In, Bits<32>>,
    pub result_valid: Signal<Out, Bit>,
    /// 1/x = mantissa · 2^−17 · 2^−exponent.
    pub mantissa: Signal<Out, Bits<17>>,
    pub exponent: Signal<Out, Bits<5>>,

    by_16: Step<32, 16>,
    by_8: Step<32, 8>,
    by_4: Step<32, 4>,
    by_2: Step<32, 2>,
    by_1: Step<32, 1>,
    half: Register<Bits<32>>,
    stayed_16: Register<Bit>,
    stayed_8: Register<Bit>,
    normal: Register<Bits<32>>,
    places: Concat<Bit, 5, 5>,
    exponents: Delay<Bits<5>, SECOND_HALF>,
    interpolate: Interpolate<8>,
    valids: ValidDelay<LATENCY>,
}

impl Default for Reciprocal {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid: Default::default(),
            x: Default::default(),
            result_valid: Default::default(),
            mantissa: Default::default(),
            exponent: Default::default(),
            by_16: Default::default(),
            by_8: Default::default(),
            by_4: Default::default(),
            by_2: Default::default(),
            by_1: Default::default(),
            half: Default::default(),
            stayed_16: Default::default(),
            stayed_8: Default::default(),
            normal: Default::default(),
            places: Default::default(),
            exponents: Default::default(),
            interpolate: Interpolate::new(0, &tables::RECIPROCAL),
            valids: Default::default(),
        }
    }
}

impl Logic for Reciprocal {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, half, stayed_16, stayed_8, normal);
        self.exponents.clock.next = self.clock.val();
        self.interpolate.clock.next = self.clock.val();
        self.valids.clock.next = self.clock.val();
        self.valids.reset.next = self.reset.val();
        self.valids.d.next = self.valid.val();
        self.result_valid.next = self.valids.q.val();

        // Beat 1.
        self.by_16.x.next = self.x.val();
        self.by_8.x.next = self.by_16.y.val();
        self.half.d.next = self.by_8.y.val();
        self.stayed_16.d.next = self.by_16.stays.val();
        self.stayed_8.d.next = self.by_8.stays.val();

        // Beat 2.
        self.by_4.x.next = self.half.q.val();
        self.by_2.x.next = self.by_4.y.val();
        self.by_1.x.next = self.by_2.y.val();
        self.normal.d.next = self.by_1.y.val();
        self.places.lane[4].next = self.stayed_16.q.val();
        self.places.lane[3].next = self.stayed_8.q.val();
        self.places.lane[2].next = self.by_4.stays.val();
        self.places.lane[1].next = self.by_2.stays.val();
        self.places.lane[0].next = self.by_1.stays.val();
        self.exponents.d.next = self.places.bus.val();

        // Beats 3 to 6: bit 31 is 1.0.
        self.interpolate.index.next = self.normal.q.val().get_bits::<8>(23);
        self.interpolate.fraction.next = self.normal.q.val().get_bits::<12>(11);
        self.mantissa.next = self.interpolate.mantissa.val();
        self.exponent.next = self.exponents.q.val();
    }
}

/// 1/√v of an integer v ≥ 1.
#[derive(LogicBlock)]
pub struct InverseRoot {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub v: Signal<In, Bits<64>>,
    pub result_valid: Signal<Out, Bit>,
    /// 1/√v = mantissa · 2^−17 · 2^−exponent.
    pub mantissa: Signal<Out, Bits<17>>,
    pub exponent: Signal<Out, Bits<5>>,

    by_32: Step<64, 32>,
    by_16: Step<64, 16>,
    by_8: Step<64, 8>,
    by_4: Step<64, 4>,
    by_2: Step<64, 2>,
    half: Register<Bits<64>>,
    stayed_32: Register<Bit>,
    stayed_16: Register<Bit>,
    normal: Register<Bits<64>>,
    places: Concat<Bit, 5, 5>,
    exponents: Delay<Bits<5>, SECOND_HALF>,
    interpolate: Interpolate<10>,
    valids: ValidDelay<LATENCY>,
}

impl Default for InverseRoot {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid: Default::default(),
            v: Default::default(),
            result_valid: Default::default(),
            mantissa: Default::default(),
            exponent: Default::default(),
            by_32: Default::default(),
            by_16: Default::default(),
            by_8: Default::default(),
            by_4: Default::default(),
            by_2: Default::default(),
            half: Default::default(),
            stayed_32: Default::default(),
            stayed_16: Default::default(),
            normal: Default::default(),
            places: Default::default(),
            exponents: Default::default(),
            // 1.0 = 256/256: the index keeps its integer part, never zero.
            interpolate: Interpolate::new(256, &tables::INVERSE_ROOT),
            valids: Default::default(),
        }
    }
}

impl Logic for InverseRoot {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, half, stayed_32, stayed_16, normal);
        self.exponents.clock.next = self.clock.val();
        self.interpolate.clock.next = self.clock.val();
        self.valids.clock.next = self.clock.val();
        self.valids.reset.next = self.reset.val();
        self.valids.d.next = self.valid.val();
        self.result_valid.next = self.valids.q.val();

        // Beat 1.
        self.by_32.x.next = self.v.val();
        self.by_16.x.next = self.by_32.y.val();
        self.half.d.next = self.by_16.y.val();
        self.stayed_32.d.next = self.by_32.stays.val();
        self.stayed_16.d.next = self.by_16.stays.val();

        // Beat 2: even numbers of places only, each worth half of it in the exponent.
        self.by_8.x.next = self.half.q.val();
        self.by_4.x.next = self.by_8.y.val();
        self.by_2.x.next = self.by_4.y.val();
        self.normal.d.next = self.by_2.y.val();
        self.places.lane[4].next = self.stayed_32.q.val();
        self.places.lane[3].next = self.stayed_16.q.val();
        self.places.lane[2].next = self.by_8.stays.val();
        self.places.lane[1].next = self.by_4.stays.val();
        self.places.lane[0].next = self.by_2.stays.val();
        self.exponents.d.next = self.places.bus.val();

        // Beats 3 to 6: bit 62 is 1.0.
        self.interpolate.index.next = self.normal.q.val().get_bits::<10>(54);
        self.interpolate.fraction.next = self.normal.q.val().get_bits::<12>(42);
        self.mantissa.next = self.interpolate.mantissa.val();
        self.exponent.next = self.exponents.q.val();
    }
}

/// Moves W bits left by K places if the top K are zero.
#[derive(LogicBlock)]
struct Step<const W: usize, const K: usize> {
    pub x: Signal<In, Bits<W>>,
    pub y: Signal<Out, Bits<W>>,
    pub stays: Signal<Out, Bit>,
    top: Signal<Local, Bits<K>>,
    places: Constant<Bits<6>>,
}

impl<const W: usize, const K: usize> Default for Step<W, K> {
    fn default() -> Self {
        Self {
            x: Default::default(),
            y: Default::default(),
            stays: Default::default(),
            top: Default::default(),
            places: Constant::new((K as u64).into()),
        }
    }
}

impl<const W: usize, const K: usize> Logic for Step<W, K> {
    #[hdl_gen]
    fn update(&mut self) {
        // One round: the const generics as a number.
        for low in (W - K)..(W - K + 1) {
            self.top.next = self.x.val().get_bits::<K>(low);
        }
        self.stays.next = self.top.val().any();
        self.y.next = self.x.val();
        if !self.top.val().any() {
            self.y.next = self.x.val() << self.places.val();
        }
    }
}

/// A mantissa between two entries of a table, rounded to nearest; four beats.
#[derive(LogicBlock)]
struct Interpolate<const A: usize> {
    pub clock: Signal<In, Clock>,
    pub index: Signal<In, Bits<A>>,
    pub fraction: Signal<In, Bits<12>>,
    pub mantissa: Signal<Out, Bits<17>>,

    /// An entry, u17, and above it the way to the next, s10.
    pairs: Rom<27, A>,
    looked_up: Register<Bits<27>>,
    entry: Signal<Local, Bits<30>>,
    slope: Signal<Local, S<10>>,
    fractions: Delay<Bits<12>, 2>,
    positive: Signal<Local, Bits<13>>,
    product: Register<S<22>>,
    /// The entry with twelve fraction bits, and half a step.
    value: Register<S<30>>,
    result: Register<S<30>>,
}

impl<const A: usize> Interpolate<A> {
    /// The table's first entry gets index `first`.
    fn new(first: usize, table: &[i32]) -> Self {
        let pair = |pair: &[i32]| {
            let slope = pair[1] - pair[0];
            assert!((-1 << 9..1 << 9).contains(&slope), "a table as steep as {slope}");
            pair[0] as u64 | (slope as u64 & 0x3ff) << 17
        };
        let pairs = table.windows(2).map(pair);
        Self {
            clock: Default::default(),
            index: Default::default(),
            fraction: Default::default(),
            mantissa: Default::default(),
            pairs: Rom::new(std::iter::repeat_n(0, first).chain(pairs)),
            looked_up: Default::default(),
            entry: Default::default(),
            slope: Default::default(),
            fractions: Default::default(),
            positive: Default::default(),
            product: Default::default(),
            value: Default::default(),
            result: Default::default(),
        }
    }
}

impl<const A: usize> Logic for Interpolate<A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, looked_up, product, value, result);
        self.fractions.clock.next = self.clock.val();
        self.pairs.clock.next = self.clock.val();

        // Beat 1: look up.
        self.pairs.enable.next = true;
        self.pairs.address.next = self.index.val();
        self.fractions.d.next = self.fraction.val();

        // Beat 2: hold what was looked up.
        self.looked_up.d.next = self.pairs.data.val();

        // Beat 3: multiply.
        self.slope.next = self.looked_up.q.val().get_bits::<10>(17).to_signed_bits();
        self.positive.next = bit_cast::<13, 12>(self.fractions.q.val());
        self.product.d.next = (self.slope.val() * self.positive.val().to_signed_bits()).into();
        self.entry.next = (bit_cast::<30, 17>(self.looked_up.q.val().get_bits::<17>(0)) << 12) + 2048;
        self.value.d.next = self.entry.val().to_signed_bits();

        // Beat 4: add, cut off the fraction.
        self.result.d.next = (self.value.q.val() + self.product.q.val()).into();
        self.mantissa.next = self.result.q.val().get_bits::<17>(12);
    }
}
