//! Row loader: entries of the stream into the lanes' banks, LayerNorm's parameters, or a copy.
//!
//! A row group is P rows, lane after lane, then P parameter records (see
//! `edge_moe_isa::packing`); groups go to the two banks in turn. A bank is `full`
//! from its group's last record until it is used up, so that the next group loads
//! while the lanes compute, across layers and experts. Parameters of LayerNorm
//! wait until those before are used up; data of a copy are passed on.
//!
//! One entry a beat; a beat between loads. An entry is V bytes, P = V = 2^L.

use super::fetch::LOAD;
use crate::support::prelude::*;

/// `R` bits of a row address: two banks of rows below, attention's rows above.
#[derive(LogicBlock)]
pub struct RowLoader<
    const V: usize,
    const L: usize,
    const ENTRY: usize,
    const ROW: usize,
    const RECORDS: usize,
    const R: usize,
    const NORM: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// What comes: see [`fetch`](super::fetch).
    pub load_valid: Signal<In, Bit>,
    pub load_ready: Signal<Out, Bit>,
    pub load: Signal<In, Bits<LOAD>>,
    pub entry_valid: Signal<In, Bit>,
    pub entry_ready: Signal<Out, Bit>,
    pub entry_data: Signal<In, Bits<ENTRY>>,

    pub row_valid: Signal<Out, Bit>,
    pub row_ready: Signal<In, Bit>,
    pub row_lane: Signal<Out, Bits<L>>,
    pub row_address: Signal<Out, Bits<R>>,
    pub row_data: Signal<Out, Bits<ROW>>,
    /// Records for the lanes (`lanes_write`) or for LayerNorm (`norm_write`).
    pub records: Signal<Out, Bits<RECORDS>>,
    pub record_lane: Signal<Out, Bits<L>>,
    pub lanes_write: Signal<Out, Bit>,
    pub lanes_bank: Signal<Out, Bit>,
    pub norm_write: Signal<Out, Bit>,
    pub norm_address: Signal<Out, Bits<NORM>>,
    /// Entries of a copy.
    pub data_valid: Signal<Out, Bit>,
    pub data_ready: Signal<In, Bit>,

    /// Banks 0 and 1, and LayerNorm's parameters.
    pub full_0: Signal<Out, Bit>,
    pub full_1: Signal<Out, Bit>,
    pub norm_full: Signal<Out, Bit>,
    pub use_0: Signal<In, Bit>,
    pub use_1: Signal<In, Bit>,
    pub use_norm: Signal<In, Bit>,

    active: Register<Bit>,
    kind: Register<Bits<2>>,
    row_words: Register<Bits<16>>,
    /// Row groups or entries still to come.
    count: Register<Bits<20>>,
    in_records: Register<Bit>,
    bank: Register<Bit>,
    lane: Register<Bits<L>>,
    word: Register<Bits<16>>,
    entry: Register<Bits<3>>,
    bank_full: [Register<Bit>; 2],
    parameters_full: Register<Bit>,

    bytes: Split<Bits<8>, V, ENTRY>,
    operands: Concat<S<9>, V, ROW>,
    widen: Widen<ENTRY, RECORDS>,
    rows: Signal<Local, Bit>,
    parameters: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    next_word: Signal<Local, Bits<16>>,
    last_word: Signal<Local, Bit>,
    record_byte: Signal<Local, Bits<16>>,
    record_complete: Signal<Local, Bit>,
    group_ends: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    last_lane: Constant<Bits<L>>,
    last_part: Constant<Bits<3>>,
    one: Constant<Bits<20>>,
    log_lanes: Constant<Bits<3>>,
    bank_1: Constant<Bits<R>>,
}

impl<
    const V: usize,
    const L: usize,
    const ENTRY: usize,
    const ROW: usize,
    const RECORDS: usize,
    const R: usize,
    const NORM: usize,
> Default for RowLoader<V, L, ENTRY, ROW, RECORDS, R, NORM>
{
    fn default() -> Self {
        assert_eq!([1 << L, 8 * V, 9 * V, (8 * V).max(64)], [V, ENTRY, ROW, RECORDS], "widths of {V} lanes");
        with_defaults!(
            clock, reset, load_valid, load_ready, load, entry_valid, entry_ready, entry_data, row_valid, row_ready,
            row_lane, row_address, row_data, records, record_lane, lanes_write, lanes_bank, norm_write,
            norm_address, data_valid, data_ready, full_0, full_1, norm_full, use_0, use_1, use_norm, active, kind,
            row_words, count, in_records, bank, lane, word, entry, bank_full, parameters_full, bytes, operands,
            widen, rows, parameters, room, take, next_word, last_word, record_byte, record_complete, group_ends,
            last;
            last_lane: Constant::new((V as u64 - 1).into()),
            last_part: Constant::new(((RECORDS / ENTRY) as u64 - 1).into()),
            one: Constant::new(1_u64.into()),
            log_lanes: Constant::new((L as u64).into()),
            bank_1: Constant::new((1_u64 << (R - 2)).into()),
        )
    }
}

impl<
    const V: usize,
    const L: usize,
    const ENTRY: usize,
    const ROW: usize,
    const RECORDS: usize,
    const R: usize,
    const NORM: usize,
