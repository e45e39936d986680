//! When what ran: a row for each kind of layer, a bar for each descriptor.

use edge_moe_isa::registers::Activity;

use super::{Plot, WIDTH, cycles_label, grouped, kind_colour, step};
use crate::profile::layers::{Part, ratio};
use crate::profile::report::Report;
use crate::profile::svg::{Area, Svg};

const LEFT: f64 = 156.0;
const TOP: f64 = 26.0;
const ROW: f64 = 26.0;
const BAR: f64 = 20.0;

pub fn plot(report: &Report) -> Plot {
    let bottom = TOP + ROW * report.kinds.len() as f64;
    let scale = (WIDTH - LEFT - 40.0) / report.cycles.max(1) as f64;
    let x = |cycle: u64| LEFT + cycle as f64 * scale;
    let mut svg = Svg::new(WIDTH, bottom + 30.0);
    blocks(&mut svg, report, &x, bottom);
    let tick = step(report.cycles as f64, 6.0);
    for index in 0..=(report.cycles as f64 / tick) as u64 {
        let position = x((index as f64 * tick) as u64);
        svg.line(&[(position, TOP), (position, bottom)], "#dee2e6", 1.0);
        svg.text((position, bottom + 15.0), "faint middle", &cycles_label(index as f64 * tick));
    }
    svg.text((WIDTH - 36.0, bottom + 15.0), "faint", "cycles");
    for (row, kind) in report.kinds.iter().enumerate() {
        let y = TOP + ROW * row as f64 + (ROW - BAR) / 2.0;
        svg.text((LEFT - 52.0, y + 14.0), "end", &kind.name);
        svg.text((LEFT - 8.0, y + 14.0), "faint end", &format!("{:.1} %", 100.0 * kind.share));
        for part in report.descriptors.iter().filter(|part| part.kind == kind.kind) {
            bar(&mut svg, part, (x(part.start), y), part.cycles as f64 * scale);
        }
    }
    Plot {
        name: "timeline",
        caption: "A bar for each descriptor, from its start to the next one's. Its full colour is the share of \
                  cycles in which the lanes multiplied; the pale rest is waiting.",
        svg: svg.finish(),
    }
}

fn bar(svg: &mut Svg, part: &Part, (x, y): (f64, f64), width: f64) {
    let (colour, width) = (kind_colour(part.kind), width.max(0.6));
    let beats = ratio(part.activities.of(Activity::Beat), part.cycles);
    let mut title = format!("{}: {} cycles, {:.0} % beats", part.name, grouped(part.cycles), 100.0 * beats);
    for (activity, cycles) in part.activities.stalls().iter().take(3) {
        title += &format!("\n{} {}", activity.name(), grouped(*cycles));
    }
    svg.rectangle(Area { x, y, width, height: BAR }, &format!("{colour}48"), &title);
    let height = BAR * beats;
    svg.rectangle(Area { x, y: y + BAR - height, width, height }, colour, &title);
}

/// Bands and names of blocks, behind everything.
fn blocks(svg: &mut Svg, report: &Report, x: &dyn Fn(u64) -> f64, bottom: f64) {
    let parts = &report.descriptors;
    for (index, band) in parts.chunk_by(|a, b| block(a) == block(b)).enumerate() {
        let (left, end) = (x(band[0].start), band.iter().map(|part| part.cycles).sum::<u64>());
        let width = x(band[0].start + end) - left;
        if index % 2 == 1 {
            svg.rectangle(Area { x: left, y: TOP, width, height: bottom - TOP }, "#f1f3f5", "");
        }
        if let Some(name) = block(&band[0]).filter(|_| width > 24.0) {
            svg.text((left + width / 2.0, TOP - 8.0), "faint middle", name);
        }
    }
}

/// The number of the block that a descriptor belongs to.
pub(super) fn block(part: &Part) -> Option<&str> {
    part.name.strip_prefix("block ").and_then(|rest| rest.split(' ').next())
}
