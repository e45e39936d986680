//! An AXI4-Lite slave, transactions to words.

use crate::support::prelude::*;

/// Turns transactions of 32 bits into single reads and writes. Address and
/// data of a write may come in any order. Every answer is OKAY.
///
/// `write` is high for one beat, one beat after the later of address and data
/// was accepted if the confirmation before was taken. A word that is read is
/// looked up the beat after its address was accepted, and answered two beats after that.
/// Every ready signal comes from a register.
#[derive(LogicBlock)]
pub struct Lite {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub awaddr: Signal<In, Bits<12>>,
    pub awvalid: Signal<In, Bit>,
    pub awready: Signal<Out, Bit>,
    pub wdata: Signal<In, Bits<32>>,
    pub wstrb: Signal<In, Bits<4>>,
    pub wvalid: Signal<In, Bit>,
    pub wready: Signal<Out, Bit>,
    pub bresp: Signal<Out, Bits<2>>,
    pub bvalid: Signal<Out, Bit>,
    pub bready: Signal<In, Bit>,
    pub araddr: Signal<In, Bits<12>>,
    pub arvalid: Signal<In, Bit>,
    pub arready: Signal<Out, Bit>,
    pub rdata: Signal<Out, Bits<32>>,
    pub rresp: Signal<Out, Bits<2>>,
    pub rvalid: Signal<Out, Bit>,
    pub rready: Signal<In, Bit>,

    /// A word is written.
    pub write: Signal<Out, Bit>,
    pub write_word: Signal<Out, Bits<10>>,
    pub write_data: Signal<Out, Bits<32>>,
    /// Ones in the bytes that are written.
    pub write_mask: Signal<Out, Bits<32>>,
    /// The word that is read, and its value a beat later.
    pub read_word: Signal<Out, Bits<10>>,
    pub read_data: Signal<In, Bits<32>>,

    address_held: Register<Bit>,
    address: Register<Bits<10>>,
    data_held: Register<Bit>,
    data: Register<Bits<32>>,
    strobe: Register<Bits<4>>,
    confirms: Register<Bit>,
    read_held: Register<Bit>,
    read_looked_up: Register<Bit>,
    read_address: Register<Bits<10>>,
    answers: Register<Bit>,
    answer: Register<Bits<32>>,
    mask: Concat<Bits<8>, 4, 32>,
    all_bits: Constant<Bits<8>>,
}

impl Default for Lite {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            awaddr: Default::default(),
            awvalid: Default::default(),
            awready: Default::default(),
            wdata: Default::default(),
            wstrb: Default::default(),
            wvalid: Default::default(),
            wready: Default::default(),
            bresp: Default::default(),
            bvalid: Default::default(),
            bready: Default::default(),
            araddr: Default::default(),
            arvalid: Default::default(),
            arready: Default::default(),
            rdata: Default::default(),
            rresp: Default::default(),
            rvalid: Default::default(),
            rready: Default::default(),
            write: Default::default(),
            write_word: Default::default(),
            write_data: Default::default(),
            write_mask: Default::default(),
            read_word: Default::default(),
            read_data: Default::default(),
            address_held: Default::default(),
            address: Default::default(),
            data_held: Default::default(),
            data: Default::default(),
            strobe: Default::default(),
            confirms: Default::default(),
            read_held: Default::default(),
            read_looked_up: Default::default(),
            read_address: Default::default(),
            answers: Default::default(),
            answer: Default::default(),
            mask: Default::default(),
            all_bits: Constant::new(0xff_u64.into()),
        }
    }
}

impl Logic for Lite {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, address_held, address, data_held, data, strobe, confirms);
        dff_setup!(self, clock, read_held, read_looked_up, read_address, answers, answer);

        // Writes.
        self.awready.next = !self.address_held.q.val();
        self.wready.next = !self.data_held.q.val();
        if self.awvalid.val() & self.awready.val() {
            self.address_held.d.next = true;
            self.address.d.next = self.awaddr.val().get_bits::<10>(2);
        }
        if self.wvalid.val() & self.wready.val() {
            self.data_held.d.next = true;
            self.data.d.next = self.wdata.val();
            self.strobe.d.next = self.wstrb.val();
        }
        for i in 0..4 {
            self.mask.lane[i].next = 0.into();
            if self.strobe.q.val().get_bit(i) {
                self.mask.lane[i].next = self.all_bits.val();
            }
        }
        self.write_word.next = self.address.q.val();
        self.write_data.next = self.data.q.val();
        self.write_mask.next = self.mask.bus.val();
        self.bresp.next = 0.into();
        self.bvalid.next = self.confirms.q.val();
        if self.bready.val() {
            self.confirms.d.next = false;
        }
        self.write.next = self.address_held.q.val() & self.data_held.q.val() & !self.confirms.q.val();
        if self.write.val() {
            self.address_held.d.next = false;
            self.data_held.d.next = false;
            self.confirms.d.next = true;
        }

        // Reads.
        self.arready.next = !self.read_held.q.val();
        if self.arvalid.val() & self.arready.val() {
            self.read_held.d.next = true;
            self.read_address.d.next = self.araddr.val().get_bits::<10>(2);
        }
        self.read_word.next = self.read_address.q.val();
        self.rdata.next = self.answer.q.val();
        self.rresp.next = 0.into();
        self.rvalid.next = self.answers.q.val();
        if self.rready.val() {
            self.answers.d.next = false;
        }
        self.read_looked_up.d.next = self.read_held.q.val();
        if self.read_held.q.val() & self.read_looked_up.q.val() & !self.answers.q.val() {
            self.read_held.d.next = false;
            self.read_looked_up.d.next = false;
            self.answers.d.next = true;
            self.answer.d.next = self.read_data.val();
        }

        if self.reset.val() {
            self.address_held.d.next = false;
            self.data_held.d.next = false;
            self.confirms.d.next = false;
            self.read_held.d.next = false;
            self.read_looked_up.d.next = false;
            self.answers.d.next = false;
        }
    }
}
