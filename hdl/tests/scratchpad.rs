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
        let mut expected = VecDeque::from([(None, None); LATENCY]);
        for index in 0..20_000 {
            let [read, row, write] = [0.8, 0.6, 0.5].map(|chance| bench.chance(chance));
            let [read_at, row_at, write_at] = [(); 3].map(|()| bench.random.random_range(0..WORDS));
            let data = bench.random.random::<u64>();
            bench.set("read", read.into());
            bench.set("read_address", read_at);
            bench.set("row_valid", row.into());
            bench.set("row_address", row_at);
            bench.set("write", write.into());
            bench.set("write_address", write_at);
            bench.set("write_data", data);
            bench.eval();
            let granted = bench.get("row_ready") == 1;
            let free = !read || read_at % 2 != row_at % 2;
            bench.expect("grant", index, granted, free);
            let (word, row_word): (Option<u64>, Option<u64>) = expected.pop_front().unwrap();
            if let Some(word) = word {
                bench.expect("broadcast word", index, bench.get("read_data"), word);
            }
            if let Some(word) = row_word {
                bench.expect("row word", index, bench.get("row_data"), word);
            }
            let seen =
                |reads: bool, at: u64| (reads && !(write && write_at == at)).then(|| memory[at as usize]);
            expected.push_back((seen(read, read_at), seen(row && granted, row_at)));
            if write {
                memory[write_at as usize] = data;
            }
            bench.tick();
        }
    }
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
