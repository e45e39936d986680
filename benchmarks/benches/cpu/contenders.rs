//! What was timed, on what machine, and how right it was.

use std::fs;
use std::path::Path;
use std::process::Command;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use edge_moe::model::ModelConfig;
use edge_moe::tasks::{Answer, decode};
use ndarray::Array2;
use serde::Serialize;

use crate::engines::{Engine, ROUNDING, Result, relative_error};
use crate::{MODEL, PICTURE, TASK};

/// Version of the form of the file.
const VERSION: u32 = 1;
/// Instructions that decide how fast integers are multiplied.
const FLAGS: [&str; 3] = ["avx2", "avx512_vnni", "amx_int8"];

/// Collects the engines of a run.
pub struct Contenders<'a> {
    config: &'a ModelConfig,
    task: usize,
    expected: &'a Array2<f32>,
    machine: Machine,
    contenders: Vec<Contender>,
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Contender {
    group: &'static str,
    name: &'static str,
    threads: usize,
    /// The engine and its version.
    engine: String,
    computes: String,
    /// Greatest difference from the f32 reference, over its greatest magnitude.
    relative_error: f64,
    /// Share of the cells that get the reference's class.
    class_map_agreement: f64,
}

#[derive(Serialize)]
struct LeftOut {
    group: &'static str,
    name: &'static str,
    why: String,
}

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    machine: &'a Machine,
    model: &'a str,
    picture: &'a str,
    task: &'a str,
    contenders: &'a [Contender],
    left_out: &'a [LeftOut],
}

#[derive(Serialize)]
struct Machine {
    cpu: Option<String>,
    cores: usize,
    /// Those of the instructions of interest that the CPU has.
    flags: Vec<&'static str>,
    rustc: Option<String>,
}

impl<'a> Contenders<'a> {
    /// Of engines for a task that should give the expected numbers.
    pub fn new(config: &'a ModelConfig, task: usize, expected: &'a Array2<f32>) -> Self {
        Self { config, task, expected, machine: machine(), contenders: Vec::new(), left_out: Vec::new() }
    }

    /// A group of engines with so many threads each.
    pub fn group<'g, 'c>(
        &'g mut self,
        criterion: &'c mut Criterion,
        name: &'static str,
        threads: usize,
    ) -> Group<'g, 'a, 'c> {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        Group { contenders: self, group, name, threads }
    }

    /// Share of the cells that get the class they get from the reference.
    fn agreement(&self, answer: &Array2<f32>) -> f64 {
        let (got, expected) = (self.classes(answer), self.classes(self.expected));
        let same = got.iter().zip(&expected).filter(|(got, expected)| got == expected).count();
        same as f64 / expected.len() as f64
    }

    fn classes(&self, values: &Array2<f32>) -> Vec<u8> {
        match decode(&self.config.tasks[self.task], self.config, values.view()) {
            Answer::Classes(map) => map.classes,
            Answer::Depth(_) | Answer::Tokens(_) => unreachable!("task {TASK} gives classes"),
        }
    }

    /// Writes what was found out, for reports.
    pub fn write(&self, path: &Path) -> Result<()> {
        let report = Report {
            version: VERSION,
            machine: &self.machine,
            model: MODEL,
            picture: PICTURE,
            task: TASK,
            contenders: &self.contenders,
            left_out: &self.left_out,
        };
        fs::create_dir_all(path.parent().expect("the file is in a folder"))?;
        Ok(fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?)
    }
}

/// Engines that are timed one after another.
pub struct Group<'g, 'a, 'c> {
    contenders: &'g mut Contenders<'a>,
    group: BenchmarkGroup<'c, WallTime>,
    name: &'static str,
    threads: usize,
}

impl Group<'_, '_, '_> {
    /// Loads an engine for a number of threads, compares its answer, and times it; one that
    /// cannot be loaded is left out.
    pub fn bench<'e>(
        &mut self,
        name: &'static str,
        load: impl FnOnce(usize) -> Result<Box<dyn Engine + 'e>>,
    ) {
        let checked = load(self.threads).and_then(|mut engine| {
            let contender = self.check(name, engine.as_mut())?;
            Ok((engine, contender))
        });
        match checked {
            Ok((mut engine, contender)) => {
                self.contenders.contenders.push(contender);
                self.group.bench_function(name, |bench| {
                    bench.iter_custom(|runs| {
                        engine.time(runs).unwrap_or_else(|problem| panic!("{name}: {problem}"))
                    });
                });
            }
            Err(problem) => {
                eprintln!("{}/{name} is left out: {problem}", self.name);
                let why = problem.to_string();
                self.contenders.left_out.push(LeftOut { group: self.name, name, why });
            }
        }
    }

    fn check(&self, name: &'static str, engine: &mut dyn Engine) -> Result<Contender> {
        let answer = engine.answer()?;
        let relative_error = relative_error(&answer, self.contenders.expected);
        assert!(
            relative_error < ROUNDING || !engine.is_f32(),
            "{name} is off by {relative_error:e} of the greatest value, more than rounding"
        );
        Ok(Contender {
            group: self.name,
            name,
            threads: self.threads,
            engine: engine.version(),
            computes: engine.computes(),
            relative_error,
            class_map_agreement: self.contenders.agreement(&answer),
        })
    }
}

fn machine() -> Machine {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_string())
    };
    let flags = field("flags").unwrap_or_default();
    let has = |flag: &&str| flags.split(' ').any(|has| has == *flag);
    let rustc = Command::new("rustc").arg("--version").output().ok();
    Machine {
        cpu: field("model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        flags: FLAGS.into_iter().filter(has).collect(),
        rustc: rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()),
    }
}
