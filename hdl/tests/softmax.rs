//! The softmax units against `kernels::softmax`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::softmax::{ContextScale, Exp2Negative, LATENCY, SCALE_LATENCY, Softmax};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise};
use edge_moe_kernels::reciprocal::{MANTISSA_BITS, reciprocal};
use edge_moe_kernels::softmax::{self, MAX_KEYS};
use rand::Rng;
use rand::rngs::StdRng;
use verilated::Library;

#[test]
fn every_power_of_two() {
    let library = verilate(Exp2Negative::default, "exp2_negative");
    let mut bench = Bench::new(&library, 1);
    let mut expected = VecDeque::new();
    for x in 0..1 << 17 {
        bench.set("x", x);
        expected.push_back(softmax::exp2_negative(x as u32));
        bench.tick();
        if expected.len() == Exp2Negative::LATENCY {
            let index = x as usize + 1 - expected.len();
            bench.expect("2^-x of x", index, bench.get("result") as u32, expected.pop_front().unwrap());
        }
    }
}

/// m′ and s′ of a sum.
fn context_scale(multiplier: u16, shift: u32, sum: u32) -> (u64, u64) {
    let inverse = reciprocal(sum);
    let product = u64::from(multiplier) * u64::from(inverse.mantissa);
    let rounded = (product + (1 << (MANTISSA_BITS - 1))) >> MANTISSA_BITS;
    (rounded, (shift + inverse.exponent).into())
}

#[test]
fn every_sum() {
    let library = verilate(ContextScale::default, "context_scale");
    let mut bench = Bench::new(&library, seeds()[0]);
    bench.reset();
    // What must come out of each beat on its way, if anything.
    let mut expected = VecDeque::new();
    let mut sum = 1u32;
    while sum < 1 << 20 {
        let multiplier: u16 = match bench.random.random_range(0..8) {
            0 => u16::MAX,
            1 => bench.random.random_range(0..4),
            _ => bench.random.random(),
        };
        let shift = bench.random.random_range(1..=28);
        let valid = bench.chance(0.9);
        let reset = bench.chance(0.0005);
        let offered = if valid { sum } else { bench.random.random_range(0..1 << 20) };
        bench.set("reset", reset.into());
        bench.set("valid", valid.into());
        bench.set("sum", offered.into());
        bench.set("multiplier", multiplier.into());
        bench.set("shift", shift.into());
        bench.tick();
        expected.push_back(valid.then_some((multiplier, shift, sum)));
        if reset {
            expected.iter_mut().for_each(|expected| *expected = None);
        } else if valid {
            sum += 1;
        }
        if expected.len() < ContextScale::LATENCY {
            continue;
        }
        let due = expected.pop_front().unwrap();
        bench.expect(
            "result_valid before sum",
            sum as usize,
            bench.get("result_valid"),
            due.is_some().into(),
        );
        let Some((multiplier, shift, sum)) = due else { continue };
        let got = (bench.get("context_multiplier"), bench.get("context_shift"));
        bench.expect("scale of sum", sum as usize, got, context_scale(multiplier, shift, sum));
        // What it is for: a context is what the kernel says it is.
        let value = bench.random.random_range(-32768..32768);
        let acc = (i64::from(sum) * value).clamp(-1 << 35, (1 << 35) - 1);
        let scale = Requantise { bias_shift: 0, shift: got.1 as u32 };
        let context = scale.apply(acc, got.0 as i32, 0, ACTIVATION_BITS);
        let exact = softmax::ContextScale::new(multiplier, shift, sum).apply(acc);
        bench.expect("context of sum", sum as usize, context, exact);
    }
}

/// Logits of one query: anything legal, what is hard more often than chance has it.
fn logits(random: &mut StdRng, keys: usize) -> Vec<i16> {
    let base: i16 = random.random();
    let kind = random.random_range(0..9);
    let mut logits: Vec<i16> = (0..keys)
        .map(|key| match kind {
            0 => random.random(),
            1 => base,
            2 => random.random_range(-1000..1000),
            3 => [i16::MIN, i16::MAX][random.random_range(0..2)],
            4 => random.random_range(-3000..-2600),
            // At and around integers, where the maximum steps.
            5 => 256 * random.random_range(-127..127) + random.random_range(-1..=1),
            6 => base.saturating_add(key as i16 * 7),
            7 => base.saturating_sub(key as i16 * 7),
            _ => i16::MIN,
        })
        .collect();
    // One key above a long tail.
    if kind == 4 {
        logits[random.random_range(0..keys)] = 0;
    }
    if kind == 8 {
        logits[random.random_range(0..keys)] = i16::MAX;
    }
    logits
}