> Logic for RowLoader<V, L, ENTRY, ROW, RECORDS, R, NORM>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, kind, row_words, count, in_records, bank, lane, word, entry);
        dff_setup!(self, clock, parameters_full);
        for i in 0..2 {
            self.bank_full[i].clock.next = self.clock.val();
            self.bank_full[i].d.next = self.bank_full[i].q.val();
        }
        self.widen.clock.next = self.clock.val();

        // An entry, where it goes, and whether there is room.
        self.rows.next = self.active.q.val() & (self.kind.q.val() == 0);
        self.parameters.next = self.active.q.val() & (self.kind.q.val() == 1);
        self.room.next = !self.bank_full[0].q.val();
        if self.bank.q.val() {
            self.room.next = !self.bank_full[1].q.val();
        }
        self.row_valid.next =
            self.rows.val() & !self.in_records.q.val() & self.room.val() & self.entry_valid.val();
        self.data_valid.next = self.active.q.val() & (self.kind.q.val() == 2) & self.entry_valid.val();
        self.entry_ready.next = self.active.q.val() & (self.kind.q.val() == 2) & self.data_ready.val();
        if self.rows.val() {
            self.entry_ready.next = self.in_records.q.val() | (self.room.val() & self.row_ready.val());
        }
        if self.parameters.val() {
            self.entry_ready.next = !self.parameters_full.q.val();
        }
        self.take.next = self.entry_valid.val() & self.entry_ready.val();

        // Rows.
        self.bytes.bus.next = self.entry_data.val();
        for i in 0..V {
            self.operands.lane[i].next = self.bytes.lane[i].val().to_signed_bits().into();
        }
        self.row_data.next = self.operands.bus.val();
        self.row_lane.next = self.lane.q.val();
        self.row_address.next = bit_cast::<R, 16>(self.word.q.val());
        if self.bank.q.val() {
            self.row_address.next = bit_cast::<R, 16>(self.word.q.val()) | self.bank_1.val();
        }
        self.next_word.next = self.word.q.val() + 1;
        self.last_word.next = self.next_word.val() == self.row_words.q.val();

        // Records: eight entries for P lanes, or for the channels of a word.
        self.widen.take.next = self.take.val();
        self.widen.narrow.next = self.entry_data.val();
        self.records.next = self.widen.wide.val();
        self.record_byte.next = bit_cast::<16, 3>(self.entry.q.val()) << self.log_lanes.val();
        self.record_lane.next = self.record_byte.val().get_bits::<L>(3);
        self.record_complete.next = (self.entry.q.val() & self.last_part.val()) == self.last_part.val();
        self.lanes_write.next =
            self.rows.val() & self.in_records.q.val() & self.take.val() & self.record_complete.val();
        self.lanes_bank.next = self.bank.q.val();
        self.norm_write.next = self.parameters.val() & self.take.val() & self.record_complete.val();
        self.norm_address.next = self.word.q.val().get_bits::<NORM>(0);

        // Onwards.
        self.group_ends.next =
            self.rows.val() & self.in_records.q.val() & self.take.val() & (self.entry.q.val() == 7);
        self.last.next = self.count.q.val() == self.one.val();
        if self.take.val() {
            if self.rows.val() & !self.in_records.q.val() {
                self.word.d.next = self.next_word.val();
                if self.last_word.val() {
                    self.word.d.next = 0.into();
                    self.lane.d.next = self.lane.q.val() + 1;
                    self.in_records.d.next = self.lane.q.val() == self.last_lane.val();
                }
            } else {
                self.entry.d.next = self.entry.q.val() + 1;
            }
            if self.parameters.val() & (self.entry.q.val() == 7) {
                self.word.d.next = self.next_word.val();
            }
            if !self.rows.val() | self.group_ends.val() {
                self.count.d.next = self.count.q.val() - 1;
                if self.last.val() {
                    self.active.d.next = false;
                    self.parameters_full.d.next = self.parameters.val() | self.parameters_full.q.val();
                }
            }
        }
        if self.use_norm.val() {
            self.parameters_full.d.next = false;
        }
        if self.use_0.val() {
            self.bank_full[0].d.next = false;
        }
        if self.use_1.val() {
            self.bank_full[1].d.next = false;
        }
        if self.group_ends.val() {
            self.in_records.d.next = false;
            self.lane.d.next = 0.into();
            self.bank.d.next = !self.bank.q.val();
            if self.bank.q.val() {
                self.bank_full[1].d.next = true;
            } else {
                self.bank_full[0].d.next = true;
            }
        }
        self.full_0.next = self.bank_full[0].q.val();
        self.full_1.next = self.bank_full[1].q.val();
        self.norm_full.next = self.parameters_full.q.val();

        // The next load.
        self.load_ready.next = !self.active.q.val();
        if self.load_valid.val() & self.load_ready.val() {
            self.active.d.next = true;
            self.kind.d.next = self.load.val().get_bits::<2>(0);
            self.row_words.d.next = self.load.val().get_bits::<16>(2);
            self.count.d.next = self.load.val().get_bits::<20>(18);
            self.lane.d.next = 0.into();
            self.word.d.next = 0.into();
            self.entry.d.next = 0.into();
            self.in_records.d.next = false;
        }

        if self.reset.val() {
            self.active.d.next = false;
            self.bank.d.next = false;
            self.bank_full[0].d.next = false;
            self.bank_full[1].d.next = false;
            self.parameters_full.d.next = false;
        }
    }
}
