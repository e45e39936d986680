//! The section on a processor.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{cell, image, section};
use crate::cpu::{Cpu, Group, ONE_CORE, Time};
use crate::report::markdown::table;
use crate::report::plots::Plot;

pub fn cpu(cpu: Option<&Cpu>, plots: &[Plot]) -> String {
    section("On a processor", cpu, |cpu| {
        let machine = &cpu.provenance.machine;
        let groups: String = cpu.groups.iter().map(|group| group_text(group, plots)).collect();
        format!(
            "A picture of the same network, measured on {}, {} threads.\n\n{groups}{}{}",
            machine.cpu,
            machine.threads,
            remarks(&cpu.remarks),
            left_out(&cpu.remarks),
        )
    })
}

fn group_text(group: &Group, plots: &[Plot]) -> String {
    let (what, plot) = match group.name.as_str() {
        ONE_CORE => ("On one core", image(plots, "cpu")),
        "cpu-threads" => ("On all cores", String::new()),
        "software-paths" => ("The software device by instruction set; the bytes are the same", String::new()),
        name => (name, String::new()),
    };
    format!("{what}:\n\n{}\n{plot}", times_table(&group.times))
}

fn times_table(times: &[Time]) -> String {
    let range = |[low, high]: [f64; 2]| format!("{low:.2} … {high:.2}");
    let related = times.iter().any(|time| time.ratio_to_software_device.is_some());
    let row = |time: &Time| {
        let mut row = vec![
            time.name.clone(),
            format!("{:.2}", time.measured_median_ms),
            range(time.measured_median_interval_ms),
            format!("{:.2}", time.measured_mad_ms),
            range(time.measured_p10_p90_ms),
        ];
        row.extend(time.ratio_to_software_device.map(|ratio| format!("{ratio:.2}")));
        row
    };
    let mut head = vec!["bench", "median, ms", "95 % interval", "median deviation", "10th … 90th percentile"];
    head.extend(related.then_some("× software device"));
    table(&head, 1, &times.iter().map(row).collect::<Vec<_>>())
}

/// What the bench says of the contenders: a column for each thing that it says.
fn remarks(remarks: &Value) -> String {
    let contenders: Vec<Map<String, Value>> = remarks["contenders"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|contender| {
            let mut flat = Map::new();
            flatten(&mut flat, "", contender);
            flat.contains_key("name").then_some(flat)
        })
        .collect();
    if contenders.is_empty() {
        return String::new();
    }
    let keys: BTreeSet<&String> =
        contenders.iter().flat_map(Map::keys).filter(|key| *key != "name").collect();
    let cell = |contender: &Map<String, Value>, key: &str| contender.get(key).map_or(String::new(), cell);
    let row = |contender: &Map<String, Value>| {
        [cell(contender, "name")].into_iter().chain(keys.iter().map(|key| cell(contender, key))).collect()
    };
    let rows: Vec<Vec<String>> = contenders.iter().map(row).collect();
    let names: Vec<String> = keys.iter().map(|key| key.replace('_', " ")).collect();
    let head: Vec<&str> = ["contender"].into_iter().chain(names.iter().map(String::as_str)).collect();
    format!(
        "What they compute, and how near to the float reference:\n\n{}\n",
        table(&head, head.len(), &rows)
    )
}

/// What the bench could not run, and why.
fn left_out(remarks: &Value) -> String {
    let text = |entry: &Value| {
        let part = |key: &str| entry.get(key).map_or(String::new(), cell);
        format!("- Left out: {} of `{}`: {}\n", part("name"), part("group"), part("why"))
    };
    remarks["left_out"].as_array().into_iter().flatten().map(text).collect()
}

/// The values of nested objects by joined names.
fn flatten(flat: &mut Map<String, Value>, prefix: &str, value: &Value) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}, {key}") };
        match value {
            Value::Object(_) => flatten(flat, &name, value),
            value => drop(flat.insert(name, value.clone())),
        }
    }
}
