use edge_moe_kernels::dot::dot;
use edge_moe_kernels::{gelu, softmax};
use proptest::prelude::*;

use super::panel::{Line, ROWS, lines};
use super::{BLOCK_LINES, Panels, Path, PerRow, Portable, ROW_BYTES, Rows, Simd};

/// Runs a test with every path of this CPU but the portable one.
macro_rules! on_every_path {
    ($path:ident => $test:expr) => {
        for simd in Simd::available() {
            match simd {
                Simd::Portable($path) => $test,
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2($path) => $test,
                #[cfg(target_arch = "x86_64")]
                Simd::Avx512($path) => $test,
                #[cfg(target_arch = "x86_64")]
                Simd::Amx($path) => $test,
            }
        }
    };
}

/// Panels of some rows of bytes.
fn pack(path: impl Path, rows: &[Vec<u8>], width: usize) -> Vec<Line> {
    let lines = lines(width);
    let mut panels = vec![Line([[0xa5; 4]; ROWS]); rows.len().div_ceil(ROWS) * lines];
    for (rows, panel) in rows.chunks(ROWS).zip(panels.chunks_mut(lines)) {
        path.pack(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), panel);
    }
    panels
}

/// Totals over all blocks of a product of `lines` lines.
fn total(lines: usize, sums: usize, mut multiply: impl FnMut(usize, usize, &mut [i32])) -> Vec<i64> {
    let mut total = vec![0; sums];
    for first in (0..lines).step_by(BLOCK_LINES) {
        let mut block = vec![-1; sums];
        multiply(first, BLOCK_LINES.min(lines - first), &mut block);
        total.iter_mut().zip(block).for_each(|(total, sum)| *total += i64::from(sum));
    }
    total
}

fn weight_sums<P: Path>(path: P, weights: &[Vec<u8>], activations: &[Vec<i16>]) -> Vec<i64> {
    let inputs = activations[0].len();
    let (lines, blocks) = (lines(inputs), lines(inputs).div_ceil(BLOCK_LINES));
    let mut panels = vec![Line([[0xa5; 4]; ROWS]); weights.len().div_ceil(ROWS) * lines];
    let mut starts = Vec::new();
    for (rows, panel) in weights.chunks(ROWS).zip(panels.chunks_mut(lines)) {
        let mut panel_starts = vec![[-1; ROWS]; blocks];
        path.pack_weights(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), panel, &mut panel_starts);
        starts.push(panel_starts);
    }
    let stride = inputs.next_multiple_of(ROW_BYTES);
    let rows = activations.len();
    let mut words = vec![0; rows.next_multiple_of(16) * stride];
    for (to, from) in words.chunks_mut(stride).zip(activations) {
        to[..inputs].copy_from_slice(from);
    }
    let low: Vec<u8> = words.iter().map(|&word| word as u8).collect();
    let high: Vec<u8> = words.iter().map(|&word| (word >> 8) as u8 ^ 0x80).collect();
    words.truncate(rows * stride);
    let all = Rows { words: &words, low: &low, high: &high, stride, count: rows };
    let rows_of = if P::SPLIT { Rows { words: &[], ..all } } else { Rows { low: &[], high: &[], ..all } };
    total(inputs.div_ceil(4), rows * weights.len().next_multiple_of(ROWS), |first, count, sums| {
        let starts: Vec<PerRow> = starts.iter().map(|blocks| blocks[first / BLOCK_LINES]).collect();
        let panels = Panels { lines: &panels, stride: lines, first, count };
        path.weights(panels, &starts, rows_of, &[], sums);
    })
}

/// What the sums must be, by the kernels.
fn exact(weights: &[Vec<u8>], activations: &[Vec<i16>]) -> Vec<i64> {
    let padded = weights.len().next_multiple_of(ROWS);
    let row = |values: &Vec<i16>| {
        let sums = weights.iter().map(|row| dot(bytemuck::cast_slice::<u8, i8>(row), values));
        sums.chain(std::iter::repeat(0)).take(padded).collect::<Vec<_>>()
    };
    activations.iter().flat_map(row).collect()
}

fn check_weights<P: Path>(path: P, weights: &[Vec<u8>], activations: &[Vec<i16>]) {
    assert!(weight_sums(path, weights, activations) == exact(weights, activations));
}

