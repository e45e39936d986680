//! Builds the FIFO, sends words through it against a Rust queue, and measures
//! what this crate's README reports.
//!
//! `cargo run --release --example fifo`

use std::{collections::VecDeque, hint::black_box, time::Instant};
use verilated::{Build, Initial, Model, Optimisation, Port, Result};

const CYCLES: u64 = 5_000_000;

fn main() -> Result<()> {
    let build = Build::new("fifo")
        .source(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fifo/fifo.v"))
        .optimisation(Optimisation::O2);
    let start = Instant::now();
    let artifact = build.compile()?;
    let library = artifact.load()?;
    let state = if artifact.is_cached() { "found built" } else { "built" };
    println!("{state} and loaded in {:.3} s", start.elapsed().as_secs_f64());

    let mut bench = Bench::new(library.model(Initial::Random(1))?)?;
    let start = Instant::now();
    for cycle in 0..CYCLES {
        bench.cycle(cycle)?;
    }
    report("checked cycle: tick and about 5 port accesses", start, CYCLES);
    bench.measure()?;
    measure_wide(build.parameter("WIDTH", 512))
}

/// The FIFO and the queue that it is held against.
struct Bench {
    fifo: Model,
    queue: VecDeque<u64>,
    clk: Port,
    in_valid: Port,
    in_ready: Port,
    in_data: Port,
    out_valid: Port,
    out_ready: Port,
    out_data: Port,
}

impl Bench {
    fn new(mut fifo: Model) -> Result<Self> {
        let clk = fifo.port("clk", 1)?;
        fifo.reset(clk, fifo.port("rst", 1)?, true, 2)?;
        Ok(Self {
            clk,
            in_valid: fifo.port("in_valid", 1)?,
            in_ready: fifo.port("in_ready", 1)?,
            in_data: fifo.port("in_data", 32)?,
            out_valid: fifo.port("out_valid", 1)?,
            out_ready: fifo.port("out_ready", 1)?,
            out_data: fifo.port("out_data", 32)?,
            queue: VecDeque::new(),
            fifo,
        })
    }

    /// Offers and takes words at changing times.
    fn cycle(&mut self, cycle: u64) -> Result<()> {
        let (offer, take) = (cycle % 7 < 5, cycle % 5 < 3);
        let word = cycle.wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
        self.fifo.set(self.in_valid, offer.into())?;
        self.fifo.set(self.in_data, word)?;
        self.fifo.set(self.out_ready, take.into())?;
        let accepted = offer && self.fifo.get(self.in_ready)? == 1;
        let given = take && self.fifo.get(self.out_valid)? == 1;
        let out = self.fifo.get(self.out_data)?;
        if given {
            assert_eq!(Some(out), self.queue.pop_front(), "cycle {cycle}");
        }
        if accepted {
            self.queue.push_back(word);
        }
        self.fifo.tick(self.clk)
    }

    /// Times the calls one by one.
    fn measure(mut self) -> Result<()> {
        let start = Instant::now();
        for _ in 0..CYCLES {
            self.fifo.tick(self.clk)?;
        }
        report("tick (two evaluations)", start, CYCLES);
        let start = Instant::now();
        self.fifo.ticks(self.clk, CYCLES)?;
        report("tick, in one call of ticks", start, CYCLES);
        let start = Instant::now();
        for _ in 0..CYCLES {
            self.fifo.eval()?;
        }
        report("eval", start, CYCLES);
        let start = Instant::now();
        for value in 0..CYCLES {
            self.fifo.set(black_box(self.in_data), value)?;
        }
        report("set", start, CYCLES);
        let start = Instant::now();
        for _ in 0..CYCLES {
            black_box(self.fifo.get(black_box(self.out_data))?);
        }
        report("get", start, CYCLES);
        Ok(())
    }
}

/// Times the access to 512-bit ports.
fn measure_wide(build: Build) -> Result<()> {
    let mut fifo = build.load()?.model(Initial::Zeros)?;
    let (in_data, out_data) = (fifo.port("in_data", 512)?, fifo.port("out_data", 512)?);
    let mut words = [0; 8];
    let start = Instant::now();
    for value in 0..CYCLES {
        words[0] = value;
        fifo.set_words(black_box(in_data), black_box(&words))?;
    }
    report("set_words of 512 bits", start, CYCLES);
    let start = Instant::now();
    for _ in 0..CYCLES {
        fifo.get_words(black_box(out_data), black_box(&mut words))?;
    }
    report("get_words of 512 bits", start, CYCLES);
    Ok(())
}

fn report(what: &str, start: Instant, calls: u64) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {:.1} ns, {:.1} million/s", seconds * 1e9 / calls as f64, calls as f64 / seconds / 1e6);
}
