//! The float model: what M³ViT weights mean, where they come from, and what
//! they compute in f32.

mod card;
mod edge_moe_weights;
mod export;
pub mod float_reference;
mod import;
mod network;
pub mod onnx;
mod outliers;
mod random;
pub mod sample_shapes;

pub use edge_moe_weights::{EdgeMoeImport, read_edge_moe, read_edge_moe_picture};
pub use export::{to_safetensors, write_safetensors};
pub use float_reference::{Observer, Point, Routing, Tensor};
pub use import::read_safetensors;
pub use network::{
    Attention, Block, Expert, FeedForward, Head, Linear, Model, ModelConfig, Norm, Provenance, Task, TaskKind,
};
pub use outliers::{Outliers, with_outliers};
pub use random::{Depths, random};
