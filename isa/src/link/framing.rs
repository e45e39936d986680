//! Frames on a line of bytes.

use super::{END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE, FRAME_BYTES};

/// Appends what is sent for the bytes of a frame.
pub fn frame(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(END);
    for &byte in bytes {
        match byte {
            END => line.extend([ESCAPE, ESCAPED_END]),
            ESCAPE => line.extend([ESCAPE, ESCAPED_ESCAPE]),
            _ => line.push(byte),
        }
    }
    line.push(END);
}

/// Finds frames in the bytes of a line.
#[derive(Clone, Debug, Default)]
pub struct Deframer {
    bytes: Vec<u8>,
    escaped: bool,
    /// What follows up to the next `END` is no frame.
    spoilt: bool,
}

impl Deframer {
    /// Takes a byte; returns the bytes of a frame when it is its last one. They may be anything: see
    /// [`super::decode`].
    pub fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        if byte == END {
            let whole = !self.bytes.is_empty() && !self.spoilt && !self.escaped;
            let Self { bytes, .. } = std::mem::take(self);
            return whole.then_some(bytes);
        }
        let escaped = std::mem::take(&mut self.escaped);
        match (escaped, byte) {
            (false, ESCAPE) => self.escaped = true,
            (false, _) => self.take(byte),
            (true, ESCAPED_END) => self.take(END),
            (true, ESCAPED_ESCAPE) => self.take(ESCAPE),
            (true, _) => self.spoilt = true,
        }
        None
    }

    /// A byte without its stop bit, or one that was lost: the frame is no frame.
    pub fn spoil(&mut self) {
        self.spoilt = true;
    }

    fn take(&mut self, byte: u8) {
        if self.bytes.len() == FRAME_BYTES {
            self.spoilt = true;
        } else {
            self.bytes.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(line: &[u8]) -> Vec<Vec<u8>> {
        let mut deframer = Deframer::default();
        line.iter().filter_map(|&byte| deframer.push(byte)).collect()
    }

    proptest! {
        #[test]
        fn frames_come_back(sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..5)) {
            let mut line = Vec::new();
            sent.iter().for_each(|bytes| frame(bytes, &mut line));
            prop_assert_eq!(frames(&line), sent);
        }
    }

    #[test]
    fn what_is_broken_is_dropped_and_the_next_frame_is_found() {
        let mut line = vec![1, ESCAPE, 7];
        frame(&[1, 2, END, ESCAPE], &mut line);
        line.extend([3, ESCAPE]);
        frame(&vec![0; FRAME_BYTES + 1], &mut line);
        frame(&[5], &mut line);
        assert_eq!(frames(&line), [vec![1, 2, END, ESCAPE], vec![5]]);
    }
}
