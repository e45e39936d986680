//! The rules of the bus that a core must keep.

use edge_moe_isa::arch::ArchConfig;
use thiserror::Error;

use super::{Address, FromCore, MAX_BEATS, ToCore, WriteBeat};

const INCR: u8 = 1;
/// Rows and descriptors.
const IDS: u8 = 2;

/// A rule of the bus that the core broke.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("memory port {port}, cycle {cycle}: {problem}")]
pub struct Violation {
    /// Index of the port.
    pub port: usize,
    /// Cycle of the simulation.
    pub cycle: u64,
    /// What was wrong, with its values.
    pub problem: String,
}

/// What bursts may look like.
pub(crate) struct Rules {
    pub bus_bytes: u32,
    base: u64,
    writable: u64,
    total: u64,
}

impl Rules {
    pub fn new(arch: &ArchConfig, base: u64, writable: u64, total: u64) -> Self {
        Self { bus_bytes: arch.bus_bytes(), base, writable, total }
    }

    /// Device address of a read, if it may be done.
    pub fn read(&self, address: &Address) -> Result<u64, String> {
        self.inside("read", address, self.total, "device memory")
    }

    /// Device address of a write, if it may be done.
    pub fn write(&self, address: &Address) -> Result<u64, String> {
        self.inside("write", address, self.writable, "the writable part")
    }

    fn inside(&self, what: &str, address: &Address, size: u64, part: &str) -> Result<u64, String> {
        let bytes = self.burst(address).map_err(|problem| format!("{what} {problem}, {address}"))?;
        let start = address.address.checked_sub(self.base);
        start.filter(|start| start + bytes <= size).ok_or_else(|| {
            let base = self.base;
            format!("{what} outside of {part}, {size} bytes from {base:#x} on, {address}")
        })
    }

    /// Bytes of a burst of legal form.
    fn burst(&self, address: &Address) -> Result<u64, String> {
        let Address { id, address, len, size, burst } = *address;
        let beats = u32::from(len) + 1;
        let (bus, bytes) = (u64::from(self.bus_bytes), u64::from(beats * self.bus_bytes));
        let chunk = u64::from(MAX_BEATS * self.bus_bytes);
        if beats > MAX_BEATS {
            return Err(format!("of {beats} beats, at most {MAX_BEATS} are allowed"));
        }
        if burst != INCR {
            return Err(format!("of burst type {burst}, only {INCR} (INCR) is allowed"));
        }
        if u32::from(size) != self.bus_bytes.ilog2() {
            return Err(format!("of size {size}, only {} is allowed", self.bus_bytes.ilog2()));
        }
        if !address.is_multiple_of(bus) {
            return Err(format!("that is not aligned to {bus} bytes"));
        }
        if address % chunk + bytes > chunk {
            return Err(format!("across a boundary of {chunk} bytes"));
        }
        if id >= IDS {
            return Err(format!("of id {id}, only 0 and 1 are allowed"));
        }
        Ok(bytes)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "id {} address {:#x} len {}", self.id, self.address, self.len)
    }
}

/// What was valid in the last cycle and not taken: it must stay as it is.
#[derive(Default)]
pub(crate) struct Held {
    ar: Option<Address>,
    aw: Option<Address>,
    w: Option<WriteBeat>,
}

impl Held {
    pub fn check(&mut self, now: &FromCore, to_core: &ToCore) -> Result<(), String> {
        unchanged("ar", &self.ar, &now.ar)?;
        unchanged("aw", &self.aw, &now.aw)?;
        unchanged("w", &self.w, &now.w)?;
        self.ar = now.ar.filter(|_| !to_core.ar_ready);
        self.aw = now.aw.filter(|_| !to_core.aw_ready);
        self.w = now.w.filter(|_| !to_core.w_ready);
        Ok(())
    }
}

fn unchanged<T: PartialEq + std::fmt::Debug>(
    channel: &str,
    held: &Option<T>,
    now: &Option<T>,
) -> Result<(), String> {
    match (held, now) {
        (Some(held), Some(now)) if held != now => {
            Err(format!("{channel} changed before it was taken: {held:x?} became {now:x?}"))
        }
        (Some(held), None) => Err(format!("{channel}valid fell before it was taken: {held:x?}")),
        _ => Ok(()),
    }
}
