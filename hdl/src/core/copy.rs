//! Copy engine: words from one memory to another, or within one.

use edge_moe_isa::descriptor::Space;

use super::job::{JOB, field};
use super::reader::Reader;
use crate::support::prelude::*;

/// Takes words from memory (two entries of the stream each), the scratchpad
/// or the residual memory, and gives them to one of the three. One word a beat on the
/// chip; memory at its own speed. Words stand in a [`Skid`] between where they come from and where they go.
#[derive(LogicBlock)]
pub struct Copy<const ENTRY: usize, const WORD: usize, const L: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `job`; while not busy.
    pub start: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    /// Words are still to be given away.
    pub busy: Signal<Out, Bit>,

    /// From memory.
    pub data_valid: Signal<In, Bit>,
    pub data_ready: Signal<Out, Bit>,
    pub data: Signal<In, Bits<ENTRY>>,
    /// From the scratchpad, from the residual memory.
    pub scratchpad_read_valid: Signal<Out, Bit>,
    pub scratchpad_read_ready: Signal<In, Bit>,
    pub residual_read_valid: Signal<Out, Bit>,
    pub residual_read_ready: Signal<In, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub scratchpad_read_data: Signal<In, Bits<WORD>>,
    pub residual_read_data: Signal<In, Bits<WORD>>,

    /// To the scratchpad, to the residual memory.
    pub scratchpad_write_valid: Signal<Out, Bit>,
    pub scratchpad_write_ready: Signal<In, Bit>,
    pub residual_write_valid: Signal<Out, Bit>,
    pub residual_write_ready: Signal<In, Bit>,
    pub write_address: Signal<Out, Bits<20>>,
    /// To memory: bytes to be written, then their words.
    pub memory_valid: Signal<Out, Bit>,
    pub memory_ready: Signal<In, Bit>,
    pub memory_address: Signal<Out, Bits<32>>,
    pub memory_bytes: Signal<Out, Bits<32>>,
    pub memory_word_valid: Signal<Out, Bit>,
    pub memory_word_ready: Signal<In, Bit>,
    pub word_data: Signal<Out, Bits<WORD>>,

    work: Register<Bits<JOB>>,
    source: Slice<JOB, 32>,
    destination: Slice<JOB, 32>,
    words: Slice<JOB, 32>,
    source_space: Slice<JOB, 8>,
    destination_space: Slice<JOB, 8>,
    begins: Register<Bit>,
    /// Words still come.
    active: Register<Bit>,
    /// Memory does not know yet what will be written.
    asking: Register<Bit>,
    /// Words that have come.
    count: Register<Bits<20>>,
    reader: Reader<WORD>,
    widen: Widen<ENTRY, WORD>,
    half: Register<Bit>,
    held: Skid<WORD>,
    /// Where the next word goes.
    address: Register<Bits<20>>,
    from_memory: Register<Bit>,
    from_residual: Register<Bit>,
    to_memory: Register<Bit>,
    to_residual: Register<Bit>,
    next_count: Signal<Local, Bits<20>>,
    log_word: Constant<Bits<3>>,
    memory: Constant<Bits<8>>,
    residual: Constant<Bits<8>>,
}

impl<const ENTRY: usize, const WORD: usize, const L: usize> Default for Copy<ENTRY, WORD, L> {
    fn default() -> Self {
        assert_eq!(2 * ENTRY, WORD, "a word is two entries");
        with_defaults!(
            clock, reset, start, job, busy, data_valid, data_ready, data, scratchpad_read_valid,
            scratchpad_read_ready, residual_read_valid, residual_read_ready, read_address, scratchpad_read_data,
            residual_read_data, scratchpad_write_valid, scratchpad_write_ready, residual_write_valid,
            residual_write_ready, write_address, memory_valid, memory_ready, memory_address, memory_bytes,
            memory_word_valid, memory_word_ready, word_data, work, begins, active, asking, count, reader, widen,
            half, from_memory, from_residual, to_memory, to_residual, held, next_count, address;
            source: field("copy", "source"),
            destination: field("copy", "destination"),
            words: field("copy", "words"),
            source_space: field("copy", "source_space"),
            destination_space: field("copy", "destination_space"),
            log_word: Constant::new((L as u64 + 1).into()),
            memory: Constant::new((Space::Memory as u64).into()),
            residual: Constant::new((Space::Residual as u64).into()),
        )
    }
}

