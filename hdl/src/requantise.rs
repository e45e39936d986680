//! Requantise: an accumulator to an integer of 9 or 16 bits.
//!
//! Twin of `edge_moe_kernels::fixed::Requantise::apply`:
//! `sat((acc·m + (b << t) + 2^(s−1)) >> s)`. The rounding shift is a shift by
//! s − 1, plus one, and a shift by one.
//!
//! Throughput one a beat, latency [`Requantise::LATENCY`] beats. All operands
//! travel with their accumulator and may change every beat.

use crate::support::prelude::*;

/// Bits of a sum that can be a result: sixteen, the last place that is cut off, and one so that the bounds fit.
const SHIFTED: usize = 18;

#[derive(LogicBlock)]
pub struct Requantise {
    pub clock: Signal<In, Clock>,
    pub acc: Signal<In, S<36>>,
    /// m: u16 of a linear layer or s16 of a LayerNorm.
    pub multiplier: Signal<In, S<18>>,
    /// b.
    pub bias: Signal<In, S<32>>,
    /// t, 0…24.
    pub bias_shift: Signal<In, Bits<5>>,
    /// s, 1…47.
    pub shift: Signal<In, Bits<6>>,
    /// Saturate at nine bits, not sixteen.
    pub nine_bits: Signal<In, Bit>,
    pub result: Signal<Out, S<16>>,

    taken_acc: Register<S<36>>,
    taken_multiplier: Register<S<18>>,
    taken_bias: Register<S<32>>,
    taken_bias_shift: Register<Bits<5>>,
    bias_shifter: ShiftLeft<32, 57, 5>,
    shifter: ShiftRightInto<57, SHIFTED, 6>,
    product: Register<S<54>>,
    biased: Register<S<57>>,
    sum: Register<S<57>>,
    shifted: Register<S<SHIFTED>>,
    /// `shifted` is not all of the sum, whose sign stands here.
    lost: Register<Bit>,
    negative: Register<Bit>,
    rounded: Register<S<16>>,
    /// The result is greater than all that it may be, or less.
    above: Register<Bit>,
    below: Register<Bit>,
    /// s − 1 beside the operands, `product` and `sum`.
    places: [Register<Bits<6>>; 3],
    /// `nine_bits` beside the operands, `product`, `sum`, `shifted` and `rounded`.
    nine: [Register<Bit>; 5],
    // Bounds of `shifted`: a result is half of it plus one, rounded down.
    plus_one: Signal<Local, S<SHIFTED>>,
    one: Constant<S<SHIFTED>>,
    greatest_16: Constant<S<SHIFTED>>,
    least_16: Constant<S<SHIFTED>>,
    greatest_9: Constant<S<SHIFTED>>,
    least_9: Constant<S<SHIFTED>>,
    most: Constant<S<16>>,
    least: Constant<S<16>>,
    most_of_nine: Constant<S<16>>,
    least_of_nine: Constant<S<16>>,
}

impl Requantise {
    /// Beats from operands to result.
    pub const LATENCY: usize = 5;
}

impl Default for Requantise {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            acc: Default::default(),
            multiplier: Default::default(),
            bias: Default::default(),
            bias_shift: Default::default(),
            shift: Default::default(),
            nine_bits: Default::default(),
            result: Default::default(),
            taken_acc: Default::default(),
            taken_multiplier: Default::default(),
            taken_bias: Default::default(),
            taken_bias_shift: Default::default(),
            bias_shifter: Default::default(),
            shifter: Default::default(),
            product: Default::default(),
            biased: Default::default(),
            sum: Default::default(),
            shifted: Default::default(),
            lost: Default::default(),
            negative: Default::default(),
            rounded: Default::default(),
            above: Default::default(),
            below: Default::default(),
            places: Default::default(),
            nine: Default::default(),
            plus_one: Default::default(),
            one: Constant::new(S::new(1)),
            greatest_16: Constant::new(S::new(2 * i64::from(i16::MAX))),
            least_16: Constant::new(S::new(2 * i64::from(i16::MIN) - 1)),
            greatest_9: Constant::new(S::new(2 * 255)),
            least_9: Constant::new(S::new(2 * -256 - 1)),
            most: Constant::new(S::new(i16::MAX.into())),
            least: Constant::new(S::new(i16::MIN.into())),
            most_of_nine: Constant::new(S::new(255)),
            least_of_nine: Constant::new(S::new(-256)),
        }
    }
}

impl Logic for Requantise {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, taken_acc, taken_multiplier, taken_bias, taken_bias_shift);
        dff_setup!(self, clock, product, biased, sum, shifted, lost, negative, rounded, above, below);
        for i in 0..3 {
            self.places[i].clock.next = self.clock.val();
        }
        for i in 0..5 {
            self.nine[i].clock.next = self.clock.val();
        }
        for i in 1..3 {
            self.places[i].d.next = self.places[i - 1].q.val();
        }
        for i in 1..5 {
            self.nine[i].d.next = self.nine[i - 1].q.val();
        }

        // Beat 1: the operands.
        self.taken_acc.d.next = self.acc.val();
        self.taken_multiplier.d.next = self.multiplier.val();
        self.taken_bias.d.next = self.bias.val();
        self.taken_bias_shift.d.next = self.bias_shift.val();
        self.places[0].d.next = self.shift.val() - 1;
        self.nine[0].d.next = self.nine_bits.val();

        // Beat 2: multiply, shift the bias.
        self.product.d.next = (self.taken_acc.q.val() * self.taken_multiplier.q.val()).into();
        self.bias_shifter.x.next = self.taken_bias.q.val();
        self.bias_shifter.amount.next = self.taken_bias_shift.q.val();
        self.biased.d.next = self.bias_shifter.y.val();

        // Beat 3: add.
        self.sum.d.next = (self.product.q.val() + self.biased.q.val()).into();

        // Beat 4: all but the last place.
        self.shifter.x.next = self.sum.q.val();
        self.shifter.amount.next = self.places[2].q.val();
        self.shifted.d.next = self.shifter.y.val();
        self.lost.d.next = self.shifter.lost.val();
        self.negative.d.next = self.sum.q.val().get_bit(56);

        // Beat 5: round, the last place; whether it must saturate.
        self.plus_one.next = (self.shifted.q.val() + self.one.val()).into();
        self.rounded.d.next = self.plus_one.val().get_bits::<16>(1).to_signed_bits();
        self.above.d.next = self.shifted.q.val() > self.greatest_16.val();
        self.below.d.next = self.shifted.q.val() < self.least_16.val();
        if self.nine[3].q.val() {
            self.above.d.next = self.shifted.q.val() > self.greatest_9.val();
            self.below.d.next = self.shifted.q.val() < self.least_9.val();
        }

        if self.lost.q.val() {
            self.above.d.next = !self.negative.q.val();
            self.below.d.next = self.negative.q.val();
        }

        // Saturate.
        self.result.next = self.rounded.q.val();
        if self.above.q.val() {
            self.result.next = self.most.val();
            if self.nine[4].q.val() {
                self.result.next = self.most_of_nine.val();
            }
        }
        if self.below.q.val() {
            self.result.next = self.least.val();
            if self.nine[4].q.val() {
                self.result.next = self.least_of_nine.val();
            }
        }
    }
}
