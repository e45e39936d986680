//! The board's end of the link as a model: what the RTL of the bridge must do, request by request.

use std::collections::VecDeque;

use super::{
    CHECKSUM_BYTES, Deframer, Header, LINK_VERSION, NO_SESSION, Operation, PAYLOAD_BYTES, Status, decode,
    encode, frame,
};
use crate::registers::{BYTES, Register, control};

/// What a bridge reaches: registers and memory of a board. Addresses are in range and multiples of 4.
pub trait Target {
    /// Reads a register.
    fn read_register(&mut self, offset: u32) -> u32;
    /// Writes a register.
    fn write_register(&mut self, offset: u32, value: u32);
    /// The memory.
    fn memory(&mut self) -> &mut [u8];
}

/// A bridge between a line and a board.
pub struct Bridge<T> {
    /// The board.
    pub target: T,
    clock_mhz: u16,
    session: u32,
    runs: u32,
    deframer: Deframer,
    answers: VecDeque<u8>,
}

impl<T: Target> Bridge<T> {
    /// A bridge after a reset, to a board with that clock.
    pub fn new(target: T, clock_mhz: u16) -> Self {
        Self {
            target,
            clock_mhz,
            session: NO_SESSION,
            runs: 0,
            deframer: Deframer::default(),
            answers: VecDeque::new(),
        }
    }

    /// Takes a byte from the host.
    pub fn receive(&mut self, byte: u8) {
        let Some(bytes) = self.deframer.push(byte) else { return };
        let Ok((request, payload)) = decode(&bytes) else { return };
        let (answer, payload) = self.answer(request, payload);
        let mut line = Vec::new();
        frame(&encode(answer, &payload), &mut line);
        self.answers.extend(line);
    }

    /// A byte from the host came without its stop bit, or was lost.
    pub fn spoil(&mut self) {
        self.deframer.spoil();
    }

    /// A byte for the host, if there is one.
    pub fn send(&mut self) -> Option<u8> {
        self.answers.pop_front()
    }

    /// Executes a request; returns its answer.
    pub fn answer(&mut self, request: Header, payload: &[u8]) -> (Header, Vec<u8>) {
        let mut answer = Header { operation: request.operation | Header::ANSWER, ..request };
        let executed = self.execute(request, payload, &mut answer);
        answer.session = self.session;
        let (status, payload) = match executed {
            Ok(payload) => (Status::Done, payload),
            Err(status) => (status, Vec::new()),
        };
        answer.status = status as u8;
        (answer, payload)
    }

    fn execute(&mut self, request: Header, payload: &[u8], answer: &mut Header) -> Result<Vec<u8>, Status> {
        let Header { session, address, value, .. } = request;
        let operation = Operation::from_value(request.operation).ok_or(Status::Operation)?;
        if operation == Operation::Hello {
            if value == NO_SESSION {
                return Err(Status::Range);
            }
            if value != self.session {
                (self.session, self.runs) = (value, 0);
            }
            answer.address = self.target.memory().len() as u32;
            answer.value = u32::from(LINK_VERSION) | u32::from(self.clock_mhz) << 16;
            return Ok(Vec::new());
        }
        if session != self.session || session == NO_SESSION {
            return Err(Status::Session);
        }
        match operation {
            Operation::Hello => unreachable!("answered above"),
            Operation::ReadRegister => answer.value = self.target.read_register(register(address)?),
            Operation::WriteRegister => self.target.write_register(register(address)?, value),
            Operation::Start => {
                if value == self.runs {
                    self.target.write_register(Register::Control.offset(), control::START);
                    self.runs = self.runs.wrapping_add(1);
                }
                answer.value = self.runs;
            }
            Operation::WriteMemory => {
                self.range(address, payload.len() as u32, PAYLOAD_BYTES as u32)?.copy_from_slice(payload);
            }
            Operation::ReadMemory => return Ok(self.range(address, value, PAYLOAD_BYTES as u32)?.to_vec()),
            Operation::Checksum => {
                answer.value = crc32fast::hash(self.range(address, value, CHECKSUM_BYTES)?);
            }
        }
        Ok(Vec::new())
    }

    fn range(&mut self, address: u32, bytes: u32, most: u32) -> Result<&mut [u8], Status> {
        let memory = self.target.memory();
        let words = address.is_multiple_of(4) && bytes.is_multiple_of(4) && (4..=most).contains(&bytes);
        let end = u64::from(address) + u64::from(bytes);
        if !words || end > memory.len() as u64 {
            return Err(Status::Range);
        }
        Ok(&mut memory[address as usize..end as usize])
    }
}

