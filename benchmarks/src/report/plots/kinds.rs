//! Cycles by kind of layer, as shares of each run.

use edge_moe::profile::Kind;
use edge_moe::profile::plots::{cycles_label, kind_colour};
use edge_moe::profile::svg::{Area, Svg};

use super::{Plot, WIDTH, paper};
use crate::accelerator::{Accelerator, Run};

const LEFT: f64 = 130.0;
const RIGHT: f64 = 96.0;
const TOP: f64 = 40.0;
const ROW: f64 = 26.0;

pub fn plot(accelerator: &Accelerator) -> Plot {
    let mut svg = paper(TOP + ROW * accelerator.runs.len() as f64 + 12.0);
    let present = |kind: &&Kind| {
        accelerator.runs.iter().any(|run| run.simulated.kinds.iter().any(|part| part.kind == **kind))
    };
    let entries: Vec<(&str, &str)> =
        Kind::ALL.iter().filter(present).map(|kind| (kind_colour(*kind), kind.name())).collect();
    svg.legend((16.0, 22.0), &entries);
    for (index, run) in accelerator.runs.iter().enumerate() {
        row(&mut svg, run, TOP + ROW * index as f64);
    }
    Plot::new(
        "kinds",
        "Cycles by kind of layer",
        "Share of the simulated cycles by kind of layer, with all cycles of the run at the right. `tiny` runs another, \
         small network.",
        svg,
    )
}

fn row(svg: &mut Svg, run: &Run, y: f64) {
    svg.text((LEFT - 8.0, y + 15.0), "end", &format!("{}, {}", run.arch, run.program));
    let scale = (WIDTH - LEFT - RIGHT) / run.simulated.cycles as f64;
    let mut x = LEFT;
    for part in &run.simulated.kinds {
        let (width, share) = (part.cycles as f64 * scale, part.cycles as f64 / run.simulated.cycles as f64);
        let title = format!("{}: {} cycles, {:.1} %", part.kind.name(), part.cycles, 100.0 * share);
        svg.rectangle(Area { x, y, width, height: ROW - 6.0 }, kind_colour(part.kind), &title);
        if width > 30.0 {
            svg.text((x + width / 2.0, y + 14.0), "small middle light", &format!("{:.0} %", 100.0 * share));
        }
        x += width;
    }
    svg.text((WIDTH - RIGHT + 8.0, y + 15.0), "", &cycles_label(run.simulated.cycles as f64));
}
