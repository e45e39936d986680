//! Softmax: the logits of P queries to probabilities of 8 bits and the scales
//! of their contexts, in one pass over the keys.
//!
//! Twin of `edge_moe_kernels::softmax`. [`Softmax`] holds P [`SoftmaxLane`]s
//! in lock-step, the control that they share, and one [`ContextScale`]; it
//! stands between the results of the lane array and its ports for
//! probabilities and context scales.
//!
//! **Push.** A beat with `push` writes one logit in each lane at
//! `push_address` and takes it into the running maximum of its bank, the
//! highest address bit; `push_first` forgets the maximum of the query before.
//!
//! **Read.** A beat with `read` names one key, in ascending order from
//! `read_first` to `read_last`, all in one bank. Probabilities leave as row
//! words of V operands, low element first, missing ones zero:
//!
//! | beats from `read` | what |
//! |---:|---|
//! | 0 | address of the score |
//! | 1 | score; its distance to the bank's maximum |
//! | 2–4 | 2^−distance |
//! | 5 | times 255 |
//! | 6 | plus carry: probability |
//! | 7 | packed, added to the sum |
//! | 8 | `probability_write`, if this key completes a word or is the last |
//! | 8 | `sum_valid` after the last key: the shared scale takes the sums of all lanes |
//! | 9 + [`ContextScale::LATENCY`] + i | `context_write` of lane i after the last key |
//!
//! Both may pause at any time and run side by side, each one key a beat.
//! `read_first` may come in the beat after the last push of its query, a
//! `push_first` into the same bank in the beat of `read_last`. There must be
//! P beats from one `read_last` to the next, for the shared scale. `reset`
//! forgets whatever is on its way.

use edge_moe_kernels::reciprocal::MANTISSA_BITS;
use edge_moe_kernels::softmax::LOGIT_FRACTION_BITS;
use edge_moe_kernels::tables::EXP2;

use crate::reciprocal::{self, Reciprocal};
use crate::support::prelude::*;

/// Beats from a `read` to its probability, and to the sum that holds it.
pub const LATENCY: usize = PACKED + 1;
/// Beats from the last `read` to the context scale of lane 0.
pub const SCALE_LATENCY: usize = LATENCY + 1 + ContextScale::LATENCY;
/// Beats from a read to the probability with its carry.
const CARRIED: usize = 6;
/// Beats from a read to the packed probability.
const PACKED: usize = 7;

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

/// One lane: its scores, their maximum, and their probabilities.
///
/// Control is common to all lanes and comes from [`Softmax`], each signal in
/// the beat (of a push or of a read) in which it is used.
#[derive(LogicBlock)]
pub struct SoftmaxLane<const V: usize, const ROW: usize, const A: usize> {
    pub clock: Signal<In, Clock>,

    /// Beat 0 of a push.
    pub push: Signal<In, Bit>,
    pub push_address: Signal<In, Bits<A>>,
    pub logit: Signal<In, S<16>>,
    /// Beat 1 of a push: takes the logit into the maximum of a bank, as its first.
    pub compare: Signal<In, Bit>,
    pub compare_first: Signal<In, Bit>,
    pub compare_bank: Signal<In, Bit>,

    /// Beat 0 of a read.
    pub read: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,
    /// Beat 1: the bank that it reads.
    pub maximum_bank: Signal<In, Bit>,
    /// Beat 6: takes the carry and leaves one.
    pub carry: Signal<In, Bit>,
    pub carry_first: Signal<In, Bit>,
    /// Beat 7: packs the probability as the element whose bit is set, and sums it.
    pub pack: Signal<In, Bit>,
    pub pack_first: Signal<In, Bit>,
    pub element: Signal<In, Bits<V>>,
    /// Beat 8: V probabilities as row operands.
    pub probabilities: Signal<Out, Bits<ROW>>,
    /// Beat 8: Σp.
    pub sum: Signal<Out, Bits<20>>,

    scores: Ram<16, A>,
    nearly_one: Constant<S<17>>,
    rounded_up: Signal<Local, S<17>>,
    /// The smallest integer that is not below the logit.
    ceiling: Register<S<9>>,
    maximum: [Register<S<9>>; 2],
    compared: Signal<Local, S<9>>,

