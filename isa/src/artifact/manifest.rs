//! The manifest of an artifact: what its image holds and how to use it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arch::{ArchConfig, ArchError};
use crate::check::MAX_DESCRIPTORS;
use crate::descriptor::{BYTES, Space};
use crate::packing::ADDRESS_ALIGNMENT;

/// Most programs of an artifact: bounds the time that checking takes.
const MAX_PROGRAMS: usize = 64;
/// Most bytes of device memory an artifact may ask for: addresses have 32 bits.
const MAX_MEMORY_BYTES: u64 = 1 << 32;
/// Most bytes of it that may be writable: bounds what a software device allocates.
const MAX_WRITABLE_BYTES: u64 = 1 << 28;

/// A manifest that contradicts itself or its image.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A device that cannot exist.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// A buffer, program or number out of range.
    #[error("{0}")]
    Item(String),
}

/// What is inside an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The device it was compiled for.
    pub arch: ArchConfig,
    /// Writable memory that the device needs, from address 0: pictures, results, room
    /// for what does not fit the chip. The image stands right after it.
    pub writable_bytes: u64,
    /// Where the host writes the picture.
    pub input: Input,
    /// The programs: one per task, and one for all tasks if there are several.
    pub programs: Vec<Program>,
    /// The model, in the words of the host that compiled it.
    pub model: serde_json::Value,
}

/// Where and how the host writes a picture: s16 values, patch after patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Memory address.
    pub address: u64,
    /// Number of patches.
    pub patches: u32,
    /// Values of a patch: channel, row, column.
    pub values: u32,
}

/// A program and what it leaves in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Name: a task's, or `all`.
    pub name: String,
    /// Memory address of its first descriptor.
    pub address: u64,
    /// One step per descriptor, in order.
    pub steps: Vec<Step>,
    /// The results, one per task.
    pub outputs: Vec<Output>,
    /// The gate logits of every MoE block and task, in order of execution.
    pub routing: Vec<Routing>,
    /// How many tasks it runs interleaved (one: tasks run one after another).
    pub interleaved_tasks: u32,
}

/// What a descriptor is for, and where to look at what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Layer and operation, such as `block 3 query`.
    pub label: String,
    /// The tensors it leaves, one per set.
    pub results: Vec<TensorView>,
}

/// A tensor in one of the device's memories after a descriptor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorView {
    /// Name as the float reference gives it, such as `semseg.block3.query`.
    pub name: String,
    /// Scratchpad or residual.
    pub space: Space,
    /// First word.
    pub address: u32,
    /// Tokens.
    pub tokens: u32,
    /// Channels of a token.
    pub channels: u32,
    /// Channel-major: ceil(T/V) words a channel instead of ceil(C/V) words a token.
    pub transposed: bool,
    /// Value of one step: one for all channels, or one per head of equal width.
    pub scales: Vec<f64>,
}

/// Where a program leaves the answer to a task: s16 values, token-major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name of the task.
    pub task: String,
    /// Memory address.
    pub address: u64,
    /// Rows: patches, or all tokens where the task has no head.
    pub patches: u32,
    /// Channels of a row.
    pub channels: u32,
    /// Bytes from one row to the next.
    pub stride: u32,
    /// Value of one step.
    pub scale: f64,
}

/// Where a program leaves the gate logits of one block and task: s16 values
/// in base 2 with 11 fraction bits, token-major. The experts of a token follow
/// from them by `edge_moe_kernels::route::choose`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// Name of the task.
    pub task: String,
    /// Index of the block.
    pub block: u32,
    /// Memory address.
    pub address: u64,
    /// Tokens T.
    pub tokens: u32,
    /// Experts E.
    pub experts: u32,
    /// Experts a token visits, k.
    pub top_k: u32,
    /// Bytes from one token to the next.
    pub stride: u32,
}

impl Manifest {
    /// Checks everything but the programs' descriptors.
    pub fn check(&self, image_bytes: u64) -> Result<(), ManifestError> {
        self.arch.validate()?;
        let writable = self.writable_bytes;
        if writable > MAX_WRITABLE_BYTES || !writable.is_multiple_of(u64::from(ADDRESS_ALIGNMENT)) {
            return item(format!(
                "{writable} writable bytes, must be a multiple of {ADDRESS_ALIGNMENT} up to {MAX_WRITABLE_BYTES}"
            ));
        }
        if writable.saturating_add(image_bytes) > MAX_MEMORY_BYTES {
            return item(format!("image of {image_bytes} bytes exceeds {MAX_MEMORY_BYTES} bytes of memory"));
        }
        let Input { address, patches, values } = self.input;
        self.check_rows("input", address, patches, values, 2 * u64::from(values))?;
        if !(1..=MAX_PROGRAMS).contains(&self.programs.len()) {
            return item(format!("{} programs, allowed are 1 to {MAX_PROGRAMS}", self.programs.len()));
        }
        let mut names = BTreeSet::new();
        if let Some(program) = self.programs.iter().find(|program| !names.insert(&program.name)) {
            return item(format!("two programs are called `{}`", program.name));
        }
        self.programs.iter().try_for_each(|program| self.check_program(program, image_bytes))
    }

