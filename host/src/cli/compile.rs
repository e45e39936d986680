//! `edge-moe compile`: float weights to an artifact, and what that did to them.

use std::path::PathBuf;

use clap::Args;
use edge_moe::compiled::CompiledModel;
use edge_moe::fidelity::compare_activations;
use edge_moe::model::read_safetensors;
use edge_moe::quantise::TensorReport;
use edge_moe::{Result, picture};
use serde::Serialize;

use super::load::{architecture, calibrate_and_compile, read_fitted};
use super::table::{number, table};
use super::{print, print_json, progress};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors)
    model: PathBuf,

    /// Architecture to compile for: tiny, edge, zcu102 or ecp5-85
    #[arg(long, value_name = "NAME")]
    arch: String,

    /// Pictures that set the scales: like those the model will see
    #[arg(long, value_name = "DIR")]
    calibrate: PathBuf,

    /// The artifact to write (.emoe)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Calibration pictures whose activations are compared with float, 0 for none
    #[arg(long, value_name = "N", default_value_t = 4)]
    report_pictures: usize,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    artifact: PathBuf,
    arch: String,
    artifact_bytes: usize,
    calibration_pictures: usize,
    report_pictures: usize,
    programs: Vec<ProgramReport>,
    weights: Vec<TensorReport>,
    activations: Vec<TensorReport>,
}

#[derive(Serialize)]
struct ProgramReport {
    name: String,
    descriptors: usize,
    interleaved_tasks: u32,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let arch = architecture(&arguments.arch)?;
    let model = read_safetensors(&arguments.model)?;
    let pictures = read_fitted(&model, &picture::list_directory(&arguments.calibrate)?)?;
    let compilation = calibrate_and_compile(&model, &arch, &pictures)?;
    let compiled = CompiledModel::from_bytes(compilation.artifact)?;
    compiled.write(&arguments.output)?;

    let compared = &pictures[..pictures.len().min(arguments.report_pictures)];
    let bar = progress::bar("comparing", "pictures", compared.len());
    let activations = compare_activations(&model, &compiled, compared, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let programs = compiled.manifest().programs.iter().map(|program| ProgramReport {
        name: program.name.clone(),
        descriptors: program.steps.len(),
        interleaved_tasks: program.interleaved_tasks,
    });
    let report = Report {
        artifact: arguments.output.clone(),
        arch: arch.name,
        artifact_bytes: compiled.file_bytes(),
        calibration_pictures: pictures.len(),
        report_pictures: compared.len(),
        programs: programs.collect(),
        weights: compilation.weights,
        activations,
    };
    if arguments.json { print_json(&report) } else { print(&text(&report)) }
}

fn text(report: &Report) -> String {
    let mut text = tensors("weights", &report.weights);
    if !report.activations.is_empty() {
        text += &format!("\n{}", tensors("activations", &report.activations));
    }
    let Report { calibration_pictures, artifact_bytes, .. } = report;
    text += &format!(
        "\n{}: {artifact_bytes} bytes for `{}`, calibrated on {calibration_pictures} pictures\n",
        report.artifact.display(),
        report.arch,
    );
    for ProgramReport { name, descriptors, interleaved_tasks } in &report.programs {
        text +=
            &format!("program `{name}`: {descriptors} descriptors, tasks at a time: {interleaved_tasks}\n");
    }
    text
}

fn tensors(kind: &str, reports: &[TensorReport]) -> String {
    let row = |report: &TensorReport| {
        let scale = if report.finest_scale == report.coarsest_scale {
            format!("{:.3e}", report.finest_scale)
        } else {
            format!("{:.3e} to {:.3e}", report.finest_scale, report.coarsest_scale)
        };
        vec![
            report.name.clone(),
            report.bits.to_string(),
            format!("{:.4}", report.greatest),
            scale,
            format!("{} of {}", report.saturated, report.values),
            number(report.sqnr_db, 1),
        ]
    };
    let rows: Vec<_> = reports.iter().map(row).collect();
    table(&[kind, "bits", "greatest", "scale", "saturated", "SQNR dB"], &rows)
}
