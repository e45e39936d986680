//! Model, report, drawings and page of whole programs.

use std::sync::Arc;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::Trace;

use super::plots::plots;
use super::*;
use crate::compile::compile;
use crate::compiled::CompiledModel;
use crate::device::SoftwareDevice;
use crate::model::{Depths, ModelConfig, random, sample_shapes};
use crate::picture;
use crate::quantise::calibrate;
use crate::runtime::{Answers, Runtime};

/// A run of a random model's program for all tasks.
struct Run {
    model: Arc<CompiledModel>,
    answers: Answers,
    queues: Queues,
}

impl Run {
    fn new((config, depths): (ModelConfig, Depths), arch: &ArchConfig) -> Self {
        let network = random(&config, depths, 3).unwrap();
        let picture = picture::synthetic(config.image_width as u32, config.image_height as u32);
        let ranges = calibrate(&network, std::slice::from_ref(&picture), &|| ());
        let artifact = compile(&network, arch, &ranges, 1).unwrap().artifact;
        let model = CompiledModel::from_bytes(artifact).unwrap();
        let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(&model)).unwrap();
        let program = runtime.program_for(None).unwrap();
        let (answers, queues) = observe(&mut runtime, &picture, program).unwrap();
        Self { model, answers, queues }
    }

    fn program(&self) -> usize {
        self.model.program(crate::compile::ALL_TASKS).unwrap()
    }

    fn trace(&self, memory: Memory) -> Trace {
        let manifest = self.model.manifest();
        let machine = Machine { arch: &manifest.arch, memory, writable_bytes: manifest.writable_bytes };
        predict(&machine, &self.model.programs()[self.program()], &self.queues)
    }

    fn report(&self) -> Report {
        let memory = Memory::of(&self.model.manifest().arch, 64);
        let subject = Subject {
            model: &self.model,
            program: self.program(),
            picture: "a<b",
            device: "cycle model",
            evidence: Evidence::Estimated,
            memory,
            clock_mhz: 100.0,
        };
        Report::new(&subject, &self.trace(memory), &self.queues, &self.answers.routing)
    }
}

fn mixture() -> Run {
    Run::new(sample_shapes::mixture(), &ArchConfig::edge())
}

#[test]
fn queues_are_those_of_the_routing() {
    let run = mixture();
    let mut blocks: Vec<usize> = run.answers.routing.iter().map(|routing| routing.block).collect();
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(run.queues.len(), blocks.len());
    for (queue, block) in run.queues.iter().zip(blocks) {
        let mut tokens = vec![0; queue.len()];
        for routing in run.answers.routing.iter().filter(|routing| routing.block == block) {
            tokens.iter_mut().zip(routing.tokens_per_expert()).for_each(|(sum, tokens)| *sum += tokens);
        }
        assert_eq!(*queue, tokens, "block {block}");
    }
}

#[test]
fn parts_of_a_report_are_the_whole() {
    for arch in [ArchConfig::tiny(), ArchConfig::edge(), ArchConfig::zcu102()] {
        let report = Run::new(sample_shapes::mixture(), &arch).report();
        for parts in [&report.kinds, &report.layers, &report.descriptors] {
            let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum::<u64>();
            assert_eq!(sum(|part| part.cycles), report.cycles);
            assert_eq!(sum(|part| part.activities.total()), report.cycles);
            assert_eq!(sum(|part| part.macs), report.macs);
            assert_eq!(sum(|part| part.bound_cycles), report.bound_cycles);
            assert_eq!(sum(|part| part.read_bytes + part.written_bytes), report.memory_bytes);
            assert!((parts.iter().map(|part| part.share).sum::<f64>() - 1.0).abs() < 1e-9);
            for part in parts {
                assert!(part.multiplier_use <= 1.0, "{}: {}", part.name, part.multiplier_use);
            }
        }
        assert!(report.cycles >= report.bound_cycles && report.bound_cycles >= report.ideal_cycles);
        let needed: u64 = report.layers.iter().map(|layer| layer.bytes).sum();
        let descriptors = 64 * report.descriptors.len() as u64;
        assert_eq!(report.memory_bytes, needed + descriptors, "{}", arch.name);
    }
}

