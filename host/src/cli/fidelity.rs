//! `edge-moe fidelity`: how far integer results are from float.

use std::path::PathBuf;

use clap::Args;
use edge_moe::expert_sets::ExpertSets;
use edge_moe::fidelity::{
    BothScores, Fidelity, KernelErrors, TensorFidelity, TensorGroup, dump, is_labelled, measure,
};
use edge_moe::model::{Outliers, with_outliers};
use edge_moe::{Error, Result, picture};

use super::load::{CompileOptions, Opened, compile_float, open, synthetic};
use super::table::{number, table};
use super::{print, print_json, progress};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors), or random:SEED
    model: PathBuf,

    /// Pictures, or directories of them; a synthetic one if there are none
    pictures: Vec<PathBuf>,

    #[command(flatten)]
    compile: CompileOptions,

    /// Scale up a few channels of every LayerNorm, drawn from this seed, and the weights that read them down
    #[arg(long, value_name = "SEED")]
    outliers: Option<u64>,

    /// How much they are scaled [default: 24]
    #[arg(long, value_name = "FACTOR", requires = "outliers", value_parser = outlier_factor)]
    outlier_factor: Option<f32>,

    /// Write every tensor of the one picture, float and integer, as NumPy arrays (.npz)
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

fn outlier_factor(text: &str) -> std::result::Result<f32, String> {
    let factor = text.parse().ok().filter(|factor| (1.0..=1000.0).contains(factor));
    factor.ok_or_else(|| "expected a number from 1 to 1000".to_string())
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let pictures = all_pictures(&arguments.pictures)?;
    if arguments.dump.is_some() && pictures.len() > 1 {
        return Err(Error::usage("--dump", format!("writes one picture, {} were given", pictures.len())));
    }
    let (model, arch) = match open(&arguments.model, &arguments.compile)? {
        Opened::Float(model, arch) => (*model, arch),
        Opened::Compiled(_) => {
            let problem = "is compiled; without its float weights there is nothing to compare with";
            return Err(Error::usage(arguments.model.display(), problem).hint("give the .safetensors file"));
        }
    };
    let outliers = arguments.outliers.map(|seed| {
        let usual = Outliers::new(seed);
        Outliers { factor: arguments.outlier_factor.unwrap_or(usual.factor), ..usual }
    });
    let model = match outliers {
        Some(outliers) => with_outliers(&model, outliers),
        None => model,
    };
    let compiled = compile_float(&model, &arch, &arguments.compile, &pictures)?;
    let passes = 1 + usize::from(is_labelled(&model.config, &pictures));
    let bar = progress::bar("comparing", "pictures", passes * pictures.len().max(1));
    let fidelity = measure(&model, &compiled, &pictures, outliers, &|| bar.inc(1))?;
    bar.finish_and_clear();
    if let Some(path) = &arguments.dump {
        let picture = pictures.first().map(|path| picture::read(path)).transpose()?;
        dump(&model, &compiled, &picture.unwrap_or_else(|| synthetic(&model.config)), path)?;
    }
    if arguments.json { print_json(&fidelity) } else { print(&text(&fidelity)) }
}

/// Pictures as they are named, directories as the pictures in them.
fn all_pictures(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    for path in named {
        if path.is_dir() {
            pictures.extend(picture::list_directory(path)?);
        } else {
            pictures.push(path.clone());
        }
    }
    Ok(pictures)
}

fn text(fidelity: &Fidelity) -> String {
    let Fidelity { model, pictures, kernels, tensors, by_kind, by_block, expert_sets, scores, .. } = fidelity;
    let mut text = format!("{}: {} parameters", model.file, model.parameters);
    if let Some(Outliers { seed, channels, factor }) = &fidelity.outliers {
        text += &format!(", {channels} channels of every LayerNorm {factor} times as large (seed {seed})");
    }
    text += &format!("\npictures: {pictures}, for the scales: {}\n\n", model.calibration_pictures);
    text += &kernel_tables(kernels);
    text += &format!("\nSQNR [dB] of activations, the least of all tasks\n{}", blocks_by_kind(tensors));
    text += &format!("\n{}\n{}", group_table("kind", by_kind), group_table("block", by_block));
    text += &sets_text(expert_sets);
    text + &scores_text(scores.as_ref())
}

