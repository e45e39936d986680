//! `edge-moe run`: pictures in; class maps, depth maps and expert routing out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use edge_moe::device::{Device, RunFigures};
use edge_moe::draw::{self, RoutingPanel, RoutingView};
use edge_moe::model::{ModelConfig, Task, TaskKind};
use edge_moe::runtime::{Answers, BlockRouting, Runtime};
use edge_moe::tasks::{Answer, decode};
use edge_moe::{Error, Result, picture};
use image::RgbImage;
use ndarray::Array2;
use serde::Serialize;

use super::device::{DeviceKind, DeviceOptions, figures_text};
use super::load::{CompileOptions, load};
use super::{print, print_json, progress};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors) or a compiled model (.emoe)
    model: PathBuf,

    /// Pictures of any size: PNG, JPEG, BMP, WebP, PNM, TIFF or GIF
    #[arg(required = true)]
    pictures: Vec<PathBuf>,

    /// Answer only this task
    #[arg(long, value_name = "NAME")]
    task: Option<String>,

    /// Where pictures of the answers are written
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    #[command(flatten)]
    compile: CompileOptions,

    /// Print the answers as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOptions,
}

#[derive(Serialize)]
struct Report {
    device: String,
    arch: String,
    pictures: Vec<PictureReport>,
}

#[derive(Serialize)]
struct PictureReport {
    picture: PathBuf,
    /// What the run took; none if the device does not count.
    figures: Option<RunFigures>,
    answers: Vec<AnswerReport>,
    /// Expert routing as a picture; none if the model has no experts.
    routing_file: Option<PathBuf>,
    routing: Vec<RoutingReport>,
}

#[derive(Serialize)]
struct AnswerReport {
    task: String,
    /// For people: beside the picture, with a legend; none without a head.
    file: Option<PathBuf>,
    /// For programs: class indices, metres × 256, or the tokens of an encoder without a head.
    map_file: PathBuf,
    #[serde(flatten)]
    summary: Summary,
}

/// What an answer says in a few numbers.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Summary {
    /// Share of the cells of each class that appears, the largest first.
    Classes(Vec<ClassShare>),
    /// Of the cells' depths.
    Depth { nearest_m: f32, median_m: f32, farthest_m: f32 },
    /// Of the encoder's tokens, cls first.
    Tokens { tokens: usize, channels: usize, least: f32, greatest: f32 },
}

#[derive(Serialize)]
struct ClassShare {
    class: String,
    share: f64,
}

#[derive(Serialize)]
struct RoutingReport {
    task: String,
    block: usize,
    tokens_per_expert: Vec<usize>,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let stems = distinct_stems(&arguments.pictures)?;
    let loaded = load(&arguments.model, &arguments.compile, &arguments.pictures)?;
    let simulated = arguments.device.device == DeviceKind::Rtl;
    let bar = match simulated {
        true => progress::bar("running", "descriptors", 0),
        false => progress::bar("running", "pictures", stems.len()),
    };
    let mut runtime = Runtime::new(arguments.device.open(&bar, false)?, loaded.compiled)?;
    let program = runtime.program_for(arguments.task.as_deref())?;
    if simulated {
        bar.set_length(runtime.model().programs()[program].len() as u64);
    }
    let mut pictures = Vec::new();
    for (path, stem) in arguments.pictures.iter().zip(&stems) {
        let picture = picture::read(path)?;
        let answers = runtime.run(&picture, program)?;
        let figures = runtime.device().figures();
        if let Some(figures) = &figures {
            bar.suspend(|| tracing::info!("{}: {}", path.display(), figures_text(figures)));
        }
        std::fs::create_dir_all(&arguments.out).map_err(|cause| Error::writing(&arguments.out, cause))?;
        let config = &runtime.model().card().config;
        let writer = Writer { config, picture: &picture, prefix: &arguments.out.join(stem) };
        pictures.push(PictureReport { figures, ..writer.write(path, &answers)? });
        if !simulated {
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let arch = runtime.model().manifest().arch.name.clone();
    let report = Report { device: runtime.device().name(), arch, pictures };
    if arguments.json { print_json(&report) } else { print(&text(&report)) }
}

/// Names of the files to write, without endings: the pictures' own.
fn distinct_stems(pictures: &[PathBuf]) -> Result<Vec<String>> {
    let mut seen: HashMap<String, &Path> = HashMap::new();
    let mut stems = Vec::new();
    for path in pictures {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = seen.insert(stem.clone(), path) {
            let problem = format!("would write the same files as {}", other.display());
            return Err(
                Error::usage(path.display(), problem).hint("rename one, or run them one after another")
            );
        }
        stems.push(stem);
    }
    Ok(stems)
}

/// Writes what there is to see of one picture's answers.
struct Writer<'a> {
    config: &'a ModelConfig,
    picture: &'a RgbImage,
    /// Path of every file up to its ending.
    prefix: &'a Path,
}

impl Writer<'_> {
    fn write(&self, path: &Path, answers: &Answers) -> Result<PictureReport> {
        let mut reports = Vec::new();
        for output in &answers.outputs {
            let task = &self.config.tasks[output.task];
            reports.push(self.answer(task, &decode(task, self.config, output.dequantised().view()))?);
        }
        let routing_file = (!answers.routing.is_empty()).then(|| self.file("routing.png"));
        if let Some(file) = &routing_file {
            draw::save_png(file, &draw::routing(&self.routing_views(answers)))?;
        }
        let routing = answers.routing.iter().map(|routing| RoutingReport {
            task: self.config.tasks[routing.task].name.clone(),
            block: routing.block,
            tokens_per_expert: routing.tokens_per_expert(),
        });
        Ok(PictureReport {
            picture: path.to_path_buf(),
            figures: None,
            answers: reports,
            routing_file,
            routing: routing.collect(),
        })
    }

