//! The network as ONNX nodes, in the order of [`float_reference`](crate::model::float_reference).
//!
//! Values are named like the reference's points of observation: `block0.out` where all tasks
//! are one, `semseg.block3.expert7.fc1` after the first gate.

use std::f32::consts::SQRT_2;

use ndarray::{Array2, arr0, arr1, s};

use super::graph::{Graph, float, int, ints};
use super::proto::{AttributeProto, ElementType, GraphProto};
use crate::model::{Block, Expert, FeedForward, Linear, Model, Norm, Task, TaskKind};

/// Name of the graph's input.
pub const INPUT: &str = "image";

/// The graph that answers these tasks, one output each.
pub fn graph(model: &Model, tasks: &[usize]) -> Result<GraphProto, String> {
    let config = &model.config;
    let is_moe = |block: &Block| matches!(block.feed_forward, FeedForward::Experts { .. });
    let fork = model.blocks.iter().position(is_moe).unwrap_or(model.blocks.len());
    let mut graph = Graph::default();
    let mut shared = Pass { model, graph: &mut graph, task: None };
    let mut residual = shared.embed();
    for block in 0..fork {
        residual = shared.block(block, &residual);
    }
    let mut normed = None;
    if fork < model.blocks.len() {
        residual = shared.attention(fork, &residual);
        normed = Some(shared.norm2(fork, &residual));
    }
    for &task in tasks {
        let mut pass = Pass { model, graph: &mut graph, task: Some(task) };
        let mut residual = residual.clone();
        if let Some(normed) = &normed {
            residual = pass.feed_forward(fork, normed, &residual);
        }
        for block in fork + 1..model.blocks.len() {
            residual = pass.block(block, &residual);
        }
        pass.head(task, &residual);
        let asked = &config.tasks[task];
        graph.output(
            &asked.name,
            ElementType::F32,
            &<[usize; 2]>::from(config.answer_shape(asked)),
            meaning(asked),
        );
    }
    graph.finish(&model.provenance.file)
}

/// What the numbers of a task's output are, for people.
fn meaning(task: &Task) -> String {
    let Task { cells, kind, .. } = task;
    let layout = format!(
        "[patches, channels]: patches row by row over the picture; channels are the {cells} x {cells} cells of a \
         patch, row by row"
    );
    match kind {
        TaskKind::Segmentation { classes } => format!(
            "{layout}, and in each cell one logit per class, the largest wins: {}",
            classes.join(", ")
        ),
        TaskKind::Depth { scale, offset, max_metres } => {
            format!("{layout}, one value each: metres = min(exp(value * {scale} + {offset}), {max_metres})")
        }
        TaskKind::Encoder => "[tokens, dim]: the encoder's last tokens, cls first".to_string(),
    }
}

/// One way through the network, for one task or for what all share.
struct Pass<'a> {
    model: &'a Model,
    graph: &'a mut Graph,
    task: Option<usize>,
}

