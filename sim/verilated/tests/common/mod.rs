//! Designs that several tests use.
#![allow(dead_code)]

use verilated::Build;

/// Adds signed input to a signed sum on each clock edge.
pub const ACCUMULATOR: &str = "
module accumulator (input clk, input rst, input signed [11:0] in, output reg signed [19:0] sum);
  always @(posedge clk) if (rst) sum <= 0; else sum <= sum + {{8{in[11]}}, in};
endmodule
";

/// Counts, without any reset.
pub const COUNTER: &str = "
module counter (input clk, input [15:0] step, output reg [15:0] count, output reg [99:0] wide);
  always @(posedge clk) begin count <= count + step; wide <= {wide[98:0], wide[99]}; end
endmodule
";

/// Starts a build of a design given as text.
pub fn build(top: &str, text: &str) -> Build {
    Build::new(top).source_text(format!("{top}.v"), text)
}

/// Deterministic numbers for stimuli (xorshift64*).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number, all bits used.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
