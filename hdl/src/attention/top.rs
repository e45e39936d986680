//! Attention by itself: sequencer, scratchpad, lanes, softmax and drain.

use super::Sequencer;
use crate::drain::Drain;
use crate::lane_array::LaneArray;
use crate::scratchpad::Scratchpad;
use crate::softmax::Softmax;
use crate::support::prelude::*;

/// Runs attention descriptors over a scratchpad that is written and read from
/// outside while it is not busy. Counters tell what crossed which door.
#[derive(LogicBlock)]
pub struct AttentionTop<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const L: usize,
    const A: usize,
    const K: usize,
    const N: usize,
    const B: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,

    /// Operands; see [`Sequencer`].
    pub queries: Signal<In, Bits<20>>,
    pub keys: Signal<In, Bits<20>>,
    pub values: Signal<In, Bits<20>>,
    pub contexts: Signal<In, Bits<20>>,
    pub tokens: Signal<In, Bits<13>>,
    pub sets: Signal<In, Bits<8>>,
    pub heads: Signal<In, Bits<8>>,
    pub head_channels: Signal<In, Bits<13>>,
    pub head_words: Signal<In, Bits<20>>,
    pub token_words: Signal<In, Bits<20>>,
    pub value_words: Signal<In, Bits<20>>,
    pub group_words: Signal<In, Bits<20>>,
    pub set_words: Signal<In, Bits<20>>,
    pub logit_multiplier: Signal<In, Bits<16>>,
    pub logit_shift: Signal<In, Bits<6>>,
    pub context_multiplier: Signal<In, Bits<16>>,
    pub context_shift: Signal<In, Bits<5>>,

    /// The scratchpad's ports while not busy.
    pub write: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<N>>,
    pub write_data: Signal<In, Bits<WORD>>,
    pub read: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<N>>,
    pub read_data: Signal<Out, Bits<WORD>>,

    /// Since the start: beats, words read to be broadcast, words read as rows, row words
    /// loaded into lanes, words of context written.
    pub cycles: Signal<Out, Bits<32>>,
    pub broadcast_words: Signal<Out, Bits<32>>,
    pub row_words: Signal<Out, Bits<32>>,
    pub context_words: Signal<Out, Bits<32>>,

    /// What happens in this beat: a key or a row of Vᵀ is broadcast, for an even or odd group;
    /// a query is read; a key's probability is formed; a word of context leaves.
    pub scores_beat: Signal<Out, Bit>,
    pub contexts_beat: Signal<Out, Bit>,
    pub odd_group: Signal<Out, Bit>,
    pub query_read: Signal<Out, Bit>,
    pub key_read: Signal<Out, Bit>,
    pub context_write: Signal<Out, Bit>,

    sequencer: Sequencer<L, A, K>,
    scratchpad: Scratchpad<WORD, N, B>,
    lanes: LaneArray<P, V, ROW, WORD, ROWS, RESULTS, L, A, 71, 64>,
    softmax: Softmax<P, V, ROW, ROWS, RESULTS, L, K>,
    drain: Drain<P, V, WORD, RESULTS, WORDS>,
    /// A query's word as nine-bit operands: `edge_moe_kernels::dot::query_operand`.
    elements: Split<Bits<16>, V, WORD>,
    operands: Concat<Bits<9>, V, ROW>,
    /// Words of queries until the lanes take them.
    rows: Fifo<ROW, 3>,
    cycle_count: Register<Bits<32>>,
    broadcast_count: Register<Bits<32>>,
    row_count: Register<Bits<32>>,
    context_count: Register<Bits<32>>,
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const L: usize,
    const A: usize,
    const K: usize,
    const N: usize,
    const B: usize,
