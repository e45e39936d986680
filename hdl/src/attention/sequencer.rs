//! The order of beats of reordered attention.
//!
//! A group is P queries of one head. Scores (Q·Kᵀ) and contexts (A·V) of the
//! groups take turns on the same lanes: S0 S1 C0 S2 C1 S3 … so that while one
//! group's logits become probabilities, the other group computes. Each beat
//! broadcasts one word, a key's or a row's of Vᵀ, in ascending order; that is
//! all the bandwidth there is, whatever P is. Queries of the group after next
//! are read besides, and load into the free half of the lanes' row memories.
//!
//! A lane's row memory is four quarters: queries of even and odd groups, then
//! probabilities of even and odd groups.
//!
//! Beats of a descriptor: sets · heads · ceil(T/P) · (T·d/V + d·ceil(T/V)).

use super::probability_control::ProbabilityControl;
use super::query_loader::QueryLoader;
use super::walk::GroupWalk;
use crate::drain;
use crate::support::prelude::*;

/// What the lanes compute.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Phase {
    Pause,
    Scores,
    Contexts,
}

/// `L` bits of a lane's number, `A` of a row address, `K` of a score address.
#[derive(LogicBlock)]
pub struct Sequencer<const L: usize, const A: usize, const K: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Runs the descriptor whose operands stand below; they are held until `busy` falls.
    pub start: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,

    /// First words in the scratchpad.
    pub queries: Signal<In, Bits<20>>,
    pub keys: Signal<In, Bits<20>>,
    pub values: Signal<In, Bits<20>>,
    pub contexts: Signal<In, Bits<20>>,
    /// T, sets, H, d.
    pub tokens: Signal<In, Bits<13>>,
    pub sets: Signal<In, Bits<8>>,
    pub heads: Signal<In, Bits<8>>,
    pub head_channels: Signal<In, Bits<13>>,
    /// d/V, D/V, ceil(T/V), P·D/V, T·D/V.
    pub head_words: Signal<In, Bits<20>>,
    pub token_words: Signal<In, Bits<20>>,
    pub value_words: Signal<In, Bits<20>>,
    pub group_words: Signal<In, Bits<20>>,
    pub set_words: Signal<In, Bits<20>>,

    /// Scratchpad: a broadcast word, and a query's word.
    pub read: Signal<Out, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub row_read_valid: Signal<Out, Bit>,
    pub row_read_ready: Signal<In, Bit>,
    pub row_read_address: Signal<Out, Bits<20>>,
    /// A query's word comes, [`LATENCY`](crate::scratchpad::LATENCY) beats after its read; the lanes take the first that came.
    pub row_comes: Signal<Out, Bit>,
    pub row_taken: Signal<In, Bit>,
    pub row_lane: Signal<Out, Bits<L>>,
    pub row_address: Signal<Out, Bits<A>>,

    /// A beat of the lanes.
    pub beat_valid: Signal<Out, Bit>,
    pub beat_address: Signal<Out, Bits<A>>,
    pub beat_first: Signal<Out, Bit>,
    pub beat_last: Signal<Out, Bit>,
    pub beat_scores: Signal<Out, Bit>,
    pub beat_contexts: Signal<Out, Bit>,
    pub beat_bank: Signal<Out, Bit>,
    pub beat_tag: Signal<Out, Bits<48>>,

    /// Results of scores, by the tag of their beat; those of contexts go to the drain.
    pub result_valid: Signal<In, Bit>,
    pub result_tag: Signal<In, Bits<48>>,
    pub context_valid: Signal<Out, Bit>,
    /// The drain took results of contexts; it holds none that have not left.
    pub drain_taken: Signal<In, Bit>,
    pub drain_busy: Signal<In, Bit>,

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

    loader: QueryLoader<L, A>,
    probabilities: ProbabilityControl<L, A, K>,

    phase: Register<Phase>,
    score_walk: GroupWalk,
    context_walk: GroupWalk,
    /// Groups with scores and without contexts.
    ahead: Register<Bits<2>>,
    /// Key or channel, and word in it.
    outer: Register<Bits<13>>,
    word: Register<Bits<20>>,
    offset: Register<Bits<20>>,
    /// First word of the head's rows of Vᵀ.
    value_head: Register<Bits<20>>,
    /// Place of the channel in its context word, and that word's in the head.
    element: Register<Bits<7>>,
    context_word: Register<Bits<20>>,
    on_their_way: Register<Bits<5>>,
    issue: Signal<Local, Bit>,
    next_word: Signal<Local, Bits<20>>,
    next_outer: Signal<Local, Bits<13>>,
    after_next_word: Signal<Local, Bits<20>>,
    after_next_outer: Signal<Local, Bits<13>>,
    last_word: Signal<Local, Bit>,
    last_outer: Signal<Local, Bit>,
    /// Whether `word` and `outer` are the last of scores, of contexts.
    last_key_word: Register<Bit>,
    last_value_word: Register<Bit>,
    last_key: Register<Bit>,
    last_channel: Register<Bit>,
    word_full: Signal<Local, Bit>,
    phase_ends: Signal<Local, Bit>,
    scores_can_start: Signal<Local, Bit>,
    contexts_can_start: Signal<Local, Bit>,
    context_issued: Signal<Local, Bit>,
    row_word: Signal<Local, Bits<A>>,
    value_address: Signal<Local, Bits<20>>,
    key_word_address: Signal<Local, Bits<20>>,
    score_tag: Signal<Local, Bits<48>>,
    context_tag: Signal<Local, Bits<48>>,
    context_address: Signal<Local, Bits<20>>,

    quarter_1: Constant<Bits<A>>,
    quarter_2: Constant<Bits<A>>,
    quarter_3: Constant<Bits<A>>,
    last_element: Constant<Bits<7>>,
    depth: Constant<Bits<5>>,
}

