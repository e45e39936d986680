//! The controller between masters and the model of its chip. What the masters read is compared with an
//! array of bytes, to which each write goes when it is confirmed.

#[path = "../../../sim/src/sdram_chip.rs"]
#[allow(dead_code, reason = "the simulator uses the rest")]
pub mod chip;

use std::collections::{BTreeMap, VecDeque};

use chip::{SDRAM_BYTES, SdramOnPins, SdramPins};
use edge_moe_hdl::board::sdram::Sdram;
use rand::Rng;
use verilated::Library;

use crate::common::{Bench, verilate};

pub const CLOCK_MHZ: u32 = 80;
/// The chips' own would take most of each test.
const POWER_UP_US: u32 = 2;
/// OKAY and SLVERR.
const RESPONSES: [u64; 2] = [0, 2];

/// The controller with a bus of 64 or 32 bits.
pub fn library(bytes: u64) -> Library {
    match bytes {
        8 => verilate(|| Sdram::<64, 8>::new_with_power_up(CLOCK_MHZ, POWER_UP_US), "sdram"),
        4 => verilate(|| Sdram::<32, 4>::new_with_power_up(CLOCK_MHZ, POWER_UP_US), "sdram_narrow"),
        _ => unreachable!("buses have 4 or 8 bytes"),
    }
}

/// A burst of AXI4, or a word of the host's.
#[derive(Clone, Debug)]
pub struct Access {
    pub id: u64,
    pub address: u64,
    /// Beats that are read.
    pub beats: u64,
    /// Data and strobe of each beat that is written.
    pub written: Vec<(u64, u64)>,
}

impl Access {
    fn is_outside(&self) -> bool {
        self.address >= SDRAM_BYTES as u64
    }
}

/// A channel on which a master offers things, one after another.
struct Channel<T> {
    queue: VecDeque<T>,
    up_since: Option<u64>,
    longest_wait: u64,
}

impl<T> Default for Channel<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), up_since: None, longest_wait: 0 }
    }
}

impl<T> Channel<T> {
    /// Offers the next, perhaps; what is offered stays.
    fn offer(&mut self, beat: u64, wants: bool) -> Option<&T> {
        if self.up_since.is_none() && wants && !self.queue.is_empty() {
            self.up_since = Some(beat);
        }
        self.queue.front().filter(|_| self.up_since.is_some())
    }

    /// What is offered is taken, if it is.
    fn transfer(&mut self, beat: u64, ready: bool) -> Option<T> {
        let since = self.up_since.filter(|_| ready)?;
        self.up_since = None;
        self.longest_wait = self.longest_wait.max(beat - since);
        self.queue.pop_front()
    }

    fn forget(&mut self) {
        self.queue.clear();
        self.up_since = None;
    }
}

pub struct Board<'a> {
    pub bench: &'a mut Bench,
    pub chip: SdramOnPins,
    memory: Vec<u8>,
    /// Bytes of the bus.
    pub bytes: u64,
    /// Probability that a channel offers what it has.
    pub offer: f64,
    reads: Channel<Access>,
    write_addresses: Channel<Access>,
    write_beats: Channel<(u64, u64, bool)>,
    host: Channel<Access>,
    /// Write data is not offered.
    pub holds_data: bool,
    /// Reads whose answers are owed, with the beats that came and when they were taken; and the host's.
    reading: VecDeque<(Access, u64, u64)>,
    host_reading: VecDeque<Access>,
    writing: VecDeque<Access>,
    /// The word of the host that was taken last, if it was written, and what was there before.
    last_word: Option<(u64, u64)>,
    /// Bursts that are asked for, by chunk: reads and writes.
    pending: BTreeMap<u64, (u32, u32)>,
    /// Longest from the beat in which a read was taken to its last answer.
    pub longest_answer: u64,
    pub first_read: Option<u64>,
    pub last_read: u64,
    pub last_write: u64,
    pub failures: u64,
}

