//! Norm engine: LayerNorm of words in the residual memory into the scratchpad.

use super::divide::DivideUp;
use super::job::{JOB, field, product};
use super::reader::Reader;
use crate::layer_norm::LayerNorm;
use crate::support::prelude::*;

/// Waits for its parameters, streams the residual words through
/// [`LayerNorm`] and writes the results. LayerNorm takes `N` of the 2^L values of a word
/// in a beat, a *piece* of `PIECE` bits: a word leaves in as many beats as it has pieces, if both memories
/// allow it. `written` counts the results, for whoever follows them.
///
/// Parameters come for a value of a word, 2^L of them, of 2^A words; LayerNorm holds them for 2^NL values
/// of 2^NA pieces.
#[derive(LogicBlock)]
pub struct Norm<
    const WORD: usize,
    const L: usize,
    const A: usize,
    const RECORDS: usize,
    const N: usize,
    const PIECE: usize,
    const NL: usize,
    const NA: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `job`; while not busy.
    pub start: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    pub busy: Signal<Out, Bit>,
    /// It waits for parameters.
    pub wait_rows: Signal<Out, Bit>,
    pub written: Signal<Out, Bits<20>>,

    pub parameter_write: Signal<In, Bit>,
    pub parameter_lane: Signal<In, Bits<L>>,
    pub parameter_address: Signal<In, Bits<A>>,
    pub parameter_records: Signal<In, Bits<RECORDS>>,
    /// All parameters are there; they were used up.
    pub parameters_full: Signal<In, Bit>,
    pub use_parameters: Signal<Out, Bit>,

    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub read_data: Signal<In, Bits<WORD>>,
    pub write_valid: Signal<Out, Bit>,
    pub write_ready: Signal<In, Bit>,
    pub write_address: Signal<Out, Bits<20>>,
    pub write_data: Signal<Out, Bits<WORD>>,

    fields: Fields,
    token_pieces: DivideUp<NL>,
    work: Register<Bits<JOB>>,
    reader: Reader<WORD>,
    layer_norm: LayerNorm<N, PIECE, NL, NA, RECORDS>,
    last_piece: Constant<Bits<L>>,
    log_pieces: Constant<Bits<3>>,
    log_values: Constant<Bits<3>>,
    /// The piece that is next to enter, to leave.
    enters: Register<Bits<L>>,
    leaves: Register<Bits<L>>,
    last_enters: Signal<Local, Bit>,
    last_leaves: Signal<Local, Bit>,
    entering: Piece<WORD, PIECE, L>,
    leaving: Widen<PIECE, WORD>,
    /// First piece of the parameters' word, the piece within it, and their sum.
    parameter_word: Signal<Local, Bits<16>>,
    parameter_piece: Signal<Local, Bits<16>>,
    parameter_place: Signal<Local, Bits<16>>,
    waiting: Register<Bit>,
    running: Register<Bit>,
    count: Register<Bits<20>>,
    next_count: Signal<Local, Bits<20>>,
    complete: Signal<Local, Bit>,
}

impl<
    const WORD: usize,
    const L: usize,
    const A: usize,
    const RECORDS: usize,
    const N: usize,
    const PIECE: usize,
    const NL: usize,
    const NA: usize,
> Default for Norm<WORD, L, A, RECORDS, N, PIECE, NL, NA>
{
    fn default() -> Self {
        assert_eq!([16 << L, 16 << NL, N], [WORD, PIECE, 1 << NL], "{N} values of a word of {WORD} bits");
        assert_eq!(A + L, NA + NL, "parameters of 2^{A} words");
        assert!(RECORDS <= 64 * N, "records of {RECORDS} bits for {N} values");
        with_defaults!(
            clock, reset, start, job, busy, wait_rows, written, parameter_write, parameter_lane,
            parameter_address, parameter_records, parameters_full, use_parameters, read_valid, read_ready,
            read_address, read_data, write_valid, write_ready, write_address, write_data, fields, token_pieces,
            work, reader, layer_norm, enters, leaves, last_enters, last_leaves, entering, leaving,
            parameter_word, parameter_piece, parameter_place, waiting, running, count, next_count, complete;
            last_piece: Constant::new(((WORD / PIECE) as u64 - 1).into()),
            log_pieces: Constant::new(((L - NL) as u64).into()),
            log_values: Constant::new((NL as u64).into()),
        )
    }
}

/// The fields of a norm's job.
#[derive(LogicBlock)]
struct Fields {
    pub job: Signal<In, Bits<JOB>>,
    pub input_address: Signal<Out, Bits<32>>,
    pub output_address: Signal<Out, Bits<32>>,
    pub channels: Signal<Out, Bits<16>>,
    pub shift: Signal<Out, Bits<8>>,
    pub bias_shift: Signal<Out, Bits<8>>,
    pub epsilon: Signal<Out, Bits<64>>,
    pub words: Signal<Out, Bits<20>>,
    input_field: Slice<JOB, 32>,
    output_field: Slice<JOB, 32>,
    channels_field: Slice<JOB, 16>,
    shift_field: Slice<JOB, 8>,
    bias_shift_field: Slice<JOB, 8>,
    epsilon_field: Slice<JOB, 64>,
    words_field: Slice<JOB, 20>,
}

impl Default for Fields {
    fn default() -> Self {
        with_defaults!(
            job, input_address, output_address, channels, shift, bias_shift, epsilon, words;
            input_field: field("norm", "input"),
            output_field: field("norm", "output"),
            channels_field: field("norm", "channels"),
            shift_field: field("norm", "shift"),
            bias_shift_field: field("norm", "bias_shift"),
            epsilon_field: field("norm", "epsilon"),
            words_field: product(0),
        )
    }
}

