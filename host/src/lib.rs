//! Host side of the Edge-MoE accelerator: from a trained multi-task
//! mixture-of-experts vision transformer and a picture to task outputs.

pub mod atomic_file;
pub mod attached;
pub mod bitstream;
pub mod compile;
pub mod compiled;
pub mod deploy;
pub mod device;
pub mod draw;
#[cfg(feature = "sim")]
pub mod emulation;
pub mod error;
pub mod evaluate;
pub mod executable;
pub mod expert_sets;
pub mod fidelity;
pub mod lockstep;
pub mod model;
pub mod picture;
pub mod profile;
pub mod quantise;
pub mod random_program;
pub mod runtime;
mod split_mix;
pub mod tasks;

pub use error::{Error, ErrorKind, Result};
