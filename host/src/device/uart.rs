//! An FPGA board on a serial line as a device.
//!
//! Results are trusted because every frame has a CRC, because what was written and what was read is compared
//! with a checksum that the board makes of its memory, and because a session shows a reset.

mod address;
mod exchange;
mod image;
mod line;
mod link;

use std::sync::Arc;

use super::registers::{Setting, check_magic, run, stop};
use super::{Device, RunFigures, no_program, not_loaded, writable_range};
use crate::Result;
use crate::executable::Executable;
pub use address::{DEFAULT_BAUD, UartAddress};
pub use line::{Line, SerialLine};
pub use link::{Board, Link};

const NAME: &str = "FPGA board";
/// How programs run on a board: its memory begins at address 0, and its end of the link has no interrupts.
const SETTING: Setting = Setting { base: 0, mode: 0 };

/// A board on a serial line, and the programs in its memory: the writable part from address 0 on, then the
/// image.
///
/// After an error of the line or the session nothing is loaded any more: what the board has done of the last
/// requests is not known, and [`load`](Device::load) makes it known again.
pub struct UartDevice {
    link: Link,
    board: Option<Board>,
    loaded: Option<Loaded>,
    progress: Box<dyn FnMut(u64, u64)>,
}

struct Loaded {
    executable: Arc<Executable>,
    figures: Option<RunFigures>,
    /// The last run failed: memory holds nothing that may be read.
    failed: bool,
}

impl UartDevice {
    /// Opens a line to a board, begins a session, and stops what may run there.
    ///
    /// # Errors
    /// A line that cannot be opened, no board, one that is no edge-moe board or of another version, a program
    /// that does not stop.
    pub fn open(address: &UartAddress) -> Result<Self> {
        Self::over(Link::open(address)?)
    }

    /// The same over any line.
    pub fn over(link: Link) -> Result<Self> {
        let mut device = Self { link, board: None, loaded: None, progress: Box::new(|_, _| ()) };
        device.begin()?;
        Ok(device)
    }

    /// Calls `progress` while a model is loaded, with the bytes of its image that are in place and all of them.
    pub fn on_progress(&mut self, progress: impl FnMut(u64, u64) + 'static) {
        self.progress = Box::new(progress);
    }

    /// The link, to look at registers and memory. Who changes them must load again.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Begins a session.
    fn begin(&mut self) -> Result<Board> {
        let board = self.link.hello()?;
        check_magic(&mut self.link)?;
        stop(&mut self.link)?;
        self.board = Some(board);
        Ok(board)
    }

    fn loaded(&self) -> Result<&Loaded> {
        self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))
    }

    /// After an error of the line or the session, nothing is known of the board.
    fn known<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            (self.board, self.loaded) = (None, None);
        }
        result
    }

    /// Checks that the range lies in writable memory; its start.
    fn writable_address(&self, address: u64, bytes: usize) -> Result<u32> {
        let writable = self.loaded()?.executable.window().writable_bytes as usize;
        Ok(writable_range(NAME, address, bytes, writable)?.start as u32)
    }
}

impl Device for UartDevice {
    fn name(&self) -> String {
        format!("{NAME} on {}", self.link.name())
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        self.loaded = None;
        let board = match self.board {
            Some(board) => board,
            None => self.begin()?,
        };
        let (link, progress) = (&mut self.link, &mut self.progress);
        let loaded = link
            .check_identity(executable.arch())
            .and_then(|()| image::load(link, &board, &executable, progress));
        self.known(loaded)?;
        self.loaded = Some(Loaded { executable, figures: None, failed: false });
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let address = self.writable_address(address, bytes.len())?;
        let written = write(&mut self.link, address, bytes);
        self.known(written)
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let address = self.writable_address(address, bytes.len())?;
        if self.loaded()?.failed {
            return Err(self.link.error("the last run failed, memory holds no results"));
        }
        let read = read(&mut self.link, address, bytes);
        self.known(read)
    }

    fn run(&mut self, program: usize) -> Result<()> {
        let link = &mut self.link;
        let loaded = self.loaded.as_mut().ok_or_else(|| not_loaded(NAME))?;
        (loaded.figures, loaded.failed) = (None, true);
        let programs = loaded.executable.listings();
        let listing = programs.get(program).ok_or_else(|| no_program(NAME, program, programs.len()))?;
        let ending = run(link, &loaded.executable, listing, &SETTING);
        let figures = self.known(ending)??;
        let loaded = self.loaded.as_mut().expect("the line did not fail");
        (loaded.figures, loaded.failed) = (Some(figures), false);
        Ok(())
    }

    fn figures(&self) -> Option<RunFigures> {
        self.loaded.as_ref()?.figures
    }
}

/// Writes bytes and compares them with what the board then holds.
fn write(link: &mut Link, address: u32, bytes: &[u8]) -> Result<()> {
    let (start, before, length) = whole_words(address, bytes.len());
    let mut words = vec![0; length];
    if length > bytes.len() {
        // Neighbours in the first and the last word stay as they are.
        link.read_memory(start, &mut words)?;
    }
    words[before..][..bytes.len()].copy_from_slice(bytes);
    link.write_memory(start, &words, &mut |_| ())?;
    link.verify(start, &words, "was written")
}

/// Reads bytes and compares them with what the board holds.
fn read(link: &mut Link, address: u32, bytes: &mut [u8]) -> Result<()> {
    let (start, before, length) = whole_words(address, bytes.len());
    let mut words = vec![0; length];
    link.read_memory(start, &mut words)?;
    link.verify(start, &words, "was read")?;
    bytes.copy_from_slice(&words[before..][..bytes.len()]);
    Ok(())
}

/// The words that hold some bytes: start, bytes before the first one, and length.
fn whole_words(address: u32, bytes: usize) -> (u32, usize, usize) {
    let start = address & !3;
    let before = (address - start) as usize;
    (start, before, (before + bytes).next_multiple_of(4))
}
