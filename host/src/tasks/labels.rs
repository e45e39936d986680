//! Ground truth beside a picture: `NNN.class.png` and `NNN.depth.png` for `NNN.png`.
//!
//! A class file is an 8-bit grey PNG of class indices, a depth file a 16-bit
//! grey PNG of metres × 256; both have one pixel per cell of the task's map.

use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder};

use super::{Answer, ClassMap, DepthMap};
use crate::model::{Task, TaskKind};
use crate::{Error, Result};

/// Steps of a depth file in one metre.
pub const DEPTH_STEPS_PER_METRE: f32 = 256.0;

/// Where the ground truth of a task for `picture` is read from; a task without a head has none.
pub fn path(task: &Task, picture: &Path) -> Option<PathBuf> {
    match task.kind {
        TaskKind::Segmentation { .. } => Some(picture.with_extension("class.png")),
        TaskKind::Depth { .. } => Some(picture.with_extension("depth.png")),
        TaskKind::Encoder => None,
    }
}

/// Reads the ground truth of a task for `picture`, a map of `width` × `height` cells.
pub fn read(task: &Task, picture: &Path, width: usize, height: usize) -> Result<Answer> {
    match (&task.kind, path(task, picture)) {
        (TaskKind::Segmentation { classes }, Some(path)) => {
            let map = read_grey(&path, Mode::GREY_8, width, height)?.into_luma8().into_raw();
            check_classes(&path, task, &map, width, classes.len())?;
            Ok(Answer::Classes(ClassMap { width, height, classes: map }))
        }
        (TaskKind::Depth { .. }, Some(path)) => {
            let map = read_grey(&path, Mode::GREY_16, width, height)?.into_luma16().into_raw();
            let metres = map.into_iter().map(|step| f32::from(step) / DEPTH_STEPS_PER_METRE).collect();
            Ok(Answer::Depth(DepthMap { width, height, metres }))
        }
        _ => Err(Error::usage(format!("task `{}`", task.name), "has no head, so that no labels fit it")),
    }
}

/// Reads a grey PNG; size and mode are checked before pixels are decoded.
fn read_grey(path: &Path, expected: Mode, width: usize, height: usize) -> Result<DynamicImage> {
    let wanted = format!("the ground truth is a {expected} PNG of {width}x{height} pixels, one per cell");
    let bytes = std::fs::read(path).map_err(|cause| Error::reading(path, cause).hint(&wanted))?;
    let damaged =
        |cause| Error::input(path.display(), format!("is not a readable PNG: {cause}")).hint(&wanted);
    let decoder = PngDecoder::new(Cursor::new(&bytes)).map_err(damaged)?;
    let mode = Mode::of(&bytes);
    if mode != expected {
        return Err(Error::input(path.display(), format!("is {mode}, not {expected}")).hint(&wanted));
    }
    let (found_width, found_height) = decoder.dimensions();
    if (found_width as usize, found_height as usize) != (width, height) {
        let problem = format!("has {found_width}x{found_height} pixels, not {width}x{height}");
        return Err(Error::input(path.display(), problem).hint(&wanted));
    }
    DynamicImage::from_decoder(decoder).map_err(damaged)
}

fn check_classes(path: &Path, task: &Task, map: &[u8], width: usize, classes: usize) -> Result<()> {
    match map.iter().position(|&class| usize::from(class) >= classes) {
        None => Ok(()),
        Some(at) => {
            let (class, row, column) = (map[at], at / width, at % width);
            let problem = format!("holds class index {class} at row {row}, column {column}");
            let hint = format!("task {} has {classes} classes, numbered from 0", task.name);
            Err(Error::input(path.display(), problem).hint(hint))
        }
    }
}

/// How a PNG stores a pixel.
#[derive(Clone, Copy, PartialEq)]
struct Mode {
    bits: u8,
    /// Colour type as the PNG specification (section 11.2.1) numbers it.
    colour: u8,
}

impl Mode {
    const GREY_8: Self = Self { bits: 8, colour: 0 };
    const GREY_16: Self = Self { bits: 16, colour: 0 };

