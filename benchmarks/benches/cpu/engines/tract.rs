//! tract: ONNX inference in Rust, on one thread.

use edge_moe::model::onnx;
use image::RgbImage;
use ndarray::{Array2, Array4};
use tract_onnx::prelude::*;

use super::{Engine, Result};

/// An exported network, ready to run.
pub struct Tract {
    plan: TypedSimplePlan<TypedModel>,
    picture: Tensor,
}

impl Tract {
    /// Loads an exported network that answers `outputs`: its own, or other values of the graph as `NODE:OUTPUT`.
    pub fn load(onnx: &[u8], outputs: &[&str], picture: &RgbImage) -> Result<Self> {
        let model = tract_onnx::onnx().model_for_read(&mut &*onnx)?.with_output_names(outputs)?;
        assert_eq!(model.node(model.input_outlets()?[0].node).name, onnx::INPUT);
        Ok(Self { plan: model.into_optimized()?.into_runnable()?, picture: tensor(picture) })
    }

    /// Looks at another picture.
    pub fn show(&mut self, picture: &RgbImage) {
        self.picture = tensor(picture);
    }

    /// Runs the network; one tensor per output.
    pub fn run(&self) -> Result<Vec<TValue>> {
        Ok(self.plan.run(tvec!(self.picture.clone().into()))?.into_vec())
    }
}

impl Engine for Tract {
    fn version(&self) -> String {
        format!("tract-onnx {}", locked_version("tract-onnx"))
    }

    fn computes(&self) -> String {
        "f32".into()
    }

    fn is_f32(&self) -> bool {
        true
    }

    fn answer(&mut self) -> Result<Array2<f32>> {
        matrix(&self.run()?[0])
    }
}

/// An output of shape [patches, channels].
pub fn matrix(tensor: &Tensor) -> Result<Array2<f32>> {
    let &[rows, columns] = tensor.shape() else { return Err("an output is not a matrix".into()) };
    Ok(Array2::from_shape_vec((rows, columns), tensor.as_slice::<f32>()?.to_vec())?)
}

/// The picture as the exported network takes it.
fn tensor(picture: &RgbImage) -> Tensor {
    let bytes = pixels(picture);
    Tensor::from_shape(bytes.shape(), bytes.as_slice().expect("pixels are contiguous")).expect("sizes agree")
}

/// Pixels channel by channel, shape [1, 3, height, width].
pub fn pixels(picture: &RgbImage) -> Array4<u8> {
    let shape = (1, 3, picture.height() as usize, picture.width() as usize);
    Array4::from_shape_fn(shape, |(_, channel, y, x)| picture.get_pixel(x as u32, y as u32)[channel])
}

/// Version of a crate in the workspace's Cargo.lock.
fn locked_version(name: &str) -> &'static str {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let package = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("the crate is locked");
    package.1.split('"').next().expect("a version ends")
}
