//! LayerNorm: a stream of residual words to a stream of normalised words.
//!
//! Twin of `edge_moe_kernels::layer_norm::layer_norm`. Words hold V values of
//! sixteen bits, `words` of them a token, token after token. Each word goes
//! into a ring of 2^A words and into the sums Σr and Σr² of its token. When a
//! token is complete, its spread D·Σr² − (Σr)² + ε goes to 1/√; sum and inverse
//! root wait in queues while the words before them leave the ring, each value
//! as (D·r − Σr)·mantissa, shifted and rounded to z, requantised with gain and
//! offset of its channel.
//!
//! Ports: `word_*` the residual, `result_*` the normalised words, ready/valid
//! both. `words`, `channels` = V·`words` (at most 4096), `epsilon`, `shift` and
//! `bias_shift` hold still while `busy`. `parameter_*` writes gain and offset of
//! RECORDS/64 channels of word `parameter_address`, from lane `parameter_lane` (a multiple
//! of RECORDS/64) on, as records of `edge_moe_isa::packing`, while not `busy`.
//!
//! Back-pressure: the pipeline behind the ring never stalls. A word leaves the
//! ring only if the result queue has room for it and for all on their way.
//!
//! From the last word of a token to its first result: [`LATENCY`] beats.
//! Throughput one word a beat, without a gap between tokens, if `words` is at
//! most 2^A − 15; up to 2^A words are legal.

use crate::reciprocal::InverseRoot;
use crate::requantise::Requantise;
use crate::support::prelude::*;

/// Beats from the last word of a token to its first result: sums, spread, inverse root, queue, normalisation, queue.
pub const LATENCY: usize = 3 + SPREAD + crate::reciprocal::LATENCY + 2 + RESULT + 2;
/// Beats from the sums of a token to its spread: products, their sums, difference, spread.
const SPREAD: usize = 4;
/// Beats from a word's leaving of the ring to the reading of its parameters.
const PARAMETERS: usize = 6;
/// Beats from there to its result.
const REQUANTISED: usize = 1 + Requantise::LATENCY;
/// Beats from a word's leaving of the ring to its result.
const RESULT: usize = PARAMETERS + REQUANTISED;

#[derive(LogicBlock)]
pub struct LayerNorm<const V: usize, const WORD: usize, const L: usize, const A: usize, const RECORDS: usize>
{
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub words: Signal<In, Bits<13>>,
    /// D.
    pub channels: Signal<In, Bits<13>>,
    pub epsilon: Signal<In, Bits<49>>,
    pub shift: Signal<In, Bits<6>>,
    pub bias_shift: Signal<In, Bits<5>>,

    pub parameter_write: Signal<In, Bit>,
    pub parameter_lane: Signal<In, Bits<L>>,
    pub parameter_address: Signal<In, Bits<A>>,
    pub parameter_records: Signal<In, Bits<RECORDS>>,

    pub word_valid: Signal<In, Bit>,
    pub word_ready: Signal<Out, Bit>,
    pub word_data: Signal<In, Bits<WORD>>,

    pub result_valid: Signal<Out, Bit>,
    pub result_ready: Signal<In, Bit>,
    pub result_data: Signal<Out, Bits<WORD>>,

    /// A word was taken whose result has not left.
    pub busy: Signal<Out, Bit>,

    last_word: Register<Bits<13>>,
    positive_channels: Signal<Local, Bits<14>>,
    positive_epsilon: Signal<Local, Bits<50>>,

    // Words in.
    take: Signal<Local, Bit>,
    take_last: Signal<Local, Bit>,
    take_word: Register<Bits<13>>,
    ring: Ram<WORD, A>,
    write_pointer: Register<Bits<A>>,
    read_pointer: Register<Bits<A>>,
    /// Words in the ring.
    held: Register<Bits<13>>,
    capacity: Constant<Bits<13>>,
    /// Complete tokens that have not left the ring: no more than the queues hold.
    tokens: Register<Bits<5>>,

