//! The RTL as a device: the Verilog of a named architecture in Verilator, cycle by cycle.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use edge_moe_isa::descriptor::Space;
use edge_moe_isa::registers::DEFAULT_TIMEOUT;
use edge_moe_isa::trace::Trace;
use edge_moe_sim::memory::{Bandwidth, Memory, MemorySettings};
use edge_moe_sim::{CoreLibrary, CoreModel, CoreOptions, Ending, Run, Step, Waves};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Device, RunFigures, Stepper, bytes_not_words, no_program, not_loaded, words_of, writable_range};
use crate::executable::Executable;
use crate::{Error, ErrorKind, Result};

const NAME: &str = "RTL device";
/// Cycles that answers of memory may take after a run.
const DRAIN_CYCLES: u64 = 100_000;

/// How the RTL is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct RtlOptions {
    /// Seed of everything random: what registers hold at first, latency, back-pressure.
    pub seed: u64,
    /// Cycles from a memory address to its data.
    pub latency: RangeInclusive<u32>,
    /// Probability that a memory channel waits in a cycle, up to 0.95.
    pub back_pressure: f64,
    /// Draw latency, bandwidth and back-pressure anew whenever programs are loaded, from the seed plus the
    /// number of loads before.
    pub random_memory: bool,
    /// Cycles after which a run is given up.
    pub cycle_limit: u64,
    /// Cycles without any progress after which the device gives up itself.
    pub timeout: u32,
    /// A trace file.
    pub waves: Option<Waves>,
}

impl Default for RtlOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            latency: MemorySettings::LATENCY..=MemorySettings::LATENCY,
            back_pressure: 0.0,
            random_memory: false,
            cycle_limit: 1 << 32,
            timeout: DEFAULT_TIMEOUT,
            waves: None,
        }
    }
}

/// The RTL of a named architecture under Verilator.
#[derive(Default)]
pub struct RtlDevice {
    options: RtlOptions,
    library: Option<CoreLibrary>,
    loaded: Option<Loaded>,
    loads: u64,
    progress: Option<Box<dyn FnMut(usize)>>,
}

/// Programs, and the core that runs them.
struct Loaded {
    executable: Arc<Executable>,
    core: CoreModel,
    program: usize,
    figures: Option<RunFigures>,
}

/// The image of an executable, shared with it.
struct Image(Arc<Executable>);

impl AsRef<[u8]> for Image {
    fn as_ref(&self) -> &[u8] {
        self.0.image()
    }
}

