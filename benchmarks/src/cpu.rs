//! Times on this computer's processor: what criterion left of the benches.
//!
//! Criterion has a folder for each bench, `target/criterion/GROUP/NAME/new`. What the contenders compute, and how
//! well, is in `target/criterion/cpu-contenders.json`, which the bench writes: an array `contenders` of objects
//! with a `name` and whatever else is worth a column, and an array `left_out` of `name`, `group` and `why`.

use std::path::{Path, PathBuf};

use edge_moe::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::provenance::Provenance;
use crate::results::{self, VERSION};

/// Name of the results.
pub const NAME: &str = "cpu";
/// What others are compared with.
pub const BASE: &str = "software device";
/// The groups of benches: one picture by each contender on one core, by some of them on all cores, and by the
/// software device with each instruction set. The first must be there.
const GROUPS: [&str; 3] = [ONE_CORE, "cpu-threads", "software-paths"];
/// The group of one picture by each contender on one core.
pub const ONE_CORE: &str = "cpu";

/// Times of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// Version of this form.
    pub version: u32,
    /// Where and when the times were collected.
    pub provenance: Provenance,
    /// The groups that were measured.
    pub groups: Vec<Group>,
    /// What the bench says of the contenders, as it says it; null if it says nothing.
    pub remarks: Value,
}

/// Benches that were measured one after another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Its benches, the fastest first.
    pub times: Vec<Time>,
}

/// Times of a bench, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Name of the bench.
    pub name: String,
    /// Samples; each is the mean of some runs.
    pub samples: usize,
    /// Median of the samples.
    pub measured_median_ms: f64,
    /// 95 % confidence interval of the median.
    pub measured_median_interval_ms: [f64; 2],
    /// Median absolute deviation of the samples.
    pub measured_mad_ms: f64,
    /// Tenth and ninetieth percentile of the samples.
    pub measured_p10_p90_ms: [f64; 2],
    /// Median over the median of the software device; none if that is not in the group.
    pub ratio_to_software_device: Option<f64>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
    median_abs_dev: Estimate,
}

/// In nanoseconds.
#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Total times of `iters` runs, in nanoseconds.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Benchmark {
    function_id: Option<String>,
}

/// Collects what criterion left in `target/criterion`.
pub fn collect(root: &Path, criterion: &Path) -> Result<Cpu> {
    let groups = GROUPS.map(|name| group(criterion, name)).into_iter().collect::<Result<Vec<_>>>()?;
    if groups[0].times.is_empty() {
        return Err(Error::input(criterion.join(ONE_CORE).display(), "holds no results of a bench")
            .hint("measure first: cargo bench --package edge-moe-benchmarks"));
    }
    let remarks = criterion.join("cpu-contenders.json");
    Ok(Cpu {
        version: VERSION,
        provenance: Provenance::now(root, &[]),
        groups: groups.into_iter().filter(|group| !group.times.is_empty()).collect(),
        remarks: if remarks.exists() { results::read(&remarks)? } else { Value::Null },
    })
}

/// The benches of a group; none if it was not measured.
fn group(criterion: &Path, name: &str) -> Result<Group> {
    let (folder, name) = (criterion.join(name), name.to_string());
    if !folder.exists() {
        return Ok(Group { name, times: Vec::new() });
    }
    let reading = |cause| Error::reading(&folder, cause);
    let entries =
        folder.read_dir().map_err(reading)?.collect::<std::io::Result<Vec<_>>>().map_err(reading)?;
    let folders = entries.iter().map(|entry| entry.path().join("new"));
    let benches = folders.filter(|folder| folder.join("benchmark.json").exists());
    let mut times = benches.map(|folder| time(&folder)).collect::<Result<Vec<_>>>()?;
    times.sort_by(|a, b| a.measured_median_ms.total_cmp(&b.measured_median_ms));
    let base = times.iter().find(|time| time.name == BASE).map(|time| time.measured_median_ms);
    for time in &mut times {
        time.ratio_to_software_device = base.map(|base| time.measured_median_ms / base);
    }
    Ok(Group { name, times })
}

