//! stub
use crate::support::prelude::*;
#[derive(LogicBlock)]
pub struct Bridge {
    pub clock: Signal<In, Clock>, pub reset: Signal<In, Bit>, pub rx: Signal<In, Bit>, pub tx: Signal<Out, Bit>, pub active: Signal<Out, Bit>,
    pub m_lite_awaddr: Signal<Out, Bits<12>>, pub m_lite_awprot: Signal<Out, Bits<3>>, pub m_lite_awvalid: Signal<Out, Bit>, pub m_lite_awready: Signal<In, Bit>,
    pub m_lite_wdata: Signal<Out, Bits<32>>, pub m_lite_wstrb: Signal<Out, Bits<4>>, pub m_lite_wvalid: Signal<Out, Bit>, pub m_lite_wready: Signal<In, Bit>,
    pub m_lite_bresp: Signal<In, Bits<2>>, pub m_lite_bvalid: Signal<In, Bit>, pub m_lite_bready: Signal<Out, Bit>,
    pub m_lite_araddr: Signal<Out, Bits<12>>, pub m_lite_arprot: Signal<Out, Bits<3>>, pub m_lite_arvalid: Signal<Out, Bit>, pub m_lite_arready: Signal<In, Bit>,
    pub m_lite_rdata: Signal<In, Bits<32>>, pub m_lite_rresp: Signal<In, Bits<2>>, pub m_lite_rvalid: Signal<In, Bit>, pub m_lite_rready: Signal<Out, Bit>,
    pub memory_valid: Signal<Out, Bit>, pub memory_ready: Signal<In, Bit>, pub memory_write: Signal<Out, Bit>, pub memory_address: Signal<Out, Bits<32>>, pub memory_write_data: Signal<Out, Bits<32>>,
    pub memory_read_valid: Signal<In, Bit>, pub memory_read_data: Signal<In, Bits<32>>,
}
impl Bridge { pub fn new(_a: u32, _b: u32, _c: u32) -> Self { with_defaults!(clock, reset, rx, tx, active, m_lite_awaddr, m_lite_awprot, m_lite_awvalid, m_lite_awready, m_lite_wdata, m_lite_wstrb, m_lite_wvalid, m_lite_wready, m_lite_bresp, m_lite_bvalid, m_lite_bready, m_lite_araddr, m_lite_arprot, m_lite_arvalid, m_lite_arready, m_lite_rdata, m_lite_rresp, m_lite_rvalid, m_lite_rready, memory_valid, memory_ready, memory_write, memory_address, memory_write_data, memory_read_valid, memory_read_data;) } }
impl Logic for Bridge {
    #[hdl_gen]
    fn update(&mut self) {
        self.tx.next = self.rx.val(); self.active.next = self.rx.val();
        self.m_lite_awaddr.next = 0.into(); self.m_lite_awprot.next = 0.into(); self.m_lite_awvalid.next = self.rx.val();
        self.m_lite_wdata.next = 0.into(); self.m_lite_wstrb.next = 0.into(); self.m_lite_wvalid.next = self.rx.val();
        self.m_lite_bready.next = self.rx.val();
        self.m_lite_araddr.next = 0.into(); self.m_lite_arprot.next = 0.into(); self.m_lite_arvalid.next = self.rx.val();
        self.m_lite_rready.next = self.rx.val();
        self.memory_valid.next = self.rx.val(); self.memory_write.next = self.rx.val(); self.memory_address.next = 0.into(); self.memory_write_data.next = 0.into();
    }
}
