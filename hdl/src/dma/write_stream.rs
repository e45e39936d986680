//! Words to consecutive addresses of device memory, over one AXI4 write port.
//!
//! A job is cut into bursts at chunks. A burst's address goes out when its
//! first word is there, its data a beat later at the earliest, whether the
//! address was taken or not. Up to 15 bursts may be unconfirmed; `bready` is
//! always high. Jobs follow one another without a gap.
//!
//! Throughput one bus beat a beat. Latency: the first bus beat is up three
//! beats after its word was accepted, if its job was there.
//!
//! `reset` forgets jobs and words at once. The bus beat that is up stays up;
//! all that follow in its burst are sent with no strobe, so that they write
//! nothing, and confirmations that are owed are thrown away; nothing new is
//! written before `quiet`. `hard_reset` is for a bus that was reset too.

use super::Cutter;
use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct WriteStream<const BUS: usize, const STROBE: usize, const WORD: usize, const B: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub hard_reset: Signal<In, Bit>,
    /// Bus address of address 0 of device memory, a multiple of 4096.
    pub base: Signal<In, Bits<40>>,

    pub job_valid: Signal<In, Bit>,
    pub job_ready: Signal<Out, Bit>,
    /// A multiple of 64.
    pub job_address: Signal<In, Bits<32>>,
    /// A multiple of the bytes of a word, not zero.
    pub job_bytes: Signal<In, Bits<32>>,

    pub word_valid: Signal<In, Bit>,
    pub word_ready: Signal<Out, Bit>,
    pub word_data: Signal<In, Bits<WORD>>,

    /// A job is not yet confirmed; still high with the error of its last confirmation.
    pub busy: Signal<Out, Bit>,
    /// Memory owes no confirmation.
    pub quiet: Signal<Out, Bit>,
    /// A confirmation a beat ago was an error, and was not thrown away.
    pub response_error: Signal<Out, Bit>,
    /// A bus beat is taken in this beat, one without strobe too.
    pub beats: Signal<Out, Bit>,

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

    cutter: Cutter<B>,
    address_valid: Register<Bit>,
    address: Register<Bits<40>>,
    length: Register<Bits<8>>,
    /// The word that was accepted last, if it waits.
    waiting: Register<Bit>,
    word: Register<Bits<WORD>>,
    /// The word that leaves, and its beats that are left.
    leaving: ShiftOut<BUS, WORD>,
    leaving_left: Register<Bits<4>>,
    /// Beats of the burst that are left.
    burst_left: Register<Bits<5>>,
    /// The beat that is up.
    out_valid: Register<Bit>,
    out_strobe: Register<Bit>,
    out_last: Register<Bit>,
    out_data: Register<Bits<BUS>>,
    /// Bursts from their address on.
    unconfirmed: Register<Bits<4>>,
    discarding: Register<Bit>,
    failed: Register<Bit>,
    forget: Signal<Local, Bit>,
    send: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    leaving_last: Signal<Local, Bit>,
    word_there: Signal<Local, Bit>,
    begin_burst: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    all_bytes: Constant<Bits<STROBE>>,
    word_beats: Constant<Bits<4>>,
    one_of_word: Constant<Bits<4>>,
    one_of_burst: Constant<Bits<5>>,
    size: Constant<Bits<3>>,
}

impl<const BUS: usize, const STROBE: usize, const WORD: usize, const B: usize> Default
    for WriteStream<BUS, STROBE, WORD, B>
{
    fn default() -> Self {
        let word_beats = WORD / BUS;
        assert_eq!([8 << B, 8 * STROBE, word_beats * BUS], [BUS, BUS, WORD], "beats of {BUS} bits");
        assert!((2..=8).contains(&word_beats), "{word_beats} beats of a word");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            hard_reset: Default::default(),
            base: Default::default(),
            job_valid: Default::default(),
            job_ready: Default::default(),
            job_address: Default::default(),
            job_bytes: Default::default(),
            word_valid: Default::default(),
            word_ready: Default::default(),
            word_data: Default::default(),
            busy: Default::default(),
            quiet: Default::default(),
            response_error: Default::default(),
            beats: Default::default(),
            m_axi_awid: Default::default(),
            m_axi_awaddr: Default::default(),
            m_axi_awlen: Default::default(),
            m_axi_awsize: Default::default(),
            m_axi_awburst: Default::default(),
            m_axi_awvalid: Default::default(),
            m_axi_awready: Default::default(),
            m_axi_wdata: Default::default(),
            m_axi_wstrb: Default::default(),
            m_axi_wlast: Default::default(),
            m_axi_wvalid: Default::default(),
            m_axi_wready: Default::default(),
            m_axi_bid: Default::default(),
            m_axi_bresp: Default::default(),
            m_axi_bvalid: Default::default(),
            m_axi_bready: Default::default(),
            cutter: Default::default(),
            address_valid: Default::default(),
            address: Default::default(),
            length: Default::default(),
            waiting: Default::default(),
            word: Default::default(),
            leaving: Default::default(),
            leaving_left: Default::default(),
            burst_left: Default::default(),
            out_valid: Default::default(),
            out_strobe: Default::default(),
            out_last: Default::default(),
            out_data: Default::default(),
            unconfirmed: Default::default(),
            discarding: Default::default(),
            failed: Default::default(),
            forget: Default::default(),
            send: Default::default(),
            last: Default::default(),
            leaving_last: Default::default(),
            word_there: Default::default(),
            begin_burst: Default::default(),
            load: Default::default(),
            take: Default::default(),
            all_bytes: Constant::new(((1_u64 << STROBE) - 1).into()),
            word_beats: Constant::new((word_beats as u64).into()),
            one_of_word: Constant::new(1_u64.into()),
            one_of_burst: Constant::new(1_u64.into()),
            size: Constant::new((B as u64).into()),
        }
    }
}