impl<'a> Board<'a> {
    pub fn new(bench: &'a mut Bench, bytes: u64) -> Self {
        let chip = SdramOnPins::new(CLOCK_MHZ, POWER_UP_US);
        for valid in ["s_axi_arvalid", "s_axi_awvalid", "s_axi_wvalid", "memory_valid"] {
            bench.set(valid, 0);
        }
        bench.reset();
        Self {
            memory: chip.chip.contents().to_vec(),
            bench,
            chip,
            bytes,
            offer: 1.0,
            reads: Channel::default(),
            write_addresses: Channel::default(),
            write_beats: Channel::default(),
            host: Channel::default(),
            holds_data: false,
            reading: VecDeque::new(),
            host_reading: VecDeque::new(),
            writing: VecDeque::new(),
            last_word: None,
            pending: BTreeMap::new(),
            longest_answer: 0,
            first_read: None,
            last_read: 0,
            last_write: 0,
            failures: 0,
        }
    }

    pub fn chunk_bytes(&self) -> u64 {
        16 * self.bytes
    }

    fn chunk(&self, access: &Access) -> u64 {
        access.address / self.chunk_bytes()
    }

    /// May it be asked for now, so that its result is certain?
    fn is_certain(&self, access: &Access) -> bool {
        let (reads, writes) = self.pending.get(&self.chunk(access)).copied().unwrap_or_default();
        writes == 0 && (reads == 0 || access.written.is_empty())
    }

    fn asked(&mut self, access: &Access) {
        let pending = self.pending.entry(self.chunk(access)).or_default();
        *(if access.written.is_empty() { &mut pending.0 } else { &mut pending.1 }) += 1;
    }

    fn settled(&mut self, access: &Access) {
        let pending = self.pending.get_mut(&(access.address / (16 * self.bytes))).expect("it was asked for");
        *(if access.written.is_empty() { &mut pending.0 } else { &mut pending.1 }) -= 1;
    }

    /// Asks for a burst over AXI4, if its result is certain.
    pub fn burst(&mut self, access: Access) {
        if !self.is_certain(&access) {
            return;
        }
        self.asked(&access);
        if access.written.is_empty() {
            self.reads.queue.push_back(access);
            return;
        }
        let last = access.written.len() - 1;
        let beats = access.written.iter().enumerate();
        self.write_beats.queue.extend(beats.map(|(index, &(data, strobe))| (data, strobe, index == last)));
        self.write_addresses.queue.push_back(access);
    }

    /// Asks for a word over the host's port, likewise.
    pub fn word(&mut self, access: Access) {
        if self.is_certain(&access) {
            self.asked(&access);
            self.host.queue.push_back(access);
        }
    }

    /// Accesses that are asked for and not answered: reads, writes, the host's.
    pub fn open(&self) -> [usize; 3] {
        [
            self.reads.queue.len() + self.reading.len(),
            self.write_addresses.queue.len() + self.writing.len(),
            self.host.queue.len() + self.host_reading.len(),
        ]
    }

    /// Longest that a channel was up before it was taken: read and write addresses, write data, the host.
    pub fn longest_waits(&self) -> [u64; 4] {
        let Self { reads, write_addresses, write_beats, host, .. } = self;
        [reads.longest_wait, write_addresses.longest_wait, write_beats.longest_wait, host.longest_wait]
    }

    pub fn beat(&mut self) {
        self.drive();
        self.bench.eval();
        let pins = self.pins();
        let dq = self.chip.clock(&pins);
        let dq = dq.unwrap_or_else(|fault| panic!("{fault} (EMOE_SEED={})", self.bench.seed));
        self.bench.set("dq_in", dq.into());
        self.take();
        self.answers();
        self.bench.tick();
    }

