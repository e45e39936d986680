//! Queries on their way into the lanes, a group ahead of its use.

use super::walk::GroupWalk;
use crate::support::prelude::*;

/// Reads the queries of group after group, lane after lane, word after word,
/// into the free one of two quarters of the lanes' row memories: the lowest
/// for even groups, the second for odd ones. `even` and `odd` tell that a
/// quarter is full, `use_even` and `use_odd` that it was used up.
///
/// A word is read, held, and offered to the lanes: one in three beats at most.
#[derive(LogicBlock)]
pub struct QueryLoader<const L: usize, const A: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,

    /// First word of the queries.
    pub queries: Signal<In, Bits<20>>,
    /// T, sets, H.
    pub tokens: Signal<In, Bits<13>>,
    pub sets: Signal<In, Bits<8>>,
    pub heads: Signal<In, Bits<8>>,
    /// d/V, D/V, P·D/V, T·D/V.
    pub head_words: Signal<In, Bits<20>>,
    pub token_words: Signal<In, Bits<20>>,
    pub group_words: Signal<In, Bits<20>>,
    pub set_words: Signal<In, Bits<20>>,

    /// Scratchpad.
    pub row_read_valid: Signal<Out, Bit>,
    pub row_read_ready: Signal<In, Bit>,
    pub row_read_address: Signal<Out, Bits<20>>,
    /// The word that was read comes in this beat and must be held.
    pub row_hold: Signal<Out, Bit>,
    /// Lanes: the word that is held.
    pub row_valid: Signal<Out, Bit>,
    pub row_ready: Signal<In, Bit>,
    pub row_lane: Signal<Out, Bits<L>>,
    pub row_address: Signal<Out, Bits<A>>,

    pub even: Signal<Out, Bit>,
    pub odd: Signal<Out, Bit>,
    pub use_even: Signal<In, Bit>,
    pub use_odd: Signal<In, Bit>,

    walk: GroupWalk,
    lane: Register<Bits<6>>,
    word: Register<Bits<20>>,
    offset: Register<Bits<20>>,
    /// A word was asked for a beat ago, comes now.
    asked: Register<Bit>,
    coming: Register<Bit>,
    held: Register<Bit>,
    held_lane: Register<Bits<L>>,
    held_address: Register<Bits<A>>,
    held_last: Register<Bit>,
    held_parity: Register<Bit>,
    full_even: Register<Bit>,
    full_odd: Register<Bit>,
    wanted: Signal<Local, Bit>,
    granted: Signal<Local, Bit>,
    last_word: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    next_lane: Signal<Local, Bits<6>>,
    next_word: Signal<Local, Bits<20>>,
    quarter_1: Constant<Bits<A>>,
}

impl<const L: usize, const A: usize> QueryLoader<L, A> {
    /// A loader for `lanes` lanes.
    pub fn new(lanes: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            queries: Default::default(),
            tokens: Default::default(),
            sets: Default::default(),
            heads: Default::default(),
            head_words: Default::default(),
            token_words: Default::default(),
            group_words: Default::default(),
            set_words: Default::default(),
            row_read_valid: Default::default(),
            row_read_ready: Default::default(),
            row_read_address: Default::default(),
            row_hold: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
            row_lane: Default::default(),
            row_address: Default::default(),
            even: Default::default(),
            odd: Default::default(),
            use_even: Default::default(),
            use_odd: Default::default(),
            walk: GroupWalk::new(lanes),
            lane: Default::default(),
            word: Default::default(),
            offset: Default::default(),
            asked: Default::default(),
            coming: Default::default(),
            held: Default::default(),
            held_lane: Default::default(),
            held_address: Default::default(),
            held_last: Default::default(),
            held_parity: Default::default(),
            full_even: Default::default(),
            full_odd: Default::default(),
            wanted: Default::default(),
            granted: Default::default(),
            last_word: Default::default(),
            last: Default::default(),
            next_lane: Default::default(),
            next_word: Default::default(),
            quarter_1: Constant::new((1_u64 << (A - 2)).into()),
        }
    }
}

