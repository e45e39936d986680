//! Write bursts of one port.

use std::collections::VecDeque;

use super::rules::Rules;
use super::{Address, MAX_BEATS, MemorySettings, OKAY, SLVERR, Storage, WriteAnswer, WriteBeat};

/// Bursts whose address or data may be ahead of the other.
const AHEAD: usize = 4;

struct Target {
    id: u8,
    /// Device address.
    start: u64,
    beats: usize,
}

struct Pending {
    target: Target,
    data: Vec<WriteBeat>,
    due: u64,
}

/// Write bursts in flight. Address and data come in any order in time.
#[derive(Default)]
pub(crate) struct Writes {
    targets: VecDeque<Target>,
    /// Data of bursts, the last of them perhaps incomplete.
    data: VecDeque<Vec<WriteBeat>>,
    pending: VecDeque<Pending>,
}

impl Writes {
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.data.is_empty() && self.pending.is_empty()
    }

    pub fn takes_address(&self) -> bool {
        self.targets.len() < AHEAD && self.pending.len() < AHEAD
    }

    pub fn takes_beat(&self) -> bool {
        self.data.len() < AHEAD || self.data.back().is_some_and(|burst| !is_complete(burst))
    }

    pub fn take_address(&mut self, address: &Address, start: u64) -> Result<(), String> {
        self.targets.push_back(Target { id: address.id, start, beats: usize::from(address.len) + 1 });
        self.check(self.targets.len() - 1)
    }

    pub fn take_beat(&mut self, beat: WriteBeat) -> Result<(), String> {
        match self.data.back_mut().filter(|burst| !is_complete(burst)) {
            Some(burst) => burst.push(beat),
            None => self.data.push_back(vec![beat]),
        }
        self.check(self.data.len() - 1)
    }

    /// Checks `wlast` of a burst against its address, or without one against the longest burst.
    fn check(&self, index: usize) -> Result<(), String> {
        let Some(data) = self.data.get(index) else { return Ok(()) };
        let (beats, target) = match self.targets.get(index) {
            Some(target) => (target.beats, format!("a write of {} beats", target.beats)),
            None if is_complete(data) => return Ok(()),
            None => (MAX_BEATS as usize, format!("a write of at most {MAX_BEATS} beats")),
        };
        match (is_complete(data), data.len().cmp(&beats)) {
            (true, std::cmp::Ordering::Equal) | (false, std::cmp::Ordering::Less) => Ok(()),
            (true, _) => Err(format!("wlast at beat {} of {target}", data.len())),
            (false, _) => Err(format!("no wlast at beat {} of {target}", data.len())),
        }
    }

    /// Joins address and data of bursts that have both.
    pub fn join(&mut self, mut due: impl FnMut() -> u64) {
        while !self.targets.is_empty() && self.data.front().is_some_and(|burst| is_complete(burst)) {
            let (target, data) = (self.targets.pop_front(), self.data.pop_front());
            if let (Some(target), Some(data)) = (target, data) {
                self.pending.push_back(Pending { target, data, due: due() });
            }
        }
    }

    pub fn answer_due(&self, cycle: u64) -> bool {
        self.pending.front().is_some_and(|burst| burst.due <= cycle)
    }

    /// Answers the oldest burst; only now its bytes are in memory.
    pub fn answer(
        &mut self,
        rules: &Rules,
        settings: &MemorySettings,
        storage: &mut Storage,
    ) -> Option<WriteAnswer> {
        let Pending { target, data, .. } = self.pending.pop_front()?;
        let mut response = OKAY;
        let addresses = (target.start..).step_by(rules.bus_bytes as usize);
        for (address, beat) in addresses.zip(&data) {
            if settings.fails(address, rules.bus_bytes.into()) {
                response = SLVERR;
            } else {
                storage.write(address, beat);
            }
        }
        Some(WriteAnswer { id: target.id, response })
    }
}

fn is_complete(burst: &[WriteBeat]) -> bool {
    burst.last().is_some_and(|beat| beat.last)
}
