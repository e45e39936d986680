//! Reordered attention on the lanes against the kernels: same context words,
//! and the beats and words per beat that it promises.

mod common;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::{config, scratchpad};
use edge_moe_kernels::dot::{dot, query_operand};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise};
use edge_moe_kernels::softmax::{ContextScale, softmax};
use rand::Rng;
use rand::rngs::StdRng;
use verilated::Library;

/// Operands of a descriptor, and the scratchpad words it reads.
struct Attention {
    lanes: usize,
    vector: usize,
    tokens: usize,
    sets: usize,
    heads: usize,
    head_channels: usize,
    queries: usize,
    keys: usize,
    values: usize,
    context: usize,
    logit_multiplier: u16,
    logit_shift: u32,
    context_multiplier: u16,
    context_shift: u32,
    scratchpad: Vec<i16>,
}

impl Attention {
    /// Random operands of a shape; logits spread over some powers of two.
    fn random(random: &mut StdRng, sizes: (usize, usize, usize), shape: [usize; 4], in_place: bool) -> Self {
        let ((lanes, vector, words), [tokens, sets, heads, head_channels]) = (sizes, shape);
        let channels = heads * head_channels;
        let token_major = sets * tokens * channels / vector;
        let channel_major = sets * channels * tokens.div_ceil(vector);
        let mut end = random.random_range(0..4);
        let mut place = |words: usize| {
            end += words;
            end - words
        };
        let (queries, keys, values) = (place(token_major), place(token_major), place(channel_major));
        let context = if in_place { queries } else { place(token_major) };
        assert!(end <= words, "{end} of {words} words");
        let spread = random.random_range(4..12);
        let mut scratchpad = vec![0i16; words * vector];
        for value in &mut scratchpad[queries * vector..][..token_major * vector] {
            *value = random.random_range(-256..256);
        }
        for value in &mut scratchpad[keys * vector..][..token_major * vector] {
            *value = random.random();
        }
        for row in scratchpad[values * vector..][..channel_major * vector]
            .chunks_mut(tokens.div_ceil(vector) * vector)
        {
            row[..tokens].fill_with(|| random.random());
        }
        let growth = head_channels.ilog2() / 2 + 22 - spread;
        Self {
            lanes,
            vector,
            tokens,
            sets,
            heads,
            head_channels,
            queries,
            keys,
            values,
            context,
            logit_multiplier: random.random_range(1..=65535),
            logit_shift: (growth + 8).min(47),
            context_multiplier: random.random_range(20_000..=65535),
            context_shift: random.random_range(15..=17),
            scratchpad,
        }
    }

    fn channels(&self) -> usize {
        self.heads * self.head_channels
    }

    fn groups(&self) -> usize {
        self.sets * self.heads * self.tokens.div_ceil(self.lanes)
    }

    /// Beats that the order of work takes.
    fn beats(&self) -> usize {
        let Self { vector, tokens, head_channels, .. } = *self;
        self.groups() * (tokens * head_channels / vector + head_channels * tokens.div_ceil(vector))
    }

    /// Context values, token-major, by the kernels.
    fn expected(&self) -> Vec<i16> {
        let (channels, width) = (self.channels(), self.head_channels);
        let padded = self.tokens.div_ceil(self.vector) * self.vector;
        let at = |word: usize| &self.scratchpad[word * self.vector..];
        let scale = Requantise { bias_shift: 0, shift: self.logit_shift };
        let mut context = Vec::new();
        for row in 0..self.sets * self.tokens {
            let set = row / self.tokens;
            for head in 0..self.heads {
                let query: Vec<i16> = at(self.queries)[row * channels + head * width..][..width]
                    .iter()
                    .copied()
                    .map(query_operand)
                    .collect();
                let logit = |key: usize| {
                    let key = &at(self.keys)[(set * self.tokens + key) * channels + head * width..][..width];
                    scale.apply(dot(&query, key), self.logit_multiplier.into(), 0, ACTIVATION_BITS)
                };
                let logits: Vec<i16> = (0..self.tokens).map(logit).collect();
                let mut probabilities = vec![0u8; self.tokens];
                let sum = softmax(&logits, &mut probabilities);
                let scale = ContextScale::new(self.context_multiplier, self.context_shift, sum);
                for channel in 0..width {
                    let row = set * channels + head * width + channel;
                    let values = &at(self.values)[row * padded..][..self.tokens];
                    context.push(scale.apply(dot(&probabilities, values)));
                }
            }
        }
        context
    }

    fn write_scratchpad(&self, bench: &mut Bench) {
        bench.set("write", 1);
        for (address, word) in self.scratchpad.chunks(self.vector).enumerate() {
            bench.set("write_address", address as u64);
            let values: Vec<i64> = word.iter().map(|&value| value.into()).collect();
            bench.set_lanes("write_data", 16, &values);
            bench.tick();
        }
        bench.set("write", 0);
    }

