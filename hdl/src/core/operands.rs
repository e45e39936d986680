//! The operands of a descriptor: what is derived from them, whether they are legal, what they need from memory.

use edge_moe_isa::arch::ArchConfig;

use super::divide::DivideUp;
use super::job::{DESCRIPTOR, field, opcode};
use crate::support::prelude::*;

/// Words and row groups stand the beat after the descriptor. Then products are formed one
/// after another: `form` is 1, 2 and 3, each for one beat and two beats after the one before, else 0.
/// All outputs hold from the fifth beat after the last on, while the descriptor does.
#[derive(LogicBlock)]
pub struct Operands<const L: usize> {
    pub clock: Signal<In, Clock>,
    pub descriptor: Signal<In, Bits<DESCRIPTOR>>,
    pub form: Signal<In, Bits<2>>,

    /// No operation has this opcode; an operand is out of range.
    pub unknown: Signal<Out, Bit>,
    pub illegal: Signal<Out, Bit>,
    pub is_end: Signal<Out, Bit>,
    pub is_norm: Signal<Out, Bit>,
    pub is_experts: Signal<Out, Bit>,
    pub is_copy: Signal<Out, Bit>,
    pub from_memory: Signal<Out, Bit>,
    pub to_memory: Signal<Out, Bit>,
    /// Bytes that it needs from memory (of experts: of the first) or puts there.
    pub reads: Signal<Out, Bit>,
    pub read_start: Signal<Out, Bits<32>>,
    pub read_length: Signal<Out, Bits<40>>,
    pub read_end: Signal<Out, Bits<40>>,
    pub write_end: Signal<Out, Bits<40>>,
    /// Words of a row (K, D or d), and row groups or words of the result (N, Fe or E).
    pub inner_words: Signal<Out, Bits<16>>,
    pub outer_words: Signal<Out, Bits<16>>,
    /// Words of a copy; bytes from one expert to the next.
    pub data_words: Signal<Out, Bits<32>>,
    pub stride: Signal<Out, Bits<32>>,
    /// See [`job`](super::job).
    pub product_0: Signal<Out, Bits<20>>,
    pub product_1: Signal<Out, Bits<20>>,
    pub product_2: Signal<Out, Bits<20>>,

    opcode: Slice<DESCRIPTOR, 8>,
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
    is_linear: Signal<Local, Bit>,
    is_attention: Signal<Local, Bit>,
    is_route: Signal<Local, Bit>,

    /// Channels, and their words or row groups: K, D or d, and N, Fe or E.
    inner: DivideUp<L>,
    outer: DivideUp<L>,
    /// ceil(T/V).
    span: DivideUp<L>,
    inner_count: Register<Bits<16>>,
    outer_count: Register<Bits<16>>,
    span_count: Register<Bits<16>>,
    inner_padded: Register<Bits<16>>,
    outer_padded: Register<Bits<16>>,
    a: Register<Bits<17>>,
    b: Register<Bits<17>>,
    multiplied: Register<S<34>>,
    product: Signal<Local, Bits<32>>,
    formed_0: Register<Bits<32>>,
    formed_1: Register<Bits<32>>,
    formed_2: Register<Bits<32>>,

    inner_left: Signal<Local, Bits<16>>,
    outer_left: Signal<Local, Bits<16>>,
    tokens: Signal<Local, Bits<16>>,
    /// `form` of the product that is multiplied, and of the one that stands.
    multiplying: Register<Bits<2>>,
    forming: Register<Bits<2>>,
    first_byte: Register<Bits<32>>,
    length: Register<Bits<40>>,
    last_read: Register<Bits<40>>,
    last_write: Register<Bits<40>>,
    not_legal: Register<Bit>,
    not_tokens: Register<Bit>,
    not_words: Register<Bit>,
    low_bits: Constant<Bits<16>>,
    bank_words: Constant<Bits<16>>,
    attention_words: Constant<Bits<16>>,
    max_tokens: Constant<Bits<16>>,
    max_experts: Constant<Bits<16>>,
    unaligned: Constant<Bits<32>>,
    log_lanes: Constant<Bits<3>>,
    log_word: Constant<Bits<3>>,
}

