//! Cycles of a picture and task against the bandwidth of memory.

use edge_moe::profile::plots::cycles_label;
use edge_moe::profile::svg::{Area, Mark, Svg};
use edge_moe_isa::arch::ArchConfig;

use super::axes::{Frame, Ticks};
use super::{GREY, Plot, WIDTH, arch_colour, paper};
use crate::accelerator::{Accelerator, Run};
use crate::report::TASK;
use crate::sweep::Sweep;

const HEIGHT: f64 = 320.0;

pub fn plot(accelerator: &Accelerator, sweep: &Sweep) -> Plot {
    let mut svg = paper(HEIGHT + 84.0);
    let area = Area { x: 66.0, y: 36.0, width: WIDTH - 66.0 - 140.0, height: HEIGHT };
    let frame = Frame::new(area, (0.9, 72.0), (6e5, 3e7));
    let label = |value: f64| format!("{value}");
    frame.draw(
        &mut svg,
        ("bytes that memory moves in a cycle", "cycles of a picture and task"),
        &Ticks { steps: &[1.0], base: 2.0, label: &label },
        &Ticks { steps: &[1.0, 2.0, 5.0], base: 10.0, label: &cycles_label },
    );
    busy_memory(&mut svg, &frame, sweep);
    for arch in [ArchConfig::edge(), ArchConfig::zcu102()] {
        curves(&mut svg, &frame, sweep, &arch);
        let runs = accelerator.runs.iter().filter(|run| run.arch == arch.name);
        for Run { bytes_per_cycle, simulated, .. } in runs.filter(|run| run.program == TASK) {
            let at = frame.at((*bytes_per_cycle, simulated.cycles as f64));
            svg.mark(at, Mark::Diamond, 5.5, arch_colour(&arch.name), "simulated");
        }
    }
    Plot::new(
        "bandwidth",
        "Cycles against bandwidth",
        "Estimated cycles at latencies of 16, 64 (thick) and 256 cycles; diamonds are simulated. Dashed: memory is \
         always busy. A core takes one row word of V weights a cycle, so that more than V bytes a cycle gain nothing.",
        svg,
    )
}

/// The bytes of a picture and task, which differ by less than a line's width.
fn busy_memory(svg: &mut Svg, frame: &Frame, sweep: &Sweep) {
    let programs = || sweep.points.iter().filter_map(|point| point.program(TASK));
    let Some(bytes) = programs().map(|program| program.bytes).min() else { return };
    let line = frame.power(bytes as f64, -1.0);
    svg.dashed(&line, GREY, 1.0);
    svg.text((line[1].0 - 26.0, line[1].1 - 8.0), "faint end", "memory is always busy");
}

fn curves(svg: &mut Svg, frame: &Frame, sweep: &Sweep, arch: &ArchConfig) {
    let point = sweep.point(arch.lanes, arch.vector);
    let Some(program) = point.and_then(|point| point.program(TASK)) else { return };
    let colour = arch_colour(&arch.name);
    for &latency in &sweep.latencies {
        let curve = sweep.curve(program, latency);
        let points: Vec<(f64, f64)> =
            curve.iter().map(|(bandwidth, cycles)| frame.at(((*bandwidth).into(), *cycles as f64))).collect();
        let width = if latency == crate::accelerator::LATENCY { 2.5 } else { 1.0 };
        svg.line(&points, colour, width);
        if let Some(&(x, y)) = points.last().filter(|_| width > 2.0) {
            svg.text(
                (x + 12.0, y + 4.0),
                "strong",
                &format!("{} ({} × {})", arch.name, arch.lanes, arch.vector),
            );
        }
    }
}
