//! A class map beside its picture, with a legend.

use image::{Rgb, RgbImage};

use super::canvas::{Area, CHARACTER, Canvas, FAINT, INK, MARGIN, shorten};
use super::pair::{CONTENT_WIDTH, pair};
use super::palette;
use crate::tasks::ClassMap;

/// Longer class names are shortened.
const NAME_LIMIT: usize = 20;
const SWATCH: u32 = 20;
const SWATCH_GAP: u32 = 12;
const LINE: u32 = 32;

/// Draws a picture beside its class map; below, each class with its colour and
/// its share of the map. A class index without a name is called by its number.
///
/// # Panics
/// If the number of classes in `map` is not its width × height.
pub fn class_map(input: &RgbImage, map: &ClassMap, class_names: &[String]) -> RgbImage {
    let names = all_names(map, class_names);
    let colours = palette::classes(&names);
    let legend = Legend::new(&names);
    let cells = RgbImage::from_fn(map.width as u32, map.height as u32, |x, y| {
        colours[usize::from(map.classes[y as usize * map.width + x as usize])]
    });
    let (mut canvas, top) = pair(input, &cells, "Classes", legend.height());
    legend.draw(&mut canvas, top, &colours, &shares(map, names.len()));
    canvas.into_image()
}

/// The given names, and numbers for classes of the map beyond them.
fn all_names(map: &ClassMap, given: &[String]) -> Vec<String> {
    let count = map.classes.iter().map(|&class| usize::from(class) + 1).max().unwrap_or(0);
    let unnamed = (given.len()..count).map(|class| format!("class {class}"));
    given.iter().cloned().chain(unnamed).collect()
}

/// Share of each class among the cells, 0 to 1.
fn shares(map: &ClassMap, classes: usize) -> Vec<f64> {
    assert_eq!(map.classes.len(), map.width * map.height, "cells of the class map");
    let mut counts = vec![0_usize; classes];
    for &class in &map.classes {
        counts[usize::from(class)] += 1;
    }
    counts.into_iter().map(|count| count as f64 / map.classes.len().max(1) as f64).collect()
}

/// Names in columns of equal width, filled downwards.
struct Legend {
    names: Vec<String>,
    name_width: usize,
    columns: u32,
    rows: u32,
}

impl Legend {
    fn new(names: &[String]) -> Self {
        let names: Vec<_> = names.iter().map(|name| shorten(name, NAME_LIMIT)).collect();
        let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let entry = SWATCH + SWATCH_GAP + (name_width + "100.0%".len() + 1) as u32 * CHARACTER;
        let columns = ((CONTENT_WIDTH + MARGIN) / (entry + MARGIN)).max(1);
        let rows = (names.len() as u32).div_ceil(columns);
        Self { names, name_width, columns, rows }
    }

    fn height(&self) -> u32 {
        self.rows * LINE
    }

    fn draw(&self, canvas: &mut Canvas, top: u32, colours: &[Rgb<u8>], shares: &[f64]) {
        for (index, name) in self.names.iter().enumerate() {
            let (column, row) = (index as u32 / self.rows, index as u32 % self.rows);
            let x = MARGIN + column * ((CONTENT_WIDTH + MARGIN) / self.columns);
            let y = top + row * LINE;
            let swatch = Area { x, y, width: SWATCH, height: SWATCH };
            canvas.fill(swatch, colours[index]);
            canvas.frame(swatch);
            let text = format!("{name:<width$} {:>5.1}%", shares[index] * 100.0, width = self.name_width);
            let ink = if shares[index] > 0.0 { INK } else { FAINT };
            canvas.text(x + SWATCH + SWATCH_GAP, y + (SWATCH - CHARACTER) / 2, &text, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize, length: usize) -> Vec<String> {
        (0..count).map(|index| format!("{index:x>length$}")).collect()
    }

    #[test]
    fn the_legend_shows_every_class() {
        let map = ClassMap { width: 2, height: 2, classes: vec![0, 1, 1, 1] };
        let input = RgbImage::new(4, 2);
        let names: Vec<String> = ["road", "sky", "tram"].map(str::to_owned).to_vec();
        let picture = class_map(&input, &map, &names);
        for colour in palette::classes(&names) {
            let legend_pixels =
                picture.enumerate_pixels().filter(|(_, y, pixel)| *y >= 330 && **pixel == colour);
            assert_eq!(legend_pixels.count() as u32, SWATCH * SWATCH);
        }
        assert_eq!(shares(&map, 3), [0.25, 0.75, 0.0]);
    }

    #[test]
    fn odd_sizes_are_drawn() {
        let dot = ClassMap { width: 1, height: 1, classes: vec![0] };
        for (width, height) in [(1, 1), (1, 400), (400, 1), (33, 57)] {
            let input = RgbImage::new(width, height);
            for names in [names(1, 1), names(3, 90), names(150, 14), names(256, 1), Vec::new()] {
                assert_eq!(class_map(&input, &dot, &names).width(), 1096);
            }
        }
    }

    #[test]
    fn a_class_without_a_name_is_called_by_its_number() {
        let map = ClassMap { width: 1, height: 1, classes: vec![2] };
        assert_eq!(all_names(&map, &names(1, 1)), ["0", "class 1", "class 2"]);
    }
}
