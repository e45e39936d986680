//! Routing: from gate logits to the experts of a token, and to the tokens of
//! an expert.
//!
//! M³ViT's gate (arXiv 2210.14793): softmax over all experts, the k largest
//! are taken and not renormalised; the lower index wins ties.

use std::cmp::Reverse;

use crate::fixed::accumulate;
use crate::reciprocal::reciprocal;
use crate::tables::{EXP2, interpolate};

/// Fraction bits of a gate logit (base 2: log2(e) is folded into its scale).
pub const GATE_FRACTION_BITS: u32 = 11;
/// log2 of the entries of the 2^−x table between whole numbers.
const TABLE_BITS: u32 = 8;
/// Bits of a gate logit that interpolate between table entries.
const INTERPOLATION_BITS: u32 = GATE_FRACTION_BITS - TABLE_BITS;

/// One expert of a token and the weight of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index of the expert.
    pub expert: u16,
    /// Softmax over all experts, Q0.16.
    pub score: u16,
}

/// The `top_k` experts of a token, best first.
///
/// Logits are compared as they are; the score is
/// `min(65535, (e·mantissa + 2^exponent) >> (1 + exponent))` with e = 2^(logit − max)
/// in Q0.16 and (mantissa, exponent) of 1/Σe over all experts.
pub fn choose(logits: &[i16], top_k: usize) -> impl Iterator<Item = Choice> {
    debug_assert!((1..=logits.len()).contains(&top_k));
    let maximum = logits.iter().copied().max().unwrap_or_default();
    let power = move |logit: i16| exp2_negative(i32::from(maximum) - i32::from(logit));
    let inverse = reciprocal(logits.iter().map(|&logit| power(logit)).sum());
    let score = move |logit: i16| {
        let product = u64::from(power(logit)) * u64::from(inverse.mantissa);
        ((product + (1 << inverse.exponent)) >> (1 + inverse.exponent)).min(65535) as u16
    };
    let ranked = std::iter::successors(best(logits, None), |&last| best(logits, Some(last)));
    ranked
        .take(top_k)
        .map(move |(logit, Reverse(expert))| Choice { expert: expert as u16, score: score(logit) })
}

/// An expert's logit and index, in the order of preference.
type Rank = (i16, Reverse<usize>);

/// The best expert of those that come after `last`.
fn best(logits: &[i16], last: Option<Rank>) -> Option<Rank> {
    let ranks = logits.iter().enumerate().map(|(expert, &logit)| (logit, Reverse(expert)));
    ranks.filter(|rank| last.is_none_or(|last| *rank < last)).max()
}

/// 2^−x in Q0.16 for x ≥ 0 with 11 fraction bits: interpolated, shifted, rounded once.
fn exp2_negative(x: i32) -> u32 {
    let whole = (x >> GATE_FRACTION_BITS) as u32;
    let fraction = x & ((1 << GATE_FRACTION_BITS) - 1);
    let index = (fraction >> INTERPOLATION_BITS) as usize;
    let rest = fraction & ((1 << INTERPOLATION_BITS) - 1);
    let value = interpolate(&EXP2, index, rest, INTERPOLATION_BITS) as u32;
    let doubled = (value << 1).checked_shr(whole).unwrap_or(0);
    (doubled + (1 << INTERPOLATION_BITS)) >> (INTERPOLATION_BITS + 1)
}

/// An expert's answer weighted and added: `sat16(r + ((y·score + 2^15) >> 16))`.
#[inline]
pub fn accumulate_weighted(residual: i16, answer: i16, score: u16) -> i16 {
    let weighted = (i32::from(answer) * i32::from(score) + (1 << 15)) >> 16;
    accumulate(residual, weighted as i16)
}

/// A token waiting for an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Row of the token in the activation buffers, counted through all sets.
    pub token: u32,
    /// Weight of the expert's answer, Q0.16.
    pub score: u16,
}

/// A token queue per expert ("patch reordering", Edge-MoE arXiv 2305.18691):
/// each expert's weights are read once for all tokens that wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    visits: Vec<Vec<Visit>>,
}

impl Queues {
    /// Empty queues for `experts` experts.
    pub fn new(experts: usize) -> Self {
        Self { visits: vec![Vec::new(); experts] }
    }

    /// Empties the queues, for `experts` experts.
    pub fn reset(&mut self, experts: usize) {
        self.visits.resize_with(experts, Vec::new);
        self.visits.iter_mut().for_each(Vec::clear);
    }

    /// Routes one token by its gate logits.
    pub fn push(&mut self, token: u32, logits: &[i16], top_k: usize) {
        debug_assert_eq!(logits.len(), self.visits.len());
        for Choice { expert, score } in choose(logits, top_k) {
            self.visits[usize::from(expert)].push(Visit { token, score });
        }
    }

