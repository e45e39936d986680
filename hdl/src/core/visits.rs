//! The visits of an expert, again and again: each row group of its layers sees its tokens once.

use crate::support::prelude::*;

/// Walks `walks` times through the queue of the expert that the router
/// offers, and holds the next visit ready with the place of its token: token
/// number times words of a token, formed a beat after the visit came: one visit in two beats at most. A walk begins
/// while the last visit of the one before is still held.
#[derive(LogicBlock)]
pub struct Visits {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// An expert is offered: begins its walks.
    pub start: Signal<In, Bit>,
    /// At least one; held.
    pub walks: Signal<In, Bits<17>>,
    pub token_words: Signal<In, Bits<16>>,

    pub rewind: Signal<Out, Bit>,
    pub visit_valid: Signal<In, Bit>,
    pub visit_ready: Signal<Out, Bit>,
    pub visit_token: Signal<In, Bits<16>>,
    pub visit_score: Signal<In, Bits<16>>,
    pub visit_last: Signal<In, Bit>,

    pub valid: Signal<Out, Bit>,
    pub take: Signal<In, Bit>,
    pub offset: Signal<Out, Bits<20>>,
    pub score: Signal<Out, Bits<16>>,
    pub last: Signal<Out, Bit>,

    /// The visit that came, before its product.
    came: Register<Bit>,
    came_token: Register<Bits<16>>,
    came_score: Register<Bits<16>>,
    came_last: Register<Bit>,
    held: Register<Bit>,
    product: Register<S<34>>,
    held_score: Register<Bits<16>>,
    held_last: Register<Bit>,
    walks_left: Register<Bits<17>>,
    rewinding: Register<Bit>,
    load: Signal<Local, Bit>,
    form: Signal<Local, Bit>,
    token: Signal<Local, Bits<17>>,
    words: Signal<Local, Bits<17>>,
    one: Constant<Bits<17>>,
}

impl Default for Visits {
    fn default() -> Self {
        with_defaults!(
            clock, reset, start, walks, token_words, rewind, visit_valid, visit_ready, visit_token, visit_score,
            visit_last, valid, take, offset, score, last, came, came_token, came_score, came_last, held, product, held_score, held_last, walks_left,
            rewinding, load, form, token, words;
            one: Constant::new(1_u64.into()),
        )
    }
}

impl Logic for Visits {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, came, came_token, came_score, came_last, held, product, held_score, held_last,
            walks_left, rewinding
        );
        self.rewind.next = self.rewinding.q.val();
        self.rewinding.d.next = false;

        self.form.next = self.came.q.val() & (!self.held.q.val() | self.take.val());
        self.visit_ready.next = !self.came.q.val();
        self.load.next = self.visit_valid.val() & self.visit_ready.val();
        self.token.next = bit_cast::<17, 16>(self.came_token.q.val());
        self.words.next = bit_cast::<17, 16>(self.token_words.val());
        if self.take.val() {
            self.held.d.next = false;
        }
        if self.form.val() {
            self.came.d.next = false;
            self.held.d.next = true;
            self.product.d.next =
                (self.token.val().to_signed_bits() * self.words.val().to_signed_bits()).into();
            self.held_score.d.next = self.came_score.q.val();
            self.held_last.d.next = self.came_last.q.val();
        }
        if self.load.val() {
            self.came.d.next = true;
            self.came_token.d.next = self.visit_token.val();
            self.came_score.d.next = self.visit_score.val();
            self.came_last.d.next = self.visit_last.val();
            if self.visit_last.val() {
                self.walks_left.d.next = self.walks_left.q.val() - 1;
                self.rewinding.d.next = self.walks_left.q.val() != self.one.val();
            }
        }
        self.valid.next = self.held.q.val();
        self.offset.next = self.product.q.val().get_bits::<20>(0);
        self.score.next = self.held_score.q.val();
        self.last.next = self.held_last.q.val();

        if self.start.val() {
            self.walks_left.d.next = self.walks.val();
            self.rewinding.d.next = true;
        }
        if self.reset.val() {
            self.came.d.next = false;
            self.held.d.next = false;
            self.rewinding.d.next = false;
        }
    }
}
