//! A board on a serial line as a device: the same bytes as the software device over lines that lose, repeat,
//! delay and spoil frames, and one clear error where there can be no result.

#[path = "link/board.rs"]
mod board;
mod common;
#[path = "link/faulty_line.rs"]
mod faulty_line;
#[path = "link/mixture.rs"]
mod mixture;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use board::{Board, COUNTED};
use edge_moe::Result;
use edge_moe::device::{Device, Link, UartDevice};
use edge_moe::lockstep::Lockstep;
use edge_moe::random_program::random_program;
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::link::{CHECKSUM_BYTES, Header, Operation, PAYLOAD_BYTES};
use edge_moe_isa::registers::{ErrorCode, Register, status};
use faulty_line::{BAUD, Event, FaultyLine, World, line_of};
use mixture::{MEMORY_BYTES, MIXTURE, assert_answers_right, device_error, seed};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

const SESSION: u32 = 0x5e55_1000;

fn board() -> Board {
    Board::new(ArchConfig::tiny(), MEMORY_BYTES)
}

fn open(world: &Rc<RefCell<World>>) -> Result<UartDevice> {
    UartDevice::over(Link::over(Box::new(FaultyLine(Rc::clone(world))), SESSION))
}

fn load(device: &mut UartDevice) -> Result<()> {
    device.load(Arc::clone(MIXTURE.0.executable()))
}

/// A device on a faultless line.
fn opened() -> (Rc<RefCell<World>>, UartDevice) {
    let world = World::new(board(), 0.0, seed());
    let device = open(&world).unwrap();
    (world, device)
}

/// The same with the model loaded.
fn loaded() -> (Rc<RefCell<World>>, Runtime<UartDevice>) {
    let (world, device) = opened();
    (world, Runtime::new(device, Arc::clone(&MIXTURE.0)).unwrap())
}

fn chunks(bytes: usize) -> u64 {
    bytes.div_ceil(PAYLOAD_BYTES) as u64
}

#[test]
fn answers_are_those_of_the_software_device_whatever_the_line_does() {
    for faults in [0.0, 0.01, 0.2] {
        let world = World::new(board(), faults, seed());
        let mut runtime = Runtime::new(open(&world).unwrap(), Arc::clone(&MIXTURE.0)).unwrap();
        for runs in 1..=3 {
            assert_answers_right(&mut runtime);
            assert_eq!(world.borrow().bridge.target.runs, runs);
        }
        let figures = runtime.device().figures().unwrap();
        let bus_bytes = u64::from(ArchConfig::tiny().bus_bytes());
        let [cycles, read, written] = COUNTED.map(|(_, value)| u64::from(value));
        assert_eq!(
            (figures.cycles, figures.read_bytes, figures.written_bytes),
            (cycles, read * bus_bytes, written * bus_bytes)
        );
        assert!(figures.seconds >= 0.03 && figures.seconds < 60.0, "{figures:?}");
    }
}

#[test]
fn random_programs_leave_the_same_memory() {
    let world = World::new(board(), 0.01, seed());
    let mut device = open(&world).unwrap();
    for program in 1..=20 {
        let random = random_program(&ArchConfig::tiny(), program).unwrap();
        let mut lockstep = Lockstep::new(&mut device, &random.executable).unwrap();
        assert!(!lockstep.can_step());
        let difference = lockstep.whole_run(0, &random.memory).unwrap();
        assert_eq!(difference.map(|difference| difference.to_string()), None, "program {program}");
    }
}

#[test]
fn an_hour_of_traffic_over_a_faulty_line_leaves_no_wrong_byte() {
    let frames = if std::env::var_os("EMOE_LONG").is_some() { 700_000 } else { 5_000 };
    let world = World::new(Board::new(ArchConfig::tiny(), 1 << 20), 0.01, seed());
    let mut link = Link::over(Box::new(FaultyLine(Rc::clone(&world))), SESSION);
    link.hello().unwrap();
    let mut random = StdRng::seed_from_u64(seed());
    let mut expected = world.borrow().bridge.target.memory.clone();
    while world.borrow().sent < frames {
        let bytes = 4 * random.random_range(1..=1 << 14);
        let start = 4 * random.random_range(0..=(expected.len() - bytes) / 4);
        let range = start..start + bytes;
        random.fill_bytes(&mut expected[range.clone()]);
        link.write_memory(start as u32, &expected[range.clone()], &mut |_| ()).unwrap();
        assert_eq!(link.checksum(start as u32, bytes as u32).unwrap(), crc32fast::hash(&expected[range]));
        let start = 4 * random.random_range(0..=(expected.len() - bytes) / 4);
        let mut got = vec![0; bytes];
        link.read_memory(start as u32, &mut got).unwrap();
        assert!(got == expected[start..start + bytes], "{bytes} bytes at {start}");
        let timeout = random.next_u32();
        link.write_register(Register::Timeout, timeout).unwrap();
        assert_eq!(link.read_register(Register::Timeout).unwrap(), timeout);
    }
    let world = world.borrow();
    assert!(world.bridge.target.memory == expected);
    let share = world.now.as_secs_f64() / (world.sent as f64 * 1050.0 * 10.0 / f64::from(BAUD));
    println!("{} frames in {:.0} s of the line's time", world.sent, world.now.as_secs_f64());
    assert!(share < 3.0, "faults of 1 % make it {share:.1} times slower");
}

