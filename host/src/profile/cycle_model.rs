//! A cycle model of the core: what the RTL's counters will say, in milliseconds.
//!
//! It plays a program row group by row group on two timelines. The *load timeline* ([`super::stream`])
//! brings weights, parameters and copies from memory in the order of use. The *compute timeline* follows the
//! core's dispatcher: descriptors start in order, a descriptor without the wait flag when its engine is free
//! and the one before has issued its last work, one with it when all results are written. A linear layer
//! after its norm, and a route after its gate of one row group, follow word by word.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::{
    Copy, Descriptor, Destination, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_isa::packing::{PARAMETER_BYTES, PackedLinear};
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::Trace;

use super::attention_model;
use super::lanes::Lanes;
use super::stream::Stream;
use super::timing;

/// How fast device memory is.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Memory {
    /// Cycles from a request to its first beat.
    pub latency: u32,
    /// Bytes that it reads in a cycle, over all ports.
    pub bytes_per_cycle: f64,
}

impl Memory {
    /// Memory as fast as the ports of `arch`, with `latency` cycles to the first beat.
    pub fn of(arch: &ArchConfig, latency: u32) -> Self {
        Self { latency, bytes_per_cycle: f64::from(arch.memory_bytes * arch.memory_ports) }
    }
}

/// What a program runs on.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// Sizes of the device.
    pub arch: &'a ArchConfig,
    /// Its memory.
    pub memory: Memory,
    /// End of the writable part of device memory.
    pub writable_bytes: u64,
}

/// Predicts the trace of a legal program. `queues` holds, for each `experts` descriptor in order, the
/// tokens of each expert.
///
/// # Panics
/// If there are fewer queues than `experts` descriptors.
pub fn predict(machine: &Machine<'_>, program: &[Descriptor], queues: &[Vec<usize>]) -> Trace {
    let mut model = Model::new(machine, queues);
    for descriptor in program {
        model.step(descriptor);
    }
    model.finish()
}

/// The units that execute descriptors.
#[derive(Clone, Copy)]
enum Engine {
    Matrix,
    Attention,
    Norm,
    Router,
    Copy,
}

/// What the next descriptor may follow word by word.
#[derive(Clone, Copy)]
enum Lead {
    /// Its start, and when its first and last words are written.
    Norm { operation: Norm, start: u64, first: u64, last: u64 },
    /// The same of a gate of one row group, by the address of its logits.
    Gate { logits: u32, start: u64, first: u64, last: u64 },
}

/// A row group's work: `dots` dot products of each lane, `beats` each.
#[derive(Clone, Copy)]
struct Group {
    dots: u64,
    beats: u64,
    /// Cycles that the results of one dot product of all lanes need to leave.
    service: u64,
    /// From the last of them to its write.
    finish: u64,
}

struct Model<'a> {
    machine: &'a Machine<'a>,
    queues: std::slice::Iter<'a, Vec<usize>>,
    lanes: Lanes,
    stream: Stream,
    starts: Vec<u64>,
    writes: Vec<(u64, u64)>,
    /// When the first descriptors were there: no earlier can rows be asked for.
    fetched: u64,
    /// When each engine is free.
    free: [u64; 5],
    /// When the last descriptor has issued its last work.
    issued: u64,
    /// When everything so far is written.
    written: u64,
    /// What other engines do, and until when.
    busy: Vec<(u64, Activity)>,
    /// When the compute of the last two row groups ended: the older one's bank is free.
    banks: [u64; 2],
    /// When the results of all groups so far have left.
    results: u64,
    /// When the queues were complete.
    routed: u64,
    lead: Option<Lead>,
}

