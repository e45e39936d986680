//! Axes of a plot.

use edge_moe::profile::svg::{Area, Svg};

const LINE: &str = "#e9ecef";

/// A logarithmic scale from values to pixels.
#[derive(Clone, Copy)]
pub struct Log {
    least: f64,
    pixels_per_octave: f64,
    start: f64,
}

impl Log {
    /// Values from `least` to `most` between two pixels.
    pub fn new((least, most): (f64, f64), (start, end): (f64, f64)) -> Self {
        let pixels_per_octave = (end - start) / (most.log2() - least.log2());
        Self { least: least.log2(), pixels_per_octave, start }
    }

    /// The pixel of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.start + (value.log2() - self.least) * self.pixels_per_octave
    }
}

/// Room for a plot, with logarithmic axes.
pub struct Frame {
    area: Area,
    x: Log,
    y: Log,
    least: (f64, f64),
    most: (f64, f64),
}

impl Frame {
    /// Axes over `area` from the least to the most value, across and upwards.
    pub fn new(area: Area, x: (f64, f64), y: (f64, f64)) -> Self {
        let Area { x: left, y: top, width, height } = area;
        Self {
            area,
            x: Log::new(x, (left, left + width)),
            y: Log::new(y, (top + height, top)),
            least: (x.0, y.0),
            most: (x.1, y.1),
        }
    }

    /// The pixel of a point.
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// Lines at round values, with their labels, and what the axes are.
    pub fn draw(&self, svg: &mut Svg, names: (&str, &str), x: &Ticks<'_>, y: &Ticks<'_>) {
        let Area { x: left, y: top, width, height } = self.area;
        let (right, base) = (left + width, top + height);
        for value in x.of(self.least.0, self.most.0) {
            let position = self.x.at(value);
            svg.line(&[(position, top), (position, base)], LINE, 1.0);
            svg.text((position, base + 16.0), "faint middle", &(x.label)(value));
        }
        for value in y.of(self.least.1, self.most.1) {
            let position = self.y.at(value);
            svg.line(&[(left, position), (right, position)], LINE, 1.0);
            svg.text((left - 6.0, position + 4.0), "faint end", &(y.label)(value));
        }
        svg.text((left + width / 2.0, base + 34.0), "middle", names.0);
        svg.text((8.0, top - 10.0), "", names.1);
    }

    /// A line of slope `power` in these axes, y = c·xᵖ, where it is inside.
    pub fn power(&self, factor: f64, power: f64) -> Vec<(f64, f64)> {
        let y = |x: f64| factor * x.powf(power);
        let mut ends = [self.least.0, self.most.0];
        if power != 0.0 {
            let mut crossings = [self.least.1, self.most.1].map(|y| (y / factor).powf(1.0 / power));
            crossings.sort_by(f64::total_cmp);
            ends = [ends[0].max(crossings[0]), ends[1].min(crossings[1])];
        }
        ends.iter().map(|&x| self.at((x, y(x)))).collect()
    }
}

/// Round values of an axis.
pub struct Ticks<'a> {
    /// Factors of each power of `base` that are marked.
    pub steps: &'a [f64],
    /// Ten or two.
    pub base: f64,
    /// A value for people.
    pub label: &'a dyn Fn(f64) -> String,
}

impl Ticks<'_> {
    fn of(&self, least: f64, most: f64) -> Vec<f64> {
        let powers = least.log(self.base).floor() as i32..=most.log(self.base).ceil() as i32;
        let values = powers.flat_map(|power| self.steps.iter().map(move |step| step * self.base.powi(power)));
        values.filter(|value| (least * 0.999..=most * 1.001).contains(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_values_inside() {
        let label = |value: f64| format!("{value}");
        let decades = Ticks { steps: &[1.0, 2.0, 5.0], base: 10.0, label: &label };
        assert_eq!(decades.of(4.0, 110.0), [5.0, 10.0, 20.0, 50.0, 100.0]);
        let octaves = Ticks { steps: &[1.0], base: 2.0, label: &label };
        assert_eq!(octaves.of(1.0, 8.0), [1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn lines_end_where_the_frame_does() {
        let area = Area { x: 0.0, y: 0.0, width: 80.0, height: 30.0 };
        let frame = Frame::new(area, (1.0, 256.0), (1.0, 8.0));
        assert_eq!(frame.at((16.0, 2.0)), (40.0, 20.0));
        assert_eq!(frame.power(64.0, -1.0), [(30.0, 0.0), (60.0, 30.0)]);
        assert_eq!(frame.power(4.0, 0.0), [(0.0, 10.0), (80.0, 10.0)]);
    }
}
