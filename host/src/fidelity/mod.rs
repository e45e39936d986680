//! How far integer results are from the float reference: kernels, tensors, experts, scores.

mod activations;
mod dump;
mod kernels;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

pub use activations::{TensorFidelity, compare_activations};
pub use dump::dump;
pub use kernels::{GeluError, KernelErrors, LayerNormError, SoftmaxError, measure as measure_kernels};

use crate::compiled::CompiledModel;
use crate::device::SoftwareDevice;
use crate::evaluate::{TaskScores, evaluate};
use crate::expert_sets::ExpertSets;
use crate::model::{FeedForward, Model, ModelConfig, Outliers};
use crate::runtime::Runtime;
use crate::tasks::labels;
use crate::{Result, picture};
use activations::Comparison;

/// Everything that [`measure`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fidelity {
    /// What was measured.
    pub model: ModelFacts,
    /// The weights as they are, or with outliers.
    pub variant: Variant,
    /// The outliers, if there are some.
    pub outliers: Option<Outliers>,
    /// Number of pictures; a synthetic one counts.
    pub pictures: usize,
    /// Kernels by themselves.
    pub kernels: KernelErrors,
    /// Every activation tensor that a descriptor leaves, in the order of the program.
    pub tensors: Vec<TensorFidelity>,
    /// The tensors of each kind together.
    pub by_kind: Vec<TensorGroup>,
    /// The tensors of each block together.
    pub by_block: Vec<TensorGroup>,
    /// Tokens that visit other experts.
    pub expert_sets: ExpertSets,
    /// Scores of both sides; none unless every picture has labels for every task, and there are heads.
    pub scores: Option<BothScores>,
}

/// What a model is, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelFacts {
    /// File the weights were read from.
    pub file: String,
    /// The model card's words on where they come from.
    pub note: String,
    /// Number of parameters.
    pub parameters: u64,
    /// Names of the tasks.
    pub tasks: Vec<String>,
    /// Tokens T.
    pub tokens: usize,
    /// Embedding width D.
    pub dim: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Those of them that are mixtures of experts.
    pub moe_blocks: usize,
    /// Experts of each of these.
    pub experts: usize,
    /// Experts that each token visits.
    pub top_k: usize,
    /// Architecture it was compiled for; integer results do not depend on it.
    pub arch: String,
    /// Pictures whose ranges set the scales.
    pub calibration_pictures: usize,
}

/// Which weights were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// As they are.
    Plain,
    /// [`crate::model::with_outliers`].
    Outliers,
}

/// Some tensors together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorGroup {
    /// Kind of tensor, or `blockN`; tensors of no block are `embedding` or `heads`.
    pub name: String,
    /// Number of tensors.
    pub tensors: usize,
    /// Least SQNR among them.
    pub least_sqnr_db: Option<f64>,
    /// Mean of their SQNR in dB.
    pub mean_sqnr_db: Option<f64>,
    /// Float values of all of them.
    pub values: u64,
    /// Those that lie outside what the integers reach.
    pub saturated: u64,
}

/// Scores of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BothScores {
    /// Of the float reference.
    pub float: TaskScores,
    /// Of the compiled model.
    pub integer: TaskScores,
}

/// Measures kernels, and a model compiled from `model` on pictures: the synthetic one if there are
/// none. `outliers` are those that `model` was given. `done` is called after each picture of the
/// comparison, and after each one that is scored ([`is_labelled`]).
///
/// # Panics
/// If `compiled` was not compiled from `model`.
pub fn measure(
    model: &Model,
    compiled: &Arc<CompiledModel>,
    pictures: &[PathBuf],
    outliers: Option<Outliers>,
    done: &dyn Fn(),
) -> Result<Fidelity> {
    let config = &model.config;
    let mut comparison = Comparison::new(model, compiled)?;
    if pictures.is_empty() {
        comparison.add(&picture::synthetic(config.image_width as u32, config.image_height as u32))?;
        done();
    }
    for path in pictures {
        comparison.add(&picture::read(path)?)?;
        done();
    }
    let expert_sets = comparison.expert_sets();
    let tensors = comparison.tensors();
    let scores = is_labelled(config, pictures).then(|| scores(model, compiled, pictures, done));
    Ok(Fidelity {
        model: ModelFacts::new(model, compiled),
        variant: if outliers.is_some() { Variant::Outliers } else { Variant::Plain },
        outliers,
        pictures: pictures.len().max(1),
        kernels: measure_kernels()?,
        by_kind: groups(&tensors, |tensor| tensor.kind.to_string()),
        by_block: groups(&tensors, block_name),
        tensors,
        expert_sets,
        scores: scores.transpose()?,
    })
}

/// Can all pictures be scored: are there heads, and labels of every task that has one?
pub fn is_labelled(config: &ModelConfig, pictures: &[PathBuf]) -> bool {
    let of = |picture: &PathBuf| {
        let mut paths = config.tasks.iter().filter_map(|task| labels::path(task, picture)).peekable();
        paths.peek().is_some() && paths.all(|path| path.exists())
    };
    !pictures.is_empty() && pictures.iter().all(of)
}

fn scores(
    model: &Model,
    compiled: &Arc<CompiledModel>,
    pictures: &[PathBuf],
    done: &dyn Fn(),
) -> Result<BothScores> {
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(compiled))?;
    let evaluation = evaluate(&mut runtime, Some(model), pictures, done)?;
    let float = evaluation.float.expect("the float model was given");
    Ok(BothScores { float, integer: evaluation.integer })
}

impl ModelFacts {
    fn new(model: &Model, compiled: &CompiledModel) -> Self {
        let config = &model.config;
        let is_moe = |block: &&crate::model::Block| matches!(block.feed_forward, FeedForward::Experts { .. });
        Self {
            file: model.provenance.file.clone(),
            note: model.provenance.note.clone(),
            parameters: model.provenance.parameters,
            tasks: config.tasks.iter().map(|task| task.name.clone()).collect(),
            tokens: config.tokens(),
            dim: config.dim,
            blocks: model.blocks.len(),
            moe_blocks: model.blocks.iter().filter(is_moe).count(),
            experts: config.experts,
            top_k: config.top_k,
            arch: compiled.manifest().arch.name.clone(),
            calibration_pictures: compiled.card().calibration_pictures,
        }
    }
}

fn block_name(tensor: &TensorFidelity) -> String {
    match (tensor.block, &tensor.task) {
        (Some(block), _) => format!("block{block}"),
        (None, None) => "embedding".to_string(),
        (None, Some(_)) => "heads".to_string(),
    }
}

/// Tensors of the same name, in order of the first of them.
fn groups(tensors: &[TensorFidelity], name: impl Fn(&TensorFidelity) -> String) -> Vec<TensorGroup> {
    let mut names: Vec<String> = Vec::new();
    for tensor in tensors {
        let name = name(tensor);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let group = |group: String| {
        let members: Vec<_> = tensors.iter().filter(|tensor| name(tensor) == group).collect();
        let ratios: Vec<f64> = members.iter().filter_map(|tensor| tensor.report.sqnr_db).collect();
        TensorGroup {
            name: group,
            tensors: members.len(),
            least_sqnr_db: ratios.iter().copied().reduce(f64::min),
            mean_sqnr_db: (!ratios.is_empty()).then(|| ratios.iter().sum::<f64>() / ratios.len() as f64),
            values: members.iter().map(|tensor| tensor.report.values).sum(),
            saturated: members.iter().map(|tensor| tensor.report.saturated).sum(),
        }
    };
    names.into_iter().map(group).collect()
}
