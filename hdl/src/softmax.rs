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

mod exp2;
mod lane;
mod scale;

use crate::support::prelude::*;
pub use exp2::Exp2Negative;
pub use lane::SoftmaxLane;
pub use scale::ContextScale;

/// Beats from a `read` to its probability, and to the sum that holds it.
pub const LATENCY: usize = PACKED + 1;
/// Beats from the last `read` to the context scale of lane 0.
pub const SCALE_LATENCY: usize = LATENCY + 1 + ContextScale::LATENCY;
/// Beats from a read to the probability with its carry.
const CARRIED: usize = 6;
/// Beats from a read to the packed probability.
const PACKED: usize = 7;

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
