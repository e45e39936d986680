//! Registers through a UIO device of Linux: a page of them, mapped.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as Io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use edge_moe_isa::registers::{BYTES, Register};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::interrupt::Interrupt;
use super::under;
use crate::attached::{UIO_NAME, number, uio_devices, uio_name, uio_registers};
use crate::device::registers::Registers;
use crate::{Error, ErrorKind, Result};

/// What to do when there is no UIO device of an accelerator.
const NO_DEVICE: &str = "program the FPGA, apply the overlay edge_moe.dtbo and load the module: \
                         `sudo modprobe uio_pdrv_genirq of_id=generic-uio` (docs/zynq.md)";

/// The registers of an accelerator behind a UIO device, for this process alone.
pub(super) struct Uio {
    path: PathBuf,
    map: MmapRaw,
    /// None if the device has none.
    interrupt: Option<Interrupt>,
    /// Holds the lock.
    _file: File,
    opened: Instant,
}

impl Uio {
    /// Opens a UIO device, or the one of an accelerator if none is given; `/dev` and `/sys` are looked for
    /// under `root`.
    ///
    /// # Errors
    /// None or several accelerators; a device that is missing, denied, in use, or another one.
    pub fn open(given: Option<&Path>, root: &Path) -> Result<Self> {
        let path = given.map_or_else(|| find(root), |path| Ok(path.to_owned()))?;
        let target = under(root, &path);
        let file = OpenOptions::new().read(true).write(true).open(&target);
        let file = file.map_err(|cause| open_error(&path, cause.kind(), &cause))?;
        check_device(&path, &target, root)?;
        let cannot = |cause: std::io::Error| open_error(&path, cause.kind(), &cause);
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|cause| cannot(cause.into()))?;
        let map = MmapOptions::new().len(BYTES as usize).map_raw(&file).map_err(cannot)?;
        // What is no device, as in tests, has no interrupts: writing would change its registers.
        let is_device = file.metadata().map_err(cannot)?.file_type().is_char_device();
        let events = is_device.then(|| file.try_clone()).transpose().map_err(cannot)?;
        let interrupt = events.map(|file| Interrupt::new(file.into()));
        Ok(Self { path, map, interrupt, _file: file, opened: Instant::now() })
    }

    fn pointer(&self, register: Register) -> *mut u32 {
        // All registers lie in the page that is mapped.
        self.map.as_mut_ptr().wrapping_add(register.offset() as usize).cast()
    }
}

impl Registers for Uio {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn read(&mut self, registers: &[Register], values: &mut [u32]) -> Result<()> {
        for (register, value) in registers.iter().zip(values) {
            // SAFETY: the pointer is to an aligned word of the page that `self.map` holds.
            *value = unsafe { self.pointer(*register).read_volatile() };
        }
        fence(Ordering::SeqCst);
        Ok(())
    }

    fn write(&mut self, registers: &[(Register, u32)]) -> Result<()> {
        // What was written to the buffer comes first.
        fence(Ordering::SeqCst);
        for (register, value) in registers {
            // SAFETY: the pointer is to an aligned word of the page that `self.map` holds, which is writable.
            unsafe { self.pointer(*register).write_volatile(*value) };
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        match self.interrupt.as_mut().map(|interrupt| interrupt.wait(longest)) {
            Some(Ok(_)) => (),
            None => std::thread::sleep(longest),
            Some(Err(Errno::IO | Errno::NOSYS)) => {
                tracing::warn!("{}: has no interrupts, its registers are polled", self.path.display());
                self.interrupt = None;
            }
            Some(Err(cause)) => {
                let problem = format!("interrupts cannot be waited for: {}", std::io::Error::from(cause));
                return Err(Error::new(ErrorKind::Device, self.path.display(), problem));
            }
        }
        Ok(())
    }
}

/// The one UIO device of an accelerator.
fn find(root: &Path) -> Result<PathBuf> {
    let error = |problem: &str| Error::new(ErrorKind::Device, "zynq", problem);
    let found: Vec<PathBuf> = uio_devices(&root.join("sys"))?.into_iter().map(|device| device.path).collect();
    match found.as_slice() {
        [] => Err(error(&format!("no UIO device is named `{UIO_NAME}`")).hint(NO_DEVICE)),
        [one] => Ok(one.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let problem = format!("several UIO devices are named `{UIO_NAME}`: {}", names.join(", "));
            Err(error(&problem).hint(format!("say which: zynq:{}", names[0])))
        }
    }
}

/// That the kernel calls a device an accelerator, with as many registers: reading those of another one may
/// do something.
fn check_device(path: &Path, target: &Path, root: &Path) -> Result<()> {
    let error = |problem: String| Error::new(ErrorKind::Device, path.display(), problem);
    let sysfs = root.join("sys");
    // A link may stand for the device.
    let target = std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let device = target.file_name().unwrap_or_default().to_string_lossy();
    match uio_name(&sysfs, &device) {
        None => return Err(error("is not a UIO device".into()).hint(NO_DEVICE)),
        Some(name) if name != UIO_NAME => {
            let hint = "`edge-moe devices` lists accelerators";
            return Err(error(format!("is UIO device `{name}`, not `{UIO_NAME}`")).hint(hint));
        }
        Some(_) => (),
    }
    let bytes = uio_registers(&sysfs, &device).and_then(|(_, size)| number(&size));
    match bytes {
        Some(bytes) if bytes >= u64::from(BYTES) => Ok(()),
        _ => {
            let found = bytes.map_or("no registers".into(), |bytes| format!("{bytes} bytes of registers"));
            Err(error(format!("has {found}, an accelerator has {BYTES}"))
                .hint("its node in the device tree is not that of edge_moe.dtso"))
        }
    }
}

fn open_error(path: &Path, kind: Io, cause: &dyn std::fmt::Display) -> Error {
    let error = |problem: String| Error::new(ErrorKind::Device, path.display(), problem);
    match kind {
        Io::NotFound => error("there is no such UIO device".into()).hint(NO_DEVICE),
        Io::PermissionDenied => error("permission denied".into())
            .hint("run as root, or give your group the device with a udev rule: docs/zynq.md"),
        Io::WouldBlock => error("is in use by another program".into()),
        _ => error(format!("cannot be opened: {cause}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let path = Path::new("/dev/uio4");
        let error = |kind: Io| open_error(path, kind, &"cause");
        for (kind, problem, hint) in [
            (Io::NotFound, "/dev/uio4: there is no such UIO device", "modprobe uio_pdrv_genirq"),
            (Io::PermissionDenied, "/dev/uio4: permission denied", "udev rule"),
        ] {
            assert_eq!(error(kind).to_string(), problem);
            assert!(error(kind).hint_text().unwrap().contains(hint));
        }
        assert_eq!(error(Io::WouldBlock).to_string(), "/dev/uio4: is in use by another program");
        assert_eq!(error(Io::Other).to_string(), "/dev/uio4: cannot be opened: cause");
    }
}
