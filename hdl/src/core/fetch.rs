//! Fetch: descriptors in order, checked; jobs to the dispatcher; reads of rows, parameters and data ahead of their use.
//!
//! A descriptor is read, its products are formed with one multiplier (four
//! beats), its operands and its place in memory are checked, and it is handed on
//! as a [`job`](super::job). If it needs something from memory, the row
//! loader is told what comes and the stream is asked for it. So memory is
//! read in the order of use, as far ahead as the stream has room. Two things
//! are waited for: a copy from memory with the wait flag, which may read what the
//! program has written, until it has started; and each expert, until it is known
//! to be the next one with tokens. Expert 0 is as soon as a token was routed to
//! it, and expert 1 after it; from an expert without tokens on, this is known
//! when the queues are closed.
//!
//! A descriptor that is not legal becomes a job with an error, and nothing
//! follows it. An expert outside of memory raises `fault`.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::ErrorCode;

use super::divide::DivideUp;
use super::job::{DESCRIPTOR, JOB, field, opcode, wait};
use crate::support::prelude::*;

/// Bits of what the row loader is told: kind (2), words of a row (16), row groups or entries (20).
pub const LOAD: usize = 38;
/// Kinds of loads.
pub const ROWS: u64 = 0;
/// Parameters of LayerNorm.
pub const PARAMETERS: u64 = 1;
/// Words of a copy.
pub const DATA: u64 = 2;

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Phase {
    Idle,
    Take,
    Multiply,
    First,
    Second,
    Third,
    Check,
    Hand,
    AwaitCopy,
    Walk,
    Load,
    LoadMore,
    Read,
}

