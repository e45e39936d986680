//! What each operation does.

use std::cell::RefCell;

use edge_moe_isa::descriptor::{
    Attention, Copy, Destination, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_isa::packing::{PARAMETER_BYTES, PackedLinear, Parameter};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise, accumulate};
use edge_moe_kernels::layer_norm::ChannelNorm;
use edge_moe_kernels::route::{Visit, accumulate_weighted};
use rayon::prelude::*;

use super::Loaded;
use super::attend::Head;
use super::layer::{GROUP_CHANNELS, Layer};
use super::memories::Memories;
use super::rows::{Activations, Scratch, room};
use super::simd::panel::ROWS;
use super::simd::{Path, Simd};
use super::vectorised::NormToken;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Computes with this thread's buffers.
fn with_scratch(computation: impl FnOnce(&mut Scratch)) {
    SCRATCH.with_borrow_mut(computation);
}

/// What the operations of one program after another compute with.
#[derive(Default)]
pub struct Buffers {
    /// Input of a linear layer, and which: address, rows and channels. Kept while linear layers follow each
    /// other, which do not write what they read.
    input: Activations,
    filled: Option<(u32, usize, usize)>,
    /// Results of groups of channels, group after group.
    results: Vec<i16>,
    norms: Vec<ChannelNorm>,
    /// Bytes on their way from one memory to another.
    values: Vec<i16>,
}

impl Loaded {
    /// Executes one operation.
    pub fn execute(&mut self, simd: Simd, operation: &Operation) {
        match simd {
            Simd::Portable(path) => self.execute_on(path, operation),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2(path) => self.execute_on(path, operation),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512(path) => self.execute_on(path, operation),
            #[cfg(target_arch = "x86_64")]
            Simd::Amx(path) => self.execute_on(path, operation),
        }
    }

    fn execute_on(&mut self, path: impl Path, operation: &Operation) {
        if !matches!(operation, Operation::Linear(_)) {
            self.buffers.filled = None;
        }
        match operation {
            Operation::End(_) => {}
            Operation::Linear(linear) => self.linear(path, linear),
            Operation::Norm(norm) => self.norm(path, norm),
            Operation::Attention(attention) => self.attention(path, attention),
            Operation::Route(route) => self.route(route),
            Operation::Experts(experts) => self.experts(path, experts),
            Operation::Copy(copy) => self.copy(copy),
        }
    }

    fn linear(&mut self, path: impl Path, linear: &Linear) {
        let Self { memories, buffers: Buffers { input, filled, results, .. }, .. } = self;
        let packed =
            PackedLinear::new(memories.executable.arch(), linear.inputs.into(), linear.outputs.into());
        let rows = usize::from(linear.sets) * usize::from(linear.tokens);
        let wanted = Some((linear.input, rows, packed.inputs));
        if *filled != wanted {
            let values = &memories.scratchpad[memories.values_at(linear.input, rows * packed.inputs)];
            input.fill(path, packed.inputs, values.chunks(packed.inputs));
            *filled = wanted;
        }
        let layer = Layer {
            packed,
            bytes: memories.image_from(linear.weights),
            scale: requantise(linear.shift, linear.bias_shift),
            bits: linear.bits.into(),
            gelu_bits: (linear.gelu_bits != 0).then_some(linear.gelu_bits.into()),
        };
        let group = group_channels(packed.outputs);
        let results = room(results, rows * packed.outputs);
        results.par_chunks_mut(rows * group).enumerate().for_each(|(index, results)| {
            let width = results.len() / rows;
            let channels = index * group..index * group + width;
            with_scratch(|scratch| layer.group(path, input, channels, scratch, (results, width)));
        });
        for (index, results) in results.chunks(rows * group).enumerate() {
            memories.store(linear, index * group, results);
        }
    }

    fn norm(&mut self, path: impl Path, norm: &Norm) {
        let Self { memories, buffers: Buffers { norms, .. }, .. } = self;
        let channels = usize::from(norm.channels);
        let records = memories.image_bytes(norm.parameters, channels * PARAMETER_BYTES);
        norms.clear();
        norms.extend(
            records
                .chunks(PARAMETER_BYTES)
                .map(Parameter::decode_signed)
                .map(|Parameter { multiplier, bias }| ChannelNorm { gain: multiplier as i16, offset: bias }),
        );
        let count = usize::from(norm.tokens) * channels;
        let (input, output) = (memories.values_at(norm.input, count), memories.values_at(norm.output, count));
        let scale = requantise(norm.shift, norm.bias_shift);
        let tokens = memories.residual[input].par_chunks(channels);
        tokens.zip(memories.scratchpad[output].par_chunks_mut(channels)).for_each(|(token, out)| {
            path.vectorise(NormToken { token, channels: norms, epsilon: norm.epsilon, scale, out });
        });
    }

