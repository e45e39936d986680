//! The levels of a serial line: bytes of eight bits without parity, one start and one stop bit.

use std::collections::VecDeque;

/// Data bits of a byte.
const DATA_BITS: u32 = 8;

/// The end that sends.
pub struct LineSender {
    clocks_per_bit: u32,
    bytes: VecDeque<u8>,
    /// Start bit, data and stop bit that are being sent, the present one lowest.
    bits: u32,
    /// Clocks that are left of all these bits.
    left: u32,
}

impl LineSender {
    /// A line at rest.
    pub fn new(clocks_per_bit: u32) -> Self {
        Self { clocks_per_bit, bytes: VecDeque::new(), bits: 1, left: 0 }
    }

    /// Sends bytes behind those that wait.
    pub fn push(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.bytes.extend(bytes);
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Is there nothing to send?
    pub fn is_idle(&self) -> bool {
        self.left == 0 && self.bytes.is_empty()
    }

    /// The level of the line in the next clock.
    pub fn clock(&mut self) -> bool {
        if self.left == 0 {
            let Some(byte) = self.bytes.pop_front() else { return true };
            self.bits = u32::from(byte) << 1 | 1 << (DATA_BITS + 1);
            self.left = (DATA_BITS + 2) * self.clocks_per_bit;
        }
        let level = self.bits & 1 == 1;
        self.left -= 1;
        if self.left.is_multiple_of(self.clocks_per_bit) {
            self.bits >>= 1;
        }
        level
    }
}

/// The end that receives.
pub struct LineReceiver {
    clocks_per_bit: u32,
    bits: u32,
    /// Clocks since the start bit began, if one has.
    since_start: Option<u32>,
}

impl LineReceiver {
    /// A line at rest.
    pub fn new(clocks_per_bit: u32) -> Self {
        Self { clocks_per_bit, bits: 0, since_start: None }
    }

    /// Is no byte on the way?
    pub fn is_idle(&self) -> bool {
        self.since_start.is_none()
    }

    /// Takes the level of a clock; the byte whose stop bit it is in the middle of. A byte without a stop bit is
    /// none.
    pub fn clock(&mut self, level: bool) -> Option<u8> {
        let clocks = match self.since_start {
            None if level => return None,
            None => 0,
            Some(clocks) => clocks,
        };
        self.since_start = Some(clocks + 1);
        if clocks % self.clocks_per_bit != self.clocks_per_bit / 2 {
            return None;
        }
        let bit = clocks / self.clocks_per_bit;
        if bit <= DATA_BITS {
            // The start bit ends up below.
            self.bits = self.bits >> 1 | u32::from(level) << DATA_BITS;
            return None;
        }
        self.since_start = None;
        level.then_some((self.bits >> 1) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        for clocks_per_bit in [4, 5, 40] {
            let (mut sender, mut receiver) =
                (LineSender::new(clocks_per_bit), LineReceiver::new(clocks_per_bit));
            sender.push(0..=255);
            let mut clocks = 0;
            let mut received = Vec::new();
            while !(sender.is_idle() && receiver.is_idle()) {
                received.extend(receiver.clock(sender.clock()));
                clocks += 1;
            }
            assert_eq!(received, (0..=255).collect::<Vec<u8>>());
            assert!(clocks <= 256 * 10 * clocks_per_bit, "{clocks} clocks at {clocks_per_bit} a bit");
        }
    }

    #[test]
    fn a_byte_without_stop_bit_is_none() {
        let mut receiver = LineReceiver::new(4);
        assert_eq!((0..40).filter_map(|_| receiver.clock(false)).count(), 0);
    }
}
