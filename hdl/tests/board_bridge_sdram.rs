//! The bridge at the host's port of the SDRAM controller, with the model of its chip.
#![allow(missing_docs, reason = "derives of rust-hdl emit items without documentation")]

#[path = "bridge/line.rs"]
#[allow(dead_code, reason = "the bridge uses the rest")]
mod line;

#[path = "../../sim/src/sdram_chip.rs"]
#[allow(dead_code, reason = "the simulator uses the rest")]
mod chip;

mod common;

use chip::{SDRAM_BYTES, SdramOnPins, SdramPins};
use common::{Bench, seeds, verilate};
use edge_moe_hdl::board::Bridge;
use edge_moe_hdl::board::sdram::Sdram;
use edge_moe_isa::link::{CHECKSUM_BYTES, Deframer, Header, Operation, PAYLOAD_BYTES, decode, encode, frame};
use line::{Ear, Heard, Sender};
use rand::Rng;
use rust_hdl_core::prelude::*;

const CLOCK_MHZ: u32 = 80;
const CLOCKS_PER_BIT: u32 = 4;
const POWER_UP_US: u32 = 2;
const SESSION: u32 = 0x1234_5678;
/// Host's patience for each byte that is summed: 400 ns.
const SUM_BEATS: u64 = 32;

/// Both, without a core.
#[derive(LogicBlock)]
struct Board {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    rx: Signal<In, Bit>,
    tx: Signal<Out, Bit>,
    cs_n: Signal<Out, Bit>,
    ras_n: Signal<Out, Bit>,
    cas_n: Signal<Out, Bit>,
    we_n: Signal<Out, Bit>,
    ba: Signal<Out, Bits<2>>,
    a: Signal<Out, Bits<13>>,
    dqm: Signal<Out, Bits<2>>,
    dq_out: Signal<Out, Bits<16>>,
    dq_enable: Signal<Out, Bit>,
    dq_in: Signal<In, Bits<16>>,
    bridge: Bridge,
    sdram: Sdram<64, 8>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            rx: Default::default(),
            tx: Default::default(),
            cs_n: Default::default(),
            ras_n: Default::default(),
            cas_n: Default::default(),
            we_n: Default::default(),
            ba: Default::default(),
            a: Default::default(),
            dqm: Default::default(),
            dq_out: Default::default(),
            dq_enable: Default::default(),
            dq_in: Default::default(),
            bridge: Bridge::new(CLOCKS_PER_BIT, CLOCK_MHZ, SDRAM_BYTES as u32),
            sdram: Sdram::new_with_power_up(CLOCK_MHZ, POWER_UP_US),
        }
    }
}

impl Logic for Board {
    #[hdl_gen]
    fn update(&mut self) {
        self.bridge.clock.next = self.clock.val();
        self.bridge.reset.next = self.reset.val();
        self.bridge.rx.next = self.rx.val();
        self.tx.next = self.bridge.tx.val();
        self.bridge.m_lite_awready.next = false;
        self.bridge.m_lite_wready.next = false;
        self.bridge.m_lite_bresp.next = 0.into();
        self.bridge.m_lite_bvalid.next = false;
        self.bridge.m_lite_arready.next = false;
        self.bridge.m_lite_rdata.next = 0.into();
        self.bridge.m_lite_rresp.next = 0.into();
        self.bridge.m_lite_rvalid.next = false;

        self.sdram.clock.next = self.clock.val();
        self.sdram.reset.next = self.reset.val();
        self.sdram.s_axi_arid.next = 0.into();
        self.sdram.s_axi_araddr.next = 0.into();
        self.sdram.s_axi_arlen.next = 0.into();
        self.sdram.s_axi_arvalid.next = false;
        self.sdram.s_axi_awid.next = 0.into();
        self.sdram.s_axi_awaddr.next = 0.into();
        self.sdram.s_axi_awlen.next = 0.into();
        self.sdram.s_axi_awvalid.next = false;
        self.sdram.s_axi_wdata.next = 0.into();
        self.sdram.s_axi_wstrb.next = 0.into();
        self.sdram.s_axi_wlast.next = false;
        self.sdram.s_axi_wvalid.next = false;
        self.sdram.memory_valid.next = self.bridge.memory_valid.val();
        self.bridge.memory_ready.next = self.sdram.memory_ready.val();
        self.sdram.memory_write.next = self.bridge.memory_write.val();
        self.sdram.memory_address.next = self.bridge.memory_address.val();
        self.sdram.memory_write_data.next = self.bridge.memory_write_data.val();
        self.bridge.memory_read_valid.next = self.sdram.memory_read_valid.val();
        self.bridge.memory_read_data.next = self.sdram.memory_read_data.val();
        self.cs_n.next = self.sdram.cs_n.val();
        self.ras_n.next = self.sdram.ras_n.val();
        self.cas_n.next = self.sdram.cas_n.val();
        self.we_n.next = self.sdram.we_n.val();
        self.ba.next = self.sdram.ba.val();
        self.a.next = self.sdram.a.val();
        self.dqm.next = self.sdram.dqm.val();
        self.dq_out.next = self.sdram.dq_out.val();
        self.dq_enable.next = self.sdram.dq_enable.val();
        self.sdram.dq_in.next = self.dq_in.val();
    }
}

