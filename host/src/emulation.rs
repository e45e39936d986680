//! A board in Verilator behind a pseudo-terminal: who opens it talks to the same Verilog, by the same protocol,
//! as with a board on a serial line.

mod disturbance;
mod terminal;

use std::time::{Duration, Instant};

use edge_moe_hdl::board::{Settings, ULX3S_SETTINGS};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_sim::{BoardLibrary, BoardModel};

use crate::device::UartAddress;
use crate::{Error, ErrorKind, Result};
use disturbance::Disturbance;
use terminal::Terminal;

/// As the ULX3S is set up, but for a faster line and no wait of the SDRAM: both would be simulated for nothing.
const SETTINGS: Settings = Settings { clocks_per_bit: 4, power_up_us: 2, ..ULX3S_SETTINGS };
/// Cycles that are simulated between two looks at the terminal.
const STRIDE: u64 = 2048;
/// Bytes that may wait before the line; more wait in the terminal.
const WAITING_BYTES: usize = 4096;
/// Cycles without anything to do after which the clock stands still until somebody writes: longer than a
/// request takes.
const QUIET_CYCLES: u64 = 2_000_000;
/// How long one waits for somebody to write.
const PATIENCE: Duration = Duration::from_millis(100);
/// Cycles over which the speed is measured.
const MEASURED_CYCLES: u64 = 100_000;
/// The announced speed is this part of the measured one, so that no host gives up on a busy machine.
const SPEED_MARGIN: f64 = 0.5;

/// Boards that can be emulated: those of `bitstreams/`.
pub const BOARDS: [&str; 1] = edge_moe_hdl::board::BOARDS;

/// How a board is emulated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Seed of what registers and memory hold at first, and of the faults.
    pub seed: u32,
    /// Share of the frames, in each direction, of which a byte is lost, repeated, flipped or late.
    pub line_faults: f64,
}

/// A board that waits for a host.
pub struct EmulatedBoard {
    model: BoardModel,
    terminal: Terminal,
    to_board: Disturbance,
    to_host: Disturbance,
    /// What the terminal has not taken yet.
    outgoing: Vec<u8>,
    address: UartAddress,
    cycles_per_second: f64,
}

impl EmulatedBoard {
    /// Builds the board around the core of an architecture, or finds it built, and powers it up.
    ///
    /// # Errors
    /// An architecture that no such board has; Verilator; no pseudo-terminal.
    pub fn new(arch: &ArchConfig, options: Options) -> Result<Self> {
        let library = BoardLibrary::build(arch, SETTINGS).map_err(failed)?;
        let mut model = BoardModel::new(&library, options.seed).map_err(failed)?;
        let cycles_per_second = speed(&mut model)?;
        let terminal = Terminal::new()?;
        let baud = cycles_per_second * SPEED_MARGIN / f64::from(SETTINGS.clocks_per_bit);
        let address = UartAddress { path: terminal.path().into(), baud: baud as u32 };
        let seed = u64::from(options.seed);
        Ok(Self {
            model,
            terminal,
            to_board: Disturbance::new(options.line_faults, 2 * seed),
            to_host: Disturbance::new(options.line_faults, 2 * seed + 1),
            outgoing: Vec::new(),
            address,
            cycles_per_second,
        })
    }

    /// Where a host finds it: `--device uart:` and this.
    pub fn address(&self) -> &UartAddress {
        &self.address
    }

    /// Cycles that are simulated in a second while the core works.
    pub fn cycles_per_second(&self) -> f64 {
        self.cycles_per_second
    }

    /// Cycles simulated so far.
    pub fn cycles(&self) -> u64 {
        self.model.cycle()
    }

    /// Does the core's clock stand still while it has nothing to do? At first it does: loading a model takes many
    /// more cycles than running it.
    pub fn stop_idle_core(&mut self, stops: bool) {
        self.model.stop_idle_core(stops);
    }

    /// The reset button is pressed.
    pub fn reset(&mut self) {
        self.model.reset();
    }

    /// Serves a host for a moment: a stride of cycles, or a wait if nobody wants anything.
    ///
    /// # Errors
    /// The terminal; the board broke a rule of its memory.
    pub fn serve(&mut self) -> Result<()> {
        let now = self.model.cycle();
        if self.model.waiting() < WAITING_BYTES {
            let read = self.terminal.read()?;
            self.to_board.push(&read, now);
        }
        self.model.send(self.to_board.take(now));
        if self.model.quiet_cycles() > QUIET_CYCLES && self.is_settled() {
            return self.terminal.wait(PATIENCE);
        }
        for _ in 0..STRIDE {
            self.model.step().map_err(failed)?;
        }
        self.to_host.push(&self.model.received(), self.model.cycle());
        self.outgoing.extend(self.to_host.take(self.model.cycle()));
        let written = self.terminal.write(&self.outgoing)?;
        self.outgoing.drain(..written);
        Ok(())
    }

    /// Is nothing on the way, in either direction?
    fn is_settled(&self) -> bool {
        let to_board = self.to_board.is_empty() && self.model.waiting() == 0;
        to_board && self.to_host.is_empty() && self.outgoing.is_empty()
    }
}

/// Cycles a second with the core's clock running.
fn speed(model: &mut BoardModel) -> Result<f64> {
    model.stop_idle_core(false);
    let begin = Instant::now();
    for _ in 0..MEASURED_CYCLES {
        model.step().map_err(failed)?;
    }
    model.stop_idle_core(true);
    Ok(MEASURED_CYCLES as f64 / begin.elapsed().as_secs_f64())
}

fn failed(cause: edge_moe_sim::Error) -> Error {
    Error::new(ErrorKind::Device, "emulated board", cause)
}
