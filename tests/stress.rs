//! Inputs and weights that are hard on integer arithmetic, on every
//! architecture, against the float reference.

mod common;

use common::{compile_for, pictures, random_model, root, run, run_float, street_pictures, worst_snr_db};
use edge_moe::model::{
    FeedForward, Linear, Model, ModelConfig, Outliers, read_safetensors, sample_shapes, with_outliers,
};
use edge_moe::runtime::Answers;
use edge_moe_isa::arch::ArchConfig;
use image::{Rgb, RgbImage};
use ndarray::Array2;

/// Runs a picture on every named architecture; all give the same answers.
fn run_everywhere(model: &Model, calibration: &[RgbImage], picture: &RgbImage) -> Answers {
    let mut answers =
        ArchConfig::named().map(|arch| run(&compile_for(model, &arch, calibration), picture)).to_vec();
    let first = answers.remove(0);
    answers.iter().for_each(|other| assert_eq!(&first, other));
    first
}

#[test]
fn outlier_gains_leave_a_usable_signal() {
    let model = read_safetensors(&root().join("models/m3vit-street-small.f16.safetensors")).unwrap();
    let stressed = with_outliers(&model, Outliers::new(1));
    let pictures = street_pictures(5);
    let float = run_float(&model, &pictures[4]);
    let same = run_float(&stressed, &pictures[4]);
    for (a, b) in float.iter().zip(&same) {
        approx::assert_abs_diff_eq!(a.as_slice().unwrap(), b.as_slice().unwrap(), epsilon = 1e-3);
    }
    let compiled = compile_for(&stressed, &ArchConfig::edge(), &pictures[..4]);
    let snr = worst_snr_db(&run(&compiled, &pictures[4]), &float);
    assert!(snr > 25.0, "{snr:.1} dB");
}

#[test]
fn one_dominant_key_with_a_long_tail_keeps_its_tail() {
    let mut model = random_model(sample_shapes::mixture(), 21);
    // The cls token answers every query with a large logit, the others with small ones.
    for block in &mut model.blocks {
        block.attention.query.bias.fill(1.0);
        block.attention.query.weight *= 0.1;
        block.attention.key *= 0.1;
    }
    model.position.row_mut(0).fill(4.0);
    let pictures = pictures(&model.config, 3);
    let answers = run_everywhere(&model, &pictures, &pictures[0]);
    let snr = worst_snr_db(&answers, &run_float(&model, &pictures[0]));
    assert!(snr > 30.0, "{snr:.1} dB");
}

/// Gates whose logits are all equal: the lowest experts win, the others are never visited.
fn equal_gates(model: &mut Model) {
    for block in &mut model.blocks {
        if let FeedForward::Experts { gates, .. } = &mut block.feed_forward {
            gates.iter_mut().for_each(|gate| gate.fill(0.0));
        }
    }
}

#[test]
fn equal_gate_logits_choose_the_lowest_experts() {
    let mut model = random_model(sample_shapes::mixture(), 22);
    equal_gates(&mut model);
    let pictures = pictures(&model.config, 2);
    let answers = run_everywhere(&model, &pictures, &pictures[1]);
    assert_eq!(answers.routing.len(), 4);
    for choices in answers.routing.iter().flat_map(|routing| &routing.choices) {
        let chosen: Vec<_> = choices.iter().map(|choice| (choice.expert, choice.score)).collect();
        assert_eq!(chosen, [(0, 1 << 14), (1, 1 << 14)]);
    }
    let snr = worst_snr_db(&answers, &run_float(&model, &pictures[1]));
    assert!(snr > 35.0, "{snr:.1} dB");
}