impl Pass<'_> {
    /// Name of a value of this pass.
    fn name(&self, value: &str) -> String {
        match self.task {
            Some(task) => format!("{}.{value}", self.model.config.tasks[task].name),
            None => value.to_string(),
        }
    }

    fn node(&mut self, op: &str, value: &str, inputs: &[&str]) -> String {
        self.graph.node(op, self.name(value), inputs, vec![])
    }

    fn scalar(&mut self, name: &str, value: f32) -> String {
        self.graph.floats(format!("constant.{name}"), arr0(value).view())
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.graph.integers(format!("constant.{name}"), arr1(values).view())
    }

    /// Pixels to tokens, shape [T, D].
    fn embed(&mut self) -> String {
        let config = &self.model.config;
        let (height, width, patch) = (config.image_height, config.image_width, config.patch);
        self.graph.input(
            INPUT,
            ElementType::U8,
            &[1, 3, height, width],
            format!("RGB picture of {width} x {height} pixels, channel by channel, values 0 to 255"),
        );
        let pixels =
            self.graph.node("Cast", "pixels".into(), &[INPUT], vec![int("to", ElementType::F32 as i64)]);
        let full = self.scalar("pixel_scale", 256.0);
        let scaled = self.node("Div", "pixels.scaled", &[&pixels, &full]);
        let grid = [3, height / patch, patch, width / patch, patch].map(|size| size as i64);
        let grid = self.integers("patch_grid", &grid);
        let cut = self.node("Reshape", "patches.grid", &[&scaled, &grid]);
        let order = vec![ints("perm", &[1, 3, 0, 2, 4])];
        let ordered = self.graph.node("Transpose", "patches.ordered".into(), &[&cut], order);
        let shape = self.integers("patch_shape", &[config.patches() as i64, config.patch_values() as i64]);
        let patches = self.node("Reshape", "patches", &[&ordered, &shape]);
        let embedded = self.linear("patch_embed", &self.model.patch_embed, &patches);
        let positions = self.model.position.slice(s![1.., ..]);
        let positions = self.graph.floats("position.patches".into(), positions);
        let placed = self.node("Add", "patch_embed.placed", &[&embedded, &positions]);
        let cls = self.graph.floats("position.cls".into(), self.model.position.slice(s![..1, ..]));
        self.graph.node("Concat", "embedding".into(), &[&cls, &placed], vec![int("axis", 0)])
    }

    fn block(&mut self, index: usize, residual: &str) -> String {
        let residual = self.attention(index, residual);
        let normed = self.norm2(index, &residual);
        self.feed_forward(index, &normed, &residual)
    }

    /// The residual after attention.
    fn attention(&mut self, index: usize, residual: &str) -> String {
        let Block { norm1, attention, .. } = &self.model.blocks[index];
        let block = |value: &str| format!("block{index}.{value}");
        let normed = self.norm(&block("norm1"), norm1, residual);
        let query = self.linear(&block("query"), &attention.query, &normed);
        let key = self.product(&block("key"), &attention.key, &normed);
        let value = self.product(&block("value"), &attention.value, &normed);
        // Heads are [H, T, d], keys [H, d, T].
        let query = self.split_heads(&query, [1, 0, 2]);
        let key = self.split_heads(&key, [1, 2, 0]);
        let value = self.split_heads(&value, [1, 0, 2]);
        let products = self.node("MatMul", &block("attention.products"), &[&query, &key]);
        let root = self.scalar("root_head_dim", (self.model.config.head_dim() as f32).sqrt());
        let logits = self.node("Div", &block("attention.logits"), &[&products, &root]);
        let weights = self.softmax(&block("attention.weights"), &logits);
        let context = self.node("MatMul", &block("attention.context"), &[&weights, &value]);
        let name = self.name(&block("attention.merged"));
        let merged = self.graph.node("Transpose", name, &[&context], vec![ints("perm", &[1, 0, 2])]);
        let config = &self.model.config;
        let shape = self.integers("token_shape", &[config.tokens() as i64, config.dim as i64]);
        let context = self.node("Reshape", &block("context"), &[&merged, &shape]);
        let branch = self.linear(&block("proj"), &attention.proj, &context);
        self.node("Add", &block("after_attention"), &[residual, &branch])
    }

    /// [T, D] to heads of d channels, in the given order of (token, head, channel).
    fn split_heads(&mut self, value: &str, order: [i64; 3]) -> String {
        let config = &self.model.config;
        let shape = [config.tokens(), config.heads, config.head_dim()].map(|size| size as i64);
        let shape = self.integers("head_shape", &shape);
        let split = self.graph.node("Reshape", format!("{value}.split"), &[value, &shape], vec![]);
        self.graph.node("Transpose", format!("{value}.heads"), &[&split], vec![ints("perm", &order)])
    }

    fn norm2(&mut self, index: usize, residual: &str) -> String {
        self.norm(&format!("block{index}.norm2"), &self.model.blocks[index].norm2, residual)
    }

    /// The residual after the block.
    fn feed_forward(&mut self, index: usize, normed: &str, residual: &str) -> String {
        let block = format!("block{index}");
        let branch = match &self.model.blocks[index].feed_forward {
            FeedForward::Dense(mlp) => self.mlp(&block, mlp, normed),
            FeedForward::Experts { gates, experts } => {
                let task = self.task.expect("gates belong to tasks");
                self.mixture(&block, &gates[task], experts, normed)
            }
        };
        self.node("Add", &format!("{block}.out"), &[residual, &branch])
    }

    /// Two linear layers with a GELU, `0.5·x·(1 + erf(x/√2))`, between them.
    fn mlp(&mut self, layers: &str, mlp: &Expert, input: &str) -> String {
        let layer = |value: &str| format!("{layers}.{value}");
        let x = self.linear(&layer("fc1"), &mlp.fc1, input);
        let (root, one, half) =
            (self.scalar("root_two", SQRT_2), self.scalar("one", 1.0), self.scalar("half", 0.5));
        let reduced = self.node("Div", &layer("gelu.reduced"), &[&x, &root]);
        let erf = self.node("Erf", &layer("gelu.erf"), &[&reduced]);
        let raised = self.node("Add", &layer("gelu.raised"), &[&erf, &one]);
        let product = self.node("Mul", &layer("gelu.product"), &[&x, &raised]);
        let hidden = self.node("Mul", &layer("hidden"), &[&product, &half]);
        self.linear(&layer("fc2"), &mlp.fc2, &hidden)
    }

    /// The weighted answers of the experts that each token chose, shape [T, D].
    ///
    /// Token t's choice of rank r is place (t, r). An expert finds the places that name it,
    /// answers their tokens, and the answers of all experts are written back to their places:
    /// every place is written once, whatever the routing is.
    fn mixture(&mut self, block: &str, gate: &Array2<f32>, experts: &[Expert], normed: &str) -> String {
        let part = |value: &str| format!("{block}.{value}");
        let (chosen, scores) = self.route(block, gate, normed);
        let first = self.graph.integers("constant.first".into(), arr0(0).view());
        let (mut places, mut answers) = (Vec::new(), Vec::new());
        for (index, expert) in experts.iter().enumerate() {
            let part = |value: &str| format!("{block}.expert{index}.{value}");
            let number = self.integers(&format!("expert{index}"), &[index as i64]);
            let mine = self.node("Equal", &part("chosen"), &[&chosen, &number]);
            let here = self.node("NonZero", &part("places"), &[&mine]);
            let name = self.name(&part("tokens"));
            let tokens = self.graph.node("Gather", name, &[&here, &first], vec![int("axis", 0)]);
            let name = self.name(&part("input"));
            let visitors = self.graph.node("Gather", name, &[normed, &tokens], vec![int("axis", 0)]);
            answers.push(self.mlp(&format!("{block}.expert{index}"), expert, &visitors));
            places.push(here);
        }
        let answers = self.concat(&part("answers"), &answers, 0);
        let places = self.concat(&part("places"), &places, 1);
        let name = self.name(&part("places.listed"));
        let places = self.graph.node("Transpose", name, &[&places], vec![ints("perm", &[1, 0])]);
        let config = &self.model.config;
        let shape = [config.tokens(), config.top_k, config.dim].map(|size| size as i64);
        let shape = self.integers("place_shape", &shape);
        let zero = self.scalar("zero", 0.0);
        let empty = self.node("Expand", &part("answers.empty"), &[&zero, &shape]);
        let placed = self.node("ScatterND", &part("answers.placed"), &[&empty, &places, &answers]);
        let last = self.integers("last_axis", &[2]);
        let scores = self.node("Unsqueeze", &part("scores.column"), &[&scores, &last]);
        let weighted = self.node("Mul", &part("answers.weighted"), &[&placed, &scores]);
        let ranks = self.integers("rank_axis", &[1]);
        let name = self.name(&part("experts"));
        self.graph.node("ReduceSum", name, &[&weighted, &ranks], vec![int("keepdims", 0)])
    }

    /// Experts of every token, best first, and their scores: softmax over all experts, the k
    /// largest logits, the lower index on ties, not renormalised; both of shape [T, k].
    fn route(&mut self, block: &str, gate: &Array2<f32>, normed: &str) -> (String, String) {
        let part = |value: &str| format!("{block}.{value}");
        let weight = self.name(&part("gate.weight"));
        let weight = self.graph.floats(weight, gate.view());
        let name = self.name(&part("gate_logits"));
        let logits = self.graph.node("Gemm", name, &[normed, &weight], transposed());
        let scores = self.softmax(&part("scores.all"), &logits);
        let count = self.integers("top_k", &[self.model.config.top_k as i64]);
        let name = self.name(&part("route"));
        let outputs = vec![format!("{name}.logits"), format!("{name}.experts")];
        let attributes = vec![int("axis", -1), int("largest", 1), int("sorted", 1)];
        self.graph.node_with_outputs("TopK", name.clone(), &[&logits, &count], outputs, attributes);
        self.graph.describe("the experts that each token visits, best first");
        let chosen = format!("{name}.experts");
        let name = self.name(&part("scores"));
        let scores = self.graph.node("GatherElements", name, &[&scores, &chosen], vec![int("axis", 1)]);
        (chosen, scores)
    }

    /// The output of a task, called like the task: its head, or the tokens themselves.
    fn head(&mut self, task: usize, residual: &str) {
        let output = vec![self.model.config.tasks[task].name.clone()];
        let Some(head) = &self.model.heads[task] else {
            let name = self.name("tokens");
            self.graph.node_with_outputs("Identity", name, &[residual], output, vec![]);
            return;
        };
        let (first, end) = (self.integers("first_patch", &[1]), self.integers("end", &[i64::MAX]));
        let axis = self.integers("token_axis", &[0]);
        let patches = self.node("Slice", "patch_tokens", &[residual, &first, &end, &axis]);
        let (normed, linear) = (self.name("head_norm"), self.name("head"));
        let (gain, offset) = self.norm_weights(&normed, &head.norm);
        let normed = self.graph.node(
            "LayerNormalization",
            normed,
            &[&patches, &gain, &offset],
            self.norm_attributes(),
        );
        let (weight, bias) = self.linear_weights(&linear, &head.linear);
        self.graph.node_with_outputs("Gemm", linear, &[&normed, &weight, &bias], output, transposed());
    }

    /// A linear layer; its weights are the same whichever task asks.
    fn linear(&mut self, layer: &str, linear: &Linear, input: &str) -> String {
        let (weight, bias) = self.linear_weights(layer, linear);
        self.graph.node("Gemm", self.name(layer), &[input, &weight, &bias], transposed())
    }

    fn linear_weights(&mut self, layer: &str, linear: &Linear) -> (String, String) {
        let weight = self.graph.floats(format!("{layer}.weight"), linear.weight.view());
        (weight, self.graph.floats(format!("{layer}.bias"), linear.bias.view()))
    }

    /// A linear layer without a bias.
    fn product(&mut self, layer: &str, weight: &Array2<f32>, input: &str) -> String {
        let weight = self.graph.floats(format!("{layer}.weight"), weight.view());
        self.graph.node("Gemm", self.name(layer), &[input, &weight], transposed())
    }

    fn norm(&mut self, layer: &str, norm: &Norm, input: &str) -> String {
        let (gain, offset) = self.norm_weights(layer, norm);
        let attributes = self.norm_attributes();
        self.graph.node("LayerNormalization", self.name(layer), &[input, &gain, &offset], attributes)
    }

    fn norm_weights(&mut self, layer: &str, norm: &Norm) -> (String, String) {
        let gain = self.graph.floats(format!("{layer}.gain"), norm.gain.view());
        (gain, self.graph.floats(format!("{layer}.offset"), norm.offset.view()))
    }

    fn norm_attributes(&self) -> Vec<AttributeProto> {
        vec![int("axis", -1), float("epsilon", self.model.config.layer_norm_eps as f32)]
    }

    fn softmax(&mut self, value: &str, input: &str) -> String {
        self.graph.node("Softmax", self.name(value), &[input], vec![int("axis", -1)])
    }

    fn concat(&mut self, value: &str, inputs: &[String], axis: i64) -> String {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.graph.node("Concat", self.name(value), &inputs, vec![int("axis", axis)])
    }
}

/// Weights of a layer are stored [out, in].
fn transposed() -> Vec<AttributeProto> {
    vec![int("transB", 1)]
}