/// A query in each lane.
struct Group {
    logits: Vec<Vec<i16>>,
    probabilities: Vec<Vec<u8>>,
    sums: Vec<u32>,
}

impl Group {
    fn new(logits: Vec<Vec<i16>>) -> Self {
        let mut probabilities: Vec<Vec<u8>> = logits.iter().map(|logits| vec![0; logits.len()]).collect();
        let each = logits.iter().zip(&mut probabilities);
        let sums = each.map(|(logits, probabilities)| softmax::softmax(logits, probabilities)).collect();
        Self { logits, probabilities, sums }
    }

    fn random(random: &mut StdRng, lanes: usize, keys: usize) -> Self {
        Self::new((0..lanes).map(|_| logits(random, keys)).collect())
    }

    fn keys(&self) -> usize {
        self.logits[0].len()
    }

    /// The word of each lane that ends with `key`, as the lane array takes them.
    fn words(&self, vector: usize, key: usize) -> Vec<i64> {
        let first = key - key % vector;
        let element = |lane: usize, key: usize| self.probabilities[lane].get(key).map_or(0, |&p| p.into());
        (0..self.logits.len())
            .flat_map(|lane| (first..first + vector).map(move |key| element(lane, key)))
            .collect()
    }
}

/// Where a phase stands.
#[derive(Clone, Copy, Default)]
struct Cursor {
    group: usize,
    key: usize,
}

impl Cursor {
    /// Moves on by a key; true at the last of its group.
    fn advance(&mut self, groups: &[Group]) -> bool {
        let last = self.key + 1 == groups[self.group].keys();
        *self = match last {
            true => Cursor { group: self.group + 1, key: 0 },
            false => Cursor { group: self.group, key: self.key + 1 },
        };
        last
    }
}

/// Sizes of a [`Softmax`].
#[derive(Clone, Copy)]
struct Sizes {
    lanes: usize,
    vector: usize,
    address_bits: usize,
}

/// What must come out in one beat.
struct Words {
    beat: u64,
    words: Vec<i64>,
    last: bool,
}

struct Scale {
    beat: u64,
    lane: u64,
    scale: (u64, u64),
}

/// The first of what is to come, if it is due.
fn due<T>(queue: &mut VecDeque<T>, is_due: impl Fn(&T) -> bool) -> Option<T> {
    queue.front().is_some_and(is_due).then(|| queue.pop_front().unwrap())
}

struct Run {
    sizes: Sizes,
    bench: Bench,
    words: VecDeque<Words>,
    scales: VecDeque<Scale>,
    compared: usize,
}

impl Run {
    fn new(sizes: Sizes, library: &Library, seed: u64) -> Self {
        let bench = Bench::new(library, seed);
        Self { sizes, bench, words: VecDeque::new(), scales: VecDeque::new(), compared: 0 }
    }

    /// Drives anything onto ports that mean nothing in this beat.
    fn idle(&mut self) {
        let addresses = 1 << self.sizes.address_bits;
        for (valid, names, address) in [
            ("push", ["push_first", "push_first"], "push_address"),
            ("read", ["read_first", "read_last"], "read_address"),
        ] {
            self.bench.set(valid, 0);
            for name in names {
                let value = self.bench.random.random_range(0..2);
                self.bench.set(name, value);
            }
            let value = self.bench.random.random_range(0..addresses);
            self.bench.set(address, value);
        }
        let logits: Vec<i64> =
            (0..self.sizes.lanes).map(|_| self.bench.random.random_range(-32768..32768)).collect();
        self.bench.set_lanes("logits", 16, &logits);
    }

    fn address(&self, at: Cursor) -> u64 {
        (((at.group % 2) << (self.sizes.address_bits - 1)) + at.key) as u64
    }

    fn push(&mut self, group: &Group, at: Cursor) {
        self.bench.set("push", 1);
        self.bench.set("push_first", (at.key == 0).into());
        self.bench.set("push_address", self.address(at));
        let logits: Vec<i64> = group.logits.iter().map(|logits| logits[at.key].into()).collect();
        self.bench.set_lanes("logits", 16, &logits);
    }

