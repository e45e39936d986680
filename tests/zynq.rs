//! An accelerator on the bus as a device: the driver against an emulated core, against the RTL, and against a
//! tree of files such as Linux shows; one clear error where there can be no result.
#![cfg(unix)]

#[path = "link/board.rs"]
mod board;
mod common;
#[path = "zynq/emulated.rs"]
mod emulated;
#[path = "link/mixture.rs"]
mod mixture;
#[cfg(feature = "sim")]
#[path = "zynq/rtl.rs"]
mod rtl;
#[path = "zynq/tree.rs"]
mod tree;

use std::sync::Arc;
use std::time::Duration;

use board::{Board, COUNTED};
use edge_moe::device::{Device, ZynqAddress, ZynqDevice};
use edge_moe::runtime::Runtime;
use edge_moe::{ErrorKind, Result};
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{ErrorCode, Register, control, mode, status};
use emulated::Emulated;
use mixture::{MEMORY_BYTES, MIXTURE, assert_answers_right, device_error};
use tree::{BUS_ADDRESS, Tree};

fn emulated() -> Emulated {
    Emulated::new(Board::new(ArchConfig::tiny(), MEMORY_BYTES))
}

fn runtime(emulated: &Emulated) -> Runtime<ZynqDevice> {
    Runtime::new(emulated.open().unwrap(), Arc::clone(&MIXTURE.0)).unwrap()
}

#[test]
fn answers_are_those_of_the_software_device() {
    let emulated = emulated();
    let mut runtime = runtime(&emulated);
    for runs in 1..=3 {
        assert_answers_right(&mut runtime);
        assert_eq!(emulated.0.borrow().board.runs, runs);
    }
    let figures = runtime.device().figures().unwrap();
    let bus_bytes = u64::from(ArchConfig::tiny().bus_bytes());
    let [cycles, read, written] = COUNTED.map(|(_, value)| u64::from(value));
    assert_eq!(
        (figures.cycles, figures.read_bytes, figures.written_bytes),
        (cycles, read * bus_bytes, written * bus_bytes)
    );
    assert!(figures.seconds >= 0.03 && figures.seconds < 1.0, "{figures:?}");
    assert_eq!(emulated.0.borrow().board.get(Register::Mode), mode::INTERRUPT);
    assert_eq!(runtime.device().name(), "accelerator at registers");
}

#[test]
fn any_bytes_of_writable_memory_are_written_and_read_and_no_others() {
    let emulated = emulated();
    let mut device = emulated.open().unwrap();
    device_error(device.write_memory(0, &[0]), &["no model is loaded"]);
    device_error(device.run(0), &["no model is loaded"]);
    device.load(Arc::clone(MIXTURE.0.executable())).unwrap();
    device.write_memory(3, &[1, 2, 3]).unwrap();
    let mut read = [0; 3];
    device.read_memory(3, &mut read).unwrap();
    assert_eq!((read, &emulated.0.borrow().board.memory[3..6]), ([1, 2, 3], &[1, 2, 3][..]));
    let writable = MIXTURE.0.executable().window().writable_bytes;
    device_error(device.write_memory(writable - 1, &[0; 2]), &["lie outside its"]);
    device_error(device.read_memory(u64::MAX, &mut [0; 2]), &["lie outside its"]);
    device_error(device.run(99), &["program 99 does not exist"]);
}

#[test]
fn what_is_not_the_models_accelerator_is_refused_before_anything_is_written() {
    let emulated = emulated();
    emulated.0.borrow_mut().board.set(Register::Lanes, 8);
    emulated.0.borrow_mut().board.set(Register::BankWords, 7);
    let before = emulated.0.borrow().board.memory.clone();
    let load = |emulated: &Emulated| emulated.open().unwrap().load(Arc::clone(MIXTURE.0.executable()));
    let error = device_error(
        load(&emulated),
        &["the board is not `tiny`: lanes is 8, not 4; bank_words is 7, not 64"],
    );
    assert!(error.hint_text().unwrap().contains("--arch"));
    assert!(emulated.0.borrow().board.memory == before);

    emulated.0.borrow_mut().board.set(Register::Magic, 0x1234);
    device_error(emulated.open().map(drop), &["its magic is 0x00001234, not 0x454f4d45"]);

    let total = MIXTURE.0.executable().window().total_bytes as usize;
    let small = Emulated::new(Board::new(ArchConfig::tiny(), total - 1));
    let sizes =
        format!("buffer: the model needs {total} bytes of contiguous memory, the buffer has {}", total - 1);
    let error = device_error(load(&small), &[&sizes]);
    assert!(error.hint_text().unwrap().contains("edge_moe.dtso"));
    load(&Emulated::new(Board::new(ArchConfig::tiny(), total))).unwrap();
}

#[test]
fn a_buffer_that_cannot_be_addressed_is_refused() {
    for (address, right) in
        [(0x7000_0000, true), (0x7000_0800, false), ((1 << 40) - (32 << 20), true), (1 << 40, false)]
    {
        let emulated = emulated();
        emulated.0.borrow_mut().bus_address = address;
        match emulated.open().map(drop) {
            Ok(()) => assert!(right, "{address:x}"),
            Err(error) => assert!(!right && error.to_string().contains("a multiple of 4096"), "{error}"),
        }
    }
}

