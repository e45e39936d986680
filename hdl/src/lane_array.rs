//! The lane array: P lanes in lock-step, one broadcast word a beat for all.
//!
//! A *beat* names a row word by its address; the broadcast word follows on `word`, as many
//! beats later as the scratchpad takes. A beat with `last`
//! ends a dot product: its P results come [`LATENCY`] beats later, together
//! with the tag of that beat. Beats may pause at any time.
//!
//! Parameters and context scales are read [`PARAMETERS_READ`] beats after a
//! beat with `last`: they may be replaced from then on. Row words are read [`ROWS_READ`] beats
//! after their beat: they may be replaced from then on.
//!
//! Parameters are written for RECORDS/64 lanes at once, a record of
//! `edge_moe_isa::packing` each.
//!
//! Rows are loaded one word a beat, one lane at a time; a beat in which the
//! lanes write probabilities takes no row word (`row_ready` is low). The beat
//! after that may read what was loaded.
//!
//! Throughput one word a beat. What is done with the results, and that there
//! is room for them, is up to whoever issues the beats.

use crate::lane::Lane;
use crate::requantise::Requantise;
use crate::scratchpad;
use crate::support::prelude::*;

/// Beats from a beat with `last` to its results.
pub const LATENCY: usize = ACCUMULATED + Requantise::LATENCY;
/// Beats from a beat with `last` to the beat that reads parameters or context scale.
pub const PARAMETERS_READ: usize = ACCUMULATED;
/// Beats from a beat to the read of its row word: as many before the broadcast word as the read takes.
pub const ROWS_READ: usize = scratchpad::LATENCY - 1;
/// Beats from a beat to the sum of its products: lanes put the broadcast word into a register, multiply, sum up.
const SUMMED: usize = scratchpad::LATENCY + 3;
/// Beats from a beat to the accumulator that holds it.
const ACCUMULATED: usize = SUMMED + 1;
/// The same, to the lanes' doors, where a register waits.
const AT_SUM: usize = SUMMED - 1;
const AT_SCALE: usize = ACCUMULATED - 1;
const AT_ROWS: usize = ROWS_READ - 1;

#[derive(LogicBlock)]
pub struct LaneArray<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const L: usize,
    const A: usize,
    const TAG: usize,
    const RECORDS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub row_valid: Signal<In, Bit>,
    pub row_ready: Signal<Out, Bit>,
    pub row_lane: Signal<In, Bits<L>>,
    pub row_address: Signal<In, Bits<A>>,
    pub row_data: Signal<In, Bits<ROW>>,
    /// A word of probabilities in every lane at once.
    pub probability_write: Signal<In, Bit>,
    pub probability_address: Signal<In, Bits<A>>,
    pub probability_data: Signal<In, Bits<ROWS>>,

    /// Parameter records for the lanes from `parameter_lane` on, a multiple of RECORDS/64.
    pub parameter_write: Signal<In, Bit>,
    pub parameter_lane: Signal<In, Bits<L>>,
    pub parameter_bank: Signal<In, Bit>,
    pub parameter_records: Signal<In, Bits<RECORDS>>,
    pub context_write: Signal<In, Bit>,
    pub context_lane: Signal<In, Bits<L>>,
    pub context_bank: Signal<In, Bit>,
    pub context_multiplier: Signal<In, Bits<16>>,
    pub context_shift: Signal<In, Bits<6>>,

    /// A beat.
    pub beat_valid: Signal<In, Bit>,
    pub beat_address: Signal<In, Bits<A>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    /// Scale of the result: that of logits, of the context, or else the layer's; `beat_bank` says which parameters.
    pub beat_logit_scale: Signal<In, Bit>,
    pub beat_context_scale: Signal<In, Bit>,
    pub beat_bank: Signal<In, Bit>,
    /// Comes back with the results of a beat with `last`.
    pub beat_tag: Signal<In, Bits<TAG>>,
    /// The broadcast word of [`scratchpad::LATENCY`] beats before.
    pub word: Signal<In, Bits<WORD>>,

    /// Scales of the layer; held while its results are on their way.
    pub logit_multiplier: Signal<In, Bits<16>>,
    pub logit_shift: Signal<In, Bits<6>>,
    pub shift: Signal<In, Bits<6>>,
    pub bias_shift: Signal<In, Bits<5>>,
    pub nine_bits: Signal<In, Bit>,

    /// P results, those of lane 0 lowest.
    pub result_valid: Signal<Out, Bit>,
    pub result_tag: Signal<Out, Bits<TAG>>,
    pub results: Signal<Out, Bits<RESULTS>>,
    /// Beats are on their way.
    pub busy: Signal<Out, Bit>,

    lane: [Lane<V, ROW, WORD, L, A>; P],
    probabilities: Split<Bits<ROW>, P, ROWS>,
    records: Spread<Bits<64>, P, RECORDS>,
    /// The `parameter_lane` with which a lane's record comes.
    record_lane: [Constant<Bits<L>>; P],
    concat: Concat<S<16>, P, RESULTS>,
    accumulate: ValidDelay<AT_SUM>,
    first: Delay<Bit, AT_SUM>,
    logit_scale: Delay<Bit, AT_SCALE>,
    context_scale: Delay<Bit, AT_SCALE>,
    bank: Delay<Bit, AT_SCALE>,
    complete: ValidDelay<LATENCY>,
    tag: Delay<Bits<TAG>, LATENCY>,
    read: Delay<Bit, AT_ROWS>,
    read_address: Delay<Bits<A>, AT_ROWS>,
    parameter_bank_held: Register<Bit>,
    records_held: Register<Bits<RECORDS>>,
    parameter_write_held: [Register<Bit>; P],
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const L: usize,
    const A: usize,
    const TAG: usize,
    const RECORDS: usize,
