//! Errors of the integer kernels by themselves, measured against the exact functions in f64.

use edge_moe_kernels::fixed::saturate16;
use edge_moe_kernels::gelu::{self, gelu};
use edge_moe_kernels::layer_norm::{ChannelNorm, integer_epsilon, layer_norm};
use edge_moe_kernels::softmax::{LOGIT_FRACTION_BITS, softmax};
use ndarray::Array1;
use serde::Serialize;

use crate::Result;
use crate::model::Norm;
use crate::quantise::{activation_scale, quantise_norm};
use crate::split_mix::SplitMix;

/// What random logits and tokens are drawn from.
const SEED: u64 = 1;
/// Standard deviations of attention logits, natural units.
const SPREADS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
/// Keys of a query.
const KEYS: [usize; 3] = [16, 129, 1024];
/// Queries of each spread and number of keys.
const QUERIES: usize = 256;
/// Tokens of each kind.
const TOKENS: usize = 512;
/// Channels of a token, as Edge-MoE's network has them.
const CHANNELS: usize = 192;
/// Fraction bits of the residual, and epsilon, that LayerNorm is measured with.
const RESIDUAL_BITS: i32 = 9;
const EPSILON: f64 = 1e-6;

/// Errors of every kernel that approximates a function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelErrors {
    /// By fraction bits.
    pub gelu: Vec<GeluError>,
    /// By spread of the logits and number of keys.
    pub softmax: Vec<SoftmaxError>,
    /// By kind of token.
    pub layer_norm: Vec<LayerNormError>,
}

/// GELU over all 65536 operands of some number of fraction bits, against x·Φ(x).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeluError {
    /// Fraction bits f of operand and result.
    pub fraction_bits: u32,
    /// Greatest absolute error.
    pub max_error: f64,
    /// Root of the mean squared error.
    pub rms_error: f64,
    /// Greatest error in steps of 2^−f.
    pub max_error_steps: f64,
}

/// Probabilities p/Σp of random logits, against the exact softmax of the same integer logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoftmaxError {
    /// Standard deviation of the logits, natural units.
    pub spread: f64,
    /// Keys of a query.
    pub keys: usize,
    /// Queries that were drawn.
    pub queries: usize,
    /// Greatest absolute error of a probability.
    pub max_probability_error: f64,
    /// Mean absolute error of a probability.
    pub mean_probability_error: f64,
    /// Greatest absolute error of a sum of the first probabilities, of whatever length.
    pub max_partial_sum_error: f64,
    /// Mean absolute error of these sums.
    pub mean_partial_sum_error: f64,
}

/// LayerNorm with gain one and offset zero, against the exact one of the same integer tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerNormError {
    /// What the tokens are like.
    pub tokens: &'static str,
    /// Value of one step of the result, chosen as the quantiser does.
    pub step: f64,
    /// Greatest absolute error.
    pub max_error: f64,
    /// Root of the mean squared error.
    pub rms_error: f64,
    /// Greatest error in steps.
    pub max_error_steps: f64,
}

/// Measures every kernel; takes a fraction of a second.
///
/// # Errors
/// None, as long as the quantiser takes a LayerNorm of gain one.
pub fn measure() -> Result<KernelErrors> {
    let fraction_bits = gelu::MIN_FRACTION_BITS..=gelu::MAX_FRACTION_BITS;
    let shapes = SPREADS.iter().flat_map(|&spread| KEYS.map(|keys| (spread, keys)));
    Ok(KernelErrors {
        gelu: fraction_bits.map(gelu_error).collect(),
        softmax: shapes.map(|(spread, keys)| softmax_error(spread, keys)).collect(),
        layer_norm: TOKEN_KINDS.iter().map(layer_norm_error).collect::<Result<_>>()?,
    })
}

/// Sums up absolute errors.
#[derive(Default)]
struct Errors {
    count: u64,
    greatest: f64,
    sum: f64,
    squares: f64,
}

