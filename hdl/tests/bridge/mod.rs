//! The bridge between a line, a core's registers and a memory, beside its model: every byte of an answer is
//! compared with the model's.

pub mod line;

use std::collections::VecDeque;

use edge_moe_hdl::board::Bridge;
use edge_moe_isa::link::{self, Target, WINDOW};
use edge_moe_isa::registers::BYTES;
use line::{Ear, Heard, Sender};
use rand::Rng;
use verilated::Library;

use crate::common::{Bench, verilate};

pub const CLOCK_MHZ: u32 = 80;
pub const MEMORY_BYTES: u32 = 0x1_8004;
/// Bytes that may wait at the board: a little less than its queue holds.
const WAITING_BYTES: usize = 1700;
/// Beats without a byte from the board after which it is taken for dead.
const PATIENCE: u64 = 2_000_000;

pub fn library(clocks_per_bit: u32) -> Library {
    verilate(move || Bridge::new(clocks_per_bit, CLOCK_MHZ, MEMORY_BYTES), "bridge")
}

/// Registers that hold what is written, and a memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    pub memory: Vec<u8>,
    pub registers: Vec<u32>,
    /// Register writes, in order.
    pub written: Vec<(u32, u32)>,
}

impl Target for Device {
    fn read_register(&mut self, offset: u32) -> u32 {
        self.registers[offset as usize / 4]
    }

    fn write_register(&mut self, offset: u32, value: u32) {
        self.written.push((offset, value));
        self.registers[offset as usize / 4] = value;
    }

    fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

/// How memory and core behave.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Probability that memory takes a word in a beat.
    pub takes: f64,
    /// Beats from there to a word that is read, at least, and the probability that one that is due comes.
    pub latency: u64,
    pub comes: f64,
    /// Probability of each step of the core.
    pub core: f64,
}

impl Timing {
    pub const PROMPT: Self = Self { takes: 1.0, latency: 1, comes: 1.0, core: 1.0 };
}

/// A core's end of AXI4-Lite.
#[derive(Default)]
struct Core {
    write_address: Option<u32>,
    write_data: Option<u32>,
    confirms: bool,
    read_address: Option<u32>,
    answer: Option<u32>,
}

pub struct Board<'a> {
    pub bench: &'a mut Bench,
    pub clocks_per_bit: u64,
    pub timing: Timing,
    pub sender: Sender,
    board_ear: Ear,
    host_ear: Ear,
    pub model: link::Bridge<Device>,
    /// What the RTL reaches.
    pub device: Device,
    /// The model answers too, and answers are compared; otherwise they are collected.
    pub compares: bool,
    pub collected: Vec<u8>,
    /// Bytes of answers that are due; true with the last of an answer.
    expected: VecDeque<(u8, bool)>,
    /// Bytes that the board had heard when an answer fell due.
    due: VecDeque<usize>,
    heard: usize,
    pub answers: usize,
    /// Answers of the model, and frames that the RTL took.
    frames: usize,
    taken_frames: usize,
    bytes: usize,
    last_byte: u64,
    reading: VecDeque<(u64, u32)>,
    core: Core,
    offered: [Option<Vec<u64>>; 4],
}

impl<'a> Board<'a> {
    pub fn new(bench: &'a mut Bench, clocks_per_bit: u32) -> Self {
        let clocks_per_bit = u64::from(clocks_per_bit);
        let memory = (0..MEMORY_BYTES).map(|_| bench.random.random()).collect();
        let registers = (0..BYTES / 4).map(|_| bench.random.random()).collect();
        let device = Device { memory, registers, written: Vec::new() };
        let mut board = Self {
            bench,
            clocks_per_bit,
            timing: Timing::PROMPT,
            sender: Sender::default(),
            board_ear: Ear::new(clocks_per_bit),
            host_ear: Ear::new(clocks_per_bit),
            model: link::Bridge::new(device.clone(), CLOCK_MHZ as u16),
            device,
            compares: true,
            collected: Vec::new(),
            expected: VecDeque::new(),
            due: VecDeque::new(),
            heard: 0,
            answers: 0,
            frames: 0,
            taken_frames: 0,
            bytes: 0,
            last_byte: 0,
            reading: VecDeque::new(),
            core: Core::default(),
            offered: Default::default(),
        };
        board.reset();
        board
    }

    /// A reset, of memory's and the core's port too.
    pub fn reset(&mut self) {
        for input in ["memory_ready", "memory_read_valid", "m_lite_bvalid", "m_lite_rvalid"] {
            self.bench.set(input, 0);
        }
        self.bench.reset();
        self.board_ear = Ear::new(self.clocks_per_bit);
        self.host_ear = Ear::new(self.clocks_per_bit);
        let target = std::mem::take(&mut self.model.target);
        self.model = link::Bridge::new(target, CLOCK_MHZ as u16);
        self.expected.clear();
        self.due.clear();
        self.taken_frames = self.frames;
        self.reading.clear();
        self.core = Core::default();
        self.offered = Default::default();
        self.last_byte = self.bench.beat;
    }