impl<const ENTRY: usize, const WORD: usize, const L: usize> Logic for Copy<ENTRY, WORD, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, work, begins, active, asking, count, address, half);
        dff_setup!(self, clock, from_memory, from_residual, to_memory, to_residual);
        self.source.bus.next = self.work.q.val();
        self.destination.bus.next = self.work.q.val();
        self.words.bus.next = self.work.q.val();
        self.source_space.bus.next = self.job.val();
        self.destination_space.bus.next = self.job.val();

        // A word from the chip, or from memory.
        self.reader.clock.next = self.clock.val();
        self.reader.reset.next = self.reset.val();
        self.reader.start.next = self.begins.q.val() & !self.from_memory.q.val();
        self.reader.address.next = self.source.bits.val().get_bits::<20>(0);
        self.reader.count.next = self.words.bits.val().get_bits::<20>(0);
        self.reader.limited.next = false;
        self.reader.available.next = 0.into();
        self.scratchpad_read_valid.next = self.reader.read_valid.val() & !self.from_residual.q.val();
        self.residual_read_valid.next = self.reader.read_valid.val() & self.from_residual.q.val();
        self.read_address.next = self.reader.read_address.val();
        self.reader.read_ready.next = self.scratchpad_read_ready.val();
        self.reader.read_data.next = self.scratchpad_read_data.val();
        if self.from_residual.q.val() {
            self.reader.read_ready.next = self.residual_read_ready.val();
            self.reader.read_data.next = self.residual_read_data.val();
        }
        self.data_ready.next =
            self.active.q.val() & self.from_memory.q.val() & (!self.half.q.val() | self.held.in_ready.val());
        self.widen.clock.next = self.clock.val();
        self.widen.narrow.next = self.data.val();
        self.widen.take.next = self.data_valid.val() & self.data_ready.val();
        self.held.clock.next = self.clock.val();
        self.held.reset.next = self.reset.val();
        self.held.in_valid.next = self.active.q.val() & self.reader.word_valid.val();
        self.held.in_data.next = self.reader.word_data.val();
        if self.from_memory.q.val() {
            self.held.in_valid.next = self.active.q.val() & self.data_valid.val() & self.half.q.val();
            self.held.in_data.next = self.widen.wide.val();
        }
        self.reader.word_ready.next =
            self.active.q.val() & !self.from_memory.q.val() & self.held.in_ready.val();
        if self.widen.take.val() {
            self.half.d.next = !self.half.q.val();
        }
        self.next_count.next = self.count.q.val() + 1;
        if self.held.in_valid.val() & self.held.in_ready.val() {
            self.count.d.next = self.next_count.val();
            if self.next_count.val() == self.words.bits.val().get_bits::<20>(0) {
                self.active.d.next = false;
            }
        }

        // Where it goes.
        self.held.out_ready.next = self.scratchpad_write_ready.val();
        if self.to_residual.q.val() {
            self.held.out_ready.next = self.residual_write_ready.val();
        }
        if self.to_memory.q.val() {
            self.held.out_ready.next = self.memory_word_ready.val() & !self.asking.q.val();
        }
        self.scratchpad_write_valid.next =
            self.held.out_valid.val() & !self.to_memory.q.val() & !self.to_residual.q.val();
        self.residual_write_valid.next = self.held.out_valid.val() & self.to_residual.q.val();
        self.memory_word_valid.next =
            self.held.out_valid.val() & self.to_memory.q.val() & !self.asking.q.val();
        self.write_address.next = self.address.q.val();
        self.word_data.next = self.held.out_data.val();
        if self.held.out_valid.val() & self.held.out_ready.val() {
            self.address.d.next = self.address.q.val() + 1;
        }
        self.memory_valid.next = self.asking.q.val();
        self.memory_address.next = self.destination.bits.val();
        self.memory_bytes.next = self.words.bits.val() << self.log_word.val();
        if self.memory_ready.val() {
            self.asking.d.next = false;
        }
        self.busy.next = self.begins.q.val() | self.active.q.val() | self.held.out_valid.val();

        self.begins.d.next = self.start.val();
        if self.begins.q.val() {
            self.active.d.next = true;
            self.asking.d.next = self.to_memory.q.val();
            self.count.d.next = 0.into();
            self.address.d.next = self.destination.bits.val().get_bits::<20>(0);
            self.half.d.next = false;
        }
        if self.start.val() {
            self.work.d.next = self.job.val();
            self.from_memory.d.next = self.source_space.bits.val() == self.memory.val();
            self.from_residual.d.next = self.source_space.bits.val() == self.residual.val();
            self.to_memory.d.next = self.destination_space.bits.val() == self.memory.val();
            self.to_residual.d.next = self.destination_space.bits.val() == self.residual.val();
        }
        if self.reset.val() {
            self.begins.d.next = false;
            self.active.d.next = false;
            self.asking.d.next = false;
        }
    }
}
