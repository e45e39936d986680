//! The drain: results of the lanes as whole words.
//!
//! *Across* the lanes: the P results of one dot product each are P/V words.
//! *Along* time: each lane collects up to V results, one after another, into a
//! word of its own; then there are P words. No memory behind the drain needs
//! to write part of a word.
//!
//! Results come with a command (the tag of their beat, see [`Command`]) and are
//! never refused: whoever issues beats keeps at most [`DEPTH`] results on their
//! way, counted from their beat to `taken`. Each lane's word is collected in
//! one register while the words before leave from another.
//!
//! Words leave ready/valid with their address: one a beat, and two beats between
//! sets along time, one between sets across the lanes. A word leaves five beats
//! after its last result came, six along time, at the earliest. Neither the choice to take a
//! result nor `word_ready` reaches the registers of all lanes in its own beat:
//! results stand in a register on their way there, and the last stage is a [`Skid`].

use crate::support::prelude::*;

/// Results that may be on their way.
pub const DEPTH: usize = 16;

/// What to do with the results of a beat, as the tag carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Command {
    /// Bits 0…19: address of the first word.
    pub address: u32,
    /// Bits 20…31: from one word's address to the next.
    pub stride: u32,
    /// Bits 32…37: words that leave.
    pub words: u32,
    /// Bits 38…44: place of the results in the lanes' words, along time.
    pub element: u32,
    /// Bit 45: along time.
    pub along: bool,
    /// Bit 46: words leave with these results (always, across the lanes).
    pub emit: bool,
    /// Bits 48…70: what the epilogue is to do with the words; goes out beside them.
    pub modes: Modes,
}

/// What the epilogue does with a word: bits of [`Command`], from bit 48 on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Modes {
    /// Bit 0: GELU.
    pub gelu: bool,
    /// Bits 1…4: its fraction bits.
    pub gelu_bits: u32,
    /// Bit 5: times `score`.
    pub weighted: bool,
    /// Bit 6: add to the residual memory.
    pub residual: bool,
    /// Bits 7…22: gate score, Q0.16.
    pub score: u32,
}

impl Modes {
    /// Bits of the modes.
    pub const BITS: usize = 23;

    /// The bits.
    pub fn bits(self) -> u64 {
        let Self { gelu, gelu_bits, weighted, residual, score } = self;
        u64::from(gelu)
            | u64::from(gelu_bits) << 1
            | u64::from(weighted) << 5
            | u64::from(residual) << 6
            | u64::from(score) << 7
    }
}

impl Command {
    /// Bits of a command.
    pub const BITS: usize = 48 + Modes::BITS;

    /// The bits of the tag.
    pub fn bits(self) -> u128 {
        let Self { address, stride, words, element, along, emit, modes } = self;
        u128::from(address)
            | u128::from(stride) << 20
            | u128::from(words) << 32
            | u128::from(element) << 38
            | u128::from(along) << 45
            | u128::from(emit) << 46
            | u128::from(modes.bits()) << 48
    }
}

#[derive(LogicBlock)]
pub struct Drain<const P: usize, const V: usize, const WORD: usize, const RESULTS: usize, const WORDS: usize>
{
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub result_valid: Signal<In, Bit>,
    pub results: Signal<In, Bits<RESULTS>>,
    pub command: Signal<In, Bits<71>>,
    /// A result left the queue: there is room for another.
    pub taken: Signal<Out, Bit>,

    pub word_valid: Signal<Out, Bit>,
    pub word_ready: Signal<In, Bit>,
    pub word_address: Signal<Out, Bits<20>>,
    pub word_modes: Signal<Out, Bits<23>>,
    pub word_data: Signal<Out, Bits<WORD>>,
    /// Words are collected, or wait to leave.
    pub busy: Signal<Out, Bit>,

    results_queue: Fifo<RESULTS, 4>,
    command_queue: Fifo<71, 4>,
    lanes: Split<Bits<16>, P, RESULTS>,
    gather: [Gather<V, WORD, 7>; P],
    gathered: Concat<Bits<WORD>, P, WORDS>,
    out: ShiftOut<WORD, WORDS>,
    /// The results taken a beat ago: they are collected at place `element`, completing the words, or move to `out`.
    taken_results: Register<Bits<RESULTS>>,
    collects: Register<Bit>,
    element: Register<Bits<7>>,
    completes: Register<Bit>,
    /// The gathered words move to `out` in this beat.
    moves_gathered: Register<Bit>,
    /// Words are on their way to `out`; they move there.
    loading: Register<Bit>,
    loads: Register<Bit>,
    remaining: Register<Bits<6>>,
    address: Register<Bits<20>>,
    modes: Register<Bits<23>>,
    stride: Register<Bits<20>>,
    /// The stage before the words leave: word, and address above the modes.
    leaving: Skid<WORD>,
    leaving_tag: Skid<43>,
    room: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    along: Signal<Local, Bit>,
    emit: Signal<Local, Bit>,
    one: Constant<Bits<6>>,
}

