//! Every public kernel has a twin in RTL, named in the header of a unit.

use std::path::Path;

/// Kernels without hardware: what the host computes, and the tools of other kernels.
const SOFTWARE_ONLY: [&str; 6] =
    ["reference", "integer_epsilon", "interpolate", "saturate", "saturate16", "round_shift"];

fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            sources.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// Names of the public functions that stand by themselves in a kernel's file.
fn kernels(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split(['(', '<']).next())
}

#[test]
fn every_kernel_has_a_twin() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let comments: String = sources(&root.join("src"))
        .iter()
        .flat_map(|(_, text)| text.lines().filter(|line| line.trim_start().starts_with("//")))
        .collect();
    let mut found = 0;
    for (file, text) in sources(&root.join("../kernels/src")) {
        for kernel in kernels(&text).filter(|kernel| !SOFTWARE_ONLY.contains(kernel)) {
            let named = [
                format!("::{kernel}"),
                format!("::{{{kernel}"),
                format!(", {kernel}"),
                format!("`{kernel}`"),
            ];
            let twin = named.iter().any(|name| comments.contains(name));
            assert!(twin, "no unit in hdl/src names {file}::{kernel} as its kernel");
            found += 1;
        }
    }
    assert!(found >= 10, "only {found} kernels found");
}