    // Sums of a token.
    moments: Moments<V, WORD>,
    summed: ValidDelay<2>,
    first: Delay<Bit, 2>,
    last: Delay<Bit, 2>,
    sum: Register<S<28>>,
    squares: Register<S<44>>,
    complete: Register<Bit>,

    // Its inverse root. Products are made of pieces of seventeen bits, for one multiplier block each.
    squares_low: Signal<Local, Bits<18>>,
    squares_middle: Signal<Local, Bits<18>>,
    squares_high: Signal<Local, Bits<11>>,
    scaled_low: Register<S<32>>,
    scaled_middle: Register<S<32>>,
    scaled_high: Register<S<25>>,
    scaled_outer: Signal<Local, Bits<56>>,
    scaled_inner: Signal<Local, Bits<56>>,
    sum_low: Signal<Local, Bits<18>>,
    sum_high: Signal<Local, S<11>>,
    square_low: Register<S<36>>,
    square_middle: Register<S<29>>,
    square_high: Register<S<22>>,
    square_outer: Signal<Local, Bits<56>>,
    square_extended: Signal<Local, S<56>>,
    square_inner: Signal<Local, Bits<56>>,
    scaled_squares: Register<S<56>>,
    squared_sum: Register<S<56>>,
    variance: Register<S<56>>,
    spread: Register<S<56>>,
    spread_valid: ValidDelay<SPREAD>,
    inverse_root: InverseRoot,
    sums: Fifo<28, 4>,
    inverses: Fifo<22, 4>,

    // Words out.
    leave: Signal<Local, Bit>,
    leave_last: Signal<Local, Bit>,
    leave_word: Register<Bits<13>>,
    leave_sum: Delay<S<28>, 2>,
    leave_mantissa: Delay<Bits<17>, 3>,
    leave_exponent: Delay<Bits<5>, 5>,
    parameters: ValidDelay<PARAMETERS>,
    parameter_word: Register<Bits<13>>,
    /// Of all lanes: gains, lower and upper halves of the offsets.
    gains: LaneRam<V, WORD, A>,
    offsets_low: LaneRam<V, WORD, A>,
    offsets_high: LaneRam<V, WORD, A>,
    split: Split<S<16>, V, WORD>,
    lane: [Lane; V],
    records: Spread<Bits<64>, V, RECORDS>,
    records_held: Register<Bits<RECORDS>>,
    records_word: Register<Bits<A>>,
    parameter_writes: Concat<Bit, V, V>,
    parameter_writes_held: Register<Bits<V>>,
    new_gains: Concat<Bits<16>, V, WORD>,
    new_offsets_low: Concat<Bits<16>, V, WORD>,
    new_offsets_high: Concat<Bits<16>, V, WORD>,
    gain: Split<S<16>, V, WORD>,
    offset_low: Split<Bits<16>, V, WORD>,
    offset_high: Split<Bits<16>, V, WORD>,
    /// The `parameter_lane` with which a lane's record comes.
    record_lane: [Constant<Bits<L>>; V],
    concat: Concat<S<16>, V, WORD>,
    normalised: ValidDelay<REQUANTISED>,
    results: Fifo<WORD, 4>,
    /// Words that left the ring and have not left the result queue.
    underway: Register<Bits<5>>,
    result_leaves: Signal<Local, Bit>,
}

