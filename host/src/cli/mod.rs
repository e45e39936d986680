//! The command line: one file a verb. Results go to standard output, progress
//! and remarks to standard error.

mod bitstreams;
mod board;
mod compile;
mod deploy;
mod device;
mod devices;
#[cfg(feature = "sim")]
mod emulate;
mod eval;
mod export;
mod fidelity;
mod import_edge_moe;
mod inspect;
mod load;
mod manifest;
mod profile;
mod progress;
mod run;
mod table;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edge_moe::{Error, ErrorKind, Result};
use tracing_subscriber::EnvFilter;

/// Version of everything that `--json` prints.
const JSON_VERSION: u32 = 1;

const AFTER_HELP: &str = "\
Exit codes: 0 success, 2 impossible request, 3 unusable input, 4 output not written, 5 device error.
Environment: EDGE_MOE_LOG sets how much is said on standard error (error, warn, info, debug).";

/// Multi-task mixture-of-experts vision transformers on an open accelerator.
#[derive(Parser)]
#[command(name = "edge-moe", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Threads to compute with; as many as there are cores if not given
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    /// Quantise and compile a model for an architecture
    Compile(compile::Arguments),
    /// Answer pictures: class map, depth map and expert routing
    Run(run::Arguments),
    /// Score a model on labelled pictures, integer and float side by side
    Eval(eval::Arguments),
    /// Say how far integer results are from float: kernels, tensors, experts, scores
    Fidelity(fidelity::Arguments),
    /// Make a model of the weights directory that Edge-MoE releases
    ImportEdgeMoe(import_edge_moe::Arguments),
    /// Write the float network as ONNX
    Export(export::Arguments),
    /// Show what a compiled model holds
    Inspect(inspect::Arguments),
    /// Say where the cycles of a picture go, layer by layer
    Profile(profile::Arguments),
    /// Run a device beside the software device and compare everything they leave
    Verify(verify::Arguments),
    /// Program a board with a bitstream, after checking all that can be checked
    Deploy(deploy::Arguments),
    /// Run a board in Verilator behind a pseudo-terminal
    #[cfg(feature = "sim")]
    Emulate(emulate::Arguments),
    /// List what can run programs here: the software device, boards, accelerators on the bus
    Devices(devices::Arguments),
    /// Write the manifest of a bitstream, as the recipes of boards do
    Manifest(manifest::Arguments),
}

/// Runs the command; what goes wrong becomes a message and an exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("EDGE_MOE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            exit_code(error.kind())
        }
    }
}

fn execute(cli: Cli) -> Result<()> {
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|cause| Error::usage(format!("--threads {threads}"), cause))?;
    }
    match cli.command {
        Command::Compile(arguments) => compile::execute(&arguments),
        Command::Run(arguments) => run::execute(&arguments),
        Command::Eval(arguments) => eval::execute(&arguments),
        Command::Fidelity(arguments) => fidelity::execute(&arguments),
        Command::ImportEdgeMoe(arguments) => import_edge_moe::execute(&arguments),
        Command::Export(arguments) => export::execute(&arguments),
        Command::Inspect(arguments) => inspect::execute(&arguments),
        Command::Profile(arguments) => profile::execute(&arguments),
        Command::Verify(arguments) => verify::execute(&arguments),
        Command::Deploy(arguments) => deploy::execute(&arguments),
        #[cfg(feature = "sim")]
        Command::Emulate(arguments) => emulate::execute(&arguments),
        Command::Devices(arguments) => devices::execute(&arguments),
        Command::Manifest(arguments) => manifest::execute(&arguments),
    }
}

fn exit_code(kind: ErrorKind) -> ExitCode {
    ExitCode::from(match kind {
        ErrorKind::Usage => 2,
        ErrorKind::Input => 3,
        ErrorKind::Output => 4,
        ErrorKind::Device => 5,
    })
}

/// Prints a result. A reader that went away is not an error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Output, "standard output", cause))
        }
        _ => Ok(()),
    }
}

/// Prints a result as JSON, with the version of its form.
fn print_json(result: &impl serde::Serialize) -> Result<()> {
    #[derive(serde::Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        result: &'a T,
    }
    let json = serde_json::to_string_pretty(&Versioned { version: JSON_VERSION, result });
    print(&(json.expect("results are plain data") + "\n"))
}
