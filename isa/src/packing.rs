//! Layout of packed weights and parameters in memory.
//!
//! A *row group* is what the lanes hold at once: P rows of K weight bytes,
//! row after row, then P parameter records. Output channels that do not fill
//! the last group are padded with zero rows. The groups of a layer follow each
//! other without gaps; an expert is its fc1 followed by its fc2.

use crate::arch::ArchConfig;

/// Bytes of one parameter record: multiplier or gain (u16/s16), two spare
/// bytes, bias or offset (s32), little-endian.
pub const PARAMETER_BYTES: usize = 8;

/// Alignment of every address in memory that a descriptor names.
pub const ADDRESS_ALIGNMENT: u32 = 64;

/// What a channel multiplies and adds when it is requantised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// u16 multiplier of a linear layer, or s16 gain of a LayerNorm.
    pub multiplier: i32,
    /// s32 bias or offset.
    pub bias: i32,
}

impl Parameter {
    /// The record in memory.
    pub fn encode(self) -> [u8; PARAMETER_BYTES] {
        let mut record = [0; PARAMETER_BYTES];
        record[..2].copy_from_slice(&(self.multiplier as u16).to_le_bytes());
        record[4..].copy_from_slice(&self.bias.to_le_bytes());
        record
    }

    /// Reads a record of a linear layer, whose multiplier is unsigned.
    #[inline]
    pub fn decode_unsigned(record: &[u8]) -> Self {
        Self { multiplier: i32::from(u16::from_le_bytes([record[0], record[1]])), bias: bias_of(record) }
    }

    /// Reads a record of a LayerNorm, whose gain is signed.
    pub fn decode_signed(record: &[u8]) -> Self {
        Self { multiplier: i32::from(i16::from_le_bytes([record[0], record[1]])), bias: bias_of(record) }
    }
}

fn bias_of(record: &[u8]) -> i32 {
    i32::from_le_bytes([record[4], record[5], record[6], record[7]])
}

/// Shape of a packed linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedLinear {
    /// Lanes P: rows in a group.
    pub lanes: usize,
    /// Input channels K.
    pub inputs: usize,
    /// Output channels N, without padding.
    pub outputs: usize,
}

impl PackedLinear {
    /// A layer with `inputs` and `outputs` channels, packed for `arch`.
    pub fn new(arch: &ArchConfig, inputs: usize, outputs: usize) -> Self {
        Self { lanes: arch.lanes as usize, inputs, outputs }
    }

    /// Row groups of the layer.
    pub fn groups(&self) -> usize {
        self.outputs.div_ceil(self.lanes)
    }

    /// Bytes of one row group: rows, then parameters.
    pub fn group_bytes(&self) -> usize {
        self.lanes * (self.inputs + PARAMETER_BYTES)
    }

    /// Bytes of the whole layer.
    pub fn bytes(&self) -> usize {
        self.groups() * self.group_bytes()
    }

    /// Weights and parameter of output channels from `first` on, as many as `bytes` holds from the layer's
    /// start on.
    pub fn channels<'a>(&self, bytes: &'a [u8], first: usize) -> Channels<'a> {
        let group = first / self.lanes;
        let rest = bytes.get(group * self.group_bytes()..).unwrap_or_default();
        Channels { packed: *self, rest, lane: first % self.lanes }
    }

    /// Where the weight row of output channel `channel` starts.
    pub fn row_offset(&self, channel: usize) -> usize {
        channel / self.lanes * self.group_bytes() + channel % self.lanes * self.inputs
    }

    /// Where the parameter record of output channel `channel` starts.
    pub fn parameter_offset(&self, channel: usize) -> usize {
        let group = channel / self.lanes * self.group_bytes();
        group + self.lanes * self.inputs + channel % self.lanes * PARAMETER_BYTES
    }
}

/// Weights and parameters of a linear layer, channel by channel.
#[derive(Clone, Debug)]
pub struct Channels<'a> {
    packed: PackedLinear,
    /// From the row group of the next channel on.
    rest: &'a [u8],
    lane: usize,
}

impl<'a> Iterator for Channels<'a> {
    /// K weights, and the parameter.
    type Item = (&'a [u8], Parameter);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let PackedLinear { lanes, inputs, .. } = self.packed;
        let (group, rest) = self.rest.split_at_checked(self.packed.group_bytes())?;
        let (rows, records) = group.split_at(lanes * inputs);
        let row = &rows[self.lane * inputs..][..inputs];
        let parameter = Parameter::decode_unsigned(&records[self.lane * PARAMETER_BYTES..]);
        self.lane += 1;
        if self.lane == lanes {
            (self.lane, self.rest) = (0, rest);
        }
        Some((row, parameter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_stand_where_the_offsets_say() {
        let packed = PackedLinear { lanes: 4, inputs: 3, outputs: 10 };
        let bytes: Vec<u8> = (0..packed.bytes()).map(|index| index as u8).collect();
        for first in 0..packed.outputs {
            let channels: Vec<_> = packed.channels(&bytes, first).take(packed.outputs - first).collect();
            assert_eq!(channels.len(), packed.outputs - first);
            for (channel, (row, parameter)) in (first..).zip(channels) {
                assert_eq!(row, &bytes[packed.row_offset(channel)..][..3]);
                let record = &bytes[packed.parameter_offset(channel)..];
                assert_eq!(parameter, Parameter::decode_unsigned(record));
            }
        }
        assert_eq!(packed.channels(&bytes, 12).next(), None);
    }

    #[test]
    fn rows_and_parameters_tile_a_layer() {
        let packed = PackedLinear { lanes: 4, inputs: 8, outputs: 6 };
        assert_eq!((packed.groups(), packed.group_bytes(), packed.bytes()), (2, 64, 128));
        assert_eq!([0, 1, 3, 4].map(|channel| packed.row_offset(channel)), [0, 8, 24, 64]);
        assert_eq!([0, 1, 3, 4].map(|channel| packed.parameter_offset(channel)), [32, 40, 56, 96]);
    }

    #[test]
    fn parameters_round_trip() {
        for multiplier in [0, 1, 32768, 65535] {
            let parameter = Parameter { multiplier, bias: i32::MIN };
            assert_eq!(Parameter::decode_unsigned(&parameter.encode()), parameter);
        }
        for multiplier in [-32768, -1, 0, 32767] {
            let parameter = Parameter { multiplier, bias: 77 };
            assert_eq!(Parameter::decode_signed(&parameter.encode()), parameter);
        }
    }
}
