//! A drawing as SVG text.

use std::fmt::Write;

/// Typeface and size of text; the classes that drawings use.
const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#343a40}.faint{fill:#868e96}.small{font-size:9px}\
.end{text-anchor:end}.middle{text-anchor:middle}.light{fill:#fff}.strong{font-weight:600}\
.halo{paint-order:stroke;stroke:#fff;stroke-width:3px}";

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// The shape of a point in a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled circle.
    Disc,
    /// A circle.
    Ring,
    /// A filled square on its corner.
    Diamond,
    /// A filled square.
    Square,
}

/// A drawing in progress.
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    /// An empty drawing.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A filled rectangle; `title` is shown when one points at it.
    pub fn rectangle(&mut self, area: Area, fill: &str, title: &str) {
        let Area { x, y, width, height } = area;
        self.add(format_args!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" fill="{fill}">{}</rect>"#,
            title_of(title)
        ));
    }

    /// A filled circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, fill: &str, title: &str) {
        self.add(format_args!(
            r##"<circle cx="{x:.2}" cy="{y:.2}" r="{radius:.2}" fill="{fill}" fill-opacity="0.75" stroke="#fff">{}</circle>"##,
            title_of(title)
        ));
    }

    /// A line through some points.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: &str, width: f64) {
        self.polyline(points, stroke, width, "");
    }

    /// A dashed line through some points.
    pub fn dashed(&mut self, points: &[(f64, f64)], stroke: &str, width: f64) {
        self.polyline(points, stroke, width, r#" stroke-dasharray="6 4""#);
    }

    fn polyline(&mut self, points: &[(f64, f64)], stroke: &str, width: f64, dashes: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
        self.add(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="{width}"{dashes}/>"#,
            points.join(" ")
        ));
    }

    /// A point of a plot.
    pub fn mark(&mut self, (x, y): (f64, f64), mark: Mark, radius: f64, colour: &str, title: &str) {
        let title = title_of(title);
        match mark {
            Mark::Disc => self.add(format_args!(
                r##"<circle cx="{x:.2}" cy="{y:.2}" r="{radius}" fill="{colour}" stroke="#fff">{title}</circle>"##
            )),
            Mark::Ring => self.add(format_args!(
                r##"<circle cx="{x:.2}" cy="{y:.2}" r="{radius}" fill="#fff" stroke="{colour}" stroke-width="1.5">{title}</circle>"##
            )),
            Mark::Diamond => self.corners([(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)], (x, y), radius, colour, &title),
            Mark::Square => self.corners([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], (x, y), radius, colour, &title),
        }
    }

    fn corners(
        &mut self,
        corners: [(f64, f64); 4],
        (x, y): (f64, f64),
        radius: f64,
        colour: &str,
        title: &str,
    ) {
        let points =
            corners.map(|(right, down)| format!("{:.2},{:.2}", x + radius * right, y + radius * down));
        self.add(format_args!(
            r##"<polygon points="{}" fill="{colour}" stroke="#fff">{title}</polygon>"##,
            points.join(" ")
        ));
    }

    /// A line of text; classes are `faint`, `small`, `strong`, `light`, `halo`, `end`, `middle`.
    pub fn text(&mut self, (x, y): (f64, f64), classes: &str, text: &str) {
        self.add(format_args!(r#"<text x="{x:.2}" y="{y:.2}" class="{classes}">{}</text>"#, escape(text)));
    }

    /// Squares of colours with their names, from (x, y) to the right.
    pub fn legend(&mut self, (mut x, y): (f64, f64), entries: &[(&str, &str)]) {
        for (colour, name) in entries {
            self.rectangle(Area { x, y: y - 9.0, width: 10.0, height: 10.0 }, colour, "");
            self.text((x + 14.0, y), "", name);
            x += 30.0 + 6.2 * name.chars().count() as f64;
        }
    }

    /// The drawing as a file.
    pub fn finish(self) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\">\n<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("strings take any text");
    }
}

/// Text that means itself in SVG and HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn title_of(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_itself() {
        let mut svg = Svg::new(10.0, 20.0);
        svg.text((1.0, 2.0), "faint", "a < b & \"c\"");
        let text = svg.finish();
        assert!(
            text.contains(r#"<text x="1.00" y="2.00" class="faint">a &lt; b &amp; &quot;c&quot;</text>"#)
        );
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }

    #[test]
    fn marks_stand_around_their_point() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.mark((5.0, 4.0), Mark::Square, 1.0, "#000", "");
        svg.mark((5.0, 4.0), Mark::Ring, 2.0, "#00f", "here");
        let text = svg.finish();
        assert!(text.contains(r##"points="4.00,3.00 6.00,3.00 6.00,5.00 4.00,5.00" fill="#000""##));
        assert!(text.contains(r##"r="2" fill="#fff" stroke="#00f" stroke-width="1.5"><title>here</title>"##));
    }
}
