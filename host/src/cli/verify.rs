//! `edge-moe verify`: a device beside the software device, compared word by word.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::RunFigures;
use edge_moe::lockstep::{Difference, Lockstep};
use edge_moe::model::ModelConfig;
use edge_moe::random_program::random_program;
use edge_moe::{Error, ErrorKind, Result, picture};
use image::RgbImage;
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde::Serialize;

use super::device::{DeviceKind, DeviceOptions, figures_text};
use super::load::{CompileOptions, Opened, calibrate_and_compile, open, read_fitted};
use super::{print, print_json, progress};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors), a compiled model (.emoe), or random:SEED for random weights of the full shape
    #[arg(required_unless_present = "random_programs", conflicts_with = "random_programs")]
    model: Option<PathBuf>,

    /// A picture [default: a random one]
    picture: Option<PathBuf>,

    /// Run this many random legal programs instead of a model, from the seed on
    #[arg(long, value_name = "N")]
    random_programs: Option<u64>,

    #[command(flatten)]
    compile: CompileOptions,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOptions,
}

/// A program of a model on both devices.
#[derive(Serialize)]
struct ModelReport {
    device: String,
    arch: String,
    program: String,
    descriptors: usize,
    equal: bool,
    /// The first difference, one descriptor at a time or at the end of the whole run.
    difference: Option<Difference>,
    /// Seconds that the run one descriptor at a time took, both devices together; none if the device cannot be
    /// stopped after a descriptor.
    serialised_seconds: Option<f64>,
    /// The whole run; none if it was not reached or the device does not count.
    whole_run: Option<RunFigures>,
}

#[derive(Serialize)]
struct ProgramsReport {
    device: String,
    arch: String,
    /// Programs that left the same.
    equal: u64,
    programs: u64,
    first_seed: u64,
    /// Seed of the program that did not.
    failed_seed: Option<u64>,
    difference: Option<Difference>,
    cycles: u64,
    seconds: f64,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    if arguments.device.device == DeviceKind::Software {
        let problem = "is what other devices are compared with";
        return Err(Error::usage("the software device", problem).hint("choose another with --device rtl"));
    }
    match (&arguments.model, arguments.random_programs) {
        (Some(_), _) => verify_model(arguments),
        (None, programs) => verify_programs(arguments, programs.unwrap_or_default()),
    }
}

fn verify_model(arguments: &Arguments) -> Result<()> {
    let (compiled, picture) = model_and_picture(arguments)?;
    let program = compiled.program(edge_moe::compile::ALL_TASKS).unwrap_or(0);
    let listing = &compiled.manifest().programs[program];
    let descriptors = compiled.programs()[program].len();
    let bar = progress::bar("verifying", "descriptors", descriptors);
    let mut device = arguments.device.open(&bar, false)?;
    let mut report = ModelReport {
        device: device.name(),
        arch: compiled.manifest().arch.name.clone(),
        program: listing.name.clone(),
        descriptors,
        equal: false,
        difference: None,
        serialised_seconds: None,
        whole_run: None,
    };
    let memory = memory_with(&compiled, &picture);
    let mut lockstep = Lockstep::new(&mut *device, compiled.executable())?;
    if lockstep.can_step() {
        let begin = Instant::now();
        let mut done = |descriptor| bar.set_position(descriptor as u64 + 1);
        report.difference = lockstep.step_by_step(program, &memory, &mut done)?;
        report.serialised_seconds = Some(begin.elapsed().as_secs_f64());
    }
    if report.difference.is_none() {
        bar.reset();
        report.difference = lockstep.whole_run(program, &memory)?;
        report.whole_run = lockstep.device().figures();
    }
    bar.finish_and_clear();
    report.equal = report.difference.is_none();
    finish(arguments.json, &report, &model_text(&report), &report.difference, "")
}

/// The compiled model and a picture of its size.
fn model_and_picture(arguments: &Arguments) -> Result<(Arc<CompiledModel>, RgbImage)> {
    let path = arguments.model.as_deref().unwrap_or_else(|| "".as_ref());
    match open(path, &arguments.compile)? {
        Opened::Compiled(compiled) => {
            let picture = picture_for(arguments, &compiled.card().config)?;
            Ok((compiled, picture))
        }
        Opened::Float(model, arch) => {
            let picture = picture_for(arguments, &model.config)?;
            let pictures = match arguments.compile.calibration_paths()? {
                Some(paths) => read_fitted(&model, &paths)?,
                None => vec![picture.clone()],
            };
            let compilation = calibrate_and_compile(&model, &arch, &pictures)?;
            Ok((CompiledModel::from_bytes(compilation.artifact)?, picture))
        }
    }
}

