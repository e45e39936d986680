//! Matrix engine: the beats of linear layers and experts.
//!
//! For each row group, as soon as its bank is full, all tokens pass: one
//! broadcast word a beat, K/V words a token. The tag of a token's last
//! beat tells drain and epilogue where its results go and what becomes of them.
//! Groups follow each other without a gap if their rows are there. Experts
//! come from the router one after another; between an expert's layers the
//! results of the first are waited for, between experts nothing is.
//!
//! A layer begins two beats after its phase, when all that is derived from it stands in
//! registers; so does, beat by beat, what is the last of a row, a set, a group.
//!
//! `results` counts what is between a last beat and the drain: no beat is
//! issued that the drain may have no room for.

use edge_moe_isa::descriptor::Destination;

use super::divide::DivideUp;
use super::job::{JOB, field, opcode, product};
use super::visits::Visits;
use crate::drain;
use crate::support::prelude::*;

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Phase {
    Idle,
    Layer,
    Offer,
    First,
    Settle,
    Second,
    Leave,
}

/// P = V = 2^L; `R` bits of a row address.
#[derive(LogicBlock)]
pub struct Matrix<const L: usize, const R: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `job`, a linear layer or experts; while not busy.
    pub start: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    /// Beats are still to be issued.
    pub busy: Signal<Out, Bit>,
    /// Only the first `available` words of the input are written.
    pub limited: Signal<In, Bit>,
    pub available: Signal<In, Bits<20>>,
    /// Nothing is behind the lanes.
    pub settled: Signal<In, Bit>,

    pub full_0: Signal<In, Bit>,
    pub full_1: Signal<In, Bit>,
    pub use_0: Signal<Out, Bit>,
    pub use_1: Signal<Out, Bit>,

    /// Router.
    pub expert_valid: Signal<In, Bit>,
    pub expert_ready: Signal<Out, Bit>,
    pub expert_last: Signal<In, Bit>,
    pub expert_none: Signal<In, Bit>,
    pub rewind: Signal<Out, Bit>,
    pub visit_valid: Signal<In, Bit>,
    pub visit_ready: Signal<Out, Bit>,
    pub visit_token: Signal<In, Bits<16>>,
    pub visit_score: Signal<In, Bits<16>>,
    pub visit_last: Signal<In, Bit>,

    /// A beat, and the scratchpad word that it broadcasts.
    pub beat: Signal<Out, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub beat_address: Signal<Out, Bits<R>>,
    pub beat_first: Signal<Out, Bit>,
    pub beat_last: Signal<Out, Bit>,
    pub beat_bank: Signal<Out, Bit>,
    /// A [`drain::Command`].
    pub beat_tag: Signal<Out, Bits<71>>,
    /// Scale of the results of this beat.
    pub shift: Signal<Out, Bits<6>>,
    pub bias_shift: Signal<Out, Bits<5>>,
    pub nine_bits: Signal<Out, Bit>,
    /// The drain took results.
    pub drain_taken: Signal<In, Bit>,
    /// Results are on their way to the drain.
    pub results_pending: Signal<Out, Bit>,

    /// What a busy engine waits for.
    pub wait_rows: Signal<Out, Bit>,
    pub wait_input: Signal<Out, Bit>,
    pub wait_room: Signal<Out, Bit>,
    pub wait_visit: Signal<Out, Bit>,

    phase: Register<Phase>,
    work: Register<Bits<JOB>>,
    opcode: Slice<JOB, 8>,
    linear_input: Slice<JOB, 32>,
    linear_output: Slice<JOB, 32>,
    linear_inputs: Slice<JOB, 16>,
    linear_outputs: Slice<JOB, 16>,
    linear_tokens: Slice<JOB, 16>,
    linear_sets: Slice<JOB, 8>,
    linear_destination: Slice<JOB, 8>,
    linear_bits: Slice<JOB, 8>,
    linear_shift: Slice<JOB, 8>,
    linear_bias_shift: Slice<JOB, 8>,
    linear_gelu_bits: Slice<JOB, 8>,
    experts_input: Slice<JOB, 32>,
    experts_hidden: Slice<JOB, 32>,
    experts_residual: Slice<JOB, 32>,
    experts_channels: Slice<JOB, 16>,
    experts_hidden_channels: Slice<JOB, 16>,
    fc1_shift: Slice<JOB, 8>,
    fc1_bias_shift: Slice<JOB, 8>,
    fc2_shift: Slice<JOB, 8>,
    fc2_bias_shift: Slice<JOB, 8>,
    experts_gelu_bits: Slice<JOB, 8>,
    set_words: Slice<JOB, 20>,
    inner: DivideUp<L>,
    outer: DivideUp<L>,
    span: DivideUp<L>,
    visits: Visits,

    linear: Signal<Local, Bit>,
    second: Signal<Local, Bit>,
    active: Signal<Local, Bit>,
    along: Signal<Local, Bit>,
    /// Words of the inner and of the outer channels.
    inner_words: Register<Bits<16>>,
    outer_words: Register<Bits<16>>,
    row_words: Signal<Local, Bits<16>>,
    groups: Signal<Local, Bits<16>>,
    /// A layer has begun, and what is derived from it stands.
    began: Register<Bit>,
    prepared: Register<Bit>,
    in_layer: Signal<Local, Bit>,

    word: Register<Bits<16>>,
    token: Register<Bits<16>>,
    set: Register<Bits<8>>,
    group: Register<Bits<16>>,
    bank: Register<Bit>,
    /// Words of the input before this one.
    offset: Register<Bits<20>>,
    /// Token-major: words of the output before this token's word of the group.
    out_offset: Register<Bits<20>>,
    /// Channel-major: of channels before the group, of sets before, of tokens before.
    channel_offset: Register<Bits<20>>,
    set_offset: Register<Bits<20>>,
    time_word: Register<Bits<12>>,
    element: Register<Bits<7>>,
    outputs_left: Register<Bits<16>>,
    results: Register<Bits<5>>,

    next_word: Signal<Local, Bits<16>>,
    next_token: Signal<Local, Bits<16>>,
    next_set: Signal<Local, Bits<8>>,
    next_group: Signal<Local, Bits<16>>,
    after_next_word: Signal<Local, Bits<16>>,
    after_next_token: Signal<Local, Bits<16>>,
    after_next_set: Signal<Local, Bits<8>>,
    after_next_group: Signal<Local, Bits<16>>,
    next_offset: Signal<Local, Bits<20>>,
    last_word: Register<Bit>,
    last_of_set: Register<Bit>,
    last_set: Register<Bit>,
    last_token: Signal<Local, Bit>,
    last_group: Register<Bit>,
    /// The bank of this beat was full a beat ago.
    rows_there: Register<Bit>,
    /// The word at `offset` was written a beat ago.
    written: Register<Bit>,
    input_there: Signal<Local, Bit>,
    visit_there: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    issue: Signal<Local, Bit>,
    token_ends: Signal<Local, Bit>,
    group_ends: Signal<Local, Bit>,
    base: Signal<Local, Bits<20>>,
    group_channels: Signal<Local, Bits<20>>,
    element_last: Signal<Local, Bit>,
    address: Signal<Local, Bits<20>>,
    stride: Signal<Local, Bits<12>>,
    words: Signal<Local, Bits<6>>,
    emit: Signal<Local, Bit>,
    gelu: Signal<Local, Bit>,
    gelu_bits: Signal<Local, Bits<4>>,
    residual: Signal<Local, Bit>,

    bank_1: Constant<Bits<R>>,
    lanes: Constant<Bits<16>>,
    last_element: Constant<Bits<7>>,
    depth: Constant<Bits<5>>,
    log_lanes: Constant<Bits<3>>,
    to_channels: Constant<Bits<8>>,
    to_residual: Constant<Bits<8>>,
    nine: Constant<Bits<8>>,
}