    pub fn beat(&mut self) {
        let high = self.sender.next();
        self.bench.set("rx", high.into());
        self.drive_memory();
        self.drive_core();
        // No output depends on an input of the same beat.
        self.offers_stay();
        self.taken_frames += usize::from(self.is_high("active"));
        if let Some(heard) = self.host_ear.hear(self.is_high("tx")) {
            self.host_hears(heard);
        }
        if let Some(heard) = self.board_ear.hear(high).filter(|_| self.compares) {
            self.model_hears(heard);
        }
        self.take_memory();
        self.take_core();
        self.bench.tick();
    }

    fn is_high(&self, name: &str) -> bool {
        self.bench.get(name) == 1
    }

    fn model_hears(&mut self, heard: Heard) {
        self.heard += 1;
        match heard {
            Heard::Byte(byte) => self.model.receive(byte),
            Heard::Fault => self.model.spoil(),
        }
        let answer: Vec<u8> = std::iter::from_fn(|| self.model.send()).collect();
        if !answer.is_empty() {
            self.expected.extend(answer.iter().enumerate().map(|(at, &byte)| (byte, at + 1 == answer.len())));
            self.due.push_back(self.heard);
            self.frames += 1;
        }
    }

    fn host_hears(&mut self, heard: Heard) {
        let Heard::Byte(byte) = heard else { panic!("no stop bit (EMOE_SEED={})", self.bench.seed) };
        self.last_byte = self.bench.beat;
        self.bytes += 1;
        if !self.compares {
            self.collected.push(byte);
            return;
        }
        let expected = self.expected.pop_front();
        self.bench.expect("byte of answers", self.bytes, Some(byte), expected.map(|(byte, _)| byte));
        if expected.is_some_and(|(_, last)| last) {
            self.due.pop_front();
            self.answers += 1;
        }
    }

    /// What is offered and not taken stays as it is.
    fn offers_stay(&mut self) {
        const CHANNELS: [(&str, &str, &[&str]); 4] = [
            ("memory_valid", "memory_ready", &["memory_write", "memory_address", "memory_write_data"]),
            ("m_lite_awvalid", "m_lite_awready", &["m_lite_awaddr", "m_lite_awprot"]),
            ("m_lite_wvalid", "m_lite_wready", &["m_lite_wdata", "m_lite_wstrb"]),
            ("m_lite_arvalid", "m_lite_arready", &["m_lite_araddr", "m_lite_arprot"]),
        ];
        for (index, (valid, ready, values)) in CHANNELS.into_iter().enumerate() {
            let now: Option<Vec<u64>> =
                self.is_high(valid).then(|| values.iter().map(|name| self.bench.get(name)).collect());
            if self.offered[index].is_some() {
                self.bench.expect(valid, index, &now, &self.offered[index]);
            }
            self.offered[index] = now.filter(|_| !self.is_high(ready));
        }
    }

    fn drive_memory(&mut self) {
        let Timing { takes, comes, .. } = self.timing;
        let ready = self.bench.chance(takes);
        self.bench.set("memory_ready", ready.into());
        let is_due = self.reading.front().is_some_and(|&(beat, _)| beat <= self.bench.beat);
        let word = if is_due && self.bench.chance(comes) { self.reading.pop_front() } else { None };
        // Whatever is there while nothing comes must not matter.
        let noise = self.bench.random.random();
        self.bench.set("memory_read_valid", word.is_some().into());
        self.bench.set("memory_read_data", word.map_or(noise, |(_, word)| word).into());
    }

    fn take_memory(&mut self) {
        if !(self.is_high("memory_valid") && self.is_high("memory_ready")) {
            return;
        }
        let at = self.bench.get("memory_address") as usize;
        assert!(
            at.is_multiple_of(4) && at < MEMORY_BYTES as usize,
            "{at:#x} (EMOE_SEED={})",
            self.bench.seed
        );
        let word = &mut self.device.memory[at..at + 4];
        if self.bench.get("memory_write") == 1 {
            word.copy_from_slice(&(self.bench.get("memory_write_data") as u32).to_le_bytes());
        } else {
            let word = u32::from_le_bytes(word.try_into().unwrap());
            self.reading.push_back((self.bench.beat + self.timing.latency, word));
        }
    }

    fn drive_core(&mut self) {
        let core = self.timing.core;
        let mut steps = || self.bench.chance(core);
        let steps = [steps(), steps(), steps()];
        let noise = self.bench.random.random();
        let ready = |wants: bool, held: Option<u32>| u64::from(wants && held.is_none());
        self.bench.set("m_lite_awready", ready(steps[0], self.core.write_address));
        self.bench.set("m_lite_wready", ready(steps[1], self.core.write_data));
        self.bench.set("m_lite_arready", ready(steps[2], self.core.read_address));
        self.bench.set("m_lite_bvalid", self.core.confirms.into());
        self.bench.set("m_lite_rvalid", self.core.answer.is_some().into());
        self.bench.set("m_lite_rdata", self.core.answer.unwrap_or(noise).into());
    }

