//! The SDRAM controller against the model of its chip, which checks every command.

mod common;
mod sdram;

use common::{Bench, seeds};
use rand::Rng;
use sdram::chip::SDRAM_BYTES;
use sdram::{Access, Board, library};

/// Cycles between two refreshes, at most: 64 ms / 8192 at 80 MHz.
const REFRESH_CYCLES: u64 = 625;
/// No channel is up longer than that before it is taken, and no read answered later.
const LONGEST_WAIT: u64 = 200;
const LONGEST_ANSWER: u64 = 300;

/// Somewhere: in a few rows mostly, so that accesses meet; beyond the chip at times.
fn address(bench: &mut Bench, chunk_bytes: u64, outside: bool) -> u64 {
    let chunks = SDRAM_BYTES as u64 / chunk_bytes;
    let chunk = match bench.random.random_range(0..20) {
        0 if outside => bench.random.random_range(chunks..(1 << 40) / chunk_bytes),
        0..4 => bench.random.random_range(0..chunks),
        4..8 => 3 * chunks / 4 + bench.random.random_range(0..16),
        _ => bench.random.random_range(0..64),
    };
    chunk * chunk_bytes
}

fn burst(board: &mut Board, writes: bool) {
    let (bytes, chunk_bytes) = (board.bytes, board.chunk_bytes());
    let bench = &mut *board.bench;
    let first = if bench.chance(0.5) { 0 } else { bench.random.random_range(0..16) };
    let beats = if bench.chance(0.5) { 16 - first } else { bench.random.random_range(1..=16 - first) };
    let address = address(bench, chunk_bytes, true) + first * bytes;
    let id = bench.random.random_range(0..2);
    let all = (1_u64 << bytes) - 1;
    let whole = bench.chance(0.5);
    let mut beat = |_| {
        let strobe = if whole { all } else { bench.random.random_range(0..=all) };
        (bench.random.random::<u64>() >> (64 - 8 * bytes), strobe)
    };
    let written = if writes { (0..beats).map(&mut beat).collect() } else { Vec::new() };
    board.burst(Access { id, address, beats, written });
}

fn word(board: &mut Board) {
    let chunk_bytes = board.chunk_bytes();
    let bench = &mut *board.bench;
    let offset = bench.random.random_range(0..chunk_bytes / 4) * 4;
    let address = address(bench, chunk_bytes, false) + offset;
    let written = if bench.chance(0.5) { vec![(bench.random.random_range(0..1 << 32), 0xf)] } else { vec![] };
    board.word(Access { id: 0, address, beats: 1, written });
}

/// Keeps some accesses of each port open for so many beats.
fn load(board: &mut Board, open: [usize; 3], beats: u64) {
    let end = board.bench.beat + beats;
    while board.bench.beat < end {
        let now = board.open();
        if now[0] < open[0] {
            burst(board, false);
        }
        if now[1] < open[1] {
            burst(board, true);
        }
        if now[2] < open[2] {
            word(board);
        }
        board.beat();
    }
}

/// Mixes of all ports, with gaps and without.
fn mixes(bench: &mut Bench, bytes: u64) {
    let mut board = Board::new(bench, bytes);
    for open in [[4, 4, 2], [8, 0, 0], [0, 4, 0], [0, 0, 2], [2, 2, 1]] {
        board.offer = board.bench.random.random_range(0.05..1.0);
        load(&mut board, open, 3000);
        board.until(0);
    }
    board.finish();
    assert!(board.failures > 0, "{} accesses beyond the chip", board.failures);
}

/// Resets amid everything, and during set-up.
fn resets(bench: &mut Bench, bytes: u64) {
    let mut board = Board::new(bench, bytes);
    for _ in 0..12 {
        let beats = if board.bench.chance(0.2) { 200 } else { 1000 };
        let beats = board.bench.random.random_range(0..beats);
        load(&mut board, [4, 4, 2], beats);
        board.reset();
    }
    load(&mut board, [4, 4, 2], 1000);
    board.finish();
}

/// All ports want all the time: refreshes are not late, and nobody waits for long.
fn full_load(bench: &mut Bench, bytes: u64) {
    let mut board = Board::new(bench, bytes);
    load(&mut board, [8, 8, 4], 400);
    let (begin, before) = (board.bench.beat, board.chip.chip.refreshes());
    load(&mut board, [8, 8, 4], 30_000);
    let (beats, refreshes) = (board.bench.beat - begin, board.chip.chip.refreshes() - before);
    let gap = board.chip.chip.longest_refresh_gap();
    println!("full load, {bytes} bytes: {refreshes} refreshes in {beats} beats, at most {gap} apart");
    assert!(gap <= REFRESH_CYCLES, "refreshes {gap} beats apart");
    assert!(refreshes >= beats / REFRESH_CYCLES, "{refreshes} refreshes in {beats} beats");
    board.finish();
}

