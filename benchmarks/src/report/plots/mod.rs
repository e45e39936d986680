//! The plots of the page, on white paper.

mod axes;
mod bandwidth;
mod cpu;
mod cycles;
mod fidelity;
mod kinds;
mod roofline;

use edge_moe::profile::svg::{Area, Svg};

use super::Results;
use crate::accelerator::{Accelerator, Run};
use crate::cpu::ONE_CORE;

/// How names of their files begin.
pub const PREFIX: &str = "benchmarks-";
/// Width of a plot in pixels.
const WIDTH: f64 = 860.0;
/// Colours that are told apart by everyone (Okabe, Ito).
const BLUE: &str = "#0072b2";
const SKY: &str = "#56b4e9";
const GREEN: &str = "#009e73";
const ORANGE: &str = "#d55e00";
const PURPLE: &str = "#7a529a";
const INK: &str = "#343a40";
const GREY: &str = "#868e96";

/// A plot with what it shows.
pub struct Plot {
    /// Name of its file.
    pub file: String,
    /// Name for people.
    pub title: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// The drawing.
    pub svg: String,
}

impl Plot {
    fn new(name: &str, title: &'static str, caption: &'static str, svg: Svg) -> Self {
        Self { file: format!("{PREFIX}{name}.svg"), title, caption, svg: svg.finish() }
    }
}

/// All plots whose results are there.
pub fn plots(results: &Results) -> Vec<Plot> {
    let Results { accelerator, sweep, cpu, fidelity, quoted, .. } = results;
    let mut plots = Vec::new();
    if let Some(accelerator) = accelerator {
        plots.extend([kinds::plot(accelerator), roofline::plot(accelerator, quoted)]);
    }
    if let (Some(accelerator), Some(sweep)) = (accelerator, sweep) {
        plots.extend([cycles::plot(accelerator, sweep, quoted), bandwidth::plot(accelerator, sweep)]);
    }
    let groups = cpu.iter().flat_map(|cpu| &cpu.groups);
    plots.extend(groups.filter(|group| group.name == ONE_CORE).map(cpu::plot));
    plots.extend((!fidelity.is_empty()).then(|| fidelity::plot(fidelity)));
    plots
}

/// An empty sheet.
fn paper(height: f64) -> Svg {
    let mut svg = Svg::new(WIDTH, height);
    svg.rectangle(Area { x: 0.0, y: 0.0, width: WIDTH, height }, "#fff", "");
    svg
}

/// Colour of a named architecture.
fn arch_colour(arch: &str) -> &'static str {
    match arch {
        "edge" => BLUE,
        "zcu102" => GREEN,
        "ecp5-85" => PURPLE,
        _ => GREY,
    }
}

/// Runs of the trained model.
fn trained(accelerator: &Accelerator) -> impl Iterator<Item = &Run> {
    accelerator.runs.iter().filter(|run| run.trained)
}
