//! A bench for one unit: its Verilog in Verilator, driven and compared beat by beat.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::HashMap;

use edge_moe_hdl::support;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_hdl_core::prelude::Block;
use verilated::{Build, Initial, Library, Model, Port};

/// Seeds of random tests: `EMOE_SEED` alone, or a few fixed ones; many with `EMOE_LONG`.
pub fn seeds() -> Vec<u64> {
    if let Ok(seed) = std::env::var("EMOE_SEED") {
        return vec![seed.parse().expect("EMOE_SEED is a number")];
    }
    let count = if std::env::var_os("EMOE_LONG").is_some() { 100 } else { 3 };
    (1..=count).collect()
}

/// Verilates a unit.
pub fn verilate<U: Block>(build: impl FnOnce() -> U + Send, name: &str) -> Library {
    let verilog = support::verilog(build, name).unwrap_or_else(|error| panic!("{error}"));
    let build = Build::new(name).source_text(format!("{name}.v"), verilog);
    build.load().unwrap_or_else(|error| panic!("{error}"))
}

/// A model of a unit with its random numbers; ports by name, values that fail to fit are errors.
pub struct Bench {
    model: Model,
    ports: HashMap<String, Port>,
    clock: Port,
    pub random: StdRng,
    pub seed: u64,
    pub beat: u64,
}

impl Bench {
    /// A model whose registers start random by `seed`.
    pub fn new(library: &Library, seed: u64) -> Self {
        println!("EMOE_SEED={seed}");
        let model = library.model(Initial::Random(seed as u32)).unwrap();
        let ports: HashMap<String, Port> =
            library.ports().map(|(name, port)| (name.to_string(), port)).collect();
        let clock = ports["clock"];
        Self { model, ports, clock, random: StdRng::seed_from_u64(seed), seed, beat: 0 }
    }

    fn port(&self, name: &str) -> Port {
        *self.ports.get(name).unwrap_or_else(|| panic!("no port {name}"))
    }

    pub fn set(&mut self, name: &str, value: u64) {
        self.model.set(self.port(name), value).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub fn set_signed(&mut self, name: &str, value: i64) {
        self.model.set_signed(self.port(name), value).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Drives a bus of `values.len()` lanes of `bits` bits, lane 0 lowest.
    pub fn set_lanes(&mut self, name: &str, bits: usize, values: &[i64]) {
        let mut words = vec![0u64; (bits * values.len()).div_ceil(64)];
        for (lane, &value) in values.iter().enumerate() {
            for bit in 0..bits {
                let at = lane * bits + bit;
                words[at / 64] |= (value as u64 >> bit & 1) << (at % 64);
            }
        }
        self.model.set_words(self.port(name), &words).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Drives a bus of up to 128 bits.
    pub fn set_wide(&mut self, name: &str, value: u128) {
        let port = self.port(name);
        let words = [value as u64, (value >> 64) as u64];
        let result = self.model.set_words(port, &words[..port.words()]);
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Drives a bus of parameter records with multiplier or gain, and bias or offset, of each.
    pub fn set_records(&mut self, name: &str, records: &[(i32, i32)]) {
        let halves: Vec<i64> = records.iter().flat_map(|&(m, b)| [i64::from(m & 0xffff), b.into()]).collect();
        self.set_lanes(name, 32, &halves);
    }

    pub fn get(&self, name: &str) -> u64 {
        self.model.get(self.port(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A bus of up to 128 bits.
    pub fn get_wide(&self, name: &str) -> u128 {
        let port = self.port(name);
        let mut words = [0; 2];
        let result = self.model.get_words(port, &mut words[..port.words()]);
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        u128::from(words[0]) | u128::from(words[1]) << 64
    }

    pub fn get_signed(&self, name: &str) -> i64 {
        self.model.get_signed(self.port(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Lanes of `bits` bits of a bus, signed, lane 0 lowest.
    pub fn get_lanes(&self, name: &str, bits: usize, lanes: usize) -> Vec<i64> {
        let mut words = vec![0u64; (bits * lanes).div_ceil(64)];
        self.model.get_words(self.port(name), &mut words).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lane = |lane: usize| {
            let bit = |bit: usize| (words[(lane * bits + bit) / 64] >> ((lane * bits + bit) % 64) & 1) << bit;
            let value = (0..bits).map(bit).sum::<u64>();
            ((value << (64 - bits)) as i64) >> (64 - bits)
        };
        (0..lanes).map(lane).collect()
    }

    /// Settles logic without a register, so that outputs follow inputs.
    pub fn eval(&mut self) {
        self.model.eval().unwrap();
    }

    /// One clock.
    pub fn tick(&mut self) {
        self.model.tick(self.clock).unwrap();
        self.beat += 1;
    }

    /// Holds `reset` for one clock: that must do.
    pub fn reset(&mut self) {
        self.set("reset", 1);
        self.tick();
        self.set("reset", 0);
        self.eval();
    }

    /// True with the given probability: for bubbles.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    /// Compares a value of a unit, which has a test file of its name, with its kernel's.
    #[track_caller]
    pub fn expect<T: PartialEq + std::fmt::Debug>(&self, what: &str, index: usize, got: T, expected: T) {
        let (unit, beat, seed) = (env!("CARGO_CRATE_NAME"), self.beat, self.seed);
        assert!(
            got == expected,
            "{unit}: {what} {index} in beat {beat}: got {got:?}, expected {expected:?} (EMOE_SEED={seed})"
        );
    }
}
