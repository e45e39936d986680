//! Renders results into `docs/benchmarks.md` and its plots: the same bytes from the same results.

mod markdown;
mod page;
mod plots;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use edge_moe::bitstream::{self, Manifest};
use edge_moe::{Result, atomic_file};

use crate::accelerator::{self, Accelerator};
use crate::cpu::{self, Cpu};
use crate::fidelity::{self, Fidelity};
use crate::quoted::{self, System};
use crate::resources::{self, Unit};
use crate::results;
use crate::sweep::{self, Sweep};

/// The program that stands for a picture and one task.
const TASK: &str = "semseg";

/// Everything that the page is made of. What was not measured is none.
struct Results {
    accelerator: Option<Accelerator>,
    sweep: Option<Sweep>,
    cpu: Option<Cpu>,
    fidelity: Vec<Fidelity>,
    quoted: Vec<System>,
    resources: Vec<Unit>,
    bitstreams: Vec<Manifest>,
}

/// Files by their path from the repository's root.
type Files = BTreeMap<String, String>;

impl Results {
    fn read(root: &Path) -> Result<Self> {
        let path = |name| results::path(root, name);
        Ok(Self {
            accelerator: results::read_if_present(&path(accelerator::NAME))?,
            sweep: results::read_if_present(&path(sweep::NAME))?,
            cpu: results::read_if_present(&path(cpu::NAME))?,
            fidelity: fidelity::read_all(&root.join("benchmarks/results"))?,
            quoted: quoted::read(root)?,
            resources: resources::read(root)?,
            bitstreams: bitstreams(root)?,
        })
    }
}

/// Manifests of the bitstreams that are shipped.
fn bitstreams(root: &Path) -> Result<Vec<Manifest>> {
    let folder = root.join("bitstreams");
    let manifest = |board: String| Manifest::read(&bitstream::manifest_of(&folder, &board)?);
    bitstream::boards(&folder)?.into_iter().map(manifest).collect()
}

/// The page and its plots.
fn render(results: &Results) -> Files {
    let plots = plots::plots(results);
    let mut files: Files =
        plots.iter().map(|plot| (format!("docs/images/{}", plot.file), plot.svg.clone())).collect();
    files.insert("docs/benchmarks.md".into(), page::page(results, &plots));
    files
}

/// Writes the page and its plots from the results that are there.
pub fn write(root: &Path) -> Result<()> {
    for (path, text) in render(&Results::read(root)?) {
        atomic_file::write(&root.join(path), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Group, Time};
    use crate::provenance::{Machine, Provenance};

    #[test]
    fn the_page_is_that_of_the_results() {
        let root = results::root();
        let files = render(&Results::read(&root).unwrap());
        for (path, expected) in &files {
            let present = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            assert!(
                present == *expected,
                "{path} is not that of the results; update it with `make bench-report`"
            );
        }
        for entry in root.join("docs/images").read_dir().unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = files.contains_key(&format!("docs/images/{name}"));
            assert!(known || !name.starts_with(plots::PREFIX), "docs/images/{name} belongs to no result");
        }
    }

    /// Results of nothing but what is in the repository by hand.
    fn empty() -> Results {
        let root = results::root();
        Results {
            accelerator: None,
            sweep: None,
            cpu: None,
            fidelity: Vec::new(),
            quoted: quoted::read(&root).unwrap(),
            resources: resources::read(&root).unwrap(),
            bitstreams: bitstreams(&root).unwrap(),
        }
    }

    #[test]
    fn what_was_not_measured_is_said_to_be_so() {
        let files = render(&empty());
        assert_eq!(files.len(), 1);
        assert_eq!(files["docs/benchmarks.md"].matches("Not measured here").count(), 6);
    }

    fn cpu() -> Cpu {
        let time = |name: &str, ms: f64| Time {
            name: name.into(),
            samples: 30,
            measured_median_ms: ms,
            measured_median_interval_ms: [ms * 0.99, ms * 1.01],
            measured_mad_ms: 0.1,
            measured_p10_p90_ms: [ms * 0.9, ms * 1.2],
            ratio_to_software_device: Some(ms / 10.0),
        };
        Cpu {
            version: results::VERSION,
            provenance: Provenance {
                date: "2026-01-02".into(),
                commit: "0123456789ab".into(),
                machine: Machine { cpu: "Some CPU".into(), threads: 2, system: "Some system".into() },
                versions: BTreeMap::from([("rustc".to_string(), "rustc 1.0".to_string())]),
            },
            groups: vec![
                Group { name: "cpu".into(), times: vec![time("software device", 10.0), time("tract", 25.0)] },
                Group { name: "software-paths".into(), times: vec![time("avx2", 10.0)] },
            ],
            remarks: serde_json::json!({
                "machine": "ignored",
                "contenders": [
                    {"name": "tract", "version": "0.22", "computes": "f32", "error": {"max": 0.5}},
                    {"name": "software device", "computes": "8-bit weights", "class_map_agreement": 0.998},
                ],
                "left_out": [{"group": "cpu", "name": "onnxruntime int8", "why": "not installed"}],
            }),
        }
    }

    #[test]
    fn times_and_remarks_of_contenders_are_shown() {
        let files = render(&Results { cpu: Some(cpu()), ..empty() });
        assert!(files.contains_key("docs/images/benchmarks-cpu.svg"));
        let page = &files["docs/benchmarks.md"];
        assert!(page.contains("| tract | 25.00 | 24.75 … 25.25 | 0.10 | 22.50 … 30.00 | 2.50 |"), "{page}");
        assert!(
            page.contains("| contender | class map agreement | computes | error, max | version |"),
            "{page}"
        );
        assert!(page.contains("| tract |  | f32 | 0.5 | 0.22 |"), "{page}");
        assert!(page.contains("| `cpu` | 2026-01-02 | 0123456789ab | Some CPU, 2 threads | Some system |"));
        assert!(page.contains("- Left out: onnxruntime int8 of `cpu`: not installed\n"), "{page}");
        assert!(page.contains("The software device by instruction set"), "{page}");
        let without = Cpu { remarks: serde_json::Value::Null, ..cpu() };
        let page = render(&Results { cpu: Some(without), ..empty() }).remove("docs/benchmarks.md").unwrap();
        assert!(!page.contains("contender | class"));
    }

    #[test]
    fn fidelity_is_shown_by_block_and_kind() {
        let plain: Fidelity = serde_json::from_str(fidelity::tests::SAMPLE).unwrap();
        let outliers = Fidelity { variant: "outliers".into(), scores: None, ..plain.clone() };
        let files = render(&Results { fidelity: vec![outliers, plain], ..empty() });
        assert!(files.contains_key("docs/images/benchmarks-fidelity.svg"));
        let page = &files["docs/benchmarks.md"];
        assert!(
            page.contains("| some, plain | 0.5000 → 0.4900 | 0.9000 → 0.8900 | 7.000 → 7.100 | 1.00 % |"),
            "{page}"
        );
        assert!(
            page.contains("| some, outliers | not measured | not measured | not measured | 1.00 % |"),
            "{page}"
        );
        assert!(page.contains("| query | 36.0 | 38.0 | 36.0 | 38.0 |"), "{page}");
        assert!(page.contains("| fraction bits | max error | max error steps | rms error |"), "{page}");
        assert!(page.contains("| 9 | 0.0011 | 0.6 | 0.0004 |"), "{page}");
    }
}