impl<const L: usize> Operands<L> {
    /// The operands of a device of these sizes.
    pub fn new(arch: &ArchConfig) -> Self {
        with_defaults!(
            clock, descriptor, form, unknown, illegal, is_end, is_norm, is_experts, is_copy, from_memory, to_memory,
            reads, read_start, read_length, read_end, write_end, inner_words, outer_words, data_words, stride,
            product_0, product_1, product_2, is_linear, is_attention, is_route, inner, outer, span, inner_count, outer_count, span_count, inner_padded, outer_padded, a, b, multiplied, product, formed_0, formed_1, formed_2, inner_left, outer_left, tokens, multiplying, forming, first_byte, length, last_read, last_write, not_legal, not_tokens, not_words;
            opcode: opcode(),
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
        )
    }
}

impl<const L: usize> Logic for Operands<L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inner_count, outer_count, span_count, inner_padded, outer_padded, a, b);
        dff_setup!(self, clock, multiplied, formed_0, formed_1, formed_2, multiplying, forming);
        dff_setup!(self, clock, first_byte, length, last_read, last_write, not_legal, not_tokens, not_words);
        self.opcode.bus.next = self.descriptor.val();
        self.linear_weights.bus.next = self.descriptor.val();
        self.linear_inputs.bus.next = self.descriptor.val();
        self.linear_outputs.bus.next = self.descriptor.val();
        self.linear_tokens.bus.next = self.descriptor.val();
        self.linear_sets.bus.next = self.descriptor.val();
        self.linear_destination.bus.next = self.descriptor.val();
        self.norm_parameters.bus.next = self.descriptor.val();
        self.norm_channels.bus.next = self.descriptor.val();
        self.norm_tokens.bus.next = self.descriptor.val();
        self.attention_tokens.bus.next = self.descriptor.val();
        self.attention_sets.bus.next = self.descriptor.val();
        self.attention_heads.bus.next = self.descriptor.val();
        self.attention_channels.bus.next = self.descriptor.val();
        self.route_tokens.bus.next = self.descriptor.val();
        self.route_experts.bus.next = self.descriptor.val();
        self.route_top_k.bus.next = self.descriptor.val();
        self.experts_weights.bus.next = self.descriptor.val();
        self.experts_stride.bus.next = self.descriptor.val();
        self.experts_channels.bus.next = self.descriptor.val();
        self.experts_hidden.bus.next = self.descriptor.val();
        self.experts_experts.bus.next = self.descriptor.val();
        self.experts_tokens.bus.next = self.descriptor.val();
        self.copy_source.bus.next = self.descriptor.val();
        self.copy_destination.bus.next = self.descriptor.val();
        self.copy_words.bus.next = self.descriptor.val();
        self.copy_source_space.bus.next = self.descriptor.val();
        self.copy_destination_space.bus.next = self.descriptor.val();
        self.unknown.next = self.opcode.bits.val() > 6;
        self.is_end.next = self.opcode.bits.val() == 0;
        self.is_linear.next = self.opcode.bits.val() == 1;
        self.is_norm.next = self.opcode.bits.val() == 2;
        self.is_attention.next = self.opcode.bits.val() == 3;
        self.is_route.next = self.opcode.bits.val() == 4;
        self.is_experts.next = self.opcode.bits.val() == 5;
        self.is_copy.next = self.opcode.bits.val() == 6;
        self.from_memory.next = self.is_copy.val() & (self.copy_source_space.bits.val() == 0);
        self.to_memory.next = self.is_copy.val() & (self.copy_destination_space.bits.val() == 0);

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
        self.inner_count.d.next = self.inner.y.val();
        self.outer_count.d.next = self.outer.y.val();
        self.span_count.d.next = self.span.y.val();
        self.inner_padded.d.next = self.inner.x.val() + 8;
        self.outer_padded.d.next = self.outer.x.val() + 8;
        self.product.next = self.multiplied.q.val().get_bits::<32>(0);
        self.a.d.next = bit_cast::<17, 16>(self.linear_tokens.bits.val());
        self.b.d.next = bit_cast::<17, 8>(self.linear_sets.bits.val());
        if self.is_norm.val() {
            self.a.d.next = bit_cast::<17, 16>(self.norm_tokens.bits.val());
            self.b.d.next = bit_cast::<17, 16>(self.inner_count.q.val());
        }
        if self.is_attention.val() {
            self.a.d.next = bit_cast::<17, 16>(self.inner_count.q.val());
            self.b.d.next = bit_cast::<17, 8>(self.attention_heads.bits.val());
        }
        if self.is_route.val() {
            self.a.d.next = bit_cast::<17, 16>(self.route_tokens.bits.val());
            self.b.d.next = bit_cast::<17, 16>(self.outer_count.q.val());
        }
        if self.form.val() == 2 {
            // Row groups of a layer, or of an expert's first layer; words of a set.
            self.a.d.next = bit_cast::<17, 16>(self.outer_count.q.val());
            self.b.d.next = bit_cast::<17, 16>(self.inner_padded.q.val());
            if self.is_attention.val() {
                self.a.d.next = bit_cast::<17, 16>(self.attention_tokens.bits.val());
                self.b.d.next = bit_cast::<17, 16>(self.product.val().get_bits::<16>(0));
            }
        }
        if self.form.val() == 3 {
            // Words of a set, channel-major; row groups of an expert's second layer.
            self.a.d.next = bit_cast::<17, 16>(self.linear_outputs.bits.val());
            self.b.d.next = bit_cast::<17, 16>(self.span_count.q.val());
            if self.is_experts.val() {
                self.a.d.next = bit_cast::<17, 16>(self.inner_count.q.val());
                self.b.d.next = bit_cast::<17, 16>(self.outer_padded.q.val());
            }
        }
        self.multiplying.d.next = self.form.val();
        self.forming.d.next = self.multiplying.q.val();
        if self.forming.q.val() == 1 {
            self.formed_0.d.next = self.product.val();
        }
        if self.forming.q.val() == 2 {
            self.formed_1.d.next = self.product.val();
        }
        if self.forming.q.val() == 3 {
            self.formed_2.d.next = self.product.val();
        }
        self.multiplied.d.next = (self.a.q.val().to_signed_bits() * self.b.q.val().to_signed_bits()).into();

        // What is wrong with the operands.
        self.inner_left.next = self.inner.x.val() & self.low_bits.val();
        self.outer_left.next = self.outer.x.val() & self.low_bits.val();
        self.tokens.next = self.linear_tokens.bits.val();
        self.not_legal.d.next = false;
        if self.is_linear.val() {
            self.not_legal.d.next = self.inner_left.val().any()
                | !self.linear_outputs.bits.val().any()
                | !self.linear_sets.bits.val().any()
                | (self.linear_destination.bits.val() > 2);
        }
        if self.is_norm.val() {
            self.tokens.next = self.max_tokens.val();
            self.not_legal.d.next = self.inner_left.val().any() | !self.norm_tokens.bits.val().any();
        }
        if self.is_attention.val() {
            self.tokens.next = self.attention_tokens.bits.val();
            self.not_legal.d.next = self.inner_left.val().any()
                | !self.attention_sets.bits.val().any()
                | !self.attention_heads.bits.val().any()
                | (self.inner_count.q.val() > self.attention_words.val())
                | (self.span_count.q.val() > self.attention_words.val());
        }
        if self.is_route.val() {
            self.tokens.next = self.route_tokens.bits.val();
            self.not_legal.d.next = !self.route_experts.bits.val().any()
                | !self.route_top_k.bits.val().any()
                | (self.route_experts.bits.val() > self.max_experts.val())
                | (bit_cast::<16, 8>(self.route_top_k.bits.val()) > self.route_experts.bits.val());
        }
        if self.is_experts.val() {
            self.tokens.next = self.max_tokens.val();
            self.not_legal.d.next = self.inner_left.val().any()
                | self.outer_left.val().any()
                | !self.outer_count.q.val().any()
                | (self.outer_count.q.val() > self.bank_words.val())
                | !self.experts_tokens.bits.val().any()
                | !self.experts_experts.bits.val().any()
                | (self.experts_experts.bits.val() > self.max_experts.val())
                | (self.experts_stride.bits.val() & self.unaligned.val()).any();
        }
        self.not_words.d.next =
            (self.is_linear.val() | self.is_norm.val() | self.is_attention.val() | self.is_experts.val())
                & (!self.inner_count.q.val().any() | (self.inner_count.q.val() > self.bank_words.val()));
        if self.is_copy.val() {
            self.tokens.next = self.max_tokens.val();
            self.not_legal.d.next = !self.copy_words.bits.val().any()
                | self.copy_words.bits.val().get_bits::<13>(19).any()
                | (self.copy_source_space.bits.val() > 2)
                | (self.copy_destination_space.bits.val() > 2)
                | (self.from_memory.val() & self.to_memory.val())
                | (self.to_memory.val() & (self.copy_destination.bits.val() & self.unaligned.val()).any());
        }
        self.not_tokens.d.next =
            !self.is_end.val() & (!self.tokens.val().any() | (self.tokens.val() > self.max_tokens.val()));

        // What it reads and writes in memory.
        self.reads.next =
            self.is_linear.val() | self.is_norm.val() | self.is_experts.val() | self.from_memory.val();
        self.first_byte.d.next = self.linear_weights.bits.val();
        self.length.d.next = bit_cast::<40, 32>(self.formed_1.q.val()) << self.log_lanes.val();
        if self.is_norm.val() {
            self.first_byte.d.next = self.norm_parameters.bits.val();
            self.length.d.next = bit_cast::<40, 16>(self.norm_channels.bits.val()) << 3;
        }
        if self.is_experts.val() {
            self.first_byte.d.next = self.experts_weights.bits.val();
            self.length.d.next = (bit_cast::<40, 32>(self.formed_1.q.val())
                + bit_cast::<40, 32>(self.formed_2.q.val()))
                << self.log_lanes.val();
        }
        if self.is_copy.val() {
            self.first_byte.d.next = self.copy_source.bits.val();
            self.length.d.next = bit_cast::<40, 32>(self.copy_words.bits.val()) << self.log_word.val();
        }
        self.last_read.d.next = bit_cast::<40, 32>(self.first_byte.q.val()) + self.length.q.val();
        self.last_write.d.next = bit_cast::<40, 32>(self.copy_destination.bits.val()) + self.length.q.val();
        self.read_start.next = self.first_byte.q.val();
        self.read_length.next = self.length.q.val();
        self.read_end.next = self.last_read.q.val();
        self.write_end.next = self.last_write.q.val();
        self.illegal.next = self.not_legal.q.val()
            | self.not_words.q.val()
            | self.not_tokens.q.val()
            | (self.reads.val() & (self.first_byte.q.val() & self.unaligned.val()).any());
        self.inner_words.next = self.inner_count.q.val();
        self.outer_words.next = self.outer_count.q.val();
        self.data_words.next = self.copy_words.bits.val();
        self.stride.next = self.experts_stride.bits.val();
        self.product_0.next = self.formed_0.q.val().get_bits::<20>(0);
        self.product_1.next = self.formed_1.q.val().get_bits::<20>(0);
        self.product_2.next = self.formed_2.q.val().get_bits::<20>(0);
    }
}
