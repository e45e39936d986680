//! Runs a program on a core.

use std::time::Duration;

use edge_moe_isa::registers::{DEFAULT_TIMEOUT, Register, control, error_text, status};

use super::Registers;
use crate::device::RunFigures;
use crate::executable::{Executable, Listing};
use crate::{Error, Result};

/// Cycles after which a run is given up: as many as `cycles` can count.
const CYCLE_LIMIT: u64 = 1 << 32;
/// How long the cycle counter may stand still while a program runs.
const STANDSTILL: Duration = Duration::from_secs(2);
/// How long a program that was stopped may still run, and memory may owe answers.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// Waits between two looks at `status`: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// How the programs of a device run.
#[derive(Clone, Copy, Debug)]
pub(in crate::device) struct Setting {
    /// Bus address of address 0 of device memory, a multiple of 4096.
    pub base: u64,
    /// Bits of register `mode`.
    pub mode: u32,
}

/// What became of a program that was waited for.
enum Waited {
    /// It runs no more; `status`.
    Idle(u32),
    /// It goes on after [`CYCLE_LIMIT`].
    Busy,
    /// It goes on, and the cycle counter stands still at this value.
    Still(u32),
}

/// Runs a program to its end. The inner error is that of a program which stops with an error or does not end.
///
/// # Errors
/// Registers out of reach, and a core that contradicts itself.
pub(in crate::device) fn run(
    registers: &mut dyn Registers,
    executable: &Executable,
    listing: &Listing,
    setting: &Setting,
) -> Result<Result<RunFigures>> {
    let begin = registers.now();
    configure(registers, executable, listing, setting)?;
    start(registers)?;
    match wait_for_end(registers)? {
        Waited::Idle(status) if status & status::ERROR != 0 => return stopped(registers, listing).map(Err),
        Waited::Idle(status) if status & status::DONE != 0 => (),
        Waited::Idle(status) => {
            let problem = format!("nothing runs, and status is 0x{status:x}: neither done nor error");
            return Err(registers.error(problem));
        }
        Waited::Busy => return unfinished(registers, listing).map(Err),
        Waited::Still(cycles) => return Err(standstill(registers, listing, cycles)),
    }
    let counters = [Register::Cycles, Register::ReadBeats, Register::WriteBeats];
    let [cycles, read, written] = registers.read_all(counters)?.map(u64::from);
    let bus_bytes = u64::from(executable.arch().bus_bytes());
    let seconds = (registers.now() - begin).as_secs_f64();
    let (read_bytes, written_bytes) = (read * bus_bytes, written * bus_bytes);
    Ok(Ok(RunFigures { cycles, read_bytes, written_bytes, seconds }))
}

/// Stops a program that an earlier session may have left.
///
/// # Errors
/// A program that goes on; registers out of reach.
pub(in crate::device) fn stop(registers: &mut dyn Registers) -> Result<()> {
    if registers.read_one(Register::Status)? & status::BUSY == 0 {
        return Ok(());
    }
    registers.write(&[(Register::Control, control::STOP)])?;
    let deadline = registers.now() + STOP_PATIENCE;
    while registers.read_one(Register::Status)? & status::BUSY != 0 {
        if registers.now() > deadline {
            let problem = format!("a program still runs {STOP_PATIENCE:?} after it was stopped");
            return Err(registers.error(problem).hint("reset the board"));
        }
        registers.wait(PAUSES.0)?;
    }
    Ok(())
}

/// Sets window, program and mode.
fn configure(
    registers: &mut dyn Registers,
    executable: &Executable,
    listing: &Listing,
    setting: &Setting,
) -> Result<()> {
    let window = executable.window();
    let values = [
        (Register::BaseLow, setting.base as u32),
        (Register::BaseHigh, (setting.base >> 32) as u32),
        (Register::WritableBytes, window.writable_bytes as u32),
        (Register::TotalBytes, window.total_bytes as u32),
        (Register::Program, listing.address as u32),
        (Register::Timeout, DEFAULT_TIMEOUT),
        (Register::Mode, setting.mode),
    ];
    registers.write(&values)?;
    // A program that runs would have ignored them.
    let got = registers.read_all(values.map(|(register, _)| register))?;
    match values.iter().zip(got).find(|((_, expected), got)| expected != got) {
        None => Ok(()),
        Some(((register, expected), got)) => {
            let name = register.layout().name;
            Err(registers
                .error(format!("register `{name}` holds 0x{got:x} after 0x{expected:x} was written")))
        }
    }
}

