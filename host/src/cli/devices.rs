//! `edge-moe devices`: what can run programs here.

use std::path::{Path, PathBuf};

use clap::Args;
use edge_moe::Result;
use edge_moe::attached::{DmaBuffer, SerialPort, UioDevice, Usb, dma_buffers, serial_ports, uio_devices};
use edge_moe::bitstream::{Manifest, manifest_of};
use edge_moe::device::Simd;
use serde::Serialize;

use super::bitstreams::BitstreamsOption;
use super::{print, print_json};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bitstreams: BitstreamsOption,

    /// Print as JSON
    #[arg(long)]
    json: bool,

    /// Where the kernel shows devices
    #[arg(long, value_name = "DIR", env = "EDGE_MOE_SYSFS", default_value = "/sys", hide = true)]
    sysfs: PathBuf,
}

#[derive(Serialize)]
struct Listing {
    devices: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    /// How it is named to other verbs.
    device: String,
    /// What it is.
    description: String,
    /// The board, if it is one that is known.
    board: Option<String>,
    usb: Option<Usb>,
    /// Architectures that it runs: `any`, names, or nothing if that is not known.
    runs: Vec<String>,
    /// What must be done or known before it runs.
    note: Option<String>,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let boards = arguments.bitstreams.folder();
    let mut devices = vec![software()];
    #[cfg(feature = "sim")]
    devices.push(rtl());
    devices.extend(serial_ports(&arguments.sysfs)?.iter().map(|port| serial(port, &boards)));
    let buffers = dma_buffers(&arguments.sysfs)?;
    devices.extend(uio_devices(&arguments.sysfs)?.iter().map(|device| zynq(device, &buffers)));
    if arguments.json {
        return print_json(&Listing { devices });
    }
    let width = devices.iter().map(|device| device.device.len()).max().unwrap_or(0) + 2;
    print(&devices.iter().map(|device| line(device, width)).collect::<String>())
}

fn line(listed: &Listed, width: usize) -> String {
    let Listed { device, description, board, runs, note, .. } = listed;
    let mut parts = vec![description.clone()];
    parts.extend(board.as_ref().map(|board| format!("board {board}")));
    if !runs.is_empty() {
        parts.push(format!("runs {}", runs.join(", ")));
    }
    parts.extend(note.clone());
    format!("{device:<width$}{}\n", parts.join("; "))
}

fn software() -> Listed {
    Listed {
        device: "software".into(),
        description: format!("software device ({})", Simd::best()),
        board: None,
        usb: None,
        runs: vec!["any".into()],
        note: None,
    }
}

#[cfg(feature = "sim")]
fn rtl() -> Listed {
    Listed {
        device: "rtl".into(),
        description: "the RTL under Verilator".into(),
        board: None,
        usb: None,
        runs: edge_moe_isa::arch::ArchConfig::named().map(|arch| arch.name).into(),
        note: None,
    }
}

fn serial(port: &SerialPort, boards: &Path) -> Listed {
    let board = port.board();
    let (runs, note) = board.as_ref().map_or((Vec::new(), None), |board| runs_on(board, boards));
    Listed {
        device: format!("uart:{}", port.path.display()),
        description: port.usb.as_ref().map_or("serial port".into(), usb_text),
        board,
        usb: port.usb.clone(),
        runs,
        note,
    }
}

fn usb_text(usb: &Usb) -> String {
    let Usb { vendor_id, product_id, product, serial, .. } = usb;
    let mut text = product.as_deref().unwrap_or("serial port").to_owned();
    if let Some(serial) = serial {
        text += &format!(", serial number {serial}");
    }
    text + &format!(" ({vendor_id}:{product_id})")
}

/// The architecture of a board's bitstream, and how the board comes to have it.
fn runs_on(board: &str, boards: &Path) -> (Vec<String>, Option<String>) {
    match manifest_of(boards, board).and_then(|path| Manifest::read(&path)) {
        Ok(manifest) => {
            (vec![manifest.arch.name], Some(format!("once `edge-moe deploy {board}` has programmed it")))
        }
        Err(problem) => (Vec::new(), Some(problem.to_string())),
    }
}

/// An accelerator on the bus, with the buffer that it would use.
fn zynq(device: &UioDevice, buffers: &[DmaBuffer]) -> Listed {
    let registers = device
        .registers
        .as_ref()
        .map(|(address, bytes)| format!(", {bytes} bytes of registers at {address}"));
    let (buffer, note) = match buffers {
        [] => (None, "there is no buffer of u-dma-buf, which it needs: see docs/zynq.md".to_owned()),
        [one] => (Some(one), "its registers say what it runs".to_owned()),
        several => {
            let paths: Vec<_> = several.iter().map(|buffer| buffer.path.display().to_string()).collect();
            (None, format!("say with which buffer: {}", paths.join(", ")))
        }
    };
    let mut description = format!("accelerator on the bus{}", registers.unwrap_or_default());
    let mut name = format!("zynq:{}", device.path.display());
    if let Some(DmaBuffer { path, bus_address, bytes }) = buffer {
        name += &format!(",{}", path.display());
        description += &format!(", buffer of {bytes} bytes at 0x{bus_address:x}");
    }
    Listed { device: name, description, board: None, usb: None, runs: Vec::new(), note: Some(note) }
}
