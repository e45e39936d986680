//! Pictures in: files of any format and size become the network's input.

use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{Rgb, RgbImage};
use ndarray::{Array2, ArrayView};

use crate::{Error, Result};

/// Pictures larger than this in width or height are refused before decoding.
const MAX_SIDE: u32 = 16_384;
/// A decoder may not allocate more than this many bytes.
const MAX_DECODE_BYTES: u64 = 1 << 30;

/// Reads a picture of any supported format.
pub fn read(path: &Path) -> Result<RgbImage> {
    let mut reader = image::ImageReader::open(path)
        .and_then(|reader| reader.with_guessed_format())
        .map_err(|cause| Error::reading(path, cause))?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|cause| {
        Error::input(path.display(), format!("is not a readable picture: {cause}"))
            .hint("PNG, JPEG, BMP, WebP, PNM, TIFF and GIF pictures are understood")
    })?;
    Ok(picture.into_rgb8())
}

/// Resizes a picture to the network's input (bilinear); the same size passes unchanged.
pub fn fit(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    if picture.dimensions() == (width, height) {
        picture.clone()
    } else {
        image::imageops::resize(picture, width, height, FilterType::Triangle)
    }
}

/// A picture for when none is at hand, the same every time: a sky, a road that narrows, and some boxes.
pub fn synthetic(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (across, down) = (256 * x / width.max(1), 256 * y / height.max(1));
        let road = down > 128 && across.abs_diff(128) < down - 120;
        let boxed = (across / 24).is_multiple_of(3) && (80..176).contains(&down);
        let level = |value: u32| value.min(255) as u8;
        match (road, boxed) {
            (true, _) => Rgb([level(70 + down / 8), level(70 + down / 9), level(80 + across % 16)]),
            (_, true) => Rgb([level(90 + across / 3), level(40 + down / 2), level(200 - down / 2)]),
            _ => Rgb([level(60 + down / 2), level(120 + down / 3), level(240 - down / 2)]),
        }
    })
}

/// Cuts a picture into patches: row `i` is patch `i` (row-major over the
/// picture), its columns run over channel, row, column inside the patch.
///
/// # Panics
/// If `patch` does not divide both sides of the picture.
pub fn patches(picture: &RgbImage, patch: usize) -> Array2<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    assert!(
        width.is_multiple_of(patch) && height.is_multiple_of(patch),
        "patch size {patch} does not divide {width}x{height}"
    );
    let (down, across) = (height / patch, width / patch);
    let pixels = ArrayView::from_shape((down, patch, across, patch, 3), picture.as_raw());
    let patches = pixels.expect("a picture has three values a pixel").permuted_axes([0, 2, 4, 1, 3]);
    let values = patches.as_standard_layout().into_owned();
    values.into_shape_with_order((down * across, 3 * patch * patch)).expect("as many values as before")
}

/// The pictures of a directory in order of name: every file with a picture's
/// extension, except label files (`*.class.png`, `*.depth.png`).
pub fn list_directory(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).map_err(|cause| Error::reading(directory, cause))?;
    let mut pictures = Vec::new();
    for entry in entries {
        let path = entry.map_err(|cause| Error::reading(directory, cause))?.path();
        if path.is_file() && is_picture_name(&path) {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(Error::input(directory.display(), "contains no pictures")
            .hint("give a directory of PNG, JPEG, BMP, WebP, PNM, TIFF or GIF files"));
    }
    pictures.sort();
    Ok(pictures)
}

fn is_picture_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let known = image::ImageFormat::from_path(path).is_ok_and(|format| format.reading_enabled());
    known && !name.ends_with(".class.png") && !name.ends_with(".depth.png")
}
