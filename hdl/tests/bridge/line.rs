//! A serial line by its levels, a beat each.

use std::collections::VecDeque;

/// Levels to come on a line that is high otherwise.
#[derive(Default)]
pub struct Sender {
    levels: VecDeque<(bool, u64)>,
}

impl Sender {
    /// A level for so many beats.
    pub fn level(&mut self, high: bool, beats: u64) {
        self.levels.push_back((high, beats));
    }

    /// A byte, with some of its ten bits flipped: the start bit is bit 0.
    pub fn byte(&mut self, byte: u8, flipped: u16, clocks_per_bit: u64) {
        let bits = (u16::from(byte) << 1 | 0x200) ^ flipped;
        (0..10).for_each(|bit| self.level(bits >> bit & 1 == 1, clocks_per_bit));
    }

    /// The level of the next beat.
    pub fn next(&mut self) -> bool {
        let Some((high, beats)) = self.levels.front_mut() else { return true };
        let high = *high;
        *beats -= 1;
        if *beats == 0 {
            self.levels.pop_front();
        }
        high
    }

    /// Levels that are yet to come.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    pub fn is_silent(&self) -> bool {
        self.levels.is_empty()
    }

    pub fn forget(&mut self) {
        self.levels.clear();
    }
}

/// What a receiver hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Byte(u8),
    /// A byte without its stop bit.
    Fault,
}

/// A receiver that looks at the middle of each bit.
pub struct Ear {
    clocks_per_bit: u64,
    /// Beats since the line fell.
    since: Option<u64>,
    bits: u8,
    broken: bool,
}

impl Ear {
    pub fn new(clocks_per_bit: u64) -> Self {
        Self { clocks_per_bit, since: None, bits: 0, broken: false }
    }

    /// Hears a beat.
    pub fn hear(&mut self, high: bool) -> Option<Heard> {
        let beats = match self.since {
            None if high => {
                self.broken = false;
                return None;
            }
            None if self.broken => return None,
            None => 0,
            Some(beats) => beats + 1,
        };
        self.since = Some(beats);
        let middle = beats + self.clocks_per_bit - self.clocks_per_bit / 2;
        if !middle.is_multiple_of(self.clocks_per_bit) {
            return None;
        }
        match middle / self.clocks_per_bit - 1 {
            0 => {
                // A start bit that was none.
                self.since = self.since.filter(|_| !high);
                None
            }
            1..=8 => {
                self.bits = self.bits >> 1 | u8::from(high) << 7;
                None
            }
            _ => {
                self.since = None;
                self.broken = !high;
                Some(if high { Heard::Byte(self.bits) } else { Heard::Fault })
            }
        }
    }
}