    one: Constant<S<10>>,
    chosen: Signal<Local, S<9>>,
    difference: Signal<Local, S<18>>,
    distance: Register<Bits<17>>,
    exp2: Exp2Negative,
    power: Signal<Local, Bits<24>>,
    /// 2^−distance times 255.
    scaled: Register<Bits<24>>,
    carry_in: Signal<Local, Bits<24>>,
    carried: Signal<Local, Bits<24>>,
    /// What rounding has cut off so far.
    remainder: Register<Bits<16>>,
    probability: Register<Bits<8>>,
    word: [Register<Bits<9>>; V],
    operands: Concat<Bits<9>, V, ROW>,
    sum_before: Signal<Local, Bits<20>>,
    total: Register<Bits<20>>,
}

impl<const V: usize, const ROW: usize, const A: usize> Default for SoftmaxLane<V, ROW, A> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            push: Default::default(),
            push_address: Default::default(),
            logit: Default::default(),
            compare: Default::default(),
            compare_first: Default::default(),
            compare_bank: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            maximum_bank: Default::default(),
            carry: Default::default(),
            carry_first: Default::default(),
            pack: Default::default(),
            pack_first: Default::default(),
            element: Default::default(),
            probabilities: Default::default(),
            sum: Default::default(),
            scores: Default::default(),
            nearly_one: Constant::new(S::new((1 << LOGIT_FRACTION_BITS) - 1)),
            rounded_up: Default::default(),
            ceiling: Default::default(),
            maximum: Default::default(),
            compared: Default::default(),
            one: Constant::new(S::new(1 << LOGIT_FRACTION_BITS)),
            chosen: Default::default(),
            difference: Default::default(),
            distance: Default::default(),
            exp2: Default::default(),
            power: Default::default(),
            scaled: Default::default(),
            carry_in: Default::default(),
            carried: Default::default(),
            remainder: Default::default(),
            probability: Default::default(),
            word: from_fn(|_| Default::default()),
            operands: Default::default(),
            sum_before: Default::default(),
            total: Default::default(),
        }
    }
}

impl<const V: usize, const ROW: usize, const A: usize> Logic for SoftmaxLane<V, ROW, A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, ceiling, distance, scaled, remainder, probability, total);
        for i in 0..2 {
            self.maximum[i].clock.next = self.clock.val();
            self.maximum[i].d.next = self.maximum[i].q.val();
        }
        for i in 0..V {
            self.word[i].clock.next = self.clock.val();
            self.word[i].d.next = self.word[i].q.val();
        }
        self.scores.clock.next = self.clock.val();
        self.exp2.clock.next = self.clock.val();

        // Push.
        self.scores.write_enable.next = self.push.val();
        self.scores.write_address.next = self.push_address.val();
        self.scores.write_data.next = self.logit.val().get_bits::<16>(0);
        self.rounded_up.next = (self.logit.val() + self.nearly_one.val()).into();
        self.ceiling.d.next = self.rounded_up.val().get_bits::<9>(8).to_signed_bits();

        self.compared.next = self.maximum[0].q.val();
        if self.compare_bank.val() {
            self.compared.next = self.maximum[1].q.val();
        }
        if self.compare.val() & (self.compare_first.val() | (self.ceiling.q.val() > self.compared.val())) {
            if self.compare_bank.val() {
                self.maximum[1].d.next = self.ceiling.q.val();
            } else {
                self.maximum[0].d.next = self.ceiling.q.val();
            }
        }

        // Beats 0 and 1: score, distance.
        self.scores.read_enable.next = self.read.val();
        self.scores.read_address.next = self.read_address.val();
        self.chosen.next = self.maximum[0].q.val();
        if self.maximum_bank.val() {
            self.chosen.next = self.maximum[1].q.val();
        }
        self.difference.next =
            (self.chosen.val() * self.one.val() - self.scores.read_data.val().to_signed_bits()).into();
        self.distance.d.next = self.difference.val().get_bits::<17>(0);

        // Beats 2 to 4: power of two.
        self.exp2.x.next = self.distance.q.val();

        // Beat 5: times 255.
        self.power.next = bit_cast::<24, 16>(self.exp2.result.val());
        self.scaled.d.next = (self.power.val() << 8) - self.power.val();

        // Beat 6: round, leaving to the next key what is cut off.
        self.carry_in.next = bit_cast::<24, 16>(self.remainder.q.val());
        if self.carry_first.val() {
            self.carry_in.next = 0x8000.into();
        }
        self.carried.next = self.scaled.q.val() + self.carry_in.val();
        self.probability.d.next = self.carried.val().get_bits::<8>(16);
        if self.carry.val() {
            self.remainder.d.next = self.carried.val().get_bits::<16>(0);
        }

        // Beat 7: pack, sum. The first element of a word clears the others.
        self.sum_before.next = self.total.q.val();
        if self.pack_first.val() {
            self.sum_before.next = 0.into();
        }
        if self.pack.val() {
            self.total.d.next = self.sum_before.val() + bit_cast::<20, 8>(self.probability.q.val());
            for i in 0..V {
                if self.element.val().get_bit(i) {
                    self.word[i].d.next = bit_cast::<9, 8>(self.probability.q.val());
                } else if self.element.val().get_bit(0) {
                    self.word[i].d.next = 0.into();
                }
            }
        }

        // Beat 8.
        for i in 0..V {
            self.operands.lane[i].next = self.word[i].q.val();
        }
        self.probabilities.next = self.operands.bus.val();
        self.sum.next = self.total.q.val();
    }
}

