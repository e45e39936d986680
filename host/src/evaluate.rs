//! Scores of a model over labelled pictures: integer and float side by side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array2;
use serde::Serialize;

use crate::compiled::CompiledModel;
use crate::device::Device;
use crate::model::{self, Model, ModelConfig, Observer, Point, float_reference};
use crate::runtime::{BlockRouting, Runtime};
use crate::tasks::{self, Answer, Metrics, Scores, SegmentationScores, decode, labels};
use crate::{Error, Result, picture};

/// What [`evaluate`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of labelled pictures.
    pub scenes: usize,
    /// Scores of the float reference; none without float weights.
    pub float: Option<TaskScores>,
    /// Scores of the compiled model.
    pub integer: TaskScores,
    /// Share of tokens, over all MoE blocks and tasks, that visit another set
    /// of experts than in the float reference; none without float weights or experts.
    pub expert_sets_changed: Option<f64>,
}

/// The scores of a model's tasks; none for a task it does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TaskScores {
    /// Mean intersection over union of the classes.
    pub miou: Option<f64>,
    /// Share of the cells with the right class.
    pub pixel_accuracy: Option<f64>,
    /// Root mean squared error of the depth in metres.
    pub depth_rmse_m: Option<f64>,
    /// Every class by itself.
    pub class_iou: Vec<tasks::ClassIou>,
}

/// Runs labelled pictures through a loaded device and, if `float` is given,
/// through the float reference. `done` is called after each picture.
pub fn evaluate<D: Device>(
    runtime: &mut Runtime<D>,
    float: Option<&Model>,
    pictures: &[PathBuf],
    done: &dyn Fn(),
) -> Result<Evaluation> {
    let compiled = Arc::clone(runtime.model());
    let config = &compiled.card().config;
    if let Some(float) = float {
        check_same_network(&compiled, float)?;
    }
    let program = runtime.program_for(None)?;
    let new_metrics = || config.tasks.iter().map(Metrics::new).collect::<Vec<_>>();
    let (mut integer_metrics, mut float_metrics) = (new_metrics(), new_metrics());
    let mut changes = SetChanges::default();
    for path in pictures {
        let picture = picture::read(path)?;
        let truths = read_labels(config, path)?;
        let answers = runtime.run(&picture, program)?;
        for output in &answers.outputs {
            let task = output.task;
            let answer = decode(&config.tasks[task], config, output.dequantised().view());
            integer_metrics[task].add(&truths[task], &answer);
        }
        if let Some(float) = float {
            let (float_answers, sets) = run_float(float, &picture);
            for ((metrics, truth), answer) in float_metrics.iter_mut().zip(&truths).zip(&float_answers) {
                metrics.add(truth, answer);
            }
            changes.add(&sets, &answers.routing);
        }
        done();
    }
    Ok(Evaluation {
        scenes: pictures.len(),
        float: float.map(|_| task_scores(&float_metrics)),
        integer: task_scores(&integer_metrics),
        expert_sets_changed: changes.share(),
    })
}

fn check_same_network(compiled: &CompiledModel, float: &Model) -> Result<()> {
    if compiled.card().config == float.config {
        return Ok(());
    }
    Err(Error::usage(&float.provenance.file, "is another network than the compiled model")
        .hint(format!("it was compiled from {}", compiled.card().provenance.file)))
}

/// The ground truth of every task.
fn read_labels(config: &ModelConfig, picture: &Path) -> Result<Vec<Answer>> {
    let read = |task: &model::Task| {
        let (width, height) = tasks::map_size(task, config);
        labels::read(task, picture, width, height)
    };
    config.tasks.iter().map(read).collect()
}

/// Answers of the float reference, and the experts of each token by task and block.
fn run_float(model: &Model, picture: &image::RgbImage) -> (Vec<Answer>, RoutingRecorder) {
    let config = &model.config;
    let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
    let tasks: Vec<usize> = (0..config.tasks.len()).collect();
    let mut sets = RoutingRecorder::default();
    let heads = float_reference::run(model, &picture::patches(&fitted, config.patch), &tasks, &mut sets);
    let answers = config.tasks.iter().zip(&heads).map(|(task, head)| decode(task, config, head.view()));
    (answers.collect(), sets)
}

#[derive(Default)]
struct RoutingRecorder(Vec<(usize, usize, Array2<usize>)>);

impl Observer for RoutingRecorder {
    fn tensor(&mut self, _: Point, _: ndarray::ArrayView2<'_, f32>) {}

    fn routing(&mut self, task: usize, block: usize, routing: &model::Routing) {
        self.0.push((task, block, routing.experts.clone()));
    }
}

/// Counts tokens whose set of experts differs.
#[derive(Default)]
struct SetChanges {
    changed: u64,
    tokens: u64,
}

impl SetChanges {
    fn add(&mut self, float: &RoutingRecorder, integer: &[BlockRouting]) {
        for routing in integer {
            let same =
                |entry: &&(usize, usize, Array2<usize>)| (entry.0, entry.1) == (routing.task, routing.block);
            let (_, _, experts) = float.0.iter().find(same).expect("both route in the same blocks");
            for (float, integer) in experts.outer_iter().zip(&routing.choices) {
                let float: BTreeSet<usize> = float.iter().copied().collect();
                let integer: BTreeSet<usize> = integer.iter().map(|choice| choice.expert.into()).collect();
                self.tokens += 1;
                self.changed += u64::from(float != integer);
            }
        }
    }

    fn share(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.changed as f64 / self.tokens as f64)
    }
}

fn task_scores(metrics: &[Metrics]) -> TaskScores {
    let mut all = TaskScores::default();
    for metrics in metrics {
        match metrics.scores() {
            Scores::Segmentation(SegmentationScores { mean_iou, pixel_accuracy, class_iou }) => {
                (all.miou, all.pixel_accuracy, all.class_iou) = (mean_iou, pixel_accuracy, class_iou);
            }
            Scores::Depth(depth) => all.depth_rmse_m = depth.rmse_metres,
        }
    }
    all
}
