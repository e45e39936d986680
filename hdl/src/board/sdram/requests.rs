//! Requests of the three ports, one access after another.

use crate::support::prelude::*;

/// Takes turns between AXI4 reads, AXI4 writes and words of the host.
///
/// A port that waits is passed over by at most one access of each other port. A
/// write waits for its turn until all its beats are there, so that nobody waits for
/// a master that is slow. The order in which accesses are offered is the order in
/// which they take effect; `memory_ready` says that a word has its place in it.
#[derive(LogicBlock)]
pub struct Requests<const BUS: usize, const STROBE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub arid: Signal<In, Bits<1>>,
    pub araddr: Signal<In, Bits<40>>,
    pub arlen: Signal<In, Bits<8>>,
    pub arvalid: Signal<In, Bit>,
    pub arready: Signal<Out, Bit>,
    pub awid: Signal<In, Bits<1>>,
    pub awaddr: Signal<In, Bits<40>>,
    pub awlen: Signal<In, Bits<8>>,
    pub awvalid: Signal<In, Bit>,
    pub awready: Signal<Out, Bit>,
    pub wdata: Signal<In, Bits<BUS>>,
    pub wstrb: Signal<In, Bits<STROBE>>,
    pub wlast: Signal<In, Bit>,
    pub wvalid: Signal<In, Bit>,
    pub wready: Signal<Out, Bit>,

    pub memory_valid: Signal<In, Bit>,
    pub memory_ready: Signal<Out, Bit>,
    pub memory_write: Signal<In, Bit>,
    pub memory_address: Signal<In, Bits<32>>,
    pub memory_write_data: Signal<In, Bits<32>>,

    /// An access is offered; after each there is a beat without one.
    pub valid: Signal<Out, Bit>,
    pub ready: Signal<In, Bit>,
    pub write: Signal<Out, Bit>,
    /// Of the host's port.
    pub host: Signal<Out, Bit>,
    /// Beyond the chip: answered with an error.
    pub outside: Signal<Out, Bit>,
    pub id: Signal<Out, Bits<1>>,
    /// Row above bank.
    pub row: Signal<Out, Bits<15>>,
    pub column: Signal<Out, Bits<9>>,
    /// Columns, less one; at least 1.
    pub left: Signal<Out, Bits<6>>,

    /// The column that is written in this beat, of the host's word or of the burst whose turn it is.
    pub write_host: Signal<In, Bit>,
    pub write_column: Signal<In, Bits<9>>,
    pub write_data: Signal<Out, Bits<16>>,
    pub write_strobe: Signal<Out, Bits<2>>,
    /// It is the last of a bus beat.
    pub take_beat: Signal<In, Bit>,
    /// The host's access is issued.
    pub host_done: Signal<In, Bit>,

    read_held: Register<Bit>,
    read_id: Register<Bits<1>>,
    read_address: Register<Bits<24>>,
    read_beats: Register<Bits<4>>,
    read_outside: Register<Bit>,
    write_held: Register<Bit>,
    write_id: Register<Bits<1>>,
    write_address: Register<Bits<24>>,
    write_beats: Register<Bits<4>>,
    write_outside: Register<Bit>,
    host_active: Register<Bit>,
    host_ready: Register<Bit>,
    host_data: Register<Bits<32>>,
    /// Beats that wait to be written, and how many bursts of them are complete. In two memories,
    /// since rust-hdl cannot join the two buses.
    beats: Fifo<BUS, 5>,
    strobes: Fifo<STROBE, 5>,
    waiting: Register<Bits<5>>,
    complete: Register<Bits<5>>,
    room: Signal<Local, Bit>,
    take_data: Signal<Local, Bit>,
    more: Signal<Local, Bit>,
    data_offset: Signal<Local, Bits<9>>,
    strobe_offset: Signal<Local, Bits<9>>,
    host_offset: Signal<Local, Bits<9>>,

    /// Whose turn it is; the host's if neither.
    reads_first: Register<Bit>,
    writes_first: Register<Bit>,
    host_first: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    read_wants: Signal<Local, Bit>,
    write_wants: Signal<Local, Bit>,
    host_wants: Signal<Local, Bit>,
    grant_read: Signal<Local, Bit>,
    grant_write: Signal<Local, Bit>,
    grant_host: Signal<Local, Bit>,

    offered: Register<Bit>,
    offered_write: Register<Bit>,
    offered_host: Register<Bit>,
    offered_outside: Register<Bit>,
    offered_id: Register<Bits<1>>,
    offered_address: Register<Bits<24>>,
    offered_left: Register<Bits<6>>,
    /// Columns of a beat, less one, and its base-2 logarithm.
    beat_mask: Constant<Bits<6>>,
    beat_log: Constant<Bits<6>>,
    lane_mask: Constant<Bits<9>>,
}

