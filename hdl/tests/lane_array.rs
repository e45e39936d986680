//! The lane array against `kernels::dot` and `kernels::fixed`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::{config, lane_array, scratchpad};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_kernels::dot::dot;
use edge_moe_kernels::fixed::Requantise;
use rand::Rng;
use verilated::Library;

/// How the results of a group of rows are scaled.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Parameter,
    Logit,
    Context,
}

/// What the P lanes hold for one group: rows, and multiplier, bias, shift of each.
struct Group {
    bank: usize,
    scale: Scale,
    rows: Vec<Vec<i16>>,
    multipliers: Vec<i32>,
    biases: Vec<i32>,
    shifts: Vec<u32>,
}

/// Scales that hold for a whole run.
struct Layer {
    shift: u32,
    bias_shift: u32,
    nine_bits: bool,
    logit_multiplier: i32,
    logit_shift: u32,
}

struct Load {
    lane: usize,
    word: usize,
}

struct Run<'a> {
    arch: &'a ArchConfig,
    bench: Bench,
    layer: Layer,
    /// Words of a row.
    words: usize,
    /// Broadcast words that are still to come, each with its beat.
    broadcast: VecDeque<(u64, Vec<i64>)>,
    /// Results on their way: tag and values.
    expected: VecDeque<(u128, Vec<i64>)>,
    results: usize,
}