impl<const V: usize, const WORD: usize, const L: usize, const A: usize, const RECORDS: usize> Default
    for LayerNorm<V, WORD, L, A, RECORDS>
{
    fn default() -> Self {
        assert!(V <= 1 << L, "{V} lanes in {L} bits");
        assert!(A <= 12, "more words than a token of 4096 channels has");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            words: Default::default(),
            channels: Default::default(),
            epsilon: Default::default(),
            shift: Default::default(),
            bias_shift: Default::default(),
            parameter_write: Default::default(),
            parameter_lane: Default::default(),
            parameter_address: Default::default(),
            parameter_records: Default::default(),
            word_valid: Default::default(),
            word_ready: Default::default(),
            word_data: Default::default(),
            result_valid: Default::default(),
            result_ready: Default::default(),
            result_data: Default::default(),
            busy: Default::default(),
            last_word: Default::default(),
            positive_channels: Default::default(),
            positive_epsilon: Default::default(),
            take: Default::default(),
            take_last: Default::default(),
            take_word: Default::default(),
            ring: Default::default(),
            write_pointer: Default::default(),
            read_pointer: Default::default(),
            held: Default::default(),
            capacity: Constant::new((1 << A).into()),
            tokens: Default::default(),
            moments: Default::default(),
            summed: Default::default(),
            first: Default::default(),
            last: Default::default(),
            sum: Default::default(),
            squares: Default::default(),
            complete: Default::default(),
            squares_low: Default::default(),
            squares_middle: Default::default(),
            squares_high: Default::default(),
            scaled_low: Default::default(),
            scaled_middle: Default::default(),
            scaled_high: Default::default(),
            scaled_outer: Default::default(),
            scaled_inner: Default::default(),
            sum_low: Default::default(),
            sum_high: Default::default(),
            square_low: Default::default(),
            square_middle: Default::default(),
            square_high: Default::default(),
            square_outer: Default::default(),
            square_extended: Default::default(),
            square_inner: Default::default(),
            scaled_squares: Default::default(),
            squared_sum: Default::default(),
            variance: Default::default(),
            spread: Default::default(),
            spread_valid: Default::default(),
            inverse_root: Default::default(),
            sums: Default::default(),
            inverses: Default::default(),
            leave: Default::default(),
            leave_last: Default::default(),
            leave_word: Default::default(),
            leave_sum: Default::default(),
            leave_mantissa: Default::default(),
            leave_exponent: Default::default(),
            parameters: Default::default(),
            parameter_word: Default::default(),
            gains: Default::default(),
            offsets_low: Default::default(),
            offsets_high: Default::default(),
            split: Default::default(),
            lane: from_fn(|_| Default::default()),
            records: Default::default(),
            records_held: Default::default(),
            records_word: Default::default(),
            parameter_writes: Default::default(),
            parameter_writes_held: Default::default(),
            new_gains: Default::default(),
            new_offsets_low: Default::default(),
            new_offsets_high: Default::default(),
            gain: Default::default(),
            offset_low: Default::default(),
            offset_high: Default::default(),
            record_lane: from_fn(|lane| {
                let lanes = RECORDS / 64;
                Constant::new(((lane / lanes * lanes) as u64).into())
            }),
            concat: Default::default(),
            normalised: Default::default(),
            results: Default::default(),
            underway: Default::default(),
            result_leaves: Default::default(),
        }
    }
}

