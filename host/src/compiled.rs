//! A compiled model: an artifact in a file or in memory, checked and ready to run.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use edge_moe_isa::artifact::{Artifact, Manifest};
use edge_moe_isa::check::MemoryWindow;
use edge_moe_isa::descriptor::Descriptor;
use memmap2::Mmap;

use crate::compile::ModelCard;
use crate::executable::{Bytes, Executable};
use crate::{Error, Result, atomic_file};

/// A checked artifact together with its bytes.
#[derive(Debug)]
pub struct CompiledModel {
    executable: Arc<Executable>,
    manifest: Manifest,
    card: ModelCard,
}

impl CompiledModel {
    /// Maps an artifact file into memory and checks all of it.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let file = File::open(path).map_err(|cause| Error::reading(path, cause))?;
        // SAFETY: the map is private to this process and only read. As with every mapped
        // file, another process that truncates it meanwhile can crash this one; weights that
        // change after the check change results, but no index computed from them can leave a buffer.
        let map = unsafe { Mmap::map(&file) }.map_err(|cause| Error::reading(path, cause))?;
        Self::check(Bytes::Mapped(map), &path.display().to_string())
    }

    /// Takes an artifact that was just compiled.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Self>> {
        Self::check(Bytes::Owned(bytes), "compiled model")
    }

    fn check(bytes: Bytes, subject: &str) -> Result<Arc<Self>> {
        let artifact = Artifact::parse(bytes.as_ref())
            .map_err(|cause| Error::input(subject, cause).hint("make it again with `edge-moe compile`"))?;
        let card = read_card(&artifact.manifest).map_err(|problem| Error::input(subject, problem))?;
        let manifest = artifact.manifest.clone();
        Ok(Arc::new(Self { executable: Arc::new(Executable::of_artifact(artifact, bytes)), manifest, card }))
    }

    /// Writes the artifact; the file appears complete or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        atomic_file::write(path, |file| file.write_all(self.executable.file()))
    }

    /// What is inside.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What a device needs of it.
    pub fn executable(&self) -> &Arc<Executable> {
        &self.executable
    }

    /// The model's shape, tasks and provenance.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The descriptors of each program, in the manifest's order.
    pub fn programs(&self) -> &[Vec<Descriptor>] {
        self.executable.programs()
    }

    /// Weights and programs, as they stand in device memory after its writable part.
    pub fn image(&self) -> &[u8] {
        self.executable.image()
    }

    /// Bytes of the whole artifact.
    pub fn file_bytes(&self) -> usize {
        self.executable.file().len()
    }

    /// The device memory the model's programs may use.
    pub fn window(&self) -> MemoryWindow {
        self.executable.window()
    }

    /// Index of the program of that name.
    pub fn program(&self, name: &str) -> Option<usize> {
        self.manifest().programs.iter().position(|program| program.name == name)
    }
}

/// Reads the model card and checks that it and the programs speak of the same thing.
fn read_card(manifest: &Manifest) -> std::result::Result<ModelCard, String> {
    let card: ModelCard =
        serde_json::from_value(manifest.model.clone()).map_err(|cause| format!("model card: {cause}"))?;
    card.config.validate()?;
    let (patches, values) = (card.config.patches(), card.config.patch_values());
    if (manifest.input.patches as usize, manifest.input.values as usize) != (patches, values) {
        return Err(format!("input is not the model card's {patches} patches of {values} values"));
    }
    for output in manifest.programs.iter().flat_map(|program| &program.outputs) {
        let task = card.config.tasks.iter().find(|task| task.name == output.task);
        let task = task.ok_or_else(|| format!("task `{}` is not in the model card", output.task))?;
        let (rows, channels) = card.config.answer_shape(task);
        if (output.patches as usize, output.channels as usize) != (rows, channels) {
            return Err(format!("output of `{}` is not {rows} rows of {channels} channels", task.name));
        }
    }
    for routing in manifest.programs.iter().flat_map(|program| &program.routing) {
        let expected = (card.config.tokens(), card.config.experts, card.config.top_k);
        if (routing.tokens as usize, routing.experts as usize, routing.top_k as usize) != expected {
            return Err(format!("routing of block {} contradicts the model card", routing.block));
        }
    }
    Ok(card)
}
