//! The weights of a model, packed once into panels.

use std::collections::{HashMap, HashSet};

use edge_moe_isa::descriptor::{Experts, Linear, Operation};
use edge_moe_isa::packing::PackedLinear;
use edge_moe_kernels::fixed::Requantise;
use rayon::prelude::*;

use super::layer::Layer;
use super::simd::panel::{self, Line, ROWS};
use super::simd::{BLOCK_LINES, Path, PerRow, Simd};
use crate::executable::Executable;
use crate::{Error, Result};

/// Packed weights may take this many times the bytes of the image, and a little that small layers are padded by.
const MOST_COPIES: usize = 4;
const MOST_PADDING: usize = 16 << 20;

/// A linear layer as descriptors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// Of the first row group in memory.
    address: u32,
    inputs: usize,
    outputs: usize,
    shift: u32,
    bias_shift: u32,
}

impl Place {
    /// The layer of a linear descriptor.
    fn of_linear(linear: &Linear) -> Self {
        Self {
            address: linear.weights,
            inputs: linear.inputs.into(),
            outputs: linear.outputs.into(),
            shift: linear.shift.into(),
            bias_shift: linear.bias_shift.into(),
        }
    }

    /// Both layers of an expert.
    fn of_expert(lanes: usize, experts: &Experts, expert: usize) -> [Self; 2] {
        let (channels, hidden) = (usize::from(experts.channels), usize::from(experts.hidden_channels));
        let fc1 = Self {
            address: experts.weights + expert as u32 * experts.stride,
            inputs: channels,
            outputs: hidden,
            shift: experts.fc1_shift.into(),
            bias_shift: experts.fc1_bias_shift.into(),
        };
        let fc2 = Self {
            address: fc1.address + fc1.in_memory(lanes).bytes() as u32,
            inputs: hidden,
            outputs: channels,
            shift: experts.fc2_shift.into(),
            bias_shift: experts.fc2_bias_shift.into(),
        };
        [fc1, fc2]
    }

    fn in_memory(&self, lanes: usize) -> PackedLinear {
        PackedLinear { lanes, inputs: self.inputs, outputs: self.outputs }
    }

    /// Panels of the layer.
    fn panels(&self) -> usize {
        self.outputs.div_ceil(ROWS)
    }

    /// Lines of all its panels.
    fn lines(&self) -> usize {
        self.panels() * panel::lines(self.inputs)
    }
}

/// Every linear layer of a model's programs, ready to be multiplied.
pub struct Weights {
    lanes: usize,
    /// Layer after layer, panel after panel.
    lines: Vec<Line>,
    layers: HashMap<Place, Packed>,
}

/// What belongs to a layer beside its lines.
struct Packed {
    /// Its first line.
    first: usize,
    /// What sums begin with: block by block of a panel's lines, panel by panel.
    starts: Vec<PerRow>,
    /// Per channel: the multiplier, and what is added before the shift.
    multipliers: Vec<i32>,
    constants: Vec<i64>,
}

impl Weights {
    /// Packs all layers, in the order in which the programs use them.
    ///
    /// # Errors
    /// Layers that share so many bytes of the image that packed they would take many times its size.
    pub fn pack(simd: Simd, executable: &Executable) -> Result<Self> {
        match simd {
            Simd::Portable(path) => Self::pack_for(path, executable),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2(path) => Self::pack_for(path, executable),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512(path) => Self::pack_for(path, executable),
            #[cfg(target_arch = "x86_64")]
            Simd::Amx(path) => Self::pack_for(path, executable),
        }
    }

    fn pack_for(path: impl Path, executable: &Executable) -> Result<Self> {
        let lanes = executable.arch().lanes as usize;
        let steps = executable.programs().iter().flatten();
        let mut places: Vec<Place> = steps.flat_map(|step| places_of(lanes, &step.operation)).collect();
        let mut known = HashSet::new();
        places.retain(|place| known.insert(*place));
        let count: usize = places.iter().map(Place::lines).sum();
        let most = MOST_COPIES * executable.image().len() + MOST_PADDING;
        if count * size_of::<Line>() > most {
            let problem = format!("its layers overlap: packed they take {} bytes", count * size_of::<Line>());
            return Err(Error::input("program", problem).hint(format!("at most {most} for this image")));
        }
        let mut lines = vec![Line::default(); count];
        let mut rest = &mut lines[..];
        let mut first = 0;
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            let (part, others) = rest.split_at_mut(place.lines());
            parts.push((place, first, part));
            first += place.lines();
            rest = others;
        }
        let pack = |(place, first, lines)| (place, Packed::new(path, executable, place, first, lines));
        let layers = parts.into_par_iter().map(pack).collect();
        Ok(Self { lanes, lines, layers })
    }

    /// The layer of a linear descriptor.
    pub fn linear(&self, linear: &Linear) -> Layer<'_> {
        self.layer(Place::of_linear(linear))
    }

    /// Both layers of an expert.
    pub fn expert(&self, experts: &Experts, expert: usize) -> [Layer<'_>; 2] {
        Place::of_expert(self.lanes, experts, expert).map(|place| self.layer(place))
    }

    fn layer(&self, place: Place) -> Layer<'_> {
        let Packed { first, starts, multipliers, constants } = &self.layers[&place];
        let (lines, after) = self.lines[*first..].split_at(place.lines());
        Layer { inputs: place.inputs, lines, after, starts, multipliers, constants, shift: place.shift }
    }
}

