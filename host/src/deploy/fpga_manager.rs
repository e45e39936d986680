//! The FPGA manager of Linux, which programs the FPGA of the processor that this runs on.

use std::io::ErrorKind as Io;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Result, atomic_file};

/// Where the kernel shows the manager, and where it looks for what it loads.
const MANAGER: &str = "sys/class/fpga_manager/fpga0";
const FIRMWARE: &str = "lib/firmware";
/// The state of an FPGA that runs.
const OPERATING: &str = "operating";
/// Flags of a bitstream for the whole FPGA, neither encrypted nor authenticated.
const WHOLE: &str = "0";
/// Between two looks at the state.
const PAUSE: Duration = Duration::from_millis(20);

/// The FPGA manager of the system under a root folder.
#[derive(Clone, Debug)]
pub struct FpgaManager {
    root: PathBuf,
}

impl FpgaManager {
    /// The manager of the system under `root`.
    ///
    /// # Errors
    /// If there is none, or one that loads nothing by name.
    pub fn find(root: &Path) -> Result<Self> {
        let manager = Self { root: root.to_owned() };
        let folder = root.join(MANAGER);
        let error = |problem: &str| Error::new(ErrorKind::Device, folder.display(), problem);
        if !folder.is_dir() {
            return Err(error("there is no FPGA manager")
                .hint("run this on the board, under a kernel with CONFIG_FPGA_MGR_ZYNQMP_FPGA"));
        }
        if !manager.attribute("firmware").exists() {
            return Err(error("loads no bitstream by name: it has no file `firmware`")
                .hint("AMD's kernel (linux-xlnx) has it; others load by overlay only, see docs/zynq.md"));
        }
        Ok(manager)
    }

    /// What [`program`](Self::program) does, a line each.
    pub fn steps(&self, bitstream: &Path, name: &str) -> Vec<String> {
        vec![
            format!("would copy    {} to {}", bitstream.display(), self.firmware(name).display()),
            format!("would write   {WHOLE} to {}", self.attribute("flags").display()),
            format!("would write   {name} to {}", self.attribute("firmware").display()),
            format!("would expect  {OPERATING} in {}", self.attribute("state").display()),
        ]
    }

    /// Copies a bitstream to where the kernel looks for it, under `name`, and programs the FPGA with it.
    ///
    /// # Errors
    /// Files that cannot be written, a bitstream that the kernel or the FPGA refuses, an FPGA that does not run
    /// within `timeout` after that.
    pub fn program(&self, bitstream: &[u8], name: &str, timeout: Duration) -> Result<()> {
        let hint = |error: Error| error.hint("programming the FPGA needs root: `sudo edge-moe deploy ...`");
        atomic_file::write(&self.firmware(name), |file| file.write_all(bitstream)).map_err(hint)?;
        self.set("flags", WHOLE)?;
        self.set("firmware", name)?;
        let deadline = Instant::now() + timeout;
        loop {
            let state = self.state()?;
            if state == OPERATING {
                return Ok(());
            }
            if state.ends_with("error") || Instant::now() > deadline {
                return Err(self.refused(&format!("the FPGA's state is `{state}`, not `{OPERATING}`")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn set(&self, attribute: &str, value: &str) -> Result<()> {
        let path = self.attribute(attribute);
        std::fs::write(&path, value).map_err(|cause| match cause.kind() {
            Io::PermissionDenied => Error::new(ErrorKind::Device, path.display(), "permission denied")
                .hint("programming the FPGA needs root: `sudo edge-moe deploy ...`"),
            _ => {
                let state = self.state().unwrap_or_default();
                self.refused(&format!("{value} was not taken by `{attribute}`: {cause}; state `{state}`"))
            }
        })
    }

    fn state(&self) -> Result<String> {
        let path = self.attribute("state");
        let text = std::fs::read_to_string(&path).map_err(|cause| Error::reading(&path, cause))?;
        Ok(text.trim().to_owned())
    }

    fn refused(&self, problem: &str) -> Error {
        let error = Error::new(ErrorKind::Device, self.root.join(MANAGER).display(), problem);
        error.hint("`dmesg` says why; kernels that want swapped bytes need bootgen's .bin, see docs/zynq.md")
    }

    fn attribute(&self, name: &str) -> PathBuf {
        self.root.join(MANAGER).join(name)
    }

    fn firmware(&self, name: &str) -> PathBuf {
        self.root.join(FIRMWARE).join(name)
    }
}
