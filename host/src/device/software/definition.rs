//! What each operation does, one value after another in terms of the kernels: what every path must leave.

use std::ops::Range;
use std::sync::Arc;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::check::Written;
use edge_moe_isa::descriptor::{
    Attention, Copy, Destination, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_isa::packing::{PARAMETER_BYTES, PackedLinear, Parameter};
use edge_moe_kernels::dot::{dot, query_operand};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise, accumulate};
use edge_moe_kernels::gelu::gelu;
use edge_moe_kernels::layer_norm::{ChannelNorm, layer_norm};
use edge_moe_kernels::route::{Queues, accumulate_weighted};
use edge_moe_kernels::softmax::{ContextScale, softmax};

use super::simd::Simd;
use super::{Loaded, Memories};
use crate::random_program::{RandomProgram, random_program};

/// A linear layer as it stands in memory, with how its results are finished.
struct Layer<'a> {
    packed: PackedLinear,
    bytes: &'a [u8],
    scale: Requantise,
    bits: u32,
    /// Fraction bits of a GELU after the layer.
    gelu_bits: Option<u32>,
}

impl Layer<'_> {
    /// Results of every token, N values each. `input` holds K values a token.
    fn apply(&self, input: &[i16]) -> Vec<i16> {
        let PackedLinear { inputs, outputs, .. } = self.packed;
        let parameters: Vec<Parameter> = (0..outputs)
            .map(|channel| Parameter::decode_unsigned(&self.bytes[self.packed.parameter_offset(channel)..]))
            .collect();
        let mut results = vec![0; input.len() / inputs * outputs];
        let tokens = results.chunks_mut(outputs).zip(input.chunks(inputs));
        tokens.for_each(|(results, token)| {
            for (channel, (result, parameter)) in results.iter_mut().zip(&parameters).enumerate() {
                *result = self.finish(dot(self.row(channel), token), *parameter);
            }
        });
        results
    }

    fn row(&self, channel: usize) -> &[i8] {
        let start = self.packed.row_offset(channel);
        bytemuck::cast_slice(&self.bytes[start..start + self.packed.inputs])
    }

    fn finish(&self, acc: i64, parameter: Parameter) -> i16 {
        let result = self.scale.apply(acc, parameter.multiplier, parameter.bias, self.bits);
        self.gelu_bits.map_or(result, |bits| gelu(result, bits))
    }
}

/// Memories and queues, and nothing clever.
struct Plain {
    memories: Memories,
    queues: Queues,
}

impl Plain {
    fn execute(&mut self, operation: &Operation) {
        match operation {
            Operation::End(_) => {}
            Operation::Linear(linear) => self.linear(linear),
            Operation::Norm(norm) => self.norm(norm),
            Operation::Attention(attention) => self.attention(attention),
            Operation::Route(route) => self.route(route),
            Operation::Experts(experts) => self.experts(experts),
            Operation::Copy(copy) => self.copy(copy),
        }
    }

    fn linear(&mut self, linear: &Linear) {
        let packed =
            PackedLinear::new(self.memories.executable.arch(), linear.inputs.into(), linear.outputs.into());
        let rows = usize::from(linear.sets) * usize::from(linear.tokens);
        let input = &self.memories.scratchpad[self.memories.values_at(linear.input, rows * packed.inputs)];
        let layer = Layer {
            packed,
            bytes: self.memories.image_bytes(linear.weights, packed.bytes()),
            scale: requantise(linear.shift, linear.bias_shift),
            bits: linear.bits.into(),
            gelu_bits: (linear.gelu_bits != 0).then_some(linear.gelu_bits.into()),
        };
        let results = layer.apply(input);
        match linear.destination {
            Destination::Tokens => self.store_rows(linear.output, &results, packed.outputs),
            Destination::Channels => self.store_transposed(linear, &results),
            Destination::Residual => {
                let target = self.memories.values_at(linear.output, results.len());
                for (residual, branch) in self.memories.residual[target].iter_mut().zip(results) {
                    *residual = accumulate(*residual, branch);
                }
            }
        }
    }

    fn norm(&mut self, norm: &Norm) {
        let channels = usize::from(norm.channels);
        let records = self.memories.image_bytes(norm.parameters, channels * PARAMETER_BYTES);
        let parameters: Vec<ChannelNorm> = records
            .chunks(PARAMETER_BYTES)
            .map(Parameter::decode_signed)
            .map(|Parameter { multiplier, bias }| ChannelNorm { gain: multiplier as i16, offset: bias })
            .collect();
        let count = usize::from(norm.tokens) * channels;
        let (input, output) =
            (self.memories.values_at(norm.input, count), self.memories.values_at(norm.output, count));
        let scale = requantise(norm.shift, norm.bias_shift);
        let tokens = self.memories.residual[input].chunks(channels);
        tokens.zip(self.memories.scratchpad[output].chunks_mut(channels)).for_each(|(token, out)| {
            layer_norm(token, &parameters, norm.epsilon, scale, out);
        });
    }

