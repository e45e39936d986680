//! The accelerator: registers, memory ports, core.
//!
//! Clock `aclk`, synchronous reset `aresetn` (low for four beats at least), AXI4-Lite slave `s_axi_*`,
//! AXI4 masters `m_axi_N_*` (read channels on every port, write channels on port 0),
//! `irq`. [`axi_names`] gives the ports these names in the Verilog. The outputs
//! `observe_*` are for simulation; leave them open on a board.

use edge_moe_isa::arch::ArchConfig;

use super::Compute;
use crate::control::Control;
use crate::dma::{ReadStream, WriteStream};
use crate::support::prelude::*;

/// Sizes as those of [`Compute`], then those of [`ReadStream`] and [`WriteStream`].
#[derive(LogicBlock)]
pub struct EdgeMoe<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
    const PORTS: usize,
    const BUS: usize,
    const STROBE: usize,
    const G: usize,
    const D: usize,
    const BEAT: usize,
    const CHUNK: usize,
    const FIFO: usize,
    const ORDER: usize,
> {
    pub aclk: Signal<In, Clock>,
    pub aresetn: Signal<In, Bit>,
    pub irq: Signal<Out, Bit>,

    pub s_axi_awaddr: Signal<In, Bits<12>>,
    pub s_axi_awprot: Signal<In, Bits<3>>,
    pub s_axi_awvalid: Signal<In, Bit>,
    pub s_axi_awready: Signal<Out, Bit>,
    pub s_axi_wdata: Signal<In, Bits<32>>,
    pub s_axi_wstrb: Signal<In, Bits<4>>,
    pub s_axi_wvalid: Signal<In, Bit>,
    pub s_axi_wready: Signal<Out, Bit>,
    pub s_axi_bresp: Signal<Out, Bits<2>>,
    pub s_axi_bvalid: Signal<Out, Bit>,
    pub s_axi_bready: Signal<In, Bit>,
    pub s_axi_araddr: Signal<In, Bits<12>>,
    pub s_axi_arprot: Signal<In, Bits<3>>,
    pub s_axi_arvalid: Signal<In, Bit>,
    pub s_axi_arready: Signal<Out, Bit>,
    pub s_axi_rdata: Signal<Out, Bits<32>>,
    pub s_axi_rresp: Signal<Out, Bits<2>>,
    pub s_axi_rvalid: Signal<Out, Bit>,
    pub s_axi_rready: Signal<In, Bit>,

    pub m_axi_arid: [Signal<Out, Bits<1>>; PORTS],
    pub m_axi_araddr: [Signal<Out, Bits<40>>; PORTS],
    pub m_axi_arlen: [Signal<Out, Bits<8>>; PORTS],
    pub m_axi_arsize: [Signal<Out, Bits<3>>; PORTS],
    pub m_axi_arburst: [Signal<Out, Bits<2>>; PORTS],
    pub m_axi_arvalid: [Signal<Out, Bit>; PORTS],
    pub m_axi_arready: [Signal<In, Bit>; PORTS],
    pub m_axi_rid: [Signal<In, Bits<1>>; PORTS],
    pub m_axi_rdata: [Signal<In, Bits<BUS>>; PORTS],
    pub m_axi_rresp: [Signal<In, Bits<2>>; PORTS],
    pub m_axi_rlast: [Signal<In, Bit>; PORTS],
    pub m_axi_rvalid: [Signal<In, Bit>; PORTS],
    pub m_axi_rready: [Signal<Out, Bit>; PORTS],

    pub m_axi_awid: Signal<Out, Bits<1>>,
    pub m_axi_awaddr: Signal<Out, Bits<40>>,
    pub m_axi_awlen: Signal<Out, Bits<8>>,
    pub m_axi_awsize: Signal<Out, Bits<3>>,
    pub m_axi_awburst: Signal<Out, Bits<2>>,
    pub m_axi_awvalid: Signal<Out, Bit>,
    pub m_axi_awready: Signal<In, Bit>,
    pub m_axi_wdata: Signal<Out, Bits<BUS>>,
    pub m_axi_wstrb: Signal<Out, Bits<STROBE>>,
    pub m_axi_wlast: Signal<Out, Bit>,
    pub m_axi_wvalid: Signal<Out, Bit>,
    pub m_axi_wready: Signal<In, Bit>,
    pub m_axi_bid: Signal<In, Bits<1>>,
    pub m_axi_bresp: Signal<In, Bits<2>>,
    pub m_axi_bvalid: Signal<In, Bit>,
    pub m_axi_bready: Signal<Out, Bit>,

    pub observe_scratchpad_write: Signal<Out, Bit>,
    pub observe_scratchpad_address: Signal<Out, Bits<20>>,
    pub observe_scratchpad_data: Signal<Out, Bits<WORD>>,
    pub observe_residual_write: Signal<Out, Bit>,
    pub observe_residual_address: Signal<Out, Bits<20>>,
    pub observe_residual_data: Signal<Out, Bits<WORD>>,
    /// What the lanes do: `edge_moe_isa::registers::Activity`.
    pub observe_activity: Signal<Out, Bits<4>>,
    /// The descriptor that was started last.
    pub observe_descriptor: Signal<Out, Bits<12>>,
    /// With `serialise`: all its results are written.
    pub observe_settled: Signal<Out, Bit>,
    pub observe_running: Signal<Out, Bit>,

    // The reset reaches registers all over the FPGA: beats to travel in. Only the register port, which may be asked at
    // once, has it as it comes.
    reset: Register<Bit>,
    bus_reset: Register<Bit>,
    control: Control,
    reads: ReadStream<PORTS, BUS, ENTRY, G, D, BEAT, CHUNK, FIFO, ORDER>,
    /// Runs (address above bytes) and entries stand in registers between core and stream, so that `ready` needs
    /// not come through both in a beat.
    runs: Skid<64>,
    entries: Skid<ENTRY>,
    writes: WriteStream<BUS, STROBE, WORD, BEAT>,
    compute: Compute<
        P,
        V,
        ROW,
        WORD,
        ROWS,
        RESULTS,
        WORDS,
        ENTRY,
        RECORDS,
        L,
        A,
        R,
        K,
        N,
        B,
        M,
        NORM,
        NV,
        NWORD,
        NL,
        NA,
        W,
        SLICES,
        SLICE,
        EXPERTS,
    >,
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
    const PORTS: usize,
    const BUS: usize,
    const STROBE: usize,
    const G: usize,
    const D: usize,
    const BEAT: usize,
    const CHUNK: usize,
    const FIFO: usize,
    const ORDER: usize,
>
    EdgeMoe<
        P,
        V,
        ROW,
        WORD,
        ROWS,
        RESULTS,
        WORDS,
        ENTRY,
        RECORDS,
        L,
        A,
        R,
        K,
        N,
        B,
        M,
        NORM,
        NV,
        NWORD,
        NL,
        NA,
        W,
        SLICES,
        SLICE,
        EXPERTS,
        PORTS,
        BUS,
        STROBE,
        G,
        D,
        BEAT,
        CHUNK,
        FIFO,
        ORDER,
    >
{
    /// The accelerator of these sizes.
    pub fn new(arch: &ArchConfig) -> Self {
        with_defaults!(
            aclk, aresetn, irq, s_axi_awaddr, s_axi_awprot, s_axi_awvalid, s_axi_awready, s_axi_wdata, s_axi_wstrb, s_axi_wvalid, s_axi_wready, s_axi_bresp, s_axi_bvalid, s_axi_bready, s_axi_araddr, s_axi_arprot, s_axi_arvalid, s_axi_arready, s_axi_rdata, s_axi_rresp, s_axi_rvalid, s_axi_rready, m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst, m_axi_awvalid, m_axi_awready, m_axi_wdata, m_axi_wstrb, m_axi_wlast, m_axi_wvalid, m_axi_wready, m_axi_bid, m_axi_bresp, m_axi_bvalid, m_axi_bready, observe_scratchpad_write, observe_scratchpad_address, observe_scratchpad_data, observe_residual_write, observe_residual_address, observe_residual_data, observe_activity, observe_descriptor, observe_settled, observe_running, reads, runs, entries, writes, reset, bus_reset;
            m_axi_arid: from_fn(|_| Default::default()), m_axi_araddr: from_fn(|_| Default::default()), m_axi_arlen: from_fn(|_| Default::default()), m_axi_arsize: from_fn(|_| Default::default()), m_axi_arburst: from_fn(|_| Default::default()), m_axi_arvalid: from_fn(|_| Default::default()), m_axi_arready: from_fn(|_| Default::default()), m_axi_rid: from_fn(|_| Default::default()), m_axi_rdata: from_fn(|_| Default::default()), m_axi_rresp: from_fn(|_| Default::default()), m_axi_rlast: from_fn(|_| Default::default()), m_axi_rvalid: from_fn(|_| Default::default()), m_axi_rready: from_fn(|_| Default::default()),
            control: Control::new(arch),
            compute: Compute::new(arch),
        )
    }
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
    const PORTS: usize,
    const BUS: usize,
    const STROBE: usize,
    const G: usize,
    const D: usize,
    const BEAT: usize,
    const CHUNK: usize,
    const FIFO: usize,
    const ORDER: usize,
> Logic
    for EdgeMoe<
        P,
        V,
        ROW,
        WORD,
        ROWS,
        RESULTS,
        WORDS,
        ENTRY,
        RECORDS,
        L,
        A,
        R,
        K,
        N,
        B,
        M,
        NORM,
        NV,
        NWORD,
        NL,
        NA,
        W,
        SLICES,
        SLICE,
        EXPERTS,
        PORTS,
        BUS,
        STROBE,
        G,
        D,
        BEAT,
        CHUNK,
        FIFO,
        ORDER,
    >
{
    #[hdl_gen]
    fn update(&mut self) {
        self.reset.clock.next = self.aclk.val();
        self.bus_reset.clock.next = self.aclk.val();
        self.reset.d.next = !self.aresetn.val();
        self.bus_reset.d.next = self.reset.q.val();
        self.control.clock.next = self.aclk.val();
        self.reads.clock.next = self.aclk.val();
        self.writes.clock.next = self.aclk.val();
        self.compute.clock.next = self.aclk.val();
        self.control.reset.next = !self.aresetn.val();
        self.compute.reset.next = self.reset.q.val();
        self.reads.reset.next = self.compute.flush.val();
        self.reads.hard_reset.next = self.bus_reset.q.val();
        self.writes.reset.next = self.compute.flush.val();
        self.writes.hard_reset.next = self.bus_reset.q.val();

        // Registers.
        self.control.s_axi_awaddr.next = self.s_axi_awaddr.val();
        self.control.s_axi_awprot.next = self.s_axi_awprot.val();
        self.control.s_axi_awvalid.next = self.s_axi_awvalid.val();
        self.s_axi_awready.next = self.control.s_axi_awready.val();
        self.control.s_axi_wdata.next = self.s_axi_wdata.val();
        self.control.s_axi_wstrb.next = self.s_axi_wstrb.val();
        self.control.s_axi_wvalid.next = self.s_axi_wvalid.val();
        self.s_axi_wready.next = self.control.s_axi_wready.val();
        self.s_axi_bresp.next = self.control.s_axi_bresp.val();
        self.s_axi_bvalid.next = self.control.s_axi_bvalid.val();
        self.control.s_axi_bready.next = self.s_axi_bready.val();
        self.control.s_axi_araddr.next = self.s_axi_araddr.val();
        self.control.s_axi_arprot.next = self.s_axi_arprot.val();
        self.control.s_axi_arvalid.next = self.s_axi_arvalid.val();
        self.s_axi_arready.next = self.control.s_axi_arready.val();
        self.s_axi_rdata.next = self.control.s_axi_rdata.val();
        self.s_axi_rresp.next = self.control.s_axi_rresp.val();
        self.s_axi_rvalid.next = self.control.s_axi_rvalid.val();
        self.control.s_axi_rready.next = self.s_axi_rready.val();
        self.irq.next = self.control.interrupt_request.val();
        self.compute.start.next = self.control.start.val();
        self.compute.stop.next = self.control.stop.val();
        self.compute.serialise.next = self.control.serialise.val();
        self.compute.program_address.next = self.control.program_address.val();
        self.compute.writable_bytes.next = self.control.writable_bytes.val();
        self.compute.total_bytes.next = self.control.total_bytes.val();
        self.compute.timeout.next = self.control.timeout.val();
        self.control.running.next = self.compute.running.val();
        self.control.memory_owes.next = !self.reads.quiet.val() | !self.writes.quiet.val();
        self.control.finished.next = self.compute.finished.val();
        self.control.failed.next = self.compute.failed.val();
        self.control.error.next = self.compute.error.val();
        self.control.error_descriptor.next = self.compute.descriptor.val();
        self.control.descriptor.next = self.compute.descriptor.val();
        self.control.activity.next = self.compute.activity.val();
        self.control.read_beats.next = self.reads.beats.val();
        self.control.write_beat.next = self.writes.beats.val();

        // Reads.
        self.reads.base.next = self.control.base.val();
        self.runs.clock.next = self.aclk.val();
        self.runs.reset.next = self.compute.flush.val();
        self.runs.in_valid.next = self.compute.run_valid.val();
        self.compute.run_ready.next = self.runs.in_ready.val();
        self.runs.in_data.next = (bit_cast::<64, 32>(self.compute.run_address.val()) << 32)
            | bit_cast::<64, 32>(self.compute.run_bytes.val());
        self.reads.run_valid.next = self.runs.out_valid.val();
        self.runs.out_ready.next = self.reads.run_ready.val();
        self.reads.run_address.next = self.runs.out_data.val().get_bits::<32>(32);
        self.reads.run_bytes.next = self.runs.out_data.val().get_bits::<32>(0);
        self.entries.clock.next = self.aclk.val();
        self.entries.reset.next = self.compute.flush.val();
        self.entries.in_valid.next = self.reads.entry_valid.val();
        self.reads.entry_ready.next = self.entries.in_ready.val();
        self.entries.in_data.next = self.reads.entry_data.val();
        self.compute.entry_valid.next = self.entries.out_valid.val();
        self.entries.out_ready.next = self.compute.entry_ready.val();
        self.compute.entry_data.next = self.entries.out_data.val();
        self.reads.fetch_valid.next = self.compute.fetch_valid.val();
        self.compute.fetch_ready.next = self.reads.fetch_ready.val();
        self.reads.fetch_address.next = self.compute.fetch_address.val();
        self.compute.descriptor_valid.next = self.reads.descriptor_valid.val();
        self.reads.descriptor_ready.next = self.compute.descriptor_ready.val();
        self.compute.descriptor_data.next = self.reads.descriptor_data.val();
        self.compute.read_error.next = self.reads.response_error.val();
        self.compute.read_quiet.next = self.reads.quiet.val();
        for i in 0..PORTS {
            self.m_axi_arid[i].next = self.reads.m_axi_arid[i].val();
            self.m_axi_araddr[i].next = self.reads.m_axi_araddr[i].val();
            self.m_axi_arlen[i].next = self.reads.m_axi_arlen[i].val();
            self.m_axi_arsize[i].next = self.reads.m_axi_arsize[i].val();
            self.m_axi_arburst[i].next = self.reads.m_axi_arburst[i].val();
            self.m_axi_arvalid[i].next = self.reads.m_axi_arvalid[i].val();
            self.reads.m_axi_arready[i].next = self.m_axi_arready[i].val();
            self.reads.m_axi_rid[i].next = self.m_axi_rid[i].val();
            self.reads.m_axi_rdata[i].next = self.m_axi_rdata[i].val();
            self.reads.m_axi_rresp[i].next = self.m_axi_rresp[i].val();
            self.reads.m_axi_rlast[i].next = self.m_axi_rlast[i].val();
            self.reads.m_axi_rvalid[i].next = self.m_axi_rvalid[i].val();
            self.m_axi_rready[i].next = self.reads.m_axi_rready[i].val();
        }

        // Writes.
        self.writes.base.next = self.control.base.val();
        self.writes.job_valid.next = self.compute.write_valid.val();
        self.compute.write_ready.next = self.writes.job_ready.val();
        self.writes.job_address.next = self.compute.write_address.val();
        self.writes.job_bytes.next = self.compute.write_bytes.val();
        self.writes.word_valid.next = self.compute.write_word_valid.val();
        self.compute.write_word_ready.next = self.writes.word_ready.val();
        self.writes.word_data.next = self.compute.write_word_data.val();
        self.compute.write_busy.next = self.writes.busy.val();
        self.compute.write_error.next = self.writes.response_error.val();
        self.m_axi_awid.next = self.writes.m_axi_awid.val();
        self.m_axi_awaddr.next = self.writes.m_axi_awaddr.val();
        self.m_axi_awlen.next = self.writes.m_axi_awlen.val();
        self.m_axi_awsize.next = self.writes.m_axi_awsize.val();
        self.m_axi_awburst.next = self.writes.m_axi_awburst.val();
        self.m_axi_awvalid.next = self.writes.m_axi_awvalid.val();
        self.writes.m_axi_awready.next = self.m_axi_awready.val();
        self.m_axi_wdata.next = self.writes.m_axi_wdata.val();
        self.m_axi_wstrb.next = self.writes.m_axi_wstrb.val();
        self.m_axi_wlast.next = self.writes.m_axi_wlast.val();
        self.m_axi_wvalid.next = self.writes.m_axi_wvalid.val();
        self.writes.m_axi_wready.next = self.m_axi_wready.val();
        self.writes.m_axi_bid.next = self.m_axi_bid.val();
        self.writes.m_axi_bresp.next = self.m_axi_bresp.val();
        self.writes.m_axi_bvalid.next = self.m_axi_bvalid.val();
        self.m_axi_bready.next = self.writes.m_axi_bready.val();

        // What simulation looks at.
        self.observe_scratchpad_write.next = self.compute.scratchpad_write.val();
        self.observe_scratchpad_address.next = self.compute.scratchpad_address.val();
        self.observe_scratchpad_data.next = self.compute.scratchpad_data.val();
        self.observe_residual_write.next = self.compute.residual_write.val();
        self.observe_residual_address.next = self.compute.residual_address.val();
        self.observe_residual_data.next = self.compute.residual_data.val();
        self.observe_activity.next = self.compute.activity.val();
        self.observe_descriptor.next = self.compute.descriptor.val();
        self.observe_settled.next = self.compute.step_done.val();
        self.observe_running.next = self.compute.running.val();
    }
}

/// The Verilog of [`EdgeMoe`] with the names that tools recognise as AXI ports: the signals of
/// port N are `m_axi_N_*`.
pub fn axi_names(verilog: &str) -> String {
    const PREFIX: &str = "m_axi_";
    let mut named = String::with_capacity(verilog.len());
    let mut rest = verilog;
    while let Some(start) = rest.find(PREFIX) {
        let (before, found) = rest.split_at(start);
        let signal = &found[PREFIX.len()..];
        let length = signal.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(signal.len());
        let (signal, after) = signal.split_at(length);
        let digits = after
            .strip_prefix('$')
            .map_or(0, |index| index.find(|c: char| !c.is_ascii_digit()).unwrap_or(index.len()));
        let port = if digits == 0 { "0" } else { &after[1..=digits] };
        named += before;
        named += &format!("{PREFIX}{port}_{signal}");
        rest = if digits == 0 { after } else { &after[digits + 1..] };
    }
    named + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_of_a_port_have_its_number() {
        let verilog = "input wire m_axi_rid$1, .m_axi_wdata(writes$m_axi_wdata), m_axi_rid$10";
        let named = "input wire m_axi_1_rid, .m_axi_0_wdata(writes$m_axi_0_wdata), m_axi_10_rid";
        assert_eq!(axi_names(verilog), named);
    }
}
