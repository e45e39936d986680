//! The writable part of device memory: pictures in, results out.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::packing::ADDRESS_ALIGNMENT;

use crate::model::{FeedForward, Model};

/// Where everything that is not weights or program stands in memory.
#[derive(Debug)]
pub struct MemoryMap {
    /// The picture's patches.
    pub picture: u32,
    /// The result of each task.
    pub outputs: Vec<u32>,
    /// Room for one set's residual, while tasks run one after another.
    pub spill: u32,
    /// All of it; the image follows.
    pub writable_bytes: u64,
    /// Gate logits: task, block, address.
    routing: Vec<(usize, usize, u32)>,
}

impl MemoryMap {
    /// Lays out the memory for a model.
    pub fn new(model: &Model, arch: &ArchConfig) -> Self {
        let config = &model.config;
        let row_bytes = |values: usize| u64::from(arch.words(values as u32) * arch.word_bytes());
        let mut end = 0u64;
        let mut place = |bytes: u64| {
            let address = end;
            end = (end + bytes).next_multiple_of(u64::from(ADDRESS_ALIGNMENT));
            address as u32
        };
        let picture = place(config.patches() as u64 * row_bytes(config.patch_values()));
        let shapes = config.tasks.iter().map(|task| config.answer_shape(task));
        let outputs = shapes.map(|(rows, channels)| place(rows as u64 * row_bytes(channels))).collect();
        let spill = place(config.tokens() as u64 * row_bytes(config.dim));
        let mut routing = Vec::new();
        for (index, block) in model.blocks.iter().enumerate() {
            if let FeedForward::Experts { gates, .. } = &block.feed_forward {
                let bytes = config.tokens() as u64 * row_bytes(config.experts);
                routing.extend((0..gates.len()).map(|task| (task, index, place(bytes))));
            }
        }
        Self { picture, outputs, spill, routing, writable_bytes: end }
    }

    /// Where the gate logits of a task in a block stand.
    pub fn routing(&self, task: usize, block: usize) -> u32 {
        let found = self.routing.iter().find(|entry| (entry.0, entry.1) == (task, block));
        found.expect("every MoE block has room for its logits").2
    }

    /// Blocks and addresses of a task's gate logits, in order.
    pub fn routing_of(&self, task: usize) -> impl Iterator<Item = (usize, u32)> {
        self.routing.iter().filter(move |entry| entry.0 == task).map(|&(_, block, address)| (block, address))
    }
}
