//! Answers as files for programs, in the format of the ground truth.

use image::{GrayImage, ImageBuffer, Luma};

use crate::tasks::labels::DEPTH_STEPS_PER_METRE;
use crate::tasks::{ClassMap, DepthMap};

/// A class map as an 8-bit grey picture of class indices.
///
/// # Panics
/// If the number of classes in `map` is not its width × height.
pub fn class_indices(map: &ClassMap) -> GrayImage {
    pixels(map.width, map.height, map.classes.clone())
}

/// A depth map as a 16-bit grey picture of metres × 256, rounded and clamped
/// to 16 bits.
///
/// # Panics
/// If the number of depths in `map` is not its width × height.
pub fn depth_16bit(map: &DepthMap) -> ImageBuffer<Luma<u16>, Vec<u16>> {
    let steps = map.metres.iter().map(|metres| (metres * DEPTH_STEPS_PER_METRE).round() as u16);
    pixels(map.width, map.height, steps.collect())
}

fn pixels<T: image::Primitive>(width: usize, height: usize, values: Vec<T>) -> ImageBuffer<Luma<T>, Vec<T>> {
    assert_eq!(values.len(), width * height, "cells of the map");
    ImageBuffer::from_raw(width as u32, height as u32, values).expect("one value per pixel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    use crate::draw::save_png;
    use crate::model::{Task, TaskKind};
    use crate::tasks::{Answer, labels};

    #[test]
    fn depth_is_rounded_and_clamped() {
        let map = DepthMap { width: 5, height: 1, metres: vec![0.0, 0.501 / 256.0, 2.5, 80.0, 300.0] };
        assert_eq!(depth_16bit(&map).into_raw(), [0, 1, 640, 20480, 65535]);
    }

    #[test]
    fn written_maps_read_back_as_ground_truth() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let picture: PathBuf = directory.path().join("007.png");
        let class_task = Task {
            name: "segmentation".into(),
            cells: 1,
            kind: TaskKind::Segmentation { classes: vec!["road".into(), "sky".into()] },
        };
        let kind = TaskKind::Depth { scale: 1.0, offset: 0.0, max_metres: 80.0 };
        let depth_task = Task { name: "depth".into(), cells: 1, kind };
        let classes = ClassMap { width: 3, height: 1, classes: vec![1, 0, 1] };
        let depth = DepthMap { width: 1, height: 2, metres: vec![80.0, 4.25] };
        let path = |task: &Task| labels::path(task, &picture).expect("the task has a head");
        save_png(&path(&class_task), &class_indices(&classes)).expect("classes are written");
        save_png(&path(&depth_task), &depth_16bit(&depth)).expect("depths are written");
        assert_eq!(labels::read(&class_task, &picture, 3, 1), Ok(Answer::Classes(classes)));
        assert_eq!(labels::read(&depth_task, &picture, 1, 2), Ok(Answer::Depth(depth)));
    }
}
