//! Requests to accesses and answers.

use edge_moe_isa::link::{Header, LINK_VERSION, Operation};
use edge_moe_isa::registers::{Register as Name, control};

use super::Checks;
use super::checks::CHECK_BEATS;
use crate::support::prelude::*;

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Step {
    /// Until a request was checked.
    Rest,
    /// Until the core has done it.
    Register,
    /// Until memory has.
    Memory,
    /// The result is there.
    Begin,
    /// Until the answer is on the line.
    Answer,
}

/// Executes one request after another, each with its answer.
///
/// Twin of `edge_moe_isa::link::Bridge`. A request is executed four beats after it came; when the core
/// or memory has done it, the first byte of its answer is there three beats later. Words that are read follow the header as they come.
#[derive(LogicBlock)]
pub struct Executor {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// As from the request buffer.
    pub came: Signal<In, Bit>,
    pub done: Signal<Out, Bit>,
    pub request_session: Signal<In, Bits<32>>,
    pub request_kind: Signal<In, Bits<32>>,
    pub request_address: Signal<In, Bits<32>>,
    pub request_value: Signal<In, Bits<32>>,
    pub request_words: Signal<In, Bits<9>>,

    /// As to the register port.
    pub register_start: Signal<Out, Bit>,
    pub register_write: Signal<Out, Bit>,
    pub register_address: Signal<Out, Bits<12>>,
    pub register_write_data: Signal<Out, Bits<32>>,
    pub register_done: Signal<In, Bit>,
    pub register_read_data: Signal<In, Bits<32>>,

    /// As to the memory port.
    pub memory_start: Signal<Out, Bit>,
    pub memory_write: Signal<Out, Bit>,
    pub memory_word_address: Signal<Out, Bits<30>>,
    pub memory_words: Signal<Out, Bits<15>>,
    pub memory_busy: Signal<In, Bit>,

    /// As to the answer.
    pub answer_start: Signal<Out, Bit>,
    pub answer_busy: Signal<In, Bit>,
    pub answer_session: Signal<Out, Bits<32>>,
    pub answer_kind: Signal<Out, Bits<32>>,
    pub answer_address: Signal<Out, Bits<32>>,
    pub answer_value: Signal<Out, Bits<32>>,
    pub answer_words: Signal<Out, Bits<9>>,
    pub sum_clear: Signal<Out, Bit>,
    pub sum: Signal<In, Bits<32>>,

    checks: Checks,
    checked: ValidDelay<CHECK_BEATS>,
    step: Register<Step>,
    session: Register<Bits<32>>,
    /// Programs started in this session.
    runs: Register<Bits<32>>,
    status: Register<Bits<2>>,
    result: Register<Bits<32>>,
    operation: Signal<Local, Bits<3>>,
    hello: Signal<Local, Bit>,
    read_register: Signal<Local, Bit>,
    write_register: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    read_memory: Signal<Local, Bit>,
    checksum: Signal<Local, Bit>,
    of_memory: Signal<Local, Bit>,
    execute: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    executed: Signal<Local, Bit>,

    operation_hello: Constant<Bits<3>>,
    operation_read_register: Constant<Bits<3>>,
    operation_write_register: Constant<Bits<3>>,
    operation_start: Constant<Bits<3>>,
    operation_write_memory: Constant<Bits<3>>,
    operation_read_memory: Constant<Bits<3>>,
    operation_checksum: Constant<Bits<3>>,
    control_address: Constant<Bits<12>>,
    control_start: Constant<Bits<32>>,
    memory_bytes: Constant<Bits<32>>,
    identity: Constant<Bits<32>>,
    request_bits: Constant<Bits<32>>,
    answer_bit: Constant<Bits<32>>,
}

impl Executor {
    /// An executor beside a clock of so many MHz and so many bytes of memory.
    pub fn new(clock_mhz: u32, memory_bytes: u32) -> Self {
        assert!((1..1 << 16).contains(&clock_mhz), "{clock_mhz} MHz do not fit sixteen bits, or are none");
        let operation = |operation: Operation| Constant::new((operation as u64).into());
        let constant = |value: u32| Constant::new(u64::from(value).into());
        with_defaults!(
            clock, reset, came, done, request_session, request_kind, request_address, request_value,
            request_words, register_start, register_write, register_address, register_write_data,
            register_done, register_read_data, memory_start, memory_write, memory_word_address, memory_words,
            memory_busy, answer_start, answer_busy, answer_session, answer_kind, answer_address, answer_value,
            answer_words, sum_clear, sum, checked, step, session, runs, status, result, operation, hello,
            read_register, write_register, start, read_memory, checksum, of_memory, execute, starts, executed;
            checks: Checks::new(memory_bytes),
            operation_hello: operation(Operation::Hello),
            operation_read_register: operation(Operation::ReadRegister),
            operation_write_register: operation(Operation::WriteRegister),
            operation_start: operation(Operation::Start),
            operation_write_memory: operation(Operation::WriteMemory),
            operation_read_memory: operation(Operation::ReadMemory),
            operation_checksum: operation(Operation::Checksum),
            control_address: Constant::new(u64::from(Name::Control.offset()).into()),
            control_start: constant(control::START),
            memory_bytes: constant(memory_bytes),
            identity: constant(u32::from(LINK_VERSION) | clock_mhz << 16),
            request_bits: constant(0x00ff_ffff),
            answer_bit: constant(u32::from(Header::ANSWER) << 16),
        )
    }
}

