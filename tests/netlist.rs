//! The netlists that yosys makes of cores for ECP5, simulated with models of their cells: they leave the
//! same bytes as the software device.
//!
//! The core `tiny` always; with `EMOE_LONG` also `ecp5-85`, more random programs, and faults in the netlist.
//! `EMOE_SEED` runs the random program of one seed.

mod common;
#[path = "netlist/synthesis.rs"]
mod synthesis;

use std::sync::LazyLock;

use common::{compile_for, pictures, random_model};
use edge_moe::device::{Device, RtlDevice, RtlOptions};
use edge_moe::lockstep::Lockstep;
use edge_moe::model::sample_shapes;
use edge_moe::random_program::{RandomProgram, random_program};
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_sim::CoreLibrary;
use synthesis::netlist;

/// The netlist of `tiny`, built.
static TINY: LazyLock<CoreLibrary> = LazyLock::new(|| build(&ArchConfig::tiny()));

/// Seed of the model of the comparison.
const MODEL: u64 = 41;

fn is_long() -> bool {
    std::env::var_os("EMOE_LONG").is_some()
}

/// Whether a test that takes minutes runs; says on stderr which one does not.
fn runs_long(test: &str) -> bool {
    if !is_long() {
        eprintln!("{test}: left out, EMOE_LONG is not set");
    }
    is_long()
}

/// Seeds of random programs: one from outside, or a few, or many with `EMOE_LONG`.
fn seeds() -> Vec<u64> {
    match std::env::var("EMOE_SEED") {
        Ok(seed) => vec![seed.parse().expect("EMOE_SEED is a number")],
        Err(_) => (1..=if is_long() { 300 } else { 12 }).collect(),
    }
}

fn build(arch: &ArchConfig) -> CoreLibrary {
    CoreLibrary::from_netlist(arch, netlist(arch)).unwrap()
}

/// A picture through a mixture of experts on a core: the answers, and every byte that its program leaves.
/// The first difference from the software device, or the error that the run ended in.
fn run_mixture(library: &CoreLibrary) -> Result<(), String> {
    let model = random_model(sample_shapes::mixture(), MODEL);
    let pictures = pictures(&model.config, 3);
    let compiled = compile_for(&model, library.arch(), &pictures[..2]);
    let options =
        RtlOptions { seed: MODEL, timeout: 50_000, cycle_limit: 1_000_000, ..RtlOptions::default() };
    let device = RtlDevice::with_library(options.clone(), library.clone());
    let mut runtime = Runtime::new(device, compiled.clone()).unwrap();
    runtime.write_picture(&pictures[2]).unwrap();
    let mut memory = vec![0; compiled.manifest().writable_bytes as usize];
    runtime.device().read_memory(0, &mut memory).unwrap();

    let mut device = RtlDevice::with_library(options, library.clone());
    let mut lockstep = Lockstep::new(&mut device, compiled.executable()).unwrap();
    let difference = lockstep.whole_run(0, &memory).map_err(|error| error.to_string())?;
    difference.map_or(Ok(()), |difference| Err(difference.to_string()))?;
    let answers = runtime.run(&pictures[2], 0).map_err(|error| error.to_string())?;
    if answers == common::run(&compiled, &pictures[2]) { Ok(()) } else { Err("the answers differ".into()) }
}

/// Runs random programs on a core, one descriptor at a time and as a whole, behind a memory of any kind.
#[track_caller]
fn assert_random_programs_leave_the_same(library: &CoreLibrary, seeds: &[u64]) {
    for &seed in seeds {
        let options = RtlOptions { random_memory: true, seed, ..RtlOptions::default() };
        let mut device = RtlDevice::with_library(options, library.clone());
        let RandomProgram { executable, memory } = random_program(library.arch(), seed).unwrap();
        let mut lockstep = Lockstep::new(&mut device, &executable).unwrap();
        let mut run = || match lockstep.step_by_step(0, &memory, &mut |_| ())? {
            None => lockstep.whole_run(0, &memory),
            difference => Ok(difference),
        };
        let difference = run().unwrap_or_else(|error| panic!("EMOE_SEED={seed}: {error}"));
        assert_eq!(difference.map(|difference| difference.to_string()), None, "EMOE_SEED={seed}");
    }
}

#[test]
fn a_mixture_of_experts_leaves_the_same_on_the_netlist_of_tiny() {
    assert_eq!(run_mixture(&TINY), Ok(()));
}

#[test]
fn random_programs_leave_the_same_on_the_netlist_of_tiny() {
    assert_random_programs_leave_the_same(&TINY, &seeds());
}

#[test]
fn a_mixture_of_experts_leaves_the_same_on_the_netlist_of_ecp5_85() {
    if runs_long("ecp5-85") {
        assert_eq!(run_mixture(&build(&ArchConfig::ecp5_85())), Ok(()));
    }
}

/// Where a lane multiplies: the first multiplier of two signed operands that may be negative, since the
/// sign bit of neither is a constant.
fn lane_product(netlist: &str) -> usize {
    let signed = [".A17(_", ".B17(_", ".SIGNEDA(1'h1)", ".SIGNEDB(1'h1)"];
    let mut multipliers = netlist.match_indices("MULT18X18D").map(|(place, _)| place);
    let is_lane = |place: &usize| {
        let cell = netlist[*place..].split(");\n").next().unwrap_or_default();
        signed.iter().all(|pin| cell.contains(pin))
    };
    multipliers.find(is_lane).expect("a product of signed operands")
}

/// The netlist with `to` for the first `from` in the lane, built.
#[track_caller]
fn with_fault(netlist: &str, from: &str, to: &str) -> CoreLibrary {
    let (before, lane) = netlist.split_at(lane_product(netlist));
    let faulty = format!("{before}{}", lane.replacen(from, to, 1));
    assert_ne!(faulty, netlist, "no fault was planted");
    CoreLibrary::from_netlist(&ArchConfig::tiny(), faulty).unwrap()
}

#[test]
fn faults_in_the_netlist_are_noticed() {
    if !runs_long("faults in the netlist") {
        return;
    }
    let netlist = netlist(&ArchConfig::tiny());
    let unsigned = with_fault(&netlist, ".SIGNEDB(1'h1)", ".SIGNEDB(1'h0)");
    eprintln!("an unsigned operand: {}", run_mixture(&unsigned).unwrap_err());
    let wrong_table = with_fault(&netlist, "LUT4 #(\n    .INIT(16'h", "LUT4 #(\n    .INIT(~16'h");
    eprintln!("another table of a LUT: {}", run_mixture(&wrong_table).unwrap_err());
}
