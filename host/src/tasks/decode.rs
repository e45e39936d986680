//! From the numbers of a head to the answer of its task.

use ndarray::{Array2, ArrayView2};

use crate::model::{ModelConfig, Task, TaskKind};

/// What the network says about one picture for one task.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One class per cell.
    Classes(ClassMap),
    /// One distance per cell.
    Depth(DepthMap),
    /// The encoder's tokens, shape [T, D], where there is no head.
    Tokens(Array2<f32>),
}

/// The class of every cell of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassMap {
    /// Cells in a row.
    pub width: usize,
    /// Rows of cells.
    pub height: usize,
    /// Class indices, row-major; `width` × `height` of them.
    pub classes: Vec<u8>,
}

/// The distance of what every cell of a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthMap {
    /// Cells in a row.
    pub width: usize,
    /// Rows of cells.
    pub height: usize,
    /// Depths in metres, row-major; `width` × `height` of them.
    pub metres: Vec<f32>,
}

/// Width and height, in cells, of the answers to a task.
pub fn map_size(task: &Task, config: &ModelConfig) -> (usize, usize) {
    (config.image_width / config.patch * task.cells, config.image_height / config.patch * task.cells)
}

/// Turns a task's numbers, of [`ModelConfig::answer_shape`], into its answer.
///
/// Without a head the numbers are the answer. With one,
/// row `p` of `values` is patch `p`, row-major over the picture; its channels
/// run over cell row, cell column, then class. A segmentation cell takes the
/// class of the largest value, the lowest index on ties; NaN counts as −∞. A
/// depth is `exp(value · scale + offset)` metres, at most `max_metres`, which
/// is also what NaN becomes. The same values give the same answer on every
/// machine.
///
/// # Panics
/// If the shape of `values` is not that of the task, or if a segmentation task
/// has more than 256 classes.
pub fn decode(task: &Task, config: &ModelConfig, values: ArrayView2<'_, f32>) -> Answer {
    assert_eq!(values.dim(), config.answer_shape(task), "shape of the output of task {}", task.name);
    let (width, height) = map_size(task, config);
    match &task.kind {
        TaskKind::Segmentation { classes } => {
            assert!(classes.len() <= 256, "task {} has more than 256 classes", task.name);
            let class_of = |cell: Cell| {
                argmax((0..classes.len()).map(|k| values[[cell.patch, cell.index * classes.len() + k]]))
            };
            let classes = cells(width, height, task.cells).map(class_of).collect();
            Answer::Classes(ClassMap { width, height, classes })
        }
        TaskKind::Depth { scale, offset, max_metres } => {
            let metres_of = |cell: Cell| {
                let value = f64::from(values[[cell.patch, cell.index]]);
                libm::exp(value * scale + offset).min(*max_metres) as f32
            };
            let metres = cells(width, height, task.cells).map(metres_of).collect();
            Answer::Depth(DepthMap { width, height, metres })
        }
        TaskKind::Encoder => Answer::Tokens(values.to_owned()),
    }
}

/// Where the numbers of one cell of the map are found.
struct Cell {
    patch: usize,
    /// Position inside the patch, row-major.
    index: usize,
}

/// The cells of a map, row-major, where each patch has `side` × `side` of them.
fn cells(width: usize, height: usize, side: usize) -> impl Iterator<Item = Cell> {
    (0..height).flat_map(move |y| {
        (0..width).map(move |x| Cell {
            patch: y / side * (width / side) + x / side,
            index: y % side * side + x % side,
        })
    })
}

