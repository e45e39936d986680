//! Reordered attention: Q·Kᵀ, softmax and A·V on the lanes.

mod probability_control;
mod query_loader;
mod sequencer;
mod top;
mod walk;

pub use probability_control::ProbabilityControl;
pub use query_loader::QueryLoader;
pub use sequencer::{Phase, Sequencer};
pub use top::AttentionTop;
pub use walk::GroupWalk;
