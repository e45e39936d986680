//! Scores of a model over labelled pictures: integer and float side by side.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::compiled::CompiledModel;
use crate::device::Device;
use crate::expert_sets::{Routes, SetChanges};
use crate::model::{self, Model, ModelConfig, float_reference};
use crate::runtime::Runtime;
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
///
/// # Errors
/// A model whose tasks have no heads, labels that are missing or wrong, and whatever the device says.
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
    if config.tasks.iter().all(|task| task.head_channels().is_none()) {
        return Err(Error::usage(
            &compiled.card().provenance.file,
            "has no heads, so that there is nothing to score",
        )
        .hint("`edge-moe fidelity` compares what its encoder computes with the float reference"));
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
            add(&mut integer_metrics[task], &truths[task], &answer);
        }
        if let Some(float) = float {
            let (float_answers, routes) = run_float(float, &picture);
            for ((metrics, truth), answer) in float_metrics.iter_mut().zip(&truths).zip(&float_answers) {
                add(metrics, truth, answer);
            }
            changes.add(&routes, &answers.routing);
        }
        done();
    }
    Ok(Evaluation {
        scenes: pictures.len(),
        float: float.map(|_| task_scores(&float_metrics)),
        integer: task_scores(&integer_metrics),
        expert_sets_changed: changes.report(&config.tasks).share,
    })
}

/// Counts one picture, if the task has metrics.
fn add(metrics: &mut Option<Metrics>, truth: &Option<Answer>, answer: &Answer) {
    if let Some((metrics, truth)) = metrics.as_mut().zip(truth.as_ref()) {
        metrics.add(truth, answer);
    }
}

fn check_same_network(compiled: &CompiledModel, float: &Model) -> Result<()> {
    if compiled.card().config == float.config {
        return Ok(());
    }
    Err(Error::usage(&float.provenance.file, "is another network than the compiled model")
        .hint(format!("it was compiled from {}", compiled.card().provenance.file)))
}

/// The ground truth of every task that has a head.
fn read_labels(config: &ModelConfig, picture: &Path) -> Result<Vec<Option<Answer>>> {
    let read = |task: &model::Task| {
        let (width, height) = tasks::map_size(task, config);
        task.head_channels().map(|_| labels::read(task, picture, width, height)).transpose()
    };
    config.tasks.iter().map(read).collect()
}

/// Answers of the float reference, and where its tokens went.
fn run_float(model: &Model, picture: &image::RgbImage) -> (Vec<Answer>, Routes) {
    let config = &model.config;
    let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
    let tasks: Vec<usize> = (0..config.tasks.len()).collect();
    let mut routes = Routes::default();
    let values = float_reference::run(model, &picture::patches(&fitted, config.patch), &tasks, &mut routes);
    let answers = config.tasks.iter().zip(&values).map(|(task, values)| decode(task, config, values.view()));
    (answers.collect(), routes)
}

fn task_scores(metrics: &[Option<Metrics>]) -> TaskScores {
    let mut all = TaskScores::default();
    for metrics in metrics.iter().flatten() {
        match metrics.scores() {
            Scores::Segmentation(SegmentationScores { mean_iou, pixel_accuracy, class_iou }) => {
                (all.miou, all.pixel_accuracy, all.class_iou) = (mean_iou, pixel_accuracy, class_iou);
            }
            Scores::Depth(depth) => all.depth_rmse_m = depth.rmse_metres,
        }
    }
    all
}