impl<const V: usize, const WORD: usize, const L: usize, const A: usize, const RECORDS: usize> Logic
    for LayerNorm<V, WORD, L, A, RECORDS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            take_word,
            write_pointer,
            read_pointer,
            held,
            tokens,
            sum,
            squares,
            complete,
            scaled_low,
            scaled_middle,
            scaled_high,
            square_low,
            square_middle,
            square_high,
            scaled_squares,
            squared_sum,
            variance,
            spread,
            leave_word,
            parameter_word,
            underway,
            records_held,
            records_word,
            parameter_writes_held,
            last_word
        );
        self.ring.clock.next = self.clock.val();
        self.moments.clock.next = self.clock.val();
        self.summed.clock.next = self.clock.val();
        self.summed.reset.next = self.reset.val();
        self.first.clock.next = self.clock.val();
        self.last.clock.next = self.clock.val();
        self.spread_valid.clock.next = self.clock.val();
        self.spread_valid.reset.next = self.reset.val();
        self.inverse_root.clock.next = self.clock.val();
        self.inverse_root.reset.next = self.reset.val();
        self.sums.clock.next = self.clock.val();
        self.sums.reset.next = self.reset.val();
        self.inverses.clock.next = self.clock.val();
        self.inverses.reset.next = self.reset.val();
        self.leave_sum.clock.next = self.clock.val();
        self.leave_mantissa.clock.next = self.clock.val();
        self.leave_exponent.clock.next = self.clock.val();
        self.parameters.clock.next = self.clock.val();
        self.parameters.reset.next = self.reset.val();
        self.normalised.clock.next = self.clock.val();
        self.normalised.reset.next = self.reset.val();
        self.results.clock.next = self.clock.val();
        self.results.reset.next = self.reset.val();
        self.last_word.d.next = self.words.val() - 1;
        self.positive_channels.next = bit_cast::<14, 13>(self.channels.val());
        self.positive_epsilon.next = bit_cast::<50, 49>(self.epsilon.val());

        // A word into the ring and into the sums.
        self.word_ready.next = (self.held.q.val() != self.capacity.val()) & (self.tokens.q.val() != 16);
        self.take.next = self.word_valid.val() & self.word_ready.val();
        self.take_last.next = self.take_word.q.val() == self.last_word.q.val();
        self.ring.write_enable.next = self.take.val();
        self.ring.write_address.next = self.write_pointer.q.val();
        self.ring.write_data.next = self.word_data.val();
        if self.take.val() {
            self.write_pointer.d.next = self.write_pointer.q.val() + 1;
            self.take_word.d.next = self.take_word.q.val() + 1;
            if self.take_last.val() {
                self.take_word.d.next = 0.into();
            }
        }
        self.moments.word.next = self.word_data.val();
        self.summed.d.next = self.take.val();
        self.first.d.next = self.take_word.q.val() == 0;
        self.last.d.next = self.take_last.val();
        if self.summed.q.val() {
            if self.first.q.val() {
                self.sum.d.next = self.moments.sum.val().into();
                self.squares.d.next = self.moments.squares.val().into();
            } else {
                self.sum.d.next = (self.sum.q.val() + self.moments.sum.val()).into();
                self.squares.d.next = (self.squares.q.val() + self.moments.squares.val()).into();
            }
        }
        self.complete.d.next = self.summed.q.val() & self.last.q.val();

        // D·Σr² − (Σr)² + ε, its inverse root.
        self.squares_low.next = bit_cast::<18, 17>(self.squares.q.val().get_bits::<17>(0));
        self.squares_middle.next = bit_cast::<18, 17>(self.squares.q.val().get_bits::<17>(17));
        self.squares_high.next = bit_cast::<11, 10>(self.squares.q.val().get_bits::<10>(34));
        self.scaled_low.d.next =
            (self.positive_channels.val().to_signed_bits() * self.squares_low.val().to_signed_bits()).into();
        self.scaled_middle.d.next = (self.positive_channels.val().to_signed_bits()
            * self.squares_middle.val().to_signed_bits())
        .into();
        self.scaled_high.d.next =
            (self.positive_channels.val().to_signed_bits() * self.squares_high.val().to_signed_bits()).into();
        self.scaled_outer.next = (bit_cast::<56, 25>(self.scaled_high.q.val().get_bits::<25>(0)) << 34)
            | bit_cast::<56, 32>(self.scaled_low.q.val().get_bits::<32>(0));
        self.scaled_inner.next = bit_cast::<56, 32>(self.scaled_middle.q.val().get_bits::<32>(0)) << 17;
        self.scaled_squares.d.next =
            (self.scaled_outer.val().to_signed_bits() + self.scaled_inner.val().to_signed_bits()).into();
        self.sum_low.next = bit_cast::<18, 17>(self.sum.q.val().get_bits::<17>(0));
        self.sum_high.next = self.sum.q.val().get_bits::<11>(17).to_signed_bits();
        self.square_low.d.next =
            (self.sum_low.val().to_signed_bits() * self.sum_low.val().to_signed_bits()).into();
        self.square_middle.d.next = (self.sum_high.val() * self.sum_low.val().to_signed_bits()).into();
        self.square_high.d.next = (self.sum_high.val() * self.sum_high.val()).into();
        self.square_outer.next = (bit_cast::<56, 22>(self.square_high.q.val().get_bits::<22>(0)) << 34)
            | bit_cast::<56, 34>(self.square_low.q.val().get_bits::<34>(0));
        self.square_extended.next = self.square_middle.q.val().into();
        self.square_inner.next = bit_cast::<56, 38>(self.square_extended.val().get_bits::<38>(0)) << 18;
        self.squared_sum.d.next =
            (self.square_outer.val().to_signed_bits() + self.square_inner.val().to_signed_bits()).into();
        self.variance.d.next = (self.scaled_squares.q.val() - self.squared_sum.q.val()).into();
        self.spread.d.next = (self.variance.q.val() + self.positive_epsilon.val().to_signed_bits()).into();
        self.spread_valid.d.next = self.complete.q.val();
        self.inverse_root.valid.next = self.spread_valid.q.val();
        self.inverse_root.v.next = bit_cast::<64, 55>(self.spread.q.val().get_bits::<55>(0));
        self.sums.write.next = self.complete.q.val();
        self.sums.write_data.next = self.sum.q.val().get_bits::<28>(0);
        self.inverses.write.next = self.inverse_root.result_valid.val();
        self.inverses.write_data.next = (bit_cast::<22, 5>(self.inverse_root.exponent.val()) << 17)
            | bit_cast::<22, 17>(self.inverse_root.mantissa.val());

        // A word out of the ring; its token's sum is queued before its inverse root.
        self.leave.next = self.inverses.read_valid.val() & (self.underway.q.val() != 16);
        self.leave_last.next = self.leave_word.q.val() == self.last_word.q.val();
        self.ring.read_enable.next = self.leave.val();
        self.ring.read_address.next = self.read_pointer.q.val();
        if self.leave.val() {
            self.read_pointer.d.next = self.read_pointer.q.val() + 1;
            self.leave_word.d.next = self.leave_word.q.val() + 1;
            if self.leave_last.val() {
                self.leave_word.d.next = 0.into();
            }
        }
        self.sums.read_ready.next = self.leave.val() & self.leave_last.val();
        self.inverses.read_ready.next = self.leave.val() & self.leave_last.val();
        self.leave_sum.d.next = self.sums.read_data.val().to_signed_bits();
        self.leave_mantissa.d.next = self.inverses.read_data.val().get_bits::<17>(0);
        self.leave_exponent.d.next = self.inverses.read_data.val().get_bits::<5>(17);
        self.parameters.d.next = self.leave.val();
        if self.parameters.q.val() {
            self.parameter_word.d.next = self.parameter_word.q.val() + 1;
            if self.parameter_word.q.val() == self.last_word.q.val() {
                self.parameter_word.d.next = 0.into();
            }
        }
        self.normalised.d.next = self.parameters.q.val();

        self.split.bus.next = self.ring.read_data.val();
        self.records_held.d.next = self.parameter_records.val();
        self.records_word.d.next = self.parameter_address.val();
        self.records.bus.next = self.records_held.q.val();
        self.parameter_writes_held.d.next = self.parameter_writes.bus.val();
        self.gains.clock.next = self.clock.val();
        self.gains.write_enable.next = self.parameter_writes_held.q.val();
        self.gains.write_address.next = self.records_word.q.val();
        self.gains.write_data.next = self.new_gains.bus.val();
        self.gains.read_enable.next = self.parameters.q.val();
        self.gains.read_address.next = self.parameter_word.q.val().get_bits::<A>(0);
        self.gain.bus.next = self.gains.read_data.val();
        self.offsets_low.clock.next = self.clock.val();
        self.offsets_low.write_enable.next = self.parameter_writes_held.q.val();
        self.offsets_low.write_address.next = self.records_word.q.val();
        self.offsets_low.write_data.next = self.new_offsets_low.bus.val();
        self.offsets_low.read_enable.next = self.parameters.q.val();
        self.offsets_low.read_address.next = self.parameter_word.q.val().get_bits::<A>(0);
        self.offset_low.bus.next = self.offsets_low.read_data.val();
        self.offsets_high.clock.next = self.clock.val();
        self.offsets_high.write_enable.next = self.parameter_writes_held.q.val();
        self.offsets_high.write_address.next = self.records_word.q.val();
        self.offsets_high.write_data.next = self.new_offsets_high.bus.val();
        self.offsets_high.read_enable.next = self.parameters.q.val();
        self.offsets_high.read_address.next = self.parameter_word.q.val().get_bits::<A>(0);
        self.offset_high.bus.next = self.offsets_high.read_data.val();
        for i in 0..V {
            self.lane[i].clock.next = self.clock.val();
            self.parameter_writes.lane[i].next =
                self.parameter_write.val() & (self.parameter_lane.val() == self.record_lane[i].val());
            self.new_gains.lane[i].next = self.records.lane[i].val().get_bits::<16>(0);
            self.new_offsets_low.lane[i].next = self.records.lane[i].val().get_bits::<16>(32);
            self.new_offsets_high.lane[i].next = self.records.lane[i].val().get_bits::<16>(48);
            self.lane[i].gain.next = self.gain.lane[i].val();
            self.lane[i].offset_low.next = self.offset_low.lane[i].val();
            self.lane[i].offset_high.next = self.offset_high.lane[i].val();
            self.lane[i].channels.next = self.positive_channels.val().to_signed_bits();
            self.lane[i].shift.next = self.shift.val();
            self.lane[i].bias_shift.next = self.bias_shift.val();
            self.lane[i].value.next = self.split.lane[i].val();
            self.lane[i].sum.next = self.leave_sum.q.val();
            self.lane[i].mantissa.next = self.leave_mantissa.q.val();
            self.lane[i].exponent.next = self.leave_exponent.q.val();
            self.concat.lane[i].next = self.lane[i].result.val();
        }

        // Results.
        self.results.write.next = self.normalised.q.val();
        self.results.write_data.next = self.concat.bus.val();
        self.results.read_ready.next = self.result_ready.val();
        self.result_valid.next = self.results.read_valid.val();
        self.result_data.next = self.results.read_data.val();
        self.result_leaves.next = self.results.read_valid.val() & self.result_ready.val();

        // What is where.
        if self.take.val() & !self.leave.val() {
            self.held.d.next = self.held.q.val() + 1;
        } else if self.leave.val() & !self.take.val() {
            self.held.d.next = self.held.q.val() - 1;
        }
        if (self.take.val() & self.take_last.val()) & !(self.leave.val() & self.leave_last.val()) {
            self.tokens.d.next = self.tokens.q.val() + 1;
        } else if (self.leave.val() & self.leave_last.val()) & !(self.take.val() & self.take_last.val()) {
            self.tokens.d.next = self.tokens.q.val() - 1;
        }
        if self.leave.val() & !self.result_leaves.val() {
            self.underway.d.next = self.underway.q.val() + 1;
        } else if self.result_leaves.val() & !self.leave.val() {
            self.underway.d.next = self.underway.q.val() - 1;
        }
        self.busy.next = self.held.q.val().any() | self.underway.q.val().any();

        if self.reset.val() {
            self.complete.d.next = false;
            self.take_word.d.next = 0.into();
            self.write_pointer.d.next = 0.into();
            self.read_pointer.d.next = 0.into();
            self.held.d.next = 0.into();
            self.tokens.d.next = 0.into();
            self.leave_word.d.next = 0.into();
            self.parameter_word.d.next = 0.into();
            self.underway.d.next = 0.into();
        }
    }
}

