//! A device beside the software device: everything that both leave is compared.

use std::fmt;
use std::sync::Arc;

use edge_moe_isa::artifact::{Step, TensorView};
use edge_moe_isa::descriptor::Space;
use serde::Serialize;

use crate::device::{Device, SoftwareDevice, Stepper};
use crate::executable::Executable;
use crate::{Error, ErrorKind, Result};

/// The first value in which a device differs from the software device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Index of the descriptor after which it was found.
    pub descriptor: usize,
    /// What the descriptor is for.
    pub label: String,
    /// Which value.
    pub place: Place,
    /// What the device holds; none if its program never wrote the word.
    pub got: Option<i16>,
    /// What the software device holds.
    pub expected: i16,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In an on-chip memory.
    Word {
        /// Which memory.
        space: Space,
        /// Address of the word.
        word: usize,
        /// Index of the value in the word.
        value: usize,
        /// The tensor it belongs to, if a step names one.
        tensor: Option<TensorPlace>,
    },
    /// A byte of the writable part of device memory.
    Byte {
        /// Its address.
        address: usize,
    },
}

/// A value of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorPlace {
    /// Name of the tensor.
    pub name: String,
    /// Index of the token.
    pub token: usize,
    /// Index of the channel.
    pub channel: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after descriptor {} (`{}`): ", self.descriptor, self.label)?;
        match &self.place {
            Place::Byte { address } => write!(f, "memory byte {address}")?,
            Place::Word { space, word, value, tensor } => {
                write!(f, "{space} word {word} value {value}")?;
                if let Some(TensorPlace { name, token, channel }) = tensor {
                    write!(f, ", `{name}` token {token} channel {channel}")?;
                }
            }
        }
        match self.got {
            Some(got) => write!(f, ": got {got}, expected {}", self.expected),
            None => write!(f, ": never written, expected {}", self.expected),
        }
    }
}

/// A device and the software device, with the same programs loaded.
pub struct Lockstep<'a> {
    software: SoftwareDevice,
    device: &'a mut dyn Device,
    executable: Arc<Executable>,
}

impl<'a> Lockstep<'a> {
    /// Loads programs onto both.
    pub fn new(device: &'a mut dyn Device, executable: &Arc<Executable>) -> Result<Self> {
        let mut software = SoftwareDevice::new();
        software.load(Arc::clone(executable))?;
        device.load(Arc::clone(executable))?;
        Ok(Self { software, device, executable: Arc::clone(executable) })
    }

    /// The device.
    pub fn device(&mut self) -> &mut dyn Device {
        self.device
    }

    /// Whether the device can be stopped after a descriptor and shows its memories.
    pub fn can_step(&mut self) -> bool {
        self.device.stepper().is_some()
    }

    /// Runs a program one descriptor at a time over writable memory that holds `memory`, and compares after each
    /// of them every word that the program wrote and the whole writable memory. `done` is told each descriptor.
    ///
    /// # Errors
    /// A device that fails, or that cannot be stopped after a descriptor.
    pub fn step_by_step(
        &mut self,
        program: usize,
        memory: &[u8],
        done: &mut dyn FnMut(usize),
    ) -> Result<Option<Difference>> {
        self.write_memory(memory)?;
        self.software.start(program)?;
        stepper(self.device)?.start(program)?;
        loop {
            let expected = self.software.step()?;
            let got = stepper(self.device)?.step()?;
            if got != expected {
                let problem = format!("finished descriptor {got:?}, expected {expected:?}");
                return Err(Error::new(ErrorKind::Device, self.device.name(), problem));
            }
            let Some(descriptor) = got else { return Ok(None) };
            let difference = self.compare(program, descriptor)?;
            if difference.is_some() {
                return Ok(difference);
            }
            done(descriptor);
        }
    }

