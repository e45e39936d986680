//! A lane: one row held still, a dot product with what is broadcast.
//!
//! Twin of `edge_moe_kernels::dot::dot`, followed by [`Requantise`]. The row
//! memory holds V operands of nine bits a word; whoever writes it divides it
//! into banks, so that the next rows load while these compute.
//!
//! Control and the broadcast word are common to all lanes and come from the lane array; a lane has
//! them in registers of its own first, as wires to all lanes are long. Beats are counted from the
//! array's port.
//!
//! | beats | what |
//! |---:|---|
//! | 3 | address of the row word |
//! | 4 | row word |
//! | 5 | row word and broadcast word meet, both in registers |
//! | 6 | products |
//! | 7 | sum of the products: `accumulate`, `first` belong here |
//! | 8 | accumulator; scales are chosen here if it is complete |
//! | 13 | `result` |
//!
//! Throughput one word a beat.

use crate::requantise::Requantise;
use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct Lane<const V: usize, const ROW: usize, const WORD: usize, const L: usize, const A: usize> {
    pub clock: Signal<In, Clock>,

    /// A row word for the lane of that number.
    pub row_write: Signal<In, Bit>,
    pub row_lane: Signal<In, Bits<L>>,
    pub row_address: Signal<In, Bits<A>>,
    pub row_data: Signal<In, Bits<ROW>>,
    /// A word of the lane's own probabilities; goes before a row word.
    pub probability_write: Signal<In, Bit>,
    pub probability_address: Signal<In, Bits<A>>,
    pub probability_data: Signal<In, Bits<ROW>>,

    /// Multiplier and bias of the lane's row; two banks.
    pub parameter_write: Signal<In, Bit>,
    pub parameter_bank: Signal<In, Bit>,
    pub parameter_multiplier: Signal<In, Bits<16>>,
    pub parameter_bias: Signal<In, S<32>>,
    /// Multiplier and shift of the context, 1/Σp folded in, for the lane of that number; two banks.
    pub context_write: Signal<In, Bit>,
    pub context_lane: Signal<In, Bits<L>>,
    pub context_bank: Signal<In, Bit>,
    pub context_multiplier: Signal<In, Bits<16>>,
    pub context_shift: Signal<In, Bits<6>>,

    /// Reads a row word: a beat before its address stands.
    pub read: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,
    /// The broadcast word, a beat before it meets the row word.
    pub word: Signal<In, Bits<WORD>>,
    /// Takes the sum, as the first of a dot product: a beat before.
    pub accumulate: Signal<In, Bit>,
    pub first: Signal<In, Bit>,
    /// How the accumulator is scaled: a beat before.
    pub use_logit_scale: Signal<In, Bit>,
    pub use_context_scale: Signal<In, Bit>,
    pub use_bank: Signal<In, Bit>,
    pub logit_multiplier: Signal<In, Bits<16>>,
    pub logit_shift: Signal<In, Bits<6>>,
    pub shift: Signal<In, Bits<6>>,
    pub bias_shift: Signal<In, Bits<5>>,
    pub nine_bits: Signal<In, Bit>,
    /// See above.
    pub result: Signal<Out, S<16>>,

    number: Constant<Bits<L>>,
    /// A row word, or probabilities, on the way into the memory.
    writes: Register<Bit>,
    write_address: Replica<Bits<A>>,
    write_data: Register<Bits<ROW>>,
    reads: Replica<Bit>,
    rows_address: Replica<Bits<A>>,
    rows: Ram<ROW, A>,
    row: Register<Bits<ROW>>,
    broadcast: Replica<Bits<WORD>>,
    accumulates: Replica<Bit>,
    is_first: Replica<Bit>,
    dot: Dot<V, ROW, WORD>,
    acc: Register<S<36>>,
    requantise: Requantise,
    multiplier_0: Register<Bits<16>>,
    multiplier_1: Register<Bits<16>>,
    bias_0: Register<S<32>>,
    bias_1: Register<S<32>>,
    context_multiplier_0: Register<Bits<16>>,
    context_multiplier_1: Register<Bits<16>>,
    context_shift_0: Register<Bits<6>>,
    context_shift_1: Register<Bits<6>>,
    scales_logit: Replica<Bit>,
    scales_context: Replica<Bit>,
    bank: Replica<Bit>,
    logit_multiplier_held: Replica<Bits<16>>,
    logit_shift_held: Replica<Bits<6>>,
    shift_held: Replica<Bits<6>>,
    bias_shift_held: Replica<Bits<5>>,
    nine_bits_held: Replica<Bit>,
    chosen: Signal<Local, Bits<16>>,
    zero: Constant<S<32>>,
}