#[test]
fn a_program_that_fails_names_its_descriptor_and_leaves_no_result() {
    let emulated = emulated();
    let mut runtime = runtime(&emulated);
    assert_answers_right(&mut runtime);
    emulated.0.borrow_mut().board.fails = Some(ErrorCode::Timeout);
    let label = &MIXTURE.0.manifest().programs[0].steps[0].label;
    let place = format!("(descriptor 0: {label})");
    device_error(runtime.device().run(0), &["registers: stopped with error 7: timeout: ", &place]);
    assert_eq!(runtime.device().figures(), None);
    device_error(runtime.device().read_memory(0, &mut [0; 4]), &["the last run failed"]);
    emulated.0.borrow_mut().board.fails = None;
    assert_answers_right(&mut runtime);
}

#[test]
fn a_program_without_an_end_is_stopped() {
    let emulated = emulated();
    let mut runtime = runtime(&emulated);
    emulated.0.borrow_mut().board.run_time = Duration::from_secs(1_000_000);
    device_error(
        runtime.device().run(0),
        &["still runs after 4294967296 cycles, and was stopped (descriptor 0: "],
    );
    assert_eq!(emulated.0.borrow().board.get(Register::Error), ErrorCode::Stopped as u32);
    emulated.0.borrow_mut().board.run_time = Duration::from_millis(30);
    assert_answers_right(&mut runtime);
}

#[test]
fn a_core_without_a_clock_is_noticed_within_seconds() {
    let emulated = emulated();
    let mut runtime = runtime(&emulated);
    emulated.0.borrow_mut().board.standstill = true;
    emulated.0.borrow_mut().board.run_time = Duration::from_secs(1_000_000);
    let begin = emulated.0.borrow().board.now;
    let error =
        device_error(runtime.device().run(0), &["the cycle counter stands still at 0 (descriptor 0: "]);
    assert!(error.hint_text().unwrap().contains("clock"));
    assert!(emulated.0.borrow().board.now - begin < Duration::from_secs(3));
}

#[test]
fn a_refused_start_is_repeated_for_a_while() {
    let emulated = emulated();
    let mut runtime = runtime(&emulated);
    emulated.0.borrow_mut().board.refusals = 5;
    assert_answers_right(&mut runtime);
    emulated.0.borrow_mut().board.refusals = u32::MAX;
    device_error(runtime.device().run(0), &["the core refuses to start the program"]);
}

#[test]
fn a_program_that_was_left_running_is_stopped() {
    let emulated = emulated();
    emulated.0.borrow_mut().board.run_for_ever();
    let mut runtime = runtime(&emulated);
    assert_answers_right(&mut runtime);
}

fn open(tree: &Tree, address: &str) -> Result<ZynqDevice> {
    let address = if address.is_empty() { ZynqAddress::default() } else { address.parse().unwrap() };
    ZynqDevice::open_under(&address, tree.root())
}

#[test]
fn registers_and_buffer_are_found_mapped_and_synchronised() {
    let tree = Tree::new(&ArchConfig::tiny(), MEMORY_BYTES as u64);
    let mut device = open(&tree, "").unwrap();
    assert_eq!(device.name(), "accelerator at /dev/uio4");
    let executable = MIXTURE.0.executable();
    device.load(Arc::clone(executable)).unwrap();
    let window = executable.window();
    let (writable, total) = (window.writable_bytes as usize, window.total_bytes as usize);
    let memory = std::fs::read(tree.path("dev/udmabuf0")).unwrap();
    assert!(memory[writable..total] == *executable.image());
    assert!(memory[..writable].iter().chain(&memory[total..]).all(|byte| *byte == 0));
    let sync = |attribute: &str| tree.text(&format!("sys/class/u-dma-buf/udmabuf0/{attribute}"));
    let start = writable / 64 * 64;
    let bytes = total.next_multiple_of(64) - start;
    assert_eq!(sync("sync_for_device"), format!("0x{start:08X}{:08X}", bytes | 1));

    device.write_memory(100, &[7; 100]).unwrap();
    assert_eq!(sync("sync_for_device"), "0x00000040000000C1");
    assert_eq!(std::fs::read(tree.path("dev/udmabuf0")).unwrap()[100..200], [7; 100]);
    let mut read = [0; 4];
    device.read_memory(196, &mut read).unwrap();
    assert_eq!(read, [7; 4]);
    assert_eq!(sync("sync_for_cpu"), "0x000000C000000041");

    // Files answer nothing: the program seems to be done at once.
    for (register, value) in [(Register::Status, status::DONE), (Register::Cycles, 77)] {
        tree.set(register, value);
    }
    device.run(0).unwrap();
    assert_eq!(device.figures().unwrap().cycles, 77);
    for (register, value) in [
        (Register::BaseLow, BUS_ADDRESS as u32),
        (Register::BaseHigh, (BUS_ADDRESS >> 32) as u32),
        (Register::WritableBytes, writable as u32),
        (Register::TotalBytes, total as u32),
        (Register::Program, executable.listings()[0].address as u32),
        (Register::Mode, mode::INTERRUPT),
        (Register::Control, control::START),
    ] {
        assert_eq!(tree.get(register), value, "{register:?}");
    }
}

