//! Writes the Verilog of every unit of named architectures, and of named boards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use edge_moe_hdl::{board, config};
use edge_moe_isa::arch::ArchConfig;

/// Verilog of every unit of named architectures, one file a unit, and of named boards.
#[derive(Parser)]
struct Arguments {
    /// Architectures (tiny, edge, zcu102, ecp5-85) and boards (ulx3s-85f)
    #[arg(required = true)]
    names: Vec<String>,

    /// Where the files are written
    #[arg(long, value_name = "DIR", default_value = "out/rtl")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { names, out } = Arguments::parse();
    match names.iter().try_for_each(|name| emit(name, &out.join(name))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn emit(name: &str, directory: &Path) -> Result<(), String> {
    if let Some(unit) = board::top(name) {
        return write(directory, &unit);
    }
    let units = config::units(name).ok_or_else(|| {
        let names = ArchConfig::named().map(|arch| arch.name).join(", ");
        format!("`{name}` is not known; architectures are {names}, boards {}", board::BOARDS.join(", "))
    })?;
    units.iter().try_for_each(|unit| write(directory, unit))
}

fn write(directory: &Path, unit: &config::Unit) -> Result<(), String> {
    let text = (unit.verilog)(unit.name).map_err(|error| error.to_string())?;
    let path = directory.join(unit.name).with_extension("v");
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, &text));
    written.map_err(|cause| format!("{}: cannot be written: {cause}", path.display()))?;
    println!("{}: {} lines", path.display(), text.lines().count());
    Ok(())
}