impl<const V: usize, const ROW: usize, const WORD: usize, const L: usize, const A: usize>
    Lane<V, ROW, WORD, L, A>
{
    /// Lane `number` of an array, with room for `words` row words.
    pub fn new(number: usize, words: usize) -> Self {
        Self {
            clock: Default::default(),
            row_write: Default::default(),
            row_lane: Default::default(),
            row_address: Default::default(),
            row_data: Default::default(),
            probability_write: Default::default(),
            probability_address: Default::default(),
            probability_data: Default::default(),
            parameter_write: Default::default(),
            parameter_bank: Default::default(),
            parameter_multiplier: Default::default(),
            parameter_bias: Default::default(),
            context_write: Default::default(),
            context_lane: Default::default(),
            context_bank: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            word: Default::default(),
            accumulate: Default::default(),
            first: Default::default(),
            use_logit_scale: Default::default(),
            use_context_scale: Default::default(),
            use_bank: Default::default(),
            logit_multiplier: Default::default(),
            logit_shift: Default::default(),
            shift: Default::default(),
            bias_shift: Default::default(),
            nine_bits: Default::default(),
            result: Default::default(),
            number: Constant::new((number as u64).into()),
            writes: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            reads: Default::default(),
            rows_address: Default::default(),
            rows: Ram::new(words),
            row: Default::default(),
            broadcast: Default::default(),
            accumulates: Default::default(),
            is_first: Default::default(),
            scales_logit: Default::default(),
            scales_context: Default::default(),
            bank: Default::default(),
            logit_multiplier_held: Default::default(),
            logit_shift_held: Default::default(),
            shift_held: Default::default(),
            bias_shift_held: Default::default(),
            nine_bits_held: Default::default(),
            dot: Default::default(),
            acc: Default::default(),
            requantise: Default::default(),
            multiplier_0: Default::default(),
            multiplier_1: Default::default(),
            bias_0: Default::default(),
            bias_1: Default::default(),
            context_multiplier_0: Default::default(),
            context_multiplier_1: Default::default(),
            context_shift_0: Default::default(),
            context_shift_1: Default::default(),
            chosen: Default::default(),
            zero: Constant::new(S::new(0)),
        }
    }
}