    fn answer(&self, task: &Task, answer: &Answer) -> Result<AnswerReport> {
        let file = self.file(&format!("{}.png", task.name));
        let map_file = self.file(&format!("{}.map.png", task.name));
        let (file, map_file, summary) = match (&task.kind, answer) {
            (TaskKind::Segmentation { classes }, Answer::Classes(map)) => {
                draw::save_png(&file, &draw::class_map(self.picture, map, classes))?;
                draw::save_png(&map_file, &draw::class_indices(map))?;
                (Some(file), map_file, Summary::Classes(class_shares(classes, &map.classes)))
            }
            (TaskKind::Depth { .. }, Answer::Depth(map)) => {
                draw::save_png(&file, &draw::depth_map(self.picture, map))?;
                draw::save_png(&map_file, &draw::depth_16bit(map))?;
                (Some(file), map_file, depth_summary(&map.metres))
            }
            (TaskKind::Encoder, Answer::Tokens(tokens)) => {
                let map_file = self.file(&format!("{}.npy", task.name));
                draw::save_npy(&map_file, tokens)?;
                (None, map_file, tokens_summary(tokens))
            }
            _ => unreachable!("answers are of their task's kind"),
        };
        Ok(AnswerReport { task: task.name.clone(), file, map_file, summary })
    }

    fn file(&self, ending: &str) -> PathBuf {
        let mut name = self.prefix.as_os_str().to_owned();
        name.push(format!(".{ending}"));
        name.into()
    }

    /// One view per task, its blocks in order.
    fn routing_views(&self, answers: &Answers) -> Vec<RoutingView<'_>> {
        let config = self.config;
        let view = |task: usize| RoutingView {
            task: &config.tasks[task].name,
            blocks: answers
                .routing
                .iter()
                .filter(|routing| routing.task == task)
                .map(|r| self.panel(r))
                .collect(),
        };
        answers.outputs.iter().map(|output| view(output.task)).collect()
    }

    fn panel(&self, routing: &BlockRouting) -> RoutingPanel {
        let config = self.config;
        // The first token is cls, which belongs to no patch.
        let patches = &routing.choices[1..];
        RoutingPanel {
            block: routing.block,
            grid: (config.image_height / config.patch, config.image_width / config.patch),
            first_choice: patches.iter().map(|choices| choices[0].expert.into()).collect(),
            tokens_per_expert: routing.tokens_per_expert(),
        }
    }
}

fn depth_summary(metres: &[f32]) -> Summary {
    let mut depths = metres.to_vec();
    depths.sort_by(f32::total_cmp);
    let at = |index: usize| depths[index];
    let last = depths.len() - 1;
    Summary::Depth { nearest_m: at(0), median_m: at(last / 2), farthest_m: at(last) }
}

fn tokens_summary(tokens: &Array2<f32>) -> Summary {
    Summary::Tokens {
        tokens: tokens.nrows(),
        channels: tokens.ncols(),
        least: tokens.iter().copied().fold(f32::INFINITY, f32::min),
        greatest: tokens.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    }
}

fn class_shares(names: &[String], cells: &[u8]) -> Vec<ClassShare> {
    let count = |class: usize| cells.iter().filter(|&&cell| usize::from(cell) == class).count();
    let share = |(class, name): (usize, &String)| ClassShare {
        class: name.clone(),
        share: count(class) as f64 / cells.len() as f64,
    };
    let mut shares: Vec<ClassShare> =
        names.iter().enumerate().map(share).filter(|class| class.share > 0.0).collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for picture in &report.pictures {
        text += &format!("{}\n", picture.picture.display());
        for answer in &picture.answers {
            let AnswerReport { task, file, map_file, summary } = answer;
            let file = file.as_ref().unwrap_or(map_file);
            text += &format!("  {task}: {}\n    {}\n", summary_text(summary), file.display());
        }
        if let Some(file) = &picture.routing_file {
            text += &format!("  expert routing\n    {}\n", file.display());
        }
    }
    text
}

fn summary_text(summary: &Summary) -> String {
    match summary {
        Summary::Classes(shares) => {
            let most = shares.iter().take(4);
            let parts = most.map(|class| format!("{} {:.0} %", class.class, class.share * 100.0));
            parts.collect::<Vec<_>>().join(", ")
        }
        Summary::Depth { nearest_m, median_m, farthest_m } => {
            format!("{nearest_m:.1} m to {farthest_m:.1} m, median {median_m:.1} m")
        }
        Summary::Tokens { tokens, channels, least, greatest } => {
            format!("no head: {tokens} tokens of {channels} channels, {least:.2} to {greatest:.2}")
        }
    }
}
