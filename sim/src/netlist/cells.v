// Behaviour of the ECP5 cells that yosys (`synth_ecp5`) emits for a core, as yosys's cell library defines it: functions, names and values of
// parameters after its `cells_sim.v`; the layout of block RAMs and the operands of multipliers, which that file leaves open, after its techmaps.
// Lattice's documents were not consulted.
//
// Only modes that a core with one clock needs. Verilator refuses a parameter with another value, and a cell or a parameter that is not
// here; a pin with another value ends the simulation. Registers and memories in look-up tables have no initial value, so that a missing
// reset shows; block RAMs hold what the bitstream loads into them.

// A function of four inputs.
module LUT4 #(parameter [15:0] INIT = 0) (input A, input B, input C, input D, output Z);
    assign Z = INIT[{D, C, B, A}];
endmodule

// Joins two LUT4 to a function of five inputs.
module PFUMX (input ALUT, input BLUT, input C0, output Z);
    assign Z = C0 ? ALUT : BLUT;
endmodule

// Joins two functions of five or six inputs.
module L6MUX21 (input D0, input D1, input SD, output Z);
    assign Z = SD ? D1 : D0;
endmodule

// Two bits of a carry chain: sum and carry of a LUT4 that passes the carry on where it is one, and gives the
// carry of its lower two inputs where it is not.
module CCU2C #(
    parameter [15:0] INIT0 = 0, parameter [15:0] INIT1 = 0,
    parameter INJECT1_0 = "YES", parameter INJECT1_1 = "YES"
) (
    input CIN, input A0, input B0, input C0, input D0, input A1, input B1, input C1, input D1,
    output S0, output S1, output COUT
);
    if (INJECT1_0 != "NO" || INJECT1_1 != "NO") $fatal(1, "CCU2C: INJECT1 is not NO");
    wire pass0 = INIT0[{D0, C0, B0, A0}];
    wire pass1 = INIT1[{D1, C1, B1, A1}];
    wire carry = pass0 ? CIN : INIT0[{2'b00, B0, A0}];
    assign S0 = pass0 ^ CIN;
    assign S1 = pass1 ^ carry;
    assign COUT = pass1 ? carry : INIT1[{2'b00, B1, A1}];
endmodule

// A register; LSR sets or clears it at the clock edge, whatever CE is.
module TRELLIS_FF #(
    parameter GSR = "ENABLED", parameter CEMUX = "1", parameter CLKMUX = "CLK", parameter LSRMUX = "LSR",
    parameter SRMODE = "LSR_OVER_CE", parameter REGSET = "RESET"
) (input CLK, input LSR, input CE, input DI, output reg Q);
    localparam SET = REGSET == "SET";
    if (GSR != "DISABLED") $fatal(1, "TRELLIS_FF: GSR is not DISABLED");
    if (CEMUX != "1" && CEMUX != "CE" && CEMUX != "INV") $fatal(1, "TRELLIS_FF: CEMUX is not 1, CE or INV");
    if (CLKMUX != "CLK") $fatal(1, "TRELLIS_FF: CLKMUX is not CLK");
    if (LSRMUX != "LSR") $fatal(1, "TRELLIS_FF: LSRMUX is not LSR");
    if (SRMODE != "LSR_OVER_CE") $fatal(1, "TRELLIS_FF: SRMODE is not LSR_OVER_CE");
    if (REGSET != "SET" && REGSET != "RESET") $fatal(1, "TRELLIS_FF: REGSET is not SET or RESET");
    wire enable = CEMUX == "1" || (CEMUX == "INV" ? !CE : CE);
    always @(posedge CLK) if (LSR) Q <= SET; else if (enable) Q <= DI;
endmodule

// 16 words of four bits in look-up tables: written at the clock edge, read at any time.
module TRELLIS_DPR16X4 #(
    parameter WCKMUX = "WCK", parameter WREMUX = "WRE", parameter [63:0] INITVAL = 64'hx
) (input [3:0] DI, input [3:0] WAD, input WRE, input WCK, input [3:0] RAD, output [3:0] DO);
    if (WCKMUX != "WCK") $fatal(1, "TRELLIS_DPR16X4: WCKMUX is not WCK");
    if (WREMUX != "WRE") $fatal(1, "TRELLIS_DPR16X4: WREMUX is not WRE");
    if (INITVAL !== 64'hx) $fatal(1, "TRELLIS_DPR16X4: INITVAL is not undefined");
    reg [3:0] words [0:15];
    always @(posedge WCK) if (WRE) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule

// A product of 18-bit operands, without registers and without the shift inputs.
module MULT18X18D (
    input A0, input A1, input A2, input A3, input A4, input A5, input A6, input A7, input A8,
    input A9, input A10, input A11, input A12, input A13, input A14, input A15, input A16, input A17,
    input B0, input B1, input B2, input B3, input B4, input B5, input B6, input B7, input B8,
    input B9, input B10, input B11, input B12, input B13, input B14, input B15, input B16, input B17,
    input C0, input C1, input C2, input C3, input C4, input C5, input C6, input C7, input C8,
    input C9, input C10, input C11, input C12, input C13, input C14, input C15, input C16, input C17,
    input SIGNEDA, input SIGNEDB, input SOURCEA, input SOURCEB,
    output P0, output P1, output P2, output P3, output P4, output P5, output P6, output P7, output P8,
    output P9, output P10, output P11, output P12, output P13, output P14, output P15, output P16, output P17,
    output P18, output P19, output P20, output P21, output P22, output P23, output P24, output P25, output P26,
    output P27, output P28, output P29, output P30, output P31, output P32, output P33, output P34, output P35
);
    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [35:0] a36 = {{18{SIGNEDA & a[17]}}, a};
    wire signed [35:0] b36 = {{18{SIGNEDB & b[17]}}, b};
    always @(*) if (SOURCEA || SOURCEB) $fatal(1, "MULT18X18D: an operand from the shift inputs");
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
            P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = a36 * b36;
endmodule

// A block RAM of 1024 words of 18 bits with ports of 1, 2, 4, 9, 18 or 36 bits; port B only reads, and none is reset. A port
// of 36 bits has its lower half on the pins of port A. Reading bits in the beat in which the other port writes them gives
// their complement: the logic that yosys puts around a block RAM must not use what a real one gives there.
module DP16KD #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", parameter CSDECODE_B = "0b000",
    parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB",
    parameter WRITEMODE_A = "NORMAL", parameter WRITEMODE_B = "NORMAL", parameter GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 0, parameter [319:0] INITVAL_01 = 0, parameter [319:0] INITVAL_02 = 0, parameter [319:0] INITVAL_03 = 0,
    parameter [319:0] INITVAL_04 = 0, parameter [319:0] INITVAL_05 = 0, parameter [319:0] INITVAL_06 = 0, parameter [319:0] INITVAL_07 = 0,
    parameter [319:0] INITVAL_08 = 0, parameter [319:0] INITVAL_09 = 0, parameter [319:0] INITVAL_0A = 0, parameter [319:0] INITVAL_0B = 0,
    parameter [319:0] INITVAL_0C = 0, parameter [319:0] INITVAL_0D = 0, parameter [319:0] INITVAL_0E = 0, parameter [319:0] INITVAL_0F = 0,
    parameter [319:0] INITVAL_10 = 0, parameter [319:0] INITVAL_11 = 0, parameter [319:0] INITVAL_12 = 0, parameter [319:0] INITVAL_13 = 0,
    parameter [319:0] INITVAL_14 = 0, parameter [319:0] INITVAL_15 = 0, parameter [319:0] INITVAL_16 = 0, parameter [319:0] INITVAL_17 = 0,
    parameter [319:0] INITVAL_18 = 0, parameter [319:0] INITVAL_19 = 0, parameter [319:0] INITVAL_1A = 0, parameter [319:0] INITVAL_1B = 0,
    parameter [319:0] INITVAL_1C = 0, parameter [319:0] INITVAL_1D = 0, parameter [319:0] INITVAL_1E = 0, parameter [319:0] INITVAL_1F = 0,
    parameter [319:0] INITVAL_20 = 0, parameter [319:0] INITVAL_21 = 0, parameter [319:0] INITVAL_22 = 0, parameter [319:0] INITVAL_23 = 0,
    parameter [319:0] INITVAL_24 = 0, parameter [319:0] INITVAL_25 = 0, parameter [319:0] INITVAL_26 = 0, parameter [319:0] INITVAL_27 = 0,
    parameter [319:0] INITVAL_28 = 0, parameter [319:0] INITVAL_29 = 0, parameter [319:0] INITVAL_2A = 0, parameter [319:0] INITVAL_2B = 0,
    parameter [319:0] INITVAL_2C = 0, parameter [319:0] INITVAL_2D = 0, parameter [319:0] INITVAL_2E = 0, parameter [319:0] INITVAL_2F = 0,
    parameter [319:0] INITVAL_30 = 0, parameter [319:0] INITVAL_31 = 0, parameter [319:0] INITVAL_32 = 0, parameter [319:0] INITVAL_33 = 0,
    parameter [319:0] INITVAL_34 = 0, parameter [319:0] INITVAL_35 = 0, parameter [319:0] INITVAL_36 = 0, parameter [319:0] INITVAL_37 = 0,
    parameter [319:0] INITVAL_38 = 0, parameter [319:0] INITVAL_39 = 0, parameter [319:0] INITVAL_3A = 0, parameter [319:0] INITVAL_3B = 0,
    parameter [319:0] INITVAL_3C = 0, parameter [319:0] INITVAL_3D = 0, parameter [319:0] INITVAL_3E = 0, parameter [319:0] INITVAL_3F = 0
) (
    input CLKA, input CEA, input OCEA, input WEA, input RSTA, input CSA0, input CSA1, input CSA2,
    input ADA0, input ADA1, input ADA2, input ADA3, input ADA4, input ADA5, input ADA6,
    input ADA7, input ADA8, input ADA9, input ADA10, input ADA11, input ADA12, input ADA13,
    input DIA0, input DIA1, input DIA2, input DIA3, input DIA4, input DIA5, input DIA6, input DIA7, input DIA8,
    input DIA9, input DIA10, input DIA11, input DIA12, input DIA13, input DIA14, input DIA15, input DIA16, input DIA17,
    output DOA0, output DOA1, output DOA2, output DOA3, output DOA4, output DOA5, output DOA6, output DOA7, output DOA8,
    output DOA9, output DOA10, output DOA11, output DOA12, output DOA13, output DOA14, output DOA15, output DOA16, output DOA17,
    input CLKB, input CEB, input OCEB, input WEB, input RSTB, input CSB0, input CSB1, input CSB2,
    input ADB0, input ADB1, input ADB2, input ADB3, input ADB4, input ADB5, input ADB6,
    input ADB7, input ADB8, input ADB9, input ADB10, input ADB11, input ADB12, input ADB13,
    input DIB0, input DIB1, input DIB2, input DIB3, input DIB4, input DIB5, input DIB6, input DIB7, input DIB8,
    input DIB9, input DIB10, input DIB11, input DIB12, input DIB13, input DIB14, input DIB15, input DIB16, input DIB17,
    output DOB0, output DOB1, output DOB2, output DOB3, output DOB4, output DOB5, output DOB6, output DOB7, output DOB8,
    output DOB9, output DOB10, output DOB11, output DOB12, output DOB13, output DOB14, output DOB15, output DOB16, output DOB17
);
    function known_width(input integer width);
        known_width = width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
    endfunction
    if (!known_width(DATA_WIDTH_A) || !known_width(DATA_WIDTH_B)) $fatal(1, "DP16KD: unknown DATA_WIDTH");
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG") $fatal(1, "DP16KD: REGMODE is not NOREG");
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $fatal(1, "DP16KD: CSDECODE is not 0b000");
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $fatal(1, "DP16KD: an inverted clock");
    if (WRITEMODE_A != "NORMAL" && WRITEMODE_A != "READBEFOREWRITE")
        $fatal(1, "DP16KD: WRITEMODE_A is not NORMAL or READBEFOREWRITE");
    if (GSR != "DISABLED") $fatal(1, "DP16KD: GSR is not DISABLED");

    // Rows of 36 bits, two words of 18; INITVAL has 16 words in fields of 20 bits each.
    reg [35:0] rows [0:511];
    localparam [20479:0] INITIAL = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer row;
    initial
        for (row = 0; row < 512; row = row + 1)
            rows[row] = INITIAL == 0 ? 36'b0 : {INITIAL[40 * row + 20 +: 18], INITIAL[40 * row +: 18]};

    // First bit in its row of what an address means: a byte of nine bits, and a part of its lower eight.
    function [5:0] offset(input integer width, input [4:0] address);
        case (width)
            36: offset = 0;
            18: offset = 18 * address[4];
            9: offset = 9 * address[4:3];
            4: offset = 9 * address[4:3] + 4 * address[2];
            2: offset = 9 * address[4:3] + 2 * address[2:1];
            default: offset = 9 * address[4:3] + address[2:0];
        endcase
    endfunction
    // Which bits of a row a write changes; the lowest address bits of wide ports enable bytes.
    function [35:0] written(input integer width, input [4:0] address);
        case (width)
            36: written = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            18: written = {18'b0, {9{address[1]}}, {9{address[0]}}} << offset(width, address);
            default: written = ((36'b1 << width) - 36'b1) << offset(width, address);
        endcase
    endfunction

    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] low = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                       DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] high = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire enable_a = CEA && {CSA2, CSA1, CSA0} == 0;
    wire enable_b = CEB && {CSB2, CSB1, CSB0} == 0;
    wire write = enable_a && WEA;
    wire [35:0] data = DATA_WIDTH_A == 36 ? {high, low} : {18'b0, low} << offset(DATA_WIDTH_A, address_a[4:0]);
    wire [35:0] bits = write ? written(DATA_WIDTH_A, address_a[4:0]) : 36'b0;
    wire [35:0] held = rows[address_a[13:5]];
    wire [35:0] clash = address_a[13:5] == address_b[13:5] ? bits : 36'b0;

    reg [35:0] read_a, read_b;
    always @(posedge CLKA) begin
        if (write) rows[address_a[13:5]] <= (held & ~bits) | (data & bits);
        if (enable_a && (!WEA || WRITEMODE_A == "READBEFOREWRITE"))
            read_a <= held >> offset(DATA_WIDTH_A, address_a[4:0]);
    end
    always @(posedge CLKB)
        if (enable_b) read_b <= (rows[address_b[13:5]] ^ clash) >> offset(DATA_WIDTH_B, address_b[4:0]);
    always @(*) if (RSTA || RSTB || WEB) $fatal(1, "DP16KD: a reset, or a write by port B");

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
            DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? read_b[17:0] : read_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
            DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? read_b[35:18] : read_b[17:0];
endmodule