/// Index of the largest value, the lowest on ties; NaN counts as −∞.
fn argmax(values: impl Iterator<Item = f32>) -> u8 {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0 as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A picture of 1 × 3 patches.
    fn config() -> ModelConfig {
        ModelConfig {
            image_height: 16,
            image_width: 48,
            patch: 16,
            dim: 8,
            heads: 1,
            experts: 0,
            top_k: 0,
            layer_norm_eps: 1e-6,
            tasks: Vec::new(),
        }
    }

    fn segmentation(cells: usize, classes: usize) -> Task {
        let classes = (0..classes).map(|index| format!("class {index}")).collect();
        Task { name: "segmentation".into(), cells, kind: TaskKind::Segmentation { classes } }
    }

    fn depth(cells: usize) -> Task {
        Task {
            name: "depth".into(),
            cells,
            kind: TaskKind::Depth { scale: 1.05, offset: 2.75, max_metres: 80.0 },
        }
    }

    fn classes(answer: Answer) -> Vec<u8> {
        match answer {
            Answer::Classes(map) => map.classes,
            _ => panic!("expected classes"),
        }
    }

    fn metres(answer: Answer) -> Vec<f32> {
        match answer {
            Answer::Depth(map) => map.metres,
            _ => panic!("expected depth"),
        }
    }

    #[test]
    fn channels_are_cell_major_and_patches_row_major() {
        // 2 × 2 patches would hide a swap of rows and columns: 3 patches side
        // by side, 2 × 2 cells of 4 classes; the wanted class is one-hot.
        let wanted = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 1, 0, 2]];
        let values =
            Array2::from_shape_fn(
                (3, 16),
                |(patch, channel)| {
                    if wanted[patch][channel / 4] == channel % 4 { 1.0 } else { 0.0 }
                },
            );
        let answer = decode(&segmentation(2, 4), &config(), values.view());
        let expected = ClassMap { width: 6, height: 2, classes: vec![0, 1, 3, 2, 1, 1, 2, 3, 1, 0, 0, 2] };
        assert_eq!(answer, Answer::Classes(expected));
    }

    #[test]
    fn patch_rows_follow_each_other() {
        let tall = ModelConfig { image_height: 48, image_width: 32, ..config() };
        let values =
            Array2::from_shape_fn((6, 3), |(patch, class)| if patch % 3 == class { 5.0 } else { -5.0 });
        let answer = decode(&segmentation(1, 3), &tall, values.view());
        assert_eq!(
            answer,
            Answer::Classes(ClassMap { width: 2, height: 3, classes: vec![0, 1, 2, 0, 1, 2] })
        );
    }

    #[test]
    fn ties_go_to_the_lowest_class_and_nan_never_wins() {
        let nan = f32::NAN;
        let values = array![[-1.0, 2.0, 2.0], [nan, f32::MIN, nan], [nan, nan, nan]];
        assert_eq!(classes(decode(&segmentation(1, 3), &config(), values.view())), [1, 1, 0]);
    }

    #[test]
    fn the_256th_class_is_representable() {
        let values = Array2::from_shape_fn((3, 256), |(_, class)| class as f32);
        assert_eq!(classes(decode(&segmentation(1, 256), &config(), values.view())), [255; 3]);
    }

    #[test]
    fn depth_is_exponential_and_clipped() {
        let values = array![[0.0], [1.0], [f32::NAN]];
        let metres = metres(decode(&depth(1), &config(), values.view()));
        assert_eq!(metres, [2.75_f64.exp() as f32, 3.8_f64.exp() as f32, 80.0]);
        let values = array![[2.0], [f32::INFINITY], [f32::NEG_INFINITY]];
        assert_eq!(self::metres(decode(&depth(1), &config(), values.view())), [80.0, 80.0, 0.0]);
    }

    #[test]
    fn depth_cells_follow_the_same_layout() {
        let values = Array2::from_shape_fn((3, 4), |(patch, cell)| -((patch * 4 + cell) as f32));
        let metres = metres(decode(&depth(2), &config(), values.view()));
        let order = metres.iter().map(|m| ((2.75 - f64::from(*m).ln()) / 1.05).round() as i32);
        assert_eq!(order.collect::<Vec<_>>(), [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
    }

    #[test]
    fn without_a_head_the_tokens_are_the_answer() {
        let task = Task { name: "task0".into(), cells: 1, kind: TaskKind::Encoder };
        let tokens = Array2::from_shape_fn((4, 8), |(token, channel)| (10 * token + channel) as f32);
        assert_eq!(decode(&task, &config(), tokens.view()), Answer::Tokens(tokens));
    }

    #[test]
    #[should_panic(expected = "shape of the output of task depth")]
    fn a_wrong_shape_is_refused() {
        decode(&depth(2), &config(), Array2::zeros((3, 3)).view());
    }
}
