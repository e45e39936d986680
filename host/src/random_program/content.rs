//! Random numbers: activations, weights, parameters, gate logits.

use edge_moe_isa::packing::{PackedLinear, Parameter};
use edge_moe_kernels::fixed::{MAX_BIAS_SHIFT, MAX_SHIFT};
use rand::Rng;

use super::Builder;

/// How a layer's sums become results.
#[derive(Clone, Copy)]
pub struct Scaling {
    pub shift: u8,
    pub bias_shift: u8,
}

impl Builder<'_> {
    /// Activations, little-endian: of any magnitude, sometimes all alike, sometimes only the extremes.
    pub fn values(&mut self, count: usize) -> Vec<u8> {
        let kind = self.random.random_range(0..10);
        let magnitude = 1 << self.random.random_range(1..=15);
        let constant: i16 = self.random.random();
        let value = |_| -> i16 {
            match kind {
                0 => constant,
                1 => [i16::MIN, i16::MAX, 0, -1][self.random.random_range(0..4)],
                2..=5 => self.random.random(),
                _ => self.random.random_range(-magnitude..magnitude) as i16,
            }
        };
        (0..count).map(value).flat_map(i16::to_le_bytes).collect()
    }

    /// A packed layer: its rows and parameter records.
    pub fn layer(&mut self, packed: PackedLinear) -> Vec<u8> {
        let mut bytes = vec![0; packed.bytes()];
        let kind = self.random.random_range(0..8);
        for channel in 0..packed.outputs {
            let start = packed.row_offset(channel);
            for weight in &mut bytes[start..start + packed.inputs] {
                *weight = match kind {
                    0 => [i8::MIN, i8::MAX][self.random.random_range(0..2)] as u8,
                    1 if self.random.random_bool(0.8) => 0,
                    _ => self.random.random(),
                };
            }
            let parameter = Parameter { multiplier: self.random.random::<u16>().into(), bias: self.bias() };
            let start = packed.parameter_offset(channel);
            bytes[start..][..8].copy_from_slice(&parameter.encode());
        }
        bytes
    }

    /// Parameters of a norm.
    pub fn norm_parameters(&mut self, channels: usize) -> Vec<u8> {
        let record = |_| {
            let multiplier = self.random.random::<i16>().into();
            Parameter { multiplier, bias: self.bias() }.encode()
        };
        (0..channels).flat_map(record).collect()
    }

    /// A bias of any magnitude.
    fn bias(&mut self) -> i32 {
        self.random.random::<i32>() >> self.random.random_range(0..32)
    }

    /// Shifts that leave most results of a layer of `inputs` channels unsaturated; sometimes any.
    pub fn scaling(&mut self, inputs: u32) -> Scaling {
        Scaling {
            shift: self.shift(20 + inputs.ilog2() / 2 + 16 - 14, MAX_SHIFT),
            bias_shift: if self.chance(0.8) {
                self.random.random_range(0..=8)
            } else {
                self.random.random_range(0..=MAX_BIAS_SHIFT as u8)
            },
        }
    }

    /// A shift near `usual`, sometimes any from 1 to `most`.
    pub fn shift(&mut self, usual: u32, most: u32) -> u8 {
        if self.chance(0.1) {
            return self.random.random_range(1..=most) as u8;
        }
        let near = usual as i32 + self.random.random_range(-3..=3);
        near.clamp(1, most as i32) as u8
    }

    /// Gate logits, `stride` values a token of which `experts` count: spread, equal, tied, or one expert for all.
    pub fn logits(&mut self, tokens: usize, experts: usize, stride: usize) -> Vec<u8> {
        let kind = self.random.random_range(0..6);
        let favourite = self.random.random_range(0..experts);
        let magnitude: i32 = 1 << self.random.random_range(6..=15);
        let level: i16 = self.random.random();
        let logit = |index: usize| -> i16 {
            let spread = self.random.random_range(-magnitude..magnitude) as i16;
            match kind {
                0 => level,
                1 if index % stride == favourite => i16::MAX,
                2 => [-2048, 0, 2048][self.random.random_range(0..3)],
                3 => [i16::MIN, i16::MAX][self.random.random_range(0..2)],
                _ => spread,
            }
        };
        (0..tokens * stride).map(logit).flat_map(i16::to_le_bytes).collect()
    }
}
