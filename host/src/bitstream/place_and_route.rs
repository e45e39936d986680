//! The report that nextpnr writes (`--report`): clocks and cells.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Cells;
use crate::{Error, Result};

/// What place and route says of a design.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    fmax: BTreeMap<String, Clock>,
    utilization: BTreeMap<String, Cells>,
}

/// A clock, in MHz.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Clock {
    achieved: f64,
    constraint: f64,
}

impl Report {
    /// Reads a report.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|cause| Error::reading(path, cause))?;
        serde_json::from_slice(&text)
            .map_err(|cause| Error::input(path.display(), format!("is no report of nextpnr: {cause}")))
    }

    /// Highest frequency, to a hundredth of a MHz downwards, of the clocks that must run at `clock_mhz`.
    pub fn fmax_mhz(&self, clock_mhz: f64) -> std::result::Result<f64, String> {
        // nextpnr derives constraints behind a PLL in whole picoseconds.
        let wanted = |clock: &&Clock| (clock.constraint / clock_mhz - 1.0).abs() < 0.001;
        let slowest = self.fmax.values().filter(wanted).map(|clock| clock.achieved).reduce(f64::min);
        slowest.map(|mhz| (mhz * 100.0).floor() / 100.0).ok_or_else(|| {
            let clocks: Vec<_> =
                self.fmax.iter().map(|(name, clock)| format!("{name} at {} MHz", clock.constraint)).collect();
            format!("has no clock of {clock_mhz} MHz, only {}", clocks.join(", "))
        })
    }

    /// That every clock is met; what is wrong otherwise.
    pub fn check(&self) -> std::result::Result<(), String> {
        match self.fmax.iter().find(|(_, clock)| clock.achieved < clock.constraint) {
            Some((name, Clock { achieved, constraint })) => {
                Err(format!("clock {name} must run at {constraint} MHz and reaches {achieved:.2} MHz"))
            }
            None => Ok(()),
        }
    }

    /// Cells that are used, by their type.
    pub fn utilisation(&self) -> BTreeMap<String, Cells> {
        self.utilization
            .iter()
            .filter(|(_, cells)| cells.used > 0)
            .map(|(name, cells)| (name.clone(), *cells))
            .collect()
    }
}