fn kernel_tables(kernels: &KernelErrors) -> String {
    let exponent = |value: f64| format!("{value:.2e}");
    let gelu = kernels.gelu.iter().map(|error| {
        let steps = format!("{:.3}", error.max_error_steps);
        vec![error.fraction_bits.to_string(), exponent(error.max_error), exponent(error.rms_error), steps]
    });
    let softmax = kernels.softmax.iter().map(|error| {
        vec![
            format!("{}", error.spread),
            error.keys.to_string(),
            exponent(error.max_probability_error),
            exponent(error.mean_probability_error),
            exponent(error.max_partial_sum_error),
            exponent(error.mean_partial_sum_error),
        ]
    });
    let norm = kernels.layer_norm.iter().map(|error| {
        let steps = format!("{:.3}", error.max_error_steps);
        vec![error.tokens.to_string(), exponent(error.max_error), exponent(error.rms_error), steps]
    });
    let softmax_head = ["softmax: spread", "keys", "p max", "p mean", "partial sum max", "partial sum mean"];
    [
        table(&["GELU: fraction bits", "max error", "rms error", "max [steps]"], &gelu.collect::<Vec<_>>()),
        table(&softmax_head, &softmax.collect::<Vec<_>>()),
        table(&["LayerNorm: tokens", "max error", "rms error", "max [steps]"], &norm.collect::<Vec<_>>()),
    ]
    .join("\n")
}

/// A row a block, a column a kind of tensor; what belongs to no block stands below.
fn blocks_by_kind(tensors: &[TensorFidelity]) -> String {
    let mut kinds = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.block.is_some()) {
        if !kinds.contains(&tensor.kind) {
            kinds.push(tensor.kind);
        }
    }
    kinds.sort();
    let names: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
    let head: Vec<&str> = std::iter::once("block").chain(names.iter().map(String::as_str)).collect();
    let blocks = tensors.iter().filter_map(|tensor| tensor.block).max().map_or(0, |last| last + 1);
    let row = |block: usize| {
        let least = |kind| {
            let of = tensors.iter().filter(|tensor| tensor.block == Some(block) && tensor.kind == kind);
            number(of.filter_map(|tensor| tensor.report.sqnr_db).reduce(f64::min), 1)
        };
        std::iter::once(block.to_string()).chain(kinds.iter().map(|&kind| least(kind))).collect()
    };
    let mut text = table(&head, &(0..blocks).map(row).collect::<Vec<_>>());
    for tensor in tensors.iter().filter(|tensor| tensor.block.is_none()) {
        text += &format!("{} {}\n", tensor.report.name, number(tensor.report.sqnr_db, 1));
    }
    text
}

fn group_table(what: &str, groups: &[TensorGroup]) -> String {
    let row = |group: &TensorGroup| {
        vec![
            group.name.clone(),
            group.tensors.to_string(),
            number(group.least_sqnr_db, 1),
            number(group.mean_sqnr_db, 1),
            format!("{} of {}", group.saturated, group.values),
        ]
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    table(&[what, "tensors", "least SQNR dB", "mean SQNR dB", "saturated"], &rows)
}

fn sets_text(sets: &ExpertSets) -> String {
    let Some(share) = sets.share else { return "\nno experts\n".to_string() };
    let row = |block: &edge_moe::expert_sets::BlockSets| {
        let share = 100.0 * block.changed as f64 / block.tokens as f64;
        vec![block.task.clone(), block.block.to_string(), block.changed.to_string(), format!("{share:.2}")]
    };
    let rows: Vec<_> = sets.by_block.iter().map(row).collect();
    let table = table(&["expert sets", "block", "changed", "% of tokens"], &rows);
    let ExpertSets { changed, tokens, .. } = sets;
    format!("\n{table}all: {changed} of {tokens}, {:.2} %\n", 100.0 * share)
}

fn scores_text(scores: Option<&BothScores>) -> String {
    let Some(BothScores { float, integer }) = scores else {
        return "\nno scores: not every picture has labels of every task\n".to_string();
    };
    let row = |name: &str, float: Option<f64>, integer: Option<f64>, digits| {
        vec![name.to_string(), number(float, digits), number(integer, digits)]
    };
    let rows = [
        row("mIoU", float.miou, integer.miou, 4),
        row("pixel accuracy", float.pixel_accuracy, integer.pixel_accuracy, 4),
        row("depth RMSE [m]", float.depth_rmse_m, integer.depth_rmse_m, 3),
    ];
    format!("\n{}", table(&["scores", "float", "integer"], &rows))
}
