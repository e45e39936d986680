//! The order of attention's work: sets, heads, groups of P queries.

use crate::support::prelude::*;

/// Walks through the groups of an attention descriptor, group by group.
///
/// `group` offsets count words from the first word of a token-major tensor to
/// the group's first token and the head's first channel; `head` offsets do the
/// same for the first token of the set. `start` goes to the first group,
/// `advance` to the next one; `done` holds from the `advance` after the last group on.
#[derive(LogicBlock)]
pub struct GroupWalk {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub advance: Signal<In, Bit>,

    /// T.
    pub tokens: Signal<In, Bits<13>>,
    pub heads: Signal<In, Bits<8>>,
    pub sets: Signal<In, Bits<8>>,
    /// d/V.
    pub head_words: Signal<In, Bits<20>>,
    /// P·D/V.
    pub group_words: Signal<In, Bits<20>>,
    /// T·D/V.
    pub set_words: Signal<In, Bits<20>>,

    pub done: Signal<Out, Bit>,
    /// Low and high in turn, group by group.
    pub parity: Signal<Out, Bit>,
    pub head_offset: Signal<Out, Bits<20>>,
    pub group_offset: Signal<Out, Bits<20>>,
    /// Queries of the group, 1…P.
    pub queries: Signal<Out, Bits<6>>,
    /// No group of this head follows.
    pub last_of_head: Signal<Out, Bit>,

    done_state: Register<Bit>,
    parity_state: Register<Bit>,
    head: Register<Bits<8>>,
    set: Register<Bits<8>>,
    set_offset: Register<Bits<20>>,
    head_start: Register<Bits<20>>,
    group_start: Register<Bits<20>>,
    tokens_left: Register<Bits<13>>,
    last_head: Signal<Local, Bit>,
    last_set: Signal<Local, Bit>,
    next_head: Signal<Local, Bits<8>>,
    next_set: Signal<Local, Bits<8>>,
    lanes: Constant<Bits<13>>,
}

impl GroupWalk {
    /// A walk for an array of `lanes` lanes.
    pub fn new(lanes: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            advance: Default::default(),
            tokens: Default::default(),
            heads: Default::default(),
            sets: Default::default(),
            head_words: Default::default(),
            group_words: Default::default(),
            set_words: Default::default(),
            done: Default::default(),
            parity: Default::default(),
            head_offset: Default::default(),
            group_offset: Default::default(),
            queries: Default::default(),
            last_of_head: Default::default(),
            done_state: Default::default(),
            parity_state: Default::default(),
            head: Default::default(),
            set: Default::default(),
            set_offset: Default::default(),
            head_start: Default::default(),
            group_start: Default::default(),
            tokens_left: Default::default(),
            last_head: Default::default(),
            last_set: Default::default(),
            next_head: Default::default(),
            next_set: Default::default(),
            lanes: Constant::new((lanes as u64).into()),
        }
    }
}

impl Logic for GroupWalk {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            done_state,
            parity_state,
            head,
            set,
            set_offset,
            head_start,
            group_start,
            tokens_left
        );
        self.done.next = self.done_state.q.val();
        self.parity.next = self.parity_state.q.val();
        self.head_offset.next = self.head_start.q.val();
        self.group_offset.next = self.group_start.q.val();
        self.last_of_head.next = self.tokens_left.q.val() <= self.lanes.val();
        self.queries.next = self.tokens_left.q.val().get_bits::<6>(0);
        if self.tokens_left.q.val() > self.lanes.val() {
            self.queries.next = self.lanes.val().get_bits::<6>(0);
        }
        self.next_head.next = self.head.q.val() + 1;
        self.next_set.next = self.set.q.val() + 1;
        self.last_head.next = self.next_head.val() == self.heads.val();
        self.last_set.next = self.next_set.val() == self.sets.val();

        if self.advance.val() {
            self.parity_state.d.next = !self.parity_state.q.val();
            if !self.last_of_head.val() {
                self.tokens_left.d.next = self.tokens_left.q.val() - self.lanes.val();
                self.group_start.d.next = self.group_start.q.val() + self.group_words.val();
            } else {
                self.tokens_left.d.next = self.tokens.val();
                if !self.last_head.val() {
                    self.head.d.next = self.next_head.val();
                    self.head_start.d.next = self.head_start.q.val() + self.head_words.val();
                    self.group_start.d.next = self.head_start.q.val() + self.head_words.val();
                } else {
                    self.head.d.next = 0.into();
                    self.set.d.next = self.next_set.val();
                    self.set_offset.d.next = self.set_offset.q.val() + self.set_words.val();
                    self.head_start.d.next = self.set_offset.q.val() + self.set_words.val();
                    self.group_start.d.next = self.set_offset.q.val() + self.set_words.val();
                    self.done_state.d.next = self.last_set.val();
                }
            }
        }
        if self.start.val() {
            self.done_state.d.next = false;
            self.parity_state.d.next = false;
            self.head.d.next = 0.into();
            self.set.d.next = 0.into();
            self.set_offset.d.next = 0.into();
            self.head_start.d.next = 0.into();
            self.group_start.d.next = 0.into();
            self.tokens_left.d.next = self.tokens.val();
        }
        if self.reset.val() {
            self.done_state.d.next = true;
        }
    }
}
