//! The ULX3S with an ECP5-85F: pin cells, PLL and reset around a [`SerialBoard`](super::SerialBoard).
//!
//! All of it are cells of the FPGA, so it stands here as Verilog. Names of pins are those of
//! `bitstreams/ulx3s-85f/ulx3s.lpf`.

use super::sdram::{CHIP_LEAD_PS, POWER_UP_US};
use super::serial_board::Settings;
use crate::support::prelude::*;

/// Clock of the board's oscillator in MHz.
const OSCILLATOR_MHZ: u32 = 25;
/// Clock of everything inside in MHz, a multiple of 10 (PLL, baud rate): what place and route reaches, see
/// `bitstreams/ulx3s-85f/manifest.toml`.
const CLOCK_MHZ: u32 = 60;
/// The PLL's oscillator runs at about so many MHz; 400 to 800 are allowed.
const PLL_MHZ: u32 = 600;
/// Divisors of the PLL: the oscillator's clock to 5 MHz, the clock inside to 5 MHz, the PLL's oscillator to the clock.
const PLL_INPUT_DIVISOR: u32 = 5;
const PLL_FEEDBACK_DIVISOR: u32 = CLOCK_MHZ * PLL_INPUT_DIVISOR / OSCILLATOR_MHZ;
const PLL_OUTPUT_DIVISOR: u32 = PLL_MHZ / CLOCK_MHZ;
/// How far the chip's clock lags, in eighths of a period of the PLL's oscillator: a beat less [`CHIP_LEAD_PS`].
const SDRAM_PHASE: u32 =
    8 * PLL_OUTPUT_DIVISOR - (8 * PLL_OUTPUT_DIVISOR * CLOCK_MHZ * CHIP_LEAD_PS + 500_000) / 1_000_000;
/// Phase that both outputs have, in periods of the PLL's oscillator.
const PHASE_OFFSET: u32 = PLL_OUTPUT_DIVISOR / 2;
const _: () = assert!(PLL_FEEDBACK_DIVISOR * OSCILLATOR_MHZ == CLOCK_MHZ * PLL_INPUT_DIVISOR);

/// What is shipped: 2 Mbaud.
pub const SETTINGS: Settings =
    Settings { clock_mhz: CLOCK_MHZ, clocks_per_bit: CLOCK_MHZ / 2, power_up_us: POWER_UP_US };

/// The whole FPGA.
#[derive(LogicBlock)]
pub struct Ulx3s {
    pub clk_25mhz: Signal<In, Clock>,
    /// Pressed: high. Resets the board.
    pub btn_fire1: Signal<In, Bit>,
    /// From the FTDI chip, and to it.
    pub ftdi_txd: Signal<In, Bit>,
    pub ftdi_rxd: Signal<Out, Bit>,
    pub led: Signal<Out, Bits<8>>,
    /// High keeps the board from being reset by its ESP32.
    pub wifi_gpio0: Signal<Out, Bit>,
    pub sdram_clk: Signal<Out, Clock>,
    pub sdram_cke: Signal<Out, Bit>,
    pub sdram_csn: Signal<Out, Bit>,
    pub sdram_rasn: Signal<Out, Bit>,
    pub sdram_casn: Signal<Out, Bit>,
    pub sdram_wen: Signal<Out, Bit>,
    pub sdram_ba: Signal<Out, Bits<2>>,
    pub sdram_a: Signal<Out, Bits<13>>,
    pub sdram_dqm: Signal<Out, Bits<2>>,
    pub sdram_d: Signal<InOut, Bits<16>>,
    _board_verilog: String,
}

impl Ulx3s {
    /// The FPGA around the module `serial_board` whose Verilog this is.
    pub fn new(board_verilog: String) -> Self {
        with_defaults!(
            clk_25mhz, btn_fire1, ftdi_txd, ftdi_rxd, led, wifi_gpio0, sdram_clk, sdram_cke, sdram_csn,
            sdram_rasn, sdram_casn, sdram_wen, sdram_ba, sdram_a, sdram_dqm, sdram_d;
            _board_verilog: board_verilog,
        )
    }
}

/// A register in the pin cell of each bit of an output.
fn output(pin: &str, source: &str, bits: usize) -> String {
    let bit = |name: &str, bit: usize| if bits == 1 { name.into() } else { format!("{name}[{bit}]") };
    let cell = |index: usize| {
        let (to, from): (String, String) = (bit(pin, index), bit(source, index));
        format!("OFS1P3DX {pin}_cell_{index} (.SCLK(clock), .SP(1'b1), .CD(1'b0), .D({from}), .Q({to}));\n")
    };
    (0..bits).map(cell).collect()
}

impl Logic for Ulx3s {
    fn update(&mut self) {
        unimplemented!("cells of the FPGA: simulations stop at `SerialBoard`")
    }

    fn connect(&mut self) {
        self.ftdi_rxd.connect();
        self.led.connect();
        self.wifi_gpio0.connect();
        self.sdram_clk.connect();
        self.sdram_cke.connect();
        self.sdram_csn.connect();
        self.sdram_rasn.connect();
        self.sdram_casn.connect();
        self.sdram_wen.connect();
        self.sdram_ba.connect();
        self.sdram_a.connect();
        self.sdram_dqm.connect();
        self.sdram_d.connect();
    }

