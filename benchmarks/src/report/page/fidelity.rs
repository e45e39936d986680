//! The section on integer against float.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{cell, image, section};
use crate::fidelity::{Fidelity, Kernels, TaskScores};
use crate::report::markdown::{percent, table};
use crate::report::plots::Plot;

pub fn fidelity(all: &[Fidelity], plots: &[Plot]) -> String {
    let present = (!all.is_empty()).then_some(all);
    section("Integer against float", present, |all| {
        format!(
            "{}\n{}{}\n{}",
            scores_table(all),
            image(plots, "fidelity"),
            sqnr_table(all),
            all.iter().map(sets_table).collect::<String>() + &kernels(all)
        )
    })
}

fn scores_table(all: &[Fidelity]) -> String {
    let row = |fidelity: &Fidelity| {
        let pair = |of: fn(&TaskScores) -> Option<f64>, digits: usize| {
            let scores = fidelity.scores.as_ref();
            let pair = scores.and_then(|scores| Some((of(&scores.float)?, of(&scores.integer)?)));
            pair.map_or("not measured".into(), |(float, integer)| {
                format!("{float:.digits$} → {integer:.digits$}")
            })
        };
        let sets = &fidelity.expert_sets;
        vec![
            fidelity.title(),
            pair(|scores| scores.miou, 4),
            pair(|scores| scores.pixel_accuracy, 4),
            pair(|scores| scores.depth_rmse_m, 3),
            percent(sets.changed as f64 / sets.tokens.max(1) as f64, 2),
            fidelity.pictures.to_string(),
        ]
    };
    let head = [
        "model",
        "mIoU float → integer",
        "pixel accuracy",
        "depth RMSE, m",
        "expert sets changed",
        "pictures",
    ];
    table(&head, 1, &all.iter().map(row).collect::<Vec<_>>())
}

/// The worst and the median tensor of each kind.
fn sqnr_table(all: &[Fidelity]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for tensor in all.iter().flat_map(|fidelity| &fidelity.tensors) {
        if !kinds.contains(&tensor.kind.as_str()) {
            kinds.push(&tensor.kind);
        }
    }
    let row = |kind: &&str| {
        let of = |fidelity: &Fidelity| {
            let tensors = fidelity.tensors.iter().filter(|tensor| tensor.kind == **kind);
            let mut ratios: Vec<f64> = tensors.filter_map(|tensor| tensor.sqnr_db).collect();
            ratios.sort_by(f64::total_cmp);
            let db = |db: f64| format!("{db:.1}");
            [ratios.first().copied(), median(&ratios)].map(|ratio| ratio.map_or("none".into(), db))
        };
        [kind.to_string()].into_iter().chain(all.iter().flat_map(of)).collect()
    };
    let columns = all.iter().flat_map(|fidelity| [format!("{}: worst", fidelity.title()), "median".into()]);
    let head: Vec<String> = ["kind of tensor".to_string()].into_iter().chain(columns).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = kinds.iter().map(row).collect();
    format!("Signal to quantisation noise by kind of tensor, in dB:\n\n{}", table(&head, 1, &rows))
}

/// Of sorted values.
fn median(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// The kernels by themselves; they are the same in every run that the same sources made.
fn kernels(all: &[Fidelity]) -> String {
    let mut different: Vec<&Fidelity> = Vec::new();
    for fidelity in all {
        if !different.iter().any(|other| other.kernels == fidelity.kernels) {
            different.push(fidelity);
        }
    }
    let text = |fidelity: &&Fidelity| {
        let Kernels { gelu, softmax, layer_norm } = &fidelity.kernels;
        let tables = [("GELU", gelu), ("Softmax", softmax), ("LayerNorm", layer_norm)];
        tables.iter().map(|(name, rows)| free_table(name, rows)).collect::<String>()
    };
    format!("### Kernels by themselves\n\n{}", different.iter().map(text).collect::<String>())
}

fn sets_table(fidelity: &Fidelity) -> String {
    let sets = &fidelity.expert_sets.by_block;
    let blocks: BTreeSet<usize> = sets.iter().map(|set| set.block).collect();
    let tasks: BTreeSet<&str> = sets.iter().map(|set| set.task.as_str()).collect();
    if blocks.is_empty() {
        return String::new();
    }
    let row = |task: &&str| {
        let share = |block: &usize| {
            let set = sets.iter().find(|set| set.task == **task && set.block == *block);
            set.map_or(String::new(), |set| percent(set.changed as f64 / set.tokens.max(1) as f64, 2))
        };
        [task.to_string()].into_iter().chain(blocks.iter().map(share)).collect()
    };
    let names: Vec<String> = blocks.iter().map(|block| format!("block {block}")).collect();
    let head: Vec<&str> = ["task"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    format!("Tokens whose set of experts changes, {}:\n\n{}\n", fidelity.title(), table(&head, 1, &rows))
}

/// Rows of values with names of their own.
fn free_table(name: &str, rows: &[Map<String, Value>]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let names: Vec<String> = first.keys().map(|key| key.replace('_', " ")).collect();
    let head: Vec<&str> = names.iter().map(String::as_str).collect();
    let row =
        |row: &Map<String, Value>| first.keys().map(|key| row.get(key).map_or(String::new(), cell)).collect();
    format!(
        "{name} against the exact function:\n\n{}\n",
        table(&head, 0, &rows.iter().map(row).collect::<Vec<_>>())
    )
}
