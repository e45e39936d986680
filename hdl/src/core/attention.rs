//! Attention engine: attention jobs on the lanes.

use super::divide::DivideUp;
use super::job::{JOB, field, product};
use crate::attention::Sequencer;
use crate::softmax::Softmax;
use crate::support::prelude::*;

/// Runs a job with the [`Sequencer`] and [`Softmax`]: beats and rows for the lanes, their
/// logits back. P = V = 2^L lanes; `A` bits of a row address, `K` of a score address.
#[derive(LogicBlock)]
pub struct Attention<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const L: usize,
    const A: usize,
    const K: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `job`; while not busy, and with nothing behind the lanes.
    pub start: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    /// From the start until the last context is written.
    pub busy: Signal<Out, Bit>,
    /// It has the lanes.
    pub active: Signal<Out, Bit>,

    /// Scratchpad: the word that a beat broadcasts, and words of queries.
    pub read_address: Signal<Out, Bits<20>>,
    pub row_read_valid: Signal<Out, Bit>,
    pub row_read_ready: Signal<In, Bit>,
    pub row_read_address: Signal<Out, Bits<20>>,
    pub row_read_data: Signal<In, Bits<WORD>>,

    /// Lanes: queries, probabilities, context scales.
    pub row_valid: Signal<Out, Bit>,
    pub row_ready: Signal<In, Bit>,
    pub row_lane: Signal<Out, Bits<L>>,
    pub row_address: Signal<Out, Bits<A>>,
    pub row_data: Signal<Out, Bits<ROW>>,
    pub probability_write: Signal<Out, Bit>,
    pub probability_address: Signal<Out, Bits<A>>,
    pub probability_data: Signal<Out, Bits<ROWS>>,
    pub context_write: Signal<Out, Bit>,
    pub context_lane: Signal<Out, Bits<L>>,
    pub context_bank: Signal<Out, Bit>,
    pub context_multiplier: Signal<Out, Bits<16>>,
    pub context_shift: Signal<Out, Bits<6>>,
    /// Lanes: beats and the scale of logits.
    pub beat: Signal<Out, Bit>,
    pub beat_address: Signal<Out, Bits<A>>,
    pub beat_first: Signal<Out, Bit>,
    pub beat_last: Signal<Out, Bit>,
    pub beat_scores: Signal<Out, Bit>,
    pub beat_contexts: Signal<Out, Bit>,
    pub beat_bank: Signal<Out, Bit>,
    pub beat_tag: Signal<Out, Bits<48>>,
    pub logit_multiplier: Signal<Out, Bits<16>>,
    pub logit_shift: Signal<Out, Bits<6>>,

    /// Results of the lanes, while it has them.
    pub result_valid: Signal<In, Bit>,
    pub result_tag: Signal<In, Bits<48>>,
    pub results: Signal<In, Bits<RESULTS>>,
    /// The drain took results; something is in it or behind it.
    pub drain_taken: Signal<In, Bit>,
    pub drain_busy: Signal<In, Bit>,
    /// A key's probability is formed.
    pub key_read: Signal<Out, Bit>,

    work: Register<Bits<JOB>>,
    begins: Register<Bit>,
    runs: Register<Bit>,
    sequencer: Sequencer<L, A, K>,
    softmax: Softmax<P, V, ROW, ROWS, RESULTS, L, K>,
    queries: Slice<JOB, 32>,
    keys: Slice<JOB, 32>,
    values: Slice<JOB, 32>,
    contexts: Slice<JOB, 32>,
    tokens: Slice<JOB, 16>,
    sets: Slice<JOB, 8>,
    heads: Slice<JOB, 8>,
    head_channels: Slice<JOB, 16>,
    of_logits: Slice<JOB, 16>,
    of_logits_shift: Slice<JOB, 8>,
    of_contexts: Slice<JOB, 16>,
    of_contexts_shift: Slice<JOB, 8>,
    token_words: Slice<JOB, 20>,
    set_words: Slice<JOB, 20>,
    head_words: DivideUp<L>,
    value_words: DivideUp<L>,
    /// A query's word as nine-bit operands: `edge_moe_kernels::dot::query_operand`.
    elements: Split<Bits<16>, V, WORD>,
    operands: Concat<Bits<9>, V, ROW>,
    /// Words of queries until the lanes take them.
    query_rows: Fifo<ROW, 3>,
    log_lanes: Constant<Bits<3>>,
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
    const K: usize,
