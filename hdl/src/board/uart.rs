//! A serial line: eight bits, lowest first, no parity, one stop bit.

use crate::support::prelude::*;

/// The period of a bit, less one beat.
fn period(clocks_per_bit: u32) -> u64 {
    assert!((4..=65536).contains(&clocks_per_bit), "{clocks_per_bit} beats a bit are not within 4 to 65536");
    u64::from(clocks_per_bit) - 1
}

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Hears {
    /// The line rests, high.
    Rest,
    Start,
    Data,
    Stop,
    /// The stop bit was low: until the line is high again.
    Broken,
}

/// Bits of a line to bytes.
///
/// A byte begins when the line falls. It is sampled half a bit later, which must find it low still, and then each
/// bit later: eight bits, and the stop bit, which must be high. If it is not, `fault` says so once, and
/// the next byte begins behind the next high. Two registers synchronise the line; `valid` comes three beats
/// behind the middle of the stop bit.
#[derive(LogicBlock)]
pub struct UartReceiver {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The line, of any clock.
    pub rx: Signal<In, Bit>,
    /// A byte came; for one beat.
    pub valid: Signal<Out, Bit>,
    /// The byte.
    pub data: Signal<Out, Bits<8>>,
    /// A byte came without its stop bit; for one beat, not with `valid`.
    pub fault: Signal<Out, Bit>,

    synchroniser: Register<Bits<2>>,
    line: Signal<Local, Bit>,
    hears: Register<Hears>,
    /// Beats until the next sample.
    beats_left: Register<Bits<16>>,
    sample: Signal<Local, Bit>,
    /// Bits of data to come, less one.
    left: Register<Bits<3>>,
    bits: Register<Bits<8>>,
    came: Register<Bit>,
    failed: Register<Bit>,
    period: Constant<Bits<16>>,
    half: Constant<Bits<16>>,
}

impl UartReceiver {
    /// A receiver of bits of so many beats, 4 to 65536.
    pub fn new(clocks_per_bit: u32) -> Self {
        let period = period(clocks_per_bit);
        with_defaults!(
            clock, reset, rx, valid, data, fault, synchroniser, line, hears, beats_left, sample, left, bits, came,
            failed;
            period: Constant::new(period.into()),
            half: Constant::new((period.div_ceil(2) - 1).into()),
        )
    }
}

impl Logic for UartReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, synchroniser, hears, beats_left, left, bits, came, failed);
        self.synchroniser.d.next = (self.synchroniser.q.val() << 1) | bit_cast::<2, 1>(self.rx.val().into());
        self.line.next = self.synchroniser.q.val().get_bit(1);
        self.sample.next = !self.beats_left.q.val().any();
        self.beats_left.d.next = self.beats_left.q.val() - 1;
        self.came.d.next = false;
        self.failed.d.next = false;
        if self.sample.val() {
            self.beats_left.d.next = self.period.val();
        }
        if (self.hears.q.val() == Hears::Rest) & !self.line.val() {
            self.hears.d.next = Hears::Start;
            self.beats_left.d.next = self.half.val();
        }
        if (self.hears.q.val() == Hears::Start) & self.sample.val() {
            self.hears.d.next = Hears::Data;
            self.left.d.next = 7.into();
            if self.line.val() {
                self.hears.d.next = Hears::Rest;
            }
        }
        if (self.hears.q.val() == Hears::Data) & self.sample.val() {
            self.bits.d.next = (self.bits.q.val() >> 1) | (bit_cast::<8, 1>(self.line.val().into()) << 7);
            self.left.d.next = self.left.q.val() - 1;
            if !self.left.q.val().any() {
                self.hears.d.next = Hears::Stop;
            }
        }
        if (self.hears.q.val() == Hears::Stop) & self.sample.val() {
            self.hears.d.next = Hears::Rest;
            self.came.d.next = self.line.val();
            self.failed.d.next = !self.line.val();
            if !self.line.val() {
                self.hears.d.next = Hears::Broken;
            }
        }
        if (self.hears.q.val() == Hears::Broken) & self.line.val() {
            self.hears.d.next = Hears::Rest;
        }
        self.valid.next = self.came.q.val();
        self.data.next = self.bits.q.val();
        self.fault.next = self.failed.q.val();

        if self.reset.val() {
            self.synchroniser.d.next = 3.into();
            self.hears.d.next = Hears::Rest;
            self.came.d.next = false;
            self.failed.d.next = false;
        }
    }
}

/// Bytes to bits of a line.
///
/// A byte takes ten bits and a beat from one `ready` to the next. The line comes from a register and
/// falls in the beat behind the one in which the byte is taken.
#[derive(LogicBlock)]
pub struct UartTransmitter {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// A byte to send; it is taken when `ready` is high too.
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    pub data: Signal<In, Bits<8>>,
    /// The line.
    pub tx: Signal<Out, Bit>,

    active: Register<Bit>,
    /// The present bit and those to come, then ones.
    bits: Register<Bits<9>>,
    /// Bits behind the present one.
    left: Register<Bits<4>>,
    /// Beats behind the present one, in this bit.
    beats_left: Register<Bits<16>>,
    period: Constant<Bits<16>>,
    rest: Constant<Bits<9>>,
}

impl UartTransmitter {
    /// A transmitter of bits of so many beats, 4 to 65536.
    pub fn new(clocks_per_bit: u32) -> Self {
        with_defaults!(
            clock, reset, valid, ready, data, tx, active, bits, left, beats_left;
            period: Constant::new(period(clocks_per_bit).into()),
            rest: Constant::new(0x1ff_u64.into()),
        )
    }
}

impl Logic for UartTransmitter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, bits, left, beats_left);
        self.ready.next = !self.active.q.val();
        self.tx.next = self.bits.q.val().get_bit(0);
        self.beats_left.d.next = self.beats_left.q.val() - 1;
        if !self.beats_left.q.val().any() {
            self.beats_left.d.next = self.period.val();
            self.bits.d.next = (self.bits.q.val() >> 1) | 0x100;
            self.left.d.next = self.left.q.val() - 1;
            if !self.left.q.val().any() {
                self.active.d.next = false;
            }
        }
        if self.valid.val() & self.ready.val() {
            self.active.d.next = true;
            self.bits.d.next = bit_cast::<9, 8>(self.data.val()) << 1;
            self.left.d.next = 9.into();
            self.beats_left.d.next = self.period.val();
        }

        if self.reset.val() {
            self.active.d.next = false;
            self.bits.d.next = self.rest.val();
        }
    }
}
