//! Runs and descriptors against the memory they are read from.

mod common;
mod dma;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use dma::read::ReadMemory;
use dma::{CHUNK_BEATS, Timing, bytes};
use edge_moe_hdl::config::{ecp5_85, edge, tiny, zcu102};
use rand::Rng;
use rust_hdl_core::prelude::Block;
use verilated::Library;

/// Sizes in bytes.
#[derive(Clone, Copy)]
struct Size {
    ports: usize,
    bus: u64,
    entry: u64,
}

const TINY: Size = Size { ports: 1, bus: 4, entry: 4 };
const ECP5: Size = Size { ports: 1, bus: 8, entry: 8 };
const EDGE: Size = Size { ports: 1, bus: 16, entry: 16 };
const ZCU102: Size = Size { ports: 2, bus: 16, entry: 32 };
const DESCRIPTOR_BYTES: u64 = 64;

/// A ready/valid input: what is to be sent, and whether it is up.
#[derive(Default)]
struct Source<T> {
    pending: VecDeque<T>,
    up: bool,
}

impl<T: Copy> Source<T> {
    /// Once up, it stays.
    fn drive(&mut self, bench: &mut Bench, offer: f64) -> Option<T> {
        self.up = !self.pending.is_empty() && (self.up || bench.chance(offer));
        self.up.then(|| self.pending[0])
    }

    fn taken(&mut self) {
        self.pending.pop_front();
        self.up = false;
    }
}

struct Stream<'a> {
    bench: &'a mut Bench,
    size: Size,
    base: u64,
    ports: Vec<ReadMemory>,
    runs: Source<(u64, u64)>,
    fetches: Source<u64>,
    entries: VecDeque<Vec<i64>>,
    descriptors: VecDeque<Vec<i64>>,
    /// Chances that inputs are offered and outputs accepted.
    offer: f64,
    accept: f64,
    error: bool,
    errors: usize,
    /// Beat in which something happened for the first time: run accepted, request up, bus beat, entry.
    first: [Option<u64>; 4],
    /// Bus beats and entries so far.
    beats: u64,
    left: usize,
}

impl<'a> Stream<'a> {
    /// After a reset of the bus too.
    fn new(bench: &'a mut Bench, size: Size, timing: Timing) -> Self {
        let base = bench.random.random_range(0..1 << 27) * 4096;
        bench.set("base", base);
        bench.set("reset", 0);
        bench.set("hard_reset", 1);
        bench.tick();
        bench.set("hard_reset", 0);
        let ports = (0..size.ports).map(|port| ReadMemory::new(port, size.bus, base, timing)).collect();
        Self {
            bench,
            size,
            base,
            ports,
            runs: Source::default(),
            fetches: Source::default(),
            entries: VecDeque::new(),
            descriptors: VecDeque::new(),
            offer: 1.0,
            accept: 1.0,
            error: false,
            errors: 0,
            first: [None; 4],
            beats: 0,
            left: 0,
        }
    }

    fn run(&mut self, address: u64, entries: u64) {
        self.runs.pending.push_back((address, entries * self.size.entry));
        let entry = |index| bytes(address + index * self.size.entry, self.size.entry);
        self.entries.extend((0..entries).map(entry));
    }

    fn fetch(&mut self, address: u64) {
        self.fetches.pending.push_back(address);
        self.descriptors.push_back(bytes(address, DESCRIPTOR_BYTES));
    }

    /// Random runs and descriptors, mostly short.
    fn random(&mut self, runs: usize) {
        self.offer = self.bench.random.random_range(0.2..1.0);
        self.accept = self.bench.random.random_range(0.2..1.0);
        for _ in 0..runs {
            let most = if self.bench.chance(0.2) { 300 } else { 20 };
            let (address, entries) = (self.address(), self.bench.random.random_range(1..=most));
            self.run(address, entries);
            if self.bench.chance(0.7) {
                let address = self.address();
                self.fetch(address);
            }
        }
    }

    fn address(&mut self) -> u64 {
        self.bench.random.random_range(0..1_u64 << 25) * 64
    }

    fn happened(&mut self, what: usize) {
        self.first[what].get_or_insert(self.bench.beat);
    }