impl<'a> Model<'a> {
    fn new(machine: &'a Machine<'a>, queues: &'a [Vec<usize>]) -> Self {
        let mut lanes = Lanes::default();
        let descriptor = edge_moe_isa::descriptor::BYTES as u64 / u64::from(machine.arch.bus_bytes());
        let fetched = timing::START + u64::from(machine.memory.latency) + descriptor + timing::STREAM;
        lanes.advance(fetched, Activity::Fetch);
        Self {
            machine,
            queues: queues.iter(),
            lanes,
            stream: Stream::new(machine.arch, &machine.memory),
            starts: Vec::new(),
            writes: Vec::new(),
            fetched,
            free: [0; 5],
            issued: fetched,
            written: fetched,
            busy: Vec::new(),
            banks: [fetched; 2],
            results: 0,
            routed: fetched,
            lead: None,
        }
    }

    fn step(&mut self, descriptor: &Descriptor) {
        let lead = self.lead.take();
        match &descriptor.operation {
            Operation::Linear(linear) => self.linear(linear, descriptor.wait, lead),
            Operation::Norm(norm) => self.norm(norm, descriptor.wait),
            Operation::Attention(attention) => {
                let start = self.start(Engine::Attention, descriptor.wait, None);
                let written = attention_model::play(self.machine.arch, attention, start, &mut self.lanes);
                self.free[Engine::Attention as usize] = written;
                self.issued = self.lanes.now();
                self.written = self.written.max(written + timing::SETTLED);
            }
            Operation::Route(route) => self.route(route, descriptor.wait, lead),
            Operation::Experts(experts) => self.experts(experts, descriptor.wait),
            Operation::Copy(copy) => self.copy(copy, descriptor.wait),
            Operation::End(_) => {
                self.start(Engine::Copy, descriptor.wait, None);
                self.idle(self.written);
                self.lanes.advance(self.written.max(self.lanes.now()) + timing::END, Activity::Fetch);
            }
        }
    }

    fn finish(mut self) -> Trace {
        let bytes = edge_moe_isa::descriptor::BYTES as u64;
        let mut read = self.stream.into_traffic();
        read.extend(self.starts.iter().map(|&start| (start, bytes)));
        self.writes.sort_unstable();
        self.lanes.into_trace(&self.starts, &read, &self.writes)
    }

    /// Starts a descriptor as soon as the rules of dispatch allow. What follows another one word by word
    /// waits for cycle `follows` and no results.
    fn start(&mut self, engine: Engine, wait: bool, follows: Option<u64>) -> u64 {
        let before = if wait { self.written.max(self.issued) } else { self.issued };
        let ready = follows.unwrap_or(before).max(self.free[engine as usize]);
        self.idle(ready);
        let start = ready + timing::DISPATCH;
        self.lanes.advance(start, Activity::Fetch);
        self.starts.push(start);
        start
    }

    /// The lanes wait until a cycle, for what other engines do and then for results.
    fn idle(&mut self, until: u64) {
        for &(end, activity) in &self.busy {
            self.lanes.advance(end.min(until), activity);
        }
        self.lanes.advance(until, Activity::Settle);
        let now = self.lanes.now();
        self.busy.retain(|&(end, _)| end > now);
    }

    fn linear(&mut self, linear: &Linear, wait: bool, lead: Option<Lead>) {
        let arch = self.machine.arch;
        let packed = PackedLinear::new(arch, linear.inputs.into(), linear.outputs.into());
        let lead = match lead {
            Some(Lead::Norm { operation, start, first, last })
                if operation.output == linear.input && operation.channels == linear.inputs =>
            {
                Some((start, (first + timing::FOLLOW, last + timing::FOLLOW)))
            }
            _ => None,
        };
        let (follows, lead) = lead.unzip();
        let start = self.start(Engine::Matrix, wait, follows);
        self.stream.append(linear.weights, packed.bytes() as u64, self.fetched);
        let epilogue = linear.gelu_bits != 0 || linear.destination == Destination::Residual;
        let words = u64::from(arch.lanes / arch.vector);
        let tokens = u64::from(linear.tokens);
        let service = match linear.destination {
            // Words of all lanes leave together when each has collected one.
            Destination::Channels => {
                (u64::from(arch.lanes) + 1) * tokens.div_ceil(arch.vector.into()) / tokens
            }
            _ => words * self.word_cycles(epilogue),
        };
        let group = Group {
            dots: tokens * u64::from(linear.sets),
            beats: u64::from(linear.inputs / arch.vector as u16),
            service,
            finish: self.finish_cycles(epilogue),
        };
        let mut first = 0;
        for index in 0..packed.groups() {
            let lead = if index == 0 { lead } else { None };
            let begin = self.group(start, packed.group_bytes() as u64, &group, lead);
            first = if index == 0 { begin } else { first };
        }
        self.matrix_ends();
        if packed.groups() == 1 && linear.destination == Destination::Tokens {
            let first = first + group.beats + timing::LANES + timing::DRAIN + group.finish;
            let last = self.results + group.finish;
            self.lead = Some(Lead::Gate { logits: linear.output, start, first, last });
        }
    }