fn picture_for(arguments: &Arguments, config: &ModelConfig) -> Result<RgbImage> {
    let (width, height) = (config.image_width as u32, config.image_height as u32);
    if let Some(path) = &arguments.picture {
        return Ok(picture::fit(&picture::read(path)?, width, height));
    }
    let mut picture = RgbImage::new(width, height);
    StdRng::seed_from_u64(arguments.device.seed()).fill_bytes(&mut picture);
    Ok(picture)
}

/// The writable part of memory with a picture in it.
fn memory_with(compiled: &CompiledModel, picture: &RgbImage) -> Vec<u8> {
    let mut memory = vec![0; compiled.manifest().writable_bytes as usize];
    let patches = picture::patches(picture, compiled.card().config.patch);
    let values = patches.iter().flat_map(|&value| i16::from(value).to_le_bytes());
    let start = compiled.manifest().input.address as usize;
    memory[start..].iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
    memory
}

fn model_text(report: &ModelReport) -> String {
    let ModelReport { device, arch, program, descriptors, .. } = report;
    let mut text = format!("{device}, `{arch}`: program `{program}`, {descriptors} descriptors\n");
    let first = if report.equal || report.whole_run.is_some() { "equal" } else { "different" };
    text += &match report.serialised_seconds {
        Some(seconds) => format!("  one at a time: {first}, {seconds:.1} s\n"),
        None => "  one at a time: not possible, the device cannot be stopped after a descriptor\n".into(),
    };
    if let Some(figures) = &report.whole_run {
        text += &format!("  whole run: {}; ", if report.equal { "equal" } else { "different" });
        text += &(figures_text(figures) + "\n");
    }
    text
}

fn verify_programs(arguments: &Arguments, programs: u64) -> Result<()> {
    let arch = arguments.compile.architecture()?;
    let first_seed = arguments.device.seed();
    let mut device = arguments.device.open(&ProgressBar::hidden(), true)?;
    let mut report = ProgramsReport {
        device: device.name(),
        arch: arch.name.clone(),
        equal: 0,
        programs,
        first_seed,
        failed_seed: None,
        difference: None,
        cycles: 0,
        seconds: 0.0,
    };
    let bar = progress::bar("verifying", "programs", programs as usize);
    let begin = Instant::now();
    for seed in (first_seed..).take(programs as usize) {
        let program = random_program(&arch, seed)?;
        let mut lockstep = Lockstep::new(&mut *device, &program.executable)?;
        let result = verify_program(&mut lockstep, &program.memory);
        let named = |cause: Error| {
            let hint = format!(
                "`edge-moe verify --device {} --random-programs 1 --arch {} --seed {seed}`",
                arguments.device.device, arch.name
            );
            Error::new(cause.kind(), format!("program of seed {seed}"), &cause)
                .hint(format!("repeat it with {hint}"))
        };
        report.difference = result.map_err(named)?;
        report.cycles += device.figures().map_or(0, |figures| figures.cycles);
        if report.difference.is_some() {
            report.failed_seed = Some(seed);
            break;
        }
        report.equal += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.seconds = begin.elapsed().as_secs_f64();
    let subject = report.failed_seed.map_or(String::new(), |seed| format!("program of seed {seed}, "));
    finish(arguments.json, &report, &programs_text(&report), &report.difference, &subject)
}

/// All ways of running a program that the device has.
fn verify_program(lockstep: &mut Lockstep<'_>, memory: &[u8]) -> Result<Option<Difference>> {
    if lockstep.can_step() {
        let difference = lockstep.step_by_step(0, memory, &mut |_| ())?;
        if difference.is_some() {
            return Ok(difference);
        }
    }
    lockstep.whole_run(0, memory)
}

fn programs_text(report: &ProgramsReport) -> String {
    let ProgramsReport { device, arch, equal, programs, first_seed, cycles, seconds, .. } = report;
    let rate = *equal as f64 / seconds.max(1e-9);
    format!(
        "{device}, `{arch}`: {equal} of {programs} random programs equal, from seed {first_seed}; \
         {cycles} cycles of whole runs, {seconds:.1} s, {rate:.0} programs/s\n"
    )
}

/// Prints a result; a difference is an error too.
fn finish(
    json: bool,
    report: &impl Serialize,
    text: &str,
    difference: &Option<Difference>,
    subject: &str,
) -> Result<()> {
    if json {
        print_json(report)?
    } else {
        print(text)?
    }
    match difference {
        None => Ok(()),
        Some(difference) => {
            Err(Error::new(ErrorKind::Device, format!("{subject}first difference"), difference))
        }
    }
}
