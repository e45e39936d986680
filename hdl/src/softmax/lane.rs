//! The part of softmax that each lane has.

use edge_moe_kernels::softmax::LOGIT_FRACTION_BITS;

use super::exp2::Exp2Negative;
use crate::support::prelude::*;

/// One lane: its scores, their maximum, and their probabilities.
///
/// Control is common to all lanes and comes from [`Softmax`](super::Softmax), each signal in
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
            scores: Ram::reading_old(),
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