    /// One beat, in which `reset` is as given.
    fn beat(&mut self, reset: bool) {
        let run = self.runs.drive(self.bench, self.offer);
        self.bench.set("run_valid", run.is_some().into());
        if let Some((address, count)) = run {
            self.bench.set("run_address", address);
            self.bench.set("run_bytes", count);
        }
        let fetch = self.fetches.drive(self.bench, self.offer);
        self.bench.set("fetch_valid", fetch.is_some().into());
        self.bench.set("fetch_address", fetch.unwrap_or(0));
        let (entry_ready, descriptor_ready) =
            (self.bench.chance(self.accept), self.bench.chance(self.accept * self.accept));
        self.bench.set("entry_ready", entry_ready.into());
        self.bench.set("descriptor_ready", descriptor_ready.into());
        self.bench.set("reset", reset.into());
        self.ports.iter_mut().for_each(|port| port.drive(self.bench));
        self.bench.eval();

        let index = self.bench.beat as usize;
        self.bench.expect("error in", index, self.bench.get("response_error"), self.error.into());
        let seen: Vec<_> = self.ports.iter_mut().map(|port| port.observe(self.bench)).collect();
        let beats = seen.iter().filter(|seen| seen.beat).count() as u64;
        self.bench.expect("bus beats in", index, self.bench.get("beats"), beats);
        self.error = seen.iter().any(|seen| seen.error) && !reset;
        self.errors += usize::from(self.error);
        self.beats += beats;
        if self.bench.get("m_axi_arvalid$0") == 1 {
            self.happened(1);
        }
        if beats > 0 {
            self.happened(2);
        }
        if run.is_some() && self.bench.get("run_ready") == 1 {
            self.happened(0);
            self.runs.taken();
        }
        if fetch.is_some() && self.bench.get("fetch_ready") == 1 {
            self.fetches.taken();
        }
        if entry_ready && self.bench.get("entry_valid") == 1 {
            self.happened(3);
            let expected = self.entries.pop_front().expect("an entry that nobody asked for");
            let got = self.bench.get_lanes("entry_data", 8, self.size.entry as usize);
            self.bench.expect("entry", self.left, got, expected);
            self.left += 1;
        }
        if descriptor_ready && self.bench.get("descriptor_valid") == 1 {
            let expected = self.descriptors.pop_front().expect("a descriptor that nobody asked for");
            let got = self.bench.get_lanes("descriptor_data", 8, DESCRIPTOR_BYTES as usize);
            self.bench.expect("descriptor, left", self.descriptors.len(), got, expected);
        }
        self.bench.tick();
        self.bench.eval();
        self.check_quiet();
    }

    /// `quiet` says exactly whether memory owes something.
    fn check_quiet(&self) {
        let up = (0..self.size.ports).any(|port| self.bench.get(&format!("m_axi_arvalid${port}")) == 1);
        let owes = up || self.ports.iter().any(ReadMemory::owes);
        self.bench.expect("quiet in", self.bench.beat as usize, self.bench.get("quiet"), (!owes).into());
    }

    /// Until at most so many entries and descriptors are left.
    fn until(&mut self, left: usize) {
        let limit = self.bench.beat + 400_000;
        while self.entries.len() + self.descriptors.len() > left {
            assert!(self.bench.beat < limit, "{} entries never left", self.entries.len());
            self.beat(false);
        }
    }

    /// Nothing is left over.
    fn finish(&mut self) {
        self.until(0);
        self.beat(false);
        assert_eq!([self.bench.get("empty"), self.bench.get("quiet")], [1, 1]);
        self.bench.set("entry_ready", 0);
        self.beat(false);
        assert_eq!([self.bench.get("entry_valid"), self.bench.get("descriptor_valid")], [0, 0]);
        self.check_ports();
    }

    /// A reset in the midst of it all; requests that were not up wait until memory is quiet.
    fn reset(&mut self) {
        self.runs = Source::default();
        self.fetches = Source::default();
        self.beat(true);
        self.entries.clear();
        self.descriptors.clear();
        self.ports.iter_mut().for_each(ReadMemory::reset);
        let up = (0..self.size.ports).filter(|port| self.bench.get(&format!("m_axi_arvalid${port}")) == 1);
        let most = self.accepted() + up.count();
        assert_eq!([self.bench.get("entry_valid"), self.bench.get("descriptor_valid")], [0, 0]);
        self.random(3);
        while self.bench.get("quiet") == 0 {
            assert!(self.accepted() <= most, "a request before memory was quiet");
            self.beat(false);
        }
        assert_eq!(self.accepted(), most);
    }

