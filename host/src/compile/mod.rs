//! The compiler: from a float model and an architecture to an artifact.

mod allocate;
mod lower;
mod memory_map;
mod pack;
mod shapes;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact::{self, Input, Manifest, Output, Program, Routing};
use serde::{Deserialize, Serialize};

use crate::model::{Model, ModelConfig, Provenance};
use crate::quantise::{Ranges, Scales, TensorReport};
use crate::{Error, Result};
use allocate::DoesNotFit;
use lower::{Lowered, Source, lower};
use memory_map::MemoryMap;
use pack::{Image, pack};

/// Name of the program that answers every task.
pub const ALL_TASKS: &str = "all";

/// What an artifact tells about its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Shape and tasks.
    pub config: ModelConfig,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// Pictures whose ranges set the scales.
    pub calibration_pictures: usize,
}

/// A compiled model and what compiling did to its weights.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The bytes of an artifact, already checked.
    pub artifact: Vec<u8>,
    /// Each layer's weights compared with what they were.
    pub weights: Vec<TensorReport>,
}

/// Compiles a model for `arch` with scales from calibrated `ranges`.
pub fn compile(
    model: &Model,
    arch: &ArchConfig,
    ranges: &Ranges,
    calibration_pictures: usize,
) -> Result<Compilation> {
    shapes::check(model, arch)?;
    let scales = Scales::choose(model, ranges);
    let memory = MemoryMap::new(model, arch);
    let mut image = Image::new(memory.writable_bytes);
    let packed = pack(model, arch, &scales, &mut image)?;
    let source = Source { arch, config: &model.config, image: &packed, scales: &scales, memory: &memory };
    let card = ModelCard {
        config: model.config.clone(),
        provenance: model.provenance.clone(),
        calibration_pictures,
    };
    let manifest = Manifest {
        arch: arch.clone(),
        writable_bytes: memory.writable_bytes,
        input: Input {
            address: memory.picture.into(),
            patches: model.config.patches() as u32,
            values: model.config.patch_values() as u32,
        },
        programs: programs(&source, &mut image)?,
        model: serde_json::to_value(card).expect("model cards are plain data"),
    };
    let artifact = artifact::assemble(&manifest, &image.into_bytes())
        .map_err(|cause| Error::input("compiler", format!("made an illegal artifact: {cause}")))?;
    Ok(Compilation { artifact, weights: packed.weights })
}

/// One program per task, and one for all of them.
fn programs(source: &Source<'_>, image: &mut Image) -> Result<Vec<Program>> {
    let tasks: Vec<usize> = (0..source.config.tasks.len()).collect();
    let mut programs = Vec::new();
    if tasks.len() > 1 {
        programs.push(program(source, ALL_TASKS, &tasks, image)?);
    }
    for &task in &tasks {
        programs.push(program(source, &source.config.tasks[task].name, &[task], image)?);
    }
    Ok(programs)
}

fn program(source: &Source<'_>, name: &str, tasks: &[usize], image: &mut Image) -> Result<Program> {
    let (lowered, interleaved) = lower_as_wide_as_fits(source, tasks)?;
    let bytes: Vec<u8> = lowered.descriptors.iter().flat_map(|descriptor| descriptor.encode()).collect();
    let address = image.append(&bytes)?;
    Ok(Program {
        name: name.to_string(),
        address: address.into(),
        steps: lowered.steps,
        outputs: tasks.iter().map(|&task| output(source, task)).collect(),
        routing: tasks.iter().flat_map(|&task| routing(source, task)).collect(),
        interleaved_tasks: interleaved as u32,
    })
}

/// Interleaves as many tasks as the chip holds.
fn lower_as_wide_as_fits(source: &Source<'_>, tasks: &[usize]) -> Result<(Lowered, usize)> {
    let mut refusal = None;
    for interleave in (1..=tasks.len()).rev() {
        match lower(source, tasks, interleave) {
            Ok(lowered) => return Ok((lowered, interleave)),
            Err(does_not_fit) => refusal = Some(does_not_fit),
        }
    }
    let DoesNotFit { memory, needed, available } = refusal.expect("a program answers at least one task");
    let name = &source.arch.name;
    Err(Error::usage(
        format!("architecture `{name}`"),
        format!("{memory} has {available} entries, the model needs {needed} at once"),
    )
    .hint("choose an architecture with larger memories: edge, zcu102 or ecp5-85"))
}

fn output(source: &Source<'_>, task: usize) -> Output {
    let Source { arch, config, scales, memory, .. } = *source;
    let (rows, channels) = config.answer_shape(&config.tasks[task]);
    Output {
        task: config.tasks[task].name.clone(),
        address: memory.outputs[task].into(),
        patches: rows as u32,
        channels: channels as u32,
        stride: arch.words(channels as u32) * arch.word_bytes(),
        scale: scales.answer(task),
    }
}

fn routing(source: &Source<'_>, task: usize) -> Vec<Routing> {
    let Source { arch, config, memory, .. } = *source;
    let entry = |(block, address): (usize, u32)| Routing {
        task: config.tasks[task].name.clone(),
        block: block as u32,
        address: address.into(),
        tokens: config.tokens() as u32,
        experts: config.experts as u32,
        top_k: config.top_k as u32,
        stride: arch.words(config.experts as u32) * arch.word_bytes(),
    };
    memory.routing_of(task).map(entry).collect()
}