    /// The tokens of every expert that has any, in ascending order of experts.
    pub fn non_empty(&self) -> impl Iterator<Item = (usize, &[Visit])> {
        let queues = self.visits.iter().enumerate();
        queues.filter(|(_, visits)| !visits.is_empty()).map(|(expert, visits)| (expert, visits.as_slice()))
    }

    /// The tokens of every expert, with tokens or without.
    pub fn all(&self) -> &[Vec<Visit>] {
        &self.visits
    }

    /// Number of experts, with tokens or without.
    pub fn experts(&self) -> usize {
        self.visits.len()
    }
}

/// The gate in f32: the `top_k` experts, best first, with their softmax scores.
pub fn reference(logits: &[f32], top_k: usize) -> Vec<(usize, f32)> {
    let mut scores = logits.to_vec();
    crate::softmax::reference(&mut scores);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order[..top_k].iter().map(|&expert| (expert, scores[expert])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(logits: &[i16], top_k: usize) -> Vec<Choice> {
        choose(logits, top_k).collect()
    }

    #[test]
    fn the_lower_index_wins_ties() {
        let choices = chosen(&[5; 16], 2);
        assert_eq!(choices, [Choice { expert: 0, score: 4096 }, Choice { expert: 1, score: 4096 }]);
        let choices = chosen(&[1, 9, 3, 9], 2);
        assert_eq!([choices[0].expert, choices[1].expert], [1, 3]);
    }

    #[test]
    fn a_certain_gate_scores_almost_one() {
        assert_eq!(chosen(&[i16::MIN, i16::MAX, i16::MIN], 1), [Choice { expert: 1, score: 65535 }]);
        assert_eq!(chosen(&[0], 1), [Choice { expert: 0, score: 65535 }]);
    }

    #[test]
    fn every_power_of_two_is_close() {
        for x in 0..=i32::from(u16::MAX) {
            let exact = 65536.0 * (-f64::from(x) / 2048.0).exp2();
            let error = (f64::from(exp2_negative(x)) - exact).abs();
            assert!(error <= 1.1, "x = {x}: off by {error}");
        }
    }

    #[test]
    fn weighted_answers_round_and_saturate() {
        assert_eq!(accumulate_weighted(10, 1, 32768), 11);
        assert_eq!(accumulate_weighted(10, -1, 32768), 10);
        assert_eq!(accumulate_weighted(10, 32767, 65535), 32767);
        assert_eq!(accumulate_weighted(32000, 32767, 65535), 32767);
        assert_eq!(accumulate_weighted(-32000, -32768, 65535), -32768);
    }

    #[test]
    fn queues_keep_tokens_in_order_and_skip_unused_experts() {
        let mut queues = Queues::new(3);
        queues.push(0, &[0, -9000, 9000], 2);
        queues.push(1, &[9000, -9000, 0], 2);
        let order: Vec<(usize, Vec<u32>)> = queues
            .non_empty()
            .map(|(expert, visits)| (expert, visits.iter().map(|v| v.token).collect()))
            .collect();
        assert_eq!(order, [(0, vec![0, 1]), (2, vec![0, 1])]);
    }

    #[test]
    fn one_expert_may_take_every_token() {
        let mut queues = Queues::new(4);
        (0..129).for_each(|token| queues.push(token, &[-1, 5, -1, -1], 1));
        let (expert, visits) = queues.non_empty().next().unwrap();
        assert_eq!((expert, visits.len(), queues.non_empty().count()), (1, 129, 1));
    }

    proptest! {
        /// Scores are within 2 units of 2^−16 plus 2^−13 of themselves.
        #[test]
        fn scores_are_softmax(logits in proptest::collection::vec(any::<i16>(), 1..64), pick in 0usize..8) {
            let top_k = 1 + pick % logits.len().min(8);
            let powers: Vec<f64> = logits.iter().map(|&l| (f64::from(l) / 2048.0).exp2()).collect();
            let sum: f64 = powers.iter().sum();
            for choice in choose(&logits, top_k) {
                let exact = 65536.0 * powers[usize::from(choice.expert)] / sum;
                let error = (f64::from(choice.score) - exact).abs();
                prop_assert!(error <= 2.0 + exact / 8192.0, "got {}, exact {exact}", choice.score);
            }
        }

        #[test]
        fn choices_match_the_float_gate(logits in proptest::collection::vec(any::<i16>(), 4..20)) {
            let floats: Vec<f32> = logits.iter().map(|&l| f32::from(l)).collect();
            let expected: Vec<usize> = reference(&floats, 3).iter().map(|choice| choice.0).collect();
            let got: Vec<usize> = choose(&logits, 3).map(|c| usize::from(c.expert)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
