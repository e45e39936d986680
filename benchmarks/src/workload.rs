//! What runs in the measurements: a model, scales, and one picture.

use std::path::Path;
use std::sync::Arc;

use edge_moe::compile::compile;
use edge_moe::compiled::CompiledModel;
use edge_moe::model::{Model, random, read_safetensors, sample_shapes};
use edge_moe::quantise::{Ranges, calibrate};
use edge_moe::{Error, Result, picture};
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;

/// The model of the full shape.
const TRAINED: &str = "models/m3vit-street-tiny.f16.safetensors";
/// The folder whose pictures set scales; the first of them is measured.
const PICTURES: &str = "samples/street";
/// The picture that is measured.
pub const PICTURE: &str = "samples/street/000.png";
/// Weights of the random model.
const SEED: u64 = 1;

/// A model with its scales, and the picture it answers.
pub struct Workload {
    /// What the model is called, for people.
    pub name: String,
    /// Were its weights trained?
    pub trained: bool,
    /// The picture, of any size.
    pub picture: RgbImage,
    model: Model,
    ranges: Ranges,
    calibration_pictures: usize,
}

impl Workload {
    /// The trained model of the full Edge-MoE shape.
    pub fn trained(root: &Path) -> Result<Self> {
        Self::new(root, read_safetensors(&root.join(TRAINED))?, "m3vit-street-tiny", true)
    }

    /// A random network that fits every named architecture.
    pub fn random(root: &Path) -> Result<Self> {
        let (config, depths) = sample_shapes::mixture();
        let model = random(&config, depths, SEED).map_err(|problem| Error::input("random model", problem))?;
        Self::new(root, model, "small random network", false)
    }

    fn new(root: &Path, model: Model, name: &str, trained: bool) -> Result<Self> {
        let (width, height) = (model.config.image_width as u32, model.config.image_height as u32);
        let fitted = |path: &std::path::PathBuf| Ok(picture::fit(&picture::read(path)?, width, height));
        let paths = picture::list_directory(&root.join(PICTURES))?;
        let pictures = paths.iter().map(fitted).collect::<Result<Vec<_>>>()?;
        let ranges = calibrate(&model, &pictures, &|| ());
        let picture = picture::read(&root.join(PICTURE))?;
        let calibration_pictures = pictures.len();
        Ok(Self { name: name.to_string(), trained, picture, model, ranges, calibration_pictures })
    }

    /// Compiles the model.
    pub fn compile(&self, arch: &ArchConfig) -> Result<Arc<CompiledModel>> {
        let compilation = compile(&self.model, arch, &self.ranges, self.calibration_pictures)?;
        CompiledModel::from_bytes(compilation.artifact)
    }
}