#[test]
fn every_program_starts_once_on_a_line_that_loses_half() {
    let world = World::new(board(), 0.5, seed());
    let mut link = Link::over(Box::new(FaultyLine(Rc::clone(&world))), SESSION);
    link.hello().unwrap();
    world.borrow_mut().bridge.target.refusals = u32::MAX;
    for starts in 1..=50 {
        link.start().unwrap();
        assert_eq!(world.borrow().bridge.target.refusals, u32::MAX - starts);
    }
}

#[test]
fn a_line_that_is_cut_while_a_model_is_loaded_is_an_error() {
    for (event, parts) in [
        (Event::Unplug, &["line: the line is gone"][..]),
        (
            Event::Silence,
            &["line: no answer to `write 1024 bytes at 0x", "asked 24 times in", "nothing came"],
        ),
    ] {
        let (world, mut device) = opened();
        world.borrow_mut().plan(50, event);
        device_error(load(&mut device), parts);
        assert!(world.borrow().now < Duration::from_secs(30));
        device_error(device.run(0), &["no model is loaded"]);
    }
}

#[test]
fn nobody_at_the_other_end_is_an_error_within_seconds() {
    let world = World::new(board(), 0.0, seed());
    world.borrow_mut().plan(1, Event::Silence);
    let error = device_error(open(&world).map(drop), &["no answer to `hello`", "nothing came"]);
    assert!(error.hint_text().unwrap().contains("powered"));
    assert!(world.borrow().now < Duration::from_secs(15));
}

#[test]
fn what_is_no_board_is_told_by_what_it_sends() {
    for (bytes, part) in [
        (b"login: ".repeat(100), "700 bytes came, but no frame"),
        (line_of(Header::default(), &[]), "1 that answer something else"),
        (line_of(Header::default(), &[])[2..].to_vec(), "1 frames with a wrong CRC"),
    ] {
        let world = World::new(board(), 0.0, seed());
        world.borrow_mut().plan(1, Event::Silence);
        world.borrow_mut().inject(bytes);
        device_error(open(&world).map(drop), &["no answer to `hello`", part]);
    }
}

#[test]
fn a_board_that_is_reset_while_a_model_is_loaded_is_an_error_and_loads_again() {
    let (world, mut device) = opened();
    world.borrow_mut().plan(100, Event::Reset);
    let error = device_error(load(&mut device), &["the board was reset"]);
    assert!(error.hint_text().unwrap().contains("loads the model again"));
    device_error(device.run(0), &["no model is loaded"]);
    let mut runtime = Runtime::new(device, Arc::clone(&MIXTURE.0)).unwrap();
    assert_answers_right(&mut runtime);
}

/// Something happens at one frame after another of a run; what the error says.
#[track_caller]
fn disturb_every_frame(event: Event, message: &str) {
    let (world, mut runtime) = loaded();
    assert_answers_right(&mut runtime);
    let begin = world.borrow().sent;
    assert_answers_right(&mut runtime);
    let frames = world.borrow().sent - begin;
    assert!(frames > 40, "{frames}");
    for frame in 1..=frames {
        world.borrow_mut().plan(frame, event);
        // A picture of its own, so that answers of the run before are wrong answers.
        let picture = image::imageops::brighten(&MIXTURE.1, frame as i32);
        device_error(runtime.run(&picture, 0).map(drop), &[message]);
        assert_eq!(runtime.device().figures(), None);
        world.borrow_mut().repair();
        device_error(runtime.device().run(0), &["no model is loaded"]);
        device_error(runtime.device().read_memory(0, &mut [0; 4]), &["no model is loaded"]);
        load(runtime.device()).unwrap();
        assert_eq!(runtime.run(&picture, 0).unwrap(), common::run(&MIXTURE.0, &picture), "frame {frame}");
    }
}