    /// The mode of a file that begins like a PNG: IHDR is always first, at fixed offsets.
    ///
    /// The decoder itself does not tell: it widens 1, 2 and 4-bit pixels.
    fn of(png: &[u8]) -> Self {
        Self { bits: png[24], colour: png[25] }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = match self.colour {
            0 => "grey",
            2 => "RGB",
            3 => "palette",
            4 => "grey with alpha",
            _ => "RGBA",
        };
        write!(f, "{}-bit {colour}", self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, RgbImage};

    fn segmentation(classes: usize) -> Task {
        let classes = (0..classes).map(|index| format!("class {index}")).collect();
        Task { name: "segmentation".into(), cells: 1, kind: TaskKind::Segmentation { classes } }
    }

    fn depth() -> Task {
        let kind = TaskKind::Depth { scale: 1.0, offset: 0.0, max_metres: 80.0 };
        Task { name: "depth".into(), cells: 1, kind }
    }

    /// A directory with `name` in it, and the path of the picture it belongs to.
    fn labelled(name: &str, file: DynamicImage) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        file.save(directory.path().join(name)).expect("the label file is written");
        let picture = directory.path().join("007.png");
        (directory, picture)
    }

    fn grey(width: u32, height: u32, values: &[u8]) -> DynamicImage {
        GrayImage::from_raw(width, height, values.to_vec()).expect("one value per pixel").into()
    }

    #[test]
    fn classes_are_read_row_major() {
        let (_directory, picture) = labelled("007.class.png", grey(3, 2, &[0, 1, 2, 2, 1, 0]));
        let answer = read(&segmentation(3), &picture, 3, 2).expect("valid labels");
        let expected = ClassMap { width: 3, height: 2, classes: vec![0, 1, 2, 2, 1, 0] };
        assert_eq!(answer, Answer::Classes(expected));
    }

    #[test]
    fn depth_is_read_in_steps_of_a_256th() {
        let image =
            ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, vec![640, 20480]).expect("one value per pixel");
        let (_directory, picture) = labelled("007.depth.png", image.into());
        let answer = read(&depth(), &picture, 2, 1).expect("valid labels");
        assert_eq!(answer, Answer::Depth(DepthMap { width: 2, height: 1, metres: vec![2.5, 80.0] }));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(&depth(), Path::new("nowhere/007.png"), 64, 32).expect_err("no such file");
        let path = Path::new("nowhere").join("007.depth.png");
        assert!(error.to_string().starts_with(&format!("{}: cannot be read", path.display())), "{error}");
        let hint = "the ground truth is a 16-bit grey PNG of 64x32 pixels, one per cell";
        assert_eq!(error.hint_text(), Some(hint));
    }

    #[test]
    fn a_wrong_size_is_refused() {
        let (_directory, picture) = labelled("007.class.png", grey(3, 1, &[0; 3]));
        let error = read(&segmentation(2), &picture, 1, 3).expect_err("wrong size");
        assert!(error.to_string().ends_with("007.class.png: has 3x1 pixels, not 1x3"), "{error}");
    }

    #[test]
    fn a_wrong_mode_is_refused() {
        let (_directory, picture) = labelled("007.class.png", RgbImage::new(2, 2).into());
        let error = read(&segmentation(2), &picture, 2, 2).expect_err("wrong mode");
        assert!(error.to_string().ends_with("is 8-bit RGB, not 8-bit grey"), "{error}");
        let (_directory, picture) = labelled("007.depth.png", grey(2, 2, &[0; 4]));
        let error = read(&depth(), &picture, 2, 2).expect_err("wrong mode");
        assert!(error.to_string().ends_with("is 8-bit grey, not 16-bit grey"), "{error}");
    }

    #[test]
    fn an_unknown_class_is_refused() {
        let (_directory, picture) = labelled("007.class.png", grey(2, 2, &[0, 1, 10, 0]));
        let error = read(&segmentation(10), &picture, 2, 2).expect_err("class 10 of 10");
        assert!(error.to_string().ends_with("holds class index 10 at row 1, column 0"), "{error}");
        assert_eq!(error.hint_text(), Some("task segmentation has 10 classes, numbered from 0"));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let (directory, picture) = labelled("007.class.png", grey(2, 2, &[0; 4]));
        let path = directory.path().join("007.class.png");
        let bytes = std::fs::read(&path).expect("the label file");
        for length in 0..bytes.len() - 12 {
            std::fs::write(&path, &bytes[..length]).expect("a shorter file");
            let error = read(&segmentation(2), &picture, 2, 2).expect_err("a truncated file");
            assert!(error.to_string().contains("is not a readable PNG"), "{length} bytes: {error}");
        }
    }
}
