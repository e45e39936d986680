//! The registers of a device against their definition, register by register.

mod common;

use std::collections::HashMap;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::config;
use edge_moe_isa::INTERFACE_VERSION;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{
    Access, Activity, DEFAULT_TIMEOUT, ErrorCode, MAGIC, REGISTERS, Register, control, mode, status,
};
use rand::Rng;
use verilated::Build;

/// Registers that the host may write, with the bits they have.
const WRITABLE: [(Register, u32); 7] = [
    (Register::Mode, mode::SERIALISE | mode::INTERRUPT),
    (Register::BaseLow, 0xffff_f000),
    (Register::BaseHigh, 0xff),
    (Register::WritableBytes, u32::MAX),
    (Register::TotalBytes, u32::MAX),
    (Register::Program, u32::MAX),
    (Register::Timeout, u32::MAX),
];

/// What a program does in a beat, beside its activity.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    None,
    Finished,
    Failed(ErrorCode, u32),
}

/// A write, with its strobes.
#[derive(Clone, Copy)]
struct Write {
    offset: u32,
    data: u32,
    strobe: u32,
}

impl Write {
    fn mask(self) -> u32 {
        (0..4).filter(|byte| self.strobe >> byte & 1 == 1).map(|byte| 0xff << (8 * byte)).sum()
    }
}

/// A host, a core, and what the registers must hold.
struct Device<'a> {
    bench: &'a mut Bench,
    expected: HashMap<u32, u32>,
    running: bool,
    owes: bool,
    /// Pulses so far.
    starts: usize,
    stops: usize,
    bubbles: f64,
}

impl<'a> Device<'a> {
    fn new(bench: &'a mut Bench, arch: &ArchConfig) -> Self {
        for signal in ["awvalid", "wvalid", "bready", "arvalid", "rready"] {
            bench.set(&format!("s_axi_{signal}"), 0);
        }
        bench.reset();
        let mut expected: HashMap<u32, u32> = REGISTERS.iter().map(|layout| (layout.offset, 0)).collect();
        let constants = [
            (Register::Magic, MAGIC),
            (Register::Version, INTERFACE_VERSION),
            (Register::Lanes, arch.lanes),
            (Register::Vector, arch.vector),
            (Register::ScratchpadWords, arch.scratchpad_words),
            (Register::ResidualWords, arch.residual_words),
            (Register::BankWords, arch.bank_words),
            (Register::MaxTokens, arch.max_tokens),
            (Register::MaxExperts, arch.max_experts),
            (Register::QueueNodes, arch.queue_nodes),
            (Register::NormWidth, arch.norm_width),
            (Register::EpilogueWidth, arch.epilogue_width),
            (Register::MemoryBytes, arch.memory_bytes),
            (Register::MemoryPorts, arch.memory_ports),
            (Register::StreamEntries, arch.stream_entries),
            (Register::Timeout, DEFAULT_TIMEOUT),
        ];
        expected.extend(constants.map(|(register, value)| (register.offset(), value)));
        let bubbles = bench.random.random_range(0.1..1.0);
        Self { bench, expected, running: false, owes: false, starts: 0, stops: 0, bubbles }
    }

    fn value(&mut self, register: Register) -> &mut u32 {
        self.expected.get_mut(&register.offset()).expect("every register has a value")
    }

    /// One beat of the core; counts what must be counted. The bus is driven already.
    fn beat(&mut self, event: Event) {
        let activity = Activity::ALL[self.bench.random.random_range(0..Activity::ALL.len())];
        let reads = self.bench.random.random_range(0..=2);
        let write: u32 = self.bench.random.random_range(0..=1);
        let descriptor = self.bench.random.random_range(0..1 << 12);
        self.bench.set("running", self.running.into());
        self.bench.set("memory_owes", self.owes.into());
        self.bench.set("finished", (event == Event::Finished).into());
        self.bench.set("failed", matches!(event, Event::Failed(..)).into());
        if let Event::Failed(error, index) = event {
            self.bench.set("error", error as u64);
            self.bench.set("error_descriptor", index.into());
        }
        self.bench.set("descriptor", descriptor);
        self.bench.set("activity", activity as u64);
        self.bench.set("read_beats", reads);
        self.bench.set("write_beat", write.into());
        self.bench.eval();
        if self.running {
            *self.value(Register::Cycles) += 1;
            *self.value(activity.counter()) += 1;
            *self.value(Register::ReadBeats) += reads as u32;
            *self.value(Register::WriteBeats) += write;
        }
        self.stops += self.bench.get("stop") as usize;
        if self.bench.get("start") == 1 {
            self.starts += 1;
            let counters = REGISTERS.iter().filter(|layout| layout.offset >= Register::Cycles.offset());
            self.expected.extend(counters.map(|layout| (layout.offset, 0)));
            self.running = true;
        }
        self.bench.tick();
    }

