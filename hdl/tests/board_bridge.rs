//! The bridge against the model of the link: random requests over a simulated line.

mod bridge;
mod common;

use bridge::{Board, MEMORY_BYTES, Timing, library};
use common::{Bench, seeds};
use edge_moe_isa::link::{
    CHECKSUM_BYTES, Deframer, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE, Header, Operation, PAYLOAD_BYTES,
    Status, WINDOW, decode, encode, frame,
};
use edge_moe_isa::registers::{BYTES, Register, control};
use rand::Rng;
use rand::rngs::StdRng;

/// A byte; often one of those that are escaped, or follow escapes.
fn byte(random: &mut StdRng) -> u8 {
    let special = [END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE];
    if random.random_bool(0.3) { special[random.random_range(0..4)] } else { random.random() }
}

fn word(random: &mut StdRng) -> u32 {
    u32::from_le_bytes([(); 4].map(|()| byte(random)))
}

/// Bytes of a range of memory, up to `most`: of all magnitudes.
fn length(random: &mut StdRng, most: u32) -> u32 {
    let most = most >> random.random_range(0..most.ilog2() - 1);
    random.random_range(1..=most / 4) * 4
}

/// Where a range of memory begins: at its end at times, a little beyond, or anywhere.
fn address(random: &mut StdRng, bytes: u32) -> u32 {
    let last = MEMORY_BYTES - bytes.min(MEMORY_BYTES);
    match random.random_range(0..20) {
        0 => last,
        1 => last + 4,
        2 => last.saturating_sub(4),
        3 => last - 2,
        4 => word(random),
        5 => u32::MAX - 3,
        _ => random.random_range(0..=last / 4) * 4,
    }
}

/// A host that knows its session and the programs started, and is wrong at times.
#[derive(Default)]
struct Host {
    session: u32,
    runs: u32,
}

impl Host {
    fn header(&self, operation: Operation, tag: u16, address: u32, value: u32) -> Header {
        Header { session: self.session, tag, operation: operation as u8, status: 0, address, value }
    }

    fn hello(&mut self, random: &mut StdRng) -> Header {
        let before = (self.session, self.runs);
        if random.random_bool(0.5) {
            *self = Self { session: word(random), runs: 0 };
        }
        let value = self.session;
        if value == 0 {
            (self.session, self.runs) = before;
        }
        Header { session: word(random), value, ..self.header(Operation::Hello, 0, word(random), 0) }
    }

    fn register(&self, operation: Operation, random: &mut StdRng) -> Header {
        let offset = match random.random_range(0..8) {
            0 => random.random_range(0..BYTES),
            1 => BYTES,
            2 => word(random),
            _ => random.random_range(0..BYTES / 4) * 4,
        };
        self.header(operation, 0, offset, word(random))
    }

    fn start(&mut self, random: &mut StdRng) -> Header {
        let value = match random.random_range(0..6) {
            0 => self.runs.wrapping_sub(1),
            1 => word(random),
            _ => self.runs,
        };
        self.runs += u32::from(value == self.runs);
        self.header(Operation::Start, 0, word(random), value)
    }

    fn memory(&self, operation: Operation, random: &mut StdRng) -> (Header, Vec<u8>) {
        let most = if operation == Operation::Checksum { CHECKSUM_BYTES } else { PAYLOAD_BYTES as u32 };
        let bytes = length(random, most);
        let address = address(random, bytes);
        let writes = operation == Operation::WriteMemory;
        let payload = if writes { (0..bytes).map(|_| byte(random)).collect() } else { Vec::new() };
        let value = match random.random_range(0..12) {
            _ if writes => word(random),
            0 => 0,
            1 => bytes + random.random_range(1..4),
            2 => most + 4,
            3 => word(random),
            4 => bytes | 1 << random.random_range(17..32),
            _ => bytes,
        };
        (self.header(operation, 0, address, value), payload)
    }

