//! The control of softmax: logits in, probabilities and scales out.

use crate::support::prelude::*;

/// Sends the results of scores into softmax, then walks through the keys of
/// the group, one a beat, and places the words of probabilities: in the third
/// quarter of the lanes' row memories for even groups, in the highest for odd
/// ones. `even` and `odd` tell that probabilities and scales of a group are
/// complete, `use_even` and `use_odd` that they were used up.
///
/// The tag of a score's results: bits 0…12 key, 13 odd group, 14 first key, 15 last key, 47 set.
/// `K` bits of a score address: the highest is the bank.
#[derive(LogicBlock)]
pub struct ProbabilityControl<const L: usize, const A: usize, const K: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// T.
    pub tokens: Signal<In, Bits<13>>,

    /// Results of the lanes.
    pub result_valid: Signal<In, Bit>,
    pub result_tag: Signal<In, Bits<48>>,
    /// Softmax: one logit a lane, one key of each lane, words of probabilities, scales.
    pub push: Signal<Out, Bit>,
    pub push_first: Signal<Out, Bit>,
    pub push_address: Signal<Out, Bits<K>>,
    pub key_read: Signal<Out, Bit>,
    pub key_first: Signal<Out, Bit>,
    pub key_last: Signal<Out, Bit>,
    pub key_address: Signal<Out, Bits<K>>,
    pub probability_write: Signal<In, Bit>,
    pub probability_address: Signal<Out, Bits<A>>,
    pub scale_write: Signal<In, Bit>,
    pub scale_lane: Signal<In, Bits<L>>,
    pub scale_bank: Signal<Out, Bit>,

    pub even: Signal<Out, Bit>,
    pub odd: Signal<Out, Bit>,
    pub use_even: Signal<In, Bit>,
    pub use_odd: Signal<In, Bit>,

    waiting_even: Register<Bit>,
    waiting_odd: Register<Bit>,
    reading: Register<Bit>,
    /// From the first key to the last lane's scale.
    scaling: Register<Bit>,
    bank: Register<Bit>,
    key: Register<Bits<13>>,
    next_key: Signal<Local, Bits<13>>,
    word: Register<Bits<A>>,
    full_even: Register<Bit>,
    full_odd: Register<Bit>,
    quarter_2: Constant<Bits<A>>,
    quarter_3: Constant<Bits<A>>,
    odd_scores: Constant<Bits<K>>,
    last_lane: Constant<Bits<L>>,
}

impl<const L: usize, const A: usize, const K: usize> ProbabilityControl<L, A, K> {
    /// The control of `lanes` lanes.
    pub fn new(lanes: usize) -> Self {
        let quarter = |count: u64| Constant::new((count << (A - 2)).into());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            tokens: Default::default(),
            result_valid: Default::default(),
            result_tag: Default::default(),
            push: Default::default(),
            push_first: Default::default(),
            push_address: Default::default(),
            key_read: Default::default(),
            key_first: Default::default(),
            key_last: Default::default(),
            key_address: Default::default(),
            probability_write: Default::default(),
            probability_address: Default::default(),
            scale_write: Default::default(),
            scale_lane: Default::default(),
            scale_bank: Default::default(),
            even: Default::default(),
            odd: Default::default(),
            use_even: Default::default(),
            use_odd: Default::default(),
            waiting_even: Default::default(),
            waiting_odd: Default::default(),
            reading: Default::default(),
            scaling: Default::default(),
            bank: Default::default(),
            key: Default::default(),
            next_key: Default::default(),
            word: Default::default(),
            full_even: Default::default(),
            full_odd: Default::default(),
            quarter_2: quarter(2),
            quarter_3: quarter(3),
            odd_scores: Constant::new((1_u64 << (K - 1)).into()),
            last_lane: Constant::new((lanes as u64 - 1).into()),
        }
    }
}

impl<const L: usize, const A: usize, const K: usize> Logic for ProbabilityControl<L, A, K> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            waiting_even,
            waiting_odd,
            reading,
            scaling,
            bank,
            key,
            word,
            full_even,
            full_odd
        );
        self.even.next = self.full_even.q.val();
        self.odd.next = self.full_odd.q.val();
        if self.use_even.val() {
            self.full_even.d.next = false;
        }
        if self.use_odd.val() {
            self.full_odd.d.next = false;
        }

        // Logits into softmax.
        self.push.next = self.result_valid.val() & self.result_tag.val().get_bit(47);
        self.push_first.next = self.result_tag.val().get_bit(14);
        self.push_address.next = self.result_tag.val().get_bits::<K>(0) & !self.odd_scores.val();
        if self.result_tag.val().get_bit(13) {
            self.push_address.next = self.result_tag.val().get_bits::<K>(0) | self.odd_scores.val();
        }
        if self.push.val() & self.result_tag.val().get_bit(15) {
            if self.result_tag.val().get_bit(13) {
                self.waiting_odd.d.next = true;
            } else {
                self.waiting_even.d.next = true;
            }
        }

        // Probabilities: one group at a time, keys in order, then the scales of all lanes.
        self.next_key.next = self.key.q.val() + 1;
        self.key_read.next = self.reading.q.val();
        self.key_first.next = !self.key.q.val().any();
        self.key_last.next = self.next_key.val() == self.tokens.val();
        self.key_address.next = self.key.q.val().get_bits::<K>(0);
        if self.bank.q.val() {
            self.key_address.next = self.key.q.val().get_bits::<K>(0) | self.odd_scores.val();
        }
        self.probability_address.next = self.word.q.val() | self.quarter_2.val();
        if self.bank.q.val() {
            self.probability_address.next = self.word.q.val() | self.quarter_3.val();
        }
        self.scale_bank.next = self.bank.q.val();
        if self.reading.q.val() {
            self.key.d.next = self.next_key.val();
            if self.key_last.val() {
                self.reading.d.next = false;
            }
        }
        if self.probability_write.val() {
            self.word.d.next = self.word.q.val() + 1;
        }
        if self.scale_write.val() & (self.scale_lane.val() == self.last_lane.val()) {
            self.scaling.d.next = false;
            if self.bank.q.val() {
                self.full_odd.d.next = true;
            } else {
                self.full_even.d.next = true;
            }
        }
        if !self.scaling.q.val() & (self.waiting_even.q.val() | self.waiting_odd.q.val()) {
            self.reading.d.next = true;
            self.scaling.d.next = true;
            self.key.d.next = 0.into();
            self.word.d.next = 0.into();
            self.bank.d.next = self.waiting_odd.q.val();
            if self.waiting_odd.q.val() {
                self.waiting_odd.d.next = false;
            } else {
                self.waiting_even.d.next = false;
            }
        }

        if self.reset.val() {
            self.waiting_even.d.next = false;
            self.waiting_odd.d.next = false;
            self.reading.d.next = false;
            self.scaling.d.next = false;
            self.full_even.d.next = false;
            self.full_odd.d.next = false;
        }
    }
}