> AttentionTop<P, V, ROW, WORD, ROWS, RESULTS, WORDS, L, A, K, N, B>
{
    /// With room for `bank_words` words in each of a lane's two banks, and a scratchpad of `words` words.
    pub fn new(bank_words: usize, words: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            busy: Default::default(),
            queries: Default::default(),
            keys: Default::default(),
            values: Default::default(),
            contexts: Default::default(),
            tokens: Default::default(),
            sets: Default::default(),
            heads: Default::default(),
            head_channels: Default::default(),
            head_words: Default::default(),
            token_words: Default::default(),
            value_words: Default::default(),
            group_words: Default::default(),
            set_words: Default::default(),
            logit_multiplier: Default::default(),
            logit_shift: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            write: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            cycles: Default::default(),
            broadcast_words: Default::default(),
            row_words: Default::default(),
            context_words: Default::default(),
            scores_beat: Default::default(),
            contexts_beat: Default::default(),
            odd_group: Default::default(),
            query_read: Default::default(),
            key_read: Default::default(),
            context_write: Default::default(),
            sequencer: Sequencer::new(P, V),
            scratchpad: Scratchpad::new(words),
            lanes: LaneArray::new(2 * bank_words),
            softmax: Default::default(),
            drain: Default::default(),
            elements: Default::default(),
            operands: Default::default(),
            rows: Default::default(),
            cycle_count: Default::default(),
            broadcast_count: Default::default(),
            row_count: Default::default(),
            context_count: Default::default(),
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
    const WORDS: usize,
    const L: usize,
    const A: usize,
    const K: usize,
    const N: usize,
    const B: usize,
> Logic for AttentionTop<P, V, ROW, WORD, ROWS, RESULTS, WORDS, L, A, K, N, B>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, cycle_count, broadcast_count, row_count, context_count);
        self.sequencer.clock.next = self.clock.val();
        self.sequencer.reset.next = self.reset.val();
        self.scratchpad.clock.next = self.clock.val();
        self.lanes.clock.next = self.clock.val();
        self.lanes.reset.next = self.reset.val();
        self.softmax.clock.next = self.clock.val();
        self.softmax.reset.next = self.reset.val();
        self.drain.clock.next = self.clock.val();
        self.drain.reset.next = self.reset.val();

        self.sequencer.start.next = self.start.val();
        self.sequencer.queries.next = self.queries.val();
        self.sequencer.keys.next = self.keys.val();
        self.sequencer.values.next = self.values.val();
        self.sequencer.contexts.next = self.contexts.val();
        self.sequencer.tokens.next = self.tokens.val();
        self.sequencer.sets.next = self.sets.val();
        self.sequencer.heads.next = self.heads.val();
        self.sequencer.head_channels.next = self.head_channels.val();
        self.sequencer.head_words.next = self.head_words.val();
        self.sequencer.token_words.next = self.token_words.val();
        self.sequencer.value_words.next = self.value_words.val();
        self.sequencer.group_words.next = self.group_words.val();
        self.sequencer.set_words.next = self.set_words.val();
        self.busy.next = self.sequencer.busy.val();

        // Scratchpad.
        self.scratchpad.read.next = self.read.val();
        self.scratchpad.read_address.next = self.read_address.val();
        if self.sequencer.busy.val() {
            self.scratchpad.read.next = self.sequencer.read.val();
            self.scratchpad.read_address.next = self.sequencer.read_address.val().get_bits::<N>(0);
        }
        self.read_data.next = self.scratchpad.read_data.val();
        self.scratchpad.row_valid.next = self.sequencer.row_read_valid.val();
        self.scratchpad.row_address.next = self.sequencer.row_read_address.val().get_bits::<N>(0);
        self.sequencer.row_read_ready.next = self.scratchpad.row_ready.val();
        self.scratchpad.write.next = self.write.val();
        self.scratchpad.write_address.next = self.write_address.val();
        self.scratchpad.write_data.next = self.write_data.val();
        if self.sequencer.busy.val() {
            self.scratchpad.write.next = self.drain.word_valid.val();
            self.scratchpad.write_address.next = self.drain.word_address.val().get_bits::<N>(0);
            self.scratchpad.write_data.next = self.drain.word_data.val();
        }

        // Queries.
        self.elements.bus.next = self.scratchpad.row_data.val();
        for i in 0..V {
            self.operands.lane[i].next = self.elements.lane[i].val().get_bits::<9>(0);
        }
        self.rows.clock.next = self.clock.val();
        self.rows.reset.next = self.reset.val();
        self.rows.write.next = self.sequencer.row_comes.val();
        self.rows.write_data.next = self.operands.bus.val();
        self.rows.read_ready.next = self.lanes.row_ready.val();
        self.lanes.row_valid.next = self.rows.read_valid.val();
        self.sequencer.row_taken.next = self.rows.read_valid.val() & self.lanes.row_ready.val();
        self.lanes.row_lane.next = self.sequencer.row_lane.val();
        self.lanes.row_address.next = self.sequencer.row_address.val();
        self.lanes.row_data.next = self.rows.read_data.val();

        // Lanes.
        self.lanes.probability_write.next = self.softmax.probability_write.val();
        self.lanes.probability_address.next = self.sequencer.probability_address.val();
        self.lanes.probability_data.next = self.softmax.probability_data.val();
        self.lanes.parameter_write.next = false;
        self.lanes.parameter_lane.next = 0.into();
        self.lanes.parameter_bank.next = false;
        self.lanes.parameter_records.next = 0.into();
        self.lanes.context_write.next = self.softmax.context_write.val();
        self.lanes.context_lane.next = self.softmax.context_lane.val();
        self.lanes.context_bank.next = self.sequencer.scale_bank.val();
        self.lanes.context_multiplier.next = self.softmax.context_multiplier.val();
        self.lanes.context_shift.next = self.softmax.context_shift.val();
        self.lanes.beat_valid.next = self.sequencer.beat_valid.val();
        self.lanes.beat_address.next = self.sequencer.beat_address.val();
        self.lanes.beat_first.next = self.sequencer.beat_first.val();
        self.lanes.beat_last.next = self.sequencer.beat_last.val();
        self.lanes.beat_logit_scale.next = self.sequencer.beat_scores.val();
        self.lanes.beat_context_scale.next = self.sequencer.beat_contexts.val();
        self.lanes.beat_bank.next = self.sequencer.beat_bank.val();
        self.lanes.beat_tag.next = bit_cast::<71, 48>(self.sequencer.beat_tag.val());
        self.lanes.word.next = self.scratchpad.read_data.val();
        self.lanes.logit_multiplier.next = self.logit_multiplier.val();
        self.lanes.logit_shift.next = self.logit_shift.val();
        self.lanes.shift.next = 1.into();
        self.lanes.bias_shift.next = 0.into();
        self.lanes.nine_bits.next = false;
        self.sequencer.result_valid.next = self.lanes.result_valid.val();
        self.sequencer.result_tag.next = self.lanes.result_tag.val().get_bits::<48>(0);

        // Softmax.
        self.softmax.push.next = self.sequencer.push.val();
        self.softmax.push_first.next = self.sequencer.push_first.val();
        self.softmax.push_address.next = self.sequencer.push_address.val();
        self.softmax.logits.next = self.lanes.results.val();
        self.softmax.read.next = self.sequencer.key_read.val();
        self.softmax.read_first.next = self.sequencer.key_first.val();
        self.softmax.read_last.next = self.sequencer.key_last.val();
        self.softmax.read_address.next = self.sequencer.key_address.val();
        self.softmax.multiplier.next = self.context_multiplier.val();
        self.softmax.shift.next = self.context_shift.val();
        self.sequencer.probability_write.next = self.softmax.probability_write.val();
        self.sequencer.scale_write.next = self.softmax.context_write.val();
        self.sequencer.scale_lane.next = self.softmax.context_lane.val();

        // Drain.
        self.drain.result_valid.next = self.sequencer.context_valid.val();
        self.drain.results.next = self.lanes.results.val();
        self.drain.command.next = self.lanes.result_tag.val();
        self.drain.word_ready.next = true;
        self.sequencer.drain_taken.next = self.drain.taken.val();
        self.sequencer.drain_busy.next = self.drain.busy.val();

        self.scores_beat.next = self.sequencer.beat_valid.val() & self.sequencer.beat_scores.val();
        self.contexts_beat.next = self.sequencer.beat_valid.val() & self.sequencer.beat_contexts.val();
        self.odd_group.next = self.sequencer.beat_bank.val();
        self.query_read.next = self.scratchpad.row_valid.val() & self.scratchpad.row_ready.val();
        self.key_read.next = self.sequencer.key_read.val();
        self.context_write.next = self.drain.word_valid.val();

        // Counters.
        self.cycles.next = self.cycle_count.q.val();
        self.broadcast_words.next = self.broadcast_count.q.val();
        self.row_words.next = self.row_count.q.val();
        self.context_words.next = self.context_count.q.val();
        if self.sequencer.busy.val() {
            self.cycle_count.d.next = self.cycle_count.q.val() + 1;
        }
        if self.sequencer.read.val() {
            self.broadcast_count.d.next = self.broadcast_count.q.val() + 1;
        }
        if self.query_read.val() {
            self.row_count.d.next = self.row_count.q.val() + 1;
        }
        if self.context_write.val() {
            self.context_count.d.next = self.context_count.q.val() + 1;
        }
        if self.start.val() {
            self.cycle_count.d.next = 0.into();
            self.broadcast_count.d.next = 0.into();
            self.row_count.d.next = 0.into();
            self.context_count.d.next = 0.into();
        }
    }
}
