//! Import of the weights directory that Edge-MoE releases (github.com/sharc-lab/Edge-MoE, `weights/`).
//!
//! One raw file a tensor, little-endian f32, row-major, in PyTorch's order; no shapes, no
//! metadata, no heads. The cls token is already part of the positional embedding's first row.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use ndarray::{Array1, Array2};

use super::import::{attention, layers, matrix};
use super::random::Spread;
use super::{Block, Depths, Expert, FeedForward, Linear, Model, ModelConfig, Norm, Provenance};
use crate::split_mix::SplitMix;
use crate::{Error, Result};

/// Endings of a tensor's file, in the order in which they are looked for.
const ENDINGS: [&str; 2] = ["float32.bin", "bin"];
/// Greatest magnitude that is taken for a parameter: the released ones stay within ±51.
const MAX_MAGNITUDE: f32 = 1e4;
/// How far a pixel times 256 may be from a whole number.
const PIXEL_TOLERANCE: f32 = 1e-3;
const HINT: &str =
    "expected the raw f32 files of Edge-MoE's `weights` folder, such as l0_qkv_weight.float32.bin";
const FILL_HINT: &str = "--fill-missing SEED puts random values in their place";

/// A model out of a weights directory.
#[derive(Clone, Debug)]
pub struct EdgeMoeImport {
    /// The model; its tasks have no heads.
    pub model: Model,
    /// Files that were read.
    pub files: usize,
    /// Tensors whose files are missing and that were filled with random values.
    pub filled: Vec<String>,
}

/// Reads a model of the given shape, odd blocks mixtures of experts, from Edge-MoE's files in a directory.
///
/// With a seed, tensors that are missing are filled with the values of a random network; a
/// tensor's values depend on nothing but the seed and the shape.
///
/// # Errors
/// A directory that is none, every missing file if there is no seed, and any file of the wrong
/// size or with numbers that cannot be weights.
pub fn read_edge_moe(
    directory: &Path,
    (config, depths): (&ModelConfig, Depths),
    fill: Option<u64>,
) -> Result<EdgeMoeImport> {
    config.validate().map_err(|problem| Error::input(directory.display(), problem))?;
    std::fs::read_dir(directory).map_err(|cause| Error::reading(directory, cause).hint(HINT))?;
    let mut reader = Reader {
        directory,
        streams: SplitMix::new(fill.unwrap_or_default()),
        parameters: 0,
        files: 0,
        missing: Vec::new(),
    };
    let mut model = reader.model(config, depths)?;
    let Reader { files, missing, parameters, .. } = reader;
    if !missing.is_empty() && (fill.is_none() || files == 0) {
        return Err(missing_files(directory, &missing, files));
    }
    model.provenance = Provenance {
        file: directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy().into_owned(),
        note: note(fill.unwrap_or_default(), &missing),
        parameters,
    };
    Ok(EdgeMoeImport { model, files, filled: missing })
}

/// Reads the picture beside the weights, `image`: shape [3, height, width], values pixel/256.
pub fn read_edge_moe_picture(directory: &Path, config: &ModelConfig) -> Result<RgbImage> {
    let (height, width) = (config.image_height, config.image_width);
    let path = find(directory, "image").ok_or_else(|| missing_files(directory, &["image".to_string()], 1))?;
    let values = read(&path, &[3, height, width])?;
    let levels = values.iter().map(|value| value * 256.0);
    let is_level = |level: f32| {
        (0.0..=255.0).contains(&level.round()) && (level - level.round()).abs() < PIXEL_TOLERANCE
    };
    if let Some(index) = levels.clone().position(|level| !is_level(level)) {
        let problem = format!(
            "holds {} at index {index}, expected a pixel from 0 to 255, divided by 256",
            values[index]
        );
        return Err(Error::input(path.display(), problem));
    }
    let levels: Vec<u8> = levels.map(|level| level.round() as u8).collect();
    Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb([0, 1, 2].map(|channel| levels[(channel * height + y as usize) * width + x as usize]))
    }))
}

/// Where the weights come from, for the model card.
fn note(seed: u64, filled: &[String]) -> String {
    let source = "encoder released with Edge-MoE (github.com/sharc-lab/Edge-MoE, no licence stated)";
    if filled.is_empty() {
        return source.to_string();
    }
    format!("{source}; missing and filled with random values from seed {seed}: {}", filled.join(", "))
}

/// The one error for whatever is not there.
fn missing_files(directory: &Path, names: &[String], found: usize) -> Error {
    let files: Vec<String> = names.iter().map(|name| format!("{name}.{}", ENDINGS[0])).collect();
    let (are, count) = if files.len() == 1 { ("file is", 1) } else { ("files are", files.len()) };
    let problem = format!("{count} {are} missing: {}", files.join(", "));
    Error::input(directory.display(), problem).hint(match found {
        0 => HINT,
        _ if names == ["image"] => "leave --picture out, or get the file",
        _ => FILL_HINT,
    })
}

/// The file of a tensor, if there is one.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    ENDINGS.iter().map(|ending| directory.join(format!("{name}.{ending}"))).find(|path| path.exists())
}

