//! The bench, tested with a small module that has the core's ports.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Space;
use edge_moe_isa::registers::{Activity, DEFAULT_TIMEOUT, ErrorCode, MAGIC, Register};
use edge_moe_sim::memory::{Faults, Memory, MemorySettings, Traffic};
use edge_moe_sim::{CoreLibrary, CoreModel, CoreOptions, Error, Run, Step, Waves};

const WRITABLE: usize = 256;

fn library(waves: bool) -> CoreLibrary {
    CoreLibrary::from_verilog(&ArchConfig::tiny(), include_str!("stand_in.v"), waves).unwrap()
}

/// Two descriptors, each word of them its own number, and an `end`.
fn memory(change: impl FnOnce(&mut MemorySettings)) -> Memory {
    let arch = ArchConfig::tiny();
    let mut settings = MemorySettings::of(&arch);
    change(&mut settings);
    let mut image: Vec<u8> = (1..=32u32).flat_map(u32::to_le_bytes).collect();
    image.resize(3 * 64, 0);
    Memory::new(&arch, settings, vec![0xaa; WRITABLE], image)
}

fn core(change: impl FnOnce(&mut MemorySettings)) -> CoreModel {
    CoreModel::new(&library(false), &CoreOptions::default(), memory(change)).unwrap()
}

fn run() -> Run {
    Run {
        program: WRITABLE as u32,
        serialise: false,
        interrupt: false,
        timeout: DEFAULT_TIMEOUT,
        cycle_limit: 100_000,
    }
}

