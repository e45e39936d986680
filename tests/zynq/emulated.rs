//! The accelerator of `tests/link/board.rs` behind registers and a buffer, in simulated time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edge_moe::Result;
use edge_moe::device::{Buffer, Registers, ZynqDevice};
use edge_moe_isa::link::Target;
use edge_moe_isa::registers::{Register, control};

use crate::board::Board;

/// Where the buffer is on the bus.
pub const BUS_ADDRESS: u64 = 0x12_3456_7000;

/// What both sides of the bus see.
pub struct World {
    pub board: Board,
    pub bus_address: u64,
}

#[derive(Clone)]
pub struct Emulated(pub Rc<RefCell<World>>);

impl Emulated {
    pub fn new(board: Board) -> Self {
        Self(Rc::new(RefCell::new(World { board, bus_address: BUS_ADDRESS })))
    }

    pub fn open(&self) -> Result<ZynqDevice> {
        ZynqDevice::over(Box::new(self.clone()), Box::new(self.clone()))
    }
}

impl Registers for Emulated {
    fn name(&self) -> String {
        "registers".into()
    }

    fn read(&mut self, registers: &[Register], values: &mut [u32]) -> Result<()> {
        let World { board, .. } = &mut *self.0.borrow_mut();
        for (register, value) in registers.iter().zip(values) {
            *value = board.read_register(register.offset());
        }
        Ok(())
    }

    fn write(&mut self, registers: &[(Register, u32)]) -> Result<()> {
        let World { board, bus_address, .. } = &mut *self.0.borrow_mut();
        for (register, value) in registers {
            if (*register, *value) == (Register::Control, control::START) {
                // The board's memory begins at its address 0 whatever these say.
                let base = [Register::BaseHigh, Register::BaseLow].map(|half| u64::from(board.get(half)));
                assert_eq!(base[0] << 32 | base[1], *bus_address);
            }
            board.write_register(register.offset(), *value);
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.0.borrow().board.now
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        self.0.borrow_mut().board.now += longest;
        Ok(())
    }
}

impl Buffer for Emulated {
    fn name(&self) -> String {
        "buffer".into()
    }

    fn bus_address(&self) -> u64 {
        self.0.borrow().bus_address
    }

    fn bytes(&self) -> u64 {
        self.0.borrow().board.memory.len() as u64
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.0.borrow_mut().board.memory[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(&self.0.borrow().board.memory[offset..offset + bytes.len()]);
        Ok(())
    }
}
