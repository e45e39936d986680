//! Dispatcher: starts jobs in order, each when it may; ends the program; knows what the lanes wait for.
//!
//! A job without the wait flag starts when its engine is free; one with it, or
//! any with `serialise`, when all results of those before are written. Two
//! waits are relaxed, for jobs that follow the one before word by word:
//!
//! - a linear layer may start while the norm that writes its whole input runs
//!   (`follow_norm`: it stays behind the words that are written);
//! - a route may start while the gate that writes its logits runs, if that is
//!   one row group, so that words are written in order (`follow_gate`).
//!
//! The job after such a one waits until what was followed is complete, so that
//! the rules of legal programs (`edge_moe_isa::check`) hold for it as before.
//!
//! What engines report and what a job is stand in registers before anything is
//! decided on them, and so does the decision:
//!
//! | beat | what |
//! |---:|---|
//! | 0 | the job is offered, or an engine becomes idle |
//! | 1 | both known here: the job may start |
//! | 2 | its start |
//! | 4 | the next one may: by now it is known that the engine of this one works |

use edge_moe_isa::descriptor::Destination;
use edge_moe_isa::registers::ErrorCode;

use super::activity::Activity;
use super::divide::DivideUp;
use super::faults::{Faults, MOVES};
use super::job::{JOB, error, field, index, opcode, product, wait};
use crate::support::prelude::*;

/// Jobs that may be queued.
pub const QUEUE: u64 = 7;

