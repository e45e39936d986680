//! Queries on their way into the lanes, a group ahead of its use.

use super::walk::GroupWalk;
use crate::scratchpad::LATENCY;
use crate::support::prelude::*;

/// Reads the queries of group after group, lane after lane, word after word,
/// into the free one of two quarters of the lanes' row memories: the lowest
/// for even groups, the second for odd ones. `even` and `odd` tell that a
/// quarter is full, `use_even` and `use_odd` that it was used up.
///
/// A word that is read waits in a queue, outside, until the lanes take it; one a beat. Up to seven are read and
/// not taken.
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
    /// A word that was read comes in this beat.
    pub row_comes: Signal<Out, Bit>,
    /// Lanes: they take the first word that waits, and where it goes.
    pub row_taken: Signal<In, Bit>,
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
    coming: ValidDelay<LATENCY>,
    /// Address and lane of each word that is read and not taken, and whether it is the last of an even, of an odd group.
    places: Fifo<28, 3>,
    place: Signal<Local, Bits<28>>,
    last_even: Signal<Local, Bit>,
    last_odd: Signal<Local, Bit>,
    row_word: Signal<Local, Bits<A>>,
    /// Words read and not taken.
    owed: Register<Bits<3>>,
    /// All of a quarter's words are read; they are in the lanes.
    read_even: Register<Bit>,
    read_odd: Register<Bit>,
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
            row_comes: Default::default(),
            row_taken: Default::default(),
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
            coming: Default::default(),
            places: Default::default(),
            place: Default::default(),
            last_even: Default::default(),
            last_odd: Default::default(),
            row_word: Default::default(),
            owed: Default::default(),
            read_even: Default::default(),
            read_odd: Default::default(),
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
        dff_setup!(self, clock, lane, word, offset, owed, read_even, read_odd, full_even, full_odd);
        self.coming.clock.next = self.clock.val();
        self.coming.reset.next = self.reset.val();
        self.places.clock.next = self.clock.val();
        self.places.reset.next = self.reset.val();
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
        self.wanted.next = !self.walk.done.val() & !self.read_even.q.val();
        if self.walk.parity.val() {
            self.wanted.next = !self.walk.done.val() & !self.read_odd.q.val();
        }
        self.row_read_valid.next = self.wanted.val() & (self.owed.q.val() != 7);
        self.row_read_address.next =
            self.queries.val() + self.walk.group_offset.val() + self.offset.q.val() + self.word.q.val();
        self.granted.next = self.row_read_valid.val() & self.row_read_ready.val();
        self.next_word.next = self.word.q.val() + 1;
        self.next_lane.next = self.lane.q.val() + 1;
        self.last_word.next = self.next_word.val() == self.head_words.val();
        self.last.next = self.last_word.val() & (self.next_lane.val() == self.walk.queries.val());
        self.walk.advance.next = self.granted.val() & self.last.val();
        self.coming.d.next = self.granted.val();
        self.row_comes.next = self.coming.q.val();
        if self.granted.val() {
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
        if self.granted.val() & !self.row_taken.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        } else if self.row_taken.val() & !self.granted.val() {
            self.owed.d.next = self.owed.q.val() - 1;
        }

        // Where words go: known when they are asked for, used when they are taken.
        self.row_word.next = self.word.q.val().get_bits::<A>(0);
        if self.walk.parity.val() {
            self.row_word.next = self.word.q.val().get_bits::<A>(0) | self.quarter_1.val();
        }
        self.last_even.next = self.last.val() & !self.walk.parity.val();
        self.last_odd.next = self.last.val() & self.walk.parity.val();
        self.places.write.next = self.granted.val();
        self.places.write_data.next = bit_cast::<28, A>(self.row_word.val())
            | (bit_cast::<28, 6>(self.lane.q.val()) << 20)
            | (bit_cast::<28, 1>(self.last_even.val().into()) << 26)
            | (bit_cast::<28, 1>(self.last_odd.val().into()) << 27);
        self.places.read_ready.next = self.row_taken.val();
        self.place.next = self.places.read_data.val();
        self.row_address.next = self.place.val().get_bits::<A>(0);
        self.row_lane.next = self.place.val().get_bits::<L>(20);

        self.even.next = self.full_even.q.val();
        self.odd.next = self.full_odd.q.val();
        if self.granted.val() & self.last_even.val() {
            self.read_even.d.next = true;
        }
        if self.granted.val() & self.last_odd.val() {
            self.read_odd.d.next = true;
        }
        if self.use_even.val() {
            self.read_even.d.next = false;
            self.full_even.d.next = false;
        }
        if self.use_odd.val() {
            self.read_odd.d.next = false;
            self.full_odd.d.next = false;
        }
        if self.row_taken.val() & self.place.val().get_bit(26) {
            self.full_even.d.next = true;
        }
        if self.row_taken.val() & self.place.val().get_bit(27) {
            self.full_odd.d.next = true;
        }

        if self.reset.val() {
            self.lane.d.next = 0.into();
            self.word.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.owed.d.next = 0.into();
            self.read_even.d.next = false;
            self.read_odd.d.next = false;
            self.full_even.d.next = false;
            self.full_odd.d.next = false;
        }
    }
}
