//! LayerNorm against `kernels::layer_norm`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::layer_norm::{LATENCY, LayerNorm};
use edge_moe_kernels::fixed::{MAX_BIAS_SHIFT, MAX_SHIFT, Requantise};
use edge_moe_kernels::layer_norm::{ChannelNorm, MAX_DIM, layer_norm};
use rand::Rng;
use rand::rngs::StdRng;
use verilated::Library;

/// Longest time without a transfer while both sides are willing now and then.
const PATIENCE: u64 = 1000;

/// A unit of V lanes with a ring of 2^A words.
macro_rules! library {
    ($v:literal, $lane_bits:literal, $address_bits:literal) => {{
        Shape {
            vector: $v,
            ring: 1 << $address_bits,
            models:
                verilate(
                    LayerNorm::<
                        $v,
                        { 16 * $v },
                        $lane_bits,
                        $address_bits,
                        { if $v > 8 { 8 * $v } else { 64 } },
                    >::default,
                    concat!("layer_norm_", stringify!($v), "_", stringify!($address_bits)),
                ),
        }
    }};
}

struct Shape {
    vector: usize,
    /// Words in the ring.
    ring: usize,
    models: Library,
}

/// What holds still while a unit is busy.
struct Layer {
    words: usize,
    epsilon: u64,
    scale: Requantise,
    channels: Vec<ChannelNorm>,
}

struct Run<'a> {
    shape: &'a Shape,
    bench: Bench,
    layer: Layer,
    /// Words to offer, and the results that they and those on their way will give.
    words: VecDeque<Vec<i64>>,
    expected: VecDeque<Vec<i64>>,
    results: usize,
    /// A word or result that was offered and must be offered again.
    word_held: bool,
    result_held: Option<Vec<i64>>,
}

impl<'a> Run<'a> {
    fn new(shape: &'a Shape, seed: u64, layer: Layer) -> Self {
        let mut bench = Bench::new(&shape.models, seed);
        for port in ["word_valid", "result_ready", "parameter_write"] {
            bench.set(port, 0);
        }
        bench.set("reset", 1);
        bench.tick();
        bench.set("reset", 0);
        let (words, expected) = Default::default();
        let mut run =
            Self { shape, bench, layer, words, expected, results: 0, word_held: false, result_held: None };
        run.load();
        run
    }

    /// Another layer, once all results have left.
    fn change(&mut self, layer: Layer) {
        self.bench.expect("busy", self.results, self.bench.get("busy"), 0);
        self.layer = layer;
        self.load();
    }

    /// Drives the configuration, writes the parameters.
    fn load(&mut self) {
        self.bench.set("words", self.layer.words as u64);
        self.bench.set("channels", self.layer.channels.len() as u64);
        self.bench.set("epsilon", self.layer.epsilon);
        self.bench.set("shift", self.layer.scale.shift.into());
        self.bench.set("bias_shift", self.layer.scale.bias_shift.into());
        let at_once = (self.shape.vector / 8).max(1);
        let records: Vec<(i32, i32)> =
            self.layer.channels.iter().map(|channel| (channel.gain.into(), channel.offset)).collect();
        for (index, records) in (0..).step_by(at_once).zip(records.chunks(at_once)) {
            self.bench.set("parameter_write", 1);
            self.bench.set("parameter_lane", (index % self.shape.vector) as u64);
            self.bench.set("parameter_address", (index / self.shape.vector) as u64);
            self.bench.set_records("parameter_records", records);
            self.bench.tick();
        }
        self.bench.set("parameter_write", 0);
        self.bench.set_records("parameter_records", &vec![(0, 0); at_once]);
    }

    fn queue(&mut self, token: &[i16]) {
        let mut out = vec![0; token.len()];
        layer_norm(token, &self.layer.channels, self.layer.epsilon, self.layer.scale, &mut out);
        let words = |values: &[i16]| -> Vec<i64> { values.iter().map(|&value| value.into()).collect() };
        self.words.extend(token.chunks(self.shape.vector).map(words));
        self.expected.extend(out.chunks(self.shape.vector).map(words));
    }

