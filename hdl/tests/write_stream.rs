//! Words of jobs against what a memory is made to write.

mod common;
mod dma;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use dma::write::{Order, WriteMemory, Written};
use dma::{CHUNK_BEATS, Timing};
use edge_moe_hdl::config::{ecp5_85, edge, tiny, zcu102};
use rand::Rng;
use rust_hdl_core::prelude::Block;
use verilated::Library;

/// Sizes in bytes.
#[derive(Clone, Copy)]
struct Size {
    bus: u64,
    word: u64,
}

const TINY: Size = Size { bus: 4, word: 8 };
const ECP5: Size = Size { bus: 8, word: 16 };
const EDGE: Size = Size { bus: 16, word: 32 };
const ZCU102: Size = Size { bus: 16, word: 64 };

struct Stream<'a> {
    bench: &'a mut Bench,
    size: Size,
    base: u64,
    memory: WriteMemory,
    jobs: VecDeque<(u64, u64)>,
    words: VecDeque<Vec<i64>>,
    /// Beats that must be written, in order.
    expected: VecDeque<Written>,
    /// The first so many are of bursts that were open at a reset; of these the first so many may be written.
    stale: usize,
    stale_written: usize,
    /// Confirmations that are thrown away.
    stale_confirmations: usize,
    offer: f64,
    job_up: bool,
    word_up: bool,
    error: bool,
    errors: usize,
    beats: u64,
    first_word: Option<u64>,
    first_beat: Option<u64>,
}

impl<'a> Stream<'a> {
    /// After a reset of the bus too.
    fn new(bench: &'a mut Bench, size: Size, timing: Timing, order: Order) -> Self {
        let base = bench.random.random_range(0..1 << 27) * 4096;
        bench.set("base", base);
        bench.set("reset", 0);
        bench.set("hard_reset", 1);
        bench.tick();
        bench.set("hard_reset", 0);
        Self {
            bench,
            size,
            base,
            memory: WriteMemory::new(size.bus, timing, order),
            jobs: VecDeque::new(),
            words: VecDeque::new(),
            expected: VecDeque::new(),
            stale: 0,
            stale_written: 0,
            stale_confirmations: 0,
            offer: 1.0,
            job_up: false,
            word_up: false,
            error: false,
            errors: 0,
            beats: 0,
            first_word: None,
            first_beat: None,
        }
    }

    fn job(&mut self, address: u64, words: u64) {
        let Size { bus, word } = self.size;
        self.jobs.push_back((address, words * word));
        for index in 0..words {
            let data: Vec<i64> = (0..word).map(|_| self.bench.random.random_range(-128..128)).collect();
            for (beat, data) in data.chunks(bus as usize).enumerate() {
                let address = self.base + address + index * word + beat as u64 * bus;
                self.expected.push_back(Written { address, strobe: (1 << bus) - 1, data: data.to_vec() });
            }
            self.words.push_back(data);
        }
    }

    fn random(&mut self, jobs: usize) {
        self.offer = self.bench.random.random_range(0.2..1.0);
        for _ in 0..jobs {
            let most = if self.bench.chance(0.2) { 100 } else { 10 };
            let address = self.bench.random.random_range(0..1_u64 << 25) * 64;
            let words = self.bench.random.random_range(1..=most);
            self.job(address, words);
        }
    }

    /// One beat, in which `reset` is as given.
    fn beat(&mut self, reset: bool) {
        self.job_up = !self.jobs.is_empty() && (self.job_up || self.bench.chance(self.offer));
        self.bench.set("job_valid", self.job_up.into());
        if let Some(&(address, count)) = self.jobs.front() {
            self.bench.set("job_address", address);
            self.bench.set("job_bytes", count);
        }
        self.word_up = !self.words.is_empty() && (self.word_up || self.bench.chance(self.offer));
        self.bench.set("word_valid", self.word_up.into());
        if let Some(word) = self.words.front() {
            self.bench.set_lanes("word_data", 8, word);
        }
        self.bench.set("reset", reset.into());
        self.memory.drive(self.bench);
        self.bench.eval();

        let index = self.bench.beat as usize;
        self.bench.expect("error in", index, self.bench.get("response_error"), self.error.into());
        let seen = self.memory.observe(self.bench);
        self.bench.expect("bus beats in", index, self.bench.get("beats"), seen.beat.into());
        self.beats += u64::from(seen.beat);
        if self.bench.get("m_axi_wvalid") == 1 {
            self.first_beat.get_or_insert(self.bench.beat);
        }
        seen.written.into_iter().for_each(|written| self.written(written));
        self.error = seen.confirmed == Some(true) && self.stale_confirmations == 0 && !reset;
        self.errors += usize::from(self.error);
        if seen.confirmed.is_some() {
            self.stale_confirmations = self.stale_confirmations.saturating_sub(1);
        }
        if self.job_up && self.bench.get("job_ready") == 1 {
            self.jobs.pop_front();
            self.job_up = false;
        }
        if self.word_up && self.bench.get("word_ready") == 1 {
            self.first_word.get_or_insert(self.bench.beat);
            self.words.pop_front();
            self.word_up = false;
        }
        self.bench.tick();
        self.bench.eval();
        let owes = self.memory.owes() || self.bench.get("m_axi_awvalid") == 1;
        self.bench.expect("quiet in", self.bench.beat as usize, self.bench.get("quiet"), (!owes).into());
        if !reset && !self.expected.is_empty() && self.jobs.is_empty() && self.stale == 0 {
            self.bench.expect("busy in", self.bench.beat as usize, self.bench.get("busy"), 1);
        }
    }