> LaneArray<P, V, ROW, WORD, ROWS, RESULTS, L, A, TAG, RECORDS>
{
    /// An array whose lanes hold `words` row words each.
    pub fn new(words: usize) -> Self {
        assert!(P <= 1 << L, "{P} lanes in {L} bits");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
            row_lane: Default::default(),
            row_address: Default::default(),
            row_data: Default::default(),
            probability_write: Default::default(),
            probability_address: Default::default(),
            probability_data: Default::default(),
            parameter_write: Default::default(),
            parameter_lane: Default::default(),
            parameter_bank: Default::default(),
            parameter_records: Default::default(),
            context_write: Default::default(),
            context_lane: Default::default(),
            context_bank: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            beat_valid: Default::default(),
            beat_address: Default::default(),
            beat_first: Default::default(),
            beat_last: Default::default(),
            beat_logit_scale: Default::default(),
            beat_context_scale: Default::default(),
            beat_bank: Default::default(),
            beat_tag: Default::default(),
            word: Default::default(),
            logit_multiplier: Default::default(),
            logit_shift: Default::default(),
            shift: Default::default(),
            bias_shift: Default::default(),
            nine_bits: Default::default(),
            result_valid: Default::default(),
            result_tag: Default::default(),
            results: Default::default(),
            busy: Default::default(),
            lane: from_fn(|number| Lane::new(number, words)),
            probabilities: Default::default(),
            records: Default::default(),
            record_lane: from_fn(|lane| {
                let lanes = RECORDS / 64;
                Constant::new(((lane / lanes * lanes) as u64).into())
            }),
            concat: Default::default(),
            accumulate: Default::default(),
            first: Default::default(),
            logit_scale: Default::default(),
            context_scale: Default::default(),
            bank: Default::default(),
            complete: Default::default(),
            tag: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            parameter_bank_held: Default::default(),
            records_held: Default::default(),
            parameter_write_held: from_fn(|_| Default::default()),
        }
    }
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const L: usize,
    const A: usize,
    const TAG: usize,
    const RECORDS: usize,
