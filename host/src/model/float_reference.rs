//! What the network computes, in f32: the reference that integer results are
//! compared with.
//!
//! M³ViT (arXiv 2210.14793) with one gate per task on norm2(x): softmax over all
//! experts, top-k, scores not renormalised, the lower index wins ties. Matrix products
//! are ndarray's; transcendental functions come from the kernels' references,
//! never from the platform.

use std::fmt;

use edge_moe_kernels::{gelu, layer_norm, route, softmax};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use serde::Serialize;

use super::{Attention, Block, Expert, FeedForward, Head, Linear, Model, Norm, Task};

/// A tensor of the network, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tensor {
    /// Patch embedding with positions and cls.
    Embedding,
    /// After the LayerNorm before attention.
    Norm1,
    /// Queries, heads stacked.
    Query,
    /// Keys without bias, heads stacked.
    Key,
    /// Values without bias, heads stacked.
    Value,
    /// Weighted means of the values, heads stacked.
    Context,
    /// Output projection, before it is added to the residual.
    Proj,
    /// The residual after attention.
    AfterAttention,
    /// After the LayerNorm before the feed-forward part.
    Norm2,
    /// Gate logits, natural units.
    GateLogits,
    /// First linear layer, before GELU.
    Fc1,
    /// After GELU.
    Hidden,
    /// Second linear layer, before it is added to the residual (and before the gate's score).
    Fc2,
    /// The residual after the block.
    Out,
    /// After the LayerNorm of a task's head.
    HeadNorm,
    /// A task's result.
    Head,
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedding => "embedding",
            Self::Norm1 => "norm1",
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::Context => "context",
            Self::Proj => "proj",
            Self::AfterAttention => "after_attention",
            Self::Norm2 => "norm2",
            Self::GateLogits => "gate_logits",
            Self::Fc1 => "fc1",
            Self::Hidden => "hidden",
            Self::Fc2 => "fc2",
            Self::Out => "out",
            Self::HeadNorm => "head_norm",
            Self::Head => "head",
        })
    }
}

/// A place in the network where values can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Point {
    /// Index of the task; none before the first gate, where all tasks are one.
    pub task: Option<usize>,
    /// Index of the block; none for embedding and heads.
    pub block: Option<usize>,
    /// Index of the expert, inside a mixture of experts.
    pub expert: Option<usize>,
    /// Which tensor.
    pub tensor: Tensor,
}

impl Point {
    /// Name for people and files, such as `semseg.block3.expert7.hidden` or `block0.out`.
    pub fn name(&self, tasks: &[Task]) -> String {
        let mut name = String::new();
        if let Some(task) = self.task {
            name += &format!("{}.", tasks[task].name);
        }
        if let Some(block) = self.block {
            name += &format!("block{block}.");
        }
        if let Some(expert) = self.expert {
            name += &format!("expert{expert}.");
        }
        name + &self.tensor.to_string()
    }
}

/// The experts of every token, best first, and the weights of their answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// Shape [T, k].
    pub experts: Array2<usize>,
    /// Shape [T, k].
    pub scores: Array2<f32>,
}

