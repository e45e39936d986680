//! Counters of a program.

use edge_moe_isa::registers::{self, Activity};

use super::at;
use crate::support::prelude::*;

/// Kinds of cycles.
const ACTIVITIES: usize = Activity::ALL.len();

/// Cycles of each activity, cycles in all, and bus beats of the program that runs or ran last.
#[derive(LogicBlock)]
pub struct Counters {
    pub clock: Signal<In, Clock>,
    /// Sets all to zero.
    pub clear: Signal<In, Bit>,
    pub running: Signal<In, Bit>,
    /// Value of `registers::Activity`.
    pub activity: Signal<In, Bits<4>>,
    /// Bus beats in this beat.
    pub read_beats: Signal<In, Bits<2>>,
    pub write_beat: Signal<In, Bit>,

    pub read_word: Signal<In, Bits<10>>,
    /// The counter at that word, or zero.
    pub value: Signal<Out, Bits<32>>,

    cycles: Register<Bits<32>>,
    reads: Register<Bits<32>>,
    writes: Register<Bits<32>>,
    counter: [Register<Bits<32>>; ACTIVITIES],
    counted: [Constant<Bits<4>>; ACTIVITIES],
    at_counter: [Constant<Bits<10>>; ACTIVITIES],
    at_cycles: Constant<Bits<10>>,
    at_reads: Constant<Bits<10>>,
    at_writes: Constant<Bits<10>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            clear: Default::default(),
            running: Default::default(),
            activity: Default::default(),
            read_beats: Default::default(),
            write_beat: Default::default(),
            read_word: Default::default(),
            value: Default::default(),
            cycles: Default::default(),
            reads: Default::default(),
            writes: Default::default(),
            counter: from_fn(|_| Default::default()),
            counted: from_fn(|i| Constant::new((Activity::ALL[i] as u64).into())),
            at_counter: from_fn(|i| at(Activity::ALL[i].counter())),
            at_cycles: at(registers::Register::Cycles),
            at_reads: at(registers::Register::ReadBeats),
            at_writes: at(registers::Register::WriteBeats),
        }
    }
}

impl Logic for Counters {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, cycles, reads, writes);
        self.value.next = 0.into();
        for i in 0..ACTIVITIES {
            self.counter[i].clock.next = self.clock.val();
            self.counter[i].d.next = self.counter[i].q.val();
            if self.running.val() & (self.activity.val() == self.counted[i].val()) {
                self.counter[i].d.next = self.counter[i].q.val() + 1;
            }
            if self.clear.val() {
                self.counter[i].d.next = 0.into();
            }
            if self.read_word.val() == self.at_counter[i].val() {
                self.value.next = self.counter[i].q.val();
            }
        }
        if self.running.val() {
            self.cycles.d.next = self.cycles.q.val() + 1;
            self.reads.d.next = self.reads.q.val() + bit_cast::<32, 2>(self.read_beats.val());
            if self.write_beat.val() {
                self.writes.d.next = self.writes.q.val() + 1;
            }
        }
        if self.clear.val() {
            self.cycles.d.next = 0.into();
            self.reads.d.next = 0.into();
            self.writes.d.next = 0.into();
        }
        if self.read_word.val() == self.at_cycles.val() {
            self.value.next = self.cycles.q.val();
        }
        if self.read_word.val() == self.at_reads.val() {
            self.value.next = self.reads.q.val();
        }
        if self.read_word.val() == self.at_writes.val() {
            self.value.next = self.writes.q.val();
        }
    }
}