    fn take_core(&mut self) {
        let taken = |valid: &str, ready: &str| self.is_high(valid) && self.is_high(ready);
        let aw = taken("m_lite_awvalid", "m_lite_awready");
        let w = taken("m_lite_wvalid", "m_lite_wready");
        let ar = taken("m_lite_arvalid", "m_lite_arready");
        let b = taken("m_lite_bvalid", "m_lite_bready");
        let r = taken("m_lite_rvalid", "m_lite_rready");
        let value = |name: &str| self.bench.get(name) as u32;
        let core = &mut self.core;
        if aw {
            core.write_address = Some(value("m_lite_awaddr"));
        }
        if w {
            assert_eq!(value("m_lite_wstrb"), 0xf);
            core.write_data = Some(value("m_lite_wdata"));
        }
        if ar {
            core.read_address = Some(value("m_lite_araddr"));
        }
        core.confirms &= !b;
        core.answer = core.answer.filter(|_| !r);
        let steps = [(); 2].map(|()| self.bench.chance(self.timing.core));
        if let (Some(offset), Some(value), true) = (core.write_address, core.write_data, steps[0]) {
            self.device.write_register(offset, value);
            (core.write_address, core.write_data, core.confirms) = (None, None, true);
        }
        if let (Some(offset), true) = (core.read_address, steps[1]) {
            core.answer = Some(self.device.read_register(offset));
            core.read_address = None;
        }
    }

    /// Until another frame of so many bytes may be sent: all but the last bit of the one before is on the line.
    fn until_there_is_room(&mut self, bytes: usize) {
        let begin = self.bench.beat;
        let waiting = |board: &Self| board.due.front().map_or(0, |due| board.heard - due);
        while self.sender.levels() > 1
            || self.due.len() >= WINDOW
            || (!self.due.is_empty() && waiting(self) + bytes > WAITING_BYTES)
        {
            self.beat();
            self.is_alive(begin);
        }
    }

    fn is_alive(&self, begin: u64) {
        let since = self.bench.beat - self.last_byte.max(begin);
        assert!(since < PATIENCE, "{} answers are due (EMOE_SEED={})", self.due.len(), self.bench.seed);
    }

    /// Sends bytes when the board has room for them; some become something else with this probability.
    pub fn send(&mut self, line: &[u8], spoilt: f64) {
        self.until_there_is_room(line.len());
        for &byte in line {
            if spoilt > 0.0 && self.bench.chance(spoilt) {
                self.spoil(byte);
            } else {
                self.sender.byte(byte, 0, self.clocks_per_bit);
            }
        }
    }

    /// Sends something else than the byte.
    fn spoil(&mut self, byte: u8) {
        let bit = self.clocks_per_bit;
        let Self { bench: Bench { random, .. }, sender, .. } = self;
        match random.random_range(0..7) {
            0 => sender.byte(byte, 1 << random.random_range(0..10), bit),
            1 => (),
            2 => (0..2).for_each(|_| sender.byte(byte, 0, bit)),
            3 => [random.random(), byte].into_iter().for_each(|byte| sender.byte(byte, 0, bit)),
            4 => sender.level(false, random.random_range(10..30) * bit),
            5 => {
                sender.level(true, random.random_range(1..30 * bit));
                sender.level(false, 1);
                sender.level(true, random.random_range(1..30 * bit));
                sender.byte(byte, 0, bit);
            }
            _ => sender.level(random.random(), random.random_range(1..4 * bit)),
        }
    }

    pub fn answers_due(&self) -> usize {
        self.due.len()
    }

    /// Until all is sent and answered, and a while longer.
    pub fn settle(&mut self) {
        let begin = self.bench.beat;
        while !self.sender.is_silent() || !self.expected.is_empty() {
            self.beat();
            self.is_alive(begin);
        }
        (0..20 * self.clocks_per_bit).for_each(|_| self.beat());
    }

    /// Until all is answered; then both must have the same registers and memory.
    pub fn finish(&mut self) {
        self.settle();
        let (device, model) = (&self.device, &self.model.target);
        let seed = self.bench.seed;
        assert_eq!(device.written, model.written, "register writes (EMOE_SEED={seed})");
        let differs = (0..MEMORY_BYTES as usize).find(|&at| device.memory[at] != model.memory[at]);
        assert_eq!(differs, None, "a byte of memory (EMOE_SEED={seed})");
        assert_eq!(self.taken_frames, self.frames, "frames with the right CRC (EMOE_SEED={seed})");
    }
}
