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
    /// The word that came is at the lanes' door: `row_hold` takes it, `row_valid` offers it.
    pub row_hold: Signal<Out, Bit>,
    pub row_valid: Signal<Out, Bit>,
    pub row_ready: Signal<In, Bit>,
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

    // Queries on their way into the lanes.
    load_walk: GroupWalk,
    load_lane: Register<Bits<6>>,
    load_word: Register<Bits<20>>,
    load_offset: Register<Bits<20>>,
    load_pending: Signal<Local, Bit>,
    load_grant: Signal<Local, Bit>,
    load_last_word: Signal<Local, Bit>,
    load_last: Signal<Local, Bit>,
    next_load_lane: Signal<Local, Bits<6>>,
    next_load_word: Signal<Local, Bits<20>>,
    /// A word comes in this beat; it is held; where it goes; the group is complete with it.
    coming: Register<Bit>,
    held: Register<Bit>,
    held_lane: Register<Bits<L>>,
    held_address: Register<Bits<A>>,
    held_last: Register<Bit>,
    held_parity: Register<Bit>,
    queries_even: Register<Bit>,
    queries_odd: Register<Bit>,

    // The beats.
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
    last_word: Signal<Local, Bit>,
    last_outer: Signal<Local, Bit>,
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

    // Probabilities.
    waiting_even: Register<Bit>,
    waiting_odd: Register<Bit>,
    reading: Register<Bit>,
    scaling: Register<Bit>,
    bank: Register<Bit>,
    key: Register<Bits<13>>,
    next_key: Signal<Local, Bits<13>>,
    probability_word: Register<Bits<A>>,
    probabilities_even: Register<Bit>,
    probabilities_odd: Register<Bit>,

    quarter_1: Constant<Bits<A>>,
    quarter_2: Constant<Bits<A>>,
    quarter_3: Constant<Bits<A>>,
    odd_scores: Constant<Bits<K>>,
    last_lane: Constant<Bits<L>>,
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
            row_hold: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
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
            load_walk: GroupWalk::new(lanes),
            load_lane: Default::default(),
            load_word: Default::default(),
            load_offset: Default::default(),
            load_pending: Default::default(),
            load_grant: Default::default(),
            load_last_word: Default::default(),
            load_last: Default::default(),
            next_load_lane: Default::default(),
            next_load_word: Default::default(),
            coming: Default::default(),
            held: Default::default(),
            held_lane: Default::default(),
            held_address: Default::default(),
            held_last: Default::default(),
            held_parity: Default::default(),
            queries_even: Default::default(),
            queries_odd: Default::default(),
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
            last_word: Default::default(),
            last_outer: Default::default(),
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
            waiting_even: Default::default(),
            waiting_odd: Default::default(),
            reading: Default::default(),
            scaling: Default::default(),
            bank: Default::default(),
            key: Default::default(),
            next_key: Default::default(),
            probability_word: Default::default(),
            probabilities_even: Default::default(),
            probabilities_odd: Default::default(),
            quarter_1: quarter(1),
            quarter_2: quarter(2),
            quarter_3: quarter(3),
            odd_scores: Constant::new((1_u64 << (K - 1)).into()),
            last_lane: Constant::new((lanes as u64 - 1).into()),
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
            load_lane,
            load_word,
            load_offset,
            coming,
            held,
            held_lane,
            held_address,
            held_last,
            held_parity,
            queries_even,
            queries_odd,
            phase,
            ahead,
            outer,
            word,
            offset,
            value_head,
            element,
            context_word,
            on_their_way,
            waiting_even,
            waiting_odd,
            reading,
            scaling,
            bank,
            key,
            probability_word,
            probabilities_even,
            probabilities_odd
        );
        self.load_walk.clock.next = self.clock.val();
        self.load_walk.reset.next = self.reset.val();
        self.load_walk.start.next = self.start.val();
        self.load_walk.tokens.next = self.tokens.val();
        self.load_walk.heads.next = self.heads.val();
        self.load_walk.sets.next = self.sets.val();
        self.load_walk.head_words.next = self.head_words.val();
        self.load_walk.group_words.next = self.group_words.val();
        self.load_walk.set_words.next = self.set_words.val();
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

        // Queries: lane after lane, word after word, into the quarter of their group.
        self.load_pending.next = !self.load_walk.done.val() & !self.queries_even.q.val();
        if self.load_walk.parity.val() {
            self.load_pending.next = !self.load_walk.done.val() & !self.queries_odd.q.val();
        }
        self.row_read_valid.next = self.load_pending.val()
            & !self.coming.q.val()
            & (!self.held.q.val() | (self.row_ready.val() & !self.held_last.q.val()));
        self.row_read_address.next = self.queries.val()
            + self.load_walk.group_offset.val()
            + self.load_offset.q.val()
            + self.load_word.q.val();
        self.load_grant.next = self.row_read_valid.val() & self.row_read_ready.val();
        self.next_load_word.next = self.load_word.q.val() + 1;
        self.next_load_lane.next = self.load_lane.q.val() + 1;
        self.load_last_word.next = self.next_load_word.val() == self.head_words.val();
        self.load_last.next =
            self.load_last_word.val() & (self.next_load_lane.val() == self.load_walk.queries.val());
        self.load_walk.advance.next = self.load_grant.val() & self.load_last.val();
        self.coming.d.next = self.load_grant.val();
        if self.load_grant.val() {
            self.held_lane.d.next = self.load_lane.q.val().get_bits::<L>(0);
            self.held_address.d.next = self.load_word.q.val().get_bits::<A>(0);
            if self.load_walk.parity.val() {
                self.held_address.d.next = self.load_word.q.val().get_bits::<A>(0) | self.quarter_1.val();
            }
            self.held_last.d.next = self.load_last.val();
            self.held_parity.d.next = self.load_walk.parity.val();
            self.load_word.d.next = self.next_load_word.val();
            if self.load_last_word.val() {
                self.load_word.d.next = 0.into();
                self.load_lane.d.next = self.next_load_lane.val();
                self.load_offset.d.next = self.load_offset.q.val() + self.token_words.val();
            }
            if self.load_last.val() {
                self.load_lane.d.next = 0.into();
                self.load_offset.d.next = 0.into();
            }
        }
        self.row_hold.next = self.coming.q.val();
        self.row_valid.next = self.held.q.val();
        self.row_lane.next = self.held_lane.q.val();
        self.row_address.next = self.held_address.q.val();
        if self.held.q.val() & self.row_ready.val() {
            self.held.d.next = false;
            if self.held_last.q.val() {
                if self.held_parity.q.val() {
                    self.queries_odd.d.next = true;
                } else {
                    self.queries_even.d.next = true;
                }
            }
        }
        if self.coming.q.val() {
            self.held.d.next = true;
        }

        // Beats.
        self.next_word.next = self.word.q.val() + 1;
        self.next_outer.next = self.outer.q.val() + 1;
        self.last_word.next = self.next_word.val() == self.head_words.val();
        self.last_outer.next = self.next_outer.val() == self.tokens.val();
        self.issue.next = self.phase.q.val() == Phase::Scores;
        if self.phase.q.val() == Phase::Contexts {
            self.last_word.next = self.next_word.val() == self.value_words.val();
            self.last_outer.next = self.next_outer.val() == self.head_channels.val();
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
        if self.phase_ends.val() {
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
            !self.score_walk.done.val() & !self.ahead.q.val().get_bit(1) & self.queries_even.q.val();
        if self.score_walk.parity.val() {
            self.scores_can_start.next =
                !self.score_walk.done.val() & !self.ahead.q.val().get_bit(1) & self.queries_odd.q.val();
        }
        self.contexts_can_start.next = self.ahead.q.val().any() & self.probabilities_even.q.val();
        if self.context_walk.parity.val() {
            self.contexts_can_start.next = self.ahead.q.val().any() & self.probabilities_odd.q.val();
        }
        self.score_walk.advance.next = self.phase_ends.val() & self.beat_scores.val();
        self.context_walk.advance.next = self.phase_ends.val() & self.beat_contexts.val();
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
                    if self.score_walk.parity.val() {
                        self.queries_odd.d.next = false;
                    } else {
                        self.queries_even.d.next = false;
                    }
                }
            }
            Phase::Contexts => {
                if self.phase_ends.val() {
                    self.phase.d.next = Phase::Pause;
                    if !self.score_walk.done.val()
                        & ((self.queries_even.q.val() & !self.score_walk.parity.val())
                            | (self.queries_odd.q.val() & self.score_walk.parity.val()))
                    {
                        self.phase.d.next = Phase::Scores;
                    }
                    self.ahead.d.next = self.ahead.q.val() - 1;
                    if self.context_walk.parity.val() {
                        self.probabilities_odd.d.next = false;
                    } else {
                        self.probabilities_even.d.next = false;
                    }
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
        self.probability_address.next = self.probability_word.q.val() | self.quarter_2.val();
        if self.bank.q.val() {
            self.probability_address.next = self.probability_word.q.val() | self.quarter_3.val();
        }
        self.scale_bank.next = self.bank.q.val();
        if self.reading.q.val() {
            self.key.d.next = self.next_key.val();
            if self.key_last.val() {
                self.reading.d.next = false;
            }
        }
        if self.probability_write.val() {
            self.probability_word.d.next = self.probability_word.q.val() + 1;
        }
        if self.scale_write.val() & (self.scale_lane.val() == self.last_lane.val()) {
            self.scaling.d.next = false;
            if self.bank.q.val() {
                self.probabilities_odd.d.next = true;
            } else {
                self.probabilities_even.d.next = true;
            }
        }
        if !self.scaling.q.val() & (self.waiting_even.q.val() | self.waiting_odd.q.val()) {
            self.reading.d.next = true;
            self.scaling.d.next = true;
            self.key.d.next = 0.into();
            self.probability_word.d.next = 0.into();
            self.bank.d.next = self.waiting_odd.q.val();
            if self.waiting_odd.q.val() {
                self.waiting_odd.d.next = false;
            } else {
                self.waiting_even.d.next = false;
            }
        }

        self.busy.next =
            !self.context_walk.done.val() | self.on_their_way.q.val().any() | self.drain_busy.val();

        if self.start.val() {
            self.value_head.d.next = 0.into();
        }
        if self.reset.val() {
            self.load_lane.d.next = 0.into();
            self.load_word.d.next = 0.into();
            self.load_offset.d.next = 0.into();
            self.coming.d.next = false;
            self.held.d.next = false;
            self.queries_even.d.next = false;
            self.queries_odd.d.next = false;
            self.phase.d.next = Phase::Pause;
            self.ahead.d.next = 0.into();
            self.outer.d.next = 0.into();
            self.word.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.element.d.next = 0.into();
            self.context_word.d.next = 0.into();
            self.on_their_way.d.next = 0.into();
            self.waiting_even.d.next = false;
            self.waiting_odd.d.next = false;
            self.reading.d.next = false;
            self.scaling.d.next = false;
            self.probabilities_even.d.next = false;
            self.probabilities_odd.d.next = false;
        }
    }
}