    /// One clock; true if a word or a result passed.
    fn beat(&mut self, offer: f64, accept: f64) -> bool {
        let vector = self.shape.vector;
        let offered = !self.words.is_empty() && (self.word_held || self.bench.chance(offer));
        let accepted = self.bench.chance(accept);
        self.bench.set("word_valid", offered.into());
        let noise: Vec<i64> = (0..vector).map(|_| self.bench.random.random_range(-32768..32768)).collect();
        self.bench.set_lanes("word_data", 16, if offered { &self.words[0] } else { &noise });
        self.bench.set("result_ready", accepted.into());
        self.bench.eval();

        let taken = offered && self.bench.get("word_ready") == 1;
        let given = self.bench.get("result_valid") == 1;
        if let Some(held) = self.result_held.take() {
            let got = given.then(|| self.bench.get_lanes("result_data", 16, vector));
            self.bench.expect("held result", self.results, got, Some(held));
        }
        if given {
            let got = self.bench.get_lanes("result_data", 16, vector);
            if accepted {
                let Some(expected) = self.expected.pop_front() else {
                    panic!("a result in beat {} that nobody asked for", self.bench.beat)
                };
                self.bench.expect("result", self.results, got, expected);
                self.results += 1;
            } else {
                self.result_held = Some(got);
            }
        }
        if taken {
            self.words.pop_front();
        }
        self.word_held = offered && !taken;
        self.bench.tick();
        taken || (given && accepted)
    }

    /// Until every result has left.
    fn finish(&mut self, offer: f64, accept: f64) {
        let mut idle = 0;
        while !self.expected.is_empty() {
            idle = if self.beat(offer, accept) { 0 } else { idle + 1 };
            assert!(
                idle < PATIENCE,
                "nothing moves at result {} in beat {} (EMOE_SEED={})",
                self.results,
                self.bench.beat,
                self.bench.seed
            );
        }
    }

    /// One beat of reset, in the middle of something.
    fn reset(&mut self) {
        self.bench.set("reset", 1);
        self.bench.tick();
        self.bench.set("reset", 0);
        self.bench.set("word_valid", 0);
        self.bench.eval();
        self.words.clear();
        self.expected.clear();
        self.word_held = false;
        self.result_held = None;
        self.bench.expect("busy after reset", self.results, self.bench.get("busy"), 0);
    }
}

fn random_layer(random: &mut StdRng, vector: usize, words: usize) -> Layer {
    let scale = match random.random_range(0..3) {
        // Results mostly within range.
        0 => Requantise { bias_shift: random.random_range(0..4), shift: random.random_range(12..20) },
        _ => Requantise {
            bias_shift: random.random_range(0..=MAX_BIAS_SHIFT),
            shift: random.random_range(1..=MAX_SHIFT),
        },
    };
    let epsilon = match random.random_range(0..3) {
        0 => 1,
        1 => random.random_range(1..100_000),
        _ => random.random_range(1..=1 << 48),
    };
    let channel = |random: &mut StdRng| {
        let gain = match random.random_range(0..8) {
            0 => i16::MIN,
            1 => i16::MAX,
            _ => random.random(),
        };
        let offset = match random.random_range(0..8) {
            0 => i32::MIN,
            1 => i32::MAX,
            2..5 => random.random_range(-100_000..100_000),
            _ => random.random(),
        };
        ChannelNorm { gain, offset }
    };
    let channels = (0..words * vector).map(|_| channel(random)).collect();
    Layer { words, epsilon, scale, channels }
}

fn random_token(random: &mut StdRng, channels: usize) -> Vec<i16> {
    let extreme = |random: &mut StdRng| if random.random() { i16::MAX } else { i16::MIN };
    match random.random_range(0..6) {
        0 => vec![random.random(); channels],
        1 => vec![extreme(random); channels],
        2 => (0..channels).map(|_| extreme(random)).collect(),
        3 => {
            let mut token = vec![random.random_range(-2..=2); channels];
            token[random.random_range(0..channels)] = extreme(random);
            token
        }
        4 => {
            let shrink = random.random_range(0..15);
            let centre = random.random_range(-16000..16000);
            (0..channels).map(|_| centre + (random.random::<i16>() >> shrink >> 1)).collect()
        }
        _ => (0..channels).map(|_| random.random()).collect(),
    }
}

/// Layers of all sizes, tokens of all kinds, bubbles of all kinds.
fn check(shape: &Shape, layers: usize) {
    for seed in seeds() {
        let mut random = Bench::new(&shape.models, seed).random;
        let mut run = Run::new(shape, seed, random_layer(&mut random, shape.vector, 1));
        for layer in 0..layers {
            let words = match layer {
                0 => shape.ring,
                1 => 3,
                2 => 1,
                _ => random.random_range(1..=shape.ring),
            };
            run.change(random_layer(&mut random, shape.vector, words));
            for _ in 0..random.random_range(1..(200 / words).max(4)) {
                run.queue(&random_token(&mut random, words * shape.vector));
            }
            let probabilities = [1.0, 0.8, 0.2];
            let (offer, accept) = (random.random_range(0..3), random.random_range(0..3));
            run.finish(probabilities[offer], probabilities[accept]);
        }
    }
}