    fn read(&mut self, group: &Group, at: Cursor, scale: (u16, u32)) {
        let (last, beat) = (at.key + 1 == group.keys(), self.bench.beat);
        self.bench.set("read", 1);
        self.bench.set("read_first", (at.key == 0).into());
        self.bench.set("read_last", last.into());
        self.bench.set("read_address", self.address(at));
        if last || at.key % self.sizes.vector + 1 == self.sizes.vector {
            let words = group.words(self.sizes.vector, at.key);
            self.words.push_back(Words { beat: beat + LATENCY as u64, words, last });
        }
        if last {
            for (lane, &sum) in group.sums.iter().enumerate() {
                let beat = beat + (SCALE_LATENCY + lane) as u64;
                let scale = context_scale(scale.0, scale.1, sum);
                self.scales.push_back(Scale { beat, lane: lane as u64, scale });
            }
        }
    }

    /// One clock; what comes out is compared, and that nothing else does.
    fn tick(&mut self) {
        self.bench.tick();
        let words = due(&mut self.words, |next| next.beat == self.bench.beat);
        let write = (self.bench.get("probability_write"), self.bench.get("sum_valid"));
        let expected = words.as_ref().map_or((0, 0), |words| (1, words.last.into()));
        self.bench.expect("probability_write, sum_valid of word", self.compared, write, expected);
        if let Some(Words { words, .. }) = words {
            let got = self.bench.get_lanes("probability_data", 9, self.sizes.lanes * self.sizes.vector);
            self.bench.expect("probabilities of word", self.compared, got, words);
            self.compared += 1;
        }
        let scale = due(&mut self.scales, |next| next.beat == self.bench.beat);
        self.bench.expect("context_write", 0, self.bench.get("context_write"), scale.is_some().into());
        if let Some(Scale { lane, scale, .. }) = scale {
            self.bench.expect("context_lane", lane as usize, self.bench.get("context_lane"), lane);
            let got = (self.bench.get("context_multiplier"), self.bench.get("context_shift"));
            self.bench.expect("context scale of lane", lane as usize, got, scale);
        }
    }

    /// Pushes and reads groups, each in one beat of so many, or stops before beat `until`.
    /// Returns the beats from the first push to the last read.
    fn groups(&mut self, groups: &[Group], (pushes, reads): (f64, f64), until: Option<u64>) -> u64 {
        let scale: (u16, u32) = (self.bench.random.random(), self.bench.random.random_range(1..=28));
        self.bench.set("multiplier", scale.0.into());
        self.bench.set("shift", scale.1.into());
        let (mut push, mut read) = (Cursor::default(), Cursor::default());
        let (start, mut last_read) = (self.bench.beat, 0);
        let keys: u64 = groups.iter().map(|group| group.keys() as u64 + self.sizes.lanes as u64).sum();
        while read.group < groups.len() && until != Some(self.bench.beat) {
            assert!(self.bench.beat < start + 1000 + 100 * keys, "stuck (EMOE_SEED={})", self.bench.seed);
            self.idle();
            // A group is read after its last push, and its sums find the scale free.
            let pushed = read.group < push.group;
            let free = self.bench.beat >= last_read + self.sizes.lanes as u64
                || read.key + 1 < groups[read.group].keys();
            if pushed && free && self.bench.chance(reads) {
                self.read(&groups[read.group], read, scale);
                if read.advance(groups) {
                    last_read = self.bench.beat;
                }
            }
            // The bank is free from the beat of its last read on.
            let free = push.group < groups.len() && push.group < read.group + 2;
            if free && self.bench.chance(pushes) {
                self.push(&groups[push.group], push);
                push.advance(groups);
            }
            self.tick();
        }
        self.bench.beat - start
    }

    /// Forgets everything on its way: one clock does.
    fn reset(&mut self) {
        self.idle();
        for name in ["push", "read"] {
            let value = self.bench.random.random_range(0..2);
            self.bench.set(name, value);
        }
        self.bench.set("reset", 1);
        self.words.clear();
        self.scales.clear();
        self.tick();
        self.bench.set("reset", 0);
    }

    /// Lets everything on its way come out.
    fn finish(&mut self) {
        for _ in 0..=SCALE_LATENCY + self.sizes.lanes {
            self.idle();
            self.tick();
        }
        assert!(self.words.is_empty() && self.scales.is_empty(), "some results never came");
    }

    /// So many groups of so many keys each.
    fn random_groups(&mut self, count: usize, keys: usize) -> Vec<Group> {
        (0..count).map(|_| Group::random(&mut self.bench.random, self.sizes.lanes, keys)).collect()
    }
}

