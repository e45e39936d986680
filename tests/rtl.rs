//! The RTL as a device: the same bytes as the software device, whatever memory is like, and an
//! error with its place for everything that goes wrong.

mod common;

use std::sync::{Arc, LazyLock};

use common::{compile_for, pictures, random_model};
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{Device, RtlDevice, RtlOptions, Stepper};
use edge_moe::lockstep::Lockstep;
use edge_moe::model::sample_shapes;
use edge_moe::random_program::{RandomProgram, random_program};
use edge_moe::runtime::Runtime;
use edge_moe::{Error, ErrorKind};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{Activity, Register, control};
use edge_moe_sim::memory::Faults;
use image::RgbImage;

/// A small mixture of experts for `tiny`, and a picture.
static MIXTURE: LazyLock<(Arc<CompiledModel>, RgbImage)> = LazyLock::new(|| {
    let model = random_model(sample_shapes::mixture(), 41);
    let pictures = pictures(&model.config, 3);
    (compile_for(&model, &ArchConfig::tiny(), &pictures[..2]), pictures[2].clone())
});

/// Random programs of a test: a few, or many with `EMOE_LONG`.
fn programs() -> u64 {
    if std::env::var_os("EMOE_LONG").is_some() { 2000 } else { 60 }
}

fn runtime(options: RtlOptions) -> Runtime<RtlDevice> {
    let (model, picture) = &*MIXTURE;
    let mut runtime = Runtime::new(RtlDevice::new(options), Arc::clone(model)).unwrap();
    runtime.write_picture(picture).unwrap();
    runtime
}

/// The writable memory as the network sees it before a run.
fn memory() -> Vec<u8> {
    let mut runtime = runtime(RtlOptions::default());
    let mut memory = vec![0; runtime.model().manifest().writable_bytes as usize];
    runtime.device().read_memory(0, &mut memory).unwrap();
    memory
}

