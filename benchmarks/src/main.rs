//! `edge-moe-benchmarks`: measures, and renders `docs/benchmarks.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edge_moe::Result;
use edge_moe_benchmarks::{accelerator, cpu, report, results, sweep};

/// Measures the accelerator and what else computes the same network; renders docs/benchmarks.md.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a picture on the RTL of every named architecture, and in the cycle model
    Accelerator,
    /// Estimate the cycles of a picture over a grid of architectures and memories
    Sweep,
    /// Collect the times that `cargo bench` left
    Cpu {
        /// Folder of criterion's results
        #[arg(long, value_name = "DIR", default_value_os_t = results::root().join("target/criterion"))]
        criterion: PathBuf,
    },
    /// Render the results into docs/benchmarks.md and its plots
    Report,
}

fn main() -> ExitCode {
    match execute(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &Command) -> Result<()> {
    let root = results::root();
    match command {
        Command::Accelerator => {
            let results = accelerator::measure(&root, &mut accelerator::simulate_rtl)?;
            results::write(&results::path(&root, accelerator::NAME), &results)
        }
        Command::Sweep => results::write(&results::path(&root, sweep::NAME), &sweep::measure(&root)?),
        Command::Cpu { criterion } => {
            results::write(&results::path(&root, cpu::NAME), &cpu::collect(&root, criterion)?)
        }
        Command::Report => report::write(&root),
    }
}
