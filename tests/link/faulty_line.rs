//! A line in memory, with a board at its end: it loses, repeats, delays and spoils what it carries, has a time
//! of its own, and never lets one frame overtake another.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use edge_moe::device::Line;
use edge_moe::{Error, ErrorKind, Result};
use edge_moe_isa::link::{Bridge, Deframer, Header, Operation, decode, encode, frame};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::board::Board;

pub const BAUD: u32 = 2_000_000;
pub const CLOCK_MHZ: u16 = 80;
/// Time that converters take, each way.
const LATENCY: Duration = Duration::from_millis(1);

/// What happens when the board takes a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The board is reset.
    Reset,
    /// The line is unplugged: its end sees it.
    Unplug,
    /// The board takes nothing any more.
    Silence,
    /// The board's answers are lost.
    Mute,
    /// A byte of memory changes.
    Flip(usize),
}

/// The line and the board.
pub struct World {
    pub bridge: Bridge<Board>,
    /// Share of frames that a fault hits, in each direction.
    pub faults: f64,
    /// Before the board takes the frame of that number, from 1.
    pub events: Vec<(u64, Event)>,
    /// The link version that the board claims.
    pub claimed_version: Option<u16>,
    /// Frames that the host sent, and those of them that write memory.
    pub sent: u64,
    pub memory_writes: u64,
    pub now: Duration,
    random: StdRng,
    taken: u64,
    to_board: Direction,
    to_host: Direction,
    unplugged: bool,
    silent: bool,
    mute: bool,
}

/// What is on the way in one direction, with the time of its arrival.
#[derive(Default)]
struct Direction {
    frames: VecDeque<(Duration, Vec<u8>)>,
    free: Duration,
}

impl Direction {
    fn send(&mut self, now: Duration, delay: Duration, bytes: Vec<u8>) {
        self.free = self.free.max(now) + delay + Duration::from_secs(10) * bytes.len() as u32 / BAUD;
        self.frames.push_back((self.free + LATENCY, bytes));
    }

    fn next(&self) -> Option<Duration> {
        self.frames.front().map(|(arrival, _)| *arrival)
    }

    fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.next()? > now { None } else { self.frames.pop_front().map(|(_, bytes)| bytes) }
    }
}

