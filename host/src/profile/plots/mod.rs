//! The figures of a report as drawings.

mod activities;
mod roofline;
mod routing;
mod timeline;

use edge_moe_isa::registers::Activity;

use super::layers::Kind;
use super::report::Report;

/// Width of a drawing in pixels.
const WIDTH: f64 = 1200.0;

/// A drawing with its name and what it shows.
pub struct Plot {
    /// Name, also of its file.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub caption: &'static str,
    /// The drawing, an SVG file.
    pub svg: String,
}

/// All drawings of a report; no routing if there are no experts.
pub fn plots(report: &Report) -> Vec<Plot> {
    let mut plots = vec![timeline::plot(report), activities::plot(report), roofline::plot(report)];
    if !report.routing.is_empty() {
        plots.push(routing::plot(report));
    }
    plots
}

/// Colour of a kind of layer.
pub fn kind_colour(kind: Kind) -> &'static str {
    match kind {
        Kind::PatchEmbedding => "#7a529a",
        Kind::Norm => "#f0b429",
        Kind::Projections => "#0072b2",
        Kind::Attention => "#56b4e9",
        Kind::Mlp => "#009e73",
        Kind::Routing => "#d6336c",
        Kind::Experts => "#d55e00",
        Kind::Heads => "#8d6e63",
        Kind::Copies => "#6c757d",
        Kind::Other => "#ced4da",
    }
}

/// Colour of what the lanes do.
pub fn activity_colour(activity: Activity) -> &'static str {
    match activity {
        Activity::Beat => "#2b8a3e",
        Activity::Rows => "#e8590c",
        Activity::Results => "#ae3ec9",
        Activity::Attention => "#4dabf7",
        Activity::Norm => "#f0b429",
        Activity::Route => "#d6336c",
        Activity::Copy => "#868e96",
        Activity::Settle => "#74b816",
        Activity::Fetch => "#212529",
    }
}

/// A number with a space between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The largest of 1, 2 or 5 times a power of ten that divides `range` into at least `parts`.
fn step(range: f64, parts: f64) -> f64 {
    let rough = range.max(1.0) / parts;
    let power = 10f64.powf(rough.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * power).find(|step| *step <= rough).unwrap_or(power)
}

/// A number of cycles for an axis.
pub fn cycles_label(cycles: f64) -> String {
    match cycles {
        c if c >= 1e6 => format!("{} M", (c / 1e4).round() / 100.0),
        c if c >= 1e3 => format!("{} k", (c / 10.0).round() / 100.0),
        c => format!("{c}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_steps() {
        assert_eq!(step(3_260_000.0, 6.0), 500_000.0);
        assert_eq!(step(900.0, 6.0), 100.0);
        assert_eq!(cycles_label(2_500_000.0), "2.5 M");
        assert_eq!(cycles_label(700.0), "700");
        assert_eq!(grouped(3_264_001), "3\u{202f}264\u{202f}001");
        assert_eq!(grouped(12), "12");
    }
}
