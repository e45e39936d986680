//! Device memory behind the core's AXI4 ports.
//!
//! Latency, bandwidth and back-pressure can be set; faults too. A burst's first
//! beat comes `latency` cycles after its address was taken at the earliest, bursts
//! overlap, and all beats of a port, read or written, share its bandwidth. Bursts
//! of one id are answered in order. A write takes effect no earlier than its
//! answer, so that a core that reads too early reads old bytes. The first
//! broken rule of the bus is an error with its cycle.

mod reads;
mod rules;
mod settings;
#[cfg(test)]
mod tests;
mod writes;

use edge_moe_isa::arch::ArchConfig;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use reads::Reads;
pub use rules::Violation;
use rules::{Held, Rules};
pub use settings::{Bandwidth, Faults, MemorySettings};
use writes::Writes;

/// Most bytes of a data bus.
pub const MAX_BUS_BYTES: usize = 16;
/// Most beats of a burst.
pub const MAX_BEATS: u32 = 16;
/// Answer to a good transfer (OKAY) and to one that failed (SLVERR).
pub const OKAY: u8 = 0;
/// A transfer that failed.
pub const SLVERR: u8 = 2;

/// The data of a beat, byte 0 lowest; narrower buses use its lower part.
pub type Beat = [u64; MAX_BUS_BYTES / 8];

/// An address channel while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Transaction id.
    pub id: u8,
    /// Bus address of the first byte.
    pub address: u64,
    /// Beats, less one.
    pub len: u8,
    /// Base-2 logarithm of the bytes of a beat.
    pub size: u8,
    /// 1: INCR.
    pub burst: u8,
}

/// The write data channel while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteBeat {
    /// Data.
    pub data: Beat,
    /// A bit for each byte to write.
    pub strobe: u16,
    /// Last beat of the burst.
    pub last: bool,
}

/// What a core drives on a port in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FromCore {
    /// Read address.
    pub ar: Option<Address>,
    /// Read data is taken.
    pub r_ready: bool,
    /// Write address.
    pub aw: Option<Address>,
    /// Write data.
    pub w: Option<WriteBeat>,
    /// The write answer is taken.
    pub b_ready: bool,
}

/// The read data channel while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadBeat {
    /// Transaction id.
    pub id: u8,
    /// Data.
    pub data: Beat,
    /// [`OKAY`] or [`SLVERR`].
    pub response: u8,
    /// Last beat of the burst.
    pub last: bool,
}

/// The write answer channel while it is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteAnswer {
    /// Transaction id.
    pub id: u8,
    /// [`OKAY`] or [`SLVERR`].
    pub response: u8,
}

/// What the memory drives on a port in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToCore {
    /// A read address would be taken.
    pub ar_ready: bool,
    /// Read data.
    pub r: Option<ReadBeat>,
    /// A write address would be taken.
    pub aw_ready: bool,
    /// Write data would be taken.
    pub w_ready: bool,
    /// Answer to a write.
    pub b: Option<WriteAnswer>,
}

/// Bytes that crossed a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read, in whole beats.
    pub read: u64,
    /// Written, in whole beats.
    pub written: u64,
}

/// The bytes of device memory: a part of its own, then an image that belongs to somebody else.
pub(crate) struct Storage {
    writable: Vec<u8>,
    image: Box<dyn AsRef<[u8]> + Send>,
}

impl Storage {
    fn total(&self) -> u64 {
        self.writable.len() as u64 + (*self.image).as_ref().len() as u64
    }

    /// Bytes from a device address on, as many as a beat has; zero where there are none.
    fn read(&self, address: u64, bytes: usize) -> Beat {
        let writable = self.writable.len() as u64;
        let (part, start) = match address < writable {
            true => (self.writable.as_slice(), address),
            false => ((*self.image).as_ref(), address - writable),
        };
        let part = part.get(start as usize..).unwrap_or_default();
        let part = &part[..bytes.min(part.len())];
        let mut beat = [0; MAX_BUS_BYTES];
        beat[..part.len()].copy_from_slice(part);
        let (words, _) = beat.as_chunks();
        std::array::from_fn(|word| u64::from_le_bytes(words[word]))
    }