    fn attention(&mut self, path: impl Path, attention: &Attention) {
        let Self { memories, buffers: Buffers { results, .. }, .. } = self;
        let (tokens, sets) = (usize::from(attention.tokens), usize::from(attention.sets));
        let (heads, width) = (usize::from(attention.heads), usize::from(attention.head_channels));
        let channels = heads * width;
        let padded_tokens = tokens.next_multiple_of(memories.vector());
        let token_major = sets * tokens * channels;
        let slice = |address, count| &memories.scratchpad[memories.values_at(address, count)];
        let (queries, keys) = (slice(attention.queries, token_major), slice(attention.keys, token_major));
        let values = slice(attention.values, sets * channels * padded_tokens);
        // Few heads and many threads: the queries of a head are shared out.
        let parts = rayon::current_num_threads().div_ceil(sets * heads);
        let part = tokens.div_ceil(parts);
        let results = room(results, token_major);
        results.par_chunks_mut(tokens * width).enumerate().for_each(|(index, context)| {
            let (set, head) = (index / heads, index % heads);
            let start = set * tokens * channels + head * width;
            let view = Head {
                attention,
                channels,
                queries: &queries[start..],
                keys: &keys[start..],
                values: &values[index * width * padded_tokens..],
                padded_tokens,
            };
            context.par_chunks_mut(part * width).enumerate().for_each(|(index, context)| {
                with_scratch(|scratch| view.attend(path, index * part, scratch, context));
            });
        });
        let target = memories.values_at(attention.context, token_major);
        for (index, context) in results.chunks(tokens * width).enumerate() {
            let (set, head) = (index / heads, index % heads);
            let rows = memories.scratchpad[target.clone()].chunks_mut(channels).skip(set * tokens);
            for (row, context) in rows.zip(context.chunks(width)) {
                row[head * width..][..width].copy_from_slice(context);
            }
        }
    }

    fn route(&mut self, route: &Route) {
        let Self { memories, queues, .. } = self;
        let experts = usize::from(route.experts);
        if route.append == 0 {
            queues.reset(experts);
        }
        let stride = experts.next_multiple_of(memories.vector());
        let logits = memories.values_at(route.logits, usize::from(route.tokens) * stride);
        let first = u32::from(route.first_token);
        for (token, logits) in (first..).zip(memories.scratchpad[logits].chunks(stride)) {
            queues.push(token, &logits[..experts], route.top_k.into());
        }
    }

    fn experts(&mut self, path: impl Path, experts: &Experts) {
        let Self { memories, queues, buffers: Buffers { results, .. }, .. } = self;
        let channels = usize::from(experts.channels);
        let results = room(results, queues.all().iter().map(Vec::len).sum::<usize>() * channels);
        answer(path, memories, experts, (0, queues.all()), results);
        let mut answers = results.chunks(channels);
        for visit in queues.all().iter().flatten() {
            let target = memories.token(experts.residual, visit.token, channels);
            let answer = answers.next().expect("one answer per visit");
            for (residual, &value) in memories.residual[target].iter_mut().zip(answer) {
                *residual = accumulate_weighted(*residual, value, visit.score);
            }
        }
        queues.reset(queues.experts());
    }

    fn copy(&mut self, copy: &Copy) {
        let Self { memories, buffers: Buffers { values, .. }, .. } = self;
        let count = copy.words as usize * memories.vector();
        values.clear();
        match copy.source_space {
            Space::Scratchpad => {
                values.extend_from_slice(&memories.scratchpad[memories.values_at(copy.source, count)]);
            }
            Space::Residual => {
                values.extend_from_slice(&memories.residual[memories.values_at(copy.source, count)]);
            }
            Space::Memory => {
                let bytes = memories.memory_bytes(copy.source, 2 * count);
                values.extend(bytes.as_chunks().0.iter().map(|&value| i16::from_le_bytes(value)));
            }
        }
        let target = memories.values_at(copy.destination, count);
        match copy.destination_space {
            Space::Scratchpad => memories.scratchpad[target].copy_from_slice(values),
            Space::Residual => memories.residual[target].copy_from_slice(values),
            Space::Memory => {
                let start = copy.destination as usize;
                let bytes = memories.writable[start..start + 2 * count].as_chunks_mut().0;
                bytes.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
            }
        }
    }
}

/// Channels of a group, so that there are groups for all threads where that is possible.
fn group_channels(outputs: usize) -> usize {
    let share = outputs.div_ceil(rayon::current_num_threads());
    share.next_multiple_of(ROWS).min(GROUP_CHANNELS)
}

