//! Attention of one head: keys and values packed once, queries in blocks.

use edge_moe_isa::descriptor::Attention;
use edge_moe_kernels::softmax::ContextScale;

use super::rows::{Scratch, room};
use super::simd::panel::{self, Line, ROWS};
use super::simd::{Panels, Path};
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
        let (key_panels, value_panels) = (tokens.div_ceil(ROWS), width.div_ceil(ROWS));
        let Scratch { panels, sums, queries, probabilities, logits, .. } = scratch;
        let panels = room(panels, key_panels * key_lines + value_panels * value_lines);
        let (keys, values) = panels.split_at_mut(key_panels * key_lines);
        pack(path, keys, key_lines, tokens, |token| &self.keys[token * self.channels..][..width]);
        pack(path, values, value_lines, width, |channel| {
            &self.values[channel * self.padded_tokens..][..tokens]
        });
        let logits = room(logits, tokens);
        for (block, context) in context.chunks_mut(BLOCK_QUERIES * width).enumerate() {
            let first = first + block * BLOCK_QUERIES;
            let count = context.len() / width;
            let stride = 2 * key_lines;
            let queries = room(queries, count * stride);
            for (index, operands) in queries.chunks_mut(stride).enumerate() {
                let query = &self.queries[(first + index) * self.channels..][..width];
                path.vectorise(TakeQuery { query, operands });
            }
            let multiply = |first: usize, count: usize, sums: &mut [i32]| {
                path.pairs(Panels { lines: keys, stride: key_lines, first, count }, queries, stride, sums);
            };
            let stride = 2 * value_lines;
            let probabilities = room(probabilities, count * stride);
            let mut scales = [(0, 0); BLOCK_QUERIES];
            sums.of_rows((count, key_panels * ROWS), width.div_ceil(2), multiply, |row, sums| {
                path.finish_alike(FinishAlike {
                    sums,
                    multiplier: self.attention.logit_multiplier.into(),
                    shift: self.attention.logit_shift.into(),
                    results: logits,
                });
                let sum = path.weigh(logits, &mut probabilities[row * stride..][..tokens]);
                let Attention { context_multiplier, context_shift, .. } = *self.attention;
                let context = ContextScale::new(context_multiplier, context_shift.into(), sum);
                scales[row] = (context.multiplier(), context.shift());
            });
            let multiply = |first: usize, count: usize, sums: &mut [i32]| {
                let values = Panels { lines: values, stride: value_lines, first, count };
                path.pairs(values, probabilities, stride, sums);
            };
            sums.of_rows((count, value_panels * ROWS), tokens.div_ceil(2), multiply, |row, sums| {
                let (multiplier, shift) = scales[row];
                let results = &mut context[row * width..][..width];
                path.finish_alike(FinishAlike { sums, multiplier, shift, results });
            });
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
