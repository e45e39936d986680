//! `edge-moe profile`: where the cycles, products and bytes of a picture go.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{Device, RunFigures, SoftwareDevice};
use edge_moe::profile::plots::{Plot, grouped, plots};
use edge_moe::profile::{Evidence, Machine, Memory, Part, Report, Subject, html, observe, predict};
use edge_moe::runtime::Runtime;
use edge_moe::{Error, ErrorKind, Result, picture};
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::Trace;
use image::RgbImage;
use serde::Serialize;

use super::board::{BOARDS, Board};
use super::device::RtlOptions;
use super::load::{CompileOptions, load, synthetic};
use super::table::table;
use super::{print, print_json, progress};

/// Cycles from a memory address to its data if nobody says otherwise.
const LATENCY: u32 = 64;
/// What the picture is called if none is given.
const SYNTHETIC: &str = "synthetic";

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors) or a compiled model (.emoe)
    model: PathBuf,

    /// Picture of any size; a synthetic one if not given
    picture: Option<PathBuf>,

    /// What counts the cycles: model, an estimate in milliseconds; rtl, under Verilator, cycle by cycle; or
    /// uart:PATH[,BAUD] or zynq[:UIO[,BUFFER]], an FPGA board, whose totals stand beside the model's estimate
    #[arg(long, value_name = "DEVICE", default_value = "model")]
    device: Counter,

    /// Answer only this task
    #[arg(long, value_name = "NAME")]
    task: Option<String>,

    /// Clock for times, in MHz
    #[arg(long, value_name = "MHZ", default_value_t = 150.0, value_parser = clock)]
    clock_mhz: f64,

    /// Where the page is written
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    /// Write each figure as an SVG file, too
    #[arg(long)]
    svg: bool,

    #[command(flatten)]
    compile: CompileOptions,

    #[command(flatten)]
    rtl: RtlOptions,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Counter {
    /// The cycle model.
    Model,
    /// The RTL under Verilator.
    Rtl,
    /// An FPGA board.
    Board(Board),
}

impl FromStr for Counter {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, Board::parse(text)) {
            ("model", _) => Ok(Self::Model),
            ("rtl", _) => Ok(Self::Rtl),
            (_, Some(board)) => board.map(Self::Board),
            _ => Err(format!("cycles are counted by model, rtl, {BOARDS}")),
        }
    }
}

#[derive(Serialize)]
struct Output {
    #[serde(flatten)]
    report: Report,
    /// What a board counted of the same run, over the whole program.
    counted: Option<Counted>,
    /// The page.
    html_file: PathBuf,
    /// The figures, if asked for.
    svg_files: Vec<PathBuf>,
}

/// Totals of a board.
#[derive(Serialize)]
struct Counted {
    device: String,
    #[serde(flatten)]
    figures: RunFigures,
}

fn clock(text: &str) -> std::result::Result<f64, String> {
    let mhz: f64 = text.parse().map_err(|_| "is not a number".to_string())?;
    if mhz.is_finite() && mhz > 0.0 { Ok(mhz) } else { Err("must be above zero".into()) }
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let own: Vec<PathBuf> = arguments.picture.iter().cloned().collect();
    let model = load(&arguments.model, &arguments.compile, &own)?.compiled;
    let mut runtime = Runtime::new(SoftwareDevice::new(), model)?;
    let program = runtime.program_for(arguments.task.as_deref())?;
    let picture = match &arguments.picture {
        Some(path) => picture::read(path)?,
        None => synthetic(&runtime.model().card().config),
    };
    let (answers, queues) = observe(&mut runtime, &picture, program)?;
    let model = runtime.model();
    let manifest = model.manifest();
    let memory = Memory::of(&manifest.arch, arguments.rtl.latency().unwrap_or(LATENCY));
    let counted = match &arguments.device {
        Counter::Board(board) => Some(count(board, model, &picture, program)?),
        Counter::Model | Counter::Rtl => None,
    };
    let (trace, device, evidence) = match arguments.device {
        Counter::Model | Counter::Board(_) => {
            check_model_options(&arguments.rtl)?;
            let machine = Machine { arch: &manifest.arch, memory, writable_bytes: manifest.writable_bytes };
            let trace = predict(&machine, &model.programs()[program], &queues);
            (trace, "cycle model".to_string(), Evidence::Estimated)
        }
        Counter::Rtl => simulate(arguments, model, &picture, program)?,
    };
    let name = arguments.picture.as_deref().and_then(Path::file_stem);
    let name = name.map_or(SYNTHETIC.into(), |stem| stem.to_string_lossy().into_owned());
    let clock_mhz = arguments.clock_mhz;
    let subject = Subject { model, program, picture: &name, device: &device, evidence, memory, clock_mhz };
    let report = Report::new(&subject, &trace, &queues, &answers.routing);
    let output = write(arguments, report, counted)?;
    if arguments.json { print_json(&output) } else { print(&text(&output)) }
}

/// Runs the program in RTL; its trace and the device's name.
fn simulate(
    arguments: &Arguments,
    model: &Arc<CompiledModel>,
    picture: &RgbImage,
    program: usize,
) -> Result<(Trace, String, Evidence)> {
    let bar = progress::bar("simulating", "descriptors", model.programs()[program].len());
    let mut runtime = Runtime::new(arguments.rtl.open(&bar, false)?, Arc::clone(model))?;
    runtime.run(picture, program)?;
    bar.finish_and_clear();
    let device = runtime.device();
    let trace = device.trace().cloned();
    let missing = || Error::new(ErrorKind::Device, device.name(), "does not tell where its cycles went");
    Ok((trace.ok_or_else(missing)?, device.name(), Evidence::Simulated))
}

