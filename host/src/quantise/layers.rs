//! Weights and biases as integers, with the multipliers that undo their scales.

use edge_moe_isa::packing::Parameter;
use edge_moe_kernels::fixed::{MAX_BIAS_SHIFT, MAX_SHIFT, Requantise};
use edge_moe_kernels::layer_norm::NORMALISED_FRACTION_BITS;
use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::model::Norm;
use crate::{Error, Result};

/// Largest weight magnitude.
const MAX_WEIGHT: f64 = 127.0;
/// Largest multiplier of a linear layer.
const MAX_MULTIPLIER: f64 = 65535.0;
/// Largest gain of a LayerNorm.
const MAX_GAIN: f64 = 32767.0;

/// Linear layers of equal shape that share their shifts: one layer, or the
/// same layer of all experts.
#[derive(Clone, Debug)]
pub struct QuantisedLayers {
    /// Weights of each layer, shape [out, in], −127…127.
    pub weights: Vec<Array2<i8>>,
    /// Parameters of each layer's output channels.
    pub parameters: Vec<Vec<Parameter>>,
    /// Value of one weight step of each layer's output channels.
    pub grids: Vec<Vec<f64>>,
    /// Shifts of all of them.
    pub scale: Requantise,
}

/// A LayerNorm's gains and offsets.
#[derive(Clone, Debug)]
pub struct QuantisedNorm {
    /// Gain and offset of each channel.
    pub parameters: Vec<Parameter>,
    /// Shifts of all of them.
    pub scale: Requantise,
}

/// Quantises layers of equal shape: weights with a bias if they have one.
///
/// `input_step` is one step of the input, `output_steps` one step of each
/// output channel. Per channel the multiplier comes first, rounded up from
/// what the finest weight grid (max|w|/127) would need; the weights are then
/// quantised on exactly the grid that this multiplier undoes, so multipliers
/// add no error of their own.
pub fn quantise_linear(
    layers: &[(ArrayView2<'_, f32>, Option<ArrayView1<'_, f32>>)],
    input_step: f64,
    output_steps: &[f64],
) -> Result<QuantisedLayers> {
    let finest = |row: ArrayView1<'_, f32>, output: f64| magnitude(row) / MAX_WEIGHT * input_step / output;
    let greatest = layers
        .iter()
        .flat_map(|(weight, _)| weight.outer_iter().zip(output_steps))
        .map(|(row, &output)| finest(row, output))
        .fold(0.0, f64::max);
    let shift = shift_for(greatest, MAX_MULTIPLIER)?;
    let unit = f64::from(shift).exp2();
    let bias_shift = bias_shift_for(layers.iter().filter_map(|layer| layer.1), output_steps, shift)?;
    let mut quantised = QuantisedLayers {
        weights: Vec::new(),
        parameters: Vec::new(),
        grids: Vec::new(),
        scale: Requantise { bias_shift, shift },
    };
    for (weight, bias) in layers {
        let mut integers = Array2::zeros(weight.raw_dim());
        let mut parameters = Vec::with_capacity(output_steps.len());
        let mut grids = Vec::with_capacity(output_steps.len());
        for (channel, (row, &output)) in weight.outer_iter().zip(output_steps).enumerate() {
            let multiplier = (finest(row, output) * unit).ceil();
            let grid = multiplier / unit * output / input_step;
            quantise_row(row, grid, integers.row_mut(channel));
            let bias = bias.map_or(0.0, |bias| f64::from(bias[channel]));
            let bias = (bias / output * f64::from(shift as i32 - bias_shift as i32).exp2()).round();
            parameters.push(Parameter { multiplier: multiplier as i32, bias: bias as i32 });
            grids.push(grid);
        }
        quantised.weights.push(integers);
        quantised.grids.push(grids);
        quantised.parameters.push(parameters);
    }
    Ok(quantised)
}

/// Quantises a LayerNorm whose result has steps of `output_step`.
pub fn quantise_norm(norm: &Norm, output_step: f64) -> Result<QuantisedNorm> {
    let z_step = (-f64::from(NORMALISED_FRACTION_BITS)).exp2();
    let per_z = |gain: f32| f64::from(gain) * z_step / output_step;
    let shift = shift_for(norm.gain.iter().map(|&gain| per_z(gain).abs()).fold(0.0, f64::max), MAX_GAIN)?;
    let steps = vec![output_step; norm.offset.len()];
    let bias_shift = bias_shift_for(std::iter::once(norm.offset.view()), &steps, shift)?;
    let gain_unit = f64::from(shift).exp2();
    let offset_unit = f64::from(shift as i32 - bias_shift as i32).exp2() / output_step;
    let parameters = norm.gain.iter().zip(&norm.offset).map(|(&gain, &offset)| Parameter {
        multiplier: (per_z(gain) * gain_unit).round() as i32,
        bias: (f64::from(offset) * offset_unit).round() as i32,
    });
    Ok(QuantisedNorm { parameters: parameters.collect(), scale: Requantise { bias_shift, shift } })
}

fn magnitude(row: ArrayView1<'_, f32>) -> f64 {
    f64::from(row.iter().fold(0.0f32, |greatest, weight| greatest.max(weight.abs())))
}

fn quantise_row(row: ArrayView1<'_, f32>, grid: f64, integers: ndarray::ArrayViewMut1<'_, i8>) {
    for (&weight, integer) in row.iter().zip(integers) {
        if weight != 0.0 {
            *integer = (f64::from(weight) / grid).round().clamp(-MAX_WEIGHT, MAX_WEIGHT) as i8;
        }
    }
}