    /// A request, often one that is refused.
    fn request(&mut self, random: &mut StdRng) -> (Header, Vec<u8>) {
        let operation = Operation::ALL[random.random_range(0..7)];
        let (mut header, mut payload) = match operation {
            Operation::Hello => (self.hello(random), Vec::new()),
            Operation::ReadRegister | Operation::WriteRegister => {
                (self.register(operation, random), Vec::new())
            }
            Operation::Start => (self.start(random), Vec::new()),
            _ => self.memory(operation, random),
        };
        header.tag = word(random) as u16;
        match random.random_range(0..40) {
            0 => header.session = 0,
            1 => header.session ^= 1 << random.random_range(0..32),
            2 => header.operation = 0,
            3 => header.operation = 8,
            4 => header.operation |= 1 << random.random_range(3..8),
            5 => header.status = byte(random),
            6 => payload = Vec::new(),
            7 => payload = vec![byte(random); 4 * random.random_range(1..256)],
            _ => (),
        }
        (header, payload)
    }

    /// What is sent for a request, or for something that is none.
    fn line(&mut self, random: &mut StdRng) -> Vec<u8> {
        let (header, payload) = self.request(random);
        let mut bytes = encode(header, &payload);
        match random.random_range(0..40) {
            // Of another length, with the right CRC.
            0 => {
                let content: Vec<u8> = bytes.iter().copied().take(random.random_range(0..24)).collect();
                bytes = with_crc(content);
            }
            1 => {
                bytes.resize(PAYLOAD_BYTES + 16 + random.random_range(1..=4), byte(random));
                bytes = with_crc(bytes);
            }
            2 => {
                let at = random.random_range(0..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            _ => (),
        }
        let mut line = Vec::new();
        frame(&bytes, &mut line);
        line
    }
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn line(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    frame(&encode(header, payload), &mut line);
    line
}

/// Memory and core of all tempers: up to 200 beats a word.
fn timing(random: &mut StdRng) -> Timing {
    match random.random_range(0..4) {
        0 => Timing::PROMPT,
        1 => Timing { takes: 0.02, latency: 200, comes: 0.05, core: 0.05 },
        _ => Timing {
            takes: random.random_range(0.1..1.0),
            latency: random.random_range(1..20),
            comes: random.random_range(0.1..1.0),
            core: random.random_range(0.1..1.0),
        },
    }
}

/// A session begins, so that requests are not all refused.
fn greet(board: &mut Board, host: &mut Host) {
    *host = Host { session: 0x1234_5678, runs: 0 };
    board.send(&line(Header { value: host.session, ..host.header(Operation::Hello, 1, 0, 0) }, &[]), 0.0);
}

fn talk(board: &mut Board, host: &mut Host, requests: usize, spoilt: f64) {
    for index in 0..requests {
        if index % 16 == 0 {
            board.timing = timing(&mut board.bench.random);
        }
        let line = host.line(&mut board.bench.random);
        board.send(&line, spoilt);
    }
}

fn check(clocks_per_bit: u32, requests: usize, spoilt: f64, least: usize) {
    let library = library(clocks_per_bit);
    for seed in seeds() {
        let mut bench = Bench::new(&library, seed);
        let mut board = Board::new(&mut bench, clocks_per_bit);
        let mut host = Host::default();
        for _ in 0..4 {
            greet(&mut board, &mut host);
            talk(&mut board, &mut host, requests / 4, spoilt);
        }
        board.finish();
        println!("{} of {requests} answered in {} beats", board.answers, board.bench.beat);
        assert!(board.answers >= least, "{} answers (EMOE_SEED={seed})", board.answers);
    }
}

#[test]
fn answers_are_those_of_the_model() {
    check(4, 160, 0.0, 130);
}

#[test]
fn answers_are_those_of_the_model_on_a_slower_line() {
    check(11, 60, 0.0, 50);
}

#[test]
fn what_the_line_spoils_is_dropped() {
    check(4, 240, 0.005, 60);
}

/// Requests that wait for a long checksum are answered all, however many of their bytes are escaped.
#[test]
fn a_window_of_requests_waits_for_a_checksum() {
    let library = library(4);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, 4);
    // Twenty beats a word.
    board.timing = Timing { takes: 0.05, ..Timing::PROMPT };
    let session = u32::from_le_bytes([END; 4]);
    let hello = Header { value: session, operation: Operation::Hello as u8, ..Header::default() };
    board.send(&line(hello, &[]), 0.0);
    board.settle();
    let sum = |tag: u16, address: u32, value: u32| Header {
        session,
        tag,
        operation: Operation::Checksum as u8,
        status: END,
        address,
        value,
    };
    let first = line(sum(0, 0x4004, CHECKSUM_BYTES), &[]);
    let others = (1..=WINDOW as u16).map(|tag| line(sum(0xc0db ^ tag << 12, 0xc0c0, 0xc0), &[]));
    let bytes: Vec<u8> = first.into_iter().chain(others.flatten()).collect();
    let begin = board.bench.beat;
    bytes.iter().for_each(|&byte| board.sender.byte(byte, 0, 4));
    while !board.sender.is_silent() {
        board.beat();
    }
    assert_eq!(board.answers, 1, "the first checksum must take longer than the others on the line");
    board.finish();
    assert_eq!(board.answers, 2 + WINDOW);
    println!("{} bytes waited; all took {} beats", bytes.len(), board.bench.beat - begin);
}

/// A write whose payload says where it goes.
fn numbered_write(host: &Host, tag: u16, random: &mut StdRng) -> (Header, Vec<u8>) {
    let payload: Vec<u8> = (0..4 * random.random_range(1..80)).map(|_| byte(random)).collect();
    (host.header(Operation::WriteMemory, tag, u32::from(tag) * 320, 0), payload)
}

/// More than the queue holds: what is executed is a part of the requests, each whole, in their order.
fn overflows(bench: &mut Bench) {
    let mut board = Board::new(bench, 4);
    let mut host = Host::default();
    greet(&mut board, &mut host);
    board.settle();
    board.compares = false;
    let requests: Vec<(Header, Vec<u8>)> =
        (1..120).map(|tag| numbered_write(&host, tag, &mut board.bench.random)).collect();
    for (header, payload) in &requests {
        line(*header, payload).into_iter().for_each(|byte| board.sender.byte(byte, 0, 4));
    }
    // Memory takes nothing for a while, again and again.
    let mut beats = 0_u64;
    while !board.sender.is_silent() || beats < 400_000 {
        let stalled = beats % 400_000 < 200_000;
        board.timing.takes = if stalled { 0.0 } else { 0.5 };
        board.beat();
        beats += 1;
        assert!(beats < 10_000_000);
    }
    board.timing.takes = 1.0;
    (0..200_000).for_each(|_| board.beat());

    let mut deframer = Deframer::default();
    let frames = std::mem::take(&mut board.collected);
    let frames: Vec<_> = frames.into_iter().filter_map(|byte| deframer.push(byte)).collect();
    let mut last = 0;
    for bytes in &frames {
        let (answer, _) = decode(bytes).unwrap();
        assert!(answer.tag > last, "in order (EMOE_SEED={})", board.bench.seed);
        last = answer.tag;
        let (request, payload) = &requests[usize::from(last) - 1];
        let (expected, _) = board.model.answer(*request, payload);
        assert_eq!((answer, expected.status), (expected, Status::Done as u8));
    }
    println!("{} of {} writes were executed", frames.len(), requests.len());
    assert!((20..100).contains(&frames.len()), "{} writes", frames.len());
    assert_eq!(board.device.memory, board.model.target.memory, "EMOE_SEED={}", board.bench.seed);
}

#[test]
fn a_queue_that_overflows_drops_whole_frames() {
    let library = library(4);
    for seed in seeds() {
        overflows(&mut Bench::new(&library, seed));
    }
}

/// A frame with five bytes too many, just those that the queue has no room for: without them it would be right.
fn a_frame_that_loses_bytes(board: &mut Board, host: &Host, waiting: usize) {
    let (header, payload) = numbered_write(host, 1, &mut board.bench.random);
    board.timing.takes = 0.0;
    board.send(&line(header, &payload), 0.0);
    let lossy = line(host.header(Operation::WriteRegister, 2, 0, 0x1234), &[]);
    let (before, after) = lossy.split_at(10);
    let filler = [END].repeat(waiting - before.len());
    for &byte in filler.iter().chain(before).chain(&[0x55; 5]) {
        board.sender.byte(byte, 0, 4);
    }
    while !board.sender.is_silent() {
        board.beat();
    }
    board.timing.takes = 1.0;
    board.settle();
    (0..4 * 2048).for_each(|_| board.beat());
    board.send(after, 0.0);
    board.settle();
}

#[test]
fn bytes_that_are_lost_in_the_queue_spoil_their_frame() {
    const QUEUE_BYTES: usize = 2047;
    let library = library(4);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, 4);
    let mut host = Host::default();
    greet(&mut board, &mut host);
    for waiting in QUEUE_BYTES - 1..=QUEUE_BYTES + 1 {
        a_frame_that_loses_bytes(&mut board, &host, waiting);
    }
    board.finish();
    assert!(board.device.written.is_empty());
}

#[test]
fn a_program_starts_once_however_often_it_is_asked_for() {
    let library = library(4);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, 4);
    let mut host = Host::default();
    for value in [0, 0, 0, 1, 1, 0, 2] {
        if value == 0 {
            greet(&mut board, &mut host);
        }
        board.send(&line(host.header(Operation::Start, 7, 0, value), &[]), 0.0);
    }
    board.finish();
    assert_eq!(board.device.written, [(Register::Control.offset(), control::START); 3]);
}