impl<const BUS: usize, const STROBE: usize, const WORD: usize, const B: usize> Logic
    for WriteStream<BUS, STROBE, WORD, B>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, address_valid, address, length, waiting, word, leaving_left, burst_left);
        dff_setup!(self, clock, out_valid, out_strobe, out_last, out_data, unconfirmed, discarding, failed);
        self.forget.next = self.reset.val() | self.hard_reset.val();
        self.cutter.clock.next = self.clock.val();
        self.cutter.reset.next = self.forget.val();
        self.leaving.clock.next = self.clock.val();
        self.cutter.run_valid.next = self.job_valid.val();
        self.job_ready.next = self.cutter.run_ready.val();
        self.cutter.run_address.next = self.job_address.val();
        self.cutter.run_bytes.next = self.job_bytes.val();

        // A beat leaves the word, or fills up a burst that was abandoned.
        self.send.next = self.burst_left.q.val().any()
            & (!self.out_valid.q.val() | self.m_axi_wready.val())
            & (self.leaving_left.q.val().any() | self.discarding.q.val());
        self.last.next = self.burst_left.q.val() == self.one_of_burst.val();
        self.take.next = self.send.val() & !self.discarding.q.val();
        if self.m_axi_wready.val() {
            self.out_valid.d.next = false;
        }
        if self.send.val() {
            self.out_valid.d.next = true;
            self.out_strobe.d.next = self.take.val() & !self.reset.val();
            self.out_last.d.next = self.last.val();
            self.out_data.d.next = self.leaving.word.val();
            self.burst_left.d.next = self.burst_left.q.val() - 1;
        }

        // Words.
        self.leaving_last.next = self.take.val() & (self.leaving_left.q.val() == self.one_of_word.val());
        self.load.next = self.waiting.q.val() & (!self.leaving_left.q.val().any() | self.leaving_last.val());
        self.leaving.load.next = self.load.val();
        self.leaving.words.next = self.word.q.val();
        self.leaving.shift.next = self.take.val();
        if self.take.val() {
            self.leaving_left.d.next = self.leaving_left.q.val() - 1;
        }
        if self.load.val() {
            self.leaving_left.d.next = self.word_beats.val();
            self.waiting.d.next = false;
        }
        self.word_ready.next = !self.waiting.q.val();
        if self.word_valid.val() & self.word_ready.val() {
            self.waiting.d.next = true;
            self.word.d.next = self.word_data.val();
        }

        // Bursts.
        self.word_there.next =
            self.waiting.q.val() | (self.leaving_left.q.val().any() & !self.burst_left.q.val().any());
        self.begin_burst.next = self.cutter.burst_valid.val()
            & self.word_there.val()
            & !self.address_valid.q.val()
            & !self.unconfirmed.q.val().all()
            & !self.discarding.q.val()
            & !self.forget.val()
            & (!self.burst_left.q.val().any() | (self.send.val() & self.last.val()));
        self.cutter.burst_ready.next = self.begin_burst.val();
        if self.m_axi_awready.val() {
            self.address_valid.d.next = false;
        }
        if self.begin_burst.val() {
            self.address_valid.d.next = true;
            self.address.d.next = self.base.val() + bit_cast::<40, 32>(self.cutter.burst_address.val());
            self.length.d.next = bit_cast::<8, 5>(self.cutter.burst_beats.val()) - 1;
            self.burst_left.d.next = self.cutter.burst_beats.val();
        }
        if self.begin_burst.val() & !self.m_axi_bvalid.val() {
            self.unconfirmed.d.next = self.unconfirmed.q.val() + 1;
        }
        if self.m_axi_bvalid.val() & !self.begin_burst.val() {
            self.unconfirmed.d.next = self.unconfirmed.q.val() - 1;
        }
        self.failed.d.next =
            self.m_axi_bvalid.val() & self.m_axi_bresp.val().get_bit(1) & !self.discarding.q.val();

        self.m_axi_awid.next = 0.into();
        self.m_axi_awaddr.next = self.address.q.val();
        self.m_axi_awlen.next = self.length.q.val();
        self.m_axi_awsize.next = self.size.val();
        self.m_axi_awburst.next = 1.into();
        self.m_axi_awvalid.next = self.address_valid.q.val();
        self.m_axi_wdata.next = self.out_data.q.val();
        self.m_axi_wstrb.next = 0.into();
        if self.out_strobe.q.val() {
            self.m_axi_wstrb.next = self.all_bytes.val();
        }
        self.m_axi_wlast.next = self.out_last.q.val();
        self.m_axi_wvalid.next = self.out_valid.q.val();
        self.m_axi_bready.next = true;
        self.busy.next = self.cutter.burst_valid.val() | self.unconfirmed.q.val().any() | self.failed.q.val();
        self.quiet.next = !self.unconfirmed.q.val().any();
        self.response_error.next = self.failed.q.val();
        self.beats.next = self.out_valid.q.val() & self.m_axi_wready.val();

        if self.quiet.val() {
            self.discarding.d.next = false;
        }
        if self.forget.val() {
            self.waiting.d.next = false;
            self.leaving_left.d.next = 0.into();
            self.failed.d.next = false;
            self.discarding.d.next = true;
        }
        if self.hard_reset.val() {
            self.address_valid.d.next = false;
            self.burst_left.d.next = 0.into();
            self.out_valid.d.next = false;
            self.unconfirmed.d.next = 0.into();
            self.discarding.d.next = false;
        }
    }
}
