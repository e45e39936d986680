//! Whole boards in Verilator behind a pseudo-terminal: core, link, SDRAM controller and chip, with the code and the
//! protocol of real boards.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use common::{compile_for, pictures, random_model};
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{UartAddress, UartDevice};
use edge_moe::draw::save_png;
use edge_moe::emulation::{EmulatedBoard, Options};
use edge_moe::model::{sample_shapes, write_safetensors};
use edge_moe::runtime::{Answers, Runtime};
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;

/// A board that a thread serves.
struct Served {
    address: UartAddress,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<EmulatedBoard>>,
}

impl Served {
    fn new(mut board: EmulatedBoard) -> Self {
        let address = board.address().clone();
        let quit = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&quit);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                board.serve().unwrap();
            }
            board
        });
        Self { address, quit, thread: Some(thread) }
    }

    /// The board, which nobody serves any more.
    fn stop(mut self) -> EmulatedBoard {
        self.quit.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn board(arch: &ArchConfig, line_faults: f64) -> EmulatedBoard {
    let seed = std::env::var("EMOE_SEED").map_or(1, |seed| seed.parse().unwrap());
    eprintln!("EMOE_SEED={seed}");
    EmulatedBoard::new(arch, Options { seed, line_faults }).unwrap()
}

fn model(arch: &ArchConfig) -> (Arc<CompiledModel>, Vec<RgbImage>) {
    let float = random_model(sample_shapes::mixture(), 41);
    let pictures = pictures(&float.config, 2);
    (compile_for(&float, arch, &pictures[..1]), pictures)
}

/// The answers of each picture, by a board.
fn run(address: &UartAddress, model: &Arc<CompiledModel>, pictures: &[RgbImage]) -> Vec<Answers> {
    let mut runtime = Runtime::new(UartDevice::open(address).unwrap(), Arc::clone(model)).unwrap();
    let program = runtime.program_for(None).unwrap();
    pictures.iter().map(|picture| runtime.run(picture, program).unwrap()).collect()
}

fn assert_right(got: &[Answers], model: &Arc<CompiledModel>, pictures: &[RgbImage]) {
    assert_eq!(got.len(), pictures.len());
    for (answers, picture) in got.iter().zip(pictures) {
        assert!(*answers == common::run(model, picture));
    }
}

#[test]
fn a_board_answers_as_the_software_device_does() {
    let (model, pictures) = model(&ArchConfig::tiny());
    let served = Served::new(board(&ArchConfig::tiny(), 0.0));
    assert_right(&run(&served.address, &model, &pictures), &model, &pictures);

    // The clock of the whole board stands still when nobody has asked anything for a while.
    let mut board = served.stop();
    let is_still = |board: &mut EmulatedBoard| {
        let before = board.cycles();
        board.serve().unwrap();
        board.cycles() == before
    };
    assert!((0..2000).any(|_| is_still(&mut board)), "the clock never stood still");
    let served = Served::new(board);
    assert_right(&run(&served.address, &model, &pictures[..1]), &model, &pictures[..1]);

    // The clock of the core stands still while it is idle, above; here it never does.
    let mut board = served.stop();
    board.stop_idle_core(false);
    let served = Served::new(board);
    assert_right(&run(&served.address, &model, &pictures[..1]), &model, &pictures[..1]);
    served.stop();
}

#[test]
fn a_disturbed_line_changes_no_answer() {
    let (model, pictures) = model(&ArchConfig::tiny());
    let served = Served::new(board(&ArchConfig::tiny(), 0.05));
    assert_right(&run(&served.address, &model, &pictures), &model, &pictures);
    served.stop();
}

#[test]
fn a_reset_is_noticed_and_survived() {
    let (model, pictures) = model(&ArchConfig::tiny());
    let served = Served::new(board(&ArchConfig::tiny(), 0.0));
    let address = served.address.clone();
    let mut runtime = Runtime::new(UartDevice::open(&address).unwrap(), Arc::clone(&model)).unwrap();
    let mut board = served.stop();
    board.reset();
    let served = Served::new(board);
    let error = runtime.run(&pictures[0], 0).unwrap_err().to_string();
    assert!(error.contains("the board was reset"), "{error}");
    drop(runtime);
    assert_right(&run(&address, &model, &pictures), &model, &pictures);
    served.stop();
}

/// `edge-moe emulate`, until it is dropped.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("edge-moe"));
    command.current_dir(directory).args(arguments.split(' '));
    command
}

#[test]
fn the_command_emulates_a_board_that_the_command_runs() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let model = random_model(sample_shapes::mixture(), 31);
    write_safetensors(&model, &directory.join("model.safetensors")).unwrap();
    save_png(&directory.join("0.png"), &pictures(&model.config, 1)[0]).unwrap();
    let mut emulator = command(directory, "emulate ulx3s-85f --arch tiny --link line --line-faults 0.02");
    let mut emulator = Emulator(emulator.stdout(Stdio::piped()).spawn().unwrap());
    let mut device = String::new();
    BufReader::new(emulator.0.stdout.take().unwrap()).read_line(&mut device).unwrap();
    assert!(device.starts_with("uart:line,"), "{device}");
    for (device, out) in [(device.trim(), "board"), ("software", "software")] {
        let arguments = format!("run model.safetensors 0.png --arch tiny --device {device} --out {out}");
        let output = command(directory, &arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut files = 0;
    for entry in std::fs::read_dir(directory.join("software")).unwrap() {
        let name = entry.unwrap().file_name();
        let read = |from: &str| std::fs::read(directory.join(from).join(&name)).unwrap();
        assert!(read("software") == read("board"), "{name:?}");
        files += 1;
    }
    assert!(files > 0);
}

#[test]
fn what_is_no_board_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        ("emulate ulx4s", "ulx4s: no board of that name; known are ulx3s-85f"),
        ("emulate ulx3s-85f --arch edge", "architecture `edge`"),
        ("emulate ulx3s-85f --line-faults 2", "is no share"),
    ] {
        let output = command(directory.path(), arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(message), "{arguments}: {text}");
    }
}
