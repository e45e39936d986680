//! Running programs.

use edge_moe_isa::registers::{Register, control, mode, status};

use super::CoreModel;
use crate::memory::Traffic;
use crate::{Error, Result};

/// Cycles between two calls that tell of progress.
const PROGRESS_CYCLES: u64 = 1 << 14;

/// A program to run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Address of the first descriptor in device memory.
    pub program: u32,
    /// One descriptor at a time; needed for [`CoreModel::run_to_settled`].
    pub serialise: bool,
    /// Raise the interrupt at the end.
    pub interrupt: bool,
    /// Cycles without progress after which the core gives up.
    pub timeout: u32,
    /// Cycles after which the host does.
    pub cycle_limit: u64,
}

/// What a finished run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Cycles of the program, as its register has them.
    pub cycles: u64,
    /// Bytes that crossed the memory ports.
    pub traffic: Traffic,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All results of this descriptor, and of all before it, are written.
    Settled(usize),
    /// The program reached its end.
    Ended,
}

impl CoreModel {
    /// Starts a program.
    ///
    /// # Errors
    /// [`Error::Refused`] if the core cannot start one now.
    pub fn start(&mut self, run: &Run) -> Result<()> {
        let base = self.memory.base();
        let modes = [(run.serialise, mode::SERIALISE), (run.interrupt, mode::INTERRUPT)];
        let mode = modes.iter().filter(|(wanted, _)| *wanted).map(|(_, bit)| bit).sum();
        let registers = [
            (Register::BaseLow, base as u32),
            (Register::BaseHigh, (base >> 32) as u32),
            (Register::WritableBytes, self.memory.writable().len() as u32),
            (Register::TotalBytes, self.memory.total_bytes() as u32),
            (Register::Program, run.program),
            (Register::Timeout, run.timeout),
            (Register::Mode, mode),
        ];
        for (register, value) in registers {
            self.write_register(register, value)?;
        }
        self.write_register(Register::Control, control::START)?;
        if self.read_register(Register::Status)? & status::REFUSED != 0 {
            return Err(Error::Refused { cycle: self.cycle });
        }
        self.limit = run.cycle_limit;
        self.deadline = self.cycle.saturating_add(run.cycle_limit);
        Ok(())
    }

    /// Runs the program that was started to its end. `progress` is told now and then which descriptor runs.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the program stopped, [`Error::CycleLimit`] if it did not.
    pub fn run_to_end(&mut self, progress: &mut dyn FnMut(usize)) -> Result<Ending> {
        while self.is_running() {
            let pause = self.deadline.min(self.cycle.saturating_add(PROGRESS_CYCLES));
            while self.is_running() && self.cycle < pause {
                self.step()?;
            }
            self.check_deadline()?;
            progress(self.last_descriptor());
        }
        self.ending()
    }

    /// Runs a serialised program until all results of its next descriptor are written.
    ///
    /// # Errors
    /// As [`run_to_end`](Self::run_to_end).
    pub fn run_to_settled(&mut self) -> Result<Step> {
        loop {
            if let Some(descriptor) = self.observer.take_settled() {
                return Ok(Step::Settled(descriptor));
            }
            if !self.is_running() {
                return self.ending().map(|_| Step::Ended);
            }
            self.check_deadline()?;
            self.step()?;
        }
    }

    fn last_descriptor(&self) -> usize {
        self.trace().descriptors.len().saturating_sub(1)
    }

    fn check_deadline(&self) -> Result<()> {
        if !self.is_running() || self.cycle < self.deadline {
            return Ok(());
        }
        let (cycle, descriptor, limit) = (self.cycle, self.last_descriptor(), self.limit);
        Err(Error::CycleLimit { cycle, descriptor, limit })
    }

    /// What the registers say of a program that runs no more.
    fn ending(&mut self) -> Result<Ending> {
        let cycle = self.cycle;
        let status = self.read_register(Register::Status)?;
        if status & status::ERROR != 0 {
            let code = self.read_register(Register::Error)?;
            let descriptor = self.read_register(Register::ErrorDescriptor)? as usize;
            return Err(Error::Stopped { cycle, descriptor, code });
        }
        if status & status::DONE == 0 {
            let problem = format!("nothing runs, and status is {status:#x}: neither done nor error");
            return Err(Error::Contradiction { cycle, problem });
        }
        let trace = self.trace();
        let sum =
            |of: fn(&edge_moe_isa::trace::DescriptorTrace) -> u64| trace.descriptors.iter().map(of).sum();
        let traffic = Traffic {
            read: sum(|descriptor| descriptor.read_bytes),
            written: sum(|descriptor| descriptor.written_bytes),
        };
        Ok(Ending { cycles: self.read_register(Register::Cycles)?.into(), traffic })
    }
}