/// `kernels::softmax::ContextScale::new`: 1/Σp folded into the multiplier and
/// the shift of a context.
///
/// Throughput one a beat, latency [`ContextScale::LATENCY`] beats, no
/// back-pressure. Multiplier and shift travel with their sum and may change
/// every beat.
#[derive(LogicBlock)]
pub struct ContextScale {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    /// Σp ≥ 1.
    pub sum: Signal<In, Bits<20>>,
    pub multiplier: Signal<In, Bits<16>>,
    /// 1…28.
    pub shift: Signal<In, Bits<5>>,
    pub result_valid: Signal<Out, Bit>,
    /// m′ and s′ of a [`Requantise`](crate::requantise::Requantise) without bias.
    pub context_multiplier: Signal<Out, Bits<16>>,
    pub context_shift: Signal<Out, Bits<6>>,

    reciprocal: Reciprocal,
    multipliers: Delay<Bits<16>, { reciprocal::LATENCY }>,
    shifts: Delay<Bits<5>, { reciprocal::LATENCY }>,
    operand: Signal<Local, S<17>>,
    mantissa: Signal<Local, S<18>>,
    product: Register<S<34>>,
    product_valid: Register<Bit>,
    /// s′ beside `product` and `rounded`.
    exponents: [Register<Bits<6>>; 2],
    half: Constant<S<34>>,
    plus_half: Signal<Local, S<34>>,
    rounded: Register<Bits<16>>,
    rounded_valid: Register<Bit>,
}

impl ContextScale {
    /// Beats from a sum to its scale.
    pub const LATENCY: usize = reciprocal::LATENCY + 2;
}

impl Default for ContextScale {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid: Default::default(),
            sum: Default::default(),
            multiplier: Default::default(),
            shift: Default::default(),
            result_valid: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            reciprocal: Default::default(),
            multipliers: Default::default(),
            shifts: Default::default(),
            operand: Default::default(),
            mantissa: Default::default(),
            product: Default::default(),
            product_valid: Default::default(),
            exponents: Default::default(),
            half: Constant::new(S::new(1 << (MANTISSA_BITS - 1))),
            plus_half: Default::default(),
            rounded: Default::default(),
            rounded_valid: Default::default(),
        }
    }
}

impl Logic for ContextScale {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, product, product_valid, rounded, rounded_valid);
        for i in 0..2 {
            self.exponents[i].clock.next = self.clock.val();
        }
        self.reciprocal.clock.next = self.clock.val();
        self.reciprocal.reset.next = self.reset.val();
        self.multipliers.clock.next = self.clock.val();
        self.shifts.clock.next = self.clock.val();

        self.reciprocal.valid.next = self.valid.val();
        self.reciprocal.x.next = bit_cast::<32, 20>(self.sum.val());
        self.multipliers.d.next = self.multiplier.val();
        self.shifts.d.next = self.shift.val();

        // Multiply.
        self.product_valid.d.next = self.reciprocal.result_valid.val();
        self.operand.next = bit_cast::<17, 16>(self.multipliers.q.val()).to_signed_bits();
        self.mantissa.next = bit_cast::<18, 17>(self.reciprocal.mantissa.val()).to_signed_bits();
        self.product.d.next = (self.operand.val() * self.mantissa.val()).into();
        self.exponents[0].d.next =
            bit_cast::<6, 5>(self.shifts.q.val()) + bit_cast::<6, 5>(self.reciprocal.exponent.val());

        // Round.
        self.rounded_valid.d.next = self.product_valid.q.val();
        self.plus_half.next = (self.product.q.val() + self.half.val()).into();
        self.rounded.d.next = self.plus_half.val().get_bits::<16>(17);
        self.exponents[1].d.next = self.exponents[0].q.val();

        self.result_valid.next = self.rounded_valid.q.val();
        self.context_multiplier.next = self.rounded.q.val();
        self.context_shift.next = self.exponents[1].q.val();

        if self.reset.val() {
            self.product_valid.d.next = false;
            self.rounded_valid.d.next = false;
        }
    }
}

