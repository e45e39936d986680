//! A model under simulation.

use crate::{
    error::{Error, Result, file_error},
    ffi::{Instance, Object},
    library,
    port::{Port, mask, sign_extend},
};
use std::{ffi::CString, fmt, fmt::Display, fs::File, path::Path, sync::Arc};

/// What registers and unknown values (`x`) hold before anything is written to them.
///
/// A design whose results depend on this lacks a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// All zero.
    #[default]
    Zeros,
    /// All one.
    Ones,
    /// Random, the same each time for the same seed.
    Random(u32),
}

impl Initial {
    /// Verilator's `randReset` and `randSeed`.
    fn verilator(self) -> (i32, i32) {
        match self {
            Initial::Zeros => (0, 1),
            Initial::Ones => (1, 1),
            Initial::Random(seed) => (2, spread(seed)),
        }
    }
}

/// A positive number with bits all over, as Verilator's generator starts slowly from few
/// (the finisher of MurmurHash3).
fn spread(seed: u32) -> i32 {
    let mut bits = seed.wrapping_add(0x9e37_79b9);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    bits ^= bits >> 16;
    ((bits >> 1) as i32).max(1)
}

/// A model under simulation.
///
/// A model may move between threads; several run at a time.
pub struct Model {
    instance: Instance,
    half_period: u64,
}

impl Model {
    pub(crate) fn new(object: Arc<Object>, initial: Initial) -> Result<Self> {
        let (reset, seed) = initial.verilator();
        Ok(Self { instance: Instance::new(object, reset, seed)?, half_period: 1 })
    }

    /// Looks up a port and checks its width in bits.
    pub fn port(&self, name: &str, width: u32) -> Result<Port> {
        library::port(self.instance.object(), name, width)
    }

    /// Drives an input of up to 64 bits. Outputs follow at the next [`eval`](Self::eval) or clock.
    #[inline]
    pub fn set(&mut self, port: Port, value: u64) -> Result<()> {
        self.check_driven(port, 64)?;
        if value > mask(port.width) {
            return Err(self.too_large(port, value));
        }
        self.instance.write(port, value)
    }

    /// Drives an input of up to 64 bits with a two's complement value.
    #[inline]
    pub fn set_signed(&mut self, port: Port, value: i64) -> Result<()> {
        self.check_driven(port, 64)?;
        let bits = value as u64 & mask(port.width);
        if sign_extend(bits, port.width) != value {
            return Err(self.too_large(port, value));
        }
        self.instance.write(port, bits)
    }

    /// Drives an input of any width with [`Port::words`] words, lowest first.
    #[inline]
    pub fn set_words(&mut self, port: Port, words: &[u64]) -> Result<()> {
        self.check_driven(port, u32::MAX)?;
        self.check_words(port, words.len())?;
        let top_width = (port.width - 1) % 64 + 1;
        if words.last().is_some_and(|&top| top > mask(top_width)) {
            return Err(self.too_large(port, format_args!("{words:x?}")));
        }
        self.instance.write_words(port, words)
    }

    /// Reads a port of up to 64 bits.
    #[inline]
    pub fn get(&self, port: Port) -> Result<u64> {
        self.check_width(port, 64)?;
        self.instance.read(port)
    }

    /// Reads a port of up to 64 bits as two's complement.
    #[inline]
    pub fn get_signed(&self, port: Port) -> Result<i64> {
        Ok(sign_extend(self.get(port)?, port.width))
    }

    /// Reads a port of any width into [`Port::words`] words, lowest first.
    #[inline]
    pub fn get_words(&self, port: Port, words: &mut [u64]) -> Result<()> {
        self.check_words(port, words.len())?;
        self.instance.read_words(port, words)
    }

    /// Settles the logic for the present inputs. No time passes and nothing is traced.
    #[inline]
    pub fn eval(&mut self) -> Result<()> {
        self.instance.eval()
    }

    /// Settles the logic, traces it at the present time, then lets `time` pass.
    pub fn advance(&mut self, time: u64) -> Result<()> {
        self.instance.advance(time)
    }

