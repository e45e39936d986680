//! How good answers are: scores of a task summed over labelled pictures.

use serde::Serialize;

use super::{Answer, ClassMap, DepthMap};
use crate::model::{Task, TaskKind};

/// A true depth closer than this to the largest reportable one is "too far to
/// tell" (sky, for example) and is not counted.
const FAR_MARGIN_METRES: f64 = 0.1;

/// Accumulates the metrics that fit a task.
#[derive(Clone, Debug)]
pub enum Metrics {
    /// For a segmentation task.
    Segmentation(SegmentationMetrics),
    /// For a depth task.
    Depth(DepthMetrics),
}

impl Metrics {
    /// Metrics of a task, nothing counted yet; none without a head, whose tokens nothing scores.
    pub fn new(task: &Task) -> Option<Self> {
        match &task.kind {
            TaskKind::Segmentation { classes } => Some(Self::Segmentation(SegmentationMetrics::new(classes))),
            TaskKind::Depth { max_metres, .. } => Some(Self::Depth(DepthMetrics::new(*max_metres))),
            TaskKind::Encoder => None,
        }
    }

    /// Counts one picture.
    ///
    /// # Panics
    /// If the maps do not belong to the task or differ in size.
    pub fn add(&mut self, truth: &Answer, prediction: &Answer) {
        match (self, truth, prediction) {
            (Self::Segmentation(metrics), Answer::Classes(truth), Answer::Classes(prediction)) => {
                metrics.add(truth, prediction);
            }
            (Self::Depth(metrics), Answer::Depth(truth), Answer::Depth(prediction)) => {
                metrics.add(truth, prediction)
            }
            _ => panic!("truth, prediction and metrics belong to different kinds of task"),
        }
    }

    /// The scores of everything counted so far.
    pub fn scores(&self) -> Scores {
        match self {
            Self::Segmentation(metrics) => Scores::Segmentation(metrics.scores()),
            Self::Depth(metrics) => Scores::Depth(metrics.scores()),
        }
    }
}

/// The scores of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scores {
    /// Of a segmentation task.
    Segmentation(SegmentationScores),
    /// Of a depth task.
    Depth(DepthScores),
}

/// How good class maps are. A score over no cells at all is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentationScores {
    /// Mean of the classes' intersections over union. A class that appears
    /// neither in any truth nor in any prediction has none and does not count.
    pub mean_iou: Option<f64>,
    /// Share of the cells whose class is right.
    pub pixel_accuracy: Option<f64>,
    /// Intersection over union of every class, in index order.
    pub class_iou: Vec<ClassIou>,
}

/// Intersection over union of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassIou {
    /// Name of the class.
    pub class: String,
    /// tp / (tp + fp + fn) over all pictures.
    pub iou: Option<f64>,
}

/// How good depth maps are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthScores {
    /// Root of the mean squared error in metres; `None` if no cell counts.
    pub rmse_metres: Option<f64>,
    /// Number of cells that count.
    pub cells: u64,
}

/// Confusion counts of class maps, summed over pictures.
#[derive(Clone, Debug)]
pub struct SegmentationMetrics {
    classes: Vec<String>,
    /// Cells of each (true class, predicted class), true class major.
    confusion: Vec<u64>,
}

impl SegmentationMetrics {
    /// Metrics over the named classes, nothing counted yet.
    pub fn new(classes: &[String]) -> Self {
        Self { classes: classes.to_vec(), confusion: vec![0; classes.len() * classes.len()] }
    }

    /// Counts one picture.
    ///
    /// # Panics
    /// If the maps differ in size or hold a class that has no name.
    pub fn add(&mut self, truth: &ClassMap, prediction: &ClassMap) {
        assert_eq!(
            (truth.width, truth.height),
            (prediction.width, prediction.height),
            "sizes of truth and prediction"
        );
        let count = self.classes.len();
        for (&truth, &prediction) in truth.classes.iter().zip(&prediction.classes) {
            let (truth, prediction) = (usize::from(truth), usize::from(prediction));
            assert!(truth < count && prediction < count, "class {} of {count}", truth.max(prediction));
            self.confusion[truth * count + prediction] += 1;
        }
    }

    /// The scores of everything counted so far.
    pub fn scores(&self) -> SegmentationScores {
        let count = self.classes.len();
        let correct = (0..count).map(|class| self.cells(class, class)).sum();
        let ious = (0..count).map(|class| self.iou(class));
        let present: Vec<f64> = ious.clone().flatten().collect();
        let class_iou =
            self.classes.iter().zip(ious).map(|(class, iou)| ClassIou { class: class.clone(), iou });
        SegmentationScores {
            mean_iou: (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64),
            pixel_accuracy: ratio(correct, self.confusion.iter().sum()),
            class_iou: class_iou.collect(),
        }
    }

    fn cells(&self, truth: usize, prediction: usize) -> u64 {
        self.confusion[truth * self.classes.len() + prediction]
    }

    fn iou(&self, class: usize) -> Option<f64> {
        let others = (0..self.classes.len()).filter(|&other| other != class);
        let missed_or_invented: u64 =
            others.map(|other| self.cells(class, other) + self.cells(other, class)).sum();
        let hit = self.cells(class, class);
        ratio(hit, hit + missed_or_invented)
    }
}

/// Squared errors of depth maps, summed over pictures in the order they are added.
#[derive(Clone, Debug)]
pub struct DepthMetrics {
    max_metres: f64,
    squared_error: f64,
    cells: u64,
}