    fn attention(&mut self, attention: &Attention) {
        let (tokens, sets) = (usize::from(attention.tokens), usize::from(attention.sets));
        let channels = usize::from(attention.heads) * usize::from(attention.head_channels);
        let padded_tokens = tokens.next_multiple_of(self.memories.vector());
        let token_major = sets * tokens * channels;
        let values = self.memories.values_at(attention.values, sets * channels * padded_tokens);
        let view = AttentionInput {
            attention,
            tokens,
            channels,
            padded_tokens,
            queries: &self.memories.scratchpad[self.memories.values_at(attention.queries, token_major)],
            keys: &self.memories.scratchpad[self.memories.values_at(attention.keys, token_major)],
            values: &self.memories.scratchpad[values],
        };
        let mut context = vec![0; token_major];
        context.chunks_mut(channels).enumerate().for_each(|(row, context)| view.attend(row, context));
        let target = self.memories.values_at(attention.context, token_major);
        self.memories.scratchpad[target].copy_from_slice(&context);
    }

    fn route(&mut self, route: &Route) {
        let experts = usize::from(route.experts);
        if route.append == 0 {
            self.queues = Queues::new(experts);
        }
        let stride = experts.next_multiple_of(self.memories.vector());
        let logits = self.memories.values_at(route.logits, usize::from(route.tokens) * stride);
        let first = u32::from(route.first_token);
        for (token, logits) in (first..).zip(self.memories.scratchpad[logits].chunks(stride)) {
            self.queues.push(token, &logits[..experts], route.top_k.into());
        }
    }

    fn experts(&mut self, experts: &Experts) {
        let queues = std::mem::replace(&mut self.queues, Queues::new(0));
        let arch = self.memories.executable.arch();
        let (channels, hidden) = (usize::from(experts.channels), usize::from(experts.hidden_channels));
        let fc1 = PackedLinear::new(arch, channels, hidden);
        let fc2 = PackedLinear::new(arch, hidden, channels);
        for (expert, visits) in queues.non_empty() {
            let start = experts.weights + expert as u32 * experts.stride;
            let bytes = self.memories.image_bytes(start, fc1.bytes() + fc2.bytes());
            let fc1 = Layer {
                packed: fc1,
                bytes: &bytes[..fc1.bytes()],
                scale: requantise(experts.fc1_shift, experts.fc1_bias_shift),
                bits: ACTIVATION_BITS,
                gelu_bits: Some(experts.gelu_bits.into()),
            };
            let fc2 = Layer {
                packed: fc2,
                bytes: &bytes[fc1.packed.bytes()..],
                scale: requantise(experts.fc2_shift, experts.fc2_bias_shift),
                bits: ACTIVATION_BITS,
                gelu_bits: None,
            };
            let token = |base: u32, token: u32| {
                let start = base as usize * self.memories.vector() + token as usize * channels;
                start..start + channels
            };
            let visitors: Vec<i16> = visits
                .iter()
                .flat_map(|visit| &self.memories.scratchpad[token(experts.input, visit.token)])
                .copied()
                .collect();
            let hidden_values = fc1.apply(&visitors);
            let answers = fc2.apply(&hidden_values);
            let targets: Vec<Range<usize>> =
                visits.iter().map(|visit| token(experts.residual, visit.token)).collect();
            for ((visit, target), answer) in visits.iter().zip(targets).zip(answers.chunks(channels)) {
                for (residual, &value) in self.memories.residual[target].iter_mut().zip(answer) {
                    *residual = accumulate_weighted(*residual, value, visit.score);
                }
            }
            self.store_rows(experts.hidden, &hidden_values, hidden);
        }
    }

    fn copy(&mut self, copy: &Copy) {
        let count = copy.words as usize * self.memories.vector();
        let values = match copy.source_space {
            Space::Scratchpad => {
                self.memories.scratchpad[self.memories.values_at(copy.source, count)].to_vec()
            }
            Space::Residual => self.memories.residual[self.memories.values_at(copy.source, count)].to_vec(),
            Space::Memory => {
                let bytes = self.memories.memory_bytes(copy.source, 2 * count);
                bytes.as_chunks().0.iter().map(|&value| i16::from_le_bytes(value)).collect()
            }
        };
        let target = self.memories.values_at(copy.destination, count);
        match copy.destination_space {
            Space::Scratchpad => self.memories.scratchpad[target].copy_from_slice(&values),
            Space::Residual => self.memories.residual[target].copy_from_slice(&values),
            Space::Memory => {
                let start = copy.destination as usize;
                let bytes = self.memories.writable[start..start + 2 * count].as_chunks_mut().0;
                bytes.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
            }
        }
    }