#[test]
fn a_board_that_is_reset_during_a_run_gives_no_result() {
    disturb_every_frame(Event::Reset, "the board was reset");
}

#[test]
fn a_board_that_falls_silent_during_a_run_leaves_nothing_to_be_taken_for_a_result() {
    disturb_every_frame(Event::Silence, "asked 24 times in ");
}

#[test]
fn a_line_that_is_cut_during_a_run_gives_no_result() {
    disturb_every_frame(Event::Unplug, "the line is gone");
}

#[test]
fn a_start_whose_answer_is_lost_is_not_taken_for_the_next() {
    let (world, mut runtime) = loaded();
    assert_answers_right(&mut runtime);
    // After seven writes and seven reads of registers comes the start: the board executes it, unheard.
    world.borrow_mut().plan(15, Event::Mute);
    device_error(runtime.device().run(0), &["no answer to `start`"]);
    world.borrow_mut().repair();
    assert_eq!(world.borrow().bridge.target.runs, 1);
    load(runtime.device()).unwrap();
    let picture = image::imageops::brighten(&MIXTURE.1, 90);
    assert_eq!(runtime.run(&picture, 0).unwrap(), common::run(&MIXTURE.0, &picture));
}

#[test]
fn answers_of_an_earlier_session_are_no_answers() {
    let world = World::new(board(), 0.0, seed());
    let mut link = Link::over(Box::new(FaultyLine(Rc::clone(&world))), SESSION);
    link.hello().unwrap();
    let register = Register::Lanes;
    for tag in 0..50 {
        for status in 0..3 {
            let (session, operation) = (SESSION, Operation::ReadRegister as u8 | Header::ANSWER);
            let stale = Header { session, tag, operation, status, address: register.offset(), value: 77 };
            world.borrow_mut().inject(line_of(stale, &[]));
        }
    }
    assert_eq!(link.read_register(register).unwrap(), ArchConfig::tiny().lanes);
}

#[test]
fn what_is_not_the_models_board_is_refused() {
    let (world, mut device) = opened();
    world.borrow_mut().bridge.target.set(Register::Lanes, 8);
    world.borrow_mut().bridge.target.set(Register::BankWords, 7);
    let error = device_error(
        load(&mut device),
        &["the board is not `tiny`: lanes is 8, not 4; bank_words is 7, not 64"],
    );
    assert!(error.hint_text().unwrap().contains("--arch"));

    let (world, _) = opened();
    world.borrow_mut().bridge.target.set(Register::Magic, 0x1234);
    device_error(open(&world).map(drop), &["no edge-moe board: its magic is 0x00001234, not 0x454f4d45"]);

    let world = World::new(board(), 0.0, seed());
    world.borrow_mut().claimed_version = Some(0);
    device_error(open(&world).map(drop), &["the board speaks version 0 of the link, this command 1"]);

    let total = MIXTURE.0.executable().window().total_bytes as usize;
    let world = World::new(Board::new(ArchConfig::tiny(), total - 4), 0.0, seed());
    let needs = format!("the model needs {total} bytes of memory, the board has {}", total - 4);
    device_error(load(&mut open(&world).unwrap()), &[&needs]);
    assert_eq!(world.borrow().memory_writes, 0);
}

#[test]
fn a_load_goes_on_where_it_was_interrupted() {
    let image = MIXTURE.0.executable().image().len();
    let blocks = image.div_ceil(CHECKSUM_BYTES as usize) as u64;
    let block_frames = chunks(CHECKSUM_BYTES as usize);
    assert!(blocks > 3, "{blocks}");
    let (world, mut device) = opened();
    // Fifteen registers and the magic, the sums of all blocks, one and a half blocks.
    world.borrow_mut().plan(16 + blocks + block_frames + block_frames / 2, Event::Unplug);
    device_error(load(&mut device), &["gone"]);
    drop(device);

    world.borrow_mut().repair();
    world.borrow_mut().memory_writes = 0;
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut device = open(&world).unwrap();
    let telling = Rc::clone(&told);
    device.on_progress(move |done, total| telling.borrow_mut().push((done as usize, total as usize)));
    load(&mut device).unwrap();
    let missing = image - CHECKSUM_BYTES as usize;
    assert_eq!(world.borrow().memory_writes, chunks(missing));
    assert_eq!(told.borrow()[0], (CHECKSUM_BYTES as usize, image));
    assert_eq!(told.borrow().last(), Some(&(image, image)));
    assert!(told.borrow().is_sorted());

    load(&mut device).unwrap();
    assert_eq!(world.borrow().memory_writes, chunks(missing));
    let mut runtime = Runtime::new(device, Arc::clone(&MIXTURE.0)).unwrap();
    assert_answers_right(&mut runtime);
}