impl DepthMetrics {
    /// Metrics of depths that are reported up to `max_metres`, nothing counted
    /// yet. Cells whose true depth is within 0.1 m of `max_metres` do not count;
    /// predictions are clipped at `max_metres`.
    pub fn new(max_metres: f64) -> Self {
        Self { max_metres, squared_error: 0.0, cells: 0 }
    }

    /// Counts one picture.
    ///
    /// # Panics
    /// If the maps differ in size.
    pub fn add(&mut self, truth: &DepthMap, prediction: &DepthMap) {
        assert_eq!(
            (truth.width, truth.height),
            (prediction.width, prediction.height),
            "sizes of truth and prediction"
        );
        for (&truth, &prediction) in truth.metres.iter().zip(&prediction.metres) {
            let truth = f64::from(truth);
            if truth < self.max_metres - FAR_MARGIN_METRES {
                let error = f64::from(prediction).min(self.max_metres) - truth;
                self.squared_error += error * error;
                self.cells += 1;
            }
        }
    }

    /// The scores of everything counted so far.
    pub fn scores(&self) -> DepthScores {
        let rmse_metres = (self.cells > 0).then(|| (self.squared_error / self.cells as f64).sqrt());
        DepthScores { rmse_metres, cells: self.cells }
    }
}

/// `part / whole`, if there is anything to divide by.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("class {index}")).collect()
    }

    fn class_map(classes: &[u8]) -> ClassMap {
        ClassMap { width: classes.len(), height: 1, classes: classes.to_vec() }
    }

    fn depth_map(metres: &[f32]) -> DepthMap {
        DepthMap { width: metres.len(), height: 1, metres: metres.to_vec() }
    }

    #[test]
    fn a_perfect_class_map_scores_one() {
        let map = class_map(&[0, 1, 2, 2]);
        let mut metrics = SegmentationMetrics::new(&names(3));
        metrics.add(&map, &map);
        let scores = metrics.scores();
        assert_eq!((scores.mean_iou, scores.pixel_accuracy), (Some(1.0), Some(1.0)));
    }

    #[test]
    fn confusion_is_summed_over_pictures_before_dividing() {
        let mut metrics = SegmentationMetrics::new(&names(4));
        metrics.add(&class_map(&[0, 0, 1]), &class_map(&[0, 1, 1]));
        metrics.add(&class_map(&[0, 2, 2]), &class_map(&[0, 0, 2]));
        let scores = metrics.scores();
        // Class 0: tp 2, fp 1, fn 1. Class 1: tp 1, fp 1. Class 2: tp 1, fn 1. Class 3: absent.
        let ious: Vec<_> = scores.class_iou.iter().map(|class| class.iou).collect();
        assert_eq!(ious, [Some(0.5), Some(0.5), Some(0.5), None]);
        assert_eq!(scores.mean_iou, Some(0.5));
        assert_eq!(scores.pixel_accuracy, Some(4.0 / 6.0));
    }

    #[test]
    fn a_class_only_invented_or_only_missed_counts_as_zero() {
        let mut metrics = SegmentationMetrics::new(&names(3));
        metrics.add(&class_map(&[0, 0, 1]), &class_map(&[0, 0, 2]));
        let scores = metrics.scores();
        assert_eq!(scores.mean_iou, Some(1.0 / 3.0));
    }

    #[test]
    fn a_perfect_depth_map_has_no_error() {
        let map = depth_map(&[2.0, 79.0, 80.0]);
        let mut metrics = DepthMetrics::new(80.0);
        metrics.add(&map, &map);
        assert_eq!(metrics.scores(), DepthScores { rmse_metres: Some(0.0), cells: 2 });
    }

    #[test]
    fn depth_error_skips_the_far_and_clips_the_prediction() {
        let mut metrics = DepthMetrics::new(80.0);
        metrics.add(&depth_map(&[10.0, 79.95, 77.0]), &depth_map(&[14.0, 1.0, 200.0]));
        metrics.add(&depth_map(&[80.0, 5.0, 5.0]), &depth_map(&[2.0, 5.0, 5.0]));
        assert_eq!(metrics.scores(), DepthScores { rmse_metres: Some((25.0_f64 / 4.0).sqrt()), cells: 4 });
    }

    #[test]
    fn nothing_counted_has_no_score() {
        let scores = SegmentationMetrics::new(&names(2)).scores();
        assert_eq!((scores.mean_iou, scores.pixel_accuracy), (None, None));
        let mut metrics = DepthMetrics::new(80.0);
        metrics.add(&depth_map(&[80.0]), &depth_map(&[3.0]));
        assert_eq!(metrics.scores(), DepthScores { rmse_metres: None, cells: 0 });
    }

    #[test]
    fn metrics_follow_the_task_and_serialise() {
        let kind = TaskKind::Depth { scale: 1.0, offset: 0.0, max_metres: 80.0 };
        let mut metrics = Metrics::new(&Task { name: "depth".into(), cells: 1, kind }).unwrap();
        let (truth, prediction) = (depth_map(&[1.0]), depth_map(&[3.0]));
        metrics.add(&Answer::Depth(truth), &Answer::Depth(prediction));
        let json = serde_json::to_string(&metrics.scores()).expect("scores serialise");
        assert_eq!(json, r#"{"depth":{"rmse_metres":2.0,"cells":1}}"#);
    }

    #[test]
    #[should_panic(expected = "different kinds of task")]
    fn answers_of_another_task_are_refused() {
        let kind = TaskKind::Segmentation { classes: names(2) };
        let mut metrics = Metrics::new(&Task { name: "segmentation".into(), cells: 1, kind }).unwrap();
        metrics.add(&Answer::Depth(depth_map(&[1.0])), &Answer::Depth(depth_map(&[1.0])));
    }
}