/// P = V = 2^L.
#[derive(LogicBlock)]
pub struct Dispatch<const L: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Starts a program; stops the one that runs.
    pub start: Signal<In, Bit>,
    pub stop: Signal<In, Bit>,
    pub serialise: Signal<In, Bit>,
    pub timeout: Signal<In, Bits<32>>,

    /// The next job; `handed_over` when a job joins the queue.
    pub job_valid: Signal<In, Bit>,
    pub job_ready: Signal<Out, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    pub handed_over: Signal<In, Bit>,
    pub queue_ready: Signal<Out, Bit>,
    /// No job is queued; one is.
    pub jobs_started: Signal<Out, Bit>,
    pub last_job_left: Signal<Out, Bit>,

    pub start_matrix: Signal<Out, Bit>,
    pub start_attention: Signal<Out, Bit>,
    pub start_norm: Signal<Out, Bit>,
    pub start_route: Signal<Out, Bit>,
    pub start_copy: Signal<Out, Bit>,
    pub close_queues: Signal<Out, Bit>,
    pub follow_norm: Signal<Out, Bit>,
    pub follow_gate: Signal<Out, Bit>,
    /// A linear layer starts of which a route may follow the words.
    pub gate_starts: Signal<Out, Bit>,

    pub matrix_busy: Signal<In, Bit>,
    pub attention_busy: Signal<In, Bit>,
    pub norm_busy: Signal<In, Bit>,
    pub route_busy: Signal<In, Bit>,
    pub router_pending: Signal<In, Bit>,
    pub copy_busy: Signal<In, Bit>,
    pub writer_busy: Signal<In, Bit>,
    /// Nothing is behind the lanes; nothing is owed by memory.
    pub settled: Signal<In, Bit>,
    pub memory_quiet: Signal<In, Bit>,

    /// What can go wrong in the engines.
    pub fetch_fault: Signal<In, Bit>,
    pub read_error: Signal<In, Bit>,
    pub write_error: Signal<In, Bit>,
    pub overflow: Signal<In, Bit>,
    /// What moved in this cycle: see [`MOVES`].
    pub moves: Signal<In, Bits<MOVES>>,

    /// What the lanes do, and what a busy matrix engine or norm waits for.
    pub beat: Signal<In, Bit>,
    pub wait_rows: Signal<In, Bit>,
    pub wait_input: Signal<In, Bit>,
    pub wait_room: Signal<In, Bit>,
    pub wait_visit: Signal<In, Bit>,
    pub norm_wait_rows: Signal<In, Bit>,

    /// Engines, queues and streams forget everything in the next beat.
    pub flush: Signal<Out, Bit>,
    /// The program begins: first descriptor.
    pub launch: Signal<Out, Bit>,
    pub running: Signal<Out, Bit>,
    pub finished: Signal<Out, Bit>,
    pub failed: Signal<Out, Bit>,
    pub error: Signal<Out, Bits<4>>,
    pub descriptor: Signal<Out, Bits<12>>,
    pub activity: Signal<Out, Bits<4>>,
    /// With `serialise`: all results of `descriptor` are written.
    pub step_done: Signal<Out, Bit>,

    opcode: Slice<JOB, 8>,
    wait_flag: Slice<JOB, 1>,
    index: Slice<JOB, 12>,
    job_error: Slice<JOB, 4>,
    linear_input: Slice<JOB, 32>,
    linear_inputs: Slice<JOB, 16>,
    linear_outputs: Slice<JOB, 16>,
    linear_output: Slice<JOB, 32>,
    linear_destination: Slice<JOB, 8>,
    norm_output: Slice<JOB, 32>,
    norm_channels: Slice<JOB, 16>,
    norm_tokens: Slice<JOB, 16>,
    route_logits: Slice<JOB, 32>,
    route_tokens: Slice<JOB, 16>,
    route_experts: Slice<JOB, 16>,
    linear_tokens: Slice<JOB, 20>,
    groups: DivideUp<L>,
    logit_words: DivideUp<L>,

    activity_now: Activity,
    faults: Faults,

    // What engines reported a beat ago.
    matrix_works: Register<Bit>,
    attention_works: Register<Bit>,
    norm_works: Register<Bit>,
    route_works: Register<Bit>,
    router_works: Register<Bit>,
    copy_works: Register<Bit>,
    writer_works: Register<Bit>,
    all_settled: Register<Bit>,
    memory_rests: Register<Bit>,

    // What was read from the job a beat ago.
    decoded: Register<Bit>,
    is: [Register<Bit>; 7],
    waits_for_all: Register<Bit>,
    is_wrong: Register<Bit>,
    has_error: Register<Bit>,
    may_follow_norm: Register<Bit>,
    may_follow_gate: Register<Bit>,
    may_be_followed: Register<Bit>,

    // The start, or that there can be none.
    starting: Register<Bit>,
    failing: Register<Bit>,
    started: Register<Bit>,
    starts_matrix: Register<Bit>,
    starts_attention: Register<Bit>,
    starts_norm: Register<Bit>,
    starts_route: Register<Bit>,
    starts_copy: Register<Bit>,
    /// It follows the norm, the gate; it starts alone, or behind a norm.
    behind_norm: Register<Bit>,
    behind_gate: Register<Bit>,
    in_order: Register<Bit>,

    running_state: Register<Bit>,
    flushing: Register<Bit>,
    /// The beat after: engines, queues and streams forget.
    cleared: Register<Bit>,
    beginning: Register<Bit>,
    queued: Register<Bits<4>>,
    started_index: Register<Bits<12>>,
    unsettled: Register<Bit>,
    ending: Register<Bit>,
    routed: Register<Bit>,
    following_norm: Register<Bit>,
    following_gate: Register<Bit>,
    /// The job before was a norm, with this output; or a layer of one row group into the
    /// scratchpad that started alone.
    after_norm: Register<Bit>,
    after_gate: Register<Bit>,
    written_address: Register<Bits<32>>,
    written_tokens: Register<Bits<20>>,
    written_channels: Register<Bits<16>>,

    head: Signal<Local, Bit>,
    wrong: Signal<Local, Bit>,
    is_end: Signal<Local, Bit>,
    is_linear: Signal<Local, Bit>,
    is_norm: Signal<Local, Bit>,
    is_attention: Signal<Local, Bit>,
    is_route: Signal<Local, Bit>,
    is_experts: Signal<Local, Bit>,
    is_copy: Signal<Local, Bit>,
    others_idle: Signal<Local, Bit>,
    idle: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    follows_norm: Signal<Local, Bit>,
    follows_gate: Signal<Local, Bit>,
    may: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    fail: Signal<Local, Bit>,
    code: Signal<Local, Bits<4>>,

    to_tokens: Constant<Bits<8>>,
    to_residual: Constant<Bits<8>>,
    queue: Constant<Bits<4>>,
    one: Constant<Bits<4>>,
    code_queues: Constant<Bits<4>>,
}