impl Logic for Fields {
    #[hdl_gen]
    fn update(&mut self) {
        self.input_field.bus.next = self.job.val();
        self.output_field.bus.next = self.job.val();
        self.channels_field.bus.next = self.job.val();
        self.shift_field.bus.next = self.job.val();
        self.bias_shift_field.bus.next = self.job.val();
        self.epsilon_field.bus.next = self.job.val();
        self.words_field.bus.next = self.job.val();
        self.input_address.next = self.input_field.bits.val();
        self.output_address.next = self.output_field.bits.val();
        self.channels.next = self.channels_field.bits.val();
        self.shift.next = self.shift_field.bits.val();
        self.bias_shift.next = self.bias_shift_field.bits.val();
        self.epsilon.next = self.epsilon_field.bits.val();
        self.words.next = self.words_field.bits.val();
    }
}

impl<
    const WORD: usize,
    const L: usize,
    const A: usize,
    const RECORDS: usize,
    const N: usize,
    const PIECE: usize,
    const NL: usize,
    const NA: usize,
> Logic for Norm<WORD, L, A, RECORDS, N, PIECE, NL, NA>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, work, enters, leaves, waiting, running, count);
        self.fields.job.next = self.work.q.val();
        self.reader.clock.next = self.clock.val();
        self.reader.reset.next = self.reset.val();
        self.layer_norm.clock.next = self.clock.val();
        self.layer_norm.reset.next = self.reset.val();

        self.layer_norm.channels.next = self.fields.channels.val().get_bits::<13>(0);
        self.token_pieces.x.next = self.fields.channels.val();
        self.layer_norm.words.next = self.token_pieces.y.val().get_bits::<13>(0);
        self.layer_norm.epsilon.next = self.fields.epsilon.val().get_bits::<49>(0);
        self.layer_norm.shift.next = self.fields.shift.val().get_bits::<6>(0);
        self.layer_norm.bias_shift.next = self.fields.bias_shift.val().get_bits::<5>(0);
        self.layer_norm.parameter_write.next = self.parameter_write.val();
        self.layer_norm.parameter_lane.next = self.parameter_lane.val().get_bits::<NL>(0);
        self.parameter_word.next = bit_cast::<16, A>(self.parameter_address.val()) << self.log_pieces.val();
        self.parameter_piece.next = bit_cast::<16, L>(self.parameter_lane.val()) >> self.log_values.val();
        self.parameter_place.next = self.parameter_word.val() | self.parameter_piece.val();
        self.layer_norm.parameter_address.next = self.parameter_place.val().get_bits::<NA>(0);
        self.layer_norm.parameter_records.next = self.parameter_records.val();

        // In.
        self.reader.start.next = self.waiting.q.val() & self.parameters_full.val();
        self.reader.address.next = self.fields.input_address.val().get_bits::<20>(0);
        self.reader.count.next = self.fields.words.val();
        self.reader.limited.next = false;
        self.reader.available.next = 0.into();
        self.read_valid.next = self.reader.read_valid.val();
        self.reader.read_ready.next = self.read_ready.val();
        self.read_address.next = self.reader.read_address.val();
        self.reader.read_data.next = self.read_data.val();
        self.entering.bus.next = self.reader.word_data.val();
        self.entering.index.next = self.enters.q.val();
        self.last_enters.next = self.enters.q.val() == self.last_piece.val();
        self.layer_norm.word_valid.next = self.reader.word_valid.val();
        self.reader.word_ready.next = self.layer_norm.word_ready.val() & self.last_enters.val();
        self.layer_norm.word_data.next = self.entering.bits.val();
        if self.layer_norm.word_valid.val() & self.layer_norm.word_ready.val() {
            self.enters.d.next = self.enters.q.val() + 1;
            if self.last_enters.val() {
                self.enters.d.next = 0.into();
            }
        }

        // Out.
        self.leaving.clock.next = self.clock.val();
        self.leaving.narrow.next = self.layer_norm.result_data.val();
        self.leaving.take.next = self.layer_norm.result_valid.val() & self.layer_norm.result_ready.val();
        self.last_leaves.next = self.leaves.q.val() == self.last_piece.val();
        self.write_valid.next = self.layer_norm.result_valid.val() & self.last_leaves.val();
        self.layer_norm.result_ready.next = self.write_ready.val() | !self.last_leaves.val();
        if self.leaving.take.val() {
            self.leaves.d.next = self.leaves.q.val() + 1;
            if self.last_leaves.val() {
                self.leaves.d.next = 0.into();
            }
        }
        self.write_address.next = self.fields.output_address.val().get_bits::<20>(0) + self.count.q.val();
        self.write_data.next = self.leaving.wide.val();
        self.next_count.next = self.count.q.val() + 1;
        self.complete.next = false;
        if self.write_valid.val() & self.write_ready.val() {
            self.count.d.next = self.next_count.val();
            self.complete.next = self.next_count.val() == self.fields.words.val();
        }
        self.written.next = self.count.q.val();
        self.use_parameters.next = self.complete.val();

        self.busy.next = self.waiting.q.val() | self.running.q.val();
        self.wait_rows.next = self.waiting.q.val();
        if self.reader.start.val() {
            self.waiting.d.next = false;
            self.running.d.next = true;
        }
        if self.complete.val() {
            self.running.d.next = false;
        }
        if self.start.val() {
            self.work.d.next = self.job.val();
            self.waiting.d.next = true;
            self.count.d.next = 0.into();
        }
        if self.reset.val() {
            self.enters.d.next = 0.into();
            self.leaves.d.next = 0.into();
            self.waiting.d.next = false;
            self.running.d.next = false;
        }
    }
}
