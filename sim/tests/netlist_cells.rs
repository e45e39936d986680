//! The models of ECP5 cells against plain arithmetic, and what they refuse.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_sim::CoreLibrary;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use verilated::{Build, Initial, Model};

const CELLS: &str = include_str!("../src/netlist/cells.v");

fn model(top: &str, verilog: String) -> Model {
    let build = Build::new(top).source_text("test.v", verilog).source_text("cells.v", CELLS);
    let library = build.assertions(true).load().unwrap();
    library.model(Initial::Random(1)).unwrap()
}

/// The pins `NAME0(bus[first])`, `NAME1(bus[first + 1])`, … of a cell.
fn pins(name: &str, count: usize, bus: &str, first: usize) -> String {
    (0..count).map(|pin| format!(".{name}{pin}({bus}[{}]), ", first + pin)).collect()
}

#[track_caller]
fn assert_refused(cell: &str, message: &str) {
    let netlist = format!("module edge_moe(input aclk, input d, output q);\n{cell}\nendmodule\n");
    let error = CoreLibrary::from_netlist(&ArchConfig::tiny(), netlist).unwrap_err().to_string();
    assert!(error.contains(message), "`{message}` in: {error}");
}

#[test]
fn what_has_no_model_is_refused() {
    let register = |parameter: &str| {
        format!("TRELLIS_FF #(.GSR(\"DISABLED\"), {parameter}) ff (.CLK(aclk), .LSR(1'b0), .DI(d), .Q(q));")
    };
    assert_refused(&register(".CLKMUX(\"INV\")"), "TRELLIS_FF: CLKMUX is not CLK");
    assert_refused(&register(".SRMODE(\"ASYNC\")"), "TRELLIS_FF: SRMODE is not LSR_OVER_CE");
    assert_refused(&register(".LSRMODE(\"PRLD\")"), "LSRMODE");
    let table = "TRELLIS_DPR16X4 #(.INITVAL(64'h1)) ram (.WCK(aclk), .WRE(1'b0), .RAD({3'b0, d}), .DO(q));";
    assert_refused(table, "TRELLIS_DPR16X4: INITVAL is not undefined");
    assert_refused("ALU54B alu (.CLK0(aclk));", "ALU54B");
}

#[test]
fn a_carry_chain_adds_and_subtracts() {
    let verilog = "module chain(input carry, input [1:0] a, input [1:0] b, input minus, output [2:0] sum);
        CCU2C #(.INIT0(16'h96aa), .INIT1(16'h96aa), .INJECT1_0(\"NO\"), .INJECT1_1(\"NO\")) adder (
            .CIN(carry), .A0(a[0]), .B0(b[0]), .C0(minus), .D0(1'b1), .A1(a[1]), .B1(b[1]), .C1(minus), .D1(1'b1),
            .S0(sum[0]), .S1(sum[1]), .COUT(sum[2]));
        endmodule\n";
    let mut model = model("chain", verilog.to_string());
    let input = ["carry", "a", "b", "minus"].map(|name| {
        let width = if name.len() == 1 { 2 } else { 1 };
        model.port(name, width).unwrap()
    });
    let sum = model.port("sum", 3).unwrap();
    for case in 0..64u64 {
        let [carry, a, b, minus] = [case & 1, case >> 1 & 3, case >> 3 & 3, case >> 5];
        for (port, value) in input.iter().zip([carry, a, b, minus]) {
            model.set(*port, value).unwrap();
        }
        model.eval().unwrap();
        assert_eq!(model.get(sum).unwrap(), a + (b ^ (3 * minus)) + carry, "{a} {b} {minus} {carry}");
    }
}

#[test]
fn products_are_signed_as_asked() {
    let verilog = format!(
        "module product(input [17:0] a, input [17:0] b, input sa, input sb, output [35:0] p);
        MULT18X18D mult ({}{}{}.SIGNEDA(sa), .SIGNEDB(sb), .SOURCEA(1'b0), .SOURCEB(1'b0));
        endmodule\n",
        pins("A", 18, "a", 0),
        pins("B", 18, "b", 0),
        pins("P", 36, "p", 0),
    );
    let mut model = model("product", verilog);
    let [a, b] = ["a", "b"].map(|name| model.port(name, 18).unwrap());
    let [sa, sb] = ["sa", "sb"].map(|name| model.port(name, 1).unwrap());
    let p = model.port("p", 36).unwrap();
    let mut random = SmallRng::seed_from_u64(1);
    for _ in 0..10_000 {
        let operands: [(u64, bool); 2] = std::array::from_fn(|_| {
            let edge = [0, 1, 0x1_ffff, 0x2_0000, 0x3_ffff][random.random_range(0..5)];
            (if random.random_bool(0.5) { edge } else { random.random_range(0..1 << 18) }, random.random())
        });
        for ((value, sign), (port, sign_port)) in operands.iter().zip([(a, sa), (b, sb)]) {
            model.set(port, *value).unwrap();
            model.set(sign_port, (*sign).into()).unwrap();
        }
        model.eval().unwrap();
        let [x, y] =
            operands.map(|(value, sign)| value as i64 - if sign && value >> 17 == 1 { 1 << 18 } else { 0 });
        assert_eq!(model.get(p).unwrap(), (x * y) as u64 & ((1 << 36) - 1), "{operands:x?}");
    }
}