/// All values of a file, which must hold exactly as many as the shape has, all finite.
fn read(path: &Path, shape: &[usize]) -> Result<Vec<f32>> {
    let expected = shape.iter().product::<usize>() * size_of::<f32>();
    let open = || {
        let file = File::open(path)?;
        Ok((file.metadata()?.len(), file))
    };
    let (found, mut file) = open().map_err(|cause: std::io::Error| Error::reading(path, cause))?;
    if found != expected as u64 {
        let problem = format!("holds {found} bytes, expected {expected}: f32 values of shape {shape:?}");
        return Err(Error::input(path.display(), problem).hint(HINT));
    }
    let mut bytes = vec![0; expected];
    file.read_exact(&mut bytes).map_err(|cause| Error::reading(path, cause))?;
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    // NaN is no magnitude below the limit either.
    let is_legal = |value: &f32| value.abs() <= MAX_MAGNITUDE;
    match values.iter().position(|value| !is_legal(value)) {
        None => Ok(values),
        Some(index) => {
            let problem = format!(
                "holds {} at index {index}, expected finite numbers within ±{MAX_MAGNITUDE}",
                values[index]
            );
            Err(Error::input(path.display(), problem).hint(HINT))
        }
    }
}

/// Takes tensors out of a directory, or draws them where there are none.
struct Reader<'a> {
    directory: &'a Path,
    /// Seeds of the tensors' own streams, one after another.
    streams: SplitMix,
    parameters: u64,
    files: usize,
    /// Tensors without a file.
    missing: Vec<String>,
}

impl Reader<'_> {
    fn model(&mut self, config: &ModelConfig, depths: Depths) -> Result<Model> {
        let (dim, patch) = (config.dim, config.patch);
        let spread = Spread::weights(config.patch_values());
        let weight = self.values("patch_embed_weight", &[dim, 3, patch, patch], spread)?;
        let weight = matrix(dim, config.patch_values(), weight);
        let patch_embed = Linear { weight, bias: self.vector("patch_embed_bias", dim, Spread::BIAS)? };
        let position = self.matrix("pos_embed", config.tokens(), dim, Spread::POSITION)?;
        let blocks =
            (0..depths.blocks).map(|index| self.block(config, depths, index)).collect::<Result<_>>()?;
        let heads = config.tasks.iter().map(|_| None).collect();
        let provenance = Provenance::default();
        Ok(Model { config: config.clone(), patch_embed, position, blocks, heads, provenance })
    }

    fn block(&mut self, config: &ModelConfig, depths: Depths, index: usize) -> Result<Block> {
        let (name, dim) = (format!("l{index}"), config.dim);
        let norm1 = self.norm(&format!("{name}_norm1"), dim)?;
        let qkv = self.linear(&format!("{name}_qkv"), 3 * dim, dim)?;
        let proj = self.linear(&format!("{name}_attn_proj"), dim, dim)?;
        Ok(Block {
            norm1,
            attention: attention(&qkv, proj),
            norm2: self.norm(&format!("{name}_norm2"), dim)?,
            feed_forward: if index % 2 == 1 && config.experts > 0 {
                self.experts(&name, config, depths.expert_hidden)?
            } else {
                FeedForward::Dense(Expert {
                    fc1: self.linear(&format!("{name}_fc1"), depths.hidden, dim)?,
                    fc2: self.linear(&format!("{name}_fc2"), dim, depths.hidden)?,
                })
            },
        })
    }

    fn experts(&mut self, name: &str, config: &ModelConfig, hidden: usize) -> Result<FeedForward> {
        let (count, dim) = (config.experts, config.dim);
        let gate =
            |task| self.matrix(&format!("{name}_w_gate_T_task{task}"), count, dim, Spread::weights(dim));
        let gates = (0..config.tasks.len()).map(gate).collect::<Result<_>>()?;
        let fc1 = self.stacked(&format!("{name}_htoh4"), count, hidden, dim)?;
        let fc2 = self.stacked(&format!("{name}_h4toh"), count, dim, hidden)?;
        let experts = fc1.into_iter().zip(fc2).map(|(fc1, fc2)| Expert { fc1, fc2 }).collect();
        Ok(FeedForward::Experts { gates, experts })
    }

    /// The same linear layer of all experts.
    fn stacked(&mut self, name: &str, count: usize, outputs: usize, inputs: usize) -> Result<Vec<Linear>> {
        let spread = Spread::weights(inputs);
        let weights = self.values(&format!("{name}_weight"), &[count, outputs, inputs], spread)?;
        let biases = self.values(&format!("{name}_bias"), &[count, outputs], Spread::BIAS)?;
        Ok(layers(outputs, inputs, &weights, &biases))
    }

    fn norm(&mut self, name: &str, dim: usize) -> Result<Norm> {
        Ok(Norm {
            gain: self.vector(&format!("{name}_weight"), dim, Spread::GAIN)?,
            offset: self.vector(&format!("{name}_bias"), dim, Spread::OFFSET)?,
        })
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        Ok(Linear {
            weight: self.matrix(&format!("{name}_weight"), outputs, inputs, Spread::weights(inputs))?,
            bias: self.vector(&format!("{name}_bias"), outputs, Spread::BIAS)?,
        })
    }

    fn vector(&mut self, name: &str, length: usize, spread: Spread) -> Result<Array1<f32>> {
        self.values(name, &[length], spread).map(Array1::from)
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize, spread: Spread) -> Result<Array2<f32>> {
        self.values(name, &[rows, columns], spread).map(|values| matrix(rows, columns, values))
    }

    /// All values of a tensor; drawn, and noted as missing, if it has no file.
    fn values(&mut self, name: &str, shape: &[usize], spread: Spread) -> Result<Vec<f32>> {
        let mut stream = SplitMix::new(self.streams.bits());
        let count = shape.iter().product();
        self.parameters += count as u64;
        match find(self.directory, name) {
            Some(path) => {
                self.files += 1;
                read(&path, shape)
            }
            None => {
                self.missing.push(name.to_string());
                Ok(spread.draw(&mut stream, count))
            }
        }
    }
}
