//! Bitstreams of ECP5 FPGAs: everything that can be checked of one without a board.
//!
//! A file is a comment (`FF 00`, strings that end in a zero, `FF`), the preamble, and commands: a byte that
//! names it, three bytes of operands, data. Words are big-endian. Configuration comes as frames, plain or
//! each compressed for itself; contents of block RAM follow. A CRC-16 (polynomial 0x8005, start at zero,
//! bits not reversed) covers everything from the command that resets it, or from the last CRC, but not
//! padding between commands. Facts from Lattice's sysCONFIG guide (FPGA-TN-02039) and from Project Trellis'
//! documentation of the format; compared with what Trellis' `ecppack` writes and `ecpunpack` accepts.
//!
//! No CRC covers the comment, the SPI mode, the command that ends the configuration and the padding. Of
//! these, all but the comment's text, which of the three SPI modes it is, and how much padding ends the
//! file can be checked by their form; for the rest there is the manifest's SHA-256.

mod commands;
#[cfg(test)]
mod tests;

use thiserror::Error;

/// A member of the family.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// How its part numbers begin.
    pub name: &'static str,
    /// What its JTAG port answers.
    pub idcode: u32,
    /// Configuration frames.
    pub frames: u16,
    /// Bytes of a frame.
    pub frame_bytes: usize,
}

/// The members that boards such as the ULX3S carry.
pub const DEVICES: [Device; 4] = [
    Device { name: "LFE5U-12F", idcode: 0x2111_1043, frames: 7562, frame_bytes: 74 },
    Device { name: "LFE5U-25F", idcode: 0x4111_1043, frames: 7562, frame_bytes: 74 },
    Device { name: "LFE5U-45F", idcode: 0x4111_2043, frames: 9470, frame_bytes: 106 },
    Device { name: "LFE5U-85F", idcode: 0x4111_3043, frames: 13294, frame_bytes: 142 },
];

impl Device {
    /// The one with that IDCODE.
    pub fn by_idcode(idcode: u32) -> Option<&'static Self> {
        DEVICES.iter().find(|device| device.idcode == idcode)
    }
}

/// An IDCODE with the device's name, for messages.
pub fn idcode_text(idcode: u32) -> String {
    format!("0x{idcode:08x} ({})", Device::by_idcode(idcode).map_or("unknown", |device| device.name))
}

/// What a whole bitstream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Strings of the comment.
    pub comment: Vec<String>,
    /// The device that it configures.
    pub device: &'static Device,
    /// Whether frames are compressed.
    pub compressed: bool,
    /// Block RAMs whose contents it sets, in pieces as the file has them.
    pub ram_writes: usize,
    /// CRCs that were checked.
    pub crcs: usize,
}

/// Why a file is not a whole bitstream; positions are byte offsets in the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContainerError {
    /// It does not begin as it must.
    #[error("does not begin with the bytes ff 00: it is no Lattice bitstream")]
    Magic,
    /// The comment holds something other than text.
    #[error("byte {at}: the comment holds 0x{found:02x}, which is no text")]
    Comment {
        /// Where.
        at: usize,
        /// The byte.
        found: u8,
    },
    /// The comment names another device.
    #[error("the comment says `{comment}`, the IDCODE is that of {device}")]
    Part {
        /// The string.
        comment: String,
        /// Name of the device.
        device: &'static str,
    },
    /// No preamble after the comment.
    #[error("byte {at}: the preamble ff ff bd b3 is missing")]
    Preamble {
        /// Where it should be.
        at: usize,
    },
    /// The file ends too early.
    #[error("is cut off: it ends after {bytes} bytes, within {within}")]
    Truncated {
        /// Bytes of the file.
        bytes: usize,
        /// What is not whole.
        within: &'static str,
    },
    /// A byte that is no command.
    #[error("byte {at}: 0x{command:02x} is no command of an ECP5 bitstream")]
    Command {
        /// Where.
        at: usize,
        /// The byte.
        command: u8,
    },
    /// Operands of a command that no tool writes.
    #[error("byte {at}: command 0x{command:02x} has operands {operands:02x?}, expected {expected}")]
    Operands {
        /// Where the command is.
        at: usize,
        /// The command.
        command: u8,
        /// What it has.
        operands: [u8; 3],
        /// What is right.
        expected: &'static str,
    },
    /// A command that cannot stand where it does.
    #[error("byte {at}: {problem}")]
    Order {
        /// Where the command is.
        at: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// No device has this IDCODE.
    #[error("byte {at}: no ECP5 that is known has IDCODE 0x{idcode:08x}")]
    Idcode {
        /// Where.
        at: usize,
        /// The IDCODE.
        idcode: u32,
    },
    /// A number of frames that is not the device's.
    #[error("byte {at}: {found} frames, {device} has {expected}")]
    Frames {
        /// Where the command is.
        at: usize,
        /// In the file.
        found: u16,
        /// Of the device.
        expected: u16,
        /// Name of the device.
        device: &'static str,
    },
    /// Padding that is not of ones.
    #[error("byte {at}: padding is 0x{found:02x}, expected 0xff")]
    Padding {
        /// Where.
        at: usize,
        /// The byte.
        found: u8,
    },
    /// A CRC that does not fit.
    #[error("byte {at}: CRC-16 of {of} is 0x{found:04x}, of the bytes it is 0x{computed:04x}")]
    Crc {
        /// Where.
        at: usize,
        /// What it covers.
        of: String,
        /// In the file.
        found: u16,
        /// Of the bytes.
        computed: u16,
    },
}

/// Checks a whole bitstream.
pub fn check(bytes: &[u8]) -> Result<Container, ContainerError> {
    let (comment, start) = header(bytes)?;
    let container = commands::check(bytes, start, comment)?;
    let part = container.comment.iter().find_map(|text| text.strip_prefix("Part: "));
    match part.filter(|part| !part.starts_with(container.device.name)) {
        Some(part) => {
            Err(ContainerError::Part { comment: format!("Part: {part}"), device: container.device.name })
        }
        None => Ok(container),
    }
}

/// Strings of the comment, and where the first command begins.
fn header(bytes: &[u8]) -> Result<(Vec<String>, usize), ContainerError> {
    let truncated = |within| ContainerError::Truncated { bytes: bytes.len(), within };
    if !bytes.starts_with(&[0xff, 0x00]) {
        return Err(ContainerError::Magic);
    }
    let (mut comment, mut at) = (Vec::new(), 2);
    while *bytes.get(at).ok_or(truncated("the comment"))? != 0xff {
        let length = bytes[at..].iter().position(|&byte| byte == 0).ok_or(truncated("the comment"))?;
        let text = &bytes[at..at + length];
        if let Some(place) = text.iter().position(|byte| !matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
        {
            return Err(ContainerError::Comment { at: at + place, found: text[place] });
        }
        comment.push(String::from_utf8_lossy(text).into_owned());
        at += length + 1;
    }
    at += 1;
    let preamble = [0xff, 0xff, 0xbd, 0xb3];
    let found = bytes.get(at..at + preamble.len()).ok_or(truncated("the preamble"))?;
    if found != preamble {
        return Err(ContainerError::Preamble { at });
    }
    Ok((comment, at + preamble.len()))
}
