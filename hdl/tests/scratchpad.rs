//! The scratchpad against a plain array. What is read of a word while it is written is not looked at.

mod common;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::scratchpad::Scratchpad;
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
        bench.set("write", 0);
        bench.tick();
        // Reads of the beat before; the row, if it was granted.
        let mut broadcast = None;
        let mut row_before = None;
        // The write of the beat before is on its way into the memory.
        let mut leaving: Option<(u64, u64)> = None;
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
            bench.tick();
            let written = |at: u64| leaving.is_some_and(|(write_at, _)| at == write_at);
            if let Some(read_at) = broadcast.filter(|&at| !written(at)) {
                bench.expect("broadcast word", index, bench.get("read_data"), memory[read_at as usize]);
            }
            if let Some(row_at) = row_before.filter(|&at| !written(at)) {
                bench.expect("row word", index, bench.get("row_data"), memory[row_at as usize]);
            }
            broadcast = read.then_some(read_at);
            row_before = (row && granted).then_some(row_at);
            if let Some((write_at, data)) = leaving {
                memory[write_at as usize] = data;
            }
            leaving = write.then_some((write_at, data));
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