    fn accepted(&self) -> usize {
        self.ports.iter().map(|port| port.accepted.len()).sum()
    }

    /// Each request was made on the port of its chunk, descriptors on port 0 with 64 bytes.
    fn check_ports(&self) {
        for (port, memory) in self.ports.iter().enumerate() {
            for request in &memory.accepted {
                let chunk = (request.address - self.base) / (CHUNK_BEATS * self.size.bus);
                match request.id {
                    0 => assert_eq!(chunk as usize % self.size.ports, port, "port of {request:x?}"),
                    _ => assert_eq!((port, request.beats()), (0, DESCRIPTOR_BYTES / self.size.bus)),
                }
            }
        }
    }
}

fn check<U: Block>(build: fn() -> U, name: &str, size: Size) {
    let library = verilate(build, name);
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        for _ in 0..4 {
            complete(&mut bench, size);
            resets(&mut bench, size);
            errors(&mut bench, size);
        }
    }
    steady(&library, size);
}

fn complete(bench: &mut Bench, size: Size) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing);
    stream.random(30);
    stream.finish();
}

fn resets(bench: &mut Bench, size: Size) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing);
    for _ in 0..6 {
        stream.random(8);
        let total = stream.entries.len() + stream.descriptors.len();
        let left = stream.bench.random.random_range(0..total);
        stream.until(left);
        stream.reset();
    }
    // Otherwise the bus is reset too, in the midst of it all.
    if stream.bench.chance(0.5) {
        stream.finish();
    }
}

/// Errors of memory are reported beat by beat, but not after a reset; data come all the same.
fn errors(bench: &mut Bench, size: Size) {
    let timing = Timing::random(bench);
    let mut stream = Stream::new(bench, size, timing);
    for round in 0..4 {
        stream.random(6);
        let runs: Vec<(u64, u64)> = stream.runs.pending.iter().copied().collect();
        for (address, count) in runs {
            let at = stream.base + address + stream.bench.random.random_range(0..count / size.bus) * size.bus;
            for port in &mut stream.ports {
                port.errors.insert(at);
            }
        }
        if round % 2 == 0 {
            let left = stream.entries.len() / 2;
            stream.until(left);
            stream.reset();
        }
    }
    stream.finish();
    assert!(stream.errors > 0, "no error was seen");
}

/// Memory's full rate with 64 beats of latency, across runs; and the latencies of the header.
fn steady(library: &Library, size: Size) {
    let mut bench = Bench::new(library, 1);
    let mut stream = Stream::new(&mut bench, size, Timing::steady(64));
    let entries = 24 * CHUNK_BEATS * size.bus / size.entry;
    for run in 0..8 {
        stream.run(run * 0x10000, entries);
    }
    stream.finish();
    let [run, request, beat, entry] = stream.first.map(Option::unwrap);
    assert_eq!([request - run, beat - request], [2, 64]);
    let entry_beats = size.entry / size.bus;
    assert_eq!(entry - beat, 3 + entry_beats - 1);
    let (beats, ports) = (stream.beats, size.ports as u64);
    assert_eq!(beats, 8 * 24 * CHUNK_BEATS);
    // From the first bus beat to the end, with the latency of the last entry and three beats of `finish`.
    let took = stream.bench.beat - beat;
    assert!(took <= beats / ports + 16, "{beats} bus beats in {took}");

    // Slow answers show how many bursts may be on their way.
    stream.ports.iter_mut().for_each(|port| port.set_timing(Timing::steady(1000)));
    stream.run(0, 64 * CHUNK_BEATS * size.bus / size.entry);
    stream.finish();
    assert!(stream.ports.iter().all(|port| port.most >= 8), "fewer than eight bursts on their way");
    // As many bursts as may be, each of one entry.
    (0..300).for_each(|run| stream.run(run * 0x1c0, 1));
    stream.finish();
}

#[test]
fn reads_of_tiny() {
    check(tiny::Reads::default, "read_stream_tiny", TINY);
}

#[test]
fn reads_of_ecp5_85() {
    check(ecp5_85::Reads::default, "read_stream_ecp5", ECP5);
}

#[test]
fn reads_of_edge() {
    check(edge::Reads::default, "read_stream_edge", EDGE);
}

#[test]
fn reads_of_zcu102_over_two_ports() {
    check(zcu102::Reads::default, "read_stream_zcu102", ZCU102);
}
