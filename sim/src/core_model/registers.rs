//! Registers, over the core's AXI4-Lite port.

use edge_moe_isa::registers::{Register, control};
use verilated::Port;

use super::CoreModel;
use crate::{Error, Result};

/// Cycles that an access may take.
const PATIENCE: u64 = 1000;

impl CoreModel {
    /// Reads a register; takes a few cycles.
    pub fn read_register(&mut self, register: Register) -> Result<u32> {
        self.model.set(self.ports.araddr, register.offset().into())?;
        self.model.set(self.ports.arvalid, 1)?;
        self.model.set(self.ports.rready, 1)?;
        let mut value = None;
        for _ in 0..PATIENCE {
            self.begin_cycle()?;
            let taken = self.is_high(self.ports.arready)?;
            if self.is_high(self.ports.rvalid)? {
                value = Some(self.model.get(self.ports.rdata)? as u32);
                self.check_response(self.ports.rresp, register)?;
            }
            self.end_cycle()?;
            if taken {
                self.model.set(self.ports.arvalid, 0)?;
            }
            if let Some(value) = value {
                self.model.set(self.ports.rready, 0)?;
                return Ok(value);
            }
        }
        Err(self.no_answer("read", register))
    }

    /// Writes a register; takes a few cycles. What is seen of the core begins anew with a program that is started.
    pub fn write_register(&mut self, register: Register, value: u32) -> Result<()> {
        if register == Register::Control && value & control::START != 0 && !self.is_running() {
            self.observer.start(self.memory.total_traffic());
        }
        self.model.set(self.ports.awaddr, register.offset().into())?;
        self.model.set(self.ports.awvalid, 1)?;
        self.model.set(self.ports.wdata, value.into())?;
        self.model.set(self.ports.wstrb, 0xf)?;
        self.model.set(self.ports.wvalid, 1)?;
        self.model.set(self.ports.bready, 1)?;
        for _ in 0..PATIENCE {
            self.begin_cycle()?;
            let address_taken = self.is_high(self.ports.awready)?;
            let data_taken = self.is_high(self.ports.wready)?;
            let answered = self.is_high(self.ports.bvalid)?;
            if answered {
                self.check_response(self.ports.bresp, register)?;
            }
            self.end_cycle()?;
            if address_taken {
                self.model.set(self.ports.awvalid, 0)?;
            }
            if data_taken {
                self.model.set(self.ports.wvalid, 0)?;
            }
            if answered {
                self.model.set(self.ports.bready, 0)?;
                return Ok(());
            }
        }
        Err(self.no_answer("write", register))
    }

    /// Nothing on the register bus.
    pub(super) fn registers_idle(&mut self) -> Result<()> {
        for port in
            [self.ports.arvalid, self.ports.rready, self.ports.awvalid, self.ports.wvalid, self.ports.bready]
        {
            self.model.set(port, 0)?;
        }
        Ok(())
    }

    fn is_high(&self, port: Port) -> Result<bool> {
        Ok(self.model.get(port)? != 0)
    }

    fn check_response(&self, port: Port, register: Register) -> Result<()> {
        match self.model.get(port)? {
            0 => Ok(()),
            response => {
                let problem = format!("answer {response} to an access of register {register:?}, not 0");
                Err(Error::Contradiction { cycle: self.cycle, problem })
            }
        }
    }

    fn no_answer(&self, access: &'static str, register: Register) -> Error {
        Error::Register { cycle: self.cycle, access, register, waited: PATIENCE }
    }
}
