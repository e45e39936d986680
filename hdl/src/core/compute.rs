//! The core without its memory ports: fetch, dispatcher, engines, lanes and on-chip memories.

use edge_moe_isa::arch::ArchConfig;

use super::attention::Attention;
use super::copy::Copy;
use super::dispatch::Dispatch;
use super::faults::MOVES;
use super::fetch::{Fetch, LOAD};
use super::job::JOB;
use super::matrix::Matrix;
use super::norm::Norm;
use super::route::Route;
use super::row_loader::RowLoader;
use crate::drain::Drain;
use crate::epilogue::{Epilogue, RESIDUAL_LATENCY};
use crate::lane_array::{LaneArray, PARAMETERS_READ, ROWS_READ};
use crate::scratchpad::{self, Scratchpad};
use crate::support::prelude::*;

/// Beats from a beat to its layer's scales at the lanes, which put them into registers.
const SCALES: usize = PARAMETERS_READ - 1;
/// Beats from the last beat of a bank to the first in which its rows may be replaced.
const BANK_USED: usize = ROWS_READ - 1;
/// Beats from a word of the residual memory to when readers expect it: as if it were the scratchpad's.
const RESIDUAL_WORD: usize = scratchpad::LATENCY - RESIDUAL_LATENCY;

/// P lanes of V = P = 2^L multipliers; `A` bits of a row address of attention, `R` of the lanes' rows, `K` of a
/// score address, `N` of the scratchpad, `B` of half of it, `M` of the residual memory, `NORM` of a
/// token's word; LayerNorm of `NV` = 2^`NL` values, `NWORD` bits, a beat and tokens of up to 2^`NA` beats; epilogue of
/// `W` values in `SLICES` slices of `SLICE` bits.
#[derive(LogicBlock)]
pub struct Compute<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Starts the program at `program_address`; stops it. The settings hold while it runs.
    pub start: Signal<In, Bit>,
    pub stop: Signal<In, Bit>,
    pub serialise: Signal<In, Bit>,
    pub program_address: Signal<In, Bits<32>>,
    pub writable_bytes: Signal<In, Bits<32>>,
    pub total_bytes: Signal<In, Bits<32>>,
    pub timeout: Signal<In, Bits<32>>,
    pub running: Signal<Out, Bit>,
    pub finished: Signal<Out, Bit>,
    pub failed: Signal<Out, Bit>,
    pub error: Signal<Out, Bits<4>>,
    pub descriptor: Signal<Out, Bits<12>>,
    pub activity: Signal<Out, Bits<4>>,
    pub step_done: Signal<Out, Bit>,
    /// Memory ports forget what they do.
    pub flush: Signal<Out, Bit>,

    /// Descriptors, and the stream of entries: see `dma`.
    pub fetch_valid: Signal<Out, Bit>,
    pub fetch_ready: Signal<In, Bit>,
    pub fetch_address: Signal<Out, Bits<32>>,
    pub descriptor_valid: Signal<In, Bit>,
    pub descriptor_ready: Signal<Out, Bit>,
    pub descriptor_data: Signal<In, Bits<512>>,
    pub run_valid: Signal<Out, Bit>,
    pub run_ready: Signal<In, Bit>,
    pub run_address: Signal<Out, Bits<32>>,
    pub run_bytes: Signal<Out, Bits<32>>,
    pub entry_valid: Signal<In, Bit>,
    pub entry_ready: Signal<Out, Bit>,
    pub entry_data: Signal<In, Bits<ENTRY>>,
    pub read_error: Signal<In, Bit>,
    pub read_quiet: Signal<In, Bit>,
    /// Words to memory.
    pub write_valid: Signal<Out, Bit>,
    pub write_ready: Signal<In, Bit>,
    pub write_address: Signal<Out, Bits<32>>,
    pub write_bytes: Signal<Out, Bits<32>>,
    pub write_word_valid: Signal<Out, Bit>,
    pub write_word_ready: Signal<In, Bit>,
    pub write_word_data: Signal<Out, Bits<WORD>>,
    pub write_busy: Signal<In, Bit>,
    pub write_error: Signal<In, Bit>,

    /// What is written on the chip, for simulation.
    pub scratchpad_write: Signal<Out, Bit>,
    pub scratchpad_address: Signal<Out, Bits<20>>,
    pub scratchpad_data: Signal<Out, Bits<WORD>>,
    pub residual_write: Signal<Out, Bit>,
    pub residual_address: Signal<Out, Bits<20>>,
    pub residual_data: Signal<Out, Bits<WORD>>,

    fetch: Fetch<L, EXPERTS>,
    loads: Fifo<LOAD, 3>,
    loads_queued: Register<Bits<4>>,
    jobs: Fifo<JOB, 3>,
    dispatch: Dispatch<L>,
    moves: Concat<Bit, MOVES, MOVES>,
    loader: RowLoader<V, L, ENTRY, ROW, RECORDS, R, NORM>,
    matrix: Matrix<L, R>,
    norm: Norm<WORD, L, NORM, RECORDS, NV, NWORD, NL, NA>,
    route: Route<V, WORD, EXPERTS>,
    copy: Copy<ENTRY, WORD, L>,
    attention: Attention<P, V, ROW, WORD, ROWS, RESULTS, L, A, K>,
    lanes: LaneArray<P, V, ROW, WORD, ROWS, RESULTS, L, R, 71, RECORDS>,
    drain: Drain<P, V, WORD, RESULTS, WORDS>,
    epilogue: Epilogue<V, W, SLICES, WORD, SLICE, 20>,
    scratchpad: Scratchpad<WORD, N, B>,
    residual: Ram<WORD, M>,
    /// What is read of it, behind the choice of who reads.
    residual_reads: Register<Bit>,
    residual_read_address: Register<Bits<M>>,
    residual_word: Delay<Bits<WORD>, RESIDUAL_WORD>,
    /// Banks whose last beat is on its way to their rows.
    use_0: ValidDelay<BANK_USED>,
    use_1: ValidDelay<BANK_USED>,

    /// The reset of engines and streams, after a program too: each near what it resets.
    fetch_reset: Replica<Bit>,
    engines_reset: Replica<Bit>,
    attention_reset: Replica<Bit>,
    results_reset: Replica<Bit>,
    streams_reset: Replica<Bit>,
    forget: Signal<Local, Bit>,
    taken: Register<Bit>,
    settled: Signal<Local, Bit>,
    /// Words that the layer which a route follows has written.
    gate_words: Register<Bits<20>>,
    shift: Delay<Bits<6>, SCALES>,
    bias_shift: Delay<Bits<5>, SCALES>,
    nine_bits: Delay<Bit, SCALES>,

    attention_rows: Constant<Bits<R>>,
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
>
    Compute<
        P,
        V,
        ROW,
        WORD,
        ROWS,
        RESULTS,
        WORDS,
        ENTRY,
        RECORDS,
        L,
        A,
        R,
        K,
        N,
        B,
        M,
        NORM,
        NV,
        NWORD,
        NL,
        NA,
        W,
        SLICES,
        SLICE,
        EXPERTS,
    >
{
    /// The core of a device of these sizes.
    pub fn new(arch: &ArchConfig) -> Self {
        assert_eq!([P, V], [1 << L, 1 << L], "a core has as many lanes as multipliers in a lane");
        assert_eq!(R, A + 1, "rows below, attention's rows above");
        assert_eq!(arch.bank_words as usize, 1 << NORM, "the longest row is the longest token of LayerNorm");
        with_defaults!(
            clock, reset, start, stop, serialise, program_address, writable_bytes, total_bytes, timeout, running,
            finished, failed, error, descriptor, activity, step_done, flush, fetch_valid, fetch_ready,
            fetch_address, descriptor_valid, descriptor_ready, descriptor_data, run_valid, run_ready, run_address,
            run_bytes, entry_valid, entry_ready, entry_data, read_error, read_quiet, write_valid, write_ready,
            write_address, write_bytes, write_word_valid, write_word_ready, write_word_data, write_busy,
            write_error, scratchpad_write, scratchpad_address, scratchpad_data, residual_write, residual_address,
            residual_data, loads, loads_queued, jobs, dispatch, moves, loader, matrix, norm, copy, attention, drain,
            epilogue, fetch_reset, engines_reset, attention_reset, results_reset, streams_reset, forget, taken, settled, gate_words, shift, bias_shift, nine_bits, residual_reads, residual_read_address,
            residual_word, use_0, use_1;
            fetch: Fetch::new(arch),
            route: Route::new(arch.queue_nodes as usize),
            lanes: LaneArray::new(4 * arch.bank_words as usize),
            scratchpad: Scratchpad::new(arch.scratchpad_words as usize),
            residual: Ram::new(arch.residual_words as usize),
            attention_rows: Constant::new((1_u64 << A).into()),
        )
    }
}