#[test]
fn products_are_those_of_the_network() {
    let (config, depths) = sample_shapes::mixture();
    let (tokens, dim) = (config.tokens() as u64, config.dim as u64);
    let report = mixture().report();
    let macs = |kind: Kind| report.kinds.iter().find(|part| part.kind == kind).map_or(0, |part| part.macs);
    // Blocks 0 and 1 up to the first gate run once, what follows once a task.
    let sets = 2 + 2 * 2;
    assert_eq!(macs(Kind::PatchEmbedding), (tokens - 1) * config.patch_values() as u64 * dim);
    assert_eq!(macs(Kind::Projections), sets * 4 * tokens * dim * dim);
    assert_eq!(macs(Kind::Attention), sets * 2 * tokens * tokens * dim);
    assert_eq!(macs(Kind::Mlp), (1 + 2) * 2 * tokens * dim * depths.hidden as u64);
    let visits = 2 * 2 * tokens * config.top_k as u64;
    assert_eq!(macs(Kind::Experts), visits * 2 * dim * depths.expert_hidden as u64);
    assert_eq!(macs(Kind::Routing), 2 * 2 * tokens * dim * config.experts as u64);
}

#[test]
fn memory_in_no_time_leaves_the_beats() {
    let run = mixture();
    let cycles = |latency, bytes_per_cycle| run.trace(Memory { latency, bytes_per_cycle }).cycles;
    assert!(cycles(64, 16.0) < cycles(64, 8.0));
    assert!(cycles(64, 16.0) < cycles(256, 16.0));
    let trace = run.trace(Memory { latency: 0, bytes_per_cycle: 1e6 });
    let beats: u64 = trace.descriptors.iter().map(|descriptor| descriptor.beats()).sum();
    let slow = run.trace(Memory { latency: 500, bytes_per_cycle: 1.0 });
    assert_eq!(beats, slow.descriptors.iter().map(|descriptor| descriptor.beats()).sum::<u64>());
    assert!(trace.cycles > beats);
}

#[test]
fn stalls_are_sorted_and_named() {
    let report = mixture().report();
    let stalls = report.activities.stalls();
    assert!(stalls.is_sorted_by(|a, b| a.1 >= b.1) && stalls.iter().all(|stall| stall.0 != Activity::Beat));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["activities"]["rows"], report.activities.of(Activity::Rows));
    assert_eq!(json["evidence"], "estimated");
    assert_eq!(json["layers"][0]["kind"], "copies");
}

/// Names of the elements of a page in order of their ends, checked to be nested.
fn elements(page: &str) -> Vec<String> {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for tag in page.split('<').skip(1).map(|rest| rest.split_once('>').expect("tags are closed").0) {
        let name = tag.split([' ', '\n', '/']).find(|name| !name.is_empty()).unwrap().to_string();
        if tag.starts_with('!') || name == "meta" {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name), "elements are nested");
        } else if !tag.ends_with('/') {
            open.push(name);
            continue;
        }
        closed.push(name);
    }
    assert_eq!(open, [""; 0]);
    closed
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let report = mixture().report();
    let page = html(&report);
    let elements = elements(&page);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("html"), count("svg"), count("table"), count("h2")), (1, 4, 2, 6));
    assert_eq!(count("tr"), 2 + report.kinds.len() + report.layers.len());
    assert_eq!(count("td"), 9 * (report.kinds.len() + report.layers.len()));
    assert!(page.contains("a&lt;b") && !page.contains("a<b"));
    assert!(!page.contains("<script") && !page.contains("href") && !page.contains("NaN"));
    assert_eq!(page.matches("http").count(), 4, "only the name spaces of the drawings");
}

#[test]
fn drawings_have_what_there_is_to_draw() {
    let mixture = plots(&mixture().report());
    let names: Vec<&str> = mixture.iter().map(|plot| plot.name).collect();
    assert_eq!(names, ["timeline", "activities", "roofline", "routing"]);
    for plot in &mixture {
        assert_eq!(elements(&plot.svg).last().map(String::as_str), Some("svg"), "{}", plot.name);
        assert!(!plot.svg.contains("NaN") && !plot.svg.contains("inf"), "{}", plot.name);
    }
    // Two tasks, two blocks, four experts.
    assert_eq!(elements(&mixture[3].svg).iter().filter(|name| *name == "rect").count(), 2 * 2 * 4);
    let dense = Run::new(sample_shapes::dense(), &ArchConfig::edge()).report();
    assert_eq!(plots(&dense).len(), 3);
}
