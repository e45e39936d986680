use edge_moe_isa::descriptor::{Attention, End};
use edge_moe_isa::registers::Activity;
use proptest::prelude::*;

use super::*;
use crate::profile::work;

fn machine(arch: &ArchConfig, latency: u32) -> Machine<'_> {
    Machine { arch, memory: Memory::of(arch, latency), writable_bytes: 4096 }
}

fn linear(inputs: u16, outputs: u16, tokens: u16) -> Linear {
    Linear {
        input: 0,
        output: 1000,
        weights: 8192,
        inputs,
        outputs,
        tokens,
        sets: 1,
        destination: Destination::Tokens,
        bits: 16,
        shift: 1,
        bias_shift: 0,
        gelu_bits: 0,
    }
}

fn experts(channels: u16, hidden_channels: u16, count: u16) -> Experts {
    Experts {
        input: 0,
        hidden: 2000,
        residual: 0,
        weights: 8192,
        stride: 1 << 16,
        channels,
        hidden_channels,
        experts: count,
        tokens: 64,
        fc1_shift: 1,
        fc1_bias_shift: 0,
        fc2_shift: 1,
        fc2_bias_shift: 0,
        gelu_bits: 9,
    }
}

fn program(operations: impl IntoIterator<Item = (bool, Operation)>) -> Vec<Descriptor> {
    let end = (false, Operation::End(End {}));
    let descriptor = |(wait, operation)| Descriptor { wait, operation };
    operations.into_iter().chain([end]).map(descriptor).collect()
}

fn of(trace: &Trace, activity: Activity) -> u64 {
    trace.descriptors.iter().map(|descriptor| descriptor.activities[activity as usize]).sum()
}

/// From the start of a program to its first descriptor, without memory's latency, on 16-byte ports.
const FETCHED: u64 = timing::START + 4 + timing::STREAM;
/// From a request of rows to the first beat, without memory's latency and the rows.
const ROWS: u64 = timing::REQUEST + timing::STREAM + timing::ROWS_READY;
/// From the last beat of a plain linear layer to the end of the program.
const PLAIN_END: u64 = timing::LANES + timing::DRAIN + timing::PLAIN + timing::SETTLED + timing::END;

#[test]
fn a_layer_of_long_groups_is_its_beats_and_its_ends() {
    let arch = ArchConfig::edge();
    let trace = predict(&machine(&arch, 64), &program([(false, linear(192, 64, 100).into())]), &[]);
    assert_eq!(trace.descriptors[0].start, 64 + FETCHED + timing::DISPATCH);
    assert_eq!(of(&trace, Activity::Beat), 4 * 1200);
    // One group of 200 entries is waited for; memory was asked for it at once.
    let first_beat = 64 + ROWS + 200 + 64 + FETCHED;
    assert_eq!(trace.cycles, first_beat + 4 * 1200 + PLAIN_END);
}

#[test]
fn a_layer_of_short_groups_takes_as_long_as_its_rows() {
    let arch = ArchConfig::edge();
    let trace = predict(&machine(&arch, 64), &program([(false, linear(192, 160, 2).into())]), &[]);
    assert_eq!(of(&trace, Activity::Beat), 10 * 24);
    let last_rows = 64 + FETCHED + 64 + ROWS + 10 * 200;
    assert_eq!(trace.cycles, last_rows + 24 + PLAIN_END);
    assert_eq!(trace.descriptors.iter().map(|part| part.read_bytes).sum::<u64>(), 10 * 3200 + 2 * 64);
}

#[test]
fn results_that_leave_slowly_hold_the_lanes() {
    let arch = ArchConfig::tiny();
    let plain = Linear { tokens: 60, ..linear(4, 4, 60) };
    let added = Linear { destination: Destination::Residual, ..plain };
    let run = |linear: Linear| predict(&machine(&arch, 8), &program([(false, linear.into())]), &[]);
    assert_eq!(of(&run(plain), Activity::Results), 0);
    // Four beats a word in the epilogue, one in the lanes; 16 results wait between them.
    let results = of(&run(added), Activity::Results);
    assert!((60 * 3 - 16 * 4 - 16..=60 * 3).contains(&results), "{results}");
}

#[test]
fn copies_take_a_cycle_a_word_or_as_long_as_memory() {
    let arch = ArchConfig::edge();
    let copy = |source_space, destination_space| Copy {
        source: 0,
        destination: 0,
        words: 1000,
        source_space,
        destination_space,
    };
    let run = |source, destination| {
        let trace = predict(&machine(&arch, 10), &program([(false, copy(source, destination).into())]), &[]);
        trace.cycles - trace.descriptors[0].start - timing::END
    };
    assert_eq!(run(Space::Scratchpad, Space::Residual), 1000 + timing::COPY.max(timing::DISPATCH));
    let confirmed = timing::COPY + 10 + timing::CONFIRMATION;
    assert_eq!(run(Space::Scratchpad, Space::Memory), 2000 + confirmed);
    let from_memory = run(Space::Memory, Space::Scratchpad);
    assert!((2000..2000 + 30).contains(&from_memory), "{from_memory}");
}

