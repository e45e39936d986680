//! Trace files, read back with a wave reader.

mod common;
use common::{COUNTER, build};
use std::path::Path;
use verilated::{Error, Initial, Model, Result, Trace};
use wellen::simple::Waveform;

fn counter(trace: Trace) -> Result<Model> {
    let mut model = build("counter", COUNTER).trace(trace).load()?.model(Initial::Zeros)?;
    model.set(model.port("step", 16)?, 3)?;
    Ok(model)
}

/// Traces cycles 5 to 14 of a run, and in a second file 20 to 24.
fn trace_windows(trace: Trace, extension: &str) -> Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let (first, second) = (
        folder.path().join("first").with_extension(extension),
        folder.path().join("second").with_extension(extension),
    );
    let mut model = counter(trace)?;
    let clk = model.port("clk", 1)?;
    model.ticks(clk, 5)?;
    model.open_trace(&first)?;
    model.ticks(clk, 10)?;
    model.close_trace()?;
    model.ticks(clk, 5)?;
    model.open_trace(&second)?;
    model.ticks(clk, 5)?;
    drop(model);
    check(&first, 10, 30, 5);
    check(&second, 40, 50, 20);
    Ok(())
}

/// The file spans the times and its counter counts on from `cycle`.
fn check(path: &Path, from: u64, to: u64, cycle: u64) {
    let mut wave = wellen::simple::read(path).expect("a readable trace");
    let times = wave.time_table().to_vec();
    assert_eq!((times.first(), times.last()), (Some(&from), Some(&to)), "{}", path.display());
    let values = counts(&mut wave);
    assert_eq!(values[0], 3 * (cycle + 1));
    assert!(values.windows(2).all(|pair| pair[1] == pair[0] + 3), "{values:?}");
}

fn counts(wave: &mut Waveform) -> Vec<u64> {
    let hierarchy = wave.hierarchy();
    let variable =
        hierarchy.iter_vars().find(|variable| variable.full_name(hierarchy).ends_with("counter.count"));
    let signal = variable.expect("the counter is in the trace").signal_ref();
    wave.load_signals(&[signal]);
    let changes = wave.get_signal(signal).expect("signal").iter_changes();
    let value = |text: String| u64::from_str_radix(&text, 2).expect("bits");
    changes.map(|(_, bits)| value(bits.to_bit_string().expect("bits"))).collect()
}

#[test]
fn vcd_files_open_and_close_while_running() -> Result<()> {
    trace_windows(Trace::Vcd, "vcd")
}

#[test]
fn fst_files_open_and_close_while_running() -> Result<()> {
    trace_windows(Trace::Fst, "fst")
}

#[test]
fn a_trace_needs_a_build_with_traces() -> Result<()> {
    let message = counter(Trace::Off)?.open_trace("never.vcd").expect_err("no traces").to_string();
    assert_eq!(message, "the model was built without traces: call Build::trace");
    Ok(())
}

#[test]
fn a_trace_in_a_missing_folder_is_an_error_and_the_model_runs_on() -> Result<()> {
    for trace in [Trace::Vcd, Trace::Fst] {
        let mut model = counter(trace)?;
        let error = model.open_trace("/no/such/folder/trace").expect_err("no folder");
        assert!(matches!(error, Error::File { .. }), "{error}");
        assert!(error.to_string().starts_with("cannot create '/no/such/folder/trace'"), "{error}");
        model.tick(model.port("clk", 1)?)?;
        assert_eq!(model.get(model.port("count", 16)?)?, 3);
    }
    Ok(())
}

#[test]
fn a_trace_is_complete_after_the_design_stopped() -> Result<()> {
    const STOPS: &str = "
module counter (input clk, output reg [15:0] count);
  initial count = 0;
  always @(posedge clk) begin count <= count + 3; if (count == 27) $stop; end
endmodule";
    for (trace, name) in [(Trace::Vcd, "stop.vcd"), (Trace::Fst, "stop.fst")] {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(name);
        let mut model = build("counter", STOPS).trace(trace).load()?.model(Initial::Zeros)?;
        model.open_trace(&path)?;
        model.ticks(model.port("clk", 1)?, 100).expect_err("stopped");
        model.close_trace()?;
        let mut wave = wellen::simple::read(&path).expect("a readable trace");
        assert_eq!(counts(&mut wave), [3, 6, 9, 12, 15, 18, 21, 24, 27]);
    }
    Ok(())
}