    /// A write, a read, or both at once, with bubbles on every channel.
    fn transact(&mut self, write: Option<Write>, read: Option<u32>) -> u32 {
        let limit = self.bench.beat + 1000;
        let (mut address, mut data, mut confirmation) = (write.is_some(), write.is_some(), write.is_some());
        let (mut request, mut answer) = (read.is_some(), read.is_some());
        let (mut address_up, mut data_up, mut request_up) = (false, false, false);
        let mut owed: Option<u64> = None;
        let mut value = 0;
        while confirmation || answer {
            assert!(self.bench.beat < limit, "a transaction that never ends");
            address_up = address && (address_up || self.bench.chance(self.bubbles));
            data_up = data && (data_up || self.bench.chance(self.bubbles));
            request_up = request && (request_up || self.bench.chance(self.bubbles));
            let (bready, rready) = (self.bench.chance(self.bubbles), self.bench.chance(self.bubbles));
            self.bench.set("s_axi_awvalid", address_up.into());
            self.bench.set("s_axi_wvalid", data_up.into());
            self.bench.set("s_axi_arvalid", request_up.into());
            self.bench.set("s_axi_bready", bready.into());
            self.bench.set("s_axi_rready", rready.into());
            if let Some(Write { offset, data, strobe }) = write {
                self.bench.set("s_axi_awaddr", offset.into());
                self.bench.set("s_axi_wdata", data.into());
                self.bench.set("s_axi_wstrb", strobe.into());
            }
            self.bench.set("s_axi_araddr", read.unwrap_or(0).into());
            self.bench.eval();
            let up = |signal: &str| self.bench.get(&format!("s_axi_{signal}")) == 1;
            let (taken, data_taken) = (address_up && up("awready"), data_up && up("wready"));
            let request_taken = request_up && up("arready");
            assert!(!up("bvalid") || (confirmation && !address && !data), "a confirmation of nothing");
            assert!(!up("rvalid") || (answer && !request), "an answer to nothing");
            if up("rvalid") {
                let got = self.bench.get("s_axi_rdata");
                assert_eq!(*owed.get_or_insert(got), got, "an answer changes");
                assert_eq!(self.bench.get("s_axi_rresp"), 0);
                value = got as u32;
            }
            assert!(owed.is_none() || up("rvalid"), "an answer goes before it is taken");
            let done = up("rvalid") && rready;
            if up("bvalid") && bready {
                assert_eq!(self.bench.get("s_axi_bresp"), 0);
                confirmation = false;
            }
            self.beat(Event::None);
            (address, data, request) = (address && !taken, data && !data_taken, request && !request_taken);
            if done {
                (answer, owed) = (false, None);
            }
        }
        for signal in ["awvalid", "wvalid", "bready", "arvalid", "rready"] {
            self.bench.set(&format!("s_axi_{signal}"), 0);
        }
        value
    }

    /// Writes, with what follows from it.
    fn write(&mut self, write: Write) {
        let (starts, stops, was_running) = (self.starts, self.stops, self.running);
        // A constant can be read meanwhile.
        let read = self.bench.chance(0.3).then_some(Register::Magic.offset());
        let value = self.transact(Some(write), read);
        assert!(read.is_none() || value == MAGIC);
        let (mask, written) = (write.mask(), write.data & write.mask());
        let word = write.offset & !3;
        let mut expected_pulses = [0, 0];
        if word == Register::Control.offset() {
            if written & control::START != 0 {
                if was_running || self.owes {
                    *self.value(Register::Status) |= status::REFUSED;
                } else {
                    expected_pulses[0] = 1;
                    for register in [Register::Status, Register::Error, Register::ErrorDescriptor] {
                        *self.value(register) = 0;
                    }
                }
            }
            expected_pulses[1] = usize::from(written & control::STOP != 0 && was_running);
        }
        if word == Register::Status.offset() {
            *self.value(Register::Status) &= !written;
        }
        if let Some((register, bits)) = WRITABLE.iter().find(|(register, _)| register.offset() == word)
            && !was_running
        {
            let value = self.value(*register);
            *value = ((*value & !mask) | written) & bits;
        }
        let pulses = [self.starts - starts, self.stops - stops];
        self.bench.expect("pulses of start and stop by", write.offset as usize, pulses, expected_pulses);
    }

    /// The program ends.
    fn end(&mut self) {
        let event = match self.bench.chance(0.5) {
            true => Event::Finished,
            false => {
                let error = ErrorCode::ALL[self.bench.random.random_range(0..ErrorCode::ALL.len())];
                Event::Failed(error, self.bench.random.random_range(0..1 << 12))
            }
        };
        self.beat(event);
        self.running = false;
        match event {
            Event::Failed(error, index) => {
                *self.value(Register::Status) |= status::ERROR;
                *self.value(Register::Error) = error as u32;
                *self.value(Register::ErrorDescriptor) = index;
            }
            _ => *self.value(Register::Status) |= status::DONE,
        }
    }