    fn start(&self, bench: &mut Bench) {
        let (vector, token_words) = (self.vector, self.channels() / self.vector);
        for (port, value) in [
            ("queries", self.queries),
            ("keys", self.keys),
            ("values", self.values),
            ("contexts", self.context),
            ("tokens", self.tokens),
            ("sets", self.sets),
            ("heads", self.heads),
            ("head_channels", self.head_channels),
            ("head_words", self.head_channels / vector),
            ("token_words", token_words),
            ("value_words", self.tokens.div_ceil(vector)),
            ("group_words", self.lanes * token_words),
            ("set_words", self.tokens * token_words),
            ("logit_multiplier", self.logit_multiplier.into()),
            ("logit_shift", self.logit_shift as usize),
            ("context_multiplier", self.context_multiplier.into()),
            ("context_shift", self.context_shift as usize),
        ] {
            bench.set(port, value as u64);
        }
        bench.set("start", 1);
        bench.tick();
        bench.set("start", 0);
    }

    fn compare(&self, bench: &mut Bench) {
        bench.set("read", 1);
        for (index, word) in self.expected().chunks(self.vector).enumerate() {
            bench.set("read_address", (self.context + index) as u64);
            (0..scratchpad::LATENCY).for_each(|_| bench.tick());
            let expected: Vec<i64> = word.iter().map(|&value| value.into()).collect();
            let got = bench.get_lanes("read_data", 16, self.vector);
            bench.expect("context word", index, got, expected);
        }
        bench.set("read", 0);
    }

    /// Cycles until the descriptor is finished.
    fn run(&self, bench: &mut Bench) -> u64 {
        self.write_scratchpad(bench);
        self.start(bench);
        let limit = 4 * self.beats() as u64 + 1000 * self.groups() as u64;
        while bench.get("busy") == 1 {
            bench.tick();
            let counts = ["broadcast_words", "row_words", "context_words"].map(|port| bench.get(port));
            assert!(
                bench.get("cycles") < limit,
                "still busy after {limit} cycles; broadcast, row and context words: {counts:?}"
            );
        }
        bench.get("cycles")
    }
}

/// Cycles beyond the beats: the first queries, and the last group's results.
fn fixed_cost(attention: &Attention) -> u64 {
    let first_queries = attention.lanes.min(attention.tokens) * attention.head_channels / attention.vector;
    (first_queries + attention.tokens + 2 * attention.lanes + 60) as u64
}

fn check_shape(bench: &mut Bench, sizes: (usize, usize, usize), shape: [usize; 4], hidden: bool) {
    let in_place = bench.chance(0.5);
    let attention = Attention::random(&mut bench.random, sizes, shape, in_place);
    let cycles = attention.run(bench);
    attention.compare(bench);
    let rows = attention.sets * attention.tokens * attention.channels() / attention.vector;
    bench.expect("broadcast words", 0, bench.get("broadcast_words"), attention.beats() as u64);
    bench.expect("row words", 0, bench.get("row_words"), rows as u64);
    bench.expect("context words", 0, bench.get("context_words"), rows as u64);
    println!("{shape:?}: {cycles} cycles, {} beats", attention.beats());
    if hidden {
        let most = attention.beats() as u64 + fixed_cost(&attention);
        assert!(cycles <= most, "{shape:?}: {cycles} cycles, at most {most} expected");
    }
}

/// `long` shapes hide everything behind their beats; `short` ones are too small for that.
fn check(library: &Library, sizes: (usize, usize, usize), long: &[[usize; 4]], short: &[[usize; 4]]) {
    for seed in seeds() {
        let mut bench = Bench::new(library, seed);
        bench.reset();
        for &shape in long {
            check_shape(&mut bench, sizes, shape, true);
        }
        for &shape in short {
            check_shape(&mut bench, sizes, shape, false);
        }
        // A reset in mid-run leaves nothing behind.
        let attention = Attention::random(&mut bench.random, sizes, long[0], true);
        attention.write_scratchpad(&mut bench);
        attention.start(&mut bench);
        let stop = bench.random.random_range(1..attention.beats());
        (0..stop).for_each(|_| bench.tick());
        bench.reset();
        check_shape(&mut bench, sizes, long[0], true);
    }
}

#[test]
fn tiny() {
    let library = verilate(config::tiny::attention, "attention_tiny");
    let long = [[33, 1, 2, 8], [64, 1, 1, 16], [21, 2, 1, 12]];
    // The last one sends results faster than they drain: beats must wait.
    let short = [[1, 1, 1, 4], [2, 3, 2, 4], [5, 1, 3, 8], [4, 2, 1, 4], [4, 2, 1, 128]];
    check(&library, (4, 4, 4096), &long, &short);
}

#[test]
fn ecp5_85() {
    let library = verilate(config::ecp5_85::attention, "attention_ecp5_85");
    check(&library, (8, 8, 16384), &[[129, 1, 1, 64], [130, 1, 2, 16]], &[[3, 1, 2, 8], [9, 2, 1, 16]]);
}

#[test]
fn edge() {
    let library = verilate(config::edge::attention, "attention_edge");
    check(&library, (16, 16, 16384), &[[129, 1, 3, 64], [129, 2, 1, 64]], &[[1, 1, 1, 16], [17, 2, 2, 32]]);
}

#[test]
fn zcu102() {
    let library = verilate(config::zcu102::attention, "attention_zcu102");
    check(&library, (32, 32, 8192), &[[129, 1, 3, 64]], &[[1, 1, 1, 32], [33, 1, 2, 64]]);
}
