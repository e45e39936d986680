//! Runs of device memory as a stream of entries, and descriptors, over M AXI4
//! read ports.
//!
//! Runs follow one another without a gap: one is accepted as the last burst of
//! the one before is sent. Successive chunks go to port (number of the chunk
//! in device memory) mod M; entries leave in the order in which they were
//! asked for, across the ports. Bus beats of a burst become entries of G beats.
//! Each port has room for 2^A entries, all of them for the bursts that 2^O names.
//!
//! Throughput M bus beats a beat while memory answers within 64 beats, one
//! entry a beat at most; one burst a port in two beats. Latency: a request is
//! up two beats after its run or descriptor was accepted; an
//! entry is offered three beats after its last bus beat came, a descriptor two.
//!
//! `reset` forgets runs, descriptors and entries at once, in the middle of a
//! burst too: what memory still owes is received and thrown away, and nothing
//! is requested before `quiet`. `hard_reset` is for a bus that was reset too.
//! No answer is ever refused: `rready` is always high.

use super::{CHUNK_BEATS, Collect, Cutter, DESCRIPTOR_BYTES, ReadPort};
use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct ReadStream<
    const M: usize,
    const BUS: usize,
    const ENTRY: usize,
    const G: usize,
    const D: usize,
    const B: usize,
    const CHUNK: usize,
    const A: usize,
    const O: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub hard_reset: Signal<In, Bit>,
    /// Bus address of address 0 of device memory, a multiple of 4096.
    pub base: Signal<In, Bits<40>>,

    pub run_valid: Signal<In, Bit>,
    pub run_ready: Signal<Out, Bit>,
    /// A multiple of 64.
    pub run_address: Signal<In, Bits<32>>,
    /// A multiple of the bytes of an entry, not zero.
    pub run_bytes: Signal<In, Bits<32>>,

    pub entry_valid: Signal<Out, Bit>,
    pub entry_ready: Signal<In, Bit>,
    pub entry_data: Signal<Out, Bits<ENTRY>>,

    /// Two may be on their way or unread.
    pub fetch_valid: Signal<In, Bit>,
    pub fetch_ready: Signal<Out, Bit>,
    /// A multiple of 64.
    pub fetch_address: Signal<In, Bits<32>>,

    pub descriptor_valid: Signal<Out, Bit>,
    pub descriptor_ready: Signal<In, Bit>,
    pub descriptor_data: Signal<Out, Bits<512>>,

    /// No run is open, and no entry is on its way or waits. Descriptors do not count.
    pub empty: Signal<Out, Bit>,
    /// Memory owes no answer.
    pub quiet: Signal<Out, Bit>,
    /// An answer a beat ago was an error, and was not thrown away. It comes before its data are offered.
    pub response_error: Signal<Out, Bit>,
    /// Bus beats that come in this beat, those that are thrown away too.
    pub beats: Signal<Out, Bits<2>>,

    pub m_axi_arid: [Signal<Out, Bits<1>>; M],
    pub m_axi_araddr: [Signal<Out, Bits<40>>; M],
    pub m_axi_arlen: [Signal<Out, Bits<8>>; M],
    pub m_axi_arsize: [Signal<Out, Bits<3>>; M],
    pub m_axi_arburst: [Signal<Out, Bits<2>>; M],
    pub m_axi_arvalid: [Signal<Out, Bit>; M],
    pub m_axi_arready: [Signal<In, Bit>; M],
    pub m_axi_rid: [Signal<In, Bits<1>>; M],
    pub m_axi_rdata: [Signal<In, Bits<BUS>>; M],
    pub m_axi_rresp: [Signal<In, Bits<2>>; M],
    pub m_axi_rlast: [Signal<In, Bit>; M],
    pub m_axi_rvalid: [Signal<In, Bit>; M],
    pub m_axi_rready: [Signal<Out, Bit>; M],

    cutter: Cutter<B>,
    port: [ReadPort<BUS, ENTRY, G, A>; M],
    /// Of each burst whose entries have not all left: its beats, its port in bit 5.
    order: Fifo<6, O>,
    /// Their number, but for the burst whose entries leave.
    ordered: Register<Bits<12>>,
    order_room: Constant<Bits<12>>,
    leaving_port: Register<Bits<1>>,
    leaving_beats: Register<Bits<5>>,
    gather: Collect<BUS, D, 512>,
    gathered: Register<Bit>,
    descriptor: Register<Bits<512>>,
    descriptor_waits: Register<Bit>,
    /// Descriptors asked for and not yet read.
    fetches: Register<Bits<2>>,
    fetch_waits: Register<Bit>,
    fetch_from: Register<Bits<32>>,
    selected: Signal<Local, Bits<1>>,
    open: Signal<Local, Bit>,
    sent: Signal<Local, Bit>,
    next_burst: Signal<Local, Bit>,
    entry_leaves: Signal<Local, Bit>,
    take_fetch: Signal<Local, Bit>,
    take_descriptor: Signal<Local, Bit>,
    forget: Signal<Local, Bit>,
    row_sent: Concat<Bit, M, M>,
    owed: Concat<Bit, M, M>,
    discarding: Concat<Bit, M, M>,
    holds: Concat<Bit, M, M>,
    failed: Concat<Bit, M, M>,
    received: Concat<Bit, M, M>,
    index: [Constant<Bits<1>>; M],
    all_ports: Constant<Bits<2>>,
    entry_beats: Constant<Bits<5>>,
    size: Constant<Bits<3>>,
}

