//! Task outputs, routing and residual are the same values for every architecture.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{compile_for, pictures, random_model, root, run, run_float, street_pictures, worst_snr_db};
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{SoftwareDevice, Stepper};
use edge_moe::model::{Depths, Model, ModelConfig, read_safetensors, sample_shapes};
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Space;
use image::RgbImage;

/// Every residual that a program leaves, by name.
fn residuals(model: &Arc<CompiledModel>, picture: &RgbImage) -> BTreeMap<String, Vec<i16>> {
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(model)).unwrap();
    let program = runtime.program_for(None).unwrap();
    runtime.write_picture(picture).unwrap();
    runtime.device().start(program).unwrap();
    let mut residuals = BTreeMap::new();
    while let Some(index) = runtime.device().step().unwrap() {
        let views = &model.manifest().programs[program].steps[index].results;
        for view in views.iter().filter(|view| view.space == Space::Residual) {
            let words = view.tokens * model.manifest().arch.words(view.channels);
            let values = runtime.device().values(view.space, view.address, words).unwrap();
            residuals.insert(view.name.clone(), values);
        }
    }
    residuals
}

fn check_all_equal(model: &Model, archs: &[ArchConfig], calibration: &[RgbImage], picture: &RgbImage) {
    let of = |arch: &ArchConfig| {
        let compiled = compile_for(model, arch, calibration);
        (run(&compiled, picture), residuals(&compiled, picture))
    };
    let (answers, expected) = of(&archs[0]);
    assert_eq!(answers.outputs.len(), model.config.tasks.len());
    for arch in &archs[1..] {
        let (other_answers, other) = of(arch);
        assert_eq!(answers, other_answers, "answers of {} and {}", archs[0].name, arch.name);
        assert_eq!(
            expected.keys().collect::<Vec<_>>(),
            other.keys().collect::<Vec<_>>(),
            "names of residuals of {}",
            arch.name
        );
        for (name, values) in &expected {
            let differs = values.iter().zip(&other[name]).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{name} of {} and {}", archs[0].name, arch.name);
        }
    }
}

#[test]
fn a_mixture_computes_the_same_on_every_named_architecture() {
    let model = random_model(sample_shapes::mixture(), 5);
    let pictures = pictures(&model.config, 3);
    check_all_equal(&model, &ArchConfig::named(), &pictures, &pictures[1]);
}

#[test]
fn a_network_without_experts_computes_the_same_on_every_named_architecture() {
    let model = random_model(sample_shapes::dense(), 6);
    let pictures = pictures(&model.config, 3);
    check_all_equal(&model, &ArchConfig::named(), &pictures, &pictures[2]);
}

/// The answers are what the last block leaves, and close to the float reference.
fn check_headless(shape: (ModelConfig, Depths), last: [&str; 2]) {
    let model = random_model(sample_shapes::headless(shape), 9);
    let pictures = pictures(&model.config, 3);
    check_all_equal(&model, &ArchConfig::named(), &pictures, &pictures[2]);
    let compiled = compile_for(&model, &ArchConfig::edge(), &pictures[..2]);
    let (answers, residuals) = (run(&compiled, &pictures[2]), residuals(&compiled, &pictures[2]));
    for (output, last) in answers.outputs.iter().zip(last) {
        assert_eq!(output.values.dim(), (9, 64));
        assert_eq!(output.values.as_slice().unwrap(), residuals[last], "{last}");
    }
    let snr = worst_snr_db(&answers, &run_float(&model, &pictures[2]));
    assert!(snr > 35.0, "{snr:.1} dB");
}

#[test]
fn networks_without_heads_answer_with_their_last_residual() {
    check_headless(sample_shapes::mixture(), ["task0.block3.out", "task1.block3.out"]);
    check_headless(sample_shapes::dense(), ["block3.out", "block3.out"]);
}

#[test]
fn the_small_street_model_computes_the_same_wherever_it_fits() {
    let model = read_safetensors(&root().join("models/m3vit-street-small.f16.safetensors")).unwrap();
    let archs = [ArchConfig::edge(), ArchConfig::zcu102(), ArchConfig::ecp5_85()];
    let pictures = street_pictures(4);
    check_all_equal(&model, &archs, &pictures[..3], &pictures[3]);
}

#[test]
fn tasks_one_after_another_give_the_same_as_interleaved() {
    let model = random_model(sample_shapes::mixture(), 7);
    let pictures = pictures(&model.config, 2);
    let wide = ArchConfig::edge();
    let set_words = model.config.tokens() as u32 * wide.words(model.config.dim as u32);
    let narrow = ArchConfig { name: "one-set".into(), residual_words: set_words, ..wide.clone() };
    let interleaved = |arch| compile_for(&model, arch, &pictures).manifest().programs[0].interleaved_tasks;
    assert_eq!((interleaved(&wide), interleaved(&narrow)), (2, 1));
    check_all_equal(&model, &[wide, narrow], &pictures, &pictures[0]);
}

#[test]
fn the_full_shape_compiles_for_every_large_architecture() {
    let model = random_model(sample_shapes::edge_moe(), 8);
    let archs = [ArchConfig::edge(), ArchConfig::zcu102(), ArchConfig::ecp5_85()];
    let pictures = street_pictures(2);
    check_all_equal(&model, &archs, &pictures[..1], &pictures[1]);
}

#[test]
fn a_model_too_large_for_an_architecture_is_refused() {
    let model = random_model(sample_shapes::edge_moe(), 8);
    let ranges = edge_moe::quantise::Ranges::default();
    let error = edge_moe::compile::compile(&model, &ArchConfig::tiny(), &ranges, 0).unwrap_err();
    assert_eq!(error.kind(), edge_moe::ErrorKind::Usage);
    assert!(error.to_string().contains("architecture `tiny`"), "{error}");
    assert!(error.hint_text().is_some());
}
