//! What several whole-system tests need.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_moe::compile::compile;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::SoftwareDevice;
use edge_moe::model::{Depths, FeedForward, Linear, Model, ModelConfig, Norm, float_reference, random};
use edge_moe::picture;
use edge_moe::quantise::calibrate;
use edge_moe::runtime::{Answers, Runtime};
use edge_moe_isa::arch::ArchConfig;
use image::{Rgb, RgbImage};
use ndarray::{Array1, Array2};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A random network.
pub fn random_model((config, depths): (ModelConfig, Depths), seed: u64) -> Model {
    random(&config, depths, seed).unwrap()
}

/// Pictures of the network's size: smooth colour gradients with a bright
/// rectangle, different for each index.
pub fn pictures(config: &ModelConfig, count: usize) -> Vec<RgbImage> {
    let (width, height) = (config.image_width as u32, config.image_height as u32);
    let picture = |index: u32| {
        RgbImage::from_fn(width, height, |x, y| {
            let inside = (x / 5 + index).is_multiple_of(4) && (y / 3 + index).is_multiple_of(3);
            let level = |phase: u32| (x * (7 + phase) + y * (13 - phase) + index * 41 * (phase + 1)) as u8;
            if inside { Rgb([250, 240 - 9 * index as u8, 16]) } else { Rgb([level(0), level(1), level(2)]) }
        })
    };
    (0..count as u32).map(picture).collect()
}

/// The sample pictures.
pub fn street_pictures(count: usize) -> Vec<RgbImage> {
    let paths = picture::list_directory(&root().join("samples/street")).unwrap();
    paths[..count].iter().map(|path| picture::read(path).unwrap()).collect()
}

/// Compiles a model with scales from `calibration`.
pub fn compile_for(model: &Model, arch: &ArchConfig, calibration: &[RgbImage]) -> Arc<CompiledModel> {
    let ranges = calibrate(model, calibration, &|| ());
    let compilation =
        compile(model, arch, &ranges, calibration.len()).unwrap_or_else(|error| panic!("{error}"));
    CompiledModel::from_bytes(compilation.artifact).unwrap()
}

/// Runs every task of a picture.
pub fn run(model: &Arc<CompiledModel>, picture: &RgbImage) -> Answers {
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(model)).unwrap();
    let program = runtime.program_for(None).unwrap();
    runtime.run(picture, program).unwrap()
}

/// The float reference's heads of every task.
pub fn run_float(model: &Model, picture: &RgbImage) -> Vec<Array2<f32>> {
    let tasks: Vec<usize> = (0..model.config.tasks.len()).collect();
    float_reference::run(model, &picture::patches(picture, model.config.patch), &tasks, &mut ())
}

/// Signal to noise ratio of the answers against the float reference, in dB; the worst task counts.
pub fn worst_snr_db(answers: &Answers, float: &[Array2<f32>]) -> f64 {
    let snr = |(output, float): (&edge_moe::runtime::TaskOutput, &Array2<f32>)| {
        let got = output.dequantised();
        let noise: f64 = got.iter().zip(float).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let signal: f64 = float.iter().map(|b| f64::from(*b).powi(2)).sum();
        10.0 * (signal / noise).log10()
    };
    answers.outputs.iter().zip(float).map(snr).fold(f64::INFINITY, f64::min)
}

/// Writes a model and a picture as Edge-MoE releases its own: a raw f32 file a tensor.
pub fn write_edge_moe_weights(model: &Model, picture: &RgbImage, directory: &Path) {
    let write = |name: &str, values: &mut dyn Iterator<Item = f32>| {
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        std::fs::write(directory.join(format!("{name}.float32.bin")), bytes).unwrap();
    };
    let linear = |name: &str, layers: &[&Linear]| {
        write(&format!("{name}_weight"), &mut layers.iter().flat_map(|layer| layer.weight.iter().copied()));
        write(&format!("{name}_bias"), &mut layers.iter().flat_map(|layer| layer.bias.iter().copied()));
    };
    let norm = |name: &str, norm: &Norm| {
        write(&format!("{name}_weight"), &mut norm.gain.iter().copied());
        write(&format!("{name}_bias"), &mut norm.offset.iter().copied());
    };
    let level = |channel: usize| picture.pixels().map(move |pixel| f32::from(pixel[channel]) / 256.0);
    write("image", &mut (0..3).flat_map(level));
    linear("patch_embed", &[&model.patch_embed]);
    write("pos_embed", &mut model.position.iter().copied());
    for (index, block) in model.blocks.iter().enumerate() {
        let name = |tensor: &str| format!("l{index}_{tensor}");
        let attention = &block.attention;
        let unbiased =
            |weight: &Array2<f32>| Linear { weight: weight.clone(), bias: Array1::zeros(weight.nrows()) };
        norm(&name("norm1"), &block.norm1);
        norm(&name("norm2"), &block.norm2);
        linear(&name("qkv"), &[&attention.query, &unbiased(&attention.key), &unbiased(&attention.value)]);
        linear(&name("attn_proj"), &[&attention.proj]);
        match &block.feed_forward {
            FeedForward::Dense(mlp) => {
                linear(&name("fc1"), &[&mlp.fc1]);
                linear(&name("fc2"), &[&mlp.fc2]);
            }
            FeedForward::Experts { gates, experts } => {
                linear(&name("htoh4"), &experts.iter().map(|expert| &expert.fc1).collect::<Vec<_>>());
                linear(&name("h4toh"), &experts.iter().map(|expert| &expert.fc2).collect::<Vec<_>>());
                for (task, gate) in gates.iter().enumerate() {
                    write(&name(&format!("w_gate_T_task{task}")), &mut gate.iter().copied());
                }
            }
        }
    }
}
