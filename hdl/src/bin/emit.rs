//! Writes the Verilog of every unit of a named architecture.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use edge_moe_hdl::config;
use edge_moe_isa::arch::ArchConfig;

/// Verilog of every unit of an architecture, one file a unit.
#[derive(Parser)]
struct Arguments {
    /// tiny, edge, zcu102 or ecp5-85
    arch: String,

    /// Where the files are written
    #[arg(long, value_name = "DIR", default_value = "out/rtl")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match emit(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn emit(arguments: &Arguments) -> Result<(), String> {
    let units = config::units(&arguments.arch).ok_or_else(|| {
        let names = ArchConfig::named().map(|arch| arch.name).join(", ");
        format!("architecture `{}` is not known; known are {names}", arguments.arch)
    })?;
    let directory = arguments.out.join(&arguments.arch);
    let writing = |path: &std::path::Path, cause| format!("{}: cannot be written: {cause}", path.display());
    std::fs::create_dir_all(&directory).map_err(|cause| writing(&directory, cause))?;
    for unit in units {
        let text = (unit.verilog)(unit.name).map_err(|error| error.to_string())?;
        let path = directory.join(unit.name).with_extension("v");
        std::fs::write(&path, &text).map_err(|cause| writing(&path, cause))?;
        println!("{}: {} lines", path.display(), text.lines().count());
    }
    Ok(())
}