#[test]
fn tokens_of_words_of_4() {
    check(&library!(4, 2, 5), 150);
}

#[test]
fn tokens_of_words_of_8() {
    check(&library!(8, 3, 4), 150);
}

#[test]
fn tokens_of_words_of_16() {
    check(&library!(16, 4, 5), 60);
}

/// The widest tokens: one outlier reaches √D, extremes reach the widest sums.
#[test]
fn tokens_of_4096_channels() {
    let shape = library!(32, 5, 7);
    let channels = vec![ChannelNorm { gain: 512, offset: 0 }; MAX_DIM];
    let scale = Requantise { bias_shift: 0, shift: 12 };
    let layer = Layer { words: 128, epsilon: 1, scale, channels };
    let mut run = Run::new(&shape, 1, layer);
    for (quiet, loud) in [(0, i16::MAX), (0, i16::MIN), (i16::MAX, i16::MIN), (i16::MIN, i16::MAX), (0, 1)] {
        let mut token = vec![quiet; MAX_DIM];
        token[run.bench.random.random_range(0..MAX_DIM)] = loud;
        run.queue(&token);
    }
    assert!(run.expected.iter().flatten().any(|&value| value == 32764), "z = 63.99");
    for value in [i16::MIN, i16::MAX] {
        run.queue(&[value; MAX_DIM]);
    }
    let alternating: Vec<i16> = (0..MAX_DIM).map(|i| if i % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
    run.queue(&alternating);
    run.finish(1.0, 1.0);
    let mut random = run.bench.random.clone();
    let layer = random_layer(&mut random, 32, 128);
    run.change(Layer { epsilon: 1 << 48, ..layer });
    for _ in 0..4 {
        run.queue(&random_token(&mut random, MAX_DIM));
    }
    run.finish(0.9, 0.9);
}

#[test]
fn a_reset_forgets_everything_on_its_way() {
    let shape = library!(4, 2, 5);
    for seed in seeds() {
        let mut random = Bench::new(&shape.models, seed).random;
        let mut run = Run::new(&shape, seed, random_layer(&mut random, 4, 3));
        for _ in 0..150 {
            let words = random.random_range(1..=8);
            for _ in 0..20 {
                run.queue(&random_token(&mut random, run.layer.channels.len()));
            }
            for _ in 0..random.random_range(0..100) {
                run.beat(0.8, 0.5);
            }
            run.reset();
            run.queue(&random_token(&mut random, run.layer.channels.len()));
            run.finish(0.9, 0.9);
            run.change(random_layer(&mut random, 4, words));
        }
    }
}

/// Once the first result has come, one a beat up to the last.
#[test]
fn one_word_a_beat() {
    let shape = library!(16, 4, 5);
    for words in [1, 2, 3, 12, shape.ring - 15] {
        let mut random = Bench::new(&shape.models, 1).random;
        let mut run = Run::new(&shape, 1, random_layer(&mut random, 16, words));
        let tokens = 300 / words;
        for _ in 0..tokens {
            run.queue(&random_token(&mut random, words * 16));
        }
        let start = run.bench.beat;
        run.finish(1.0, 1.0);
        let beats = (run.bench.beat - start) as usize;
        run.bench.expect("beats of words", words, beats, tokens * words + words - 1 + LATENCY);
    }
}

/// A ring that just holds a token, and a receiver that never waits: tokens pass one by one.
#[test]
fn a_full_ring_costs_no_more_than_the_latency() {
    let shape = library!(8, 3, 4);
    let words = shape.ring;
    let mut random = Bench::new(&shape.models, 1).random;
    let mut run = Run::new(&shape, 1, random_layer(&mut random, 8, words));
    for _ in 0..20 {
        run.queue(&random_token(&mut random, words * 8));
    }
    let start = run.bench.beat;
    run.finish(1.0, 1.0);
    let beats = (run.bench.beat - start) as usize;
    assert!(beats <= 20 * (words + LATENCY), "{beats} beats for 20 tokens of {words} words");
}

/// A receiver that does not receive stops the stream and loses nothing.
#[test]
fn a_stuck_receiver_fills_the_unit() {
    let shape = library!(4, 2, 5);
    let mut random = Bench::new(&shape.models, 1).random;
    let mut run = Run::new(&shape, 1, random_layer(&mut random, 4, 1));
    for words in [1, 5, 32] {
        run.change(random_layer(&mut random, 4, words));
        for _ in 0..200 / words {
            run.queue(&random_token(&mut random, 4 * words));
        }
        for _ in 0..400 {
            run.beat(1.0, 0.0);
        }
        run.bench.expect("ready when full", words, run.bench.get("word_ready"), 0);
        run.finish(1.0, 1.0);
    }
}