    fn hdl(&self) -> Verilog {
        let outputs: String = [
            ("sdram_cke", "cke", 1),
            ("sdram_csn", "cs_n", 1),
            ("sdram_rasn", "ras_n", 1),
            ("sdram_casn", "cas_n", 1),
            ("sdram_wen", "we_n", 1),
            ("sdram_ba", "ba", 2),
            ("sdram_a", "a", 13),
            ("sdram_dqm", "dqm", 2),
        ]
        .map(|(pin, source, bits)| output(pin, source, bits))
        .concat();
        let data: String = (0..16)
            .map(|i| {
                format!(
                    "wire to_pin_{i}, hold_{i}, from_pin_{i};
OFS1P3DX sdram_d_out_{i} (.SCLK(clock), .SP(1'b1), .CD(1'b0), .D(dq_out[{i}]), .Q(to_pin_{i}));
OFS1P3DX sdram_d_hold_{i} (.SCLK(clock), .SP(1'b1), .CD(1'b0), .D(!dq_enable), .Q(hold_{i}));
BB sdram_d_pin_{i} (.I(to_pin_{i}), .T(hold_{i}), .O(from_pin_{i}), .B(sdram_d[{i}]));
IFS1P3DX sdram_d_in_{i} (.SCLK(clock), .SP(1'b1), .CD(1'b0), .D(from_pin_{i}), .Q(dq_in[{i}]));
"
                )
            })
            .collect();
        let code = format!(
            "wire clock, sdram_clock, locked;
(* FREQUENCY_PIN_CLKI=\"{OSCILLATOR_MHZ}\", FREQUENCY_PIN_CLKOP=\"{CLOCK_MHZ}\", FREQUENCY_PIN_CLKOS=\"{CLOCK_MHZ}\",
   ICP_CURRENT=\"12\", LPF_RESISTOR=\"8\", MFG_ENABLE_FILTEROPAMP=\"1\", MFG_GMCREF_SEL=\"2\" *)
EHXPLLL #(
    .CLKI_DIV({PLL_INPUT_DIVISOR}), .CLKFB_DIV({PLL_FEEDBACK_DIVISOR}), .FEEDBK_PATH(\"CLKOP\"),
    .PLLRST_ENA(\"DISABLED\"), .INTFB_WAKE(\"DISABLED\"), .STDBY_ENABLE(\"DISABLED\"), .DPHASE_SOURCE(\"DISABLED\"),
    .OUTDIVIDER_MUXA(\"DIVA\"), .OUTDIVIDER_MUXB(\"DIVB\"), .OUTDIVIDER_MUXC(\"DIVC\"), .OUTDIVIDER_MUXD(\"DIVD\"),
    .CLKOP_ENABLE(\"ENABLED\"), .CLKOP_DIV({PLL_OUTPUT_DIVISOR}), .CLKOP_CPHASE({PHASE_OFFSET}), .CLKOP_FPHASE(0),
    .CLKOS_ENABLE(\"ENABLED\"), .CLKOS_DIV({PLL_OUTPUT_DIVISOR}), .CLKOS_CPHASE({coarse}), .CLKOS_FPHASE({fine})
) pll (
    .CLKI(clk_25mhz), .CLKFB(clock), .CLKOP(clock), .CLKOS(sdram_clock), .LOCK(locked),
    .RST(1'b0), .STDBY(1'b0), .PHASESEL0(1'b0), .PHASESEL1(1'b0), .PHASEDIR(1'b0), .PHASESTEP(1'b0),
    .PHASELOADREG(1'b0), .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0), .ENCLKOS(1'b0)
);
ODDRX1F sdram_clk_cell (.SCLK(sdram_clock), .RST(1'b0), .D0(1'b1), .D1(1'b0), .Q(sdram_clk));
wire cke, cs_n, ras_n, cas_n, we_n, dq_enable;
wire [1:0] ba, dqm;
wire [12:0] a;
wire [15:0] dq_out, dq_in;
wire [2:0] leds;
{outputs}{data}assign led = {{5'b0, leds}};
assign wifi_gpio0 = 1'b1;
serial_board board (
    .clock(clock), .core_clock(clock), .ready(locked & !btn_fire1), .rx(ftdi_txd), .tx(ftdi_rxd), .leds(leds),
    .sdram_cke(cke), .sdram_cs_n(cs_n), .sdram_ras_n(ras_n), .sdram_cas_n(cas_n), .sdram_we_n(we_n),
    .sdram_ba(ba), .sdram_a(a), .sdram_dqm(dqm), .sdram_dq_out(dq_out), .sdram_dq_enable(dq_enable),
    .sdram_dq_in(dq_in), .observe_busy()
);",
            coarse = PHASE_OFFSET + SDRAM_PHASE / 8,
            fine = SDRAM_PHASE % 8,
        );
        Verilog::Wrapper(Wrapper { code, cores: self._board_verilog.clone() })
    }
}
