//! Integer activations beside those of the float reference, tensor by tensor.

use std::collections::BTreeMap;
use std::sync::Arc;

use edge_moe_isa::artifact::TensorView;
use edge_moe_isa::descriptor::Operation;
use edge_moe_kernels::fixed::ACTIVATION_BITS;
use image::RgbImage;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use crate::compiled::CompiledModel;
use crate::device::{SoftwareDevice, Stepper};
use crate::expert_sets::{ExpertSets, Routes, SetChanges};
use crate::model::{Model, Observer, Point, Routing, Task, Tensor, float_reference};
use crate::quantise::{Tally, TensorReport};
use crate::runtime::{Answers, Runtime};
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
    let mut comparison = Comparison::new(model, compiled)?;
    for picture in pictures {
        comparison.add(picture)?;
        done();
    }
    Ok(comparison.tensors().into_iter().map(|tensor| tensor.report).collect())
}

/// An activation tensor over some pictures, integer against float.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorFidelity {
    /// Name, range, scale, saturations and noise.
    #[serde(flatten)]
    pub report: TensorReport,
    /// Name of the task; none before the first gate, where all tasks are one.
    pub task: Option<String>,
    /// Index of the block; none for embedding and heads.
    pub block: Option<usize>,
    /// Its role in the block.
    pub kind: Tensor,
    /// Share of the float values that lie outside what the integers reach.
    pub saturated_share: f64,
}

/// Compares pictures one after another.
pub(super) struct Comparison<'a> {
    sides: Sides<'a>,
    tallies: Vec<(Point, Tally)>,
    changes: SetChanges,
}

impl<'a> Comparison<'a> {
    pub fn new(model: &'a Model, compiled: &Arc<CompiledModel>) -> Result<Self> {
        Ok(Self { sides: Sides::new(model, compiled)?, tallies: Vec::new(), changes: SetChanges::default() })
    }

    pub fn add(&mut self, picture: &RgbImage) -> Result<()> {
        let (tallies, mut index) = (&mut self.tallies, 0);
        let (float, answers) = self.sides.run(picture, &mut |pair| {
            if index == tallies.len() {
                tallies.push((pair.point, Tally::new(pair.name.to_string(), pair.bits)));
            }
            pair.count(&mut tallies[index].1);
            index += 1;
        })?;
        self.changes.add(&float.routes, &answers.routing);
        Ok(())
    }

    /// Every tensor, in the order of the program.
    pub fn tensors(self) -> Vec<TensorFidelity> {
        let tasks = &self.sides.model.config.tasks;
        let tensor = |(point, tally): (Point, Tally)| {
            let report = tally.report();
            TensorFidelity {
                task: point.task.map(|task| tasks[task].name.clone()),
                block: point.block,
                kind: point.tensor,
                saturated_share: report.saturated as f64 / report.values as f64,
                report,
            }
        };
        self.tallies.into_iter().map(tensor).collect()
    }

    /// Tokens that visit other experts.
    pub fn expert_sets(&self) -> ExpertSets {
        self.changes.report(&self.sides.model.config.tasks)
    }
}

/// A model as float reference and on the software device.
pub(super) struct Sides<'a> {
    model: &'a Model,
    runtime: Runtime<SoftwareDevice>,
    /// The one that answers every task.
    program: usize,
}

/// A tensor that the device left, and what it should be.
pub(super) struct Pair<'a> {
    pub name: &'a str,
    pub point: Point,
    pub float: &'a Array2<f32>,
    pub integer: Array2<i16>,
    /// Bits of an integer.
    pub bits: u32,
    /// Value of one step: one scale per part of the channels.
    scales: &'a [f64],
}

impl<'a> Sides<'a> {
    pub fn new(model: &'a Model, compiled: &Arc<CompiledModel>) -> Result<Self> {
        let runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(compiled))?;
        let program = runtime.program_for(None)?;
        Ok(Self { model, runtime, program })
    }

    /// Runs a picture of any size on both sides; `see` is shown every tensor that the device leaves.
    pub fn run(
        &mut self,
        picture: &RgbImage,
        see: &mut dyn FnMut(Pair<'_>),
    ) -> Result<(FloatRun<'a>, Answers)> {
        let float = FloatRun::new(self.model, picture);
        let compiled = Arc::clone(self.runtime.model());
        self.runtime.write_picture(picture)?;
        self.runtime.device().start(self.program)?;
        while let Some(index) = self.runtime.device().step()? {
            let bits = result_bits(&compiled.programs()[self.program][index].operation);
            for view in &compiled.manifest().programs[self.program].steps[index].results {
                let integer = read(&compiled, self.runtime.device(), view)?;
                let (point, values) = &float.tensors[&view.name];
                assert_eq!(values.dim(), integer.dim(), "shapes of float and integer tensors");
                let (name, scales) = (&view.name, &view.scales);
                see(Pair { name, point: *point, float: values, integer, bits, scales });
            }
        }
        let answers = self.runtime.read_answers(self.program)?;
        Ok((float, answers))
    }
}

impl Pair<'_> {
    /// Value of one step of a channel.
    fn scale(&self, channel: usize) -> f64 {
        self.scales[channel / (self.float.ncols() / self.scales.len())]
    }

    fn count(&self, tally: &mut Tally) {
        for ((index, &float), &integer) in self.float.indexed_iter().zip(&self.integer) {
            tally.add(f64::from(float), i64::from(integer), self.scale(index.1));
        }
    }

    /// What the integers stand for.
    pub fn dequantised(&self) -> Array2<f32> {
        let value =
            |(token, channel)| (f64::from(self.integer[(token, channel)]) * self.scale(channel)) as f32;
        Array2::from_shape_fn(self.integer.dim(), value)
    }
}

/// Bits of the integers that an operation leaves.
fn result_bits(operation: &Operation) -> u32 {
    match operation {
        Operation::Linear(linear) => linear.bits.into(),
        _ => ACTIVATION_BITS,
    }
}

/// Everything that the float reference computes of a picture.
pub(super) struct FloatRun<'a> {
    tasks: &'a [Task],
    /// By name.
    pub tensors: BTreeMap<String, (Point, Array2<f32>)>,
    pub routes: Routes,
}

impl<'a> FloatRun<'a> {
    fn new(model: &'a Model, picture: &RgbImage) -> Self {
        let config = &model.config;
        let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
        let tasks: Vec<usize> = (0..config.tasks.len()).collect();
        let mut run = Self { tasks: &config.tasks, tensors: BTreeMap::new(), routes: Routes::default() };
        float_reference::run(model, &picture::patches(&fitted, config.patch), &tasks, &mut run);
        run
    }
}

impl Observer for FloatRun<'_> {
    fn tensor(&mut self, point: Point, values: ArrayView2<'_, f32>) {
        self.tensors.insert(point.name(self.tasks), (point, values.to_owned()));
    }

    fn routing(&mut self, task: usize, block: usize, routing: &Routing) {
        self.routes.routing(task, block, routing);
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