impl World {
    pub fn new(board: Board, faults: f64, seed: u64) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            bridge: Bridge::new(board, CLOCK_MHZ),
            faults,
            events: Vec::new(),
            claimed_version: None,
            sent: 0,
            memory_writes: 0,
            now: Duration::ZERO,
            random: StdRng::seed_from_u64(seed),
            taken: 0,
            to_board: Direction::default(),
            to_host: Direction::default(),
            unplugged: false,
            silent: false,
            mute: false,
        }))
    }

    /// Something happens at the `number`th frame from now.
    pub fn plan(&mut self, number: u64, event: Event) {
        self.events.push((self.taken + number, event));
    }

    /// The host receives these bytes before anything that is not yet on the way.
    pub fn inject(&mut self, bytes: Vec<u8>) {
        self.to_host.send(self.now, Duration::ZERO, bytes);
    }

    pub fn reset_board(&mut self) {
        let old = std::mem::replace(&mut self.bridge, Bridge::new(Board::default(), CLOCK_MHZ));
        self.bridge = Bridge::new(old.target.reset(), CLOCK_MHZ);
    }

    /// Line and board are whole again; what was on the way is lost, as by a host that opens the line anew.
    pub fn repair(&mut self) {
        (self.unplugged, self.silent, self.mute) = (false, false, false);
        (self.to_board, self.to_host) = Default::default();
        self.events.clear();
    }

    fn host_sends(&mut self, bytes: &[u8]) {
        self.sent += 1;
        let (request, _) = decode_line(bytes).expect("the host sends frames");
        self.memory_writes += u64::from(request.operation == Operation::WriteMemory as u8);
        for (delay, bytes) in self.disturb(bytes.to_vec()) {
            self.to_board.send(self.now, delay, bytes);
        }
    }

    /// The board takes what has arrived, and answers.
    fn board_takes(&mut self) {
        while let Some(bytes) = self.to_board.take(self.now) {
            self.taken += 1;
            let happens: Vec<Event> = self
                .events
                .iter()
                .filter(|(number, _)| *number == self.taken)
                .map(|(_, event)| *event)
                .collect();
            happens.into_iter().for_each(|event| self.happen(event));
            if self.silent {
                continue;
            }
            self.bridge.target.now = self.now;
            bytes.iter().for_each(|&byte| self.bridge.receive(byte));
            let answer: Vec<u8> = std::iter::from_fn(|| self.bridge.send()).collect();
            if answer.is_empty() || self.mute {
                continue;
            }
            let answer = self.claim_version(answer);
            for (delay, bytes) in self.disturb(answer) {
                self.to_host.send(self.now, delay, bytes);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Reset => self.reset_board(),
            Event::Unplug => self.unplugged = true,
            Event::Silence => self.silent = true,
            Event::Mute => self.mute = true,
            Event::Flip(address) => self.bridge.target.memory[address] ^= 0x10,
        }
    }

    fn claim_version(&self, answer: Vec<u8>) -> Vec<u8> {
        let Some(version) = self.claimed_version else { return answer };
        let Some((mut header, payload)) = decode_line(&answer) else { return answer };
        if header.operation != Operation::Hello as u8 | Header::ANSWER {
            return answer;
        }
        header.value = header.value & !0xffff | u32::from(version);
        line_of(header, &payload)
    }

    /// What arrives of some bytes, each with its delay.
    fn disturb(&mut self, mut bytes: Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
        if !self.random.random_bool(self.faults) {
            return vec![(Duration::ZERO, bytes)];
        }
        let at = self.random.random_range(0..bytes.len());
        let mut delay = Duration::ZERO;
        match self.random.random_range(0..7) {
            0 => return Vec::new(),
            1 => return vec![(Duration::ZERO, bytes.clone()), (Duration::ZERO, bytes)],
            2 => bytes[at] ^= 1 << self.random.random_range(0..8),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, bytes[at]),
            5 => bytes.truncate(at),
            _ => delay = Duration::from_millis(self.random.random_range(1..300)),
        }
        vec![(delay, bytes)]
    }
}

/// The host's end.
pub struct FaultyLine(pub Rc<RefCell<World>>);

impl Line for FaultyLine {
    fn name(&self) -> String {
        "line".into()
    }

    fn baud(&self) -> u32 {
        BAUD
    }

    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize> {
        let mut world = self.0.borrow_mut();
        let deadline = world.now + timeout;
        loop {
            world.board_takes();
            if world.unplugged {
                return Err(Error::new(ErrorKind::Device, "line", "the line is gone"));
            }
            let now = world.now;
            if let Some(mut answer) = world.to_host.take(now) {
                let rest = answer.split_off(answer.len().min(bytes.len()));
                bytes[..answer.len()].copy_from_slice(&answer);
                if !rest.is_empty() {
                    world.to_host.frames.push_front((now, rest));
                }
                return Ok(answer.len());
            }
            if now >= deadline {
                return Ok(0);
            }
            let next = world.to_board.next().into_iter().chain(world.to_host.next()).min();
            world.now = next.unwrap_or(deadline).clamp(now, deadline);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut world = self.0.borrow_mut();
        if world.unplugged {
            return Err(Error::new(ErrorKind::Device, "line", "the line is gone"));
        }
        world.host_sends(bytes);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn pause(&mut self, duration: Duration) {
        self.0.borrow_mut().now += duration;
    }
}

/// The bytes of a frame on the line.
pub fn line_of(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    frame(&encode(header, payload), &mut line);
    line
}

fn decode_line(bytes: &[u8]) -> Option<(Header, Vec<u8>)> {
    let mut deframer = Deframer::default();
    let bytes = bytes.iter().find_map(|&byte| deframer.push(byte))?;
    decode(&bytes).ok().map(|(header, payload)| (header, payload.to_vec()))
}