    /// Runs a whole program, its descriptors overlapping as the device likes, and compares everything at its end;
    /// the writable memory alone if the device shows no other.
    ///
    /// # Errors
    /// A device that fails.
    pub fn whole_run(&mut self, program: usize, memory: &[u8]) -> Result<Option<Difference>> {
        self.write_memory(memory)?;
        self.software.run(program)?;
        self.device.run(program)?;
        self.compare(program, self.executable.programs()[program].len() - 1)
    }

    fn write_memory(&mut self, memory: &[u8]) -> Result<()> {
        self.software.write_memory(0, memory)?;
        self.device.write_memory(0, memory)
    }

    fn compare(&mut self, program: usize, descriptor: usize) -> Result<Option<Difference>> {
        if self.can_step() {
            let difference = self.compare_words(program, descriptor)?;
            if difference.is_some() {
                return Ok(difference);
            }
        }
        let bytes = self.executable.window().writable_bytes as usize;
        let (mut expected, mut got) = (vec![0; bytes], vec![0; bytes]);
        self.software.read_memory(0, &mut expected)?;
        self.device.read_memory(0, &mut got)?;
        let differs = (0..bytes).find(|&byte| got[byte] != expected[byte]);
        Ok(differs.map(|address| {
            let place = Place::Byte { address };
            self.difference(program, descriptor, place, Some(got[address].into()), expected[address].into())
        }))
    }

    /// Compares the on-chip memories.
    fn compare_words(&mut self, program: usize, descriptor: usize) -> Result<Option<Difference>> {
        let executable = Arc::clone(&self.executable);
        let arch = executable.arch();
        let vector = arch.vector as usize;
        for (space, words) in
            [(Space::Scratchpad, arch.scratchpad_words), (Space::Residual, arch.residual_words)]
        {
            let expected = self.software.values(space, 0, words)?;
            let device = stepper(self.device)?;
            let (got, written) = (device.values(space, 0, words)?, device.written(space)?);
            let same = |word: usize| {
                let values = word * vector..(word + 1) * vector;
                written[word] && got[values.clone()] == expected[values]
            };
            let meant = self.software.written(space)?;
            let Some(word) = (0..words as usize).find(|&word| meant[word] && !same(word)) else { continue };
            let values = word * vector..(word + 1) * vector;
            let differs = values.clone().find(|&value| got[value] != expected[value]);
            let value = differs.unwrap_or(values.start);
            let steps = &executable.listings()[program].steps[..=descriptor];
            let tensor = tensor_at(steps, vector, space, word, value % vector);
            let place = Place::Word { space, word, value: value % vector, tensor };
            let got = written[word].then_some(got[value]);
            return Ok(Some(self.difference(program, descriptor, place, got, expected[value])));
        }
        Ok(None)
    }

    fn difference(
        &self,
        program: usize,
        descriptor: usize,
        place: Place,
        got: Option<i16>,
        expected: i16,
    ) -> Difference {
        let label = self.executable.listings()[program].steps[descriptor].label.clone();
        Difference { descriptor, label, place, got, expected }
    }
}

fn stepper(device: &mut dyn Device) -> Result<&mut dyn Stepper> {
    let name = device.name();
    let problem = "cannot be stopped after a descriptor and shows no memories";
    device.stepper().ok_or_else(|| Error::new(ErrorKind::Device, name, problem))
}

/// The tensor of the latest step that a value belongs to.
fn tensor_at(steps: &[Step], vector: usize, space: Space, word: usize, value: usize) -> Option<TensorPlace> {
    let views = steps.iter().rev().flat_map(|step| &step.results).filter(|view| view.space == space);
    views.into_iter().find_map(|view| {
        let TensorView { ref name, address, tokens, channels, transposed, .. } = *view;
        let (rows, columns) = if transposed { (channels, tokens) } else { (tokens, channels) };
        let words = (columns as usize).div_ceil(vector);
        let offset = word.checked_sub(address as usize).filter(|offset| *offset < rows as usize * words)?;
        let (row, column) = (offset / words, offset % words * vector + value);
        let (token, channel) = if transposed { (column, row) } else { (row, column) };
        Some(TensorPlace { name: name.clone(), token, channel })
    })
}

#[cfg(test)]
mod tests;
