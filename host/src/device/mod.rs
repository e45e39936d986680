//! Devices: whatever executes a compiled program over its memory.

mod registers;
#[cfg(feature = "sim")]
mod rtl;
mod software;
mod uart;
mod zynq;

use std::ops::Range;
use std::sync::Arc;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Space;
use edge_moe_isa::trace::Trace;

use crate::executable::Executable;
use crate::{Error, ErrorKind, Result};
#[cfg(feature = "sim")]
pub use edge_moe_sim::Waves;
pub use registers::Registers;
#[cfg(feature = "sim")]
pub use rtl::{RtlDevice, RtlOptions};
pub use software::{Simd, SoftwareDevice};
pub use uart::{Board, DEFAULT_BAUD, Line, Link, SerialLine, UartAddress, UartDevice};
pub use zynq::{Buffer, ZynqAddress, ZynqDevice};

/// What a run took, on a device that counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct RunFigures {
    /// Cycles of the device from the program's start to its end.
    pub cycles: u64,
    /// Bytes read from device memory.
    pub read_bytes: u64,
    /// Bytes written to it.
    pub written_bytes: u64,
    /// Seconds that the host waited.
    pub seconds: f64,
}

/// Something that executes compiled programs.
///
/// Every device leaves the same bytes in memory for the same model and
/// picture. Addresses are byte addresses of the device's memory: the writable
/// part first, then the model's image.
pub trait Device {
    /// What the device is, for reports.
    fn name(&self) -> String;

    /// Loads a model's programs and image; they can run until others are loaded.
    fn load(&mut self, executable: Arc<Executable>) -> Result<()>;

    /// Writes into the writable part of memory.
    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()>;

    /// Reads from the writable part of memory.
    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()>;

    /// Runs a program of the loaded model, by its index in the manifest.
    fn run(&mut self, program: usize) -> Result<()>;

    /// What the last run took, if the device counts that.
    fn figures(&self) -> Option<RunFigures> {
        None
    }

    /// Where the cycles of the last run went, if the device can tell.
    fn trace(&self) -> Option<&Trace> {
        None
    }

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

    /// For each word of the scratchpad or the residual memory, whether the program that runs or ran last wrote it.
    fn written(&self, space: Space) -> Result<&[bool]>;
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        (**self).load(executable)
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        (**self).write_memory(address, bytes)
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        (**self).read_memory(address, bytes)
    }

    fn run(&mut self, program: usize) -> Result<()> {
        (**self).run(program)
    }

    fn figures(&self) -> Option<RunFigures> {
        (**self).figures()
    }

    fn trace(&self) -> Option<&Trace> {
        (**self).trace()
    }

    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        (**self).stepper()
    }
}

/// The error for a device that is used before a model is loaded.
fn not_loaded(device: &str) -> Error {
    Error::new(ErrorKind::Device, device, "no model is loaded")
}

/// The error for a program that the model does not have.
fn no_program(device: &str, program: usize, programs: usize) -> Error {
    Error::new(
        ErrorKind::Device,
        device,
        format!("program {program} does not exist, the model has {programs}"),
    )
}

/// The error for words asked of device memory.
fn bytes_not_words(device: &str) -> Error {
    Error::new(ErrorKind::Device, device, "memory is read as bytes, not as words")
}

/// Values of `words` words from word `address` on, out of all values of an on-chip memory.
fn words_of(
    device: &str,
    arch: &ArchConfig,
    memory: &[i16],
    space: Space,
    address: u32,
    words: u32,
) -> Result<Vec<i16>> {
    let vector = arch.vector as usize;
    let found = memory.get(address as usize * vector..).and_then(|rest| rest.get(..words as usize * vector));
    found.map(<[i16]>::to_vec).ok_or_else(|| {
        let problem = format!("{words} words at {address} lie outside the {space}");
        Error::new(ErrorKind::Device, device, problem)
    })
}

/// `bytes` bytes from an address on, if they lie in the writable memory.
fn writable_range(device: &str, address: u64, bytes: usize, writable: usize) -> Result<Range<usize>> {
    let start = usize::try_from(address).ok();
    let range = start.and_then(|start| Some(start..start.checked_add(bytes)?));
    range
        .filter(|range| range.end <= writable)
        .ok_or_else(|| outside_memory(device, address, bytes, writable))
}

/// The error for an address outside the writable memory.
fn outside_memory(device: &str, address: u64, bytes: usize, writable: usize) -> Error {
    let problem = format!("{bytes} bytes at {address} lie outside its {writable} bytes of writable memory");
    Error::new(ErrorKind::Device, device, problem)
}