impl<
    const M: usize,
    const BUS: usize,
    const ENTRY: usize,
    const G: usize,
    const D: usize,
    const B: usize,
    const CHUNK: usize,
    const A: usize,
    const O: usize,
> Default for ReadStream<M, BUS, ENTRY, G, D, B, CHUNK, A, O>
{
    fn default() -> Self {
        assert!(M == 1 || M == 2, "{M} ports");
        assert_eq!([8 << B, D * BUS], [BUS, 8 * DESCRIPTOR_BYTES], "beats of {BUS} bits");
        assert_eq!(1 << CHUNK, CHUNK_BEATS << B, "bytes of a chunk");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            hard_reset: Default::default(),
            base: Default::default(),
            run_valid: Default::default(),
            run_ready: Default::default(),
            run_address: Default::default(),
            run_bytes: Default::default(),
            entry_valid: Default::default(),
            entry_ready: Default::default(),
            entry_data: Default::default(),
            fetch_valid: Default::default(),
            fetch_ready: Default::default(),
            fetch_address: Default::default(),
            descriptor_valid: Default::default(),
            descriptor_ready: Default::default(),
            descriptor_data: Default::default(),
            empty: Default::default(),
            quiet: Default::default(),
            response_error: Default::default(),
            beats: Default::default(),
            m_axi_arid: from_fn(|_| Default::default()),
            m_axi_araddr: from_fn(|_| Default::default()),
            m_axi_arlen: from_fn(|_| Default::default()),
            m_axi_arsize: from_fn(|_| Default::default()),
            m_axi_arburst: from_fn(|_| Default::default()),
            m_axi_arvalid: from_fn(|_| Default::default()),
            m_axi_arready: from_fn(|_| Default::default()),
            m_axi_rid: from_fn(|_| Default::default()),
            m_axi_rdata: from_fn(|_| Default::default()),
            m_axi_rresp: from_fn(|_| Default::default()),
            m_axi_rlast: from_fn(|_| Default::default()),
            m_axi_rvalid: from_fn(|_| Default::default()),
            m_axi_rready: from_fn(|_| Default::default()),
            cutter: Default::default(),
            port: from_fn(|_| Default::default()),
            order: Default::default(),
            ordered: Default::default(),
            order_room: Constant::new((1_u64 << O).into()),
            leaving_port: Default::default(),
            leaving_beats: Default::default(),
            gather: Default::default(),
            gathered: Default::default(),
            descriptor: Default::default(),
            descriptor_waits: Default::default(),
            fetches: Default::default(),
            fetch_waits: Default::default(),
            fetch_from: Default::default(),
            selected: Default::default(),
            open: Default::default(),
            sent: Default::default(),
            next_burst: Default::default(),
            entry_leaves: Default::default(),
            take_fetch: Default::default(),
            take_descriptor: Default::default(),
            forget: Default::default(),
            row_sent: Default::default(),
            owed: Default::default(),
            discarding: Default::default(),
            holds: Default::default(),
            failed: Default::default(),
            received: Default::default(),
            index: from_fn(|i| Constant::new((i as u64).into())),
            all_ports: Constant::new((M as u64).into()),
            entry_beats: Constant::new((G as u64).into()),
            size: Constant::new((B as u64).into()),
        }
    }
}

