//! The commands of a bitstream, one after another.

use crc::{CRC_16_UMTS, Crc, Digest};

use super::{Container, ContainerError, Device};

/// Polynomial 0x8005, start at zero, bits not reversed.
static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_UMTS);

/// Commands, by their bytes.
mod command {
    pub const COMPRESSION_DICTIONARY: u8 = 0x02;
    pub const CONTROL_REGISTER: u8 = 0x22;
    pub const RESET_CRC: u8 = 0x3b;
    pub const RESET_ADDRESS: u8 = 0x46;
    pub const DONE: u8 = 0x5e;
    pub const SPI_MODE: u8 = 0x79;
    pub const FRAMES: u8 = 0x82;
    pub const RAM_WRITE: u8 = 0xb2;
    pub const COMPRESSED_FRAMES: u8 = 0xb8;
    pub const USERCODE: u8 = 0xc2;
    pub const SECURITY: u8 = 0xce;
    pub const VERIFY_IDCODE: u8 = 0xe2;
    pub const RAM_ADDRESS: u8 = 0xf6;
    pub const PADDING: u8 = 0xff;
}

/// Operand of commands that a CRC follows.
const WITH_CRC: u8 = 0x80;
/// First operand of frames, but for their padding: a CRC after each, and a number of bytes of padding.
const FRAME_SETTINGS: u8 = 0x90;
/// First operand of a piece of block RAM: one CRC, at its end, and no padding.
const RAM_SETTINGS: u8 = 0xd0;
/// Bytes of a piece of block RAM: eight words of nine bits.
const RAM_BYTES: usize = 9;
/// SPI modes: fast read, dual, quad.
const SPI_MODES: [u8; 3] = [0x49, 0x51, 0x59];

type Result<T> = std::result::Result<T, ContainerError>;

/// Checks the commands from byte `start` on.
pub fn check(bytes: &[u8], start: usize, comment: Vec<String>) -> Result<Container> {
    let mut reader = Reader { bytes, at: start, crc: CRC.digest(), crcs: 0 };
    let mut state = State::default();
    while let Some(&byte) = bytes.get(reader.at) {
        if byte == command::PADDING {
            reader.at += 1;
        } else {
            state.execute(&mut reader, byte)?;
        }
    }
    let truncated = |within| ContainerError::Truncated { bytes: bytes.len(), within };
    match (state.device, state.compressed, state.done) {
        (Some(device), Some(compressed), true) => {
            Ok(Container { comment, device, compressed, ram_writes: state.ram_writes, crcs: reader.crcs })
        }
        _ => Err(truncated("the commands: the one that ends them is missing")),
    }
}

/// What the commands so far have set.
#[derive(Default)]
struct State {
    crc_reset: bool,
    device: Option<&'static Device>,
    dictionary: bool,
    /// Whether the frames were compressed, once they came.
    compressed: Option<bool>,
    ram_addressed: bool,
    ram_writes: usize,
    done: bool,
}

impl State {
    fn execute(&mut self, reader: &mut Reader<'_>, byte: u8) -> Result<()> {
        let at = reader.at;
        let order = |problem| Err(ContainerError::Order { at, problem });
        if self.done {
            return order("there is more after the command that ends the configuration");
        }
        if !self.crc_reset && !matches!(byte, command::SPI_MODE | command::RESET_CRC) {
            return order("the first command must reset the CRC");
        }
        let known = self.device.is_some();
        match byte {
            command::SPI_MODE => reader.spi_mode()?,
            command::RESET_CRC if self.crc_reset => return order("the CRC is reset a second time"),
            command::RESET_CRC => {
                reader.plain()?;
                reader.crc = CRC.digest();
                self.crc_reset = true;
            }
            command::VERIFY_IDCODE if known => return order("a second IDCODE"),
            command::VERIFY_IDCODE => self.device = Some(reader.idcode()?),
            _ if !known => return order("the IDCODE must come before anything it protects"),
            command::CONTROL_REGISTER => reader.plain_with(4, "the control register")?,
            command::RESET_ADDRESS | command::SECURITY => reader.plain()?,
            command::COMPRESSION_DICTIONARY => {
                reader.plain_with(8, "the compression dictionary")?;
                self.dictionary = true;
            }
            command::FRAMES | command::COMPRESSED_FRAMES => self.frames(reader, byte)?,
            command::USERCODE => reader.usercode()?,
            command::RAM_ADDRESS => {
                reader.plain_with(4, "an address of block RAM")?;
                self.ram_addressed = true;
            }
            command::RAM_WRITE if !self.ram_addressed => {
                return order("contents of block RAM come before their address");
            }
            command::RAM_WRITE => {
                reader.ram()?;
                self.ram_writes += 1;
            }
            command::DONE if self.compressed.is_none() => return order("it ends without any frames"),
            command::DONE => {
                reader.plain()?;
                self.done = true;
            }
            _ => return Err(ContainerError::Command { at, command: byte }),
        }
        Ok(())
    }

    fn frames(&mut self, reader: &mut Reader<'_>, byte: u8) -> Result<()> {
        let at = reader.at;
        let compressed = byte == command::COMPRESSED_FRAMES;
        let device = self.device.expect("checked before");
        if self.compressed.is_some() {
            return Err(ContainerError::Order { at, problem: "frames come a second time" });
        }
        if compressed && !self.dictionary {
            let problem = "compressed frames come before their dictionary";
            return Err(ContainerError::Order { at, problem });
        }
        reader.frames(device, compressed)?;
        self.compressed = Some(compressed);
        Ok(())
    }
}

