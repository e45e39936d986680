//! The accelerator as a board holds it: a module of its own, emitted by itself.
//!
//! [`Core`] only instantiates the module `edge_moe`, so that a board need not repeat its thirty sizes. A core
//! with one memory port.

use crate::support::prelude::*;

/// A unit with those inputs and outputs around the module `edge_moe`, which has them, too, and others that stay
/// open.
macro_rules! core {
    (
        inputs { $($input:ident [$($taken:tt)*])* }
        outputs { $($output:ident [$($given:tt)*])* }
        open { $($open:ident)* }
    ) => {
        #[derive(LogicBlock)]
        pub struct Core<const BUS: usize, const STROBE: usize> {
            $(pub $input: Signal<In, $($taken)*>,)*
            $(pub $output: Signal<Out, $($given)*>,)*
            _verilog: String,
        }

        impl<const BUS: usize, const STROBE: usize> Core<BUS, STROBE> {
            /// The core whose Verilog this is.
            pub fn new(verilog: String) -> Self {
                with_defaults!($($input,)* $($output,)*; _verilog: verilog)
            }
        }

        impl<const BUS: usize, const STROBE: usize> Logic for Core<BUS, STROBE> {
            fn update(&mut self) {
                unimplemented!("simulated in Verilator only")
            }

            fn connect(&mut self) {
                $(self.$output.connect();)*
            }

            fn hdl(&self) -> Verilog {
                let ports = [$(stringify!($input),)* $(stringify!($output),)*];
                let ports = ports.map(|port| format!("    .{port}({port}),\n")).concat();
                let open = [$(stringify!($open)),*].map(|port| format!("    .{port}()")).join(",\n");
                let code = format!("edge_moe edge_moe (\n{ports}{open}\n);");
                Verilog::Wrapper(Wrapper { code, cores: self._verilog.clone() })
            }
        }
    };
}

core! {
    inputs {
        aclk [Clock]
        aresetn [Bit]

        s_axi_awaddr [Bits<12>]
        s_axi_awprot [Bits<3>]
        s_axi_awvalid [Bit]
        s_axi_wdata [Bits<32>]
        s_axi_wstrb [Bits<4>]
        s_axi_wvalid [Bit]
        s_axi_bready [Bit]
        s_axi_araddr [Bits<12>]
        s_axi_arprot [Bits<3>]
        s_axi_arvalid [Bit]
        s_axi_rready [Bit]

        m_axi_0_arready [Bit]
        m_axi_0_rid [Bits<1>]
        m_axi_0_rdata [Bits<BUS>]
        m_axi_0_rresp [Bits<2>]
        m_axi_0_rlast [Bit]
        m_axi_0_rvalid [Bit]
        m_axi_0_awready [Bit]
        m_axi_0_wready [Bit]
        m_axi_0_bid [Bits<1>]
        m_axi_0_bresp [Bits<2>]
        m_axi_0_bvalid [Bit]
    }
    outputs {
        s_axi_awready [Bit]
        s_axi_wready [Bit]
        s_axi_bresp [Bits<2>]
        s_axi_bvalid [Bit]
        s_axi_arready [Bit]
        s_axi_rdata [Bits<32>]
        s_axi_rresp [Bits<2>]
        s_axi_rvalid [Bit]

        m_axi_0_arid [Bits<1>]
        m_axi_0_araddr [Bits<40>]
        m_axi_0_arlen [Bits<8>]
        m_axi_0_arvalid [Bit]
        m_axi_0_awid [Bits<1>]
        m_axi_0_awaddr [Bits<40>]
        m_axi_0_awlen [Bits<8>]
        m_axi_0_awvalid [Bit]
        m_axi_0_wdata [Bits<BUS>]
        m_axi_0_wstrb [Bits<STROBE>]
        m_axi_0_wlast [Bit]
        m_axi_0_wvalid [Bit]

        observe_running [Bit]
    }
    open {
        irq
        m_axi_0_arsize
        m_axi_0_arburst
        m_axi_0_rready
        m_axi_0_awsize
        m_axi_0_awburst
        m_axi_0_bready
        observe_scratchpad_write
        observe_scratchpad_address
        observe_scratchpad_data
        observe_residual_write
        observe_residual_address
        observe_residual_data
        observe_activity
        observe_descriptor
        observe_settled
    }
}
