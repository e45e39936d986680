//! `edge-moe manifest`: writes the manifest of a bitstream; the recipes in `bitstreams/` call it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use edge_moe::bitstream::{self, FORMAT, Manifest, Report, SeedFmax, Sources, Timing, sha256};
use edge_moe::{Error, Result, atomic_file};
use edge_moe_isa::INTERFACE_VERSION;
use edge_moe_isa::link::LINK_VERSION;

use super::load::architecture;
use super::print;

#[derive(Args)]
pub struct Arguments {
    /// The bitstream (.bit)
    file: PathBuf,

    /// Name of the board, such as ulx3s-85f
    #[arg(long, value_name = "NAME")]
    board: String,

    /// What openFPGALoader calls the board
    #[arg(long, value_name = "NAME")]
    openfpgaloader_board: String,

    /// Ordering code of the FPGA
    #[arg(long, value_name = "CODE")]
    part: String,

    /// Architecture of the accelerator
    #[arg(long, value_name = "NAME")]
    arch: String,

    /// Baud rate of the link
    #[arg(long, value_name = "N")]
    baud: u32,

    /// The clock that it runs at
    #[arg(long, value_name = "MHZ")]
    clock: f64,

    /// Seed of the bitstream, one of those reported
    #[arg(long, value_name = "N")]
    seed: u64,

    /// Report of nextpnr for a seed, once for each that was tried
    #[arg(long, value_name = "SEED=FILE", value_parser = parse_report, required = true)]
    report: Vec<(u64, PathBuf)>,

    /// Verilog that the board's top unit was emitted as
    #[arg(long, value_name = "FILE")]
    verilog: PathBuf,

    /// Constraints, once for each file
    #[arg(long, value_name = "FILE", required = true)]
    constraints: Vec<PathBuf>,

    /// Version of a tool, once for each
    #[arg(long, value_name = "NAME=VERSION", value_parser = parse_tool, required = true)]
    tool: Vec<(String, String)>,

    /// What `git rev-parse HEAD^{tree}` says
    #[arg(long, value_name = "HASH")]
    git_tree: String,

    /// Where the manifest is written
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let manifest = arguments.manifest()?;
    let refused =
        |problem| Error::input(arguments.output.display(), format!("would not be right: {problem}"));
    let text = manifest.text().map_err(refused)?;
    atomic_file::write(&arguments.output, |file| file.write_all(text.as_bytes()))?;
    let Timing { clock_mhz, post_route_fmax_mhz, seeds, .. } = &manifest.timing;
    print(&format!(
        "{}: {} at {clock_mhz} MHz, {post_route_fmax_mhz} MHz after routing with seed {} of {}\n",
        arguments.output.display(),
        manifest.board,
        manifest.seed,
        seeds.len()
    ))
}

impl Arguments {
    fn manifest(&self) -> Result<Manifest> {
        let bytes = read(&self.file)?;
        let container = bitstream::container(&self.file, &bytes)?;
        let (timing, shipped) = self.timing()?;
        let constraints = self.constraints.iter().map(|path| Ok((file_name(path), sha256(&read(path)?))));
        Ok(Manifest {
            format: FORMAT,
            board: self.board.clone(),
            openfpgaloader_board: self.openfpgaloader_board.clone(),
            part: self.part.clone(),
            idcode: container.device.idcode,
            bitstream: file_name(&self.file),
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
            seed: self.seed,
            interface_version: INTERFACE_VERSION,
            link_version: LINK_VERSION,
            link_baud: self.baud,
            sources: Sources {
                verilog_sha256: sha256(&read(&self.verilog)?),
                git_tree: self.git_tree.clone(),
                constraints: constraints.collect::<Result<_>>()?,
            },
            tools: self.tool.iter().cloned().collect(),
            timing,
            utilisation: shipped.utilisation(),
            arch: architecture(&self.arch)?,
        })
    }

    /// The clock over all seeds, and the report of the one that is shipped.
    fn timing(&self) -> Result<(Timing, Report)> {
        let (mut seeds, mut shipped) = (Vec::new(), None);
        for (seed, path) in &self.report {
            let wrong = |problem| Error::input(path.display(), problem);
            let report = Report::read(path)?;
            seeds.push(SeedFmax {
                seed: *seed,
                post_route_fmax_mhz: report.fmax_mhz(self.clock).map_err(wrong)?,
            });
            if *seed == self.seed {
                report.check().map_err(wrong)?;
                shipped = Some(report);
            }
        }
        let timing = Timing::new(self.clock, self.seed, seeds);
        timing.zip(shipped).ok_or_else(|| {
            Error::usage(format!("--seed {}", self.seed), "has no report")
                .hint("add --report SEED=FILE for it")
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| Error::reading(path, cause))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn parse_report(text: &str) -> std::result::Result<(u64, PathBuf), String> {
    let (seed, path) = text.split_once('=').ok_or("is not SEED=FILE")?;
    Ok((seed.parse().map_err(|cause| format!("`{seed}`: {cause}"))?, path.into()))
}

fn parse_tool(text: &str) -> std::result::Result<(String, String), String> {
    let (name, version) = text.split_once('=').ok_or("is not NAME=VERSION")?;
    Ok((name.into(), version.into()))
}