fn check_pairs(path: impl Path, values: &[Vec<i16>], operands: &[Vec<i16>]) {
    let width = operands[0].len();
    let bytes: Vec<Vec<u8>> =
        values.iter().map(|row| row.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let (panels, lines) = (pack(path, &bytes, 2 * width), lines(2 * width));
    let mut rows = vec![0; operands.len() * 2 * lines];
    for (to, from) in rows.chunks_mut(2 * lines).zip(operands) {
        to[..width].copy_from_slice(from);
    }
    let padded = values.len().next_multiple_of(ROWS);
    let sums = total(width.div_ceil(2), operands.len() * padded, |first, count, sums| {
        path.pairs(Panels { lines: &panels, stride: lines, first, count }, &rows, 2 * lines, sums);
    });
    for (sums, operand) in sums.chunks(padded).zip(operands) {
        let exact = values.iter().map(|row| dot(operand, row)).chain(std::iter::repeat(0));
        assert!(sums.iter().copied().eq(exact.take(padded)));
    }
}

#[test]
fn extremes_stay_exact() {
    for inputs in [1, 1021, 8191] {
        let weights = vec![vec![128u8; inputs]; 17];
        let activations = vec![vec![i16::MIN; inputs]; 4];
        on_every_path!(path => check_weights(path, &weights, &activations));
    }
    for width in [2, 255, 4095] {
        let values = vec![vec![i16::MIN; width]; 17];
        let operands = vec![vec![-256; width], vec![255; width]];
        on_every_path!(path => check_pairs(path, &values, &operands));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn weights_sum_exactly(
        (weights, activations) in (1usize..300, 1usize..70, 1usize..40).prop_flat_map(|(inputs, channels, rows)| (
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), inputs), channels),
            proptest::collection::vec(proptest::collection::vec(any::<i16>(), inputs), rows),
        ))
    ) {
        on_every_path!(path => check_weights(path, &weights, &activations));
    }

    #[test]
    fn pairs_sum_exactly(
        (values, operands) in (1usize..200, 1usize..70, 1usize..20).prop_flat_map(|(width, channels, rows)| (
            proptest::collection::vec(proptest::collection::vec(any::<i16>(), width), channels),
            proptest::collection::vec(proptest::collection::vec(-256i16..256, width), rows),
        ))
    ) {
        on_every_path!(path => check_pairs(path, &values, &operands));
    }

    #[test]
    fn panels_are_the_same(
        rows in (1usize..200, 1usize..17).prop_flat_map(|(width, rows)| {
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), width), rows)
        })
    ) {
        let width = rows[0].len();
        let expected = pack(Portable, &rows, width);
        on_every_path!(path => prop_assert!(pack(path, &rows, width) == expected));
    }
}

#[test]
fn gelu_is_the_kernel() {
    for fraction_bits in gelu::MIN_FRACTION_BITS..=gelu::MAX_FRACTION_BITS {
        let values: Vec<i16> = (i16::MIN..=i16::MAX).chain(0..17).collect();
        let expected: Vec<i16> = values.iter().map(|&value| gelu::gelu(value, fraction_bits)).collect();
        on_every_path!(path => {
            let mut results = values.clone();
            path.gelu(&mut results, fraction_bits);
            assert!(results == expected);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn probabilities_are_the_kernels(
        spread in 0u32..16,
        logits in proptest::collection::vec(any::<i16>(), 1..300),
    ) {
        let logits: Vec<i16> = logits.iter().map(|logit| logit >> spread).collect();
        let mut expected = vec![0i16; logits.len()];
        let expected_sum = softmax::softmax(&logits, &mut expected);
        on_every_path!(path => {
            let mut operands = vec![-1; logits.len()];
            prop_assert_eq!(path.weigh(&logits, &mut operands), expected_sum);
            prop_assert!(operands == expected);
        });
    }
}

#[test]
fn extreme_logits_are_weighed_the_same() {
    for logits in [vec![i16::MAX; 4096], vec![i16::MIN; 33], vec![i16::MIN, i16::MAX], vec![0; 17]] {
        let mut expected = vec![0i16; logits.len()];
        let sum = softmax::softmax(&logits, &mut expected);
        on_every_path!(path => {
            let mut operands = vec![-1; logits.len()];
            assert_eq!((path.weigh(&logits, &mut operands), &operands), (sum, &expected));
        });
    }
}
