//! `edge-moe inspect`: what a compiled model holds.

use std::path::PathBuf;

use clap::Args;
use edge_moe::compile::ModelCard;
use edge_moe::compiled::CompiledModel;
use edge_moe::{Error, Result};
use edge_moe_isa::INTERFACE_VERSION;
use edge_moe_isa::artifact::{Manifest, Program};
use edge_moe_isa::descriptor::Descriptor;
use serde::Serialize;

use super::table::table;
use super::{print, print_json};

#[derive(Args)]
pub struct Arguments {
    /// A compiled model (.emoe)
    file: PathBuf,

    /// List only this program
    #[arg(long, value_name = "NAME")]
    program: Option<String>,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Contents<'a> {
    interface_version: u32,
    file_bytes: usize,
    writable_bytes: u64,
    image_bytes: usize,
    arch: &'a edge_moe_isa::arch::ArchConfig,
    model: &'a ModelCard,
    programs: Vec<ProgramListing<'a>>,
}

#[derive(Serialize)]
struct ProgramListing<'a> {
    name: &'a str,
    address: u64,
    interleaved_tasks: u32,
    steps: Vec<StepListing<'a>>,
}

#[derive(Serialize)]
struct StepListing<'a> {
    label: &'a str,
    wait: bool,
    operation: &'static str,
    operands: serde_json::Map<String, serde_json::Value>,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let model = CompiledModel::open(&arguments.file)?;
    let chosen = choose(model.manifest(), arguments.program.as_deref())?;
    let programs: Vec<(&Program, &[Descriptor])> = chosen
        .into_iter()
        .map(|index| (&model.manifest().programs[index], model.programs()[index].as_slice()))
        .collect();
    if !arguments.json {
        let mut text = summary(&arguments.file, &model);
        for (program, descriptors) in programs {
            text += &listing(program, descriptors);
        }
        return print(&text);
    }
    print_json(&Contents {
        interface_version: INTERFACE_VERSION,
        file_bytes: model.file_bytes(),
        writable_bytes: model.manifest().writable_bytes,
        image_bytes: model.image().len(),
        arch: &model.manifest().arch,
        model: model.card(),
        programs: programs.into_iter().map(json_listing).collect(),
    })
}

/// Indices of the programs to show.
fn choose(manifest: &Manifest, name: Option<&str>) -> Result<Vec<usize>> {
    let all = 0..manifest.programs.len();
    let Some(name) = name else { return Ok(all.collect()) };
    let found: Vec<usize> = all.filter(|&index| manifest.programs[index].name == name).collect();
    if found.is_empty() {
        let names: Vec<&str> = manifest.programs.iter().map(|program| program.name.as_str()).collect();
        return Err(Error::usage(format!("program `{name}`"), "is not in the file")
            .hint(format!("its programs are {}", names.join(", "))));
    }
    Ok(found)
}

fn summary(file: &std::path::Path, model: &CompiledModel) -> String {
    let (manifest, card) = (model.manifest(), model.card());
    let (arch, config) = (&manifest.arch, &card.config);
    let tasks: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
    let rows = [
        (
            "file",
            format!(
                "{}, {} bytes, interface version {INTERFACE_VERSION}",
                file.display(),
                model.file_bytes()
            ),
        ),
        (
            "architecture",
            format!(
                "{}: {} lanes of {} multipliers, {} multipliers",
                arch.name,
                arch.lanes,
                arch.vector,
                arch.multipliers()
            ),
        ),
        (
            "memory",
            format!(
                "{} bytes writable, then {} bytes of weights and programs",
                manifest.writable_bytes,
                model.image().len()
            ),
        ),
        ("weights from", format!("{}, {} parameters", card.provenance.file, card.provenance.parameters)),
        ("", card.provenance.note.clone()),
        ("calibrated on", format!("{} pictures", card.calibration_pictures)),
        (
            "picture",
            format!("{} x {} pixels, patches of {}", config.image_width, config.image_height, config.patch),
        ),
        (
            "network",
            format!(
                "{} tokens of {} channels, {} heads, {} experts, top {}",
                config.tokens(),
                config.dim,
                config.heads,
                config.experts,
                config.top_k
            ),
        ),
        ("tasks", tasks.join(", ")),
    ];
    rows.iter().map(|(name, value)| format!("{name:<14}{value}").trim_end().to_string() + "\n").collect()
}

fn listing(program: &Program, descriptors: &[Descriptor]) -> String {
    let tasks = match program.interleaved_tasks {
        1 => "one task at a time".to_string(),
        count => format!("{count} tasks interleaved"),
    };
    let Program { name, address, .. } = program;
    let mut text = format!(
        "\nprogram `{name}` at {address}: {} descriptors, {tasks} (* waits for all before it)\n",
        descriptors.len()
    );
    let row = |(index, (descriptor, step)): (usize, (&Descriptor, &edge_moe_isa::artifact::Step))| {
        vec![step.label.clone(), index.to_string(), descriptor.to_string()]
    };
    let rows: Vec<_> = descriptors.iter().zip(&program.steps).enumerate().map(row).collect();
    text += &table(&["step", "#", "descriptor"], &rows);
    text
}

fn json_listing<'a>((program, descriptors): (&'a Program, &'a [Descriptor])) -> ProgramListing<'a> {
    let step = |(descriptor, step): (&Descriptor, &'a edge_moe_isa::artifact::Step)| StepListing {
        label: &step.label,
        wait: descriptor.wait,
        operation: descriptor.operation.layout().name,
        operands: descriptor.operation.values().into_iter().map(operand).collect(),
    };
    ProgramListing {
        name: &program.name,
        address: program.address,
        interleaved_tasks: program.interleaved_tasks,
        steps: descriptors.iter().zip(&program.steps).map(step).collect(),
    }
}

/// Numbers as numbers, names as strings.
fn operand((name, value): (&str, String)) -> (String, serde_json::Value) {
    (name.to_string(), value.parse::<u64>().map_or_else(|_| value.into(), Into::into))
}
