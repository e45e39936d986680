//! The exported network on engines that others wrote, against the f32 reference: the same
//! answers to rounding, the same experts.

#[path = "../benches/cpu/engines/mod.rs"]
mod engines;

use std::path::Path;

use edge_moe::model::{
    Depths, FeedForward, Model, ModelConfig, Observer, Point, Routing, float_reference, onnx, random,
    read_safetensors, sample_shapes,
};
use edge_moe::picture;
use engines::onnxruntime::{OnnxRuntime, Precision};
use engines::tract::{Tract, matrix};
use engines::{Engine, ROUNDING, relative_error};
use image::RgbImage;
use ndarray::{Array2, ArrayView2};

/// What the reference says about one picture.
struct Expected {
    answers: Vec<Array2<f32>>,
    /// Node that routes, and the experts of every token, best first.
    experts: Vec<(String, Array2<usize>)>,
}

/// Keeps the routing of every task and block.
struct Choices<'a>(&'a ModelConfig, Vec<(String, Array2<usize>)>);

impl Observer for Choices<'_> {
    fn tensor(&mut self, _: Point, _: ArrayView2<'_, f32>) {}

    fn routing(&mut self, task: usize, block: usize, routing: &Routing) {
        let node = format!("{}.block{block}.route", self.0.tasks[task].name);
        self.1.push((node, routing.experts.clone()));
    }
}

fn all_tasks(model: &Model) -> Vec<usize> {
    (0..model.config.tasks.len()).collect()
}

fn expected(model: &Model, picture: &RgbImage) -> Expected {
    let mut choices = Choices(&model.config, Vec::new());
    let patches = picture::patches(picture, model.config.patch);
    let answers = float_reference::run(model, &patches, &all_tasks(model), &mut choices);
    Expected { answers, experts: choices.1 }
}

fn synthetic(model: &Model) -> RgbImage {
    picture::synthetic(model.config.image_width as u32, model.config.image_height as u32)
}

#[track_caller]
fn assert_rounded(engine: &str, task: &str, got: &Array2<f32>, expected: &Array2<f32>) {
    let error = relative_error(got, expected);
    eprintln!("{engine}, {task}: {error:.1e} of the greatest magnitude");
    assert!(error < ROUNDING, "{engine}, {task}: off by {error:e} of the greatest magnitude");
}

/// All tasks in one graph, answers and experts.
fn assert_tract_agrees(model: &Model, pictures: &[RgbImage]) {
    let bytes = onnx::to_onnx(model, &all_tasks(model)).unwrap().bytes;
    let expected: Vec<Expected> = pictures.iter().map(|picture| expected(model, picture)).collect();
    let tasks = model.config.tasks.iter().map(|task| task.name.clone());
    let routes = expected[0].experts.iter().map(|(node, _)| format!("{node}:1"));
    let outputs: Vec<String> = tasks.chain(routes).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let mut tract = Tract::load(&bytes, &outputs, &pictures[0]).unwrap();
    for (picture, expected) in pictures.iter().zip(&expected) {
        tract.show(picture);
        let values = tract.run().unwrap();
        let (answers, experts) = values.split_at(model.config.tasks.len());
        for ((task, got), expected) in model.config.tasks.iter().zip(answers).zip(&expected.answers) {
            assert_rounded("tract", &task.name, &matrix(got).unwrap(), expected);
        }
        for (got, (node, expected)) in experts.iter().zip(&expected.experts) {
            let got: Vec<usize> = got.as_slice::<i64>().unwrap().iter().map(|&e| e as usize).collect();
            assert!(got == expected.as_slice().unwrap(), "{node}");
        }
    }
}

