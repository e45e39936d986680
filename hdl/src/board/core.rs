//! The accelerator as a board holds it: a module of its own, emitted by itself.
//!
//! [`Core`] only instantiates the module `edge_moe`, so that a board need not repeat its thirty sizes. A core
//! with one memory port.

use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct Core<const BUS: usize, const STROBE: usize> {
    pub aclk: Signal<In, Clock>,
    pub aresetn: Signal<In, Bit>,

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

    pub m_axi_0_arid: Signal<Out, Bits<1>>,
    pub m_axi_0_araddr: Signal<Out, Bits<40>>,
    pub m_axi_0_arlen: Signal<Out, Bits<8>>,
    pub m_axi_0_arsize: Signal<Out, Bits<3>>,
    pub m_axi_0_arburst: Signal<Out, Bits<2>>,
    pub m_axi_0_arvalid: Signal<Out, Bit>,
    pub m_axi_0_arready: Signal<In, Bit>,
    pub m_axi_0_rid: Signal<In, Bits<1>>,
    pub m_axi_0_rdata: Signal<In, Bits<BUS>>,
    pub m_axi_0_rresp: Signal<In, Bits<2>>,
    pub m_axi_0_rlast: Signal<In, Bit>,
    pub m_axi_0_rvalid: Signal<In, Bit>,
    pub m_axi_0_rready: Signal<Out, Bit>,
    pub m_axi_0_awid: Signal<Out, Bits<1>>,
    pub m_axi_0_awaddr: Signal<Out, Bits<40>>,
    pub m_axi_0_awlen: Signal<Out, Bits<8>>,
    pub m_axi_0_awsize: Signal<Out, Bits<3>>,
    pub m_axi_0_awburst: Signal<Out, Bits<2>>,
    pub m_axi_0_awvalid: Signal<Out, Bit>,
    pub m_axi_0_awready: Signal<In, Bit>,
    pub m_axi_0_wdata: Signal<Out, Bits<BUS>>,
    pub m_axi_0_wstrb: Signal<Out, Bits<STROBE>>,
    pub m_axi_0_wlast: Signal<Out, Bit>,
    pub m_axi_0_wvalid: Signal<Out, Bit>,
    pub m_axi_0_wready: Signal<In, Bit>,
    pub m_axi_0_bid: Signal<In, Bits<1>>,
    pub m_axi_0_bresp: Signal<In, Bits<2>>,
    pub m_axi_0_bvalid: Signal<In, Bit>,
    pub m_axi_0_bready: Signal<Out, Bit>,

    pub observe_activity: Signal<Out, Bits<4>>,
    pub observe_descriptor: Signal<Out, Bits<12>>,
    pub observe_running: Signal<Out, Bit>,

    _verilog: String,
}

/// Names of all ports.
const PORTS: [&str; 53] = [
    "aclk", "aresetn", "s_axi_awaddr", "s_axi_awprot", "s_axi_awvalid", "s_axi_awready", "s_axi_wdata", "s_axi_wstrb", "s_axi_wvalid", "s_axi_wready", "s_axi_bresp", "s_axi_bvalid", "s_axi_bready", "s_axi_araddr", "s_axi_arprot", "s_axi_arvalid", "s_axi_arready", "s_axi_rdata", "s_axi_rresp", "s_axi_rvalid", "s_axi_rready", "m_axi_0_arid", "m_axi_0_araddr", "m_axi_0_arlen", "m_axi_0_arsize", "m_axi_0_arburst", "m_axi_0_arvalid", "m_axi_0_arready", "m_axi_0_rid", "m_axi_0_rdata", "m_axi_0_rresp", "m_axi_0_rlast", "m_axi_0_rvalid", "m_axi_0_rready", "m_axi_0_awid", "m_axi_0_awaddr", "m_axi_0_awlen", "m_axi_0_awsize", "m_axi_0_awburst", "m_axi_0_awvalid", "m_axi_0_awready", "m_axi_0_wdata", "m_axi_0_wstrb", "m_axi_0_wlast", "m_axi_0_wvalid", "m_axi_0_wready", "m_axi_0_bid", "m_axi_0_bresp", "m_axi_0_bvalid", "m_axi_0_bready", "observe_activity", "observe_descriptor", "observe_running",
];

impl<const BUS: usize, const STROBE: usize> Core<BUS, STROBE> {
    /// The core whose Verilog this is.
    pub fn new(verilog: String) -> Self {
        with_defaults!(aclk, aresetn, s_axi_awaddr, s_axi_awprot, s_axi_awvalid, s_axi_awready, s_axi_wdata, s_axi_wstrb, s_axi_wvalid, s_axi_wready, s_axi_bresp, s_axi_bvalid, s_axi_bready, s_axi_araddr, s_axi_arprot, s_axi_arvalid, s_axi_arready, s_axi_rdata, s_axi_rresp, s_axi_rvalid, s_axi_rready, m_axi_0_arid, m_axi_0_araddr, m_axi_0_arlen, m_axi_0_arsize, m_axi_0_arburst, m_axi_0_arvalid, m_axi_0_arready, m_axi_0_rid, m_axi_0_rdata, m_axi_0_rresp, m_axi_0_rlast, m_axi_0_rvalid, m_axi_0_rready, m_axi_0_awid, m_axi_0_awaddr, m_axi_0_awlen, m_axi_0_awsize, m_axi_0_awburst, m_axi_0_awvalid, m_axi_0_awready, m_axi_0_wdata, m_axi_0_wstrb, m_axi_0_wlast, m_axi_0_wvalid, m_axi_0_wready, m_axi_0_bid, m_axi_0_bresp, m_axi_0_bvalid, m_axi_0_bready, observe_activity, observe_descriptor, observe_running; _verilog: verilog,)
    }
}

impl<const BUS: usize, const STROBE: usize> Logic for Core<BUS, STROBE> {
    fn update(&mut self) {
        unimplemented!("simulated in Verilator only")
    }

    fn connect(&mut self) {
        self.s_axi_awready.connect();
        self.s_axi_wready.connect();
        self.s_axi_bresp.connect();
        self.s_axi_bvalid.connect();
        self.s_axi_arready.connect();
        self.s_axi_rdata.connect();
        self.s_axi_rresp.connect();
        self.s_axi_rvalid.connect();
        self.m_axi_0_arid.connect();
        self.m_axi_0_araddr.connect();
        self.m_axi_0_arlen.connect();
        self.m_axi_0_arsize.connect();
        self.m_axi_0_arburst.connect();
        self.m_axi_0_arvalid.connect();
        self.m_axi_0_rready.connect();
        self.m_axi_0_awid.connect();
        self.m_axi_0_awaddr.connect();
        self.m_axi_0_awlen.connect();
        self.m_axi_0_awsize.connect();
        self.m_axi_0_awburst.connect();
        self.m_axi_0_awvalid.connect();
        self.m_axi_0_wdata.connect();
        self.m_axi_0_wstrb.connect();
        self.m_axi_0_wlast.connect();
        self.m_axi_0_wvalid.connect();
        self.m_axi_0_bready.connect();
        self.observe_activity.connect();
        self.observe_descriptor.connect();
        self.observe_running.connect();
    }

    fn hdl(&self) -> Verilog {
        let ports = PORTS.map(|port| format!("    .{port}({port})")).join(",\n");
        Verilog::Wrapper(Wrapper { code: format!("edge_moe edge_moe (\n{ports}\n);"), cores: self._verilog.clone() })
    }
}
