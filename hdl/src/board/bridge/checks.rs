//! What a request asks for, and whether it may.

use edge_moe_isa::link::{CHECKSUM_BYTES, Operation, PAYLOAD_BYTES, Status};
use edge_moe_isa::registers;

use crate::support::prelude::*;

/// Beats from a request to its verdict.
pub const CHECK_BEATS: usize = 4;

/// Compares a request with what is allowed, in four stages. All inputs stay: outputs are right from [`CHECK_BEATS`]
/// beats after the last of them changed.
#[derive(LogicBlock)]
pub struct Checks {
    pub clock: Signal<In, Clock>,

    /// The words of a request's header, and the words of its payload.
    pub request_session: Signal<In, Bits<32>>,
    pub kind: Signal<In, Bits<32>>,
    pub address: Signal<In, Bits<32>>,
    pub value: Signal<In, Bits<32>>,
    pub payload_words: Signal<In, Bits<9>>,
    /// The present session, and programs started in it.
    pub session: Signal<In, Bits<32>>,
    pub runs: Signal<In, Bits<32>>,

    /// A `Status`.
    pub verdict: Signal<Out, Bits<2>>,
    /// Words of memory that it speaks of, if it does and may.
    pub words: Signal<Out, Bits<15>>,
    /// `value` is the session, or the number of programs started.
    pub same_session: Signal<Out, Bit>,
    pub counts: Signal<Out, Bit>,

    operation: Signal<Local, Bits<8>>,
    hello: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    register: Signal<Local, Bit>,
    write_memory: Signal<Local, Bit>,
    read_memory: Signal<Local, Bit>,

    // First stage.
    known: Register<Bit>,
    in_session: Register<Bit>,
    no_session: Register<Bit>,
    no_value: Register<Bit>,
    value_is_session: Register<Bit>,
    value_is_runs: Register<Bit>,
    not_register: Register<Bit>,
    unaligned: Register<Bit>,
    uneven: Register<Bit>,
    enormous: Register<Bit>,
    length: Register<Bits<15>>,
    // Second.
    range_end: Register<Bits<31>>,
    too_long: Register<Bit>,
    // Third.
    not_memory: Register<Bit>,
    // Fourth.
    judged: Register<Bits<2>>,

    operation_hello: Constant<Bits<8>>,
    operation_read_register: Constant<Bits<8>>,
    operation_write_register: Constant<Bits<8>>,
    operation_start: Constant<Bits<8>>,
    operation_write_memory: Constant<Bits<8>>,
    operation_read_memory: Constant<Bits<8>>,
    unknown_operation: Constant<Bits<2>>,
    out_of_range: Constant<Bits<2>>,
    other_session: Constant<Bits<2>>,
    payload_limit: Constant<Bits<15>>,
    sum_limit: Constant<Bits<15>>,
    memory_words: Constant<Bits<31>>,
}

impl Checks {
    /// Checks for a memory of so many bytes, a multiple of 4.
    pub fn new(memory_bytes: u32) -> Self {
        assert!(memory_bytes.is_multiple_of(4), "{memory_bytes} bytes are no whole words");
        assert_eq!(registers::BYTES, 1 << 12, "address bits of the kernel below");
        assert_eq!(Operation::ALL.map(|operation| operation as u8), [1, 2, 3, 4, 5, 6, 7], "likewise");
        let operation = |operation: Operation| Constant::new((operation as u64).into());
        let status = |status: Status| Constant::new((status as u64).into());
        with_defaults!(
            clock, request_session, kind, address, value, payload_words, session, runs, verdict, words,
            same_session, counts, operation, hello, start, register, write_memory, read_memory, known,
            in_session, no_session, no_value, value_is_session, value_is_runs, not_register, unaligned, uneven,
            enormous, length, range_end, too_long, not_memory, judged;
            operation_hello: operation(Operation::Hello),
            operation_read_register: operation(Operation::ReadRegister),
            operation_write_register: operation(Operation::WriteRegister),
            operation_start: operation(Operation::Start),
            operation_write_memory: operation(Operation::WriteMemory),
            operation_read_memory: operation(Operation::ReadMemory),
            unknown_operation: status(Status::Operation),
            out_of_range: status(Status::Range),
            other_session: status(Status::Session),
            payload_limit: Constant::new((PAYLOAD_BYTES as u64 / 4).into()),
            sum_limit: Constant::new((u64::from(CHECKSUM_BYTES) / 4).into()),
            memory_words: Constant::new((u64::from(memory_bytes) / 4).into()),
        )
    }
}

