//! Writing pictures so that no half-written file is ever seen.

use std::io::Cursor;
use std::ops::Deref;
use std::path::Path;

use image::{EncodableLayout, ImageBuffer, ImageFormat, PixelWithColorType};
use std::io::Write;

use crate::{Error, Result, atomic_file};

/// Writes a picture as PNG; the file appears complete or not at all.
pub fn save_png<P, C>(path: &Path, image: &ImageBuffer<P, C>) -> Result<()>
where
    P: PixelWithColorType,
    [P::Subpixel]: EncodableLayout,
    C: Deref<Target = [P::Subpixel]>,
{
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).map_err(|cause| Error::writing(path, cause))?;
    atomic_file::write(path, |file| file.write_all(png.get_ref()))
}
