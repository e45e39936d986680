//! Writing pictures and numbers so that no half-written file is ever seen.

use std::io::{Cursor, Write};
use std::ops::Deref;
use std::path::Path;

use image::{EncodableLayout, ImageBuffer, ImageFormat, PixelWithColorType};
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;

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

/// Writes numbers in NumPy's format, row-major; the file appears complete or not at all.
pub fn save_npy(path: &Path, values: &Array2<f32>) -> Result<()> {
    atomic_file::write(path, |file| values.write_npy(file).map_err(std::io::Error::other))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn numbers_read_back_the_same() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("values.npy");
        let values = array![[1.5f32, -2.0, 1e-20], [0.0, f32::MAX, 3.25]];
        save_npy(&path, &values).expect("values are written");
        let read: Array2<f32> = ndarray_npy::read_npy(&path).expect("values are read");
        assert_eq!(read, values);
    }
}
