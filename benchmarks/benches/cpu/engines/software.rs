//! The software device, on a number of threads of its own.

use std::sync::Arc;

use edge_moe::compiled::CompiledModel;
use edge_moe::device::SoftwareDevice;
use edge_moe::runtime::Runtime;
use image::RgbImage;
use ndarray::Array2;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Engine, Result};

/// The program of one task on the software device.
pub struct Software<'a> {
    runtime: Runtime<SoftwareDevice>,
    program: usize,
    picture: &'a RgbImage,
    pool: ThreadPool,
}

impl<'a> Software<'a> {
    /// Loads a compiled model; the pool's threads run where this thread may.
    pub fn load(
        model: Arc<CompiledModel>,
        task: &str,
        picture: &'a RgbImage,
        threads: usize,
    ) -> Result<Self> {
        let runtime = Runtime::new(SoftwareDevice::new(), model)?;
        let program = runtime.program_for(Some(task))?;
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { runtime, program, picture, pool })
    }
}

impl Engine for Software<'_> {
    fn version(&self) -> String {
        format!("edge-moe {}", env!("CARGO_PKG_VERSION"))
    }

    fn computes(&self) -> String {
        "8-bit weights per channel, 16-bit activations, every bit as the accelerator".into()
    }

    fn is_f32(&self) -> bool {
        false
    }

    fn answer(&mut self) -> Result<Array2<f32>> {
        let Self { runtime, program, picture, pool } = self;
        let answers = pool.install(|| runtime.run(picture, *program))?;
        Ok(answers.outputs[0].dequantised())
    }
}
