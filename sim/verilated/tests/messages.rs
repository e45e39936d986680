//! Every error says what is wrong and what to do.

mod common;
use common::{ACCUMULATOR, COUNTER, build};
use std::fmt::Debug;
use verilated::{Build, Error, Initial, Library, Result};

/// The message of an error, which must hold each of the parts.
fn assert_says<T: Debug>(result: Result<T>, parts: &[&str]) {
    let message = result.expect_err("an error").to_string();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn a_missing_verilator_tells_how_to_install_it() {
    let build = build("counter", COUNTER).verilator("/nowhere/verilator");
    assert_says(build.load(), &["cannot run '/nowhere/verilator'", "apt-get install verilator", "VERILATOR"]);
}

#[test]
fn a_missing_compiler_tells_how_to_install_it() {
    let build = build("counter", COUNTER).compiler("/nowhere/c++");
    assert_says(build.load(), &["cannot run '/nowhere/c++'", "apt-get install g++", "CXX"]);
}

#[cfg(unix)]
#[test]
fn an_old_verilator_is_named_with_its_version() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let old = folder.path().join("verilator");
    std::fs::write(&old, "#!/bin/sh\necho Verilator 4.038 2020-07-11\n").expect("script");
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).expect("script");
    let build = build("counter", COUNTER).verilator(old);
    assert_says(build.load(), &["Verilator 4.038", "Verilator 5.006 or newer is needed"]);
}

#[test]
fn a_missing_source_is_named() {
    assert_says(Build::new("x").source("/nowhere/x.v").load(), &["cannot read '/nowhere/x.v'"]);
}

#[test]
fn a_syntax_error_comes_with_file_and_line() {
    let text = "module broken (input clk);\n  assign = 1;\nendmodule\n";
    assert_says(build("broken", text).load(), &["top module 'broken'", "broken.v:2:", "syntax error"]);
}

#[test]
fn a_missing_top_module_is_named() {
    assert_says(build("other", COUNTER).load(), &["cannot build top module 'other'"]);
}

#[test]
fn a_failing_compiler_shows_its_command() {
    assert_says(build("counter", COUNTER).compiler("false").load(), &["cannot compile", "\"false\""]);
}

#[test]
fn an_object_that_cannot_be_loaded_is_named() {
    // SAFETY: nothing is there to be loaded.
    assert_says(unsafe { Library::open("/nowhere/model.so") }, &["cannot load model '/nowhere/model.so'"]);
}

#[test]
fn an_unknown_port_lists_the_known_ones() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    assert_says(library.port("cont", 16), &["no port 'cont'", "clk", "step", "count", "wide"]);
    Ok(())
}

#[test]
fn a_wrong_width_gives_both_widths() -> Result<()> {
    let mut model = build("counter", COUNTER).load()?.model(Initial::Zeros)?;
    assert_says(model.port("count", 8), &["port 'count' is 16 bits wide, not 8"]);
    let (step, wide) = (model.port("step", 16)?, model.port("wide", 100)?);
    assert_says(model.get(wide), &["port 'wide' is 100 bits wide, not 64"]);
    assert_says(model.get_words(wide, &mut [0; 3]), &["port 'wide' is 100 bits wide, not 192"]);
    assert_says(model.set_words(step, &[1, 2]), &["port 'step' is 16 bits wide, not 128"]);
    assert_says(model.tick(step), &["port 'step' is 16 bits wide, not 1"]);
    Ok(())
}

#[test]
fn a_value_too_large_is_refused() -> Result<()> {
    let mut model = build("accumulator", ACCUMULATOR).load()?.model(Initial::Zeros)?;
    let input = model.port("in", 12)?;
    assert_says(model.set(input, 4096), &["value 4096 does not fit port 'in' of 12 bits"]);
    assert_says(model.set_signed(input, 2048), &["value 2048 does not fit port 'in' of 12 bits"]);
    assert_says(model.set_signed(input, -2049), &["value -2049 does not fit port 'in' of 12 bits"]);
    assert_says(model.set_words(input, &[0x1000]), &["value [1000] does not fit port 'in' of 12 bits"]);
    assert_eq!(model.get(input)?, 0, "nothing was driven");
    Ok(())
}

#[test]
fn an_output_cannot_be_driven() -> Result<()> {
    let mut model = build("counter", COUNTER).load()?.model(Initial::Zeros)?;
    let count = model.port("count", 16)?;
    assert_says(model.set(count, 1), &["port 'count' is an output"]);
    Ok(())
}

#[test]
fn a_port_of_another_library_is_refused() -> Result<()> {
    let foreign = build("accumulator", ACCUMULATOR).load()?.port("sum", 20)?;
    let mut model = build("counter", COUNTER).load()?.model(Initial::Zeros)?;
    for result in [model.get(foreign).map(drop), model.set(foreign, 0), model.get_words(foreign, &mut [0])] {
        assert!(matches!(result, Err(Error::ForeignPort)), "{result:?}");
    }
    Ok(())
}

#[test]
fn stop_is_an_error_with_file_and_line_and_stays() -> Result<()> {
    let text = "module halts (input clk);\n  always @(posedge clk)\n    $stop;\nendmodule\n";
    let mut model = build("halts", text).load()?.model(Initial::Zeros)?;
    let clk = model.port("clk", 1)?;
    assert_says(model.tick(clk), &["stopped at time 0", "halts.v:3", "$stop"]);
    assert_says(model.eval(), &["halts.v:3"]);
    Ok(())
}

#[test]
fn assertions_count_only_when_asked_for() -> Result<()> {
    let text = "module narrow (input clk, input [3:0] value);\n  always @(posedge clk)\n    assert (value < 9);\nendmodule\n";
    let build = Build::new("narrow").source_text("narrow.sv", text);
    for check in [false, true] {
        let mut model = build.clone().assertions(check).load()?.model(Initial::Zeros)?;
        let (clk, value) = (model.port("clk", 1)?, model.port("value", 4)?);
        model.set(value, 8)?;
        model.tick(clk)?;
        model.set(value, 9)?;
        let result = model.tick(clk);
        assert_eq!(result.is_err(), check, "{result:?}");
        if check {
            assert_says(result, &["narrow.sv:3"]);
        }
    }
    Ok(())
}

#[test]
fn a_loop_that_does_not_settle_is_an_error() -> Result<()> {
    let text = "module ring (input on, output out);\n  /* verilator lint_off UNOPTFLAT */\n  \
                wire ring = on & ~out;\n  assign out = ring;\nendmodule\n";
    let mut model = build("ring", text).load()?.model(Initial::Zeros)?;
    model.set(model.port("on", 1)?, 1)?;
    assert_says(model.eval(), &["ring.v", "did not converge"]);
    Ok(())
}

#[test]
fn coverage_needs_a_build_with_coverage() -> Result<()> {
    let mut model = build("counter", COUNTER).load()?.model(Initial::Zeros)?;
    assert_says(model.write_coverage("never.dat"), &["built without coverage: call Build::coverage"]);
    Ok(())
}
