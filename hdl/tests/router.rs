//! The router against `kernels::route`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::router::Router;
use edge_moe_hdl::router::choose::{Choose, PERIOD};
use edge_moe_kernels::route::{Queues, Visit, choose};
use rand::Rng;
use rand::rngs::StdRng;
use verilated::Library;

/// Logits of one token: anything, and what is special more often than chance has it.
fn random_logits(random: &mut StdRng, experts: usize) -> Vec<i16> {
    let middle: i16 = random.random_range(-30000..30000);
    let kind = random.random_range(0..7);
    let favourite = random.random_range(0..experts);
    let logit = |expert: usize| match kind {
        0 => random.random(),
        1 => middle,
        2 => {
            if random.random() {
                i16::MAX
            } else {
                i16::MIN
            }
        }
        3 => middle + random.random_range(-2..=2),
        4 => middle + random.random_range(-2500..=2500),
        5 => {
            if expert == favourite {
                i16::MAX
            } else {
                i16::MIN
            }
        }
        _ => (if expert == favourite { 3000 } else { 0 }) - random.random_range(0..5000),
    };
    (0..experts).map(logit).collect()
}

/// The words of a token; lanes beyond the last expert hold anything.
fn words(random: &mut StdRng, logits: &[i16], vector: usize) -> Vec<Vec<i64>> {
    let word = |chunk: &[i16]| {
        let mut lanes: Vec<i64> = chunk.iter().map(|&logit| logit.into()).collect();
        lanes.resize_with(vector, || random.random::<i16>().into());
        lanes
    };
    logits.chunks(vector).map(word).collect()
}

/// What the queues must hold, when `nodes` visits fit.
struct Model {
    visits: Vec<Vec<Visit>>,
    room: usize,
    overflow: bool,
}

impl Model {
    fn new(experts: usize, nodes: usize) -> Self {
        Self { visits: vec![Vec::new(); experts], room: nodes, overflow: false }
    }

    fn push(&mut self, token: u32, logits: &[i16], top_k: usize) {
        for choice in choose(logits, top_k) {
            match self.room {
                0 => self.overflow = true,
                _ => {
                    self.room -= 1;
                    self.visits[usize::from(choice.expert)].push(Visit { token, score: choice.score });
                }
            }
        }
    }
}

/// A reset ended the scenario.
struct Interrupted;

struct Run {
    bench: Bench,
    vector: usize,
    /// Words still to be accepted; the front one is offered or not.
    words: VecDeque<Vec<i64>>,
    offering: bool,
    /// Probability of a bubble.
    bubbles: f64,
    /// The beat in which a reset interrupts.
    reset_in: Option<u64>,
    /// What a stream that was not ready must repeat.
    pending_visit: Option<(u64, u64, u64)>,
    pending_expert: Option<[u64; 4]>,
}

/// Beats in which anything must happen: all passes of all tokens that fit the longest test.
const PATIENCE: u64 = 200_000;

impl Run {
    fn new(library: &Library, seed: u64, vector: usize) -> Self {
        let mut run = Self {
            bench: Bench::new(library, seed),
            vector,
            words: VecDeque::new(),
            offering: false,
            bubbles: 0.0,
            reset_in: None,
            pending_visit: None,
            pending_expert: None,
        };
        run.reset();
        run
    }

    /// Even one beat of reset must do.
    fn reset(&mut self) {
        self.quiet();
        self.reset_in = None;
        self.bench.set("reset", 1);
        for _ in 0..self.bench.random.random_range(1..=2) {
            self.bench.tick();
        }
        self.bench.set("reset", 0);
        self.bench.eval();
        for port in ["busy", "overflow", "waiting", "expert_valid", "visit_valid"] {
            self.bench.expect(port, 0, self.bench.get(port), 0);
        }
    }

    fn quiet(&mut self) {
        for port in ["start", "clear", "close", "logits_valid", "expert_ready", "rewind", "visit_ready"] {
            self.bench.set(port, 0);
        }
        self.words.clear();
        self.offering = false;
        self.pending_visit = None;
        self.pending_expert = None;
    }

