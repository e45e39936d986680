//! A depth map beside its picture, with a scale in metres.

use image::{Rgb, RgbImage};

use super::canvas::{Area, CHARACTER, Canvas, INK, MARGIN, text_width};
use super::pair::{CONTENT_WIDTH, pair};
use crate::tasks::DepthMap;

/// The scale spans at most this many halvings; what is nearer has the nearest colour.
const MAX_OCTAVES: u32 = 7;
const BAR_HEIGHT: u32 = 24;
const TICK_HEIGHT: u32 = 8;
const TICK_GAP: u32 = 6;

/// Draws a picture beside its depth map in colours of log depth, near bright
/// and far dark; below, what the colours mean in metres.
///
/// The scale ends at the first of 1, 2, 4 or 8 · 10ⁿ metres that holds the
/// largest depth, and spans as many halvings as the smallest needs, so that
/// maps of similar scenes share it.
///
/// # Panics
/// If the number of depths in `map` is not its width × height.
pub fn depth_map(input: &RgbImage, map: &DepthMap) -> RgbImage {
    assert_eq!(map.metres.len(), map.width * map.height, "cells of the depth map");
    let scale = Scale::over(&map.metres);
    let cells = RgbImage::from_fn(map.width as u32, map.height as u32, |x, y| {
        scale.colour(f64::from(map.metres[y as usize * map.width + x as usize]))
    });
    let legend_height = BAR_HEIGHT + TICK_HEIGHT + TICK_GAP + CHARACTER;
    let (mut canvas, top) = pair(input, &cells, "Depth", legend_height);
    scale.draw(&mut canvas, top);
    canvas.into_image()
}

/// Logarithmic colour scale from `farthest` / 2^octaves to `farthest` metres.
#[derive(Debug, PartialEq)]
struct Scale {
    farthest: f64,
    octaves: u32,
}

impl Scale {
    /// The scale that holds the given depths; those not positive and finite do not count.
    fn over(metres: &[f32]) -> Self {
        let depths = metres.iter().map(|&m| f64::from(m)).filter(|m| *m > 0.0 && m.is_finite());
        let (nearest, most) = depths.fold((f64::INFINITY, 0.0), |(low, high), m| (m.min(low), m.max(high)));
        let farthest = round_up(most);
        let octaves = (1..MAX_OCTAVES).find(|&octaves| farthest / f64::from(1 << octaves) <= nearest);
        Self { farthest, octaves: octaves.unwrap_or(MAX_OCTAVES) }
    }

    fn colour(&self, metres: f64) -> Rgb<u8> {
        let halvings = libm::log2(self.farthest / metres.max(f64::MIN_POSITIVE));
        self.colour_at(1.0 - halvings / f64::from(self.octaves))
    }

    /// Colour at a position on the scale, 0 near to 1 far.
    fn colour_at(&self, position: f64) -> Rgb<u8> {
        let colour = colorous::INFERNO.eval_continuous(1.0 - position.clamp(0.0, 1.0));
        Rgb([colour.r, colour.g, colour.b])
    }

    fn draw(&self, canvas: &mut Canvas, top: u32) {
        let bar = Area { x: MARGIN, y: top, width: CONTENT_WIDTH, height: BAR_HEIGHT };
        for column in 0..bar.width {
            let colour = self.colour_at(f64::from(column) / f64::from(bar.width - 1));
            canvas.fill(Area { x: bar.x + column, width: 1, ..bar }, colour);
        }
        canvas.frame(bar);
        for tick in 0..=self.octaves {
            let x = bar.x + (bar.width - 1) * tick / self.octaves;
            canvas.fill(Area { x, y: top + BAR_HEIGHT, width: 2, height: TICK_HEIGHT }, INK);
            let label = format!("{} m", self.farthest / f64::from(1 << (self.octaves - tick)));
            let width = text_width(&label);
            let left = x.saturating_sub(width / 2).clamp(bar.x, bar.x + bar.width - width);
            canvas.text(left, top + BAR_HEIGHT + TICK_HEIGHT + TICK_GAP, &label, INK);
        }
    }
}

/// The smallest of 1, 2, 4 and 8 · 10ⁿ that is not less than a depth in metres;
/// at least a millimetre, at most 8 000 km.
fn round_up(metres: f64) -> f64 {
    let millimetres =
        (0..10).flat_map(|power| [1, 2, 4, 8].map(|digit| f64::from(digit) * f64::from(10_u32.pow(power))));
    let fitting = millimetres.map(|millimetres| millimetres / 1000.0).find(|&candidate| candidate >= metres);
    fitting.unwrap_or(8e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!(Scale::over(&[2.1, 80.0]), Scale { farthest: 80.0, octaves: 6 });
        assert_eq!(Scale::over(&[2.6, 41.0]), Scale { farthest: 80.0, octaves: 5 });
        assert_eq!(Scale::over(&[0.001, 10.0]), Scale { farthest: 10.0, octaves: 7 });
        assert_eq!(Scale::over(&[10.0]), Scale { farthest: 10.0, octaves: 1 });
        assert_eq!(Scale::over(&[0.0, f32::NAN]), Scale { farthest: 0.001, octaves: 1 });
        assert_eq!(round_up(f64::from(f32::MAX)), 8e6);
    }

    #[test]
    fn near_is_bright_and_far_is_dark() {
        let scale = Scale::over(&[2.5, 80.0]);
        let light = |metres| scale.colour(metres).0.map(u32::from).iter().sum::<u32>();
        let lights = [0.0, 5.0, 10.0, 20.0, 40.0, 80.0].map(light);
        assert!(lights.is_sorted_by(|near, far| near > far), "{lights:?}");
        assert_eq!(light(100.0), light(80.0));
    }

    #[test]
    fn odd_sizes_are_drawn() {
        for (width, height) in [(1, 1), (1, 400), (400, 1), (33, 57)] {
            for metres in [0.0, 1.5, 80.0, 1e30, f32::NAN] {
                let map = DepthMap { width: 1, height: 1, metres: vec![metres] };
                assert_eq!(depth_map(&RgbImage::new(width, height), &map).width(), 1096);
            }
        }
    }
}