/// Sees every tensor as it is computed.
pub trait Observer {
    /// A tensor: rows are tokens (those that visit, for an expert's), columns channels.
    fn tensor(&mut self, point: Point, values: ArrayView2<'_, f32>);

    /// The routing of a task in a block.
    fn routing(&mut self, _task: usize, _block: usize, _routing: &Routing) {}
}

/// Looks at nothing.
impl Observer for () {
    fn tensor(&mut self, _: Point, _: ArrayView2<'_, f32>) {}
}

/// Runs the network on a picture's patches (pixel values, one patch a row) and
/// answers the given tasks: one array of [`super::ModelConfig::answer_shape`] each.
///
/// Everything before the first gate is computed and observed once.
pub fn run(
    model: &Model,
    patches: &Array2<u8>,
    tasks: &[usize],
    observer: &mut dyn Observer,
) -> Vec<Array2<f32>> {
    let is_moe = |block: &Block| matches!(block.feed_forward, FeedForward::Experts { .. });
    let fork = model.blocks.iter().position(is_moe).unwrap_or(model.blocks.len());
    let mut shared = Pass { model, observer, task: None };
    let mut residual = shared.embed(patches);
    for block in 0..fork {
        shared.block(block, &mut residual);
    }
    let forked = (fork < model.blocks.len()).then(|| shared.attention_and_norm2(fork, &mut residual));
    let answer = |&task: &usize| {
        let mut pass = Pass { model, observer: &mut *shared.observer, task: Some(task) };
        let mut residual = residual.clone();
        if let Some(normed) = &forked {
            pass.feed_forward(fork, normed, &mut residual);
        }
        for block in fork + 1..model.blocks.len() {
            pass.block(block, &mut residual);
        }
        match &model.heads[task] {
            Some(head) => pass.head(head, &residual),
            None => residual,
        }
    };
    tasks.iter().map(answer).collect()
}

/// One way through the network, for one task or for what all share.
struct Pass<'a> {
    model: &'a Model,
    observer: &'a mut dyn Observer,
    task: Option<usize>,
}

impl Pass<'_> {
    fn see(&mut self, block: Option<usize>, tensor: Tensor, values: &Array2<f32>) {
        self.observer.tensor(Point { task: self.task, block, expert: None, tensor }, values.view());
    }

    fn embed(&mut self, patches: &Array2<u8>) -> Array2<f32> {
        let input = patches.mapv(|value| f32::from(value) / 256.0);
        let mut residual = self.model.position.clone();
        let mut rows = residual.slice_mut(s![1.., ..]);
        rows += &linear(&self.model.patch_embed, input.view());
        self.see(None, Tensor::Embedding, &residual);
        residual
    }

    fn block(&mut self, index: usize, residual: &mut Array2<f32>) {
        let normed = self.attention_and_norm2(index, residual);
        self.feed_forward(index, &normed, residual);
    }

    fn attention_and_norm2(&mut self, index: usize, residual: &mut Array2<f32>) -> Array2<f32> {
        self.attention(index, residual);
        let normed = self.norm(&self.model.blocks[index].norm2, residual.view());
        self.see(Some(index), Tensor::Norm2, &normed);
        normed
    }

    fn attention(&mut self, index: usize, residual: &mut Array2<f32>) {
        let Block { norm1, attention, .. } = &self.model.blocks[index];
        let block = Some(index);
        let normed = self.norm(norm1, residual.view());
        self.see(block, Tensor::Norm1, &normed);
        let query = linear(&attention.query, normed.view());
        let key = normed.dot(&attention.key.t());
        let value = normed.dot(&attention.value.t());
        self.see(block, Tensor::Query, &query);
        self.see(block, Tensor::Key, &key);
        self.see(block, Tensor::Value, &value);
        let context = attend(self.model.config.heads, &query, &key, &value);
        self.see(block, Tensor::Context, &context);
        let Attention { proj, .. } = attention;
        let branch = linear(proj, context.view());
        self.see(block, Tensor::Proj, &branch);
        *residual += &branch;
        self.see(block, Tensor::AfterAttention, residual);
    }

    fn feed_forward(&mut self, index: usize, normed: &Array2<f32>, residual: &mut Array2<f32>) {
        let block = Some(index);
        match &self.model.blocks[index].feed_forward {
            FeedForward::Dense(mlp) => *residual += &self.expert(mlp, block, None, normed.view()),
            FeedForward::Experts { gates, experts } => {
                let task = self.task.expect("gates belong to tasks");
                let logits = normed.dot(&gates[task].t());
                self.see(block, Tensor::GateLogits, &logits);
                let routing = choose(&logits, self.model.config.top_k);
                self.observer.routing(task, index, &routing);
                self.mixture(experts, index, &routing, normed, residual);
            }
        }
        self.see(block, Tensor::Out, residual);
    }

