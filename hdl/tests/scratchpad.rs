//! The scratchpad against a plain array. What is read of a word while it is written is not looked at.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::scratchpad::{LATENCY, Scratchpad};
use rand::Rng;

const WORDS: u64 = 24;

#[test]
fn both_reads_see_what_was_written() {
    let library = verilate(|| Scratchpad::<64, 5, 4>::new(WORDS as usize), "scratchpad");
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        let mut memory = vec![0; WORDS as usize];
        for address in 0..WORDS {
            bench.set("write", 1);
            bench.set("write_address", address);
            memory[address as usize] = bench.random.random::<u64>();
            bench.set("write_data", memory[address as usize]);
            bench.tick();
        }
        // A read sees what was written before its beat.
        let mut broadcast = VecDeque::from([None; LATENCY]);
        let mut rows: VecDeque<Row> = VecDeque::new();
        let mut came = 0;
        for index in 0..20_000 {
            let [read, row, write] = [0.8, 0.6, 0.5].map(|chance| bench.chance(chance));
            let [read_at, row_at, write_at] = [(); 3].map(|()| bench.random.random_range(0..WORDS));
            let (reader, data) = (bench.random.random_range(0..4), bench.random.random::<u64>());
            bench.set("read", read.into());
            bench.set("read_address", read_at);
            bench.set("row_valid", row.into());
            bench.set("row_address", row_at);
            bench.set("row_reader", reader);
            bench.set("write", write.into());
            bench.set("write_address", write_at);
            bench.set("write_data", data);
            bench.eval();
            if let Some(word) = broadcast.pop_front().unwrap() {
                bench.expect("broadcast word", index, bench.get("read_data"), word);
            }
            if bench.get("row_comes") == 1 {
                let Row { beat, reader, word, .. } = rows.pop_front().expect("a row that nobody reads");
                assert!(
                    bench.beat >= beat + LATENCY as u64,
                    "a row {} beats after its read",
                    bench.beat - beat
                );
                bench.expect("reader of row", came, bench.get("row_comes_to"), reader);
                if let Some(word) = word {
                    bench.expect("row", came, bench.get("row_data"), word);
                }
                came += 1;
            }
            broadcast.push_back((read && !(write && write_at == read_at)).then(|| memory[read_at as usize]));
            if row && bench.get("row_ready") == 1 {
                rows.push_back(Row {
                    beat: bench.beat,
                    address: row_at,
                    reader,
                    word: Some(memory[row_at as usize]),
                });
            }
            if write {
                memory[write_at as usize] = data;
                rows.iter_mut().filter(|row| row.address == write_at).for_each(|row| row.word = None);
            }
            bench.tick();
        }
        assert!(came > 5_000, "{came} rows came");
        bench.set("reset", 1);
        bench.set("row_valid", 0);
        bench.tick();
        bench.set("reset", 0);
        for _ in 0..2 * LATENCY {
            assert_eq!(bench.get("row_comes"), 0, "a row comes after a reset");
            bench.tick();
        }
    }
}

/// A row that is read.
struct Row {
    beat: u64,
    address: u64,
    reader: u64,
    /// What it held, unless it was written since.
    word: Option<u64>,
}

/// While consecutive words are broadcast without a pause, rows are read every other beat.
#[test]
fn consecutive_rows_wait_every_other_beat_at_most() {
    let library = verilate(|| Scratchpad::<64, 5, 4>::new(WORDS as usize), "scratchpad");
    let mut bench = Bench::new(&library, 1);
    bench.set("read", 1);
    bench.set("row_valid", 1);
    let mut row = 5;
    for beat in 0..1000 {
        bench.set("read_address", beat % WORDS);
        bench.set("row_address", row % WORDS);
        bench.eval();
        row += bench.get("row_ready");
        bench.tick();
    }
    assert!(row >= 500, "{row} rows in 1000 beats");
}
