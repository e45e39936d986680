//! What a head's numbers mean: answers, ground truth, and how far apart the two are.

mod decode;
pub mod labels;
mod metrics;

pub use decode::{Answer, ClassMap, DepthMap, decode, map_size};
pub use metrics::{
    ClassIou, DepthMetrics, DepthScores, Metrics, Scores, SegmentationMetrics, SegmentationScores,
};
