// Stands in for a core of `tiny` in tests of the bench. It reads descriptors as bursts of 16 words and
// stores word i of descriptor d, twice, in scratchpad word 16·d + i. Unless the first byte is zero
// (`end`), it then writes 16 words 256·d + i to memory address 64·d and word d of the residual memory.
module edge_moe(
  input wire aclk, input wire aresetn, output wire irq,
  input wire [11:0] s_axi_awaddr, input wire [2:0] s_axi_awprot, input wire s_axi_awvalid, output wire s_axi_awready,
  input wire [31:0] s_axi_wdata, input wire [3:0] s_axi_wstrb, input wire s_axi_wvalid, output wire s_axi_wready,
  output wire [1:0] s_axi_bresp, output reg s_axi_bvalid, input wire s_axi_bready,
  input wire [11:0] s_axi_araddr, input wire [2:0] s_axi_arprot, input wire s_axi_arvalid, output wire s_axi_arready,
  output reg [31:0] s_axi_rdata, output wire [1:0] s_axi_rresp, output reg s_axi_rvalid, input wire s_axi_rready,
  output wire [0:0] m_axi_0_arid, output wire [39:0] m_axi_0_araddr, output wire [7:0] m_axi_0_arlen,
  output wire [2:0] m_axi_0_arsize, output wire [1:0] m_axi_0_arburst, output wire m_axi_0_arvalid, input wire m_axi_0_arready,
  input wire [0:0] m_axi_0_rid, input wire [31:0] m_axi_0_rdata, input wire [1:0] m_axi_0_rresp, input wire m_axi_0_rlast,
  input wire m_axi_0_rvalid, output wire m_axi_0_rready,
  output wire [0:0] m_axi_0_awid, output wire [39:0] m_axi_0_awaddr, output wire [7:0] m_axi_0_awlen,
  output wire [2:0] m_axi_0_awsize, output wire [1:0] m_axi_0_awburst, output wire m_axi_0_awvalid, input wire m_axi_0_awready,
  output wire [31:0] m_axi_0_wdata, output wire [3:0] m_axi_0_wstrb, output wire m_axi_0_wlast, output wire m_axi_0_wvalid,
  input wire m_axi_0_wready,
  input wire [0:0] m_axi_0_bid, input wire [1:0] m_axi_0_bresp, input wire m_axi_0_bvalid, output wire m_axi_0_bready,
  output wire observe_scratchpad_write, output wire [19:0] observe_scratchpad_address, output wire [63:0] observe_scratchpad_data,
  output wire observe_residual_write, output wire [19:0] observe_residual_address, output wire [63:0] observe_residual_data,
  output wire [3:0] observe_activity, output wire [11:0] observe_descriptor, output wire observe_settled, output wire observe_running
);
  localparam IDLE = 0, ASK = 1, READ = 2, WRITE = 3, ANSWER = 4, SETTLE = 5;
  reg [2:0] state;
  reg [31:0] base_low, base_high, program_address, timeout, waited, cycles, error, error_descriptor;
  reg [31:0] mode;
  reg [11:0] index;
  reg [3:0] beat;
  reg [3:1] status;
  reg end_found, address_sent, owed;
  wire running = state != IDLE;
  wire [39:0] base = {base_high[7:0], base_low};
  wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  wire start = write && s_axi_awaddr == 12'h050 && s_axi_wdata[0];
  wire read_beat = m_axi_0_rvalid && state == READ;
  wire write_beat = m_axi_0_wvalid && m_axi_0_wready;
  wire moved = read_beat || write_beat || (state == ASK && m_axi_0_arready) || state == SETTLE;

  assign irq = mode[1] && (status[1] || status[2]);
  assign {s_axi_awready, s_axi_wready, s_axi_arready} = {write, write, s_axi_arvalid && !s_axi_rvalid};
  assign {s_axi_bresp, s_axi_rresp} = 0;
  assign m_axi_0_arid = 1;
  assign m_axi_0_araddr = base + program_address + {index, 6'd0};
  assign {m_axi_0_arlen, m_axi_0_arsize, m_axi_0_arburst} = {8'd15, 3'd2, 2'd1};
  assign m_axi_0_arvalid = state == ASK;
  assign m_axi_0_rready = 1;
  assign m_axi_0_awid = 0;
  assign m_axi_0_awaddr = base + {index, 6'd0};
  assign {m_axi_0_awlen, m_axi_0_awsize, m_axi_0_awburst} = {8'd15, 3'd2, 2'd1};
  assign m_axi_0_awvalid = (state == WRITE || state == ANSWER) && !address_sent;
  assign m_axi_0_wdata = {index, 4'd0, 4'd0} + beat;
  assign m_axi_0_wstrb = 4'hf;
  assign m_axi_0_wlast = beat == 15;
  assign m_axi_0_wvalid = state == WRITE;
  assign m_axi_0_bready = state == ANSWER;
  assign observe_scratchpad_write = read_beat;
  assign observe_scratchpad_address = {index, beat};
  assign observe_scratchpad_data = {m_axi_0_rdata, m_axi_0_rdata};
  assign observe_residual_write = state == SETTLE && !end_found;
  assign observe_residual_address = index;
  assign observe_residual_data = {4{4'd0, index}};
  assign observe_activity = read_beat ? 0 : state <= READ ? 8 : state == SETTLE ? 7 : 6;
  assign observe_descriptor = index;
  assign observe_settled = state == SETTLE;
  assign observe_running = running;

  always @(posedge aclk) begin
    if (running) {cycles, waited} <= {cycles + 1, moved ? 0 : waited + 1};
    if (s_axi_bready) s_axi_bvalid <= 0;
    if (s_axi_rready) s_axi_rvalid <= 0;
    if (s_axi_arready) begin
      s_axi_rvalid <= 1;
      case (s_axi_araddr)
        12'h000: s_axi_rdata <= 32'h454f4d45;
        12'h054: s_axi_rdata <= {status, running};
        12'h058: s_axi_rdata <= error;
        12'h05c: s_axi_rdata <= error_descriptor;
        12'h078: s_axi_rdata <= timeout;
        12'h080: s_axi_rdata <= cycles;
        default: s_axi_rdata <= 0;
      endcase
    end
    if (m_axi_0_rvalid && m_axi_0_rlast) owed <= 0;
    case (state)
      ASK: if (m_axi_0_arready) {state, beat, owed} <= {READ[2:0], 4'd0, 1'b1};
      READ: if (read_beat) begin
        beat <= beat + 1;
        if (beat == 0) end_found <= m_axi_0_rdata[7:0] == 0;
        if (m_axi_0_rresp != 0) {state, status[2], error, error_descriptor} <= {IDLE[2:0], 1'b1, 32'd5, 20'd0, index};
        else if (m_axi_0_rlast) {state, address_sent} <= {end_found ? SETTLE[2:0] : WRITE[2:0], 1'b0};
      end
      WRITE: if (m_axi_0_wready) begin
        beat <= beat + 1;
        if (m_axi_0_wlast) state <= ANSWER;
      end
      ANSWER: if (m_axi_0_bvalid) state <= SETTLE;
      SETTLE: if (end_found) {state, status[1]} <= {IDLE[2:0], 1'b1};
              else {state, index} <= {ASK[2:0], index + 12'd1};
      default: ;
    endcase
    if (m_axi_0_awvalid && m_axi_0_awready) address_sent <= 1;
    if (running && waited == timeout)
      {state, status[2], error, error_descriptor} <= {IDLE[2:0], 1'b1, 32'd7, 20'd0, index};
    if (write) begin
      s_axi_bvalid <= 1;
      case (s_axi_awaddr)
        12'h060: mode <= s_axi_wdata;
        12'h064: base_low <= s_axi_wdata;
        12'h068: base_high <= s_axi_wdata;
        12'h074: program_address <= s_axi_wdata;
        12'h078: timeout <= s_axi_wdata;
        default: ;
      endcase
      if (start && (running || owed)) status[3] <= 1;
      else if (start) {state, status, index, cycles, waited} <= {ASK[2:0], 3'd0, 12'd0, 64'd0};
    end
    if (!aresetn) {state, status, mode, owed, s_axi_bvalid, s_axi_rvalid} <= 0;
  end
endmodule
