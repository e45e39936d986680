//! Which operands an operation may have on a device of given sizes.

use edge_moe_kernels::{fixed, gelu, layer_norm, softmax};

use super::Reason;
use crate::arch::ArchConfig;
use crate::descriptor::{Attention, Copy, Destination, Experts, Linear, Norm, Operation, Route, Space};
use crate::packing::{ADDRESS_ALIGNMENT, PackedLinear};

/// Input channels of a linear layer stay below this, so that the sum of
/// magnitudes 2^7·K·2^15 stays below 2^35 whatever weights and activations are.
pub const MAX_INPUTS: u32 = 1 << 13;

/// Channels of a head stay within this, so that 2^8·d·2^15 stays below 2^35.
const MAX_HEAD_CHANNELS: u32 = (1 << 12) - 1;

/// Checks the operands of one operation.
pub fn check(arch: &ArchConfig, operation: &Operation) -> Reason {
    match operation {
        Operation::End(_) => Ok(()),
        Operation::Linear(linear) => check_linear(arch, linear),
        Operation::Norm(norm) => check_norm(arch, norm),
        Operation::Attention(attention) => check_attention(arch, attention),
        Operation::Route(route) => check_route(arch, route),
        Operation::Experts(experts) => check_experts(arch, experts),
        Operation::Copy(copy) => check_copy(copy),
    }
}

fn check_linear(arch: &ArchConfig, linear: &Linear) -> Reason {
    row_length(arch, "inputs", linear.inputs.into())?;
    within("outputs", linear.outputs.into(), 1, u16::MAX.into())?;
    within("tokens", linear.tokens.into(), 1, arch.max_tokens)?;
    within("sets", linear.sets.into(), 1, 255)?;
    aligned("weights", linear.weights)?;
    requantise("", linear.shift, linear.bias_shift)?;
    if ![fixed::QUERY_BITS, fixed::ACTIVATION_BITS].contains(&linear.bits.into()) {
        return Err(format!("bits is {}, allowed are 9 and 16", linear.bits));
    }
    if linear.gelu_bits != 0 {
        gelu_bits(linear.gelu_bits)?;
    }
    if linear.destination == Destination::Residual {
        multiple("outputs", linear.outputs.into(), arch.vector)?;
    }
    Ok(())
}

fn check_norm(arch: &ArchConfig, norm: &Norm) -> Reason {
    row_length(arch, "channels", norm.channels.into())?;
    within("channels", norm.channels.into(), 1, layer_norm::MAX_DIM as u32)?;
    within("tokens", norm.tokens.into(), 1, u16::MAX.into())?;
    aligned("parameters", norm.parameters)?;
    requantise("", norm.shift, norm.bias_shift)?;
    if !(1..=1 << 48).contains(&norm.epsilon) {
        return Err(format!("epsilon is {}, allowed are 1 to 2^48", norm.epsilon));
    }
    Ok(())
}

fn check_attention(arch: &ArchConfig, attention: &Attention) -> Reason {
    let head_channels = u32::from(attention.head_channels);
    // A lane keeps queries and probabilities of two groups, in half a bank each.
    let row_words = (arch.bank_words / 2).max(1);
    multiple("head_channels", head_channels, arch.vector)?;
    within("head_channels", head_channels, arch.vector, (row_words * arch.vector).min(MAX_HEAD_CHANNELS))?;
    within("heads", attention.heads.into(), 1, 255)?;
    within("heads * head_channels", head_channels * u32::from(attention.heads), 1, MAX_INPUTS - 1)?;
    within("sets", attention.sets.into(), 1, 255)?;
    within("tokens", attention.tokens.into(), 1, arch.max_tokens.min(softmax::MAX_KEYS as u32))?;
    within("words of probabilities", arch.words(attention.tokens.into()), 1, row_words)?;
    within("logit_shift", attention.logit_shift.into(), 1, fixed::MAX_SHIFT)?;
    let widest = fixed::MAX_SHIFT - softmax::MAX_SUM_EXPONENT;
    within("context_shift", attention.context_shift.into(), 1, widest)
}

fn check_route(arch: &ArchConfig, route: &Route) -> Reason {
    within("experts", route.experts.into(), 1, arch.max_experts)?;
    within("top_k", route.top_k.into(), 1, route.experts.into())?;
    within("tokens", route.tokens.into(), 1, arch.max_tokens)?;
    within("append", route.append.into(), 0, 1)
}

fn check_experts(arch: &ArchConfig, experts: &Experts) -> Reason {
    row_length(arch, "channels", experts.channels.into())?;
    row_length(arch, "hidden_channels", experts.hidden_channels.into())?;
    within("experts", experts.experts.into(), 1, arch.max_experts)?;
    within("tokens", experts.tokens.into(), 1, u16::MAX.into())?;
    aligned("weights", experts.weights)?;
    aligned("stride", experts.stride)?;
    requantise("fc1_", experts.fc1_shift, experts.fc1_bias_shift)?;
    requantise("fc2_", experts.fc2_shift, experts.fc2_bias_shift)?;
    gelu_bits(experts.gelu_bits)?;
    let (channels, hidden) = (experts.channels.into(), experts.hidden_channels.into());
    let fc1 = PackedLinear::new(arch, channels, hidden).bytes();
    let fc2 = PackedLinear::new(arch, hidden, channels).bytes();
    if (experts.stride as usize) < fc1 + fc2 {
        return Err(format!("stride is {}, an expert takes {} bytes", experts.stride, fc1 + fc2));
    }
    Ok(())
}

fn check_copy(copy: &Copy) -> Reason {
    within("words", copy.words, 1, 1 << 24)?;
    for (item, space, address) in [
        ("source", copy.source_space, copy.source),
        ("destination", copy.destination_space, copy.destination),
    ] {
        if space == Space::Memory {
            aligned(item, address)?;
        }
    }
    if copy.source_space == Space::Memory && copy.destination_space == Space::Memory {
        return Err("memory cannot be copied to memory".into());
    }
    Ok(())
}

fn within(item: &str, value: u32, least: u32, most: u32) -> Reason {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{item} is {value}, allowed are {least} to {most}"))
}

fn multiple(item: &str, value: u32, vector: u32) -> Reason {
    if value.is_multiple_of(vector) {
        return Ok(());
    }
    Err(format!("{item} is {value}, must be a multiple of {vector} (V)"))
}

/// A row that a lane holds: whole words, no longer than a bank.
fn row_length(arch: &ArchConfig, item: &str, channels: u32) -> Reason {
    multiple(item, channels, arch.vector)?;
    let most = (arch.bank_words * arch.vector).min(MAX_INPUTS - 1);
    within(item, channels, arch.vector, most)
}

fn aligned(item: &str, address: u32) -> Reason {
    if address.is_multiple_of(ADDRESS_ALIGNMENT) {
        return Ok(());
    }
    Err(format!("{item} is {address}, must be a multiple of {ADDRESS_ALIGNMENT}"))
}

fn requantise(prefix: &str, shift: u8, bias_shift: u8) -> Reason {
    within(&format!("{prefix}shift"), shift.into(), 1, fixed::MAX_SHIFT)?;
    within(&format!("{prefix}bias_shift"), bias_shift.into(), 0, fixed::MAX_BIAS_SHIFT)
}

fn gelu_bits(bits: u8) -> Reason {
    within("gelu_bits", bits.into(), gelu::MIN_FRACTION_BITS, gelu::MAX_FRACTION_BITS)
}
