//! Tests of the memory with a master that is driven by hand, for `tiny` (a bus of 4 bytes, chunks of 64).

mod broken_rules;
mod timing;
mod transfers;

use std::ops::Range;

use super::*;

const BASE: u64 = MemorySettings::BASE;
const WRITABLE: usize = 256;
const IMAGE: usize = 1024;
const BUS: u32 = 4;

/// Byte `n` of the image is `n` modulo 251, of the writable part 255 less it.
fn memory(change: impl FnOnce(&mut MemorySettings)) -> Memory {
    let arch = ArchConfig::tiny();
    let mut settings = MemorySettings { latency: 8..=8, ..MemorySettings::of(&arch) };
    change(&mut settings);
    let writable = (0..WRITABLE).map(|byte| 255 - byte as u8).collect();
    Memory::new(&arch, settings, writable, (0..IMAGE).map(|byte| (byte % 251) as u8).collect::<Vec<u8>>())
}

/// A burst of `beats` at a device address.
fn burst(id: u8, start: u64, beats: u32) -> Address {
    Address { id, address: BASE + start, len: (beats - 1) as u8, size: BUS.ilog2() as u8, burst: 1 }
}

fn word(value: u32, last: bool) -> WriteBeat {
    WriteBeat { data: [value.into(), 0], strobe: 0xf, last }
}

/// A beat that was read: cycle, id, value, response, last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    cycle: u64,
    id: u8,
    value: u32,
    response: u8,
    last: bool,
}

/// A master that offers bursts one after another and takes every answer.
struct Master {
    memory: Memory,
    reads: Vec<Address>,
    writes: Vec<Address>,
    data: Vec<WriteBeat>,
    seen: Vec<Seen>,
    answers: Vec<(u64, WriteAnswer)>,
    /// Cycles in which answers are not taken.
    busy: Range<u64>,
}

impl Master {
    fn new(memory: Memory) -> Self {
        let (reads, writes, data, seen, answers) = Default::default();
        Self { memory, reads, writes, data, seen, answers, busy: 0..0 }
    }

    /// Adds a write of consecutive words.
    fn write(&mut self, start: u64, words: &[u32]) {
        self.writes.push(burst(0, start, words.len() as u32));
        let last = words.len() - 1;
        self.data.extend(words.iter().enumerate().map(|(index, &value)| word(value, index == last)));
    }

    fn cycle(&mut self) -> Result<(), Violation> {
        let cycle = self.memory.cycle;
        let ready = !self.busy.contains(&cycle);
        let from_core = FromCore {
            ar: self.reads.first().copied(),
            r_ready: ready,
            aw: self.writes.first().copied(),
            w: self.data.first().copied(),
            b_ready: ready,
        };
        let to_core = *self.memory.to_core(0);
        self.memory.clock(&[from_core])?;
        let taken = |ready: bool, waiting: bool| if ready && waiting { 1 } else { 0 };
        self.reads.drain(..taken(to_core.ar_ready, !self.reads.is_empty()));
        self.writes.drain(..taken(to_core.aw_ready, !self.writes.is_empty()));
        self.data.drain(..taken(to_core.w_ready, !self.data.is_empty()));
        if let Some(ReadBeat { id, data, response, last }) = to_core.r.filter(|_| ready) {
            self.seen.push(Seen { cycle, id, value: data[0] as u32, response, last });
        }
        self.answers.extend(to_core.b.filter(|_| ready).map(|answer| (cycle, answer)));
        Ok(())
    }

    fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| self.cycle().unwrap());
    }

    fn values(&self) -> Vec<u32> {
        self.seen.iter().map(|beat| beat.value).collect()
    }
}

/// Little-endian words of the test image.
fn image_words(start: u64, count: u64) -> Vec<u32> {
    let byte = |address: u64| (address - WRITABLE as u64) % 251;
    let word = |word: u64| (0..4).map(|part| (byte(start + 4 * word + part) as u32) << (8 * part)).sum();
    (0..count).map(word).collect()
}
