//! A board with a serial line and an SDRAM, up to its pin cells: core, link and memory.

use super::Bridge;
use super::core::Core;
use super::reset::ResetTimer;
use super::sdram::Sdram;
use crate::support::prelude::*;

/// Bits of the counter whose highest one, 25, blinks: 0.8 s at 80 MHz.
const HEARTBEAT: usize = 26;
/// Bits of the counter that keeps the light of the link on.
const LINK_LIGHT: usize = 22;
/// Bytes of the SDRAM.
const MEMORY_BYTES: u32 = 1 << 25;

/// How a board is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Clock of everything, in MHz.
    pub clock_mhz: u32,
    /// Clocks of a bit on the serial line.
    pub clocks_per_bit: u32,
    /// Wait of the SDRAM after power-up, in µs.
    pub power_up_us: u32,
}

/// Accelerator, link and memory controller. Pin cells have a register in each direction of the SDRAM: see
/// [`super::sdram::CAPTURE_BEATS`].
#[derive(LogicBlock)]
pub struct SerialBoard<const BUS: usize, const STROBE: usize> {
    pub clock: Signal<In, Clock>,
    /// The core's clock: the same, but for simulations that stop an idle core's.
    pub core_clock: Signal<In, Clock>,
    /// The clock is steady and nobody presses reset; in step with nothing.
    pub ready: Signal<In, Bit>,
    /// From the host, and to it.
    pub rx: Signal<In, Bit>,
    pub tx: Signal<Out, Bit>,
    /// Blinks; a program runs; the link is used.
    pub leds: Signal<Out, Bits<3>>,

    pub sdram_cke: Signal<Out, Bit>,
    pub sdram_cs_n: Signal<Out, Bit>,
    pub sdram_ras_n: Signal<Out, Bit>,
    pub sdram_cas_n: Signal<Out, Bit>,
    pub sdram_we_n: Signal<Out, Bit>,
    pub sdram_ba: Signal<Out, Bits<2>>,
    pub sdram_a: Signal<Out, Bits<13>>,
    pub sdram_dqm: Signal<Out, Bits<2>>,
    pub sdram_dq_out: Signal<Out, Bits<16>>,
    pub sdram_dq_enable: Signal<Out, Bit>,
    pub sdram_dq_in: Signal<In, Bits<16>>,

    /// What simulation looks at: a program runs, or a register is asked for.
    pub observe_busy: Signal<Out, Bit>,

    reset_timer: ResetTimer,
    /// The reset of each part, near it.
    core_released: Replica<Bit>,
    bridge_reset: Replica<Bit>,
    sdram_reset: Replica<Bit>,
    /// The core's words to memory: `ready` stands in a register on its way back.
    write_data: Skid<BUS>,
    write_strobe: Skid<STROBE>,
    write_last: Skid<1>,
    core: Core<BUS, STROBE>,
    bridge: Bridge,
    sdram: Sdram<BUS, STROBE>,
    heartbeat: Register<Bits<HEARTBEAT>>,
    link_light: Register<Bits<LINK_LIGHT>>,
    running: Register<Bit>,
    lights: Concat<Bit, 3, 3>,
    light_time: Constant<Bits<LINK_LIGHT>>,
}

impl<const BUS: usize, const STROBE: usize> SerialBoard<BUS, STROBE> {
    /// A board around the core whose Verilog is given.
    pub fn new(core_verilog: String, settings: Settings) -> Self {
        let Settings { clock_mhz, clocks_per_bit, power_up_us } = settings;
        with_defaults!(
            clock, core_clock, ready, rx, tx, leds, sdram_cke, sdram_cs_n, sdram_ras_n, sdram_cas_n, sdram_we_n, sdram_ba,
            sdram_a, sdram_dqm, sdram_dq_out, sdram_dq_enable, sdram_dq_in, observe_busy, reset_timer, core_released, bridge_reset, sdram_reset, write_data, write_strobe, write_last, heartbeat, link_light, running, lights;
            light_time: Constant::new(((1_u64 << LINK_LIGHT) - 1).into()),
            core: Core::new(core_verilog),
            bridge: Bridge::new(clocks_per_bit, clock_mhz, MEMORY_BYTES),
            sdram: Sdram::new_with_power_up(clock_mhz, power_up_us),
        )
    }
}

