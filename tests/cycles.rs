//! Cycles and bytes of the RTL: as the cycle model predicts them, and within bounds of the work, for any routing.

mod common;

use std::sync::Arc;

use common::{compile_for, pictures, random_model, root, street_pictures};
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{Device, RtlDevice, RtlOptions, SoftwareDevice};
use edge_moe::model::{FeedForward, Model, read_safetensors, sample_shapes};
use edge_moe::profile::{Machine, Memory, Work, observe, predict, work};
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;

/// Prediction and RTL may differ by this share.
const PREDICTION: f64 = 0.02;

/// One program of a picture on the RTL and in the cycle model.
struct Measured {
    simulated_cycles: u64,
    estimated_cycles: u64,
    read_bytes: u64,
    written_bytes: u64,
    work: Work,
    descriptors: u64,
}

/// Measures every program of a model; answers must be those of the software device.
fn measure(model: &Arc<CompiledModel>, picture: &RgbImage) -> Vec<Measured> {
    let options = RtlOptions::default();
    let memory = Memory::of(&model.manifest().arch, *options.latency.start());
    let mut software = Runtime::new(SoftwareDevice::new(), Arc::clone(model)).unwrap();
    let mut rtl = Runtime::new(RtlDevice::new(options), Arc::clone(model)).unwrap();
    let manifest = model.manifest();
    let machine = Machine { arch: &manifest.arch, memory, writable_bytes: manifest.writable_bytes };
    let mut measure = |(program, descriptors): (usize, &Vec<_>)| {
        let (answers, queues) = observe(&mut software, picture, program).unwrap();
        assert_eq!(rtl.run(picture, program).unwrap(), answers);
        let figures = rtl.device().figures().unwrap();
        let mut sum = Work::default();
        work(&machine, descriptors, &queues).iter().for_each(|work| sum.add(work));
        Measured {
            simulated_cycles: figures.cycles,
            estimated_cycles: predict(&machine, descriptors, &queues).cycles,
            read_bytes: figures.read_bytes,
            written_bytes: figures.written_bytes,
            work: sum,
            descriptors: descriptors.len() as u64,
        }
    };
    model.programs().iter().enumerate().map(&mut measure).collect()
}

#[track_caller]
fn assert_predicted(measured: &[Measured]) {
    for (program, Measured { simulated_cycles, estimated_cycles, .. }) in measured.iter().enumerate() {
        let error = *estimated_cycles as f64 / *simulated_cycles as f64 - 1.0;
        println!("program {program}: {simulated_cycles} cycles simulated, {estimated_cycles} estimated");
        assert!(error.abs() <= PREDICTION, "program {program}: {:.2} % off", 100.0 * error);
    }
}

/// Bytes: the packed rows visited, the program and copies, two per cent for bursts and descriptors that
/// were read ahead. Cycles: within five per cent of the bound, and a fixed time for what no row group covers.
#[track_caller]
fn assert_bounded(measured: &[Measured], model: &CompiledModel, uncovered: u64) {
    let descriptor = edge_moe_isa::descriptor::BYTES as u64;
    for (program, measured) in measured.iter().enumerate() {
        let bytes = measured.read_bytes + measured.written_bytes;
        let program_bytes = (measured.descriptors + 2) * descriptor;
        let most = measured.work.bytes as f64 * 1.02 + program_bytes as f64;
        assert!(bytes as f64 <= most, "program {program}: {bytes} bytes for {}", measured.work.bytes);
        let (cycles, bound) = (measured.simulated_cycles, measured.work.bound_cycles);
        println!("program {program}: {cycles} cycles, bound {bound}, {bytes} bytes");
        let name = &model.manifest().programs[program].name;
        let most = bound as f64 * 1.05 + uncovered as f64;
        assert!(cycles as f64 <= most, "program `{name}`: {cycles} cycles, bound {bound}");
    }
}

/// The model with other gates: `of` gives the weight of an expert and a channel. All zero, they send every
/// token to the same experts.
fn with_gates(mut model: Model, of: impl Fn(usize, usize) -> f32) -> Model {
    for block in &mut model.blocks {
        if let FeedForward::Experts { gates, .. } = &mut block.feed_forward {
            for gate in gates {
                gate.indexed_iter_mut().for_each(|((expert, channel), weight)| *weight = of(expert, channel));
            }
        }
    }
    model
}

#[test]
fn small_networks_take_the_predicted_cycles() {
    for shape in [sample_shapes::mixture(), sample_shapes::dense()] {
        let model = random_model(shape, 11);
        let pictures = pictures(&model.config, 3);
        let compiled = compile_for(&model, &ArchConfig::tiny(), &pictures[..2]);
        assert_predicted(&measure(&compiled, &pictures[2]));
    }
}

#[test]
fn every_routing_takes_the_predicted_cycles_within_its_bounds() {
    let model = || random_model(sample_shapes::mixture(), 12);
    let same = with_gates(model(), |_, _| 0.0);
    let spread = with_gates(model(), |expert, channel| if channel % 4 == expert { 1.0 } else { -0.3 });
    for model in [same, spread] {
        let pictures = pictures(&model.config, 3);
        let compiled = compile_for(&model, &ArchConfig::tiny(), &pictures[..2]);
        let measured = measure(&compiled, &pictures[2]);
        assert_predicted(&measured);
        // LayerNorm, router and copies of nine tokens.
        assert_bounded(&measured, &compiled, 6000);
    }
}

/// No bound: with six words a token, the epilogue's eight cycles of a word after GELU set the pace at `edge`.
/// At `ecp5-85`, LayerNorm takes half a word a cycle.
fn the_small_street_model_runs_as_predicted(arch: &ArchConfig) {
    let model = read_safetensors(&root().join("models/m3vit-street-small.f16.safetensors")).unwrap();
    let pictures = street_pictures(3);
    let compiled = compile_for(&model, arch, &pictures[..2]);
    assert_predicted(&measure(&compiled, &pictures[2]));
}

#[test]
fn the_small_street_model_runs_as_predicted_at_edge() {
    the_small_street_model_runs_as_predicted(&ArchConfig::edge());
}

#[test]
fn the_small_street_model_runs_as_predicted_at_ecp5_85() {
    the_small_street_model_runs_as_predicted(&ArchConfig::ecp5_85());
}

#[test]
fn the_full_shape_keeps_its_bounds_whatever_the_routing() {
    if std::env::var_os("EMOE_LONG").is_none() {
        return;
    }
    let trained = read_safetensors(&root().join("models/m3vit-street-tiny.f16.safetensors")).unwrap();
    let same = with_gates(random_model(sample_shapes::edge_moe(), 13), |_, _| 0.0);
    let pictures = street_pictures(2);
    for arch in [ArchConfig::edge(), ArchConfig::zcu102()] {
        for model in [&trained, &same] {
            let compiled = compile_for(model, &arch, &pictures[..1]);
            let measured = measure(&compiled, &pictures[1]);
            assert_predicted(&measured);
            assert_bounded(&measured, &compiled, 0);
        }
    }
}
