//! `edge-moe emulate`: a board in Verilator behind a pseudo-terminal.

use std::path::{Path, PathBuf};

use clap::Args;
use edge_moe::emulation::{BOARDS, EmulatedBoard, Options};
use edge_moe::{Error, ErrorKind, Result};

use super::load::architecture;
use super::print;

#[derive(Args)]
pub struct Arguments {
    /// Name of the board, such as ulx3s-85f
    board: String,

    /// Put another core into the board: tiny or ecp5-85
    #[arg(long, value_name = "NAME", default_value = "ecp5-85")]
    arch: String,

    /// Make a symbolic link to the terminal, so that its path is known beforehand
    #[arg(long, value_name = "PATH")]
    link: Option<PathBuf>,

    /// Share of the frames, each way, of which a byte is lost, repeated, flipped or late
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    line_faults: f64,

    /// Seed of what memory and registers hold at first, and of the faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let Arguments { board, arch, link, line_faults, seed } = arguments;
    if !BOARDS.contains(&board.as_str()) {
        return Err(Error::usage(board, format!("no board of that name; known are {}", BOARDS.join(", "))));
    }
    tracing::info!("building {board} with a core `{arch}`; the first time takes minutes");
    let options = Options { seed: *seed, line_faults: *line_faults };
    let mut emulated = EmulatedBoard::new(&architecture(arch)?, options)?;
    let mut address = emulated.address().clone();
    if let Some(link) = link {
        make_link(&address.path, link)?;
        address.path = link.clone();
    }
    tracing::info!(
        "{:.2} million cycles a second while the core works; it runs until it is interrupted; try\n    \
         edge-moe run MODEL PICTURE --arch {arch} --device uart:{address}",
        emulated.cycles_per_second() / 1e6
    );
    print(&format!("uart:{address}\n"))?;
    loop {
        emulated.serve()?;
    }
}

/// Links to the terminal; an older link is replaced, anything else is left alone.
fn make_link(terminal: &Path, link: &Path) -> Result<()> {
    let error = |cause| Error::new(ErrorKind::Output, link.display(), cause);
    if link.is_symlink() {
        std::fs::remove_file(link).map_err(error)?;
    }
    std::os::unix::fs::symlink(terminal, link).map_err(error)
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("is no share, a number from 0 to 1".into()),
    }
}
