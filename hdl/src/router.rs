//! Router: gate logits to a queue of tokens per expert, and the queues to
//! whoever computes the experts.
//!
//! Twin of `edge_moe_kernels::route`: [`choose`] of `choose`, [`queues`] of
//! `Queues`.
//!
//! *Filling.* `start` begins a set; its logits come in words of V, token after
//! token, ceil(`experts`/V) words each; lanes beyond the last expert are not
//! looked at. The tokens are numbered from `first_token` up. `clear` empties
//! the queues first; without it tokens are appended to those of sets before.
//!
//! *Draining.* `close` ends the filling. Tokens whose first word was accepted
//! are completed, further ones wait until the queues are drained. Then the
//! experts with tokens are offered one at a time, ascending. While an expert is
//! offered, each `rewind` streams its queue from the start, in the order of
//! appending. Taking the offer (`expert_ready`) goes on. At least one offer
//! comes: if all queues are empty, one with `expert_none` (and `expert_last`).
//! Once the last is taken the queues are empty, and may be filled again.
//!
//! `waiting` has a bit for each expert that has tokens: while draining, for
//! the offered one and those still to come, so that their rows can be loaded
//! ahead.
//!
//! A visit that finds no node left is dropped and sets `overflow`, which stays
//! until `clear` or reset.
//!
//! | what | beats |
//! |---|---|
//! | a token, k ≤ 2 | max(E + 2, 15) |
//! | a token, k > 2 | (k − 1) · max(E + 2, 15) |
//! | a lone token, from its first word until `busy` is low, k ≤ 2 | 2E + 18 + k |
//! | `close` to the first offer | 3 |
//! | between two offers | 1 |
//! | `rewind` to the first visit | 1 |
//! | a visit | 1 |

pub mod choose;
pub mod power;
pub mod queues;
pub mod score;

use crate::support::prelude::*;
use choose::Choose;
use queues::Queues;

