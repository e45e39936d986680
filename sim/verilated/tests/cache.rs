//! Builds are found again, made again when an input changes, and opened later.
#![cfg(unix)]

mod common;
use common::{COUNTER, build};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use verilated::{Build, Initial, Library, Optimisation, Result};

/// A folder without any build of `top`. All tests share the compiled runtime, so each has its own `top`.
fn folder_without(top: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    fs::create_dir_all(&folder).expect("folder");
    for entry in fs::read_dir(&folder).expect("folder") {
        let entry = entry.expect("entry");
        if entry.file_name().to_string_lossy().starts_with(&format!("{top}-")) && entry.path().is_dir() {
            fs::remove_dir_all(entry.path()).expect("old build");
        }
    }
    folder
}

/// The build of a counter under the name `top`, never made before.
fn new_build(top: &str) -> Build {
    build(top, &COUNTER.replace("counter", top)).folder(folder_without(top))
}

/// A program of this name and these shell lines.
fn script(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("script");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("script");
    path
}

/// A Verilator that notes each of its runs in `runs.txt`.
fn recording_verilator(folder: &Path) -> PathBuf {
    let notes = folder.join("runs.txt");
    let lines = format!("echo \"$@\" >> {}\nexec verilator \"$@\"", notes.display());
    script(folder, "recording_verilator", &lines)
}

/// A compiler that fails as long as the file `fail` exists.
fn failing_compiler(folder: &Path) -> PathBuf {
    let fail = folder.join("fail");
    fs::write(&fail, "").expect("fail");
    let lines = format!("[ -e {} ] && [ $1 != --version ] && exit 1\nexec c++ \"$@\"", fail.display());
    script(folder, "failing_compiler", &lines)
}

fn runs(folder: &Path) -> usize {
    fs::read_to_string(folder.join("runs.txt")).expect("runs").lines().count()
}

#[test]
fn the_second_build_does_not_run_verilator() -> Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let build = new_build("twice").verilator(recording_verilator(folder.path()));
    assert!(!build.compile()?.is_cached());
    let first = runs(folder.path());
    assert!(first >= 1);
    let second = build.compile()?;
    assert!(second.is_cached());
    assert_eq!(runs(folder.path()), first);
    second.load()?.model(Initial::Zeros)?;
    Ok(())
}

#[test]
fn every_option_that_changes_the_model_builds_anew() -> Result<()> {
    let first = new_build("options");
    assert!(!first.compile()?.is_cached());
    let others: [Build; 3] = [
        first.clone().optimisation(Optimisation::O0),
        first.clone().argument("-Wall"),
        first.clone().source_text("more.v", "module more; endmodule"),
    ];
    for other in others {
        assert!(!other.compile()?.is_cached());
        assert!(other.jobs(1).compile()?.is_cached(), "the number of jobs changes nothing");
    }
    assert!(first.compile()?.is_cached());
    Ok(())
}

#[test]
fn a_changed_include_file_builds_anew() -> Result<()> {
    let sources = tempfile::tempdir().expect("folder");
    let (main, include) = (sources.path().join("main.v"), sources.path().join("value.vh"));
    let text = "module main (output [7:0] out);\n`include \"value.vh\"\nassign out = VALUE;\nendmodule\n";
    fs::write(&main, text).expect("main.v");
    let build =
        Build::new("main").source(&main).include_folder(sources.path()).folder(folder_without("main"));
    for value in [17, 18] {
        fs::write(&include, format!("localparam VALUE = {value};\n")).expect("value.vh");
        let artifact = build.compile()?;
        assert!(!artifact.is_cached());
        assert!(artifact.inputs().starts_with(&[main.clone(), include.clone()]));
        let model = artifact.load()?.model(Initial::Zeros)?;
        assert_eq!(model.get(model.port("out", 8)?)?, value);
    }
    assert!(build.compile()?.is_cached());
    Ok(())
}

#[test]
fn a_build_that_failed_is_not_taken_for_finished() -> Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let build = new_build("failed").compiler(failing_compiler(folder.path()));
    assert!(build.compile().is_err());
    fs::remove_file(folder.path().join("fail")).expect("fail");
    assert!(!build.compile()?.is_cached());
    Ok(())
}

#[test]
fn warnings_are_kept_with_the_build() -> Result<()> {
    let text = "module cut (input [7:0] in, output [3:0] out); assign out = in; endmodule";
    let build = build("cut", text).folder(folder_without("cut"));
    for cached in [false, true] {
        let artifact = build.compile()?;
        assert_eq!(artifact.is_cached(), cached);
        assert!(artifact.warnings().contains("%Warning-WIDTH"), "{}", artifact.warnings());
    }
    Ok(())
}

#[test]
fn an_object_built_earlier_opens_by_its_path() -> Result<()> {
    let path = build("counter", COUNTER).compile()?.path().to_path_buf();
    // SAFETY: built one line above.
    let library = unsafe { Library::open(path)? };
    assert_eq!(library.port("wide", 100)?.words(), 2);
    Ok(())
}

#[test]
fn coverage_is_counted_and_written() -> Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let mut model = build("counter", COUNTER).coverage(true).load()?.model(Initial::Zeros)?;
    model.ticks(model.port("clk", 1)?, 10)?;
    let path = folder.path().join("coverage.dat");
    model.write_coverage("/no/such/folder/coverage.dat").expect_err("no folder");
    model.write_coverage(&path)?;
    assert!(fs::read_to_string(path).expect("coverage").starts_with("# SystemC::Coverage"));
    Ok(())
}
