//! Registers and memory of a board, by the requests of the link.

use std::time::Duration;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::link::{CHECKSUM_BYTES, LINK_VERSION, Operation, PAYLOAD_BYTES};
use edge_moe_isa::registers::{CONSTANTS, Register};

use super::UartAddress;
use super::exchange::{Exchange, Request};
use super::line::{Line, SerialLine};
use crate::device::registers::{self, Registers};
use crate::{Error, Result};

/// What a board says of itself when a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Bytes of its memory.
    pub memory_bytes: u32,
    /// Its clock, above zero.
    pub clock_mhz: u16,
}

/// A line with a board at its other end. Every call returns when the board has answered, or fails in bounded
/// time.
pub struct Link {
    exchange: Exchange,
    session: u32,
    /// Programs started in this session.
    starts: u32,
}

impl Link {
    /// Opens a serial line; nothing is asked yet.
    ///
    /// # Errors
    /// Those of [`SerialLine::open`].
    pub fn open(address: &UartAddress) -> Result<Self> {
        Ok(Self::over(Box::new(SerialLine::open(address)?), rand::random()))
    }

    /// A link over any line. Sessions count up from `session`.
    pub fn over(line: Box<dyn Line>, session: u32) -> Self {
        Self { exchange: Exchange::new(line), session, starts: 0 }
    }

    /// What messages call its line.
    pub fn name(&self) -> String {
        self.exchange.name()
    }

    /// An error of this line.
    pub(super) fn error(&self, problem: impl std::fmt::Display) -> Error {
        self.exchange.error(problem)
    }

    /// Begins a session: from now on a reset of the board is noticed.
    ///
    /// # Errors
    /// No answer, or a board that speaks another version of the link.
    pub fn hello(&mut self) -> Result<Board> {
        // Zero is no session.
        self.session = self.session.wrapping_add(1).max(1);
        self.exchange.set_session(self.session);
        self.starts = 0;
        let (memory_bytes, value) = self.ask_one(Operation::Hello, 0, self.session)?;
        let (version, clock_mhz) = (value as u16, (value >> 16) as u16);
        if version != LINK_VERSION {
            let problem =
                format!("the board speaks version {version} of the link, this command {LINK_VERSION}");
            return Err(self.error(problem).hint("use bitstream and command of the same release"));
        }
        if clock_mhz == 0 {
            return Err(self.error("the board says that its clock is 0 MHz"));
        }
        Ok(Board { memory_bytes, clock_mhz })
    }

    /// Reads a register.
    pub fn read_register(&mut self, register: Register) -> Result<u32> {
        Ok(self.read_registers([register])?[0])
    }

    /// Reads registers, in any order of time.
    pub fn read_registers<const N: usize>(&mut self, registers: [Register; N]) -> Result<[u32; N]> {
        let mut values = [0; N];
        self.read(&registers, &mut values)?;
        Ok(values)
    }

    /// Writes a register.
    pub fn write_register(&mut self, register: Register, value: u32) -> Result<()> {
        self.write_registers(&[(register, value)])
    }

    /// Writes registers, in any order of time.
    pub fn write_registers(&mut self, registers: &[(Register, u32)]) -> Result<()> {
        self.write(registers)
    }

    /// Writes 1 to `control`, once, whatever the line repeats. The board may refuse: see its `status`.
    pub fn start(&mut self) -> Result<()> {
        let (_, started) = self.ask_one(Operation::Start, 0, self.starts)?;
        self.starts = self.starts.wrapping_add(1);
        if started != self.starts {
            let expected = self.starts;
            return Err(
                self.error(format!("the board counts {started} starts in this session, not {expected}"))
            );
        }
        Ok(())
    }

    /// Writes memory; `progress` is told how many bytes are written, as their number grows.
    ///
    /// # Errors
    /// Those of the line; an address or length that is no multiple of 4.
    pub fn write_memory(
        &mut self,
        address: u32,
        bytes: &[u8],
        progress: &mut dyn FnMut(usize),
    ) -> Result<()> {
        self.check_words(address, bytes.len())?;
        let chunks = bytes.chunks(PAYLOAD_BYTES);
        let requests = chunks
            .zip((address..).step_by(PAYLOAD_BYTES))
            .map(|(payload, address)| Request { payload, ..request(Operation::WriteMemory, address, 0) });
        let mut written = 0;
        self.exchange.ask(requests, |index, _, _| {
            written += PAYLOAD_BYTES.min(bytes.len() - index * PAYLOAD_BYTES);
            progress(written);
        })
    }

