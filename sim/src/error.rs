//! What can go wrong in a simulation, apart from what the core itself reports.

use edge_moe_isa::registers::{Register, error_text};
use thiserror::Error;

use crate::memory::Violation;
use crate::sdram_chip::SdramFault;

/// Result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong; cycles count from the start of the simulation.
#[derive(Debug, Error)]
pub enum Error {
    /// Verilator, the C++ compiler or the model.
    #[error(transparent)]
    Model(#[from] verilated::Error),
    /// There is no RTL of this architecture.
    #[error("architecture `{0}` has no RTL: only the named architectures have, with exactly their sizes")]
    Architecture(String),
    /// The Verilog could not be written.
    #[error("architecture `{arch}`: no Verilog of the core: {problem}")]
    Verilog {
        /// Name of the architecture.
        arch: String,
        /// What is wrong.
        problem: String,
    },
    /// The core broke a rule of the memory bus.
    #[error("the core broke a rule of the bus: {0}")]
    Bus(#[from] Violation),
    /// The board broke a rule of its SDRAM.
    #[error("the board broke a rule of its memory: {0}")]
    Sdram(#[from] SdramFault),
    /// The core did not answer on its register bus.
    #[error("cycle {cycle}: no answer to the {access} of register {register:?} within {waited} cycles")]
    Register {
        /// Cycle of the simulation.
        cycle: u64,
        /// `read` or `write`.
        access: &'static str,
        /// Which register.
        register: Register,
        /// Cycles waited.
        waited: u64,
    },
    /// The core refused to start a program.
    #[error(
        "cycle {cycle}: the start was refused: a program runs, or memory owes answers to one that stopped"
    )]
    Refused {
        /// Cycle of the simulation.
        cycle: u64,
    },
    /// A run took longer than the host is willing to wait.
    #[error("cycle {cycle}: descriptor {descriptor} runs, and the limit of {limit} cycles is reached")]
    CycleLimit {
        /// Cycle of the simulation.
        cycle: u64,
        /// Descriptor that was started last.
        descriptor: usize,
        /// The limit, in cycles of a run.
        limit: u64,
    },
    /// A program stopped with an error.
    #[error("cycle {cycle}: descriptor {descriptor} stopped with error {code}: {}", error_text(*code))]
    Stopped {
        /// Cycle of the simulation.
        cycle: u64,
        /// The descriptor that the core blames.
        descriptor: usize,
        /// Value of the register.
        code: u32,
    },
    /// The core contradicts itself.
    #[error("cycle {cycle}: {problem}")]
    Contradiction {
        /// Cycle of the simulation.
        cycle: u64,
        /// What does not fit.
        problem: String,
    },
}
