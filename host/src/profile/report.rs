//! The figures of a run.

use edge_moe_isa::descriptor::{Descriptor, Operation};
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::{DescriptorTrace, Trace};
use serde::Serialize;

use super::cycle_model::{Machine, Memory};
use super::layers::{Cycles, Kind, Part, by_kind, by_name, ratio};
use super::queues::Queues;
use super::work::work;
use crate::compiled::CompiledModel;
use crate::runtime::BlockRouting;

/// Where the cycles come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Predicted by the cycle model.
    Estimated,
    /// Counted in the simulated RTL.
    Simulated,
}

impl Evidence {
    /// Name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Estimated => "estimated",
            Self::Simulated => "simulated",
        }
    }
}

/// What ran, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a CompiledModel,
    /// Index of the program.
    pub program: usize,
    /// What the picture is called.
    pub picture: &'a str,
    /// Name of the device.
    pub device: &'a str,
    /// What kind of device that is.
    pub evidence: Evidence,
    /// Its memory.
    pub memory: Memory,
    /// Clock to which times refer, in MHz.
    pub clock_mhz: f64,
}

/// Where the tokens of a task went in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Visits {
    /// Name of the task.
    pub task: String,
    /// Index of the block.
    pub block: usize,
    /// Tokens of each expert.
    pub tokens_per_expert: Vec<usize>,
}

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the device.
    pub device: String,
    /// Where cycles and bytes come from.
    pub evidence: Evidence,
    /// Name of the architecture.
    pub arch: String,
    /// Name of the program.
    pub program: String,
    /// What the picture is called.
    pub picture: String,
    /// The memory it ran with.
    pub memory: Memory,
    /// Cycles from start to end.
    pub cycles: u64,
    /// Clock that is assumed, in MHz.
    pub clock_mhz: f64,
    /// Time at that clock, in milliseconds.
    pub estimated_ms: f64,
    /// Useful multiplications.
    pub macs: u64,
    /// Multipliers of the lanes.
    pub multipliers: u32,
    /// Share of the multipliers in use, over all cycles.
    pub multiplier_use: f64,
    /// Cycles if all multipliers always did useful work.
    pub ideal_cycles: u64,
    /// Sum over row groups of the longer of compute and load, and the beats of attention.
    pub bound_cycles: u64,
    /// Bytes that crossed the memory ports.
    pub memory_bytes: u64,
    /// Of these, read.
    pub read_bytes: u64,
    /// Of these, written.
    pub written_bytes: u64,
    /// Where the cycles went: beats, and stalls by name.
    pub activities: Cycles,
    /// Sums by kind of layer.
    pub kinds: Vec<Part>,
    /// Layers, in order.
    pub layers: Vec<Part>,
    /// Descriptors, in order.
    pub descriptors: Vec<Part>,
    /// Tokens per expert, task by task.
    pub routing: Vec<Visits>,
}

impl Report {
    /// The figures of a trace. `queues` and `routing` are what the same picture gave on the software device.
    ///
    /// # Panics
    /// If the trace has not one entry for each descriptor of the program, or queues are missing.
    pub fn new(subject: &Subject<'_>, trace: &Trace, queues: &Queues, routing: &[BlockRouting]) -> Self {
        let manifest = subject.model.manifest();
        let (program, arch) = (&manifest.programs[subject.program], &manifest.arch);
        let mut descriptors = parts(subject, trace, queues);
        let (mut layers, mut kinds) = (by_name(&descriptors), by_kind(&descriptors));
        for part in descriptors.iter_mut().chain(&mut layers).chain(&mut kinds) {
            part.relate(trace.cycles, arch.multipliers());
        }
        let sum = |of: fn(&Part) -> u64| descriptors.iter().map(of).sum::<u64>();
        let (macs, read_bytes, written_bytes) =
            (sum(|part| part.macs), sum(|part| part.read_bytes), sum(|part| part.written_bytes));
        let bound_cycles = sum(|part| part.bound_cycles);
        let mut activities = Cycles::default();
        for (index, total) in activities.0.iter_mut().enumerate() {
            *total = descriptors.iter().map(|part| part.activities.0[index]).sum();
        }
        let tasks = &subject.model.card().config.tasks;
        let visits = |routing: &BlockRouting| Visits {
            task: tasks[routing.task].name.clone(),
            block: routing.block,
            tokens_per_expert: routing.tokens_per_expert(),
        };
        Self {
            device: subject.device.to_string(),
            evidence: subject.evidence,
            arch: arch.name.clone(),
            program: program.name.clone(),
            picture: subject.picture.to_string(),
            memory: subject.memory,
            cycles: trace.cycles,
            clock_mhz: subject.clock_mhz,
            estimated_ms: trace.cycles as f64 / (1000.0 * subject.clock_mhz),
            macs,
            multipliers: arch.multipliers(),
            multiplier_use: ratio(macs, trace.cycles * u64::from(arch.multipliers())),
            ideal_cycles: macs.div_ceil(arch.multipliers().into()),
            bound_cycles,
            memory_bytes: read_bytes + written_bytes,
            read_bytes,
            written_bytes,
            activities,
            kinds,
            layers,
            descriptors,
            routing: routing.iter().map(visits).collect(),
        }
    }
}

/// One part for each descriptor.
fn parts(subject: &Subject<'_>, trace: &Trace, queues: &Queues) -> Vec<Part> {
    let manifest = subject.model.manifest();
    let program = &subject.model.programs()[subject.program];
    let machine =
        Machine { arch: &manifest.arch, memory: subject.memory, writable_bytes: manifest.writable_bytes };
    let work = work(&machine, program, queues);
    assert_eq!(trace.descriptors.len(), program.len(), "descriptors of trace and program");
    let activities = attributed(program, trace);
    let mut start = 0;
    let mut parts = Vec::new();
    let steps = &manifest.programs[subject.program].steps;
    for (index, (descriptor, step)) in program.iter().zip(steps).enumerate() {
        let kind = Kind::of(&descriptor.operation, &step.label);
        let trace = DescriptorTrace { start, activities: activities[index], ..trace.descriptors[index] };
        parts.push(Part::new(&step.label, kind, &trace, &work[index]));
        start += trace.cycles();
    }
    parts
}

/// Cycles of each descriptor. Beats after the start of one that does not multiply belong to the last one
/// that does: a route follows its gate word by word, so that all of the gate's beats come after its start.
fn attributed(program: &[Descriptor], trace: &Trace) -> Vec<[u64; Activity::ALL.len()]> {
    let mut activities: Vec<_> = trace.descriptors.iter().map(|descriptor| descriptor.activities).collect();
    let mut multiplies = None;
    for (index, descriptor) in program.iter().enumerate() {
        match (&descriptor.operation, multiplies) {
            (Operation::Linear(_) | Operation::Attention(_) | Operation::Experts(_), _) => {
                multiplies = Some(index);
            }
            (_, Some(owner)) => {
                let beats = std::mem::take(&mut activities[index][Activity::Beat as usize]);
                activities[owner][Activity::Beat as usize] += beats;
            }
            (_, None) => {}
        }
    }
    activities
}
