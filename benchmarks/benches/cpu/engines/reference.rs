//! The f32 reference that all others are compared with.

use edge_moe::model::{Model, float_reference};
use edge_moe::picture;
use image::RgbImage;
use ndarray::Array2;

use super::{Engine, Result};

/// The reference for one task.
pub struct Reference<'a> {
    pub model: &'a Model,
    pub task: usize,
    pub picture: &'a RgbImage,
}

impl Engine for Reference<'_> {
    fn version(&self) -> String {
        format!("edge-moe {}", env!("CARGO_PKG_VERSION"))
    }

    fn computes(&self) -> String {
        "f32, products by ndarray, transcendental functions by libm".into()
    }

    fn is_f32(&self) -> bool {
        true
    }

    fn answer(&mut self) -> Result<Array2<f32>> {
        let patches = picture::patches(self.picture, self.model.config.patch);
        let mut answers = float_reference::run(self.model, &patches, &[self.task], &mut ());
        answers.pop().ok_or_else(|| "no task".into())
    }
}