/// P lanes in lock-step and their context scales; see the head of the file.
#[derive(LogicBlock)]
pub struct Softmax<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const ROWS: usize,
    const LOGITS: usize,
    const L: usize,
    const A: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// One logit a lane, lane 0 lowest. The highest address bit is the bank.
    pub push: Signal<In, Bit>,
    pub push_first: Signal<In, Bit>,
    pub push_address: Signal<In, Bits<A>>,
    pub logits: Signal<In, Bits<LOGITS>>,

    pub read: Signal<In, Bit>,
    pub read_first: Signal<In, Bit>,
    pub read_last: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,

    /// A row word of each lane, lane 0 lowest.
    pub probability_write: Signal<Out, Bit>,
    pub probability_data: Signal<Out, Bits<ROWS>>,
    /// Goes with the last word of a query: another [`SCALE_LATENCY`] − [`LATENCY`] beats to its first scale.
    pub sum_valid: Signal<Out, Bit>,

    /// Scale of the contexts before division by Σp, held until the last of them is written; the shift is 1…28.
    pub multiplier: Signal<In, Bits<16>>,
    pub shift: Signal<In, Bits<5>>,
    /// One lane a beat, lane 0 first.
    pub context_write: Signal<Out, Bit>,
    pub context_lane: Signal<Out, Bits<L>>,
    pub context_multiplier: Signal<Out, Bits<16>>,
    pub context_shift: Signal<Out, Bits<6>>,

    lane: [SoftmaxLane<V, ROW, A>; P],
    lane_logits: Split<S<16>, P, LOGITS>,
    lane_words: Concat<Bits<ROW>, P, ROWS>,

    compare: Register<Bit>,
    compare_first: Register<Bit>,
    compare_bank: Register<Bit>,
    maximum_bank: Register<Bit>,
    carry: ValidDelay<CARRIED>,
    carry_first: Delay<Bit, CARRIED>,
    pack: Register<Bit>,
    pack_first: Register<Bit>,
    pack_last: Delay<Bit, PACKED>,
    element: Register<Bits<V>>,
    word_complete: Signal<Local, Bit>,
    word_written: Register<Bit>,
    summed: Register<Bit>,

    /// The sums of all lanes, moving towards the shared scale.
    sums: [Register<Bits<20>>; P],
    scaling: Register<Bit>,
    scaled_lane: Register<Bits<L>>,
    last_lane: Constant<Bits<L>>,
    scale: ContextScale,
    written_lane: Delay<Bits<L>, { ContextScale::LATENCY }>,
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const ROWS: usize,
    const LOGITS: usize,
    const L: usize,
    const A: usize,
> Default for Softmax<P, V, ROW, ROWS, LOGITS, L, A>
{
    fn default() -> Self {
        assert!((1..=1 << L).contains(&P), "{P} lanes in {L} bits");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            push: Default::default(),
            push_first: Default::default(),
            push_address: Default::default(),
            logits: Default::default(),
            read: Default::default(),
            read_first: Default::default(),
            read_last: Default::default(),
            read_address: Default::default(),
            probability_write: Default::default(),
            probability_data: Default::default(),
            sum_valid: Default::default(),
            multiplier: Default::default(),
            shift: Default::default(),
            context_write: Default::default(),
            context_lane: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            lane: from_fn(|_| Default::default()),
            lane_logits: Default::default(),
            lane_words: Default::default(),
            compare: Default::default(),
            compare_first: Default::default(),
            compare_bank: Default::default(),
            maximum_bank: Default::default(),
            carry: Default::default(),
            carry_first: Default::default(),
            pack: Default::default(),
            pack_first: Default::default(),
            pack_last: Default::default(),
            element: Default::default(),
            word_complete: Default::default(),
            word_written: Default::default(),
            summed: Default::default(),
            sums: from_fn(|_| Default::default()),
            scaling: Default::default(),
            scaled_lane: Default::default(),
            last_lane: Constant::new((P as u64 - 1).into()),
            scale: Default::default(),
            written_lane: Default::default(),
        }
    }
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const ROWS: usize,
    const LOGITS: usize,
    const L: usize,
    const A: usize,
