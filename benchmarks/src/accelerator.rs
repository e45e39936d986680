//! A picture on the named architectures: counted in simulated RTL, and estimated by the cycle model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use edge_moe::Result;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::SoftwareDevice;
use edge_moe::profile::{Evidence, Kind, Machine, Memory, Report, Subject, observe, predict};
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::Trace;
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;
use crate::results::VERSION;
use crate::workload::{PICTURE, Workload};

/// Name of the results.
pub const NAME: &str = "accelerator";
/// Cycles from a memory address to its data, in every run.
pub const LATENCY: u32 = 64;
/// [`Subject`] wants a clock; no time of its reports is used.
const ANY_CLOCK_MHZ: f64 = 1.0;

/// Runs of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accelerator {
    /// Version of this form.
    pub version: u32,
    /// Where and when.
    pub provenance: Provenance,
    /// The picture's file.
    pub picture: String,
    /// Cycles from a memory address to its data.
    pub memory_latency: u32,
    /// Runs, by architecture and program.
    pub runs: Vec<Run>,
}

/// One program of one architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Name of the architecture.
    pub arch: String,
    /// Multipliers of its lanes.
    pub multipliers: u32,
    /// Bytes that its memory moves in a cycle.
    pub bytes_per_cycle: f64,
    /// What the model is called.
    pub model: String,
    /// Were its weights trained?
    pub trained: bool,
    /// Name of the program: a task, or all of them.
    pub program: String,
    /// Useful multiplications.
    pub macs: u64,
    /// Cycles if all multipliers always did useful work.
    pub ideal_cycles: u64,
    /// Sum over row groups of the longer of compute and load, and the beats of attention.
    pub bound_cycles: u64,
    /// Counted in the RTL.
    pub simulated: Counts,
    /// By the cycle model.
    pub estimated: Counts,
}

/// What a device counts in a run, or a model says that it would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// From start to end.
    pub cycles: u64,
    /// Share of the multipliers in use, over all cycles.
    pub multiplier_use: f64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Cycles by what the lanes did: beats, or what they waited for.
    pub activities: BTreeMap<String, u64>,
    /// Cycles by kind of layer.
    pub kinds: Vec<KindCounts>,
}

/// All layers of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindCounts {
    /// The kind.
    pub kind: Kind,
    /// Its cycles.
    pub cycles: u64,
    /// Its useful multiplications.
    pub macs: u64,
    /// Share of the multipliers in use in its cycles.
    pub multiplier_use: f64,
    /// Bytes that it needs, whenever they were moved.
    pub bytes: u64,
}

impl Run {
    /// Estimated over simulated cycles, less one.
    pub fn model_error(&self) -> f64 {
        self.estimated.cycles as f64 / self.simulated.cycles as f64 - 1.0
    }
}

impl Counts {
    fn new(report: &Report) -> Self {
        let activity = |activity: &Activity| (activity.name().to_string(), report.activities.of(*activity));
        Self {
            cycles: report.cycles,
            multiplier_use: report.multiplier_use,
            read_bytes: report.read_bytes,
            written_bytes: report.written_bytes,
            activities: Activity::ALL.iter().map(activity).collect(),
            kinds: report.kinds.iter().map(KindCounts::new).collect(),
        }
    }

    /// Bytes that crossed the memory ports.
    pub fn bytes(&self) -> u64 {
        self.read_bytes + self.written_bytes
    }
}

impl KindCounts {
    fn new(part: &edge_moe::profile::Part) -> Self {
        let (kind, cycles, macs, bytes) = (part.kind, part.cycles, part.macs, part.bytes);
        Self { kind, cycles, macs, multiplier_use: part.multiplier_use, bytes }
    }
}

/// What runs a program and tells where its cycles went, for a model that it has loaded.
pub type Simulate<'a> = dyn FnMut(&Arc<CompiledModel>, &Workload, usize) -> Result<Trace> + 'a;

/// Measures every named architecture. `simulate` is asked for every program of every model.
pub fn measure(root: &Path, simulate: &mut Simulate<'_>) -> Result<Accelerator> {
    let provenance = Provenance::now(root, &["verilator"]);
    let (small, trained) = (Workload::random(root)?, Workload::trained(root)?);
    let mut runs = Vec::new();
    for arch in ArchConfig::named() {
        let workload = if arch.name == "tiny" { &small } else { &trained };
        runs.extend(measure_programs(&arch, workload, simulate)?);
    }
    Ok(Accelerator {
        version: VERSION,
        provenance,
        picture: PICTURE.to_string(),
        memory_latency: LATENCY,
        runs,
    })
}

