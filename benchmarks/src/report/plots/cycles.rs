//! Cycles of a picture and task against multipliers: the design space, RTL, the limits, and others.

use edge_moe::profile::plots::cycles_label;
use edge_moe::profile::svg::{Area, Mark, Svg};

use super::axes::{Frame, Ticks};
use super::{BLUE, INK, ORANGE, Plot, SKY, WIDTH, paper, trained};
use crate::accelerator::{Accelerator, LATENCY, Run};
use crate::quoted::System;
use crate::report::TASK;
use crate::sweep::{Point, Sweep};

/// Bytes a cycle of the memories that are shown: those of `edge` and `zcu102`.
const BANDWIDTHS: [(u32, &str); 2] = [(32, SKY), (16, BLUE)];
const HEIGHT: f64 = 400.0;

pub fn plot(accelerator: &Accelerator, sweep: &Sweep, quoted: &[System]) -> Plot {
    let runs: Vec<&Run> = trained(accelerator).filter(|run| run.program == TASK).collect();
    let macs = runs.first().map_or(0, |run| run.macs) as f64;
    let bytes = runs.first().map_or(0, |run| run.simulated.bytes()) as f64;
    let mut svg = paper(HEIGHT + 112.0);
    let area = Area { x: 66.0, y: 52.0, width: WIDTH - 66.0 - 92.0, height: HEIGHT };
    let frame = Frame::new(area, (12.0, 5000.0), (3e5, 7e7));
    let label = |value: f64| format!("{value}");
    frame.draw(
        &mut svg,
        ("multipliers (of others: multipliers or DSP blocks)", "cycles of a picture and task"),
        &Ticks { steps: &[1.0], base: 2.0, label: &label },
        &Ticks { steps: &[1.0, 2.0, 5.0], base: 10.0, label: &cycles_label },
    );
    let ideal = frame.power(macs, -1.0);
    svg.line(&ideal, INK, 1.5);
    svg.text((ideal[0].0 + 48.0, ideal[0].1 + 12.0), "", "limit: products / multipliers");
    for (bandwidth, colour) in BANDWIDTHS {
        let line = frame.power(bytes / f64::from(bandwidth), 0.0);
        svg.dashed(&line, colour, 1.2);
        svg.text((line[1].0 + 4.0, line[1].1 + 4.0), "small", &format!("{bandwidth} bytes a cycle"));
        points(&mut svg, &frame, sweep, (bandwidth, colour));
    }
    for system in quoted {
        quoted_point(&mut svg, &frame, system);
    }
    for run in &runs {
        let at = frame.at((run.multipliers.into(), run.simulated.cycles as f64));
        svg.mark(
            at,
            Mark::Diamond,
            5.5,
            INK,
            &format!("{}: {} cycles, simulated", run.arch, run.simulated.cycles),
        );
        svg.text((at.0 + 11.0, at.1 - 1.0), "strong halo", &run.arch);
    }
    legend(&mut svg);
    Plot::new(
        "cycles",
        "Cycles against multipliers",
        "Discs and rings are the cycle model's estimates of P lanes of V multipliers, dark with the memory of `edge` (16 bytes \
         a cycle), light with that of `zcu102` (32); diamonds were simulated in RTL; squares are measurements by others on hardware, quoted, at their own \
         clocks and with arithmetic of their own. The line is the limit of the multipliers, dashed lines that of a \
         memory which is always busy.",
        svg,
    )
}

fn points(svg: &mut Svg, frame: &Frame, sweep: &Sweep, (bandwidth, colour): (u32, &str)) {
    for point in &sweep.points {
        let Point { lanes, vector, .. } = point;
        let program = point.program(TASK);
        if let Some(cycles) = program.and_then(|program| sweep.cycles(program, LATENCY, bandwidth)) {
            let at = frame.at((point.multipliers().into(), cycles as f64));
            let mark = if point.has_rtl() { Mark::Disc } else { Mark::Ring };
            svg.mark(at, mark, 4.0, colour, &format!("{lanes} × {vector}: {cycles} cycles, estimated"));
        }
    }
}

fn quoted_point(svg: &mut Svg, frame: &Frame, system: &System) {
    let (Some(cycles), Some(units)) = (system.cycles(), system.units()) else { return };
    let at = frame.at((units.value, cycles));
    svg.mark(at, Mark::Square, 4.5, ORANGE, &format!("{}: {cycles:.0} cycles, quoted", system.name));
    svg.text((at.0, at.1 - 9.0), "middle", &system.name);
    svg.text((at.0, at.1 + 16.0), "faint small middle", &system.device);
}

fn legend(svg: &mut Svg) {
    let entries = [
        (Mark::Diamond, INK, "RTL, simulated"),
        (Mark::Disc, BLUE, "P = V, estimated"),
        (Mark::Ring, BLUE, "P > V, estimated (no RTL)"),
        (Mark::Disc, SKY, "the same, 32 bytes a cycle"),
        (Mark::Square, ORANGE, "others, quoted"),
    ];
    let mut x = 16.0;
    for (mark, colour, name) in entries {
        svg.mark((x, 16.0), mark, 4.5, colour, "");
        svg.text((x + 10.0, 20.0), "", name);
        x += 34.0 + 6.0 * name.chars().count() as f64;
    }
    svg.text((WIDTH - 8.0, 40.0), "faint small end", &format!("memory latency {LATENCY} cycles"));
}