impl<const L: usize, const A: usize> Logic for QueryLoader<L, A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            lane,
            word,
            offset,
            asked,
            coming,
            held,
            held_lane,
            held_address,
            held_last,
            held_parity,
            full_even,
            full_odd
        );
        self.walk.clock.next = self.clock.val();
        self.walk.reset.next = self.reset.val();
        self.walk.start.next = self.start.val();
        self.walk.tokens.next = self.tokens.val();
        self.walk.heads.next = self.heads.val();
        self.walk.sets.next = self.sets.val();
        self.walk.head_words.next = self.head_words.val();
        self.walk.group_words.next = self.group_words.val();
        self.walk.set_words.next = self.set_words.val();

        // Read.
        self.wanted.next = !self.walk.done.val() & !self.full_even.q.val();
        if self.walk.parity.val() {
            self.wanted.next = !self.walk.done.val() & !self.full_odd.q.val();
        }
        self.row_read_valid.next = self.wanted.val()
            & !self.asked.q.val()
            & !self.coming.q.val()
            & (!self.held.q.val() | (self.row_ready.val() & !self.held_last.q.val()));
        self.row_read_address.next =
            self.queries.val() + self.walk.group_offset.val() + self.offset.q.val() + self.word.q.val();
        self.granted.next = self.row_read_valid.val() & self.row_read_ready.val();
        self.next_word.next = self.word.q.val() + 1;
        self.next_lane.next = self.lane.q.val() + 1;
        self.last_word.next = self.next_word.val() == self.head_words.val();
        self.last.next = self.last_word.val() & (self.next_lane.val() == self.walk.queries.val());
        self.walk.advance.next = self.granted.val() & self.last.val();
        self.asked.d.next = self.granted.val();
        self.coming.d.next = self.asked.q.val();
        if self.granted.val() {
            self.held_lane.d.next = self.lane.q.val().get_bits::<L>(0);
            self.held_address.d.next = self.word.q.val().get_bits::<A>(0);
            if self.walk.parity.val() {
                self.held_address.d.next = self.word.q.val().get_bits::<A>(0) | self.quarter_1.val();
            }
            self.held_last.d.next = self.last.val();
            self.held_parity.d.next = self.walk.parity.val();
            self.word.d.next = self.next_word.val();
            if self.last_word.val() {
                self.word.d.next = 0.into();
                self.lane.d.next = self.next_lane.val();
                self.offset.d.next = self.offset.q.val() + self.token_words.val();
            }
            if self.last.val() {
                self.lane.d.next = 0.into();
                self.offset.d.next = 0.into();
            }
        }

        // Hold and offer.
        self.row_hold.next = self.coming.q.val();
        self.row_valid.next = self.held.q.val();
        self.row_lane.next = self.held_lane.q.val();
        self.row_address.next = self.held_address.q.val();
        self.even.next = self.full_even.q.val();
        self.odd.next = self.full_odd.q.val();
        if self.use_even.val() {
            self.full_even.d.next = false;
        }
        if self.use_odd.val() {
            self.full_odd.d.next = false;
        }
        if self.held.q.val() & self.row_ready.val() {
            self.held.d.next = false;
            if self.held_last.q.val() & self.held_parity.q.val() {
                self.full_odd.d.next = true;
            }
            if self.held_last.q.val() & !self.held_parity.q.val() {
                self.full_even.d.next = true;
            }
        }
        if self.coming.q.val() {
            self.held.d.next = true;
        }

        if self.reset.val() {
            self.lane.d.next = 0.into();
            self.word.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.asked.d.next = false;
            self.coming.d.next = false;
            self.held.d.next = false;
            self.full_even.d.next = false;
            self.full_odd.d.next = false;
        }
    }
}
