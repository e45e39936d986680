//! Writes the Verilog of every unit of named architectures.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use edge_moe_hdl::config;
use edge_moe_isa::arch::ArchConfig;

/// Verilog of every unit of named architectures, one file a unit.
#[derive(Parser)]
struct Arguments {
    /// tiny, edge, zcu102 or ecp5-85
    #[arg(required = true)]
    archs: Vec<String>,

    /// Where the files are written
    #[arg(long, value_name = "DIR", default_value = "out/rtl")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { archs, out } = Arguments::parse();
    match archs.iter().try_for_each(|arch| emit(arch, &out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn emit(arch: &str, out: &Path) -> Result<(), String> {
    let units = config::units(arch).ok_or_else(|| {
        let names = ArchConfig::named().map(|arch| arch.name).join(", ");
        format!("architecture `{arch}` is not known; known are {names}")
    })?;
    let directory = out.join(arch);
    let writing = |path: &Path, cause| format!("{}: cannot be written: {cause}", path.display());
    std::fs::create_dir_all(&directory).map_err(|cause| writing(&directory, cause))?;
    for unit in units {
        let text = (unit.verilog)(unit.name).map_err(|error| error.to_string())?;
        let path = directory.join(unit.name).with_extension("v");
        std::fs::write(&path, &text).map_err(|cause| writing(&path, cause))?;
        println!("{}: {} lines", path.display(), text.lines().count());
    }
    Ok(())
}
