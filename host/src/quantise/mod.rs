//! From float weights and observed ranges to the integers a device computes with.

mod calibrate;
mod layers;
mod scales;

pub use calibrate::{Ranges, calibrate};
pub use layers::{QuantisedLayers, QuantisedNorm, quantise_linear, quantise_norm};
pub use scales::{BlockScales, Ratio, Scales};