impl<const L: usize> Default for Dispatch<L> {
    fn default() -> Self {
        with_defaults!(
            clock, reset, start, stop, serialise, timeout, job_valid, job_ready, job, handed_over, queue_ready,
            jobs_started, last_job_left, start_matrix, start_attention, start_norm, start_route, start_copy, close_queues,
            follow_norm, follow_gate, gate_starts, matrix_busy, attention_busy, norm_busy, route_busy,
            router_pending, copy_busy, writer_busy, settled, memory_quiet, fetch_fault, read_error, write_error,
            overflow, moves, beat, wait_rows, wait_input, wait_room, wait_visit, norm_wait_rows, flush, launch,
            running, finished, failed, error, descriptor, activity, step_done, matrix_works, attention_works, norm_works, route_works, router_works, copy_works, writer_works, all_settled, memory_rests, decoded, is, waits_for_all, is_wrong, has_error, may_follow_norm, may_follow_gate, may_be_followed, starting, failing, started, starts_matrix, starts_attention, starts_norm, starts_route, starts_copy, behind_norm, behind_gate, in_order, groups, logit_words, activity_now, faults, running_state,
            flushing, cleared, beginning, queued, started_index, unsettled, ending, routed, following_norm,
            following_gate, after_norm, after_gate, written_address, written_tokens, written_channels, head, wrong,
            is_end, is_linear, is_norm, is_attention, is_route, is_experts, is_copy, others_idle, idle, free,
            follows_norm, follows_gate, may, go, fail, code;
            opcode: opcode(),
            wait_flag: wait(),
            index: index(),
            job_error: error(),
            linear_input: field("linear", "input"),
            linear_inputs: field("linear", "inputs"),
            linear_outputs: field("linear", "outputs"),
            linear_output: field("linear", "output"),
            linear_destination: field("linear", "destination"),
            norm_output: field("norm", "output"),
            norm_channels: field("norm", "channels"),
            norm_tokens: field("norm", "tokens"),
            route_logits: field("route", "logits"),
            route_tokens: field("route", "tokens"),
            route_experts: field("route", "experts"),
            linear_tokens: product(0),
            to_tokens: Constant::new((Destination::Tokens as u64).into()),
            to_residual: Constant::new((Destination::Residual as u64).into()),
            queue: Constant::new(QUEUE.into()),
            one: Constant::new(1_u64.into()),
            code_queues: Constant::new((ErrorCode::Queues as u64).into()),
        )
    }
}