    /// A beat of a burst was written: as it must be, or not at all if its job was forgotten before.
    fn written(&mut self, got: Written) {
        let expected = self.expected.pop_front().expect("a beat that nobody asked for");
        let address = expected.address as usize;
        if self.stale > 0 {
            self.stale -= 1;
            if self.stale_written == 0 {
                self.bench.expect("address of a forgotten beat", address, got.address, expected.address);
                self.bench.expect("strobe of a forgotten beat", address, got.strobe, 0);
                return;
            }
            self.stale_written -= 1;
        }
        self.bench.expect("beat at", address, got, expected);
    }

    /// Until at most so many beats are left.
    fn until(&mut self, left: usize) {
        let limit = self.bench.beat + 400_000;
        while self.expected.len() > left {
            assert!(self.bench.beat < limit, "{} beats were never written", self.expected.len());
            self.beat(false);
        }
    }

    fn finish(&mut self) {
        self.until(0);
        while self.memory.owes() {
            self.bench.expect("busy in", self.bench.beat as usize, self.bench.get("busy"), 1);
            self.beat(false);
        }
        let busy = self.error;
        self.bench.expect(
            "busy at the end in",
            self.bench.beat as usize,
            self.bench.get("busy"),
            busy.into(),
        );
        self.beat(false);
        assert_eq!([self.bench.get("busy"), self.bench.get("quiet")], [0, 1]);
    }

    /// A reset in the midst of it all.
    fn reset(&mut self) {
        self.jobs.clear();
        self.words.clear();
        (self.job_up, self.word_up) = (false, false);
        self.beat(true);
        // None begins in the beat of a reset: these are all.
        let open: u64 = self.memory.open().map(|request| request.beats()).sum();
        self.expected.truncate(open as usize);
        self.stale = open as usize;
        self.stale_written = self.memory.loose_beats() + usize::from(self.memory.beat_is_up());
        self.stale_confirmations = self.memory.unconfirmed();
        // With new words, and without.
        if self.bench.chance(0.5) {
            self.until(0);
        }
        self.random(3);
    }
}

fn check<U: Block>(build: fn() -> U, name: &str, size: Size) {
    let library = verilate(build, name);
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        for order in [Order::Any, Order::AddressFirst, Order::DataFirst] {
            complete(&mut bench, size, order);
            resets(&mut bench, size, order);
            errors(&mut bench, size, order);
        }
    }
    steady(&library, size);
}

fn complete(bench: &mut Bench, size: Size, order: Order) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing, order);
    stream.random(30);
    stream.finish();
}

fn resets(bench: &mut Bench, size: Size, order: Order) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing, order);
    for _ in 0..8 {
        stream.random(6);
        let left = stream.bench.random.random_range(0..stream.expected.len());
        stream.until(left);
        stream.reset();
    }
    // Otherwise the bus is reset too, in the midst of it all.
    if stream.bench.chance(0.5) {
        stream.finish();
    }
}

/// Errors of memory are reported, but not after a reset.
fn errors(bench: &mut Bench, size: Size, order: Order) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing, order);
    stream.memory.errors = 0.3;
    for _ in 0..4 {
        stream.random(8);
        let left = stream.expected.len() / 4;
        stream.until(left);
        stream.reset();
    }
    stream.random(10);
    stream.finish();
    assert!(stream.errors > 0, "no error was seen");
}

/// A bus beat a beat with 64 beats to a confirmation, across jobs; and the latency of the header.
fn steady(library: &Library, size: Size) {
    let mut bench = Bench::new(library, 1);
    let mut stream = Stream::new(&mut bench, size, Timing::steady(64), Order::Any);
    for job in 0..8 {
        stream.job(job * 0x10000, 24 * CHUNK_BEATS * size.bus / size.word);
    }
    stream.until(0);
    let (word, first) = (stream.first_word.unwrap(), stream.first_beat.unwrap());
    assert_eq!(first - word, 3);
    let beats = 8 * 24 * CHUNK_BEATS;
    assert_eq!(stream.beats, beats);
    assert_eq!(stream.bench.beat - first, beats);
    assert!(stream.memory.most >= 4, "{} bursts were unconfirmed at most", stream.memory.most);
    stream.finish();
}

#[test]
fn writes_of_tiny() {
    check(tiny::Writes::default, "write_stream_tiny", TINY);
}

#[test]
fn writes_of_ecp5_85() {
    check(ecp5_85::Writes::default, "write_stream_ecp5", ECP5);
}

#[test]
fn writes_of_edge() {
    check(edge::Writes::default, "write_stream_edge", EDGE);
}

#[test]
fn writes_of_zcu102() {
    check(zcu102::Writes::default, "write_stream_zcu102", ZCU102);
}