/// `L` = log2 P = log2 V.
#[derive(LogicBlock)]
pub struct Fetch<const L: usize, const EXPERTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Begins with the descriptor at `program_address`.
    pub start: Signal<In, Bit>,
    pub program_address: Signal<In, Bits<32>>,
    pub writable_bytes: Signal<In, Bits<32>>,
    pub total_bytes: Signal<In, Bits<32>>,

    pub fetch_valid: Signal<Out, Bit>,
    pub fetch_ready: Signal<In, Bit>,
    pub fetch_address: Signal<Out, Bits<32>>,
    pub descriptor_valid: Signal<In, Bit>,
    pub descriptor_ready: Signal<Out, Bit>,
    pub descriptor_data: Signal<In, Bits<512>>,

    /// Bytes to be read as the next entries of the stream.
    pub run_valid: Signal<Out, Bit>,
    pub run_ready: Signal<In, Bit>,
    pub run_address: Signal<Out, Bits<32>>,
    pub run_bytes: Signal<Out, Bits<32>>,
    /// What these entries are.
    pub load_valid: Signal<Out, Bit>,
    pub load_ready: Signal<In, Bit>,
    pub load: Signal<Out, Bits<LOAD>>,

    pub job_valid: Signal<Out, Bit>,
    pub job_ready: Signal<In, Bit>,
    pub job: Signal<Out, Bits<JOB>>,
    /// All jobs that were handed on have started; all but the last.
    pub jobs_started: Signal<In, Bit>,
    pub last_job_left: Signal<In, Bit>,
    /// `waiting` has a bit for each expert with tokens, also while they are routed; `queues_closed` when they are.
    pub waiting: Signal<In, Bits<EXPERTS>>,
    pub queues_closed: Signal<In, Bit>,
    /// An expert lies outside of memory.
    pub fault: Signal<Out, Bit>,

    phase: Register<Phase>,
    address: Register<Bits<32>>,
    in_flight: Register<Bits<2>>,
    index: Register<Bits<12>>,
    descriptor: Register<Bits<DESCRIPTOR>>,
    /// A byte beyond all fields is not zero.
    reserved: Register<Bit>,
    fetched: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    fetch_end: Signal<Local, Bits<40>>,
    fetch_inside: Signal<Local, Bit>,

    opcode: Slice<DESCRIPTOR, 8>,
    wait_flag: Slice<DESCRIPTOR, 1>,
    linear_weights: Slice<DESCRIPTOR, 32>,
    linear_inputs: Slice<DESCRIPTOR, 16>,
    linear_outputs: Slice<DESCRIPTOR, 16>,
    linear_tokens: Slice<DESCRIPTOR, 16>,
    linear_sets: Slice<DESCRIPTOR, 8>,
    linear_destination: Slice<DESCRIPTOR, 8>,
    norm_parameters: Slice<DESCRIPTOR, 32>,
    norm_channels: Slice<DESCRIPTOR, 16>,
    norm_tokens: Slice<DESCRIPTOR, 16>,
    attention_tokens: Slice<DESCRIPTOR, 16>,
    attention_sets: Slice<DESCRIPTOR, 8>,
    attention_heads: Slice<DESCRIPTOR, 8>,
    attention_channels: Slice<DESCRIPTOR, 16>,
    route_tokens: Slice<DESCRIPTOR, 16>,
    route_experts: Slice<DESCRIPTOR, 16>,
    route_top_k: Slice<DESCRIPTOR, 8>,
    experts_weights: Slice<DESCRIPTOR, 32>,
    experts_stride: Slice<DESCRIPTOR, 32>,
    experts_channels: Slice<DESCRIPTOR, 16>,
    experts_hidden: Slice<DESCRIPTOR, 16>,
    experts_experts: Slice<DESCRIPTOR, 16>,
    experts_tokens: Slice<DESCRIPTOR, 16>,
    copy_source: Slice<DESCRIPTOR, 32>,
    copy_destination: Slice<DESCRIPTOR, 32>,
    copy_words: Slice<DESCRIPTOR, 32>,
    copy_source_space: Slice<DESCRIPTOR, 8>,
    copy_destination_space: Slice<DESCRIPTOR, 8>,
    is_end: Signal<Local, Bit>,
    is_linear: Signal<Local, Bit>,
    is_norm: Signal<Local, Bit>,
    is_attention: Signal<Local, Bit>,
    is_route: Signal<Local, Bit>,
    is_experts: Signal<Local, Bit>,
    is_copy: Signal<Local, Bit>,
    from_memory: Signal<Local, Bit>,
    to_memory: Signal<Local, Bit>,

    /// Channels, and their words or row groups: K, D or d, and N, Fe or E.
    inner: DivideUp<L>,
    outer: DivideUp<L>,
    /// ceil(T/V).
    span: DivideUp<L>,
    inner_padded: Signal<Local, Bits<16>>,
    outer_padded: Signal<Local, Bits<16>>,
    a: Signal<Local, Bits<17>>,
    b: Signal<Local, Bits<17>>,
    multiplied: Register<S<34>>,
    product: Signal<Local, Bits<32>>,
    product_0: Register<Bits<32>>,
    product_1: Register<Bits<32>>,
    product_2: Register<Bits<32>>,

    inner_left: Signal<Local, Bits<16>>,
    outer_left: Signal<Local, Bits<16>>,
    tokens: Signal<Local, Bits<16>>,
    illegal: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
    read_start: Signal<Local, Bits<32>>,
    read_length: Signal<Local, Bits<40>>,
    read_end: Signal<Local, Bits<40>>,
    write_end: Signal<Local, Bits<40>>,
    error: Register<Bits<4>>,
    read_address: Register<Bits<40>>,
    bytes: Register<Bits<32>>,
    expert_end: Signal<Local, Bits<40>>,
    /// The expert that is looked at; it and those before it.
    expert: Register<Bits<EXPERTS>>,
    experts_before: Register<Bits<EXPERTS>>,
    closed: Register<Bit>,
    expert_here: Signal<Local, Bit>,
    experts_left: Signal<Local, Bit>,
    next_expert: Signal<Local, Bit>,
    low_bits: Constant<Bits<16>>,
    bank_words: Constant<Bits<16>>,
    attention_words: Constant<Bits<16>>,
    max_tokens: Constant<Bits<16>>,
    max_experts: Constant<Bits<16>>,
    unaligned: Constant<Bits<32>>,
    log_lanes: Constant<Bits<3>>,
    log_word: Constant<Bits<3>>,
    rows: Constant<Bits<LOAD>>,
    parameters: Constant<Bits<LOAD>>,
    data: Constant<Bits<LOAD>>,
    descriptor_bytes: Constant<Bits<40>>,
    opcode_error: Constant<Bits<4>>,
    operand_error: Constant<Bits<4>>,
    read_window_error: Constant<Bits<4>>,
    write_window_error: Constant<Bits<4>>,
}