    /// Reads memory.
    ///
    /// # Errors
    /// Those of the line; an address or length that is no multiple of 4.
    pub fn read_memory(&mut self, address: u32, bytes: &mut [u8]) -> Result<()> {
        self.check_words(address, bytes.len())?;
        let requests = parts(address, bytes.len(), PAYLOAD_BYTES)
            .map(|(address, bytes)| request(Operation::ReadMemory, address, bytes));
        self.exchange.ask(requests, |index, _, payload| {
            bytes[index * PAYLOAD_BYTES..][..payload.len()].copy_from_slice(payload);
        })
    }

    /// CRC-32 of 4 to 65536 bytes of the board's memory.
    pub fn checksum(&mut self, address: u32, bytes: u32) -> Result<u32> {
        Ok(self.ask_one(Operation::Checksum, address, bytes)?.1)
    }

    /// Compares the board's memory with what it should hold, by checksums of blocks of 64 KiB: the indices
    /// of the blocks that differ.
    ///
    /// # Errors
    /// Those of the line; an address or length that is no multiple of 4.
    pub fn differing_blocks(&mut self, address: u32, expected: &[u8]) -> Result<Vec<usize>> {
        self.check_words(address, expected.len())?;
        let block = CHECKSUM_BYTES as usize;
        let requests = parts(address, expected.len(), block)
            .map(|(address, bytes)| request(Operation::Checksum, address, bytes));
        let mut sums = vec![0; expected.len().div_ceil(block)];
        self.exchange.ask(requests, |index, answer, _| sums[index] = answer.value)?;
        let differs = |(index, bytes)| (crc32fast::hash(bytes) != sums[index]).then_some(index);
        Ok(expected.chunks(block).enumerate().filter_map(differs).collect())
    }

    /// Checks that the board's memory holds what `happened` to it.
    ///
    /// # Errors
    /// Memory that does not keep what it is given; those of [`differing_blocks`](Self::differing_blocks).
    pub(super) fn verify(&mut self, address: u32, expected: &[u8], happened: &str) -> Result<()> {
        let Some(&block) = self.differing_blocks(address, expected)?.first() else { return Ok(()) };
        let start = address as usize + block * CHECKSUM_BYTES as usize;
        let problem = format!("memory of the board from 0x{start:x} on does not hold what {happened}");
        Err(self.error(problem).hint("its memory is faulty, or clocked too fast"))
    }

    /// The registers that never change, in the order of [`constants`](edge_moe_isa::registers::constants).
    pub fn identify(&mut self) -> Result<[u32; CONSTANTS]> {
        registers::identify(self)
    }

    /// Checks that the board is an accelerator of exactly these sizes.
    ///
    /// # Errors
    /// Everything that differs.
    pub fn check_identity(&mut self, arch: &ArchConfig) -> Result<()> {
        registers::check_identity(self, arch)
    }

    /// Address and value of the answer to one request.
    fn ask_one(&mut self, operation: Operation, address: u32, value: u32) -> Result<(u32, u32)> {
        let mut answered = (0, 0);
        let one = [request(operation, address, value)];
        self.exchange.ask(one, |_, answer, _| answered = (answer.address, answer.value))?;
        Ok(answered)
    }

    fn check_words(&self, address: u32, bytes: usize) -> Result<()> {
        let end = u64::from(address) + bytes as u64;
        if !address.is_multiple_of(4) || !bytes.is_multiple_of(4) || end > 1 << 32 {
            return Err(
                self.error(format!("{bytes} bytes at 0x{address:x} are not whole words of 32-bit memory"))
            );
        }
        Ok(())
    }
}

impl Registers for Link {
    fn name(&self) -> String {
        self.exchange.name()
    }

    fn read(&mut self, registers: &[Register], values: &mut [u32]) -> Result<()> {
        let requests =
            registers.iter().map(|register| request(Operation::ReadRegister, register.offset(), 0));
        self.exchange.ask(requests, |index, answer, _| values[index] = answer.value)
    }

    fn write(&mut self, registers: &[(Register, u32)]) -> Result<()> {
        let requests = registers
            .iter()
            .map(|&(register, value)| request(Operation::WriteRegister, register.offset(), value));
        self.exchange.ask(requests, |_, _, _| ())
    }

    fn start(&mut self) -> Result<()> {
        Self::start(self)
    }

    fn now(&self) -> Duration {
        self.exchange.now()
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        self.exchange.line().pause(longest);
        Ok(())
    }
}

fn request<'a>(operation: Operation, address: u32, value: u32) -> Request<'a> {
    Request { operation, address, value, payload: &[] }
}

/// Address and length of the parts of a range.
fn parts(address: u32, bytes: usize, part: usize) -> impl Iterator<Item = (u32, u32)> {
    let part_at = move |offset: usize| (address + offset as u32, part.min(bytes - offset) as u32);
    (0..bytes).step_by(part).map(part_at)
}
