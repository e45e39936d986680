//! A whole board under simulation: core, link and SDRAM controller in Verilog, the SDRAM chip behind pin cells
//! with registers, and the serial line.
//!
//! The core's clock stands still while it has nothing to do: loading a model over the line takes many more
//! cycles than running it, and a core takes most of the time of a cycle.

use edge_moe_hdl::board::{Settings, serial_board};
use edge_moe_isa::arch::ArchConfig;
use verilated::{Build, Initial, Library, Model, Optimisation, Port};

use crate::sdram_chip::{SdramOnPins, SdramPins};
use crate::serial_line::{LineReceiver, LineSender};
use crate::{Error, Result};

/// Name of the top module.
const TOP: &str = "serial_board";
/// Cycles before the clock counts as steady.
const UNSTEADY_CYCLES: u64 = 8;
/// Cycles without work after which the core's clock stands still: more than a reset takes.
const QUIET_CYCLES: u64 = 1024;

/// A built board, from which models are made.
#[derive(Clone, Debug)]
pub struct BoardLibrary {
    library: Library,
    settings: Settings,
}

impl BoardLibrary {
    /// Builds a board around the core of a named architecture, or finds it built.
    ///
    /// # Errors
    /// [`Error::Architecture`] if there is no such board.
    pub fn build(arch: &ArchConfig, settings: Settings) -> Result<Self> {
        let unknown = || Error::Architecture(arch.name.clone());
        if ArchConfig::by_name(&arch.name).as_ref() != Some(arch) {
            return Err(unknown());
        }
        let problem = |cause: edge_moe_hdl::support::EmitError| Error::Verilog {
            arch: arch.name.clone(),
            problem: cause.to_string(),
        };
        let verilog = serial_board(&arch.name, settings).ok_or_else(unknown)?.map_err(problem)?;
        let library =
            Build::new(TOP).source_text(format!("{TOP}.v"), verilog).optimisation(Optimisation::O3).load()?;
        Ok(Self { library, settings })
    }
}

struct Ports {
    clock: Port,
    core_clock: Port,
    ready: Port,
    rx: Port,
    tx: Port,
    observe_busy: Port,
    cke: Port,
    cs_n: Port,
    ras_n: Port,
    cas_n: Port,
    we_n: Port,
    ba: Port,
    a: Port,
    dqm: Port,
    dq_out: Port,
    dq_enable: Port,
    dq_in: Port,
}

impl Ports {
    fn find(model: &Model) -> Result<Self> {
        let sdram = |name: &str, width| model.port(&format!("sdram_{name}"), width);
        Ok(Self {
            clock: model.port("clock", 1)?,
            core_clock: model.port("core_clock", 1)?,
            ready: model.port("ready", 1)?,
            rx: model.port("rx", 1)?,
            tx: model.port("tx", 1)?,
            observe_busy: model.port("observe_busy", 1)?,
            cke: sdram("cke", 1)?,
            cs_n: sdram("cs_n", 1)?,
            ras_n: sdram("ras_n", 1)?,
            cas_n: sdram("cas_n", 1)?,
            we_n: sdram("we_n", 1)?,
            ba: sdram("ba", 2)?,
            a: sdram("a", 13)?,
            dqm: sdram("dqm", 2)?,
            dq_out: sdram("dq_out", 16)?,
            dq_enable: sdram("dq_enable", 1)?,
            dq_in: sdram("dq_in", 16)?,
        })
    }

    fn pins(&self, model: &Model) -> Result<SdramPins> {
        let bit = |port| Ok::<_, Error>(model.get(port)? != 0);
        Ok(SdramPins {
            cke: bit(self.cke)?,
            cs_n: bit(self.cs_n)?,
            ras_n: bit(self.ras_n)?,
            cas_n: bit(self.cas_n)?,
            we_n: bit(self.we_n)?,
            ba: model.get(self.ba)? as u8,
            a: model.get(self.a)? as u16,
            dqm: model.get(self.dqm)? as u8,
            dq: model.get(self.dq_out)? as u16,
            dq_enable: bit(self.dq_enable)?,
        })
    }
}

/// A board and what is around its FPGA.
pub struct BoardModel {
    model: Model,
    ports: Ports,
    sdram: SdramOnPins,
    /// The line to the board and from it.
    to_board: LineSender,
    from_board: LineReceiver,
    received: Vec<u8>,
    cycle: u64,
    /// Cycle in which the clock becomes steady.
    steady: u64,
    /// Cycle in which the core last had something to do, and one in which anything had.
    core_worked: u64,
    worked: u64,
    gates_core: bool,
}

impl BoardModel {
    /// A board that is just powered up; registers and memory hold garbage that follows from the seed.
    pub fn new(library: &BoardLibrary, seed: u32) -> Result<Self> {
        let model = library.library.model(Initial::Random(seed))?;
        let Settings { clock_mhz, clocks_per_bit, power_up_us } = library.settings;
        Ok(Self {
            ports: Ports::find(&model)?,
            model,
            sdram: SdramOnPins::new(clock_mhz, power_up_us),
            to_board: LineSender::new(clocks_per_bit),
            from_board: LineReceiver::new(clocks_per_bit),
            received: Vec::new(),
            cycle: 0,
            steady: UNSTEADY_CYCLES,
            core_worked: 0,
            worked: 0,
            gates_core: true,
        })
    }

    /// Does the core's clock stand still while it has nothing to do? At first it does.
    pub fn stop_idle_core(&mut self, stops: bool) {
        self.gates_core = stops;
    }

    /// The reset button is pressed and released.
    pub fn reset(&mut self) {
        self.steady = self.cycle + UNSTEADY_CYCLES;
    }

    /// Sends bytes to the board.
    pub fn send(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.to_board.push(bytes);
    }

    /// Bytes that are still to be sent to the board.
    pub fn waiting(&self) -> usize {
        self.to_board.waiting()
    }

    /// What the board has sent since this was last asked.
    pub fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Cycles so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Cycles since anything was on the line or the core had something to do.
    pub fn quiet_cycles(&self) -> u64 {
        self.cycle - self.worked
    }

    /// Simulates one cycle.
    ///
    /// # Errors
    /// The board broke a rule of the SDRAM, or a model that stopped.
    pub fn step(&mut self) -> Result<()> {
        let Self { model, ports, .. } = self;
        let ready = self.cycle >= self.steady;
        model.set(ports.ready, ready.into())?;
        model.set(ports.rx, self.to_board.clock().into())?;
        model.set(ports.clock, 0)?;
        model.set(ports.core_clock, 0)?;
        model.eval()?;

        if !ready || model.get(ports.observe_busy)? != 0 {
            self.core_worked = self.cycle;
        }
        let core_works = self.cycle - self.core_worked < QUIET_CYCLES;
        self.received.extend(self.from_board.clock(model.get(ports.tx)? != 0));
        if core_works || !self.to_board.is_idle() || !self.from_board.is_idle() {
            self.worked = self.cycle;
        }
        // While the clock is not steady, pins may do anything.
        let pins = if ready { ports.pins(model)? } else { SdramPins::IDLE };
        let dq = self.sdram.clock(&pins)?;

        model.set(ports.dq_in, dq.into())?;
        model.set(ports.clock, 1)?;
        model.set(ports.core_clock, (core_works || !self.gates_core).into())?;
        model.eval()?;
        self.cycle += 1;
        Ok(())
    }
}
