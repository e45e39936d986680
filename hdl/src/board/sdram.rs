//! Controller of a 32 MiB SDR SDRAM: 16 bits, 4 banks of 8192 rows of 512 columns.
//!
//! | part | what it does |
//! |---|---|
//! | [`Requests`] | holds requests of the three ports and offers one access after another |
//! | [`Commands`] | sets up and refreshes the chip, opens rows, issues a column a beat |
//! | [`Answers`] | joins what comes back, confirms |
//!
//! Bits 24 to 12 of an address are the row, 11 and 10 the bank, 9 to 1 the column.
//!
//! # Ports
//! AXI4 without `size`, `burst`, `rready` and `bready`: bursts are INCR, as wide as the bus, of 1 to 16
//! beats within a chunk of 16, and the master takes every answer in the beat it comes, as the core does.
//! Reads are answered in the order of their addresses, whatever their ids. What lies beyond 32 MiB is
//! answered with SLVERR: zeros are read there, nothing is written.
//!
//! A word of the host, at a multiple of 4 below 32 MiB, has its place in the order of accesses when
//! `memory_ready` is high: whatever is asked for later, at any port, sees it. Until then valid and what
//! goes with it stay. Words that are read come in order, each after its `memory_ready`.
//!
//! `reset` forgets everything, words that were taken a moment ago too, and sets up the chip anew, after
//! the whole power-up wait. What was written before stays.
//!
//! # Waits
//! Ports take turns, and a write takes its turn when all its data is there. Before an access go at most the
//! one that is being issued, the one that is offered, one of each other port, and a refresh: a request is
//! taken within 200 beats, and a read's last beat comes within 300 more. Refreshes are at most
//! 64 ms / 8192 apart.
//!
//! # Throughput and latency
//! A column a beat as long as accesses stay in a row and do not change from reading to writing, which
//! costs three beats. Another row costs five beats, six behind a write; a refresh eleven. The first beat of a
//! lone read comes 14 beats after its address if the row is open, 16 if all are closed (64-bit bus).

mod answers;
mod commands;
mod requests;
mod timing;

use crate::support::prelude::*;
pub use answers::Answers;
pub use commands::Commands;
pub use requests::Requests;
pub use timing::Timing;

/// Power-up wait of the chip in µs, the longest of the data sheets.
pub const POWER_UP_US: u32 = 200;

/// How far an edge of the chip's clock must be ahead of the next edge of the controller's clock, in ps: a quarter
/// of a beat at 80 MHz.
pub const CHIP_LEAD_PS: u32 = 3125;

/// Beats from a read command at the pin cells until `dq_in` has its data, at CAS latency 2.
///
/// Pin cells have a register each way. Count the clock's edges from 0, at which those of the outputs give
/// out READ. The chip takes READ shortly before edge 1, see [`CHIP_LEAD_PS`], gives out data behind its next
/// edge, shortly before 2, and holds it until that shortly before 3 and a little longer. The register of the
/// pin cell takes it at edge 3. One beat more each way makes it five.
pub const CAPTURE_BEATS: usize = 5;

