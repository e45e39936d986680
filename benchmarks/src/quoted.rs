//! Figures of other systems, quoted: `benchmarks/quoted.toml`.

use std::path::Path;

use edge_moe::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    system: Vec<System>,
}

/// A published system that runs the same network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Name.
    pub name: String,
    /// Publication.
    pub source: String,
    /// What it ran on.
    pub device: String,
    /// Its arithmetic.
    pub numbers: Option<String>,
    /// Clock in MHz.
    pub clock_mhz: Option<Quoted>,
    /// Time of a picture and task in milliseconds.
    pub ms: Quoted,
    /// Power.
    pub watts: Option<Quoted>,
    /// Energy of a picture and task.
    pub millijoules: Option<Quoted>,
    /// Multipliers.
    pub multipliers: Option<Quoted>,
    /// DSP blocks of its FPGA.
    pub dsp: Option<Quoted>,
    /// Bytes that cross memory for a picture and task, in millions.
    pub megabytes: Option<Quoted>,
    /// Useful multiplications of a picture and task, in millions.
    pub megamacs: Option<Quoted>,
}

/// A figure and where it is from.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quoted {
    /// The figure.
    pub value: f64,
    /// Where it is from.
    pub from: Basis,
}

/// Where a figure is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The publication states it.
    Paper,
    /// Read in the published sources.
    Code,
    /// Our arithmetic on figures of the publication.
    Arithmetic,
}

impl Basis {
    /// A letter for tables.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Paper => "P",
            Self::Code => "C",
            Self::Arithmetic => "A",
        }
    }
}

impl System {
    /// Cycles of a picture and task: time and clock, our arithmetic.
    pub fn cycles(&self) -> Option<f64> {
        self.clock_mhz.map(|clock| self.ms.value * clock.value * 1e3)
    }

    /// Multipliers if they are known, or else DSP blocks.
    pub fn units(&self) -> Option<Quoted> {
        self.multipliers.or(self.dsp)
    }
}

/// Reads the quoted figures.
pub fn read(root: &Path) -> Result<Vec<System>> {
    let path = root.join("benchmarks/quoted.toml");
    let text = std::fs::read_to_string(&path).map_err(|cause| Error::reading(&path, cause))?;
    parse(&text).map_err(|problem| Error::input(path.display(), problem))
}

fn parse(text: &str) -> std::result::Result<Vec<System>, String> {
    let File { system } = toml::from_str(text).map_err(|cause| cause.to_string())?;
    let figures = |system: &System| {
        let System { clock_mhz, watts, millijoules, multipliers, dsp, megabytes, megamacs, ms, .. } = *system;
        [clock_mhz, watts, millijoules, multipliers, dsp, megabytes, megamacs, Some(ms)]
    };
    let wrong = |figure: &Quoted| !(figure.value.is_finite() && figure.value > 0.0);
    match system.iter().find(|system| figures(system).iter().flatten().any(wrong)) {
        Some(system) => Err(format!("a figure of {} is not above zero", system.name)),
        None => Ok(system),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_time_and_clock() {
        let systems = read(&crate::results::root()).unwrap();
        let edge_moe = systems.iter().find(|system| system.name == "Edge-MoE").unwrap();
        assert!((edge_moe.cycles().unwrap() - 10.392e6).abs() < 1.0);
        assert_eq!(edge_moe.units().unwrap().from, Basis::Code);
    }

    #[test]
    fn figures_without_a_source_and_figures_that_are_none_are_refused() {
        let system = |ms: &str| format!("[[system]]\nname='x'\nsource='y'\ndevice='z'\nms={ms}\n");
        assert!(parse(&system("{value=1, from='paper'}")).is_ok());
        assert!(parse(&system("{value=1}")).unwrap_err().contains("missing field `from`"));
        let message = parse(&system("{value=-1, from='paper'}")).unwrap_err();
        assert_eq!(message, "a figure of x is not above zero");
        assert!(parse(&system("{value=nan, from='paper'}")).is_err());
    }
}