    /// Cycles of a word in the epilogue.
    fn word_cycles(&self, epilogue: bool) -> u64 {
        let arch = self.machine.arch;
        if epilogue { u64::from(arch.vector.div_ceil(arch.epilogue_width)) } else { 1 }
    }

    fn finish_cycles(&self, epilogue: bool) -> u64 {
        if epilogue { self.word_cycles(true) + timing::EPILOGUE } else { timing::PLAIN }
    }

    /// Loads a row group and computes it; returns when its beats began. `lead` is when the first word of
    /// its input comes, and when the last.
    fn group(&mut self, start: u64, bytes: u64, group: &Group, lead: Option<(u64, u64)>) -> u64 {
        let [older, newer] = self.banks;
        let loaded = self.stream.take(bytes, older) + timing::ROWS_READY;
        self.lanes.advance(start + timing::LAYER, Activity::Fetch);
        self.lanes.advance(loaded, Activity::Rows);
        let (first, last) = lead.unwrap_or_default();
        self.lanes.advance(first, Activity::Norm);
        let begin = self.lanes.now();
        self.lanes.advance(begin + group.dots * group.beats, Activity::Beat);
        self.lanes.advance(last, Activity::Norm);
        let path = timing::LANES + timing::DRAIN;
        let served = self.results.max(begin + group.beats + path) + group.dots * group.service;
        self.results = served.max(self.lanes.now() + path);
        let most_ahead = timing::RESULTS_IN_FLIGHT * group.service + path;
        self.lanes.advance(served.saturating_sub(most_ahead), Activity::Results);
        self.banks = [newer, self.lanes.now() + timing::BANK_USED];
        self.written = self.written.max(self.results + group.finish + timing::SETTLED);
        begin
    }

    fn matrix_ends(&mut self) {
        self.issued = self.lanes.now();
        self.free[Engine::Matrix as usize] = self.issued;
    }

    fn experts(&mut self, experts: &Experts, wait: bool) {
        let queue = self.queues.next().expect("one queue for each `experts` descriptor");
        let arch = self.machine.arch;
        let start = self.start(Engine::Matrix, wait, None);
        let (channels, hidden) = (usize::from(experts.channels), usize::from(experts.hidden_channels));
        let layers = [PackedLinear::new(arch, channels, hidden), PackedLinear::new(arch, hidden, channels)];
        let bytes = layers.iter().map(|layer| layer.bytes() as u64).sum();
        let visited = || queue.iter().enumerate().filter(|(_, tokens)| **tokens > 0);
        for (index, _) in visited() {
            self.stream.append(experts.weights + index as u32 * experts.stride, bytes, self.routed);
        }
        self.idle(self.routed);
        let service = u64::from(arch.lanes / arch.vector) * self.word_cycles(true);
        for (_, &tokens) in visited() {
            let ready = self.lanes.now().max(start) + timing::EXPERT;
            self.lanes.advance(ready, Activity::Fetch);
            for (index, layer) in layers.iter().enumerate() {
                // The hidden values are read back.
                if index == 1 {
                    self.idle(self.written);
                    self.lanes.advance(self.lanes.now() + timing::LAYER, Activity::Settle);
                }
                let beats = (layer.inputs / arch.vector as usize) as u64;
                let group = Group { dots: tokens as u64, beats, service, finish: self.finish_cycles(true) };
                for _ in 0..layer.groups() {
                    self.group(start, layer.group_bytes() as u64, &group, None);
                }
            }
        }
        self.matrix_ends();
    }

