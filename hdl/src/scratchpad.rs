//! The scratchpad: all activations, in words of V values.
//!
//! One word a beat is read to be broadcast; that read is always granted. Rows
//! (queries) are read besides: the memory is two banks, even and odd words, and a
//! row read waits only while it wants the bank of the broadcast of the same beat.
//! Both walk through consecutive words, so it waits every other beat at most. One word a
//! beat is written, always at once.
//!
//! Reads and writes stand in registers twice, because their wires reach all block RAMs: where it is
//! chosen who reads, and near the RAMs; words that are read stand in registers, too. Latency
//! [`LATENCY`] beats. A read sees what was written in the beats before its own; what it reads of a
//! word that is written in its own beat is unknown.

use crate::support::prelude::*;

/// Beats from a read to its word.
pub const LATENCY: usize = 4;
/// Beats from a read to the multiplexer behind the banks.
const READ: usize = LATENCY - 1;

#[derive(LogicBlock)]
pub struct Scratchpad<const WORD: usize, const A: usize, const B: usize> {
    pub clock: Signal<In, Clock>,

    /// Broadcast read; the word comes [`LATENCY`] beats later.
    pub read: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,
    pub read_data: Signal<Out, Bits<WORD>>,

    /// Row read; the word comes [`LATENCY`] beats after it is granted.
    pub row_valid: Signal<In, Bit>,
    pub row_ready: Signal<Out, Bit>,
    pub row_address: Signal<In, Bits<A>>,
    pub row_data: Signal<Out, Bits<WORD>>,

    pub write: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<A>>,
    pub write_data: Signal<In, Bits<WORD>>,

    even: Ram<WORD, B>,
    odd: Ram<WORD, B>,
    reads_even: Register<Bit>,
    reads_odd: Register<Bit>,
    even_address: Register<Bits<B>>,
    odd_address: Register<Bits<B>>,
    writes: Register<Bit>,
    writes_address: Register<Bits<A>>,
    writes_data: Register<Bits<WORD>>,
    /// Whether the words that come are odd ones.
    read_odd: Delay<Bit, READ>,
    row_odd: Delay<Bit, READ>,
    read_word: Register<Bits<WORD>>,
    row_word: Register<Bits<WORD>>,
    wants_even: Signal<Local, Bit>,
    wants_odd: Signal<Local, Bit>,
    row_granted: Signal<Local, Bit>,
}

impl<const WORD: usize, const A: usize, const B: usize> Scratchpad<WORD, A, B> {
    /// A scratchpad of `words` words, an even number.
    pub fn new(words: usize) -> Self {
        assert!(words.is_multiple_of(2) && A == B + 1, "{words} words in two banks of {B} address bits");
        Self {
            clock: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
            row_address: Default::default(),
            row_data: Default::default(),
            write: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            even: Ram::registered(words / 2),
            odd: Ram::registered(words / 2),
            reads_even: Default::default(),
            reads_odd: Default::default(),
            even_address: Default::default(),
            odd_address: Default::default(),
            writes: Default::default(),
            writes_address: Default::default(),
            writes_data: Default::default(),
            read_odd: Default::default(),
            row_odd: Default::default(),
            read_word: Default::default(),
            row_word: Default::default(),
            wants_even: Default::default(),
            wants_odd: Default::default(),
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
            reads_even,
            reads_odd,
            even_address,
            odd_address,
            writes,
            writes_address,
            writes_data,
            read_word,
            row_word
        );
        self.even.clock.next = self.clock.val();
        self.odd.clock.next = self.clock.val();
        self.read_odd.clock.next = self.clock.val();
        self.row_odd.clock.next = self.clock.val();

        self.wants_even.next = self.read.val() & !self.read_address.val().get_bit(0);
        self.wants_odd.next = self.read.val() & self.read_address.val().get_bit(0);
        self.row_ready.next = !self.wants_even.val();
        if self.row_address.val().get_bit(0) {
            self.row_ready.next = !self.wants_odd.val();
        }
        self.row_granted.next = self.row_valid.val() & self.row_ready.val();
        self.reads_even.d.next =
            self.wants_even.val() | (self.row_granted.val() & !self.row_address.val().get_bit(0));
        self.reads_odd.d.next =
            self.wants_odd.val() | (self.row_granted.val() & self.row_address.val().get_bit(0));
        self.even_address.d.next = self.row_address.val().get_bits::<B>(1);
        if self.wants_even.val() {
            self.even_address.d.next = self.read_address.val().get_bits::<B>(1);
        }
        self.odd_address.d.next = self.row_address.val().get_bits::<B>(1);
        if self.wants_odd.val() {
            self.odd_address.d.next = self.read_address.val().get_bits::<B>(1);
        }
        self.even.read_enable.next = self.reads_even.q.val();
        self.odd.read_enable.next = self.reads_odd.q.val();
        self.even.read_address.next = self.even_address.q.val();
        self.odd.read_address.next = self.odd_address.q.val();
        self.read_odd.d.next = self.read_address.val().get_bit(0);
        self.row_odd.d.next = self.row_address.val().get_bit(0);
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
