//! The common sheet of answers: the picture on the left, its map on the right,
//! room for a legend below.

use image::RgbImage;
use image::imageops::FilterType;

use super::canvas::{Area, CHARACTER, Canvas, INK, MARGIN, fit, shorten};

/// Width of the panel of either picture; a map of 64 cells gets 8 pixels a cell.
const PANEL_WIDTH: u32 = 512;
const PANEL_MAX_HEIGHT: u32 = 768;
/// Space between a title and what it is the title of.
pub const TITLE_GAP: u32 = 10;
/// Width of the sheet between its margins.
pub const CONTENT_WIDTH: u32 = 2 * PANEL_WIDTH + MARGIN;

/// Draws a picture and its map, one pixel per cell, on a sheet with
/// `legend_height` pixels left below. Returns the sheet and the top of the legend.
pub fn pair(input: &RgbImage, map: &RgbImage, title: &str, legend_height: u32) -> (Canvas, u32) {
    let (width, height) = fit(input.dimensions(), (PANEL_WIDTH, PANEL_MAX_HEIGHT));
    let top = MARGIN + CHARACTER + TITLE_GAP;
    let legend = top + height + MARGIN;
    let mut canvas = Canvas::new(CONTENT_WIDTH + 2 * MARGIN, legend + legend_height + MARGIN);
    let panels = [("Picture", input, FilterType::CatmullRom), (title, map, FilterType::Nearest)];
    for (index, (title, picture, filter)) in panels.into_iter().enumerate() {
        let x = MARGIN + index as u32 * (PANEL_WIDTH + MARGIN);
        let title = format!("{title}, {} x {}", picture.width(), picture.height());
        let title = shorten(&title, (PANEL_WIDTH / CHARACTER) as usize);
        canvas.text(x, MARGIN, &title, INK);
        let area = Area { x, y: top, width, height };
        canvas.picture(area, picture, filter);
        canvas.frame(area);
    }
    (canvas, legend)
}
