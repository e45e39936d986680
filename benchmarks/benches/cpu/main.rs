//! One picture and one task on a CPU: the software device beside engines that run the same
//! network, in one run.
//!
//! Group `cpu`: one thread, all on the same core. Group `cpu-threads`: all cores. Before it is
//! timed, each engine's answer is compared with the f32 reference; what it is, and how far off,
//! is written to `cpu-contenders.json` in criterion's folder.

mod contenders;
mod engines;

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use edge_moe::compile::compile;
use edge_moe::compiled::CompiledModel;
use edge_moe::model::{Model, onnx, read_safetensors};
use edge_moe::picture;
use edge_moe::quantise::calibrate;
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;
use ndarray::Array2;

use contenders::Contenders;
use engines::onnxruntime::{OnnxRuntime, Precision};
use engines::reference::Reference;
use engines::software::Software;
use engines::tract::Tract;
use engines::{Engine, Result};

const MODEL: &str = "models/m3vit-street-tiny.f16.safetensors";
const PICTURE: &str = "samples/street/000.png";
const CALIBRATION: &str = "samples/street";
const TASK: &str = "semseg";

/// What all engines are given.
struct Subject {
    model: Model,
    task: usize,
    picture: RgbImage,
    compiled: Arc<CompiledModel>,
    /// The network that answers the task.
    onnx: Vec<u8>,
    expected: Array2<f32>,
}

impl Subject {
    fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let model = read_safetensors(&root.join(MODEL))?;
        let paths = picture::list_directory(&root.join(CALIBRATION))?;
        let pictures = paths.iter().map(|path| picture::read(path)).collect::<edge_moe::Result<Vec<_>>>()?;
        let ranges = calibrate(&model, &pictures, &|| ());
        let compilation = compile(&model, &ArchConfig::edge(), &ranges, pictures.len())?;
        let task = model.config.tasks.iter().position(|task| task.name == TASK).ok_or("no such task")?;
        let picture = picture::read(&root.join(PICTURE))?;
        let expected = Reference { model: &model, task, picture: &picture }.answer()?;
        Ok(Self {
            compiled: CompiledModel::from_bytes(compilation.artifact)?,
            onnx: onnx::to_onnx(&model, &[task])?.bytes,
            model,
            task,
            picture,
            expected,
        })
    }

    fn software(&self, threads: usize) -> Result<Box<dyn Engine + '_>> {
        Ok(Box::new(Software::load(Arc::clone(&self.compiled), TASK, &self.picture, threads)?))
    }

    fn reference(&self) -> Result<Box<dyn Engine + '_>> {
        let Self { model, task, picture, .. } = self;
        Ok(Box::new(Reference { model, task: *task, picture }))
    }

    fn tract(&self) -> Result<Box<dyn Engine + '_>> {
        Ok(Box::new(Tract::load(&self.onnx, &[TASK], &self.picture)?))
    }

    fn onnxruntime(&self, precision: Precision, threads: usize) -> Result<Box<dyn Engine + '_>> {
        let output = (TASK, self.expected.dim());
        Ok(Box::new(OnnxRuntime::start(&self.onnx, output, &self.picture, precision, threads)?))
    }
}

fn cpu(criterion: &mut Criterion) {
    let subject = Subject::load().unwrap_or_else(|problem| panic!("{problem}"));
    // Before this thread is bound to a core: the machine has more of them.
    let mut contenders = Contenders::new(&subject.model.config, subject.task, &subject.expected);

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = contenders.group(criterion, "cpu-threads", cores);
    group.bench("software device", |threads| subject.software(threads));
    group.bench("onnxruntime fp32", |threads| subject.onnxruntime(Precision::F32, threads));
    drop(group);

    // From here on this thread, and what it starts, has one core.
    let core = core_affinity::get_core_ids().and_then(|cores| cores.last().copied());
    if !core.is_some_and(core_affinity::set_for_current) {
        eprintln!("this system binds no thread to a core: group cpu runs where it may");
    }
    let mut group = contenders.group(criterion, "cpu", 1);
    group.bench("software device", |threads| subject.software(threads));
    group.bench("f32 reference", |_| subject.reference());
    group.bench("tract", |_| subject.tract());
    group.bench("onnxruntime fp32", |threads| subject.onnxruntime(Precision::F32, threads));
    group.bench("onnxruntime int8", |threads| subject.onnxruntime(Precision::Int8, threads));
    drop(group);

    let folder = engines::onnxruntime::target().join("criterion");
    contenders.write(&folder.join("cpu-contenders.json")).unwrap_or_else(|problem| panic!("{problem}"));
}

criterion_group!(benches, cpu);
criterion_main!(benches);
