//! The epilogue against `kernels`: gelu, route and fixed.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::epilogue::{Epilogue, LATENCY, SETTLING};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_kernels::fixed::accumulate;
use edge_moe_kernels::gelu::{MAX_FRACTION_BITS, MIN_FRACTION_BITS, gelu};
use edge_moe_kernels::route::accumulate_weighted;
use rand::Rng;
use rand::rngs::StdRng;
use rust_hdl_core::prelude::Block;
use verilated::Library;

/// Most beats from one transfer to the next, or to the last write.
const PATIENCE: usize = 100;
/// Beats from the transfer of a word without a mode to its write.
const PLAIN_LATENCY: u64 = 2;
/// The residual memory of the bench.
const WORDS: u64 = 40;

/// Both ends, zero, one, a half, anything.
fn extreme(random: &mut StdRng) -> i16 {
    match random.random_range(0..8) {
        0 => i16::MAX,
        1 => i16::MIN,
        2 => random.random_range(-2..=2),
        3 => random.random_range(i16::MAX - 300..=i16::MAX),
        4 => random.random_range(i16::MIN..=i16::MIN + 300),
        _ => random.random(),
    }
}

fn values(random: &mut StdRng, vector: usize) -> Vec<i16> {
    (0..vector).map(|_| extreme(random)).collect()
}

/// A word and its modes.
#[derive(Clone, Debug)]
struct Word {
    address: u64,
    gelu_bits: Option<u32>,
    score: Option<u16>,
    residual: bool,
    data: Vec<i16>,
}

impl Word {
    fn random(random: &mut StdRng, vector: usize) -> Self {
        let gelu_bits =
            random.random_bool(0.4).then(|| random.random_range(MIN_FRACTION_BITS..=MAX_FRACTION_BITS));
        let scores = [0, 1, 32768, 65535, random.random()];
        let score = random.random_bool(0.4).then(|| scores[random.random_range(0..scores.len())]);
        Self {
            address: random.random_range(0..WORDS),
            gelu_bits,
            score,
            residual: random.random_bool(0.5),
            data: values(random, vector),
        }
    }

    /// What is written, where the residual memory holds `before`.
    fn finished(&self, before: &[i16]) -> Vec<i16> {
        let value = |(&x, &before): (&i16, &i16)| {
            let y = self.gelu_bits.map_or(x, |bits| gelu(x, bits));
            let residual = if self.residual { before } else { 0 };
            match self.score {
                Some(score) => accumulate_weighted(residual, y, score),
                None => accumulate(residual, y),
            }
        };
        self.data.iter().zip(before).map(value).collect()
    }
}

/// A write that must come.
struct Write {
    residual: bool,
    address: u64,
    data: Vec<i16>,
}

/// The unit with a residual memory.
struct Machine {
    bench: Bench,
    vector: usize,
    /// What the memory holds.
    memory: Vec<Vec<i16>>,
    /// What it will hold once all words taken are written.
    reference: Vec<Vec<i16>>,
    /// The address that was asked for in the beat before, and the word that was read in it.
    asked: Option<u64>,
    read: Option<Vec<i16>>,
    expected: VecDeque<Write>,
    resetting: bool,
    /// Writes so far, and the beat of the last one.
    written: usize,
    written_in: u64,
}

impl Machine {
    fn new(library: &Library, seed: u64, vector: usize) -> Self {
        let mut bench = Bench::new(library, seed);
        let memory: Vec<_> = (0..WORDS).map(|_| values(&mut bench.random, vector)).collect();
        let reference = memory.clone();
        // Before the first reset the outputs mean nothing.
        bench.set("reset", 1);
        bench.tick();
        let mut machine = Self {
            bench,
            vector,
            memory,
            reference,
            asked: None,
            read: None,
            expected: VecDeque::new(),
            resetting: false,
            written: 0,
            written_in: 0,
        };
        machine.reset(1);
        machine
    }

    /// Holds `reset` while words are offered; what is written in its first beat still counts.
    fn reset(&mut self, beats: usize) {
        self.bench.set("reset", 1);
        self.resetting = true;
        for _ in 0..beats {
            let word = Word::random(&mut self.bench.random, self.vector);
            self.beat(Some(&word));
            self.expected.clear();
        }
        self.bench.set("reset", 0);
        self.resetting = false;
        self.reference.clone_from(&self.memory);
    }

    fn set_word(&mut self, port: &str, word: &[i16]) {
        let lanes: Vec<i64> = word.iter().map(|&value| value.into()).collect();
        self.bench.set_lanes(port, 16, &lanes);
    }

    /// Drives the input; what nobody looks at is anything.
    fn offer(&mut self, word: Option<&Word>) {
        let nothing = Word::random(&mut self.bench.random, self.vector);
        let any: u16 = self.bench.random.random();
        let driven = word.unwrap_or(&nothing);
        self.bench.set("in_valid", word.is_some().into());
        self.bench.set("in_address", driven.address);
        self.bench.set("in_gelu", driven.gelu_bits.is_some().into());
        self.bench.set("in_gelu_bits", driven.gelu_bits.unwrap_or(u32::from(any) % 16).into());
        self.bench.set("in_weighted", driven.score.is_some().into());
        self.bench.set("in_score", driven.score.unwrap_or(any).into());
        self.bench.set("in_residual", driven.residual.into());
        self.set_word("in_data", &driven.data);
    }