fn time(folder: &Path) -> Result<Time> {
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let Benchmark { function_id } = results::read(&file("benchmark.json"))?;
    let Estimates { median, median_abs_dev } = results::read(&file("estimates.json"))?;
    let Sample { iters, times } = results::read(&file("sample.json"))?;
    let mut samples: Vec<f64> = times.iter().zip(&iters).map(|(time, runs)| ms(time / runs)).collect();
    if samples.is_empty() || !samples.iter().all(|time| time.is_finite() && *time > 0.0) {
        return Err(Error::input(file("sample.json").display(), "needs times above zero"));
    }
    samples.sort_by(f64::total_cmp);
    let percentile = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
    let named = || Error::input(file("benchmark.json").display(), "lacks a `function_id`");
    let interval = median.confidence_interval;
    Ok(Time {
        name: function_id.ok_or_else(named)?,
        samples: samples.len(),
        measured_median_ms: ms(median.point_estimate),
        measured_median_interval_ms: [ms(interval.lower_bound), ms(interval.upper_bound)],
        measured_mad_ms: ms(median_abs_dev.point_estimate),
        measured_p10_p90_ms: [percentile(0.1), percentile(0.9)],
        ratio_to_software_device: None,
    })
}

fn ms(nanoseconds: f64) -> f64 {
    nanoseconds / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(criterion: &Path, group: &str, name: &str, median_ms: f64, samples: &str) {
        let folder = criterion.join(group).join(name.replace(' ', "_")).join("new");
        std::fs::create_dir_all(&folder).unwrap();
        let estimate = |ms: f64| {
            let ns = ms * 1e6;
            let (low, high) = (ns * 0.9, ns * 1.1);
            format!(
                r#"{{"confidence_interval": {{"confidence_level": 0.95, "lower_bound": {low}, "upper_bound": {high}}},
                "point_estimate": {ns}, "standard_error": 1.0}}"#
            )
        };
        let estimates = format!(
            r#"{{"mean": {}, "median": {}, "median_abs_dev": {}, "slope": null}}"#,
            estimate(99.0),
            estimate(median_ms),
            estimate(0.5)
        );
        let benchmark = format!(r#"{{"group_id": "{group}", "function_id": "{name}", "value_str": null}}"#);
        std::fs::write(folder.join("estimates.json"), estimates).unwrap();
        std::fs::write(folder.join("sample.json"), samples).unwrap();
        std::fs::write(folder.join("benchmark.json"), benchmark).unwrap();
    }

    const SAMPLES: &str = r#"{"sampling_mode": "Linear", "iters": [1, 2, 3], "times": [5e6, 8e6, 9e6]}"#;

    #[test]
    fn what_criterion_left_is_collected_with_ratios() {
        let directory = tempfile::tempdir().unwrap();
        let criterion = directory.path();
        bench(criterion, "cpu", "tract", 10.0, SAMPLES);
        bench(criterion, "cpu", BASE, 4.0, SAMPLES);
        bench(criterion, "software-paths", "avx2", 4.5, SAMPLES);
        std::fs::create_dir_all(criterion.join("cpu/report")).unwrap();
        std::fs::write(criterion.join("cpu-contenders.json"), r#"{"contenders": [{"name": "tract"}]}"#)
            .unwrap();
        let cpu = collect(&results::root(), criterion).unwrap();
        let groups: Vec<&str> = cpu.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(groups, ["cpu", "software-paths"]);
        let times = &cpu.groups[0].times;
        let names: Vec<&str> = times.iter().map(|time| time.name.as_str()).collect();
        assert_eq!(names, [BASE, "tract"]);
        assert_eq!(times[1].ratio_to_software_device, Some(2.5));
        assert_eq!(times[1].measured_median_interval_ms, [9.0, 11.0]);
        assert_eq!(times[1].measured_p10_p90_ms, [3.0, 5.0]);
        assert_eq!(cpu.groups[1].times[0].ratio_to_software_device, None);
        assert_eq!(cpu.remarks["contenders"][0]["name"], "tract");
    }

    #[test]
    fn missing_and_broken_results_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let message = || collect(&results::root(), directory.path()).unwrap_err().to_string();
        assert!(message().ends_with("cpu: holds no results of a bench"));
        bench(directory.path(), "cpu", BASE, 4.0, r#"{"iters": [0], "times": [1]}"#);
        assert!(message().ends_with("sample.json: needs times above zero"));
        bench(directory.path(), "cpu", BASE, 4.0, "{");
        assert!(message().contains("sample.json: EOF"));
    }
}
