//! The load timeline: weights, parameters and copies from memory as one stream of entries.

use std::collections::VecDeque;

use edge_moe_isa::arch::ArchConfig;

use super::cycle_model::Memory;
use super::timing;

/// Bus beats of a chunk: no burst crosses a chunk.
const CHUNK_BEATS: u64 = 16;

/// A part of memory that is read from its first byte to its last.
struct Segment {
    next: u64,
    end: u64,
    /// Cycle before which it may not be asked for.
    gate: f64,
}

/// A burst in the queue.
#[derive(Clone, Copy)]
struct Burst {
    bytes: f64,
    left: f64,
    /// When its data began to come, and when it was complete.
    first: f64,
    last: f64,
}

/// Reads segments in order, as far ahead as the queue holds, and hands out their entries, one a cycle.
pub(super) struct Stream {
    entry_bytes: f64,
    chunk_bytes: u64,
    latency: f64,
    bytes_per_cycle: f64,
    bursts_in_queue: usize,
    bursts_in_flight: usize,
    segments: VecDeque<Segment>,
    burst: Option<Burst>,
    /// When the latest bursts were complete, and when they had left the queue.
    arrived: VecDeque<f64>,
    left: VecDeque<f64>,
    memory_free: f64,
    /// When the last entry was handed out.
    now: f64,
    /// Cycles and bytes of the bursts.
    traffic: Vec<(u64, u64)>,
}

impl Stream {
    pub fn new(arch: &ArchConfig, memory: &Memory) -> Self {
        let entry_bytes = u64::from(arch.vector);
        let chunk_bytes = CHUNK_BEATS * u64::from(arch.bus_bytes());
        Self {
            entry_bytes: entry_bytes as f64,
            chunk_bytes,
            latency: f64::from(memory.latency) + timing::REQUEST as f64,
            bytes_per_cycle: memory.bytes_per_cycle,
            bursts_in_queue: (u64::from(arch.stream_entries) * entry_bytes / chunk_bytes) as usize,
            bursts_in_flight: timing::BURSTS_IN_FLIGHT * arch.memory_ports as usize,
            segments: VecDeque::new(),
            burst: None,
            arrived: VecDeque::new(),
            left: VecDeque::new(),
            memory_free: 0.0,
            now: 0.0,
            traffic: Vec::new(),
        }
    }

    /// Appends `bytes` bytes from `address` on, which may be asked for from cycle `gate` on.
    pub fn append(&mut self, address: u32, bytes: u64, gate: u64) {
        let next = u64::from(address);
        self.segments.push_back(Segment { next, end: next + bytes, gate: gate as f64 });
    }

    /// Hands out the next `bytes` bytes from cycle `from` on; returns the cycle after the last entry.
    pub fn take(&mut self, bytes: u64, from: u64) -> u64 {
        let mut wanted = bytes as f64;
        self.now = self.now.max(from as f64);
        while wanted > 0.0 {
            let mut burst = self.burst.take().unwrap_or_else(|| self.next_burst());
            let part = wanted.min(burst.left);
            burst.left -= part;
            wanted -= part;
            let share = (burst.bytes - burst.left) / burst.bytes;
            let arrival = burst.first + (burst.last - burst.first) * share + timing::STREAM as f64;
            self.now = arrival.max(self.now + part / self.entry_bytes);
            match burst.left > 0.0 {
                true => self.burst = Some(burst),
                false => remember(&mut self.left, self.now, self.bursts_in_queue),
            }
        }
        self.now.ceil() as u64
    }

    /// Cycles and bytes of all bursts so far.
    pub fn into_traffic(self) -> Vec<(u64, u64)> {
        self.traffic
    }

    /// The next burst: asked for when there is room for it in the queue.
    ///
    /// # Panics
    /// If more is taken than was appended.
    fn next_burst(&mut self) -> Burst {
        while self.segments.front().is_some_and(|segment| segment.next == segment.end) {
            self.segments.pop_front();
        }
        let segment = self.segments.front_mut().expect("no more is taken than was appended");
        let bytes = (self.chunk_bytes - segment.next % self.chunk_bytes).min(segment.end - segment.next);
        segment.next += bytes;
        let room = oldest(&self.left, self.bursts_in_queue).max(oldest(&self.arrived, self.bursts_in_flight));
        let first = (segment.gate.max(room) + self.latency).max(self.memory_free);
        let last = first + bytes as f64 / self.bytes_per_cycle;
        self.memory_free = last;
        remember(&mut self.arrived, last, self.bursts_in_flight);
        self.traffic.push((last.ceil() as u64, bytes));
        Burst { bytes: bytes as f64, left: bytes as f64, first, last }
    }
}

/// The time of the `count`th last event, if there were as many.
fn oldest(times: &VecDeque<f64>, count: usize) -> f64 {
    if times.len() == count { times[0] } else { 0.0 }
}

fn remember(times: &mut VecDeque<f64>, time: f64, count: usize) {
    if times.len() == count {
        times.pop_front();
    }
    times.push_back(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(latency: u32, bytes_per_cycle: f64) -> Stream {
        Stream::new(&ArchConfig::edge(), &Memory { latency, bytes_per_cycle })
    }

    #[test]
    fn one_entry_comes_a_cycle_after_the_latency() {
        let mut stream = stream(64, 16.0);
        stream.append(0, 3200, 0);
        stream.append(3200, 3200, 0);
        let first = 64 + timing::REQUEST + timing::STREAM;
        assert_eq!(stream.take(3200, 0), first + 200);
        assert_eq!(stream.take(3200, 0), first + 400);
        let bytes: u64 = stream.into_traffic().iter().map(|burst| burst.1).sum();
        assert_eq!(bytes, 6400);
    }

    #[test]
    fn memory_runs_ahead_by_what_the_queue_holds() {
        let mut stream = stream(64, 8.0);
        stream.append(0, 1 << 20, 0);
        stream.take(16, 0);
        // Meanwhile the queue filled up: its 256 entries leave one a cycle, the next 256 one every two.
        assert!((10_255..10_260).contains(&stream.take(4080, 10_000)));
        let next = stream.take(4096, 0);
        assert!((10_500..10_600).contains(&next), "{next}");
    }

    #[test]
    fn a_gate_holds_requests_back() {
        let mut stream = stream(10, 16.0);
        stream.append(64, 64, 1000);
        assert_eq!(stream.take(64, 0), 1000 + 10 + timing::REQUEST + 4 + timing::STREAM);
    }
}
