//! Every bitstream in the repository is what its manifest says.
#![cfg(unix)]

#[path = "deploy/bench.rs"]
mod bench;
mod common;
#[path = "bitstreams/zcu102.rs"]
mod zcu102;

use std::path::Path;

use bench::{BOARD, Bench};
use common::root;
use edge_moe::bitstream::{self, Bitstream, MANIFEST};
use edge_moe_isa::arch::ArchConfig;

/// What is wrong with the folder of a board: size, SHA-256, container with its CRCs, IDCODE, versions, name,
/// configuration, constraints.
fn problem(boards: &Path, board: &str) -> Option<String> {
    let files = boards.join(board);
    let opened = Bitstream::open(&files.join(MANIFEST), None);
    let bitstream = match opened.and_then(|bitstream| bitstream.check_versions().map(|()| bitstream)) {
        Ok(bitstream) => bitstream,
        Err(error) => return Some(error.to_string()),
    };
    let manifest = &bitstream.manifest;
    if manifest.board != board {
        return Some(format!("{board}: its manifest is that of {}", manifest.board));
    }
    if ArchConfig::by_name(&manifest.arch.name).as_ref() != Some(&manifest.arch) {
        return Some(format!("{board}: `{}` has other sizes by now: build it again", manifest.arch.name));
    }
    manifest.check_constraints(&files).err()
}

#[test]
fn every_bitstream_is_what_its_manifest_says() {
    let boards = root().join("bitstreams");
    let shipped = bitstream::boards(&boards).unwrap();
    assert_eq!(shipped, ["ulx3s-85f"]);
    for board in shipped {
        assert_eq!(problem(&boards, &board), None);
    }
}

/// What is shipped is what the Verilog of today makes.
#[cfg(feature = "sim")]
#[test]
fn every_bitstream_is_made_of_the_present_verilog() {
    let boards = root().join("bitstreams");
    for board in bitstream::boards(&boards).unwrap() {
        let opened = Bitstream::open(&boards.join(&board).join(MANIFEST), None).unwrap();
        let unit = edge_moe_hdl::board::top(&board).expect("a board with a bitstream has a top unit");
        let verilog = (unit.verilog)(unit.name).unwrap();
        assert_eq!(opened.manifest.check_verilog(&verilog), Ok(()), "make bitstream-ship BOARD={board}");
    }
}

/// A board's folder that has a bitstream (`.bit`, `.bin`) but no manifest: recipes alone need none.
fn without_manifest(folder: &Path) -> Option<String> {
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_bitstream =
        |path: &Path| path.extension().is_some_and(|ending| ending == "bit" || ending == "bin");
    entries(folder)
        .filter(|board| board.is_dir() && !board.join(MANIFEST).is_file())
        .find(|board| entries(board).any(|path| is_bitstream(&path)))
        .map(|board| board.display().to_string())
}

#[test]
fn every_bitstream_has_a_manifest() {
    assert_eq!(without_manifest(&root().join("bitstreams")), None);
}

#[test]
fn a_bitstream_without_a_manifest_is_found() {
    let bench = Bench::new();
    let boards = bench.path("bitstreams");
    let recipe = boards.join("zcu102");
    std::fs::create_dir(&recipe).unwrap();
    std::fs::write(recipe.join("build.tcl"), "").unwrap();
    assert_eq!(without_manifest(&boards), None);
    for name in ["edge-moe.bit", "edge-moe.bin"] {
        std::fs::write(recipe.join(name), "").unwrap();
        assert_eq!(without_manifest(&boards), Some(recipe.display().to_string()));
        std::fs::remove_file(recipe.join(name)).unwrap();
    }
}

/// The check itself, on a folder that a recipe could have made, whatever the repository holds.
#[test]
fn what_does_not_fit_its_manifest_is_found() {
    let bench = Bench::new();
    let boards = bench.path("bitstreams");
    assert_eq!(problem(&boards, BOARD), None);
    let damages: [(&str, &str, &str, &str); 4] = [
        ("manifest.toml", "board = \"ulx3s-25f\"", "board = \"other\"", "its manifest is that of other"),
        ("manifest.toml", "bank_words = 64", "bank_words = 32", "`tiny` has other sizes"),
        ("manifest.toml", "interface_version = 1", "interface_version = 9", "has interface version 9"),
        ("ulx3s.lpf", "25 MHZ", "50 MHZ", "ulx3s.lpf has SHA-256 "),
    ];
    for (name, from, to, expected) in damages {
        let path = boards.join(BOARD).join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{name} has no `{from}`");
        std::fs::write(&path, before.replacen(from, to, 1)).unwrap();
        let found = problem(&boards, BOARD).unwrap_or_default();
        assert!(found.contains(expected), "{from}: {found}");
        std::fs::write(&path, before).unwrap();
    }
    std::fs::write(bench.bitstream(), b"no bitstream").unwrap();
    assert!(problem(&boards, BOARD).unwrap_or_default().contains("has 12 bytes"));
}