    fn norm(&mut self, norm: &Norm, wait: bool) {
        let arch = self.machine.arch;
        let bytes = u64::from(norm.channels) * PARAMETER_BYTES as u64;
        let start = self.start(Engine::Norm, wait, None);
        self.stream.append(norm.parameters, bytes, self.fetched);
        // The parameters of the norm before are in use until it is done.
        let loaded = self.stream.take(bytes, self.free[Engine::Norm as usize]) + timing::ROWS_READY;
        self.lanes.advance(loaded, Activity::Rows);
        let word = u64::from(arch.vector.div_ceil(arch.norm_width));
        let token = u64::from(arch.words(norm.channels.into())) * word;
        let begin = loaded.max(start + timing::NORM_START);
        let words = token * u64::from(norm.tokens);
        // A word is written when the last of its pieces is there.
        let first = begin + token + timing::NORM + word - 1;
        let last = first + words - word;
        self.lead = Some(Lead::Norm { operation: *norm, start, first, last });
        self.ends(Engine::Norm, (begin + words, last, last + timing::SETTLED), Activity::Norm);
    }

    fn route(&mut self, route: &Route, wait: bool, lead: Option<Lead>) {
        let gate = match lead {
            Some(Lead::Gate { logits, start, first, last }) if logits == route.logits => {
                Some((start, (first, last)))
            }
            _ => None,
        };
        let experts = u64::from(route.experts);
        let rounds = u64::from(route.top_k).saturating_sub(1).max(1);
        let token = rounds * timing::ROUTE_TOKEN.max(experts + 2);
        let alone = (2 * experts + 21 + u64::from(route.top_k)).max(token);
        let tokens = u64::from(route.tokens);
        let (follows, gate) = gate.unzip();
        let start = self.start(Engine::Router, wait, follows);
        let (first, last) = gate.unwrap_or_default();
        let issued = (start.max(first) + (tokens - 1) * token).max(last);
        let done = issued + alone;
        self.routed = done + timing::ROUTE_CLOSE;
        self.ends(Engine::Router, (issued.max(self.issued), done, done), Activity::Route);
    }

    fn copy(&mut self, copy: &Copy, wait: bool) {
        let machine = self.machine;
        let (words, word_bytes) = (u64::from(copy.words), u64::from(machine.arch.word_bytes()));
        let start = self.start(Engine::Copy, wait, None);
        let issued = match (copy.source_space, copy.destination_space) {
            (Space::Memory, _) => {
                let writable = u64::from(copy.source) < machine.writable_bytes;
                let gate = if writable { start } else { self.fetched };
                self.stream.append(copy.source, words * word_bytes, gate);
                self.stream.take(words * word_bytes, start)
            }
            (_, Space::Memory) => {
                let port = machine.arch.bus_bytes().min(machine.arch.memory_bytes);
                let end = start + words * (word_bytes / u64::from(port)).max(1);
                self.writes.push((end, words * word_bytes));
                end
            }
            _ => start + words,
        };
        let confirmation = u64::from(machine.memory.latency) + timing::CONFIRMATION;
        let into_memory = copy.destination_space == Space::Memory;
        let written = issued + timing::COPY + if into_memory { confirmation } else { 0 };
        self.ends(Engine::Copy, (issued, issued, written), Activity::Copy);
    }

    /// An engine other than the lanes has issued its last work, is free, has written its results.
    fn ends(&mut self, engine: Engine, (issued, free, written): (u64, u64, u64), activity: Activity) {
        self.issued = issued;
        self.free[engine as usize] = free;
        self.written = self.written.max(written);
        self.busy.push((written, activity));
    }
}

#[cfg(test)]
#[path = "cycle_model_tests.rs"]
mod tests;
