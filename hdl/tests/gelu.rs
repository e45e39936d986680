//! GELU against `kernels::gelu`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::gelu::Gelu;
use edge_moe_kernels::gelu::{MAX_FRACTION_BITS, MIN_FRACTION_BITS, gelu};
use rand::Rng;

/// Drives operands beat after beat and compares each result, [`Gelu::LATENCY`] beats later.
fn compare(bench: &mut Bench, operands: impl Iterator<Item = (i16, u32, bool)>) {
    let mut expected = VecDeque::new();
    for (index, (x, fraction_bits, apply)) in operands.enumerate() {
        bench.set_signed("x", x.into());
        bench.set("fraction_bits", fraction_bits.into());
        bench.set("apply", apply.into());
        expected.push_back((x, fraction_bits, apply));
        bench.tick();
        if expected.len() == Gelu::LATENCY {
            let (x, fraction_bits, apply) = expected.pop_front().unwrap();
            let y = if apply { gelu(x, fraction_bits) } else { x };
            let got = bench.get_signed("result");
            bench.expect(&format!("gelu({x}, {fraction_bits}), apply {apply}: result"), index, got, y.into());
        }
    }
}

/// Every input at every number of fraction bits; the number changes every beat.
#[test]
fn every_result_equals_the_kernels() {
    let library = verilate(Gelu::default, "gelu");
    let mut bench = Bench::new(&library, 1);
    let all = (i16::MIN..=i16::MAX)
        .flat_map(|x| (MIN_FRACTION_BITS..=MAX_FRACTION_BITS).map(move |bits| (x, bits, true)));
    let flush = [(0, MIN_FRACTION_BITS, true); Gelu::LATENCY];
    compare(&mut bench, all.chain(flush));
}

#[test]
fn operands_travel_with_their_value() {
    let library = verilate(Gelu::default, "gelu");
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        let random = &mut bench.random;
        let operands: Vec<_> = (0..20_000)
            .map(|_| {
                let bits = random.random_range(MIN_FRACTION_BITS..=MAX_FRACTION_BITS);
                (random.random(), bits, random.random_bool(0.7))
            })
            .collect();
        compare(&mut bench, operands.into_iter());
    }
}