    /// All outputs that hold values, and the interrupt.
    fn check_outputs(&mut self) {
        self.beat(Event::None);
        self.bench.set("running", self.running.into());
        self.bench.eval();
        let expected = |register: Register| u64::from(self.expected[&register.offset()]);
        let done = expected(Register::Status) & u64::from(status::DONE | status::ERROR) != 0;
        let mode = expected(Register::Mode);
        let outputs = [
            ("serialise", mode & 1),
            ("base", expected(Register::BaseHigh) << 32 | expected(Register::BaseLow)),
            ("writable_bytes", expected(Register::WritableBytes)),
            ("total_bytes", expected(Register::TotalBytes)),
            ("program_address", expected(Register::Program)),
            ("timeout", expected(Register::Timeout)),
            ("interrupt_request", u64::from(done && mode & u64::from(mode::INTERRUPT) != 0)),
        ];
        for (index, (name, value)) in outputs.into_iter().enumerate() {
            self.bench.expect(name, index, self.bench.get(name), value);
        }
    }

    /// Reads one register; counters and the descriptor only while they stand still.
    fn check(&mut self, offset: u32) {
        let low = self.bench.random.random_range(0..4);
        let counter = offset >= Register::Cycles.offset();
        if (self.running && counter) || offset == Register::Descriptor.offset() {
            return;
        }
        let got = self.transact(None, Some(offset | low));
        let mut expected = self.expected.get(&offset).copied().unwrap_or(0);
        if offset == Register::Status.offset() && self.running {
            expected |= status::BUSY;
        }
        self.bench.expect("register", offset as usize, got, expected);
    }

    fn check_all(&mut self) {
        (0..0x100).step_by(4).for_each(|offset| self.check(offset));
        let far = self.bench.random.random_range(0x40..0x400) * 4;
        self.check(far);
        self.check_outputs();
    }
}

fn random_write(bench: &mut Bench) -> Write {
    let offset = match bench.random.random_range(0..10) {
        0..4 => WRITABLE[bench.random.random_range(0..WRITABLE.len())].0.offset(),
        4..7 => Register::Control.offset(),
        7..9 => Register::Status.offset(),
        _ => bench.random.random_range(0..0x400) * 4,
    };
    let strobe = if bench.chance(0.6) { 0xf } else { bench.random.random_range(0..16) };
    Write { offset, data: bench.random.random(), strobe }
}

#[test]
fn registers_of_every_architecture() {
    for arch in ArchConfig::named() {
        let units = config::units(&arch.name).unwrap();
        let unit = units.iter().find(|unit| unit.name == "control").unwrap();
        let name = format!("control_{}", arch.name.replace('-', "_"));
        let build = Build::new(&name).source_text(format!("{name}.v"), (unit.verilog)(&name).unwrap());
        let library = build.load().unwrap_or_else(|error| panic!("{error}"));
        for seed in seeds() {
            let mut bench = Bench::new(&library, seed);
            let mut device = Device::new(&mut bench, &arch);
            device.check_all();
            for _ in 0..60 {
                for _ in 0..device.bench.random.random_range(1..6) {
                    device.owes = device.bench.chance(0.3);
                    let write = random_write(device.bench);
                    device.write(write);
                }
                if device.running && device.bench.chance(0.6) {
                    device.end();
                }
                device.check_outputs();
                let layout = &REGISTERS[device.bench.random.random_range(0..REGISTERS.len())];
                device.check(layout.offset);
            }
            device.check_all();
            assert!(device.starts > 3, "{} starts", device.starts);
        }
    }
}

/// The list above is that of the definition.
#[test]
fn writable_registers_are_those_of_the_definition() {
    let defined = REGISTERS.iter().filter(|layout| layout.access == Access::ReadWrite);
    assert!(defined.map(|layout| layout.register).eq(WRITABLE.map(|(register, _)| register)));
}

/// `descriptor` shows what the core says at once.
#[test]
fn the_descriptor_is_read_through() {
    let library = verilate(config::tiny::control, "control_tiny");
    let mut bench = Bench::new(&library, 1);
    bench.reset();
    bench.set("s_axi_araddr", Register::Descriptor.offset().into());
    bench.set("s_axi_arvalid", 1);
    bench.set("s_axi_rready", 0);
    bench.set("descriptor", 0xabc);
    bench.tick();
    bench.set("s_axi_arvalid", 0);
    bench.tick();
    bench.tick();
    bench.eval();
    assert_eq!([bench.get("s_axi_rvalid"), bench.get("s_axi_rdata")], [1, 0xabc]);
}
