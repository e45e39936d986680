//! Scratchpad allocation: buffers live from the step that fills them to the
//! last step that reads them.

use std::collections::BTreeMap;

/// A buffer that finds no room, and how much room there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoesNotFit {
    /// What does not fit, such as `scratchpad`.
    pub memory: &'static str,
    /// Words that would have to be live at once.
    pub needed: u32,
    /// Words there are.
    pub available: u32,
}

/// First-fit allocator over the words of the scratchpad.
#[derive(Debug)]
pub struct Scratchpad {
    words: u32,
    /// Start and length of live buffers.
    live: BTreeMap<u32, u32>,
}

impl Scratchpad {
    /// All words free.
    pub fn new(words: u32) -> Self {
        Self { words, live: BTreeMap::new() }
    }

    /// The lowest gap of that many words.
    pub fn allocate(&mut self, words: u32) -> Result<u32, DoesNotFit> {
        let mut start = 0;
        for (&other, &length) in &self.live {
            if other - start >= words {
                break;
            }
            start = other + length;
        }
        if self.words - start < words {
            let live: u32 = self.live.values().sum();
            return Err(DoesNotFit { memory: "scratchpad", needed: live + words, available: self.words });
        }
        self.live.insert(start, words);
        Ok(start)
    }

    /// Gives a buffer back.
    ///
    /// # Panics
    /// If no live buffer starts there.
    pub fn free(&mut self, start: u32) {
        self.live.remove(&start).expect("freed buffers are live");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_used_again() {
        let mut scratchpad = Scratchpad::new(100);
        let buffers: Vec<u32> = (0..3).map(|_| scratchpad.allocate(30).unwrap()).collect();
        assert_eq!(buffers, [0, 30, 60]);
        scratchpad.free(30);
        assert_eq!(scratchpad.allocate(10), Ok(30));
        assert_eq!(scratchpad.allocate(20), Ok(40));
        assert_eq!(scratchpad.allocate(10), Ok(90));
        let full = DoesNotFit { memory: "scratchpad", needed: 101, available: 100 };
        assert_eq!(scratchpad.allocate(1), Err(full));
    }
}
