//! Accesses to commands of the chip.

use super::Timing;
use crate::support::prelude::*;

/// Mode register: bursts of one column, CAS latency 2.
const MODE: u64 = 2 << 4;
/// A10, all banks with a precharge.
const ALL_BANKS: u64 = 1 << 10;
/// Precharge, eight refreshes, mode register.
const SET_UP_STEPS: u64 = 10;

/// A timer as so many ones, shifted out at the low end: no command while bit 0 is set, so that the next
/// is given `beats` after this one at the earliest.
fn timer(beats: u32) -> Constant<Bits<8>> {
    assert!((1..=9).contains(&beats), "{beats} beats between two commands");
    Constant::new(((1_u64 << (beats - 1)) - 1).into())
}

/// Sets up the chip, refreshes it, and does accesses one after another, a column a beat.
///
/// One row is open at a time, and stays open. An access to it follows the one before
/// without a gap, unless it is a write behind a read, or a refresh is due, which goes first. Pins
/// come from registers: a command is on them the beat after it was decided.
#[derive(LogicBlock)]
pub struct Commands {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// The access that comes next; after each there is a beat without one.
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    pub write: Signal<In, Bit>,
    pub host: Signal<In, Bit>,
    /// No command is given for it.
    pub outside: Signal<In, Bit>,
    pub id: Signal<In, Bits<1>>,
    /// Row above bank.
    pub row: Signal<In, Bits<15>>,
    pub column: Signal<In, Bits<9>>,
    /// Columns, less one; at least 1.
    pub left: Signal<In, Bits<6>>,

    /// A column is issued in this beat.
    pub issued: Signal<Out, Bit>,
    pub issued_write: Signal<Out, Bit>,
    pub issued_host: Signal<Out, Bit>,
    pub issued_outside: Signal<Out, Bit>,
    pub issued_id: Signal<Out, Bits<1>>,
    pub issued_column: Signal<Out, Bits<9>>,
    /// It is the last of a bus beat, or of a word of the host.
    pub ends_beat: Signal<Out, Bit>,
    /// It is the last of the access.
    pub ends: Signal<Out, Bit>,
    /// What is written there.
    pub write_data: Signal<In, Bits<16>>,
    pub write_strobe: Signal<In, Bits<2>>,

    pub cs_n: Signal<Out, Bit>,
    pub ras_n: Signal<Out, Bit>,
    pub cas_n: Signal<Out, Bit>,
    pub we_n: Signal<Out, Bit>,
    pub ba: Signal<Out, Bits<2>>,
    pub a: Signal<Out, Bits<13>>,
    pub dqm: Signal<Out, Bits<2>>,
    pub dq_out: Signal<Out, Bits<16>>,
    pub dq_enable: Signal<Out, Bit>,

    /// Beats until power is stable, then until the next refresh falls due.
    time_left: Register<Bits<16>>,
    powered: Register<Bit>,
    set_up: Register<Bit>,
    step: Register<Bits<4>>,
    refresh_due: Register<Bit>,
    /// Timers: no command, no precharge, no write.
    pause: Register<Bits<8>>,
    keep_open: Register<Bits<8>>,
    keep_reading: Register<Bits<8>>,
    open: Register<Bit>,
    open_row: Register<Bits<15>>,
    /// The access that comes next was compared, and needs no other row.
    compared: Register<Bit>,
    fits: Register<Bit>,
    active: Register<Bit>,
    now_write: Register<Bit>,
    now_host: Register<Bit>,
    now_outside: Register<Bit>,
    now_id: Register<Bits<1>>,
    now_column: Register<Bits<9>>,
    now_left: Register<Bits<6>>,
    last: Register<Bit>,

    decide: Signal<Local, Bit>,
    closable: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    activate: Signal<Local, Bit>,
    precharge: Signal<Local, Bit>,
    refresh: Signal<Local, Bit>,
    set_mode: Signal<Local, Bit>,
    read_column: Signal<Local, Bit>,
    store_column: Signal<Local, Bit>,

    pin_cs_n: Register<Bit>,
    pin_ras_n: Register<Bit>,
    pin_cas_n: Register<Bit>,
    pin_we_n: Register<Bit>,
    pin_ba: Register<Bits<2>>,
    pin_a: Register<Bits<13>>,
    pin_dqm: Register<Bits<2>>,
    pin_dq: Register<Bits<16>>,
    pin_enable: Register<Bit>,

    power_up: Constant<Bits<16>>,
    refresh_period: Constant<Bits<16>>,
    behind_activate: Constant<Bits<8>>,
    behind_precharge: Constant<Bits<8>>,
    behind_refresh: Constant<Bits<8>>,
    behind_mode: Constant<Bits<8>>,
    row_open: Constant<Bits<8>>,
    write_recovery: Constant<Bits<8>>,
    read_to_write: Constant<Bits<8>>,
    beat_mask: Constant<Bits<6>>,
    mode: Constant<Bits<13>>,
    all_banks: Constant<Bits<13>>,
    last_step: Constant<Bits<4>>,
    one_left: Constant<Bits<6>>,
}