#[derive(LogicBlock)]
pub struct Router<const V: usize, const WORD: usize, const EXPERTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// E, 1…EXPERTS; constant while `busy`.
    pub experts: Signal<In, Bits<7>>,
    /// k, 1…E; constant while `busy`.
    pub top_k: Signal<In, Bits<7>>,
    /// A set begins; pulse while not `busy`.
    pub start: Signal<In, Bit>,
    /// Number of its first token, taken with `start`.
    pub first_token: Signal<In, Bits<16>>,
    /// Empties the queues; pulse while not `busy`, also with `start`.
    pub clear: Signal<In, Bit>,
    /// All logits were accepted; pulse.
    pub close: Signal<In, Bit>,
    /// A token is on its way, or queues are being drained.
    pub busy: Signal<Out, Bit>,
    pub overflow: Signal<Out, Bit>,
    pub waiting: Signal<Out, Bits<EXPERTS>>,

    pub logits_valid: Signal<In, Bit>,
    pub logits_ready: Signal<Out, Bit>,
    /// V logits, s16 with eleven fraction bits, base 2; lane 0 lowest.
    pub logits_data: Signal<In, Bits<WORD>>,

    pub expert_valid: Signal<Out, Bit>,
    pub expert_ready: Signal<In, Bit>,
    pub expert_index: Signal<Out, Bits<6>>,
    /// Tokens in its queue.
    pub expert_count: Signal<Out, Bits<16>>,
    /// The last offer.
    pub expert_last: Signal<Out, Bit>,
    /// The only offer, and no expert: all queues are empty.
    pub expert_none: Signal<Out, Bit>,

    /// Begins a walk, or begins it again: pulse while an expert is offered and not taken.
    pub rewind: Signal<In, Bit>,
    /// Visits of the walk; `rewind` and `expert_ready` abandon those that were not taken.
    pub visit_valid: Signal<Out, Bit>,
    pub visit_ready: Signal<In, Bit>,
    pub visit_token: Signal<Out, Bits<16>>,
    /// Q0.16.
    pub visit_score: Signal<Out, Bits<16>>,
    pub visit_last: Signal<Out, Bit>,

    choose: Choose<V, WORD, EXPERTS>,
    queues: Queues<EXPERTS>,
    closing: Register<Bit>,
    /// The last choice is being appended.
    appending: Register<Bit>,
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Router<V, WORD, EXPERTS> {
    /// A router whose queues hold `nodes` visits in all: k for each token of all sets.
    pub fn new(nodes: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            experts: Default::default(),
            top_k: Default::default(),
            start: Default::default(),
            first_token: Default::default(),
            clear: Default::default(),
            close: Default::default(),
            busy: Default::default(),
            overflow: Default::default(),
            waiting: Default::default(),
            logits_valid: Default::default(),
            logits_ready: Default::default(),
            logits_data: Default::default(),
            expert_valid: Default::default(),
            expert_ready: Default::default(),
            expert_index: Default::default(),
            expert_count: Default::default(),
            expert_last: Default::default(),
            expert_none: Default::default(),
            rewind: Default::default(),
            visit_valid: Default::default(),
            visit_ready: Default::default(),
            visit_token: Default::default(),
            visit_score: Default::default(),
            visit_last: Default::default(),
            choose: Default::default(),
            queues: Queues::new(nodes),
            closing: Default::default(),
            appending: Default::default(),
        }
    }
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Logic for Router<V, WORD, EXPERTS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, closing, appending);

        self.choose.clock.next = self.clock.val();
        self.choose.reset.next = self.reset.val();
        self.choose.experts.next = self.experts.val();
        self.choose.top_k.next = self.top_k.val();
        self.choose.start.next = self.start.val();
        self.choose.first_token.next = self.first_token.val();
        self.choose.hold.next = self.closing.q.val() | self.queues.draining.val();
        self.choose.logits_valid.next = self.logits_valid.val();
        self.choose.logits_data.next = self.logits_data.val();
        self.logits_ready.next = self.choose.logits_ready.val();

        self.queues.clock.next = self.clock.val();
        self.queues.reset.next = self.reset.val();
        self.queues.clear.next = self.clear.val();
        self.queues.append.next = self.choose.choice_valid.val();
        self.queues.append_expert.next = self.choose.choice_expert.val();
        self.queues.append_token.next = self.choose.choice_token.val();
        self.queues.append_score.next = self.choose.choice_score.val();
        self.queues.expert_ready.next = self.expert_ready.val();
        self.queues.rewind.next = self.rewind.val();
        self.queues.visit_ready.next = self.visit_ready.val();
        self.expert_valid.next = self.queues.expert_valid.val();
        self.expert_index.next = self.queues.expert_index.val();
        self.expert_count.next = self.queues.expert_count.val();
        self.expert_last.next = self.queues.expert_last.val();
        self.expert_none.next = self.queues.expert_none.val();
        self.visit_valid.next = self.queues.visit_valid.val();
        self.visit_token.next = self.queues.visit_token.val();
        self.visit_score.next = self.queues.visit_score.val();
        self.visit_last.next = self.queues.visit_last.val();
        self.overflow.next = self.queues.overflow.val();
        self.waiting.next = self.queues.waiting.val();

        // Close once the last choice stands in its queue.
        self.appending.d.next = self.choose.choice_valid.val();
        self.queues.close.next = self.closing.q.val() & !self.choose.busy.val() & !self.appending.q.val();
        if self.queues.close.val() {
            self.closing.d.next = false;
        }
        if self.close.val() {
            self.closing.d.next = true;
        }
        self.busy.next = self.choose.busy.val()
            | self.appending.q.val()
            | self.closing.q.val()
            | self.queues.draining.val();

        if self.reset.val() {
            self.closing.d.next = false;
            self.appending.d.next = false;
        }
    }
}