#[derive(LogicBlock)]
pub struct Sdram<const BUS: usize, const STROBE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub s_axi_arid: Signal<In, Bits<1>>,
    pub s_axi_araddr: Signal<In, Bits<40>>,
    pub s_axi_arlen: Signal<In, Bits<8>>,
    pub s_axi_arvalid: Signal<In, Bit>,
    pub s_axi_arready: Signal<Out, Bit>,
    pub s_axi_rid: Signal<Out, Bits<1>>,
    pub s_axi_rdata: Signal<Out, Bits<BUS>>,
    pub s_axi_rresp: Signal<Out, Bits<2>>,
    pub s_axi_rlast: Signal<Out, Bit>,
    pub s_axi_rvalid: Signal<Out, Bit>,
    pub s_axi_awid: Signal<In, Bits<1>>,
    pub s_axi_awaddr: Signal<In, Bits<40>>,
    pub s_axi_awlen: Signal<In, Bits<8>>,
    pub s_axi_awvalid: Signal<In, Bit>,
    pub s_axi_awready: Signal<Out, Bit>,
    pub s_axi_wdata: Signal<In, Bits<BUS>>,
    pub s_axi_wstrb: Signal<In, Bits<STROBE>>,
    pub s_axi_wlast: Signal<In, Bit>,
    pub s_axi_wvalid: Signal<In, Bit>,
    pub s_axi_wready: Signal<Out, Bit>,
    pub s_axi_bid: Signal<Out, Bits<1>>,
    pub s_axi_bresp: Signal<Out, Bits<2>>,
    pub s_axi_bvalid: Signal<Out, Bit>,

    pub memory_valid: Signal<In, Bit>,
    pub memory_ready: Signal<Out, Bit>,
    pub memory_write: Signal<In, Bit>,
    pub memory_address: Signal<In, Bits<32>>,
    pub memory_write_data: Signal<In, Bits<32>>,
    pub memory_read_valid: Signal<Out, Bit>,
    pub memory_read_data: Signal<Out, Bits<32>>,

    pub cke: Signal<Out, Bit>,
    pub cs_n: Signal<Out, Bit>,
    pub ras_n: Signal<Out, Bit>,
    pub cas_n: Signal<Out, Bit>,
    pub we_n: Signal<Out, Bit>,
    pub ba: Signal<Out, Bits<2>>,
    pub a: Signal<Out, Bits<13>>,
    pub dqm: Signal<Out, Bits<2>>,
    pub dq_out: Signal<Out, Bits<16>>,
    pub dq_enable: Signal<Out, Bit>,
    pub dq_in: Signal<In, Bits<16>>,

    requests: Requests<BUS, STROBE>,
    commands: Commands,
    answers: Answers<BUS>,
}

impl<const BUS: usize, const STROBE: usize> Sdram<BUS, STROBE> {
    /// The controller at a clock of 25 to 100 MHz.
    pub fn new(clock_mhz: u32) -> Self {
        Self::new_with_power_up(clock_mhz, POWER_UP_US)
    }

    /// With another power-up wait, which real chips need and simulations do not.
    pub fn new_with_power_up(clock_mhz: u32, power_up_us: u32) -> Self {
        let timing = Timing::new(clock_mhz, power_up_us);
        with_defaults!(
            clock, reset, s_axi_arid, s_axi_araddr, s_axi_arlen, s_axi_arvalid, s_axi_arready, s_axi_rid,
            s_axi_rdata, s_axi_rresp, s_axi_rlast, s_axi_rvalid, s_axi_awid, s_axi_awaddr, s_axi_awlen,
            s_axi_awvalid, s_axi_awready, s_axi_wdata, s_axi_wstrb, s_axi_wlast, s_axi_wvalid, s_axi_wready,
            s_axi_bid, s_axi_bresp, s_axi_bvalid, memory_valid, memory_ready, memory_write, memory_address,
            memory_write_data, memory_read_valid, memory_read_data, cke, cs_n, ras_n, cas_n, we_n, ba, a, dqm,
            dq_out, dq_enable, dq_in, requests, answers;
            commands: Commands::new(timing, BUS as u64 / 16),
        )
    }
}

