//! Requests on the way: several at once, asked again until they are answered or hope is lost.
//!
//! Every transmission has a tag of its own, and a line lets no frame overtake another. So the answer to one
//! transmission says that all earlier ones without an answer are lost: they are sent again at once. Only when
//! nothing comes at all, time decides.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use edge_moe_isa::link::{
    CRC_BYTES, Deframer, HEADER_BYTES, Header, Operation, Status, WINDOW, decode, encode, frame,
};
use edge_moe_isa::registers::REGISTERS;

use super::line::{Line, byte_time};
use crate::{Error, ErrorKind, Result};

/// How often a request is sent before it is given up.
const ATTEMPTS: usize = 24;
/// How long an answer may take beyond the time that the bytes need: USB converters collect bytes for
/// up to 16 ms. Each silence doubles it, up to [`MAX_LATENCY`].
const LATENCY: Duration = Duration::from_millis(50);
/// Bounds [`LATENCY`].
const MAX_LATENCY: Duration = Duration::from_millis(400);
/// Bytes of which a board must have summed as many as the line carries one: 1 µs for each at 2 Mbaud.
const SUMMED_BYTES: u32 = 5;

/// Something to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub operation: Operation,
    pub address: u32,
    pub value: u32,
    pub payload: &'a [u8],
}

impl Request<'_> {
    /// Bytes of memory that it speaks of.
    fn bytes(&self) -> u32 {
        match self.operation {
            Operation::WriteMemory => self.payload.len() as u32,
            Operation::ReadMemory | Operation::Checksum => self.value,
            _ => 0,
        }
    }

    /// Most time that request and answer take, one after the other, with every byte escaped.
    fn time(&self, byte_time: Duration) -> Duration {
        let sums = self.operation == Operation::Checksum;
        let carried = if sums { 0 } else { self.bytes() };
        let frames = 2 * (HEADER_BYTES + CRC_BYTES) as u32;
        byte_time * (2 * (frames + carried))
            + if sums { byte_time / SUMMED_BYTES * self.value } else { Duration::ZERO }
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, address, value, .. } = *self;
        let register =
            REGISTERS.iter().find(|layout| layout.offset == address).map_or("?", |layout| layout.name);
        match operation {
            Operation::Hello => write!(f, "hello"),
            Operation::ReadRegister => write!(f, "read register `{register}`"),
            Operation::WriteRegister => write!(f, "write 0x{value:x} to register `{register}`"),
            Operation::Start => write!(f, "start"),
            Operation::WriteMemory => write!(f, "write {} bytes at 0x{address:x}", self.bytes()),
            Operation::ReadMemory => write!(f, "read {value} bytes at 0x{address:x}"),
            Operation::Checksum => write!(f, "checksum of {value} bytes at 0x{address:x}"),
        }
    }
}

/// A request without an answer.
struct Pending<'a> {
    index: usize,
    request: Request<'a>,
    begin: Duration,
    /// Numbers of its transmissions; the tags are their low halves.
    sent: Vec<u64>,
    deadline: Duration,
    latency: Duration,
}

impl Pending<'_> {
    fn is_answered_by(&self, answer: &Header) -> bool {
        let Request { operation, address, .. } = self.request;
        answer.operation == operation as u8 | Header::ANSWER
            && (operation == Operation::Hello || answer.address == address)
            && self.transmission(answer.tag).is_some()
    }

    /// The number of the transmission with that tag.
    fn transmission(&self, tag: u16) -> Option<u64> {
        self.sent.iter().copied().find(|&number| number as u16 == tag)
    }

    fn last_sent(&self) -> u64 {
        self.sent.last().copied().unwrap_or_default()
    }
}

/// What the line brought since an answer was last understood.
#[derive(Default)]
struct Seen {
    bytes: u64,
    broken: u64,
    strange: u64,
}

/// The host's end of a line: asks and waits for answers.
pub(super) struct Exchange {
    line: Box<dyn Line>,
    session: u32,
    deframer: Deframer,
    frames: VecDeque<Vec<u8>>,
    transmissions: u64,
    seen: Seen,
}

impl Exchange {
    pub fn new(line: Box<dyn Line>) -> Self {
        let (deframer, frames, seen) = Default::default();
        Self { line, session: 0, deframer, frames, transmissions: 0, seen }
    }

    pub fn name(&self) -> String {
        self.line.name()
    }

    /// The line's time.
    pub fn now(&self) -> Duration {
        self.line.now()
    }

