//! The experts of a token and their scores, from its gate logits.
//!
//! Twin of `edge_moe_kernels::route::choose`. Logits are handled one a beat:
//!
//! 1. *Load*: the logits of a token go into one of two banks; the greatest is
//!    remembered on the way (the first of equals: the lower index wins).
//! 2. *Pass*: reads them again; each gives 2^(logit − greatest), interpolated,
//!    and these are summed. The pass also finds the best expert behind the one
//!    chosen last: a lower logit, or an equal one with a higher index.
//! 3. [`Score`]: 1/Σ, times the power of the expert, rounded.
//!
//! One pass serves one or two experts, each further expert takes one more; a
//! pass sums again what it summed before, so that all passes are alike. The
//! steps of different tokens overlap. A pass of E experts takes
//! max(E + 2, [`PERIOD`]) beats, which is also what a token costs when
//! `top_k` ≤ 2.
//!
//! Beats of a pass, counted from the one that issues the read of the last logit:
//!
//! | beat | what |
//! |---:|---|
//! | 1 | logit: distance from the greatest, comparison with the best so far |
//! | 2 | the best is known, the next pass may follow |
//! | 2 … 6 | [`Power`] |
//! | 7 | sum |
//! | 8 … 17 | [`Score`]; the choices leave in the last two |
//!
//! Choices are never refused: whoever takes them keeps up.

use super::power::{self, Power};
use super::score::Score;
use crate::support::prelude::*;

/// Least beats from pass to pass: what a pass hands over to the score is read
/// until its beat 17, and the next replaces it in its beat 2.
pub const PERIOD: usize = 15;