impl<const V: usize, const ROW: usize, const WORD: usize, const L: usize, const A: usize> Logic
    for Lane<V, ROW, WORD, L, A>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            writes,
            write_address,
            write_data,
            reads,
            rows_address,
            row,
            broadcast,
            accumulates,
            is_first,
            scales_logit,
            scales_context,
            bank,
            logit_multiplier_held,
            logit_shift_held,
            shift_held,
            bias_shift_held,
            nine_bits_held,
            acc,
            multiplier_0,
            multiplier_1,
            bias_0,
            bias_1,
            context_multiplier_0,
            context_multiplier_1,
            context_shift_0,
            context_shift_1
        );
        self.rows.clock.next = self.clock.val();
        self.dot.clock.next = self.clock.val();
        self.requantise.clock.next = self.clock.val();

        // Rows.
        self.writes.d.next = self.row_write.val() & (self.row_lane.val() == self.number.val());
        self.write_address.d.next = self.row_address.val();
        self.write_data.d.next = self.row_data.val();
        if self.probability_write.val() {
            self.writes.d.next = true;
            self.write_address.d.next = self.probability_address.val();
            self.write_data.d.next = self.probability_data.val();
        }
        self.rows.write_enable.next = self.writes.q.val();
        self.rows.write_address.next = self.write_address.q.val();
        self.rows.write_data.next = self.write_data.q.val();

        // Parameters.
        if self.parameter_write.val() {
            if self.parameter_bank.val() {
                self.multiplier_1.d.next = self.parameter_multiplier.val();
                self.bias_1.d.next = self.parameter_bias.val();
            } else {
                self.multiplier_0.d.next = self.parameter_multiplier.val();
                self.bias_0.d.next = self.parameter_bias.val();
            }
        }
        if self.context_write.val() & (self.context_lane.val() == self.number.val()) {
            if self.context_bank.val() {
                self.context_multiplier_1.d.next = self.context_multiplier.val();
                self.context_shift_1.d.next = self.context_shift.val();
            } else {
                self.context_multiplier_0.d.next = self.context_multiplier.val();
                self.context_shift_0.d.next = self.context_shift.val();
            }
        }

        // Dot product.
        self.reads.d.next = self.read.val();
        self.rows_address.d.next = self.read_address.val();
        self.rows.read_enable.next = self.reads.q.val();
        self.rows.read_address.next = self.rows_address.q.val();
        self.row.d.next = self.rows.read_data.val();
        self.broadcast.d.next = self.word.val();
        self.dot.row.next = self.row.q.val();
        self.dot.word.next = self.broadcast.q.val();
        self.accumulates.d.next = self.accumulate.val();
        self.is_first.d.next = self.first.val();
        if self.accumulates.q.val() {
            if self.is_first.q.val() {
                self.acc.d.next = self.dot.sum.val().into();
            } else {
                self.acc.d.next = (self.acc.q.val() + self.dot.sum.val()).into();
            }
        }

        // Scale.
        self.scales_logit.d.next = self.use_logit_scale.val();
        self.scales_context.d.next = self.use_context_scale.val();
        self.bank.d.next = self.use_bank.val();
        self.logit_multiplier_held.d.next = self.logit_multiplier.val();
        self.logit_shift_held.d.next = self.logit_shift.val();
        self.shift_held.d.next = self.shift.val();
        self.bias_shift_held.d.next = self.bias_shift.val();
        self.nine_bits_held.d.next = self.nine_bits.val();
        self.chosen.next = self.multiplier_0.q.val();
        self.requantise.bias.next = self.bias_0.q.val();
        if self.bank.q.val() {
            self.chosen.next = self.multiplier_1.q.val();
            self.requantise.bias.next = self.bias_1.q.val();
        }
        self.requantise.shift.next = self.shift_held.q.val();
        self.requantise.bias_shift.next = self.bias_shift_held.q.val();
        self.requantise.nine_bits.next = self.nine_bits_held.q.val();
        if self.scales_logit.q.val() {
            self.chosen.next = self.logit_multiplier_held.q.val();
            self.requantise.shift.next = self.logit_shift_held.q.val();
        }
        if self.scales_context.q.val() {
            self.chosen.next = self.context_multiplier_0.q.val();
            self.requantise.shift.next = self.context_shift_0.q.val();
            if self.bank.q.val() {
                self.chosen.next = self.context_multiplier_1.q.val();
                self.requantise.shift.next = self.context_shift_1.q.val();
            }
        }
        if self.scales_logit.q.val() | self.scales_context.q.val() {
            self.requantise.bias.next = self.zero.val();
            self.requantise.nine_bits.next = false;
        }
        self.requantise.acc.next = self.acc.q.val();
        self.requantise.multiplier.next = bit_cast::<18, 16>(self.chosen.val()).to_signed_bits();
        self.result.next = self.requantise.result.val();
    }
}
