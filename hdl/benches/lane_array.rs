//! Simulation speed of the lane array: a beat every cycle, a new word every cycle.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edge_moe_hdl::{config, support};
use verilated::{Build, Initial, Optimisation};

/// Cycles of one measurement.
const CYCLES: u64 = 10_000;

fn edge(criterion: &mut Criterion) {
    let verilog = support::verilog(config::edge::lanes, "lanes_edge").unwrap();
    let build = Build::new("lanes_edge").source_text("lanes_edge.v", verilog).optimisation(Optimisation::O2);
    let mut lanes = build.load().unwrap().model(Initial::Random(1)).unwrap();
    let port = |name: &str, width| lanes.port(name, width).unwrap();
    let (clock, reset, word) = (port("clock", 1), port("reset", 1), port("word", 256));
    let (valid, last, address) = (port("beat_valid", 1), port("beat_last", 1), port("beat_address", 7));
    lanes.reset(clock, reset, true, 1).unwrap();
    lanes.set(valid, 1).unwrap();
    let mut group = criterion.benchmark_group("lane array edge");
    group.throughput(Throughput::Elements(CYCLES));
    group.bench_function("cycles", |bench| {
        bench.iter(|| {
            for cycle in 0..CYCLES {
                let pattern = cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                lanes.set_words(word, &[pattern, !pattern, pattern >> 7, pattern << 9]).unwrap();
                lanes.set(address, cycle % 12).unwrap();
                lanes.set(last, (cycle % 12 == 11).into()).unwrap();
                lanes.tick(clock).unwrap();
            }
        });
    });
    group.finish();
}

criterion_group!(benches, edge);
criterion_main!(benches);