#[test]
fn one_expert_may_take_every_token() {
    let (config, depths) = sample_shapes::mixture();
    let mut model = random_model((ModelConfig { top_k: 1, ..config }, depths), 23);
    equal_gates(&mut model);
    let pictures = pictures(&model.config, 2);
    let answers = run_everywhere(&model, &pictures, &pictures[0]);
    let experts: Vec<u16> =
        answers.routing.iter().flat_map(|routing| &routing.choices).map(|choice| choice[0].expert).collect();
    assert_eq!(experts, vec![0; 4 * model.config.tokens()]);
}

#[test]
fn every_expert_may_take_every_token() {
    let (config, depths) = sample_shapes::mixture();
    let model = random_model((ModelConfig { top_k: config.experts, ..config }, depths), 24);
    let pictures = pictures(&model.config, 2);
    let answers = run_everywhere(&model, &pictures, &pictures[0]);
    let snr = worst_snr_db(&answers, &run_float(&model, &pictures[0]));
    assert!(snr > 30.0, "{snr:.1} dB");
}

#[test]
fn constant_tokens_have_no_variance_and_still_an_answer() {
    let mut model = random_model(sample_shapes::mixture(), 25);
    model.patch_embed = Linear {
        weight: Array2::zeros(model.patch_embed.weight.raw_dim()),
        bias: ndarray::Array1::zeros(model.config.dim),
    };
    model.position.fill(0.5);
    let black = RgbImage::new(32, 16);
    let answers = run_everywhere(&model, std::slice::from_ref(&black), &black);
    let snr = worst_snr_db(&answers, &run_float(&model, &black));
    assert!(snr > 30.0, "{snr:.1} dB");
}

#[test]
fn a_saturated_residual_stays_the_same_everywhere() {
    let mut model = random_model(sample_shapes::mixture(), 26);
    model.patch_embed.weight *= 200.0;
    let dark = RgbImage::from_pixel(32, 16, Rgb([1, 1, 1]));
    let bright = RgbImage::from_pixel(32, 16, Rgb([255, 255, 255]));
    let answers = run_everywhere(&model, std::slice::from_ref(&dark), &bright);
    assert!(answers.outputs.iter().all(|output| output.values.iter().any(|&value| value != 0)));
}

#[test]
fn fewer_tokens_than_lanes_are_enough() {
    let (config, depths) = sample_shapes::mixture();
    let model = random_model((ModelConfig { image_height: 8, image_width: 8, ..config }, depths), 27);
    assert_eq!(model.config.tokens(), 2);
    let pictures = pictures(&model.config, 3);
    let answers = run_everywhere(&model, &pictures, &pictures[2]);
    let snr = worst_snr_db(&answers, &run_float(&model, &pictures[2]));
    assert!(snr > 35.0, "{snr:.1} dB");
}

#[test]
fn extreme_pictures_answer_like_the_float_reference() {
    let model = random_model(sample_shapes::mixture(), 28);
    let calibration = pictures(&model.config, 4);
    let patch = |x: u32, y: u32| if (x / 8 + y / 8).is_multiple_of(2) { Rgb([255; 3]) } else { Rgb([0; 3]) };
    let checkerboard = RgbImage::from_fn(32, 16, patch);
    let answers = run_everywhere(&model, &calibration, &checkerboard);
    let snr = worst_snr_db(&answers, &run_float(&model, &checkerboard));
    assert!(snr > 25.0, "{snr:.1} dB");
}

#[test]
fn weights_of_zero_give_the_heads_biases() {
    let mut model = random_model(sample_shapes::mixture(), 29);
    for head in model.heads.iter_mut().flatten() {
        head.linear.weight.fill(0.0);
    }
    let pictures = pictures(&model.config, 1);
    let answers = run_everywhere(&model, &pictures, &pictures[0]);
    for (output, head) in answers.outputs.iter().zip(model.heads.iter().flatten()) {
        let biases = head.linear.bias.as_slice().unwrap();
        for row in output.dequantised().outer_iter() {
            approx::assert_abs_diff_eq!(row.to_slice().unwrap(), biases, epsilon = output.scale as f32);
        }
    }
}
