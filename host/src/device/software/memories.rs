//! A model and the memories that its programs work on.

use std::ops::Range;
use std::sync::Arc;

use crate::executable::Executable;

/// Everything that descriptors read and write, but the queues.
pub struct Memories {
    pub executable: Arc<Executable>,
    /// The writable part of memory.
    pub writable: Vec<u8>,
    pub scratchpad: Vec<i16>,
    pub residual: Vec<i16>,
}

impl Memories {
    /// Memories of the sizes that a model was compiled for, all zero.
    pub fn new(executable: Arc<Executable>) -> Self {
        let arch = executable.arch();
        let values = |words: u32| vec![0; (words * arch.vector) as usize];
        Self {
            writable: vec![0; executable.window().writable_bytes as usize],
            scratchpad: values(arch.scratchpad_words),
            residual: values(arch.residual_words),
            executable,
        }
    }

    /// Where the channels of a token stand, from word `base` on.
    pub fn token(&self, base: u32, token: u32, channels: usize) -> Range<usize> {
        let start = base as usize * self.vector() + token as usize * channels;
        start..start + channels
    }

    pub fn vector(&self) -> usize {
        self.executable.arch().vector as usize
    }

    /// Where `count` values from word `address` on stand in an on-chip memory.
    pub fn values_at(&self, address: u32, count: usize) -> Range<usize> {
        let start = address as usize * self.vector();
        start..start + count
    }

    /// Bytes of the image at a memory address.
    pub fn image_bytes(&self, address: u32, count: usize) -> &[u8] {
        &self.executable.image()[address as usize - self.writable.len()..][..count]
    }

    /// Bytes anywhere in memory.
    pub fn memory_bytes(&self, address: u32, count: usize) -> &[u8] {
        let start = address as usize;
        match start < self.writable.len() {
            true => &self.writable[start..start + count],
            false => self.image_bytes(address, count),
        }
    }
}