struct Host<'a> {
    bench: &'a mut Bench,
    chip: SdramOnPins,
    sender: Sender,
    ear: Ear,
    deframer: Deframer,
}

impl Host<'_> {
    /// A beat; returns the frame that ends in it.
    fn beat(&mut self) -> Option<Vec<u8>> {
        self.bench.set("rx", self.sender.next().into());
        let bit = |name: &str| self.bench.get(name) == 1;
        let pins = SdramPins {
            cke: true,
            cs_n: bit("cs_n"),
            ras_n: bit("ras_n"),
            cas_n: bit("cas_n"),
            we_n: bit("we_n"),
            ba: self.bench.get("ba") as u8,
            a: self.bench.get("a") as u16,
            dqm: self.bench.get("dqm") as u8,
            dq: self.bench.get("dq_out") as u16,
            dq_enable: bit("dq_enable"),
        };
        let heard = self.ear.hear(bit("tx"));
        let dq = self.chip.clock(&pins).unwrap_or_else(|fault| panic!("{fault}"));
        self.bench.set("dq_in", dq.into());
        self.bench.tick();
        match heard? {
            Heard::Byte(byte) => self.deframer.push(byte),
            Heard::Fault => panic!("no stop bit"),
        }
    }

    /// Asks and waits; returns the answer, its payload, and the beats from the last bit sent to the last one received.
    fn ask(
        &mut self,
        operation: Operation,
        address: u32,
        value: u32,
        payload: &[u8],
    ) -> (Header, Vec<u8>, u64) {
        let header =
            Header { session: SESSION, operation: operation as u8, address, value, ..Header::default() };
        let mut line = Vec::new();
        frame(&encode(header, payload), &mut line);
        line.into_iter().for_each(|byte| self.sender.byte(byte, 0, CLOCKS_PER_BIT.into()));
        while !self.sender.is_silent() {
            assert_eq!(self.beat(), None, "an answer before its request");
        }
        let begin = self.bench.beat;
        loop {
            if let Some(bytes) = self.beat() {
                let (answer, payload) = decode(&bytes).expect("a right CRC");
                assert_eq!(answer.status, 0, "{answer:?}");
                return (answer, payload.to_vec(), self.bench.beat - begin);
            }
            assert!(self.bench.beat - begin < 2_000_000, "no answer to {operation:?}");
        }
    }
}

#[test]
fn memory_is_written_read_and_summed_through_the_controller() {
    let library = verilate(Board::default, "bridge_on_sdram");
    let mut bench = Bench::new(&library, seeds()[0]);
    bench.set("rx", 1);
    bench.reset();
    let mut host = Host {
        bench: &mut bench,
        chip: SdramOnPins::new(CLOCK_MHZ, POWER_UP_US),
        sender: Sender::default(),
        ear: Ear::new(CLOCKS_PER_BIT.into()),
        deframer: Deframer::default(),
    };
    let (answer, ..) = host.ask(Operation::Hello, 0, SESSION, &[]);
    assert_eq!(answer.address, SDRAM_BYTES as u32);
    let base = SDRAM_BYTES as u32 - CHECKSUM_BYTES;
    for block in 0..6 {
        let data: Vec<u8> = (0..PAYLOAD_BYTES).map(|_| host.bench.random.random()).collect();
        let address = base + 1020 * block;
        let (_, _, beats) = host.ask(Operation::WriteMemory, address, 0, &data);
        let (_, read, _) = host.ask(Operation::ReadMemory, address, PAYLOAD_BYTES as u32, &[]);
        assert_eq!(read, data);
        assert_eq!(host.chip.chip.contents()[address as usize..][..PAYLOAD_BYTES], data);
        println!("1 KiB written: its answer is there {beats} beats behind the request");
    }
    let (answer, _, beats) = host.ask(Operation::Checksum, base, CHECKSUM_BYTES, &[]);
    assert_eq!(answer.value, crc32fast::hash(&host.chip.chip.contents()[base as usize..]));
    println!("64 KiB summed: {beats} beats, {:.1} a word", beats as f64 / f64::from(CHECKSUM_BYTES / 4));
    assert!(beats < SUM_BEATS * u64::from(CHECKSUM_BYTES));
}