impl Run<'_> {
    fn group(&mut self, index: usize) -> Group {
        let (lanes, vector) = (self.arch.lanes as usize, self.arch.vector as usize);
        let random = &mut self.bench.random;
        let scale = [Scale::Parameter, Scale::Logit, Scale::Context][random.random_range(0..3)];
        let extreme = random.random_bool(0.1);
        let operand = |random: &mut rand::rngs::StdRng| match extreme {
            true => [-256, 255][usize::from(random.random_bool(0.5))],
            false => random.random_range(-256..=255),
        };
        let rows = (0..lanes).map(|_| (0..self.words * vector).map(|_| operand(random)).collect()).collect();
        let multiplier = |random: &mut rand::rngs::StdRng| match scale {
            Scale::Logit => self.layer.logit_multiplier,
            _ => random.random_range(0..=65535),
        };
        let shift = |random: &mut rand::rngs::StdRng| match scale {
            Scale::Parameter => self.layer.shift,
            Scale::Logit => self.layer.logit_shift,
            Scale::Context => random.random_range(1..=47),
        };
        let bias =
            |random: &mut rand::rngs::StdRng| if scale == Scale::Parameter { random.random() } else { 0 };
        Group {
            bank: index % 2,
            scale,
            rows,
            multipliers: (0..lanes).map(|_| multiplier(random)).collect(),
            biases: (0..lanes).map(|_| bias(random)).collect(),
            shifts: (0..lanes).map(|_| shift(random)).collect(),
        }
    }

    fn expected(&self, group: &Group, token: &[i16]) -> Vec<i64> {
        let plain = group.scale == Scale::Parameter;
        let result = |lane: usize| {
            let scale = Requantise {
                bias_shift: if plain { self.layer.bias_shift } else { 0 },
                shift: group.shifts[lane],
            };
            let bits = if plain && self.layer.nine_bits { 9 } else { 16 };
            scale
                .apply(dot(&group.rows[lane], token), group.multipliers[lane], group.biases[lane], bits)
                .into()
        };
        (0..group.rows.len()).map(result).collect()
    }

    /// One clock: nothing is offered unless the caller did so; results are compared.
    fn tick(&mut self) {
        self.bench.tick();
        let vector = self.arch.vector as usize;
        let due = self.broadcast.front().is_some_and(|(beat, _)| *beat == self.bench.beat);
        let word = match due.then(|| self.broadcast.pop_front()).flatten() {
            Some((_, word)) => word,
            None => (0..vector).map(|_| self.bench.random.random_range(-32768..32768)).collect(),
        };
        self.bench.set_lanes("word", 16, &word);
        if self.bench.get("result_valid") == 1 {
            let Some((tag, expected)) = self.expected.pop_front() else {
                panic!("a result in beat {} that nobody asked for", self.bench.beat)
            };
            let got = self.bench.get_lanes("results", 16, expected.len());
            self.bench.expect("tag of result", self.results, self.bench.get_wide("result_tag"), tag);
            self.bench.expect("result", self.results, got, expected);
            self.results += 1;
        }
        for port in ["beat_valid", "row_valid", "probability_write", "parameter_write", "context_write"] {
            self.bench.set(port, 0);
        }
    }

    /// Offers the next row word of a group, or all lanes' words at once as probabilities.
    fn load(&mut self, group: &Group, load: &mut Load) {
        let (lanes, vector) = (group.rows.len(), self.arch.vector as usize);
        let address = (group.bank * self.arch.bank_words as usize + load.word) as u64;
        let operands =
            |lane: usize| group.rows[lane][load.word * vector..][..vector].iter().map(|&v| i64::from(v));
        if load.lane == 0 && self.bench.chance(0.2) {
            let all: Vec<i64> = (0..lanes).flat_map(operands).collect();
            self.bench.set("probability_write", 1);
            self.bench.set("probability_address", address);
            self.bench.set_lanes("probability_data", 9, &all);
            // A row word that is offered meanwhile must wait.
            self.bench.set("row_valid", 1);
            self.bench.eval();
            assert_eq!(self.bench.get("row_ready"), 0);
            *load = Load { lane: 0, word: load.word + 1 };
            return;
        }
        self.bench.set("row_valid", 1);
        self.bench.set("row_lane", load.lane as u64);
        self.bench.set("row_address", address);
        let word: Vec<i64> = operands(load.lane).collect();
        self.bench.set_lanes("row_data", 9, &word);
        *load = match load.lane + 1 == lanes {
            true => Load { lane: 0, word: load.word + 1 },
            false => Load { lane: load.lane + 1, word: load.word },
        };
    }

    /// Context scale of a lane, or parameters of as many as come at once; how many they are.
    fn parameters(&mut self, group: &Group, lane: usize) -> usize {
        let port = if group.scale == Scale::Context { "context" } else { "parameter" };
        self.bench.set(&format!("{port}_write"), 1);
        self.bench.set(&format!("{port}_lane"), lane as u64);
        self.bench.set(&format!("{port}_bank"), group.bank as u64);
        if group.scale == Scale::Context {
            self.bench.set("context_multiplier", group.multipliers[lane] as u64);
            self.bench.set("context_shift", group.shifts[lane].into());
            return 1;
        }
        let count = (self.arch.vector as usize / 8).max(1);
        let record = |lane: usize| (group.multipliers[lane], group.biases[lane]);
        let records: Vec<(i32, i32)> = (lane..lane + count).map(record).collect();
        self.bench.set_records("parameter_records", &records);
        count
    }

    /// Multiplies a group with random tokens while the next group loads; both with bubbles.
    fn compute(&mut self, group: &Group, next: &Group) {
        let mut load = Load { lane: 0, word: 0 };
        let mut record = 0;
        let start = self.bench.beat;
        let tokens = self.bench.random.random_range(1..6);
        for _ in 0..tokens {
            let token: Vec<i16> = match self.bench.chance(0.1) {
                true => vec![i16::MIN; self.words * self.arch.vector as usize],
                false => {
                    (0..self.words * self.arch.vector as usize).map(|_| self.bench.random.random()).collect()
                }
            };
            let tag = self.bench.random.random_range(0..1 << 71);
            let mut word = 0;
            while word < self.words {
                let beat = self.bench.chance(0.8);
                if beat {
                    self.offer_beat(group, word, tag);
                    let vector = self.arch.vector as usize;
                    let values = token[word * vector..][..vector].iter().map(|&v| v.into()).collect();
                    self.broadcast.push_back((self.bench.beat + scratchpad::LATENCY as u64, values));
                }
                let rows_read = self.bench.beat >= start + lane_array::ROWS_READ as u64;
                if load.word < self.words && rows_read && self.bench.chance(0.7) {
                    self.load(next, &mut load);
                }
                if record < next.rows.len() && self.bench.beat >= start + lane_array::PARAMETERS_READ as u64 {
                    record += self.parameters(next, record);
                }
                if beat && word + 1 == self.words {
                    self.expected.push_back((tag, self.expected(group, &token)));
                }
                self.tick();
                word += usize::from(beat);
            }
        }
        (0..lane_array::ROWS_READ).for_each(|_| self.tick());
        while load.word < self.words {
            self.load(next, &mut load);
            self.tick();
        }
        if record < next.rows.len() {
            (0..lane_array::PARAMETERS_READ).for_each(|_| self.tick());
        }
        while record < next.rows.len() {
            record += self.parameters(next, record);
            self.tick();
        }
    }

    fn offer_beat(&mut self, group: &Group, word: usize, tag: u128) {
        self.bench.set("beat_valid", 1);
        self.bench.set("beat_address", (group.bank * self.arch.bank_words as usize + word) as u64);
        self.bench.set("beat_first", (word == 0).into());
        self.bench.set("beat_last", (word + 1 == self.words).into());
        self.bench.set("beat_logit_scale", (group.scale == Scale::Logit).into());
        self.bench.set("beat_context_scale", (group.scale == Scale::Context).into());
        self.bench.set("beat_bank", group.bank as u64);
        self.bench.set_wide("beat_tag", tag);
    }

    fn start(&mut self) {
        let random = &mut self.bench.random;
        self.words = match random.random_range(0..4) {
            0 => 1,
            1 => self.arch.bank_words as usize,
            _ => random.random_range(2..9),
        };
        self.layer = Layer {
            shift: random.random_range(1..=47),
            bias_shift: random.random_range(0..=24),
            nine_bits: random.random_bool(0.3),
            logit_multiplier: random.random_range(1..=65535),
            logit_shift: random.random_range(1..=47),
        };
        self.expected.clear();
        self.broadcast.clear();
        self.bench.reset();
        self.bench.set("shift", self.layer.shift.into());
        self.bench.set("bias_shift", self.layer.bias_shift.into());
        self.bench.set("nine_bits", self.layer.nine_bits.into());
        self.bench.set("logit_multiplier", self.layer.logit_multiplier as u64);
        self.bench.set("logit_shift", self.layer.logit_shift.into());
    }

    fn groups(&mut self, count: usize) {
        let mut group = self.group(0);
        let mut load = Load { lane: 0, word: 0 };
        while load.word < self.words {
            self.load(&group, &mut load);
            self.tick();
        }
        let mut lane = 0;
        while lane < group.rows.len() {
            lane += self.parameters(&group, lane);
            self.tick();
        }
        for index in 1..=count {
            let next = self.group(index);
            self.compute(&group, &next);
            group = next;
        }
    }

    /// Lets everything on its way come out.
    fn finish(&mut self) {
        (0..lane_array::LATENCY).for_each(|_| self.tick());
        assert!(self.expected.is_empty(), "{} results never came", self.expected.len());
        assert_eq!(self.bench.get("busy"), 0);
    }
}

fn check(arch: &ArchConfig, library: &Library) {
    for seed in seeds() {
        let layer = Layer { shift: 1, bias_shift: 0, nine_bits: false, logit_multiplier: 0, logit_shift: 1 };
        let bench = Bench::new(library, seed);
        let mut run = Run {
            arch,
            bench,
            layer,
            words: 1,
            broadcast: VecDeque::new(),
            expected: VecDeque::new(),
            results: 0,
        };
        for _ in 0..6 {
            run.start();
            run.groups(5);
            // Half of the runs are cut off by a reset.
            if run.bench.chance(0.5) {
                run.finish();
            }
        }
        assert!(run.results > 0);
    }
}

#[test]
fn tiny() {
    check(&config::tiny::arch(), &verilate(config::tiny::lanes, "lanes_tiny"));
}

#[test]
fn ecp5_85() {
    check(&config::ecp5_85::arch(), &verilate(config::ecp5_85::lanes, "lanes_ecp5_85"));
}

#[test]
fn edge() {
    check(&config::edge::arch(), &verilate(config::edge::lanes, "lanes_edge"));
}

#[test]
fn zcu102() {
    check(&config::zcu102::arch(), &verilate(config::zcu102::lanes, "lanes_zcu102"));
}
