//! A white sheet to draw on: rectangles, text and scaled pictures.

use font8x8::legacy::BASIC_LEGACY;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// White space around and between what is drawn, in pixels.
pub const MARGIN: u32 = 24;
/// Height and width of one character in pixels.
pub const CHARACTER: u32 = 8 * FONT_SCALE;
/// Pixels per side of a dot of the 8 × 8 font.
const FONT_SCALE: u32 = 2;

/// Text and frames.
pub const INK: Rgb<u8> = Rgb([33, 37, 41]);
/// Text of less weight, and guide lines.
pub const FAINT: Rgb<u8> = Rgb([140, 146, 152]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// A rectangle of pixels.
#[derive(Clone, Copy)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A sheet that is being drawn on. What lies outside of it is cut off.
pub struct Canvas {
    image: RgbImage,
}

impl Canvas {
    /// An empty sheet.
    pub fn new(width: u32, height: u32) -> Self {
        Self { image: RgbImage::from_pixel(width, height, PAPER) }
    }

    /// The finished picture.
    pub fn into_image(self) -> RgbImage {
        self.image
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, area: Area, colour: Rgb<u8>) {
        for y in area.y..(area.y + area.height).min(self.image.height()) {
            for x in area.x..(area.x + area.width).min(self.image.width()) {
                self.image.put_pixel(x, y, colour);
            }
        }
    }

    /// Draws a line of one pixel around a rectangle, just outside of it.
    pub fn frame(&mut self, area: Area) {
        let Area { x, y, width, height } = area;
        let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
        for edge in [top, y + height] {
            self.fill(Area { x: left, y: edge, width: width + 2, height: 1 }, INK);
        }
        for edge in [left, x + width] {
            self.fill(Area { x: edge, y: top, width: 1, height: height + 2 }, INK);
        }
    }

    /// Writes one line of text, its upper left corner at (x, y). Characters
    /// other than printable ASCII become question marks.
    pub fn text(&mut self, x: u32, y: u32, text: &str, colour: Rgb<u8>) {
        for (index, character) in text.chars().enumerate() {
            let glyph = if matches!(character, ' '..='~') { character } else { '?' };
            let left = x + index as u32 * CHARACTER;
            for (row, bits) in BASIC_LEGACY[glyph as usize].iter().enumerate() {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    let (x, y) = (left + column * FONT_SCALE, y + row as u32 * FONT_SCALE);
                    self.fill(Area { x, y, width: FONT_SCALE, height: FONT_SCALE }, colour);
                }
            }
        }
    }

    /// Draws a picture, scaled to fill a rectangle.
    pub fn picture(&mut self, area: Area, picture: &RgbImage, filter: FilterType) {
        let scaled = imageops::resize(picture, area.width, area.height, filter);
        imageops::replace(&mut self.image, &scaled, i64::from(area.x), i64::from(area.y));
    }
}

/// Width of a line of text in pixels.
pub fn text_width(text: &str) -> u32 {
    text.chars().count() as u32 * CHARACTER
}

/// Cuts text to at most `limit` characters; two dots show that some are missing.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        text.to_owned()
    } else {
        let kept: String = text.chars().take(limit.saturating_sub(2)).collect();
        kept + ".."
    }
}

/// The largest size of the same proportions that fits into a box; at least 1 × 1.
pub fn fit(size: (u32, u32), within: (u32, u32)) -> (u32, u32) {
    let (width, height) = (f64::from(size.0.max(1)), f64::from(size.1.max(1)));
    let scale = (f64::from(within.0) / width).min(f64::from(within.1) / height);
    let scaled = |side: f64| ((side * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_proportions() {
        assert_eq!(fit((256, 128), (512, 512)), (512, 256));
        assert_eq!(fit((10, 1000), (512, 500)), (5, 500));
        assert_eq!(fit((1, 100_000), (512, 512)), (1, 512));
        assert_eq!(fit((0, 0), (512, 512)), (512, 512));
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(shorten("vegetation", 10), "vegetation");
        assert_eq!(shorten("vegetation", 9), "vegetat..");
    }

    #[test]
    fn a_letter_is_drawn_upright_and_unmirrored() {
        let mut canvas = Canvas::new(CHARACTER, CHARACTER);
        canvas.text(0, 0, "L", INK);
        let image = canvas.into_image();
        let inked = |left: u32, top: u32| {
            let mut dots = (left..left + 8).flat_map(|x| (top..top + 8).map(move |y| (x, y)));
            dots.any(|(x, y)| *image.get_pixel(x, y) == INK)
        };
        assert!(inked(0, 0) && inked(0, 8) && inked(8, 8));
        assert!(!inked(8, 0), "an L has nothing at its upper right");
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(20, 10);
        canvas.text(10, 5, "a long line\u{e9}", INK);
        canvas.frame(Area { x: 0, y: 0, width: 100, height: 100 });
        canvas.picture(
            Area { x: 15, y: 5, width: 30, height: 30 },
            &RgbImage::new(3, 3),
            FilterType::Nearest,
        );
        assert_eq!(canvas.into_image().dimensions(), (20, 10));
    }
}
