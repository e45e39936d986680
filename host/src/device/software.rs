//! The software device: executes descriptors with the bit-exact kernels.
//!
//! It trusts its programs because [`Executable`] lets none through that
//! `edge_moe_isa::check` has not accepted: every address below lies inside its
//! memory, and nothing is read that was not written.

mod execute;

use std::sync::Arc;

use edge_moe_isa::check::Written;
use edge_moe_isa::descriptor::Space;
use edge_moe_kernels::route::Queues;

use super::{Device, Stepper, bytes_not_words, no_program, not_loaded, words_of, writable_range};
use crate::Result;
use crate::executable::Executable;

const NAME: &str = "software device";

/// The default device: needs nothing but a CPU.
#[derive(Default)]
pub struct SoftwareDevice {
    loaded: Option<Loaded>,
}

/// A model and the memories it runs in.
struct Loaded {
    executable: Arc<Executable>,
    /// The writable part of memory.
    writable: Vec<u8>,
    scratchpad: Vec<i16>,
    residual: Vec<i16>,
    queues: Queues,
    /// What the program has written on the chip.
    written: Written,
    /// The program that runs, and its next descriptor.
    position: Option<(usize, usize)>,
}

impl SoftwareDevice {
    /// A device without a model; it takes the sizes of whatever architecture
    /// a model was compiled for.
    pub fn new() -> Self {
        Self::default()
    }

    fn loaded(&mut self) -> Result<&mut Loaded> {
        self.loaded.as_mut().ok_or_else(|| not_loaded(NAME))
    }
}

impl Device for SoftwareDevice {
    fn name(&self) -> String {
        NAME.to_string()
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        let arch = executable.arch();
        let values = |words: u32| vec![0; (words * arch.vector) as usize];
        self.loaded = Some(Loaded {
            writable: vec![0; executable.window().writable_bytes as usize],
            scratchpad: values(arch.scratchpad_words),
            residual: values(arch.residual_words),
            queues: Queues::new(0),
            written: Written::new(arch),
            position: None,
            executable,
        });
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let writable = &mut self.loaded()?.writable;
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        writable[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let writable = &self.loaded()?.writable;
        let range = writable_range(NAME, address, bytes.len(), writable.len())?;
        bytes.copy_from_slice(&writable[range]);
        Ok(())
    }

    fn run(&mut self, program: usize) -> Result<()> {
        self.start(program)?;
        while self.step()?.is_some() {}
        Ok(())
    }

    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        Some(self)
    }
}

impl Stepper for SoftwareDevice {
    fn start(&mut self, program: usize) -> Result<()> {
        let loaded = self.loaded()?;
        let programs = loaded.executable.programs().len();
        if program >= programs {
            return Err(no_program(NAME, program, programs));
        }
        loaded.position = Some((program, 0));
        loaded.written = Written::new(loaded.executable.arch());
        Ok(())
    }

    fn step(&mut self) -> Result<Option<usize>> {
        let loaded = self.loaded()?;
        let Some((program, index)) = loaded.position else { return Ok(None) };
        let executable = Arc::clone(&loaded.executable);
        let descriptors = &executable.programs()[program];
        loaded.execute(&descriptors[index].operation);
        loaded.written.execute(executable.arch(), &descriptors[index].operation);
        loaded.position = (index + 1 < descriptors.len()).then_some((program, index + 1));
        Ok(Some(index))
    }

    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        let memory = match space {
            Space::Scratchpad => &loaded.scratchpad,
            Space::Residual => &loaded.residual,
            Space::Memory => return Err(bytes_not_words(NAME)),
        };
        words_of(NAME, loaded.executable.arch(), memory, space, address, words)
    }

    fn written(&self, space: Space) -> Result<&[bool]> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        loaded.written.words(space).ok_or_else(|| bytes_not_words(NAME))
    }
}