    pub fn line(&mut self) -> &mut dyn Line {
        &mut *self.line
    }

    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Device, self.name(), problem)
    }

    /// The session of all further requests.
    pub fn set_session(&mut self, session: u32) {
        self.session = session;
    }

    /// Asks everything, in order but for repetitions; `answered` is told each request's index, answer and
    /// payload. Requests must not depend on each other's order.
    ///
    /// # Errors
    /// A line that is gone or useless, a board that refuses a request or was reset.
    pub fn ask<'a>(
        &mut self,
        requests: impl IntoIterator<Item = Request<'a>>,
        mut answered: impl FnMut(usize, &Header, &[u8]),
    ) -> Result<()> {
        let mut requests = requests.into_iter().enumerate();
        let mut pending = VecDeque::with_capacity(WINDOW);
        self.seen = Seen::default();
        loop {
            while pending.len() < WINDOW
                && let Some((index, request)) = requests.next()
            {
                let begin = self.line.now();
                let (sent, deadline, latency) = (Vec::with_capacity(1), begin, LATENCY);
                pending.push_back(Pending { index, request, begin, sent, deadline, latency });
                self.transmit(&mut pending, |one| one.index == index)?;
            }
            let Some(deadline) = pending.iter().map(|one| one.deadline).min() else { return Ok(()) };
            if let Some(bytes) = self.receive(deadline)? {
                self.take(&bytes, &mut pending, &mut answered)?;
            }
            // What has arrived counts as in time; but a line that never falls silent must not stop the clock.
            if self.frames.is_empty() {
                self.transmit_late(&mut pending)?;
            }
        }
    }

    /// Takes a frame; if it is an answer, everything sent before its request is sent again.
    fn take(
        &mut self,
        bytes: &[u8],
        pending: &mut VecDeque<Pending<'_>>,
        answered: &mut impl FnMut(usize, &Header, &[u8]),
    ) -> Result<()> {
        let Ok((answer, payload)) = decode(bytes) else {
            self.seen.broken += 1;
            return Ok(());
        };
        let Some(at) = pending.iter().position(|one| one.is_answered_by(&answer)) else {
            self.seen.strange += 1;
            return Ok(());
        };
        if answer.session != self.session && answer.status != Status::Session as u8 {
            self.seen.strange += 1;
            return Ok(());
        }
        self.check(&pending[at].request, &answer, payload)?;
        self.seen = Seen::default();
        let one = pending.remove(at).expect("was found");
        let number = one.transmission(answer.tag).expect("was compared");
        answered(one.index, &answer, payload);
        self.transmit(pending, |other| other.last_sent() < number)
    }

    /// What a board says of a request that it did not execute.
    fn check(&self, request: &Request<'_>, answer: &Header, payload: &[u8]) -> Result<()> {
        let problem = match Status::from_value(answer.status) {
            Some(Status::Session) => {
                let error =
                    self.error(format!("the board was reset, or another host talks to it (`{request}`)"));
                return Err(error.hint("repeat the command: it loads the model again"));
            }
            Some(Status::Done) if request.operation != Operation::ReadMemory => return Ok(()),
            Some(Status::Done) if payload.len() == request.value as usize => return Ok(()),
            Some(Status::Done) => format!("answered `{request}` with {} bytes", payload.len()),
            Some(Status::Operation) => format!("the board does not know `{request}`"),
            Some(Status::Range) => format!("the board refuses `{request}`: out of its range"),
            None => format!("answered `{request}` with the unknown status {}", answer.status),
        };
        Err(self.error(problem))
    }

    /// Sends again what should have been answered by now, with more patience.
    fn transmit_late(&mut self, pending: &mut VecDeque<Pending<'_>>) -> Result<()> {
        let now = self.line.now();
        for one in pending.iter_mut().filter(|one| one.deadline <= now) {
            one.latency = (2 * one.latency).min(MAX_LATENCY);
        }
        self.transmit(pending, |one| one.deadline <= now)
    }

    /// Sends some of the requests.
    fn transmit(
        &mut self,
        pending: &mut VecDeque<Pending<'_>>,
        which: impl Fn(&Pending<'_>) -> bool,
    ) -> Result<()> {
        let byte_time = byte_time(self.line.baud());
        let crossing: Duration = pending.iter().map(|one| one.request.time(byte_time)).sum();
        for one in pending.iter_mut().filter(|one| which(one)) {
            if one.sent.len() == ATTEMPTS {
                return Err(self.gave_up(one));
            }
            self.transmissions += 1;
            one.sent.push(self.transmissions);
            self.send(&one.request)?;
            one.deadline = self.line.now() + crossing + one.latency;
        }
        Ok(())
    }

    fn send(&mut self, request: &Request<'_>) -> Result<()> {
        let Request { operation, address, value, payload } = *request;
        let (session, tag) = (self.session, self.transmissions as u16);
        let header = Header { session, tag, operation: operation as u8, status: 0, address, value };
        let mut bytes = Vec::new();
        frame(&encode(header, payload), &mut bytes);
        self.line.write(&bytes)
    }

    /// The next frame, right or wrong, if one comes in time.
    fn receive(&mut self, deadline: Duration) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Some(frame));
            }
            let now = self.line.now();
            let mut bytes = [0; 4096];
            let read = self.line.read(&mut bytes, deadline.saturating_sub(now))?;
            self.seen.bytes += read as u64;
            self.frames.extend(bytes[..read].iter().filter_map(|&byte| self.deframer.push(byte)));
            if self.frames.is_empty() && self.line.now() >= deadline {
                return Ok(None);
            }
        }
    }

    fn gave_up(&self, one: &Pending<'_>) -> Error {
        let Seen { bytes, broken, strange } = self.seen;
        let seconds = (self.line.now() - one.begin).as_secs_f64();
        let asked = format!("no answer to `{}`, asked {ATTEMPTS} times in {seconds:.1} s", one.request);
        let (came, hint) = match (bytes, broken, strange) {
            (0, ..) => ("nothing came".into(), "is the board powered, and is the bitstream in it?"),
            (_, 0, 0) => (
                format!("{bytes} bytes came, but no frame"),
                "is it the right line, and does the board run at this baud rate?",
            ),
            (_, broken, 0) => (
                format!("{bytes} bytes came, {broken} frames with a wrong CRC"),
                "the line is disturbed, or the baud rate is not quite the board's",
            ),
            (_, broken, strange) => (
                format!(
                    "{bytes} bytes came, {broken} frames with a wrong CRC, {strange} that answer something else"
                ),
                "does another program use the line?",
            ),
        };
        self.error(format!("{asked}: {came}")).hint(hint)
    }
}