    fn check_program(&self, program: &Program, image_bytes: u64) -> Result<(), ManifestError> {
        let name = &program.name;
        let (start, end) = (self.writable_bytes, self.writable_bytes + image_bytes);
        let bytes = (program.steps.len() * BYTES) as u64;
        let inside = program.address >= start && program.address.saturating_add(bytes) <= end;
        let aligned = program.address.is_multiple_of(u64::from(ADDRESS_ALIGNMENT));
        if program.steps.len() > MAX_DESCRIPTORS || !inside || !aligned {
            let (steps, address) = (program.steps.len(), program.address);
            return item(format!(
                "program `{name}`: {steps} descriptors at {address}, image is {start}..{end}"
            ));
        }
        if program.interleaved_tasks == 0 || program.outputs.is_empty() {
            return item(format!("program `{name}` answers no task"));
        }
        program.outputs.iter().try_for_each(|output| self.check_output(output))?;
        program.routing.iter().try_for_each(|routing| self.check_routing(routing))?;
        let mut views = program.steps.iter().flat_map(|step| &step.results);
        views.try_for_each(|view| self.check_view(view))
    }

    fn check_output(&self, output: &Output) -> Result<(), ManifestError> {
        let what = format!("output of `{}`", output.task);
        self.check_rows(&what, output.address, output.patches, output.channels, output.stride.into())?;
        check_scale(&what, output.scale)
    }

    fn check_routing(&self, routing: &Routing) -> Result<(), ManifestError> {
        let what = format!("routing of `{}` in block {}", routing.task, routing.block);
        self.check_rows(&what, routing.address, routing.tokens, routing.experts, routing.stride.into())?;
        if routing.top_k == 0 || routing.top_k > routing.experts {
            return item(format!("{what}: top {} of {} experts", routing.top_k, routing.experts));
        }
        Ok(())
    }

    /// `rows` rows of `columns` s16 values in writable memory, `stride` bytes apart.
    fn check_rows(
        &self,
        what: &str,
        address: u64,
        rows: u32,
        columns: u32,
        stride: u64,
    ) -> Result<(), ManifestError> {
        if rows == 0 || columns == 0 || stride < 2 * u64::from(columns) {
            return item(format!("{what}: {rows} rows of {columns} values every {stride} bytes"));
        }
        self.check_writable(what, address, u64::from(rows).saturating_mul(stride))
    }

    fn check_writable(&self, what: &str, address: u64, bytes: u64) -> Result<(), ManifestError> {
        if address.saturating_add(bytes) > self.writable_bytes {
            let writable = self.writable_bytes;
            return item(format!("{what}: {bytes} bytes at {address}, writable memory ends at {writable}"));
        }
        Ok(())
    }

    fn check_view(&self, view: &TensorView) -> Result<(), ManifestError> {
        let TensorView { ref name, tokens, channels, .. } = *view;
        if tokens == 0 || channels == 0 {
            return item(format!("tensor `{name}`: {tokens} tokens of {channels} channels"));
        }
        let size = match view.space {
            Space::Scratchpad => self.arch.scratchpad_words,
            Space::Residual => self.arch.residual_words,
            Space::Memory => return item(format!("tensor `{name}` in memory cannot be looked at")),
        };
        let (rows, row) = if view.transposed { (channels, tokens) } else { (tokens, channels) };
        let words = u64::from(rows) * u64::from(self.arch.words(row));
        if u64::from(view.address) + words > u64::from(size) {
            return item(format!(
                "tensor `{name}`: {words} words at {} in {} of {size}",
                view.address, view.space
            ));
        }
        let heads = view.scales.len();
        if heads == 0 || !(channels as usize).is_multiple_of(heads) {
            return item(format!("tensor `{name}`: {heads} scales for {channels} channels"));
        }
        view.scales.iter().try_for_each(|&scale| check_scale(name, scale))
    }
}

fn check_scale(what: &str, scale: f64) -> Result<(), ManifestError> {
    if scale.is_finite() && scale > 0.0 {
        return Ok(());
    }
    item(format!("{what}: scale {scale} is not a positive number"))
}

fn item(problem: String) -> Result<(), ManifestError> {
    Err(ManifestError::Item(problem))
}
