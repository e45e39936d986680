//! A master of AXI4-Lite.

use crate::support::prelude::*;

/// One transaction after another, with the registers of a core.
///
/// What the core answers beside data is not looked at: its responses are all OKAY. A transaction takes two beats more
/// than the core.
#[derive(LogicBlock, Default)]
pub struct RegisterPort {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Begins a transaction; what goes with it stays until `done`.
    pub start: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub address: Signal<In, Bits<12>>,
    pub write_data: Signal<In, Bits<32>>,
    /// It is over; for one beat.
    pub done: Signal<Out, Bit>,
    /// What was read last.
    pub read_data: Signal<Out, Bits<32>>,

    pub awaddr: Signal<Out, Bits<12>>,
    pub awvalid: Signal<Out, Bit>,
    pub awready: Signal<In, Bit>,
    pub wdata: Signal<Out, Bits<32>>,
    pub wvalid: Signal<Out, Bit>,
    pub wready: Signal<In, Bit>,
    pub bvalid: Signal<In, Bit>,
    pub bready: Signal<Out, Bit>,
    pub araddr: Signal<Out, Bits<12>>,
    pub arvalid: Signal<Out, Bit>,
    pub arready: Signal<In, Bit>,
    pub rdata: Signal<In, Bits<32>>,
    pub rvalid: Signal<In, Bit>,
    pub rready: Signal<Out, Bit>,

    offers_write_address: Register<Bit>,
    offers_data: Register<Bit>,
    offers_read_address: Register<Bit>,
    waits_confirmation: Register<Bit>,
    waits_data: Register<Bit>,
    read: Register<Bits<32>>,
    ends: Register<Bit>,
}

impl Logic for RegisterPort {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, offers_write_address, offers_data, offers_read_address, waits_confirmation);
        dff_setup!(self, clock, waits_data, read, ends);
        self.awaddr.next = self.address.val();
        self.awvalid.next = self.offers_write_address.q.val();
        self.wdata.next = self.write_data.val();
        self.wvalid.next = self.offers_data.q.val();
        self.bready.next = self.waits_confirmation.q.val();
        self.araddr.next = self.address.val();
        self.arvalid.next = self.offers_read_address.q.val();
        self.rready.next = self.waits_data.q.val();
        if self.awready.val() {
            self.offers_write_address.d.next = false;
        }
        if self.wready.val() {
            self.offers_data.d.next = false;
        }
        if self.arready.val() {
            self.offers_read_address.d.next = false;
        }
        self.ends.d.next = false;
        if self.waits_confirmation.q.val() & self.bvalid.val() {
            self.waits_confirmation.d.next = false;
            self.ends.d.next = true;
        }
        if self.waits_data.q.val() & self.rvalid.val() {
            self.waits_data.d.next = false;
            self.read.d.next = self.rdata.val();
            self.ends.d.next = true;
        }
        if self.start.val() {
            self.offers_write_address.d.next = self.write.val();
            self.offers_data.d.next = self.write.val();
            self.waits_confirmation.d.next = self.write.val();
            self.offers_read_address.d.next = !self.write.val();
            self.waits_data.d.next = !self.write.val();
        }
        self.done.next = self.ends.q.val();
        self.read_data.next = self.read.q.val();

        if self.reset.val() {
            self.offers_write_address.d.next = false;
            self.offers_data.d.next = false;
            self.offers_read_address.d.next = false;
            self.waits_confirmation.d.next = false;
            self.waits_data.d.next = false;
            self.ends.d.next = false;
        }
    }
}