impl<const L: usize, const A: usize, const K: usize> Sequencer<L, A, K> {
    /// A sequencer for `lanes` lanes of `vector` multipliers.
    pub fn new(lanes: usize, vector: usize) -> Self {
        assert!(lanes <= 1 << L && vector <= 64, "{lanes} lanes of {vector}");
        let quarter = |count: u64| Constant::new((count << (A - 2)).into());
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
            read: Default::default(),
            read_address: Default::default(),
            row_read_valid: Default::default(),
            row_read_ready: Default::default(),
            row_read_address: Default::default(),
            row_comes: Default::default(),
            row_taken: Default::default(),
            row_lane: Default::default(),
            row_address: Default::default(),
            beat_valid: Default::default(),
            beat_address: Default::default(),
            beat_first: Default::default(),
            beat_last: Default::default(),
            beat_scores: Default::default(),
            beat_contexts: Default::default(),
            beat_bank: Default::default(),
            beat_tag: Default::default(),
            result_valid: Default::default(),
            result_tag: Default::default(),
            context_valid: Default::default(),
            drain_taken: Default::default(),
            drain_busy: Default::default(),
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
            loader: QueryLoader::new(lanes),
            probabilities: ProbabilityControl::new(lanes),
            phase: Default::default(),
            score_walk: GroupWalk::new(lanes),
            context_walk: GroupWalk::new(lanes),
            ahead: Default::default(),
            outer: Default::default(),
            word: Default::default(),
            offset: Default::default(),
            value_head: Default::default(),
            element: Default::default(),
            context_word: Default::default(),
            on_their_way: Default::default(),
            issue: Default::default(),
            next_word: Default::default(),
            next_outer: Default::default(),
            after_next_word: Default::default(),
            after_next_outer: Default::default(),
            last_word: Default::default(),
            last_outer: Default::default(),
            last_key_word: Default::default(),
            last_value_word: Default::default(),
            last_key: Default::default(),
            last_channel: Default::default(),
            word_full: Default::default(),
            phase_ends: Default::default(),
            scores_can_start: Default::default(),
            contexts_can_start: Default::default(),
            context_issued: Default::default(),
            row_word: Default::default(),
            value_address: Default::default(),
            key_word_address: Default::default(),
            score_tag: Default::default(),
            context_tag: Default::default(),
            context_address: Default::default(),
            quarter_1: quarter(1),
            quarter_2: quarter(2),
            quarter_3: quarter(3),
            last_element: Constant::new((vector as u64 - 1).into()),
            depth: Constant::new((drain::DEPTH as u64).into()),
        }
    }
}

