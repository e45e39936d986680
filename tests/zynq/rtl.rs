//! The RTL under Verilator behind registers and a buffer: what a ZCU102 has in its programmable logic.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use edge_moe::device::{Buffer, Device, Registers, RtlDevice, RtlOptions, ZynqDevice};
use edge_moe::lockstep::Lockstep;
use edge_moe::random_program::{RandomProgram, random_program};
use edge_moe::runtime::Runtime;
use edge_moe::{Error, ErrorKind, Result};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::Register;
use edge_moe_sim::memory::{Faults, Memory, MemorySettings};
use edge_moe_sim::{CoreLibrary, CoreModel, CoreOptions};

use crate::common;
use crate::mixture::{MIXTURE, device_error, seed};

/// Clock of the core.
const CLOCK_MHZ: u64 = 300;
/// Bytes of the buffer: more than the programs need.
const BUFFER_BYTES: usize = 4 << 20;
/// What the buffer holds before anything is written to it.
const GARBAGE: u8 = 0xa5;

static TINY: LazyLock<CoreLibrary> =
    LazyLock::new(|| CoreLibrary::build(&ArchConfig::tiny(), false).unwrap());

/// The core, and how often it interrupted a wait.
struct Core {
    model: CoreModel,
    interrupts: u32,
}

#[derive(Clone)]
struct Rtl(Rc<RefCell<Core>>);

fn failed(cause: edge_moe_sim::Error) -> Error {
    Error::new(ErrorKind::Device, "RTL", cause)
}

impl Rtl {
    /// A core whose whole memory is the buffer, which the core may write as far as its registers let it.
    fn new() -> Self {
        let arch = ArchConfig::tiny();
        let settings = MemorySettings { seed: seed(), ..MemorySettings::of(&arch) };
        let memory = Memory::new(&arch, settings, vec![GARBAGE; BUFFER_BYTES], Vec::new());
        let model = CoreModel::new(&TINY, &CoreOptions { seed: seed() as u32, waves: None }, memory).unwrap();
        Self(Rc::new(RefCell::new(Core { model, interrupts: 0 })))
    }

    fn open(&self) -> ZynqDevice {
        ZynqDevice::over(Box::new(self.clone()), Box::new(self.clone())).unwrap()
    }

    fn memory(&self) -> Vec<u8> {
        self.0.borrow().model.memory().writable().to_vec()
    }
}

impl Registers for Rtl {
    fn name(&self) -> String {
        "RTL".into()
    }

    fn read(&mut self, registers: &[Register], values: &mut [u32]) -> Result<()> {
        for (register, value) in registers.iter().zip(values) {
            *value = self.0.borrow_mut().model.read_register(*register).map_err(failed)?;
        }
        Ok(())
    }

    fn write(&mut self, registers: &[(Register, u32)]) -> Result<()> {
        for (register, value) in registers {
            self.0.borrow_mut().model.write_register(*register, *value).map_err(failed)?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.borrow().model.cycle() * 1000 / CLOCK_MHZ)
    }

    fn wait(&mut self, longest: Duration) -> Result<()> {
        let Core { model, interrupts } = &mut *self.0.borrow_mut();
        let end = model.cycle() + longest.as_micros() as u64 * CLOCK_MHZ;
        while model.cycle() < end {
            if model.interrupt().map_err(failed)? {
                *interrupts += 1;
                break;
            }
            model.step().map_err(failed)?;
        }
        Ok(())
    }
}

impl Buffer for Rtl {
    fn name(&self) -> String {
        "buffer".into()
    }

    fn bus_address(&self) -> u64 {
        self.0.borrow().model.memory().base()
    }

    fn bytes(&self) -> u64 {
        BUFFER_BYTES as u64
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        let core = &mut self.0.borrow_mut().model;
        core.memory_mut().writable_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(&self.0.borrow().model.memory().writable()[offset..offset + bytes.len()]);
        Ok(())
    }
}