/// One value a beat: beat 0 reads its word from the ring.
///
/// | beats | what |
/// |---:|---|
/// | 1 | `value` |
/// | 2 | D·r; `sum` |
/// | 3 | D·r − Σr; `mantissa` |
/// | 4, 5 | times mantissa, in two halves for one multiplier block each; `exponent` |
/// | 6 | shifted |
/// | 7 | z; `gain`, `offset_low`, `offset_high` |
/// | 11 | `result` |
///
/// The kernel's saturation of z is not built: no value lies further than
/// √(D − 1) standard deviations from the mean (Samuelson's inequality), so that
/// |z| ≤ √4095 · 2^12 · (1 + 2^−16) + 1 < 2^18.
#[derive(LogicBlock)]
struct Lane {
    pub clock: Signal<In, Clock>,
    pub channels: Signal<In, S<14>>,
    pub shift: Signal<In, Bits<6>>,
    pub bias_shift: Signal<In, Bits<5>>,
    pub value: Signal<In, S<16>>,
    pub sum: Signal<In, S<28>>,
    pub mantissa: Signal<In, Bits<17>>,
    pub exponent: Signal<In, Bits<5>>,
    pub gain: Signal<In, S<16>>,
    pub offset_low: Signal<In, Bits<16>>,
    pub offset_high: Signal<In, Bits<16>>,
    pub result: Signal<Out, S<16>>,