fn check(bytes: u64) {
    let library = library(bytes);
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        mixes(&mut bench, bytes);
        resets(&mut bench, bytes);
        full_load(&mut bench, bytes);
    }
}

#[test]
fn bus_of_64_bits() {
    check(8);
}

#[test]
fn bus_of_32_bits() {
    check(4);
}

/// Another row each time.
fn somewhere(board: &mut Board) -> u64 {
    let chunk_bytes = board.chunk_bytes();
    board.bench.random.random_range(0..SDRAM_BYTES as u64 / chunk_bytes) * chunk_bytes
}

fn read(address: u64, beats: u64) -> Access {
    Access { id: 0, address, beats, written: Vec::new() }
}

fn write(address: u64, bytes: u64) -> Access {
    let written = (0..16).map(|beat| (address << 4 & 0xffff_0000 | beat, (1 << bytes) - 1)).collect();
    Access { id: 1, address, beats: 16, written }
}

/// Whole chunks on all ports, the worst case of each wait; with a writer that is slow, or not.
fn waits(bytes: u64, slow_writer: bool) {
    let library = library(bytes);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, bytes);
    (0..400).for_each(|_| board.beat());
    for beat in 0..20_000 {
        let [from, to, word] = [(); 3].map(|()| somewhere(&mut board));
        let open = board.open();
        if open[0] < 8 {
            board.burst(read(from, 16));
        }
        if open[1] < 8 {
            board.burst(write(to, bytes));
        }
        if open[2] < 4 {
            board.word(read(word, 1));
        }
        // In the midst of a burst as a rule.
        board.holds_data = slow_writer && beat % 2000 > 500;
        board.beat();
    }
    let ([ar, aw, w, host], answer) = (board.longest_waits(), board.longest_answer);
    println!("{bytes} bytes: longest waits for ar {ar}, aw {aw}, w {w}, host {host}, read {answer} beats");
    assert!([ar, host].into_iter().all(|wait| wait <= LONGEST_WAIT) && answer <= LONGEST_ANSWER);
    assert!(slow_writer || aw.max(w) <= LONGEST_WAIT);
    board.holds_data = false;
    board.finish();
}

#[test]
fn nobody_waits_for_long() {
    waits(8, false);
    waits(4, false);
}

#[test]
fn a_slow_writer_holds_up_nobody() {
    waits(8, true);
    waits(4, true);
}

/// Bytes a beat of whole chunks, as a share of two.
fn share(bytes: u64, chunks: u64, beats: u64) -> f64 {
    (16 * chunks * bytes) as f64 / (2 * beats) as f64
}

/// Reads chunks, each so many bytes behind the one before.
fn read_share(board: &mut Board, stride: u64) -> f64 {
    board.first_read = None;
    (0..1000).for_each(|index| board.burst(read(index * stride, 16)));
    board.until(0);
    // The first beat of the bus took columns before it was there.
    let beats = board.last_read - board.first_read.expect("all is answered") + board.bytes / 2;
    share(board.bytes, 1000, beats)
}

fn bandwidth(bytes: u64) {
    let library = library(bytes);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, bytes);
    let chunk_bytes = board.chunk_bytes();
    let reads = read_share(&mut board, chunk_bytes);
    let rows = read_share(&mut board, 4096);
    let begin = board.bench.beat;
    (0..1000).for_each(|index| board.burst(write(index * chunk_bytes, bytes)));
    board.until(0);
    let writes = share(bytes, 1000, board.last_write - begin);
    let [reads, rows, writes] = [reads, rows, writes].map(|share| 100.0 * share);
    println!("{bytes} bytes, % of peak: reads {reads:.1}, each in another row {rows:.1}; writes {writes:.1}");
    assert!(reads >= 85.0 && writes >= 85.0 && rows >= 75.0);
    board.finish();
}

#[test]
fn streams_come_close_to_two_bytes_a_beat() {
    bandwidth(8);
    bandwidth(4);
}

/// Beats from the request to the first beat of the answer.
fn latency(board: &mut Board, address: u64) -> u64 {
    board.first_read = None;
    let begin = board.bench.beat;
    board.burst(read(address, 1));
    board.until(0);
    board.first_read.expect("all is answered") - begin
}

#[test]
fn a_lone_read_is_answered_soon() {
    let library = library(8);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, 8);
    // Until the first refresh after set-up is over: it closed the row, and none comes soon.
    while board.chip.chip.refreshes() < 9 {
        board.beat();
    }
    (0..20).for_each(|_| board.beat());
    let (closed, open) = (latency(&mut board, 0), latency(&mut board, 8));
    println!("a lone read: {open} beats in the open row, {closed} with a row to open");
    assert_eq!([open, closed], [14, 16]);
}
