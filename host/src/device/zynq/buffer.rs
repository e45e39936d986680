//! Contiguous memory that processor and accelerator share: the trait, and a buffer of the kernel module
//! u-dma-buf.

use std::fs::OpenOptions;
use std::io::ErrorKind as Io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::{MmapOptions, MmapRaw};

use super::under;
use crate::attached::{self, DmaBuffer, dma_buffers};
use crate::{Error, ErrorKind, Result};

/// What to do when there is no buffer.
const NO_BUFFER: &str = "load the module u-dma-buf, and apply the overlay edge_moe.dtbo, which has a node of it \
                         (docs/zynq.md)";
/// Bytes of a cache line: what neighbours share.
const CACHE_LINE: usize = 64;

/// Contiguous memory that the accelerator reads and writes at bus addresses.
pub trait Buffer {
    /// What messages call it.
    fn name(&self) -> String;

    /// Bus address of its first byte.
    fn bus_address(&self) -> u64;

    /// Its size in bytes.
    fn bytes(&self) -> u64;

    /// Writes bytes from `offset` on, which lie in the buffer; after that the accelerator sees them.
    ///
    /// # Errors
    /// If caches cannot be written back.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<()>;

    /// Reads bytes from `offset` on, which lie in the buffer, as the accelerator left them.
    ///
    /// # Errors
    /// If caches cannot be thrown away.
    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Result<()>;
}

/// A buffer of u-dma-buf. It is mapped through the processor's caches, which are written back and thrown
/// away by its files `sync_for_device` and `sync_for_cpu`: opened with `O_SYNC` it would not be cached, but
/// memory of that kind must be accessed in aligned words only.
pub(super) struct UDmaBuf {
    buffer: DmaBuffer,
    map: MmapRaw,
    /// Its attributes.
    folder: PathBuf,
}

impl UDmaBuf {
    /// Opens a buffer, or the only one there is if none is given; `/dev` and `/sys` are looked for under `root`.
    ///
    /// # Errors
    /// No or several buffers; one that is missing or denied.
    pub fn open(given: Option<&Path>, root: &Path) -> Result<Self> {
        let sysfs = root.join("sys");
        let path = given.map_or_else(|| find(&sysfs), |path| Ok(path.to_owned()))?;
        let error = |problem: String| Error::new(ErrorKind::Device, path.display(), problem);
        let target = under(root, &path);
        let file = OpenOptions::new().read(true).write(true).open(&target).map_err(|cause| {
            let error = error(open_problem(&cause));
            match cause.kind() {
                Io::PermissionDenied => {
                    error.hint("run as root, or give your group the device with a udev rule: docs/zynq.md")
                }
                _ => error.hint(NO_BUFFER),
            }
        })?;
        // A link may stand for the device.
        let target = std::fs::canonicalize(&target).unwrap_or(target);
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let buffer = attached::dma_buffer(&sysfs, &name)
            .ok_or_else(|| error("is not a buffer of u-dma-buf".into()).hint(NO_BUFFER))?;
        let map = MmapOptions::new().len(buffer.bytes as usize).map_raw(&file);
        let map = map.map_err(|cause| error(format!("{} bytes cannot be mapped: {cause}", buffer.bytes)))?;
        let folder = attached::dma_buffer_folder(&sysfs, &name);
        Ok(Self { buffer: DmaBuffer { path, ..buffer }, map, folder })
    }

    /// Where `bytes` bytes from `offset` on are.
    fn pointer(&self, offset: usize, bytes: usize) -> *mut u8 {
        let end = offset.checked_add(bytes);
        assert!(end.is_some_and(|end| end <= self.map.len()), "{bytes} bytes at {offset} lie in the buffer");
        self.map.as_mut_ptr().wrapping_add(offset)
    }

    /// Gives the cache lines of a range to the accelerator or to the processor.
    fn sync(&self, attribute: &str, range: Range<usize>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(attribute);
        std::fs::write(&path, sync_command(range)).map_err(|cause| {
            let problem = format!("caches cannot be synchronised by {}: {cause}", path.display());
            let error = Error::new(ErrorKind::Device, self.buffer.path.display(), problem);
            match cause.kind() {
                Io::PermissionDenied => error.hint("run as root, or let your group write it: docs/zynq.md"),
                _ => error,
            }
        })
    }
}

impl Buffer for UDmaBuf {
    fn name(&self) -> String {
        self.buffer.path.display().to_string()
    }

    fn bus_address(&self) -> u64 {
        self.buffer.bus_address
    }

    fn bytes(&self) -> u64 {
        self.buffer.bytes
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        let range = offset..offset + bytes.len();
        // The first and the last line may hold neighbours as they were before the accelerator wrote them.
        self.sync("sync_for_cpu", range.clone())?;
        let target = self.pointer(offset, bytes.len());
        // SAFETY: the target lies in the mapping, which nothing refers to.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.sync("sync_for_device", range)
    }

    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        self.sync("sync_for_cpu", offset..offset + bytes.len())?;
        let source = self.pointer(offset, bytes.len());
        // SAFETY: the source lies in the mapping, which nothing refers to; the accelerator does not run.
        unsafe { source.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }
}

/// What u-dma-buf takes in `sync_for_cpu` and `sync_for_device`: offset in the upper half, size in the lower
/// one, a multiple of 16, whose low bits are the direction (both) and a one.
fn sync_command(range: Range<usize>) -> String {
    let start = range.start / CACHE_LINE * CACHE_LINE;
    let bytes = range.end.next_multiple_of(CACHE_LINE) - start;
    format!("0x{start:08X}{:08X}", bytes | 1)
}

/// The only buffer.
fn find(sysfs: &Path) -> Result<PathBuf> {
    let error = |problem: &str| Error::new(ErrorKind::Device, "zynq", problem);
    let found: Vec<PathBuf> = dma_buffers(sysfs)?.into_iter().map(|buffer| buffer.path).collect();
    match found.as_slice() {
        [] => Err(error("there is no buffer of u-dma-buf").hint(NO_BUFFER)),
        [one] => Ok(one.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let problem = format!("there are several buffers: {}", names.join(", "));
            Err(error(&problem).hint(format!("say which: zynq:UIO,{}", names[0])))
        }
    }
}

fn open_problem(cause: &std::io::Error) -> String {
    match cause.kind() {
        Io::NotFound => "there is no such buffer".into(),
        Io::PermissionDenied => "permission denied".into(),
        _ => format!("cannot be opened: {cause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_cache_lines_are_synchronised() {
        assert_eq!(sync_command(0..64), "0x0000000000000041");
        assert_eq!(sync_command(63..65), "0x0000000000000081");
        assert_eq!(sync_command(0x1234_5678..0x1300_0000), "0x1234564000CBA9C1");
    }
}
