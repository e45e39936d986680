//! Fetch: descriptors in order, checked; jobs to the dispatcher; reads of rows, parameters and data ahead of their use.
//!
//! A descriptor is read, its products are formed with one multiplier (ten
//! beats), its operands and its place in memory are checked, and it is handed on
//! as a [`job`](super::job). If it needs something from memory, the row
//! loader is told what comes and the stream is asked for it. So memory is
//! read in the order of use, as far ahead as the stream has room. Two things
//! are waited for: a copy from the writable part of memory, which may read what the
//! program has written, until it has started; and each expert, until it is known
//! to be the next one with tokens. Expert 0 is as soon as a token was routed to
//! it, and expert 1 after it; from an expert without tokens on, this is known
//! when the queues are closed.
//!
//! A descriptor that is not legal becomes a job with an error, and nothing
//! follows it. An expert outside of memory raises `fault`.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::ErrorCode;

use super::job::{DESCRIPTOR, JOB};
use super::operands::Operands;
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
    Form,
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
    /// Beats since the descriptor came.
    formed: Register<Bits<4>>,
    descriptor: Register<Bits<DESCRIPTOR>>,
    /// A byte beyond all fields is not zero.
    reserved: Register<Bit>,
    fetched: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    fetch_end: Signal<Local, Bits<40>>,
    /// The descriptor at `address` lies in memory: known the beat after the address, when it is not `moved`.
    fetch_inside: Register<Bit>,
    moved: Register<Bit>,

    operands: Operands<L>,
    error: Register<Bits<4>>,
    read_address: Register<Bits<40>>,
    bytes: Register<Bits<32>>,
    expert_end: Signal<Local, Bits<40>>,
    /// The expert at `read_address` lies in memory, likewise.
    expert_inside: Register<Bit>,
    stepped: Register<Bit>,
    /// The expert that is looked at; it and those before it.
    expert: Register<Bits<EXPERTS>>,
    experts_before: Register<Bits<EXPERTS>>,
    closed: Register<Bit>,
    /// What was known a beat ago: `expert` has tokens, and may be read; experts with tokens are left.
    expert_here: Register<Bit>,
    experts_left: Register<Bit>,
    next_expert: Signal<Local, Bit>,
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
            phase, address, in_flight, index, formed, descriptor, reserved, fetched, taken, fetch_end, fetch_inside, moved,
            error, read_address, bytes, expert_end, expert_inside, stepped, expert, experts_before, closed, expert_here, experts_left,
            next_expert;
            operands: Operands::new(arch),
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
        dff_setup!(
            self,
            clock,
            phase,
            address,
            in_flight,
            index,
            formed,
            descriptor,
            reserved,
            error,
            read_address
        );
        dff_setup!(
            self,
            clock,
            bytes,
            expert,
            experts_before,
            closed,
            fetch_inside,
            moved,
            expert_inside,
            stepped,
            expert_here,
            experts_left
        );
        self.operands.clock.next = self.clock.val();
        self.operands.descriptor.next = self.descriptor.q.val();
        self.operands.form.next = 0.into();

        // Descriptors, up to two ahead.
        self.fetch_end.next = bit_cast::<40, 32>(self.address.q.val()) + self.descriptor_bytes.val();
        self.fetch_inside.d.next = self.fetch_end.val() <= bit_cast::<40, 32>(self.total_bytes.val());
        self.fetch_valid.next = (self.phase.q.val() != Phase::Idle)
            & (self.in_flight.q.val() != 2)
            & self.fetch_inside.q.val()
            & !self.moved.q.val();
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

        self.moved.d.next = self.fetched.val() | self.start.val();
        self.expert_end.next = self.read_address.q.val() + bit_cast::<40, 32>(self.bytes.q.val());

        // The next job.
        self.job_valid.next = self.phase.q.val() == Phase::Hand;
        self.job.next = bit_cast::<396, 320>(self.descriptor.q.val())
            | (bit_cast::<396, 20>(self.operands.product_0.val()) << 320)
            | (bit_cast::<396, 20>(self.operands.product_1.val()) << 340)
            | (bit_cast::<396, 20>(self.operands.product_2.val()) << 360)
            | (bit_cast::<396, 12>(self.index.q.val()) << 380)
            | (bit_cast::<396, 4>(self.error.q.val()) << 392);
        self.load_valid.next = (self.phase.q.val() == Phase::Load) | (self.phase.q.val() == Phase::LoadMore);
        self.load.next = self.rows.val()
            | (bit_cast::<38, 16>(self.operands.inner_words.val()) << 2)
            | (bit_cast::<38, 16>(self.operands.outer_words.val()) << 18);
        if self.phase.q.val() == Phase::LoadMore {
            self.load.next = self.rows.val()
                | (bit_cast::<38, 16>(self.operands.outer_words.val()) << 2)
                | (bit_cast::<38, 16>(self.operands.inner_words.val()) << 18);
        }
        if self.operands.is_norm.val() {
            // Eight bytes a channel are eight entries a word.
            self.load.next =
                self.parameters.val() | (bit_cast::<38, 16>(self.operands.inner_words.val()) << 21);
        }
        if self.operands.is_copy.val() {
            self.load.next = self.data.val() | (bit_cast::<38, 32>(self.operands.data_words.val()) << 19);
        }
        self.run_valid.next = self.phase.q.val() == Phase::Read;
        self.run_address.next = self.read_address.q.val().get_bits::<32>(0);
        self.run_bytes.next = self.bytes.q.val();
        self.fault.next = false;

        self.next_expert.next = false;
        self.expert_here.d.next = (self.jobs_started.val() | self.last_job_left.val())
            & (self.waiting.val() & self.expert.q.val()).any();
        self.experts_left.d.next = (self.waiting.val() & !self.experts_before.q.val()).any();
        match self.phase.q.val() {
            Phase::Take => {
                self.error.d.next = 0.into();
                if self.taken.val() {
                    self.descriptor.d.next = self.descriptor_data.val().get_bits::<320>(0);
                    self.reserved.d.next = self.descriptor_data.val().get_bits::<192>(320).any();
                    self.formed.d.next = 0.into();
                    self.phase.d.next = Phase::Form;
                } else if !self.in_flight.q.val().any() & !self.fetch_inside.q.val() & !self.moved.q.val() {
                    self.error.d.next = self.read_window_error.val();
                    self.phase.d.next = Phase::Hand;
                }
            }
            Phase::Form => {
                self.formed.d.next = self.formed.q.val() + 1;
                if self.formed.q.val() == 1 {
                    self.operands.form.next = 1.into();
                }
                if self.formed.q.val() == 3 {
                    self.operands.form.next = 2.into();
                }
                if self.formed.q.val() == 5 {
                    self.operands.form.next = 3.into();
                }
                if self.formed.q.val() == 9 {
                    self.phase.d.next = Phase::Check;
                }
            }
            Phase::Check => {
                self.read_address.d.next = bit_cast::<40, 32>(self.operands.read_start.val());
                self.bytes.d.next = self.operands.read_length.val().get_bits::<32>(0);
                if self.operands.to_memory.val()
                    & (self.operands.write_end.val() > bit_cast::<40, 32>(self.writable_bytes.val()))
                {
                    self.error.d.next = self.write_window_error.val();
                }
                if self.operands.reads.val()
                    & !self.operands.is_experts.val()
                    & (self.operands.read_end.val() > bit_cast::<40, 32>(self.total_bytes.val()))
                {
                    self.error.d.next = self.read_window_error.val();
                }
                if self.operands.illegal.val() | self.reserved.q.val() {
                    self.error.d.next = self.operand_error.val();
                }
                if self.operands.unknown.val() {
                    self.error.d.next = self.opcode_error.val();
                }
                self.phase.d.next = Phase::Hand;
            }
            Phase::Hand => {
                if self.job_ready.val() {
                    self.index.d.next = self.index.q.val() + 1;
                    self.phase.d.next = Phase::Take;
                    if self.operands.reads.val() {
                        self.phase.d.next = Phase::Load;
                    }
                    if self.operands.from_memory.val()
                        & (self.operands.read_start.val() < self.writable_bytes.val())
                    {
                        self.phase.d.next = Phase::AwaitCopy;
                    }
                    if self.operands.is_experts.val() {
                        self.expert.d.next = 1.into();
                        self.experts_before.d.next = 0.into();
                        self.closed.d.next = false;
                        self.phase.d.next = Phase::Walk;
                    }
                    if self.error.q.val().any() | self.operands.is_end.val() {
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
                // One expert in two beats.
                self.closed.d.next =
                    self.closed.q.val() | (self.jobs_started.val() & self.queues_closed.val());
                if self.stepped.q.val() {
                    self.phase.d.next = Phase::Walk;
                } else if self.expert_here.q.val() {
                    if self.expert_inside.q.val() {
                        self.phase.d.next = Phase::Load;
                    } else {
                        self.fault.next = self.closed.q.val();
                    }
                } else if self.closed.q.val() {
                    if self.experts_left.q.val() {
                        self.next_expert.next = true;
                    } else {
                        self.phase.d.next = Phase::Take;
                    }
                }
            }
            Phase::Load => {
                if self.load_ready.val() {
                    self.phase.d.next = Phase::Read;
                    if self.operands.is_experts.val() {
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
                    if self.operands.is_experts.val() {
                        self.next_expert.next = true;
                        self.phase.d.next = Phase::Walk;
                    }
                }
            }
            _ => {
                self.phase.d.next = Phase::Idle;
            }
        }

        self.expert_inside.d.next = self.expert_end.val() <= bit_cast::<40, 32>(self.total_bytes.val());
        self.stepped.d.next = self.next_expert.val() | (self.phase.q.val() == Phase::Hand);
        if self.next_expert.val() {
            self.expert.d.next = self.expert.q.val() << 1;
            self.experts_before.d.next = self.experts_before.q.val() | self.expert.q.val();
            self.read_address.d.next =
                self.read_address.q.val() + bit_cast::<40, 32>(self.operands.stride.val());
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
