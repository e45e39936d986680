//! From float weights and observed ranges to the integers a device computes with.

mod calibrate;
mod layers;
mod report;
mod scales;

pub use calibrate::{Ranges, calibrate};
pub use layers::{QuantisedLayers, QuantisedNorm, quantise_linear, quantise_norm};
pub use report::{Tally, TensorReport};
pub(crate) use scales::activation_scale;
pub use scales::{BlockScales, HeadScales, Ratio, Scales};
