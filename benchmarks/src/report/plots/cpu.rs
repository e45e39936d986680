//! Times of the contenders.

use edge_moe::profile::svg::{Area, Svg};

use super::{BLUE, GREEN, INK, Plot, WIDTH, paper};
use crate::cpu::{BASE, Group, Time};

const LEFT: f64 = 150.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 14.0;
const ROW: f64 = 28.0;

/// A group of benches that is not empty.
pub fn plot(group: &Group) -> Plot {
    let mut svg = paper(TOP + ROW * group.times.len() as f64 + 10.0);
    let most = group.times.iter().map(|time| time.measured_p10_p90_ms[1]).fold(0.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / most;
    for (index, time) in group.times.iter().enumerate() {
        row(&mut svg, time, TOP + ROW * index as f64, scale);
    }
    Plot::new(
        "cpu",
        "Time on a processor",
        "Median time of a picture and task on one core, and the tenth to the ninetieth percentile.",
        svg,
    )
}

fn row(svg: &mut Svg, time: &Time, y: f64, scale: f64) {
    let colour = if time.name == BASE { GREEN } else { BLUE };
    let (width, middle) = (time.measured_median_ms * scale, y + 10.0);
    svg.text((LEFT - 8.0, y + 14.0), "end", &time.name);
    svg.rectangle(Area { x: LEFT, y, width, height: ROW - 8.0 }, colour, "");
    let [low, high] = time.measured_p10_p90_ms.map(|ms| LEFT + ms * scale);
    svg.line(&[(low, middle), (high, middle)], INK, 1.5);
    svg.text(
        (width.max(high - LEFT) + LEFT + 8.0, y + 14.0),
        "",
        &format!("{:.2} ms", time.measured_median_ms),
    );
}
