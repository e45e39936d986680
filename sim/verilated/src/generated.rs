//! Reads what Verilator wrote: file lists, ports, inputs.

use crate::error::{Error, Result, file_error};
use std::{
    fs,
    path::{self, Path, PathBuf},
};

/// The lists of `V<top>_classes.mk`, names without folder and extension.
pub(crate) struct Classes {
    pub fast: Vec<String>,
    pub slow: Vec<String>,
    pub runtime: Vec<String>,
    pub switches: Vec<String>,
}

impl Classes {
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("Vmodel_classes.mk");
        let text = fs::read_to_string(&path).map_err(file_error("read", &path))?;
        let lists = |names: [&str; 2]| names.iter().flat_map(|name| list(&text, name)).collect::<Vec<_>>();
        let classes = Self {
            fast: lists(["VM_CLASSES_FAST", "VM_SUPPORT_FAST"]),
            slow: lists(["VM_CLASSES_SLOW", "VM_SUPPORT_SLOW"]),
            runtime: lists(["VM_GLOBAL_FAST", "VM_GLOBAL_SLOW"]),
            switches: switches(&text),
        };
        if classes.fast.is_empty() || classes.runtime.is_empty() {
            return Err(Error::Generated { path, reason: "it lists no C++ files".into() });
        }
        Ok(classes)
    }
}

/// Words of the make variable `name`, which goes over continuation lines.
fn list(text: &str, name: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| line.split_whitespace().next() != Some(name));
    let mut words = Vec::new();
    for line in lines.by_ref() {
        let value = line.split_once("+=").map_or(line, |(_, value)| value);
        words.extend(value.trim_end_matches('\\').split_whitespace().map(String::from));
        if !line.ends_with('\\') {
            break;
        }
    }
    words
}

/// `NAME=VALUE` of each 0/1 switch, as the generated C++ expects them to be defined.
fn switches(text: &str) -> Vec<String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, value)| name.starts_with("VM_") && matches!(*value, "0" | "1"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// A port as declared in the generated header.
#[derive(Debug, PartialEq)]
struct Declaration {
    name: String,
    member: String,
    width: u32,
    input: bool,
}

/// Writes `ports.inc`, the port table of the shim.
pub(crate) fn write_port_table(folder: &Path) -> Result<()> {
    let header = folder.join("Vmodel.h");
    let text = fs::read_to_string(&header).map_err(file_error("read", &header))?;
    let lines = text.lines().filter_map(declaration).map(|port| {
        format!("PORT(\"{}\", {}, {}, {})\n", port.name, port.member, port.width, u32::from(port.input))
    });
    let path = folder.join("ports.inc");
    fs::write(&path, lines.collect::<String>()).map_err(file_error("write", path))
}

/// Reads one line such as `VL_INW(&data,127,0,4);`. Unpacked arrays have no such form and give none.
fn declaration(line: &str) -> Option<Declaration> {
    let (kind, arguments) = line.trim().strip_prefix("VL_")?.strip_suffix(");")?.split_once("(&")?;
    let kind = kind.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'W');
    if !matches!(kind, "IN" | "OUT" | "INOUT") {
        return None;
    }
    let mut arguments = arguments.split(',');
    let member = arguments.next()?;
    let high: i64 = arguments.next()?.trim().parse().ok()?;
    let low: i64 = arguments.next()?.trim().parse().ok()?;
    let width = u32::try_from(high.abs_diff(low) + 1).ok()?;
    Some(Declaration { name: verilog_name(member), member: member.into(), width, input: kind != "OUT" })
}

/// Undoes Verilator's encoding: `__0` and two hexadecimal digits stand for one character.
fn verilog_name(member: &str) -> String {
    let mut rest = member.strip_prefix("__SYM__").unwrap_or(member);
    let mut name = String::new();
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix("__0").and_then(|code| u8::from_str_radix(code.get(..2)?, 16).ok());
        name.push(code.map_or(first, char::from));
        rest = &rest[if code.is_some() { "__0HH".len() } else { first.len_utf8() }..];
    }
    name
}

/// Every file that Verilator read, its own program left out. The path is the
/// last field of a line, in quotes; newer versions put a hash before it.
pub(crate) fn files_read(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = folder.join("Vmodel__verFiles.dat");
    let text = fs::read_to_string(&list).map_err(file_error("read", &list))?;
    let sources = text.lines().filter(|line| line.starts_with("S "));
    let names = sources.filter_map(|line| line.rsplit('"').nth(1)).map(Path::new);
    let inputs = names.filter(|name| !is_verilator(name));
    inputs.map(|name| path::absolute(name).map_err(file_error("find", name))).collect()
}

fn is_verilator(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("verilator_bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn make_lists_follow_continuation_lines() {
        let text = "A += \\\n\tone \\\n\ttwo \\\n\nB = 1\nAB += \\\n\tthree \\\n\n";
        assert_eq!(list(text, "A"), ["one", "two"]);
        assert_eq!(list(text, "AB"), ["three"]);
        assert!(list(text, "C").is_empty());
    }

    #[test]
    fn switches_keep_flags_only() {
        assert_eq!(switches("VM_TRACE = 1\nVM_X += a\n# VM_C? 0/1\nOTHER = 1\n"), ["VM_TRACE=1"]);
    }

    #[test]
    fn declarations_give_name_width_and_direction() {
        let port = |name: &str, member: &str, width, input| {
            Some(Declaration { name: name.into(), member: member.into(), width, input })
        };
        assert_eq!(declaration("    VL_IN8(&clk,0,0);"), port("clk", "clk", 1, true));
        assert_eq!(declaration("VL_OUTW(&wide,99,0,4);"), port("wide", "wide", 100, false));
        assert_eq!(declaration("VL_INOUT16(&io,0,15);"), port("io", "io", 16, true));
        assert_eq!(declaration("VL_IN8((&arr)[4],7,0);"), None);
        assert_eq!(declaration("VL_UNCOPYABLE(Vmodel);"), None);
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!(verilog_name("b___05Fx"), "b__x");
        assert_eq!(verilog_name("odd__02ename"), "odd.name");
        assert_eq!(verilog_name("__SYM__int"), "int");
        assert_eq!(verilog_name("end__0"), "end__0");
    }
}
