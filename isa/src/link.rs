//! The link: how a host reaches the registers and the memory of a board over a serial line.
//!
//! The host asks, the board answers; both send *frames*. A frame is a header of four words of 32 bits, a
//! payload of up to 256 words, and a CRC-32 (IEEE 802.3, as in zlib) of all bytes before it; words are
//! little-endian. On the line, frames are framed as in SLIP (RFC 1055): [`END`] before and after each, and
//! inside a frame `END` and [`ESCAPE`] are escaped. Bytes are sent with eight bits, no parity, one stop bit.
//!
//! A line may lose, repeat, delay or flip bytes, but never lets one overtake another. What is not a whole
//! frame with the right CRC is dropped without an answer; who waits asks again. Therefore every request
//! may be executed twice without harm: all but `start` do the same again, and `start` counts (see
//! [`Operation::Start`]). A *session*, a number that the host draws when it opens the link, stands in every
//! frame: after a reset the board has none, and requests of an earlier session are refused.

mod bridge;
mod framing;

use thiserror::Error;

pub use bridge::{Bridge, Target};
pub use framing::{Deframer, frame};

/// Version of the link, in the answer to `hello`.
pub const LINK_VERSION: u16 = 1;

/// Begins and ends a frame.
pub const END: u8 = 0xc0;
/// The byte that follows is one of the two below.
pub const ESCAPE: u8 = 0xdb;
/// After [`ESCAPE`]: the byte [`END`].
pub const ESCAPED_END: u8 = 0xdc;
/// After [`ESCAPE`]: the byte [`ESCAPE`].
pub const ESCAPED_ESCAPE: u8 = 0xdd;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;
/// Most bytes of a payload.
pub const PAYLOAD_BYTES: usize = 1024;
/// Bytes of the CRC.
pub const CRC_BYTES: usize = 4;
/// Most bytes of a frame, before escapes.
pub const FRAME_BYTES: usize = HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES;

/// Most bytes that one `checksum` covers: a bound of the time until its answer.
pub const CHECKSUM_BYTES: u32 = 1 << 16;

/// Most requests that may wait for their answers: with their escapes, those that take long fit the board's
/// queue of received bytes.
pub const WINDOW: usize = 16;

/// The session of a board that has none.
pub const NO_SESSION: u32 = 0;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Operation {
    /// Begins the session `value`, not zero; if it is another than the present one, no program counts as
    /// started. Answer: `address` is the number of bytes of memory, `value` the link version in bits 15
    /// to 0 and the clock in MHz above.
    Hello = 1,
    /// Answer: `value` is the register at byte offset `address`.
    ReadRegister = 2,
    /// Writes `value` to the register at byte offset `address`.
    WriteRegister = 3,
    /// Starts the program if `value` programs were started in this session before; otherwise it does nothing.
    /// Answer: `value` is the number of programs started.
    Start = 4,
    /// Writes the payload, 4 to 1024 bytes, to memory from `address` on; both are multiples of 4.
    WriteMemory = 5,
    /// Answer: the payload is `value` bytes of memory from `address` on, 4 to 1024; both are multiples of 4.
    ReadMemory = 6,
    /// Answer: `value` is the CRC-32 of `value` bytes of memory from `address` on, 4 to 65536; both are
    /// multiples of 4.
    Checksum = 7,
}

impl Operation {
    /// All of them, in order of their values.
    pub const ALL: [Self; 7] = [
        Self::Hello,
        Self::ReadRegister,
        Self::WriteRegister,
        Self::Start,
        Self::WriteMemory,
        Self::ReadMemory,
        Self::Checksum,
    ];

    /// The one with that value.
    pub fn from_value(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| *operation as u8 == value)
    }
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// It was executed.
    Done = 0,
    /// No operation has that value; nothing was done.
    Operation = 1,
    /// Address, value or payload are out of range; nothing was done.
    Range = 2,
    /// The board has another session, or none: that of the answer; nothing was done.
    Session = 3,
}

impl Status {
    /// The one with that value.
    pub fn from_value(value: u8) -> Option<Self> {
        [Self::Done, Self::Operation, Self::Range, Self::Session]
            .into_iter()
            .find(|status| *status as u8 == value)
    }
}

/// The header of a request or an answer: words `session`, `tag | operation << 16 | status << 24`,
/// `address`, `value`.
///
/// An answer has the request's tag, operation and address (but for `hello`), [`Header::ANSWER`] in its
/// operation, and the request's `value` where the operation does not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The session.
    pub session: u32,
    /// Chosen by the host, so that it knows which request an answer belongs to.
    pub tag: u16,
    /// Value of an [`Operation`], plus [`Header::ANSWER`] in an answer.
    pub operation: u8,
    /// Value of a [`Status`]; zero in a request.
    pub status: u8,
    /// A byte address.
    pub address: u32,
    /// What the operation says.
    pub value: u32,
}

impl Header {
    /// The bit that an answer has in its operation.
    pub const ANSWER: u8 = 0x80;

    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let kind = u32::from(self.tag) | u32::from(self.operation) << 16 | u32::from(self.status) << 24;
        let mut bytes = [0; HEADER_BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(4).zip([self.session, kind, self.address, self.value]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = word(4);
        Self {
            session: word(0),
            tag: kind as u16,
            operation: (kind >> 16) as u8,
            status: (kind >> 24) as u8,
            address: word(8),
            value: word(12),
        }
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Too few, too many, or not whole words.
    #[error("{0} bytes, a frame has 20 to 1044, in words of four")]
    Length(usize),
    /// The CRC does not fit.
    #[error("CRC-32 is 0x{found:08x}, of the bytes it is 0x{computed:08x}")]
    Crc {
        /// In the frame.
        found: u32,
        /// Of the bytes before it.
        computed: u32,
    },
}

/// The bytes of a frame before framing: header, payload, CRC.
///
/// # Panics
/// If the payload is longer than a frame holds, or not of whole words.
pub fn encode(header: Header, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= PAYLOAD_BYTES && payload.len().is_multiple_of(4), "{} bytes", payload.len());
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + CRC_BYTES);
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Header and payload of the bytes between two [`END`], without escapes.
pub fn decode(bytes: &[u8]) -> Result<(Header, &[u8]), FrameError> {
    if !(HEADER_BYTES + CRC_BYTES..=FRAME_BYTES).contains(&bytes.len()) || !bytes.len().is_multiple_of(4) {
        return Err(FrameError::Length(bytes.len()));
    }
    let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>().expect("as long as checked");
    let (found, computed) = (u32::from_le_bytes(*crc), crc32fast::hash(content));
    if found != computed {
        return Err(FrameError::Crc { found, computed });
    }
    let (header, payload) = content.split_first_chunk::<HEADER_BYTES>().expect("as long as checked");
    Ok((Header::from_bytes(header), payload))
}
