//! Draws `docs/images/attention-timing.svg`: what happens in every beat of an
//! attention descriptor, sampled from the RTL.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write;

use common::{Bench, verilate};
use edge_moe_hdl::config;

/// Tokens, heads and channels of a head, on 4 lanes of 4.
const SHAPE: [u64; 3] = [12, 2, 8];
/// Ports of the sampled rows, and what they mean.
const ROWS: [(&str, &str); 5] = [
    ("scores_beat", "keys broadcast (Q·Kᵀ)"),
    ("contexts_beat", "rows of Vᵀ broadcast (A·V)"),
    ("query_read", "queries read"),
    ("key_read", "probabilities formed"),
    ("context_write", "context words written"),
];
const EVEN: &str = "#2b6cb0";
const ODD: &str = "#dd6b20";
const OTHER: &str = "#4a5568";
const LEFT: usize = 210;
const BEAT: usize = 3;
const ROW: usize = 30;

/// Whether each row is active in a beat, and whether its group is an odd one.
struct Sample {
    active: [bool; ROWS.len()],
    odd: bool,
}

fn main() {
    let library = verilate(config::tiny::attention, "attention_tiny");
    let mut bench = Bench::new(&library, 1);
    bench.reset();
    start(&mut bench);
    let mut samples = Vec::new();
    while bench.get("busy") == 1 {
        assert!(samples.len() < 10_000, "attention does not end");
        let active = ROWS.map(|(port, _)| bench.get(port) == 1);
        samples.push(Sample { active, odd: bench.get("odd_group") == 1 });
        bench.tick();
        bench.eval();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images/attention-timing.svg");
    std::fs::write(path, svg(&samples)).expect("the picture can be written");
    println!("{path}: {} beats", samples.len());
}

/// Operands at arbitrary places: what is computed does not matter here.
fn start(bench: &mut Bench) {
    let [tokens, heads, head_channels] = SHAPE;
    let (vector, lanes) = (4, 4);
    let token_words = heads * head_channels / vector;
    for (port, value) in [
        ("queries", 0),
        ("keys", 100),
        ("values", 200),
        ("contexts", 300),
        ("tokens", tokens),
        ("sets", 1),
        ("heads", heads),
        ("head_channels", head_channels),
        ("head_words", head_channels / vector),
        ("token_words", token_words),
        ("value_words", tokens / vector),
        ("group_words", lanes * token_words),
        ("set_words", tokens * token_words),
        ("logit_multiplier", 1 << 15),
        ("logit_shift", 40),
        ("context_multiplier", 1 << 15),
        ("context_shift", 16),
    ] {
        bench.set(port, value);
    }
    bench.set("start", 1);
    bench.tick();
    bench.set("start", 0);
    bench.eval();
}

fn svg(samples: &[Sample]) -> String {
    let (width, height) = (LEFT + samples.len() * BEAT + 20, ROW * (ROWS.len() + 1) + 20);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (row, (_, name)) in ROWS.iter().enumerate() {
        let y = 10 + row * ROW;
        writeln!(svg, "<text x=\"10\" y=\"{}\">{name}</text>", y + 16).unwrap();
        for (beat, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.active[row]) {
            let colour = match (row, sample.odd) {
                (0 | 1, false) => EVEN,
                (0 | 1, true) => ODD,
                _ => OTHER,
            };
            let x = LEFT + beat * BEAT;
            writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{BEAT}\" height=\"20\" fill=\"{colour}\"/>")
                .unwrap();
        }
    }
    let y = 10 + ROWS.len() * ROW;
    for beat in (0..samples.len()).step_by(50) {
        let x = LEFT + beat * BEAT;
        writeln!(
            svg,
            "<path d=\"M{x} {y}v6\" stroke=\"black\"/><text x=\"{x}\" y=\"{}\">{beat}</text>",
            y + 20
        )
        .unwrap();
    }
    svg + "</svg>\n"
}
