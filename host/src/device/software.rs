//! The software device: executes descriptors with the arithmetic of the kernels, on the widest
//! instructions of the CPU.
//!
//! It trusts its programs because [`Executable`] lets none through that
//! `edge_moe_isa::check` has not accepted: every address below lies inside its
//! memory, and nothing is read that was not written.
//!
//! Weights are packed once, from the image that is mapped from the artifact, when a model is loaded. Every
//! buffer is kept, so that after the first picture nothing is allocated.

mod attend;
#[cfg(test)]
mod definition;
mod execute;
mod layer;
mod memories;
mod rows;
mod simd;
mod sums;
mod vectorised;
mod weights;

use std::sync::Arc;

use edge_moe_isa::check::Written;
use edge_moe_isa::descriptor::{Descriptor, Space};
use edge_moe_kernels::route::Queues;

use self::execute::Buffers;
use self::memories::Memories;
use self::weights::Weights;
use super::{Device, Stepper, bytes_not_words, no_program, not_loaded, words_of, writable_range};
use crate::Result;
use crate::executable::Executable;
pub use simd::Simd;

const NAME: &str = "software device";

/// The default device: needs nothing but a CPU.
pub struct SoftwareDevice {
    simd: Simd,
    loaded: Option<Loaded>,
}

/// A model and the state it runs in.
struct Loaded {
    memories: Memories,
    weights: Weights,
    queues: Queues,
    buffers: Buffers,
    position: Position,
    /// What the descriptors so far have written on the chip, when they are executed one by one.
    written: Written,
    /// What each whole program writes.
    written_by: Vec<Written>,
}

/// Where the device stands in its programs.
#[derive(Clone, Copy)]
enum Position {
    /// Nothing ran, or a program came to its end one descriptor after another.
    Idle,
    /// Before a descriptor of a program.
    Before { program: usize, descriptor: usize },
    /// A program ran as a whole.
    Ran(usize),
}

impl Default for SoftwareDevice {
    fn default() -> Self {
        Self::new()
    }
}

impl SoftwareDevice {
    /// A device without a model, on the fastest instructions of this CPU; it takes the sizes of whatever
    /// architecture a model was compiled for.
    pub fn new() -> Self {
        Self::with_simd(Simd::best())
    }

    /// The same on some instructions. Results do not depend on them.
    pub fn with_simd(simd: Simd) -> Self {
        Self { simd, loaded: None }
    }

    fn loaded(&mut self) -> Result<&mut Loaded> {
        self.loaded.as_mut().ok_or_else(|| not_loaded(NAME))
    }
}

impl Loaded {
    fn new(simd: Simd, executable: Arc<Executable>) -> Result<Self> {
        let arch = executable.arch();
        let written_by = |program: &Vec<Descriptor>| {
            let mut written = Written::new(arch);
            program.iter().for_each(|descriptor| written.execute(arch, &descriptor.operation));
            written
        };
        Ok(Self {
            weights: Weights::pack(simd, &executable)?,
            queues: Queues::new(0),
            buffers: Buffers::default(),
            position: Position::Idle,
            written: Written::new(arch),
            written_by: executable.programs().iter().map(written_by).collect(),
            memories: Memories::new(executable),
        })
    }

    /// The descriptors of a program.
    fn program(executable: &Executable, program: usize) -> Result<&[Descriptor]> {
        let programs = executable.programs();
        let found = programs.get(program).map(Vec::as_slice);
        found.ok_or_else(|| no_program(NAME, program, programs.len()))
    }
}

impl Device for SoftwareDevice {
    fn name(&self) -> String {
        format!("{NAME} ({})", self.simd)
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        self.loaded = Some(Loaded::new(self.simd, executable)?);
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let writable = &mut self.loaded()?.memories.writable;
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        writable[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let writable = &self.loaded()?.memories.writable;
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        bytes.copy_from_slice(&writable[range]);
        Ok(())
    }

    fn run(&mut self, program: usize) -> Result<()> {
        let simd = self.simd;
        let loaded = self.loaded()?;
        let executable = Arc::clone(&loaded.memories.executable);
        let descriptors = Loaded::program(&executable, program)?;
        // Inside the thread pool, so that not every operation has to go there.
        rayon::scope(|_| {
            descriptors.iter().for_each(|descriptor| loaded.execute(simd, &descriptor.operation))
        });
        loaded.position = Position::Ran(program);
        Ok(())
    }

    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        Some(self)
    }
}

impl Stepper for SoftwareDevice {
    fn start(&mut self, program: usize) -> Result<()> {
        let loaded = self.loaded()?;
        Loaded::program(&loaded.memories.executable, program)?;
        loaded.position = Position::Before { program, descriptor: 0 };
        loaded.written = Written::new(loaded.memories.executable.arch());
        Ok(())
    }

    fn step(&mut self) -> Result<Option<usize>> {
        let simd = self.simd;
        let loaded = self.loaded()?;
        let Position::Before { program, descriptor: index } = loaded.position else { return Ok(None) };
        let executable = Arc::clone(&loaded.memories.executable);
        let descriptors = &executable.programs()[program];
        loaded.execute(simd, &descriptors[index].operation);
        loaded.written.execute(executable.arch(), &descriptors[index].operation);
        let next = index + 1;
        loaded.position = match next < descriptors.len() {
            true => Position::Before { program, descriptor: next },
            false => Position::Idle,
        };
        Ok(Some(index))
    }

    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>> {
        let memories = &self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?.memories;
        let memory = match space {
            Space::Scratchpad => &memories.scratchpad,
            Space::Residual => &memories.residual,
            Space::Memory => return Err(bytes_not_words(NAME)),
        };
        words_of(NAME, memories.executable.arch(), memory, space, address, words)
    }

    fn written(&self, space: Space) -> Result<&[bool]> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        let written = match loaded.position {
            Position::Ran(program) => &loaded.written_by[program],
            Position::Idle | Position::Before { .. } => &loaded.written,
        };
        written.words(space).ok_or_else(|| bytes_not_words(NAME))
    }
}
