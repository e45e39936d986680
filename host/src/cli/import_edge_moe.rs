//! `edge-moe import-edge-moe`: the weights directory that Edge-MoE releases becomes a model.

use std::path::PathBuf;

use clap::Args;
use edge_moe::model::{
    EdgeMoeImport, read_edge_moe, read_edge_moe_picture, sample_shapes, write_safetensors,
};
use edge_moe::{Result, draw};
use serde::Serialize;

use super::{print, print_json};

#[derive(Args)]
pub struct Arguments {
    /// The `weights` directory of an Edge-MoE checkout
    directory: PathBuf,

    /// The model to write (.safetensors)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Fill weights that are missing with random values from this seed
    #[arg(long, value_name = "SEED")]
    fill_missing: Option<u64>,

    /// Write the picture beside the weights as PNG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    output: &'a PathBuf,
    picture: Option<&'a PathBuf>,
    parameters: u64,
    files: usize,
    /// Tensors without a file, filled with random values.
    filled: Vec<String>,
    fill_seed: Option<u64>,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let Arguments { directory, output, fill_missing, .. } = arguments;
    let (config, depths) = sample_shapes::headless(sample_shapes::edge_moe());
    let EdgeMoeImport { model, files, filled } = read_edge_moe(directory, (&config, depths), *fill_missing)?;
    let picture =
        arguments.picture.as_ref().map(|path| Ok((path, read_edge_moe_picture(directory, &config)?)));
    let picture = picture.transpose()?;
    if let Some(seed) = fill_missing.filter(|_| !filled.is_empty()) {
        tracing::warn!(
            "not in the directory, filled with random values from seed {seed}: {}",
            filled.join(", ")
        );
    }
    write_safetensors(&model, output)?;
    if let Some((path, picture)) = &picture {
        draw::save_png(path, picture)?;
    }
    let report = Report {
        output,
        picture: arguments.picture.as_ref(),
        parameters: model.provenance.parameters,
        files,
        fill_seed: fill_missing.filter(|_| !filled.is_empty()),
        filled,
    };
    if arguments.json { print_json(&report) } else { print(&text(&report)) }
}

fn text(report: &Report<'_>) -> String {
    let Report { output, picture, parameters, files, filled, .. } = report;
    let mut text = format!("{}: {parameters} parameters out of {files} files", output.display());
    if !filled.is_empty() {
        text += &format!(", {} tensors filled with random values", filled.len());
    }
    text += "\n";
    if let Some(picture) = picture {
        text += &format!("{}: the picture beside them\n", picture.display());
    }
    text
}
