//! The design space by the cycle model: lanes and their width, bandwidth and latency of memory.
//!
//! The experts' queues are those of the trained model on the measured picture: answers, and with them routing,
//! are the same on every architecture.

use std::path::Path;
use std::sync::Arc;

use edge_moe::Result;
use edge_moe::device::SoftwareDevice;
use edge_moe::profile::{Machine, Memory, observe, predict, work};
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;
use crate::results::VERSION;
use crate::workload::{PICTURE, Workload};

/// Name of the results.
pub const NAME: &str = "sweep";
/// Lanes.
const LANES: [u32; 8] = [4, 8, 12, 16, 24, 32, 48, 64];
/// Multipliers of a lane; those that do not divide the lanes cannot be.
const VECTORS: [u32; 5] = [4, 8, 16, 32, 64];
/// Latencies of memory, in cycles.
const LATENCIES: [u32; 3] = [16, 64, 256];
/// Bytes that memory moves in a cycle.
const BANDWIDTHS: [u32; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Most memory ports of a core.
const MOST_PORTS: u32 = 4;
/// Values of a lane's bank in every architecture that holds the full shape.
const BANK_VALUES: u32 = 1024;
/// Inputs of the shortest rows of the full shape: the epilogue keeps up with them.
const SHORTEST_ROW: u32 = 192;

/// The cycles of one picture over a grid of architectures and memories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Version of this form.
    pub version: u32,
    /// Where and when.
    pub provenance: Provenance,
    /// The picture's file.
    pub picture: String,
    /// What the model is called.
    pub model: String,
    /// Latencies of memory, in cycles.
    pub latencies: Vec<u32>,
    /// Bytes that memory moves in a cycle.
    pub bytes_per_cycle: Vec<u32>,
    /// The architectures.
    pub points: Vec<Point>,
    /// Architectures that the compiler refused, and why.
    pub refused: Vec<String>,
}

/// One architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Lanes.
    pub lanes: u32,
    /// Multipliers in a lane.
    pub vector: u32,
    /// Its programs.
    pub programs: Vec<Program>,
}

/// One program of an architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Name: a task, or all of them.
    pub program: String,
    /// Tasks that run side by side.
    pub interleaved_tasks: u32,
    /// Useful multiplications.
    pub macs: u64,
    /// Bytes of weights, parameters and copies that it needs.
    pub bytes: u64,
    /// Cycles: a row for each latency, an entry for each bandwidth; none where four ports are too narrow.
    pub estimated_cycles: Vec<Vec<Option<u64>>>,
}

impl Point {
    /// Multipliers of all lanes.
    pub fn multipliers(&self) -> u32 {
        self.lanes * self.vector
    }

    /// Is there RTL of that shape?
    pub fn has_rtl(&self) -> bool {
        self.lanes == self.vector
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.program == name)
    }
}

impl Sweep {
    /// Bandwidths and cycles of a program at a latency.
    pub fn curve(&self, program: &Program, latency: u32) -> Vec<(u32, u64)> {
        let row = self.latencies.iter().position(|known| *known == latency);
        let cycles = row.and_then(|row| program.estimated_cycles.get(row)).into_iter().flatten();
        let points = self.bytes_per_cycle.iter().zip(cycles);
        points.filter_map(|(bandwidth, cycles)| Some((*bandwidth, (*cycles)?))).collect()
    }

    /// Cycles of a program with a memory.
    pub fn cycles(&self, program: &Program, latency: u32, bytes_per_cycle: u32) -> Option<u64> {
        let curve = self.curve(program, latency);
        curve.iter().find(|(bandwidth, _)| *bandwidth == bytes_per_cycle).map(|(_, cycles)| *cycles)
    }

    /// The architecture of that shape.
    pub fn point(&self, lanes: u32, vector: u32) -> Option<&Point> {
        self.points.iter().find(|point| (point.lanes, point.vector) == (lanes, vector))
    }
}

/// An architecture of P lanes of V multipliers, by the rule that `edge` and `zcu102` follow: memories of the
/// same values, norm as wide as a word, an epilogue that keeps up with the shortest rows, and 32 rows of the
/// stream for each lane.
fn architecture(lanes: u32, vector: u32) -> ArchConfig {
    let edge = ArchConfig::edge();
    ArchConfig {
        name: format!("{lanes}x{vector}"),
        lanes,
        vector,
        scratchpad_words: edge.scratchpad_words * edge.vector / vector,
        residual_words: edge.residual_words * edge.vector / vector,
        bank_words: BANK_VALUES / vector,
        norm_width: vector,
        epilogue_width: (lanes * vector).div_ceil(SHORTEST_ROW).next_power_of_two().min(vector),
        stream_entries: 32 * lanes,
        ..edge
    }
}