/// A request that changes nothing.
fn harmless(host: &Host, random: &mut StdRng) -> Header {
    let operation = [Operation::ReadRegister, Operation::ReadMemory, Operation::Checksum];
    let operation = operation[random.random_range(0..3)];
    host.header(
        operation,
        word(random) as u16,
        random.random_range(0..64) * 4,
        4 * random.random_range(1..256),
    )
}

/// Resets within frames, requests and answers; the rest of what was being sent may follow.
fn resets(bench: &mut Bench) {
    let mut board = Board::new(bench, 4);
    let mut host = Host::default();
    for _ in 0..25 {
        greet(&mut board, &mut host);
        board.timing = timing(&mut board.bench.random);
        for _ in 0..3 {
            let line = line(harmless(&host, &mut board.bench.random), &[]);
            board.send(&line, 0.0);
        }
        let beats = board.bench.random.random_range(0..6000);
        (0..beats).for_each(|_| board.beat());
        board.reset();
        if board.bench.chance(0.5) {
            board.sender.forget();
        }
        board.settle();
        // The session is gone.
        let answers = board.answers;
        board.send(&line(host.header(Operation::ReadRegister, 3, 0, 0), &[]), 0.0);
        board.settle();
        assert_eq!(board.answers, answers + 1);
    }
    talk(&mut board, &mut host, 40, 0.0);
    board.finish();
}

