//! `manifest.toml`: what a bitstream is, of what it was made, and how fast it can be clocked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use edge_moe_isa::arch::ArchConfig;
use serde::{Deserialize, Serialize};

use super::ecp5::{self, Device};
use super::sha256;
use crate::{Error, Result};

/// The version of the manifest's form.
pub const FORMAT: u32 = 2;

/// What a bitstream is. Frequencies are in MHz; those of place and route are what its own model of delays
/// says, no measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The board, such as `ulx3s-85f`: the name of its folder.
    pub board: String,
    /// What openFPGALoader calls it.
    pub openfpgaloader_board: String,
    /// Ordering code of the FPGA.
    pub part: String,
    /// What the FPGA's JTAG port answers.
    #[serde(with = "hexadecimal")]
    pub idcode: u32,
    /// File of the bitstream, beside the manifest.
    pub bitstream: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Seed of its placement.
    pub seed: u64,
    /// Interface version of the accelerator in it.
    pub interface_version: u32,
    /// Version of the link.
    pub link_version: u16,
    /// Baud rate of the link.
    pub link_baud: u32,
    /// Of what it was made.
    pub sources: Sources,
    /// Versions of the tools that made it.
    pub tools: BTreeMap<String, String>,
    /// Its clock.
    pub timing: Timing,
    /// Cells that it uses, by their type.
    pub utilisation: BTreeMap<String, Cells>,
    /// Sizes of the accelerator.
    pub arch: ArchConfig,
}

/// Of what a bitstream was made. The two hashes can be checked against a working tree, whatever its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// SHA-256 of the Verilog of the board's top unit, as it was emitted.
    pub verilog_sha256: String,
    /// For information: `git rev-parse HEAD^{tree}` where it was built.
    pub git_tree: String,
    /// SHA-256 of each file of constraints, beside the manifest.
    pub constraints: BTreeMap<String, String>,
}

/// What place and route made of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The clock that the bitstream runs at.
    pub clock_mhz: f64,
    /// Highest clock after routing, of the seed that was shipped.
    pub post_route_fmax_mhz: f64,
    /// Lowest over the seeds.
    pub post_route_fmax_mhz_min: f64,
    /// Median over the seeds.
    pub post_route_fmax_mhz_median: f64,
    /// Highest over the seeds.
    pub post_route_fmax_mhz_max: f64,
    /// Every seed that was tried and routed.
    pub seeds: Vec<SeedFmax>,
}

/// Highest clock after routing with one seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFmax {
    /// The seed.
    pub seed: u64,
    /// Highest clock.
    pub post_route_fmax_mhz: f64,
}

/// Cells of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// Used by the design.
    pub used: u64,
    /// In the FPGA.
    pub available: u64,
}

impl Timing {
    /// The timing of a shipped seed out of all that were tried; none if it is not among them.
    pub fn new(clock_mhz: f64, shipped: u64, seeds: Vec<SeedFmax>) -> Option<Self> {
        let post_route_fmax_mhz = seeds.iter().find(|tried| tried.seed == shipped)?.post_route_fmax_mhz;
        let mut sorted: Vec<f64> = seeds.iter().map(|tried| tried.post_route_fmax_mhz).collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        Some(Self {
            clock_mhz,
            post_route_fmax_mhz,
            post_route_fmax_mhz_min: sorted[0],
            post_route_fmax_mhz_median: (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0,
            post_route_fmax_mhz_max: sorted[count - 1],
            seeds,
        })
    }

    fn check(&self, shipped: u64) -> std::result::Result<(), String> {
        let distinct: BTreeSet<u64> = self.seeds.iter().map(|tried| tried.seed).collect();
        if distinct.len() != self.seeds.len() {
            return Err("timing.seeds holds a seed twice".into());
        }
        let values = self.seeds.iter().map(|tried| tried.post_route_fmax_mhz);
        if let Some(wrong) = values.chain([self.clock_mhz]).find(|&mhz| !(mhz > 0.0 && mhz.is_finite())) {
            return Err(format!("timing holds a clock of {wrong} MHz"));
        }
        let computed = Self::new(self.clock_mhz, shipped, self.seeds.clone())
            .ok_or_else(|| format!("timing.seeds does not hold the shipped seed {shipped}"))?;
        let pairs = [
            ("", self.post_route_fmax_mhz, computed.post_route_fmax_mhz),
            ("_min", self.post_route_fmax_mhz_min, computed.post_route_fmax_mhz_min),
            ("_median", self.post_route_fmax_mhz_median, computed.post_route_fmax_mhz_median),
            ("_max", self.post_route_fmax_mhz_max, computed.post_route_fmax_mhz_max),
        ];
        for (ending, found, computed) in pairs {
            if found != computed {
                return Err(format!(
                    "timing.post_route_fmax_mhz{ending} is {found}, of timing.seeds it is {computed}"
                ));
            }
        }
        let (clock, fmax) = (self.clock_mhz, self.post_route_fmax_mhz);
        if fmax < clock {
            return Err(format!(
                "timing is not met: the clock is {clock} MHz, the most after routing {fmax} MHz"
            ));
        }
        Ok(())
    }
}

impl Manifest {
    /// Reads a manifest and checks it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|cause| Error::reading(path, cause))?;
        Self::parse(&text).map_err(|problem| Error::input(path.display(), problem))
    }

    /// A manifest of its text.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        // The format first: a later one may well have other fields.
        let table: toml::Table = text.parse().map_err(|cause: toml::de::Error| syntax(&cause))?;
        match table.get("format").map(|format| (format, format.as_integer())) {
            None => return Err("has no field `format`".into()),
            Some((_, Some(format))) if format == i64::from(FORMAT) => (),
            Some((format, _)) => return Err(format!("is of format {format}, this command reads {FORMAT}")),
        }
        let manifest: Self = toml::from_str(text).map_err(|cause| syntax(&cause))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The text of a manifest, if it is one that can be read.
    pub fn text(&self) -> std::result::Result<String, String> {
        self.check()?;
        toml::to_string(self).map_err(|cause| cause.to_string())
    }

