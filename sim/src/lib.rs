//! The accelerator's RTL as a device: the Verilog of a named architecture in
//! Verilator, with [`memory`] behind its ports, driven through its registers,
//! cycle by cycle ([`CoreModel`]); and the SDRAM of a board ([`sdram_chip`]). Nothing here knows of networks or artifacts.

mod core_model;
mod error;
pub mod memory;
pub mod sdram_chip;

pub use core_model::{CoreLibrary, CoreModel, CoreOptions, Ending, Run, Shadow, Step, Waves};
pub use error::{Error, Result};
