//! What the lanes did and what they waited for, layer by layer.

use edge_moe_isa::registers::Activity;

use super::timeline::block;
use super::{Plot, WIDTH, activity_colour, cycles_label, grouped, kind_colour, step};
use crate::profile::layers::Part;
use crate::profile::report::Report;
use crate::profile::svg::{Area, Svg};

const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
const HEIGHT: f64 = 240.0;

pub fn plot(report: &Report) -> Plot {
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + 34.0);
    let most = report.layers.iter().map(|layer| layer.cycles).max().unwrap_or(0).max(1);
    let scale = HEIGHT / most as f64;
    let slot = (WIDTH - LEFT - 10.0) / report.layers.len().max(1) as f64;
    let base = TOP + HEIGHT;
    let tick = step(most as f64, 4.0);
    for index in 0..=(most as f64 / tick) as u64 {
        let y = base - index as f64 * tick * scale;
        svg.line(&[(LEFT, y), (WIDTH - 10.0, y)], "#dee2e6", 1.0);
        svg.text((LEFT - 6.0, y + 4.0), "faint end", &cycles_label(index as f64 * tick));
    }
    for (index, layer) in report.layers.iter().enumerate() {
        column(&mut svg, layer, LEFT + index as f64 * slot, (slot * 0.86, base, scale));
    }
    let mut index = 0;
    for layers in report.layers.chunk_by(|a, b| block(a) == block(b)) {
        let middle = LEFT + (index as f64 + layers.len() as f64 / 2.0) * slot;
        if let Some(name) = block(&layers[0]) {
            svg.text((middle, base + 24.0), "faint middle", &format!("block {name}"));
        }
        index += layers.len();
    }
    let present = |activity: &&Activity| report.activities.of(**activity) > 0;
    let names: Vec<(&str, String)> = Activity::ALL
        .iter()
        .filter(present)
        .map(|&activity| {
            let share = 100.0 * report.activities.of(activity) as f64 / report.cycles.max(1) as f64;
            (activity_colour(activity), format!("{} {share:.2} %", activity.name()))
        })
        .collect();
    let entries: Vec<(&str, &str)> = names.iter().map(|(colour, name)| (*colour, name.as_str())).collect();
    svg.legend((LEFT, 14.0), &entries);
    Plot {
        name: "activities",
        caption: "Cycles of each layer, by what the lanes did: beats below, what they waited for above. The foot \
                  of a column has the colour of its kind.",
        svg: svg.finish(),
    }
}

fn column(svg: &mut Svg, layer: &Part, x: f64, (width, base, scale): (f64, f64, f64)) {
    let mut y = base;
    for &activity in Activity::ALL {
        let cycles = layer.activities.of(activity);
        let height = cycles as f64 * scale;
        if cycles > 0 {
            y -= height;
            let share = 100.0 * cycles as f64 / layer.cycles as f64;
            let title = format!("{}\n{} {} ({share:.1} %)", layer.name, activity.name(), grouped(cycles));
            svg.rectangle(Area { x, y, width, height }, activity_colour(activity), &title);
        }
    }
    let foot = Area { x, y: base + 2.0, width, height: 6.0 };
    svg.rectangle(foot, kind_colour(layer.kind), &layer.name);
}