impl<
    const M: usize,
    const BUS: usize,
    const ENTRY: usize,
    const G: usize,
    const D: usize,
    const B: usize,
    const CHUNK: usize,
    const A: usize,
    const O: usize,
> Logic for ReadStream<M, BUS, ENTRY, G, D, B, CHUNK, A, O>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, ordered, leaving_port, leaving_beats, gathered, descriptor);
        dff_setup!(self, clock, descriptor_waits, fetches, fetch_waits, fetch_from);
        self.forget.next = self.reset.val() | self.hard_reset.val();
        self.cutter.clock.next = self.clock.val();
        self.cutter.reset.next = self.forget.val();
        self.order.clock.next = self.clock.val();
        self.order.reset.next = self.forget.val();
        self.gather.clock.next = self.clock.val();

        // The bus.
        for i in 0..M {
            self.port[i].clock.next = self.clock.val();
            self.port[i].reset.next = self.reset.val();
            self.port[i].hard_reset.next = self.hard_reset.val();
            self.port[i].base.next = self.base.val();
            self.m_axi_arid[i].next = self.port[i].arid.val();
            self.m_axi_araddr[i].next = self.port[i].araddr.val();
            self.m_axi_arlen[i].next = self.port[i].arlen.val();
            self.m_axi_arsize[i].next = self.size.val();
            self.m_axi_arburst[i].next = 1.into();
            self.m_axi_arvalid[i].next = self.port[i].arvalid.val();
            self.port[i].arready.next = self.m_axi_arready[i].val();
            self.port[i].rid.next = self.m_axi_rid[i].val();
            self.port[i].rdata.next = self.m_axi_rdata[i].val();
            self.port[i].rresp.next = self.m_axi_rresp[i].val();
            self.port[i].rlast.next = self.m_axi_rlast[i].val();
            self.port[i].rvalid.next = self.m_axi_rvalid[i].val();
            self.m_axi_rready[i].next = self.port[i].rready.val();
            self.owed.lane[i].next = self.port[i].owed.val();
            self.discarding.lane[i].next = self.port[i].discarding.val();
            self.holds.lane[i].next = self.port[i].holds.val();
            self.failed.lane[i].next = self.port[i].error.val();
            self.received.lane[i].next = self.port[i].received.val();
        }
        self.quiet.next = !self.owed.bus.val().any();
        self.empty.next = !self.cutter.burst_valid.val() & !self.holds.bus.val().any();
        self.response_error.next = self.failed.bus.val().any();
        self.beats.next = 0.into();
        if self.received.bus.val().any() {
            self.beats.next = 1.into();
        }
        if self.received.bus.val().all() {
            self.beats.next = self.all_ports.val();
        }

        // Runs to bursts to ports.
        self.cutter.run_valid.next = self.run_valid.val();
        self.run_ready.next = self.cutter.run_ready.val();
        self.cutter.run_address.next = self.run_address.val();
        self.cutter.run_bytes.next = self.run_bytes.val();
        self.selected.next = 0.into();
        // Only with two ports.
        for place in CHUNK..(CHUNK + M - 1) {
            self.selected.next = self.cutter.burst_address.val().get_bits::<1>(place);
        }
        self.open.next = self.cutter.burst_valid.val() & (self.ordered.q.val() != self.order_room.val());
        for i in 0..M {
            self.port[i].halt.next = self.discarding.bus.val().any();
            self.port[i].row_valid.next = self.open.val() & (self.selected.val() == self.index[i].val());
            self.port[i].row_address.next = self.cutter.burst_address.val();
            self.port[i].row_beats.next = self.cutter.burst_beats.val();
            self.row_sent.lane[i].next =
                self.port[i].row_ready.val() & self.open.val() & (self.selected.val() == self.index[i].val());
        }
        self.sent.next = self.row_sent.bus.val().any();
        self.cutter.burst_ready.next = self.sent.val();
        self.order.write.next = self.sent.val();
        self.order.write_data.next =
            bit_cast::<6, 5>(self.cutter.burst_beats.val()) | (bit_cast::<6, 1>(self.selected.val()) << 5);

        // Entries leave in order.
        self.entry_valid.next = false;
        self.entry_data.next = self.port[0].entry_data.val();
        for i in 0..M {
            self.port[i].entry_ready.next = false;
            if self.leaving_port.q.val() == self.index[i].val() {
                self.entry_valid.next = self.leaving_beats.q.val().any() & self.port[i].entry_valid.val();
                self.entry_data.next = self.port[i].entry_data.val();
                self.port[i].entry_ready.next = self.leaving_beats.q.val().any() & self.entry_ready.val();
            }
        }
        self.entry_leaves.next = self.entry_valid.val() & self.entry_ready.val();
        if self.entry_leaves.val() {
            self.leaving_beats.d.next = self.leaving_beats.q.val() - self.entry_beats.val();
        }
        self.next_burst.next = self.order.read_valid.val()
            & (!self.leaving_beats.q.val().any()
                | (self.entry_leaves.val() & (self.leaving_beats.q.val() == self.entry_beats.val())));
        self.order.read_ready.next = self.next_burst.val();
        if self.next_burst.val() {
            self.leaving_beats.d.next = self.order.read_data.val().get_bits::<5>(0);
            self.leaving_port.d.next = self.order.read_data.val().get_bits::<1>(5);
        }
        if self.sent.val() & !self.next_burst.val() {
            self.ordered.d.next = self.ordered.q.val() + 1;
        }
        if self.next_burst.val() & !self.sent.val() {
            self.ordered.d.next = self.ordered.q.val() - 1;
        }

        // Descriptors: one gathers, one waits to be read.
        self.fetch_ready.next = !self.fetch_waits.q.val() & !self.fetches.q.val().get_bit(1);
        self.take_fetch.next = self.fetch_valid.val() & self.fetch_ready.val();
        for i in 0..M {
            self.port[i].fetch_valid.next = false;
            self.port[i].fetch_address.next = self.fetch_from.q.val();
        }
        self.port[0].fetch_valid.next = self.fetch_waits.q.val();
        if self.port[0].fetch_ready.val() {
            self.fetch_waits.d.next = false;
        }
        if self.take_fetch.val() {
            self.fetch_waits.d.next = true;
            self.fetch_from.d.next = self.fetch_address.val();
        }
        self.gather.take.next = self.port[0].fetched.val();
        self.gather.beat.next = self.m_axi_rdata[0].val();
        self.descriptor_valid.next = self.descriptor_waits.q.val();
        self.descriptor_data.next = self.descriptor.q.val();
        self.take_descriptor.next = self.descriptor_waits.q.val() & self.descriptor_ready.val();
        if self.take_descriptor.val() {
            self.descriptor_waits.d.next = false;
        }
        if self.gathered.q.val() & (!self.descriptor_waits.q.val() | self.descriptor_ready.val()) {
            self.descriptor.d.next = self.gather.wide.val();
            self.descriptor_waits.d.next = true;
            self.gathered.d.next = false;
        }
        if self.port[0].fetched.val() & self.m_axi_rlast[0].val() {
            self.gathered.d.next = true;
        }
        if self.take_fetch.val() & !self.take_descriptor.val() {
            self.fetches.d.next = self.fetches.q.val() + 1;
        }
        if self.take_descriptor.val() & !self.take_fetch.val() {
            self.fetches.d.next = self.fetches.q.val() - 1;
        }

        if self.forget.val() {
            self.ordered.d.next = 0.into();
            self.leaving_beats.d.next = 0.into();
            self.gathered.d.next = false;
            self.descriptor_waits.d.next = false;
            self.fetches.d.next = 0.into();
            self.fetch_waits.d.next = false;
        }
    }
}