    fn visit(&self) -> (u64, u64, u64) {
        (self.bench.get("visit_token"), self.bench.get("visit_score"), self.bench.get("visit_last"))
    }

    fn offer(&self) -> [u64; 4] {
        ["expert_index", "expert_count", "expert_last", "expert_none"].map(|port| self.bench.get(port))
    }

    /// Inputs are set: one beat. Pulses last one beat.
    fn beat(&mut self) -> Result<(), Interrupted> {
        if !self.offering && !self.words.is_empty() {
            self.offering = !self.bench.chance(self.bubbles);
            if self.offering {
                self.bench.set_lanes("logits_data", 16, &self.words[0]);
            }
        }
        self.bench.set("logits_valid", self.offering.into());
        self.bench.eval();
        if self.offering && self.bench.get("logits_ready") == 1 {
            self.words.pop_front();
            self.offering = false;
        }

        // Streams keep what was not taken.
        if let Some(visit) = self.pending_visit {
            self.bench.expect("visit_valid while not ready", 0, self.bench.get("visit_valid"), 1);
            self.bench.expect("visit while not ready", 0, self.visit(), visit);
        }
        if let Some(offer) = self.pending_expert {
            self.bench.expect("expert_valid while not ready", 0, self.bench.get("expert_valid"), 1);
            self.bench.expect("expert while not ready", 0, self.offer(), offer);
        }
        let taken = self.bench.get("expert_valid") == 1 && self.bench.get("expert_ready") == 1;
        let abandons = self.bench.get("rewind") == 1 || taken;
        let waits = |valid: u64, ready: u64| valid == 1 && ready == 0;
        let visit_waits = waits(self.bench.get("visit_valid"), self.bench.get("visit_ready")) && !abandons;
        self.pending_visit = visit_waits.then(|| self.visit());
        let expert_waits = waits(self.bench.get("expert_valid"), self.bench.get("expert_ready"));
        self.pending_expert = expert_waits.then(|| self.offer());

        if self.reset_in == Some(0) {
            self.reset();
            return Err(Interrupted);
        }
        self.reset_in = self.reset_in.map(|beats| beats - 1);
        self.bench.tick();
        for pulse in ["start", "clear", "close", "rewind", "expert_ready"] {
            self.bench.set(pulse, 0);
        }
        self.bench.eval();
        Ok(())
    }

    /// Waits until an output has a value.
    fn wait(&mut self, port: &str, value: u64) -> Result<(), Interrupted> {
        let limit = self.bench.beat + PATIENCE;
        while self.bench.get(port) != value {
            let seed = self.bench.seed;
            assert!(
                self.bench.beat < limit,
                "{port} is not {value} after {PATIENCE} beats (EMOE_SEED={seed})"
            );
            self.beat()?;
        }
        Ok(())
    }

    fn all_accepted(&mut self) -> Result<(), Interrupted> {
        let limit = self.bench.beat + PATIENCE;
        while !self.words.is_empty() {
            assert!(self.bench.beat < limit, "{} words are not accepted", self.words.len());
            self.beat()?;
        }
        Ok(())
    }

    fn idle(&mut self, most: usize) -> Result<(), Interrupted> {
        for _ in 0..self.bench.random.random_range(0..=most) {
            self.beat()?;
        }
        Ok(())
    }

    fn begin_set(&mut self, experts: usize, top_k: usize, first_token: u16, clear: bool) {
        self.bench.set("experts", experts as u64);
        self.bench.set("top_k", top_k as u64);
        self.bench.set("first_token", first_token.into());
        self.bench.set("start", 1);
        self.bench.set("clear", clear.into());
    }

    fn feed(&mut self, logits: &[i16]) {
        self.words.extend(words(&mut self.bench.random, logits, self.vector));
    }

