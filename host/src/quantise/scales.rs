//! Scales: what one step of every integer tensor is worth.

use edge_moe_kernels::fixed::{ACTIVATION_BITS, QUERY_BITS};
use edge_moe_kernels::gelu;
use edge_moe_kernels::route::GATE_FRACTION_BITS;
use edge_moe_kernels::softmax::{LOGIT_FRACTION_BITS, MAX_SUM_EXPONENT};

use super::Ranges;
use crate::model::{Model, Tensor};

/// The residual may grow to this multiple of what calibration saw.
const RESIDUAL_HEADROOM: f64 = 2.0;
/// Other 16-bit tensors may grow to this multiple of what calibration saw.
const HEADROOM: f64 = 1.5;
/// Queries have nine bits: none of them is kept for values never seen.
const QUERY_HEADROOM: f64 = 1.0;
/// Magnitude taken for tensors that calibration saw as all zero, or not at all.
const UNSEEN_MAGNITUDE: f64 = 1.0;

/// A positive factor as the hardware applies it: `multiplier · 2^−shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// u16.
    pub multiplier: u16,
    /// Places to the right, at least 1.
    pub shift: u32,
}

impl Ratio {
    /// The ratio nearest to `value` whose shift is between 1 and `max_shift`.
    fn nearest(value: f64, max_shift: u32) -> Self {
        let shift = (65535.0 / value).log2().floor().clamp(1.0, f64::from(max_shift));
        let multiplier = (value * shift.exp2()).round().clamp(1.0, 65535.0);
        Self { multiplier: multiplier as u16, shift: shift as u32 }
    }

    /// The factor itself.
    pub fn value(self) -> f64 {
        f64::from(self.multiplier) * (-f64::from(self.shift)).exp2()
    }
}

/// Scales of the whole model.
#[derive(Clone, Debug)]
pub struct Scales {
    /// Input: pixel values as they are, worth 1/256 each.
    pub picture: f64,
    /// Fraction bits r of the residual: one step is 2^−r everywhere.
    pub residual_bits: i32,
    /// Scales of each block.
    pub blocks: Vec<BlockScales>,
    /// Normalised input and result of each task's head; none without a head.
    pub heads: Vec<Option<HeadScales>>,
}

/// Scales of one task's head.
#[derive(Clone, Copy, Debug)]
pub struct HeadScales {
    /// LayerNorm before the head.
    pub norm: f64,
    /// The head's result.
    pub output: f64,
}

/// Scales of one block.
#[derive(Clone, Debug)]
pub struct BlockScales {
    /// LayerNorm before attention.
    pub norm1: f64,
    /// Queries of each head, nine bits.
    pub query: Vec<f64>,
    /// Keys of each head: chosen so that one logit ratio serves all heads.
    pub key: Vec<f64>,
    /// Values.
    pub value: f64,
    /// From q·k to a base-2 logit with 8 fraction bits.
    pub logit: Ratio,
    /// Context.
    pub context: f64,
    /// From Σp·v/Σp to a context value.
    pub context_ratio: Ratio,
    /// LayerNorm before the feed-forward part.
    pub norm2: f64,
    /// Fraction bits f of the hidden values before and after GELU.
    pub gelu_bits: u32,
}

impl Scales {
    /// Chooses all scales from calibrated ranges.
    pub fn choose(model: &Model, ranges: &Ranges) -> Self {
        let head = |task: usize| {
            model.heads[task].as_ref().map(|_| HeadScales {
                norm: activation_scale(ranges.task_magnitude(task, Tensor::HeadNorm)),
                output: activation_scale(ranges.task_magnitude(task, Tensor::Head)),
            })
        };
        Self {
            picture: 1.0 / 256.0,
            residual_bits: residual_bits(model, ranges),
            blocks: (0..model.blocks.len()).map(|block| BlockScales::choose(model, ranges, block)).collect(),
            heads: (0..model.config.tasks.len()).map(head).collect(),
        }
    }

    /// One step of the residual.
    pub fn residual(&self) -> f64 {
        (-f64::from(self.residual_bits)).exp2()
    }

    /// One step of a task's answer: its head's, or the residual's.
    pub fn answer(&self, task: usize) -> f64 {
        self.heads[task].map_or(self.residual(), |head| head.output)
    }

    /// One step of a gate logit, in natural units: logits are kept in base 2.
    pub fn gate() -> f64 {
        (-f64::from(GATE_FRACTION_BITS)).exp2() * std::f64::consts::LN_2
    }
}

