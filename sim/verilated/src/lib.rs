#![doc = include_str!("../README.md")]

mod build;
mod cache;
mod compile;
mod error;
mod ffi;
mod generated;
mod library;
mod model;
mod port;
mod tool;

pub use build::{Artifact, Build, Optimisation, Trace};
pub use error::{Error, Result};
pub use library::Library;
pub use model::{Initial, Model};
pub use port::Port;

/// The C++ side of a model, compiled with each.
const SHIM: &str = include_str!("shim.cpp");
