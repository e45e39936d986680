//! The drain against what it promises: every word once, whole, in order.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::drain::{Command, DEPTH, Drain, Modes};
use rand::Rng;
use rust_hdl_core::prelude::Block;

/// A lane array that hands over results, and the words that must leave.
struct Lanes {
    lanes: usize,
    vector: usize,
    pending: VecDeque<(Command, Vec<i64>)>,
    expected: VecDeque<(u64, Modes, Vec<i64>)>,
    on_their_way: usize,
}

impl Lanes {
    /// Results of one dot product, for words across the lanes.
    fn across(&mut self, bench: &mut Bench) {
        let results = values(bench, self.lanes);
        let words = bench.random.random_range(1..=self.lanes / self.vector);
        let command = Command { words: words as u32, emit: true, ..placed(bench) };
        for (index, word) in results.chunks(self.vector).take(words).enumerate() {
            self.expected.push_back((address(command, index), command.modes, word.to_vec()));
        }
        self.pending.push_back((command, results));
    }

    /// Results of up to V dot products, for a word of each lane.
    fn along(&mut self, bench: &mut Bench) {
        let elements = match bench.chance(0.6) {
            true => self.vector,
            false => bench.random.random_range(1..=self.vector),
        };
        let words = match bench.chance(0.6) {
            true => self.lanes,
            false => bench.random.random_range(1..=self.lanes),
        };
        let place = Command { words: words as u32, along: true, ..placed(bench) };
        let mut collected = vec![vec![0; self.vector]; self.lanes];
        for element in 0..elements {
            let results = values(bench, self.lanes);
            results.iter().zip(&mut collected).for_each(|(&value, word)| word[element] = value);
            let command = Command { element: element as u32, emit: element + 1 == elements, ..place };
            self.pending.push_back((command, results));
        }
        for (index, word) in collected.into_iter().take(words).enumerate() {
            self.expected.push_back((address(place, index), place.modes, word));
        }
    }
}

fn values(bench: &mut Bench, count: usize) -> Vec<i64> {
    (0..count).map(|_| bench.random.random_range(-32768..32768)).collect()
}

fn placed(bench: &mut Bench) -> Command {
    Command {
        address: bench.random.random_range(0..1 << 20),
        stride: bench.random.random_range(0..1 << 12),
        modes: Modes {
            gelu: bench.random.random(),
            gelu_bits: bench.random.random_range(0..16),
            weighted: bench.random.random(),
            residual: bench.random.random(),
            score: bench.random.random_range(0..1 << 16),
        },
        ..Default::default()
    }
}

fn address(command: Command, index: usize) -> u64 {
    (u64::from(command.address) + u64::from(command.stride) * index as u64) % (1 << 20)
}

fn check<U: Block>(build: fn() -> U, name: &str, lanes: usize, vector: usize) {
    let library = verilate(build, name);
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        for _ in 0..4 {
            run(&mut bench, lanes, vector);
        }
    }
}

/// Random results with bubbles on both sides, after a reset; half of the runs are cut off.
fn run(bench: &mut Bench, lanes: usize, vector: usize) {
    bench.reset();
    let (offer, accept) = (bench.random.random_range(0.2..1.0), bench.random.random_range(0.2..1.0));
    let mut source =
        Lanes { lanes, vector, pending: VecDeque::new(), expected: VecDeque::new(), on_their_way: 0 };
    for _ in 0..60 {
        if bench.chance(0.5) { source.across(bench) } else { source.along(bench) }
    }
    let cut_off = bench.chance(0.5);
    let wanted = if cut_off { source.expected.len() / 2 } else { source.expected.len() };
    let mut index = 0;
    let limit = bench.beat + 400_000;
    while index < wanted {
        assert!(bench.beat < limit, "{} words never left", source.expected.len());
        let valid = source.on_their_way < DEPTH && !source.pending.is_empty() && bench.chance(offer);
        bench.set("result_valid", valid.into());
        if valid {
            let (command, results) = source.pending.pop_front().unwrap();
            bench.set_wide("command", command.bits());
            bench.set_lanes("results", 16, &results);
            source.on_their_way += 1;
        }
        let ready = bench.chance(accept);
        bench.set("word_ready", ready.into());
        bench.eval();
        source.on_their_way -= bench.get("taken") as usize;
        if ready && bench.get("word_valid") == 1 {
            let (address, modes, word) = source.expected.pop_front().expect("a word that nobody expects");
            bench.expect("modes of word", index, bench.get("word_modes"), modes.bits());
            bench.expect("address of word", index, bench.get("word_address"), address);
            let got = bench.get_lanes("word_data", 16, vector);
            bench.expect("word", index, got, word);
            index += 1;
        }
        bench.tick();
    }
    if !cut_off {
        bench.set("result_valid", 0);
        bench.eval();
        assert_eq!(bench.get("busy"), 0);
    }
}

#[test]
fn four_lanes() {
    check(Drain::<4, 4, 64, 64, 256>::default, "drain_4x4", 4, 4);
}

#[test]
fn eight_lanes() {
    check(Drain::<8, 8, 128, 128, 1024>::default, "drain_8x8", 8, 8);
}

#[test]
fn more_lanes_than_elements() {
    check(Drain::<16, 4, 64, 256, 1024>::default, "drain_16x4", 16, 4);
}

#[test]
fn sixteen_lanes() {
    check(Drain::<16, 16, 256, 256, 4096>::default, "drain_16x16", 16, 16);
}

/// P words leave in P + 2 beats, whatever comes in meanwhile.
#[test]
fn words_leave_one_a_beat_but_for_two_between_sets() {
    let library = verilate(Drain::<8, 8, 128, 128, 1024>::default, "drain_8x8");
    let mut bench = Bench::new(&library, 1);
    bench.reset();
    bench.set("word_ready", 1);
    let (mut words, mut on_their_way, mut result) = (0, 0, 0);
    let beats = 900;
    for _ in 0..beats {
        let valid = on_their_way < DEPTH;
        bench.set("result_valid", valid.into());
        let command = Command {
            words: 8,
            element: result % 8,
            along: true,
            emit: result % 8 == 7,
            ..Default::default()
        };
        result += u32::from(valid);
        on_their_way += usize::from(valid);
        bench.set_wide("command", command.bits());
        bench.eval();
        on_their_way -= bench.get("taken") as usize;
        words += bench.get("word_valid");
        bench.tick();
    }
    assert!(words >= beats * 8 / 10 - 16, "{words} words in {beats} beats");
}