impl<const L: usize, const EXPERTS: usize> Fetch<L, EXPERTS> {
    /// The fetch unit of a device of these sizes.
    pub fn new(arch: &ArchConfig) -> Self {
        let code = |error: ErrorCode| Constant::new((error as u64).into());
        with_defaults!(
            clock, reset, start, program_address, writable_bytes, total_bytes, fetch_valid, fetch_ready, fetch_address,
            descriptor_valid, descriptor_ready, descriptor_data, run_valid, run_ready, run_address, run_bytes,
            load_valid, load_ready, load, job_valid, job_ready, job, jobs_started, last_job_left, waiting, queues_closed, fault,
            phase, address, in_flight, index, descriptor, reserved, fetched, taken, fetch_end, fetch_inside,
            is_end, is_linear, is_norm, is_attention, is_route, is_experts, is_copy, from_memory, to_memory,
            inner, outer, span, inner_padded, outer_padded, a, b, multiplied, product, product_0, product_1,
            product_2, inner_left, outer_left, tokens, illegal, reads, read_start, read_length, read_end,
            write_end, error, read_address, bytes, expert_end, expert, experts_before, closed, expert_here,
            experts_left, next_expert;
            opcode: opcode(),
            wait_flag: wait(),
            linear_weights: field("linear", "weights"),
            linear_inputs: field("linear", "inputs"),
            linear_outputs: field("linear", "outputs"),
            linear_tokens: field("linear", "tokens"),
            linear_sets: field("linear", "sets"),
            linear_destination: field("linear", "destination"),
            norm_parameters: field("norm", "parameters"),
            norm_channels: field("norm", "channels"),
            norm_tokens: field("norm", "tokens"),
            attention_tokens: field("attention", "tokens"),
            attention_sets: field("attention", "sets"),
            attention_heads: field("attention", "heads"),
            attention_channels: field("attention", "head_channels"),
            route_tokens: field("route", "tokens"),
            route_experts: field("route", "experts"),
            route_top_k: field("route", "top_k"),
            experts_weights: field("experts", "weights"),
            experts_stride: field("experts", "stride"),
            experts_channels: field("experts", "channels"),
            experts_hidden: field("experts", "hidden_channels"),
            experts_experts: field("experts", "experts"),
            experts_tokens: field("experts", "tokens"),
            copy_source: field("copy", "source"),
            copy_destination: field("copy", "destination"),
            copy_words: field("copy", "words"),
            copy_source_space: field("copy", "source_space"),
            copy_destination_space: field("copy", "destination_space"),
            low_bits: Constant::new(u64::from(arch.vector - 1).into()),
            bank_words: Constant::new(u64::from(arch.bank_words).into()),
            attention_words: Constant::new(u64::from(arch.bank_words / 2).into()),
            max_tokens: Constant::new(u64::from(arch.max_tokens).into()),
            max_experts: Constant::new(u64::from(arch.max_experts).into()),
            unaligned: Constant::new(63_u64.into()),
            log_lanes: Constant::new((L as u64).into()),
            log_word: Constant::new((L as u64 + 1).into()),
            rows: Constant::new(ROWS.into()),
            parameters: Constant::new(PARAMETERS.into()),
            data: Constant::new(DATA.into()),
            descriptor_bytes: Constant::new((edge_moe_isa::descriptor::BYTES as u64).into()),
            opcode_error: code(ErrorCode::Opcode),
            operand_error: code(ErrorCode::Operand),
            read_window_error: code(ErrorCode::ReadWindow),
            write_window_error: code(ErrorCode::WriteWindow)
        )
    }
}

