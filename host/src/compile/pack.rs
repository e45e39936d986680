//! The memory image: quantised weights in the order in which lanes load them.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::packing::{ADDRESS_ALIGNMENT, PARAMETER_BYTES, PackedLinear, Parameter};
use edge_moe_kernels::fixed::{Requantise, saturate16};
use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::model::{Block, Expert, FeedForward, Model, Norm};
use crate::quantise::{
    QuantisedLayers, QuantisedNorm, Scales, Tally, TensorReport, quantise_linear, quantise_norm,
};
use crate::{Error, Result};

/// Bits of a weight.
const WEIGHT_BITS: u32 = 8;

/// Bytes that stand in device memory from `base` upwards.
#[derive(Debug)]
pub struct Image {
    base: u64,
    bytes: Vec<u8>,
}

impl Image {
    /// An empty image at `base`.
    pub fn new(base: u64) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// Appends bytes; returns the aligned address where they stand.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u32> {
        self.bytes.resize(self.bytes.len().next_multiple_of(ADDRESS_ALIGNMENT as usize), 0);
        let address = u32::try_from(self.base + self.bytes.len() as u64)
            .map_err(|_| Error::usage("model", "needs more than the 4 GiB of memory a device can address"))?;
        self.bytes.extend_from_slice(bytes);
        Ok(address)
    }

    /// All bytes so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A linear layer in the image.
#[derive(Clone, Copy, Debug)]
pub struct LinearImage {
    pub address: u32,
    pub inputs: u16,
    pub outputs: u16,
    pub scale: Requantise,
}

/// A LayerNorm in the image.
#[derive(Clone, Copy, Debug)]
pub struct NormImage {
    pub address: u32,
    pub scale: Requantise,
}

/// The feed-forward part of a block in the image.
#[derive(Clone, Debug)]
pub enum FeedForwardImage {
    Dense { fc1: LinearImage, fc2: LinearImage },
    Experts(ExpertsImage),
}

/// A mixture of experts in the image.
#[derive(Clone, Debug)]
pub struct ExpertsImage {
    /// One gate per task.
    pub gates: Vec<LinearImage>,
    /// Address of expert 0.
    pub address: u32,
    /// Bytes from one expert to the next.
    pub stride: u32,
    /// Hidden channels of an expert.
    pub hidden: u16,
    pub experts: u16,
    pub fc1_scale: Requantise,
    pub fc2_scale: Requantise,
}

/// A block in the image.
#[derive(Clone, Debug)]
pub struct BlockImage {
    pub norm1: NormImage,
    pub query: LinearImage,
    pub key: LinearImage,
    pub value: LinearImage,
    pub proj: LinearImage,
    pub norm2: NormImage,
    pub feed_forward: FeedForwardImage,
}

/// A task's head in the image.
#[derive(Clone, Copy, Debug)]
pub struct HeadImage {
    pub norm: NormImage,
    pub linear: LinearImage,
}

/// The whole model in the image.
#[derive(Clone, Debug)]
pub struct ModelImage {
    /// What quantising did to each layer's weights, in order of execution.
    pub weights: Vec<TensorReport>,
    pub patch_embed: LinearImage,
    /// Address of the positional embedding: T tokens of D residual values.
    pub position: u32,
    pub blocks: Vec<BlockImage>,
    /// One per task; none without a head.
    pub heads: Vec<Option<HeadImage>>,
}

