// The design in ecp5-25f.bit.
module top(input clk_25mhz, output reg [7:0] led);
    reg [8:0] memory [0:2047];
    reg [10:0] address;
    reg [8:0] value;
    integer i;
    initial for (i = 0; i < 2048; i = i + 1) memory[i] = i * i * 7 + i * 3;
    always @(posedge clk_25mhz) begin
        address <= address + 1;
        value <= memory[address];
        if (address == 5) memory[address] <= value ^ 9'h155;
        led <= value[7:0];
    end
endmodule
