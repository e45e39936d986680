//! ONNX Runtime, in a Python process of its own (`benchmarks/onnxruntime_worker.py`).

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use image::RgbImage;
use ndarray::Array2;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::tract::pixels;
use super::{Engine, Result};

/// Longest wait for an answer: loading and quantising a network, or the runs of a sample.
const LIMIT: Duration = Duration::from_secs(300);

/// What the weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    Int8,
}

/// An exported network in a worker that looks at one picture.
pub struct OnnxRuntime {
    worker: Worker,
    greeting: Greeting,
    precision: Precision,
    /// Name and shape [patches, channels] of the output.
    output: (String, (usize, usize)),
    files: TempDir,
}

#[derive(Deserialize)]
struct Greeting {
    engine: String,
    version: String,
    computes: String,
}

#[derive(Deserialize)]
struct Outputs {
    outputs: std::collections::HashMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct Seconds {
    seconds: f64,
}

#[derive(Deserialize)]
struct Bytes {
    bytes: usize,
}

impl OnnxRuntime {
    /// Starts a worker, which runs where this thread may.
    ///
    /// `output` is a task's name and the shape of its answer.
    pub fn start(
        onnx: &[u8],
        output: (&str, (usize, usize)),
        picture: &RgbImage,
        precision: Precision,
        threads: usize,
    ) -> Result<Self> {
        let files = tempfile::tempdir()?;
        let model = files.path().join("model.onnx");
        fs::write(&model, onnx)?;
        let form = match precision {
            Precision::F32 => "fp32",
            Precision::Int8 => "int8",
        };
        let mut worker = Worker::start(&[model.as_os_str(), threads.to_string().as_ref(), form.as_ref()])?;
        let greeting = worker.receive()?;
        let mut engine =
            Self { worker, greeting, precision, output: (output.0.to_string(), output.1), files };
        engine.show(picture)?;
        Ok(engine)
    }

    /// Looks at another picture.
    pub fn show(&mut self, picture: &RgbImage) -> Result<()> {
        let file = self.files.path().join("picture");
        let pixels = pixels(picture);
        fs::write(&file, pixels.as_slice().expect("pixels are contiguous"))?;
        let Bytes { bytes } = self.worker.ask(&format!("picture {}", file.display()))?;
        if bytes == pixels.len() { Ok(()) } else { Err(format!("{bytes} bytes of a picture arrived").into()) }
    }
}

impl Engine for OnnxRuntime {
    fn version(&self) -> String {
        format!("{} {}", self.greeting.engine, self.greeting.version)
    }

    fn computes(&self) -> String {
        self.greeting.computes.clone()
    }

    fn is_f32(&self) -> bool {
        self.precision == Precision::F32
    }

    fn answer(&mut self) -> Result<Array2<f32>> {
        let Outputs { mut outputs } = self.worker.ask("answer")?;
        let values = outputs.remove(&self.output.0).ok_or("the worker's network has no such output")?;
        Ok(Array2::from_shape_vec(self.output.1, values)?)
    }

    fn time(&mut self, runs: u64) -> Result<Duration> {
        let Seconds { seconds } = self.worker.ask(&format!("run {runs}"))?;
        Ok(Duration::try_from_secs_f64(seconds)?)
    }
}

/// The process and its lines.
struct Worker {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
}

impl Worker {
    fn start(arguments: &[&OsStr]) -> Result<Self> {
        let mut process = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("onnxruntime_worker.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = process.stdin.take().expect("standard input is a pipe");
        let lines = BufReader::new(process.stdout.take().expect("standard output is a pipe")).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || lines.map_while(|line| line.ok()).try_for_each(|line| sender.send(line)));
        Ok(Self { process, commands, answers })
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &str) -> Result<T> {
        writeln!(self.commands, "{command}")?;
        self.commands.flush()?;
        self.receive()
    }

    fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.answers.recv_timeout(LIMIT).map_err(|cause| match cause {
            RecvTimeoutError::Timeout => format!("ONNX Runtime gave no answer in {} s", LIMIT.as_secs()),
            RecvTimeoutError::Disconnected => "the process of ONNX Runtime ended".to_string(),
        })?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Whether it had ended by itself is of no interest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python that `make bench` set up, unless `EMOE_PYTHON` names another; else the system's.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("EMOE_PYTHON") {
        return python.into();
    }
    let ours = target().join("benchmarks-python/bin/python");
    if ours.exists() { ours } else { "python3".into() }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}