/// Measures every program of a model on an architecture.
fn measure_programs(arch: &ArchConfig, workload: &Workload, simulate: &mut Simulate<'_>) -> Result<Vec<Run>> {
    let model = workload.compile(arch)?;
    let memory = Memory::of(arch, LATENCY);
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(&model))?;
    let machine = Machine { arch, memory, writable_bytes: model.manifest().writable_bytes };
    let measure = |(program, descriptors): (usize, &Vec<_>)| {
        let (answers, queues) = observe(&mut runtime, &workload.picture, program)?;
        let report = |trace: &Trace, evidence: Evidence| {
            let subject = Subject {
                model: &model,
                program,
                picture: PICTURE,
                device: evidence.name(),
                evidence,
                memory,
                clock_mhz: ANY_CLOCK_MHZ,
            };
            Report::new(&subject, trace, &queues, &answers.routing)
        };
        let simulated = report(&simulate(&model, workload, program)?, Evidence::Simulated);
        let estimated = report(&predict(&machine, descriptors, &queues), Evidence::Estimated);
        Ok(Run {
            arch: arch.name.clone(),
            multipliers: arch.multipliers(),
            bytes_per_cycle: memory.bytes_per_cycle,
            model: workload.name.clone(),
            trained: workload.trained,
            program: simulated.program.clone(),
            macs: simulated.macs,
            ideal_cycles: simulated.ideal_cycles,
            bound_cycles: simulated.bound_cycles,
            simulated: Counts::new(&simulated),
            estimated: Counts::new(&estimated),
        })
    };
    model.programs().iter().enumerate().map(measure).collect()
}

/// Runs a program in RTL under Verilator.
#[cfg(feature = "sim")]
pub fn simulate_rtl(model: &Arc<CompiledModel>, workload: &Workload, program: usize) -> Result<Trace> {
    use edge_moe::device::{Device, RtlDevice, RtlOptions};
    let (arch, name) = (&model.manifest().arch.name, &model.manifest().programs[program].name);
    eprintln!("simulating `{name}` of {} on {arch}", workload.name);
    let options = RtlOptions { latency: LATENCY..=LATENCY, ..RtlOptions::default() };
    let mut runtime = Runtime::new(RtlDevice::new(options), Arc::clone(model))?;
    runtime.run(&workload.picture, program)?;
    Ok(runtime.device().trace().expect("the RTL traces every run").clone())
}

/// Runs a program in RTL under Verilator.
#[cfg(not(feature = "sim"))]
pub fn simulate_rtl(_model: &Arc<CompiledModel>, _workload: &Workload, _program: usize) -> Result<Trace> {
    Err(edge_moe::Error::usage("accelerator", "this command was built without the RTL")
        .hint("build it with `--features sim`, or run `make bench`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::root;

    /// In place of the RTL: what the model says, with one cycle more in the first descriptor.
    fn slower(model: &Arc<CompiledModel>, workload: &Workload, program: usize) -> Result<Trace> {
        let manifest = model.manifest();
        let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(model))?;
        let (_, queues) = observe(&mut runtime, &workload.picture, program)?;
        let memory = Memory::of(&manifest.arch, LATENCY);
        let machine = Machine { arch: &manifest.arch, memory, writable_bytes: manifest.writable_bytes };
        let mut trace = predict(&machine, &model.programs()[program], &queues);
        trace.cycles += 1;
        trace.descriptors[0].activities[Activity::Fetch as usize] += 1;
        Ok(trace)
    }

    #[test]
    fn every_program_is_counted_and_its_parts_are_the_whole() {
        let workload = Workload::random(&root()).unwrap();
        let runs = measure_programs(&ArchConfig::tiny(), &workload, &mut slower).unwrap();
        let names: Vec<&str> = runs.iter().map(|run| run.program.as_str()).collect();
        assert_eq!(names, ["all", "semseg", "depth"]);
        for run in &runs {
            assert_eq!(run.simulated.cycles, run.estimated.cycles + 1);
            assert!((-1e-3..0.0).contains(&run.model_error()));
            for counts in [&run.simulated, &run.estimated] {
                assert_eq!(counts.activities.values().sum::<u64>(), counts.cycles);
                assert_eq!(counts.kinds.iter().map(|kind| kind.cycles).sum::<u64>(), counts.cycles);
                assert_eq!(counts.kinds.iter().map(|kind| kind.macs).sum::<u64>(), run.macs);
            }
        }
        let again: Vec<Run> = serde_json::from_str(&serde_json::to_string(&runs).unwrap()).unwrap();
        assert_eq!(again, runs);
    }
}
