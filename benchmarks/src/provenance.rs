//! Where and when results were measured, and by what.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// What a command or file says if it is not there.
const UNKNOWN: &str = "unknown";

/// Where and when results were measured, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Day, in UTC, such as `2026-05-09`.
    pub date: String,
    /// Commit of the sources; `-dirty` follows if they were changed since.
    pub commit: String,
    /// The computer.
    pub machine: Machine,
    /// Versions, by name of the tool.
    pub versions: BTreeMap<String, String>,
}

/// A computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of its processor.
    pub cpu: String,
    /// Threads that run at once.
    pub threads: usize,
    /// Operating system.
    pub system: String,
}

impl Provenance {
    /// This computer, now, with the versions of this package, the Rust compiler and the `tools`, which tell
    /// theirs on `--version`.
    pub fn now(root: &Path, tools: &[&str]) -> Self {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let version = |tool: &&str| (tool.to_string(), says(Command::new(tool).arg("--version")));
        let own = ("edge-moe".to_string(), env!("CARGO_PKG_VERSION").to_string());
        Self {
            date: date.chars().take_while(|character| *character != 'T').collect(),
            commit: commit(root),
            machine: Machine::this(),
            versions: ["rustc"].iter().chain(tools).map(version).chain([own]).collect(),
        }
    }
}

impl Machine {
    fn this() -> Self {
        Self {
            cpu: field_of("/proc/cpuinfo", "model name", ':'),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: field_of("/etc/os-release", "PRETTY_NAME", '='),
        }
    }
}

/// Results and what is rendered of them do not count as changes.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| says(Command::new("git").arg("-C").arg(root).args(arguments));
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changes =
        ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!docs"];
    if git(&changes).is_empty() { commit } else { commit + "-dirty" }
}

/// The first line that a command prints.
fn says(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_string()
        }
        _ => UNKNOWN.to_string(),
    }
}

/// The value of the first line of a file that starts with `field`.
fn field_of(file: &str, field: &str, separator: char) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.trim_start().strip_prefix(separator));
    value.map_or(UNKNOWN, |value| value.trim().trim_matches('"')).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_unknown() {
        assert_eq!(says(Command::new("no-such-tool").arg("--version")), UNKNOWN);
        assert_eq!(field_of("/no/such/file", "model name", ':'), UNKNOWN);
    }

    #[test]
    fn fields_of_a_file_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "model\t: 85\nmodel name\t: Some CPU\nNAME=\"Debian: 12\"\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(field_of(path, "model name", ':'), "Some CPU");
        assert_eq!(field_of(path, "NAME", '='), "Debian: 12");
        assert_eq!(field_of(path, "VERSION", '='), UNKNOWN);
    }

    #[test]
    fn a_day_is_a_date() {
        let date = Provenance::now(Path::new("/"), &[]).date;
        assert!(date.len() == 10 && date.split('-').count() == 3, "{date}");
    }
}