/// Quantises and packs a model for `arch`.
pub fn pack(model: &Model, arch: &ArchConfig, scales: &Scales, image: &mut Image) -> Result<ModelImage> {
    let dim = model.config.dim;
    let mut packer = Packer { arch, image, reports: Vec::new() };
    let residual = vec![scales.residual(); dim];
    let position: Vec<u8> = model
        .position
        .iter()
        .map(|&value| (f64::from(value) / scales.residual()).round())
        .flat_map(|value| saturate16(value as i64).to_le_bytes())
        .collect();
    let patch_embed = &model.patch_embed;
    let bias = Some(patch_embed.bias.view());
    let patch_embed =
        packer.linear("patch_embed", patch_embed.weight.view(), bias, (scales.picture, &residual))?;
    let position = packer.image.append(&position)?;
    let block = |(index, block)| packer.block(block, scales, index);
    let blocks = model.blocks.iter().enumerate().map(block).collect::<Result<_>>()?;
    let mut heads = Vec::new();
    for ((head, scale), task) in model.heads.iter().zip(&scales.heads).zip(&model.config.tasks) {
        let Some((head, scale)) = head.as_ref().zip(scale.as_ref()) else {
            heads.push(None);
            continue;
        };
        let outputs = vec![scale.output; head.linear.bias.len()];
        let bias = Some(head.linear.bias.view());
        let norm = packer.norm(&head.norm, scale.norm)?;
        let name = format!("{}.head", task.name);
        let linear = packer.linear(&name, head.linear.weight.view(), bias, (scale.norm, &outputs))?;
        heads.push(Some(HeadImage { norm, linear }));
    }
    Ok(ModelImage { weights: packer.reports, patch_embed, position, blocks, heads })
}

struct Packer<'a> {
    arch: &'a ArchConfig,
    image: &'a mut Image,
    reports: Vec<TensorReport>,
}