/// First of the bits that an address of a port means: nine bits a byte, of which narrow ports see eight.
fn first_bit(width: usize, address: usize) -> usize {
    match width {
        36 => 36 * (address >> 5),
        18 => 18 * (address >> 4),
        9 => 9 * (address >> 3),
        _ => 9 * (address >> 3) + (address & 7) / width * width,
    }
}

/// Writes by port A and reads by port B, against a list of bits.
fn check_block_ram(write_width: usize, read_width: usize) {
    let halves = if read_width == 36 { ["q", "q"] } else { ["unused", "q"] };
    let verilog = format!(
        "module ram(input clock, input [13:0] wa, input [13:0] ra, input [35:0] d, input we, input re, output [35:0] q);
        wire [35:0] unused;
        DP16KD #(.DATA_WIDTH_A({write_width}), .DATA_WIDTH_B({read_width}), .GSR(\"DISABLED\")) ram (
            {}{}{}{}{}{}.CLKA(clock), .CLKB(clock), .CEA(we), .WEA(1'b1), .CEB(re), .WEB(1'b0), .OCEA(1'b1), .OCEB(1'b1),
            .RSTA(1'b0), .RSTB(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0));
        endmodule\n",
        pins("ADA", 14, "wa", 0),
        pins("ADB", 14, "ra", 0),
        pins("DIA", 18, "d", 0),
        pins("DIB", 18, "d", 18),
        pins("DOA", 18, halves[0], 0),
        pins("DOB", 18, halves[1], if read_width == 36 { 18 } else { 0 }),
    );
    let mut model = model("ram", verilog);
    let clock = model.port("clock", 1).unwrap();
    let [wa, ra] = ["wa", "ra"].map(|name| model.port(name, 14).unwrap());
    let [d, q] = ["d", "q"].map(|name| model.port(name, 36).unwrap());
    let [we, re] = ["we", "re"].map(|name| model.port(name, 1).unwrap());
    let mut bits = vec![false; 18 * 1024];
    let mut random = SmallRng::seed_from_u64(1);
    let mut held = None;
    for _ in 0..20_000 {
        // Few rows, so that reads find what was written.
        let [write_address, read_address] = std::array::from_fn(|_| random.random_range(0..128usize));
        let data: u64 = random.random_range(0..1 << 36);
        let [write, read] = std::array::from_fn(|_| random.random_bool(0.7));
        for (port, value) in [(wa, write_address as u64), (ra, read_address as u64), (d, data)] {
            model.set(port, value).unwrap();
        }
        model.set(we, write.into()).unwrap();
        model.set(re, read.into()).unwrap();
        model.tick(clock).unwrap();

        let lanes = |bit: usize| write_width < 18 || write_address >> (bit / 9) & 1 == 1;
        let first = first_bit(write_width, write_address);
        let changed = |bit: usize| write && (first..first + write_width).contains(&bit) && lanes(bit - first);
        if read {
            let source = first_bit(read_width, read_address);
            let value =
                (0..read_width).map(|bit| u64::from(bits[source + bit] != changed(source + bit)) << bit);
            held = Some(value.sum::<u64>());
        }
        (first..first + write_width)
            .filter(|&bit| changed(bit))
            .for_each(|bit| bits[bit] = data >> (bit - first) & 1 == 1);
        if let Some(expected) = held {
            let seen = model.get(q).unwrap() & ((1 << read_width) - 1);
            assert_eq!(seen, expected, "{write_width} bits written, {read_width} read, at {read_address}");
        }
    }
}

#[test]
fn block_rams_keep_words_of_any_width() {
    for (write_width, read_width) in [(36, 36), (36, 9), (18, 18), (9, 36), (9, 2), (4, 18), (1, 4)] {
        check_block_ram(write_width, read_width);
    }
}
