//! The registers of a device, as `edge_moe_isa::registers` defines them, over
//! AXI4-Lite.
//!
//! `start` is a pulse of one beat, in the beat in which the write takes effect;
//! `running` must be high from the next beat until, with or after the pulse
//! `finished` or `failed`, the program has ended. `stop` is a pulse too, while
//! a program runs. Reads and writes take turns with nothing else: one of each
//! in three beats at most, see [`Lite`]. Unknown offsets read as zero.

mod counters;
mod lite;

pub use counters::Counters;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{self, CONSTANTS, Register as Name, constants};
pub use lite::Lite;

use crate::support::prelude::*;

/// The word of a register, to compare addresses with.
fn at(register: Name) -> Constant<Bits<10>> {
    Constant::new(u64::from(register.offset() / 4).into())
}

#[derive(LogicBlock)]
pub struct Control {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub s_axi_awaddr: Signal<In, Bits<12>>,
    pub s_axi_awprot: Signal<In, Bits<3>>,
    pub s_axi_awvalid: Signal<In, Bit>,
    pub s_axi_awready: Signal<Out, Bit>,
    pub s_axi_wdata: Signal<In, Bits<32>>,
    pub s_axi_wstrb: Signal<In, Bits<4>>,
    pub s_axi_wvalid: Signal<In, Bit>,
    pub s_axi_wready: Signal<Out, Bit>,
    pub s_axi_bresp: Signal<Out, Bits<2>>,
    pub s_axi_bvalid: Signal<Out, Bit>,
    pub s_axi_bready: Signal<In, Bit>,
    pub s_axi_araddr: Signal<In, Bits<12>>,
    pub s_axi_arprot: Signal<In, Bits<3>>,
    pub s_axi_arvalid: Signal<In, Bit>,
    pub s_axi_arready: Signal<Out, Bit>,
    pub s_axi_rdata: Signal<Out, Bits<32>>,
    pub s_axi_rresp: Signal<Out, Bits<2>>,
    pub s_axi_rvalid: Signal<Out, Bit>,
    pub s_axi_rready: Signal<In, Bit>,

    pub start: Signal<Out, Bit>,
    pub stop: Signal<Out, Bit>,
    pub serialise: Signal<Out, Bit>,
    /// Its low twelve bits are zero.
    pub base: Signal<Out, Bits<40>>,
    pub writable_bytes: Signal<Out, Bits<32>>,
    pub total_bytes: Signal<Out, Bits<32>>,
    /// Register `program`.
    pub program_address: Signal<Out, Bits<32>>,
    pub timeout: Signal<Out, Bits<32>>,
    /// High while `status` has bit 1 or 2 and `mode` bit 1.
    pub interrupt_request: Signal<Out, Bit>,

    pub running: Signal<In, Bit>,
    /// Memory owes answers: a start is refused.
    pub memory_owes: Signal<In, Bit>,
    /// The program reached `end`.
    pub finished: Signal<In, Bit>,
    /// It stopped, for this reason; not with `finished`.
    pub failed: Signal<In, Bit>,
    pub error: Signal<In, Bits<4>>,
    pub error_descriptor: Signal<In, Bits<12>>,
    pub descriptor: Signal<In, Bits<12>>,
    /// Counted while a program runs.
    pub activity: Signal<In, Bits<4>>,
    pub read_beats: Signal<In, Bits<2>>,
    pub write_beat: Signal<In, Bit>,