impl<const BUS: usize, const STROBE: usize> Default for Requests<BUS, STROBE> {
    fn default() -> Self {
        assert!([32, 64].contains(&BUS) && 8 * STROBE == BUS, "a bus of {BUS} bits, {STROBE} bytes");
        let columns = BUS as u64 / 16;
        with_defaults!(
            clock, reset, arid, araddr, arlen, arvalid, arready, awid, awaddr, awlen, awvalid, awready, wdata,
            wstrb, wlast, wvalid, wready, memory_valid, memory_ready, memory_write, memory_address,
            memory_write_data, valid, ready, write, host, outside, id, row, column, left, write_host,
            write_column, write_data, write_strobe, take_beat, host_done, read_held, read_id, read_address,
            read_beats, read_outside, write_held, write_id, write_address, write_beats, write_outside,
            host_active, host_ready, host_data, beats, strobes, waiting, complete, room, take_data, more,
            data_offset, strobe_offset, host_offset, reads_first, writes_first, host_first, free, read_wants,
            write_wants, host_wants, grant_read, grant_write, grant_host, offered, offered_write,
            offered_host, offered_outside, offered_id, offered_address, offered_left;
            beat_mask: Constant::new((columns - 1).into()),
            beat_log: Constant::new(u64::from(columns.ilog2()).into()),
            lane_mask: Constant::new((columns - 1).into()),
        )
    }
}

