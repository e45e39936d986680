//! Attention of one head: keys and values packed once, queries in blocks.

use edge_moe_isa::descriptor::Attention;
use edge_moe_kernels::softmax::ContextScale;

use super::rows::{Scratch, room};
use super::simd::Path;
use super::simd::panel::{self, Line, ROWS};
use super::vectorised::{FinishAlike, TakeQuery};

/// Queries whose sums are computed before they are finished.
const BLOCK_QUERIES: usize = 24;

/// What the queries of one set and head look at.
pub struct Head<'a> {
    pub attention: &'a Attention,
    /// Channels of a token: all heads.
    pub channels: usize,
    /// Of this set, from the head's first channel on; token-major.
    pub queries: &'a [i16],
    pub keys: &'a [i16],
    /// Of this set and head; channel-major, `padded_tokens` a row.
    pub values: &'a [i16],
    pub padded_tokens: usize,
}

impl Head<'_> {
    /// The context of the queries from `first` on, as many as there is room for; token-major.
    pub fn attend<P: Path>(&self, path: P, first: usize, scratch: &mut Scratch, context: &mut [i16]) {
        let (tokens, width) = (usize::from(self.attention.tokens), usize::from(self.attention.head_channels));
        let (key_lines, value_lines) = (panel::lines(2 * width), panel::lines(2 * tokens));
        let key_panels = tokens.div_ceil(ROWS) * key_lines;
        let Scratch { panels, sums, operands, logits, .. } = scratch;
        let panels = room(panels, key_panels + width.div_ceil(ROWS) * value_lines);
        let (keys, values) = panels.split_at_mut(key_panels);
        pack(path, keys, key_lines, tokens, |token| &self.keys[token * self.channels..][..width]);
        pack(path, values, value_lines, width, |channel| &self.values[channel * self.padded_tokens..][..tokens]);
        let logits = room(logits, tokens);
        for (block, context) in context.chunks_mut(BLOCK_QUERIES * width).enumerate() {
            let first = first + block * BLOCK_QUERIES;
            let count = context.len() / width;
            let stride = 2 * key_lines;
            let queries = room(operands, count * stride);
            for (index, operands) in queries.chunks_mut(stride).enumerate() {
                let query = &self.queries[(first + index) * self.channels..][..width];
                path.vectorise(TakeQuery { query, operands });
            }
            let sums_of_row = keys.len() / key_lines * ROWS;
            let logit_sums = room(sums, count * sums_of_row);
            path.pairs(keys, key_lines, queries, stride, logit_sums);
            let stride = 2 * value_lines;
            let weights = room(operands, count * stride);
            let mut scales = [(0, 0); BLOCK_QUERIES];
            let rows = logit_sums.chunks(sums_of_row).zip(weights.chunks_mut(stride));
            for (scale, (sums, operands)) in scales.iter_mut().zip(rows) {
                path.vectorise(FinishAlike {
                    sums,
                    multiplier: self.attention.logit_multiplier.into(),
                    shift: self.attention.logit_shift.into(),
                    results: logits,
                });
                let sum = path.weigh(logits, operands);
                let Attention { context_multiplier, context_shift, .. } = *self.attention;
                let context = ContextScale::new(context_multiplier, context_shift.into(), sum);
                *scale = (context.multiplier().into(), context.shift());
            }
            let sums_of_row = values.len() / value_lines * ROWS;
            let sums = room(sums, count * sums_of_row);
            path.pairs(values, value_lines, weights, stride, sums);
            let rows = sums.chunks(sums_of_row).zip(context.chunks_mut(width));
            for ((sums, context), (multiplier, shift)) in rows.zip(scales) {
                path.vectorise(FinishAlike { sums, multiplier, shift, results: context });
            }
        }
    }
}

/// Packs `count` rows of values.
fn pack<'a, P: Path>(
    path: P,
    panels: &mut [Line],
    lines: usize,
    count: usize,
    row_of: impl Fn(usize) -> &'a [i16],
) {
    for (index, panel) in panels.chunks_mut(lines).enumerate() {
        let first = index * ROWS;
        let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
        let rows = &mut rows[..ROWS.min(count - first)];
        for (offset, row) in rows.iter_mut().enumerate() {
            *row = bytemuck::cast_slice(row_of(first + offset));
        }
        path.pack(rows, panel);
    }
}