    /// Writes the bytes of a beat that its strobe names and that lie in the writable part.
    fn write(&mut self, address: u64, beat: &WriteBeat) {
        let start = address as usize;
        for byte in (0..MAX_BUS_BYTES).filter(|byte| beat.strobe >> byte & 1 == 1) {
            if let Some(target) = self.writable.get_mut(start + byte) {
                *target = (beat.data[byte / 8] >> (8 * (byte % 8))) as u8;
            }
        }
    }
}

/// Bandwidth of a port: when its next beat may move.
struct Slot {
    /// In parts of a cycle, [`Bandwidth::bytes`] of them each.
    next: u64,
    parts: u64,
    /// Parts that a beat takes.
    beat: u64,
}

impl Slot {
    fn new(bandwidth: Bandwidth, bus_bytes: u32) -> Self {
        let parts = u64::from(bandwidth.bytes.max(1));
        Self { next: 0, parts, beat: u64::from(bus_bytes) * u64::from(bandwidth.cycles.max(1)) }
    }

    /// May a beat move in this cycle?
    fn free(&self, cycle: u64) -> bool {
        self.next <= cycle * self.parts
    }

    /// May it, if it goes before a beat that waits? Writes do, so that they pass a stream of reads.
    fn free_soon(&self, cycle: u64) -> bool {
        self.next <= cycle * self.parts + self.beat
    }

    /// A beat moves in this cycle.
    fn take(&mut self, cycle: u64) {
        self.next = self.next.max((cycle * self.parts + 1).saturating_sub(self.parts)) + self.beat;
    }
}

/// Random choices, none where there is no back-pressure.
pub(crate) struct Chance {
    random: SmallRng,
    back_pressure: f64,
}

impl Chance {
    /// Should something that could happen in this cycle wait?
    fn waits(&mut self) -> bool {
        self.back_pressure > 0.0 && self.random.random_bool(self.back_pressure)
    }

    fn latency(&mut self, settings: &MemorySettings) -> u64 {
        let (least, most) = (*settings.latency.start(), *settings.latency.end());
        u64::from(if least >= most { least } else { self.random.random_range(least..=most) }).max(1)
    }
}

struct MemoryPort {
    reads: Reads,
    writes: Writes,
    slot: Slot,
    held: Held,
    to_core: ToCore,
    traffic: Traffic,
}

/// Device memory, as many ports as the architecture has.
pub struct Memory {
    settings: MemorySettings,
    rules: Rules,
    storage: Storage,
    chance: Chance,
    ports: Vec<MemoryPort>,
    cycle: u64,
}

impl Memory {
    /// Memory of `writable` bytes, followed by an image.
    pub fn new(
        arch: &ArchConfig,
        settings: MemorySettings,
        writable: Vec<u8>,
        image: impl AsRef<[u8]> + Send + 'static,
    ) -> Self {
        let storage = Storage { writable, image: Box::new(image) };
        let rules = Rules::new(arch, settings.base, storage.writable.len() as u64, storage.total());
        let random = SmallRng::seed_from_u64(settings.seed);
        let chance = Chance { random, back_pressure: settings.back_pressure.clamp(0.0, 0.95) };
        let port = |_| MemoryPort {
            reads: Reads::default(),
            writes: Writes::default(),
            slot: Slot::new(settings.bandwidth, arch.bus_bytes()),
            held: Held::default(),
            to_core: ToCore::default(),
            traffic: Traffic::default(),
        };
        let ports = (0..arch.memory_ports).map(port).collect();
        Self { ports, settings, rules, storage, chance, cycle: 0 }
    }

    /// What the memory drives on a port in the present cycle; follows from nothing that the core drives in it.
    pub fn to_core(&self, port: usize) -> &ToCore {
        &self.ports[port].to_core
    }

    /// The clock rises: what both sides drove is transferred; `from_core` has an entry for each port.
    ///
    /// # Errors
    /// The first rule of the bus that the core broke.
    pub fn clock(&mut self, from_core: &[FromCore]) -> Result<(), Violation> {
        for (index, from_core) in from_core.iter().enumerate() {
            self.transfer(index, from_core).map_err(|problem| Violation {
                port: index,
                cycle: self.cycle,
                problem,
            })?;
        }
        self.cycle += 1;
        for port in &mut self.ports {
            let storage = &mut self.storage;
            port.drive(self.cycle, &self.settings, &self.rules, &mut self.chance, storage);
        }
        Ok(())
    }

