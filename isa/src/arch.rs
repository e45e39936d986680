//! Sizes of a device: one value that feeds RTL, software model, compiler and docs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sizes of one accelerator configuration.
///
/// A *word* is `vector` activations of 16 bits: one line of the scratchpad and
/// of the residual memory, and what is broadcast to all lanes in one beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchConfig {
    /// Name of the configuration.
    pub name: String,
    /// Lanes P: rows that are multiplied with each broadcast word.
    pub lanes: u32,
    /// Multipliers in a lane V: activations in a word.
    pub vector: u32,
    /// Words of the scratchpad.
    pub scratchpad_words: u32,
    /// Words of the residual memory.
    pub residual_words: u32,
    /// Words of each of a lane's two row banks.
    pub bank_words: u32,
    /// Most tokens of one set: the depth of a lane's score buffer.
    pub max_tokens: u32,
    /// Most experts of one layer.
    pub max_experts: u32,
    /// Nodes of the router's token queues: tokens · top-k over all sets.
    pub queue_nodes: u32,
    /// Values that LayerNorm normalises in a beat.
    pub norm_width: u32,
    /// Results that the epilogue (GELU, residual, gate score) takes in a beat.
    pub epilogue_width: u32,
    /// Bytes that one memory port moves in a beat.
    pub memory_bytes: u32,
    /// Memory ports.
    pub memory_ports: u32,
    /// Row words of V weights that memory may run ahead of the lanes' banks, over all ports.
    pub stream_entries: u32,
}

/// An architecture that no device can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("architecture `{name}`: {reason}")]
pub struct ArchError {
    name: String,
    reason: String,
}

/// Most activations that fit a scratchpad or residual memory (32 MiB): bounds
/// what a software device allocates for an untrusted configuration.
const MAX_MEMORY_VALUES: u64 = 1 << 24;

impl ArchConfig {
    /// The named configurations, for which RTL exists.
    pub fn named() -> [Self; 4] {
        [Self::tiny(), Self::edge(), Self::zcu102(), Self::ecp5_85()]
    }

    /// The named configuration of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::named().into_iter().find(|arch| arch.name == name)
    }

    /// 16 multipliers: unit tests and proofs in seconds.
    pub fn tiny() -> Self {
        Self {
            name: "tiny".into(),
            lanes: 4,
            vector: 4,
            scratchpad_words: 4096,
            residual_words: 1024,
            bank_words: 64,
            max_tokens: 64,
            max_experts: 16,
            queue_nodes: 256,
            norm_width: 4,
            epilogue_width: 1,
            memory_bytes: 4,
            memory_ports: 1,
            stream_entries: 128,
        }
    }

    /// 256 multipliers, one 128-bit AXI port: the size of Edge-MoE's linear unit.
    pub fn edge() -> Self {
        Self {
            name: "edge".into(),
            lanes: 16,
            vector: 16,
            scratchpad_words: 16384,
            residual_words: 4096,
            bank_words: 64,
            max_tokens: 256,
            max_experts: 32,
            queue_nodes: 1024,
            norm_width: 16,
            epilogue_width: 2,
            memory_bytes: 16,
            memory_ports: 1,
            stream_entries: 512,
        }
    }

    /// 1024 multipliers, two 128-bit AXI ports: for the published comparison.
    pub fn zcu102() -> Self {
        Self {
            name: "zcu102".into(),
            lanes: 32,
            vector: 32,
            scratchpad_words: 8192,
            residual_words: 2048,
            bank_words: 32,
            max_tokens: 256,
            max_experts: 32,
            queue_nodes: 1024,
            norm_width: 32,
            epilogue_width: 8,
            memory_bytes: 16,
            memory_ports: 2,
            stream_entries: 1024,
        }
    }

    /// 64 multipliers behind a 16-bit SDRAM: ECP5-85F boards such as the ULX3S.
    pub fn ecp5_85() -> Self {
        Self {
            name: "ecp5-85".into(),
            lanes: 8,
            vector: 8,
            scratchpad_words: 16384,
            residual_words: 4096,
            bank_words: 128,
            max_tokens: 256,
            max_experts: 32,
            queue_nodes: 1024,
            norm_width: 4,
            epilogue_width: 1,
            memory_bytes: 2,
            memory_ports: 1,
            stream_entries: 128,
        }
    }

    /// Multipliers of the lane array.
    pub fn multipliers(&self) -> u32 {
        self.lanes * self.vector
    }

    /// Words that hold `values` activations.
    pub fn words(&self, values: u32) -> u32 {
        values.div_ceil(self.vector)
    }

    /// Bytes of a word.
    pub fn word_bytes(&self) -> u32 {
        2 * self.vector
    }

    /// Bytes of the data bus of a memory port, at most a row word of V weights. Memory may be slower
    /// than its bus (`memory_bytes`).
    pub fn bus_bytes(&self) -> u32 {
        self.vector.min(16)
    }

    /// Checks that a device of these sizes can exist.
    pub fn validate(&self) -> Result<(), ArchError> {
        let error = |reason: String| Err(ArchError { name: self.name.clone(), reason });
        let bounded = [
            ("lanes", self.lanes, 1, 256),
            ("vector", self.vector, 1, 128),
            ("bank_words", self.bank_words, 1, 8192),
            ("max_tokens", self.max_tokens, 1, 4096),
            ("max_experts", self.max_experts, 1, 1024),
            ("queue_nodes", self.queue_nodes, 1, 1 << 16),
            ("norm_width", self.norm_width, 1, 128),
            ("epilogue_width", self.epilogue_width, 1, 256),
            ("memory_bytes", self.memory_bytes, 1, 128),
            ("memory_ports", self.memory_ports, 1, 4),
            ("stream_entries", self.stream_entries, 1, 1 << 16),
            ("scratchpad_words", self.scratchpad_words, 1, 1 << 24),
            ("residual_words", self.residual_words, 1, 1 << 24),
        ];
        for (item, value, least, most) in bounded {
            if !(least..=most).contains(&value) {
                return error(format!("{item} is {value}, allowed are {least} to {most}"));
            }
        }
        if !self.vector.is_power_of_two() || !self.lanes.is_multiple_of(self.vector) {
            let (lanes, vector) = (self.lanes, self.vector);
            return error(format!("vector {vector} must be a power of two that divides lanes {lanes}"));
        }
        for (item, words) in [("scratchpad", self.scratchpad_words), ("residual", self.residual_words)] {
            let values = u64::from(words) * u64::from(self.vector);
            if values > MAX_MEMORY_VALUES {
                return error(format!("{item} of {values} values exceeds {MAX_MEMORY_VALUES}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_configurations_are_valid_and_found() {
        for arch in ArchConfig::named() {
            arch.validate().unwrap();
            assert_eq!(ArchConfig::by_name(&arch.name), Some(arch));
        }
        assert_eq!(ArchConfig::by_name("huge"), None);
    }

    #[test]
    fn impossible_sizes_are_named() {
        let arch = ArchConfig { lanes: 6, ..ArchConfig::tiny() };
        let message = arch.validate().unwrap_err().to_string();
        assert_eq!(message, "architecture `tiny`: vector 4 must be a power of two that divides lanes 6");
        let arch = ArchConfig { scratchpad_words: 1 << 23, ..ArchConfig::tiny() };
        assert!(arch.validate().unwrap_err().to_string().contains("scratchpad of 33554432 values"));
        let arch = ArchConfig { bank_words: 0, ..ArchConfig::tiny() };
        assert!(arch.validate().unwrap_err().to_string().contains("bank_words is 0"));
    }
}