    fn drive(&mut self) {
        let Self { bench, offer, .. } = self;
        let mut wants = || bench.chance(*offer);
        let wants = [wants(), wants(), wants() && !self.holds_data, wants()];
        let beat = bench.beat;
        let address = |bench: &mut Bench, channel: &str, access: Option<&Access>| {
            // Whatever is there while nothing is offered must not matter.
            let id = access.map_or_else(|| bench.random.random_range(0..2), |access| access.id);
            let at = access.map_or_else(|| bench.random.random_range(0..1 << 40), |access| access.address);
            let length = access.map_or(255, |access| access.beats - 1);
            bench.set(&format!("s_axi_{channel}valid"), access.is_some().into());
            bench.set(&format!("s_axi_{channel}id"), id);
            bench.set(&format!("s_axi_{channel}addr"), at);
            bench.set(&format!("s_axi_{channel}len"), length);
        };
        address(bench, "ar", self.reads.offer(beat, wants[0]));
        address(bench, "aw", self.write_addresses.offer(beat, wants[1]));
        let offered = self.write_beats.offer(beat, wants[2]).copied();
        bench.set("s_axi_wvalid", offered.is_some().into());
        let noise = bench.random.random::<u64>() & (u64::MAX >> (64 - 8 * self.bytes));
        let (data, strobe, last) = offered.unwrap_or((noise, noise & 0xf, noise & 1 == 1));
        bench.set("s_axi_wdata", data);
        bench.set("s_axi_wstrb", strobe);
        bench.set("s_axi_wlast", last.into());
        let offered = self.host.offer(beat, wants[3]);
        let written = offered.and_then(|access| access.written.first());
        bench.set("memory_valid", offered.is_some().into());
        bench.set("memory_write", written.is_some().into());
        bench.set("memory_address", offered.map_or(noise & 0x1ff_fffc, |access| access.address));
        bench.set("memory_write_data", written.map_or(noise & 0xffff_ffff, |written| written.0));
    }

    fn pins(&self) -> SdramPins {
        let bit = |name: &str| self.bench.get(name) == 1;
        SdramPins {
            cke: bit("cke"),
            cs_n: bit("cs_n"),
            ras_n: bit("ras_n"),
            cas_n: bit("cas_n"),
            we_n: bit("we_n"),
            ba: self.bench.get("ba") as u8,
            a: self.bench.get("a") as u16,
            dqm: self.bench.get("dqm") as u8,
            dq: self.bench.get("dq_out") as u16,
            dq_enable: bit("dq_enable"),
        }
    }

    /// What the controller takes in this beat.
    fn take(&mut self) {
        let beat = self.bench.beat;
        let ready = |name: &str| self.bench.get(name) == 1;
        let [ar, aw, w] = ["s_axi_arready", "s_axi_awready", "s_axi_wready"].map(ready);
        let host = ready("memory_ready");
        self.reading.extend(self.reads.transfer(beat, ar).map(|access| (access, 0, beat)));
        self.writing.extend(self.write_addresses.transfer(beat, aw));
        self.write_beats.transfer(beat, w);
        let Some(access) = self.host.transfer(beat, host) else { return };
        self.last_word = None;
        if access.written.is_empty() {
            self.host_reading.push_back(access);
        } else {
            self.last_word = Some((access.address, self.read(access.address, 4)));
            self.write(&access, 4);
            self.settled(&access);
        }
    }

    /// What the controller answers in this beat.
    fn answers(&mut self) {
        let beat = self.bench.beat as usize;
        if self.bench.get("s_axi_rvalid") == 1 {
            self.first_read.get_or_insert(self.bench.beat);
            self.last_read = self.bench.beat;
            let (access, index, taken) = self.reading.front().cloned().expect("nobody asked for a beat");
            let outside = access.is_outside();
            let expected =
                if outside { 0 } else { self.read(access.address + index * self.bytes, self.bytes) };
            self.bench.expect("data in", beat, self.bench.get("s_axi_rdata"), expected);
            self.bench.expect(
                "read response in",
                beat,
                self.bench.get("s_axi_rresp"),
                RESPONSES[usize::from(outside)],
            );
            self.bench.expect("read id in", beat, self.bench.get("s_axi_rid"), access.id);
            let last = index + 1 == access.beats;
            self.bench.expect("last in", beat, self.bench.get("s_axi_rlast"), last.into());
            self.reading[0].1 += 1;
            if last {
                self.reading.pop_front();
                self.longest_answer = self.longest_answer.max(self.bench.beat - taken);
                self.settled(&access);
                self.failures += u64::from(outside);
            }
        }
        if self.bench.get("s_axi_bvalid") == 1 {
            self.last_write = self.bench.beat;
            let access = self.writing.pop_front().expect("nobody asked for a confirmation");
            let outside = access.is_outside();
            self.bench.expect(
                "write response in",
                beat,
                self.bench.get("s_axi_bresp"),
                RESPONSES[usize::from(outside)],
            );
            self.bench.expect("write id in", beat, self.bench.get("s_axi_bid"), access.id);
            if !outside {
                self.write(&access, self.bytes);
            }
            self.settled(&access);
            self.failures += u64::from(outside);
        }
        if self.bench.get("memory_read_valid") == 1 {
            let access = self.host_reading.pop_front().expect("the host asked for no word");
            let expected = self.read(access.address, 4);
            self.bench.expect("word in", beat, self.bench.get("memory_read_data"), expected);
            self.settled(&access);
        }
    }