impl Commands {
    /// With a bus of so many columns, a power of two.
    pub fn new(timing: Timing, columns: u64) -> Self {
        assert!(timing.power_up < 1 << 16, "{} beats of power-up", timing.power_up);
        with_defaults!(
            clock, reset, valid, ready, write, host, outside, id, row, column, left, issued, issued_write,
            issued_host, issued_outside, issued_id, issued_column, ends_beat, ends, write_data, write_strobe,
            cs_n, ras_n, cas_n, we_n, ba, a, dqm, dq_out, dq_enable, time_left, powered, set_up, step,
            refresh_due, pause, keep_open, keep_reading, open, open_row, compared, fits, active, now_write,
            now_host, now_outside, now_id, now_column, now_left, last, decide, closable, start, activate,
            precharge, refresh, set_mode, read_column, store_column, pin_cs_n, pin_ras_n, pin_cas_n, pin_we_n,
            pin_ba, pin_a, pin_dqm, pin_dq, pin_enable;
            power_up: Constant::new(timing.power_up.into()),
            refresh_period: Constant::new((timing.refresh_period - 1).into()),
            behind_activate: timer(timing.activate_to_column),
            behind_precharge: timer(timing.precharge),
            behind_refresh: timer(timing.refresh),
            behind_mode: timer(timing.mode),
            row_open: timer(timing.row_open),
            write_recovery: timer(timing.write_recovery),
            // A column follows its decision by a beat.
            read_to_write: timer(timing.read_to_write - 1),
            beat_mask: Constant::new((columns - 1).into()),
            mode: Constant::new(MODE.into()),
            all_banks: Constant::new(ALL_BANKS.into()),
            last_step: Constant::new((SET_UP_STEPS - 1).into()),
            one_left: Constant::new(1_u64.into()),
        )
    }
}

