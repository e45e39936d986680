//! Faults of a line, one direction of it.

use std::collections::VecDeque;

use edge_moe_isa::link::END;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Most cycles by which a frame is late.
const LATE_CYCLES: u64 = 200_000;

/// What happens to a frame.
#[derive(Clone, Copy)]
enum Fault {
    Lose,
    Repeat,
    Flip,
    Delay,
}

const FAULTS: [Fault; 4] = [Fault::Lose, Fault::Repeat, Fault::Flip, Fault::Delay];

/// Carries bytes and hits a share of the frames with a fault. No byte overtakes another.
pub struct Disturbance {
    share: f64,
    random: StdRng,
    /// The frame that is not whole yet.
    frame: Vec<u8>,
    /// What is on the way, with the cycle from which on it may arrive.
    carried: VecDeque<(u64, Vec<u8>)>,
}

impl Disturbance {
    pub fn new(share: f64, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { share, random, frame: Vec::new(), carried: VecDeque::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.carried.is_empty()
    }

    /// Takes bytes at some cycle.
    pub fn push(&mut self, bytes: &[u8], now: u64) {
        if self.share == 0.0 {
            self.carried.push_back((now, bytes.to_vec()));
            return;
        }
        for &byte in bytes {
            self.frame.push(byte);
            // Frames begin and end with END.
            if byte == END && self.frame.len() > 1 {
                let frame = std::mem::take(&mut self.frame);
                self.carry(frame, now);
            }
        }
    }

    fn carry(&mut self, mut frame: Vec<u8>, now: u64) {
        let mut arrival = now;
        if self.random.random_bool(self.share) {
            let at = self.random.random_range(0..frame.len());
            match FAULTS[self.random.random_range(0..FAULTS.len())] {
                Fault::Lose => drop(frame.remove(at)),
                Fault::Repeat => frame.insert(at, frame[at]),
                Fault::Flip => frame[at] ^= 1 << self.random.random_range(0..8),
                Fault::Delay => arrival += self.random.random_range(0..LATE_CYCLES),
            }
        }
        self.carried.push_back((arrival, frame));
    }

    /// What has arrived by that cycle.
    pub fn take(&mut self, now: u64) -> Vec<u8> {
        let mut arrived = Vec::new();
        while self.carried.front().is_some_and(|(arrival, _)| *arrival <= now) {
            arrived.extend(self.carried.pop_front().into_iter().flat_map(|(_, bytes)| bytes));
        }
        arrived
    }
}

#[cfg(test)]
mod tests {
    use edge_moe_isa::link::{Deframer, Header, decode, encode, frame};

    use super::*;

    /// How many of a thousand frames come through.
    fn whole_frames(share: f64) -> usize {
        let mut line = Vec::new();
        (0..1000).for_each(|value| frame(&encode(Header { value, ..Header::default() }, &[]), &mut line));
        let mut disturbance = Disturbance::new(share, 1);
        line.chunks(7).for_each(|bytes| disturbance.push(bytes, 0));
        let mut deframer = Deframer::default();
        let frames = disturbance.take(LATE_CYCLES).into_iter().filter_map(|byte| deframer.push(byte));
        frames.filter(|frame| decode(frame).is_ok()).count()
    }

    /// A quarter of the faults delays only.
    #[test]
    fn a_share_of_the_frames_is_hit() {
        assert_eq!(whole_frames(0.0), 1000);
        let whole = whole_frames(0.5);
        assert!((550..750).contains(&whole), "{whole}");
    }
}
