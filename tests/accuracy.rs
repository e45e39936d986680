//! Task metrics of integer against float on the labelled sample pictures.

mod common;

use common::{compile_for, root, street_pictures};
use edge_moe::device::SoftwareDevice;
use edge_moe::evaluate::{Evaluation, evaluate};
use edge_moe::model::read_safetensors;
use edge_moe::picture;
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;

fn evaluate_on_samples(weights: &str) -> Evaluation {
    let model = read_safetensors(&root().join("models").join(weights)).unwrap();
    let paths = picture::list_directory(&root().join("samples/street")).unwrap();
    let compiled = compile_for(&model, &ArchConfig::edge(), &street_pictures(16));
    let mut runtime = Runtime::new(SoftwareDevice::new(), compiled).unwrap();
    evaluate(&mut runtime, Some(&model), &paths, &|| ()).unwrap()
}

/// `float`: mIoU, pixel accuracy and depth RMSE that the model's card states.
fn check(evaluation: &Evaluation, float: [f64; 3]) {
    let scores = evaluation.float.as_ref().unwrap();
    let [miou, accuracy, rmse] =
        [scores.miou, scores.pixel_accuracy, scores.depth_rmse_m].map(Option::unwrap);
    approx::assert_abs_diff_eq!(miou, float[0], epsilon = 2e-4);
    approx::assert_abs_diff_eq!(accuracy, float[1], epsilon = 2e-4);
    approx::assert_abs_diff_eq!(rmse, float[2], epsilon = 2e-3);
    let integer = &evaluation.integer;
    approx::assert_abs_diff_eq!(integer.miou.unwrap(), miou, epsilon = 0.005);
    approx::assert_relative_eq!(integer.depth_rmse_m.unwrap(), rmse, max_relative = 0.01);
    let changed = evaluation.expert_sets_changed.unwrap();
    assert!(changed > 0.0 && changed < 0.02, "{changed} of the expert sets changed");
}

#[test]
fn the_small_street_model_keeps_its_accuracy() {
    check(&evaluate_on_samples("m3vit-street-small.f16.safetensors"), [0.4902, 0.8618, 9.506]);
}

#[test]
fn the_full_shape_keeps_its_accuracy() {
    check(&evaluate_on_samples("m3vit-street-tiny.f16.safetensors"), [0.6577, 0.9216, 6.798]);
}
