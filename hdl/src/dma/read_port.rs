//! One AXI4 read port of a stream of entries.

use super::{CHUNK_BEATS, Collect};
use crate::support::prelude::*;

/// Reads bursts of rows (id 0) into a memory of 2^A entries of G bus beats,
/// and descriptors (id 1), which are handed on beat by beat.
///
/// A burst of rows is sent only if all its entries have room, so that `rready`
/// is always high, and no more than 128 bursts are on their way. One request in two beats at most; it is up the beat after
/// it was accepted. An entry is offered three beats after its last bus beat came.
///
/// After `reset`, answers that are owed are counted and thrown away; a request
/// that is up stays up until it is taken, as AXI4 demands. `hard_reset` is for
/// a bus that was reset too: nothing is owed.
#[derive(LogicBlock)]
pub struct ReadPort<const BUS: usize, const ENTRY: usize, const G: usize, const A: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub hard_reset: Signal<In, Bit>,
    pub base: Signal<In, Bits<40>>,
    /// No request is accepted.
    pub halt: Signal<In, Bit>,

    pub row_valid: Signal<In, Bit>,
    pub row_ready: Signal<Out, Bit>,
    pub row_address: Signal<In, Bits<32>>,
    pub row_beats: Signal<In, Bits<5>>,
    /// A descriptor; goes before rows.
    pub fetch_valid: Signal<In, Bit>,
    pub fetch_ready: Signal<Out, Bit>,
    pub fetch_address: Signal<In, Bits<32>>,

    pub entry_valid: Signal<Out, Bit>,
    pub entry_ready: Signal<In, Bit>,
    pub entry_data: Signal<Out, Bits<ENTRY>>,
    /// A bus beat of a descriptor is there.
    pub fetched: Signal<Out, Bit>,

    /// A bus beat came in this beat.
    pub received: Signal<Out, Bit>,
    /// An answer that is not thrown away, a beat ago, was an error.
    pub error: Signal<Out, Bit>,
    /// Answers are owed.
    pub owed: Signal<Out, Bit>,
    /// Answers are thrown away.
    pub discarding: Signal<Out, Bit>,
    /// Room is held for entries.
    pub holds: Signal<Out, Bit>,

    pub arid: Signal<Out, Bits<1>>,
    pub araddr: Signal<Out, Bits<40>>,
    pub arlen: Signal<Out, Bits<8>>,
    pub arvalid: Signal<Out, Bit>,
    pub arready: Signal<In, Bit>,
    pub rid: Signal<In, Bits<1>>,
    pub rdata: Signal<In, Bits<BUS>>,
    pub rresp: Signal<In, Bits<2>>,
    pub rlast: Signal<In, Bit>,
    pub rvalid: Signal<In, Bit>,
    pub rready: Signal<Out, Bit>,

    request_valid: Register<Bit>,
    request_fetch: Register<Bits<1>>,
    request_address: Register<Bits<40>>,
    request_length: Register<Bits<8>>,
    /// Bursts whose last beat is owed, with the request that is up.
    bursts: Register<Bits<8>>,
    forget: Register<Bit>,
    failed: Register<Bit>,
    /// Bus beats for which room is held, from their request until their entry leaves.
    reserved: Register<Bits<16>>,
    /// Bus beats of the next entry that are there.
    part: Register<Bits<2>>,
    whole: Register<Bit>,
    gather: Collect<BUS, G, ENTRY>,
    entries: Fifo<ENTRY, A>,
    open: Signal<Local, Bit>,
    take_row: Signal<Local, Bit>,
    take_fetch: Signal<Local, Bit>,
    more: Signal<Local, Bit>,
    fewer: Signal<Local, Bit>,
    wanted: Signal<Local, Bit>,
    row_beat: Signal<Local, Bit>,
    reserve: Signal<Local, Bits<16>>,
    free: Signal<Local, Bits<16>>,
    fetch_length: Constant<Bits<8>>,
    last_part: Constant<Bits<2>>,
    entry_beats: Constant<Bits<16>>,
    /// With at most so much reserved there is room for a chunk.
    most: Constant<Bits<16>>,
}

impl<const BUS: usize, const ENTRY: usize, const G: usize, const A: usize> Default
    for ReadPort<BUS, ENTRY, G, A>
{
    fn default() -> Self {
        let beats = G << A;
        assert_eq!(BUS * G, ENTRY, "width of an entry of {G} beats");
        assert!(
            (1..=4).contains(&G) && (8 * CHUNK_BEATS..=1 << 15).contains(&beats),
            "room for {beats} beats"
        );
        Self {
            clock: Default::default(),
            reset: Default::default(),
            hard_reset: Default::default(),
            base: Default::default(),
            halt: Default::default(),
            row_valid: Default::default(),
            row_ready: Default::default(),
            row_address: Default::default(),
            row_beats: Default::default(),
            fetch_valid: Default::default(),
            fetch_ready: Default::default(),
            fetch_address: Default::default(),
            entry_valid: Default::default(),
            entry_ready: Default::default(),
            entry_data: Default::default(),
            fetched: Default::default(),
            received: Default::default(),
            error: Default::default(),
            owed: Default::default(),
            discarding: Default::default(),
            holds: Default::default(),
            arid: Default::default(),
            araddr: Default::default(),
            arlen: Default::default(),
            arvalid: Default::default(),
            arready: Default::default(),
            rid: Default::default(),
            rdata: Default::default(),
            rresp: Default::default(),
            rlast: Default::default(),
            rvalid: Default::default(),
            rready: Default::default(),
            request_valid: Default::default(),
            request_fetch: Default::default(),
            request_address: Default::default(),
            request_length: Default::default(),
            bursts: Default::default(),
            forget: Default::default(),
            failed: Default::default(),
            reserved: Default::default(),
            part: Default::default(),
            whole: Default::default(),
            gather: Default::default(),
            entries: Default::default(),
            open: Default::default(),
            take_row: Default::default(),
            take_fetch: Default::default(),
            more: Default::default(),
            fewer: Default::default(),
            wanted: Default::default(),
            row_beat: Default::default(),
            reserve: Default::default(),
            free: Default::default(),
            fetch_length: Constant::new((super::DESCRIPTOR_BYTES as u64 * 8 / BUS as u64 - 1).into()),
            last_part: Constant::new((G as u64 - 1).into()),
            entry_beats: Constant::new((G as u64).into()),
            most: Constant::new(((beats - CHUNK_BEATS) as u64).into()),
        }
    }
}