/// The offset of a register, if it is one.
fn register(address: u32) -> Result<u32, Status> {
    if address < BYTES && address.is_multiple_of(4) { Ok(address) } else { Err(Status::Range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Board {
        memory: Vec<u8>,
        written: Vec<(u32, u32)>,
    }

    impl Target for Board {
        fn read_register(&mut self, offset: u32) -> u32 {
            offset + 1
        }

        fn write_register(&mut self, offset: u32, value: u32) {
            self.written.push((offset, value));
        }

        fn memory(&mut self) -> &mut [u8] {
            &mut self.memory
        }
    }

    const SESSION: u32 = 0x1234_5678;

    fn bridge() -> Bridge<Board> {
        let mut bridge = Bridge::new(Board { memory: vec![0; 4096], ..Board::default() }, 80);
        ask(&mut bridge, Operation::Hello, 0, SESSION, &[]);
        bridge
    }

    fn ask(
        bridge: &mut Bridge<Board>,
        operation: Operation,
        address: u32,
        value: u32,
        payload: &[u8],
    ) -> (Header, Vec<u8>) {
        let request =
            Header { session: SESSION, tag: 7, operation: operation as u8, status: 0, address, value };
        bridge.answer(request, payload)
    }

    #[test]
    fn memory_is_written_read_and_summed() {
        let mut bridge = bridge();
        let data: Vec<u8> = (0..64).collect();
        assert_eq!(ask(&mut bridge, Operation::WriteMemory, 4032, 0, &data).0.status, Status::Done as u8);
        assert_eq!(ask(&mut bridge, Operation::ReadMemory, 4032, 64, &[]).1, data);
        assert_eq!(ask(&mut bridge, Operation::Checksum, 4032, 64, &[]).0.value, crc32fast::hash(&data));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let mut bridge = bridge();
        for (operation, address, value, payload) in [
            (Operation::WriteMemory, 4036, 0, &[0u8; 64][..]),
            (Operation::WriteMemory, 2, 0, &[0; 4]),
            (Operation::WriteMemory, 0, 0, &[]),
            (Operation::ReadMemory, u32::MAX - 3, 8, &[]),
            (Operation::ReadMemory, 0, 1028, &[]),
            (Operation::Checksum, 0, 0, &[]),
            (Operation::ReadRegister, BYTES, 0, &[]),
            (Operation::WriteRegister, 2, 0, &[]),
            (Operation::Hello, 0, NO_SESSION, &[]),
        ] {
            let (answer, _) = ask(&mut bridge, operation, address, value, payload);
            assert_eq!(answer.status, Status::Range as u8, "{operation:?} {address} {value}");
        }
        assert_eq!(bridge.target.memory, [0; 4096]);
        assert!(bridge.target.written.is_empty());
    }

    #[test]
    fn a_program_starts_once_however_often_it_is_asked_for() {
        let mut bridge = bridge();
        for _ in 0..3 {
            assert_eq!(ask(&mut bridge, Operation::Start, 0, 0, &[]).0.value, 1);
            ask(&mut bridge, Operation::Hello, 0, SESSION, &[]);
        }
        assert_eq!(bridge.target.written, [(Register::Control.offset(), control::START)]);
    }

    #[test]
    fn another_session_is_refused() {
        let mut bridge = bridge();
        ask(&mut bridge, Operation::Hello, 0, 99, &[]);
        let (answer, _) = ask(&mut bridge, Operation::WriteMemory, 0, 0, &[1; 4]);
        assert_eq!((answer.status, answer.session), (Status::Session as u8, 99));
        assert_eq!(bridge.target.memory[..4], [0; 4]);
    }

    #[test]
    fn bytes_in_answers_out() {
        let mut bridge = bridge();
        let request = Header {
            session: SESSION,
            operation: Operation::ReadRegister as u8,
            address: 0xc0,
            ..Header::default()
        };
        let mut line = Vec::new();
        frame(&encode(request, &[]), &mut line);
        line.iter().for_each(|&byte| bridge.receive(byte));
        let mut deframer = Deframer::default();
        let answers: Vec<u8> = std::iter::from_fn(|| bridge.send()).collect();
        let frames: Vec<_> = answers.into_iter().filter_map(|byte| deframer.push(byte)).collect();
        let (answer, payload) = decode(&frames[0]).unwrap();
        assert_eq!((answer.value, answer.operation, payload.len()), (0xc1, 0x82, 0));
    }
}
