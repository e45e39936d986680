//! The device that runs programs, and how the RTL is simulated: options of several verbs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use edge_moe::device::{Device, RunFigures, Simd, SoftwareDevice};
use edge_moe::{Error, Result};
use indicatif::ProgressBar;

use super::board::{BOARDS, Board};

/// What executes a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// The software device.
    Software,
    /// The RTL under Verilator, cycle by cycle.
    Rtl,
    /// An FPGA board.
    Board(Board),
}

impl FromStr for DeviceKind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, Board::parse(text)) {
            ("software", _) => Ok(Self::Software),
            ("rtl", _) => Ok(Self::Rtl),
            (_, Some(board)) => board.map(Self::Board),
            _ => Err(format!("devices are software, rtl, {BOARDS}")),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Software => write!(f, "software"),
            Self::Rtl => write!(f, "rtl"),
            Self::Board(board) => board.fmt(f),
        }
    }
}

#[derive(Args)]
pub struct DeviceOptions {
    /// What runs the program: software; rtl, under Verilator, cycle by cycle; uart:PATH[,BAUD], an FPGA board
    /// on a serial line, at 2000000 baud if not given; or zynq[:UIO[,BUFFER]], an accelerator on the bus of this
    /// processor, looked for if not given
    #[arg(long, value_name = "DEVICE", env = "EDGE_MOE_DEVICE", default_value = "software")]
    pub device: DeviceKind,

    /// Instructions of the software device: portable, avx2, avx512-vnni or amx; results do not depend on
    /// them [default: the fastest of this CPU]
    #[arg(long, env = "EDGE_MOE_SIMD", value_name = "NAME", value_parser = parse_simd)]
    simd: Option<Simd>,

    #[command(flatten)]
    rtl: RtlOptions,
}

/// Options of the RTL alone.
#[derive(Args)]
#[command(next_help_heading = "RTL under Verilator")]
#[cfg_attr(not(feature = "sim"), allow(dead_code, reason = "read where there is RTL"))]
pub struct RtlOptions {
    /// Seed of everything random: registers before their reset, memory, pictures and programs of `verify` [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Cycles from a memory address to its data [default: 64]
    #[arg(long, value_name = "CYCLES", conflicts_with = "random_latency")]
    latency: Option<u32>,

    /// Draw the latency of each burst from a range
    #[arg(long, value_name = "MIN..MAX", value_parser = parse_range)]
    random_latency: Option<(u32, u32)>,

    /// Probability that a memory channel waits in a cycle, 0 to 0.95 [default: 0]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    back_pressure: Option<f64>,

    /// Give up after so many cycles of a run [default: 2^32]
    #[arg(long, value_name = "N")]
    cycle_limit: Option<u64>,

    /// Write a trace of all signals
    #[arg(long, value_name = "FILE.fst")]
    wave: Option<PathBuf>,

    /// First cycle of the trace, as messages count them [default: 0]
    #[arg(long, value_name = "CYCLE", requires = "wave")]
    wave_from: Option<u64>,

    /// End of the trace
    #[arg(long, value_name = "CYCLE", requires = "wave")]
    wave_to: Option<u64>,
}

impl DeviceOptions {
    /// The seed.
    pub fn seed(&self) -> u64 {
        self.rtl.seed.unwrap_or(1)
    }

    /// Makes the device. `bar` shows the descriptors of a run that takes long; with `random_memory` every
    /// load has another memory, unless options say which.
    pub fn open(&self, bar: &ProgressBar, random_memory: bool) -> Result<Box<dyn Device>> {
        match &self.device {
            DeviceKind::Rtl => self.rtl.open(bar, random_memory),
            DeviceKind::Software => {
                self.rtl.refuse(self.rtl.given())?;
                Ok(Box::new(SoftwareDevice::with_simd(self.simd.unwrap_or_else(Simd::best))))
            }
            DeviceKind::Board(board) => {
                // The seed is that of `verify`, too.
                self.rtl.refuse(self.rtl.given().filter(|option| *option != "--seed"))?;
                board.open()
            }
        }
    }
}

impl RtlOptions {
    /// Makes the device; see [`DeviceOptions::open`].
    #[cfg(not(feature = "sim"))]
    pub fn open(&self, _bar: &ProgressBar, _random_memory: bool) -> Result<Box<dyn Device>> {
        Err(Error::usage("--device rtl", "this command was built without the RTL")
            .hint("build it with `cargo build --release --features sim`"))
    }

