//! How far integer activations are from the float reference, tensor by tensor.

use std::collections::HashMap;
use std::sync::Arc;

use edge_moe_isa::artifact::TensorView;
use edge_moe_isa::descriptor::Operation;
use edge_moe_kernels::fixed::ACTIVATION_BITS;
use image::RgbImage;
use ndarray::{Array2, ArrayView2};

use crate::compiled::CompiledModel;
use crate::device::{SoftwareDevice, Stepper};
use crate::model::{Model, Observer, Point, Task, float_reference};
use crate::quantise::{Tally, TensorReport};
use crate::runtime::Runtime;
use crate::{Result, picture};

/// Runs pictures on the software device, one descriptor after another, and
/// compares every tensor that a descriptor leaves with the float reference of
/// the same picture. Reports come in the order of the program that answers
/// every task. `done` is called after each picture.
///
/// # Panics
/// If `compiled` was not compiled from `model`.
pub fn compare_activations(
    model: &Model,
    compiled: &Arc<CompiledModel>,
    pictures: &[RgbImage],
    done: &dyn Fn(),
) -> Result<Vec<TensorReport>> {
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(compiled))?;
    let program = runtime.program_for(None)?;
    let mut tallies = Vec::new();
    for picture in pictures {
        let float = record(model, picture);
        runtime.write_picture(picture)?;
        runtime.device().start(program)?;
        let mut tensor = 0;
        while let Some(index) = runtime.device().step()? {
            let bits = result_bits(&compiled.programs()[program][index].operation);
            for view in &compiled.manifest().programs[program].steps[index].results {
                if tensor == tallies.len() {
                    tallies.push(Tally::new(view.name.clone(), bits));
                }
                let integers = read(compiled, runtime.device(), view)?;
                add(&mut tallies[tensor], &float[&view.name], &integers, &view.scales);
                tensor += 1;
            }
        }
        done();
    }
    Ok(tallies.into_iter().map(Tally::report).collect())
}

/// Bits of the integers that an operation leaves.
fn result_bits(operation: &Operation) -> u32 {
    match operation {
        Operation::Linear(linear) => linear.bits.into(),
        _ => ACTIVATION_BITS,
    }
}

/// Every tensor of the float reference, by name.
fn record(model: &Model, picture: &RgbImage) -> HashMap<String, Array2<f32>> {
    let config = &model.config;
    let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
    let tasks: Vec<usize> = (0..config.tasks.len()).collect();
    let mut recorder = Recorder { tasks: &config.tasks, tensors: HashMap::new() };
    float_reference::run(model, &picture::patches(&fitted, config.patch), &tasks, &mut recorder);
    recorder.tensors
}

struct Recorder<'a> {
    tasks: &'a [Task],
    tensors: HashMap<String, Array2<f32>>,
}

impl Observer for Recorder<'_> {
    fn tensor(&mut self, point: Point, values: ArrayView2<'_, f32>) {
        if point.expert.is_none() {
            self.tensors.insert(point.name(self.tasks), values.to_owned());
        }
    }
}

/// A tensor in a device's memories, shape [tokens, channels].
fn read(model: &CompiledModel, device: &impl Stepper, view: &TensorView) -> Result<Array2<i16>> {
    let (tokens, channels) = (view.tokens as usize, view.channels as usize);
    let (rows, columns) = if view.transposed { (channels, tokens) } else { (tokens, channels) };
    let arch = &model.manifest().arch;
    let words = arch.words(columns as u32);
    let values = device.values(view.space, view.address, rows as u32 * words)?;
    let stride = (words * arch.vector) as usize;
    let stored = Array2::from_shape_fn((rows, columns), |(row, column)| values[row * stride + column]);
    Ok(if view.transposed { stored.reversed_axes() } else { stored })
}

/// `scales` holds one scale per part of the channels.
fn add(tally: &mut Tally, float: &Array2<f32>, integers: &Array2<i16>, scales: &[f64]) {
    assert_eq!(float.dim(), integers.dim(), "shapes of float and integer tensors");
    let part = float.ncols() / scales.len();
    for ((index, &float), &integer) in float.indexed_iter().zip(integers) {
        tally.add(f64::from(float), i64::from(integer), scales[index.1 / part]);
    }
}