#[test]
fn an_accelerator_is_for_one_process_and_may_have_another_name() {
    let tree = Tree::new(&ArchConfig::tiny(), 4096);
    let device = open(&tree, "/dev/uio4,/dev/udmabuf0").unwrap();
    device_error(open(&tree, "").map(drop), &["/dev/uio4: is in use by another program"]);
    drop(device);
    std::os::unix::fs::symlink("uio4", tree.path("dev/accelerator")).unwrap();
    assert_eq!(open(&tree, "/dev/accelerator").unwrap().name(), "accelerator at /dev/accelerator");
}

#[test]
fn what_linux_does_not_show_is_said_with_the_next_step() {
    let tiny = ArchConfig::tiny();
    let tree = |change: &dyn Fn(&Tree)| {
        let tree = Tree::new(&tiny, 1 << 20);
        change(&tree);
        tree
    };
    let remove = |path: &'static str| move |tree: &Tree| std::fs::remove_dir_all(tree.path(path)).unwrap();
    let cases: [(Tree, &str, &str, &str); 12] = [
        (
            Tree::empty(),
            "",
            "zynq: no UIO device is named `edge_moe`",
            "modprobe uio_pdrv_genirq of_id=generic-uio",
        ),
        (Tree::empty(), "/dev/uio4", "/dev/uio4: there is no such UIO device", "modprobe"),
        (
            tree(&|tree| tree.add_uio("uio5", "edge_moe", 0x1000)),
            "",
            "zynq: several UIO devices are named `edge_moe`: /dev/uio4, /dev/uio5",
            "zynq:/dev/uio4",
        ),
        (
            tree(&|_| ()),
            "/dev/uio0",
            "/dev/uio0: is UIO device `axi-pmon`, not `edge_moe`",
            "edge-moe devices",
        ),
        (tree(&|_| ()), "/dev/udmabuf0", "/dev/udmabuf0: is not a UIO device", "modprobe"),
        (
            tree(&|tree| tree.add_uio("uio4", "edge_moe", 0x800)),
            "",
            "/dev/uio4: has 2048 bytes of registers, an accelerator has 4096",
            "edge_moe.dtso",
        ),
        (tree(&remove("sys/class/u-dma-buf")), "", "zynq: there is no buffer of u-dma-buf", "u-dma-buf"),
        (
            tree(&|tree| tree.add_buffer("udmabuf1", 4096)),
            "",
            "zynq: there are several buffers: /dev/udmabuf0, /dev/udmabuf1",
            "zynq:UIO,/dev/udmabuf0",
        ),
        (tree(&|_| ()), "/dev/uio4,/dev/uio0", "/dev/uio0: is not a buffer of u-dma-buf", "u-dma-buf"),
        (tree(&|_| ()), "/dev/uio4,/dev/none", "/dev/none: there is no such buffer", "u-dma-buf"),
        (tree(&|tree| tree.set(Register::Magic, 1)), "", "/dev/uio4: this is no edge-moe board", ""),
        (
            tree(&|tree| tree.write("sys/class/u-dma-buf/udmabuf0/phys_addr", "0x70000800\n")),
            "",
            "/dev/udmabuf0: 1048576 bytes at bus address 0x70000800: an accelerator needs a multiple of 4096",
            "",
        ),
    ];
    for (tree, address, problem, hint) in cases {
        let error = open(&tree, address).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().starts_with(problem), "{error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{error:?}");
    }
}

#[test]
fn caches_that_cannot_be_synchronised_are_an_error() {
    let tree = Tree::new(&ArchConfig::tiny(), MEMORY_BYTES as u64);
    let mut device = open(&tree, "").unwrap();
    device.load(Arc::clone(MIXTURE.0.executable())).unwrap();
    let path = tree.path("sys/class/u-dma-buf/udmabuf0/sync_for_cpu");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    device_error(device.read_memory(0, &mut [0; 4]), &["/dev/udmabuf0: caches cannot be synchronised by "]);
}

#[test]
fn the_accelerator_of_another_configuration_is_named_with_both() {
    let tree = Tree::new(&ArchConfig::edge(), MEMORY_BYTES as u64);
    let mut device = open(&tree, "").unwrap();
    let result = device.load(Arc::clone(MIXTURE.0.executable()));
    device_error(result, &["/dev/uio4: the board is not `tiny`: lanes is 16, not 4; vector is 16, not 4; "]);
    assert!(std::fs::read(tree.path("dev/udmabuf0")).unwrap().iter().all(|byte| *byte == 0));
    drop(device);
    let address = ZynqAddress::default();
    assert_eq!(ZynqDevice::identify(&address, tree.root(), &ArchConfig::edge()).unwrap(), "/dev/uio4");
    let tiny = ZynqDevice::identify(&address, tree.root(), &ArchConfig::tiny());
    device_error(tiny.map(drop), &["the board is not `tiny`: lanes is 16, not 4"]);
}