    /// Runs every expert on the tokens that chose it, in ascending order.
    fn mixture(
        &mut self,
        experts: &[Expert],
        block: usize,
        routing: &Routing,
        normed: &Array2<f32>,
        residual: &mut Array2<f32>,
    ) {
        for (index, expert) in experts.iter().enumerate() {
            let chosen = routing.experts.indexed_iter().filter(|&(_, &choice)| choice == index);
            let visits: Vec<(usize, f32)> =
                chosen.map(|((token, rank), _)| (token, routing.scores[(token, rank)])).collect();
            if visits.is_empty() {
                continue;
            }
            let tokens: Vec<usize> = visits.iter().map(|visit| visit.0).collect();
            let visitors = normed.select(Axis(0), &tokens);
            let answers = self.expert(expert, Some(block), Some(index), visitors.view());
            for ((token, score), answer) in visits.into_iter().zip(answers.outer_iter()) {
                residual.row_mut(token).scaled_add(score, &answer);
            }
        }
    }

    fn expert(
        &mut self,
        layers: &Expert,
        block: Option<usize>,
        expert: Option<usize>,
        input: ArrayView2<'_, f32>,
    ) -> Array2<f32> {
        let point = |tensor| Point { task: self.task, block, expert, tensor };
        let hidden = linear(&layers.fc1, input);
        self.observer.tensor(point(Tensor::Fc1), hidden.view());
        let hidden = hidden.mapv_into(gelu::reference);
        self.observer.tensor(point(Tensor::Hidden), hidden.view());
        let answer = linear(&layers.fc2, hidden.view());
        self.observer.tensor(point(Tensor::Fc2), answer.view());
        answer
    }

    fn head(&mut self, head: &Head, residual: &Array2<f32>) -> Array2<f32> {
        let normed = self.norm(&head.norm, residual.slice(s![1.., ..]));
        self.see(None, Tensor::HeadNorm, &normed);
        let result = linear(&head.linear, normed.view());
        self.see(None, Tensor::Head, &result);
        result
    }

    fn norm(&self, norm: &Norm, tokens: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut normed = Array2::zeros(tokens.raw_dim());
        let gain = norm.gain.as_slice().expect("gains are contiguous");
        let offset = norm.offset.as_slice().expect("offsets are contiguous");
        let epsilon = self.model.config.layer_norm_eps;
        for (token, mut out) in tokens.outer_iter().zip(normed.outer_iter_mut()) {
            let token = token.to_slice().expect("tokens are contiguous");
            let out = out.as_slice_mut().expect("tokens are contiguous");
            layer_norm::reference(token, gain, offset, epsilon, out);
        }
        normed
    }
}

fn linear(layer: &Linear, input: ArrayView2<'_, f32>) -> Array2<f32> {
    input.dot(&layer.weight.t()) + layer.bias.view().insert_axis(Axis(0))
}

/// Multi-head attention: softmax(Q·Kᵀ/√d)·V for each head.
fn attend(heads: usize, query: &Array2<f32>, key: &Array2<f32>, value: &Array2<f32>) -> Array2<f32> {
    let width = query.ncols() / heads;
    let mut context = Array2::zeros(query.raw_dim());
    for head in 0..heads {
        let part = s![.., head * width..(head + 1) * width];
        let mut weights = query.slice(part).dot(&key.slice(part).t()) / (width as f32).sqrt();
        for mut row in weights.outer_iter_mut() {
            softmax::reference(row.as_slice_mut().expect("rows are contiguous"));
        }
        let mut target: ArrayViewMut2<'_, f32> = context.slice_mut(part);
        target.assign(&weights.dot(&value.slice(part)));
    }
    context
}

fn choose(logits: &Array2<f32>, top_k: usize) -> Routing {
    let mut routing = Routing {
        experts: Array2::zeros((logits.nrows(), top_k)),
        scores: Array2::zeros((logits.nrows(), top_k)),
    };
    let rows = Zip::from(routing.experts.rows_mut()).and(routing.scores.rows_mut()).and(logits.rows());
    rows.for_each(|mut experts, mut scores, logits: ArrayView1<'_, f32>| {
        let logits = logits.to_slice().expect("logits are contiguous");
        for (rank, (expert, score)) in route::reference(logits, top_k).into_iter().enumerate() {
            experts[rank] = expert;
            scores[rank] = score;
        }
    });
    routing
}