    /// Walks the queue that is offered; ends before visit `stop` if there is one.
    fn walk(&mut self, visits: &[Visit], stop: Option<usize>) -> Result<(), Interrupted> {
        self.bench.set("rewind", 1);
        let ready = self.bench.chance(0.5);
        self.bench.set("visit_ready", ready.into());
        self.beat()?;
        for (index, visit) in visits.iter().enumerate() {
            if stop == Some(index) {
                return Ok(());
            }
            loop {
                self.bench.expect("visit_valid", index, self.bench.get("visit_valid"), 1);
                let last = (index + 1 == visits.len()).into();
                self.bench.expect(
                    "visit",
                    index,
                    self.visit(),
                    (visit.token.into(), visit.score.into(), last),
                );
                let ready = !self.bench.chance(self.bubbles);
                self.bench.set("visit_ready", ready.into());
                self.beat()?;
                if ready {
                    break;
                }
            }
        }
        self.bench.expect("visit_valid after the last", visits.len(), self.bench.get("visit_valid"), 0);
        Ok(())
    }

    /// Drains the queues and compares them, walking each some times.
    fn drain(&mut self, queues: &[(usize, &[Visit])]) -> Result<(), Interrupted> {
        self.bench.set("close", 1);
        self.beat()?;
        let empty = [(0, &[][..])];
        let none = queues.is_empty();
        let queues = if none { &empty } else { queues };
        for (position, &(expert, visits)) in queues.iter().enumerate() {
            self.wait("expert_valid", 1)?;
            let last = position + 1 == queues.len();
            let [index, count, is_last, is_none] = self.offer();
            self.bench.expect("expert_none", position, is_none, none.into());
            self.bench.expect("expert_last", position, is_last, last.into());
            self.bench.expect("expert_count", position, count, visits.len() as u64);
            let waiting =
                queues[position..].iter().filter(|_| !none).map(|(expert, _)| 1u64 << expert).sum::<u64>();
            self.bench.expect("waiting", position, self.bench.get("waiting"), waiting);
            if !none {
                self.bench.expect("expert_index", position, index, expert as u64);
            }
            for _ in 0..self.bench.random.random_range(0..4) {
                self.bench.expect("logits_ready while draining", position, self.bench.get("logits_ready"), 0);
                let stop = self.bench.chance(0.2).then(|| self.bench.random.random_range(0..=visits.len()));
                self.walk(visits, stop)?;
                if self.bench.chance(0.3) {
                    self.bench.set("visit_ready", 0);
                    self.idle(3)?;
                }
            }
            self.bench.expect("busy while offering", position, self.bench.get("busy"), 1);
            self.bench.set("expert_ready", 1);
            let rewind = self.bench.chance(0.1);
            self.bench.set("rewind", rewind.into());
            self.beat()?;
            self.bench.expect("visit_valid after the offer", position, self.bench.get("visit_valid"), 0);
        }
        self.bench.expect("busy after the last offer", queues.len(), self.bench.get("busy"), 0);
        self.bench.expect("waiting after the last offer", queues.len(), self.bench.get("waiting"), 0);
        Ok(())
    }