#[track_caller]
fn assert_results(core: &CoreModel) {
    let scratchpad = core.shadow(Space::Scratchpad).unwrap();
    assert_eq!(scratchpad.values()[4 * 17..][..4], [18, 0, 18, 0]);
    assert_eq!(scratchpad.written().iter().filter(|&&written| written).count(), 48);
    let residual = core.shadow(Space::Residual).unwrap();
    assert_eq!(residual.values()[..8], [0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(residual.written()[..3], [true, true, false]);
    assert!(core.shadow(Space::Memory).is_none());
    let writable = core.memory().writable();
    assert_eq!(writable[64 + 60..][..4], [15, 1, 0, 0]);
    assert_eq!(writable[128], 0xaa);
}

#[test]
fn registers_are_read_and_written() {
    let mut core = core(|_| ());
    assert_eq!(core.read_register(Register::Magic).unwrap(), MAGIC);
    core.write_register(Register::Timeout, 0xdead_beef).unwrap();
    assert_eq!(core.read_register(Register::Timeout).unwrap(), 0xdead_beef);
}

#[test]
fn a_run_leaves_its_results_and_its_trace() {
    let mut core = core(|_| ());
    core.start(&Run { interrupt: true, ..run() }).unwrap();
    assert!(core.is_running() && !core.interrupt().unwrap());
    let ending = core.run_to_end(&mut |_| ()).unwrap();
    assert!(core.interrupt().unwrap());
    assert_results(&core);
    let trace = core.trace();
    assert_eq!((ending.cycles, ending.traffic), (trace.cycles, Traffic { read: 192, written: 128 }));
    let bytes: Vec<_> = trace.descriptors.iter().map(|one| (one.read_bytes, one.written_bytes)).collect();
    assert_eq!(bytes, [(64, 64), (64, 64), (64, 0)]);
    assert_eq!(trace.descriptors.iter().map(|one| one.cycles()).sum::<u64>(), trace.cycles);
    assert!(trace.descriptors.iter().all(|one| one.beats() == 16));
    assert_eq!(trace.descriptors[0].activities[Activity::Settle as usize], 1);
    assert_eq!(trace.descriptors[1].start, trace.descriptors[0].cycles());
    assert!(trace.descriptors[0].activities[Activity::Fetch as usize] >= 64, "latency");
}

#[test]
fn a_slow_memory_under_back_pressure_changes_cycles_only() {
    let fast = {
        let mut core = core(|_| ());
        core.start(&run()).unwrap();
        core.run_to_end(&mut |_| ()).unwrap().cycles
    };
    for seed in 0..5 {
        let mut core = core(|settings| {
            *settings = MemorySettings { latency: 100..=300, back_pressure: 0.6, seed, ..settings.clone() };
        });
        core.start(&run()).unwrap();
        assert!(core.run_to_end(&mut |_| ()).unwrap().cycles > fast + 200);
        assert_results(&core);
    }
}

#[test]
fn descriptors_settle_one_after_another() {
    let mut core = core(|_| ());
    core.start(&Run { serialise: true, ..run() }).unwrap();
    assert_eq!(core.run_to_settled().unwrap(), Step::Settled(0));
    assert_eq!(core.shadow(Space::Residual).unwrap().written()[..2], [true, false]);
    assert_eq!(core.run_to_settled().unwrap(), Step::Settled(1));
    assert_eq!(core.run_to_settled().unwrap(), Step::Settled(2));
    assert_eq!(core.run_to_settled().unwrap(), Step::Ended);
    assert_results(&core);
}

#[test]
fn a_second_run_forgets_what_the_first_wrote() {
    let mut core = core(|_| ());
    core.start(&run()).unwrap();
    core.run_to_end(&mut |_| ()).unwrap();
    core.start(&Run { program: WRITABLE as u32 + 128, ..run() }).unwrap();
    core.run_to_end(&mut |_| ()).unwrap();
    assert_eq!(core.trace().descriptors.len(), 1);
    assert!(core.shadow(Space::Residual).unwrap().written().iter().all(|&written| !written));
}

#[test]
fn errors_of_the_memory_stop_the_program() {
    let mut core = core(|settings| settings.faults.errors = Some(320..324));
    core.start(&run()).unwrap();
    let error = core.run_to_end(&mut |_| ()).unwrap_err();
    let Error::Stopped { descriptor, code, .. } = error else { panic!("{error}") };
    assert_eq!((descriptor, code), (1, ErrorCode::ReadResponse as u32));
    assert!(error.to_string().ends_with(
        "descriptor 1 stopped with error 5: read_response: Memory answered a read with an error."
    ));
}

#[test]
fn a_memory_that_stops_leads_to_a_timeout_and_starts_are_refused_until_it_answers() {
    let mut core = core(|settings| settings.faults.answered_reads = Some(1));
    core.start(&Run { timeout: 500, ..run() }).unwrap();
    let error = core.run_to_end(&mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::Stopped { descriptor: 1, code: 7, .. }), "{error}");
    assert!(matches!(core.start(&run()), Err(Error::Refused { .. })));
    core.memory_mut().set_faults(Faults::default());
    core.drain(1000).unwrap();
    assert!(core.memory().is_idle());
    core.start(&run()).unwrap();
    core.run_to_end(&mut |_| ()).unwrap();
    assert_results(&core);
}

#[test]
fn the_host_gives_up_after_its_limit_of_cycles_and_a_reset_helps() {
    let mut core = core(|settings| settings.faults.answered_reads = Some(0));
    core.start(&Run { cycle_limit: 300, ..run() }).unwrap();
    let error = core.run_to_end(&mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::CycleLimit { descriptor: 0, limit: 300, .. }), "{error}");
    core.memory_mut().set_faults(Faults::default());
    core.reset().unwrap();
    core.start(&run()).unwrap();
    core.run_to_end(&mut |_| ()).unwrap();
    assert_results(&core);
}

#[test]
fn a_start_while_a_program_runs_is_refused_and_does_no_harm() {
    let mut core = core(|_| ());
    core.start(&run()).unwrap();
    assert!(matches!(core.start(&run()), Err(Error::Refused { .. })));
    core.run_to_end(&mut |_| ()).unwrap();
    assert_results(&core);
}

#[test]
fn a_broken_rule_of_the_bus_is_an_error() {
    let mut core = core(|_| ());
    let error = core.start(&Run { program: 512, ..run() }).unwrap_err();
    assert!(error.to_string().contains("read outside of device memory, 448 bytes"), "{error}");
}

#[test]
fn waves_hold_the_cycles_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.fst");
    let waves = Waves { path: path.clone(), from: 50, to: 60 };
    let options = CoreOptions { seed: 1, waves: Some(waves) };
    let mut core = CoreModel::new(&library(true), &options, memory(|_| ())).unwrap();
    assert!(!path.exists());
    core.start(&run()).unwrap();
    core.run_to_end(&mut |_| ()).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes > 0);
    drop(core);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes, "closed after its last cycle");
}

#[test]
fn only_named_architectures_have_a_core() {
    let arch = ArchConfig { max_tokens: 65, ..ArchConfig::tiny() };
    let error = CoreLibrary::build(&arch, false).unwrap_err();
    assert!(matches!(&error, Error::Architecture(name) if name == "tiny"), "{error}");
}
