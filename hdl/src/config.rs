//! Units at the sizes of the named architectures.
//!
//! Const generics cannot be computed from each other in the types of units,
//! so every width stands here once, and is checked against `ArchConfig`.

use edge_moe_isa::arch::ArchConfig;

use crate::attention::AttentionTop;
use crate::control::Control;
use crate::core::{EdgeMoe, axi_names};
use crate::dma::{ReadStream, WriteStream};
use crate::drain::Drain;
use crate::epilogue::Epilogue;
use crate::gelu::Gelu;
use crate::lane_array::LaneArray;
use crate::layer_norm::LayerNorm;
use crate::reciprocal::{InverseRoot, Reciprocal};
use crate::requantise::Requantise;
use crate::router::Router;
use crate::scratchpad::Scratchpad;
use crate::softmax::Softmax;
use crate::support::{EmitError, verilog};

/// A unit of an architecture, ready to be written as Verilog.
pub struct Unit {
    /// Name of the top module.
    pub name: &'static str,
    /// Its Verilog.
    pub verilog: fn(&str) -> Result<String, EmitError>,
}

/// All units of the named architecture, the largest last.
pub fn units(arch: &str) -> Option<Vec<Unit>> {
    match arch {
        "tiny" => Some(tiny::units()),
        "ecp5-85" => Some(ecp5_85::units()),
        "edge" => Some(edge::units()),
        "zcu102" => Some(zcu102::units()),
        _ => None,
    }
}

/// Verilog of the accelerator of the named architecture, module `edge_moe`.
pub fn edge_moe(arch: &str) -> Option<Result<String, EmitError>> {
    let accelerator = units(arch)?.pop()?;
    Some((accelerator.verilog)(accelerator.name))
}

