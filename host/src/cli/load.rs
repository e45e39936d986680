//! A model as `run` and `eval` take it: a compiled artifact, or float weights
//! that are calibrated and compiled on the way.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use edge_moe::compile::{Compilation, compile};
use edge_moe::compiled::CompiledModel;
use edge_moe::model::{Model, ModelConfig, read_safetensors};
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
#[derive(Args)]
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

/// Loads `path`; float weights are calibrated on `own_pictures` unless a directory was given, and on the
/// synthetic picture if there are none.
pub fn load(path: &Path, options: &CompileOptions, own_pictures: &[PathBuf]) -> Result<Loaded> {
    if is_artifact(path)? {
        if options.arch.is_some() || options.calibrate.is_some() {
            let problem = "is compiled already; --arch and --calibrate apply to float weights";
            return Err(
                Error::usage(path.display(), problem).hint("leave them out, or give the .safetensors file")
            );
        }
        return Ok(Loaded { compiled: CompiledModel::open(path)?, float: None });
    }
    let arch = architecture(options.arch.as_deref().unwrap_or(DEFAULT_ARCH))?;
    let model = read_safetensors(path)?;
    let Some(pictures) = calibration_pictures(options, own_pictures)? else {
        let (compilation, _) = calibrate_on(&model, &arch, vec![synthetic(&model.config)])?;
        return Ok(Loaded { compiled: CompiledModel::from_bytes(compilation.artifact)?, float: Some(model) });
    };
    let (compilation, _) = calibrate_and_compile(&model, &arch, &pictures)?;
    Ok(Loaded { compiled: CompiledModel::from_bytes(compilation.artifact)?, float: Some(model) })
}

/// Files of pictures to calibrate on; none if there are none.
fn calibration_pictures(options: &CompileOptions, own_pictures: &[PathBuf]) -> Result<Option<Vec<PathBuf>>> {
    Ok(match &options.calibrate {
        Some(directory) => Some(picture::list_directory(directory)?),
        None if own_pictures.is_empty() => {
            tracing::info!("calibrating on a synthetic picture; --calibrate DIR names real ones");
            None
        }
        None => {
            let some = &own_pictures[..own_pictures.len().min(OWN_CALIBRATION_PICTURES)];
            tracing::info!(
                "calibrating on {} of the pictures at hand; --calibrate DIR names others",
                some.len()
            );
            Some(some.to_vec())
        }
    })
}

/// The synthetic picture in the size of a network's input.
pub fn synthetic(config: &ModelConfig) -> RgbImage {
    picture::synthetic(config.image_width as u32, config.image_height as u32)
}

/// Calibrates a model on pictures and compiles it; also returns the pictures.
pub fn calibrate_and_compile(
    model: &Model,
    arch: &ArchConfig,
    paths: &[PathBuf],
) -> Result<(Compilation, Vec<RgbImage>)> {
    let fit = |picture: RgbImage| {
        picture::fit(&picture, model.config.image_width as u32, model.config.image_height as u32)
    };
    let pictures =
        paths.iter().map(|path| picture::read(path).map(fit)).collect::<Result<Vec<RgbImage>>>()?;
    calibrate_on(model, arch, pictures)
}

/// The same with pictures of the network's size.
fn calibrate_on(
    model: &Model,
    arch: &ArchConfig,
    pictures: Vec<RgbImage>,
) -> Result<(Compilation, Vec<RgbImage>)> {
    let bar = progress::bar("calibrating", pictures.len());
    let ranges = calibrate(model, &pictures, &|| bar.inc(1));
    bar.finish_and_clear();
    Ok((compile(model, arch, &ranges, pictures.len())?, pictures))
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