    /// Some sets, routed and drained. `overflow` is whether the flag is set
    /// before; returns whether it is set afterwards.
    fn scenario(&mut self, most_experts: usize, nodes: usize, overflow: bool) -> Result<bool, Interrupted> {
        let experts = match self.bench.random.random_range(0..6) {
            0 => most_experts,
            1 => 1,
            _ => self.bench.random.random_range(1..=most_experts),
        };
        let top_k = match self.bench.random.random_range(0..6) {
            0 => experts,
            1 => 1,
            2 => self.bench.random.random_range(1..=experts),
            _ => experts.min(2),
        };
        self.bubbles = [0.0, 0.0, 0.1, 0.5, 0.9][self.bench.random.random_range(0..5)];
        let overflows = self.bench.chance(0.15);
        let fits = if overflows { nodes / top_k + 3 } else { nodes / top_k };
        let sets = self.bench.random.random_range(1..=3usize);
        let clear = self.bench.chance(0.3);
        if self.bench.chance(0.1) {
            // What was routed before `clear` is forgotten.
            self.begin_set(experts, top_k, 1, false);
            let logits = random_logits(&mut self.bench.random, experts);
            self.feed(&logits);
            self.all_accepted()?;
            self.wait("busy", 0)?;
            self.begin_set(experts, top_k, 0, true);
            self.beat()?;
            return Ok(false);
        }

        let mut model = Model::new(experts, nodes);
        model.overflow = overflow && !clear;
        let mut kernel = Queues::new(experts);
        let mut fed = 0;
        // One expert, or a few, take all tokens.
        let alike = self.bench.chance(0.1).then(|| random_logits(&mut self.bench.random, experts));
        for set in 0..sets {
            let tokens = match self.bench.random.random_range(0..5) {
                0 => 0,
                1 => 1,
                2 => fits,
                _ => self.bench.random.random_range(0..=fits),
            };
            let tokens = tokens.min(fits - fed).min(60);
            fed += tokens;
            let first = self.bench.random.random_range(0..60000);
            self.begin_set(experts, top_k, first, clear && set == 0);
            for token in 0..tokens as u32 {
                let token = u32::from(first) + token;
                let logits = alike.clone().unwrap_or_else(|| random_logits(&mut self.bench.random, experts));
                self.feed(&logits);
                model.push(token, &logits, top_k);
                kernel.push(token, &logits, top_k);
            }
            self.beat()?;
            self.all_accepted()?;
            // Only after the last set may `close` come while tokens are on their way.
            if set + 1 < sets || self.bench.chance(0.5) {
                self.wait("busy", 0)?;
                let flag = self.bench.get("overflow");
                self.bench.expect("overflow", set, flag, model.overflow.into());
            }
        }
        let visits: Vec<(usize, &[Visit])> = if model.overflow {
            let queues = model.visits.iter().enumerate().map(|(expert, visits)| (expert, visits.as_slice()));
            queues.filter(|(_, visits)| !visits.is_empty()).collect()
        } else {
            kernel.non_empty().collect()
        };
        if self.bench.chance(0.1) {
            self.reset_in = Some(self.bench.random.random_range(0..60));
        }
        self.drain(&visits)?;
        self.bench.expect("overflow at the end", sets, self.bench.get("overflow"), model.overflow.into());
        Ok(model.overflow)
    }
}

fn check_router<const V: usize, const WORD: usize, const EXPERTS: usize>(nodes: usize) {
    let library = verilate(|| Router::<V, WORD, EXPERTS>::new(nodes), &format!("router_{V}_{EXPERTS}"));
    for seed in seeds() {
        let mut run = Run::new(&library, seed, V);
        let mut overflow = false;
        for _ in 0..60 {
            run.reset_in = run.bench.chance(0.3).then(|| run.bench.random.random_range(0..2000));
            overflow = run.scenario(EXPERTS, nodes, overflow).unwrap_or(false);
        }
    }
}

#[test]
fn queues_equal_the_kernels_4_16() {
    check_router::<4, 64, 16>(40);
}

#[test]
fn queues_equal_the_kernels_8_5() {
    check_router::<8, 128, 5>(33);
}

#[test]
fn queues_equal_the_kernels_16_32() {
    check_router::<16, 256, 32>(300);
}

#[test]
fn queues_equal_the_kernels_32_64() {
    check_router::<32, 512, 64>(1024);
}

/// `close` in the middle of a token completes it; the next one waits until the queues are drained.
#[test]
fn a_begun_token_is_completed() {
    let library = verilate(|| Router::<4, 64, 16>::new(40), "router_4_16");
    for remaining in 4..8 {
        let mut run = Run::new(&library, remaining as u64, 4);
        let logits: [Vec<i16>; 3] = std::array::from_fn(|_| random_logits(&mut run.bench.random, 16));
        run.begin_set(16, 2, 7, false);
        logits.iter().for_each(|logits| run.feed(logits));
        while run.words.len() > remaining {
            assert!(run.beat().is_ok());
        }
        for (first, tokens) in [(7, &logits[..2]), (9, &logits[2..])] {
            let mut queues = Queues::new(16);
            tokens.iter().zip(first..).for_each(|(logits, token)| queues.push(token, logits, 2));
            assert!(run.drain(&queues.non_empty().collect::<Vec<_>>()).is_ok());
            assert!(run.all_accepted().is_ok());
        }
    }
}

