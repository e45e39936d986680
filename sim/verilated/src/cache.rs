//! Folders of finished builds, found again by a hash of all that went in.

use crate::error::{Result, file_error};
use sha2::{Digest, Sha256};
use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

const INPUTS: &str = "inputs.txt";

/// Hash of named fields.
#[derive(Default)]
pub(crate) struct Key(Sha256);

impl Key {
    /// Adds a field; its length keeps neighbouring fields apart.
    pub fn add(&mut self, field: impl AsRef<[u8]>) {
        let field = field.as_ref();
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    /// The first 64 bits in hexadecimal.
    pub fn finish(self) -> String {
        hexadecimal(&self.0.finalize()[..8])
    }
}

/// Keeps other threads and processes from building in the same folder until dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Waits for the lock beside `folder`.
pub(crate) fn lock(folder: &Path) -> Result<Lock> {
    let path = folder.with_extension("lock");
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(file_error("create", parent))?;
    }
    let file = File::create(&path).map_err(file_error("create", &path))?;
    file.lock().map_err(file_error("lock", &path))?;
    Ok(Lock { _file: file })
}

/// Makes `folder` new and empty.
pub(crate) fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(file_error("remove", folder))?;
    }
    fs::create_dir_all(folder).map_err(file_error("create", folder))
}

/// The files that a build was made from, with a hash of the content of each.
pub(crate) struct Inputs {
    pub files: Vec<PathBuf>,
    lines: String,
}

impl Inputs {
    pub fn new(files: Vec<PathBuf>) -> Result<Self> {
        let mut lines = String::new();
        for file in &files {
            lines += &format!("{} {}\n", file_hash(file)?, file.display());
        }
        Ok(Self { files, lines })
    }

    /// Hash over all.
    pub fn hash(&self) -> String {
        let mut key = Key::default();
        key.add(&self.lines);
        key.finish()
    }

    /// Marks the build in `folder` as finished, made from these.
    pub fn finish(&self, folder: &Path) -> Result<()> {
        let path = folder.join(INPUTS);
        fs::write(&path, &self.lines).map_err(file_error("write", path))
    }

    /// The inputs of the finished build in `folder`, if all are still as they were.
    pub fn unchanged(folder: &Path) -> Option<Self> {
        let lines = fs::read_to_string(folder.join(INPUTS)).ok()?;
        let files = lines.lines().map(|line| Some(line.split_once(' ')?.1.into())).collect::<Option<_>>()?;
        Self::new(files).ok().filter(|now| now.lines == lines)
    }
}

fn file_hash(path: &Path) -> Result<String> {
    let content = fs::read(path).map_err(file_error("read", path))?;
    Ok(hexadecimal(&Sha256::digest(content)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `verilated` in cargo's target folder, found from the place of the build
/// script, of the program, or of the work; in the user's `.cache` otherwise.
/// Never where another user could leave a shared object to be loaded.
pub(crate) fn default_folder() -> PathBuf {
    let script = env::var_os("OUT_DIR").map(PathBuf::from);
    let places = [script, env::current_exe().ok()].into_iter().flatten();
    let target =
        places.flat_map(ancestors).find(|folder| is_cargo_target(folder)).or_else(target_of_current_folder);
    let folder = target.or_else(|| Some(env::home_dir()?.join(".cache")));
    folder.unwrap_or_else(|| "target".into()).join("verilated")
}

fn target_of_current_folder() -> Option<PathBuf> {
    let folders = ancestors(env::current_dir().ok()?).into_iter();
    folders.map(|folder| folder.join("target")).find(|folder| is_cargo_target(folder))
}

fn ancestors(path: PathBuf) -> Vec<PathBuf> {
    path.ancestors().map(Path::to_path_buf).collect()
}

/// Cargo marks its target folder with this file.
fn is_cargo_target(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fields: &[&str]) -> String {
        let mut key = Key::default();
        fields.iter().for_each(|field| key.add(field));
        key.finish()
    }

    #[test]
    fn neighbouring_fields_stay_apart() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
    }

    #[test]
    fn a_finished_build_is_unchanged_until_an_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in put.v");
        fs::write(&input, "one").unwrap();
        assert!(Inputs::unchanged(folder.path()).is_none());
        let first = Inputs::new(vec![input.clone()]).unwrap();
        first.finish(folder.path()).unwrap();
        let found = Inputs::unchanged(folder.path()).unwrap();
        assert_eq!((found.hash(), &found.files), (first.hash(), &vec![input.clone()]));
        fs::write(&input, "two").unwrap();
        assert!(Inputs::unchanged(folder.path()).is_none());
        assert_ne!(Inputs::new(vec![input]).unwrap().hash(), first.hash());
    }
}