    /// Makes the device; see [`DeviceOptions::open`].
    #[cfg(feature = "sim")]
    pub fn open(&self, bar: &ProgressBar, random_memory: bool) -> Result<Box<dyn Device>> {
        use edge_moe::device::{RtlDevice, RtlOptions, Waves};
        let Self { latency, random_latency, back_pressure, wave, .. } = self;
        let default = RtlOptions::default();
        let fixed = latency.map(|latency| latency..=latency);
        let given = fixed.or(random_latency.map(|(least, most)| least..=most));
        // Before the RTL is built, which takes minutes.
        if let Some(folder) = wave.as_ref().and_then(|path| path.parent()) {
            std::fs::create_dir_all(folder).map_err(|cause| Error::writing(folder, cause))?;
        }
        let waves = wave.as_ref().map(|path| Waves {
            path: path.clone(),
            from: self.wave_from.unwrap_or(0),
            to: self.wave_to.unwrap_or(u64::MAX),
        });
        let mut device = RtlDevice::new(RtlOptions {
            seed: self.seed.unwrap_or(1),
            random_memory: random_memory && given.is_none() && back_pressure.is_none(),
            latency: given.unwrap_or(default.latency.clone()),
            back_pressure: back_pressure.unwrap_or(default.back_pressure),
            cycle_limit: self.cycle_limit.unwrap_or(default.cycle_limit),
            waves,
            ..default
        });
        let bar = bar.clone();
        device.on_progress(move |descriptor| bar.set_position(descriptor as u64));
        Ok(Box::new(device))
    }

    /// Latency of memory, if it is a fixed one.
    pub fn latency(&self) -> Option<u32> {
        self.latency
    }

    /// Refuses an option that another device does not have.
    pub fn refuse(&self, option: Option<&str>) -> Result<()> {
        match option {
            Some(option) => Err(Error::usage(option, "applies to the RTL only").hint("add --device rtl")),
            None => Ok(()),
        }
    }

    /// An option that was given, `--seed` last.
    pub fn given(&self) -> Option<&'static str> {
        let options = [
            ("--latency", self.latency.is_some()),
            ("--random-latency", self.random_latency.is_some()),
            ("--back-pressure", self.back_pressure.is_some()),
            ("--cycle-limit", self.cycle_limit.is_some()),
            ("--wave", self.wave.is_some()),
            ("--seed", self.seed.is_some()),
        ];
        options.iter().find(|(_, given)| *given).map(|(option, _)| *option)
    }
}

/// What a run took, in one line.
pub fn figures_text(figures: &RunFigures) -> String {
    let RunFigures { cycles, read_bytes, written_bytes, seconds } = figures;
    let rate = *cycles as f64 / seconds.max(1e-9);
    format!(
        "{cycles} cycles, {read_bytes} bytes read, {written_bytes} written; {seconds:.1} s, {rate:.0} cycles/s"
    )
}

fn parse_simd(text: &str) -> std::result::Result<Simd, String> {
    let available = Simd::available();
    let found = available.iter().copied().find(|simd| simd.name() == text);
    found.ok_or_else(|| {
        let names: Vec<_> = available.iter().map(|simd| simd.name()).collect();
        format!("this CPU has {}", names.join(", "))
    })
}

fn parse_range(text: &str) -> std::result::Result<(u32, u32), String> {
    let parse = |part: &str| part.trim().parse::<u32>().map_err(|cause| format!("`{part}`: {cause}"));
    let (least, most) = text.split_once("..").ok_or("is not MIN..MAX")?;
    let (least, most) = (parse(least)?, parse(most)?);
    if least > most { Err(format!("{least} is more than {most}")) } else { Ok((least, most)) }
}

fn parse_probability(text: &str) -> std::result::Result<f64, String> {
    let probability = text.parse::<f64>().map_err(|cause| cause.to_string())?;
    if (0.0..=0.95).contains(&probability) { Ok(probability) } else { Err("must be from 0 to 0.95".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named() {
        assert_eq!("software".parse(), Ok(DeviceKind::Software));
        assert_eq!("rtl".parse(), Ok(DeviceKind::Rtl));
        for text in ["uart:/dev/ttyUSB1,115200", "zynq", "zynq:/dev/uio4,/dev/udmabuf0"] {
            let device: DeviceKind = text.parse().unwrap();
            assert!(matches!(device, DeviceKind::Board(_)), "{text}");
            assert_eq!(device.to_string(), text);
        }
        for text in ["", "uart", "software:", "/dev/ttyUSB0", "usb:/dev/ttyUSB0"] {
            let error = text.parse::<DeviceKind>().unwrap_err();
            let expected = "devices are software, rtl, uart:PATH[,BAUD] and zynq[:UIO[,BUFFER]]";
            assert_eq!(error, expected, "{text}");
        }
        assert!("uart:".parse::<DeviceKind>().unwrap_err().contains("path"));
        assert!("zynq:,x".parse::<DeviceKind>().unwrap_err().contains("path"));
    }

    #[test]
    fn ranges_and_probabilities_are_checked() {
        assert_eq!(parse_range("10..200"), Ok((10, 200)));
        assert!(parse_range("10").is_err() && parse_range("7..6").is_err() && parse_range("a..b").is_err());
        assert_eq!(parse_probability("0.5"), Ok(0.5));
        assert!(parse_probability("1").is_err() && parse_probability("-0.1").is_err());
    }
}
