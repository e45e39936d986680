//! From an architecture to a model that can be simulated.

use edge_moe_hdl::config;
use edge_moe_isa::arch::ArchConfig;
use verilated::{Build, Initial, Library, Model, Optimisation, Trace};

use crate::{Error, Result};

/// Name of the core's top module.
const TOP: &str = "edge_moe";

/// Models of the cells of an ECP5 netlist.
const CELLS: &str = include_str!("../netlist/cells.v");

/// Statements in a file of the C++ of a netlist: its header is large, and every file reads it.
const SPLIT: &str = "40000";

/// A built core, from which models are made.
#[derive(Clone, Debug)]
pub struct CoreLibrary {
    arch: ArchConfig,
    library: Library,
}

impl CoreLibrary {
    /// Builds the core of a named architecture, or finds it built. With `waves` models can write
    /// trace files; that is another build.
    ///
    /// # Errors
    /// [`Error::Architecture`] if the sizes are not those of a named architecture.
    pub fn build(arch: &ArchConfig, waves: bool) -> Result<Self> {
        Self::from_verilog(arch, Self::verilog(arch)?, waves)
    }

    /// Verilog of the core of a named architecture: what [`CoreLibrary::build`] builds, and what is synthesised.
    ///
    /// # Errors
    /// [`Error::Architecture`] if the sizes are not those of a named architecture.
    pub fn verilog(arch: &ArchConfig) -> Result<String> {
        let named = ArchConfig::by_name(&arch.name).filter(|named| named == arch);
        let verilog = named.and_then(|named| config::edge_moe(&named.name));
        let verilog = verilog.ok_or_else(|| Error::Architecture(arch.name.clone()))?;
        verilog.map_err(|cause| Error::Verilog { arch: arch.name.clone(), problem: cause.to_string() })
    }

    /// Builds a core from Verilog of a module `edge_moe` with the core's ports.
    pub fn from_verilog(arch: &ArchConfig, verilog: impl Into<String>, waves: bool) -> Result<Self> {
        let library = Build::new(TOP)
            .source_text(format!("{TOP}.v"), verilog)
            .optimisation(Optimisation::O3)
            .trace(if waves { Trace::Fst } else { Trace::Off })
            .load()?;
        Ok(Self { arch: arch.clone(), library })
    }

    /// Builds a core from a netlist for ECP5 as yosys writes it: a flat module `edge_moe` of the cells that
    /// `netlist/cells.v` models, every net of one bit.
    ///
    /// # Errors
    /// Verilator's, if there is a cell or a value of a parameter without a model.
    pub fn from_netlist(arch: &ArchConfig, netlist: impl Into<String>) -> Result<Self> {
        let library = Build::new(TOP)
            .source_text("netlist.v", netlist)
            .source_text("cells.v", CELLS)
            .argument("-Werror-USERFATAL")
            .argument("--output-split")
            .argument(SPLIT)
            .assertions(true)
            .load()?;
        Ok(Self { arch: arch.clone(), library })
    }

    /// Sizes of the core.
    pub fn arch(&self) -> &ArchConfig {
        &self.arch
    }

    pub(super) fn model(&self, seed: u32) -> Result<Model> {
        Ok(self.library.model(Initial::Random(seed))?)
    }
}