    fn transfer(&mut self, index: usize, from_core: &FromCore) -> Result<(), String> {
        let (cycle, bus_bytes) = (self.cycle, u64::from(self.rules.bus_bytes));
        let MemoryPort { reads, writes, slot, held, to_core, traffic } = &mut self.ports[index];
        held.check(from_core, to_core)?;
        if let Some(address) = from_core.ar.filter(|_| to_core.ar_ready) {
            let start = self.rules.read(&address)?;
            reads.take_address(&address, start, cycle + self.chance.latency(&self.settings));
        }
        if to_core.r.is_some() && from_core.r_ready {
            to_core.r = None;
            traffic.read += bus_bytes;
        }
        if let Some(address) = from_core.aw.filter(|_| to_core.aw_ready) {
            let start = self.rules.write(&address)?;
            writes.take_address(&address, start)?;
        }
        if let Some(beat) = from_core.w.filter(|_| to_core.w_ready) {
            slot.take(cycle);
            traffic.written += bus_bytes;
            writes.take_beat(beat)?;
        }
        writes.join(|| cycle + self.chance.latency(&self.settings));
        if to_core.b.is_some() && from_core.b_ready {
            to_core.b = None;
        }
        Ok(())
    }

    /// The bus is reset: what was under way is forgotten. Bytes and counts stay.
    pub fn reset(&mut self) {
        for port in &mut self.ports {
            port.reads = Reads::default();
            port.writes = Writes::default();
            port.held = Held::default();
            port.to_core = ToCore::default();
        }
    }

    /// Counts cycles from another number on, so that errors speak of a bench's cycles.
    pub fn start_at(&mut self, cycle: u64) {
        self.cycle = cycle;
        self.ports.iter_mut().for_each(|port| port.slot.next = 0);
    }

    /// Is no burst under way?
    pub fn is_idle(&self) -> bool {
        let idle = |port: &MemoryPort| {
            port.reads.is_empty()
                && port.writes.is_empty()
                && port.to_core.r.is_none()
                && port.to_core.b.is_none()
        };
        self.ports.iter().all(idle)
    }

    /// Replaces the faults; bursts that were left without an answer get it if the new ones let them.
    pub fn set_faults(&mut self, faults: Faults) {
        self.settings.faults = faults;
    }

    /// The writable part.
    pub fn writable(&self) -> &[u8] {
        &self.storage.writable
    }

    /// The writable part, to be changed by the host.
    pub fn writable_mut(&mut self) -> &mut [u8] {
        &mut self.storage.writable
    }

    /// End of device memory: writable part and image.
    pub fn total_bytes(&self) -> u64 {
        self.storage.total()
    }

    /// Address on the bus of address 0.
    pub fn base(&self) -> u64 {
        self.settings.base
    }

    /// Bytes that crossed a port since the memory was made.
    pub fn traffic(&self, port: usize) -> Traffic {
        self.ports[port].traffic
    }

    /// Bytes that crossed all ports.
    pub fn total_traffic(&self) -> Traffic {
        let sum = |sum: Traffic, port: &MemoryPort| Traffic {
            read: sum.read + port.traffic.read,
            written: sum.written + port.traffic.written,
        };
        self.ports.iter().fold(Traffic::default(), sum)
    }
}

impl MemoryPort {
    /// Decides what to drive in the next cycle.
    fn drive(
        &mut self,
        cycle: u64,
        settings: &MemorySettings,
        rules: &Rules,
        chance: &mut Chance,
        storage: &mut Storage,
    ) {
        let Self { reads, writes, slot, to_core, .. } = self;
        if to_core.b.is_none() && writes.answer_due(cycle) && !chance.waits() {
            to_core.b = writes.answer(rules, settings, storage);
        }
        if to_core.r.is_none() && slot.free(cycle) && reads.may_answer(settings) && !chance.waits() {
            to_core.r = reads.beat(cycle, rules, settings, chance, storage);
            if to_core.r.is_some() {
                slot.take(cycle);
            }
        }
        to_core.ar_ready = reads.len() < settings.reads_in_flight && !chance.waits();
        to_core.aw_ready = writes.takes_address() && !chance.waits();
        to_core.w_ready = writes.takes_beat() && slot.free_soon(cycle) && !chance.waits();
    }
}
