//! How near the integer network is to the float one: what `edge-moe fidelity --json` printed.

use std::path::Path;

use edge_moe::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::results;

/// Names of the results, without `NAME-` and the ending.
const PREFIX: &str = "fidelity-";

/// One run of the command.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Fidelity {
    /// The model; `file` is its name.
    pub model: Model,
    /// `plain`, or `outliers`: with some channels of the residual scaled up.
    pub variant: String,
    /// Number of pictures.
    pub pictures: usize,
    /// Errors of the kernels by themselves.
    pub kernels: Kernels,
    /// Every tensor.
    pub tensors: Vec<Tensor>,
    /// Tokens that visit other experts.
    pub expert_sets: ExpertSets,
    /// Scores on labelled pictures; none if they were not measured.
    pub scores: Option<Scores>,
}

/// What was quantised.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Model {
    /// Its file.
    pub file: String,
    /// Number of parameters.
    pub parameters: u64,
}

/// Errors of the kernels against exact functions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Kernels {
    /// The table GELU, by fraction bits of its input.
    pub gelu: Vec<Map<String, Value>>,
    /// The base-2 softmax, by spread of logits and number of keys.
    pub softmax: Vec<Map<String, Value>>,
    /// LayerNorm, by kind of input.
    pub layer_norm: Vec<Map<String, Value>>,
}

/// A tensor of the network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Tensor {
    /// Name.
    pub name: String,
    /// Block, if it is of one.
    pub block: Option<usize>,
    /// Kind of tensor.
    pub kind: String,
    /// Signal to quantisation noise ratio; none if there is no noise, or no signal.
    pub sqnr_db: Option<f64>,
}

/// Tokens that visit other experts than in the float reference.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ExpertSets {
    /// Tokens with another set.
    pub changed: u64,
    /// All of them, over blocks and tasks.
    pub tokens: u64,
    /// Block by block.
    pub by_block: Vec<BlockSets>,
}

/// The same of one block and task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockSets {
    /// Name of the task.
    pub task: String,
    /// Index of the block.
    pub block: usize,
    /// Tokens with another set.
    pub changed: u64,
    /// Tokens.
    pub tokens: u64,
}

/// Scores on labelled pictures.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scores {
    /// Of the float reference.
    pub float: TaskScores,
    /// Of the integer network.
    pub integer: TaskScores,
}

/// Scores by metric; none for a task that the model does not have.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TaskScores {
    /// Mean intersection over union of the classes.
    pub miou: Option<f64>,
    /// Share of the cells with the right class.
    pub pixel_accuracy: Option<f64>,
    /// Root mean squared error of the depth in metres.
    pub depth_rmse_m: Option<f64>,
}

impl Fidelity {
    /// The model and the variant, for people.
    pub fn title(&self) -> String {
        let file = self.model.file.rsplit('/').next().unwrap_or_default();
        format!("{}, {}", file.split('.').next().unwrap_or_default(), self.variant)
    }
}

/// Reads all results of this kind, by name of their files.
pub fn read_all(folder: &Path) -> Result<Vec<Fidelity>> {
    let reading = |cause| Error::reading(folder, cause);
    let entries =
        folder.read_dir().map_err(reading)?.collect::<std::io::Result<Vec<_>>>().map_err(reading)?;
    let wanted = |name: &String| name.starts_with(PREFIX) && name.ends_with(".json");
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(wanted).collect();
    names.sort();
    let read = |name: &String| results::read_if_present(&folder.join(name)).transpose();
    names.iter().filter_map(read).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What the command prints, for two blocks.
    pub const SAMPLE: &str = r#"{
        "version": 1, "model": {"file": "some.safetensors", "parameters": 1234}, "variant": "plain", "pictures": 2,
        "kernels": {
            "gelu": [{"fraction_bits": 9, "max_error": 0.0011, "rms_error": 0.0004, "max_error_steps": 0.6}],
            "softmax": [{"spread": 8, "keys": 129, "max_probability_error": 0.003, "max_partial_sum_error": 0.001}],
            "layer_norm": [{"kind": "normal", "max_error": 0.002, "rms_error": 0.0007}]
        },
        "tensors": [
            {"name": "embedding", "block": null, "kind": "embedding", "sqnr_db": 60.0},
            {"name": "block 0 query", "block": 0, "kind": "query", "sqnr_db": 40.0},
            {"name": "block 1 query", "block": 1, "kind": "query", "sqnr_db": 36.0},
            {"name": "block 0 output", "block": 0, "kind": "output", "sqnr_db": 44.0},
            {"name": "block 1 output", "block": 1, "kind": "output", "sqnr_db": null}
        ],
        "expert_sets": {"changed": 3, "tokens": 300, "share": 0.01,
            "by_block": [{"task": "semseg", "block": 1, "changed": 3, "tokens": 300}]},
        "scores": {"float": {"miou": 0.5, "pixel_accuracy": 0.9, "depth_rmse_m": 7.0},
            "integer": {"miou": 0.49, "pixel_accuracy": 0.89, "depth_rmse_m": 7.1}}
    }"#;

    #[test]
    fn results_are_read_in_order_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("fidelity-b.json", SAMPLE);
        write("fidelity-a.json", &SAMPLE.replace("\"plain\"", "\"outliers\""));
        write("sweep.json", "");
        let all = read_all(directory.path()).unwrap();
        let variants: Vec<&str> = all.iter().map(|fidelity| fidelity.variant.as_str()).collect();
        assert_eq!(variants, ["outliers", "plain"]);
        write("fidelity-c.json", "{\"version\": 1}");
        assert!(
            read_all(directory.path()).unwrap_err().to_string().contains("fidelity-c.json: missing field")
        );
    }
}
