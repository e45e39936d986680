//! Both sides of one picture in a file, for others to compare with.

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;

use image::RgbImage;
use ndarray::{Array2, Array3};
use ndarray_npy::{NpzWriter, WriteNpzError};

use super::activations::{FloatRun, Sides};
use crate::compiled::CompiledModel;
use crate::model::{Model, Task};
use crate::runtime::{Answers, BlockRouting};
use crate::{Result, atomic_file, picture};

/// Writes every tensor of a picture as an archive of NumPy arrays: `NAME.float` of the f32
/// reference, and `NAME.integer`, dequantised, of every tensor that the device shows.
///
/// `docs/fidelity.md` lists the names. The file appears complete or not at all.
///
/// # Panics
/// If `compiled` was not compiled from `model`.
pub fn dump(model: &Model, compiled: &Arc<CompiledModel>, picture: &RgbImage, path: &Path) -> Result<()> {
    let mut integers = Vec::new();
    let mut keep = |name: &str, values| integers.push((name.to_string(), values));
    let mut sides = Sides::new(model, compiled)?;
    let (float, answers) = sides.run(picture, &mut |pair| keep(pair.name, pair.dequantised()))?;
    let config = &model.config;
    let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
    let dump = Dump {
        tasks: &config.tasks,
        picture: &fitted,
        integers: &integers,
        float: &float,
        answers: &answers,
    };
    atomic_file::write(path, |file| dump.write(file).map_err(std::io::Error::other))
}

struct Dump<'a> {
    tasks: &'a [Task],
    picture: &'a RgbImage,
    integers: &'a [(String, Array2<f32>)],
    float: &'a FloatRun<'a>,
    answers: &'a Answers,
}

impl Dump<'_> {
    fn write(&self, file: impl Write + Seek) -> std::result::Result<(), WriteNpzError> {
        let mut archive = NpzWriter::new(file);
        archive.add_array("picture", &pixels(self.picture))?;
        for (name, (_, values)) in &self.float.tensors {
            archive.add_array(format!("{name}.float"), values)?;
        }
        for (name, values) in self.integers {
            archive.add_array(format!("{name}.integer"), values)?;
        }
        for routing in &self.answers.routing {
            let name = format!("{}.block{}", self.tasks[routing.task].name, routing.block);
            let float = self.float.routes.of(routing.task, routing.block);
            archive
                .add_array(format!("{name}.experts.float"), &float.experts.mapv(|expert| expert as i32))?;
            archive.add_array(format!("{name}.scores.float"), &float.scores)?;
            archive.add_array(format!("{name}.experts.integer"), &experts(routing))?;
            archive.add_array(format!("{name}.scores.integer"), &scores(routing))?;
        }
        archive.finish().map(drop)
    }
}

/// Shape [3, height, width].
fn pixels(picture: &RgbImage) -> Array3<u8> {
    let shape = (3, picture.height() as usize, picture.width() as usize);
    Array3::from_shape_fn(shape, |(channel, y, x)| picture.get_pixel(x as u32, y as u32)[channel])
}

/// Shape [T, k], best first.
fn experts(routing: &BlockRouting) -> Array2<i32> {
    let shape = (routing.choices.len(), routing.choices[0].len());
    Array2::from_shape_fn(shape, |(token, rank)| routing.choices[token][rank].expert.into())
}

/// Shape [T, k], as a share of one.
fn scores(routing: &BlockRouting) -> Array2<f32> {
    let shape = (routing.choices.len(), routing.choices[0].len());
    Array2::from_shape_fn(shape, |(token, rank)| f32::from(routing.choices[token][rank].score) / 65536.0)
}