/// Answers of consecutive experts to the tokens in their queues, one row a visit. Splits the experts
/// between threads.
fn answer(
    path: impl Path,
    memories: &Memories,
    experts: &Experts,
    (first, queues): (usize, &[Vec<Visit>]),
    answers: &mut [i16],
) {
    if queues.iter().all(Vec::is_empty) {
        return;
    }
    if let [visits] = queues {
        with_scratch(|scratch| answer_one(path, memories, experts, (first, visits), scratch, answers));
        return;
    }
    let (left, right) = queues.split_at(queues.len() / 2);
    let visits: usize = left.iter().map(Vec::len).sum();
    let (left_answers, right_answers) = answers.split_at_mut(visits * usize::from(experts.channels));
    rayon::join(
        || answer(path, memories, experts, (first, left), left_answers),
        || answer(path, memories, experts, (first + left.len(), right), right_answers),
    );
}

/// Answers of one expert.
fn answer_one(
    path: impl Path,
    memories: &Memories,
    experts: &Experts,
    (expert, visits): (usize, &[Visit]),
    scratch: &mut Scratch,
    answers: &mut [i16],
) {
    let arch = memories.executable.arch();
    let (channels, hidden) = (usize::from(experts.channels), usize::from(experts.hidden_channels));
    let (fc1, fc2) = (PackedLinear::new(arch, channels, hidden), PackedLinear::new(arch, hidden, channels));
    let start = experts.weights + expert as u32 * experts.stride;
    let (fc1_bytes, fc2_bytes) =
        (memories.image_from(start), memories.image_from(start + fc1.bytes() as u32));
    let fc1 = Layer {
        packed: fc1,
        bytes: fc1_bytes,
        scale: requantise(experts.fc1_shift, experts.fc1_bias_shift),
        bits: ACTIVATION_BITS,
        gelu_bits: Some(experts.gelu_bits.into()),
    };
    let fc2 = Layer {
        packed: fc2,
        bytes: fc2_bytes,
        scale: requantise(experts.fc2_shift, experts.fc2_bias_shift),
        bits: ACTIVATION_BITS,
        gelu_bits: None,
    };
    let token = |visit: &Visit| &memories.scratchpad[memories.token(experts.input, visit.token, channels)];
    let mut input = std::mem::take(&mut scratch.input);
    let mut hidden_values = std::mem::take(&mut scratch.hidden);
    input.fill(path, channels, visits.iter().map(token));
    let hidden_rows = room(&mut hidden_values, visits.len() * hidden);
    fc1.all(path, &input, scratch, hidden_rows);
    input.fill(path, hidden, hidden_rows.chunks(hidden));
    fc2.all(path, &input, scratch, answers);
    (scratch.input, scratch.hidden) = (input, hidden_values);
}

impl Memories {
    /// Stores the results of some channels of a layer, from `first` on.
    fn store(&mut self, linear: &Linear, first: usize, results: &[i16]) {
        let tokens = usize::from(linear.tokens);
        let (rows, outputs) = (usize::from(linear.sets) * tokens, usize::from(linear.outputs));
        let width = results.len() / rows;
        let rows_of = results.chunks(width);
        match linear.destination {
            Destination::Tokens => {
                let padded = outputs.next_multiple_of(self.vector());
                let target = self.values_at(linear.output, rows * padded);
                for (target, row) in self.scratchpad[target].chunks_mut(padded).zip(rows_of) {
                    target[first..first + width].copy_from_slice(row);
                    target[outputs..].fill(0);
                }
            }
            Destination::Channels => {
                let padded = tokens.next_multiple_of(self.vector());
                let target = self.values_at(linear.output, usize::from(linear.sets) * outputs * padded);
                let sets = self.scratchpad[target].chunks_mut(outputs * padded);
                for (set, results) in sets.zip(results.chunks(tokens * width)) {
                    for (channel, target) in set.chunks_mut(padded).skip(first).take(width).enumerate() {
                        let values = results.iter().skip(channel).step_by(width);
                        target[..tokens].iter_mut().zip(values).for_each(|(to, &from)| *to = from);
                        target[tokens..].fill(0);
                    }
                }
            }
            Destination::Residual => {
                let target = self.values_at(linear.output, rows * outputs);
                for (target, row) in self.residual[target].chunks_mut(outputs).zip(rows_of) {
                    for (residual, &branch) in target[first..].iter_mut().zip(row) {
                        *residual = accumulate(*residual, branch);
                    }
                }
            }
        }
    }
}

fn requantise(shift: u8, bias_shift: u8) -> Requantise {
    Requantise { bias_shift: bias_shift.into(), shift: shift.into() }
}