/// Starts the program. Memory may owe answers to one that was stopped: then the core refuses for a while.
fn start(registers: &mut dyn Registers) -> Result<()> {
    let deadline = registers.now() + STOP_PATIENCE;
    loop {
        registers.start()?;
        if registers.read_one(Register::Status)? & status::REFUSED == 0 {
            return Ok(());
        }
        if registers.now() > deadline {
            return Err(registers
                .error("the core refuses to start the program: memory never answers")
                .hint("reset the board"));
        }
        registers.write(&[(Register::Status, status::REFUSED)])?;
        registers.wait(PAUSES.0)?;
    }
}

/// Waits until no program runs. Cycles are the measure, not time: boards have any clock, emulated ones slow ones.
fn wait_for_end(registers: &mut dyn Registers) -> Result<Waited> {
    let mut counter = CycleCounter::default();
    let mut pause = PAUSES.0;
    loop {
        let [status, cycles] = registers.read_all([Register::Status, Register::Cycles])?;
        if status & status::BUSY == 0 {
            return Ok(Waited::Idle(status));
        }
        let standstill = counter.look(cycles, registers.now());
        if counter.sum > CYCLE_LIMIT {
            return Ok(Waited::Busy);
        }
        if standstill > STANDSTILL {
            return Ok(Waited::Still(cycles));
        }
        registers.wait(pause)?;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

/// How far the cycle counter came.
#[derive(Default)]
struct CycleCounter {
    /// Its last value, and when it was first seen; none before the first look.
    last: Option<(u32, Duration)>,
    /// What it counted since the first look, however often it began at zero again.
    sum: u64,
}

impl CycleCounter {
    /// Takes its present value; for how long it has not changed.
    fn look(&mut self, cycles: u32, now: Duration) -> Duration {
        let (last, since) = self.last.unwrap_or((cycles, now));
        self.sum += u64::from(cycles.wrapping_sub(last));
        let since = if cycles == last { since } else { now };
        self.last = Some((cycles, since));
        now - since
    }
}

/// The error of a program that the core stopped.
fn stopped(registers: &mut dyn Registers, listing: &Listing) -> Result<Error> {
    let [code, descriptor] = registers.read_all([Register::Error, Register::ErrorDescriptor])?;
    Ok(registers.error(format!(
        "stopped with error {code}: {} ({})",
        error_text(code),
        place(listing, descriptor)
    )))
}

/// The error of a program that does not end; it is stopped.
fn unfinished(registers: &mut dyn Registers, listing: &Listing) -> Result<Error> {
    let descriptor = registers.read_one(Register::Descriptor)?;
    stop(registers)?;
    let place = place(listing, descriptor);
    Ok(registers.error(format!("still runs after {CYCLE_LIMIT} cycles, and was stopped ({place})")))
}

/// The error of a core whose cycle counter stands still while a program runs. What it does next is not known.
fn standstill(registers: &mut dyn Registers, listing: &Listing, cycles: u32) -> Error {
    let place = match registers.read_one(Register::Descriptor) {
        Ok(descriptor) => place(listing, descriptor),
        Err(error) => return error,
    };
    registers
        .error(format!("a program runs, and the cycle counter stands still at {cycles} ({place})"))
        .hint("has the core a clock, and is it out of reset? program the FPGA again")
}

fn place(listing: &Listing, descriptor: u32) -> String {
    let step = listing.steps.get(descriptor as usize);
    let label = step.map_or("no such descriptor", |step| &step.label);
    format!("descriptor {descriptor}: {label}")
}