impl<
    const P: usize,
    const V: usize,
    const ROW: usize,
    const WORD: usize,
    const ROWS: usize,
    const RESULTS: usize,
    const WORDS: usize,
    const ENTRY: usize,
    const RECORDS: usize,
    const L: usize,
    const A: usize,
    const R: usize,
    const K: usize,
    const N: usize,
    const B: usize,
    const M: usize,
    const NORM: usize,
    const NV: usize,
    const NWORD: usize,
    const NL: usize,
    const NA: usize,
    const W: usize,
    const SLICES: usize,
    const SLICE: usize,
    const EXPERTS: usize,
> Logic
    for Compute<
        P,
        V,
        ROW,
        WORD,
        ROWS,
        RESULTS,
        WORDS,
        ENTRY,
        RECORDS,
        L,
        A,
        R,
        K,
        N,
        B,
        M,
        NORM,
        NV,
        NWORD,
        NL,
        NA,
        W,
        SLICES,
        SLICE,
        EXPERTS,
    >
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            loads_queued,
            gate_words,
            fetch_reset,
            engines_reset,
            attention_reset,
            results_reset,
            streams_reset,
            taken,
            residual_reads,
            residual_read_address
        );
        self.fetch.clock.next = self.clock.val();
        self.loads.clock.next = self.clock.val();
        self.jobs.clock.next = self.clock.val();
        self.dispatch.clock.next = self.clock.val();
        self.loader.clock.next = self.clock.val();
        self.matrix.clock.next = self.clock.val();
        self.norm.clock.next = self.clock.val();
        self.route.clock.next = self.clock.val();
        self.copy.clock.next = self.clock.val();
        self.attention.clock.next = self.clock.val();
        self.lanes.clock.next = self.clock.val();
        self.drain.clock.next = self.clock.val();
        self.epilogue.clock.next = self.clock.val();
        self.scratchpad.clock.next = self.clock.val();
        self.residual.clock.next = self.clock.val();
        self.residual_word.clock.next = self.clock.val();
        self.use_0.clock.next = self.clock.val();
        self.use_1.clock.next = self.clock.val();
        self.shift.clock.next = self.clock.val();
        self.bias_shift.clock.next = self.clock.val();
        self.nine_bits.clock.next = self.clock.val();
        self.forget.next = self.reset.val() | self.dispatch.flush.val();
        self.fetch_reset.d.next = self.forget.val();
        self.engines_reset.d.next = self.forget.val();
        self.attention_reset.d.next = self.forget.val();
        self.results_reset.d.next = self.forget.val();
        self.streams_reset.d.next = self.forget.val();
        self.flush.next = self.streams_reset.q.val();
        self.fetch.reset.next = self.fetch_reset.q.val();
        self.loads.reset.next = self.fetch_reset.q.val();
        self.jobs.reset.next = self.fetch_reset.q.val();
        self.dispatch.reset.next = self.reset.val();
        self.loader.reset.next = self.fetch_reset.q.val();
        self.matrix.reset.next = self.engines_reset.q.val();
        self.norm.reset.next = self.engines_reset.q.val();
        self.route.reset.next = self.engines_reset.q.val();
        self.copy.reset.next = self.fetch_reset.q.val();
        self.attention.reset.next = self.attention_reset.q.val();
        self.lanes.reset.next = self.results_reset.q.val();
        self.drain.reset.next = self.results_reset.q.val();
        self.epilogue.reset.next = self.results_reset.q.val();
        self.use_0.reset.next = self.engines_reset.q.val();
        self.use_1.reset.next = self.engines_reset.q.val();

        // Fetch: descriptors, reads, and what is read.
        self.fetch.start.next = self.dispatch.launch.val();
        self.fetch.program_address.next = self.program_address.val();
        self.fetch.writable_bytes.next = self.writable_bytes.val();
        self.fetch.total_bytes.next = self.total_bytes.val();
        self.fetch_valid.next = self.fetch.fetch_valid.val();
        self.fetch.fetch_ready.next = self.fetch_ready.val();
        self.fetch_address.next = self.fetch.fetch_address.val();
        self.fetch.descriptor_valid.next = self.descriptor_valid.val();
        self.descriptor_ready.next = self.fetch.descriptor_ready.val();
        self.fetch.descriptor_data.next = self.descriptor_data.val();
        self.run_valid.next = self.fetch.run_valid.val();
        self.fetch.run_ready.next = self.run_ready.val();
        self.run_address.next = self.fetch.run_address.val();
        self.run_bytes.next = self.fetch.run_bytes.val();
        self.fetch.jobs_started.next = self.dispatch.jobs_started.val();
        self.fetch.last_job_left.next = self.dispatch.last_job_left.val();
        self.fetch.queues_closed.next = self.route.expert_valid.val();
        self.fetch.waiting.next = self.route.waiting.val();
        self.fetch.load_ready.next = !self.loads_queued.q.val().get_bit(3);
        self.loads.write.next = self.fetch.load_valid.val() & self.fetch.load_ready.val();
        self.loads.write_data.next = self.fetch.load.val();
        self.loader.load_valid.next = self.loads.read_valid.val();
        self.loader.load.next = self.loads.read_data.val();
        self.loads.read_ready.next = self.loader.load_ready.val();
        if self.loads.write.val() & !(self.loads.read_valid.val() & self.loads.read_ready.val()) {
            self.loads_queued.d.next = self.loads_queued.q.val() + 1;
        } else if !self.loads.write.val() & (self.loads.read_valid.val() & self.loads.read_ready.val()) {
            self.loads_queued.d.next = self.loads_queued.q.val() - 1;
        }

        // Jobs: queued, started.
        self.fetch.job_ready.next = self.dispatch.queue_ready.val();
        self.jobs.write.next = self.fetch.job_valid.val() & self.fetch.job_ready.val();
        self.jobs.write_data.next = self.fetch.job.val();
        self.dispatch.handed_over.next = self.jobs.write.val();
        self.dispatch.job_valid.next = self.jobs.read_valid.val();
        self.dispatch.job.next = self.jobs.read_data.val();
        self.jobs.read_ready.next = self.dispatch.job_ready.val();
        self.dispatch.start.next = self.start.val();
        self.dispatch.stop.next = self.stop.val();
        self.dispatch.serialise.next = self.serialise.val();
        self.dispatch.timeout.next = self.timeout.val();
        self.settled.next =
            !self.matrix.results_pending.val() & !self.drain.busy.val() & self.epilogue.idle.val();
        self.dispatch.matrix_busy.next = self.matrix.busy.val();
        self.dispatch.attention_busy.next = self.attention.busy.val();
        self.dispatch.norm_busy.next = self.norm.busy.val();
        self.dispatch.route_busy.next = self.route.busy.val();
        self.dispatch.router_pending.next = self.route.pending.val();
        self.dispatch.copy_busy.next = self.copy.busy.val();
        self.dispatch.writer_busy.next = self.write_busy.val();
        self.dispatch.settled.next = self.settled.val();
        self.dispatch.memory_quiet.next = self.read_quiet.val();
        self.dispatch.fetch_fault.next = self.fetch.fault.val();
        self.dispatch.read_error.next = self.read_error.val();
        self.dispatch.write_error.next = self.write_error.val();
        self.dispatch.overflow.next = self.route.overflow.val();
        self.moves.lane[0].next = self.lanes.beat_valid.val();
        self.moves.lane[1].next = self.entry_valid.val() & self.loader.entry_ready.val();
        self.moves.lane[2].next = self.descriptor_valid.val() & self.fetch.descriptor_ready.val();
        self.moves.lane[3].next = self.copy.memory_word_valid.val() & self.write_word_ready.val();
        self.moves.lane[4].next = self.scratchpad.write.val();
        self.moves.lane[5].next = self.residual.write_enable.val();
        self.moves.lane[6].next = self.scratchpad.row_valid.val() & self.scratchpad.row_ready.val();
        self.moves.lane[7].next = self.attention.key_read.val();
        self.dispatch.moves.next = self.moves.bus.val();
        self.dispatch.beat.next = self.lanes.beat_valid.val();
        self.dispatch.wait_rows.next = self.matrix.wait_rows.val();
        self.dispatch.wait_input.next = self.matrix.wait_input.val();
        self.dispatch.wait_room.next = self.matrix.wait_room.val();
        self.dispatch.wait_visit.next = self.matrix.wait_visit.val();
        self.dispatch.norm_wait_rows.next = self.norm.wait_rows.val();
        self.running.next = self.dispatch.running.val();
        self.finished.next = self.dispatch.finished.val();
        self.failed.next = self.dispatch.failed.val();
        self.error.next = self.dispatch.error.val();
        self.descriptor.next = self.dispatch.descriptor.val();
        self.activity.next = self.dispatch.activity.val();
        self.step_done.next = self.dispatch.step_done.val();

        // Entries: rows, parameters, data.
        self.loader.entry_valid.next = self.entry_valid.val();
        self.entry_ready.next = self.loader.entry_ready.val();
        self.loader.entry_data.next = self.entry_data.val();
        self.loader.row_ready.next = self.lanes.row_ready.val() & !self.attention.row_valid.val();
        self.loader.data_ready.next = self.copy.data_ready.val();
        self.use_0.d.next = self.matrix.use_0.val();
        self.use_1.d.next = self.matrix.use_1.val();
        self.loader.use_0.next = self.use_0.q.val();
        self.loader.use_1.next = self.use_1.q.val();
        self.loader.use_norm.next = self.norm.use_parameters.val();

        // Matrix engine.
        self.matrix.start.next = self.dispatch.start_matrix.val();
        self.matrix.job.next = self.jobs.read_data.val();
        self.matrix.limited.next = self.dispatch.follow_norm.val();
        self.matrix.available.next = self.norm.written.val();
        self.matrix.settled.next = self.settled.val();
        self.matrix.full_0.next = self.loader.full_0.val() & !self.use_0.any.val();
        self.matrix.full_1.next = self.loader.full_1.val() & !self.use_1.any.val();
        self.matrix.expert_valid.next = self.route.expert_valid.val();
        self.route.expert_ready.next = self.matrix.expert_ready.val();
        self.matrix.expert_last.next = self.route.expert_last.val();
        self.matrix.expert_none.next = self.route.expert_none.val();
        self.route.rewind.next = self.matrix.rewind.val();
        self.matrix.visit_valid.next = self.route.visit_valid.val();
        self.route.visit_ready.next = self.matrix.visit_ready.val();
        self.matrix.visit_token.next = self.route.visit_token.val();
        self.matrix.visit_score.next = self.route.visit_score.val();
        self.matrix.visit_last.next = self.route.visit_last.val();
        self.taken.d.next = self.drain.taken.val();
        self.matrix.drain_taken.next = self.taken.q.val() & !self.attention.active.val();

        // Norm engine.
        self.norm.start.next = self.dispatch.start_norm.val();
        self.norm.job.next = self.jobs.read_data.val();
        self.norm.parameter_write.next = self.loader.norm_write.val();
        self.norm.parameter_lane.next = self.loader.record_lane.val();
        self.norm.parameter_address.next = self.loader.norm_address.val();
        self.norm.parameter_records.next = self.loader.records.val();
        self.norm.parameters_full.next = self.loader.norm_full.val();

        // Route engine.
        self.route.start.next = self.dispatch.start_route.val();
        self.route.job.next = self.jobs.read_data.val();
        self.route.close.next = self.dispatch.close_queues.val();
        self.route.limited.next = self.dispatch.follow_gate.val();
        self.route.available.next = self.gate_words.q.val();
        if self.epilogue.scratchpad_write.val() {
            self.gate_words.d.next = self.gate_words.q.val() + 1;
        }
        if self.dispatch.gate_starts.val() {
            self.gate_words.d.next = 0.into();
        }

        // Copy engine.
        self.copy.start.next = self.dispatch.start_copy.val();
        self.copy.job.next = self.jobs.read_data.val();
        self.copy.data_valid.next = self.loader.data_valid.val();
        self.copy.data.next = self.entry_data.val();
        self.write_valid.next = self.copy.memory_valid.val();
        self.copy.memory_ready.next = self.write_ready.val();
        self.write_address.next = self.copy.memory_address.val();
        self.write_bytes.next = self.copy.memory_bytes.val();
        self.write_word_valid.next = self.copy.memory_word_valid.val();
        self.copy.memory_word_ready.next = self.write_word_ready.val();
        self.write_word_data.next = self.copy.word_data.val();

        // Attention engine.
        self.attention.start.next = self.dispatch.start_attention.val();
        self.attention.job.next = self.jobs.read_data.val();
        self.attention.row_ready.next = self.lanes.row_ready.val();
        self.attention.result_valid.next = self.lanes.result_valid.val();
        self.attention.result_tag.next = self.lanes.result_tag.val().get_bits::<48>(0);
        self.attention.results.next = self.lanes.results.val();
        self.attention.drain_taken.next = self.taken.q.val();
        self.attention.drain_busy.next = self.drain.busy.val() | !self.epilogue.idle.val();

        // Lanes: rows and parameters.
        self.lanes.row_valid.next = self.loader.row_valid.val();
        self.lanes.row_lane.next = self.loader.row_lane.val();
        self.lanes.row_address.next = self.loader.row_address.val();
        self.lanes.row_data.next = self.loader.row_data.val();
        if self.attention.row_valid.val() {
            self.lanes.row_valid.next = true;
            self.lanes.row_lane.next = self.attention.row_lane.val();
            self.lanes.row_address.next =
                bit_cast::<R, A>(self.attention.row_address.val()) | self.attention_rows.val();
            self.lanes.row_data.next = self.attention.row_data.val();
        }
        self.lanes.probability_write.next = self.attention.probability_write.val();
        self.lanes.probability_address.next =
            bit_cast::<R, A>(self.attention.probability_address.val()) | self.attention_rows.val();
        self.lanes.probability_data.next = self.attention.probability_data.val();
        self.lanes.parameter_write.next = self.loader.lanes_write.val();
        self.lanes.parameter_lane.next = self.loader.record_lane.val();
        self.lanes.parameter_bank.next = self.loader.lanes_bank.val();
        self.lanes.parameter_records.next = self.loader.records.val();
        self.lanes.context_write.next = self.attention.context_write.val();
        self.lanes.context_lane.next = self.attention.context_lane.val();
        self.lanes.context_bank.next = self.attention.context_bank.val();
        self.lanes.context_multiplier.next = self.attention.context_multiplier.val();
        self.lanes.context_shift.next = self.attention.context_shift.val();

        // Lanes: beats.
        self.lanes.beat_valid.next = self.matrix.beat.val();
        self.lanes.beat_address.next = self.matrix.beat_address.val();
        self.lanes.beat_first.next = self.matrix.beat_first.val();
        self.lanes.beat_last.next = self.matrix.beat_last.val();
        self.lanes.beat_logit_scale.next = false;
        self.lanes.beat_context_scale.next = false;
        self.lanes.beat_bank.next = self.matrix.beat_bank.val();
        self.lanes.beat_tag.next = self.matrix.beat_tag.val();
        self.scratchpad.read.next = self.matrix.beat.val();
        self.scratchpad.read_address.next = self.matrix.read_address.val().get_bits::<N>(0);
        if self.attention.active.val() {
            self.lanes.beat_valid.next = self.attention.beat.val();
            self.lanes.beat_address.next =
                bit_cast::<R, A>(self.attention.beat_address.val()) | self.attention_rows.val();
            self.lanes.beat_first.next = self.attention.beat_first.val();
            self.lanes.beat_last.next = self.attention.beat_last.val();
            self.lanes.beat_logit_scale.next = self.attention.beat_scores.val();
            self.lanes.beat_context_scale.next = self.attention.beat_contexts.val();
            self.lanes.beat_bank.next = self.attention.beat_bank.val();
            self.lanes.beat_tag.next = bit_cast::<71, 48>(self.attention.beat_tag.val());
            self.scratchpad.read.next = self.attention.beat.val();
            self.scratchpad.read_address.next = self.attention.read_address.val().get_bits::<N>(0);
        }
        self.lanes.word.next = self.scratchpad.read_data.val();
        self.shift.d.next = self.matrix.shift.val();
        self.bias_shift.d.next = self.matrix.bias_shift.val();
        self.nine_bits.d.next = self.matrix.nine_bits.val();
        self.lanes.shift.next = self.shift.q.val();
        self.lanes.bias_shift.next = self.bias_shift.q.val();
        self.lanes.nine_bits.next = self.nine_bits.q.val();
        self.lanes.logit_multiplier.next = self.attention.logit_multiplier.val();
        self.lanes.logit_shift.next = self.attention.logit_shift.val();

        // Drain and epilogue.
        self.drain.result_valid.next =
            self.lanes.result_valid.val() & !self.lanes.result_tag.val().get_bit(47);
        self.drain.results.next = self.lanes.results.val();
        self.drain.command.next = self.lanes.result_tag.val();
        self.drain.word_ready.next = self.epilogue.in_ready.val();
        self.epilogue.in_valid.next = self.drain.word_valid.val();
        self.epilogue.in_address.next = self.drain.word_address.val();
        self.epilogue.in_gelu.next = self.drain.word_modes.val().get_bit(0);
        self.epilogue.in_gelu_bits.next = self.drain.word_modes.val().get_bits::<4>(1);
        self.epilogue.in_weighted.next = self.drain.word_modes.val().get_bit(5);
        self.epilogue.in_residual.next = self.drain.word_modes.val().get_bit(6);
        self.epilogue.in_score.next = self.drain.word_modes.val().get_bits::<16>(7);
        self.epilogue.in_data.next = self.drain.word_data.val();

        // Scratchpad: rows read by attention, route, copy; words written by epilogue, norm, copy.
        self.scratchpad.row_valid.next = self.attention.row_read_valid.val()
            | self.route.read_valid.val()
            | self.copy.scratchpad_read_valid.val();
        self.scratchpad.row_address.next = self.copy.read_address.val().get_bits::<N>(0);
        if self.route.read_valid.val() {
            self.scratchpad.row_address.next = self.route.read_address.val().get_bits::<N>(0);
        }
        if self.attention.row_read_valid.val() {
            self.scratchpad.row_address.next = self.attention.row_read_address.val().get_bits::<N>(0);
        }
        self.attention.row_read_ready.next = self.scratchpad.row_ready.val();
        self.attention.row_read_data.next = self.scratchpad.row_data.val();
        self.route.read_ready.next = self.scratchpad.row_ready.val() & !self.attention.row_read_valid.val();
        self.copy.scratchpad_read_ready.next = self.scratchpad.row_ready.val()
            & !self.attention.row_read_valid.val()
            & !self.route.read_valid.val();
        self.route.read_data.next = self.scratchpad.row_data.val();
        self.copy.scratchpad_read_data.next = self.scratchpad.row_data.val();
        self.norm.write_ready.next = !self.epilogue.scratchpad_write.val();
        self.copy.scratchpad_write_ready.next =
            !self.epilogue.scratchpad_write.val() & !self.norm.write_valid.val();
        self.scratchpad_write.next = self.copy.scratchpad_write_valid.val();
        self.scratchpad_address.next = self.copy.write_address.val();
        self.scratchpad_data.next = self.copy.word_data.val();
        if self.norm.write_valid.val() {
            self.scratchpad_write.next = true;
            self.scratchpad_address.next = self.norm.write_address.val();
            self.scratchpad_data.next = self.norm.write_data.val();
        }
        if self.epilogue.scratchpad_write.val() {
            self.scratchpad_write.next = true;
            self.scratchpad_address.next = self.epilogue.scratchpad_address.val();
            self.scratchpad_data.next = self.epilogue.scratchpad_data.val();
        }
        self.scratchpad.write.next = self.scratchpad_write.val();
        self.scratchpad.write_address.next = self.scratchpad_address.val().get_bits::<N>(0);
        self.scratchpad.write_data.next = self.scratchpad_data.val();

        // Residual memory: read by epilogue, norm, copy; written by epilogue, copy.
        self.residual.read_enable.next = self.residual_reads.q.val();
        self.residual.read_address.next = self.residual_read_address.q.val();
        self.residual_reads.d.next = self.epilogue.residual_read.val()
            | self.norm.read_valid.val()
            | self.copy.residual_read_valid.val();
        self.residual_read_address.d.next = self.copy.read_address.val().get_bits::<M>(0);
        if self.norm.read_valid.val() {
            self.residual_read_address.d.next = self.norm.read_address.val().get_bits::<M>(0);
        }
        if self.epilogue.residual_read.val() {
            self.residual_read_address.d.next = self.epilogue.residual_read_address.val().get_bits::<M>(0);
        }
        self.norm.read_ready.next = !self.epilogue.residual_read.val();
        self.copy.residual_read_ready.next = !self.epilogue.residual_read.val() & !self.norm.read_valid.val();
        self.epilogue.residual_read_data.next = self.residual.read_data.val();
        self.residual_word.d.next = self.residual.read_data.val();
        self.norm.read_data.next = self.residual_word.q.val();
        self.copy.residual_read_data.next = self.residual_word.q.val();
        self.copy.residual_write_ready.next = !self.epilogue.residual_write.val();
        self.residual_write.next = self.copy.residual_write_valid.val();
        self.residual_address.next = self.copy.write_address.val();
        self.residual_data.next = self.copy.word_data.val();
        if self.epilogue.residual_write.val() {
            self.residual_write.next = true;
            self.residual_address.next = self.epilogue.residual_write_address.val();
            self.residual_data.next = self.epilogue.residual_write_data.val();
        }
        self.residual.write_enable.next = self.residual_write.val();
        self.residual.write_address.next = self.residual_address.val().get_bits::<M>(0);
        self.residual.write_data.next = self.residual_data.val();

        if self.fetch_reset.q.val() {
            self.taken.d.next = false;
            self.loads_queued.d.next = 0.into();
        }
    }
}
