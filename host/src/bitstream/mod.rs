//! Prebuilt bitstreams: a folder a board, with the bitstream, its constraints and a manifest that says what it is.

pub mod ecp5;
mod manifest;
mod place_and_route;
pub mod zynqmp;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use manifest::{Cells, FORMAT, Manifest, SeedFmax, Sources, Timing};
pub use place_and_route::Report;

use crate::{Error, Result};
use ecp5::Container;

/// Name of the manifest in a board's folder.
pub const MANIFEST: &str = "manifest.toml";

/// A bitstream that is what its manifest says, and whole.
#[derive(Clone, Debug)]
pub struct Bitstream {
    /// What it is.
    pub manifest: Manifest,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub container: Container,
}

impl Bitstream {
    /// Reads a manifest, and the bitstream that it names in its folder or `file` in its stead, and checks all
    /// that can be checked without a board: size, SHA-256, form, CRCs, and the device.
    pub fn open(manifest: &Path, file: Option<&Path>) -> Result<Self> {
        let folder = manifest.parent().unwrap_or(Path::new("")).to_owned();
        let path = manifest;
        let manifest = Manifest::read(path)?;
        let file = file.map_or_else(|| folder.join(&manifest.bitstream), Path::to_owned);
        let bytes = std::fs::read(&file).map_err(|cause| Error::reading(&file, cause))?;
        manifest.check_bytes(path, &file, &bytes)?;
        let container = container(&file, &bytes)?;
        if container.device.idcode != manifest.idcode {
            let (found, expected) = (container.device.idcode, manifest.idcode);
            let [found, expected] = [found, expected].map(ecp5::idcode_text);
            let problem = format!("is for IDCODE {found}, its manifest {} says {expected}", path.display());
            return Err(Error::input(file.display(), problem));
        }
        Ok(Self { manifest, path: file, container })
    }

    /// That this command can talk to what the bitstream makes of the board.
    pub fn check_versions(&self) -> Result<()> {
        let pairs = [
            ("interface", self.manifest.interface_version, edge_moe_isa::INTERFACE_VERSION),
            ("link", self.manifest.link_version.into(), edge_moe_isa::link::LINK_VERSION.into()),
        ];
        for (what, found, known) in pairs {
            if found != known {
                let problem = format!("has {what} version {found}, this command speaks {known}");
                return Err(Error::usage(self.path.display(), problem)
                    .hint("use the command of the release that the bitstream came with, or build it again"));
            }
        }
        Ok(())
    }
}

/// What a bitstream holds, if it is whole.
pub fn container(file: &Path, bytes: &[u8]) -> Result<Container> {
    ecp5::check(bytes).map_err(|problem| Error::input(file.display(), problem))
}

/// Where a board's manifest stands in the folder of all boards; an error that lists them if it does not.
pub fn manifest_of(boards: &Path, board: &str) -> Result<PathBuf> {
    let path = boards.join(board).join(MANIFEST);
    if !board.is_empty() && path.is_file() {
        return Ok(path);
    }
    let known = self::boards(boards)?;
    let hint =
        if known.is_empty() { "there are none".into() } else { format!("there is {}", known.join(", ")) };
    let problem = format!("{} has no bitstream of it", boards.display());
    Err(Error::usage(format!("board `{board}`"), problem).hint(hint))
}

/// Names of the boards in a folder of bitstreams, sorted.
pub fn boards(folder: &Path) -> Result<Vec<String>> {
    let reading = |cause| Error::reading(folder, cause).hint("--bitstreams says where bitstreams are");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        if entry.path().join(MANIFEST).is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// SHA-256, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