impl Logic for Commands {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            time_left,
            powered,
            set_up,
            step,
            refresh_due,
            pause,
            keep_open,
            keep_reading
        );
        dff_setup!(self, clock, open, open_row, compared, fits, active, now_write, now_host, now_outside);
        dff_setup!(self, clock, now_id, now_column, now_left, last, pin_cs_n, pin_ras_n, pin_cas_n, pin_we_n);
        dff_setup!(self, clock, pin_ba, pin_a, pin_dqm, pin_dq, pin_enable);

        // Time.
        self.time_left.d.next = self.time_left.q.val() - 1;
        if !self.time_left.q.val().any() {
            self.time_left.d.next = self.refresh_period.val();
            self.powered.d.next = true;
            self.refresh_due.d.next = self.powered.q.val();
        }
        self.pause.d.next = self.pause.q.val() >> 1;
        self.keep_open.d.next = self.keep_open.q.val() >> 1;
        self.keep_reading.d.next = self.keep_reading.q.val() >> 1;

        // The next access and the open row.
        self.fits.d.next =
            (self.open.q.val() & (self.row.val() == self.open_row.q.val())) | self.outside.val();
        self.closable.next = !self.keep_open.q.val().get_bit(0);

        // What comes next.
        self.start.next = false;
        self.activate.next = false;
        self.precharge.next = false;
        self.refresh.next = false;
        self.set_mode.next = false;
        self.decide.next = self.powered.q.val() & !self.active.q.val() & !self.pause.q.val().get_bit(0);
        if self.decide.val() {
            if !self.set_up.q.val() {
                self.step.d.next = self.step.q.val() + 1;
                self.refresh.next = true;
                if !self.step.q.val().any() {
                    self.precharge.next = true;
                    self.refresh.next = false;
                }
                if self.step.q.val() == self.last_step.val() {
                    self.set_mode.next = true;
                    self.refresh.next = false;
                    self.set_up.d.next = true;
                }
            } else if self.refresh_due.q.val() {
                self.refresh.next = !self.open.q.val();
                self.precharge.next = self.open.q.val() & self.closable.val();
            } else if self.compared.q.val() {
                if self.fits.q.val() {
                    self.start.next = !(self.write.val() & self.keep_reading.q.val().get_bit(0));
                } else {
                    self.activate.next = !self.open.q.val();
                    self.precharge.next = self.open.q.val() & self.closable.val();
                }
            }
        }

        // Columns; the next access may begin behind the last.
        self.read_column.next = self.active.q.val() & !self.now_outside.q.val() & !self.now_write.q.val();
        self.store_column.next = self.active.q.val() & !self.now_outside.q.val() & self.now_write.q.val();
        if self.active.q.val() {
            self.now_column.d.next = self.now_column.q.val() + 1;
            self.now_left.d.next = self.now_left.q.val() - 1;
            self.last.d.next = self.now_left.q.val() == self.one_left.val();
            if self.last.q.val() {
                self.active.d.next = false;
                self.start.next = self.compared.q.val()
                    & self.fits.q.val()
                    & !self.refresh_due.q.val()
                    & (!self.write.val() | self.now_write.q.val());
            }
        }
        if self.start.val() {
            self.active.d.next = true;
            self.last.d.next = false;
            self.now_write.d.next = self.write.val();
            self.now_host.d.next = self.host.val();
            self.now_outside.d.next = self.outside.val();
            self.now_id.d.next = self.id.val();
            self.now_column.d.next = self.column.val();
            self.now_left.d.next = self.left.val();
        }
        self.ready.next = self.start.val();
        self.compared.d.next = self.valid.val() & !self.start.val();

        // What each command leaves behind.
        if self.activate.val() {
            self.open.d.next = true;
            self.open_row.d.next = self.row.val();
            self.pause.d.next = self.behind_activate.val();
            self.keep_open.d.next = self.row_open.val();
        }
        if self.precharge.val() {
            self.open.d.next = false;
            self.pause.d.next = self.behind_precharge.val();
        }
        if self.refresh.val() {
            self.pause.d.next = self.behind_refresh.val();
            self.refresh_due.d.next = false;
        }
        if self.set_mode.val() {
            self.pause.d.next = self.behind_mode.val();
        }
        if self.store_column.val() {
            self.keep_open.d.next = (self.keep_open.q.val() >> 1) | self.write_recovery.val();
        }
        if self.read_column.val() {
            self.keep_reading.d.next = self.read_to_write.val();
        }

        self.issued.next = self.active.q.val();
        self.issued_write.next = self.now_write.q.val();
        self.issued_host.next = self.now_host.q.val();
        self.issued_outside.next = self.now_outside.q.val();
        self.issued_id.next = self.now_id.q.val();
        self.issued_column.next = self.now_column.q.val();
        self.ends_beat.next = !(self.now_left.q.val() & self.beat_mask.val()).any();
        self.ends.next = self.last.q.val();

        // Pins.
        self.pin_cs_n.d.next = self.reset.val();
        self.pin_ras_n.d.next =
            !(self.activate.val() | self.precharge.val() | self.refresh.val() | self.set_mode.val());
        self.pin_cas_n.d.next =
            !(self.read_column.val() | self.store_column.val() | self.refresh.val() | self.set_mode.val());
        self.pin_we_n.d.next = !(self.precharge.val() | self.store_column.val() | self.set_mode.val());
        self.pin_ba.d.next = self.open_row.q.val().get_bits::<2>(0);
        self.pin_a.d.next = bit_cast::<13, 9>(self.now_column.q.val());
        if self.activate.val() {
            self.pin_ba.d.next = self.row.val().get_bits::<2>(0);
            self.pin_a.d.next = self.row.val().get_bits::<13>(2);
        }
        if self.precharge.val() {
            self.pin_a.d.next = self.all_banks.val();
        }
        if self.set_mode.val() {
            self.pin_ba.d.next = 0.into();
            self.pin_a.d.next = self.mode.val();
        }
        self.pin_dqm.d.next = 0.into();
        if self.store_column.val() {
            self.pin_dqm.d.next = !self.write_strobe.val();
        }
        if !self.set_up.q.val() {
            self.pin_dqm.d.next = 3.into();
        }
        self.pin_dq.d.next = self.write_data.val();
        self.pin_enable.d.next = self.store_column.val();

        if self.reset.val() {
            self.time_left.d.next = self.power_up.val();
            self.powered.d.next = false;
            self.set_up.d.next = false;
            self.step.d.next = 0.into();
            self.refresh_due.d.next = false;
            self.pause.d.next = 0.into();
            self.keep_open.d.next = 0.into();
            self.keep_reading.d.next = 0.into();
            self.open.d.next = false;
            self.compared.d.next = false;
            self.active.d.next = false;
            self.pin_ras_n.d.next = true;
            self.pin_cas_n.d.next = true;
            self.pin_we_n.d.next = true;
            self.pin_dqm.d.next = 3.into();
            self.pin_enable.d.next = false;
        }
        self.cs_n.next = self.pin_cs_n.q.val();
        self.ras_n.next = self.pin_ras_n.q.val();
        self.cas_n.next = self.pin_cas_n.q.val();
        self.we_n.next = self.pin_we_n.q.val();
        self.ba.next = self.pin_ba.q.val();
        self.a.next = self.pin_a.q.val();
        self.dqm.next = self.pin_dqm.q.val();
        self.dq_out.next = self.pin_dq.q.val();
        self.dq_enable.next = self.pin_enable.q.val();
    }
}
