//! An accelerator on the bus of the processor that this runs on, such as that of a Zynq UltraScale+: registers
//! through a UIO device of Linux, device memory in a contiguous buffer of u-dma-buf.
//!
//! Registers and buffer are traits, so that tests put the RTL behind them.

mod address;
mod buffer;
mod interrupt;
mod uio;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::mode;

use super::registers::{Registers, Setting, check_identity, check_magic, run, stop};
use super::{Device, RunFigures, no_program, not_loaded, writable_range};
use crate::executable::Executable;
use crate::{Error, ErrorKind, Result};
pub use address::ZynqAddress;
pub use buffer::Buffer;
use buffer::UDmaBuf;
use uio::Uio;

const NAME: &str = "accelerator";
/// What device memory is aligned to on the bus.
const BASE_ALIGNMENT: u64 = 4096;
/// Bits of an address on the bus.
const ADDRESS_BITS: u32 = 40;

/// An accelerator on the bus, and the programs in its buffer: the writable part from its start on, then the image.
pub struct ZynqDevice {
    registers: Box<dyn Registers>,
    buffer: Box<dyn Buffer>,
    loaded: Option<Loaded>,
}

struct Loaded {
    executable: Arc<Executable>,
    figures: Option<RunFigures>,
    /// The last run failed: memory holds nothing that may be read.
    failed: bool,
}

impl ZynqDevice {
    /// Opens registers and buffer, and stops what may run there; what the address does not say is looked for.
    ///
    /// # Errors
    /// Devices that are missing, denied or in use; what is no accelerator; a program that does not stop.
    pub fn open(address: &ZynqAddress) -> Result<Self> {
        Self::open_under(address, Path::new("/"))
    }

    /// The same with `/dev` and `/sys` under `root`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_under(address: &ZynqAddress, root: &Path) -> Result<Self> {
        let registers = Uio::open(address.uio.as_deref(), root)?;
        let buffer = UDmaBuf::open(address.buffer.as_deref(), root)?;
        Self::over(Box::new(registers), Box::new(buffer))
    }

    /// The same over any registers and buffer.
    ///
    /// # Errors
    /// What is no accelerator, a program that does not stop, a buffer that it cannot address.
    pub fn over(mut registers: Box<dyn Registers>, buffer: Box<dyn Buffer>) -> Result<Self> {
        check_magic(&mut *registers)?;
        stop(&mut *registers)?;
        check_place(&*buffer)?;
        Ok(Self { registers, buffer, loaded: None })
    }

    /// Checks that the accelerator behind a UIO device, with `/dev` and `/sys` under `root`, has exactly these
    /// sizes; its device.
    ///
    /// # Errors
    /// A device that is missing, denied or in use; everything that differs.
    pub fn identify(address: &ZynqAddress, root: &Path, arch: &ArchConfig) -> Result<String> {
        let mut registers = Uio::open(address.uio.as_deref(), root)?;
        check_identity(&mut registers, arch)?;
        Ok(registers.name())
    }

    fn loaded(&self) -> Result<&Loaded> {
        self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))
    }

    /// Checks that the range lies in writable memory; its start in the buffer.
    fn writable_start(&self, address: u64, bytes: usize) -> Result<usize> {
        let writable = self.loaded()?.executable.window().writable_bytes as usize;
        Ok(writable_range(NAME, address, bytes, writable)?.start)
    }
}

impl Device for ZynqDevice {
    fn name(&self) -> String {
        format!("{NAME} at {}", self.registers.name())
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        self.loaded = None;
        check_identity(&mut *self.registers, executable.arch())?;
        let window = executable.window();
        if window.total_bytes > self.buffer.bytes() {
            let (needed, has) = (window.total_bytes, self.buffer.bytes());
            let problem =
                format!("the model needs {needed} bytes of contiguous memory, the buffer has {has}");
            return Err(Error::new(ErrorKind::Device, self.buffer.name(), problem)
                .hint("make `size` of its node in edge_moe.dtso, and the memory that it is in, larger"));
        }
        self.buffer.write(window.writable_bytes as usize, executable.image())?;
        self.loaded = Some(Loaded { executable, figures: None, failed: false });
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let start = self.writable_start(address, bytes.len())?;
        self.buffer.write(start, bytes)
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let start = self.writable_start(address, bytes.len())?;
        if self.loaded()?.failed {
            return Err(self.registers.error("the last run failed, memory holds no results"));
        }
        self.buffer.read(start, bytes)
    }

    fn run(&mut self, program: usize) -> Result<()> {
        let loaded = self.loaded.as_mut().ok_or_else(|| not_loaded(NAME))?;
        (loaded.figures, loaded.failed) = (None, true);
        let programs = loaded.executable.listings();
        let listing = programs.get(program).ok_or_else(|| no_program(NAME, program, programs.len()))?;
        let setting = Setting { base: self.buffer.bus_address(), mode: mode::INTERRUPT };
        let figures = run(&mut *self.registers, &loaded.executable, listing, &setting)??;
        (loaded.figures, loaded.failed) = (Some(figures), false);
        Ok(())
    }

    fn figures(&self) -> Option<RunFigures> {
        self.loaded.as_ref()?.figures
    }
}

/// That the accelerator can address a buffer.
fn check_place(buffer: &dyn Buffer) -> Result<()> {
    let (start, bytes) = (buffer.bus_address(), buffer.bytes());
    let end = start.checked_add(bytes);
    if start.is_multiple_of(BASE_ALIGNMENT) && end.is_some_and(|end| end <= 1 << ADDRESS_BITS) {
        return Ok(());
    }
    let problem = format!(
        "{bytes} bytes at bus address 0x{start:x}: an accelerator needs a multiple of {BASE_ALIGNMENT}, and all of \
         it below 2^{ADDRESS_BITS}"
    );
    Err(Error::new(ErrorKind::Device, buffer.name(), problem))
}

/// An absolute path, in the tree under `root`.
fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
