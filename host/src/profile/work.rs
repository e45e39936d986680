//! What a program has to do, whatever the device does: products, row groups, bounds.

use edge_moe_isa::descriptor::{Descriptor, Experts, Operation, Space};
use edge_moe_isa::packing::{PARAMETER_BYTES, PackedLinear};

use super::attention_model;
use super::cycle_model::Machine;

/// The work of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Useful multiplications: none with padding.
    pub macs: u64,
    /// Sum over its row groups of the longer of compute and load, or the beats of attention.
    pub bound_cycles: u64,
    /// Bytes of weights, parameters and copies that it needs from memory or puts there.
    pub bytes: u64,
}

impl Work {
    /// Adds the work of another one.
    pub fn add(&mut self, other: &Self) {
        self.macs += other.macs;
        self.bound_cycles += other.bound_cycles;
        self.bytes += other.bytes;
    }
}

/// The work of each descriptor; `queues` as for [`super::predict`].
///
/// # Panics
/// If there are fewer queues than `experts` descriptors.
pub fn work(machine: &Machine<'_>, program: &[Descriptor], queues: &[Vec<usize>]) -> Vec<Work> {
    let mut queues = queues.iter();
    let mut of = |descriptor: &Descriptor| match &descriptor.operation {
        Operation::Linear(linear) => {
            let packed = PackedLinear::new(machine.arch, linear.inputs.into(), linear.outputs.into());
            layer(machine, &packed, u64::from(linear.tokens) * u64::from(linear.sets))
        }
        Operation::Attention(attention) => {
            let (tokens, sets) = (u64::from(attention.tokens), u64::from(attention.sets));
            let channels = u64::from(attention.heads) * u64::from(attention.head_channels);
            Work {
                macs: 2 * sets * tokens * tokens * channels,
                bound_cycles: attention_model::beats(machine.arch, attention),
                bytes: 0,
            }
        }
        Operation::Experts(operation) => {
            experts(machine, operation, queues.next().expect("one queue for each `experts` descriptor"))
        }
        Operation::Norm(norm) => {
            Work { bytes: u64::from(norm.channels) * PARAMETER_BYTES as u64, ..Work::default() }
        }
        Operation::Copy(copy) if [copy.source_space, copy.destination_space].contains(&Space::Memory) => {
            let bytes = u64::from(copy.words) * u64::from(machine.arch.word_bytes());
            Work { bytes, ..Work::default() }
        }
        Operation::Copy(_) | Operation::Route(_) | Operation::End(_) => Work::default(),
    };
    program.iter().map(&mut of).collect()
}

fn experts(machine: &Machine<'_>, experts: &Experts, queue: &[usize]) -> Work {
    let (channels, hidden) = (usize::from(experts.channels), usize::from(experts.hidden_channels));
    let layers = [(channels, hidden), (hidden, channels)]
        .map(|(inputs, outputs)| PackedLinear::new(machine.arch, inputs, outputs));
    let mut sum = Work::default();
    for &tokens in queue.iter().filter(|tokens| **tokens > 0) {
        for packed in &layers {
            sum.add(&layer(machine, packed, tokens as u64));
        }
    }
    sum
}

fn layer(machine: &Machine<'_>, packed: &PackedLinear, tokens: u64) -> Work {
    let compute = tokens * (packed.inputs / machine.arch.vector as usize) as u64;
    let load = (packed.group_bytes() as f64 / machine.memory.bytes_per_cycle).ceil() as u64;
    Work {
        macs: tokens * (packed.inputs * packed.outputs) as u64,
        bound_cycles: packed.groups() as u64 * compute.max(load),
        bytes: packed.bytes() as u64,
    }
}