/// The architecture on a memory of that bandwidth, by as few ports as can take it.
fn with_memory(arch: &ArchConfig, bytes_per_cycle: u32) -> Option<ArchConfig> {
    let memory_ports = bytes_per_cycle.div_ceil(arch.bus_bytes());
    let memory_bytes = bytes_per_cycle / memory_ports;
    (memory_ports <= MOST_PORTS).then(|| ArchConfig { memory_ports, memory_bytes, ..arch.clone() })
}

/// The architectures that can be.
fn grid() -> impl Iterator<Item = ArchConfig> {
    let all = LANES.iter().flat_map(|&lanes| VECTORS.map(|vector| architecture(lanes, vector)));
    all.filter(|arch| arch.validate().is_ok())
}

/// Estimates the whole grid.
pub fn measure(root: &Path) -> Result<Sweep> {
    let provenance = Provenance::now(root, &[]);
    let workload = Workload::trained(root)?;
    let (mut points, mut refused) = (Vec::new(), Vec::new());
    for arch in grid() {
        eprintln!("estimating {} lanes of {}", arch.lanes, arch.vector);
        match estimate(&arch, &workload) {
            Ok(programs) => points.push(Point { lanes: arch.lanes, vector: arch.vector, programs }),
            Err(cause) => refused.push(cause.to_string()),
        }
    }
    Ok(Sweep {
        version: VERSION,
        provenance,
        picture: PICTURE.to_string(),
        model: workload.name,
        latencies: LATENCIES.to_vec(),
        bytes_per_cycle: BANDWIDTHS.to_vec(),
        points,
        refused,
    })
}

/// Every program of an architecture, over all memories.
fn estimate(arch: &ArchConfig, workload: &Workload) -> Result<Vec<Program>> {
    let model = workload.compile(arch)?;
    let mut runtime = Runtime::new(SoftwareDevice::new(), Arc::clone(&model))?;
    let writable_bytes = model.manifest().writable_bytes;
    let estimate = |(index, descriptors): (usize, &Vec<_>)| {
        let (_, queues) = observe(&mut runtime, &workload.picture, index)?;
        let cycles = |latency, bandwidth| {
            let arch = &with_memory(arch, bandwidth)?;
            let machine = Machine { arch, memory: Memory::of(arch, latency), writable_bytes };
            Some(predict(&machine, descriptors, &queues).cycles)
        };
        let machine = Machine { arch, memory: Memory::of(arch, LATENCIES[0]), writable_bytes };
        let work = work(&machine, descriptors, &queues);
        let program = &model.manifest().programs[index];
        Ok(Program {
            program: program.name.clone(),
            interleaved_tasks: program.interleaved_tasks,
            macs: work.iter().map(|work| work.macs).sum(),
            bytes: work.iter().map(|work| work.bytes).sum(),
            estimated_cycles: LATENCIES
                .map(|latency| BANDWIDTHS.map(|bandwidth| cycles(latency, bandwidth)).to_vec())
                .to_vec(),
        })
    };
    model.programs().iter().enumerate().map(estimate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::root;

    #[test]
    fn the_rule_of_the_grid_gives_edge_and_zcu102() {
        for named in [ArchConfig::edge(), ArchConfig::zcu102()] {
            let bandwidth = named.memory_bytes * named.memory_ports;
            let arch = with_memory(&architecture(named.lanes, named.vector), bandwidth).unwrap();
            assert_eq!(ArchConfig { name: named.name.clone(), ..arch }, named);
        }
    }

    #[test]
    fn cycles_fall_with_bandwidth_and_rise_with_latency() {
        let workload = Workload::random(&root()).unwrap();
        let programs = estimate(&architecture(8, 4), &workload).unwrap();
        assert_eq!(programs.len(), 3);
        for Program { estimated_cycles, macs, .. } in &programs {
            // Four ports of four bytes.
            let rows: Vec<Vec<u64>> =
                estimated_cycles.iter().map(|row| row.iter().map_while(|cycles| *cycles).collect()).collect();
            assert!(rows.iter().all(|row| row.len() == 8 && row.is_sorted_by(|a, b| a >= b)));
            assert!(rows.is_sorted_by(|a, b| a.iter().zip(b).all(|(a, b)| a <= b)));
            assert!(rows[0][7] >= macs / 32);
        }
    }
}