impl<const L: usize> Logic for Dispatch<L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            running_state,
            flushing,
            cleared,
            beginning,
            queued,
            started_index,
            unsettled,
            ending
        );
        dff_setup!(
            self,
            clock,
            matrix_works,
            attention_works,
            norm_works,
            route_works,
            router_works,
            copy_works
        );
        dff_setup!(self, clock, writer_works, all_settled, memory_rests, decoded, waits_for_all);
        dff_setup!(
            self,
            clock,
            is_wrong,
            has_error,
            may_follow_norm,
            may_follow_gate,
            may_be_followed,
            starting,
            failing
        );
        dff_setup!(
            self,
            clock,
            started,
            starts_matrix,
            starts_attention,
            starts_norm,
            starts_route,
            starts_copy
        );
        dff_setup!(self, clock, behind_norm, behind_gate, in_order);
        for i in 0..7 {
            self.is[i].clock.next = self.clock.val();
        }
        dff_setup!(self, clock, routed, following_norm, following_gate, after_norm, after_gate);
        dff_setup!(self, clock, written_address, written_tokens, written_channels);
        self.opcode.bus.next = self.job.val();
        self.wait_flag.bus.next = self.job.val();
        self.index.bus.next = self.job.val();
        self.job_error.bus.next = self.job.val();
        self.linear_input.bus.next = self.job.val();
        self.linear_inputs.bus.next = self.job.val();
        self.linear_outputs.bus.next = self.job.val();
        self.linear_output.bus.next = self.job.val();
        self.linear_destination.bus.next = self.job.val();
        self.norm_output.bus.next = self.job.val();
        self.norm_channels.bus.next = self.job.val();
        self.norm_tokens.bus.next = self.job.val();
        self.route_logits.bus.next = self.job.val();
        self.route_tokens.bus.next = self.job.val();
        self.route_experts.bus.next = self.job.val();
        self.linear_tokens.bus.next = self.job.val();
        self.groups.x.next = self.linear_outputs.bits.val();
        self.logit_words.x.next = self.route_experts.bits.val();
        // What engines report.
        self.matrix_works.d.next = self.matrix_busy.val();
        self.attention_works.d.next = self.attention_busy.val();
        self.norm_works.d.next = self.norm_busy.val();
        self.route_works.d.next = self.route_busy.val();
        self.router_works.d.next = self.router_pending.val();
        self.copy_works.d.next = self.copy_busy.val();
        self.writer_works.d.next = self.writer_busy.val();
        self.all_settled.d.next = self.settled.val();
        self.memory_rests.d.next = self.memory_quiet.val();

        // The job: what it is, and whether it is like one that may follow, or be followed, word by word.
        self.decoded.d.next = self.job_valid.val() & !self.starting.q.val();
        self.is[0].d.next = self.opcode.bits.val() == 0;
        self.is[1].d.next = self.opcode.bits.val() == 1;
        self.is[2].d.next = self.opcode.bits.val() == 2;
        self.is[3].d.next = self.opcode.bits.val() == 3;
        self.is[4].d.next = self.opcode.bits.val() == 4;
        self.is[5].d.next = self.opcode.bits.val() == 5;
        self.is[6].d.next = self.opcode.bits.val() == 6;
        self.is_end.next = self.is[0].q.val();
        self.is_linear.next = self.is[1].q.val();
        self.is_norm.next = self.is[2].q.val();
        self.is_attention.next = self.is[3].q.val();
        self.is_route.next = self.is[4].q.val();
        self.is_experts.next = self.is[5].q.val();
        self.is_copy.next = self.is[6].q.val();
        self.waits_for_all.d.next = self.wait_flag.bits.val().any();
        self.has_error.d.next = self.job_error.bits.val().any();
        self.is_wrong.d.next = self.job_error.bits.val().any() | (self.is[5].d.val() & !self.routed.q.val());
        self.may_follow_norm.d.next = self.is[1].d.val()
            & self.after_norm.q.val()
            & (self.linear_destination.bits.val() != self.to_residual.val())
            & (self.linear_input.bits.val() == self.written_address.q.val())
            & (self.linear_tokens.bits.val() == self.written_tokens.q.val())
            & (self.linear_inputs.bits.val() == self.written_channels.q.val());
        self.may_follow_gate.d.next = self.is[4].d.val()
            & self.after_gate.q.val()
            & (self.logit_words.y.val() == 1)
            & (self.route_logits.bits.val() == self.written_address.q.val())
            & (bit_cast::<20, 16>(self.route_tokens.bits.val()) == self.written_tokens.q.val());
        self.may_be_followed.d.next = self.is[1].d.val()
            & (self.linear_destination.bits.val() == self.to_tokens.val())
            & (self.groups.y.val() == 1);

        // Who is idle, and whether the engine of the next job is free.
        self.others_idle.next = !self.matrix_works.q.val()
            & !self.attention_works.q.val()
            & !self.route_works.q.val()
            & !self.router_works.q.val()
            & !self.copy_works.q.val()
            & !self.writer_works.q.val()
            & self.all_settled.q.val();
        self.idle.next = self.others_idle.val() & !self.norm_works.q.val();
        self.free.next = false;
        if self.is_linear.val() {
            self.free.next = !self.matrix_works.q.val() & !self.attention_works.q.val();
        }
        if self.is_experts.val() {
            self.free.next =
                !self.matrix_works.q.val() & !self.attention_works.q.val() & !self.route_works.q.val();
        }
        if self.is_attention.val() {
            self.free.next =
                !self.matrix_works.q.val() & !self.attention_works.q.val() & self.all_settled.q.val();
        }
        if self.is_norm.val() {
            self.free.next = !self.norm_works.q.val();
        }
        if self.is_route.val() {
            self.free.next = !self.route_works.q.val() & !self.router_works.q.val();
        }
        if self.is_copy.val() {
            self.free.next = !self.copy_works.q.val() & !self.writer_works.q.val();
        }

        // Whether it follows the job before word by word.
        self.follows_norm.next =
            self.may_follow_norm.q.val() & self.norm_works.q.val() & self.others_idle.val();
        self.follows_gate.next = self.may_follow_gate.q.val()
            & !self.attention_works.q.val()
            & !self.route_works.q.val()
            & !self.router_works.q.val()
            & !self.copy_works.q.val()
            & !self.writer_works.q.val();

        // Whether the next job may start.
        self.head.next = self.running_state.q.val()
            & !self.flushing.q.val()
            & self.decoded.q.val()
            & !self.starting.q.val()
            & !self.ending.q.val()
            & !(self.serialise.val() & self.unsettled.q.val());
        self.wrong.next = self.is_wrong.q.val();
        self.may.next = self.free.val() & !self.following_norm.q.val() & !self.following_gate.q.val();
        if self.waits_for_all.q.val() {
            self.may.next = self.idle.val()
                | self.follows_norm.val()
                | (self.follows_gate.val() & !self.following_gate.q.val());
        }
        if self.serialise.val() | self.wrong.val() {
            self.may.next = self.idle.val();
        }
        if self.is_end.val() {
            self.may.next = self.idle.val() & self.memory_rests.q.val();
        }
        self.go.next = self.head.val() & self.may.val() & !self.wrong.val();
        self.starting.d.next = self.go.val();
        self.started.d.next = self.starting.q.val();
        self.starts_matrix.d.next = self.go.val() & (self.is_linear.val() | self.is_experts.val());
        self.starts_attention.d.next = self.go.val() & self.is_attention.val();
        self.starts_norm.d.next = self.go.val() & self.is_norm.val();
        self.starts_route.d.next = self.go.val() & self.is_route.val();
        self.starts_copy.d.next = self.go.val() & self.is_copy.val();
        self.behind_norm.d.next = self.follows_norm.val();
        self.behind_gate.d.next = self.follows_gate.val() & !self.idle.val();
        self.in_order.d.next = self.idle.val() | self.follows_norm.val();
        self.job_ready.next = self.starting.q.val();
        self.start_matrix.next = self.starts_matrix.q.val();
        self.start_attention.next = self.starts_attention.q.val();
        self.start_norm.next = self.starts_norm.q.val();
        self.start_route.next = self.starts_route.q.val();
        self.start_copy.next = self.starts_copy.q.val();
        self.close_queues.next = self.starting.q.val() & self.is_experts.val();
        self.gate_starts.next = self.starting.q.val() & self.is_linear.val();
        self.follow_norm.next = self.following_norm.q.val();
        self.follow_gate.next = self.following_gate.q.val();

        // What is known of it for the next one.
        if !self.norm_works.q.val() {
            self.following_norm.d.next = false;
        }
        if !self.matrix_works.q.val() & self.all_settled.q.val() {
            self.following_gate.d.next = false;
        }
        if self.starting.q.val() {
            self.started_index.d.next = self.index.bits.val();
            self.unsettled.d.next = true;
            self.after_norm.d.next = self.is_norm.val();
            self.after_gate.d.next = self.may_be_followed.q.val() & self.in_order.q.val();
            self.written_address.d.next = self.linear_output.bits.val();
            self.written_tokens.d.next = self.linear_tokens.bits.val();
            if self.is_norm.val() {
                self.written_address.d.next = self.norm_output.bits.val();
                self.written_tokens.d.next = bit_cast::<20, 16>(self.norm_tokens.bits.val());
                self.written_channels.d.next = self.norm_channels.bits.val();
            }
            if self.behind_norm.q.val() {
                self.following_norm.d.next = true;
            }
            if self.is_route.val() {
                self.routed.d.next = true;
                if self.behind_gate.q.val() {
                    self.following_gate.d.next = true;
                }
            }
            if self.is_experts.val() {
                self.routed.d.next = false;
            }
        }
        if self.started.q.val() & self.is_end.val() {
            self.ending.d.next = true;
        }
        if self.handed_over.val() & !self.starting.q.val() {
            self.queued.d.next = self.queued.q.val() + 1;
        } else if self.starting.q.val() & !self.handed_over.val() {
            self.queued.d.next = self.queued.q.val() - 1;
        }
        self.queue_ready.next = self.queued.q.val() != self.queue.val();
        self.jobs_started.next = !self.queued.q.val().any();
        self.last_job_left.next = self.queued.q.val() == self.one.val();

        // A step, and the end.
        self.step_done.next = self.running_state.q.val()
            & self.serialise.val()
            & self.unsettled.q.val()
            & !self.started.q.val()
            & self.idle.val();
        if self.step_done.val() {
            self.unsettled.d.next = false;
        }
        self.finished.next = self.ending.q.val();

        // What goes wrong.
        self.faults.clock.next = self.clock.val();
        self.faults.reset.next = self.reset.val();
        self.faults.stop.next = self.stop.val();
        self.faults.timeout.next = self.timeout.val();
        self.faults.rewind.next = self.starting.q.val()
            | !self.running_state.q.val()
            | self.start.val()
            | self.flushing.q.val()
            | self.cleared.q.val();
        self.faults.moves.next = self.moves.val();
        self.faults.overflow.next = self.overflow.val();
        self.faults.fetch_fault.next = self.fetch_fault.val();
        self.faults.write_error.next = self.write_error.val();
        self.faults.read_error.next = self.read_error.val();
        self.failing.d.next = self.head.val() & self.wrong.val() & self.may.val();
        self.fail.next = self.failing.q.val();
        self.code.next = self.job_error.bits.val();
        if !self.has_error.q.val() {
            self.code.next = self.code_queues.val();
        }
        if self.failing.q.val() {
            self.started_index.d.next = self.index.bits.val();
        }
        if self.faults.fault.val() {
            self.fail.next = true;
            self.code.next = self.faults.code.val();
        }
        if !self.running_state.q.val() | self.flushing.q.val() | self.ending.q.val() {
            self.fail.next = false;
        }
        self.failed.next = self.fail.val();
        self.error.next = self.code.val();
        self.running.next = self.running_state.q.val();
        self.descriptor.next = self.started_index.q.val();
        if self.failing.q.val() {
            self.descriptor.next = self.index.bits.val();
        }

        // What the lanes did a beat ago.
        self.activity_now.clock.next = self.clock.val();
        self.activity_now.beat.next = self.beat.val();
        self.activity_now.wait_rows.next = self.wait_rows.val();
        self.activity_now.wait_input.next = self.wait_input.val();
        self.activity_now.wait_room.next = self.wait_room.val();
        self.activity_now.wait_visit.next = self.wait_visit.val();
        self.activity_now.norm_wait_rows.next = self.norm_wait_rows.val();
        self.activity_now.matrix_works.next = self.matrix_works.q.val();
        self.activity_now.attention_works.next = self.attention_works.q.val();
        self.activity_now.copy_works.next = self.copy_works.q.val() | self.writer_works.q.val();
        self.activity_now.norm_works.next = self.norm_works.q.val();
        self.activity_now.route_works.next = self.route_works.q.val() | self.router_works.q.val();
        self.activity_now.all_settled.next = self.all_settled.q.val();
        self.activity.next = self.activity_now.code.val();

        // From start to end.
        self.flush.next = self.flushing.q.val();
        self.launch.next = self.beginning.q.val();
        self.flushing.d.next = self.start.val() | self.fail.val();
        self.cleared.d.next = self.flushing.q.val();
        self.beginning.d.next = self.cleared.q.val() & self.running_state.q.val();
        if self.fail.val() | self.ending.q.val() {
            self.running_state.d.next = false;
            self.ending.d.next = false;
        }
        if self.start.val() {
            self.running_state.d.next = true;
            self.started_index.d.next = 0.into();
        }
        if self.start.val() | self.flushing.q.val() | self.cleared.q.val() {
            self.decoded.d.next = false;
            self.queued.d.next = 0.into();
            self.unsettled.d.next = false;
            self.ending.d.next = false;
            self.routed.d.next = false;
            self.following_norm.d.next = false;
            self.following_gate.d.next = false;
            self.after_norm.d.next = false;
            self.after_gate.d.next = false;
        }
        if self.fail.val() | self.flushing.q.val() | self.cleared.q.val() | self.reset.val() {
            self.starting.d.next = false;
            self.failing.d.next = false;
            self.starts_matrix.d.next = false;
            self.starts_attention.d.next = false;
            self.starts_norm.d.next = false;
            self.starts_route.d.next = false;
            self.starts_copy.d.next = false;
        }
        if self.reset.val() {
            self.decoded.d.next = false;
            self.started.d.next = false;
            self.running_state.d.next = false;
            self.flushing.d.next = false;
            self.cleared.d.next = false;
            self.beginning.d.next = false;
            self.started_index.d.next = 0.into();
            self.queued.d.next = 0.into();
            self.unsettled.d.next = false;
            self.ending.d.next = false;
            self.routed.d.next = false;
            self.following_norm.d.next = false;
            self.following_gate.d.next = false;
            self.after_norm.d.next = false;
            self.after_gate.d.next = false;
        }
    }
}