/// Runs the program on a board.
fn count(board: &Board, model: &Arc<CompiledModel>, picture: &RgbImage, program: usize) -> Result<Counted> {
    let mut runtime = Runtime::new(board.open()?, Arc::clone(model))?;
    runtime.run(picture, program)?;
    let device = runtime.device();
    let figures = device.figures();
    let missing = || Error::new(ErrorKind::Device, device.name(), "did not count its cycles");
    Ok(Counted { device: device.name(), figures: figures.ok_or_else(missing)? })
}

/// The cycle model knows of a fixed latency only.
fn check_model_options(options: &RtlOptions) -> Result<()> {
    options.refuse(options.given().filter(|option| *option != "--latency"))
}

/// Writes the page, and the figures if asked for.
fn write(arguments: &Arguments, report: Report, counted: Option<Counted>) -> Result<Output> {
    let out = &arguments.out;
    std::fs::create_dir_all(out).map_err(|cause| Error::writing(out, cause))?;
    let save = |ending: &str, text: &str| {
        let file = out.join(format!("{}.{ending}", report.picture));
        std::fs::write(&file, text).map_err(|cause| Error::writing(&file, cause))?;
        Ok(file)
    };
    let html_file = save("profile.html", &html(&report))?;
    let figures = if arguments.svg { plots(&report) } else { Vec::new() };
    let figure = |plot: &Plot| save(&format!("{}.svg", plot.name), &plot.svg);
    let svg_files = figures.iter().map(figure).collect::<Result<_>>()?;
    Ok(Output { report, counted, html_file, svg_files })
}

fn text(Output { report, counted, html_file, svg_files }: &Output) -> String {
    let mut text = summary(report);
    if let Some(counted) = counted {
        text += &counted_text(counted, report.cycles);
    }
    text += &format!("\n{}\n{}", parts("kind", &report.kinds), parts("layer", &report.layers));
    text += &format!("\n{}\n", html_file.display());
    for file in svg_files {
        text += &format!("{}\n", file.display());
    }
    text
}

fn summary(report: &Report) -> String {
    let evidence = report.evidence.name();
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let rows = [
        ("program", format!("`{}` on {}, picture {}", report.program, report.arch, report.picture)),
        ("device", format!("{}: cycles and bytes are {evidence}", report.device)),
        (
            "cycles",
            format!(
                "{} ({:.2} ms at {} MHz, estimated)",
                grouped(report.cycles),
                report.estimated_ms,
                report.clock_mhz
            ),
        ),
        (
            "bound",
            format!(
                "{} by row groups; {:.1} % above it",
                grouped(report.bound_cycles),
                percent(report.cycles, report.bound_cycles) - 100.0
            ),
        ),
        (
            "products",
            format!(
                "{}, {:.1} % of what {} multipliers could do; {} cycles if they never waited",
                grouped(report.macs),
                100.0 * report.multiplier_use,
                report.multipliers,
                grouped(report.ideal_cycles)
            ),
        ),
        (
            "memory",
            format!("{} bytes read, {} written", grouped(report.read_bytes), grouped(report.written_bytes)),
        ),
        ("waiting", stalls(report.activities.stalls().iter(), report.cycles)),
    ];
    rows.iter().map(|(name, value)| format!("{name:<10}{value}").trim_end().to_string() + "\n").collect()
}

/// What a board counted, beside the cycles of the model.
fn counted_text(Counted { device, figures }: &Counted, estimated: u64) -> String {
    let more = 100.0 * (figures.cycles as f64 / estimated.max(1) as f64 - 1.0);
    let (read, written) = (grouped(figures.read_bytes), grouped(figures.written_bytes));
    format!(
        "{:<10}{} cycles on the {device}, {more:+.1} % against the model; {read} bytes read, {written} written\n",
        "counted",
        grouped(figures.cycles)
    )
}

fn parts(what: &str, parts: &[Part]) -> String {
    let row = |part: &Part| {
        vec![
            part.name.clone(),
            grouped(part.cycles),
            format!("{:.2}", 100.0 * part.share),
            grouped(part.macs),
            format!("{:.1}", 100.0 * part.multiplier_use),
            grouped(part.read_bytes),
            grouped(part.written_bytes),
            stalls(part.activities.stalls().iter().take(2), part.cycles),
        ]
    };
    let head = [what, "cycles", "%", "products", "use %", "read", "written", "waited for"];
    table(&head, &parts.iter().map(row).collect::<Vec<_>>())
}

/// What the lanes waited for, in percent of some cycles.
fn stalls<'a>(stalls: impl Iterator<Item = &'a (Activity, u64)>, cycles: u64) -> String {
    let share = |cycles_of: u64| 100.0 * cycles_of as f64 / cycles.max(1) as f64;
    let stall = |(activity, of): &(Activity, u64)| format!("{} {:.1} %", activity.name(), share(*of));
    stalls.map(stall).collect::<Vec<_>>().join(", ")
}