#[track_caller]
fn device_error(result: edge_moe::Result<()>, parts: &[&str]) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` in: {error}");
    }
    error
}

/// Answers of the picture, which must be those of the software device.
#[track_caller]
fn assert_answers_right(runtime: &mut Runtime<RtlDevice>) {
    let (model, picture) = &*MIXTURE;
    assert_eq!(runtime.run(picture, 0).unwrap(), common::run(model, picture));
}

#[test]
fn a_mixture_of_experts_leaves_the_same_after_every_descriptor_and_at_the_end() {
    let mut device = RtlDevice::new(RtlOptions { seed: 7, ..RtlOptions::default() });
    let (model, _) = &*MIXTURE;
    let mut lockstep = Lockstep::new(&mut device, model.executable()).unwrap();
    for program in 0..model.programs().len() {
        let difference = lockstep.step_by_step(program, &memory(), &mut |_| ()).unwrap();
        assert_eq!(difference.map(|difference| difference.to_string()), None);
        let difference = lockstep.whole_run(program, &memory()).unwrap();
        assert_eq!(difference.map(|difference| difference.to_string()), None);
    }
}

#[test]
fn a_network_without_heads_answers_with_the_same_tokens() {
    let model = random_model(sample_shapes::headless(sample_shapes::mixture()), 42);
    let pictures = pictures(&model.config, 2);
    let compiled = compile_for(&model, &ArchConfig::tiny(), &pictures[..1]);
    let mut runtime = Runtime::new(RtlDevice::new(RtlOptions::default()), Arc::clone(&compiled)).unwrap();
    assert_eq!(runtime.run(&pictures[1], 0).unwrap(), common::run(&compiled, &pictures[1]));
}

#[test]
fn a_slow_memory_under_back_pressure_changes_cycles_only() {
    let mut cycles = Vec::new();
    for options in [
        RtlOptions { latency: 1..=1, ..RtlOptions::default() },
        RtlOptions { latency: 20..=400, back_pressure: 0.5, seed: 3, ..RtlOptions::default() },
    ] {
        let mut runtime = runtime(options);
        assert_answers_right(&mut runtime);
        cycles.push(runtime.device().figures().unwrap().cycles);
    }
    assert!(cycles[0] < cycles[1], "{cycles:?}");
}

fn assert_random_programs_leave_the_same(arch: &ArchConfig, programs: u64) {
    let mut device = RtlDevice::new(RtlOptions { random_memory: true, ..RtlOptions::default() });
    for seed in 1..=programs {
        let RandomProgram { executable, memory } = random_program(arch, seed).unwrap();
        let mut lockstep = Lockstep::new(&mut device, &executable).unwrap();
        let mut run = || match lockstep.step_by_step(0, &memory, &mut |_| ())? {
            None => lockstep.whole_run(0, &memory),
            difference => Ok(difference),
        };
        let difference = run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(difference.map(|difference| difference.to_string()), None, "seed {seed}");
    }
}

#[test]
fn random_programs_leave_the_same() {
    assert_random_programs_leave_the_same(&ArchConfig::tiny(), programs());
}

/// LayerNorm is narrower than a word there.
#[test]
fn random_programs_leave_the_same_at_ecp5_85() {
    assert_random_programs_leave_the_same(&ArchConfig::ecp5_85(), programs() / 10);
}

#[test]
fn counters_and_trace_agree() {
    let mut runtime = runtime(RtlOptions::default());
    assert_answers_right(&mut runtime);
    let figures = runtime.device().figures().unwrap();
    let trace = runtime.device().trace().unwrap().clone();
    assert_eq!(trace.descriptors.len(), MIXTURE.0.programs()[0].len());
    let core = runtime.device().core().unwrap();
    let mut counter = |register| u64::from(core.read_register(register).unwrap());
    assert_eq!(counter(Register::Cycles), trace.cycles);
    assert_eq!(figures.cycles, trace.cycles);
    for activity in Activity::ALL {
        let cycles: u64 = trace.descriptors.iter().map(|one| one.activities[*activity as usize]).sum();
        assert_eq!(counter(activity.counter()), cycles, "{activity:?}");
    }
    let bus_bytes = u64::from(ArchConfig::tiny().bus_bytes());
    assert_eq!(counter(Register::ReadBeats) * bus_bytes, figures.read_bytes);
    assert_eq!(counter(Register::WriteBeats) * bus_bytes, figures.written_bytes);
}

#[test]
fn an_error_of_memory_names_the_descriptor_and_the_next_run_is_right() {
    let mut runtime = runtime(RtlOptions::default());
    let image = MIXTURE.0.manifest().writable_bytes;
    let errors = Some(image..image + 64);
    runtime.device().core().unwrap().memory_mut().set_faults(Faults { errors, ..Faults::default() });
    let result = runtime.device().run(0);
    device_error(result, &["stopped with error 5: read_response: ", "cycle ", "patch embedding"]);
    runtime.device().core().unwrap().memory_mut().set_faults(Faults::default());
    assert_answers_right(&mut runtime);
}

#[test]
fn an_error_of_a_write_is_noticed() {
    let mut runtime = runtime(RtlOptions::default());
    let address = MIXTURE.0.manifest().programs[0].outputs[0].address;
    let errors = Some(address..address + 4);
    runtime.device().core().unwrap().memory_mut().set_faults(Faults { errors, ..Faults::default() });
    let result = runtime.device().run(0);
    device_error(result, &["stopped with error 6: write_response: "]);
    runtime.device().core().unwrap().memory_mut().set_faults(Faults::default());
    assert_answers_right(&mut runtime);
}

#[test]
fn a_memory_that_stops_answering_leads_to_a_timeout_and_the_next_run_is_right() {
    let mut runtime = runtime(RtlOptions { timeout: 2000, ..RtlOptions::default() });
    let stop = Faults { answered_reads: Some(20), ..Faults::default() };
    runtime.device().core().unwrap().memory_mut().set_faults(stop);
    let result = runtime.device().run(0);
    device_error(result, &["stopped with error 7: timeout: "]);
    device_error(runtime.device().run(0), &["the start was refused"]);
    runtime.device().core().unwrap().memory_mut().set_faults(Faults::default());
    assert_answers_right(&mut runtime);
}

#[test]
fn the_host_gives_up_at_its_limit() {
    let mut runtime = runtime(RtlOptions { cycle_limit: 500, ..RtlOptions::default() });
    device_error(runtime.device().run(0), &["the limit of 500 cycles is reached (descriptor "]);
}

/// Writes registers while the program of the model runs, then starts it without the checks of the device.
fn start(runtime: &mut Runtime<RtlDevice>) {
    runtime.device().start(0).unwrap();
}

#[test]
fn programs_stay_inside_the_window_that_registers_grant() {
    let (model, _) = &*MIXTURE;
    let writable = model.manifest().writable_bytes as u32;
    for (register, value, message) in [
        (Register::TotalBytes, writable + 64, "error 3: read_window: "),
        (Register::WritableBytes, 64, "error 4: write_window: "),
    ] {
        let mut runtime = runtime(RtlOptions::default());
        start(&mut runtime);
        let core = runtime.device().core().unwrap();
        core.write_register(Register::Control, control::STOP).unwrap();
        let stopped = core.run_to_end(&mut |_| ()).unwrap_err().to_string();
        assert!(stopped.contains("stopped with error 9: stopped: "), "{stopped}");
        core.drain(10_000).unwrap();
        core.write_register(register, value).unwrap();
        core.write_register(Register::Control, control::START).unwrap();
        core.read_register(Register::Status).unwrap();
        let error = core.run_to_end(&mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_answers_right(&mut runtime);
    }
}

#[test]
fn a_start_while_a_program_runs_is_refused_and_does_no_harm() {
    let mut runtime = runtime(RtlOptions::default());
    start(&mut runtime);
    device_error(runtime.device().start(0), &["the start was refused"]);
    while runtime.device().step().unwrap().is_some() {}
    let answers = runtime.read_answers(0).unwrap();
    let (model, picture) = &*MIXTURE;
    assert_eq!(answers, common::run(model, picture));
}

#[test]
fn a_reset_in_the_middle_of_a_run_leaves_nothing_behind() {
    let mut runtime = runtime(RtlOptions::default());
    for cycles in [50, 3000, 20_000] {
        start(&mut runtime);
        let core = runtime.device().core().unwrap();
        for _ in 0..cycles {
            core.step().unwrap();
        }
        assert!(core.is_running());
        core.reset().unwrap();
        assert!(!core.is_running() && core.memory().is_idle());
        assert_answers_right(&mut runtime);
    }
}

#[test]
fn the_interrupt_tells_of_the_end() {
    let mut runtime = runtime(RtlOptions::default());
    assert!(!runtime.device().core().unwrap().interrupt().unwrap());
    assert_answers_right(&mut runtime);
    assert!(runtime.device().core().unwrap().interrupt().unwrap());
}

#[test]
fn only_named_architectures_can_be_simulated() {
    let arch = ArchConfig { queue_nodes: 128, ..ArchConfig::tiny() };
    let RandomProgram { executable, .. } = random_program(&arch, 1).unwrap();
    let error = device_error(
        RtlDevice::default().load(executable),
        &["architecture `tiny` has no RTL: only the named architectures have"],
    );
    assert_eq!(error.hint_text(), Some("compile the model for tiny, edge, zcu102 or ecp5-85"));
}