macro_rules! architecture {
    (
        $(#[$doc:meta])*
        $module:ident: $lanes:literal x $vector:literal, bank $bank:literal, scratchpad $words:literal,
        row $row:literal, word $word:literal, rows $rows:literal, results $results:literal, all words $all:literal,
        records $records:literal, lane bits $lane_bits:literal, row address $row_address:literal, core rows $core_rows:literal, residual address $residual_address:literal,
        score address $score_address:literal,
        word address $word_address:literal, half $half:literal,
        norm words $norm_words:literal, norm $norm:literal of $piece:literal, norm lane bits $norm_lane_bits:literal, norm ring $norm_ring:literal,
        epilogue $epilogue:literal of $slices:literal, slice $slice:literal, experts $experts:literal,
        ports $ports:literal of $bus:literal, strobe $strobe:literal, entry $entry:literal of $entry_beats:literal,
        descriptor of $descriptor_beats:literal, beat address $beat:literal, chunk address $chunk:literal,
        stream $stream:literal of $port_address:literal, order $order:literal
    ) => {
        $(#[$doc])*
        pub mod $module {
            use super::*;

            /// The lane array.
            pub type Lanes = LaneArray<$lanes, $vector, $row, $word, $rows, $results, $lane_bits, $row_address, 71, $records>;
            /// Softmax of all lanes.
            pub type Softmaxes = Softmax<$lanes, $vector, $row, $rows, $results, $lane_bits, $score_address>;
            /// The drain.
            pub type Drains = Drain<$lanes, $vector, $word, $results, $all>;
            /// The scratchpad.
            pub type Scratchpads = Scratchpad<$word, $word_address, $half>;
            /// LayerNorm; tokens of up to 2^ring pieces.
            pub type LayerNorms = LayerNorm<$norm, $piece, $norm_lane_bits, $norm_ring, $records>;
            /// The epilogue.
            pub type Epilogues = Epilogue<$vector, $epilogue, $slices, $word, $slice, 20>;
            /// The router.
            pub type Routers = Router<$vector, $word, $experts>;
            /// Entries and descriptors from memory; 128 entries waiting on each port.
            pub type Reads =
                ReadStream<$ports, $bus, $entry, $entry_beats, $descriptor_beats, $beat, $chunk, $port_address, $order>;
            /// Words to memory.
            pub type Writes = WriteStream<$bus, $strobe, $word, $beat>;
            /// Attention by itself.
            pub type Attentions = AttentionTop<
                $lanes, $vector, $row, $word, $rows, $results, $all, $lane_bits, $row_address, $score_address,
                $word_address, $half,
            >;

            /// The accelerator.
            pub type Accelerator = EdgeMoe<
                $lanes, $vector, $row, $word, $rows, $results, $all, $entry, $records, $lane_bits, $row_address,
                $core_rows, $score_address, $word_address, $half, $residual_address, $norm_words, $norm, $piece, $norm_lane_bits, $norm_ring, $epilogue, $slices,
                $slice, $experts, $ports, $bus, $strobe, $entry_beats, $descriptor_beats, $beat, $chunk,
                $port_address, $order,
            >;

            /// The architecture, whose sizes the types have.
            pub fn arch() -> ArchConfig {
                let arch = ArchConfig::$module();
                let name = &arch.name;
                assert_eq!(
                    [arch.lanes, arch.vector, arch.bank_words, arch.scratchpad_words],
                    [$lanes, $vector, $bank, $words],
                    "sizes of `{name}`"
                );
                assert_eq!(
                    [9 * $vector, 16 * $vector, 9 * $vector * $lanes, 16 * $lanes, 16 * $vector * $lanes],
                    [$row, $word, $rows, $results, $all],
                    "widths of `{name}`"
                );
                assert_eq!(
                    [1 << $lane_bits, 1 << $row_address, 1 << $word_address, 1 << $half],
                    [$lanes, 2 * $bank, $words, $words / 2],
                    "addresses of `{name}`"
                );
                assert_eq!(1 << $score_address, 2 * arch.max_tokens, "scores of `{name}`");
                assert_eq!([arch.norm_width, arch.epilogue_width], [$norm, $epilogue], "LayerNorm and epilogue of `{name}`");
                assert_eq!(
                    [arch.memory_ports, 8 * arch.bus_bytes(), arch.bus_bytes(), 8 * $vector],
                    [$ports, $bus, $strobe, $entry],
                    "memory ports of `{name}`"
                );
                assert_eq!(
                    [arch.stream_entries, arch.memory_ports << $port_address],
                    [$stream, $stream],
                    "stream of `{name}`"
                );
                arch
            }

            /// An array with two banks of rows in each lane.
            pub fn lanes() -> Lanes {
                Lanes::new(2 * arch().bank_words as usize)
            }

            /// Attention with the lanes' banks and the whole scratchpad.
            pub fn attention() -> Attentions {
                Attentions::new(arch().bank_words as usize, arch().scratchpad_words as usize)
            }

            /// The scratchpad.
            pub fn scratchpad() -> Scratchpads {
                Scratchpads::new(arch().scratchpad_words as usize)
            }

            /// The registers.
            pub fn control() -> Control {
                Control::new(&arch())
            }

            /// The router with its queues.
            pub fn router() -> Routers {
                Routers::new(arch().queue_nodes as usize)
            }

            /// The accelerator.
            pub fn edge_moe() -> Accelerator {
                Accelerator::new(&arch())
            }

            /// All units, the largest last.
            pub fn units() -> Vec<Unit> {
                vec![
                    Unit { name: "requantise", verilog: |name| verilog(Requantise::default, name) },
                    Unit { name: "reciprocal", verilog: |name| verilog(Reciprocal::default, name) },
                    Unit { name: "inverse_root", verilog: |name| verilog(InverseRoot::default, name) },
                    Unit { name: "gelu", verilog: |name| verilog(Gelu::default, name) },
                    Unit { name: "epilogue", verilog: |name| verilog(Epilogues::default, name) },
                    Unit { name: "layer_norm", verilog: |name| verilog(LayerNorms::default, name) },
                    Unit { name: "router", verilog: |name| verilog(router, name) },
                    Unit { name: "scratchpad", verilog: |name| verilog(scratchpad, name) },
                    Unit { name: "drain", verilog: |name| verilog(Drains::default, name) },
                    Unit { name: "control", verilog: |name| verilog(control, name) },
                    Unit { name: "read_stream", verilog: |name| verilog(Reads::default, name) },
                    Unit { name: "write_stream", verilog: |name| verilog(Writes::default, name) },
                    Unit { name: "softmax", verilog: |name| verilog(Softmaxes::default, name) },
                    Unit { name: "lane_array", verilog: |name| verilog(lanes, name) },
                    Unit { name: "attention", verilog: |name| verilog(attention, name) },
                    Unit { name: "edge_moe", verilog: |name| verilog(edge_moe, name).map(|text| axi_names(&text)) },
                ]
            }
        }
    };
}

architecture! {
    /// 4 × 4: tests.
    tiny: 4 x 4, bank 64, scratchpad 4096,
    row 36, word 64, rows 144, results 64, all words 256,
    records 64, lane bits 2, row address 7, core rows 8, residual address 10, score address 7, word address 12, half 11,
    norm words 6, norm 4 of 64, norm lane bits 2, norm ring 6, epilogue 1 of 4, slice 16, experts 16,
    ports 1 of 32, strobe 4, entry 32 of 1, descriptor of 16, beat address 2, chunk address 6,
    stream 128 of 7, order 6
}
architecture! {
    /// 8 × 8: ECP5-85F boards.
    ecp5_85: 8 x 8, bank 128, scratchpad 16384,
    row 72, word 128, rows 576, results 128, all words 1024,
    records 64, lane bits 3, row address 8, core rows 9, residual address 12, score address 9, word address 14, half 13,
    norm words 7, norm 4 of 64, norm lane bits 2, norm ring 8, epilogue 1 of 8, slice 16, experts 32,
    ports 1 of 64, strobe 8, entry 64 of 1, descriptor of 8, beat address 3, chunk address 7,
    stream 128 of 7, order 6
}
architecture! {
    /// 16 × 16: the size of Edge-MoE's unit for linear layers.
    edge: 16 x 16, bank 64, scratchpad 16384,
    row 144, word 256, rows 2304, results 256, all words 4096,
    records 128, lane bits 4, row address 7, core rows 8, residual address 12, score address 9, word address 14, half 13,
    norm words 6, norm 16 of 256, norm lane bits 4, norm ring 6, epilogue 2 of 8, slice 32, experts 32,
    ports 1 of 128, strobe 16, entry 128 of 1, descriptor of 4, beat address 4, chunk address 8,
    stream 512 of 9, order 6
}
architecture! {
    /// 32 × 32: a large Zynq UltraScale+.
    zcu102: 32 x 32, bank 32, scratchpad 8192,
    row 288, word 512, rows 9216, results 512, all words 16384,
    records 256, lane bits 5, row address 6, core rows 7, residual address 11, score address 9, word address 13, half 12,
    norm words 5, norm 32 of 512, norm lane bits 5, norm ring 5, epilogue 8 of 4, slice 128, experts 32,
    ports 2 of 128, strobe 16, entry 256 of 2, descriptor of 4, beat address 4, chunk address 8,
    stream 1024 of 9, order 7
}
