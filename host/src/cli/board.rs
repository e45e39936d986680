//! Boards that run programs: where one is, and opening it.

use std::fmt;
use std::str::FromStr;

use edge_moe::Result;
use edge_moe::device::{Device, UartAddress, UartDevice, ZynqAddress, ZynqDevice};

use super::progress;

/// How boards are named to `--device`.
pub const BOARDS: &str = "uart:PATH[,BAUD] and zynq[:UIO[,BUFFER]]";

/// Where a board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Board {
    /// On a serial line.
    Uart(UartAddress),
    /// On the bus of the processor that this runs on.
    Zynq(ZynqAddress),
}

impl Board {
    /// The board that a text names; none if it names none.
    pub fn parse(text: &str) -> Option<std::result::Result<Self, String>> {
        match text.split_once(':') {
            None if text == "zynq" => Some(Ok(Self::Zynq(ZynqAddress::default()))),
            Some(("uart", address)) => Some(UartAddress::from_str(address).map(Self::Uart)),
            Some(("zynq", address)) => Some(ZynqAddress::from_str(address).map(Self::Zynq)),
            _ => None,
        }
    }

    /// Opens it. Loading a model over a serial line shows a bar of its own.
    pub fn open(&self) -> Result<Box<dyn Device>> {
        match self {
            Self::Uart(address) => open_uart(address),
            Self::Zynq(address) => Ok(Box::new(ZynqDevice::open(address)?)),
        }
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uart(address) => write!(f, "uart:{address}"),
            Self::Zynq(address) if *address == ZynqAddress::default() => write!(f, "zynq"),
            Self::Zynq(address) => write!(f, "zynq:{address}"),
        }
    }
}

fn open_uart(address: &UartAddress) -> Result<Box<dyn Device>> {
    let mut device = UartDevice::open(address)?;
    let bar = progress::bytes("loading");
    device.on_progress(move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    });
    Ok(Box::new(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_named() {
        for text in ["uart:/dev/ttyUSB1,115200", "zynq", "zynq:/dev/uio4", "zynq:/dev/uio4,/dev/udmabuf0"] {
            assert_eq!(Board::parse(text).unwrap().unwrap().to_string(), text);
        }
        for text in ["", "uart", "zynqmp", "uio:/dev/uio4", "/dev/uio4"] {
            assert_eq!(Board::parse(text), None, "{text}");
        }
        assert!(Board::parse("uart:").unwrap().unwrap_err().contains("path"));
        assert!(Board::parse("zynq:").unwrap().unwrap_err().contains("/dev/uio4"));
    }
}
