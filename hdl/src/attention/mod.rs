//! Reordered attention: Q·Kᵀ, softmax and A·V on the lanes.

mod sequencer;
mod top;
mod walk;

pub use sequencer::{Phase, Sequencer};
pub use top::AttentionTop;
pub use walk::GroupWalk;
