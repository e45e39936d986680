//! The accelerator's RTL as a device: the Verilog of a named architecture in
//! Verilator, with [`memory`] behind its ports, driven through its registers,
//! cycle by cycle ([`CoreModel`]); and whole boards, with SDRAM and serial line ([`BoardModel`]). Nothing here
//! knows of networks or artifacts.

mod board_model;
mod core_model;
mod error;
pub mod memory;
pub mod sdram_chip;
mod serial_line;

pub use board_model::{BoardLibrary, BoardModel};
pub use core_model::{CoreLibrary, CoreModel, CoreOptions, Ending, Run, Shadow, Step, Waves};
pub use error::{Error, Result};
pub use serial_line::{LineReceiver, LineSender};
