//! The core under simulation.
//!
//! A cycle of the simulation: inputs are driven, logic settles, outputs are
//! read, the clock rises. Two evaluations of the model, as many as a clock has
//! edges; ports are looked up once and written only when they change.

mod build;
mod observe;
mod ports;
mod registers;
mod run;

use std::path::PathBuf;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Space;
use edge_moe_isa::trace::Trace;
use verilated::Model;

pub use build::CoreLibrary;
use observe::Observer;
pub use observe::Shadow;
use ports::{MemoryPorts, Ports};
pub use run::{Ending, Run, Step};

use crate::Result;
use crate::memory::{FromCore, Memory};

/// Half a clock period, in units of Verilog's time.
const HALF_PERIOD: u64 = 1;
/// Cycles for which the reset is held.
const RESET_CYCLES: u64 = 4;

/// A trace file of a part of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    /// Where the FST file is written.
    pub path: PathBuf,
    /// First cycle of the simulation to write.
    pub from: u64,
    /// First cycle not to write.
    pub to: u64,
}

/// How a core is simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreOptions {
    /// Seed of what registers hold before anything is written to them.
    pub seed: u32,
    /// A trace file; the library must have been built for it.
    pub waves: Option<Waves>,
}

/// A core, its memory and what was seen of it.
pub struct CoreModel {
    model: Model,
    arch: ArchConfig,
    ports: Ports,
    memory_ports: Vec<MemoryPorts>,
    from_core: Vec<FromCore>,
    memory: Memory,
    observer: Observer,
    waves: Option<Waves>,
    /// Cycle in which the trace file is opened or closed next.
    next_wave: u64,
    cycle: u64,
    /// Cycle in which the present run is given up, and the limit that it follows from.
    deadline: u64,
    limit: u64,
}

impl CoreModel {
    /// A core behind `memory`, reset.
    pub fn new(library: &CoreLibrary, options: &CoreOptions, memory: Memory) -> Result<Self> {
        let arch = library.arch().clone();
        let model = library.model(options.seed)?;
        let port_count = arch.memory_ports as usize;
        let memory_ports =
            (0..port_count).map(|index| MemoryPorts::find(&model, &arch, index)).collect::<Result<_>>()?;
        let mut core = Self {
            ports: Ports::find(&model)?,
            observer: Observer::new(&model, &arch)?,
            model,
            arch,
            memory_ports,
            from_core: vec![FromCore::default(); port_count],
            memory,
            next_wave: options.waves.as_ref().map_or(u64::MAX, |waves| waves.from),
            waves: options.waves.clone(),
            cycle: 0,
            deadline: u64::MAX,
            limit: u64::MAX,
        };
        core.reset()?;
        Ok(core)
    }

    /// Resets core and bus. Memory, its counts and what was seen of the core stay.
    pub fn reset(&mut self) -> Result<()> {
        self.memory.reset();
        self.registers_idle()?;
        self.model.set(self.ports.aresetn, 0)?;
        for _ in 0..RESET_CYCLES {
            for ports in &mut self.memory_ports {
                ports.drive(&mut self.model, &Default::default())?;
            }
            self.settle()?;
            self.rise()?;
            self.cycle += 1;
        }
        self.memory.start_at(self.cycle);
        self.observer.reset();
        self.model.set(self.ports.aresetn, 1)?;
        Ok(())
    }

    /// Simulates one cycle.
    ///
    /// # Errors
    /// The core broke a rule of the bus, or a model that stopped.
    pub fn step(&mut self) -> Result<()> {
        self.begin_cycle()?;
        self.end_cycle()
    }

    /// The first half of a cycle: outputs can be read after it.
    fn begin_cycle(&mut self) -> Result<()> {
        for (index, ports) in self.memory_ports.iter_mut().enumerate() {
            ports.drive(&mut self.model, self.memory.to_core(index))?;
        }
        self.settle()?;
        for (index, ports) in self.memory_ports.iter().enumerate() {
            self.from_core[index] = ports.sample(&self.model, self.memory.to_core(index))?;
        }
        self.observer.observe(&self.model, self.cycle, || self.memory.total_traffic())
    }

    /// The second half: the clock rises.
    fn end_cycle(&mut self) -> Result<()> {
        self.rise()?;
        self.memory.clock(&self.from_core)?;
        self.cycle += 1;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        if self.cycle >= self.next_wave {
            self.switch_waves()?;
        }
        self.model.set(self.ports.aclk, 0)?;
        Ok(self.model.advance(HALF_PERIOD)?)
    }

    fn rise(&mut self) -> Result<()> {
        self.model.set(self.ports.aclk, 1)?;
        Ok(self.model.advance(HALF_PERIOD)?)
    }

    #[cold]
    fn switch_waves(&mut self) -> Result<()> {
        self.next_wave = u64::MAX;
        match &self.waves {
            Some(waves) if self.cycle < waves.to => {
                self.next_wave = waves.to;
                self.model.open_trace(&waves.path)?;
            }
            _ => self.model.close_trace()?,
        }
        Ok(())
    }

    /// Waits, up to `cycles` cycles, for what memory still owes; a start before that is refused.
    pub fn drain(&mut self, cycles: u64) -> Result<()> {
        let end = self.cycle.saturating_add(cycles);
        while !self.is_running() && !self.memory.is_idle() && self.cycle < end {
            self.step()?;
        }
        Ok(())
    }

    /// The memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memory, for the host: its bytes, its faults.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Sizes of the core.
    pub fn arch(&self) -> &ArchConfig {
        &self.arch
    }

    /// Cycles simulated so far, the reset included.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Was a program running in the cycle that was simulated last?
    pub fn is_running(&self) -> bool {
        self.observer.running()
    }

    /// Is the interrupt line high?
    pub fn interrupt(&self) -> Result<bool> {
        Ok(self.model.get(self.ports.interrupt)? != 0)
    }

    /// What the present or the last run wrote to an on-chip memory; none for device memory.
    pub fn shadow(&self, space: Space) -> Option<&Shadow> {
        self.observer.shadow(space)
    }

    /// Where the cycles of the present or the last run went.
    pub fn trace(&self) -> &Trace {
        self.observer.trace()
    }
}