#[derive(LogicBlock)]
pub struct Choose<const V: usize, const WORD: usize, const EXPERTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Constant while `busy`.
    pub experts: Signal<In, Bits<7>>,
    pub top_k: Signal<In, Bits<7>>,
    /// The next token has the number `first_token`; while not `busy`.
    pub start: Signal<In, Bit>,
    pub first_token: Signal<In, Bits<16>>,
    /// Take no further token; complete those that have begun.
    pub hold: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,

    pub logits_valid: Signal<In, Bit>,
    pub logits_ready: Signal<Out, Bit>,
    pub logits_data: Signal<In, Bits<WORD>>,

    /// An expert of a token; those of one token come best first.
    pub choice_valid: Signal<Out, Bit>,
    pub choice_expert: Signal<Out, Bits<6>>,
    pub choice_token: Signal<Out, Bits<16>>,
    pub choice_score: Signal<Out, Bits<16>>,

    // Load.
    held_word: ShiftOut<16, WORD>,
    held: Register<Bit>,
    lane: Register<Bits<6>>,
    expert: Register<Bits<7>>,
    write_bank: Register<Bit>,
    greatest: Register<S<16>>,
    greatest_expert: Register<Bits<6>>,
    next_token: Register<Bits<16>>,
    token: Register<Bits<16>>,
    step: Signal<Local, Bit>,
    logit: Signal<Local, S<16>>,
    first_logit: Signal<Local, Bit>,
    last_logit: Register<Bit>,
    next_expert: Signal<Local, Bits<7>>,
    after_next: Signal<Local, Bits<7>>,
    word_ends: Signal<Local, Bit>,
    /// The next word is the first of a token.
    at_start: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    loaded: Signal<Local, Bit>,

    /// Both banks, interleaved.
    logits: Ram<16, 7>,
    /// Banks that hold a token, up to two.
    tokens: Register<Bits<2>>,

    // Passes of a token.
    active: Register<Bit>,
    read_bank: Register<Bit>,
    position: Register<Bits<7>>,
    first_pass: Register<Bit>,
    further_passes: Register<Bits<7>>,
    maximum: Register<S<16>>,
    /// The expert that was chosen last.
    chosen_logit: Register<S<16>>,
    chosen: Register<Bits<6>>,
    pass_token: Register<Bits<16>>,
    issue: Signal<Local, Bit>,
    next_position: Signal<Local, Bits<7>>,
    issue_last: Signal<Local, Bit>,
    /// The best of this pass is known: beat 2.
    known: Signal<Local, Bit>,
    /// Beats since a last read was issued: bit i is beat i + 1.
    ended: Register<Bits<7>>,
    all_read: Register<Bit>,
    pass_ends: Signal<Local, Bit>,
    token_ends: Signal<Local, Bit>,
    take: Signal<Local, Bit>,

    // Beat 1.
    read: Register<Bit>,
    read_first: Register<Bit>,
    read_expert: Register<Bits<6>>,
    read_logit: Signal<Local, S<16>>,
    behind_chosen: Signal<Local, Bit>,
    better: Signal<Local, Bit>,
    found: Register<Bit>,
    best_logit: Register<S<16>>,
    best: Register<Bits<6>>,
    distance: Register<S<17>>,

    powers: Power,
    /// From beat 1 to beat 7.
    read_late: ValidDelay<6>,
    first_late: Delay<Bit, 6>,
    better_late: Delay<Bit, 6>,
    score: Score,

    last_lane: Constant<Bits<6>>,
    last_beat: Constant<Bits<7>>,
    two: Constant<Bits<7>>,
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Default for Choose<V, WORD, EXPERTS> {
    fn default() -> Self {
        assert_eq!(16 * V, WORD, "width of {V} logits");
        assert!((1..=64).contains(&V), "{V} logits in a word");
        assert!((1..=64).contains(&EXPERTS), "{EXPERTS} experts");
        assert_eq!(power::LATENCY, 5, "what the beats of a pass are made for");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            experts: Default::default(),
            top_k: Default::default(),
            start: Default::default(),
            first_token: Default::default(),
            hold: Default::default(),
            busy: Default::default(),
            logits_valid: Default::default(),
            logits_ready: Default::default(),
            logits_data: Default::default(),
            choice_valid: Default::default(),
            choice_expert: Default::default(),
            choice_token: Default::default(),
            choice_score: Default::default(),
            held_word: Default::default(),
            held: Default::default(),
            lane: Default::default(),
            expert: Default::default(),
            write_bank: Default::default(),
            greatest: Default::default(),
            greatest_expert: Default::default(),
            next_token: Default::default(),
            token: Default::default(),
            step: Default::default(),
            logit: Default::default(),
            first_logit: Default::default(),
            last_logit: Default::default(),
            next_expert: Default::default(),
            after_next: Default::default(),
            word_ends: Default::default(),
            at_start: Default::default(),
            accept: Default::default(),
            loaded: Default::default(),
            logits: Ram::new(2 * EXPERTS),
            tokens: Default::default(),
            active: Default::default(),
            read_bank: Default::default(),
            position: Default::default(),
            first_pass: Default::default(),
            further_passes: Default::default(),
            maximum: Default::default(),
            chosen_logit: Default::default(),
            chosen: Default::default(),
            pass_token: Default::default(),
            issue: Default::default(),
            next_position: Default::default(),
            issue_last: Default::default(),
            known: Default::default(),
            ended: Default::default(),
            all_read: Default::default(),
            pass_ends: Default::default(),
            token_ends: Default::default(),
            take: Default::default(),
            read: Default::default(),
            read_first: Default::default(),
            read_expert: Default::default(),
            read_logit: Default::default(),
            behind_chosen: Default::default(),
            better: Default::default(),
            found: Default::default(),
            best_logit: Default::default(),
            best: Default::default(),
            distance: Default::default(),
            powers: Default::default(),
            read_late: Default::default(),
            first_late: Default::default(),
            better_late: Default::default(),
            score: Default::default(),
            last_lane: Constant::new((V as u64 - 1).into()),
            last_beat: Constant::new((PERIOD as u64 - 1).into()),
            two: Constant::new(2_u64.into()),
        }
    }
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Logic for Choose<V, WORD, EXPERTS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            held,
            last_logit,
            lane,
            expert,
            write_bank,
            greatest,
            greatest_expert,
            next_token,
            token
        );
        dff_setup!(self, clock, tokens, active, read_bank, position, first_pass, further_passes, maximum);
        dff_setup!(self, clock, chosen_logit, chosen, pass_token, ended, all_read, read, read_first);
        dff_setup!(self, clock, read_expert, found, best_logit, best, distance);
        self.held_word.clock.next = self.clock.val();
        self.logits.clock.next = self.clock.val();
        self.powers.clock.next = self.clock.val();
        self.read_late.clock.next = self.clock.val();
        self.read_late.reset.next = self.reset.val();
        self.first_late.clock.next = self.clock.val();
        self.better_late.clock.next = self.clock.val();
        self.score.clock.next = self.clock.val();
        self.score.reset.next = self.reset.val();

        // Load: a logit a beat while a bank is free.
        self.step.next = self.held.q.val() & !self.tokens.q.val().get_bit(1);
        self.next_expert.next = self.expert.q.val() + 1;
        self.after_next.next = self.expert.q.val() + 2;
        self.loaded.next = self.step.val() & self.last_logit.q.val();
        self.first_logit.next = !self.expert.q.val().any();
        self.last_logit.d.next = self.next_expert.val() == self.experts.val();
        if self.step.val() {
            self.last_logit.d.next = self.after_next.val() == self.experts.val();
        }
        if self.loaded.val() {
            self.last_logit.d.next = self.experts.val() == 1;
        }
        self.word_ends.next =
            self.step.val() & (self.last_logit.q.val() | (self.lane.q.val() == self.last_lane.val()));
        self.at_start.next = self.first_logit.val();
        if self.held.q.val() {
            self.at_start.next = self.last_logit.q.val();
        }
        self.logits_ready.next =
            (!self.held.q.val() | self.word_ends.val()) & !(self.hold.val() & self.at_start.val());
        self.accept.next = self.logits_valid.val() & self.logits_ready.val();
        self.held_word.load.next = self.accept.val();
        self.held_word.words.next = self.logits_data.val();
        self.held_word.shift.next = self.step.val();
        self.logit.next = self.held_word.word.val().to_signed_bits();
        self.logits.write_enable.next = self.step.val();
        self.logits.write_address.next =
            (self.expert.q.val() << 1) | bit_cast::<7, 1>(self.write_bank.q.val().into());
        self.logits.write_data.next = self.held_word.word.val();
        if self.step.val() {
            self.lane.d.next = self.lane.q.val() + 1;
            self.expert.d.next = self.next_expert.val();
            if self.first_logit.val() | (self.logit.val() > self.greatest.q.val()) {
                self.greatest.d.next = self.logit.val();
                self.greatest_expert.d.next = self.expert.q.val().get_bits::<6>(0);
            }
            if self.first_logit.val() {
                self.token.d.next = self.next_token.q.val();
                self.next_token.d.next = self.next_token.q.val() + 1;
            }
        }
        if self.loaded.val() {
            self.expert.d.next = 0.into();
            self.write_bank.d.next = !self.write_bank.q.val();
        }
        if self.word_ends.val() {
            self.held.d.next = false;
        }
        if self.accept.val() {
            self.held.d.next = true;
            self.lane.d.next = 0.into();
        }
        if self.start.val() {
            self.next_token.d.next = self.first_token.val();
        }

        // A pass reads all logits; two beats later the best of them is known.
        self.next_position.next = self.position.q.val() + 1;
        self.issue.next = self.active.q.val() & (self.position.q.val() < self.experts.val());
        self.issue_last.next = self.active.q.val() & (self.next_position.val() == self.experts.val());
        self.logits.read_enable.next = self.issue.val();
        self.logits.read_address.next =
            (self.position.q.val() << 1) | bit_cast::<7, 1>(self.read_bank.q.val().into());
        self.read.d.next = self.issue.val();
        self.read_first.d.next = !self.position.q.val().any();
        self.read_expert.d.next = self.position.q.val().get_bits::<6>(0);
        self.ended.d.next = (self.ended.q.val() << 1) | bit_cast::<7, 1>(self.issue_last.val().into());
        self.known.next = self.ended.q.val().get_bit(1);
        self.position.d.next = self.next_position.val();
        if self.known.val() {
            self.all_read.d.next = true;
        }
        self.pass_ends.next = self.active.q.val()
            & (self.known.val() | self.all_read.q.val())
            & (self.position.q.val() >= self.last_beat.val());
        self.token_ends.next = self.pass_ends.val() & !self.further_passes.q.val().any();
        if self.pass_ends.val() {
            self.position.d.next = 0.into();
            self.all_read.d.next = false;
            self.first_pass.d.next = false;
            self.further_passes.d.next = self.further_passes.q.val() - 1;
            self.chosen_logit.d.next = self.best_logit.q.val();
            self.chosen.d.next = self.best.q.val();
        }
        if self.token_ends.val() {
            self.active.d.next = false;
            self.read_bank.d.next = !self.read_bank.q.val();
        }
        if self.loaded.val() & !self.token_ends.val() {
            self.tokens.d.next = self.tokens.q.val() + 1;
        } else if self.token_ends.val() & !self.loaded.val() {
            self.tokens.d.next = self.tokens.q.val() - 1;
        }

        // The greatest logit is still that of the token to take: loading
        // waits for a bank, or begins in this very beat.
        self.take.next = (self.token_ends.val() & self.tokens.q.val().get_bit(1))
            | (!self.active.q.val() & self.tokens.q.val().any());
        if self.take.val() {
            self.active.d.next = true;
            self.position.d.next = 0.into();
            self.all_read.d.next = false;
            self.first_pass.d.next = true;
            self.further_passes.d.next = 0.into();
            if self.top_k.val() > self.two.val() {
                self.further_passes.d.next = self.top_k.val() - self.two.val();
            }
            self.maximum.d.next = self.greatest.q.val();
            self.chosen_logit.d.next = self.greatest.q.val();
            self.chosen.d.next = self.greatest_expert.q.val();
            self.pass_token.d.next = self.token.q.val();
        }

        // Beat 1: ascending indices, so that only a greater logit is better.
        self.read_logit.next = self.logits.read_data.val().to_signed_bits();
        self.behind_chosen.next = (self.read_logit.val() < self.chosen_logit.q.val())
            | ((self.read_logit.val() == self.chosen_logit.q.val())
                & (self.read_expert.q.val() > self.chosen.q.val()));
        self.better.next = self.read.q.val()
            & self.behind_chosen.val()
            & (self.read_first.q.val()
                | !self.found.q.val()
                | (self.read_logit.val() > self.best_logit.q.val()));
        if self.read.q.val() & self.read_first.q.val() {
            self.found.d.next = false;
        }
        if self.better.val() {
            self.found.d.next = true;
            self.best_logit.d.next = self.read_logit.val();
            self.best.d.next = self.read_expert.q.val();
        }
        self.distance.d.next = (self.maximum.q.val() - self.read_logit.val()).into();

        // What the pass hands over.
        self.score.take.next = self.known.val();
        self.score.first_valid.next = self.first_pass.q.val();
        self.score.first.next = self.chosen.q.val();
        self.score.second_valid.next = self.found.q.val() & (self.top_k.val() >= self.two.val());
        self.score.second.next = self.best.q.val();
        self.score.token.next = self.pass_token.q.val();

        // Beats 2 to 7.
        self.powers.distance.next = self.distance.q.val().get_bits::<16>(0);
        self.read_late.d.next = self.read.q.val();
        self.first_late.d.next = self.read_first.q.val();
        self.better_late.d.next = self.better.val();
        self.score.power_valid.next = self.read_late.q.val();
        self.score.power.next = self.powers.power.val();
        self.score.power_better.next = self.better_late.q.val();
        self.score.power_first.next = self.first_late.q.val();
        self.score.power_last.next = self.ended.q.val().get_bit(6);
        self.choice_valid.next = self.score.choice_valid.val();
        self.choice_expert.next = self.score.choice_expert.val();
        self.choice_token.next = self.score.choice_token.val();
        self.choice_score.next = self.score.choice_score.val();

        self.busy.next = self.held.q.val()
            | self.tokens.q.val().any()
            | self.ended.q.val().any()
            | self.score.busy.val()
            | self.expert.q.val().any();

        if self.reset.val() {
            self.held.d.next = false;
            self.expert.d.next = 0.into();
            self.write_bank.d.next = false;
            self.next_token.d.next = 0.into();
            self.tokens.d.next = 0.into();
            self.active.d.next = false;
            self.read_bank.d.next = false;
            self.ended.d.next = 0.into();
            self.read.d.next = false;
        }
    }
}
