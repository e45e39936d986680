//! Where the bitstreams of all boards are: an option of several verbs.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct BitstreamsOption {
    /// Folder with a folder for each board [default: `bitstreams` here or beside this command]
    #[arg(long, value_name = "DIR", env = "EDGE_MOE_BITSTREAMS")]
    bitstreams: Option<PathBuf>,
}

impl BitstreamsOption {
    /// The folder; it need not exist.
    pub fn folder(&self) -> PathBuf {
        let here = PathBuf::from("bitstreams");
        match &self.bitstreams {
            Some(folder) => folder.clone(),
            None if here.is_dir() => here,
            None => beside_command().unwrap_or(here),
        }
    }
}

/// The folder next to this command or above, as in the repository it was built in.
fn beside_command() -> Option<PathBuf> {
    let command = std::env::current_exe().ok()?;
    let mut folders = command.ancestors().skip(1).map(|folder| folder.join("bitstreams"));
    folders.find(|folder| folder.is_dir())
}
