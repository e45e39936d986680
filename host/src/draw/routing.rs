//! Which experts the tokens of a picture visit, task by task and block by block.

use image::imageops::FilterType;
use image::{Rgb, RgbImage};

use super::canvas::{Area, CHARACTER, Canvas, FAINT, INK, MARGIN, fit, shorten, text_width};
use super::palette;

const PANEL_WIDTH: u32 = 256;
const PANEL_MAX_HEIGHT: u32 = 256;
const CHART_HEIGHT: u32 = 80;
const GAP: u32 = 10;
const SWATCH: u32 = 20;
const SWATCH_GAP: u32 = 8;
const EXPERTS: &str = "Experts";
/// What the panels show, in words.
const CAPTION: [&str; 3] = [
    "Grid: first-choice expert of each patch",
    "Bars: tokens per expert, every choice",
    "Line: the same load for each expert",
];

/// The routing of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingView<'a> {
    /// Name of the task.
    pub task: &'a str,
    /// Its MoE blocks in order.
    pub blocks: Vec<RoutingPanel>,
}

/// The routing in one MoE block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingPanel {
    /// Index of the block in the network.
    pub block: usize,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// First choice of each patch, row-major.
    pub first_choice: Vec<usize>,
    /// Tokens that visit each expert, over all k choices.
    pub tokens_per_expert: Vec<usize>,
}

/// Draws the routing: a row of panels for each task, a column for each MoE
/// block. All bar charts share one scale.
///
/// # Panics
/// If a block has not one first choice for each patch of its grid.
pub fn routing(tasks: &[RoutingView<'_>]) -> RgbImage {
    let sheet = Sheet::new(tasks);
    let mut canvas = Canvas::new(sheet.width, sheet.height(tasks.len()));
    let mut top = MARGIN;
    for task in tasks {
        sheet.draw_task(&mut canvas, top, task);
        top += sheet.task_height();
    }
    sheet.draw_legend(&mut canvas, top);
    canvas.into_image()
}

/// What all panels have in common.
struct Sheet {
    width: u32,
    grid_height: u32,
    /// Tokens that a bar of full height stands for.
    most_tokens: usize,
    /// One colour per expert.
    colours: Vec<Rgb<u8>>,
}

impl Sheet {
    fn new(tasks: &[RoutingView<'_>]) -> Self {
        let blocks = || tasks.iter().flat_map(|task| &task.blocks);
        let columns = tasks.iter().map(|task| task.blocks.len()).max().unwrap_or(0) as u32;
        let caption = CAPTION.iter().map(|line| text_width(line)).max().unwrap_or(0);
        Self {
            width: (MARGIN + columns * (PANEL_WIDTH + MARGIN)).max(caption + 2 * MARGIN),
            grid_height: blocks().map(|block| grid_size(block).1).max().unwrap_or(0),
            most_tokens: blocks()
                .flat_map(|block| &block.tokens_per_expert)
                .copied()
                .max()
                .unwrap_or(0)
                .max(1),
            colours: palette::distinct(blocks().map(experts).max().unwrap_or(0)),
        }
    }

    fn height(&self, tasks: usize) -> u32 {
        let caption = CAPTION.len() as u32 * (CHARACTER + GAP);
        MARGIN
            + tasks as u32 * self.task_height()
            + self.swatch_rows() * (SWATCH + GAP)
            + GAP
            + caption
            + MARGIN
            - GAP
    }

    fn task_height(&self) -> u32 {
        let panel = CHARACTER + GAP + self.grid_height + GAP + CHART_HEIGHT + GAP + CHARACTER;
        CHARACTER + GAP + panel + 2 * MARGIN
    }

    fn draw_task(&self, canvas: &mut Canvas, top: u32, view: &RoutingView<'_>) {
        let limit = ((self.width - 2 * MARGIN) / CHARACTER) as usize;
        canvas.text(MARGIN, top, &shorten(&format!("Task {}", view.task), limit), INK);
        for (column, block) in view.blocks.iter().enumerate() {
            let x = MARGIN + column as u32 * (PANEL_WIDTH + MARGIN);
            self.draw_block(canvas, x, top + CHARACTER + GAP, block);
        }
    }

    fn draw_block(&self, canvas: &mut Canvas, x: u32, top: u32, block: &RoutingPanel) {
        canvas.text(x, top, &format!("block {}", block.block), FAINT);
        let y = top + CHARACTER + GAP;
        let (width, height) = grid_size(block);
        let grid = Area { x, y, width, height };
        canvas.picture(grid, &self.patches(block), FilterType::Nearest);
        canvas.frame(grid);
        let y = y + self.grid_height + GAP;
        self.draw_bars(
            canvas,
            Area { x, y, width: PANEL_WIDTH, height: CHART_HEIGHT },
            &block.tokens_per_expert,
        );
        let (least, most) = (block.tokens_per_expert.iter().min(), block.tokens_per_expert.iter().max());
        let range = format!("{} to {} tokens", least.unwrap_or(&0), most.unwrap_or(&0));
        let range = shorten(&range, (PANEL_WIDTH / CHARACTER) as usize);
        canvas.text(x, y + CHART_HEIGHT + GAP, &range, INK);
    }

    /// The grid of first choices, one pixel per patch.
    fn patches(&self, block: &RoutingPanel) -> RgbImage {
        let (rows, columns) = block.grid;
        assert_eq!(block.first_choice.len(), rows * columns, "patches of block {}", block.block);
        RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
            self.colours[block.first_choice[y as usize * columns + x as usize]]
        })
    }

    fn draw_bars(&self, canvas: &mut Canvas, chart: Area, tokens: &[usize]) {
        let count = tokens.len().max(1);
        let height_of =
            |tokens: f64| (tokens * f64::from(chart.height) / self.most_tokens as f64).round() as u32;
        let edge = |index: usize| chart.x + (index * chart.width as usize / count) as u32;
        for (expert, &tokens) in tokens.iter().enumerate() {
            let height = height_of(tokens as f64);
            let slot = edge(expert + 1) - edge(expert);
            let width = if slot > 3 { slot - 1 } else { slot };
            let y = chart.y + chart.height - height;
            canvas.fill(Area { x: edge(expert), y, width, height }, self.colours[expert]);
        }
        let even_load = height_of(tokens.iter().sum::<usize>() as f64 / count as f64);
        let line = Area { y: chart.y + chart.height - even_load, height: 1, ..chart };
        canvas.fill(line, INK);
        canvas.fill(Area { y: chart.y + chart.height, height: 2, ..chart }, FAINT);
    }

    /// Width of a swatch with its number and the space after it.
    fn swatch_step(&self) -> u32 {
        let digits = self.colours.len().saturating_sub(1).to_string();
        SWATCH + SWATCH_GAP + text_width(&digits) + MARGIN
    }

    fn swatches_in_a_row(&self) -> u32 {
        (self.width - 2 * MARGIN - text_width(EXPERTS) - MARGIN) / self.swatch_step()
    }

    fn swatch_rows(&self) -> u32 {
        (self.colours.len() as u32).div_ceil(self.swatches_in_a_row()).max(1)
    }

    fn draw_legend(&self, canvas: &mut Canvas, top: u32) {
        let left = MARGIN + text_width(EXPERTS) + MARGIN;
        let text_drop = (SWATCH - CHARACTER) / 2;
        canvas.text(MARGIN, top + text_drop, EXPERTS, INK);
        for (expert, &colour) in self.colours.iter().enumerate() {
            let (row, column) =
                (expert as u32 / self.swatches_in_a_row(), expert as u32 % self.swatches_in_a_row());
            let (x, y) = (left + column * self.swatch_step(), top + row * (SWATCH + GAP));
            let swatch = Area { x, y, width: SWATCH, height: SWATCH };
            canvas.fill(swatch, colour);
            canvas.frame(swatch);
            canvas.text(x + SWATCH + SWATCH_GAP, y + text_drop, &expert.to_string(), INK);
        }
        let top = top + self.swatch_rows() * (SWATCH + GAP) + GAP;
        for (index, line) in CAPTION.iter().enumerate() {
            canvas.text(MARGIN, top + index as u32 * (CHARACTER + GAP), line, FAINT);
        }
    }
}

