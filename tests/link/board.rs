//! A board for tests of the link: registers, memory, and a core that runs what stands in them.
#![allow(dead_code, reason = "each test uses some of it")]

use std::sync::Arc;
use std::time::Duration;

use edge_moe::device::{Device, SoftwareDevice};
use edge_moe::executable::{Executable, Listing};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact::Step;
use edge_moe_isa::descriptor::{BYTES, Descriptor, Operation};
use edge_moe_isa::link::Target;
use edge_moe_isa::registers::{
    self, Access, DEFAULT_TIMEOUT, ErrorCode, REGISTERS, Register, control, status,
};

/// What memory holds after power-up: anything but zeros.
const GARBAGE: u8 = 0xa5;
/// Clock of the core.
const CYCLES_PER_MICROSECOND: u32 = 80;
/// What the counters say of every program.
pub const COUNTED: [(Register, u32); 3] =
    [(Register::Cycles, 54_321), (Register::ReadBeats, 1000), (Register::WriteBeats, 10)];

/// A board. Programs take `run_time`; the software device computes what they leave.
#[derive(Default)]
pub struct Board {
    arch: ArchOf,
    registers: Vec<u32>,
    pub memory: Vec<u8>,
    pub now: Duration,
    pub run_time: Duration,
    /// A program stops with this error instead of ending.
    pub fails: Option<ErrorCode>,
    /// Starts that are refused before one is accepted.
    pub refusals: u32,
    /// The cycle counter stands still while a program runs.
    pub standstill: bool,
    /// Programs that were run to their end.
    pub runs: u32,
    ends: Option<Duration>,
}

/// The sizes of a board.
struct ArchOf(ArchConfig);

impl Default for ArchOf {
    fn default() -> Self {
        Self(ArchConfig::tiny())
    }
}

impl Board {
    pub fn new(arch: ArchConfig, memory_bytes: usize) -> Self {
        let memory = vec![GARBAGE; memory_bytes];
        let run_time = Duration::from_millis(30);
        Self { arch: ArchOf(arch), memory, run_time, ..Self::default() }.reset()
    }

    /// As after a power failure.
    pub fn reset(mut self) -> Self {
        self.registers =
            vec![0; REGISTERS.iter().map(|layout| layout.offset as usize / 4 + 1).max().unwrap()];
        self.memory.fill(GARBAGE);
        self.ends = None;
        self.set(Register::Timeout, DEFAULT_TIMEOUT);
        for (register, value) in registers::constants(&self.arch.0) {
            self.set(register, value);
        }
        self
    }

    pub fn set(&mut self, register: Register, value: u32) {
        self.registers[register.offset() as usize / 4] = value;
    }

    pub fn get(&self, register: Register) -> u32 {
        self.registers[register.offset() as usize / 4]
    }

    /// A program that goes on until it is stopped.
    pub fn run_for_ever(&mut self) {
        self.ends = Some(Duration::MAX);
        self.set(Register::Status, status::BUSY);
    }

    fn start(&mut self) {
        if self.ends.is_some() || self.refusals > 0 {
            self.refusals = self.refusals.saturating_sub(1);
            self.set(Register::Status, self.get(Register::Status) | status::REFUSED);
            return;
        }
        self.ends = Some(self.now + self.run_time);
        self.set(Register::Status, status::BUSY);
    }

    fn stop(&mut self) {
        if self.ends.take().is_some() {
            self.end(Err(ErrorCode::Stopped));
        }
    }

    /// Ends the program whose time is over.
    fn update(&mut self) {
        if self.ends.is_none_or(|ends| ends > self.now) {
            return;
        }
        self.ends = None;
        let result = match self.fails {
            Some(code) => Err(code),
            None => self.execute().map_err(|_| ErrorCode::Operand),
        };
        self.runs += u32::from(result.is_ok());
        self.end(result);
    }

    fn end(&mut self, result: Result<(), ErrorCode>) {
        let (status, code) = match result {
            Ok(()) => (status::DONE, 0),
            Err(code) => (status::ERROR, code as u32),
        };
        self.set(Register::Status, status);
        self.set(Register::Error, code);
        COUNTED.into_iter().for_each(|(register, value)| self.set(register, value));
    }

    /// Runs the program at `program`, as it stands in memory.
    fn execute(&mut self) -> edge_moe::Result<()> {
        let [writable, total, program] = [Register::WritableBytes, Register::TotalBytes, Register::Program]
            .map(|register| self.get(register) as usize);
        let decode = |bytes: &[u8; BYTES]| Descriptor::decode(bytes).expect("a program stands there");
        let descriptors = self.memory[program..].as_chunks().0.iter().map(decode);
        let before_end = descriptors.take_while(|one| !matches!(one.operation, Operation::End(_))).count();
        let steps = vec![Step { label: String::new(), results: Vec::new() }; before_end + 1];
        let listing = Listing { address: program as u64, steps };
        let image = self.memory[writable..total].to_vec();
        let executable = Executable::of_program(self.arch.0.clone(), writable as u64, image, listing)?;
        let mut device = SoftwareDevice::new();
        device.load(Arc::new(executable))?;
        device.write_memory(0, &self.memory[..writable])?;
        device.run(0)?;
        device.read_memory(0, &mut self.memory[..writable])
    }
}

impl Target for Board {
    fn read_register(&mut self, offset: u32) -> u32 {
        self.update();
        if offset == Register::Cycles.offset() && self.ends.is_some() && !self.standstill {
            return (self.now.as_micros() as u32).wrapping_mul(CYCLES_PER_MICROSECOND);
        }
        self.registers.get(offset as usize / 4).copied().unwrap_or(0)
    }

    fn write_register(&mut self, offset: u32, value: u32) {
        self.update();
        let layout = REGISTERS.iter().find(|layout| layout.offset == offset);
        match layout.map(|layout| (layout.register, layout.access)) {
            Some((Register::Control, _)) if value & control::START != 0 => self.start(),
            Some((Register::Control, _)) if value & control::STOP != 0 => self.stop(),
            Some((Register::Status, _)) => {
                self.set(Register::Status, self.get(Register::Status) & !(value & !status::BUSY));
            }
            Some((register, Access::ReadWrite)) if self.ends.is_none() => self.set(register, value),
            _ => (),
        }
    }

    fn memory(&mut self) -> &mut [u8] {
        self.update();
        &mut self.memory
    }
}
