//! The scratchpad: all activations, in words of V values.
//!
//! One word a beat is read to be broadcast; that read is always granted. Rows
//! (queries) are read besides: the memory is two banks, even and odd words, and a
//! row read waits only while it wants the bank of the broadcast of the same beat.
//! Both walk through consecutive words, so it waits every other beat at most. One word a
//! beat is written, always at once.
//!
//! Reads and writes stand in registers three times: as they come, rows in a [`Skid`], so that whoever reads does not
//! wait for the choice of bank; behind that choice; and near the RAMs, because wires to all of them are
//! long. Words that are read stand in one. A word is broadcast [`LATENCY`] beats after
//! its read; rows come in the order of their reads, as many beats later at the earliest. A read sees what was written in
//! the beats before its own; what a broadcast reads of a word that is written in its own beat, or a row of one that is
//! written before it comes, is unknown.

use crate::support::prelude::*;

/// Beats from a read to its word.
pub const LATENCY: usize = 5;
/// Beats from the choice of bank to its word, and to the multiplexer behind the banks.
const CHOSEN: usize = LATENCY - 1;
const READ: usize = CHOSEN - 1;
/// Beats from a write to the registers near the RAMs: as many as a read takes.
const WRITE: usize = 2;
/// Bits of a row read: its address below 20 bits, and who reads.
const ROW_READ: usize = 22;

#[derive(LogicBlock)]
pub struct Scratchpad<const WORD: usize, const A: usize, const B: usize> {
    pub clock: Signal<In, Clock>,
    /// Forgets the rows that were to come.
    pub reset: Signal<In, Bit>,

    /// Broadcast read; the word comes [`LATENCY`] beats later.
    pub read: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,
    pub read_data: Signal<Out, Bits<WORD>>,

    /// Row read, and who reads.
    pub row_valid: Signal<In, Bit>,
    pub row_ready: Signal<Out, Bit>,
    pub row_address: Signal<In, Bits<A>>,
    pub row_reader: Signal<In, Bits<2>>,
    /// A row comes, and to whom.
    pub row_comes: Signal<Out, Bit>,
    pub row_comes_to: Signal<Out, Bits<2>>,
    pub row_data: Signal<Out, Bits<WORD>>,

    pub write: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<A>>,
    pub write_data: Signal<In, Bits<WORD>>,

    even: Ram<WORD, B>,
    odd: Ram<WORD, B>,
    held_read: Register<Bit>,
    held_address: Register<Bits<A>>,
    held_rows: Skid<ROW_READ>,
    row_asked: Signal<Local, Bits<ROW_READ>>,
    reads_even: Register<Bit>,
    reads_odd: Register<Bit>,
    even_address: Register<Bits<B>>,
    odd_address: Register<Bits<B>>,
    writes: Delay<Bit, WRITE>,
    writes_address: Delay<Bits<A>, WRITE>,
    writes_data: Delay<Bits<WORD>, WRITE>,
    /// Whether the words that come are odd ones.
    read_odd: Delay<Bit, READ>,
    row_odd: Delay<Bit, READ>,
    coming: ValidDelay<CHOSEN>,
    coming_to: Delay<Bits<2>, CHOSEN>,
    read_word: Register<Bits<WORD>>,
    row_word: Register<Bits<WORD>>,
    wants_even: Signal<Local, Bit>,
    wants_odd: Signal<Local, Bit>,
    row_free: Signal<Local, Bit>,
    row_granted: Signal<Local, Bit>,
}

impl<const WORD: usize, const A: usize, const B: usize> Scratchpad<WORD, A, B> {
    /// A scratchpad of `words` words, an even number.
    pub fn new(words: usize) -> Self {
        assert!(words.is_multiple_of(2) && A == B + 1, "{words} words in two banks of {B} address bits");
        assert!(A <= ROW_READ - 2, "{A} bits of an address beside the reader's two");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
            row_address: Default::default(),
            row_reader: Default::default(),
            row_comes: Default::default(),
            row_comes_to: Default::default(),
            row_data: Default::default(),
            write: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            even: Ram::registered(words / 2),
            odd: Ram::registered(words / 2),
            held_read: Default::default(),
            held_address: Default::default(),
            held_rows: Default::default(),
            row_asked: Default::default(),
            reads_even: Default::default(),
            reads_odd: Default::default(),
            even_address: Default::default(),
            odd_address: Default::default(),
            writes: Default::default(),
            writes_address: Default::default(),
            writes_data: Default::default(),
            read_odd: Default::default(),
            row_odd: Default::default(),
            coming: Default::default(),
            coming_to: Default::default(),
            read_word: Default::default(),
            row_word: Default::default(),
            wants_even: Default::default(),
            wants_odd: Default::default(),
            row_free: Default::default(),
            row_granted: Default::default(),
        }
    }
}

