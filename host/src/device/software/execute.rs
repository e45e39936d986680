//! What each operation does.

use std::cell::RefCell;

use edge_moe_isa::descriptor::{
    Attention, Copy, Destination, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_isa::packing::{PARAMETER_BYTES, Parameter};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, Requantise, accumulate};
use edge_moe_kernels::layer_norm::ChannelNorm;
use edge_moe_kernels::route::{Visit, accumulate_weighted};
use rayon::prelude::*;

use super::Loaded;
use super::attend::Head;
use super::layer::{Finishing, Layer};
use super::memories::Memories;
use super::rows::{Activations, Scratch, room};
use super::simd::{Path, Simd};
use super::vectorised::NormToken;
use super::weights::Weights;

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
    /// Results on their way to where they stand transposed, by head, or are added.
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
        let Self { memories, weights, buffers: Buffers { input, filled, results, .. }, .. } = self;
        let (inputs, outputs) = (usize::from(linear.inputs), usize::from(linear.outputs));
        let rows = usize::from(linear.sets) * usize::from(linear.tokens);
        let wanted = Some((linear.input, rows, inputs));
        if *filled != wanted {
            let values = &memories.scratchpad[memories.values_at(linear.input, rows * inputs)];
            input.fill(path, inputs, values.chunks(inputs));
            *filled = wanted;
        }
        let finishing = Finishing {
            bits: linear.bits.into(),
            gelu_bits: (linear.gelu_bits != 0).then_some(linear.gelu_bits.into()),
        };
        let share = Share { path, layer: weights.linear(linear), finishing, input };
        match linear.destination {
            Destination::Tokens => {
                let padded = outputs.next_multiple_of(memories.vector());
                let target = memories.values_at(linear.output, rows * padded);
                share.rows((&mut memories.scratchpad[target], padded));
            }
            Destination::Channels => {
                let results = room(results, rows * outputs);
                share.rows((results, outputs));
                memories.store_transposed(linear, results);
            }
            Destination::Residual => {
                let results = room(results, rows * outputs);
                share.rows((results, outputs));
                let target = memories.values_at(linear.output, rows * outputs);
                for (residual, &branch) in memories.residual[target].iter_mut().zip(&*results) {
                    *residual = accumulate(*residual, branch);
                }
            }
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
        let Self { memories, weights, queues, buffers: Buffers { results, .. }, .. } = self;
        let channels = usize::from(experts.channels);
        let results = room(results, queues.all().iter().map(Vec::len).sum::<usize>() * channels);
        Answers { path, memories, weights, experts }.all((0, queues.all()), results);
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

/// A linear layer whose rows are shared out between threads.
struct Share<'a, P> {
    path: P,
    layer: Layer<'a>,
    finishing: Finishing,
    input: &'a Activations,
}

impl<P: Path> Share<'_, P> {
    /// Multiplies all rows; the results stand `stride` values a row. What is left of a row becomes zero.
    fn rows(&self, (results, stride): (&mut [i16], usize)) {
        let Self { path, layer, finishing, input } = self;
        let share = input.count().div_ceil(rayon::current_num_threads());
        results.par_chunks_mut(share * stride).enumerate().for_each(|(index, results)| {
            let start = index * share;
            let range = start..start + results.len() / stride;
            with_scratch(|scratch| {
                layer.apply(*path, *finishing, (input, range), scratch, (results, stride))
            });
            if layer.outputs() < stride {
                results.chunks_mut(stride).for_each(|row| row[layer.outputs()..].fill(0));
            }
        });
    }
}

/// What experts answer to the tokens in their queues.
struct Answers<'a, P> {
    path: P,
    memories: &'a Memories,
    weights: &'a Weights,
    experts: &'a Experts,
}

impl<P: Path> Answers<'_, P> {
    /// Answers of consecutive experts, one row a visit. Splits the experts between threads.
    fn all(&self, (first, queues): (usize, &[Vec<Visit>]), answers: &mut [i16]) {
        if queues.iter().all(Vec::is_empty) {
            return;
        }
        if let [visits] = queues {
            with_scratch(|scratch| self.of(first, visits, scratch, answers));
            return;
        }
        let (left, right) = queues.split_at(queues.len() / 2);
        let visits: usize = left.iter().map(Vec::len).sum();
        let (left_answers, right_answers) = answers.split_at_mut(visits * usize::from(self.experts.channels));
        rayon::join(
            || self.all((first, left), left_answers),
            || self.all((first + left.len(), right), right_answers),
        );
    }

    /// Answers of one expert.
    fn of(&self, expert: usize, visits: &[Visit], scratch: &mut Scratch, answers: &mut [i16]) {
        let Self { path, memories, experts, .. } = *self;
        let [fc1, fc2] = self.weights.expert(experts, expert);
        let (channels, hidden) = (fc1.inputs, fc2.inputs);
        let token =
            |visit: &Visit| &memories.scratchpad[memories.token(experts.input, visit.token, channels)];
        let mut input = std::mem::take(&mut scratch.input);
        let mut hidden_values = std::mem::take(&mut scratch.hidden);
        input.fill(path, channels, visits.iter().map(token));
        let hidden_rows = room(&mut hidden_values, visits.len() * hidden);
        let finishing = Finishing { bits: ACTIVATION_BITS, gelu_bits: Some(experts.gelu_bits.into()) };
        let range = 0..visits.len();
        fc1.apply(path, finishing, (&input, range.clone()), scratch, (hidden_rows, hidden));
        input.fill(path, hidden, hidden_rows.chunks(hidden));
        let finishing = Finishing { gelu_bits: None, ..finishing };
        fc2.apply(path, finishing, (&input, range), scratch, (answers, channels));
        (scratch.input, scratch.hidden) = (input, hidden_values);
    }
}

impl Memories {
    /// Stores token-major results channel-major, set by set.
    fn store_transposed(&mut self, linear: &Linear, results: &[i16]) {
        let (tokens, outputs) = (usize::from(linear.tokens), usize::from(linear.outputs));
        let padded = tokens.next_multiple_of(self.vector());
        let target = self.values_at(linear.output, usize::from(linear.sets) * outputs * padded);
        let sets = self.scratchpad[target].chunks_mut(outputs * padded);
        for (set, results) in sets.zip(results.chunks(tokens * outputs)) {
            set.par_chunks_mut(padded).enumerate().for_each(|(channel, target)| {
                let values = results[channel..].iter().step_by(outputs);
                target[..tokens].iter_mut().zip(values).for_each(|(to, &from)| *to = from);
                target[tokens..].fill(0);
            });
        }
    }
}

fn requantise(shift: u8, bias_shift: u8) -> Requantise {
    Requantise { bias_shift: bias_shift.into(), shift: shift.into() }
}
