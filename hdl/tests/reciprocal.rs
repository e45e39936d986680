//! 1/x and 1/√v against `kernels::reciprocal`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::reciprocal::{InverseRoot, LATENCY, Reciprocal};
use edge_moe_kernels::reciprocal::{Normalised, inverse_root, reciprocal};
use rand::Rng;
use rand::rngs::StdRng;

/// A stream of operands through one unit; results are compared as they come.
struct Run<'a> {
    bench: Bench,
    operand: &'a str,
    kernel: fn(u64) -> Normalised,
    /// What was offered in each of the last beats.
    pipeline: VecDeque<Option<u64>>,
    results: usize,
}

impl<'a> Run<'a> {
    fn new(mut bench: Bench, operand: &'a str, kernel: fn(u64) -> Normalised) -> Self {
        bench.set("valid", 0);
        bench.reset();
        Self { bench, operand, kernel, pipeline: VecDeque::from([None; LATENCY]), results: 0 }
    }

    /// One clock with an operand or without.
    fn beat(&mut self, operand: Option<u64>) {
        self.bench.set("valid", operand.is_some().into());
        self.bench.set(self.operand, operand.unwrap_or(0));
        self.bench.tick();
        self.pipeline.push_back(operand);
        self.pipeline.pop_front();
        let due = self.pipeline[0];
        self.bench.expect("valid", self.results, self.bench.get("result_valid"), due.is_some().into());
        if let Some(operand) = due {
            let mantissa = self.bench.get("mantissa") as u32;
            let got = Normalised { mantissa, exponent: self.bench.get("exponent") as u32 };
            let expected = (self.kernel)(operand);
            self.bench.expect(&format!("1/f({operand})"), self.results, got, expected);
            self.results += 1;
        }
    }

    fn drain(&mut self) {
        for _ in 0..LATENCY {
            self.beat(None);
        }
    }

    /// Forgets what is on its way.
    fn reset(&mut self) {
        self.bench.set("valid", self.bench.seed & 1);
        self.bench.reset();
        self.pipeline = VecDeque::from([None; LATENCY]);
    }

    /// Operands of every size with bubbles, and now and then a reset.
    fn random(&mut self, count: usize, operand: impl Fn(&mut StdRng) -> u64) {
        for _ in 0..count {
            if self.bench.chance(0.001) {
                self.reset();
            }
            let operand = if self.bench.chance(0.7) { Some(operand(&mut self.bench.random)) } else { None };
            self.beat(operand);
        }
        self.drain();
        assert!(self.results > count / 2, "{} results of {count} beats", self.results);
    }
}

/// Any number of any length up to `bits` bits; powers of two and their neighbours more often.
fn operand(random: &mut StdRng, bits: u32) -> u64 {
    let length = random.random_range(1..=bits);
    let power = 1u64 << (length - 1);
    let value = match random.random_range(0..4) {
        0 => power,
        1 => power - 1,
        _ => power | random.random::<u64>() & (power - 1),
    };
    value.max(1)
}

#[test]
fn reciprocals_of_all_sums_of_probabilities() {
    let library = verilate(Reciprocal::default, "reciprocal");
    let mut run = Run::new(Bench::new(&library, 1), "x", |x| reciprocal(x as u32));
    for x in 1..1 << 20 {
        run.beat(Some(x));
    }
    run.drain();
    assert_eq!(run.results, (1 << 20) - 1);
}

#[test]
fn reciprocals_of_any_length() {
    let library = verilate(Reciprocal::default, "reciprocal");
    for seed in seeds() {
        let mut run = Run::new(Bench::new(&library, seed), "x", |x| reciprocal(x as u32));
        run.random(50_000, |random| operand(random, 32));
        run.beat(Some(u32::MAX.into()));
        run.drain();
    }
}

#[test]
fn inverse_roots_of_small_operands() {
    let library = verilate(InverseRoot::default, "inverse_root");
    let mut run = Run::new(Bench::new(&library, 1), "v", inverse_root);
    for v in 1..1 << 18 {
        run.beat(Some(v));
    }
    run.drain();
    assert_eq!(run.results, (1 << 18) - 1);
}

#[test]
fn inverse_roots_of_any_length() {
    let library = verilate(InverseRoot::default, "inverse_root");
    for seed in seeds() {
        let mut run = Run::new(Bench::new(&library, seed), "v", inverse_root);
        run.random(50_000, |random| operand(random, 64));
        run.beat(Some(u64::MAX));
        run.drain();
    }
}
