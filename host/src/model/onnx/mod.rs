//! Export of a model to ONNX, for engines on CPUs and GPUs.
//!
//! The graph computes what [`float_reference`](super::float_reference) computes, in f32: one
//! picture in, one output per task, the part before the first gate once for all tasks. Each
//! expert computes the tokens that chose it and no others. Operators are those of set 17.

mod graph;
mod network;
mod proto;

use std::io::Write;
use std::path::Path;

use prost::Message;
use serde::Serialize;

use super::{Model, export};
use crate::{Error, Result, atomic_file};
use proto::{IR_VERSION, ModelProto, OperatorSetIdProto, StringStringEntryProto};

pub use network::INPUT;

/// Version of ONNX's operators that the graph uses: the first with LayerNormalization.
pub const OPERATOR_SET: i64 = 17;
/// A protobuf message holds less than 2 GiB.
const MAX_BYTES: usize = i32::MAX as usize;

/// A model as ONNX.
pub struct Onnx {
    /// The file.
    pub bytes: Vec<u8>,
    /// What is in it.
    pub summary: Summary,
}

/// What an ONNX file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Version of the operators.
    pub operator_set: i64,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of weights and other constants' values.
    pub values: usize,
    /// Name of the picture: u8, RGB, 0 to 255.
    pub input: String,
    /// Shape of the picture: [1, 3, height, width].
    pub input_shape: [usize; 4],
    /// One per task, in the order that was asked for.
    pub outputs: Vec<Output>,
}

/// An output of an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Name of the task.
    pub name: String,
    /// [patches, channels], or [tokens, dim] without a head.
    pub shape: [usize; 2],
}

/// Writes the network that answers `tasks`; the file appears complete or not at all.
pub fn write_onnx(model: &Model, tasks: &[usize], path: &Path) -> Result<Summary> {
    let onnx = to_onnx(model, tasks).map_err(|problem| Error::writing(path, problem))?;
    atomic_file::write(path, |file| file.write_all(&onnx.bytes))?;
    Ok(onnx.summary)
}

/// The network that answers `tasks`, indices into the model's.
///
/// # Errors
/// Why the model cannot be a single ONNX file.
pub fn to_onnx(model: &Model, tasks: &[usize]) -> std::result::Result<Onnx, String> {
    let graph = network::graph(model, tasks)?;
    let config = &model.config;
    let output = |&task: &usize| Output {
        name: config.tasks[task].name.clone(),
        shape: config.answer_shape(&config.tasks[task]).into(),
    };
    let summary = Summary {
        operator_set: OPERATOR_SET,
        nodes: graph.node.len(),
        values: graph.initializer.iter().map(|tensor| tensor.dims.iter().product::<i64>() as usize).sum(),
        input: INPUT.to_string(),
        input_shape: [1, 3, config.image_height, config.image_width],
        outputs: tasks.iter().map(output).collect(),
    };
    let message = ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        doc_string: format!(
            "M3ViT, multi-task mixture of experts, from {}; each expert computes the tokens that chose it",
            model.provenance.file
        ),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: OPERATOR_SET }],
        metadata_props: metadata(model),
    };
    check_size(message.encoded_len())?;
    Ok(Onnx { bytes: message.encode_to_vec(), summary })
}

/// The model card, sorted by entry.
fn metadata(model: &Model) -> Vec<StringStringEntryProto> {
    let mut entries: Vec<_> = export::card(model).into_iter().collect();
    entries.sort();
    entries.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect()
}

fn check_size(bytes: usize) -> std::result::Result<(), String> {
    if bytes > MAX_BYTES {
        return Err(format!("an ONNX file of {bytes} bytes; protobuf messages hold at most {MAX_BYTES}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
