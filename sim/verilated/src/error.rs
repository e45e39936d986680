//! What can go wrong, each with one message that says what to do.

use std::{io, path::PathBuf};

/// Result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong while verilating, loading or driving a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tool could not be started.
    #[error("cannot run '{}': {source}; {hint}", tool.display())]
    ToolMissing {
        /// The program that was asked for.
        tool: PathBuf,
        /// How to get it.
        hint: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Verilator is older than the oldest supported version.
    #[error("'{}' is '{version}', but Verilator {}.{:03} or newer is needed", tool.display(), .needed.0, .needed.1)]
    ToolTooOld {
        /// The program that was asked for.
        tool: PathBuf,
        /// Its answer to `--version`.
        version: String,
        /// Major and minor number of the oldest supported version.
        needed: (u32, u32),
    },
    /// Verilator refused the Verilog.
    #[error("Verilator cannot build top module '{top}':\n{message}")]
    Verilog {
        /// The top module.
        top: String,
        /// Verilator's messages, with file and line.
        message: String,
    },
    /// The C++ compiler or linker failed.
    #[error("cannot compile the C++ model ({command}):\n{message}")]
    Compile {
        /// The command that failed.
        command: String,
        /// Its messages.
        message: String,
    },
    /// A file that Verilator wrote does not have the expected form.
    #[error("'{}' is not as this crate expects it from Verilator: {reason}", path.display())]
    Generated {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} '{}': {source}", path.display())]
    File {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The shared object of a model could not be loaded.
    #[error("cannot load model '{}': {source}", path.display())]
    Load {
        /// The shared object.
        path: PathBuf,
        /// What the loader said.
        source: libloading::Error,
    },
    /// The model has no port of this name.
    #[error("no port '{name}'; the ports are {}", known.join(", "))]
    UnknownPort {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The port, or the data given for it, has another width.
    #[error("port '{name}' is {actual} bits wide, not {asked}")]
    WrongWidth {
        /// Name of the port.
        name: String,
        /// Width that the caller expected, in bits.
        asked: u32,
        /// Width in the design, in bits.
        actual: u32,
    },
    /// An output cannot be driven.
    #[error("port '{name}' is an output and cannot be driven")]
    NotAnInput {
        /// Name of the port.
        name: String,
    },
    /// The value has more bits than the port.
    #[error("value {value} does not fit port '{name}' of {width} bits")]
    ValueTooLarge {
        /// Name of the port.
        name: String,
        /// Width of the port in bits.
        width: u32,
        /// The value.
        value: String,
    },
    /// A port was used with a model of another library.
    #[error("this port was looked up in another model library")]
    ForeignPort,
    /// The design stopped the simulation: `$stop`, `$fatal`, an assertion, a loop that does not settle.
    #[error("the simulation stopped at time {time}: {message}")]
    Stopped {
        /// Simulation time.
        time: u64,
        /// File, line and cause.
        message: String,
    },
    /// The model was built without a needed option.
    #[error("the model was built without {feature}: call Build::{option}")]
    NotBuilt {
        /// What is missing.
        feature: &'static str,
        /// The call that adds it.
        option: &'static str,
    },
    /// A trace file could not be opened.
    #[error("cannot open trace file '{}'", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
    },
}

/// Names the action and the path in an I/O error.
pub(crate) fn file_error(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::File { action, path, source }
}
