//! A ZCU102, whose FPGA Linux programs on the board itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use edge_moe::bitstream::{sha256, zynqmp};
use edge_moe::deploy::FpgaManager;
use edge_moe::device::{ZynqAddress, ZynqDevice};
use edge_moe::{Error, Result};
use edge_moe_isa::arch::ArchConfig;

use crate::cli::print;

/// Name of the board.
pub const BOARD: &str = "zcu102";
/// What the bitstream is called where the kernel looks for it.
const FIRMWARE: &str = "edge-moe-zcu102.bin";
/// How long the FPGA may take to run after it was programmed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the kernel may take to show the accelerator's registers.
const UIO_TIMEOUT: Duration = Duration::from_secs(2);

/// Options of a ZCU102 alone.
#[derive(Args)]
#[command(next_help_heading = "ZCU102, on the board itself")]
pub struct Options {
    /// The bitstream (.bin) that Vivado made of bitstreams/zcu102
    #[arg(long, value_name = "FILE.bin")]
    bitstream: Option<PathBuf>,

    /// Where the file system begins
    #[arg(long, value_name = "DIR", env = "EDGE_MOE_ROOT", default_value = "/", hide = true)]
    root: PathBuf,
}

impl Options {
    /// Programs the FPGA and asks the accelerator what it is.
    pub fn execute(&self, dry_run: bool, timeout: Option<Duration>) -> Result<()> {
        let path = self.bitstream.as_deref().ok_or_else(|| {
            Error::usage(format!("board `{BOARD}`"), "no bitstream of it is shipped")
                .hint("build one with bitstreams/zcu102/build.tcl, and say --bitstream FILE.bin")
        })?;
        let bytes = std::fs::read(path).map_err(|cause| Error::reading(path, cause))?;
        let container = zynqmp::check(&bytes).map_err(|problem| Error::input(path.display(), problem))?;
        let manager = FpgaManager::find(&self.root)?;
        if dry_run {
            let mut text = checks(path, &bytes, &container);
            for step in manager.steps(path, FIRMWARE) {
                text += &format!("{step}\n");
            }
            let arch = arch().name;
            return print(&(text + &format!("would expect  architecture {arch} from the registers\n")));
        }
        manager.program(&bytes, FIRMWARE, timeout.unwrap_or(TIMEOUT))?;
        let device = self.identify()?;
        let path = path.display();
        print(&format!("{BOARD}: {path} runs until power is off; `{}` answers at {device}\n", arch().name))
    }

    /// Refuses its options for another board.
    pub fn refuse(&self, target: &Path) -> Result<()> {
        if self.bitstream.is_none() {
            return Ok(());
        }
        let problem = format!("{} is not programmed by Linux", target.display());
        Err(Error::usage("--bitstream", problem).hint(format!("`edge-moe deploy {BOARD}` is")))
    }

    /// The device of the accelerator, which must be the one of the board.
    fn identify(&self) -> Result<String> {
        let deadline = Instant::now() + UIO_TIMEOUT;
        let sysfs = self.root.join("sys");
        while edge_moe::attached::uio_devices(&sysfs)?.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        ZynqDevice::identify(&ZynqAddress::default(), &self.root, &arch())
    }
}

/// The architecture that the board's bitstream has.
fn arch() -> ArchConfig {
    ArchConfig::zcu102()
}

/// What was checked and found right, a line each.
fn checks(path: &Path, bytes: &[u8], container: &zynqmp::Container) -> String {
    format!(
        "bitstream     {}, {} bytes\nSHA-256       {}\ncontainer     sync word found, {}\ndevice        \
         IDCODE 0x{:08x} (ZU9EG)\n",
        path.display(),
        bytes.len(),
        sha256(bytes),
        container.byte_order,
        container.idcode
    )
}
