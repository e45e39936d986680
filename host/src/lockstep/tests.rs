use edge_moe_isa::arch::ArchConfig;

use super::*;
use crate::random_program::{RandomProgram, random_program};

/// A software device that goes wrong after a descriptor.
struct Wrong {
    device: SoftwareDevice,
    after: usize,
    fault: Fault,
    steps: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Value(Space, usize),
    Unwritten(usize),
    Byte(u64),
    Stops,
}

impl Wrong {
    fn new(fault: Fault, after: usize) -> Self {
        Self { device: SoftwareDevice::new(), after, fault, steps: 0 }
    }

    fn is_wrong(&self) -> bool {
        self.steps > self.after
    }
}

impl Device for Wrong {
    fn name(&self) -> String {
        "wrong device".into()
    }

    fn load(&mut self, executable: Arc<Executable>) -> Result<()> {
        self.device.load(executable)
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        self.device.write_memory(address, bytes)
    }

    fn read_memory(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        self.device.read_memory(address, bytes)?;
        if let (true, Fault::Byte(byte)) = (self.is_wrong(), self.fault) {
            bytes[(byte - address) as usize] ^= 1;
        }
        Ok(())
    }

    fn run(&mut self, program: usize) -> Result<()> {
        self.steps = usize::MAX;
        self.device.run(program)
    }

    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        Some(self)
    }
}

/// What is written when the fault is that nothing is.
const NOTHING: [bool; 1 << 14] = [false; 1 << 14];

impl Stepper for Wrong {
    fn start(&mut self, program: usize) -> Result<()> {
        self.steps = 0;
        self.device.start(program)
    }

    fn step(&mut self) -> Result<Option<usize>> {
        self.steps += 1;
        if self.is_wrong() && self.fault == Fault::Stops {
            return Ok(None);
        }
        self.device.step()
    }

    fn values(&self, space: Space, address: u32, words: u32) -> Result<Vec<i16>> {
        let mut values = self.device.values(space, address, words)?;
        if let (true, Fault::Value(wrong, value)) = (self.is_wrong(), self.fault)
            && wrong == space
        {
            values[value] ^= 1;
        }
        Ok(values)
    }

    fn written(&self, space: Space) -> Result<&[bool]> {
        let written = self.device.written(space)?;
        match self.fault {
            Fault::Unwritten(after) if self.steps > after => Ok(&NOTHING[..written.len()]),
            _ => Ok(written),
        }
    }
}

fn program() -> RandomProgram {
    random_program(&ArchConfig::tiny(), 3).unwrap()
}

/// First value of a word that the program's first descriptor writes.
fn first_written(space: Space) -> usize {
    let RandomProgram { executable, memory } = program();
    let mut device = SoftwareDevice::new();
    device.load(executable).unwrap();
    device.write_memory(0, &memory).unwrap();
    device.start(0).unwrap();
    device.step().unwrap();
    4 * device.written(space).unwrap().iter().position(|&written| written).unwrap()
}

fn run(fault: Fault, after: usize) -> (Result<Option<Difference>>, usize) {
    let RandomProgram { executable, memory } = program();
    let mut device = Wrong::new(fault, after);
    let mut done = 0;
    let result =
        Lockstep::new(&mut device, &executable).unwrap().step_by_step(0, &memory, &mut |_| done += 1);
    (result, done)
}

#[test]
fn equal_devices_differ_nowhere() {
    let RandomProgram { executable, memory } = program();
    let mut device = Wrong::new(Fault::None, 0);
    let mut lockstep = Lockstep::new(&mut device, &executable).unwrap();
    let mut done = 0;
    assert_eq!(lockstep.step_by_step(0, &memory, &mut |_| done += 1).unwrap(), None);
    assert_eq!(done, executable.programs()[0].len());
    assert_eq!(lockstep.whole_run(0, &memory).unwrap(), None);
}

#[test]
fn a_wrong_value_is_found_after_its_descriptor() {
    let value = first_written(Space::Scratchpad);
    let (result, done) = run(Fault::Value(Space::Scratchpad, value), 1);
    let difference = result.unwrap().unwrap();
    assert_eq!((difference.descriptor, done), (1, 1));
    let start = format!("after descriptor 1 (`copy`): scratchpad word {} value 0: got ", value / 4);
    assert!(difference.to_string().starts_with(&start), "{difference}");
    assert_eq!(difference.got.unwrap() ^ 1, difference.expected);
}

#[test]
fn words_that_nobody_wrote_do_not_count() {
    let RandomProgram { executable, .. } = program();
    let last = executable.arch().scratchpad_words as usize * 4 - 1;
    assert_eq!(run(Fault::Value(Space::Scratchpad, last), 0).0.unwrap(), None);
}

#[test]
fn a_word_that_was_not_written_is_a_difference() {
    let difference = run(Fault::Unwritten(0), 0).0.unwrap().unwrap();
    assert_eq!((difference.descriptor, difference.got), (0, None));
    assert!(difference.to_string().contains(": never written, expected "), "{difference}");
}

#[test]
fn a_wrong_byte_is_found_in_both_ways_of_running() {
    let difference = run(Fault::Byte(100), 2).0.unwrap().unwrap();
    assert_eq!((difference.descriptor, &difference.place), (2, &Place::Byte { address: 100 }));
    let RandomProgram { executable, memory } = program();
    let mut device = Wrong::new(Fault::Byte(77), 0);
    let difference = Lockstep::new(&mut device, &executable).unwrap().whole_run(0, &memory).unwrap().unwrap();
    assert_eq!(difference.place, Place::Byte { address: 77 });
    assert_eq!(difference.label, "end");
}

#[test]
fn a_device_that_stops_early_is_an_error() {
    let error = run(Fault::Stops, 1).0.unwrap_err();
    assert_eq!(error.to_string(), "wrong device: finished descriptor None, expected Some(1)");
}

#[test]
fn values_are_named_by_the_latest_tensor() {
    let view = |name: &str, address, tokens, channels, transposed| TensorView {
        name: name.into(),
        space: Space::Scratchpad,
        address,
        tokens,
        channels,
        transposed,
        scales: vec![1.0],
    };
    let step = |view| Step { label: String::new(), results: vec![view] };
    let steps = [step(view("keys", 10, 3, 6, false)), step(view("values", 12, 5, 2, true))];
    let name = |steps: &[Step], word, value| {
        tensor_at(steps, 4, Space::Scratchpad, word, value)
            .map(|place| (place.name, place.token, place.channel))
    };
    assert_eq!(name(&steps, 11, 1), Some(("keys".into(), 0, 5)));
    assert_eq!(name(&steps[..1], 14, 2), Some(("keys".into(), 2, 2)));
    assert_eq!(name(&steps, 14, 2), Some(("values".into(), 2, 1)));
    assert_eq!(name(&steps, 15, 0), Some(("values".into(), 4, 1)));
    assert_eq!(name(&steps, 16, 0), None);
}