    /// Stores rows of `columns` values, each padded to whole words with zeros.
    fn store_rows(&mut self, address: u32, rows: &[i16], columns: usize) {
        let padded = columns.next_multiple_of(self.memories.vector());
        let target = self.memories.values_at(address, rows.len() / columns * padded);
        for (target, row) in self.memories.scratchpad[target].chunks_mut(padded).zip(rows.chunks(columns)) {
            target[..columns].copy_from_slice(row);
            target[columns..].fill(0);
        }
    }

    /// Stores token-major results channel-major, set by set.
    fn store_transposed(&mut self, linear: &Linear, results: &[i16]) {
        let (tokens, channels) = (usize::from(linear.tokens), usize::from(linear.outputs));
        let per_set = tokens * channels;
        let transposed: Vec<i16> = results
            .chunks(per_set)
            .flat_map(|set| (0..per_set).map(|i| set[i % tokens * channels + i / tokens]))
            .collect();
        self.store_rows(linear.output, &transposed, tokens);
    }
}

/// What the queries of an attention descriptor look at.
struct AttentionInput<'a> {
    attention: &'a Attention,
    tokens: usize,
    channels: usize,
    padded_tokens: usize,
    queries: &'a [i16],
    keys: &'a [i16],
    values: &'a [i16],
}

impl AttentionInput<'_> {
    /// The context of one query row (counted through all sets), head by head.
    fn attend(&self, row: usize, context: &mut [i16]) {
        let Self { attention, tokens, channels, padded_tokens, .. } = *self;
        let set = row / tokens;
        let width = usize::from(attention.head_channels);
        let logit_scale = requantise(attention.logit_shift, 0);
        let mut logits = vec![0; tokens];
        let mut probabilities = vec![0u8; tokens];
        for (head, context) in context.chunks_mut(width).enumerate() {
            let query = &self.queries[row * channels + head * width..][..width];
            let query: Vec<i16> = query.iter().copied().map(query_operand).collect();
            for (key, logit) in logits.iter_mut().enumerate() {
                let key = &self.keys[(set * tokens + key) * channels + head * width..][..width];
                let acc = dot(&query, key);
                *logit = logit_scale.apply(acc, attention.logit_multiplier.into(), 0, ACTIVATION_BITS);
            }
            let sum = softmax(&logits, &mut probabilities);
            let scale = ContextScale::new(attention.context_multiplier, attention.context_shift.into(), sum);
            for (channel, context) in context.iter_mut().enumerate() {
                let row = set * channels + head * width + channel;
                let values = &self.values[row * padded_tokens..][..tokens];
                *context = scale.apply(dot(&probabilities, values));
            }
        }
    }
}

fn requantise(shift: u8, bias_shift: u8) -> Requantise {
    Requantise { bias_shift: bias_shift.into(), shift: shift.into() }
}

/// The words of an on-chip memory that hold results.
fn results(memories: &Memories, written: &Written, space: Space) -> Vec<i16> {
    let memory = if space == Space::Residual { &memories.residual } else { &memories.scratchpad };
    let words = memory.chunks(memories.vector()).zip(written.words(space).unwrap());
    words.filter(|(_, written)| **written).flat_map(|(word, _)| word).copied().collect()
}

/// Runs a random program on every path of this CPU and in plain kernels.
fn compare(arch: &ArchConfig, seed: u64) {
    let RandomProgram { executable, memory } = random_program(arch, seed).unwrap();
    let mut plain = Plain { memories: Memories::new(Arc::clone(&executable)), queues: Queues::new(0) };
    plain.memories.writable.copy_from_slice(&memory);
    executable.programs()[0].iter().for_each(|descriptor| plain.execute(&descriptor.operation));
    for simd in Simd::available() {
        let mut loaded = Loaded::new(simd, Arc::clone(&executable)).unwrap();
        loaded.memories.writable.copy_from_slice(&memory);
        executable.programs()[0].iter().for_each(|descriptor| loaded.execute(simd, &descriptor.operation));
        let written = &loaded.written_by[0];
        assert!(loaded.memories.writable == plain.memories.writable, "{simd}, {}, seed {seed}", arch.name);
        for space in [Space::Scratchpad, Space::Residual] {
            let [got, expected] =
                [&loaded.memories, &plain.memories].map(|memories| results(memories, written, space));
            assert!(got == expected, "{space} of {simd}, {}, seed {seed}", arch.name);
        }
    }
}

#[test]
fn every_path_leaves_what_the_kernels_say() {
    for arch in ArchConfig::named() {
        (0..60).for_each(|seed| compare(&arch, seed));
    }
}