    /// Runs one period of the clock: up, half a period, down, half a period.
    ///
    /// Registers take the inputs as they are now. Outputs that follow inputs
    /// without a register in between need [`eval`](Self::eval) before they are read.
    #[inline]
    pub fn tick(&mut self, clock: Port) -> Result<()> {
        self.ticks(clock, 1)
    }

    /// Runs `periods` periods of the clock, fewer if the design calls `$finish`.
    #[inline]
    pub fn ticks(&mut self, clock: Port, periods: u64) -> Result<()> {
        self.check_driven(clock, 1)?;
        self.instance.clock(clock, self.half_period, periods)
    }

    /// Holds `reset` at `active` for `periods` clock periods, then lets go of it.
    pub fn reset(&mut self, clock: Port, reset: Port, active: bool, periods: u64) -> Result<()> {
        self.set(reset, active.into())?;
        self.ticks(clock, periods)?;
        self.set(reset, (!active).into())?;
        self.eval()
    }

    /// Sets half the clock period in units of the design's time precision (1 ps unless it says otherwise); at least 1, as at first.
    pub fn set_half_period(&mut self, time: u64) {
        self.half_period = time.max(1);
    }

    /// Simulation time in units of the design's time precision.
    pub fn time(&self) -> u64 {
        self.instance.time()
    }

    /// Whether the design called `$finish`.
    pub fn finished(&self) -> bool {
        self.instance.finished()
    }

    /// Starts to write a trace file, at any time; ends the file written before.
    pub fn open_trace(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !self.instance.has_traces() {
            return Err(Error::NotBuilt { feature: "traces", option: "trace" });
        }
        self.close_trace()?;
        let opened = self.instance.open_trace(&writable(path)?);
        if opened { Ok(()) } else { Err(Error::Trace { path: path.into() }) }
    }

    /// Ends the trace file, if one is open; dropping the model does too.
    pub fn close_trace(&mut self) -> Result<()> {
        self.instance.close_trace()
    }

    /// Writes the coverage counts so far, for `verilator_coverage`.
    pub fn write_coverage(&mut self, path: impl AsRef<Path>) -> Result<()> {
        if !self.instance.has_coverage() {
            return Err(Error::NotBuilt { feature: "coverage", option: "coverage" });
        }
        self.instance.write_coverage(&writable(path.as_ref())?)
    }

    #[inline]
    fn check_driven(&self, port: Port, widest: u32) -> Result<()> {
        if !port.input {
            return Err(self.fault(port, |name| Error::NotAnInput { name }));
        }
        self.check_width(port, widest)
    }

    #[inline]
    fn check_width(&self, port: Port, widest: u32) -> Result<()> {
        if port.width <= widest { Ok(()) } else { Err(self.wrong_width(port, widest)) }
    }

    #[inline]
    fn check_words(&self, port: Port, words: usize) -> Result<()> {
        if port.words() == words {
            Ok(())
        } else {
            Err(self.wrong_width(port, (words as u32).saturating_mul(64)))
        }
    }

    fn wrong_width(&self, port: Port, asked: u32) -> Error {
        self.fault(port, |name| Error::WrongWidth { name, asked, actual: port.width })
    }

    fn too_large(&self, port: Port, value: impl Display) -> Error {
        let value = value.to_string();
        self.fault(port, |name| Error::ValueTooLarge { name, width: port.width, value })
    }

    /// An error about a port of this model; a port of another has no name here.
    #[cold]
    fn fault(&self, port: Port, error: impl FnOnce(String) -> Error) -> Error {
        let ports = &self.instance.object().ports;
        let own = ports.get(port.index as usize).filter(|(_, own)| *own == port);
        own.map_or(Error::ForeignPort, |(name, _)| error(name.clone()))
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Model").field("time", &self.time()).finish_non_exhaustive()
    }
}

/// Creates the file, as not every version of Verilator reports that it cannot; its path for C.
fn writable(path: &Path) -> Result<CString> {
    File::create(path).map_err(file_error("create", path))?;
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|error| file_error("create", path)(error.into()))
}