#[test]
fn memory_that_does_not_keep_what_it_is_given_is_noticed() {
    let window = MIXTURE.0.executable().window();
    let start = window.writable_bytes as usize;
    let blocks = MIXTURE.0.executable().image().len().div_ceil(CHECKSUM_BYTES as usize) as u64;
    let (world, mut device) = opened();
    world.borrow_mut().plan(16 + blocks + 30, Event::Flip(start + 5));
    let expected = format!("memory of the board from 0x{start:x} on does not hold what was written");
    device_error(load(&mut device), &[&expected]);

    for write in [true, false] {
        let (world, mut runtime) = loaded();
        world.borrow_mut().plan(3, Event::Flip(9));
        let mut bytes = [0; 2048];
        let result = match write {
            true => runtime.device().write_memory(0, &bytes),
            false => runtime.device().read_memory(0, &mut bytes),
        };
        let happened = if write { "was written" } else { "was read" };
        device_error(result, &["memory of the board from 0x0 on does not hold what ", happened]);
    }
}

#[test]
fn a_program_of_an_earlier_session_is_stopped() {
    let (world, device) = opened();
    drop(device);
    world.borrow_mut().bridge.target.run_for_ever();
    let mut device = open(&world).unwrap();
    assert_eq!(device.link().read_register(Register::Status).unwrap(), status::ERROR);
    let mut runtime = Runtime::new(device, Arc::clone(&MIXTURE.0)).unwrap();
    assert_answers_right(&mut runtime);
}

#[test]
fn a_program_that_fails_names_its_descriptor_and_leaves_no_result() {
    let (world, mut runtime) = loaded();
    assert_answers_right(&mut runtime);
    world.borrow_mut().bridge.target.fails = Some(ErrorCode::ReadResponse);
    let result = runtime.device().run(0);
    let label = &MIXTURE.0.manifest().programs[0].steps[0].label;
    let place = format!("(descriptor 0: {label})");
    device_error(result, &["stopped with error 5: read_response: Memory answered", &place]);
    assert_eq!(runtime.device().figures(), None);
    device_error(runtime.device().read_memory(0, &mut [0; 4]), &["the last run failed"]);
    world.borrow_mut().bridge.target.fails = None;
    assert_answers_right(&mut runtime);
}

#[test]
fn a_program_without_an_end_is_stopped() {
    let (world, mut runtime) = loaded();
    world.borrow_mut().bridge.target.run_time = Duration::from_secs(1_000_000);
    device_error(
        runtime.device().run(0),
        &["still runs after 4294967296 cycles, and was stopped (descriptor 0: "],
    );
    assert_eq!(world.borrow().bridge.target.get(Register::Error), ErrorCode::Stopped as u32);
    world.borrow_mut().bridge.target.run_time = Duration::ZERO;
    assert_answers_right(&mut runtime);
}

#[test]
fn a_refused_start_is_repeated_for_a_while() {
    let (world, mut runtime) = loaded();
    world.borrow_mut().bridge.target.refusals = 5;
    assert_answers_right(&mut runtime);
    assert_eq!(world.borrow().bridge.target.runs, 1);
    world.borrow_mut().bridge.target.refusals = u32::MAX;
    device_error(runtime.device().run(0), &["the core refuses to start the program"]);
}

#[test]
fn any_bytes_of_writable_memory_are_written_and_read() {
    let (world, mut runtime) = loaded();
    let device = runtime.device();
    let mut expected: Vec<u8> = (0..4000).map(|byte| byte as u8).collect();
    device.write_memory(0, &expected).unwrap();
    for (address, bytes) in [(1, 1), (2, 2), (3, 2), (1023, 3), (5, 2000), (8, 0), (3999, 1)] {
        let written: Vec<u8> = (0..bytes).map(|byte| 200 ^ byte as u8).collect();
        device.write_memory(address as u64, &written).unwrap();
        expected[address..address + bytes].copy_from_slice(&written);
        let mut read = vec![0; bytes];
        device.read_memory(address as u64, &mut read).unwrap();
        assert_eq!(read, written);
    }
    assert_eq!(world.borrow().bridge.target.memory[..4000], expected);
    let writable = MIXTURE.0.executable().window().writable_bytes;
    device_error(device.write_memory(writable - 1, &[0; 2]), &["lie outside its"]);
    device_error(device.read_memory(u64::MAX, &mut [0; 2]), &["lie outside its"]);
    device_error(device.run(99), &["program 99 does not exist"]);
    assert_answers_right(&mut runtime);
}
