//! Cells that synthesis makes of the units: the table that the tests of `hdl/` hold.

use std::collections::BTreeMap;
use std::path::Path;

use edge_moe::{Error, Result};

use crate::results;

/// The version of yosys whose table is read.
pub const YOSYS: &str = "0.23";

/// A unit of an architecture through one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Name of the architecture.
    pub arch: String,
    /// Name of the unit.
    pub unit: String,
    /// Name of the flow: `ecp5`, or `xcup` for UltraScale+.
    pub flow: String,
    /// Cells by kind.
    pub cells: BTreeMap<String, u64>,
}

/// Reads the table; its keys are `ARCH UNIT FLOW`.
pub fn read(root: &Path) -> Result<Vec<Unit>> {
    let path = root.join(format!("hdl/synthesis/yosys-{YOSYS}.json"));
    let table: BTreeMap<String, BTreeMap<String, u64>> = results::read(&path)?;
    let unit = |(key, cells): (String, BTreeMap<String, u64>)| match key.split(' ').collect::<Vec<_>>()[..] {
        [arch, unit, flow] => Ok(Unit { arch: arch.into(), unit: unit.into(), flow: flow.into(), cells }),
        _ => Err(Error::input(path.display(), format!("`{key}` is not ARCH UNIT FLOW"))),
    };
    table.into_iter().map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_lanes_of_edge_and_the_whole_of_tiny() {
        let units = read(&results::root()).unwrap();
        let has = |arch: &str, unit: &str| units.iter().any(|u| u.arch == arch && u.unit == unit);
        assert!(has("edge", "lane_array") && has("tiny", "edge_moe"));
    }

    #[test]
    fn a_key_of_another_form_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("hdl/synthesis");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("yosys-{YOSYS}.json")), r#"{"edge lanes": {}}"#).unwrap();
        let message = read(directory.path()).unwrap_err().to_string();
        assert!(message.ends_with("`edge lanes` is not ARCH UNIT FLOW"));
    }
}
