//! Ports of every width, driven and read against Rust models.

mod common;
use common::{ACCUMULATOR, Numbers, build};
use verilated::{Initial, Result};

#[test]
fn accumulator_follows_its_rust_model() -> Result<()> {
    let mut model = build("accumulator", ACCUMULATOR).load()?.model(Initial::Random(3))?;
    let (clk, rst) = (model.port("clk", 1)?, model.port("rst", 1)?);
    let (input, sum) = (model.port("in", 12)?, model.port("sum", 20)?);
    model.reset(clk, rst, true, 1)?;
    let mut numbers = Numbers(7);
    let mut expected = 0i64;
    for cycle in 0..10_000 {
        let value = (numbers.next() % 4096) as i64 - 2048;
        model.set_signed(input, value)?;
        model.tick(clk)?;
        expected = (expected + value) << 44 >> 44;
        assert_eq!(model.get_signed(sum)?, expected, "cycle {cycle}");
        assert_eq!(model.get(sum)?, expected as u64 & 0xf_ffff);
    }
    Ok(())
}

#[test]
fn signed_values_at_both_ends_pass_through_every_storage_size() -> Result<()> {
    const COPY: &str = "
module copy (input signed [6:0] a7, output signed [6:0] b7, input signed [15:0] a16, output signed [15:0] b16,
             input signed [31:0] a32, output signed [31:0] b32, input signed [63:0] a64, output signed [63:0] b64,
             input signed [32:0] a33, output signed [32:0] b33);
  assign b7 = a7; assign b16 = a16; assign b32 = a32; assign b64 = a64; assign b33 = a33;
endmodule";
    let mut model = build("copy", COPY).load()?.model(Initial::Zeros)?;
    for width in [7, 16, 32, 33, 64] {
        let input = model.port(&format!("a{width}"), width)?;
        let output = model.port(&format!("b{width}"), width)?;
        let (lowest, highest) = (i64::MIN >> (64 - width), i64::MAX >> (64 - width));
        for value in [lowest, -1, 0, 1, highest] {
            model.set_signed(input, value)?;
            model.eval()?;
            assert_eq!(model.get_signed(output)?, value, "{width} bits");
        }
    }
    Ok(())
}

#[test]
fn wide_ports_pass_through_bit_for_bit() -> Result<()> {
    const ROTATE: &str = "
module rotate #(parameter WIDTH = 128) (input [WIDTH-1:0] in, output [WIDTH-1:0] out);
  assign out = {in[WIDTH-2:0], in[WIDTH-1]};
endmodule";
    let mut numbers = Numbers(11);
    for width in [65, 96, 100, 128, 512] {
        let mut model = build("rotate", ROTATE).parameter("WIDTH", width).load()?.model(Initial::Ones)?;
        let (input, output) = (model.port("in", width)?, model.port("out", width)?);
        let mut words: Vec<u64> = (0..input.words()).map(|_| numbers.next()).collect();
        let top = (width - 1) % 64;
        words[width as usize / 65] &= u64::MAX >> (63 - top);
        if let Some(last) = words.last_mut() {
            *last &= u64::MAX >> (63 - top);
        }
        model.set_words(input, &words)?;
        model.eval()?;
        let mut got = vec![u64::MAX; words.len()];
        model.get_words(output, &mut got)?;
        assert_eq!(got, rotated(&words, top), "{width} bits");
        let mut back = vec![0; words.len()];
        model.get_words(input, &mut back)?;
        assert_eq!(back, words, "{width} bits, read back");
    }
    Ok(())
}

/// Rotation left by one bit; the last word uses bits up to `top`.
fn rotated(words: &[u64], top: u32) -> Vec<u64> {
    let last = words.len() - 1;
    let mut carry = words[last] >> top & 1;
    let mut out = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let kept = if index == last { u64::MAX >> (63 - top) } else { u64::MAX };
        out.push((word << 1 | carry) & kept);
        carry = word >> 63;
    }
    out
}

#[test]
fn narrow_ports_are_one_word_too() -> Result<()> {
    let mut model = build("accumulator", ACCUMULATOR).load()?.model(Initial::Zeros)?;
    let input = model.port("in", 12)?;
    model.set_words(input, &[0x823])?;
    let mut word = [u64::MAX];
    model.get_words(input, &mut word)?;
    assert_eq!((word[0], model.get(input)?), (0x823, 0x823));
    Ok(())
}

#[test]
fn ports_are_listed_with_their_verilog_names() -> Result<()> {
    const NAMES: &str = "
module names (input a__b, output \\odd.name , input [9:0] c, output [69:0] d, input [7:0] list [0:3]);
  assign \\odd.name = a__b & |list[1]; assign d = {60'd0, c};
endmodule";
    let library = build("names", NAMES).argument("--language").argument("1800-2017").load()?;
    let mut ports: Vec<_> =
        library.ports().map(|(name, port)| (name, port.width(), port.is_input())).collect();
    ports.sort_unstable();
    assert_eq!(ports, [("a__b", 1, true), ("c", 10, true), ("d", 70, false), ("odd.name", 1, false)]);
    Ok(())
}

#[test]
fn parameters_and_macros_reach_the_design() -> Result<()> {
    const ADD: &str = "module add #(parameter N = 1) (output [15:0] out); assign out = N + `EXTRA; endmodule";
    let model = build("add", ADD).parameter("N", 200).define("EXTRA", 34).load()?.model(Initial::Zeros)?;
    assert_eq!(model.get(model.port("out", 16)?)?, 234);
    Ok(())
}

#[test]
fn time_advances_by_the_clock_period() -> Result<()> {
    let mut model = build("accumulator", ACCUMULATOR).load()?.model(Initial::Zeros)?;
    let clk = model.port("clk", 1)?;
    assert_eq!(model.time(), 0);
    model.ticks(clk, 10)?;
    assert_eq!(model.time(), 20);
    model.set_half_period(5);
    model.tick(clk)?;
    model.advance(3)?;
    assert_eq!(model.time(), 33);
    Ok(())
}

#[test]
fn finish_ends_the_run_and_not_the_process() -> Result<()> {
    const LIMITED: &str = "
module limited (input clk, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk) begin count <= count + 1; if (count >= 4) $finish; end
endmodule";
    let mut model = build("limited", LIMITED).load()?.model(Initial::Zeros)?;
    let (clk, count) = (model.port("clk", 1)?, model.port("count", 8)?);
    assert!(!model.finished());
    model.ticks(clk, 100)?;
    assert!(model.finished());
    assert_eq!(model.get(count)?, 5);
    model.tick(clk)?;
    assert_eq!(model.get(count)?, 5, "no clock after $finish");
    Ok(())
}
