//! Deploying a bitstream on a board: checks first, then openFPGALoader or the FPGA manager of Linux, then a look
//! at what answers.

mod fpga_manager;
mod loader;

use std::time::Duration;

use edge_moe_isa::arch::ArchConfig;

pub use fpga_manager::FpgaManager;
pub use loader::Loader;

use crate::bitstream::Bitstream;
use crate::bitstream::ecp5::idcode_text;
use crate::{Error, ErrorKind, Result};

/// Where a bitstream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into the FPGA: until power is off.
    Sram,
    /// Into the flash that the FPGA starts from.
    Flash {
        /// Read it back and compare.
        verify: bool,
    },
}

impl Target {
    /// How long writing may take: over the ULX3S's serial cable, flash takes minutes.
    pub fn default_timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Sram => 300,
            Self::Flash { .. } => 900,
        })
    }
}

/// What reads magic, versions and configuration of the board that was programmed, and refuses one that differs.
pub type Identify<'a> = &'a dyn Fn(&ArchConfig) -> Result<()>;

/// Programs a board with a checked bitstream: asks the FPGA what it is, writes, and has the accelerator
/// tell what it is.
pub fn deploy(
    bitstream: &Bitstream,
    loader: &Loader,
    target: Target,
    timeout: Duration,
    identify: Option<Identify<'_>>,
) -> Result<()> {
    let board = &bitstream.manifest.openfpgaloader_board;
    check_idcode(&loader.detect(board, timeout)?, bitstream.manifest.idcode)?;
    loader.program(board, &bitstream.path, target, timeout)?;
    identify.map_or(Ok(()), |identify| identify(&bitstream.manifest.arch))
}

/// That one of the devices on the board's JTAG chain is the one that the bitstream is for.
fn check_idcode(found: &[u32], expected: u32) -> Result<()> {
    if found.contains(&expected) {
        return Ok(());
    }
    let error = |problem: String| Error::new(ErrorKind::Device, "board", problem);
    if found.is_empty() {
        return Err(error("no FPGA answers on its JTAG port".into()).hint("is the board powered?"));
    }
    let found: Vec<String> = found.iter().copied().map(idcode_text).collect();
    let problem = format!(
        "its FPGA has IDCODE {}, the bitstream is for {}",
        found.join(" and "),
        idcode_text(expected)
    );
    Err(error(problem).hint("a bitstream fits one size of FPGA only; nothing was written"))
}