impl<const P: usize, const V: usize, const WORD: usize, const RESULTS: usize, const WORDS: usize> Default
    for Drain<P, V, WORD, RESULTS, WORDS>
{
    fn default() -> Self {
        assert_eq!([16 * V, 16 * P, 16 * V * P], [WORD, RESULTS, WORDS], "widths of {P} lanes");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            result_valid: Default::default(),
            results: Default::default(),
            command: Default::default(),
            taken: Default::default(),
            word_valid: Default::default(),
            word_ready: Default::default(),
            word_address: Default::default(),
            word_modes: Default::default(),
            word_data: Default::default(),
            busy: Default::default(),
            results_queue: Default::default(),
            command_queue: Default::default(),
            lanes: Default::default(),
            gather: from_fn(|_| Default::default()),
            gathered: Default::default(),
            out: Default::default(),
            taken_results: Default::default(),
            collects: Default::default(),
            element: Default::default(),
            completes: Default::default(),
            moves_gathered: Default::default(),
            loading: Default::default(),
            loads: Default::default(),
            remaining: Default::default(),
            address: Default::default(),
            modes: Default::default(),
            stride: Default::default(),
            leaving: Default::default(),
            leaving_tag: Default::default(),
            room: Default::default(),
            take: Default::default(),
            along: Default::default(),
            emit: Default::default(),
            one: Constant::new(1_u64.into()),
        }
    }
}

impl<const P: usize, const V: usize, const WORD: usize, const RESULTS: usize, const WORDS: usize> Logic
    for Drain<P, V, WORD, RESULTS, WORDS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, remaining, address, modes, stride);
        dff_setup!(self, clock, taken_results, collects, element, completes, moves_gathered, loading, loads);
        self.results_queue.clock.next = self.clock.val();
        self.results_queue.reset.next = self.reset.val();
        self.results_queue.write.next = self.result_valid.val();
        self.results_queue.write_data.next = self.results.val();
        self.command_queue.clock.next = self.clock.val();
        self.command_queue.reset.next = self.reset.val();
        self.command_queue.write.next = self.result_valid.val();
        self.command_queue.write_data.next = self.command.val();
        self.out.clock.next = self.clock.val();

        // A result that sends words away waits until the words before have left.
        self.along.next = self.command_queue.read_data.val().get_bit(45);
        self.emit.next = self.command_queue.read_data.val().get_bit(46);
        self.room.next = !self.loading.q.val()
            & (!self.remaining.q.val().any()
                | ((self.remaining.q.val() == self.one.val()) & self.leaving.in_ready.val()));
        self.take.next = self.command_queue.read_valid.val() & (self.room.val() | !self.emit.val());
        self.results_queue.read_ready.next = self.take.val();
        self.command_queue.read_ready.next = self.take.val();
        self.taken.next = self.take.val();

        // Collect along time.
        self.taken_results.d.next = self.results_queue.read_data.val();
        self.collects.d.next = self.take.val() & self.along.val();
        self.element.d.next = self.command_queue.read_data.val().get_bits::<7>(38);
        self.lanes.bus.next = self.taken_results.q.val();
        for i in 0..P {
            self.gather[i].clock.next = self.clock.val();
            self.gather[i].take.next = self.collects.q.val();
            self.gather[i].element.next = self.element.q.val();
            self.gather[i].value.next = self.lanes.lane[i].val();
            self.gathered.lane[i].next = self.gather[i].word.val();
        }
        self.completes.d.next = self.take.val() & self.along.val() & self.emit.val();
        self.moves_gathered.d.next = self.completes.q.val();

        // Words leave.
        self.loading.d.next = (self.take.val() & self.emit.val()) | self.completes.q.val();
        self.loads.d.next = (self.take.val() & !self.along.val()) | self.completes.q.val();
        self.out.shift.next = self.leaving.in_ready.val();
        self.out.load.next = self.loads.q.val();
        self.out.words.next = bit_cast::<WORDS, RESULTS>(self.taken_results.q.val());
        if self.moves_gathered.q.val() {
            self.out.words.next = self.gathered.bus.val();
        }
        self.leaving.clock.next = self.clock.val();
        self.leaving.reset.next = self.reset.val();
        self.leaving.in_valid.next = self.remaining.q.val().any() & !self.loading.q.val();
        self.leaving.in_data.next = self.out.word.val();
        self.leaving_tag.clock.next = self.clock.val();
        self.leaving_tag.reset.next = self.reset.val();
        self.leaving_tag.in_valid.next = self.leaving.in_valid.val();
        self.leaving_tag.in_data.next =
            (bit_cast::<43, 20>(self.address.q.val()) << 23) | bit_cast::<43, 23>(self.modes.q.val());
        if self.leaving.in_valid.val() & self.leaving.in_ready.val() {
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.address.d.next = self.address.q.val() + self.stride.q.val();
        }
        self.leaving.out_ready.next = self.word_ready.val();
        self.leaving_tag.out_ready.next = self.word_ready.val();
        self.word_valid.next = self.leaving.out_valid.val();
        self.word_address.next = self.leaving_tag.out_data.val().get_bits::<20>(23);
        self.word_modes.next = self.leaving_tag.out_data.val().get_bits::<23>(0);
        self.word_data.next = self.leaving.out_data.val();
        if self.take.val() & self.emit.val() {
            self.remaining.d.next = self.command_queue.read_data.val().get_bits::<6>(32);
            self.address.d.next = self.command_queue.read_data.val().get_bits::<20>(0);
            self.modes.d.next = self.command_queue.read_data.val().get_bits::<23>(48);
            self.stride.d.next = bit_cast::<20, 12>(self.command_queue.read_data.val().get_bits::<12>(20));
        }
        self.busy.next =
            self.command_queue.read_valid.val() | self.remaining.q.val().any() | self.leaving.out_valid.val();

        if self.reset.val() {
            self.collects.d.next = false;
            self.loading.d.next = false;
            self.loads.d.next = false;
            self.completes.d.next = false;
            self.moves_gathered.d.next = false;
            self.remaining.d.next = 0.into();
        }
    }
}