impl Packer<'_> {
    fn block(&mut self, block: &Block, scales: &Scales, index: usize) -> Result<BlockImage> {
        let scale = &scales.blocks[index];
        let attention = &block.attention;
        let dim = attention.proj.bias.len();
        let head_dim = dim / scale.query.len();
        let per_head =
            |steps: &[f64]| steps.iter().flat_map(|&step| vec![step; head_dim]).collect::<Vec<f64>>();
        let query_bias = Some(attention.query.bias.view());
        let proj_bias = Some(attention.proj.bias.view());
        let (residual, values) = (vec![scales.residual(); dim], vec![scale.value; dim]);
        let name = |layer: &str| format!("block{index}.{layer}");
        let (query, key, value) = (&attention.query.weight, &attention.key, &attention.value);
        Ok(BlockImage {
            norm1: self.norm(&block.norm1, scale.norm1)?,
            query: self.linear(
                &name("query"),
                query.view(),
                query_bias,
                (scale.norm1, &per_head(&scale.query)),
            )?,
            key: self.linear(&name("key"), key.view(), None, (scale.norm1, &per_head(&scale.key)))?,
            value: self.linear(&name("value"), value.view(), None, (scale.norm1, &values))?,
            proj: self.linear(
                &name("proj"),
                attention.proj.weight.view(),
                proj_bias,
                (scale.context, &residual),
            )?,
            norm2: self.norm(&block.norm2, scale.norm2)?,
            feed_forward: self.feed_forward(&block.feed_forward, scales, index)?,
        })
    }

    fn feed_forward(
        &mut self,
        feed_forward: &FeedForward,
        scales: &Scales,
        index: usize,
    ) -> Result<FeedForwardImage> {
        let scale = &scales.blocks[index];
        let name = |layer: &str| format!("block{index}.{layer}");
        match feed_forward {
            FeedForward::Dense(Expert { fc1, fc2 }) => {
                let hidden = vec![scale.hidden(); fc1.bias.len()];
                let residual = vec![scales.residual(); fc2.bias.len()];
                let (bias1, bias2) = (Some(fc1.bias.view()), Some(fc2.bias.view()));
                Ok(FeedForwardImage::Dense {
                    fc1: self.linear(&name("fc1"), fc1.weight.view(), bias1, (scale.norm2, &hidden))?,
                    fc2: self.linear(&name("fc2"), fc2.weight.view(), bias2, (scale.hidden(), &residual))?,
                })
            }
            FeedForward::Experts { gates, experts } => {
                let gate = |(task, gate): (usize, &Array2<f32>)| {
                    let steps = vec![Scales::gate(); gate.nrows()];
                    self.linear(&name(&format!("gate{task}")), gate.view(), None, (scale.norm2, &steps))
                };
                let gates = gates.iter().enumerate().map(gate).collect::<Result<_>>()?;
                self.experts(gates, experts, scales, index).map(FeedForwardImage::Experts)
            }
        }
    }

    fn experts(
        &mut self,
        gates: Vec<LinearImage>,
        experts: &[Expert],
        scales: &Scales,
        index: usize,
    ) -> Result<ExpertsImage> {
        let scale = &scales.blocks[index];
        let (hidden, dim) = experts[0].fc1.weight.dim();
        let float1: Vec<_> = experts.iter().map(|e| (e.fc1.weight.view(), Some(e.fc1.bias.view()))).collect();
        let float2: Vec<_> = experts.iter().map(|e| (e.fc2.weight.view(), Some(e.fc2.bias.view()))).collect();
        let fc1 = quantise_linear(&float1, scale.norm2, &vec![scale.hidden(); hidden])?;
        let fc2 = quantise_linear(&float2, scale.hidden(), &vec![scales.residual(); dim])?;
        let mut addresses = Vec::new();
        for expert in 0..experts.len() {
            let mut bytes = pack_rows(self.arch, &fc1.weights[expert], &fc1.parameters[expert]);
            bytes.extend(pack_rows(self.arch, &fc2.weights[expert], &fc2.parameters[expert]));
            bytes.resize(bytes.len().next_multiple_of(ADDRESS_ALIGNMENT as usize), 0);
            addresses.push((self.image.append(&bytes)?, bytes.len()));
            let name = format!("block{index}.expert{expert}");
            self.report(format!("{name}.fc1"), float1[expert].0, &fc1, expert);
            self.report(format!("{name}.fc2"), float2[expert].0, &fc2, expert);
        }
        Ok(ExpertsImage {
            gates,
            address: addresses[0].0,
            stride: addresses[0].1 as u32,
            hidden: hidden as u16,
            experts: experts.len() as u16,
            fc1_scale: fc1.scale,
            fc2_scale: fc2.scale,
        })
    }

    /// One layer; `steps` are those of its input and of each output channel.
    fn linear(
        &mut self,
        name: &str,
        weight: ArrayView2<'_, f32>,
        bias: Option<ArrayView1<'_, f32>>,
        (input_step, output_steps): (f64, &[f64]),
    ) -> Result<LinearImage> {
        let layers = quantise_linear(&[(weight, bias)], input_step, output_steps)?;
        let bytes = pack_rows(self.arch, &layers.weights[0], &layers.parameters[0]);
        self.report(name.to_string(), weight, &layers, 0);
        Ok(LinearImage {
            address: self.image.append(&bytes)?,
            inputs: weight.ncols() as u16,
            outputs: weight.nrows() as u16,
            scale: layers.scale,
        })
    }

    /// Compares the weights of one of some layers with what they were.
    fn report(&mut self, name: String, float: ArrayView2<'_, f32>, layers: &QuantisedLayers, layer: usize) {
        let mut tally = Tally::new(name, WEIGHT_BITS);
        let rows = float.outer_iter().zip(layers.weights[layer].outer_iter());
        for ((float, integer), &grid) in rows.zip(&layers.grids[layer]) {
            for (&float, &integer) in float.iter().zip(integer) {
                tally.add(f64::from(float), i64::from(integer), grid);
            }
        }
        self.reports.push(tally.report());
    }

    fn norm(&mut self, norm: &Norm, output_step: f64) -> Result<NormImage> {
        let QuantisedNorm { parameters, scale } = quantise_norm(norm, output_step)?;
        let bytes: Vec<u8> = parameters.iter().flat_map(|parameter| parameter.encode()).collect();
        Ok(NormImage { address: self.image.append(&bytes)?, scale })
    }
}

/// The row groups of a layer, the last one padded with zero rows.
fn pack_rows(arch: &ArchConfig, weights: &Array2<i8>, parameters: &[Parameter]) -> Vec<u8> {
    let packed = PackedLinear::new(arch, weights.ncols(), weights.nrows());
    let mut bytes = vec![0; packed.bytes()];
    for (channel, (row, parameter)) in weights.outer_iter().zip(parameters).enumerate() {
        let start = packed.row_offset(channel);
        for (byte, &weight) in bytes[start..start + packed.inputs].iter_mut().zip(row) {
            *byte = weight as u8;
        }
        let start = packed.parameter_offset(channel);
        bytes[start..start + PARAMETER_BYTES].copy_from_slice(&parameter.encode());
    }
    bytes
}