impl Logic for Checks {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, known, in_session, no_session, no_value, value_is_session, value_is_runs);
        dff_setup!(self, clock, not_register, unaligned, uneven, enormous, length, range_end, too_long);
        dff_setup!(self, clock, not_memory, judged);
        self.operation.next = self.kind.val().get_bits::<8>(16);
        self.hello.next = self.operation.val() == self.operation_hello.val();
        self.start.next = self.operation.val() == self.operation_start.val();
        self.register.next = (self.operation.val() == self.operation_read_register.val())
            | (self.operation.val() == self.operation_write_register.val());
        self.write_memory.next = self.operation.val() == self.operation_write_memory.val();
        self.read_memory.next = self.operation.val() == self.operation_read_memory.val();

        self.known.d.next =
            self.operation.val().get_bits::<3>(0).any() & !self.operation.val().get_bits::<5>(3).any();
        self.in_session.d.next = self.request_session.val() == self.session.val();
        self.no_session.d.next = !self.request_session.val().any();
        self.no_value.d.next = !self.value.val().any();
        self.value_is_session.d.next = self.value.val() == self.session.val();
        self.value_is_runs.d.next = self.value.val() == self.runs.val();
        self.not_register.d.next = self.address.val().get_bits::<20>(12).any();
        self.unaligned.d.next = self.address.val().get_bits::<2>(0).any();
        self.uneven.d.next = self.value.val().get_bits::<2>(0).any() & !self.write_memory.val();
        self.enormous.d.next = self.value.val().get_bits::<15>(17).any() & !self.write_memory.val();
        self.length.d.next = self.value.val().get_bits::<15>(2);
        if self.write_memory.val() {
            self.length.d.next = bit_cast::<15, 9>(self.payload_words.val());
        }

        self.range_end.d.next = bit_cast::<31, 30>(self.address.val().get_bits::<30>(2))
            + bit_cast::<31, 15>(self.length.q.val());
        self.too_long.d.next = (self.length.q.val() > self.sum_limit.val())
            | (self.read_memory.val() & (self.length.q.val() > self.payload_limit.val()));

        self.not_memory.d.next = self.unaligned.q.val()
            | self.uneven.q.val()
            | self.enormous.q.val()
            | self.too_long.q.val()
            | !self.length.q.val().any()
            | (self.range_end.q.val() > self.memory_words.val());

        self.judged.d.next = 0.into();
        if self.register.val() {
            if self.not_register.q.val() | self.unaligned.q.val() {
                self.judged.d.next = self.out_of_range.val();
            }
        } else if !self.start.val() & self.not_memory.q.val() {
            self.judged.d.next = self.out_of_range.val();
        }
        if !self.in_session.q.val() | self.no_session.q.val() {
            self.judged.d.next = self.other_session.val();
        }
        if self.hello.val() {
            self.judged.d.next = 0.into();
            if self.no_value.q.val() {
                self.judged.d.next = self.out_of_range.val();
            }
        }
        if !self.known.q.val() {
            self.judged.d.next = self.unknown_operation.val();
        }
        self.verdict.next = self.judged.q.val();
        self.words.next = self.length.q.val();
        self.same_session.next = self.value_is_session.q.val();
        self.counts.next = self.value_is_runs.q.val();
    }
}
