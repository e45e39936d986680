//! The requantiser against `kernels::fixed`.

mod common;

use std::collections::VecDeque;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::requantise::Requantise;
use edge_moe_kernels::fixed;
use rand::Rng;

struct Operands {
    acc: i64,
    multiplier: i32,
    bias: i32,
    scale: fixed::Requantise,
    bits: u32,
}

impl Operands {
    /// Anything legal; extremes and ties more often than chance has it.
    fn random(random: &mut impl Rng) -> Self {
        let shift = random.random_range(1..=fixed::MAX_SHIFT);
        let bits = if random.random_bool(0.3) { 9 } else { 16 };
        let scale = fixed::Requantise { bias_shift: random.random_range(0..=fixed::MAX_BIAS_SHIFT), shift };
        let limit = 1i64 << 35;
        let (acc, multiplier, bias) = match random.random_range(0..4) {
            0 => (random.random_range(-limit..limit), random.random_range(-32768..=65535), random.random()),
            1 => (if random.random() { limit - 1 } else { -limit }, 65535, random.random()),
            2 => (random.random_range(-70000..70000), random.random_range(0..4), 0),
            // An odd multiple of half a step of the result.
            _ => ((2 * random.random_range(-400i64..400) + 1) << (shift.min(26) - 1), 1, 0),
        };
        Self { acc, multiplier, bias, scale, bits }
    }

    fn expected(&self) -> i64 {
        self.scale.apply(self.acc, self.multiplier, self.bias, self.bits).into()
    }

    fn drive(&self, bench: &mut Bench) {
        bench.set_signed("acc", self.acc);
        bench.set_signed("multiplier", self.multiplier.into());
        bench.set_signed("bias", self.bias.into());
        bench.set("bias_shift", self.scale.bias_shift.into());
        bench.set("shift", self.scale.shift.into());
        bench.set("nine_bits", (self.bits == 9).into());
    }
}

#[test]
fn every_result_equals_the_kernels() {
    let library = verilate(Requantise::default, "requantise");
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        let mut expected = VecDeque::new();
        for index in 0..20_000 {
            let operands = Operands::random(&mut bench.random);
            operands.drive(&mut bench);
            expected.push_back(operands.expected());
            bench.tick();
            if expected.len() == Requantise::LATENCY {
                let result = bench.get_signed("result");
                bench.expect("result", index, result, expected.pop_front().unwrap());
            }
        }
    }
}
