use std::collections::BTreeSet;

use edge_moe_isa::descriptor::{Destination, Experts, Linear, Route};

use super::*;
use crate::device::{Device, SoftwareDevice, Stepper};

const SEEDS: u64 = 400;

fn programs(arch: &ArchConfig, seeds: u64) -> impl Iterator<Item = RandomProgram> + '_ {
    (0..seeds).map(|seed| random_program(arch, seed).unwrap())
}

fn operations(arch: &ArchConfig) -> Vec<Descriptor> {
    programs(arch, SEEDS).flat_map(|program| program.executable.programs()[0].clone()).collect()
}

#[test]
fn programs_are_legal_and_run_on_every_named_architecture() {
    for arch in ArchConfig::named() {
        for RandomProgram { executable, memory } in programs(&arch, 40) {
            let window = executable.window();
            edge_moe_isa::check::check(&arch, window, &executable.programs()[0]).unwrap();
            assert_eq!(memory.len() as u64, window.writable_bytes);
            let mut device = SoftwareDevice::new();
            device.load(executable).unwrap();
            device.write_memory(0, &memory).unwrap();
            device.run(0).unwrap();
            assert!(device.written(Space::Scratchpad).unwrap().contains(&true));
        }
    }
}

#[test]
fn a_seed_is_a_program() {
    let make = |seed| {
        let RandomProgram { executable, memory } = random_program(&ArchConfig::edge(), seed).unwrap();
        (executable.image().to_vec(), memory)
    };
    assert_eq!(make(5), make(5));
    assert_ne!(make(5), make(6));
}

#[test]
fn every_operation_comes_in_every_form() {
    let arch = ArchConfig::tiny();
    let all = operations(&arch);
    let names: BTreeSet<(&str, bool)> =
        all.iter().map(|one| (one.operation.layout().name, one.wait)).collect();
    for name in ["linear", "norm", "attention", "route", "experts", "copy", "end"] {
        assert!(names.contains(&(name, true)) && names.contains(&(name, false)), "{name} in {names:?}");
    }
    let linears: Vec<&Linear> = all
        .iter()
        .filter_map(|one| if let Operation::Linear(linear) = &one.operation { Some(linear) } else { None })
        .collect();
    for destination in [Destination::Tokens, Destination::Channels, Destination::Residual] {
        assert!(linears.iter().any(|linear| linear.destination == destination && linear.sets > 1));
    }
    let lanes = arch.lanes as u16;
    let forms: [fn(&Linear, u16) -> bool; 7] = [
        |linear, _| linear.tokens == 1,
        |linear, lanes| linear.tokens > lanes,
        |linear, lanes| linear.tokens > 1 && linear.tokens < lanes,
        |linear, lanes| linear.inputs == lanes,
        |linear, lanes| !linear.outputs.is_multiple_of(lanes),
        |linear, _| linear.bits == 9,
        |linear, _| linear.gelu_bits != 0,
    ];
    for (index, form) in forms.iter().enumerate() {
        assert!(linears.iter().any(|linear| form(linear, lanes)), "form {index} of linear");
    }
    let copies: BTreeSet<String> = all
        .iter()
        .filter_map(|one| if let Operation::Copy(copy) = &one.operation { Some(copy) } else { None })
        .map(|copy| format!("{} to {}", copy.source_space, copy.destination_space))
        .collect();
    assert_eq!(copies.len(), 8, "{copies:?}");
}

#[test]
fn routings_are_skewed_in_every_way() {
    let (mut one_for_all, mut unvisited, mut every, mut several) = (0, 0, 0, 0);
    for program in programs(&ArchConfig::tiny(), SEEDS) {
        let descriptors = &program.executable.programs()[0];
        let mut device = SoftwareDevice::new();
        device.load(Arc::clone(&program.executable)).unwrap();
        device.write_memory(0, &program.memory).unwrap();
        device.start(0).unwrap();
        let mut visits: Vec<u32> = Vec::new();
        for descriptor in descriptors {
            match &descriptor.operation {
                Operation::Route(route) => {
                    if route.append == 0 {
                        visits = vec![0; route.experts.into()];
                    } else {
                        several += 1;
                    }
                    count(&device, route, &mut visits);
                }
                Operation::Experts(Experts { experts, .. }) if *experts > 2 => {
                    let visited = visits.iter().filter(|&&tokens| tokens > 0).count();
                    one_for_all += u32::from(visited == 1);
                    unvisited += u32::from(visited > 1 && visited < visits.len());
                    every += u32::from(visited == visits.len());
                }
                _ => {}
            }
            device.step().unwrap();
        }
    }
    assert!(one_for_all > 3 && unvisited > 3 && every > 3 && several > 3);
}

/// Adds the tokens that a route sends to each expert.
fn count(device: &SoftwareDevice, route: &Route, visits: &mut [u32]) {
    let stride = route.experts.next_multiple_of(4);
    let words = u32::from(route.tokens * stride / 4);
    let logits = device.values(Space::Scratchpad, route.logits, words).unwrap();
    for token in logits.chunks(stride.into()) {
        for choice in edge_moe_kernels::route::choose(&token[..route.experts.into()], route.top_k.into()) {
            visits[usize::from(choice.expert)] += 1;
        }
    }
}

#[test]
fn results_are_neither_all_zero_nor_all_saturated() {
    let (mut moderate, mut all) = (0, 0);
    for program in programs(&ArchConfig::tiny(), SEEDS) {
        let mut device = SoftwareDevice::new();
        device.load(Arc::clone(&program.executable)).unwrap();
        device.write_memory(0, &program.memory).unwrap();
        device.start(0).unwrap();
        for descriptor in &program.executable.programs()[0] {
            device.step().unwrap();
            if let Operation::Linear(Linear { output, destination: Destination::Tokens, .. }) =
                descriptor.operation
            {
                let values = device.values(Space::Scratchpad, output, 1).unwrap();
                all += 1;
                moderate +=
                    u32::from(values.iter().any(|&value| value != 0 && value.unsigned_abs() < 0x7fff));
            }
        }
    }
    assert!(2 * moderate > all, "{moderate} of {all}");
}
