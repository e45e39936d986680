//! What is attached to this computer, as Linux shows it under `/sys`: serial ports and accelerators on the bus.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Error, Result};

/// What a USB device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usb {
    /// Vendor, four hexadecimal digits.
    pub vendor_id: String,
    /// Product, four hexadecimal digits.
    pub product_id: String,
    /// Name of the vendor.
    pub manufacturer: Option<String>,
    /// Name of the product.
    pub product: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
}

/// A serial port on USB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialPort {
    /// Its device file.
    pub path: PathBuf,
    /// What it is.
    pub usb: Option<Usb>,
}

/// An accelerator that the kernel shows as a UIO device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UioDevice {
    /// Its device file.
    pub path: PathBuf,
    /// Its bus address and size, as the kernel writes them.
    pub registers: Option<(String, String)>,
}

/// Contiguous memory that the kernel module u-dma-buf keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmaBuffer {
    /// Its device file.
    pub path: PathBuf,
    /// Bus address of its first byte.
    pub bus_address: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// How a UIO device of an accelerator is named: like its node in the device tree, without the address.
pub const UIO_NAME: &str = "edge_moe";
/// Where the kernel shows UIO devices, under `/sys`.
const UIO_CLASS: &str = "class/uio";
/// Where the kernel shows buffers of u-dma-buf, under `/sys`.
const DMA_BUFFER_CLASS: &str = "class/u-dma-buf";

/// Serial ports on USB, in order of their numbers.
pub fn serial_ports(sysfs: &Path) -> Result<Vec<SerialPort>> {
    let folder = sysfs.join("class/tty");
    let names = entries(&folder, |name| name.starts_with("ttyUSB") || name.starts_with("ttyACM"))?;
    let port = |name: String| {
        let usb = std::fs::canonicalize(folder.join(&name).join("device")).ok();
        SerialPort { path: Path::new("/dev").join(name), usb: usb.and_then(|device| usb_of(&device)) }
    };
    Ok(names.into_iter().map(port).collect())
}

/// Accelerators that are UIO devices, in order of their numbers.
pub fn uio_devices(sysfs: &Path) -> Result<Vec<UioDevice>> {
    let names = entries(&sysfs.join(UIO_CLASS), |name| name.starts_with("uio"))?;
    let ours = names.into_iter().filter(|name| uio_name(sysfs, name).as_deref() == Some(UIO_NAME));
    let device = |name: String| {
        let registers = uio_registers(sysfs, &name);
        UioDevice { path: Path::new("/dev").join(name), registers }
    };
    Ok(ours.map(device).collect())
}

/// What the kernel says that a UIO device such as `uio0` is; none if there is no such device.
pub fn uio_name(sysfs: &Path, device: &str) -> Option<String> {
    attribute(&sysfs.join(UIO_CLASS).join(device), "name")
}

/// Bus address and size of a UIO device's registers, as the kernel writes them.
pub fn uio_registers(sysfs: &Path, device: &str) -> Option<(String, String)> {
    let map = sysfs.join(UIO_CLASS).join(device).join("maps/map0");
    attribute(&map, "addr").zip(attribute(&map, "size"))
}

/// Buffers of u-dma-buf, in order of their names.
pub fn dma_buffers(sysfs: &Path) -> Result<Vec<DmaBuffer>> {
    let names = entries(&sysfs.join(DMA_BUFFER_CLASS), |_| true)?;
    Ok(names.iter().filter_map(|name| dma_buffer(sysfs, name)).collect())
}

/// A buffer of u-dma-buf such as `udmabuf0`; none if there is no such buffer.
pub fn dma_buffer(sysfs: &Path, name: &str) -> Option<DmaBuffer> {
    let folder = dma_buffer_folder(sysfs, name);
    let value = |of: &str| number(&attribute(&folder, of)?);
    Some(DmaBuffer {
        path: Path::new("/dev").join(name),
        bus_address: value("phys_addr")?,
        bytes: value("size")?,
    })
}

/// Where the attributes of a buffer of u-dma-buf are.
pub fn dma_buffer_folder(sysfs: &Path, name: &str) -> PathBuf {
    sysfs.join(DMA_BUFFER_CLASS).join(name)
}

/// A number as the kernel writes it, decimal or after `0x` hexadecimal.
pub fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

impl SerialPort {
    /// The board, such as `ulx3s-85f`, if the port says that it is one that is known.
    pub fn board(&self) -> Option<String> {
        let usb = self.usb.as_ref().filter(|usb| (&*usb.vendor_id, &*usb.product_id) == ("0403", "6015"))?;
        // As in `ULX3S FPGA 85K v3.0.8`.
        let size = usb.product.as_ref()?.strip_prefix("ULX3S FPGA ")?.split(' ').next()?;
        let thousands =
            size.strip_suffix('K').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(format!("ulx3s-{thousands}f"))
    }
}

/// What the nearest USB device above a device says.
fn usb_of(device: &Path) -> Option<Usb> {
    let folder = device.ancestors().find(|folder| folder.join("idVendor").is_file())?;
    Some(Usb {
        vendor_id: attribute(folder, "idVendor")?,
        product_id: attribute(folder, "idProduct")?,
        manufacturer: attribute(folder, "manufacturer"),
        product: attribute(folder, "product"),
        serial: attribute(folder, "serial"),
    })
}

/// An attribute of a device; none if it has none.
fn attribute(folder: &Path, name: &str) -> Option<String> {
    let bytes = std::fs::read(folder.join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Names in a folder, `ttyUSB2` before `ttyUSB10`; none if the kernel has no such folder.
fn entries(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let reading = |cause: std::io::Error| Error::reading(folder, cause);
    let entries = match std::fs::read_dir(folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(reading)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(reading)?.file_name().to_string_lossy().into_owned();
        if wanted(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| {
        let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        (kind.to_owned(), name.len(), name.clone())
    });
    Ok(names)
}