    /// One beat in which `word` is offered; true if it is taken.
    fn beat(&mut self, word: Option<&Word>) -> bool {
        self.offer(word);
        let residual = match self.read.take() {
            Some(word) => word,
            None => values(&mut self.bench.random, self.vector),
        };
        self.set_word("residual_read_data", &residual);
        self.bench.eval();

        let idle = self.bench.get("idle") == 1;
        self.bench.expect("idle before write", self.written, idle, self.expected.is_empty());
        // A read in the beat of a write gives what was there before.
        self.read = self.asked.take().map(|address| self.memory[address as usize].clone());
        if self.bench.get("residual_read") == 1 {
            let address = self.bench.get("residual_read_address");
            self.bench.expect("address read is inside before write", self.written, address < WORDS, true);
            self.asked = Some(address);
        }
        self.write();

        let taken = self.bench.get("in_ready") == 1 && word.is_some() && !self.resetting;
        if let (true, Some(word)) = (taken, word) {
            let before = &mut self.reference[word.address as usize];
            let data = word.finished(before);
            if word.residual {
                before.clone_from(&data);
            }
            self.expected.push_back(Write { residual: word.residual, address: word.address, data });
        }
        self.bench.tick();
        taken
    }

    /// Compares and performs a write of this beat.
    fn write(&mut self) {
        for (residual, port) in [(false, "scratchpad_write"), (true, "residual_write")] {
            if self.bench.get(port) == 0 {
                continue;
            }
            let [address, data] = match residual {
                false => ["scratchpad_address", "scratchpad_data"],
                true => ["residual_write_address", "residual_write_data"],
            };
            let (index, address) = (self.written, self.bench.get(address));
            let lanes = self.bench.get_lanes(data, 16, self.vector);
            let data: Vec<i16> = lanes.into_iter().map(|value| value as i16).collect();
            self.bench.expect("a word is owed at write", index, self.expected.is_empty(), false);
            let expected = self.expected.pop_front().unwrap();
            self.bench.expect("to residual of write", index, residual, expected.residual);
            self.bench.expect("address of write", index, address, expected.address);
            self.bench.expect("data of write", index, &data, &expected.data);
            if residual {
                self.memory[address as usize] = data;
            }
            self.written += 1;
            self.written_in = self.bench.beat;
        }
    }

    /// Offers `word` until it is taken; the beat in which it was.
    fn send(&mut self, word: &Word) -> u64 {
        for _ in 0..PATIENCE {
            let beat = self.bench.beat;
            if self.beat(Some(word)) {
                return beat;
            }
        }
        panic!("word {word:?} is not taken in {PATIENCE} beats (EMOE_SEED={})", self.bench.seed);
    }

    /// Waits for all writes; the beat of the last one.
    fn drain(&mut self) -> u64 {
        for _ in 0..PATIENCE {
            if self.expected.is_empty() {
                return self.written_in;
            }
            self.beat(None);
        }
        panic!("{} words stay inside (EMOE_SEED={})", self.expected.len(), self.bench.seed);
    }

    fn random_word(&mut self) -> Word {
        Word::random(&mut self.bench.random, self.vector)
    }
}

/// All modes mixed, with bubbles, bursts to one address, and resets.
fn mixes_modes(library: &Library, vector: usize, words: usize) {
    for seed in seeds() {
        let mut machine = Machine::new(library, seed, vector);
        let mut bubbles = 0.0;
        let mut burst = None;
        for index in 0..words {
            if index % 50 == 0 {
                bubbles = [0.0, 0.2, 0.9][index / 50 % 3];
                // Words of a burst go to a neighbour's address, if not to its own.
                burst = machine.bench.chance(0.6).then(|| machine.bench.random.random_range(0..WORDS - 1));
            }
            let mut word = machine.random_word();
            if let Some(address) = burst {
                word.address = address + u64::from(machine.bench.chance(0.3));
            }
            while machine.bench.chance(bubbles) {
                machine.beat(None);
            }
            machine.send(&word);
            if machine.bench.chance(0.03) {
                let beats = machine.bench.random.random_range(0..20);
                (0..beats).for_each(|_| _ = machine.beat(None));
                let beats = machine.bench.random.random_range(1..=3);
                machine.reset(beats);
            }
        }
        machine.drain();
        (0..20).for_each(|_| _ = machine.beat(None));
        machine.bench.expect("residual memory", 0, &machine.memory, &machine.reference);
    }
}

