//! The float reference against activations recorded from an independent
//! definition of the network, computed in float64 (see `tests/data/README.md`).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use edge_moe::model::{Observer, Point, Routing, Tensor, float_reference, read_safetensors};
use edge_moe::picture;
use image::{Rgb, RgbImage};
use ndarray::{Array2, Array3, Array4, ArrayView2, Axis};
use ndarray_npy::NpzReader;

/// Greatest difference relative to the tensor's greatest magnitude: f32
/// rounding (2^-24 = 6e-8) through up to 768 sums and 12 blocks. Measured: 3.4e-6.
const TOLERANCE: f32 = 1e-5;
/// Routes may differ only where the k-th and the next expert's logits are this close.
const TIE: f32 = 1e-4;

struct Golden {
    archive: NpzReader<File>,
    names: Vec<String>,
}

impl Golden {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name);
        let mut archive = NpzReader::new(File::open(path).unwrap()).unwrap();
        let names = archive.names().unwrap();
        Self { archive, names }
    }

    fn pictures(&mut self) -> Vec<RgbImage> {
        let values: Array4<u8> = self.archive.by_name("image_u8").unwrap();
        let picture = |values: ndarray::ArrayView3<'_, u8>| {
            let (_, height, width) = values.dim();
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                Rgb([0, 1, 2].map(|channel| values[(channel, y as usize, x as usize)]))
            })
        };
        values.outer_iter().map(picture).collect()
    }

    fn floats(&mut self, name: &str, picture: usize) -> Array2<f32> {
        let values: Array3<f32> = self.archive.by_name(name).unwrap();
        values.index_axis_move(Axis(0), picture)
    }

    fn experts(&mut self, name: &str, picture: usize) -> Array2<i32> {
        let values: Array3<i32> = self.archive.by_name(name).unwrap();
        values.index_axis_move(Axis(0), picture)
    }
}

/// Everything the reference lets one see.
#[derive(Default)]
struct Recorder {
    tensors: HashMap<Point, Array2<f32>>,
    routing: HashMap<(usize, usize), Routing>,
}

impl Observer for Recorder {
    fn tensor(&mut self, point: Point, values: ArrayView2<'_, f32>) {
        self.tensors.insert(point, values.to_owned());
    }

    fn routing(&mut self, task: usize, block: usize, routing: &Routing) {
        self.routing.insert((task, block), routing.clone());
    }
}

impl Recorder {
    /// A tensor of a task, which may have been computed before the tasks part.
    fn find(&self, task: usize, block: Option<usize>, tensor: Tensor) -> &Array2<f32> {
        let point = |task| Point { task, block, expert: None, tensor };
        let found = self.tensors.get(&point(Some(task))).or_else(|| self.tensors.get(&point(None)));
        found.unwrap_or_else(|| panic!("no {tensor} in block {block:?}"))
    }
}

fn check(weights: &str, golden: &str, tensors_expected: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = read_safetensors(&root.join(weights)).unwrap_or_else(|error| panic!("{error}"));
    let mut golden = Golden::open(golden);
    let mut worst: BTreeMap<String, f32> = BTreeMap::new();
    for (index, picture) in golden.pictures().iter().enumerate() {
        let patches = picture::patches(picture, model.config.patch);
        let mut seen = Recorder::default();
        float_reference::run(&model, &patches, &[0, 1], &mut seen);
        for name in golden.names.clone() {
            let Some((task, block, what)) = parse(&name, &model.config.tasks) else { continue };
            let error = match what {
                "experts" => {
                    let routing = &seen.routing[&(task, block.unwrap())];
                    let logits = seen.find(task, block, Tensor::GateLogits);
                    check_experts(&name, &golden.experts(&name, index), routing, logits);
                    continue;
                }
                "scores" => {
                    let routing = &seen.routing[&(task, block.unwrap())];
                    difference(&routing.scores, &golden.floats(&name, index))
                }
                _ => difference(seen.find(task, block, tensor(what)), &golden.floats(&name, index)),
            };
            worst.entry(name).and_modify(|worst| *worst = worst.max(error)).or_insert(error);
        }
    }
    println!("greatest relative differences: {worst:#?}");
    assert_eq!(worst.len(), tensors_expected);
    for (name, error) in worst {
        assert!(error <= TOLERANCE, "{name}: differs by {error:e} of its greatest magnitude");
    }
}

/// `semseg.block3.out`: task, block and what was recorded.
fn parse<'a>(name: &'a str, tasks: &[edge_moe::model::Task]) -> Option<(usize, Option<usize>, &'a str)> {
    if name == "image_u8" {
        return None;
    }
    let Some((task, rest)) = name.split_once('.') else { return Some((0, None, name)) };
    let task = tasks.iter().position(|known| known.name == task).expect("a task of the model");
    match rest.split_once('.') {
        None => Some((task, None, rest)),
        Some((block, what)) => Some((task, Some(block.strip_prefix("block")?.parse().ok()?), what)),
    }
}

fn tensor(recorded: &str) -> Tensor {
    match recorded {
        "embed" => Tensor::Embedding,
        "after_attention" => Tensor::AfterAttention,
        "gate_logits" => Tensor::GateLogits,
        "out" => Tensor::Out,
        "head" => Tensor::Head,
        other => panic!("unknown recording {other}"),
    }
}

/// Greatest difference, relative to the greatest magnitude of `expected`.
fn difference(got: &Array2<f32>, expected: &Array2<f32>) -> f32 {
    assert_eq!(got.dim(), expected.dim());
    let greatest = expected.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max) / greatest
}

/// The same set for every token, unless the deciding logits tie to f32 rounding.
fn check_experts(name: &str, expected: &Array2<i32>, got: &Routing, logits: &Array2<f32>) {
    for (token, (expected, got)) in expected.outer_iter().zip(got.experts.outer_iter()).enumerate() {
        let mut expected: Vec<usize> = expected.iter().map(|&expert| expert as usize).collect();
        let mut found = got.to_vec();
        expected.sort_unstable();
        found.sort_unstable();
        if expected != found {
            let mut row = logits.row(token).to_vec();
            row.sort_by(|a, b| b.total_cmp(a));
            let gap = row[found.len() - 1] - row[found.len()];
            assert!(gap < TIE, "{name}: token {token} visits {found:?}, recorded {expected:?}, gap {gap}");
        }
    }
}

#[test]
fn the_small_street_model_matches_at_every_recorded_point() {
    check("tests/data/m3vit-street-small.f32.safetensors", "m3vit-street-small.golden.npz", 39);
}

#[test]
fn the_full_shape_matches_at_every_recorded_point() {
    check("models/m3vit-street-tiny.f16.safetensors", "m3vit-street-tiny.golden.npz", 72);
}
