//! A board behind a real serial line of the operating system: the line itself, and the command.

#[path = "link/board.rs"]
mod board;
mod common;
#[path = "link/pty.rs"]
mod pty;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use board::Board;
use common::{compile_for, pictures, random_model};
use edge_moe::device::{Device, Line, SerialLine, UartAddress, UartDevice};
use edge_moe::draw::save_png;
use edge_moe::model::{sample_shapes, write_safetensors};
use edge_moe::runtime::Runtime;
use edge_moe::{Error, ErrorKind};
use edge_moe_isa::arch::ArchConfig;
use image::{GrayImage, ImageBuffer, Luma};
use pty::PtyBoard;

fn pty_board() -> PtyBoard {
    PtyBoard::new(Board::new(ArchConfig::tiny(), 4 << 20), 80)
}

#[track_caller]
fn assert_error(error: &Error, part: &str) {
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains(part), "`{part}` in: {error}");
}

#[track_caller]
fn not_opened(address: &UartAddress, part: &str) {
    assert_error(&SerialLine::open(address).map(drop).unwrap_err(), part);
}

#[test]
fn a_pseudo_terminal_carries_a_whole_run() {
    let float = random_model(sample_shapes::mixture(), 41);
    let picture = &pictures(&float.config, 1)[0];
    let model = &compile_for(&float, &ArchConfig::tiny(), std::slice::from_ref(picture));
    let board = pty_board();
    let address = UartAddress { path: board.path.clone(), baud: 20_000_000 };
    let device = UartDevice::open(&address).unwrap();
    assert_eq!(device.name(), format!("FPGA board on {},20000000", board.path.display()));
    not_opened(&address, "is in use by another program");
    let mut runtime = Runtime::new(device, Arc::clone(model)).unwrap();
    for _ in 0..2 {
        assert_eq!(runtime.run(picture, 0).unwrap(), common::run(model, picture));
    }
    assert_eq!(board.unplug().runs, 2);
    assert_error(&runtime.run(picture, 0).unwrap_err(), "the line is gone");
    drop(runtime);
    not_opened(&address, "there is no such serial line");
}

#[test]
fn a_line_that_nobody_reads_is_an_error_in_bounded_time() {
    let (_master, path) = pty::pair();
    let mut line = SerialLine::open(&UartAddress { path, baud: 20_000_000 }).unwrap();
    let error = (0..1000).find_map(|_| line.write(&[0; 1024]).err()).expect("buffers are full");
    assert_error(&error, "the line took no byte for 2.0 s");
    assert_eq!(line.read(&mut [0; 4], Duration::from_millis(5)).unwrap(), 0);
}

#[test]
fn what_is_no_serial_line_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (path, part) in [
        (directory.path().join("missing"), "missing: there is no such serial line"),
        (file, "file: is not a serial line"),
        (directory.path().into(), ": is not a serial line"),
        ("/dev/null".into(), "/dev/null: is not a serial line"),
    ] {
        not_opened(&UartAddress { path, baud: 9600 }, part);
    }
}

/// The command with its arguments, separated by blanks, in a directory.
fn command(directory: &Path, arguments: &str) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("edge-moe").unwrap();
    command.current_dir(directory).args(arguments.split(' ')).output().unwrap()
}

#[test]
fn the_command_runs_scores_verifies_and_profiles_on_a_board() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let model = random_model(sample_shapes::mixture(), 31);
    write_safetensors(&model, &directory.join("model.safetensors")).unwrap();
    let picture = &pictures(&model.config, 1)[0];
    save_png(&directory.join("0.png"), picture).unwrap();
    let board = pty_board();
    let device = format!("uart:{}", board.path.display());
    let succeeded = |arguments: &str| {
        let output = command(directory, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let run = |device: &str, out: &str| {
        let arguments =
            format!("run model.safetensors 0.png --arch tiny --json --device {device} --out {out}");
        serde_json::from_str::<serde_json::Value>(&succeeded(&arguments)).unwrap()
    };
    run("software", "software");
    let report = run(&device, "board");
    assert_eq!(report["device"], format!("FPGA board on {},2000000", board.path.display()));
    assert_eq!(report["pictures"][0]["figures"]["cycles"], 54_321);
    for entry in std::fs::read_dir(directory.join("software")).unwrap() {
        let name = entry.unwrap().file_name();
        let read = |from: &str| std::fs::read(directory.join(from).join(&name)).unwrap();
        assert!(read("software") == read("board"), "{name:?}");
    }

    let text = succeeded(&format!("verify model.safetensors 0.png --arch tiny --device {device}"));
    assert!(
        text.contains("one at a time: not possible") && text.contains("whole run: equal; 54321 cycles"),
        "{text}"
    );
    let text = succeeded(&format!("verify --random-programs 5 --arch tiny --seed 3 --device {device}"));
    assert!(text.contains("5 of 5 random programs equal, from seed 3"), "{text}");

    let scenes = directory.join("scenes");
    std::fs::create_dir(&scenes).unwrap();
    // Labels have one pixel a cell, four by four in a patch of eight pixels.
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    save_png(&scenes.join("0.png"), picture).unwrap();
    GrayImage::new(width, height).save(scenes.join("0.class.png")).unwrap();
    let depths = ImageBuffer::from_pixel(width, height, Luma([2560u16]));
    depths.save(scenes.join("0.depth.png")).unwrap();
    let eval = |device: &str| {
        succeeded(&format!("eval model.safetensors scenes --arch tiny --json --device {device}"))
    };
    assert_eq!(eval(&device), eval("software"));

    let profile = format!("profile model.safetensors 0.png --arch tiny --device {device}");
    assert!(succeeded(&profile).contains("54\u{202f}321 cycles on the FPGA board on "));
    let report: serde_json::Value = serde_json::from_str(&succeeded(&(profile + " --json"))).unwrap();
    assert_eq!((&report["counted"]["cycles"], &report["evidence"]), (&54_321.into(), &"estimated".into()));

    for (arguments, code, message) in [
        ("profile model.safetensors --device software".into(), 2, "cycles are counted by model, rtl, uart"),
        (
            format!("run model.safetensors 0.png --arch edge --device {device}"),
            5,
            "the board is not `edge`: lanes is 4",
        ),
        (
            format!("run model.safetensors 0.png --latency 3 --device {device}"),
            2,
            "--latency: applies to the RTL only",
        ),
        (
            "run model.safetensors 0.png --device uart:missing".into(),
            5,
            "missing: there is no such serial line",
        ),
        (
            "run model.safetensors 0.png --device usb:3".into(),
            2,
            "devices are software, rtl, uart:PATH[,BAUD] and zynq[:UIO[,BUFFER]]",
        ),
        ("run model.safetensors 0.png --device uart:x,fast".into(), 2, "`fast` is no baud rate"),
    ] {
        let output = command(directory, &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(message) && output.stdout.is_empty(), "{arguments}: {stderr}");
    }
}