impl<const BUS: usize, const ENTRY: usize, const G: usize, const A: usize> Logic
    for ReadPort<BUS, ENTRY, G, A>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, request_valid, request_fetch, request_address, request_length);
        dff_setup!(self, clock, bursts, forget, failed, reserved, part, whole);
        self.gather.clock.next = self.clock.val();
        self.entries.clock.next = self.clock.val();
        self.entries.reset.next = self.reset.val() | self.hard_reset.val();

        // Requests.
        self.open.next = !self.request_valid.q.val()
            & !self.bursts.q.val().get_bit(7)
            & !self.halt.val()
            & !self.forget.q.val()
            & !self.reset.val()
            & !self.hard_reset.val();
        self.fetch_ready.next = self.open.val();
        self.row_ready.next =
            self.open.val() & !self.fetch_valid.val() & (self.reserved.q.val() <= self.most.val());
        self.take_fetch.next = self.fetch_valid.val() & self.fetch_ready.val();
        self.take_row.next = self.row_valid.val() & self.row_ready.val();
        self.arvalid.next = self.request_valid.q.val();
        self.arid.next = self.request_fetch.q.val();
        self.araddr.next = self.request_address.q.val();
        self.arlen.next = self.request_length.q.val();
        if self.arready.val() {
            self.request_valid.d.next = false;
        }
        if self.take_row.val() {
            self.request_valid.d.next = true;
            self.request_fetch.d.next = 0.into();
            self.request_address.d.next = self.base.val() + bit_cast::<40, 32>(self.row_address.val());
            self.request_length.d.next = bit_cast::<8, 5>(self.row_beats.val()) - 1;
        }
        if self.take_fetch.val() {
            self.request_valid.d.next = true;
            self.request_fetch.d.next = 1.into();
            self.request_address.d.next = self.base.val() + bit_cast::<40, 32>(self.fetch_address.val());
            self.request_length.d.next = self.fetch_length.val();
        }

        // Answers.
        self.rready.next = true;
        self.received.next = self.rvalid.val();
        self.more.next = self.take_row.val() | self.take_fetch.val();
        self.fewer.next = self.rvalid.val() & self.rlast.val();
        if self.more.val() & !self.fewer.val() {
            self.bursts.d.next = self.bursts.q.val() + 1;
        }
        if self.fewer.val() & !self.more.val() {
            self.bursts.d.next = self.bursts.q.val() - 1;
        }
        self.owed.next = self.bursts.q.val().any();
        self.discarding.next = self.forget.q.val();
        self.wanted.next = self.rvalid.val() & !self.forget.q.val();
        self.fetched.next = self.wanted.val() & self.rid.val().any();
        self.row_beat.next = self.wanted.val() & !self.rid.val().any();
        self.failed.d.next = self.wanted.val() & self.rresp.val().get_bit(1);
        self.error.next = self.failed.q.val();

        // Entries.
        self.gather.take.next = self.row_beat.val();
        self.gather.beat.next = self.rdata.val();
        self.whole.d.next = false;
        if self.row_beat.val() {
            self.part.d.next = self.part.q.val() + 1;
            if self.part.q.val() == self.last_part.val() {
                self.part.d.next = 0.into();
                self.whole.d.next = true;
            }
        }
        self.entries.write.next = self.whole.q.val();
        self.entries.write_data.next = self.gather.wide.val();
        self.entry_valid.next = self.entries.read_valid.val();
        self.entry_data.next = self.entries.read_data.val();
        self.entries.read_ready.next = self.entry_ready.val();

        // Room.
        self.reserve.next = 0.into();
        if self.take_row.val() {
            self.reserve.next = bit_cast::<16, 5>(self.row_beats.val());
        }
        self.free.next = 0.into();
        if self.entries.read_valid.val() & self.entry_ready.val() {
            self.free.next = self.entry_beats.val();
        }
        self.reserved.d.next = self.reserved.q.val() + self.reserve.val() - self.free.val();
        self.holds.next = self.reserved.q.val().any();

        if !self.owed.val() {
            self.forget.d.next = false;
        }
        if self.reset.val() | self.hard_reset.val() {
            self.forget.d.next = true;
            self.failed.d.next = false;
            self.reserved.d.next = 0.into();
            self.part.d.next = 0.into();
            self.whole.d.next = false;
        }
        if self.hard_reset.val() {
            self.forget.d.next = false;
            self.request_valid.d.next = false;
            self.bursts.d.next = 0.into();
        }
    }
}