/// Size of the drawn grid of a block in pixels.
fn grid_size(block: &RoutingPanel) -> (u32, u32) {
    fit((block.grid.1 as u32, block.grid.0 as u32), (PANEL_WIDTH, PANEL_MAX_HEIGHT))
}

/// Number of experts that a block speaks of.
fn experts(block: &RoutingPanel) -> usize {
    let chosen = block.first_choice.iter().map(|expert| expert + 1).max().unwrap_or(0);
    chosen.max(block.tokens_per_expert.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(blocks: usize, grid: (usize, usize), experts: usize) -> RoutingView<'static> {
        let block = |block| RoutingPanel {
            block,
            grid,
            first_choice: (0..grid.0 * grid.1).map(|patch| patch % experts).collect(),
            tokens_per_expert: (0..experts).collect(),
        };
        RoutingView { task: "depth", blocks: (0..blocks).map(block).collect() }
    }

    #[test]
    fn odd_shapes_are_drawn() {
        for experts in [1, 2, 8, 16, 64, 300] {
            for grid in [(1, 1), (8, 16), (50, 3), (1, 400)] {
                let picture = routing(&[view(1, grid, experts), view(3, grid, experts)]);
                assert_eq!(picture.width(), MARGIN + 3 * (PANEL_WIDTH + MARGIN));
            }
        }
        routing(&[]);
        routing(&[RoutingView {
            task: "a task with a name that is longer than the sheet is wide",
            blocks: vec![],
        }]);
    }

    #[test]
    fn every_expert_is_in_the_legend() {
        let picture = routing(&[view(2, (2, 2), 16)]);
        let sheet = Sheet::new(&[view(2, (2, 2), 16)]);
        let legend_top = MARGIN + sheet.task_height();
        for colour in palette::distinct(16) {
            let swatch =
                picture.enumerate_pixels().filter(|(_, y, pixel)| *y >= legend_top && **pixel == colour);
            assert_eq!(swatch.count() as u32, SWATCH * SWATCH);
        }
    }

    #[test]
    #[should_panic(expected = "patches of block 5")]
    fn a_grid_of_another_size_is_refused() {
        let block =
            RoutingPanel { block: 5, grid: (2, 2), first_choice: vec![0; 3], tokens_per_expert: vec![3] };
        routing(&[RoutingView { task: "depth", blocks: vec![block] }]);
    }
}