impl<const L: usize, const R: usize> Default for Matrix<L, R> {
    fn default() -> Self {
        let lanes = 1_u64 << L;
        with_defaults!(
            clock, reset, start, job, busy, limited, available, settled, full_0, full_1, use_0, use_1,
            expert_valid, expert_ready, expert_last, expert_none, rewind, visit_valid, visit_ready, visit_token,
            visit_score, visit_last, beat, read_address, beat_address, beat_first, beat_last, beat_bank, beat_tag,
            shift, bias_shift, nine_bits, drain_taken, results_pending, wait_rows, wait_input, wait_room,
            wait_visit, phase, work, inner, outer, span, visits, linear, second, active, along, inner_words, outer_words, row_words, groups, began, prepared, in_layer,
            word, token, set, group, bank, offset, out_offset, channel_offset, set_offset, time_word, element,
            outputs_left, results, next_word, next_token, next_set, next_group, after_next_word, after_next_token, after_next_set, after_next_group, next_offset, last_word, last_of_set, last_set, written,
            last_token, last_group, rows_there, input_there, visit_there, room, issue, token_ends, group_ends, base,
            group_channels, element_last, address, stride, words, emit, gelu, gelu_bits, residual;
            opcode: opcode(),
            linear_input: field("linear", "input"),
            linear_output: field("linear", "output"),
            linear_inputs: field("linear", "inputs"),
            linear_outputs: field("linear", "outputs"),
            linear_tokens: field("linear", "tokens"),
            linear_sets: field("linear", "sets"),
            linear_destination: field("linear", "destination"),
            linear_bits: field("linear", "bits"),
            linear_shift: field("linear", "shift"),
            linear_bias_shift: field("linear", "bias_shift"),
            linear_gelu_bits: field("linear", "gelu_bits"),
            experts_input: field("experts", "input"),
            experts_hidden: field("experts", "hidden"),
            experts_residual: field("experts", "residual"),
            experts_channels: field("experts", "channels"),
            experts_hidden_channels: field("experts", "hidden_channels"),
            fc1_shift: field("experts", "fc1_shift"),
            fc1_bias_shift: field("experts", "fc1_bias_shift"),
            fc2_shift: field("experts", "fc2_shift"),
            fc2_bias_shift: field("experts", "fc2_bias_shift"),
            experts_gelu_bits: field("experts", "gelu_bits"),
            set_words: product(2),
            bank_1: Constant::new((1_u64 << (R - 2)).into()),
            lanes: Constant::new(lanes.into()),
            last_element: Constant::new((lanes - 1).into()),
            depth: Constant::new((drain::DEPTH as u64).into()),
            log_lanes: Constant::new((L as u64).into()),
            to_channels: Constant::new((Destination::Channels as u64).into()),
            to_residual: Constant::new((Destination::Residual as u64).into()),
            nine: Constant::new(9_u64.into()),
        )
    }
}