> Logic for LaneArray<P, V, ROW, WORD, ROWS, RESULTS, L, A, TAG, RECORDS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, parameter_bank_held, records_held);
        self.read.clock.next = self.clock.val();
        self.read_address.clock.next = self.clock.val();
        self.read.d.next = self.beat_valid.val();
        self.read_address.d.next = self.beat_address.val();
        self.accumulate.clock.next = self.clock.val();
        self.accumulate.reset.next = self.reset.val();
        self.accumulate.d.next = self.beat_valid.val();
        self.first.clock.next = self.clock.val();
        self.first.d.next = self.beat_first.val();
        self.logit_scale.clock.next = self.clock.val();
        self.logit_scale.d.next = self.beat_logit_scale.val();
        self.context_scale.clock.next = self.clock.val();
        self.context_scale.d.next = self.beat_context_scale.val();
        self.bank.clock.next = self.clock.val();
        self.bank.d.next = self.beat_bank.val();
        self.complete.clock.next = self.clock.val();
        self.complete.reset.next = self.reset.val();
        self.complete.d.next = self.beat_valid.val() & self.beat_last.val();
        self.tag.clock.next = self.clock.val();
        self.tag.d.next = self.beat_tag.val();

        self.row_ready.next = !self.probability_write.val();
        self.probabilities.bus.next = self.probability_data.val();
        self.records_held.d.next = self.parameter_records.val();
        self.parameter_bank_held.d.next = self.parameter_bank.val();
        self.records.bus.next = self.records_held.q.val();
        for i in 0..P {
            self.lane[i].clock.next = self.clock.val();
            self.lane[i].row_write.next = self.row_valid.val();
            self.lane[i].row_lane.next = self.row_lane.val();
            self.lane[i].row_address.next = self.row_address.val();
            self.lane[i].row_data.next = self.row_data.val();
            self.lane[i].probability_write.next = self.probability_write.val();
            self.lane[i].probability_address.next = self.probability_address.val();
            self.lane[i].probability_data.next = self.probabilities.lane[i].val();
            self.parameter_write_held[i].clock.next = self.clock.val();
            self.parameter_write_held[i].d.next =
                self.parameter_write.val() & (self.parameter_lane.val() == self.record_lane[i].val());
            self.lane[i].parameter_write.next = self.parameter_write_held[i].q.val();
            self.lane[i].parameter_bank.next = self.parameter_bank_held.q.val();
            self.lane[i].parameter_multiplier.next = self.records.lane[i].val().get_bits::<16>(0);
            self.lane[i].parameter_bias.next = self.records.lane[i].val().get_bits::<32>(32).to_signed_bits();
            self.lane[i].context_write.next = self.context_write.val();
            self.lane[i].context_lane.next = self.context_lane.val();
            self.lane[i].context_bank.next = self.context_bank.val();
            self.lane[i].context_multiplier.next = self.context_multiplier.val();
            self.lane[i].context_shift.next = self.context_shift.val();
            self.lane[i].read.next = self.read.q.val();
            self.lane[i].read_address.next = self.read_address.q.val();
            self.lane[i].word.next = self.word.val();
            self.lane[i].accumulate.next = self.accumulate.q.val();
            self.lane[i].first.next = self.first.q.val();
            self.lane[i].use_logit_scale.next = self.logit_scale.q.val();
            self.lane[i].use_context_scale.next = self.context_scale.q.val();
            self.lane[i].use_bank.next = self.bank.q.val();
            self.lane[i].logit_multiplier.next = self.logit_multiplier.val();
            self.lane[i].logit_shift.next = self.logit_shift.val();
            self.lane[i].shift.next = self.shift.val();
            self.lane[i].bias_shift.next = self.bias_shift.val();
            self.lane[i].nine_bits.next = self.nine_bits.val();
            self.concat.lane[i].next = self.lane[i].result.val();
        }
        self.results.next = self.concat.bus.val();
        self.result_valid.next = self.complete.q.val();
        self.result_tag.next = self.tag.q.val();
        self.busy.next = self.accumulate.any.val() | self.complete.any.val();
    }
}