#[test]
fn a_reset_forgets_everything() {
    let library = library(4);
    for seed in seeds() {
        resets(&mut Bench::new(&library, seed));
    }
}

/// Beats from the middle of a request's last bit to the first bit of its answer.
fn beats(board: &mut Board, header: Header, payload: &[u8]) -> u64 {
    board.settle();
    board.send(&line(header, payload), 0.0);
    while board.answers_due() == 0 {
        board.beat();
    }
    let begin = board.bench.beat;
    while board.bench.get("tx") == 1 {
        board.beat();
    }
    board.bench.beat - begin
}

#[test]
fn requests_are_answered_soon() {
    let library = library(40);
    let mut bench = Bench::new(&library, 1);
    let mut board = Board::new(&mut bench, 40);
    let mut host = Host::default();
    greet(&mut board, &mut host);
    let read = beats(&mut board, host.header(Operation::ReadRegister, 1, 0xc0, 0), &[]);
    let write = beats(&mut board, host.header(Operation::WriteMemory, 2, 64, 0), &[7; PAYLOAD_BYTES]);
    let sum = beats(&mut board, host.header(Operation::Checksum, 4, 0, CHECKSUM_BYTES), &[]);
    println!("beats to the answer: register {read}, 1 KiB written {write}, 64 KiB summed {sum}");
    assert!(read <= 30 && write <= 30 + 2 * 256 && sum <= 30 + 5 * 16384, "{read}, {write}, {sum}");
    board.finish();
}