    offset: Signal<Local, Bits<32>>,
    scaled: Register<S<29>>,
    centred: Register<S<29>>,
    positive_mantissa: Signal<Local, Bits<18>>,
    low: Signal<Local, Bits<18>>,
    high: Signal<Local, S<12>>,
    low_product: Register<S<36>>,
    high_product: Register<S<30>>,
    high_placed: Signal<Local, Bits<47>>,
    product: Register<S<47>>,
    shifter: ShiftRightInto<43, 20, 5>,
    shifted: Register<S<20>>,
    plus_one: Signal<Local, S<20>>,
    one: Constant<S<20>>,
    z: Register<S<19>>,
    requantise: Requantise,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            channels: Default::default(),
            shift: Default::default(),
            bias_shift: Default::default(),
            value: Default::default(),
            sum: Default::default(),
            mantissa: Default::default(),
            exponent: Default::default(),
            gain: Default::default(),
            offset_low: Default::default(),
            offset_high: Default::default(),
            offset: Default::default(),
            result: Default::default(),
            scaled: Default::default(),
            centred: Default::default(),
            positive_mantissa: Default::default(),
            low: Default::default(),
            high: Default::default(),
            low_product: Default::default(),
            high_product: Default::default(),
            high_placed: Default::default(),
            product: Default::default(),
            shifter: Default::default(),
            shifted: Default::default(),
            plus_one: Default::default(),
            one: Constant::new(S::new(1)),
            z: Default::default(),
            requantise: Default::default(),
        }
    }
}

