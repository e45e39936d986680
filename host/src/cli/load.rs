//! A model as the verbs take it: a compiled artifact, or float weights
//! that are calibrated and compiled on the way.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use edge_moe::compile::{Compilation, compile};
use edge_moe::compiled::CompiledModel;
use edge_moe::model::{Model, ModelConfig, random, read_safetensors, sample_shapes};
use edge_moe::quantise::calibrate;
use edge_moe::{Error, Result, picture};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact;
use image::RgbImage;

use super::progress;

/// Pictures that are enough to calibrate with when none are named.
const OWN_CALIBRATION_PICTURES: usize = 32;
const DEFAULT_ARCH: &str = "edge";

/// Options that apply to float weights only.
#[derive(Args, Default)]
pub struct CompileOptions {
    /// Architecture to compile float weights for: tiny, edge, zcu102 or ecp5-85 [default: edge]
    #[arg(long, value_name = "NAME")]
    arch: Option<String>,

    /// Pictures that set the scales of float weights [default: the pictures at hand]
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
}

/// A model ready to run, and its float weights if they were given.
pub struct Loaded {
    pub compiled: Arc<CompiledModel>,
    pub float: Option<Model>,
}

/// A model before its float weights, if it has them, are compiled.
pub enum Opened {
    /// An artifact.
    Compiled(Arc<CompiledModel>),
    /// Float weights, and the architecture to compile them for.
    Float(Box<Model>, ArchConfig),
}

/// Opens `path`: an artifact, float weights, or `random:SEED` for the full Edge-MoE shape with random weights.
pub fn open(path: &Path, options: &CompileOptions) -> Result<Opened> {
    let arch = || options.architecture();
    if let Some(seed) = path.to_str().and_then(|path| path.strip_prefix("random:")) {
        let seed = seed.parse().map_err(|cause| Error::usage(path.display(), format!("seed: {cause}")))?;
        let (config, depths) = sample_shapes::edge_moe();
        let model = random(&config, depths, seed).map_err(|problem| Error::input(path.display(), problem))?;
        return Ok(Opened::Float(Box::new(model), arch()?));
    }
    if !is_artifact(path)? {
        return Ok(Opened::Float(Box::new(read_safetensors(path)?), arch()?));
    }
    if options.arch.is_some() || options.calibrate.is_some() {
        let problem = "is compiled already; --arch and --calibrate apply to float weights";
        return Err(
            Error::usage(path.display(), problem).hint("leave them out, or give the .safetensors file")
        );
    }
    Ok(Opened::Compiled(CompiledModel::open(path)?))
}

/// Opens `path` as [`open`] does, for those who need the float weights.
pub fn open_float(path: &Path) -> Result<Model> {
    match open(path, &CompileOptions::default())? {
        Opened::Float(model, _) => Ok(*model),
        Opened::Compiled(_) => Err(Error::usage(path.display(), "is compiled and holds no float weights")
            .hint("give the .safetensors file that it was compiled from")),
    }
}

/// Loads `path`; float weights are calibrated on `own_pictures` unless a directory was given, and on the
/// synthetic picture if there are none.
pub fn load(path: &Path, options: &CompileOptions, own_pictures: &[PathBuf]) -> Result<Loaded> {
    let (model, arch) = match open(path, options)? {
        Opened::Compiled(compiled) => return Ok(Loaded { compiled, float: None }),
        Opened::Float(model, arch) => (*model, arch),
    };
    let compiled = compile_float(&model, &arch, options, own_pictures)?;
    Ok(Loaded { compiled, float: Some(model) })
}

/// Compiles float weights, calibrated as [`load`] says.
pub fn compile_float(
    model: &Model,
    arch: &ArchConfig,
    options: &CompileOptions,
    own_pictures: &[PathBuf],
) -> Result<Arc<CompiledModel>> {
    let pictures = match options.calibration_paths()? {
        Some(paths) => read_fitted(model, &paths)?,
        None if own_pictures.is_empty() => {
            tracing::info!("calibrating on a synthetic picture; --calibrate DIR names real ones");
            vec![synthetic(&model.config)]
        }
        None => {
            let some = &own_pictures[..own_pictures.len().min(OWN_CALIBRATION_PICTURES)];
            tracing::info!(
                "calibrating on {} of the pictures at hand; --calibrate DIR names others",
                some.len()
            );
            read_fitted(model, some)?
        }
    };
    CompiledModel::from_bytes(calibrate_and_compile(model, arch, &pictures)?.artifact)
}

impl CompileOptions {
    /// The architecture that was asked for by name, or else the usual one.
    pub fn architecture(&self) -> Result<ArchConfig> {
        architecture(self.arch.as_deref().unwrap_or(DEFAULT_ARCH))
    }

    /// Pictures of the directory to calibrate on, if one was given.
    pub fn calibration_paths(&self) -> Result<Option<Vec<PathBuf>>> {
        self.calibrate.as_deref().map(picture::list_directory).transpose()
    }
}

/// The synthetic picture in the size of a network's input.
pub fn synthetic(config: &ModelConfig) -> RgbImage {
    picture::synthetic(config.image_width as u32, config.image_height as u32)
}

/// Reads pictures at the size of a model.
pub fn read_fitted(model: &Model, paths: &[PathBuf]) -> Result<Vec<RgbImage>> {
    let (width, height) = (model.config.image_width as u32, model.config.image_height as u32);
    paths.iter().map(|path| Ok(picture::fit(&picture::read(path)?, width, height))).collect()
}

/// Calibrates a model on pictures of its size and compiles it.
pub fn calibrate_and_compile(model: &Model, arch: &ArchConfig, pictures: &[RgbImage]) -> Result<Compilation> {
    let bar = progress::bar("calibrating", "pictures", pictures.len());
    let ranges = calibrate(model, pictures, &|| bar.inc(1));
    bar.finish_and_clear();
    compile(model, arch, &ranges, pictures.len())
}

/// The named architecture.
pub fn architecture(name: &str) -> Result<ArchConfig> {
    ArchConfig::by_name(name).ok_or_else(|| {
        let names = ArchConfig::named().map(|arch| arch.name).join(", ");
        Error::usage(format!("architecture `{name}`"), "is not known").hint(format!("known are {names}"))
    })
}

/// Does the file start like an artifact?
fn is_artifact(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|cause| Error::reading(path, cause))?;
    let read = file.take(artifact::MAGIC.len() as u64).read_to_end(&mut start);
    read.map_err(|cause| Error::reading(path, cause))?;
    let named = path.extension().is_some_and(|extension| extension == "emoe");
    Ok(named || start == artifact::MAGIC)
}