> Default for Attention<P, V, ROW, WORD, ROWS, RESULTS, L, A, K>
{
    fn default() -> Self {
        with_defaults!(
            clock, reset, start, job, busy, active, read_address, row_read_valid, row_read_ready, row_read_address,
            row_read_data, row_valid, row_ready, row_lane, row_address, row_data, probability_write,
            probability_address, probability_data, context_write, context_lane, context_bank, context_multiplier,
            context_shift, beat, beat_address, beat_first, beat_last, beat_scores, beat_contexts, beat_bank,
            beat_tag, logit_multiplier, logit_shift, result_valid, result_tag, results, drain_taken, drain_busy,
            key_read, work, begins, runs, softmax, head_words, value_words, elements, operands, query_rows;
            sequencer: Sequencer::new(P, V),
            queries: field("attention", "queries"),
            keys: field("attention", "keys"),
            values: field("attention", "values"),
            contexts: field("attention", "context"),
            tokens: field("attention", "tokens"),
            sets: field("attention", "sets"),
            heads: field("attention", "heads"),
            head_channels: field("attention", "head_channels"),
            of_logits: field("attention", "logit_multiplier"),
            of_logits_shift: field("attention", "logit_shift"),
            of_contexts: field("attention", "context_multiplier"),
            of_contexts_shift: field("attention", "context_shift"),
            token_words: product(0),
            set_words: product(1),
            log_lanes: Constant::new((L as u64).into()),
        )
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
    const K: usize,
> Logic for Attention<P, V, ROW, WORD, ROWS, RESULTS, L, A, K>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, work, begins, runs);
        self.query_rows.clock.next = self.clock.val();
        self.query_rows.reset.next = self.reset.val();
        self.sequencer.clock.next = self.clock.val();
        self.sequencer.reset.next = self.reset.val();
        self.softmax.clock.next = self.clock.val();
        self.softmax.reset.next = self.reset.val();
        self.queries.bus.next = self.work.q.val();
        self.keys.bus.next = self.work.q.val();
        self.values.bus.next = self.work.q.val();
        self.contexts.bus.next = self.work.q.val();
        self.tokens.bus.next = self.work.q.val();
        self.sets.bus.next = self.work.q.val();
        self.heads.bus.next = self.work.q.val();
        self.head_channels.bus.next = self.work.q.val();
        self.of_logits.bus.next = self.work.q.val();
        self.of_logits_shift.bus.next = self.work.q.val();
        self.of_contexts.bus.next = self.work.q.val();
        self.of_contexts_shift.bus.next = self.work.q.val();
        self.token_words.bus.next = self.work.q.val();
        self.set_words.bus.next = self.work.q.val();
        self.head_words.x.next = self.head_channels.bits.val();
        self.value_words.x.next = self.tokens.bits.val();

        // Sequencer.
        self.sequencer.start.next = self.begins.q.val();
        self.sequencer.queries.next = self.queries.bits.val().get_bits::<20>(0);
        self.sequencer.keys.next = self.keys.bits.val().get_bits::<20>(0);
        self.sequencer.values.next = self.values.bits.val().get_bits::<20>(0);
        self.sequencer.contexts.next = self.contexts.bits.val().get_bits::<20>(0);
        self.sequencer.tokens.next = self.tokens.bits.val().get_bits::<13>(0);
        self.sequencer.sets.next = self.sets.bits.val();
        self.sequencer.heads.next = self.heads.bits.val();
        self.sequencer.head_channels.next = self.head_channels.bits.val().get_bits::<13>(0);
        self.sequencer.head_words.next = bit_cast::<20, 16>(self.head_words.y.val());
        self.sequencer.token_words.next = self.token_words.bits.val();
        self.sequencer.value_words.next = bit_cast::<20, 16>(self.value_words.y.val());
        self.sequencer.group_words.next = self.token_words.bits.val() << self.log_lanes.val();
        self.sequencer.set_words.next = self.set_words.bits.val();
        self.sequencer.result_valid.next = self.result_valid.val() & self.runs.q.val();
        self.sequencer.result_tag.next = self.result_tag.val();
        self.sequencer.drain_taken.next = self.drain_taken.val() & self.runs.q.val();
        self.sequencer.drain_busy.next = self.drain_busy.val() & self.runs.q.val();
        self.read_address.next = self.sequencer.read_address.val();
        self.beat.next = self.sequencer.beat_valid.val();
        self.beat_address.next = self.sequencer.beat_address.val();
        self.beat_first.next = self.sequencer.beat_first.val();
        self.beat_last.next = self.sequencer.beat_last.val();
        self.beat_scores.next = self.sequencer.beat_scores.val();
        self.beat_contexts.next = self.sequencer.beat_contexts.val();
        self.beat_bank.next = self.sequencer.beat_bank.val();
        self.beat_tag.next = self.sequencer.beat_tag.val();
        self.logit_multiplier.next = self.of_logits.bits.val();
        self.logit_shift.next = self.of_logits_shift.bits.val().get_bits::<6>(0);

        // Queries.
        self.row_read_valid.next = self.sequencer.row_read_valid.val();
        self.sequencer.row_read_ready.next = self.row_read_ready.val();
        self.row_read_address.next = self.sequencer.row_read_address.val();
        self.elements.bus.next = self.row_read_data.val();
        for i in 0..V {
            self.operands.lane[i].next = self.elements.lane[i].val().get_bits::<9>(0);
        }
        self.query_rows.write.next = self.sequencer.row_comes.val();
        self.query_rows.write_data.next = self.operands.bus.val();
        self.query_rows.read_ready.next = self.row_ready.val();
        self.row_valid.next = self.query_rows.read_valid.val();
        self.sequencer.row_taken.next = self.query_rows.read_valid.val() & self.row_ready.val();
        self.row_lane.next = self.sequencer.row_lane.val();
        self.row_address.next = self.sequencer.row_address.val();
        self.row_data.next = self.query_rows.read_data.val();

        // Softmax.
        self.softmax.push.next = self.sequencer.push.val();
        self.softmax.push_first.next = self.sequencer.push_first.val();
        self.softmax.push_address.next = self.sequencer.push_address.val();
        self.softmax.logits.next = self.results.val();
        self.softmax.read.next = self.sequencer.key_read.val();
        self.softmax.read_first.next = self.sequencer.key_first.val();
        self.softmax.read_last.next = self.sequencer.key_last.val();
        self.softmax.read_address.next = self.sequencer.key_address.val();
        self.softmax.multiplier.next = self.of_contexts.bits.val();
        self.softmax.shift.next = self.of_contexts_shift.bits.val().get_bits::<5>(0);
        self.sequencer.probability_write.next = self.softmax.probability_write.val();
        self.sequencer.scale_write.next = self.softmax.context_write.val();
        self.sequencer.scale_lane.next = self.softmax.context_lane.val();
        self.probability_write.next = self.softmax.probability_write.val();
        self.probability_address.next = self.sequencer.probability_address.val();
        self.probability_data.next = self.softmax.probability_data.val();
        self.context_write.next = self.softmax.context_write.val();
        self.context_lane.next = self.softmax.context_lane.val();
        self.context_bank.next = self.sequencer.scale_bank.val();
        self.context_multiplier.next = self.softmax.context_multiplier.val();
        self.context_shift.next = self.softmax.context_shift.val();
        self.key_read.next = self.sequencer.key_read.val();

        // From start to end.
        self.busy.next = self.begins.q.val() | self.runs.q.val();
        self.active.next = self.runs.q.val();
        self.begins.d.next = self.start.val();
        if self.begins.q.val() {
            self.runs.d.next = true;
        } else if !self.sequencer.busy.val() {
            self.runs.d.next = false;
        }
        if self.start.val() {
            self.work.d.next = self.job.val();
        }
        if self.reset.val() {
            self.begins.d.next = false;
            self.runs.d.next = false;
        }
    }
}