impl<const L: usize, const EXPERTS: usize> Logic for Fetch<L, EXPERTS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, phase, address, in_flight, index, descriptor, reserved, multiplied);
        dff_setup!(
            self,
            clock,
            product_0,
            product_1,
            product_2,
            error,
            read_address,
            bytes,
            expert,
            experts_before
        );
        dff_setup!(self, clock, closed);
        self.opcode.bus.next = self.descriptor.q.val();
        self.wait_flag.bus.next = self.descriptor.q.val();
        self.linear_weights.bus.next = self.descriptor.q.val();
        self.linear_inputs.bus.next = self.descriptor.q.val();
        self.linear_outputs.bus.next = self.descriptor.q.val();
        self.linear_tokens.bus.next = self.descriptor.q.val();
        self.linear_sets.bus.next = self.descriptor.q.val();
        self.linear_destination.bus.next = self.descriptor.q.val();
        self.norm_parameters.bus.next = self.descriptor.q.val();
        self.norm_channels.bus.next = self.descriptor.q.val();
        self.norm_tokens.bus.next = self.descriptor.q.val();
        self.attention_tokens.bus.next = self.descriptor.q.val();
        self.attention_sets.bus.next = self.descriptor.q.val();
        self.attention_heads.bus.next = self.descriptor.q.val();
        self.attention_channels.bus.next = self.descriptor.q.val();
        self.route_tokens.bus.next = self.descriptor.q.val();
        self.route_experts.bus.next = self.descriptor.q.val();
        self.route_top_k.bus.next = self.descriptor.q.val();
        self.experts_weights.bus.next = self.descriptor.q.val();
        self.experts_stride.bus.next = self.descriptor.q.val();
        self.experts_channels.bus.next = self.descriptor.q.val();
        self.experts_hidden.bus.next = self.descriptor.q.val();
        self.experts_experts.bus.next = self.descriptor.q.val();
        self.experts_tokens.bus.next = self.descriptor.q.val();
        self.copy_source.bus.next = self.descriptor.q.val();
        self.copy_destination.bus.next = self.descriptor.q.val();
        self.copy_words.bus.next = self.descriptor.q.val();
        self.copy_source_space.bus.next = self.descriptor.q.val();
        self.copy_destination_space.bus.next = self.descriptor.q.val();
        self.is_end.next = self.opcode.bits.val() == 0;
        self.is_linear.next = self.opcode.bits.val() == 1;
        self.is_norm.next = self.opcode.bits.val() == 2;
        self.is_attention.next = self.opcode.bits.val() == 3;
        self.is_route.next = self.opcode.bits.val() == 4;
        self.is_experts.next = self.opcode.bits.val() == 5;
        self.is_copy.next = self.opcode.bits.val() == 6;
        self.from_memory.next = self.is_copy.val() & (self.copy_source_space.bits.val() == 0);
        self.to_memory.next = self.is_copy.val() & (self.copy_destination_space.bits.val() == 0);

        // Descriptors, up to two ahead.
        self.fetch_end.next = bit_cast::<40, 32>(self.address.q.val()) + self.descriptor_bytes.val();
        self.fetch_inside.next = self.fetch_end.val() <= bit_cast::<40, 32>(self.total_bytes.val());
        self.fetch_valid.next =
            (self.phase.q.val() != Phase::Idle) & (self.in_flight.q.val() != 2) & self.fetch_inside.val();
        self.fetch_address.next = self.address.q.val();
        self.fetched.next = self.fetch_valid.val() & self.fetch_ready.val();
        self.descriptor_ready.next = self.phase.q.val() == Phase::Take;
        self.taken.next = self.descriptor_ready.val() & self.descriptor_valid.val();
        if self.fetched.val() {
            self.address.d.next = self.fetch_end.val().get_bits::<32>(0);
        }
        if self.fetched.val() & !self.taken.val() {
            self.in_flight.d.next = self.in_flight.q.val() + 1;
        } else if self.taken.val() & !self.fetched.val() {
            self.in_flight.d.next = self.in_flight.q.val() - 1;
        }

        // Words and row groups, products.
        self.inner.x.next = self.linear_inputs.bits.val();
        self.outer.x.next = self.linear_outputs.bits.val();
        self.span.x.next = self.linear_tokens.bits.val();
        if self.is_norm.val() {
            self.inner.x.next = self.norm_channels.bits.val();
        }
        if self.is_attention.val() {
            self.inner.x.next = self.attention_channels.bits.val();
            self.span.x.next = self.attention_tokens.bits.val();
        }
        if self.is_route.val() {
            self.outer.x.next = self.route_experts.bits.val();
        }
        if self.is_experts.val() {
            self.inner.x.next = self.experts_channels.bits.val();
            self.outer.x.next = self.experts_hidden.bits.val();
        }
        self.inner_padded.next = self.inner.x.val() + 8;
        self.outer_padded.next = self.outer.x.val() + 8;
        self.product.next = self.multiplied.q.val().get_bits::<32>(0);
        self.a.next = bit_cast::<17, 16>(self.linear_tokens.bits.val());
        self.b.next = bit_cast::<17, 8>(self.linear_sets.bits.val());
        if self.is_norm.val() {
            self.a.next = bit_cast::<17, 16>(self.norm_tokens.bits.val());
            self.b.next = bit_cast::<17, 16>(self.inner.y.val());
        }
        if self.is_attention.val() {
            self.a.next = bit_cast::<17, 16>(self.inner.y.val());
            self.b.next = bit_cast::<17, 8>(self.attention_heads.bits.val());
        }
        if self.is_route.val() {
            self.a.next = bit_cast::<17, 16>(self.route_tokens.bits.val());
            self.b.next = bit_cast::<17, 16>(self.outer.y.val());
        }
        if self.phase.q.val() == Phase::First {
            // Row groups of a layer, or of an expert's first layer; words of a set.
            self.a.next = bit_cast::<17, 16>(self.outer.y.val());
            self.b.next = bit_cast::<17, 16>(self.inner_padded.val());
            if self.is_attention.val() {
                self.a.next = bit_cast::<17, 16>(self.attention_tokens.bits.val());
                self.b.next = bit_cast::<17, 16>(self.product.val().get_bits::<16>(0));
            }
        }
        if self.phase.q.val() == Phase::Second {
            // Words of a set, channel-major; row groups of an expert's second layer.
            self.a.next = bit_cast::<17, 16>(self.linear_outputs.bits.val());
            self.b.next = bit_cast::<17, 16>(self.span.y.val());
            if self.is_experts.val() {
                self.a.next = bit_cast::<17, 16>(self.inner.y.val());
                self.b.next = bit_cast::<17, 16>(self.outer_padded.val());
            }
        }
        self.multiplied.d.next = (self.a.val().to_signed_bits() * self.b.val().to_signed_bits()).into();

        // What is wrong with the operands.
        self.inner_left.next = self.inner.x.val() & self.low_bits.val();
        self.outer_left.next = self.outer.x.val() & self.low_bits.val();
        self.tokens.next = self.linear_tokens.bits.val();
        self.illegal.next = false;
        if self.is_linear.val() {
            self.illegal.next = self.inner_left.val().any()
                | !self.linear_outputs.bits.val().any()
                | !self.linear_sets.bits.val().any()
                | (self.linear_destination.bits.val() > 2);
        }
        if self.is_norm.val() {
            self.tokens.next = self.max_tokens.val();
            self.illegal.next = self.inner_left.val().any() | !self.norm_tokens.bits.val().any();
        }
        if self.is_attention.val() {
            self.tokens.next = self.attention_tokens.bits.val();
            self.illegal.next = self.inner_left.val().any()
                | !self.attention_sets.bits.val().any()
                | !self.attention_heads.bits.val().any()
                | (self.inner.y.val() > self.attention_words.val())
                | (self.span.y.val() > self.attention_words.val());
        }
        if self.is_route.val() {
            self.tokens.next = self.route_tokens.bits.val();
            self.illegal.next = !self.route_experts.bits.val().any()
                | !self.route_top_k.bits.val().any()
                | (self.route_experts.bits.val() > self.max_experts.val())
                | (bit_cast::<16, 8>(self.route_top_k.bits.val()) > self.route_experts.bits.val());
        }
        if self.is_experts.val() {
            self.tokens.next = self.max_tokens.val();
            self.illegal.next = self.inner_left.val().any()
                | self.outer_left.val().any()
                | !self.outer.y.val().any()
                | (self.outer.y.val() > self.bank_words.val())
                | !self.experts_tokens.bits.val().any()
                | !self.experts_experts.bits.val().any()
                | (self.experts_experts.bits.val() > self.max_experts.val());
        }
        if (self.is_linear.val() | self.is_norm.val() | self.is_attention.val() | self.is_experts.val())
            & (!self.inner.y.val().any() | (self.inner.y.val() > self.bank_words.val()))
        {
            self.illegal.next = true;
        }
        if self.is_copy.val() {
            self.tokens.next = self.max_tokens.val();
            self.illegal.next = !self.copy_words.bits.val().any()
                | self.copy_words.bits.val().get_bits::<13>(19).any()
                | (self.copy_source_space.bits.val() > 2)
                | (self.copy_destination_space.bits.val() > 2)
                | (self.from_memory.val() & self.to_memory.val())
                | (self.to_memory.val() & (self.copy_destination.bits.val() & self.unaligned.val()).any());
        }
        if !self.is_end.val() & (!self.tokens.val().any() | (self.tokens.val() > self.max_tokens.val())) {
            self.illegal.next = true;
        }

        // What it reads and writes in memory.
        self.reads.next =
            self.is_linear.val() | self.is_norm.val() | self.is_experts.val() | self.from_memory.val();
        self.read_start.next = self.linear_weights.bits.val();
        self.read_length.next = bit_cast::<40, 32>(self.product_1.q.val()) << self.log_lanes.val();
        if self.is_norm.val() {
            self.read_start.next = self.norm_parameters.bits.val();
            self.read_length.next = bit_cast::<40, 16>(self.norm_channels.bits.val()) << 3;
        }
        if self.is_experts.val() {
            self.read_start.next = self.experts_weights.bits.val();
            self.read_length.next = (bit_cast::<40, 32>(self.product_1.q.val())
                + bit_cast::<40, 32>(self.product_2.q.val()))
                << self.log_lanes.val();
        }
        if self.is_copy.val() {
            self.read_start.next = self.copy_source.bits.val();
            self.read_length.next = bit_cast::<40, 32>(self.copy_words.bits.val()) << self.log_word.val();
        }
        self.read_end.next = bit_cast::<40, 32>(self.read_start.val()) + self.read_length.val();
        self.write_end.next = bit_cast::<40, 32>(self.copy_destination.bits.val()) + self.read_length.val();
        if self.reads.val() & (self.read_start.val() & self.unaligned.val()).any() {
            self.illegal.next = true;
        }
        self.expert_end.next = self.read_address.q.val() + bit_cast::<40, 32>(self.bytes.q.val());

        // The next job.
        self.job_valid.next = self.phase.q.val() == Phase::Hand;
        self.job.next = bit_cast::<396, 320>(self.descriptor.q.val())
            | (bit_cast::<396, 20>(self.product_0.q.val().get_bits::<20>(0)) << 320)
            | (bit_cast::<396, 20>(self.product_1.q.val().get_bits::<20>(0)) << 340)
            | (bit_cast::<396, 20>(self.product_2.q.val().get_bits::<20>(0)) << 360)
            | (bit_cast::<396, 12>(self.index.q.val()) << 380)
            | (bit_cast::<396, 4>(self.error.q.val()) << 392);
        self.load_valid.next = (self.phase.q.val() == Phase::Load) | (self.phase.q.val() == Phase::LoadMore);
        self.load.next = self.rows.val()
            | (bit_cast::<38, 16>(self.inner.y.val()) << 2)
            | (bit_cast::<38, 16>(self.outer.y.val()) << 18);
        if self.phase.q.val() == Phase::LoadMore {
            self.load.next = self.rows.val()
                | (bit_cast::<38, 16>(self.outer.y.val()) << 2)
                | (bit_cast::<38, 16>(self.inner.y.val()) << 18);
        }
        if self.is_norm.val() {
            // Eight bytes a channel are eight entries a word.
            self.load.next = self.parameters.val() | (bit_cast::<38, 16>(self.inner.y.val()) << 21);
        }
        if self.is_copy.val() {
            self.load.next = self.data.val() | (bit_cast::<38, 32>(self.copy_words.bits.val()) << 19);
        }
        self.run_valid.next = self.phase.q.val() == Phase::Read;
        self.run_address.next = self.read_address.q.val().get_bits::<32>(0);
        self.run_bytes.next = self.bytes.q.val();
        self.fault.next = false;

        self.next_expert.next = false;
        self.expert_here.next = (self.jobs_started.val() | self.last_job_left.val())
            & (self.waiting.val() & self.expert.q.val()).any();
        self.experts_left.next = (self.waiting.val() & !self.experts_before.q.val()).any();
        match self.phase.q.val() {
            Phase::Take => {
                self.error.d.next = 0.into();
                if self.taken.val() {
                    self.descriptor.d.next = self.descriptor_data.val().get_bits::<320>(0);
                    self.reserved.d.next = self.descriptor_data.val().get_bits::<192>(320).any();
                    self.phase.d.next = Phase::Multiply;
                } else if !self.in_flight.q.val().any() & !self.fetch_inside.val() {
                    self.error.d.next = self.read_window_error.val();
                    self.phase.d.next = Phase::Hand;
                }
            }
            Phase::Multiply => {
                self.phase.d.next = Phase::First;
            }
            Phase::First => {
                self.product_0.d.next = self.product.val();
                self.phase.d.next = Phase::Second;
            }
            Phase::Second => {
                self.product_1.d.next = self.product.val();
                self.phase.d.next = Phase::Third;
            }
            Phase::Third => {
                self.product_2.d.next = self.product.val();
                self.phase.d.next = Phase::Check;
            }
            Phase::Check => {
                self.read_address.d.next = bit_cast::<40, 32>(self.read_start.val());
                self.bytes.d.next = self.read_length.val().get_bits::<32>(0);
                if self.to_memory.val()
                    & (self.write_end.val() > bit_cast::<40, 32>(self.writable_bytes.val()))
                {
                    self.error.d.next = self.write_window_error.val();
                }
                if self.reads.val()
                    & !self.is_experts.val()
                    & (self.read_end.val() > bit_cast::<40, 32>(self.total_bytes.val()))
                {
                    self.error.d.next = self.read_window_error.val();
                }
                if self.illegal.val() | self.reserved.q.val() {
                    self.error.d.next = self.operand_error.val();
                }
                if self.opcode.bits.val() > 6 {
                    self.error.d.next = self.opcode_error.val();
                }
                self.phase.d.next = Phase::Hand;
            }
            Phase::Hand => {
                if self.job_ready.val() {
                    self.index.d.next = self.index.q.val() + 1;
                    self.phase.d.next = Phase::Take;
                    if self.reads.val() {
                        self.phase.d.next = Phase::Load;
                    }
                    if self.from_memory.val() & self.wait_flag.bits.val().any() {
                        self.phase.d.next = Phase::AwaitCopy;
                    }
                    if self.is_experts.val() {
                        self.expert.d.next = 1.into();
                        self.experts_before.d.next = 0.into();
                        self.closed.d.next = false;
                        self.phase.d.next = Phase::Walk;
                    }
                    if self.error.q.val().any() | self.is_end.val() {
                        self.phase.d.next = Phase::Idle;
                    }
                }
            }
            Phase::AwaitCopy => {
                if self.jobs_started.val() {
                    self.phase.d.next = Phase::Load;
                }
            }
            Phase::Walk => {
                // One expert a beat.
                self.closed.d.next =
                    self.closed.q.val() | (self.jobs_started.val() & self.queues_closed.val());
                if self.expert_here.val() {
                    if self.expert_end.val() <= bit_cast::<40, 32>(self.total_bytes.val()) {
                        self.phase.d.next = Phase::Load;
                    } else {
                        self.fault.next = self.closed.q.val();
                    }
                } else if self.closed.q.val() {
                    if self.experts_left.val() {
                        self.next_expert.next = true;
                    } else {
                        self.phase.d.next = Phase::Take;
                    }
                }
            }
            Phase::Load => {
                if self.load_ready.val() {
                    self.phase.d.next = Phase::Read;
                    if self.is_experts.val() {
                        self.phase.d.next = Phase::LoadMore;
                    }
                }
            }
            Phase::LoadMore => {
                if self.load_ready.val() {
                    self.phase.d.next = Phase::Read;
                }
            }
            Phase::Read => {
                if self.run_ready.val() {
                    self.phase.d.next = Phase::Take;
                    if self.is_experts.val() {
                        self.next_expert.next = true;
                        self.phase.d.next = Phase::Walk;
                    }
                }
            }
            _ => {
                self.phase.d.next = Phase::Idle;
            }
        }

        if self.next_expert.val() {
            self.expert.d.next = self.expert.q.val() << 1;
            self.experts_before.d.next = self.experts_before.q.val() | self.expert.q.val();
            self.read_address.d.next =
                self.read_address.q.val() + bit_cast::<40, 32>(self.experts_stride.bits.val());
        }
        if self.start.val() {
            self.address.d.next = self.program_address.val();
            self.in_flight.d.next = 0.into();
            self.index.d.next = 0.into();
            self.phase.d.next = Phase::Take;
        }
        if self.reset.val() {
            self.phase.d.next = Phase::Idle;
        }
    }
}
