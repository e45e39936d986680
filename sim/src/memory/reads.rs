//! Read bursts of one port.

use std::collections::VecDeque;

use rand::Rng;

use super::rules::Rules;
use super::{Address, Chance, MemorySettings, OKAY, ReadBeat, SLVERR, Storage};

/// A burst that is not answered in full.
struct Burst {
    /// Device address of the next beat.
    address: u64,
    /// Beats to come.
    beats: u32,
    /// Cycle of the first beat, at the earliest.
    due: u64,
    /// Number of the burst, from 0.
    number: u64,
}

/// Read bursts in flight: a queue for each id.
#[derive(Default)]
pub(crate) struct Reads {
    queues: [VecDeque<Burst>; 2],
    taken: u64,
}

impl Reads {
    pub fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn take_address(&mut self, address: &Address, start: u64, due: u64) {
        let burst = Burst { address: start, beats: u32::from(address.len) + 1, due, number: self.taken };
        self.queues[usize::from(address.id)].push_back(burst);
        self.taken += 1;
    }

    /// Is there a burst that will be answered?
    pub fn may_answer(&self, settings: &MemorySettings) -> bool {
        let answered = settings.faults.answered_reads.unwrap_or(u64::MAX);
        self.queues.iter().filter_map(VecDeque::front).any(|burst| burst.number < answered)
    }

    /// The beat to answer with in this cycle: of the oldest burst that is due, of any under back-pressure.
    pub fn beat(
        &mut self,
        cycle: u64,
        rules: &Rules,
        settings: &MemorySettings,
        chance: &mut Chance,
        storage: &Storage,
    ) -> Option<ReadBeat> {
        let answered = settings.faults.answered_reads.unwrap_or(u64::MAX);
        let due = |queue: &VecDeque<Burst>| {
            queue
                .front()
                .filter(|burst| burst.due <= cycle && burst.number < answered)
                .map(|burst| burst.number)
        };
        let id = match (due(&self.queues[0]), due(&self.queues[1])) {
            (None, None) => return None,
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (Some(_), Some(_)) if chance.back_pressure > 0.0 => usize::from(chance.random.random_bool(0.5)),
            (Some(rows), Some(descriptors)) => usize::from(descriptors < rows),
        };
        let bus_bytes = rules.bus_bytes;
        let burst = self.queues[id].front_mut()?;
        let data = storage.read(burst.address, bus_bytes as usize);
        let failed = settings.fails(burst.address, bus_bytes.into());
        burst.address += u64::from(bus_bytes);
        burst.beats -= 1;
        let last = burst.beats == 0;
        if last {
            self.queues[id].pop_front();
        }
        Some(ReadBeat { id: id as u8, data, response: if failed { SLVERR } else { OKAY }, last })
    }
}