/// Groups of all lengths with all kinds of bubbles; every other run ends in a reset.
fn check(sizes: Sizes, library: &Library) {
    let most = 1 << (sizes.address_bits - 1);
    for seed in seeds() {
        let mut run = Run::new(sizes, library, seed);
        run.reset();
        for _ in 0..12 {
            let random = &mut run.bench.random;
            let keys = match random.random_range(0..8) {
                0 => 1,
                1 => sizes.vector,
                2 => sizes.vector + 1,
                3 => 129,
                4 => most,
                _ => random.random_range(1..60),
            };
            let rates = [(1.0, 1.0), (0.5, 0.5), (0.9, 0.3), (0.3, 0.9), (1.0, 0.7), (0.7, 1.0)];
            let rates = rates[random.random_range(0..rates.len())];
            let groups = run.random_groups(4, keys);
            if run.bench.chance(0.5) {
                let until = run.bench.beat + run.bench.random.random_range(1..5 * keys as u64 + 20);
                run.groups(&groups, rates, Some(until));
                run.reset();
            } else {
                run.groups(&groups, rates, None);
                run.finish();
            }
        }
        assert!(run.compared > 0);
    }
}

#[test]
fn four_lanes_of_four() {
    check(
        Sizes { lanes: 4, vector: 4, address_bits: 9 },
        &verilate(Softmax::<4, 4, 36, 144, 64, 2, 9>::default, "softmax_4x4"),
    );
}

#[test]
fn three_lanes_of_eight() {
    check(
        Sizes { lanes: 3, vector: 8, address_bits: 9 },
        &verilate(Softmax::<3, 8, 72, 216, 48, 2, 9>::default, "softmax_3x8"),
    );
}

#[test]
fn eight_lanes_of_sixteen() {
    check(
        Sizes { lanes: 8, vector: 16, address_bits: 10 },
        &verilate(Softmax::<8, 16, 144, 1152, 128, 3, 10>::default, "softmax_8x16"),
    );
}

#[test]
fn two_lanes_of_thirty_two() {
    check(
        Sizes { lanes: 2, vector: 32, address_bits: 9 },
        &verilate(Softmax::<2, 32, 288, 576, 32, 1, 9>::default, "softmax_2x32"),
    );
}

#[test]
fn one_key_a_beat_in_both_phases() {
    let library = verilate(Softmax::<4, 4, 36, 144, 64, 2, 9>::default, "softmax_4x4");
    for seed in seeds() {
        let mut run = Run::new(Sizes { lanes: 4, vector: 4, address_bits: 9 }, &library, seed);
        run.reset();
        for keys in [4, 5, 129, 256] {
            let groups = run.random_groups(6, keys);
            let beats = run.groups(&groups, (1.0, 1.0), None);
            // Six groups and one more: reading begins when the first is pushed.
            run.bench.expect("beats of keys", keys, beats, 7 * keys as u64);
            run.finish();
        }
    }
}

/// One lane with room for the most keys there may be.
fn longest(name: &str) -> (Sizes, Library) {
    let library = verilate(Softmax::<1, 8, 72, 72, 16, 1, 13>::default, name);
    (Sizes { lanes: 1, vector: 8, address_bits: 13 }, library)
}

#[test]
fn every_distance_from_the_greatest_maximum() {
    let (sizes, library) = longest("softmax_1x8");
    let mut run = Run::new(sizes, &library, 1);
    run.reset();
    let all: Vec<i16> = (i16::MIN..=i16::MAX).rev().collect();
    let queries = all.chunks(MAX_KEYS - 1).map(|chunk| [&[i16::MAX], chunk].concat());
    let groups: Vec<Group> = queries.map(|query| Group::new(vec![query])).collect();
    run.groups(&groups, (1.0, 1.0), None);
    run.finish();
}

#[test]
fn the_most_keys() {
    let (sizes, library) = longest("softmax_1x8");
    for seed in seeds() {
        let mut run = Run::new(sizes, &library, seed);
        run.reset();
        let mut groups = run.random_groups(4, MAX_KEYS);
        // The greatest sum and a long tail that must keep its mass.
        groups.push(Group::new(vec![vec![-256; MAX_KEYS]]));
        let mut tail = vec![-2807; MAX_KEYS];
        tail[0] = 0;
        groups.push(Group::new(vec![tail]));
        run.groups(&groups, (0.9, 0.95), None);
        run.finish();
    }
}
