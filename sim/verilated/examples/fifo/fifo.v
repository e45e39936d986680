// First-in first-out buffer with ready/valid on both sides.
// A word moves on a rising clock edge where valid and ready are both high.
// DEPTH is a power of two.
module fifo #(
    parameter WIDTH = 32,
    parameter DEPTH = 16
) (
    input                    clk,
    input                    rst,
    input                    in_valid,
    output                   in_ready,
    input  [WIDTH-1:0]       in_data,
    output                   out_valid,
    input                    out_ready,
    output [WIDTH-1:0]       out_data,
    output [$clog2(DEPTH):0] level
);
  localparam INDEX = $clog2(DEPTH);

  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [INDEX:0] written;
  reg [INDEX:0] read;

  assign level     = written - read;
  assign in_ready  = level != DEPTH[INDEX:0];
  assign out_valid = level != 0;
  assign out_data  = words[read[INDEX-1:0]];

  always @(posedge clk) begin
    if (rst) begin
      written <= 0;
      read <= 0;
    end else begin
      if (in_valid && in_ready) begin
        words[written[INDEX-1:0]] <= in_data;
        written <= written + 1'b1;
      end
      if (out_valid && out_ready) read <= read + 1'b1;
    end
  end
endmodule
