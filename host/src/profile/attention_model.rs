//! Cycles of reordered attention, group by group (`docs/attention.md`).

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Attention;
use edge_moe_isa::registers::Activity;

use super::lanes::Lanes;
use super::timing;

/// Beats of a group's scores and contexts.
struct Beats {
    scores: u64,
    contexts: u64,
}

/// Beats of an attention descriptor: sets · heads · ceil(T/P) · (T·d/V + d·ceil(T/V)).
pub(super) fn beats(arch: &ArchConfig, attention: &Attention) -> u64 {
    let Beats { scores, contexts } = group_beats(arch, attention);
    groups(arch, attention).count() as u64 * (scores + contexts)
}

/// Plays the groups on the lanes from cycle `start` on; returns when all contexts have left the drain.
pub(super) fn play(arch: &ArchConfig, attention: &Attention, start: u64, lanes: &mut Lanes) -> u64 {
    let Beats { scores, contexts } = group_beats(arch, attention);
    let query_words = u64::from(attention.head_channels / arch.vector as u16);
    let softmax = u64::from(attention.tokens) + timing::SOFTMAX + u64::from(arch.lanes);
    let sizes: Vec<u64> = groups(arch, attention).collect();
    let mut play = Play { lanes, scores, contexts, softmax, probabilities: vec![0; sizes.len()] };
    let (mut loaded, mut before_last, mut last) = (start + timing::ATTENTION_START, 0, 0);
    for (group, queries) in sizes.iter().enumerate() {
        // The queries of a group load while the group before computes.
        loaded = loaded.max(before_last) + queries * query_words;
        (before_last, last) = (last, play.scores(group, loaded));
        if group > 0 {
            play.contexts(group - 1);
        }
    }
    play.contexts(sizes.len() - 1);
    lanes.now() + timing::LANES + timing::DRAIN + sizes[sizes.len() - 1]
}

struct Play<'a> {
    lanes: &'a mut Lanes,
    scores: u64,
    contexts: u64,
    /// From the scores of a group to its probabilities and scales.
    softmax: u64,
    /// When they are complete, group by group.
    probabilities: Vec<u64>,
}

impl Play<'_> {
    /// Scores of a group whose queries are loaded at `loaded`; returns their end.
    fn scores(&mut self, group: usize, loaded: u64) -> u64 {
        self.lanes.advance(loaded, Activity::Attention);
        self.lanes.advance(self.lanes.now() + self.scores, Activity::Beat);
        let end = self.lanes.now();
        // Softmax takes one group at a time.
        let free = group.checked_sub(1).map_or(0, |before| self.probabilities[before]);
        self.probabilities[group] = free.max(end + timing::LANES) + self.softmax;
        end
    }

    fn contexts(&mut self, group: usize) {
        self.lanes.advance(self.probabilities[group], Activity::Attention);
        self.lanes.advance(self.lanes.now() + self.contexts, Activity::Beat);
    }
}

fn group_beats(arch: &ArchConfig, attention: &Attention) -> Beats {
    let (tokens, channels) = (u64::from(attention.tokens), u64::from(attention.head_channels));
    let vector = u64::from(arch.vector);
    Beats { scores: tokens * channels / vector, contexts: channels * tokens.div_ceil(vector) }
}

/// Queries of each group, in order.
fn groups(arch: &ArchConfig, attention: &Attention) -> impl Iterator<Item = u64> {
    let (tokens, lanes) = (u64::from(attention.tokens), u64::from(arch.lanes));
    let heads = usize::from(attention.sets) * usize::from(attention.heads);
    let head = (0..tokens).step_by(lanes as usize).map(move |first| lanes.min(tokens - first));
    std::iter::repeat_n(head, heads).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attention(tokens: u16, heads: u8, head_channels: u16) -> Attention {
        Attention {
            queries: 0,
            keys: 0,
            values: 0,
            context: 0,
            tokens,
            sets: 1,
            heads,
            head_channels,
            logit_multiplier: 1,
            context_multiplier: 1,
            logit_shift: 1,
            context_shift: 1,
        }
    }

    /// Measured in RTL: see docs/attention.md.
    #[test]
    fn measured_shapes_are_predicted() {
        let measured = [
            (ArchConfig::tiny(), (33, 2, 8), 2484, 2520),
            (ArchConfig::tiny(), (64, 1, 16), 8192, 8238),
            (ArchConfig::ecp5_85(), (129, 1, 64), 36040, 36131),
            (ArchConfig::edge(), (129, 3, 64), 29484, 29575),
            (ArchConfig::zcu102(), (129, 3, 64), 8670, 8761),
        ];
        for (arch, (tokens, heads, channels), expected_beats, expected_cycles) in measured {
            let attention = attention(tokens, heads, channels);
            assert_eq!(beats(&arch, &attention), expected_beats, "{}", arch.name);
            let cycles = play(&arch, &attention, 0, &mut Lanes::default());
            assert!(cycles.abs_diff(expected_cycles) <= 2, "{}: {cycles}, {expected_cycles}", arch.name);
        }
    }

    #[test]
    fn a_lone_group_waits_for_softmax() {
        let arch = ArchConfig::tiny();
        let attention = attention(4, 1, 8);
        let mut lanes = Lanes::default();
        play(&arch, &attention, 0, &mut lanes);
        let queries = timing::ATTENTION_START + 4 * 2;
        let softmax = timing::LANES + 4 + timing::SOFTMAX + 4;
        assert_eq!(lanes.now(), queries + 8 + softmax + 8);
    }
}