impl<const WORD: usize, const A: usize, const B: usize> Logic for Scratchpad<WORD, A, B> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            held_read,
            held_address,
            reads_even,
            reads_odd,
            even_address,
            odd_address,
            read_word,
            row_word
        );
        self.even.clock.next = self.clock.val();
        self.odd.clock.next = self.clock.val();
        self.read_odd.clock.next = self.clock.val();
        self.row_odd.clock.next = self.clock.val();
        self.writes.clock.next = self.clock.val();
        self.writes_address.clock.next = self.clock.val();
        self.writes_data.clock.next = self.clock.val();
        self.coming.clock.next = self.clock.val();
        self.coming.reset.next = self.reset.val();
        self.coming_to.clock.next = self.clock.val();
        self.held_rows.clock.next = self.clock.val();
        self.held_rows.reset.next = self.reset.val();

        // As they come.
        self.held_read.d.next = self.read.val();
        self.held_address.d.next = self.read_address.val();
        self.held_rows.in_valid.next = self.row_valid.val();
        self.row_ready.next = self.held_rows.in_ready.val();
        self.held_rows.in_data.next =
            bit_cast::<22, A>(self.row_address.val()) | (bit_cast::<22, 2>(self.row_reader.val()) << 20);

        // The choice of bank.
        self.row_asked.next = self.held_rows.out_data.val();
        self.wants_even.next = self.held_read.q.val() & !self.held_address.q.val().get_bit(0);
        self.wants_odd.next = self.held_read.q.val() & self.held_address.q.val().get_bit(0);
        self.row_free.next = !self.wants_even.val();
        if self.row_asked.val().get_bit(0) {
            self.row_free.next = !self.wants_odd.val();
        }
        self.held_rows.out_ready.next = self.row_free.val();
        self.row_granted.next = self.held_rows.out_valid.val() & self.row_free.val();
        self.reads_even.d.next =
            self.wants_even.val() | (self.row_granted.val() & !self.row_asked.val().get_bit(0));
        self.reads_odd.d.next =
            self.wants_odd.val() | (self.row_granted.val() & self.row_asked.val().get_bit(0));
        self.even_address.d.next = self.row_asked.val().get_bits::<B>(1);
        if self.wants_even.val() {
            self.even_address.d.next = self.held_address.q.val().get_bits::<B>(1);
        }
        self.odd_address.d.next = self.row_asked.val().get_bits::<B>(1);
        if self.wants_odd.val() {
            self.odd_address.d.next = self.held_address.q.val().get_bits::<B>(1);
        }
        self.coming.d.next = self.row_granted.val();
        self.coming_to.d.next = self.row_asked.val().get_bits::<2>(20);
        self.row_comes.next = self.coming.q.val();
        self.row_comes_to.next = self.coming_to.q.val();
        self.even.read_enable.next = self.reads_even.q.val();
        self.odd.read_enable.next = self.reads_odd.q.val();
        self.even.read_address.next = self.even_address.q.val();
        self.odd.read_address.next = self.odd_address.q.val();
        self.read_odd.d.next = self.held_address.q.val().get_bit(0);
        self.row_odd.d.next = self.row_asked.val().get_bit(0);
        self.read_word.d.next = self.even.read_data.val();
        if self.read_odd.q.val() {
            self.read_word.d.next = self.odd.read_data.val();
        }
        self.row_word.d.next = self.even.read_data.val();
        if self.row_odd.q.val() {
            self.row_word.d.next = self.odd.read_data.val();
        }
        self.read_data.next = self.read_word.q.val();
        self.row_data.next = self.row_word.q.val();

        self.writes.d.next = self.write.val();
        self.writes_address.d.next = self.write_address.val();
        self.writes_data.d.next = self.write_data.val();
        self.even.write_enable.next = self.writes.q.val() & !self.writes_address.q.val().get_bit(0);
        self.odd.write_enable.next = self.writes.q.val() & self.writes_address.q.val().get_bit(0);
        self.even.write_address.next = self.writes_address.q.val().get_bits::<B>(1);
        self.odd.write_address.next = self.writes_address.q.val().get_bits::<B>(1);
        self.even.write_data.next = self.writes_data.q.val();
        self.odd.write_data.next = self.writes_data.q.val();
    }
}
