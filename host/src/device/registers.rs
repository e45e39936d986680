//! Registers of a core on a board, however they are reached, and what a host does with them on every board:
//! it asks the core what it is, runs programs and stops them.

mod run;

use std::fmt;
use std::time::Duration;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{CONSTANTS, MAGIC, Register, constants, control};

use crate::{Error, ErrorKind, Result};
pub(super) use run::{Setting, run, stop};

/// The registers of a core. Each call returns in bounded time.
pub trait Registers {
    /// What messages call the device.
    fn name(&self) -> String;

    /// Reads registers, in any order of time, into as many values.
    ///
    /// # Errors
    /// If they cannot be reached.
    fn read(&mut self, registers: &[Register], values: &mut [u32]) -> Result<()>;

    /// Writes registers, in any order of time.
    ///
    /// # Errors
    /// If they cannot be reached.
    fn write(&mut self, registers: &[(Register, u32)]) -> Result<()>;

    /// Writes 1 to `control`, once. The core may refuse: see its `status`.
    ///
    /// # Errors
    /// If it cannot be reached.
    fn start(&mut self) -> Result<()> {
        self.write(&[(Register::Control, control::START)])
    }

    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Waits, less than `longest` only if the core interrupts.
    ///
    /// # Errors
    /// If there is nothing to wait for any more.
    fn wait(&mut self, longest: Duration) -> Result<()>;
}

impl dyn Registers + '_ {
    /// Reads a few registers, in any order of time.
    pub(super) fn read_all<const N: usize>(&mut self, registers: [Register; N]) -> Result<[u32; N]> {
        let mut values = [0; N];
        self.read(&registers, &mut values)?;
        Ok(values)
    }

    /// Reads a register.
    pub(super) fn read_one(&mut self, register: Register) -> Result<u32> {
        Ok(self.read_all([register])?[0])
    }

    /// An error of this device.
    pub(super) fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Device, self.name(), problem)
    }
}

/// Checks that an edge-moe core answers.
///
/// # Errors
/// Another magic.
pub(super) fn check_magic(registers: &mut dyn Registers) -> Result<()> {
    match registers.read_one(Register::Magic)? {
        MAGIC => Ok(()),
        magic => {
            let problem = format!("this is no edge-moe board: its magic is 0x{magic:08x}, not 0x{MAGIC:08x}");
            Err(registers.error(problem))
        }
    }
}

/// The registers that never change, in the order of [`constants`].
pub(super) fn identify(registers: &mut dyn Registers) -> Result<[u32; CONSTANTS]> {
    registers.read_all(constants(&ArchConfig::tiny()).map(|(register, _)| register))
}

/// Checks that the core is an accelerator of exactly these sizes.
///
/// # Errors
/// Everything that differs.
pub(super) fn check_identity(registers: &mut dyn Registers, arch: &ArchConfig) -> Result<()> {
    check_magic(registers)?;
    let got = identify(registers)?;
    let pairs = constants(arch).into_iter().zip(got).filter(|((_, expected), got)| got != expected);
    let differences: Vec<String> = pairs
        .map(|((register, expected), got)| format!("{} is {got}, not {expected}", register.layout().name))
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    let problem = format!("the board is not `{}`: {}", arch.name, differences.join("; "));
    Err(registers.error(problem).hint("compile the model for the board's architecture, with --arch NAME"))
}