/// A place in the file, and the CRC of what was read since the last one.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    crc: Digest<'static, u16>,
    crcs: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, within: &'static str) -> Result<&'a [u8]> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or(ContainerError::Truncated { bytes: self.bytes.len(), within })?;
        self.crc.update(bytes);
        self.at += length;
        Ok(bytes)
    }

    fn word(&mut self, within: &'static str) -> Result<u32> {
        let bytes = self.take(4, within)?;
        Ok(bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)))
    }

    /// A command with its operands, if `right` says that they are.
    fn command(&mut self, expected: &'static str, right: impl Fn([u8; 3]) -> bool) -> Result<[u8; 3]> {
        let at = self.at;
        let bytes = self.take(4, "a command")?;
        let operands = [bytes[1], bytes[2], bytes[3]];
        if right(operands) {
            return Ok(operands);
        }
        Err(ContainerError::Operands { at, command: bytes[0], operands, expected })
    }

    /// A command that has no operands.
    fn plain(&mut self) -> Result<()> {
        self.command("zeros", |operands| operands == [0; 3]).map(drop)
    }

    /// The same with data after it, which may be anything.
    fn plain_with(&mut self, length: usize, within: &'static str) -> Result<()> {
        self.plain()?;
        self.take(length, within).map(drop)
    }

    fn spi_mode(&mut self) -> Result<()> {
        let right = |[mode, rest @ ..]: [u8; 3]| SPI_MODES.contains(&mode) && rest == [0; 2];
        self.command("49, 51 or 59, then zeros", right).map(drop)
    }

    fn idcode(&mut self) -> Result<&'static Device> {
        let at = self.at;
        self.plain()?;
        let idcode = self.word("the IDCODE")?;
        Device::by_idcode(idcode).ok_or(ContainerError::Idcode { at, idcode })
    }

    fn usercode(&mut self) -> Result<()> {
        self.command("80, for a CRC, then zeros", |operands| operands == [WITH_CRC, 0, 0])?;
        self.take(4, "the usercode")?;
        self.crc(|| "the usercode".into())
    }

    fn ram(&mut self) -> Result<()> {
        let at = self.at;
        let [_, high, low] =
            self.command("d0, for one CRC, then a number", |operands| operands[0] == RAM_SETTINGS)?;
        self.take(RAM_BYTES * usize::from(u16::from_be_bytes([high, low])), "contents of block RAM")?;
        self.crc(|| format!("the block RAM at byte {at}"))
    }

    fn frames(&mut self, device: &'static Device, compressed: bool) -> Result<()> {
        let at = self.at;
        let right = |operands: [u8; 3]| operands[0] & 0xf0 == FRAME_SETTINGS;
        let [settings, high, low] = self.command("9x, for a CRC after each frame, then a number", right)?;
        let (found, padding) = (u16::from_be_bytes([high, low]), usize::from(settings & 0xf));
        if found != device.frames {
            let (expected, device) = (device.frames, device.name);
            return Err(ContainerError::Frames { at, found, expected, device });
        }
        for frame in 0..found {
            let within = "the configuration frames";
            let length = if compressed {
                // Padded in front to whole words of 64 bits before it was compressed.
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                compressed_bytes(rest, device.frame_bytes.next_multiple_of(8))
            } else {
                Some(device.frame_bytes)
            };
            let length = length.ok_or(ContainerError::Truncated { bytes: self.bytes.len(), within })?;
            self.take(length, within)?;
            self.crc(|| format!("frame {frame} of {found}"))?;
            let at = self.at;
            let ones = self.take(padding, within)?;
            if let Some(place) = ones.iter().position(|&byte| byte != 0xff) {
                return Err(ContainerError::Padding { at: at + place, found: ones[place] });
            }
        }
        Ok(())
    }

    /// Reads a CRC, compares it and starts the next.
    fn crc(&mut self, of: impl FnOnce() -> String) -> Result<()> {
        let computed = std::mem::replace(&mut self.crc, CRC.digest()).finalize();
        let at = self.at;
        let bytes = self.take(2, "a CRC")?;
        let found = u16::from_be_bytes([bytes[0], bytes[1]]);
        if found != computed {
            return Err(ContainerError::Crc { at, of: of(), found, computed });
        }
        self.crc = CRC.digest();
        self.crcs += 1;
        Ok(())
    }
}

/// Whole bytes that a frame of `values` bytes takes compressed; none if it does not end.
///
/// Codes, from the most significant bit on: `0` is a zero; `100` a byte with one bit set, `101` one of the
/// dictionary, each with a number of three bits; `11` with eight bits is any byte.
fn compressed_bytes(bytes: &[u8], values: usize) -> Option<usize> {
    let bit = |at: usize| bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 != 0);
    let mut at = 0;
    for _ in 0..values {
        at += match (bit(at)?, bit(at + 1)) {
            (false, _) => 1,
            (true, Some(false)) => 6,
            (true, Some(true)) => 10,
            (true, None) => return None,
        };
    }
    Some(at.div_ceil(8))
}