impl Errors {
    fn add(&mut self, got: f64, exact: f64) {
        let error = (got - exact).abs();
        self.count += 1;
        self.greatest = self.greatest.max(error);
        self.sum += error;
        self.squares += error * error;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    fn rms(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

fn gelu_error(fraction_bits: u32) -> GeluError {
    let unit = f64::from(1 << fraction_bits);
    let mut errors = Errors::default();
    for x in i16::MIN..=i16::MAX {
        let exact = f64::from(x) / unit;
        let exact = exact * libm::erfc(-exact / std::f64::consts::SQRT_2) / 2.0;
        errors.add(f64::from(gelu(x, fraction_bits)) / unit, exact);
    }
    GeluError {
        fraction_bits,
        max_error: errors.greatest,
        rms_error: errors.rms(),
        max_error_steps: errors.greatest * unit,
    }
}

fn softmax_error(spread: f64, keys: usize) -> SoftmaxError {
    let mut random = SplitMix::new(SEED);
    let unit = f64::from(1 << LOGIT_FRACTION_BITS);
    let (mut each, mut sums) = (Errors::default(), Errors::default());
    for _ in 0..QUERIES {
        let logit =
            |_| saturate16((random.normal() * spread * std::f64::consts::LOG2_E * unit).round() as i64);
        let logits: Vec<i16> = (0..keys).map(logit).collect();
        let mut probabilities = vec![0; keys];
        let sum = f64::from(softmax(&logits, &mut probabilities));
        let powers: Vec<f64> = logits.iter().map(|&logit| libm::exp2(f64::from(logit) / unit)).collect();
        let exact_sum: f64 = powers.iter().sum();
        let (mut got, mut exact) = (0.0, 0.0);
        for (&probability, power) in probabilities.iter().zip(powers) {
            each.add(f64::from(probability) / sum, power / exact_sum);
            got += f64::from(probability) / sum;
            exact += power / exact_sum;
            sums.add(got, exact);
        }
    }
    SoftmaxError {
        spread,
        keys,
        queries: QUERIES,
        max_probability_error: each.greatest,
        mean_probability_error: each.mean(),
        max_partial_sum_error: sums.greatest,
        mean_partial_sum_error: sums.mean(),
    }
}

/// Tokens of a kind: name, mean, standard deviation, and the factor on every 64th channel.
struct TokenKind {
    name: &'static str,
    mean: f64,
    deviation: f64,
    outlier: f64,
}

const TOKEN_KINDS: [TokenKind; 4] = [
    TokenKind { name: "normal", mean: 0.0, deviation: 1.0, outlier: 1.0 },
    TokenKind { name: "small", mean: 0.0, deviation: 0.03125, outlier: 1.0 },
    TokenKind { name: "far from zero", mean: 8.0, deviation: 1.0, outlier: 1.0 },
    TokenKind { name: "outliers", mean: 0.0, deviation: 1.0, outlier: 24.0 },
];

impl TokenKind {
    fn draw(&self, random: &mut SplitMix) -> Vec<i16> {
        let unit = f64::from(1 << RESIDUAL_BITS);
        let channel = |index: usize| {
            let factor = if index.is_multiple_of(64) { self.outlier } else { 1.0 };
            saturate16(((self.mean + random.normal() * self.deviation * factor) * unit).round() as i64)
        };
        (0..CHANNELS).map(channel).collect()
    }
}

fn layer_norm_error(kind: &TokenKind) -> Result<LayerNormError> {
    let mut random = SplitMix::new(SEED);
    let epsilon = integer_epsilon(EPSILON, CHANNELS, RESIDUAL_BITS);
    let tokens: Vec<Vec<i16>> = (0..TOKENS).map(|_| kind.draw(&mut random)).collect();
    let exact: Vec<Vec<f64>> = tokens.iter().map(|token| normalised(token, epsilon)).collect();
    let step = activation_scale(exact.iter().flatten().fold(0.0, |greatest, z| z.abs().max(greatest)));
    let norm = Norm { gain: Array1::ones(CHANNELS), offset: Array1::zeros(CHANNELS) };
    let quantised = quantise_norm(&norm, step)?;
    let channel = |parameter: &edge_moe_isa::packing::Parameter| ChannelNorm {
        gain: parameter.multiplier as i16,
        offset: parameter.bias,
    };
    let channels: Vec<ChannelNorm> = quantised.parameters.iter().map(channel).collect();
    let mut errors = Errors::default();
    let mut out = vec![0; CHANNELS];
    for (token, exact) in tokens.iter().zip(&exact) {
        layer_norm(token, &channels, epsilon, quantised.scale, &mut out);
        out.iter().zip(exact).for_each(|(&got, &exact)| errors.add(f64::from(got) * step, exact));
    }
    Ok(LayerNormError {
        tokens: kind.name,
        step,
        max_error: errors.greatest,
        rms_error: errors.rms(),
        max_error_steps: errors.greatest / step,
    })
}

/// (D·r − S1) / √(D·S2 − S1² + ε) in f64; all sums are exact.
fn normalised(token: &[i16], epsilon: u64) -> Vec<f64> {
    let dim = token.len() as f64;
    let sum: f64 = token.iter().map(|&r| f64::from(r)).sum();
    let squares: f64 = token.iter().map(|&r| f64::from(r).powi(2)).sum();
    let root = (dim * squares - sum * sum + epsilon as f64).sqrt();
    token.iter().map(|&r| (dim * f64::from(r) - sum) / root).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/numerics.md` states the bounds.
    #[test]
    fn every_error_is_within_its_stated_bound_and_not_zero() {
        let errors = measure().unwrap();
        let bits: Vec<u32> = errors.gelu.iter().map(|error| error.fraction_bits).collect();
        assert_eq!(bits, [9, 10, 11, 12, 13]);
        for GeluError { fraction_bits, max_error, rms_error, max_error_steps } in errors.gelu {
            let unit = f64::from(1 << fraction_bits);
            assert!(rms_error > 0.0 && rms_error < max_error && max_error <= 9.7e-5 + 0.57 / unit);
            assert_eq!(max_error_steps, max_error * unit);
        }
        assert_eq!(errors.softmax.len(), SPREADS.len() * KEYS.len());
        for error in errors.softmax {
            assert!(error.max_partial_sum_error <= 1.5 / 127.0, "{error:?}");
            assert!(error.mean_probability_error > 0.0, "{error:?}");
            assert!(error.mean_probability_error < error.max_probability_error, "{error:?}");
        }
        for error in errors.layer_norm {
            let greatest = error.step * 32767.0 / 1.5;
            let bound = error.step + 1.01 / 4096.0 + greatest / 65536.0;
            assert!(error.rms_error > 0.0 && error.rms_error < error.max_error, "{error:?}");
            assert!(error.max_error <= bound, "{error:?} exceeds {bound}");
        }
    }

    #[test]
    fn measuring_twice_gives_the_same() {
        assert_eq!(measure().unwrap(), measure().unwrap());
    }
}