impl BlockScales {
    fn choose(model: &Model, ranges: &Ranges, block: usize) -> Self {
        let heads = model.config.heads;
        let scale = |tensor| activation_scale(ranges.magnitude(Some(block), tensor));
        let query: Vec<f64> = ranges
            .head_magnitudes(block, Tensor::Query, heads)
            .into_iter()
            .map(|magnitude| step(magnitude, QUERY_HEADROOM, QUERY_BITS))
            .collect();
        let least_key = ranges.head_magnitudes(block, Tensor::Key, heads).into_iter().map(activation_scale);
        // One logit ratio for all heads: the head with the coarsest product of
        // steps sets it, the others get coarser keys, of whose 16 bits they can spare some.
        let product = query.iter().zip(least_key).map(|(query, key)| query * key).fold(0.0, f64::max);
        let unit = logit_unit(model.config.head_dim());
        let logit = Ratio::nearest(product * unit, edge_moe_kernels::fixed::MAX_SHIFT);
        let key = query.iter().map(|query| logit.value() / (unit * query)).collect();
        let value = scale(Tensor::Value);
        let max_context_shift = edge_moe_kernels::fixed::MAX_SHIFT - MAX_SUM_EXPONENT;
        let context_ratio = Ratio::nearest(value / scale(Tensor::Context), max_context_shift);
        Self {
            norm1: scale(Tensor::Norm1),
            query,
            key,
            value,
            logit,
            context: value / context_ratio.value(),
            context_ratio,
            norm2: scale(Tensor::Norm2),
            gelu_bits: gelu_bits(ranges.greatest(block, Tensor::Fc1)),
        }
    }

    /// One step of the hidden values.
    pub fn hidden(&self) -> f64 {
        (-f64::from(self.gelu_bits)).exp2()
    }
}

/// Units of a base-2 logit (2^−8) in one natural q·k: 2^8·log2(e)/√d.
fn logit_unit(head_dim: usize) -> f64 {
    f64::from(1 << LOGIT_FRACTION_BITS) * std::f64::consts::LOG2_E / (head_dim as f64).sqrt()
}

/// r: everything that is ever added to or kept in the residual fits twice over.
fn residual_bits(model: &Model, ranges: &Ranges) -> i32 {
    let mut greatest = ranges.magnitude(None, Tensor::Embedding);
    for block in 0..model.blocks.len() {
        for tensor in [Tensor::Proj, Tensor::AfterAttention, Tensor::Fc2, Tensor::Out] {
            greatest = greatest.max(ranges.magnitude(Some(block), tensor));
        }
    }
    let limit = f64::from(i16::MAX) / (RESIDUAL_HEADROOM * seen(greatest));
    limit.log2().floor().clamp(-8.0, 15.0) as i32
}

/// f: as fine as the greatest operand allows. Operands below −2^(15−f) ≤ −4
/// saturate, where GELU is within 1.3e-4 of zero.
fn gelu_bits(greatest: f64) -> u32 {
    let needed = (f64::from(1 << 15) / (HEADROOM * seen(greatest))).log2().floor();
    needed.clamp(f64::from(gelu::MIN_FRACTION_BITS), f64::from(gelu::MAX_FRACTION_BITS)) as u32
}

/// The step of 16-bit activations whose greatest magnitude calibration found.
pub(crate) fn activation_scale(magnitude: f64) -> f64 {
    step(magnitude, HEADROOM, ACTIVATION_BITS)
}

/// The step with which `bits` signed bits reach `magnitude · headroom`.
fn step(magnitude: f64, headroom: f64, bits: u32) -> f64 {
    let limit = f64::from((1u32 << (bits - 1)) - 1);
    coarse(seen(magnitude)) * headroom / limit
}

fn seen(magnitude: f64) -> f64 {
    if magnitude > 0.0 { magnitude } else { UNSEEN_MAGNITUDE }
}

/// Rounds up to seven significant bits: float references on different
/// machines differ in the last bits of an f32 and still choose equal scales.
fn coarse(magnitude: f64) -> f64 {
    let unit = (magnitude.log2().floor() - 6.0).exp2();
    (magnitude / unit).ceil() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_rounds_up_by_less_than_two_percent() {
        for magnitude in [1e-6, 0.3, 1.0, 1.01, 7.77, 1234.5] {
            let got = coarse(magnitude);
            assert!(got >= magnitude && got <= magnitude * (1.0 + 1.0 / 64.0), "{magnitude}: {got}");
        }
        assert_eq!(coarse(1.0), 1.0);
        assert_eq!(coarse(7.770001), coarse(7.77));
    }

    #[test]
    fn ratios_use_all_sixteen_bits() {
        for value in [0.9, 1.0, 1.7, 0.001, 300.0] {
            let ratio = Ratio::nearest(value, 28);
            assert!((ratio.value() / value - 1.0).abs() < 1.0 / 32768.0);
            assert!(ratio.multiplier >= 1 << 15);
        }
        assert_eq!(Ratio::nearest(1e-9, 28), Ratio { multiplier: 1, shift: 28 });
    }

    #[test]
    fn gelu_range_covers_what_was_seen() {
        assert_eq!(gelu_bits(0.0), 13);
        assert_eq!(gelu_bits(2.0), 13);
        assert_eq!(gelu_bits(3.0), 12);
        assert_eq!(gelu_bits(1000.0), 9);
    }
}
