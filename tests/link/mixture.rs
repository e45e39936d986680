//! What the tests of devices behind a link or a bus share: a model, and how answers and errors are judged.

use std::sync::{Arc, LazyLock};

use edge_moe::compiled::CompiledModel;
use edge_moe::device::Device;
use edge_moe::model::sample_shapes;
use edge_moe::runtime::Runtime;
use edge_moe::{Error, ErrorKind, Result};
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;

use crate::common::{self, compile_for, pictures, random_model};

/// Bytes of memory of the emulated boards.
pub const MEMORY_BYTES: usize = 32 << 20;

/// A small mixture of experts for `tiny`, and a picture.
pub static MIXTURE: LazyLock<(Arc<CompiledModel>, RgbImage)> = LazyLock::new(|| {
    let model = random_model(sample_shapes::mixture(), 41);
    let pictures = pictures(&model.config, 3);
    (compile_for(&model, &ArchConfig::tiny(), &pictures[..2]), pictures[2].clone())
});

/// Seed of what is random, printed.
#[cfg_attr(not(feature = "sim"), allow(dead_code, reason = "of the bus, only the RTL's tests are random"))]
pub fn seed() -> u64 {
    let seed = std::env::var("EMOE_SEED").map_or(1, |seed| seed.parse().expect("EMOE_SEED is a number"));
    println!("EMOE_SEED={seed}");
    seed
}

/// The error, which must be one of the device that says all of `parts`.
#[track_caller]
pub fn device_error(result: Result<()>, parts: &[&str]) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` in: {error}");
    }
    error
}

/// Answers of the picture, which must be those of the software device.
#[track_caller]
pub fn assert_answers_right<D: Device>(runtime: &mut Runtime<D>) {
    let (model, picture) = &*MIXTURE;
    let program = runtime.program_for(None).unwrap();
    assert_eq!(runtime.run(picture, program).unwrap(), common::run(model, picture));
}
