//! A memory behind AXI4 ports that checks its masters: length, alignment, chunk, size, stability.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod read;
pub mod write;

use rand::Rng;

use crate::common::Bench;

/// Beats of a chunk.
pub const CHUNK_BEATS: u64 = 16;

/// How a memory behaves.
#[derive(Clone, Copy)]
pub struct Timing {
    /// Chance that a request or data is accepted, in each beat.
    pub accept: f64,
    /// Chance that an answer that is due comes, in each beat.
    pub answer: f64,
    /// Beats from a request to its first answer, at least and at most.
    pub latency: (u64, u64),
}

impl Timing {
    /// No bubbles, the same latency for all.
    pub const fn steady(latency: u64) -> Self {
        Self { accept: 1.0, answer: 1.0, latency: (latency, latency) }
    }

    /// Anything.
    pub fn random(bench: &mut Bench) -> Self {
        let (least, most) = (bench.random.random_range(1..20), bench.random.random_range(20..100));
        Self {
            accept: bench.random.random_range(0.2..1.0),
            answer: bench.random.random_range(0.2..1.0),
            latency: (least, most),
        }
    }

    fn due(self, bench: &mut Bench) -> u64 {
        bench.beat + bench.random.random_range(self.latency.0..=self.latency.1)
    }
}

/// The byte of device memory at an address.
pub fn byte(address: u64) -> u8 {
    let mixed = (address + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
}

/// `count` bytes of device memory, as lanes of a bus.
pub fn bytes(address: u64, count: u64) -> Vec<i64> {
    (address..address + count).map(|address| i64::from(byte(address) as i8)).collect()
}

/// A request as the address channel carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    pub id: u64,
    pub address: u64,
    pub length: u64,
    pub size: u64,
    pub burst: u64,
}

impl Request {
    /// The request that is up on the channel whose signals are called `m_axi_{channel}…{port}`.
    fn read(bench: &Bench, channel: &str, port: &str) -> Self {
        let get = |signal: &str| bench.get(&format!("m_axi_{channel}{signal}{port}"));
        Self {
            id: get("id"),
            address: get("addr"),
            length: get("len"),
            size: get("size"),
            burst: get("burst"),
        }
    }

    /// Beats.
    pub fn beats(self) -> u64 {
        self.length + 1
    }

    /// The rules of AXI4 and of a chunk, for a bus of `bus` bytes.
    fn check(self, bench: &Bench, bus: u64) {
        bench.expect("burst type of", self.address as usize, self.burst, 1);
        bench.expect("bytes of a beat of", self.address as usize, 1 << self.size, bus);
        bench.expect("misalignment of", self.address as usize, self.address % bus, 0);
        let chunk = CHUNK_BEATS * bus;
        let last = self.address + self.beats() * bus - 1;
        bench.expect("last chunk of", self.address as usize, last / chunk, self.address / chunk);
    }
}