/// The largest shift with which `greatest · 2^shift` stays within `limit`.
fn shift_for(greatest: f64, limit: f64) -> Result<u32> {
    if greatest == 0.0 {
        return Ok(1);
    }
    let shift = (limit / greatest).log2().floor();
    if shift < 1.0 {
        return Err(Error::input(
            "quantiser",
            format!("a layer multiplies by {greatest:.3e}, the device by at most {:.3e}", limit / 2.0),
        )
        .hint("calibrate with pictures like those to come; their ranges set the scales"));
    }
    Ok(shift.min(f64::from(MAX_SHIFT)) as u32)
}

/// The smallest bias shift with which every bias fits 32 bits.
fn bias_shift_for<'a>(
    biases: impl Iterator<Item = ArrayView1<'a, f32>>,
    output_steps: &[f64],
    shift: u32,
) -> Result<u32> {
    let in_steps = |bias: ArrayView1<'a, f32>| {
        let steps = bias.iter().zip(output_steps).map(|(&bias, step)| (f64::from(bias) / step).abs());
        steps.fold(0.0, f64::max)
    };
    let greatest = biases.map(in_steps).fold(0.0, f64::max) * f64::from(shift).exp2();
    let excess = (greatest / f64::from(i32::MAX - 1)).log2().ceil().max(0.0);
    if excess > f64::from(MAX_BIAS_SHIFT) {
        return Err(Error::input(
            "quantiser",
            format!("a bias of {greatest:.3e} steps exceeds 32 bits by more than {MAX_BIAS_SHIFT}"),
        )
        .hint("calibrate with pictures like those to come; their ranges set the scales"));
    }
    Ok(excess as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn a_layer_computes_what_its_float_does() {
        let weight = array![[0.5f32, -0.25, 0.01], [1e-4, 0.0, -3e-5], [0.0, 0.0, 0.0]];
        let bias = array![0.1f32, -2.0, 0.7];
        let (input_step, steps) = (1.0 / 4096.0, [1.0 / 2048.0, 1.0 / 4096.0, 1.0 / 8192.0]);
        let layers = quantise_linear(&[(weight.view(), Some(bias.view()))], input_step, &steps).unwrap();
        let input = [3000i16, -4000, 1234];
        for channel in 0..3 {
            let row = layers.weights[0].row(channel).to_vec();
            let acc = edge_moe_kernels::dot::dot(&row, &input);
            let Parameter { multiplier, bias: b } = layers.parameters[0][channel];
            let got = f64::from(layers.scale.apply(acc, multiplier, b, 16)) * steps[channel];
            let weights = weight.row(channel);
            let products = weights.iter().zip(input).map(|(&w, x)| f64::from(w) * f64::from(x));
            let exact = products.sum::<f64>() * input_step + f64::from(bias[channel]);
            let grid = magnitude(weight.row(channel)) / 127.0;
            assert!(
                (got - exact).abs() <= grid * 1.5 + steps[channel],
                "channel {channel}: {got}, exact {exact}"
            );
        }
    }

    #[test]
    fn weights_use_their_whole_range() {
        let weight = Array2::from_shape_fn((4, 8), |(o, i)| (o + 1) as f32 * (i as f32 - 3.5));
        let layers = quantise_linear(&[(weight.view(), None)], 1e-3, &[1e-3; 4]).unwrap();
        for row in layers.weights[0].outer_iter() {
            assert!(row.iter().any(|&w| w.unsigned_abs() >= 126), "{row}");
        }
    }

    #[test]
    fn layers_share_shifts_and_zero_layers_are_legal() {
        let (small, large) = (Array2::from_elem((2, 2), 0.01f32), Array2::from_elem((2, 2), 1.0f32));
        let zero = Array2::zeros((2, 2));
        let all = [(small.view(), None), (large.view(), None), (zero.view(), None)];
        let layers = quantise_linear(&all, 1e-3, &[1e-3; 2]).unwrap();
        let multipliers = [0, 1, 2].map(|layer| layers.parameters[layer][0].multiplier);
        assert!(
            multipliers[1] >= 32768
                && multipliers[0] * 99 < multipliers[1]
                && multipliers[0] * 101 > multipliers[1]
        );
        assert_eq!(multipliers[2], 0);
        assert!(layers.weights[2].iter().all(|&w| w == 0));
    }

    #[test]
    fn huge_biases_are_shifted_or_refused() {
        let weight = Array2::from_elem((1, 1), 1.0f32);
        let bias = |value: f32| Array1::from_elem(1, value);
        let fits = bias(1e3);
        let layers = quantise_linear(&[(weight.view(), Some(fits.view()))], 1e-3, &[1e-4]).unwrap();
        let Parameter { bias: integer, .. } = layers.parameters[0][0];
        let value =
            f64::from(integer) * (f64::from(layers.scale.bias_shift) - f64::from(layers.scale.shift)).exp2();
        assert!((value * 1e-4 / 1e3 - 1.0).abs() < 1e-6);
        let absurd = bias(1e30);
        let error = quantise_linear(&[(weight.view(), Some(absurd.view()))], 1e-3, &[1e-4]).unwrap_err();
        assert!(error.to_string().contains("exceeds 32 bits"), "{error}");
    }

    #[test]
    fn norm_gains_keep_their_sign() {
        let norm = Norm { gain: array![1.0, -15.6, 0.0], offset: array![0.5, -51.0, 0.0] };
        let step = 20.0 / 32767.0;
        let quantised = quantise_norm(&norm, step).unwrap();
        let unit = (-f64::from(quantised.scale.shift)).exp2() * step * 4096.0;
        for (parameter, &gain) in quantised.parameters.iter().zip(&norm.gain) {
            let got = f64::from(parameter.multiplier) * unit;
            assert!((got - f64::from(gain)).abs() < 1e-3, "{got} {gain}");
        }
    }
}
