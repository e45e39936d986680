//! From a packed model to the descriptors that run it.
//!
//! Everything before the first gate is the same for all tasks and runs once,
//! on one set of tokens. Then each task gets a set of its own; as many sets as
//! fit the chip run interleaved, so that weights cross memory once for all.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact::{Step, TensorView};
use edge_moe_isa::check::InFlight;
use edge_moe_isa::descriptor::{
    Attention, Copy, Descriptor, Destination, End, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_kernels::fixed::{ACTIVATION_BITS, QUERY_BITS};
use edge_moe_kernels::layer_norm::integer_epsilon;

use super::allocate::{DoesNotFit, Scratchpad};
use super::memory_map::MemoryMap;
use super::pack::{ExpertsImage, FeedForwardImage, HeadImage, LinearImage, ModelImage, NormImage};
use crate::model::{ModelConfig, Point, Tensor};
use crate::quantise::{HeadScales, Scales};

/// What every program of a model is lowered from.
pub struct Source<'a> {
    pub arch: &'a ArchConfig,
    pub config: &'a ModelConfig,
    pub image: &'a ModelImage,
    pub scales: &'a Scales,
    pub memory: &'a MemoryMap,
}

/// A program before it has an address.
#[derive(Debug)]
pub struct Lowered {
    pub descriptors: Vec<Descriptor>,
    pub steps: Vec<Step>,
}

/// Which task each set of tokens belongs to; none before the first gate.
type Sets<'a> = &'a [Option<usize>];

/// Lowers a program that answers `tasks`, `interleave` of them at a time.
pub fn lower(source: &Source<'_>, tasks: &[usize], interleave: usize) -> Result<Lowered, DoesNotFit> {
    let mut lowering = Lowering {
        source,
        scratchpad: Scratchpad::new(source.arch.scratchpad_words),
        in_flight: InFlight::default(),
        lowered: Lowered { descriptors: Vec::new(), steps: Vec::new() },
    };
    lowering.program(tasks, interleave)?;
    Ok(lowering.lowered)
}

struct Lowering<'a> {
    source: &'a Source<'a>,
    scratchpad: Scratchpad,
    in_flight: InFlight,
    lowered: Lowered,
}

/// A tensor as a step leaves it: one view per set.
struct Tensors<'a> {
    sets: Sets<'a>,
    block: Option<usize>,
    tensor: Tensor,
    tokens: u32,
    channels: u32,
    scales: Vec<f64>,
}

