//! The software device: executes descriptors with the bit-exact kernels.
//!
//! It trusts its programs because [`CompiledModel`] lets none through that
//! `edge_moe_isa::check` has not accepted: every address below lies inside its
//! memory, and nothing is read that was not written.

mod execute;

use std::sync::Arc;

use edge_moe_isa::descriptor::Space;
use edge_moe_kernels::route::Queues;

use super::{Device, Stepper, not_loaded, outside_memory};
use crate::compiled::CompiledModel;
use crate::{Error, ErrorKind, Result};

const NAME: &str = "software device";

/// The default device: needs nothing but a CPU.
#[derive(Default)]
pub struct SoftwareDevice {
    loaded: Option<Loaded>,
}

/// A model and the memories it runs in.
struct Loaded {
    model: Arc<CompiledModel>,
    /// The writable part of memory.
    writable: Vec<u8>,
    scratchpad: Vec<i16>,
    residual: Vec<i16>,
    queues: Queues,
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

    fn load(&mut self, model: Arc<CompiledModel>) -> Result<()> {
        let arch = &model.manifest().arch;
        let values = |words: u32| vec![0; (words * arch.vector) as usize];
        self.loaded = Some(Loaded {
            writable: vec![0; model.manifest().writable_bytes as usize],
            scratchpad: values(arch.scratchpad_words),
            residual: values(arch.residual_words),
            queues: Queues::new(0),
            position: None,
            model,
        });
        Ok(())
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let writable = &mut self.loaded()?.writable;
        let length = writable.len();
        let target =
            usize::try_from(address).ok().and_then(|start| writable.get_mut(start..)?.get_mut(..bytes.len()));
        target.ok_or_else(|| outside_memory(NAME, address, bytes.len(), length))?.copy_from_slice(bytes);
        Ok(())
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        let writable = &self.loaded()?.writable;
        let source =
            usize::try_from(address).ok().and_then(|start| writable.get(start..)?.get(..bytes.len()));
        bytes.copy_from_slice(
            source.ok_or_else(|| outside_memory(NAME, address, bytes.len(), writable.len()))?,
        );
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
        let programs = loaded.model.programs().len();
        if program >= programs {
            let problem = format!("program {program} does not exist, the model has {programs}");
            return Err(Error::new(ErrorKind::Device, NAME, problem));
        }
        loaded.position = Some((program, 0));
        Ok(())
    }

    fn step(&mut self) -> Result<Option<usize>> {
        let loaded = self.loaded()?;
        let Some((program, index)) = loaded.position else { return Ok(None) };
        let model = Arc::clone(&loaded.model);
        let descriptors = &model.programs()[program];
        loaded.execute(&descriptors[index].operation);
        loaded.position = (index + 1 < descriptors.len()).then_some((program, index + 1));
        Ok(Some(index))
    }

    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>> {
        let loaded = self.loaded.as_ref().ok_or_else(|| not_loaded(NAME))?;
        let memory = match space {
            Space::Scratchpad => &loaded.scratchpad,
            Space::Residual => &loaded.residual,
            Space::Memory => {
                return Err(Error::new(ErrorKind::Device, NAME, "memory is read as bytes, not as words"));
            }
        };
        let vector = loaded.model.manifest().arch.vector as usize;
        let start = address as usize * vector;
        let found = memory.get(start..).and_then(|rest| rest.get(..words as usize * vector));
        found.map(<[i16]>::to_vec).ok_or_else(|| {
            let problem = format!("{words} words at {address} lie outside the {space}");
            Error::new(ErrorKind::Device, NAME, problem)
        })
    }
}