impl<const L: usize, const A: usize, const K: usize> Logic for Sequencer<L, A, K> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            phase,
            ahead,
            outer,
            word,
            offset,
            value_head,
            element,
            context_word,
            on_their_way,
            last_key_word,
            last_value_word,
            last_key,
            last_channel
        );
        self.loader.clock.next = self.clock.val();
        self.loader.reset.next = self.reset.val();
        self.loader.start.next = self.start.val();
        self.loader.queries.next = self.queries.val();
        self.loader.tokens.next = self.tokens.val();
        self.loader.sets.next = self.sets.val();
        self.loader.heads.next = self.heads.val();
        self.loader.head_words.next = self.head_words.val();
        self.loader.token_words.next = self.token_words.val();
        self.loader.group_words.next = self.group_words.val();
        self.loader.set_words.next = self.set_words.val();
        self.loader.row_read_ready.next = self.row_read_ready.val();
        self.loader.row_taken.next = self.row_taken.val();
        self.row_read_valid.next = self.loader.row_read_valid.val();
        self.row_read_address.next = self.loader.row_read_address.val();
        self.row_comes.next = self.loader.row_comes.val();
        self.row_lane.next = self.loader.row_lane.val();
        self.row_address.next = self.loader.row_address.val();
        self.probabilities.clock.next = self.clock.val();
        self.probabilities.reset.next = self.reset.val();
        self.probabilities.tokens.next = self.tokens.val();
        self.probabilities.result_valid.next = self.result_valid.val();
        self.probabilities.result_tag.next = self.result_tag.val();
        self.probabilities.probability_write.next = self.probability_write.val();
        self.probabilities.scale_write.next = self.scale_write.val();
        self.probabilities.scale_lane.next = self.scale_lane.val();
        self.push.next = self.probabilities.push.val();
        self.push_first.next = self.probabilities.push_first.val();
        self.push_address.next = self.probabilities.push_address.val();
        self.key_read.next = self.probabilities.key_read.val();
        self.key_first.next = self.probabilities.key_first.val();
        self.key_last.next = self.probabilities.key_last.val();
        self.key_address.next = self.probabilities.key_address.val();
        self.probability_address.next = self.probabilities.probability_address.val();
        self.scale_bank.next = self.probabilities.scale_bank.val();
        self.score_walk.clock.next = self.clock.val();
        self.score_walk.reset.next = self.reset.val();
        self.score_walk.start.next = self.start.val();
        self.score_walk.tokens.next = self.tokens.val();
        self.score_walk.heads.next = self.heads.val();
        self.score_walk.sets.next = self.sets.val();
        self.score_walk.head_words.next = self.head_words.val();
        self.score_walk.group_words.next = self.group_words.val();
        self.score_walk.set_words.next = self.set_words.val();
        self.context_walk.clock.next = self.clock.val();
        self.context_walk.reset.next = self.reset.val();
        self.context_walk.start.next = self.start.val();
        self.context_walk.tokens.next = self.tokens.val();
        self.context_walk.heads.next = self.heads.val();
        self.context_walk.sets.next = self.sets.val();
        self.context_walk.head_words.next = self.head_words.val();
        self.context_walk.group_words.next = self.group_words.val();
        self.context_walk.set_words.next = self.set_words.val();

        // Beats.
        self.next_word.next = self.word.q.val() + 1;
        self.next_outer.next = self.outer.q.val() + 1;
        self.after_next_word.next = self.word.q.val() + 2;
        self.after_next_outer.next = self.outer.q.val() + 2;
        self.last_word.next = self.last_key_word.q.val();
        self.last_outer.next = self.last_key.q.val();
        self.issue.next = self.phase.q.val() == Phase::Scores;
        if self.phase.q.val() == Phase::Contexts {
            self.last_word.next = self.last_value_word.q.val();
            self.last_outer.next = self.last_channel.q.val();
            self.issue.next = !self.last_word.val() | (self.on_their_way.q.val() != self.depth.val());
        }
        self.word_full.next = self.element.q.val() == self.last_element.val();
        self.phase_ends.next = self.issue.val() & self.last_word.val() & self.last_outer.val();
        if self.issue.val() {
            self.offset.d.next = self.offset.q.val() + 1;
            self.word.d.next = self.next_word.val();
            if self.last_word.val() {
                self.word.d.next = 0.into();
                self.outer.d.next = self.next_outer.val();
                if self.phase.q.val() == Phase::Scores {
                    self.offset.d.next =
                        self.offset.q.val() + self.token_words.val() + 1 - self.head_words.val();
                }
                self.element.d.next = self.element.q.val() + 1;
                if self.word_full.val() {
                    self.element.d.next = 0.into();
                    self.context_word.d.next = self.context_word.q.val() + 1;
                }
            }
        }
        self.last_key_word.d.next = self.next_word.val() == self.head_words.val();
        self.last_value_word.d.next = self.next_word.val() == self.value_words.val();
        self.last_key.d.next = self.next_outer.val() == self.tokens.val();
        self.last_channel.d.next = self.next_outer.val() == self.head_channels.val();
        if self.issue.val() {
            self.last_key_word.d.next = self.after_next_word.val() == self.head_words.val();
            self.last_value_word.d.next = self.after_next_word.val() == self.value_words.val();
            if self.last_word.val() {
                self.last_key_word.d.next = self.head_words.val() == 1;
                self.last_value_word.d.next = self.value_words.val() == 1;
                self.last_key.d.next = self.after_next_outer.val() == self.tokens.val();
                self.last_channel.d.next = self.after_next_outer.val() == self.head_channels.val();
            }
        }
        if self.phase_ends.val() {
            self.last_key.d.next = self.tokens.val() == 1;
            self.last_channel.d.next = self.head_channels.val() == 1;
            self.outer.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.element.d.next = 0.into();
            self.context_word.d.next = 0.into();
        }
        self.read.next = self.issue.val();
        self.beat_valid.next = self.issue.val();
        self.beat_first.next = !self.word.q.val().any();
        self.beat_last.next = self.last_word.val();
        self.beat_scores.next = self.phase.q.val() == Phase::Scores;
        self.beat_contexts.next = self.phase.q.val() == Phase::Contexts;
        self.row_word.next = self.word.q.val().get_bits::<A>(0);
        self.key_word_address.next =
            self.keys.val() + self.score_walk.head_offset.val() + self.offset.q.val();
        self.value_address.next = self.values.val() + self.value_head.q.val() + self.offset.q.val();
        self.score_tag.next = bit_cast::<48, 13>(self.outer.q.val())
            | (bit_cast::<48, 1>(self.score_walk.parity.val().into()) << 13)
            | (bit_cast::<48, 1>((self.outer.q.val() == 0).into()) << 14)
            | (bit_cast::<48, 1>(self.last_outer.val().into()) << 15)
            | (bit_cast::<48, 1>(self.beat_scores.val().into()) << 47);
        self.context_address.next =
            self.contexts.val() + self.context_walk.group_offset.val() + self.context_word.q.val();
        self.context_tag.next = bit_cast::<48, 20>(self.context_address.val())
            | (bit_cast::<48, 12>(self.token_words.val().get_bits::<12>(0)) << 20)
            | (bit_cast::<48, 6>(self.context_walk.queries.val()) << 32)
            | (bit_cast::<48, 7>(self.element.q.val()) << 38)
            | (bit_cast::<48, 1>(self.beat_contexts.val().into()) << 45)
            | (bit_cast::<48, 1>(self.word_full.val().into()) << 46);
        if self.phase.q.val() == Phase::Scores {
            self.read_address.next = self.key_word_address.val();
            self.beat_bank.next = self.score_walk.parity.val();
            self.beat_tag.next = self.score_tag.val();
            self.beat_address.next = self.row_word.val();
            if self.score_walk.parity.val() {
                self.beat_address.next = self.row_word.val() | self.quarter_1.val();
            }
        } else {
            self.read_address.next = self.value_address.val();
            self.beat_bank.next = self.context_walk.parity.val();
            self.beat_tag.next = self.context_tag.val();
            self.beat_address.next = self.row_word.val() | self.quarter_2.val();
            if self.context_walk.parity.val() {
                self.beat_address.next = self.row_word.val() | self.quarter_3.val();
            }
        }

        // Which phase comes next: scores until two groups have them, then contexts.
        self.scores_can_start.next =
            !self.score_walk.done.val() & !self.ahead.q.val().get_bit(1) & self.loader.even.val();
        if self.score_walk.parity.val() {
            self.scores_can_start.next =
                !self.score_walk.done.val() & !self.ahead.q.val().get_bit(1) & self.loader.odd.val();
        }
        self.contexts_can_start.next = self.ahead.q.val().any() & self.probabilities.even.val();
        if self.context_walk.parity.val() {
            self.contexts_can_start.next = self.ahead.q.val().any() & self.probabilities.odd.val();
        }
        self.score_walk.advance.next = self.phase_ends.val() & self.beat_scores.val();
        self.context_walk.advance.next = self.phase_ends.val() & self.beat_contexts.val();
        self.loader.use_even.next = self.score_walk.advance.val() & !self.score_walk.parity.val();
        self.loader.use_odd.next = self.score_walk.advance.val() & self.score_walk.parity.val();
        self.probabilities.use_even.next = self.context_walk.advance.val() & !self.context_walk.parity.val();
        self.probabilities.use_odd.next = self.context_walk.advance.val() & self.context_walk.parity.val();
        match self.phase.q.val() {
            Phase::Pause => {
                if self.scores_can_start.val() {
                    self.phase.d.next = Phase::Scores;
                } else if self.contexts_can_start.val()
                    & (self.ahead.q.val().get_bit(1) | self.score_walk.done.val())
                {
                    self.phase.d.next = Phase::Contexts;
                }
            }
            Phase::Scores => {
                if self.phase_ends.val() {
                    self.phase.d.next = Phase::Pause;
                    if self.contexts_can_start.val() {
                        self.phase.d.next = Phase::Contexts;
                    }
                    self.ahead.d.next = self.ahead.q.val() + 1;
                }
            }
            Phase::Contexts => {
                if self.phase_ends.val() {
                    self.phase.d.next = Phase::Pause;
                    if !self.score_walk.done.val()
                        & ((self.loader.even.val() & !self.score_walk.parity.val())
                            | (self.loader.odd.val() & self.score_walk.parity.val()))
                    {
                        self.phase.d.next = Phase::Scores;
                    }
                    self.ahead.d.next = self.ahead.q.val() - 1;
                    if self.context_walk.last_of_head.val() {
                        self.value_head.d.next = self.value_head.q.val() + self.offset.q.val() + 1;
                    }
                }
            }
            _ => {
                self.phase.d.next = Phase::Pause;
            }
        }

        // Results of contexts between their beat and the drain.
        self.context_issued.next = self.issue.val() & self.last_word.val() & self.beat_contexts.val();
        if self.context_issued.val() & !self.drain_taken.val() {
            self.on_their_way.d.next = self.on_their_way.q.val() + 1;
        } else if !self.context_issued.val() & self.drain_taken.val() {
            self.on_their_way.d.next = self.on_their_way.q.val() - 1;
        }
        self.context_valid.next = self.result_valid.val() & !self.result_tag.val().get_bit(47);

        self.busy.next =
            !self.context_walk.done.val() | self.on_their_way.q.val().any() | self.drain_busy.val();

        if self.start.val() {
            self.value_head.d.next = 0.into();
        }
        if self.reset.val() {
            self.phase.d.next = Phase::Pause;
            self.ahead.d.next = 0.into();
            self.outer.d.next = 0.into();
            self.word.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.element.d.next = 0.into();
            self.context_word.d.next = 0.into();
            self.on_their_way.d.next = 0.into();
        }
    }
}