impl<const BUS: usize, const STROBE: usize> Logic for Requests<BUS, STROBE> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, read_held, read_id, read_address, read_beats, read_outside);
        dff_setup!(self, clock, write_held, write_id, write_address, write_beats, write_outside);
        dff_setup!(self, clock, host_active, host_ready, host_data, waiting, complete);
        dff_setup!(self, clock, reads_first, writes_first, offered, offered_write, offered_host);
        dff_setup!(self, clock, offered_outside, offered_id, offered_address, offered_left);

        // Addresses.
        self.arready.next = !self.read_held.q.val();
        if self.arvalid.val() & self.arready.val() {
            self.read_held.d.next = true;
            self.read_id.d.next = self.arid.val();
            self.read_address.d.next = self.araddr.val().get_bits::<24>(1);
            self.read_beats.d.next = self.arlen.val().get_bits::<4>(0);
            self.read_outside.d.next = self.araddr.val().get_bits::<15>(25).any();
        }
        self.awready.next = !self.write_held.q.val();
        if self.awvalid.val() & self.awready.val() {
            self.write_held.d.next = true;
            self.write_id.d.next = self.awid.val();
            self.write_address.d.next = self.awaddr.val().get_bits::<24>(1);
            self.write_beats.d.next = self.awlen.val().get_bits::<4>(0);
            self.write_outside.d.next = self.awaddr.val().get_bits::<15>(25).any();
        }

        // Beats to write: with fewer than 24 there is room.
        self.room.next = !(self.waiting.q.val().get_bit(4) & self.waiting.q.val().get_bit(3));
        self.wready.next = self.room.val();
        self.take_data.next = self.wvalid.val() & self.room.val();
        self.more.next = self.take_data.val() & self.wlast.val();
        self.beats.clock.next = self.clock.val();
        self.beats.reset.next = self.reset.val();
        self.beats.write.next = self.take_data.val();
        self.beats.write_data.next = self.wdata.val();
        self.beats.read_ready.next = self.take_beat.val();
        self.strobes.clock.next = self.clock.val();
        self.strobes.reset.next = self.reset.val();
        self.strobes.write.next = self.take_data.val();
        self.strobes.write_data.next = self.wstrb.val();
        self.strobes.read_ready.next = self.take_beat.val();
        if self.take_data.val() & !self.take_beat.val() {
            self.waiting.d.next = self.waiting.q.val() + 1;
        }
        if self.take_beat.val() & !self.take_data.val() {
            self.waiting.d.next = self.waiting.q.val() - 1;
        }
        if self.more.val() & !self.grant_write.val() {
            self.complete.d.next = self.complete.q.val() + 1;
        }
        if self.grant_write.val() & !self.more.val() {
            self.complete.d.next = self.complete.q.val() - 1;
        }

        // Turns.
        self.free.next = !self.offered.q.val();
        self.host_first.next = !self.reads_first.q.val() & !self.writes_first.q.val();
        self.read_wants.next = self.read_held.q.val();
        self.write_wants.next = self.write_held.q.val() & self.complete.q.val().any();
        self.host_wants.next = self.memory_valid.val() & !self.host_active.q.val();
        self.grant_read.next = self.free.val()
            & self.read_wants.val()
            & (self.reads_first.q.val()
                | (!self.host_wants.val() & (self.host_first.val() | !self.write_wants.val())));
        self.grant_write.next = self.free.val()
            & self.write_wants.val()
            & (self.writes_first.q.val()
                | (!self.read_wants.val() & (self.reads_first.q.val() | !self.host_wants.val())));
        self.grant_host.next = self.free.val()
            & self.host_wants.val()
            & (self.host_first.val()
                | (!self.write_wants.val() & (self.writes_first.q.val() | !self.read_wants.val())));

        // The access that is offered.
        if self.ready.val() {
            self.offered.d.next = false;
        }
        if self.host_done.val() {
            self.host_active.d.next = false;
        }
        self.host_ready.d.next = false;
        if self.grant_read.val() {
            self.offered.d.next = true;
            self.offered_write.d.next = false;
            self.offered_host.d.next = false;
            self.offered_outside.d.next = self.read_outside.q.val();
            self.offered_id.d.next = self.read_id.q.val();
            self.offered_address.d.next = self.read_address.q.val();
            self.offered_left.d.next =
                (bit_cast::<6, 4>(self.read_beats.q.val()) << self.beat_log.val()) | self.beat_mask.val();
            self.read_held.d.next = false;
            self.reads_first.d.next = false;
            self.writes_first.d.next = true;
        }
        if self.grant_write.val() {
            self.offered.d.next = true;
            self.offered_write.d.next = true;
            self.offered_host.d.next = false;
            self.offered_outside.d.next = self.write_outside.q.val();
            self.offered_id.d.next = self.write_id.q.val();
            self.offered_address.d.next = self.write_address.q.val();
            self.offered_left.d.next =
                (bit_cast::<6, 4>(self.write_beats.q.val()) << self.beat_log.val()) | self.beat_mask.val();
            self.write_held.d.next = false;
            self.reads_first.d.next = false;
            self.writes_first.d.next = false;
        }
        if self.grant_host.val() {
            self.offered.d.next = true;
            self.offered_write.d.next = self.memory_write.val();
            self.offered_host.d.next = true;
            self.offered_outside.d.next = false;
            self.offered_address.d.next = self.memory_address.val().get_bits::<24>(1);
            self.offered_left.d.next = 1.into();
            self.host_active.d.next = true;
            self.host_ready.d.next = true;
            self.host_data.d.next = self.memory_write_data.val();
            self.reads_first.d.next = true;
            self.writes_first.d.next = false;
        }
        self.memory_ready.next = self.host_ready.q.val();
        self.valid.next = self.offered.q.val();
        self.write.next = self.offered_write.q.val();
        self.host.next = self.offered_host.q.val();
        self.outside.next = self.offered_outside.q.val();
        self.id.next = self.offered_id.q.val();
        self.row.next = self.offered_address.q.val().get_bits::<15>(9);
        self.column.next = self.offered_address.q.val().get_bits::<9>(0);
        self.left.next = self.offered_left.q.val();

        // The column that is written.
        self.data_offset.next = (self.write_column.val() & self.lane_mask.val()) << 4;
        self.strobe_offset.next = (self.write_column.val() & self.lane_mask.val()) << 1;
        self.host_offset.next = (self.write_column.val() & 1) << 4;
        self.write_data.next = self.beats.read_data.val().get_bits::<16>(self.data_offset.val().index());
        self.write_strobe.next = self.strobes.read_data.val().get_bits::<2>(self.strobe_offset.val().index());
        if self.write_host.val() {
            self.write_data.next = self.host_data.q.val().get_bits::<16>(self.host_offset.val().index());
            self.write_strobe.next = 3.into();
        }

        if self.reset.val() {
            self.read_held.d.next = false;
            self.write_held.d.next = false;
            self.host_active.d.next = false;
            self.host_ready.d.next = false;
            self.waiting.d.next = 0.into();
            self.complete.d.next = 0.into();
            self.offered.d.next = false;
            self.reads_first.d.next = false;
            self.writes_first.d.next = false;
        }
    }
}