impl<const BUS: usize, const STROBE: usize> Logic for SerialBoard<BUS, STROBE> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, heartbeat, link_light, running, core_released, bridge_reset, sdram_reset);
        self.reset_timer.clock.next = self.clock.val();
        self.core.aclk.next = self.core_clock.val();
        self.bridge.clock.next = self.clock.val();
        self.sdram.clock.next = self.clock.val();
        self.reset_timer.ready.next = self.ready.val();
        self.core_released.d.next = !self.reset_timer.reset.val();
        self.bridge_reset.d.next = self.reset_timer.reset.val();
        self.sdram_reset.d.next = self.reset_timer.reset.val();
        self.core.aresetn.next = self.core_released.q.val();
        self.bridge.reset.next = self.bridge_reset.q.val();
        self.sdram.reset.next = self.sdram_reset.q.val();

        // Lights.
        self.heartbeat.d.next = self.heartbeat.q.val() + 1;
        self.running.d.next = self.core.observe_running.val();
        if self.link_light.q.val().any() {
            self.link_light.d.next = self.link_light.q.val() - 1;
        }
        if self.bridge.active.val() {
            self.link_light.d.next = self.light_time.val();
        }
        self.lights.lane[0].next = self.heartbeat.q.val().get_bit(25);
        self.lights.lane[1].next = self.running.q.val();
        self.lights.lane[2].next = self.link_light.q.val().any();
        self.leds.next = self.lights.bus.val();
        self.observe_busy.next = self.core.observe_running.val()
            | self.bridge.m_lite_awvalid.val()
            | self.bridge.m_lite_wvalid.val()
            | self.bridge.m_lite_bready.val()
            | self.bridge.m_lite_arvalid.val()
            | self.bridge.m_lite_rready.val();

        // The link.
        self.bridge.rx.next = self.rx.val();
        self.tx.next = self.bridge.tx.val();
        self.core.s_axi_awaddr.next = self.bridge.m_lite_awaddr.val();
        self.core.s_axi_awprot.next = self.bridge.m_lite_awprot.val();
        self.core.s_axi_awvalid.next = self.bridge.m_lite_awvalid.val();
        self.core.s_axi_wdata.next = self.bridge.m_lite_wdata.val();
        self.core.s_axi_wstrb.next = self.bridge.m_lite_wstrb.val();
        self.core.s_axi_wvalid.next = self.bridge.m_lite_wvalid.val();
        self.core.s_axi_bready.next = self.bridge.m_lite_bready.val();
        self.core.s_axi_araddr.next = self.bridge.m_lite_araddr.val();
        self.core.s_axi_arprot.next = self.bridge.m_lite_arprot.val();
        self.core.s_axi_arvalid.next = self.bridge.m_lite_arvalid.val();
        self.core.s_axi_rready.next = self.bridge.m_lite_rready.val();
        self.bridge.m_lite_awready.next = self.core.s_axi_awready.val();
        self.bridge.m_lite_wready.next = self.core.s_axi_wready.val();
        self.bridge.m_lite_bresp.next = self.core.s_axi_bresp.val();
        self.bridge.m_lite_bvalid.next = self.core.s_axi_bvalid.val();
        self.bridge.m_lite_arready.next = self.core.s_axi_arready.val();
        self.bridge.m_lite_rdata.next = self.core.s_axi_rdata.val();
        self.bridge.m_lite_rresp.next = self.core.s_axi_rresp.val();
        self.bridge.m_lite_rvalid.next = self.core.s_axi_rvalid.val();
        self.sdram.memory_valid.next = self.bridge.memory_valid.val();
        self.bridge.memory_ready.next = self.sdram.memory_ready.val();
        self.sdram.memory_write.next = self.bridge.memory_write.val();
        self.sdram.memory_address.next = self.bridge.memory_address.val();
        self.sdram.memory_write_data.next = self.bridge.memory_write_data.val();
        self.bridge.memory_read_valid.next = self.sdram.memory_read_valid.val();
        self.bridge.memory_read_data.next = self.sdram.memory_read_data.val();

        // The core's memory. Its answers are always taken.
        self.sdram.s_axi_arid.next = self.core.m_axi_0_arid.val();
        self.sdram.s_axi_araddr.next = self.core.m_axi_0_araddr.val();
        self.sdram.s_axi_arlen.next = self.core.m_axi_0_arlen.val();
        self.sdram.s_axi_arvalid.next = self.core.m_axi_0_arvalid.val();
        self.sdram.s_axi_awid.next = self.core.m_axi_0_awid.val();
        self.sdram.s_axi_awaddr.next = self.core.m_axi_0_awaddr.val();
        self.sdram.s_axi_awlen.next = self.core.m_axi_0_awlen.val();
        self.sdram.s_axi_awvalid.next = self.core.m_axi_0_awvalid.val();
        self.write_data.clock.next = self.clock.val();
        self.write_data.reset.next = self.sdram_reset.q.val();
        self.write_data.in_valid.next = self.core.m_axi_0_wvalid.val();
        self.write_data.in_data.next = self.core.m_axi_0_wdata.val();
        self.write_data.out_ready.next = self.sdram.s_axi_wready.val();
        self.write_strobe.clock.next = self.clock.val();
        self.write_strobe.reset.next = self.sdram_reset.q.val();
        self.write_strobe.in_valid.next = self.core.m_axi_0_wvalid.val();
        self.write_strobe.in_data.next = self.core.m_axi_0_wstrb.val();
        self.write_strobe.out_ready.next = self.sdram.s_axi_wready.val();
        self.write_last.clock.next = self.clock.val();
        self.write_last.reset.next = self.sdram_reset.q.val();
        self.write_last.in_valid.next = self.core.m_axi_0_wvalid.val();
        self.write_last.in_data.next = self.core.m_axi_0_wlast.val().into();
        self.write_last.out_ready.next = self.sdram.s_axi_wready.val();
        self.sdram.s_axi_wdata.next = self.write_data.out_data.val();
        self.sdram.s_axi_wstrb.next = self.write_strobe.out_data.val();
        self.sdram.s_axi_wlast.next = self.write_last.out_data.val().any();
        self.sdram.s_axi_wvalid.next = self.write_data.out_valid.val();
        self.core.m_axi_0_arready.next = self.sdram.s_axi_arready.val();
        self.core.m_axi_0_rid.next = self.sdram.s_axi_rid.val();
        self.core.m_axi_0_rdata.next = self.sdram.s_axi_rdata.val();
        self.core.m_axi_0_rresp.next = self.sdram.s_axi_rresp.val();
        self.core.m_axi_0_rlast.next = self.sdram.s_axi_rlast.val();
        self.core.m_axi_0_rvalid.next = self.sdram.s_axi_rvalid.val();
        self.core.m_axi_0_awready.next = self.sdram.s_axi_awready.val();
        self.core.m_axi_0_wready.next = self.write_data.in_ready.val();
        self.core.m_axi_0_bid.next = self.sdram.s_axi_bid.val();
        self.core.m_axi_0_bresp.next = self.sdram.s_axi_bresp.val();
        self.core.m_axi_0_bvalid.next = self.sdram.s_axi_bvalid.val();

        // Pins.
        self.sdram_cke.next = self.sdram.cke.val();
        self.sdram_cs_n.next = self.sdram.cs_n.val();
        self.sdram_ras_n.next = self.sdram.ras_n.val();
        self.sdram_cas_n.next = self.sdram.cas_n.val();
        self.sdram_we_n.next = self.sdram.we_n.val();
        self.sdram_ba.next = self.sdram.ba.val();
        self.sdram_a.next = self.sdram.a.val();
        self.sdram_dqm.next = self.sdram.dqm.val();
        self.sdram_dq_out.next = self.sdram.dq_out.val();
        self.sdram_dq_enable.next = self.sdram.dq_enable.val();
        self.sdram.dq_in.next = self.sdram_dq_in.val();
    }
}
