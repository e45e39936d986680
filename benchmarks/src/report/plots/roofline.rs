//! Products a cycle against products a byte, of whole pictures, under the roofs of the architectures.

use edge_moe::profile::svg::{Area, Mark};

use super::axes::{Frame, Ticks};
use super::{ORANGE, Plot, WIDTH, arch_colour, paper, trained};
use crate::accelerator::{Accelerator, Run};
use crate::quoted::System;

const HEIGHT: f64 = 320.0;

pub fn plot(accelerator: &Accelerator, quoted: &[System]) -> Plot {
    let runs: Vec<&Run> = trained(accelerator).collect();
    let mut svg = paper(HEIGHT + 84.0);
    let area = Area { x: 66.0, y: 36.0, width: WIDTH - 66.0 - 140.0, height: HEIGHT };
    let most = runs.iter().map(|run| run.multipliers).max().unwrap_or(1);
    let frame = Frame::new(area, (1.0, 256.0), (8.0, f64::from(most) * 1.6));
    let label = |value: f64| format!("{value}");
    let ticks = Ticks { steps: &[1.0], base: 2.0, label: &label };
    frame.draw(&mut svg, ("products a byte that crosses memory", "products a cycle"), &ticks, &ticks);
    for runs in runs.chunk_by(|a, b| a.arch == b.arch) {
        let Run { arch, multipliers, bytes_per_cycle, .. } = runs[0];
        let (colour, multipliers) = (arch_colour(arch), f64::from(*multipliers));
        let (slope, ridge) = (frame.power(*bytes_per_cycle, 1.0), multipliers / bytes_per_cycle);
        let flat = frame.power(multipliers, 0.0);
        svg.line(&[slope[0], frame.at((ridge, multipliers)), flat[1]], colour, 1.5);
        let (x, y) = (flat[1].0 + 8.0, flat[1].1);
        svg.text((x, y + 2.0), "strong", arch);
        svg.text((x, y + 14.0), "faint small", &format!("{multipliers} multipliers"));
        svg.text((x, y + 25.0), "faint small", &format!("{bytes_per_cycle} bytes a cycle"));
        for run in runs {
            let at =
                frame.at(point(run.macs as f64, run.simulated.bytes() as f64, run.simulated.cycles as f64));
            let title = format!("{arch}, {}: {} cycles", run.program, run.simulated.cycles);
            let mark = if run.program == edge_moe::compile::ALL_TASKS { Mark::Square } else { Mark::Disc };
            svg.mark(at, mark, 4.5, colour, &title);
        }
    }
    for system in quoted {
        if let (Some(macs), Some(bytes), Some(cycles)) = (system.megamacs, system.megabytes, system.cycles())
        {
            let at = frame.at(point(1e6 * macs.value, 1e6 * bytes.value, cycles));
            svg.mark(at, Mark::Diamond, 5.0, ORANGE, &format!("{}, quoted", system.name));
            svg.text((at.0 + 9.0, at.1 + 4.0), "", &format!("{}, {} (quoted)", system.name, system.device));
        }
    }
    Plot::new(
        "roofline",
        "Roofline",
        "Whole pictures under the roof of each architecture: left of the ridge memory is the limit, right of it the \
         multipliers. Discs: one task; squares: all tasks at once. Cycles and bytes are simulated.",
        svg,
    )
}

/// Products a byte, and products a cycle.
fn point(macs: f64, bytes: f64, cycles: f64) -> (f64, f64) {
    (macs / bytes, macs / cycles)
}
