//! Runs a program on a board.

use std::time::Duration;

use edge_moe_isa::registers::{DEFAULT_TIMEOUT, Register, control, error_text, status};

use super::link::Link;
use crate::device::RunFigures;
use crate::executable::{Executable, Listing};
use crate::{Error, Result};

/// Cycles after which a run is given up: as many as `cycles` can count.
const CYCLE_LIMIT: u64 = 1 << 32;
/// How long a program that was stopped may still run, and memory may owe answers.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// Pauses between two looks at `status`: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Runs a program to its end. The inner error is that of a program which stops with an error or does not end.
///
/// # Errors
/// Those of the line, and a board that contradicts itself.
pub(super) fn run(
    link: &mut Link,
    executable: &Executable,
    listing: &Listing,
    clock_mhz: u16,
) -> Result<Result<RunFigures>> {
    let begin = link.line().now();
    configure(link, executable, listing)?;
    start(link)?;
    let limit = Duration::from_micros(CYCLE_LIMIT / u64::from(clock_mhz));
    match wait_until_idle(link, limit)? {
        Some(status) if status & status::ERROR != 0 => return stopped(link, listing).map(Err),
        Some(status) if status & status::DONE != 0 => (),
        Some(status) => {
            let problem = format!("nothing runs, and status is 0x{status:x}: neither done nor error");
            return Err(link.error(problem));
        }
        None => return unfinished(link, listing, limit).map(Err),
    }
    let counters = [Register::Cycles, Register::ReadBeats, Register::WriteBeats];
    let [cycles, read, written] = link.read_registers(counters)?.map(u64::from);
    let bus_bytes = u64::from(executable.arch().bus_bytes());
    let seconds = (link.line().now() - begin).as_secs_f64();
    let (read_bytes, written_bytes) = (read * bus_bytes, written * bus_bytes);
    Ok(Ok(RunFigures { cycles, read_bytes, written_bytes, seconds }))
}

/// Stops a program that an earlier session may have left.
///
/// # Errors
/// A program that goes on; those of the line.
pub(super) fn stop(link: &mut Link) -> Result<()> {
    if link.read_register(Register::Status)? & status::BUSY == 0 {
        return Ok(());
    }
    link.write_register(Register::Control, control::STOP)?;
    match wait_until_idle(link, STOP_PATIENCE)? {
        Some(_) => Ok(()),
        None => {
            let problem = format!("a program still runs {STOP_PATIENCE:?} after it was stopped");
            Err(link.error(problem).hint("reset the board"))
        }
    }
}

/// Sets window and program.
fn configure(link: &mut Link, executable: &Executable, listing: &Listing) -> Result<()> {
    let window = executable.window();
    let registers = [
        (Register::BaseLow, 0),
        (Register::BaseHigh, 0),
        (Register::WritableBytes, window.writable_bytes as u32),
        (Register::TotalBytes, window.total_bytes as u32),
        (Register::Program, listing.address as u32),
        (Register::Timeout, DEFAULT_TIMEOUT),
        (Register::Mode, 0),
    ];
    link.write_registers(&registers)?;
    // A program that runs would have ignored them.
    let got = link.read_registers(registers.map(|(register, _)| register))?;
    match registers.iter().zip(got).find(|((_, expected), got)| expected != got) {
        None => Ok(()),
        Some(((register, expected), got)) => {
            let name = register.layout().name;
            Err(link.error(format!("register `{name}` holds 0x{got:x} after 0x{expected:x} was written")))
        }
    }
}

/// Starts the program. Memory may owe answers to one that was stopped: then the core refuses for a while.
fn start(link: &mut Link) -> Result<()> {
    let deadline = link.line().now() + STOP_PATIENCE;
    loop {
        link.start()?;
        if link.read_register(Register::Status)? & status::REFUSED == 0 {
            return Ok(());
        }
        if link.line().now() > deadline {
            return Err(link
                .error("the core refuses to start the program: memory never answers")
                .hint("reset the board"));
        }
        link.write_register(Register::Status, status::REFUSED)?;
        link.line().pause(PAUSES.0);
    }
}

/// Waits until no program runs; the last `status`, or none if one still runs after so long.
fn wait_until_idle(link: &mut Link, limit: Duration) -> Result<Option<u32>> {
    let deadline = link.line().now() + limit;
    let mut pause = PAUSES.0;
    loop {
        let status = link.read_register(Register::Status)?;
        if status & status::BUSY == 0 {
            return Ok(Some(status));
        }
        if link.line().now() > deadline {
            return Ok(None);
        }
        link.line().pause(pause);
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

/// The error of a program that the core stopped.
fn stopped(link: &mut Link, listing: &Listing) -> Result<Error> {
    let [code, descriptor] = link.read_registers([Register::Error, Register::ErrorDescriptor])?;
    Ok(link.error(format!(
        "stopped with error {code}: {} ({})",
        error_text(code),
        place(listing, descriptor)
    )))
}

/// The error of a program that does not end; it is stopped.
fn unfinished(link: &mut Link, listing: &Listing, limit: Duration) -> Result<Error> {
    let descriptor = link.read_register(Register::Descriptor)?;
    stop(link)?;
    let seconds = limit.as_secs_f64();
    Ok(link
        .error(format!("still runs after {seconds:.0} s, and was stopped ({})", place(listing, descriptor))))
}

fn place(listing: &Listing, descriptor: u32) -> String {
    let step = listing.steps.get(descriptor as usize);
    let label = step.map_or("no such descriptor", |step| &step.label);
    format!("descriptor {descriptor}: {label}")
}