impl Packed {
    /// Packs the layer at a place into its lines, which follow `first` others.
    fn new(path: impl Path, executable: &Executable, place: Place, first: usize, lines: &mut [Line]) -> Self {
        let start = u64::from(place.address) - executable.window().writable_bytes;
        let bytes = &executable.image()[start as usize..];
        let scale = Requantise { shift: place.shift, bias_shift: place.bias_shift };
        let panel_lines = panel::lines(place.inputs);
        let mut panel_starts = vec![PerRow::default(); panel_lines.div_ceil(BLOCK_LINES)];
        let mut packed = Self {
            first,
            starts: vec![PerRow::default(); panel_starts.len() * place.panels()],
            multipliers: Vec::with_capacity(place.outputs),
            constants: Vec::with_capacity(place.outputs),
        };
        let mut channels =
            place.in_memory(executable.arch().lanes as usize).channels(bytes, 0).take(place.outputs);
        for (index, panel) in lines.chunks_mut(panel_lines).enumerate() {
            let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
            let mut filled = 0;
            for (slot, (row, parameter)) in rows.iter_mut().zip(channels.by_ref()) {
                *slot = row;
                filled += 1;
                packed.multipliers.push(parameter.multiplier);
                packed.constants.push(constant(scale, parameter.bias));
            }
            path.pack_weights(&rows[..filled], panel, &mut panel_starts);
            for (starts, start) in packed.starts.chunks_mut(place.panels()).zip(&panel_starts) {
                starts[index] = *start;
            }
        }
        packed
    }
}

/// The bias and one half, in units of the product.
fn constant(scale: Requantise, bias: i32) -> i64 {
    (i64::from(bias) << scale.bias_shift) + (1 << (scale.shift - 1))
}

/// The layers that an operation reads.
fn places_of(lanes: usize, operation: &Operation) -> Vec<Place> {
    match operation {
        Operation::Linear(linear) => vec![Place::of_linear(linear)],
        Operation::Experts(experts) => {
            (0..experts.experts.into()).flat_map(|expert| Place::of_expert(lanes, experts, expert)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use edge_moe_isa::arch::ArchConfig;
    use edge_moe_isa::artifact::Step;
    use edge_moe_isa::descriptor::{BYTES, Copy, Descriptor, Destination, End, Space};

    use super::*;
    use crate::executable::Listing;

    /// Layers of 64 channels to 256, each 64 bytes behind the one before.
    fn overlapping(layers: u32) -> Executable {
        const ALIGNMENT: usize = 64;
        let arch = ArchConfig::tiny();
        let layer = PackedLinear::new(&arch, 64, 256).bytes();
        let input = Copy {
            source_space: Space::Memory,
            source: 0,
            destination_space: Space::Scratchpad,
            destination: 0,
            words: 64 / arch.vector,
        };
        let linear = |index: u32| Linear {
            input: 0,
            output: 64,
            weights: (index + 2) * ALIGNMENT as u32,
            inputs: 64,
            outputs: 256,
            tokens: 1,
            sets: 1,
            destination: Destination::Tokens,
            bits: 16,
            shift: 20,
            bias_shift: 4,
            gelu_bits: 0,
        };
        let operations = std::iter::once(Operation::Copy(input))
            .chain((0..layers).map(|index| Operation::Linear(linear(index))))
            .chain([Operation::End(End {})]);
        let program: Vec<u8> =
            operations.flat_map(|operation| Descriptor { wait: true, operation }.encode()).collect();
        let steps = vec![Step { label: String::new(), results: Vec::new() }; program.len() / BYTES];
        let mut image = vec![1; (layer + layers as usize * ALIGNMENT).next_multiple_of(ALIGNMENT)];
        let writable_bytes = 2 * ALIGNMENT as u64;
        let listing = Listing { address: writable_bytes + image.len() as u64, steps };
        image.extend(program);
        Executable::of_program(arch, writable_bytes, image, listing).unwrap()
    }

    #[test]
    fn layers_that_overlap_without_end_are_refused() {
        let simd = Simd::best();
        assert!(Weights::pack(simd, &overlapping(3)).is_ok());
        let error = Weights::pack(simd, &overlapping(1200)).err().expect("refused");
        assert_eq!(error.to_string(), "program: its layers overlap: packed they take 19660800 bytes");
    }
}