> Logic for Softmax<P, V, ROW, ROWS, LOGITS, L, A>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, compare, compare_first, compare_bank, maximum_bank);
        dff_setup!(self, clock, pack, pack_first, element, word_written, summed, scaling, scaled_lane);
        for i in 0..P {
            self.lane[i].clock.next = self.clock.val();
            self.sums[i].clock.next = self.clock.val();
        }
        self.carry.clock.next = self.clock.val();
        self.carry.reset.next = self.reset.val();
        self.carry_first.clock.next = self.clock.val();
        self.pack_last.clock.next = self.clock.val();
        self.scale.clock.next = self.clock.val();
        self.scale.reset.next = self.reset.val();
        self.written_lane.clock.next = self.clock.val();

        // Push.
        self.compare.d.next = self.push.val();
        self.compare_first.d.next = self.push_first.val();
        self.lane_logits.bus.next = self.logits.val();

        // Read.
        self.carry.d.next = self.read.val();
        self.carry_first.d.next = self.read_first.val();
        self.pack.d.next = self.carry.q.val();
        self.pack_first.d.next = self.carry_first.q.val();
        self.pack_last.d.next = self.read_last.val();

        for i in (A - 1)..A {
            self.compare_bank.d.next = self.push_address.val().get_bit(i);
            self.maximum_bank.d.next = self.read_address.val().get_bit(i);
        }

        // The place of the probability in its word: the first, or one further.
        if self.carry.q.val() {
            for i in (V - 1)..V {
                self.element.d.next = self.element.q.val() << 1;
                if self.carry_first.q.val() | self.element.q.val().get_bit(i) {
                    self.element.d.next = 1.into();
                }
            }
        }
        for i in (V - 1)..V {
            self.word_complete.next = self.element.q.val().get_bit(i) | self.pack_last.q.val();
        }
        self.word_written.d.next = self.pack.q.val() & self.word_complete.val();
        self.summed.d.next = self.pack.q.val() & self.pack_last.q.val();

        for i in 0..P {
            self.lane[i].push.next = self.push.val();
            self.lane[i].push_address.next = self.push_address.val();
            self.lane[i].logit.next = self.lane_logits.lane[i].val();
            self.lane[i].compare.next = self.compare.q.val();
            self.lane[i].compare_first.next = self.compare_first.q.val();
            self.lane[i].compare_bank.next = self.compare_bank.q.val();
            self.lane[i].read.next = self.read.val();
            self.lane[i].read_address.next = self.read_address.val();
            self.lane[i].maximum_bank.next = self.maximum_bank.q.val();
            self.lane[i].carry.next = self.carry.q.val();
            self.lane[i].carry_first.next = self.carry_first.q.val();
            self.lane[i].pack.next = self.pack.q.val();
            self.lane[i].pack_first.next = self.pack_first.q.val();
            self.lane[i].element.next = self.element.q.val();
            self.lane_words.lane[i].next = self.lane[i].probabilities.val();
        }
        self.probability_write.next = self.word_written.q.val();
        self.probability_data.next = self.lane_words.bus.val();
        self.sum_valid.next = self.summed.q.val();

        // Scale the contexts one after another.
        for i in 0..P {
            self.sums[i].d.next = self.sums[i].q.val();
        }
        for i in 1..P {
            self.sums[i - 1].d.next = self.sums[i].q.val();
        }
        self.scaled_lane.d.next = self.scaled_lane.q.val() + 1;
        if self.scaled_lane.q.val() == self.last_lane.val() {
            self.scaling.d.next = false;
        }
        if self.summed.q.val() {
            for i in 0..P {
                self.sums[i].d.next = self.lane[i].sum.val();
            }
            self.scaled_lane.d.next = 0.into();
            self.scaling.d.next = true;
        }
        self.scale.valid.next = self.scaling.q.val();
        self.scale.sum.next = self.sums[0].q.val();
        self.scale.multiplier.next = self.multiplier.val();
        self.scale.shift.next = self.shift.val();
        self.written_lane.d.next = self.scaled_lane.q.val();
        self.context_write.next = self.scale.result_valid.val();
        self.context_lane.next = self.written_lane.q.val();
        self.context_multiplier.next = self.scale.context_multiplier.val();
        self.context_shift.next = self.scale.context_shift.val();

        if self.reset.val() {
            self.compare.d.next = false;
            self.pack.d.next = false;
            self.word_written.d.next = false;
            self.summed.d.next = false;
            self.scaling.d.next = false;
        }
    }
}
