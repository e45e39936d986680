//! Engines that answer one picture, and how one measures them alike.
#![allow(dead_code, reason = "the tests of the export use some of it")]

pub mod onnxruntime;
pub mod reference;
pub mod software;
pub mod tract;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::Array2;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Something that answers one task of one picture, which it was given when it was made.
pub trait Engine {
    /// Name and version.
    fn version(&self) -> String;

    /// What it computes, in words.
    fn computes(&self) -> String;

    /// Is all of it f32, so that only rounding sets it apart from the reference?
    fn is_f32(&self) -> bool;

    /// The head's numbers, shape [patches, channels].
    fn answer(&mut self) -> Result<Array2<f32>>;

    /// Time of so many answers.
    fn time(&mut self, runs: u64) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..runs {
            black_box(self.answer()?);
        }
        Ok(start.elapsed())
    }
}

/// Most that an engine in f32 may be off, relative to the answer's greatest magnitude.
pub const ROUNDING: f64 = 1e-5;

/// Greatest difference over the expected values' greatest magnitude.
pub fn relative_error(got: &Array2<f32>, expected: &Array2<f32>) -> f64 {
    assert_eq!(got.dim(), expected.dim());
    let greatest = |values: &mut dyn Iterator<Item = f32>| {
        // NaN must not vanish in a maximum.
        values.fold(0.0, |most: f32, value| if value.abs() <= most { most } else { value.abs() })
    };
    let difference = greatest(&mut got.iter().zip(expected).map(|(got, expected)| got - expected));
    f64::from(difference) / f64::from(greatest(&mut expected.iter().copied()))
}