impl Logic for Executor {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, step, session, runs, status, result);

        // What is asked for; the low bits tell known operations apart.
        self.checks.clock.next = self.clock.val();
        self.checks.request_session.next = self.request_session.val();
        self.checks.kind.next = self.request_kind.val();
        self.checks.address.next = self.request_address.val();
        self.checks.value.next = self.request_value.val();
        self.checks.payload_words.next = self.request_words.val();
        self.checks.session.next = self.session.q.val();
        self.checks.runs.next = self.runs.q.val();
        self.checked.clock.next = self.clock.val();
        self.checked.reset.next = self.reset.val();
        self.checked.d.next = self.came.val();
        self.operation.next = self.request_kind.val().get_bits::<3>(16);
        self.hello.next = self.operation.val() == self.operation_hello.val();
        self.read_register.next = self.operation.val() == self.operation_read_register.val();
        self.write_register.next = self.operation.val() == self.operation_write_register.val();
        self.start.next = self.operation.val() == self.operation_start.val();
        self.read_memory.next = self.operation.val() == self.operation_read_memory.val();
        self.checksum.next = self.operation.val() == self.operation_checksum.val();
        self.memory_write.next = self.operation.val() == self.operation_write_memory.val();
        self.of_memory.next = self.memory_write.val() | self.read_memory.val() | self.checksum.val();
        self.execute.next = self.checked.q.val() & !self.checks.verdict.val().any();
        self.starts.next = self.start.val() & self.checks.counts.val();

        // Where it goes.
        self.register_start.next =
            self.execute.val() & (self.read_register.val() | self.write_register.val() | self.starts.val());
        self.register_write.next = !self.read_register.val();
        self.register_address.next = self.request_address.val().get_bits::<12>(0);
        self.register_write_data.next = self.request_value.val();
        if self.start.val() {
            self.register_address.next = self.control_address.val();
            self.register_write_data.next = self.control_start.val();
        }
        self.memory_start.next = self.execute.val() & self.of_memory.val();
        self.memory_word_address.next = self.request_address.val().get_bits::<30>(2);
        self.memory_words.next = self.checks.words.val();
        self.sum_clear.next = self.checked.q.val();

        // The steps.
        self.answer_start.next = self.step.q.val() == Step::Begin;
        self.done.next = (self.step.q.val() == Step::Answer) & !self.answer_busy.val();
        if self.checked.q.val() {
            self.step.d.next = Step::Begin;
            self.status.d.next = self.checks.verdict.val();
            self.result.d.next = self.request_value.val();
        }
        if self.execute.val() & self.hello.val() {
            self.result.d.next = self.identity.val();
            if !self.checks.same_session.val() {
                self.session.d.next = self.request_value.val();
                self.runs.d.next = 0.into();
            }
        }
        if self.register_start.val() {
            self.step.d.next = Step::Register;
            if self.start.val() {
                self.runs.d.next = self.runs.q.val() + 1;
            }
        }
        if self.memory_start.val() & !self.read_memory.val() {
            self.step.d.next = Step::Memory;
        }
        if (self.step.q.val() == Step::Register) & self.register_done.val() {
            self.step.d.next = Step::Begin;
            if self.read_register.val() {
                self.result.d.next = self.register_read_data.val();
            }
        }
        if (self.step.q.val() == Step::Memory) & !self.memory_busy.val() & !self.answer_busy.val() {
            self.step.d.next = Step::Begin;
            if self.checksum.val() {
                self.result.d.next = self.sum.val();
            }
        }
        if self.step.q.val() == Step::Begin {
            self.step.d.next = Step::Answer;
        }
        if self.done.val() {
            self.step.d.next = Step::Rest;
        }

        // The answer.
        self.executed.next = !self.status.q.val().any();
        self.answer_session.next = self.session.q.val();
        self.answer_kind.next = (self.request_kind.val() & self.request_bits.val())
            | self.answer_bit.val()
            | (bit_cast::<32, 2>(self.status.q.val()) << 24);
        self.answer_address.next = self.request_address.val();
        if self.executed.val() & self.hello.val() {
            self.answer_address.next = self.memory_bytes.val();
        }
        self.answer_value.next = self.result.q.val();
        if self.executed.val() & self.start.val() {
            self.answer_value.next = self.runs.q.val();
        }
        self.answer_words.next = 0.into();
        if self.executed.val() & self.read_memory.val() {
            self.answer_words.next = self.checks.words.val().get_bits::<9>(0);
        }

        if self.reset.val() {
            self.step.d.next = Step::Rest;
            self.session.d.next = 0.into();
            self.runs.d.next = 0.into();
        }
    }
}