/// Beats of `tokens` tokens from the first word to `busy` low.
fn beats(run: &mut Run, experts: usize, top_k: usize, tokens: usize) -> u64 {
    run.begin_set(experts, top_k, 0, true);
    assert!(run.beat().is_ok());
    for _ in 0..tokens {
        let logits = random_logits(&mut run.bench.random, experts);
        run.feed(&logits);
    }
    let begin = run.bench.beat;
    assert!(run.all_accepted().is_ok());
    assert!(run.wait("busy", 0).is_ok());
    run.bench.beat - begin
}

#[test]
fn throughput_and_latency() {
    let library = verilate(|| Router::<16, 256, 32>::new(300), "router_16_32");
    let mut run = Run::new(&library, 1, 16);
    for experts in 1..=32 {
        for top_k in 1..=experts.min(4) {
            let passes = (top_k as u64 - 1).max(1);
            let a_token = passes * (experts as u64 + 2).max(PERIOD as u64);
            let lone = beats(&mut run, experts, top_k, 1);
            let many = beats(&mut run, experts, top_k, 51);
            assert_eq!(many - lone, 50 * a_token, "{experts} experts, top {top_k}");
            let alone = 2 * experts as u64 + 19 + u64::from(top_k > 1) + (passes - 1) * a_token / passes;
            assert_eq!(lone, alone, "a lone token: {experts} experts, top {top_k}");
        }
    }

    // Draining: three beats to the first offer, one between offers, a visit a beat.
    run.begin_set(32, 1, 0, true);
    assert!(run.beat().is_ok());
    for expert in [3, 3, 3, 9] {
        let logits: Vec<i16> = (0..32).map(|e| if e == expert { 100 } else { 0 }).collect();
        run.feed(&logits);
    }
    assert!(run.all_accepted().is_ok());
    assert!(run.wait("busy", 0).is_ok());
    let mut trace = Vec::new();
    run.bench.set("close", 1);
    run.bench.set("visit_ready", 1);
    for beat in 0..12 {
        run.bench.set("rewind", (beat == 4 || beat == 10).into());
        run.bench.set("expert_ready", (beat == 8).into());
        assert!(run.beat().is_ok());
        let visit = if run.bench.get("visit_valid") == 1 { run.bench.get("visit_token") as i64 } else { -1 };
        trace.push((run.bench.get("expert_valid"), visit));
    }
    let expected = [
        (0, -1),
        (0, -1),
        (1, -1),
        (1, -1),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, -1),
        (0, -1),
        (1, -1),
        (1, 3),
        (1, -1),
    ];
    assert_eq!(trace, expected);
}

/// The choices of a token, as they leave.
fn expect_choices(bench: &mut Bench, logits: &[i16], token: u64, top_k: usize) {
    let lanes: Vec<i64> = logits.iter().map(|&logit| logit.into()).collect();
    bench.set_lanes("logits_data", 16, &lanes);
    bench.set("logits_valid", 1);
    bench.tick();
    bench.set("logits_valid", 0);
    let mut choices = choose(logits, top_k);
    let limit = bench.beat + 1000;
    while bench.get("busy") == 1 {
        assert!(bench.beat < limit, "busy with {logits:?}");
        if bench.get("choice_valid") == 1 {
            let got = ["choice_token", "choice_expert", "choice_score"].map(|port| bench.get(port));
            let expected = choices.next().map(|choice| [token, choice.expert.into(), choice.score.into()]);
            bench.expect("choice", token as usize, Some(got), expected);
        }
        bench.tick();
    }
    bench.expect("further choices", token as usize, choices.count(), 0);
}

/// Every distance of two logits, so every power of two; two equal ones among
/// them make the score carry the power that is not 1.
#[test]
fn every_power_scores_as_the_kernels_does() {
    let library = verilate(Choose::<4, 64, 16>::default, "choose");
    let mut bench = Bench::new(&library, 1);
    for port in ["start", "hold", "logits_valid", "first_token"] {
        bench.set(port, 0);
    }
    bench.set("experts", 4);
    bench.set("top_k", 4);
    bench.reset();
    for (token, distance) in (0..=65535i32).step_by(3).enumerate() {
        let least = |more: i32| (32767 - (distance + more).min(65535)) as i16;
        expect_choices(&mut bench, &[least(2), i16::MAX, least(0), least(1)], token as u64, 4);
    }
}
