//! `edge-moe deploy`: programs a board with a bitstream.

mod zcu102;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use edge_moe::Result;
use edge_moe::bitstream::{self, Bitstream, MANIFEST, ecp5};
use edge_moe::deploy::{Identify, Loader, Target, deploy};
use edge_moe::device::{Link, UartAddress};
use edge_moe_isa::arch::ArchConfig;

use super::bitstreams::BitstreamsOption;
use super::print;

/// How long the kernel may take to show the serial port again that openFPGALoader had.
const PORT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Arguments {
    /// A board, such as ulx3s-85f or zcu102, or a bitstream (.bit) with its manifest beside it
    #[arg(value_name = "BOARD|FILE")]
    target: PathBuf,

    #[command(flatten)]
    zcu102: zcu102::Options,

    /// The bitstream's manifest [default: manifest.toml beside it]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// Write it to the board's flash, so that the board starts with it; otherwise it is gone with the power
    #[arg(long, conflicts_with = "bitstream")]
    flash: bool,

    /// Read the flash back and compare
    #[arg(long, requires = "flash")]
    verify: bool,

    /// Check everything and say what would be run, but run nothing
    #[arg(long)]
    dry_run: bool,

    /// Ask the board afterwards what it is, over this serial port; the manifest says how fast it is
    #[arg(long, value_name = "uart:PATH", value_parser = parse_port, conflicts_with = "bitstream")]
    port: Option<PathBuf>,

    /// Give up after so long [default: 300, with --flash 900, for a ZCU102 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    timeout: Option<u64>,

    #[command(flatten)]
    bitstreams: BitstreamsOption,

    /// The command openFPGALoader [default: the one that is installed]
    #[arg(long, value_name = "FILE", env = "OPENFPGALOADER")]
    openfpgaloader: Option<PathBuf>,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    if arguments.target == Path::new(zcu102::BOARD) {
        return arguments.zcu102.execute(arguments.dry_run, arguments.timeout());
    }
    arguments.zcu102.refuse(&arguments.target)?;
    let bitstream = arguments.open()?;
    bitstream.check_versions()?;
    let loader = Loader::find(arguments.openfpgaloader.as_deref())?;
    let target = arguments.target();
    if arguments.dry_run {
        return print(&(checks(&bitstream) + &commands(&bitstream, &loader, target)));
    }
    let timeout = arguments.timeout().unwrap_or(target.default_timeout());
    let baud = bitstream.manifest.link_baud;
    let ask = arguments.port.as_ref().map(|path| {
        let address = UartAddress { path: path.clone(), baud };
        move |arch: &ArchConfig| identify(&address, arch)
    });
    deploy(&bitstream, &loader, target, timeout, ask.as_ref().map(|ask| ask as Identify<'_>))?;
    let place = match target {
        Target::Sram => "runs on it until power is off",
        Target::Flash { verify: false } => "is in its flash",
        Target::Flash { verify: true } => "is in its flash, read back and equal",
    };
    print(&format!("{}: {} {place}\n", bitstream.manifest.board, bitstream.path.display()))
}

impl Arguments {
    fn open(&self) -> Result<Bitstream> {
        let given = &self.target;
        let is_file = given.extension().is_some_and(|ending| ending == "bit") || given.is_file();
        let manifest = match (&self.manifest, is_file) {
            (Some(manifest), _) => manifest.clone(),
            (None, true) => given.with_file_name(MANIFEST),
            (None, false) => bitstream::manifest_of(&self.bitstreams.folder(), &given.to_string_lossy())?,
        };
        Bitstream::open(&manifest, is_file.then_some(given))
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    fn target(&self) -> Target {
        if self.flash { Target::Flash { verify: self.verify } } else { Target::Sram }
    }
}

/// That an accelerator of this architecture answers on a serial line.
fn identify(address: &UartAddress, arch: &ArchConfig) -> Result<()> {
    let deadline = Instant::now() + PORT_TIMEOUT;
    while !address.path.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut link = Link::open(address)?;
    link.hello()?;
    link.check_identity(arch)?;
    tracing::info!("{address}: `{}` answers", arch.name);
    Ok(())
}

fn parse_port(text: &str) -> std::result::Result<PathBuf, String> {
    let path = text.strip_prefix("uart:").filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| format!("`{text}` is no serial port such as uart:/dev/ttyUSB0"))
}

/// What was checked and found right, a line each.
fn checks(bitstream: &Bitstream) -> String {
    let Bitstream { manifest, path, container } = bitstream;
    let frames = format!(
        "whole: {} frames{}, {} CRCs right",
        container.device.frames,
        if container.compressed { ", compressed" } else { "" },
        container.crcs
    );
    let rows = [
        ("bitstream", format!("{}, {} bytes", path.display(), manifest.bytes)),
        ("SHA-256", format!("{}, as the manifest says", manifest.sha256)),
        ("container", frames),
        ("device", format!("{}, IDCODE {}", manifest.part, ecp5::idcode_text(manifest.idcode))),
        (
            "versions",
            format!(
                "interface {}, link {}: those of this command",
                manifest.interface_version, manifest.link_version
            ),
        ),
        (
            "clock",
            format!(
                "{} MHz, of {} MHz after routing; link at {} baud",
                manifest.timing.clock_mhz, manifest.timing.post_route_fmax_mhz, manifest.link_baud
            ),
        ),
        ("architecture", manifest.arch.name.clone()),
    ];
    rows.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

/// What would be run, a line each.
fn commands(bitstream: &Bitstream, loader: &Loader, target: Target) -> String {
    let board = &bitstream.manifest.openfpgaloader_board;
    let idcode = ecp5::idcode_text(bitstream.manifest.idcode);
    format!(
        "would run     {}\nif that says  {idcode}\nwould run     {}\n",
        command_text(&loader.detect_command(board)),
        command_text(&loader.program_command(board, &bitstream.path, target)),
    )
}

fn command_text(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| Path::new(part).display().to_string()).collect::<Vec<_>>().join(" ")
}
