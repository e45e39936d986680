//! Devices: whatever executes a compiled program over its memory.

mod software;

use std::sync::Arc;

use edge_moe_isa::descriptor::Space;

use crate::compiled::CompiledModel;
use crate::{Error, ErrorKind, Result};
pub use software::SoftwareDevice;

/// Something that executes compiled programs.
///
/// Every device leaves the same bytes in memory for the same model and
/// picture. Addresses are byte addresses of the device's memory: the writable
/// part first, then the model's image.
pub trait Device {
    /// What the device is, for reports.
    fn name(&self) -> String;

    /// Loads a model; its programs can run until another one is loaded.
    fn load(&mut self, model: Arc<CompiledModel>) -> Result<()>;

    /// Writes into the writable part of memory.
    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()>;

    /// Reads from the writable part of memory.
    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()>;

    /// Runs a program of the loaded model, by its index in the manifest.
    fn run(&mut self, program: usize) -> Result<()>;

    /// The device's other face, if it can be stopped and looked into.
    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        None
    }
}

/// A device that executes one descriptor at a time and shows its memories.
pub trait Stepper {
    /// Gets ready to run a program from its first descriptor.
    fn start(&mut self, program: usize) -> Result<()>;

    /// Executes the next descriptor; returns its index, or none after `end`.
    fn step(&mut self) -> Result<Option<usize>>;

    /// The values of `words` words of the scratchpad or the residual memory.
    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>>;
}

/// The error for a device that is used before a model is loaded.
fn not_loaded(device: &str) -> Error {
    Error::new(ErrorKind::Device, device, "no model is loaded")
}

/// The error for an address outside the writable memory.
fn outside_memory(device: &str, address: u64, bytes: usize, writable: usize) -> Error {
    let problem = format!("{bytes} bytes at {address} lie outside its {writable} bytes of writable memory");
    Error::new(ErrorKind::Device, device, problem)
}
