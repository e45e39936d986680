//! Runs Verilator and the C++ compiler.

use crate::error::{Error, Result};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, PoisonError},
};

/// Oldest Verilator that the tests of this crate pass on: major and minor number.
pub(crate) const OLDEST_VERILATOR: (u32, u32) = (5, 6);

const VERILATOR_HINT: &str = "install Verilator 5.006 or newer (Debian, Ubuntu: apt-get install verilator; \
     macOS: brew install verilator), or name the program in the environment variable VERILATOR";
const COMPILER_HINT: &str = "install a C++17 compiler (Debian, Ubuntu: apt-get install g++), \
     or name the program in the environment variable CXX";

/// The version line of Verilator, refused when too old.
pub(crate) fn verilator_version(tool: &Path) -> Result<String> {
    let version = version(tool, VERILATOR_HINT)?;
    if version_number(&version).is_none_or(|number| number < OLDEST_VERILATOR) {
        return Err(Error::ToolTooOld { tool: tool.into(), version, needed: OLDEST_VERILATOR });
    }
    Ok(version)
}

/// The version line of the C++ compiler.
pub(crate) fn compiler_version(tool: &Path) -> Result<String> {
    version(tool, COMPILER_HINT)
}

/// Verilator's folder of runtime sources.
pub(crate) fn verilator_include(tool: &Path) -> Result<PathBuf> {
    let output = run(Command::new(tool).args(["--getenv", "VERILATOR_ROOT"]), VERILATOR_HINT)?;
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("include"))
}

/// Runs Verilator proper; its warnings when it succeeds.
pub(crate) fn verilate(command: &mut Command, top: &str) -> Result<String> {
    let output = run(command, VERILATOR_HINT)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
    }
    Err(Error::Verilog { top: top.into(), message: messages(&output) })
}

/// Runs one compile or link command.
pub(crate) fn compile(command: &mut Command) -> Result<()> {
    let output = run(command, COMPILER_HINT)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Compile { command: format!("{command:?}"), message: messages(&output) })
}

/// First line of `--version`, asked once in a process for each tool.
fn version(tool: &Path, hint: &'static str) -> Result<String> {
    static KNOWN: Mutex<Option<HashMap<PathBuf, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(version) = known.get(tool) {
        return Ok(version.clone());
    }
    let output = run(Command::new(tool).arg("--version"), hint)?;
    let version = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
    known.insert(tool.into(), version.clone());
    Ok(version)
}

/// The numbers of a line such as `Verilator 5.006 2023-01-22`.
fn version_number(line: &str) -> Option<(u32, u32)> {
    let number = line.strip_prefix("Verilator ")?.split_whitespace().next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn run(command: &mut Command, hint: &'static str) -> Result<Output> {
    command.output().map_err(|source| tool_missing(command, hint, source))
}

fn tool_missing(command: &Command, hint: &'static str, source: io::Error) -> Error {
    Error::ToolMissing { tool: command.get_program().into(), hint, source }
}

fn messages(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_lines_are_read() {
        assert_eq!(version_number("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)"), Some((5, 6)));
        assert_eq!(version_number("Verilator 4.038 devel"), Some((4, 38)));
        assert_eq!(version_number("Icarus"), None);
    }
}
