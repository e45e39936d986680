//! Sections on the design space, on synthesis and on bitstreams.

use edge_moe::bitstream::{Manifest, Timing};
use edge_moe::profile::plots::grouped;

use super::{image, section};
use crate::accelerator::LATENCY;
use crate::report::TASK;
use crate::report::markdown::{UNKNOWN, percent, table};
use crate::report::plots::Plot;
use crate::resources::{Unit, YOSYS};
use crate::sweep::{Point, Sweep};

/// Memories of the table of the design space, in bytes a cycle.
const SHOWN_BANDWIDTHS: [u32; 4] = [8, 16, 32, 64];

pub fn design_space(sweep: Option<&Sweep>, plots: &[Plot]) -> String {
    section("Design space", sweep, |sweep| {
        let head: Vec<String> = ["P × V".to_string(), "multipliers".to_string(), "limit".to_string()]
            .into_iter()
            .chain(SHOWN_BANDWIDTHS.map(|bandwidth| format!("{bandwidth} B a cycle")))
            .chain(["multipliers in use, best".to_string()])
            .collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let mut points: Vec<&Point> = sweep.points.iter().collect();
        points.sort_by_key(|point| (point.multipliers(), point.lanes));
        let rows: Vec<Vec<String>> = points.iter().filter_map(|point| point_row(sweep, point)).collect();
        let refused = match &sweep.refused[..] {
            [] => "The compiler accepts all of them.".to_string(),
            refused => format!("Refused: {}.", refused.join("; ")),
        };
        format!(
            "`{TASK}` of `{}`, `{}`, by the cycle model alone, with the experts' queues that the trained gates fill. P lanes of V \
             multipliers, V a power of two that divides P; memories hold as many values as those of `edge`, norm takes a word at a \
             time, the epilogue keeps up with the shortest rows. **P = V** is what the RTL can be; the others say what a \
             core with P > V would take if its units kept pace in the same way. A core takes one row word of V weights a cycle: a group of P rows \
             comes in as many cycles as P tokens compute, so that an expert with fewer than P tokens waits for its rows. {refused} Memory has as few ports of 128 bits \
             (or of a row word, if that is less) as its bandwidth needs; none: more than four. Latency {} cycles.\n\n{}\n{}",
            sweep.model,
            sweep.picture,
            LATENCY,
            table(&head, 1, &rows),
            image(plots, "bandwidth"),
        )
    })
}

fn point_row(sweep: &Sweep, point: &Point) -> Option<Vec<String>> {
    let program = point.program(TASK)?;
    let curve = sweep.curve(program, LATENCY);
    let best = curve.iter().map(|(_, cycles)| *cycles).min()?;
    let multipliers = point.multipliers();
    let shape = format!("{} × {}", point.lanes, point.vector);
    let cycles = |bandwidth: u32| sweep.cycles(program, LATENCY, bandwidth).map_or("none".into(), grouped);
    let mut row = vec![if point.has_rtl() { format!("**{shape}**") } else { shape }, multipliers.to_string()];
    row.push(grouped(program.macs.div_ceil(multipliers.into())));
    row.extend(SHOWN_BANDWIDTHS.map(cycles));
    row.push(percent(program.macs as f64 / (best as f64 * f64::from(multipliers)), 1));
    Some(row)
}

pub fn resources(units: &[Unit]) -> String {
    let flow = |flow: &str, name: &str, cells: &[(&str, &str)]| {
        let head: Vec<&str> =
            ["architecture", "unit"].into_iter().chain(cells.iter().map(|(_, name)| *name)).collect();
        let row = |unit: &Unit| {
            let count = |(cell, _): &(&str, &str)| {
                unit.cells.get(*cell).map_or(UNKNOWN.into(), |count| grouped(*count))
            };
            let mut row = vec![format!("`{}`", unit.arch), format!("`{}`", unit.unit)];
            row.extend(cells.iter().map(count));
            row
        };
        let rows: Vec<Vec<String>> = units.iter().filter(|unit| unit.flow == flow).map(row).collect();
        format!("{name}, estimated:\n\n{}", table(&head, 2, &rows))
    };
    let xcup = [
        ("LUT", "LUT"),
        ("FDRE", "flip-flops"),
        ("CARRY4", "carry"),
        ("RAMB18E2", "BRAM 18 k"),
        ("RAMB36E2", "BRAM 36 k"),
        ("DSP48E2", "DSP"),
    ];
    let ecp5 = [
        ("LUT4", "LUT4"),
        ("TRELLIS_FF", "flip-flops"),
        ("CCU2C", "carry"),
        ("DP16KD", "block RAM 18 k"),
        ("TRELLIS_DPR16X4", "LUT RAM"),
        ("MULT18X18D", "multipliers"),
    ];
    format!(
        "## Resources\n\nCells that yosys {YOSYS} makes of each unit by itself, before placement. Only what was synthesised as a whole \
         has a row: the whole accelerator, `edge_moe`, was for `tiny` on ECP5 alone. Units contain others (a softmax \
         its reciprocal, an epilogue its GELU), so that rows do not add up to a core; no sum is given.\n\n{}\n{}",
        flow("xcup", "UltraScale+ (`synth_xilinx -family xcup`)", &xcup),
        flow("ecp5", "ECP5 (`synth_ecp5`)", &ecp5),
    )
}

pub fn bitstreams(manifests: &[Manifest]) -> String {
    let clock = |mhz: f64| format!("{mhz:.2}");
    let row = |manifest: &Manifest| {
        let Timing { clock_mhz, post_route_fmax_mhz, seeds, .. } = &manifest.timing;
        vec![
            format!("`{}`", manifest.board),
            format!("`{}`", manifest.arch.name),
            clock_mhz.to_string(),
            clock(*post_route_fmax_mhz),
            clock(manifest.timing.post_route_fmax_mhz_min),
            clock(manifest.timing.post_route_fmax_mhz_median),
            clock(manifest.timing.post_route_fmax_mhz_max),
            seeds.len().to_string(),
        ]
    };
    let head = ["board", "architecture", "MHz", "reached", "least", "median", "most", "seeds"];
    let rows: Vec<Vec<String>> = manifests.iter().map(row).collect();
    let used = manifests.iter().flat_map(|manifest| {
        manifest.utilisation.iter().map(|(kind, cells)| {
            let share = cells.used as f64 / cells.available as f64;
            vec![
                format!("`{}`", manifest.board),
                format!("`{kind}`"),
                grouped(cells.used),
                grouped(cells.available),
                percent(share, 1),
            ]
        })
    });
    format!(
        "## Bitstreams\n\nOf whole boards, core, link and memory controller, as their manifests in `bitstreams/` say. MHz is the \
         clock of the PLL; what was reached is that of the shipped seed, after routing; least, median and most are over the \
         seeds that were routed. None ran on hardware.\n\n{}\n{}",
        table(&head, 2, &rows),
        table(&["board", "cells", "used", "of", "share"], 2, &used.collect::<Vec<_>>()),
    )
}
