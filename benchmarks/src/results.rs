//! Files of results: where they are, how they are read and written.

use std::io::Write;
use std::path::{Path, PathBuf};

use edge_moe::{Error, Result, atomic_file};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Version of the files of results.
pub const VERSION: u32 = 1;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The file of the results of that name.
pub fn path(root: &Path, name: &str) -> PathBuf {
    root.join(format!("benchmarks/results/{name}.json"))
}

/// Writes results; the file appears complete or not at all.
pub fn write(path: &Path, results: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(results).expect("results are plain data") + "\n";
    atomic_file::write(path, |file| file.write_all(text.as_bytes()))
}

/// Reads a JSON file of the form that its reader expects.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|cause| Error::reading(path, cause))?;
    serde_json::from_str(&text).map_err(|cause| Error::input(path.display(), cause))
}

/// Reads a JSON file of this version; none if there is no such file.
pub fn read_if_present<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let json: serde_json::Value = read(path)?;
    match json["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => {}
        _ => {
            let problem = format!("`version` is {}, this reader knows {VERSION}", json["version"]);
            return Err(Error::input(path.display(), problem).hint("measure again: make bench"));
        }
    }
    serde_json::from_value(json).map(Some).map_err(|cause| Error::input(path.display(), cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_version_or_form_are_refused_and_missing_ones_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("some.json");
        assert_eq!(read_if_present::<serde_json::Value>(&path), Ok(None));
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_if_present::<crate::cpu::Cpu>(&path).unwrap_err().to_string()
        };
        assert!(message("{\"version\": 7}").ends_with("some.json: `version` is 7, this reader knows 1"));
        assert!(message("{\"version\": 1}").contains("some.json: missing field"));
        assert!(message("{\"vers").contains("EOF"));
    }
}