    /// That its parts fit each other.
    fn check(&self) -> std::result::Result<(), String> {
        let Sources { verilog_sha256, constraints, git_tree } = &self.sources;
        let constraint_files = constraints.keys().map(|file| ("sources.constraints", file));
        for (field, name) in constraint_files.chain([("bitstream", &self.bitstream)]) {
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(format!("{field} is `{name}`, expected the name of a file beside the manifest"));
            }
        }
        let hashes = [
            ("sha256", &self.sha256, 64),
            ("sources.verilog_sha256", verilog_sha256, 64),
            ("sources.git_tree", git_tree, 40),
        ];
        let constraint_hashes = constraints.values().map(|hash| ("sources.constraints", hash, 64));
        for (field, hash, digits) in constraint_hashes.chain(hashes) {
            if hash.len() != digits || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!("{field} is `{hash}`, expected {digits} digits of 0 to 9 and a to f"));
            }
        }
        let device = Device::by_idcode(self.idcode)
            .ok_or_else(|| format!("idcode 0x{:08x} is that of no ECP5 that is known", self.idcode))?;
        if !self.part.starts_with(device.name) {
            let idcode = ecp5::idcode_text(self.idcode);
            return Err(format!("part is {}, idcode is {idcode}", self.part));
        }
        let over = |(_, cells): &(&String, &Cells)| cells.used > cells.available;
        if let Some((name, Cells { used, available })) = self.utilisation.iter().find(over) {
            return Err(format!("utilisation.{name}: {used} used of {available}"));
        }
        self.timing.check(self.seed)?;
        self.arch.validate().map_err(|error| error.to_string())
    }

    /// That the bitstream in a file is the one the manifest at `path` speaks of.
    pub fn check_bytes(&self, path: &Path, file: &Path, bytes: &[u8]) -> Result<()> {
        let path = path.display();
        if bytes.len() as u64 != self.bytes {
            let problem = format!("has {} bytes, its manifest {path} says {}", bytes.len(), self.bytes);
            return Err(Error::input(file.display(), problem));
        }
        let found = sha256(bytes);
        if found != self.sha256 {
            let problem = format!("has SHA-256 {found}, its manifest {path} says {}", self.sha256);
            return Err(Error::input(file.display(), problem));
        }
        Ok(())
    }

    /// That the bitstream was made of this Verilog; what is wrong otherwise.
    pub fn check_verilog(&self, verilog: &str) -> std::result::Result<(), String> {
        self.check_source("the emitted Verilog", verilog.as_bytes(), &self.sources.verilog_sha256)
    }

    /// That it was made of the constraints in this folder; what is wrong otherwise.
    pub fn check_constraints(&self, folder: &Path) -> std::result::Result<(), String> {
        self.sources.constraints.iter().try_for_each(|(file, built)| {
            let path = folder.join(file);
            let bytes = std::fs::read(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
            self.check_source(file, &bytes, built)
        })
    }

    fn check_source(&self, what: &str, bytes: &[u8], built: &str) -> std::result::Result<(), String> {
        let (found, board) = (sha256(bytes), &self.board);
        let problem = || {
            format!(
                "{what} has SHA-256 {found}, the bitstream of {board} was built from {built}: build it again"
            )
        };
        if found == built { Ok(()) } else { Err(problem()) }
    }
}

/// What is wrong with TOML, and where, in one line.
fn syntax(cause: &toml::de::Error) -> String {
    let text = cause.to_string();
    let place = text.lines().next().and_then(|line| line.strip_prefix("TOML parse error at "));
    match place {
        Some(place) => format!("{place}: {}", cause.message()),
        None => cause.message().into(),
    }
}

/// Numbers as tools print them: `0x41113043`.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{value:08x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8);
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        value.ok_or_else(|| D::Error::custom(format!("`{text}` is no number such as 0x41113043")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_is_that_of_the_seeds() {
        let seeds = |mhz: &[f64]| -> Vec<SeedFmax> {
            let tried = mhz.iter().zip(5..);
            tried.map(|(&post_route_fmax_mhz, seed)| SeedFmax { seed, post_route_fmax_mhz }).collect()
        };
        let timing = Timing::new(80.0, 6, seeds(&[84.0, 90.0, 81.0, 79.0])).unwrap();
        assert_eq!(timing.post_route_fmax_mhz, 90.0);
        assert_eq!((timing.post_route_fmax_mhz_min, timing.post_route_fmax_mhz_max), (79.0, 90.0));
        assert_eq!(timing.post_route_fmax_mhz_median, 82.5);
        assert_eq!(timing.check(6), Ok(()));
        assert_eq!(timing.check(9), Err("timing.seeds does not hold the shipped seed 9".into()));
        let problem = timing.check(8).unwrap_err();
        assert_eq!(problem, "timing.post_route_fmax_mhz is 90, of timing.seeds it is 79");
        assert!(Timing::new(80.0, 9, seeds(&[84.0])).is_none());
    }

    #[test]
    fn what_is_no_manifest_is_said_in_one_line() {
        for (text, problem) in [
            ("", "has no field `format`"),
            ("format = \"2\"", "is of format \"2\", this command reads 2"),
            ("format = 2", "line 1, column 1: missing field `board`"),
            ("format = ", "line 1, column 10: "),
        ] {
            let found = Manifest::parse(text).unwrap_err();
            assert!(found.starts_with(problem) && !found.contains('\n'), "{found}");
        }
    }
}