impl<const L: usize, const R: usize> Logic for Matrix<L, R> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, phase, work, word, token, set, group, bank, offset, out_offset);
        dff_setup!(self, clock, channel_offset, set_offset, time_word, element, outputs_left, results);
        dff_setup!(self, clock, inner_words, outer_words, began, prepared, last_word, last_of_set, last_set);
        dff_setup!(self, clock, last_group, written, rows_there);
        self.opcode.bus.next = self.work.q.val();
        self.linear_input.bus.next = self.work.q.val();
        self.linear_output.bus.next = self.work.q.val();
        self.linear_inputs.bus.next = self.work.q.val();
        self.linear_outputs.bus.next = self.work.q.val();
        self.linear_tokens.bus.next = self.work.q.val();
        self.linear_sets.bus.next = self.work.q.val();
        self.linear_destination.bus.next = self.work.q.val();
        self.linear_bits.bus.next = self.work.q.val();
        self.linear_shift.bus.next = self.work.q.val();
        self.linear_bias_shift.bus.next = self.work.q.val();
        self.linear_gelu_bits.bus.next = self.work.q.val();
        self.experts_input.bus.next = self.work.q.val();
        self.experts_hidden.bus.next = self.work.q.val();
        self.experts_residual.bus.next = self.work.q.val();
        self.experts_channels.bus.next = self.work.q.val();
        self.experts_hidden_channels.bus.next = self.work.q.val();
        self.fc1_shift.bus.next = self.work.q.val();
        self.fc1_bias_shift.bus.next = self.work.q.val();
        self.fc2_shift.bus.next = self.work.q.val();
        self.fc2_bias_shift.bus.next = self.work.q.val();
        self.experts_gelu_bits.bus.next = self.work.q.val();
        self.set_words.bus.next = self.work.q.val();

        // The layer.
        self.linear.next = self.phase.q.val() == Phase::Layer;
        self.second.next = self.phase.q.val() == Phase::Second;
        self.in_layer.next = self.linear.val() | self.second.val() | (self.phase.q.val() == Phase::First);
        self.began.d.next = self.in_layer.val();
        self.prepared.d.next = self.in_layer.val() & self.began.q.val();
        self.active.next = self.in_layer.val() & self.prepared.q.val();
        self.along.next = self.linear.val() & (self.linear_destination.bits.val() == self.to_channels.val());
        self.inner.x.next = self.experts_channels.bits.val();
        self.outer.x.next = self.experts_hidden_channels.bits.val();
        if self.linear.val() {
            self.inner.x.next = self.linear_inputs.bits.val();
            self.outer.x.next = self.linear_outputs.bits.val();
        }
        self.span.x.next = self.linear_tokens.bits.val();
        self.inner_words.d.next = self.inner.y.val();
        self.outer_words.d.next = self.outer.y.val();
        self.row_words.next = self.inner_words.q.val();
        self.groups.next = self.outer_words.q.val();
        if self.second.val() {
            self.row_words.next = self.outer_words.q.val();
            self.groups.next = self.inner_words.q.val();
        }

        // Where this beat stands.
        self.next_word.next = self.word.q.val() + 1;
        self.next_token.next = self.token.q.val() + 1;
        self.next_set.next = self.set.q.val() + 1;
        self.next_group.next = self.group.q.val() + 1;
        self.next_offset.next = self.offset.q.val() + 1;
        self.after_next_word.next = self.word.q.val() + 2;
        self.after_next_token.next = self.token.q.val() + 2;
        self.after_next_set.next = self.set.q.val() + 2;
        self.after_next_group.next = self.group.q.val() + 2;
        self.last_token.next = self.visits.last.val();
        if self.linear.val() {
            self.last_token.next = self.last_of_set.q.val() & self.last_set.q.val();
        }

        // Whether it can be.
        self.input_there.next = !self.limited.val() | self.written.q.val();
        self.visit_there.next = self.linear.val() | self.visits.valid.val();
        self.room.next = !self.last_word.q.val() | (self.results.q.val() != self.depth.val());
        self.issue.next = self.active.val()
            & self.rows_there.q.val()
            & self.input_there.val()
            & self.visit_there.val()
            & self.room.val();
        self.token_ends.next = self.issue.val() & self.last_word.q.val();
        self.group_ends.next = self.token_ends.val() & self.last_token.val();
        self.wait_rows.next = self.active.val() & !self.rows_there.q.val();
        self.wait_input.next = self.active.val() & self.rows_there.q.val() & !self.input_there.val();
        self.wait_visit.next = (self.active.val() & self.rows_there.q.val() & !self.visit_there.val())
            | (self.phase.q.val() == Phase::Offer);
        self.wait_room.next = self.active.val() & self.rows_there.q.val() & !self.room.val();

        // The beat.
        self.beat.next = self.issue.val();
        self.base.next = self.experts_input.bits.val().get_bits::<20>(0) + self.visits.offset.val();
        self.read_address.next = self.base.val() + bit_cast::<20, 16>(self.word.q.val());
        if self.linear.val() {
            self.read_address.next = self.linear_input.bits.val().get_bits::<20>(0) + self.offset.q.val();
        }
        if self.second.val() {
            self.read_address.next = self.experts_hidden.bits.val().get_bits::<20>(0) + self.offset.q.val();
        }
        self.beat_address.next = bit_cast::<R, 16>(self.word.q.val());
        if self.bank.q.val() {
            self.beat_address.next = bit_cast::<R, 16>(self.word.q.val()) | self.bank_1.val();
        }
        self.beat_first.next = !self.word.q.val().any();
        self.beat_last.next = self.last_word.q.val();
        self.beat_bank.next = self.bank.q.val();
        self.shift.next = self.fc1_shift.bits.val().get_bits::<6>(0);
        self.bias_shift.next = self.fc1_bias_shift.bits.val().get_bits::<5>(0);
        self.nine_bits.next = false;
        if self.linear.val() {
            self.shift.next = self.linear_shift.bits.val().get_bits::<6>(0);
            self.bias_shift.next = self.linear_bias_shift.bits.val().get_bits::<5>(0);
            self.nine_bits.next = self.linear_bits.bits.val() == self.nine.val();
        }
        if self.second.val() {
            self.shift.next = self.fc2_shift.bits.val().get_bits::<6>(0);
            self.bias_shift.next = self.fc2_bias_shift.bits.val().get_bits::<5>(0);
        }

        // What becomes of its results: the tag.
        self.element_last.next = (self.element.q.val() == self.last_element.val()) | self.last_of_set.q.val();
        self.address.next = self.experts_hidden.bits.val().get_bits::<20>(0) + self.out_offset.q.val();
        self.stride.next = 1.into();
        self.words.next = 1.into();
        self.emit.next = true;
        self.gelu.next = true;
        self.gelu_bits.next = self.experts_gelu_bits.bits.val().get_bits::<4>(0);
        self.residual.next = false;
        if self.linear.val() {
            self.address.next = self.linear_output.bits.val().get_bits::<20>(0) + self.out_offset.q.val();
            self.gelu.next = self.linear_gelu_bits.bits.val().any();
            self.gelu_bits.next = self.linear_gelu_bits.bits.val().get_bits::<4>(0);
            self.residual.next = self.linear_destination.bits.val() == self.to_residual.val();
        }
        if self.along.val() {
            self.address.next = self.linear_output.bits.val().get_bits::<20>(0)
                + self.channel_offset.q.val()
                + self.set_offset.q.val()
                + bit_cast::<20, 12>(self.time_word.q.val());
            self.stride.next = self.span.y.val().get_bits::<12>(0);
            self.words.next = self.lanes.val().get_bits::<6>(0);
            if self.outputs_left.q.val() < self.lanes.val() {
                self.words.next = self.outputs_left.q.val().get_bits::<6>(0);
            }
            self.emit.next = self.element_last.val();
        }
        if self.second.val() {
            self.address.next = self.experts_residual.bits.val().get_bits::<20>(0)
                + self.visits.offset.val()
                + bit_cast::<20, 16>(self.group.q.val());
            self.gelu.next = false;
            self.residual.next = true;
        }
        self.beat_tag.next = bit_cast::<71, 20>(self.address.val())
            | (bit_cast::<71, 12>(self.stride.val()) << 20)
            | (bit_cast::<71, 6>(self.words.val()) << 32)
            | (bit_cast::<71, 7>(self.element.q.val()) << 38)
            | (bit_cast::<71, 1>(self.along.val().into()) << 45)
            | (bit_cast::<71, 1>(self.emit.val().into()) << 46)
            | (bit_cast::<71, 1>(self.gelu.val().into()) << 48)
            | (bit_cast::<71, 4>(self.gelu_bits.val()) << 49)
            | (bit_cast::<71, 1>(self.second.val().into()) << 53)
            | (bit_cast::<71, 1>(self.residual.val().into()) << 54)
            | (bit_cast::<71, 16>(self.visits.score.val()) << 55);

        // Whether the bank of the next beat is full: the other one, if this beat ends the group.
        self.rows_there.d.next = self.full_0.val();
        if self.bank.q.val() ^ self.group_ends.val() {
            self.rows_there.d.next = self.full_1.val();
        }

        // What is last where the next beat stands.
        self.last_word.d.next = self.next_word.val() == self.row_words.val();
        self.last_of_set.d.next = self.next_token.val() == self.linear_tokens.bits.val();
        self.last_set.d.next = self.next_set.val() == self.linear_sets.bits.val();
        self.last_group.d.next = self.next_group.val() == self.groups.val();
        self.written.d.next = self.offset.q.val() < self.available.val();
        if self.issue.val() {
            self.last_word.d.next = self.after_next_word.val() == self.row_words.val();
            self.written.d.next = self.next_offset.val() < self.available.val();
        }
        if self.token_ends.val() {
            self.last_word.d.next = self.row_words.val() == 1;
            self.last_of_set.d.next = self.after_next_token.val() == self.linear_tokens.bits.val();
            if self.last_of_set.q.val() {
                self.last_of_set.d.next = self.linear_tokens.bits.val() == 1;
                self.last_set.d.next = self.after_next_set.val() == self.linear_sets.bits.val();
            }
        }
        if self.group_ends.val() {
            self.last_of_set.d.next = self.linear_tokens.bits.val() == 1;
            self.last_set.d.next = self.linear_sets.bits.val() == 1;
            self.last_group.d.next = self.after_next_group.val() == self.groups.val();
            self.written.d.next = self.available.val().any();
        }

        // Onwards.
        if self.issue.val() {
            self.word.d.next = self.next_word.val();
            self.offset.d.next = self.next_offset.val();
        }
        self.group_channels.next = bit_cast::<20, 16>(self.span.y.val()) << self.log_lanes.val();
        if self.token_ends.val() {
            self.word.d.next = 0.into();
            self.token.d.next = self.next_token.val();
            self.out_offset.d.next = self.out_offset.q.val() + bit_cast::<20, 16>(self.groups.val());
            self.element.d.next = self.element.q.val() + 1;
            if self.element_last.val() {
                self.element.d.next = 0.into();
                self.time_word.d.next = self.time_word.q.val() + 1;
            }
            if self.last_of_set.q.val() {
                self.token.d.next = 0.into();
                self.set.d.next = self.next_set.val();
                self.time_word.d.next = 0.into();
                self.set_offset.d.next = self.set_offset.q.val() + self.set_words.bits.val();
            }
        }
        self.use_0.next = false;
        self.use_1.next = false;
        if self.group_ends.val() {
            self.token.d.next = 0.into();
            self.set.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.set_offset.d.next = 0.into();
            self.element.d.next = 0.into();
            self.time_word.d.next = 0.into();
            self.group.d.next = self.next_group.val();
            self.out_offset.d.next = bit_cast::<20, 16>(self.next_group.val());
            self.channel_offset.d.next = self.channel_offset.q.val() + self.group_channels.val();
            self.outputs_left.d.next = self.outputs_left.q.val() - self.lanes.val();
            self.bank.d.next = !self.bank.q.val();
            self.use_0.next = !self.bank.q.val();
            self.use_1.next = self.bank.q.val();
            if self.last_group.q.val() {
                self.group.d.next = 0.into();
                self.out_offset.d.next = 0.into();
            }
        }
        if self.token_ends.val() & !self.drain_taken.val() {
            self.results.d.next = self.results.q.val() + 1;
        } else if !self.token_ends.val() & self.drain_taken.val() {
            self.results.d.next = self.results.q.val() - 1;
        }
        self.results_pending.next = self.results.q.val().any();

        // Experts.
        self.visits.clock.next = self.clock.val();
        self.visits.reset.next = self.reset.val();
        self.visits.start.next = false;
        self.visits.walks.next =
            bit_cast::<17, 16>(self.inner_words.q.val()) + bit_cast::<17, 16>(self.outer_words.q.val());
        self.visits.token_words.next = self.inner_words.q.val();
        self.visits.visit_valid.next = self.visit_valid.val();
        self.visits.visit_token.next = self.visit_token.val();
        self.visits.visit_score.next = self.visit_score.val();
        self.visits.visit_last.next = self.visit_last.val();
        self.visits.take.next = self.token_ends.val() & !self.linear.val();
        self.visit_ready.next = self.visits.visit_ready.val();
        self.rewind.next = self.visits.rewind.val();
        self.expert_ready.next = false;
        match self.phase.q.val() {
            Phase::Layer => {
                if self.group_ends.val() & self.last_group.q.val() {
                    self.phase.d.next = Phase::Idle;
                }
            }
            Phase::Offer => {
                if self.expert_valid.val() {
                    self.visits.start.next = !self.expert_none.val();
                    self.phase.d.next = Phase::First;
                    if self.expert_none.val() {
                        self.expert_ready.next = true;
                        self.phase.d.next = Phase::Idle;
                    }
                }
            }
            Phase::First => {
                if self.group_ends.val() & self.last_group.q.val() {
                    self.phase.d.next = Phase::Settle;
                }
            }
            Phase::Settle => {
                if self.settled.val() {
                    self.phase.d.next = Phase::Second;
                }
            }
            Phase::Second => {
                if self.group_ends.val() & self.last_group.q.val() {
                    self.phase.d.next = Phase::Leave;
                }
            }
            Phase::Leave => {
                self.expert_ready.next = true;
                self.phase.d.next = Phase::Offer;
                if self.expert_last.val() {
                    self.phase.d.next = Phase::Idle;
                }
            }
            _ => {
                self.phase.d.next = Phase::Idle;
            }
        }
        self.busy.next = self.phase.q.val() != Phase::Idle;

        if self.start.val() {
            self.work.d.next = self.job.val();
            self.phase.d.next = Phase::Layer;
            if self.job.val().get_bits::<8>(0) == 5 {
                self.phase.d.next = Phase::Offer;
            }
            // Bytes 18 and 19 of a linear layer: N.
            self.outputs_left.d.next = self.job.val().get_bits::<16>(144);
            self.word.d.next = 0.into();
            self.token.d.next = 0.into();
            self.set.d.next = 0.into();
            self.group.d.next = 0.into();
            self.offset.d.next = 0.into();
            self.out_offset.d.next = 0.into();
            self.channel_offset.d.next = 0.into();
            self.set_offset.d.next = 0.into();
            self.time_word.d.next = 0.into();
            self.element.d.next = 0.into();
        }
        if self.reset.val() {
            self.phase.d.next = Phase::Idle;
            self.bank.d.next = false;
            self.results.d.next = 0.into();
        }
    }
}
