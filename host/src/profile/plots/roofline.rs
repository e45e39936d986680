//! Products a cycle against products a byte, under the roof of the architecture.

use super::{Plot, WIDTH, grouped, kind_colour};
use crate::profile::layers::{Kind, Part};
use crate::profile::report::Report;
use crate::profile::svg::{Area, Svg};

const LEFT: f64 = 60.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 20.0;
const HEIGHT: f64 = 300.0;
/// Room at the right for layers that need no bytes.
const NO_BYTES: f64 = 90.0;

/// Both axes are logarithmic, in powers of two.
struct Axes {
    least: (f64, f64),
    scale: (f64, f64),
}

impl Axes {
    fn new(report: &Report) -> Self {
        let multipliers = f64::from(report.multipliers);
        let intensities = || points(report).filter_map(intensity);
        let least = intensities().fold(multipliers / report.memory.bytes_per_cycle, f64::min);
        let most = intensities().fold(multipliers / report.memory.bytes_per_cycle, f64::max);
        let least_rate = points(report).map(rate).fold(multipliers, f64::min);
        let least = (least.log2().floor() - 1.5, least_rate.log2().floor() - 1.5);
        let most = (most.log2().ceil() + 0.5, multipliers.log2() + 0.5);
        let width = WIDTH - LEFT - RIGHT - NO_BYTES;
        Self { least, scale: (width / (most.0 - least.0), HEIGHT / (most.1 - least.1)) }
    }

    fn x(&self, intensity: f64) -> f64 {
        LEFT + (intensity.log2() - self.least.0) * self.scale.0
    }

    fn y(&self, rate: f64) -> f64 {
        TOP + HEIGHT - (rate.log2() - self.least.1) * self.scale.1
    }

    fn grid(&self, svg: &mut Svg) {
        let (right, base) = (WIDTH - RIGHT, TOP + HEIGHT);
        for value in powers(self.least.0).take_while(|value| self.x(*value) <= right - NO_BYTES) {
            let x = self.x(value);
            svg.line(&[(x, TOP), (x, base)], "#e9ecef", 1.0);
            svg.text((x, base + 15.0), "faint middle", &format!("{value}"));
        }
        for value in powers(self.least.1).take_while(|value| self.y(*value) >= TOP) {
            let y = self.y(value);
            svg.line(&[(LEFT, y), (right, y)], "#e9ecef", 1.0);
            svg.text((LEFT - 6.0, y + 4.0), "faint end", &format!("{value}"));
        }
        svg.text((LEFT, base + 30.0), "faint", "products a byte that the layer needs");
        svg.text((4.0, TOP - 8.0), "faint", "products a cycle");
        svg.text((right - NO_BYTES / 2.0, base + 15.0), "faint middle", "no bytes");
    }
}

/// Powers of two from the first one above `least`, a logarithm.
fn powers(least: f64) -> impl Iterator<Item = f64> {
    (least.ceil() as i32..).map(|power| 2f64.powi(power))
}

pub fn plot(report: &Report) -> Plot {
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + 36.0);
    let axes = Axes::new(report);
    axes.grid(&mut svg);
    let (multipliers, bandwidth) = (f64::from(report.multipliers), report.memory.bytes_per_cycle);
    let ridge = multipliers / bandwidth;
    let foot = 2f64.powf(axes.least.0.max(axes.least.1 - bandwidth.log2()));
    let roof = [
        (axes.x(foot), axes.y(foot * bandwidth)),
        (axes.x(ridge), axes.y(multipliers)),
        (WIDTH - RIGHT, axes.y(multipliers)),
    ];
    svg.line(&roof, "#343a40", 1.5);
    svg.text((axes.x(ridge) + 6.0, axes.y(multipliers) - 5.0), "", &format!("{multipliers} multipliers"));
    let slope = (axes.x(ridge / 2f64.sqrt()) - 10.0, axes.y(multipliers / 2f64.sqrt()));
    svg.text(slope, "end", &format!("{bandwidth} bytes a cycle"));
    for part in points(report) {
        let x = intensity(part).map_or(WIDTH - RIGHT - NO_BYTES / 2.0, |intensity| axes.x(intensity));
        let title = format!(
            "{}: {:.0} products a cycle ({:.1} %), {} bytes",
            part.name,
            rate(part),
            100.0 * part.multiplier_use,
            grouped(part.bytes)
        );
        let radius = 3.0 + 45.0 * part.share.sqrt();
        svg.circle((x, axes.y(rate(part))), radius, kind_colour(part.kind), &title);
    }
    legend(&mut svg, report);
    Plot {
        name: "roofline",
        caption: "Each circle is a layer, its area the share of all cycles. Left of the ridge memory is the limit, \
                  right of it the multipliers. Attention needs no bytes.",
        svg: svg.finish(),
    }
}

/// Layers that multiply, the largest first so that small ones stay in sight.
fn points(report: &Report) -> impl Iterator<Item = &Part> {
    let mut layers: Vec<&Part> =
        report.layers.iter().filter(|layer| layer.macs > 0 && layer.cycles > 0).collect();
    layers.sort_by_key(|layer| std::cmp::Reverse(layer.cycles));
    layers.into_iter()
}

/// Products a byte, if it needs bytes.
fn intensity(part: &Part) -> Option<f64> {
    (part.bytes > 0).then(|| part.macs as f64 / part.bytes as f64)
}

fn rate(part: &Part) -> f64 {
    part.macs as f64 / part.cycles as f64
}

fn legend(svg: &mut Svg, report: &Report) {
    let kinds = Kind::ALL.iter().filter(|kind| points(report).any(|part| part.kind == **kind));
    for (index, &kind) in kinds.enumerate() {
        let y = TOP + 20.0 + 18.0 * index as f64;
        svg.rectangle(
            Area { x: WIDTH - RIGHT + 24.0, y: y - 9.0, width: 10.0, height: 10.0 },
            kind_colour(kind),
            "",
        );
        svg.text((WIDTH - RIGHT + 40.0, y), "", kind.name());
    }
}