    lite: Lite,
    counters: Counters,
    done: Register<Bit>,
    error_flag: Register<Bit>,
    refused: Register<Bit>,
    error_code: Register<Bits<4>>,
    error_index: Register<Bits<12>>,
    mode: Register<Bits<2>>,
    base_low: Register<Bits<32>>,
    base_high: Register<Bits<8>>,
    writable_end: Register<Bits<32>>,
    total_end: Register<Bits<32>>,
    program_start: Register<Bits<32>>,
    cycles_limit: Register<Bits<32>>,
    status: Concat<Bit, 4, 4>,
    /// Bits that are written, and bits that stay.
    written: Signal<Local, Bits<32>>,
    keep: Signal<Local, Bits<32>>,
    /// A register that the host may write is written.
    change: Signal<Local, Bit>,
    command: Signal<Local, Bit>,
    clear: Signal<Local, Bit>,
    refuse: Signal<Local, Bit>,
    /// The value at the word that is read, if it is a counter; if it is not.
    counter: Register<Bits<32>>,
    other: Register<Bits<32>>,
    constant: [Constant<Bits<32>>; CONSTANTS],
    at_constant: [Constant<Bits<10>>; CONSTANTS],
    at_control: Constant<Bits<10>>,
    at_status: Constant<Bits<10>>,
    at_error: Constant<Bits<10>>,
    at_error_descriptor: Constant<Bits<10>>,
    at_mode: Constant<Bits<10>>,
    at_base_low: Constant<Bits<10>>,
    at_base_high: Constant<Bits<10>>,
    at_writable: Constant<Bits<10>>,
    at_total: Constant<Bits<10>>,
    at_program: Constant<Bits<10>>,
    at_timeout: Constant<Bits<10>>,
    at_descriptor: Constant<Bits<10>>,
    default_timeout: Constant<Bits<32>>,
    page: Constant<Bits<32>>,
}

impl Control {
    /// The registers of a device of that architecture.
    pub fn new(arch: &ArchConfig) -> Self {
        use registers::{control, mode, status};
        let bits = [
            [control::START, control::STOP, mode::SERIALISE, mode::INTERRUPT],
            [status::BUSY, status::DONE, status::ERROR, status::REFUSED],
        ];
        assert_eq!(bits, [[1, 2, 1, 2], [1, 2, 4, 8]], "bits of the kernel below");
        let constants = constants(arch);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            s_axi_awaddr: Default::default(),
            s_axi_awprot: Default::default(),
            s_axi_awvalid: Default::default(),
            s_axi_awready: Default::default(),
            s_axi_wdata: Default::default(),
            s_axi_wstrb: Default::default(),
            s_axi_wvalid: Default::default(),
            s_axi_wready: Default::default(),
            s_axi_bresp: Default::default(),
            s_axi_bvalid: Default::default(),
            s_axi_bready: Default::default(),
            s_axi_araddr: Default::default(),
            s_axi_arprot: Default::default(),
            s_axi_arvalid: Default::default(),
            s_axi_arready: Default::default(),
            s_axi_rdata: Default::default(),
            s_axi_rresp: Default::default(),
            s_axi_rvalid: Default::default(),
            s_axi_rready: Default::default(),
            start: Default::default(),
            stop: Default::default(),
            serialise: Default::default(),
            base: Default::default(),
            writable_bytes: Default::default(),
            total_bytes: Default::default(),
            program_address: Default::default(),
            timeout: Default::default(),
            interrupt_request: Default::default(),
            running: Default::default(),
            memory_owes: Default::default(),
            finished: Default::default(),
            failed: Default::default(),
            error: Default::default(),
            error_descriptor: Default::default(),
            descriptor: Default::default(),
            activity: Default::default(),
            read_beats: Default::default(),
            write_beat: Default::default(),
            lite: Default::default(),
            counters: Default::default(),
            done: Default::default(),
            error_flag: Default::default(),
            refused: Default::default(),
            error_code: Default::default(),
            error_index: Default::default(),
            mode: Default::default(),
            base_low: Default::default(),
            base_high: Default::default(),
            writable_end: Default::default(),
            total_end: Default::default(),
            program_start: Default::default(),
            cycles_limit: Default::default(),
            status: Default::default(),
            written: Default::default(),
            keep: Default::default(),
            change: Default::default(),
            command: Default::default(),
            clear: Default::default(),
            refuse: Default::default(),
            counter: Default::default(),
            other: Default::default(),
            constant: from_fn(|i| Constant::new(u64::from(constants[i].1).into())),
            at_constant: from_fn(|i| at(constants[i].0)),
            at_control: at(Name::Control),
            at_status: at(Name::Status),
            at_error: at(Name::Error),
            at_error_descriptor: at(Name::ErrorDescriptor),
            at_mode: at(Name::Mode),
            at_base_low: at(Name::BaseLow),
            at_base_high: at(Name::BaseHigh),
            at_writable: at(Name::WritableBytes),
            at_total: at(Name::TotalBytes),
            at_program: at(Name::Program),
            at_timeout: at(Name::Timeout),
            at_descriptor: at(Name::Descriptor),
            default_timeout: Constant::new(u64::from(registers::DEFAULT_TIMEOUT).into()),
            page: Constant::new(0xffff_f000_u64.into()),
        }
    }
}