impl Logic for Lane {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, scaled, centred, low_product, high_product, product, shifted, z);
        self.requantise.clock.next = self.clock.val();

        // Beats 2 and 3: centre.
        self.scaled.d.next = (self.channels.val() * self.value.val()).into();
        self.centred.d.next = (self.scaled.q.val() - self.sum.val()).into();

        // Beats 4 and 5: multiply.
        self.positive_mantissa.next = bit_cast::<18, 17>(self.mantissa.val());
        self.low.next = bit_cast::<18, 17>(self.centred.q.val().get_bits::<17>(0));
        self.high.next = self.centred.q.val().get_bits::<12>(17).to_signed_bits();
        self.low_product.d.next =
            (self.low.val().to_signed_bits() * self.positive_mantissa.val().to_signed_bits()).into();
        self.high_product.d.next = (self.high.val() * self.positive_mantissa.val().to_signed_bits()).into();
        self.high_placed.next = bit_cast::<47, 30>(self.high_product.q.val().get_bits::<30>(0)) << 17;
        self.product.d.next = (self.high_placed.val().to_signed_bits() + self.low_product.q.val()).into();

        // Beats 6 and 7: right by 5 + exponent places, the last of them rounds.
        self.shifter.x.next = self.product.q.val().get_bits::<43>(4).to_signed_bits();
        self.shifter.amount.next = self.exponent.val();
        self.shifted.d.next = self.shifter.y.val();
        self.plus_one.next = (self.shifted.q.val() + self.one.val()).into();
        self.z.d.next = self.plus_one.val().get_bits::<19>(1).to_signed_bits();

        // Beat 8 on.
        self.requantise.acc.next = self.z.q.val().into();
        self.offset.next =
            (bit_cast::<32, 16>(self.offset_high.val()) << 16) | bit_cast::<32, 16>(self.offset_low.val());
        self.requantise.multiplier.next = self.gain.val().into();
        self.requantise.bias.next = self.offset.val().to_signed_bits();
        self.requantise.bias_shift.next = self.bias_shift.val();
        self.requantise.shift.next = self.shift.val();
        self.requantise.nine_bits.next = false;
        self.result.next = self.requantise.result.val();
    }
}
