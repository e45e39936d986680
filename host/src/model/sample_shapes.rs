//! Shapes of networks for tests and benchmarks, to be filled with random weights.

use super::{Depths, ModelConfig, Task, TaskKind};

/// Edge-MoE's M³ViT: 12 blocks of width 192, six of them with 16 experts, top-2.
pub fn edge_moe() -> (ModelConfig, Depths) {
    let classes = ["road", "sidewalk", "building", "vegetation", "sky", "vehicle"];
    let config = ModelConfig {
        image_height: 128,
        image_width: 256,
        patch: 16,
        dim: 192,
        heads: 3,
        experts: 16,
        top_k: 2,
        layer_norm_eps: 1e-6,
        tasks: tasks(&classes),
    };
    (config, Depths { blocks: 12, hidden: 768, expert_hidden: 384 })
}

/// Small enough for every named architecture: two tasks, eight patches and a
/// cls token, two MoE blocks of four experts, top-2.
pub fn mixture() -> (ModelConfig, Depths) {
    let config = ModelConfig {
        image_height: 16,
        image_width: 32,
        patch: 8,
        dim: 64,
        heads: 2,
        experts: 4,
        top_k: 2,
        layer_norm_eps: 1e-6,
        tasks: tasks(&["road", "sky", "vehicle"]),
    };
    (config, Depths { blocks: 4, hidden: 256, expert_hidden: 64 })
}

/// The small shape without experts: a plain vision transformer with two heads.
pub fn dense() -> (ModelConfig, Depths) {
    let (config, depths) = mixture();
    (ModelConfig { experts: 0, top_k: 0, ..config }, depths)
}

/// A shape with two tasks, `task0` and `task1`, that have gates but no heads, as Edge-MoE releases its encoder.
pub fn headless((config, depths): (ModelConfig, Depths)) -> (ModelConfig, Depths) {
    let task = |name: &str| Task { name: name.into(), cells: 1, kind: TaskKind::Encoder };
    (ModelConfig { tasks: vec![task("task0"), task("task1")], ..config }, depths)
}

fn tasks(classes: &[&str]) -> Vec<Task> {
    let classes = classes.iter().map(|class| class.to_string()).collect();
    let depth = TaskKind::Depth { scale: 1.05, offset: 2.75, max_metres: 80.0 };
    let task = |name: &str, kind| Task { name: name.into(), cells: 4, kind };
    vec![task("semseg", TaskKind::Segmentation { classes }), task("depth", depth)]
}