/// Each task in a graph of its own, where ONNX Runtime is installed.
fn assert_onnxruntime_agrees(model: &Model, pictures: &[RgbImage]) {
    for (index, task) in model.config.tasks.iter().enumerate() {
        let bytes = onnx::to_onnx(model, &[index]).unwrap().bytes;
        let output = (task.name.as_str(), model.config.answer_shape(task));
        let mut engine = match OnnxRuntime::start(&bytes, output, &pictures[0], Precision::F32, 1) {
            Ok(engine) => engine,
            Err(problem) => return eprintln!("ONNX Runtime is not compared: {problem}"),
        };
        for picture in pictures {
            engine.show(picture).unwrap();
            let expected = &expected(model, picture).answers[index];
            assert_rounded("onnxruntime", &task.name, &engine.answer().unwrap(), expected);
        }
    }
}

fn assert_engines_agree(model: &Model, pictures: &[RgbImage]) {
    assert_tract_agrees(model, pictures);
    assert_onnxruntime_agrees(model, pictures);
}

fn street(model: &str, pictures: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = read_safetensors(&root.join("models").join(model)).unwrap();
    let paths = picture::list_directory(&root.join("samples/street")).unwrap();
    let pictures: Vec<RgbImage> = paths[..pictures].iter().map(|path| picture::read(path).unwrap()).collect();
    assert_engines_agree(&model, &pictures);
}

#[test]
fn the_small_street_model() {
    street("m3vit-street-small.f16.safetensors", 4);
}

#[test]
fn the_full_shape() {
    street("m3vit-street-tiny.f16.safetensors", 4);
}

/// Sizes without a common factor or a power of two.
fn odd_sizes() -> (ModelConfig, Depths) {
    let (config, _) = sample_shapes::mixture();
    let config = ModelConfig {
        image_height: 21,
        image_width: 49,
        patch: 7,
        dim: 45,
        heads: 5,
        experts: 7,
        top_k: 3,
        layer_norm_eps: 1e-5,
        ..config
    };
    (config, Depths { blocks: 5, hidden: 51, expert_hidden: 23 })
}

#[test]
fn unusual_sizes() {
    let (config, depths) = odd_sizes();
    let model = random(&config, depths, 11).unwrap();
    assert_engines_agree(&model, &[synthetic(&model)]);
}

#[test]
fn no_experts() {
    let (config, depths) = sample_shapes::dense();
    let model = random(&config, depths, 12).unwrap();
    assert_engines_agree(&model, &[synthetic(&model)]);
}

#[test]
fn one_expert() {
    let (config, depths) = sample_shapes::mixture();
    let model = random(&ModelConfig { experts: 1, top_k: 1, ..config }, depths, 13).unwrap();
    assert_engines_agree(&model, &[synthetic(&model)]);
}

#[test]
fn all_experts() {
    let (config, depths) = sample_shapes::mixture();
    let model = random(&ModelConfig { top_k: config.experts, ..config }, depths, 14).unwrap();
    assert_engines_agree(&model, &[synthetic(&model)]);
}

/// Gates that say nothing tie everywhere: all tokens go to the first experts, none to the others.
#[test]
fn all_tokens_at_some_experts_and_none_at_others() {
    let (config, depths) = odd_sizes();
    let mut model = random(&config, depths, 15).unwrap();
    for block in &mut model.blocks {
        if let FeedForward::Experts { gates, .. } = &mut block.feed_forward {
            gates.iter_mut().for_each(|gate| gate.fill(0.0));
        }
    }
    let expected = expected(&model, &synthetic(&model));
    let first = Array2::from_shape_fn((model.config.tokens(), 3), |(_, rank)| rank);
    assert!(expected.experts.iter().all(|(_, experts)| experts == first));
    assert_engines_agree(&model, &[synthetic(&model)]);

    // Sparse: an expert's answers have a row for each of its tokens.
    let bytes = onnx::to_onnx(&model, &all_tasks(&model)).unwrap().bytes;
    let answers: Vec<String> = (0..7).map(|expert| format!("depth.block3.expert{expert}.fc2")).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let tract = Tract::load(&bytes, &answers, &synthetic(&model)).unwrap();
    let rows: Vec<usize> = tract.run().unwrap().iter().map(|answer| answer.shape()[0]).collect();
    assert_eq!(rows, [22, 22, 22, 0, 0, 0, 0]);
}
