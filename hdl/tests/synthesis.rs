//! What yosys makes of the units, held against a table per version of yosys.
//!
//! `UPDATE_SYNTHESIS=1` (with `--test-threads=1`) rewrites the table of the version that is installed.
//! Units of `tiny` always; with `EMOE_LONG` also those of `edge`, in about ten minutes, and the whole
//! accelerator of `tiny`, in a few.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use edge_moe_hdl::config;

/// Cells of one kind may differ from the table by this share.
const TOLERANCE: f64 = 0.02;
/// One way through yosys.
struct Flow {
    name: &'static str,
    command: &'static str,
    /// Cells that are counted; those of the last kind are multipliers.
    cells: &'static [&'static str],
}

const ECP5: Flow = Flow {
    name: "ecp5",
    command: "synth_ecp5 -top",
    cells: &["LUT4", "TRELLIS_FF", "CCU2C", "DP16KD", "TRELLIS_DPR16X4", "MULT18X18D"],
};
const ULTRASCALE_PLUS: Flow = Flow {
    name: "xcup",
    command: "synth_xilinx -family xcup -flatten -top",
    cells: &["FDRE", "CARRY4", "RAMB18E2", "RAMB36E2", "DSP48E2"],
};
/// LUTs of UltraScale+; the table has their sum as `LUT`.
const XILINX_LUTS: [&str; 6] = ["LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"];

type Table = BTreeMap<String, BTreeMap<String, u64>>;

fn yosys(script: &str) -> String {
    let output = Command::new("yosys").args(["-p", script]).output();
    let output = output.unwrap_or_else(|cause| panic!("yosys cannot be run: {cause}; apt-get install yosys"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "yosys failed:\n{err}");
    out.into_owned()
}

/// `0.23`, from `Yosys 0.23 (git sha1 …)`.
fn version() -> String {
    let output = Command::new("yosys").arg("-V").output().expect("yosys is installed: apt-get install yosys");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().nth(1).expect("yosys says its version").to_string()
}

/// Cells of the last statistics in a log of yosys.
fn cells(log: &str) -> BTreeMap<String, u64> {
    let statistics = log.rsplit("Number of cells:").next().unwrap();
    let line = |line: &str| {
        let (kind, count) = line.trim().split_once(char::is_whitespace)?;
        Some((kind.to_string(), count.trim().parse().ok()?))
    };
    statistics
        .lines()
        .map_while(|text| if text.trim().is_empty() { None } else { Some(line(text)) })
        .flatten()
        .collect()
}

/// Synthesises a unit; counts cells, refuses latches, loops, and products outside of DSP blocks.
fn synthesise(unit: &config::Unit, flow: &Flow) -> BTreeMap<String, u64> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("unit.v");
    std::fs::write(&path, (unit.verilog)(unit.name).unwrap()).unwrap();
    let (name, read) = (unit.name, format!("read_verilog {}", path.display()));
    let plain = cells(&yosys(&format!("{read}; hierarchy -top {name}; proc; flatten; opt; stat")));
    let mapped = cells(&yosys(&format!("{read}; {} {name}; check -assert; stat", flow.command)));

    let is_latch = |kind: &&String| kind.contains("LATCH") || ["LDCE", "LDPE"].contains(&kind.as_str());
    assert_eq!(mapped.keys().chain(plain.keys()).find(is_latch), None, "{name}: a latch");
    let count = |cells: &BTreeMap<String, u64>, kind: &str| cells.get(kind).copied().unwrap_or(0);
    let (products, blocks) = (count(&plain, "$mul"), count(&mapped, flow.cells[flow.cells.len() - 1]));
    assert!(blocks >= products, "{name}: {products} products, but {blocks} DSP blocks");

    let mut counts: BTreeMap<String, u64> =
        flow.cells.iter().map(|&kind| (kind.to_string(), count(&mapped, kind))).collect();
    if flow.name == ULTRASCALE_PLUS.name {
        counts.insert("LUT".into(), XILINX_LUTS.iter().map(|kind| count(&mapped, kind)).sum());
    }
    counts
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("synthesis/yosys-{}.json", version()))
}

fn read_table() -> Table {
    match std::fs::read_to_string(table_path()) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => Table::new(),
    }
}

/// What is made of other units, and takes yosys minutes.
const JOINED: [&str; 2] = ["attention", "edge_moe"];

/// Units of an architecture but for those that are made of others.
fn check(arch: &str, flow: &Flow) {
    check_units(arch, flow, |name| !JOINED.contains(&name));
}

fn check_units(arch: &str, flow: &Flow, wanted: fn(&str) -> bool) {
    let units = config::units(arch).unwrap();
    let found: Table = units
        .iter()
        .filter(|unit| wanted(unit.name))
        .map(|unit| (format!("{arch} {} {}", unit.name, flow.name), synthesise(unit, flow)))
        .collect();
    let mut known = read_table();
    if std::env::var_os("UPDATE_SYNTHESIS").is_some() {
        known.extend(found);
        std::fs::create_dir_all(table_path().parent().unwrap()).unwrap();
        std::fs::write(table_path(), serde_json::to_string_pretty(&known).unwrap() + "\n").unwrap();
        return;
    }
    if known.is_empty() {
        println!("no table for yosys {}: latches and loops were checked, counts were not", version());
        return;
    }
    for (key, counts) in found {
        let expected =
            known.get(&key).unwrap_or_else(|| panic!("{key} is not in {}", table_path().display()));
        for (kind, &count) in &counts {
            let expected = expected.get(kind).copied().unwrap_or(0);
            let slack = (expected as f64 * TOLERANCE).ceil() + 2.0;
            assert!(
                (count as f64 - expected as f64).abs() <= slack,
                "{key}: {count} {kind}, the table says {expected}; UPDATE_SYNTHESIS=1 rewrites it"
            );
        }
    }
}

#[test]
fn tiny_on_ecp5() {
    check("tiny", &ECP5);
}

#[test]
fn tiny_on_ultrascale_plus() {
    check("tiny", &ULTRASCALE_PLUS);
}

#[test]
fn the_whole_accelerator_on_ecp5() {
    if std::env::var_os("EMOE_LONG").is_some() {
        check_units("tiny", &ECP5, |name| name == "edge_moe");
    }
}

#[test]
fn edge_on_ecp5() {
    if std::env::var_os("EMOE_LONG").is_some() {
        check("edge", &ECP5);
    }
}

#[test]
fn edge_on_ultrascale_plus() {
    if std::env::var_os("EMOE_LONG").is_some() {
        check("edge", &ULTRASCALE_PLUS);
    }
}