impl RtlDevice {
    /// A device without a model; the core of a model's architecture is built when it is loaded.
    pub fn new(options: RtlOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// A device that simulates a core built elsewhere, such as a netlist, for programs of its architecture.
    pub fn with_library(options: RtlOptions, library: CoreLibrary) -> Self {
        Self { options, library: Some(library), ..Self::default() }
    }

    /// Calls `progress` now and then during a run, with the descriptor that runs.
    pub fn on_progress(&mut self, progress: impl FnMut(usize) + 'static) {
        self.progress = Some(Box::new(progress));
    }

    /// The core under simulation.
    ///
    /// # Errors
    /// If nothing is loaded.
    pub fn core(&mut self) -> Result<&mut CoreModel> {
        Ok(&mut self.loaded()?.core)
    }

    fn loaded(&mut self) -> Result<&mut Loaded> {
        self.loaded.as_mut().ok_or_else(|| not_loaded(NAME))
    }

    fn library(&mut self, executable: &Executable) -> Result<CoreLibrary> {
        let arch = executable.arch();
        if let Some(library) = self.library.as_ref().filter(|library| library.arch() == arch) {
            return Ok(library.clone());
        }
        tracing::info!("building the RTL of `{}`; a build is kept for later runs", arch.name);
        let library = CoreLibrary::build(arch, self.options.waves.is_some()).map_err(device_error)?;
        Ok(self.library.insert(library).clone())
    }

    fn memory(&self, executable: &Arc<Executable>, seed: u64) -> Memory {
        let arch = executable.arch();
        let mut settings = MemorySettings {
            latency: self.options.latency.clone(),
            back_pressure: self.options.back_pressure,
            seed,
            ..MemorySettings::of(arch)
        };
        if self.options.random_memory {
            randomise(&mut settings, arch.bus_bytes());
        }
        let writable = vec![0; executable.window().writable_bytes as usize];
        Memory::new(arch, settings, writable, Image(Arc::clone(executable)))
    }

    fn start_run(&mut self, program: usize, serialise: bool) -> Result<()> {
        let RtlOptions { timeout, cycle_limit, .. } = self.options;
        let loaded = self.loaded()?;
        let programs = loaded.executable.listings();
        let listing = programs.get(program).ok_or_else(|| no_program(NAME, program, programs.len()))?;
        let run = Run { program: listing.address as u32, serialise, interrupt: true, timeout, cycle_limit };
        loaded.program = program;
        loaded.figures = None;
        let started = loaded.core.drain(DRAIN_CYCLES).and_then(|()| loaded.core.start(&run));
        started.map_err(|cause| loaded.error(cause))
    }
}

/// A memory that is fast or slow, steady or not.
fn randomise(settings: &mut MemorySettings, bus_bytes: u32) {
    let mut random = StdRng::seed_from_u64(settings.seed);
    let least = random.random_range(1..=80);
    settings.latency = least..=least + if random.random_bool(0.5) { 0 } else { random.random_range(1..=200) };
    settings.back_pressure = if random.random_bool(0.4) { 0.0 } else { random.random_range(0.05..0.8) };
    settings.bandwidth = Bandwidth { bytes: bus_bytes, cycles: random.random_range(1..=3) };
    settings.reads_in_flight = random.random_range(1..=16);
}

impl Loaded {
    /// An error of a run, with the label of the descriptor that it happened in.
    fn error(&self, cause: edge_moe_sim::Error) -> Error {
        use edge_moe_sim::Error::{CycleLimit, Stopped};
        let descriptor = match &cause {
            Stopped { descriptor, .. } | CycleLimit { descriptor, .. } => *descriptor,
            _ => self.core.trace().descriptors.len().saturating_sub(1),
        };
        let step = self.executable.listings()[self.program].steps.get(descriptor);
        let label = step.map_or("no such descriptor", |step| &step.label);
        Error::new(ErrorKind::Device, NAME, format!("{cause} (descriptor {descriptor}: {label})"))
    }
}

/// An error outside of a run.
fn device_error(cause: edge_moe_sim::Error) -> Error {
    let error = Error::new(ErrorKind::Device, NAME, &cause);
    match cause {
        edge_moe_sim::Error::Architecture(_) => {
            error.hint("compile the model for tiny, edge, zcu102 or ecp5-85")
        }
        _ => error,
    }
}

impl Device for RtlDevice {
    fn name(&self) -> String {
        NAME.to_string()
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        let library = self.library(&executable)?;
        let seed = self.options.seed.wrapping_add(self.loads);
        self.loads += 1;
        let options = CoreOptions { seed: seed as u32, waves: self.options.waves.clone() };
        let memory = self.memory(&executable, seed);
        let core = CoreModel::new(&library, &options, memory).map_err(device_error)?;
        self.loaded = Some(Loaded { executable, core, program: 0, figures: None });
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let writable = self.loaded()?.core.memory_mut().writable_mut();
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        writable[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let writable = self.loaded()?.core.memory().writable();
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        bytes.copy_from_slice(&writable[range]);
        Ok(())
    }

    fn run(&mut self, program: usize) -> Result<()> {
        let begin = Instant::now();
        self.start_run(program, false)?;
        let mut progress = self.progress.take();
        let loaded = self.loaded()?;
        let ending = loaded.core.run_to_end(&mut |descriptor| {
            if let Some(progress) = &mut progress {
                progress(descriptor);
            }
        });
        let result = ending.map_err(|cause| loaded.error(cause)).map(|Ending { cycles, traffic }| {
            let (read_bytes, written_bytes) = (traffic.read, traffic.written);
            let seconds = begin.elapsed().as_secs_f64();
            loaded.figures = Some(RunFigures { cycles, read_bytes, written_bytes, seconds });
        });
        self.progress = progress;
        result
    }

    fn trace(&self) -> Option<&Trace> {
        self.loaded.as_ref().map(|loaded| loaded.core.trace())
    }

    fn figures(&self) -> Option<RunFigures> {
        self.loaded.as_ref()?.figures
    }

    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        Some(self)
    }
}

impl Stepper for RtlDevice {
    fn start(&mut self, program: usize) -> Result<()> {
        self.start_run(program, true)
    }

    fn step(&mut self) -> Result<Option<usize>> {
        let loaded = self.loaded()?;
        match loaded.core.run_to_settled() {
            Ok(Step::Settled(descriptor)) => Ok(Some(descriptor)),
            Ok(Step::Ended) => Ok(None),
            Err(cause) => Err(loaded.error(cause)),
        }
    }

    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        let shadow = loaded.core.shadow(space).ok_or_else(|| bytes_not_words(NAME))?;
        words_of(NAME, loaded.executable.arch(), shadow.values(), space, address, words)
    }

    fn written(&self, space: Space) -> Result<&[bool]> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        Ok(loaded.core.shadow(space).ok_or_else(|| bytes_not_words(NAME))?.written())
    }
}