    fn read(&self, address: u64, bytes: u64) -> u64 {
        let mut value = [0; 8];
        value[..bytes as usize].copy_from_slice(&self.memory[address as usize..(address + bytes) as usize]);
        u64::from_le_bytes(value)
    }

    fn write(&mut self, access: &Access, bytes: u64) {
        for (address, value) in written_bytes(access, bytes) {
            self.memory[address] = value;
        }
    }

    /// Until at most so many accesses are open.
    pub fn until(&mut self, open: usize) {
        let limit = self.bench.beat + 200_000;
        while self.open().iter().sum::<usize>() > open {
            assert!(self.bench.beat < limit, "{:?} accesses were never answered", self.open());
            self.beat();
        }
    }

    /// Until all is answered; then the chip must hold what was written.
    pub fn finish(&mut self) {
        self.until(0);
        // The last columns are on the pins yet.
        (0..3).for_each(|_| self.beat());
        let differs = (0..SDRAM_BYTES).find(|&at| self.memory[at] != self.chip.chip.contents()[at]);
        let seed = self.bench.seed;
        assert_eq!(differs, None, "a byte of the chip is not what was written (EMOE_SEED={seed})");
    }

    /// A reset of the controller and its masters. Of each byte that was being written, the chip holds the
    /// old value or a new one.
    pub fn reset(&mut self) {
        self.bench.set("reset", 1);
        // What the pin cells hold still reaches the chip.
        (0..2).for_each(|_| self.beat());
        self.bench.set("reset", 0);
        let bursts = self.writing.iter().chain(&self.write_addresses.queue);
        let bursts = bursts.filter(|access| !access.is_outside()).map(|access| (access, self.bytes));
        let words = self.host.queue.iter().map(|access| (access, 4));
        let mut uncertain: Vec<(usize, u8)> =
            bursts.chain(words).flat_map(|(access, bytes)| written_bytes(access, bytes)).collect();
        if let Some((address, before)) = self.last_word.take() {
            uncertain.extend((0..4).map(|byte| (address as usize + byte, (before >> (8 * byte)) as u8)));
        }
        let mut allowed: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (address, value) in uncertain {
            allowed.entry(address).or_insert_with(|| vec![self.memory[address]]).push(value);
        }
        for (address, values) in allowed {
            let held = self.chip.chip.contents()[address];
            assert!(
                values.contains(&held),
                "byte {address:#x} after a reset (EMOE_SEED={})",
                self.bench.seed
            );
            self.memory[address] = held;
        }
        self.reads.forget();
        self.write_addresses.forget();
        self.write_beats.forget();
        self.host.forget();
        self.reading.clear();
        self.writing.clear();
        self.host_reading.clear();
        self.pending.clear();
    }
}

/// Addresses and values of what an access writes, in beats of so many bytes.
fn written_bytes(access: &Access, bytes: u64) -> impl Iterator<Item = (usize, u8)> {
    let beats = access.written.iter().enumerate();
    beats.flat_map(move |(index, &(data, strobe))| {
        let lanes = (0..bytes).filter(move |lane| strobe >> lane & 1 == 1);
        lanes.map(move |lane| {
            ((access.address + index as u64 * bytes + lane) as usize, (data >> (8 * lane)) as u8)
        })
    })
}