#[test]
fn a_picture_has_the_answers_of_the_software_device_and_the_cycles_of_the_rtl_device() {
    let (model, picture) = &*MIXTURE;
    let rtl = Rtl::new();
    let mut runtime = Runtime::new(rtl.open(), Arc::clone(model)).unwrap();
    let mut simulated = Runtime::new(RtlDevice::new(RtlOptions::default()), Arc::clone(model)).unwrap();
    simulated.run(picture, 0).unwrap();
    for runs in 1..=2 {
        assert_eq!(runtime.run(picture, 0).unwrap(), common::run(model, picture));
        assert_eq!(rtl.0.borrow().interrupts, runs, "each program that ends interrupts");
        let (got, expected) = (runtime.device().figures().unwrap(), simulated.device().figures().unwrap());
        assert_eq!((got.read_bytes, got.written_bytes), (expected.read_bytes, expected.written_bytes));
        // How registers and memory meet in time may move a burst.
        let difference = got.cycles.abs_diff(expected.cycles);
        assert!(difference * 100 <= expected.cycles, "{} and {} cycles", got.cycles, expected.cycles);
    }
    let window = model.executable().window();
    let memory = rtl.memory();
    let (writable, total) = (window.writable_bytes as usize, window.total_bytes as usize);
    assert!(memory[writable..total] == *model.executable().image(), "the image is as it was");
    assert!(memory[total..].iter().all(|byte| *byte == GARBAGE), "what lies behind it, too");
}

#[test]
fn random_programs_leave_the_same_memory() {
    let programs = if std::env::var_os("EMOE_LONG").is_some() { 300 } else { 20 };
    let mut device = Rtl::new().open();
    for program in seed()..seed() + programs {
        let RandomProgram { executable, memory } = random_program(&ArchConfig::tiny(), program).unwrap();
        let mut lockstep = Lockstep::new(&mut device, &executable).unwrap();
        let difference = lockstep.whole_run(0, &memory).unwrap();
        assert_eq!(difference.map(|difference| difference.to_string()), None, "program {program}");
    }
}

#[test]
fn an_error_of_memory_names_its_descriptor_and_the_next_run_is_right() {
    let (model, picture) = &*MIXTURE;
    let rtl = Rtl::new();
    let mut runtime = Runtime::new(rtl.open(), Arc::clone(model)).unwrap();
    let start = model.executable().window().writable_bytes;
    let faults = Faults { errors: Some(start..start + 64), ..Faults::default() };
    rtl.0.borrow_mut().model.memory_mut().set_faults(faults);
    // The first rows of the image.
    let parts = ["RTL: stopped with error 5: read_response", "(descriptor 2: patch embedding)"];
    device_error(runtime.run(picture, 0).map(drop), &parts);
    device_error(runtime.device().read_memory(0, &mut [0; 4]), &["the last run failed"]);
    rtl.0.borrow_mut().model.memory_mut().set_faults(Faults::default());
    assert_eq!(runtime.run(picture, 0).unwrap(), common::run(model, picture));
}

#[test]
fn a_program_that_was_left_running_is_stopped() {
    let (model, picture) = &*MIXTURE;
    let rtl = Rtl::new();
    drop(Runtime::new(rtl.open(), Arc::clone(model)).unwrap());
    let listing = &model.executable().listings()[0];
    let window = model.executable().window();
    let base = rtl.bus_address();
    let mut registers = rtl.clone();
    let values = [
        (Register::BaseLow, base as u32),
        (Register::BaseHigh, (base >> 32) as u32),
        (Register::WritableBytes, window.writable_bytes as u32),
        (Register::TotalBytes, window.total_bytes as u32),
        (Register::Program, listing.address as u32),
        (Register::Control, 1),
    ];
    Registers::write(&mut registers, &values).unwrap();
    let mut runtime = Runtime::new(rtl.open(), Arc::clone(model)).unwrap();
    assert_eq!(runtime.run(picture, 0).unwrap(), common::run(model, picture));
}