/// A random word; bits of `mode`: GELU, weighted, residual.
fn with_modes(machine: &mut Machine, mode: usize, address: u64) -> Word {
    Word {
        address,
        gelu_bits: (mode & 1 != 0).then_some(11),
        score: (mode & 2 != 0).then_some(40_000),
        residual: mode & 4 != 0,
        data: values(&mut machine.bench.random, machine.vector),
    }
}

/// Every combination of modes alone, then each followed by each: order and latency.
fn keeps_order_and_latency(library: &Library, vector: usize, slices: u64) {
    let mut machine = Machine::new(library, 1, vector);
    for first in 0..8 {
        let word = with_modes(&mut machine, first, 3);
        let taken = machine.send(&word);
        let latency = machine.drain() - taken;
        let expected = if first == 0 { PLAIN_LATENCY } else { slices + LATENCY as u64 };
        machine.bench.expect("latency of modes", first, latency, expected);
        for second in 0..8 {
            let words = [with_modes(&mut machine, first, 3), with_modes(&mut machine, second, 3)];
            words.iter().for_each(|word| _ = machine.send(word));
            machine.drain();
        }
    }
}

/// A reset in each beat of a residual word, then another word at once: nothing of the first is left.
fn forgets_at_reset(library: &Library, vector: usize, slices: u64) {
    let mut machine = Machine::new(library, 3, vector);
    for wait in 0..slices + LATENCY as u64 + 2 {
        for mode in 1..8 {
            let words = [4, mode].map(|mode| with_modes(&mut machine, mode, 5));
            machine.send(&words[0]);
            (0..wait).for_each(|_| _ = machine.beat(None));
            machine.reset(1);
            let taken = machine.send(&words[1]);
            let latency = machine.drain() - taken;
            let what = format!("latency {wait} beats before reset, of modes");
            machine.bench.expect(&what, mode, latency, slices + LATENCY as u64);
        }
    }
}

/// Beats a word in steady state, counted between transfers.
fn keeps_pace(library: &Library, vector: usize, slices: u64) {
    let settled = slices + SETTLING as u64;
    // Modes and address of every other word.
    let cases = [
        ("plain", [(0, 7), (0, 7)], 1),
        ("GELU, one address", [(1, 7), (1, 7)], slices),
        ("weighted, one address", [(2, 7), (3, 7)], slices),
        ("residual, two addresses", [(4, 7), (4, 8)], slices),
        ("weighted residual, two addresses", [(6, 7), (6, 8)], slices),
        ("residual, and GELU at the same address of the scratchpad", [(4, 7), (1, 7)], slices),
        ("residual, one address", [(4, 7), (4, 7)], settled),
        ("all modes, one address", [(7, 7), (7, 7)], settled),
    ];
    for (case, words, expected) in cases {
        let mut machine = Machine::new(library, 1, vector);
        let mut send = |index: usize| {
            let (mode, address) = words[index % 2];
            let word = with_modes(&mut machine, mode, address);
            machine.send(&word)
        };
        let beats: Vec<u64> = (0..50).map(&mut send).collect();
        // The first of them finds the unit empty.
        for (index, pair) in beats.windows(2).enumerate().skip(1) {
            machine.bench.expect(&format!("beats a word ({case})"), index, pair[1] - pair[0], expected);
        }
        machine.drain();
    }
}

/// One value is added until it saturates at either end.
fn saturates(library: &Library, vector: usize) {
    let mut machine = Machine::new(library, 2, vector);
    for value in [i16::MAX, i16::MIN, 12_345, -12_345] {
        for score in [None, Some(0), Some(1), Some(32_768), Some(65_535)] {
            for _ in 0..4 {
                let data = vec![value; vector];
                machine.send(&Word { address: 1, gelu_bits: None, score, residual: true, data });
            }
        }
        machine.drain();
        let end = if value > 0 { i16::MAX } else { i16::MIN };
        machine.bench.expect("saturated word", 0, machine.memory[1][0], end);
    }
}

fn check<U: Block>(unit: impl FnOnce() -> U + Send, arch: &ArchConfig, words: usize) {
    let (vector, slices) = (arch.vector as usize, u64::from(arch.vector / arch.epilogue_width));
    let library = verilate(unit, &format!("epilogue_{}", arch.name.replace('-', "_")));
    mixes_modes(&library, vector, words);
    keeps_order_and_latency(&library, vector, slices);
    forgets_at_reset(&library, vector, slices);
    keeps_pace(&library, vector, slices);
    saturates(&library, vector);
}

#[test]
fn tiny() {
    check(Epilogue::<4, 1, 4, 64, 16, 20>::default, &ArchConfig::tiny(), 6000);
}

#[test]
fn ecp5_85() {
    check(Epilogue::<8, 1, 8, 128, 16, 20>::default, &ArchConfig::ecp5_85(), 4000);
}

#[test]
fn edge() {
    check(Epilogue::<16, 2, 8, 256, 32, 20>::default, &ArchConfig::edge(), 3000);
}

#[test]
fn zcu102() {
    check(Epilogue::<32, 8, 4, 512, 128, 20>::default, &ArchConfig::zcu102(), 3000);
}
