//! `edge-moe export`: the float network as ONNX.

use std::path::PathBuf;

use clap::Args;
use edge_moe::model::Model;
use edge_moe::model::onnx::{Summary, write_onnx};
use edge_moe::{Error, Result};
use serde::Serialize;

use super::load::open_float;
use super::{print, print_json};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors), or random:SEED
    model: PathBuf,

    /// The file to write (.onnx)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Answer this task; may be given more than once [default: all tasks]
    #[arg(long = "task", value_name = "NAME")]
    tasks: Vec<String>,

    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    #[serde(flatten)]
    summary: Summary,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let model = open_float(&arguments.model)?;
    let tasks = task_indices(&model, &arguments.tasks)?;
    let summary = write_onnx(&model, &tasks, &arguments.output)?;
    let report = Report { file: arguments.output.clone(), summary };
    if arguments.json { print_json(&report) } else { print(&text(&report)) }
}

/// The tasks of these names, or all if none are named.
fn task_indices(model: &Model, names: &[String]) -> Result<Vec<usize>> {
    let known: Vec<&str> = model.config.tasks.iter().map(|task| task.name.as_str()).collect();
    if names.is_empty() {
        return Ok((0..known.len()).collect());
    }
    let mut indices = Vec::new();
    for name in names {
        let index = known.iter().position(|known| known == name).ok_or_else(|| {
            Error::usage(format!("task `{name}`"), "the model does not answer it")
                .hint(format!("its tasks are {}", known.join(", ")))
        })?;
        if indices.contains(&index) {
            return Err(Error::usage(format!("task `{name}`"), "is named twice"));
        }
        indices.push(index);
    }
    Ok(indices)
}

fn text(report: &Report) -> String {
    let Summary { operator_set, nodes, values, input, input_shape, outputs } = &report.summary;
    let mut text = format!(
        "{}: operator set {operator_set}, {nodes} nodes, {values} weights and constants\n\
         input `{input}`: u8 {input_shape:?}, RGB, 0 to 255\n",
        report.file.display()
    );
    for output in outputs {
        text += &format!("output `{}`: f32 {:?}, patches and channels\n", output.name, output.shape);
    }
    text
}