impl<const BUS: usize, const STROBE: usize> Logic for Sdram<BUS, STROBE> {
    #[hdl_gen]
    fn update(&mut self) {
        self.requests.clock.next = self.clock.val();
        self.requests.reset.next = self.reset.val();
        self.requests.arid.next = self.s_axi_arid.val();
        self.requests.araddr.next = self.s_axi_araddr.val();
        self.requests.arlen.next = self.s_axi_arlen.val();
        self.requests.arvalid.next = self.s_axi_arvalid.val();
        self.s_axi_arready.next = self.requests.arready.val();
        self.requests.awid.next = self.s_axi_awid.val();
        self.requests.awaddr.next = self.s_axi_awaddr.val();
        self.requests.awlen.next = self.s_axi_awlen.val();
        self.requests.awvalid.next = self.s_axi_awvalid.val();
        self.s_axi_awready.next = self.requests.awready.val();
        self.requests.wdata.next = self.s_axi_wdata.val();
        self.requests.wstrb.next = self.s_axi_wstrb.val();
        self.requests.wlast.next = self.s_axi_wlast.val();
        self.requests.wvalid.next = self.s_axi_wvalid.val();
        self.s_axi_wready.next = self.requests.wready.val();
        self.requests.memory_valid.next = self.memory_valid.val();
        self.memory_ready.next = self.requests.memory_ready.val();
        self.requests.memory_write.next = self.memory_write.val();
        self.requests.memory_address.next = self.memory_address.val();
        self.requests.memory_write_data.next = self.memory_write_data.val();

        self.commands.clock.next = self.clock.val();
        self.commands.reset.next = self.reset.val();
        self.commands.valid.next = self.requests.valid.val();
        self.requests.ready.next = self.commands.ready.val();
        self.commands.write.next = self.requests.write.val();
        self.commands.host.next = self.requests.host.val();
        self.commands.outside.next = self.requests.outside.val();
        self.commands.id.next = self.requests.id.val();
        self.commands.row.next = self.requests.row.val();
        self.commands.column.next = self.requests.column.val();
        self.commands.left.next = self.requests.left.val();
        self.requests.write_host.next = self.commands.issued_host.val();
        self.requests.write_column.next = self.commands.issued_column.val();
        self.requests.take_beat.next = self.commands.issued.val()
            & self.commands.issued_write.val()
            & !self.commands.issued_host.val()
            & self.commands.ends_beat.val();
        self.requests.host_done.next =
            self.commands.issued.val() & self.commands.issued_host.val() & self.commands.ends.val();
        self.commands.write_data.next = self.requests.write_data.val();
        self.commands.write_strobe.next = self.requests.write_strobe.val();

        self.answers.clock.next = self.clock.val();
        self.answers.reset.next = self.reset.val();
        self.answers.issued.next = self.commands.issued.val();
        self.answers.issued_write.next = self.commands.issued_write.val();
        self.answers.issued_host.next = self.commands.issued_host.val();
        self.answers.issued_outside.next = self.commands.issued_outside.val();
        self.answers.issued_id.next = self.commands.issued_id.val();
        self.answers.ends_beat.next = self.commands.ends_beat.val();
        self.answers.ends.next = self.commands.ends.val();
        self.answers.dq_in.next = self.dq_in.val();
        self.s_axi_rid.next = self.answers.rid.val();
        self.s_axi_rdata.next = self.answers.rdata.val();
        self.s_axi_rresp.next = self.answers.rresp.val();
        self.s_axi_rlast.next = self.answers.rlast.val();
        self.s_axi_rvalid.next = self.answers.rvalid.val();
        self.s_axi_bid.next = self.answers.bid.val();
        self.s_axi_bresp.next = self.answers.bresp.val();
        self.s_axi_bvalid.next = self.answers.bvalid.val();
        self.memory_read_valid.next = self.answers.memory_read_valid.val();
        self.memory_read_data.next = self.answers.memory_read_data.val();

        self.cke.next = true;
        self.cs_n.next = self.commands.cs_n.val();
        self.ras_n.next = self.commands.ras_n.val();
        self.cas_n.next = self.commands.cas_n.val();
        self.we_n.next = self.commands.we_n.val();
        self.ba.next = self.commands.ba.val();
        self.a.next = self.commands.a.val();
        self.dqm.next = self.commands.dqm.val();
        self.dq_out.next = self.commands.dq_out.val();
        self.dq_enable.next = self.commands.dq_enable.val();
    }
}