impl Logic for Control {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, done, error_flag, refused, error_code, error_index, mode, base_low);
        dff_setup!(self, clock, counter, other);
        dff_setup!(self, clock, base_high, writable_end, total_end, program_start, cycles_limit);
        self.lite.clock.next = self.clock.val();
        self.lite.reset.next = self.reset.val();
        self.lite.awaddr.next = self.s_axi_awaddr.val();
        self.lite.awvalid.next = self.s_axi_awvalid.val();
        self.s_axi_awready.next = self.lite.awready.val();
        self.lite.wdata.next = self.s_axi_wdata.val();
        self.lite.wstrb.next = self.s_axi_wstrb.val();
        self.lite.wvalid.next = self.s_axi_wvalid.val();
        self.s_axi_wready.next = self.lite.wready.val();
        self.s_axi_bresp.next = self.lite.bresp.val();
        self.s_axi_bvalid.next = self.lite.bvalid.val();
        self.lite.bready.next = self.s_axi_bready.val();
        self.lite.araddr.next = self.s_axi_araddr.val();
        self.lite.arvalid.next = self.s_axi_arvalid.val();
        self.s_axi_arready.next = self.lite.arready.val();
        self.s_axi_rdata.next = self.lite.rdata.val();
        self.s_axi_rresp.next = self.lite.rresp.val();
        self.s_axi_rvalid.next = self.lite.rvalid.val();
        self.lite.rready.next = self.s_axi_rready.val();

        // Registers of the host.
        self.keep.next = !self.lite.write_mask.val();
        self.written.next = self.lite.write_data.val() & self.lite.write_mask.val();
        self.change.next = self.lite.write.val() & !self.running.val();
        if self.change.val() & (self.lite.write_word.val() == self.at_mode.val()) {
            self.mode.d.next =
                (self.mode.q.val() & self.keep.val().get_bits::<2>(0)) | self.written.val().get_bits::<2>(0);
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_base_low.val()) {
            self.base_low.d.next =
                ((self.base_low.q.val() & self.keep.val()) | self.written.val()) & self.page.val();
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_base_high.val()) {
            self.base_high.d.next = (self.base_high.q.val() & self.keep.val().get_bits::<8>(0))
                | self.written.val().get_bits::<8>(0);
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_writable.val()) {
            self.writable_end.d.next = (self.writable_end.q.val() & self.keep.val()) | self.written.val();
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_total.val()) {
            self.total_end.d.next = (self.total_end.q.val() & self.keep.val()) | self.written.val();
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_program.val()) {
            self.program_start.d.next = (self.program_start.q.val() & self.keep.val()) | self.written.val();
        }
        if self.change.val() & (self.lite.write_word.val() == self.at_timeout.val()) {
            self.cycles_limit.d.next = (self.cycles_limit.q.val() & self.keep.val()) | self.written.val();
        }
        self.serialise.next = self.mode.q.val().get_bit(0);
        self.base.next =
            (bit_cast::<40, 8>(self.base_high.q.val()) << 32) | bit_cast::<40, 32>(self.base_low.q.val());
        self.writable_bytes.next = self.writable_end.q.val();
        self.total_bytes.next = self.total_end.q.val();
        self.program_address.next = self.program_start.q.val();
        self.timeout.next = self.cycles_limit.q.val();

        // Commands and status.
        self.command.next = self.lite.write.val() & (self.lite.write_word.val() == self.at_control.val());
        self.start.next = self.command.val()
            & self.written.val().get_bit(0)
            & !self.running.val()
            & !self.memory_owes.val();
        self.refuse.next = self.command.val()
            & self.written.val().get_bit(0)
            & (self.running.val() | self.memory_owes.val());
        self.stop.next = self.command.val() & self.written.val().get_bit(1) & self.running.val();
        self.clear.next = self.lite.write.val() & (self.lite.write_word.val() == self.at_status.val());
        if self.start.val() | (self.clear.val() & self.written.val().get_bit(1)) {
            self.done.d.next = false;
        }
        if self.start.val() | (self.clear.val() & self.written.val().get_bit(2)) {
            self.error_flag.d.next = false;
        }
        if self.start.val() | (self.clear.val() & self.written.val().get_bit(3)) {
            self.refused.d.next = false;
        }
        if self.start.val() {
            self.error_code.d.next = 0.into();
            self.error_index.d.next = 0.into();
        }
        if self.refuse.val() {
            self.refused.d.next = true;
        }
        if self.finished.val() {
            self.done.d.next = true;
        }
        if self.failed.val() {
            self.error_flag.d.next = true;
            self.error_code.d.next = self.error.val();
            self.error_index.d.next = self.error_descriptor.val();
        }
        self.status.lane[0].next = self.running.val();
        self.status.lane[1].next = self.done.q.val();
        self.status.lane[2].next = self.error_flag.q.val();
        self.status.lane[3].next = self.refused.q.val();
        self.interrupt_request.next =
            self.mode.q.val().get_bit(1) & (self.done.q.val() | self.error_flag.q.val());

        self.counters.clock.next = self.clock.val();
        self.counters.clear.next = self.start.val() | self.reset.val();
        self.counters.running.next = self.running.val();
        self.counters.activity.next = self.activity.val();
        self.counters.read_beats.next = self.read_beats.val();
        self.counters.write_beat.next = self.write_beat.val();

        // Reads.
        self.counters.read_word.next = self.lite.read_word.val();
        self.counter.d.next = self.counters.value.val();
        self.lite.read_data.next = self.counter.q.val() | self.other.q.val();
        self.other.d.next = 0.into();
        for i in 0..CONSTANTS {
            if self.lite.read_word.val() == self.at_constant[i].val() {
                self.other.d.next = self.constant[i].val();
            }
        }
        if self.lite.read_word.val() == self.at_status.val() {
            self.other.d.next = bit_cast::<32, 4>(self.status.bus.val());
        }
        if self.lite.read_word.val() == self.at_error.val() {
            self.other.d.next = bit_cast::<32, 4>(self.error_code.q.val());
        }
        if self.lite.read_word.val() == self.at_error_descriptor.val() {
            self.other.d.next = bit_cast::<32, 12>(self.error_index.q.val());
        }
        if self.lite.read_word.val() == self.at_mode.val() {
            self.other.d.next = bit_cast::<32, 2>(self.mode.q.val());
        }
        if self.lite.read_word.val() == self.at_base_low.val() {
            self.other.d.next = self.base_low.q.val();
        }
        if self.lite.read_word.val() == self.at_base_high.val() {
            self.other.d.next = bit_cast::<32, 8>(self.base_high.q.val());
        }
        if self.lite.read_word.val() == self.at_writable.val() {
            self.other.d.next = self.writable_end.q.val();
        }
        if self.lite.read_word.val() == self.at_total.val() {
            self.other.d.next = self.total_end.q.val();
        }
        if self.lite.read_word.val() == self.at_program.val() {
            self.other.d.next = self.program_start.q.val();
        }
        if self.lite.read_word.val() == self.at_timeout.val() {
            self.other.d.next = self.cycles_limit.q.val();
        }
        if self.lite.read_word.val() == self.at_descriptor.val() {
            self.other.d.next = bit_cast::<32, 12>(self.descriptor.val());
        }

        if self.reset.val() {
            self.done.d.next = false;
            self.error_flag.d.next = false;
            self.refused.d.next = false;
            self.error_code.d.next = 0.into();
            self.error_index.d.next = 0.into();
            self.mode.d.next = 0.into();
            self.base_low.d.next = 0.into();
            self.base_high.d.next = 0.into();
            self.writable_end.d.next = 0.into();
            self.total_end.d.next = 0.into();
            self.program_start.d.next = 0.into();
            self.cycles_limit.d.next = self.default_timeout.val();
        }
    }
}