#[test]
fn a_layer_follows_its_norm_word_by_word() {
    let arch = ArchConfig::edge();
    let norm = Norm {
        input: 0,
        output: 0,
        parameters: 4096,
        channels: 192,
        tokens: 100,
        shift: 1,
        bias_shift: 0,
        epsilon: 1,
    };
    let run = |input| {
        let linear = Linear { input, ..linear(192, 16, 100) };
        predict(&machine(&arch, 64), &program([(false, norm.into()), (true, linear.into())]), &[])
    };
    let (chained, apart) = (run(0), run(12));
    let saved = apart.cycles - chained.cycles;
    assert!((1000..1200).contains(&saved), "{saved}");
    assert!(of(&chained, Activity::Norm) < 60, "{}", of(&chained, Activity::Norm));
}

#[test]
fn a_route_follows_its_gate_token_by_token() {
    let arch = ArchConfig::edge();
    let gate = linear(192, 16, 100);
    let route = Route { logits: gate.output, first_token: 0, tokens: 100, experts: 16, top_k: 2, append: 0 };
    let routed = program([(false, gate.into()), (true, route.into())]);
    let trace = predict(&machine(&arch, 64), &routed, &[]);
    let gate_alone = predict(&machine(&arch, 64), &program([(false, gate.into())]), &[]);
    // 18 cycles a token in the router, 12 in the lanes.
    let longer = trace.cycles - gate_alone.cycles;
    assert!((600..600 + 60).contains(&longer), "{longer}");
    assert!(of(&trace, Activity::Route) >= 600 - 30);
}

#[test]
fn experts_without_tokens_cost_nothing() {
    let arch = ArchConfig::edge();
    let descriptors = program([(false, experts(64, 64, 4).into())]);
    let run = |queue: [usize; 4]| predict(&machine(&arch, 64), &descriptors, &[queue.to_vec()]);
    let (one, two) = (run([0, 0, 40, 0]), run([20, 0, 20, 0]));
    assert_eq!(of(&one, Activity::Beat), 2 * 4 * 40 * 4);
    assert_eq!(of(&two, Activity::Beat), 2 * 4 * 40 * 4);
    assert!(two.cycles > one.cycles);
    assert_eq!(run([0; 4]).descriptors[0].read_bytes, 64);
}

/// Programs of the shapes that matter, with waits as a compiler may set them.
fn programs() -> impl Strategy<Value = (Vec<Descriptor>, Vec<Vec<usize>>)> {
    let layer = (1u16..3, 1u16..80, 1u16..60, any::<bool>(), any::<bool>()).prop_map(
        |(inputs, outputs, tokens, gelu, wait)| {
            let gelu_bits = if gelu { 9 } else { 0 };
            (wait, Operation::from(Linear { gelu_bits, ..linear(32 * inputs, outputs, tokens) }), None)
        },
    );
    let attention = (1u16..60, 1u8..3, any::<bool>()).prop_map(|(tokens, heads, wait)| {
        let attention = Attention {
            queries: 0,
            keys: 0,
            values: 0,
            context: 0,
            tokens,
            sets: 1,
            heads,
            head_channels: 32,
            logit_multiplier: 1,
            context_multiplier: 1,
            logit_shift: 1,
            context_shift: 1,
        };
        (wait, Operation::from(attention), None)
    });
    let mixture = prop::collection::vec(0usize..40, 4)
        .prop_map(|queue| (true, Operation::from(experts(64, 32, 4)), Some(queue)));
    let copy = (1u32..500, 0usize..3, any::<bool>()).prop_map(|(words, way, wait)| {
        let (source_space, destination_space) = [
            (Space::Memory, Space::Scratchpad),
            (Space::Scratchpad, Space::Memory),
            (Space::Scratchpad, Space::Residual),
        ][way];
        (wait, Copy { source: 0, destination: 0, words, source_space, destination_space }.into(), None)
    });
    prop::collection::vec(prop_oneof![layer, attention, mixture, copy], 1..12).prop_map(|steps| {
        let queues = steps.iter().filter_map(|(_, _, queue)| queue.clone()).collect();
        (program(steps.into_iter().map(|(wait, operation, _)| (wait, operation))), queues)
    })
}

proptest! {
    #[test]
    fn every_cycle_is_accounted_for((descriptors, queues) in programs(), latency in 0u32..200) {
        for arch in ArchConfig::named() {
            let machine = machine(&arch, latency);
            let trace = predict(&machine, &descriptors, &queues);
            prop_assert_eq!(trace.descriptors.len(), descriptors.len());
            let cycles: u64 = trace.descriptors.iter().map(|descriptor| descriptor.cycles()).sum();
            prop_assert_eq!(cycles, trace.cycles);
            prop_assert!(trace.descriptors.is_sorted_by_key(|descriptor| descriptor.start));
            let macs: u64 = work(&machine, &descriptors, &queues).iter().map(|work| work.macs).sum();
            prop_assert!(of(&trace, Activity::Beat) * u64::from(arch.multipliers()) >= macs);
        }
    }

    #[test]
    fn a_faster_memory_is_never_slower(
        (descriptors, queues) in programs(),
        latency in 0u32..200,
        bytes_per_cycle in 1u32..32,
    ) {
        for arch in [ArchConfig::tiny(), ArchConfig::edge()] {
            let run = |latency: u32, bytes_per_cycle: u32| {
                let memory = Memory { latency, bytes_per_cycle: bytes_per_cycle.into() };
                let machine = Machine { arch: &arch, memory, writable_bytes: 4096 };
                predict(&machine, &descriptors, &queues).cycles
            };
            let slow = run(latency, bytes_per_cycle);
            prop_assert!(run(latency + 50, bytes_per_cycle) >= slow);
            prop_assert!(run(latency, bytes_per_cycle + 1) <= slow);
        }
    }
}