impl Lowering<'_> {
    fn program(&mut self, tasks: &[usize], interleave: usize) -> Result<(), DoesNotFit> {
        let blocks = &self.source.image.blocks;
        let is_moe = |index: &usize| matches!(blocks[*index].feed_forward, FeedForwardImage::Experts(_));
        let fork = (0..blocks.len()).find(is_moe);
        self.check_residual(if fork.is_some() { interleave } else { 1 })?;
        self.embed()?;
        for block in 0..fork.unwrap_or(blocks.len()) {
            self.block(block, &[None])?;
        }
        match fork {
            Some(block) => self.forked(block, tasks, interleave)?,
            None => tasks.iter().try_for_each(|&task| self.answer(task, 0))?,
        }
        self.emit("end", End {}, Vec::new());
        Ok(())
    }

    fn check_residual(&self, sets: usize) -> Result<(), DoesNotFit> {
        let needed = sets as u32 * self.set_words();
        let available = self.source.arch.residual_words;
        if needed > available {
            return Err(DoesNotFit { memory: "residual memory", needed, available });
        }
        Ok(())
    }

    /// Everything from the first gate on, group after group of tasks.
    fn forked(&mut self, fork: usize, tasks: &[usize], interleave: usize) -> Result<(), DoesNotFit> {
        self.attention_half(fork, &[None])?;
        let spill = self.source.memory.spill;
        let words = self.set_words();
        if tasks.len() > interleave {
            self.copy("save shared residual", (Space::Residual, 0), (Space::Memory, spill), words);
        }
        for (group, tasks) in tasks.chunks(interleave).enumerate() {
            if group > 0 {
                self.copy("restore shared residual", (Space::Memory, spill), (Space::Residual, 0), words);
            }
            let sets: Vec<Option<usize>> = tasks.iter().copied().map(Some).collect();
            self.fork(fork, &sets)?;
            for block in fork + 1..self.source.image.blocks.len() {
                self.block(block, &sets)?;
            }
            for (set, &task) in tasks.iter().enumerate() {
                self.answer(task, set as u32 * words)?;
            }
        }
        Ok(())
    }

    /// The first MoE block's feed-forward part: one set in, a set per task out.
    fn fork(&mut self, block: usize, sets: Sets<'_>) -> Result<(), DoesNotFit> {
        let words = self.set_words();
        let normed = self.scratchpad.allocate(sets.len() as u32 * words)?;
        self.norm2(block, &[None], normed);
        for set in 1..sets.len() as u32 {
            self.copy("fork residual", (Space::Residual, 0), (Space::Residual, set * words), words);
            let copy = normed + set * words;
            self.copy("fork norm2", (Space::Scratchpad, normed), (Space::Scratchpad, copy), words);
        }
        let FeedForwardImage::Experts(experts) = &self.source.image.blocks[block].feed_forward else {
            unreachable!("tasks fork at the first MoE block")
        };
        self.experts(block, sets, experts, normed)?;
        self.scratchpad.free(normed);
        Ok(())
    }

    fn embed(&mut self) -> Result<(), DoesNotFit> {
        let Source { arch, config, image, memory, .. } = *self.source;
        let patches = config.patches() as u32;
        let words = patches * arch.words(config.patch_values() as u32);
        let picture = self.scratchpad.allocate(words)?;
        self.copy("load picture", (Space::Memory, memory.picture), (Space::Scratchpad, picture), words);
        let position = (Space::Memory, image.position);
        self.copy("load positional embedding", position, (Space::Residual, 0), self.set_words());
        let views = self.residual_views(&[None], None, Tensor::Embedding);
        let linear = Linear {
            input: picture,
            output: arch.words(config.dim as u32),
            tokens: patches as u16,
            ..residual_linear(image.patch_embed)
        };
        self.emit("patch embedding", linear, views);
        self.scratchpad.free(picture);
        Ok(())
    }

    fn block(&mut self, block: usize, sets: Sets<'_>) -> Result<(), DoesNotFit> {
        self.attention_half(block, sets)?;
        let normed = self.scratchpad.allocate(sets.len() as u32 * self.set_words())?;
        self.norm2(block, sets, normed);
        match &self.source.image.blocks[block].feed_forward {
            FeedForwardImage::Dense { fc1, fc2 } => self.dense(block, sets, *fc1, *fc2, normed)?,
            FeedForwardImage::Experts(experts) => self.experts(block, sets, experts, normed)?,
        }
        self.scratchpad.free(normed);
        Ok(())
    }

    fn attention_half(&mut self, block: usize, sets: Sets<'_>) -> Result<(), DoesNotFit> {
        let Source { arch, config, image, scales, .. } = *self.source;
        let (layers, scale) = (&image.blocks[block], &scales.blocks[block]);
        let (tokens, channels) = (config.tokens() as u32, config.dim as u32);
        let words = sets.len() as u32 * self.set_words();
        let tensors = |tensor, scales| Tensors { sets, block: Some(block), tensor, tokens, channels, scales };
        let shape = |layer: LinearImage, input| Linear {
            input,
            tokens: tokens as u16,
            sets: sets.len() as u8,
            ..scratchpad_linear(layer)
        };

        let normed = self.scratchpad.allocate(words)?;
        let views = self.token_major(&tensors(Tensor::Norm1, vec![scale.norm1]), normed);
        self.norm(&label(block, "norm1"), layers.norm1, (0, normed), sets.len() as u32 * tokens, views);

        let queries = self.scratchpad.allocate(words)?;
        let views = self.token_major(&tensors(Tensor::Query, scale.query.clone()), queries);
        let linear = Linear { output: queries, bits: QUERY_BITS as u8, ..shape(layers.query, normed) };
        self.emit(label(block, "query"), linear, views);

        let keys = self.scratchpad.allocate(words)?;
        let views = self.token_major(&tensors(Tensor::Key, scale.key.clone()), keys);
        self.emit(label(block, "key"), Linear { output: keys, ..shape(layers.key, normed) }, views);

        let values = self.scratchpad.allocate(sets.len() as u32 * channels * arch.words(tokens))?;
        let views = self.channel_major(&tensors(Tensor::Value, vec![scale.value]), values);
        let destination = Destination::Channels;
        let linear = Linear { output: values, destination, ..shape(layers.value, normed) };
        self.emit(label(block, "value"), linear, views);
        self.scratchpad.free(normed);

        let attention = Attention {
            queries,
            keys,
            values,
            context: queries,
            tokens: tokens as u16,
            sets: sets.len() as u8,
            heads: config.heads as u8,
            head_channels: config.head_dim() as u16,
            logit_multiplier: scale.logit.multiplier,
            logit_shift: scale.logit.shift as u8,
            context_multiplier: scale.context_ratio.multiplier,
            context_shift: scale.context_ratio.shift as u8,
        };
        let views = self.token_major(&tensors(Tensor::Context, vec![scale.context]), queries);
        self.emit(label(block, "attention"), attention, views);
        self.scratchpad.free(keys);
        self.scratchpad.free(values);

        let views = self.residual_views(sets, Some(block), Tensor::AfterAttention);
        let linear = Linear { destination: Destination::Residual, output: 0, ..shape(layers.proj, queries) };
        self.emit(label(block, "proj"), linear, views);
        self.scratchpad.free(queries);
        Ok(())
    }

    fn norm2(&mut self, block: usize, sets: Sets<'_>, output: u32) {
        let config = self.source.config;
        let (tokens, channels) = (config.tokens() as u32, config.dim as u32);
        let scales = vec![self.source.scales.blocks[block].norm2];
        let tensors = Tensors { sets, block: Some(block), tensor: Tensor::Norm2, tokens, channels, scales };
        let views = self.token_major(&tensors, output);
        let norm = self.source.image.blocks[block].norm2;
        self.norm(&label(block, "norm2"), norm, (0, output), sets.len() as u32 * tokens, views);
    }

    fn dense(
        &mut self,
        block: usize,
        sets: Sets<'_>,
        fc1: LinearImage,
        fc2: LinearImage,
        normed: u32,
    ) -> Result<(), DoesNotFit> {
        let Source { arch, config, scales, .. } = *self.source;
        let tokens = config.tokens() as u32;
        let shape = Linear { tokens: tokens as u16, sets: sets.len() as u8, ..scratchpad_linear(fc1) };
        let hidden = self.scratchpad.allocate(sets.len() as u32 * tokens * arch.words(fc1.outputs.into()))?;
        let views = self.token_major(
            &Tensors {
                sets,
                block: Some(block),
                tensor: Tensor::Hidden,
                tokens,
                channels: fc1.outputs.into(),
                scales: vec![scales.blocks[block].hidden()],
            },
            hidden,
        );
        let gelu_bits = scales.blocks[block].gelu_bits as u8;
        self.emit(label(block, "fc1"), Linear { input: normed, output: hidden, gelu_bits, ..shape }, views);
        let views = self.residual_views(sets, Some(block), Tensor::Out);
        let linear =
            Linear { input: hidden, tokens: tokens as u16, sets: sets.len() as u8, ..residual_linear(fc2) };
        self.emit(label(block, "fc2"), linear, views);
        self.scratchpad.free(hidden);
        Ok(())
    }

    fn experts(
        &mut self,
        block: usize,
        sets: Sets<'_>,
        experts: &ExpertsImage,
        normed: u32,
    ) -> Result<(), DoesNotFit> {
        let Source { arch, config, scales, .. } = *self.source;
        let tokens = config.tokens() as u32;
        self.check_queues(sets.len() as u32)?;
        let logit_words = tokens * arch.words(experts.experts.into());
        let logits = self.scratchpad.allocate(sets.len() as u32 * logit_words)?;
        self.gates(block, sets, experts, (normed, logits));
        self.store_logits(block, sets, experts, logits);

        let all_tokens = sets.len() as u32 * tokens;
        let hidden = self.scratchpad.allocate(all_tokens * arch.words(experts.hidden.into()))?;
        let operation = Experts {
            input: normed,
            hidden,
            residual: 0,
            weights: experts.address,
            stride: experts.stride,
            channels: config.dim as u16,
            hidden_channels: experts.hidden,
            experts: experts.experts,
            tokens: all_tokens as u16,
            fc1_shift: experts.fc1_scale.shift as u8,
            fc1_bias_shift: experts.fc1_scale.bias_shift as u8,
            fc2_shift: experts.fc2_scale.shift as u8,
            fc2_bias_shift: experts.fc2_scale.bias_shift as u8,
            gelu_bits: scales.blocks[block].gelu_bits as u8,
        };
        let views = self.residual_views(sets, Some(block), Tensor::Out);
        self.emit(label(block, "experts"), operation, views);
        self.scratchpad.free(logits);
        self.scratchpad.free(hidden);
        Ok(())
    }

    fn check_queues(&self, sets: u32) -> Result<(), DoesNotFit> {
        let config = self.source.config;
        let needed = sets * config.tokens() as u32 * config.top_k as u32;
        let available = self.source.arch.queue_nodes;
        if needed > available {
            return Err(DoesNotFit { memory: "token queues", needed, available });
        }
        Ok(())
    }

    /// One gate per set, from the normalised tokens to logits, and from these into the queues. Each
    /// route stands right after its gate, so that a device can route tokens while the gate computes the next ones.
    fn gates(&mut self, block: usize, sets: Sets<'_>, experts: &ExpertsImage, buffers: (u32, u32)) {
        let tokens = self.source.config.tokens() as u32;
        let channels = u32::from(experts.experts);
        let words = tokens * self.source.arch.words(channels);
        for (set, &task) in (0..).zip(sets) {
            let gate = experts.gates[task.expect("gates belong to tasks")];
            let output = buffers.1 + set * words;
            let (sets, scales) = (&[task][..], vec![Scales::gate()]);
            let tensor = Tensor::GateLogits;
            let views = Tensors { sets, block: Some(block), tensor, tokens, channels, scales };
            let views = self.token_major(&views, output);
            let linear = Linear {
                input: buffers.0 + set * self.set_words(),
                output,
                tokens: tokens as u16,
                ..scratchpad_linear(gate)
            };
            self.emit(label(block, "gate"), linear, views);
            let route = Route {
                logits: output,
                first_token: (set * tokens) as u16,
                tokens: tokens as u16,
                experts: experts.experts,
                top_k: self.source.config.top_k as u8,
                append: u8::from(set > 0),
            };
            self.emit(label(block, "route"), route, Vec::new());
        }
    }

    /// Leaves the logits in memory for the host.
    fn store_logits(&mut self, block: usize, sets: Sets<'_>, experts: &ExpertsImage, logits: u32) {
        let Source { arch, config, memory, .. } = *self.source;
        let words = config.tokens() as u32 * arch.words(experts.experts.into());
        for (set, task) in (0..).zip(sets) {
            let address = memory.routing(task.expect("gates belong to tasks"), block);
            let source = (Space::Scratchpad, logits + set * words);
            self.copy(&label(block, "store gate logits"), source, (Space::Memory, address), words);
        }
    }

    /// The answer to a task, whose tokens start at residual word `residual`: by its head, or the tokens themselves.
    fn answer(&mut self, task: usize, residual: u32) -> Result<(), DoesNotFit> {
        let Source { config, image, scales, memory, .. } = *self.source;
        if let Some((head, scale)) = image.heads[task].zip(scales.heads[task]) {
            return self.head(task, (head, scale), residual);
        }
        let label = format!("store {}", config.tasks[task].name);
        let result = (Space::Memory, memory.outputs[task]);
        self.copy(&label, (Space::Residual, residual), result, self.set_words());
        Ok(())
    }

    fn head(
        &mut self,
        task: usize,
        (head, scale): (HeadImage, HeadScales),
        residual: u32,
    ) -> Result<(), DoesNotFit> {
        let Source { arch, config, memory, .. } = *self.source;
        let name = &config.tasks[task].name;
        let (patches, token_words) = (config.patches() as u32, arch.words(config.dim as u32));
        let sets = [Some(task)];
        let tensors = |tensor, channels, scale| Tensors {
            sets: &sets,
            block: None,
            tensor,
            tokens: patches,
            channels,
            scales: vec![scale],
        };
        let normed = self.scratchpad.allocate(patches * token_words)?;
        let views = self.token_major(&tensors(Tensor::HeadNorm, config.dim as u32, scale.norm), normed);
        let first_patch = residual + token_words;
        self.norm(&format!("{name} head norm"), head.norm, (first_patch, normed), patches, views);

        let channels = u32::from(head.linear.outputs);
        let words = patches * arch.words(channels);
        let output = self.scratchpad.allocate(words)?;
        let views = self.token_major(&tensors(Tensor::Head, channels, scale.output), output);
        let linear =
            Linear { input: normed, output, tokens: patches as u16, ..scratchpad_linear(head.linear) };
        self.emit(format!("{name} head"), linear, views);
        let result = (Space::Memory, memory.outputs[task]);
        self.copy(&format!("store {name}"), (Space::Scratchpad, output), result, words);
        self.scratchpad.free(normed);
        self.scratchpad.free(output);
        Ok(())
    }

    fn norm(&mut self, label: &str, norm: NormImage, place: (u32, u32), tokens: u32, views: Vec<TensorView>) {
        let Source { config, scales, .. } = *self.source;
        let operation = Norm {
            input: place.0,
            output: place.1,
            parameters: norm.address,
            channels: config.dim as u16,
            tokens: tokens as u16,
            shift: norm.scale.shift as u8,
            bias_shift: norm.scale.bias_shift as u8,
            epsilon: integer_epsilon(config.layer_norm_eps, config.dim, scales.residual_bits),
        };
        self.emit(label, operation, views);
    }

    fn copy(&mut self, label: &str, source: (Space, u32), destination: (Space, u32), words: u32) {
        let operation = Copy {
            source: source.1,
            destination: destination.1,
            words,
            source_space: source.0,
            destination_space: destination.0,
        };
        self.emit(label, operation, Vec::new());
    }

    fn emit(&mut self, label: impl Into<String>, operation: impl Into<Operation>, results: Vec<TensorView>) {
        let operation = operation.into();
        let wait = self.in_flight.issue(self.source.arch, &operation);
        self.lowered.descriptors.push(Descriptor { wait, operation });
        self.lowered.steps.push(Step { label: label.into(), results });
    }

    /// Words of one set's tokens, D channels each.
    fn set_words(&self) -> u32 {
        self.source.config.tokens() as u32 * self.source.arch.words(self.source.config.dim as u32)
    }

    fn residual_views(&self, sets: Sets<'_>, block: Option<usize>, tensor: Tensor) -> Vec<TensorView> {
        let config = self.source.config;
        let (tokens, channels) = (config.tokens() as u32, config.dim as u32);
        let scales = vec![self.source.scales.residual()];
        self.views(&Tensors { sets, block, tensor, tokens, channels, scales }, Space::Residual, 0, false)
    }

    fn token_major(&self, tensors: &Tensors<'_>, address: u32) -> Vec<TensorView> {
        self.views(tensors, Space::Scratchpad, address, false)
    }

    fn channel_major(&self, tensors: &Tensors<'_>, address: u32) -> Vec<TensorView> {
        self.views(tensors, Space::Scratchpad, address, true)
    }

    fn views(&self, tensors: &Tensors<'_>, space: Space, address: u32, transposed: bool) -> Vec<TensorView> {
        let Tensors { sets, block, tensor, tokens, channels, ref scales } = *tensors;
        let (rows, row) = if transposed { (channels, tokens) } else { (tokens, channels) };
        let words = rows * self.source.arch.words(row);
        let view = |(set, &task): (u32, &Option<usize>)| TensorView {
            name: Point { task, block, expert: None, tensor }.name(&self.source.config.tasks),
            space,
            address: address + set * words,
            tokens,
            channels,
            transposed,
            scales: scales.clone(),
        };
        (0..).zip(sets).map(view).collect()
    }
}

fn label(block: usize, what: &str) -> String {
    format!("block {block} {what}")
}

/// A linear layer into the scratchpad, token-major; places and tokens are still to be filled in.
fn scratchpad_linear(layer: LinearImage) -> Linear {
    Linear {
        input: 0,
        output: 0,
        weights: layer.address,
        inputs: layer.inputs,
        outputs: layer.outputs,
        tokens: 0,
        sets: 1,
        destination: Destination::Tokens,
        bits: ACTIVATION_BITS as u8,
        shift: layer.scale.shift as u8,
        bias_shift: layer.scale.bias_shift as u8,
        gelu_bits: 0,
    }
}

/// A linear layer added to the residual from its first word on.
fn residual_linear(layer: LinearImage) -> Linear {
    Linear { destination: Destination::Residual, ..scratchpad_linear(layer) }
}
