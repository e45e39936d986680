//! The write channels of port 0.

use std::collections::VecDeque;

use super::{Request, Timing};
use crate::common::Bench;

/// When address and data of a burst are accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Each for itself.
    Any,
    /// Data only after their address.
    AddressFirst,
    /// The address only after all data.
    DataFirst,
}

/// A bus beat that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub address: u64,
    pub strobe: u64,
    pub data: Vec<i64>,
}

/// A bus beat on the data channel.
#[derive(Clone, Debug, PartialEq)]
struct Beat {
    strobe: u64,
    data: Vec<i64>,
    last: bool,
}

/// Memory behind a write port. Bursts are confirmed in order.
pub struct WriteMemory {
    bus: u64,
    timing: Timing,
    order: Order,
    /// Share of bursts that are answered with an error.
    pub errors: f64,
    requests: VecDeque<Request>,
    beats: VecDeque<Beat>,
    /// Whole bursts of data that were accepted, and bursts whose address was.
    data_bursts: usize,
    address_bursts: usize,
    /// When each whole burst is confirmed, and whether it is an error.
    confirmations: VecDeque<(u64, bool)>,
    confirming: bool,
    up: Option<Request>,
    up_beat: Option<Beat>,
    /// Most bursts that were unconfirmed at once.
    pub most: usize,
}

/// What happened in a beat.
#[derive(Default)]
pub struct Seen {
    /// A bus beat was taken.
    pub beat: bool,
    /// A burst was confirmed; with an error.
    pub confirmed: Option<bool>,
    /// Beats of a burst whose address and data are there.
    pub written: Vec<Written>,
}

impl WriteMemory {
    /// `bus` bytes wide.
    pub fn new(bus: u64, timing: Timing, order: Order) -> Self {
        Self {
            bus,
            timing,
            order,
            errors: 0.0,
            requests: VecDeque::new(),
            beats: VecDeque::new(),
            data_bursts: 0,
            address_bursts: 0,
            confirmations: VecDeque::new(),
            confirming: false,
            up: None,
            up_beat: None,
            most: 0,
        }
    }

    /// Requests that are up or accepted, and whose data are not all there.
    pub fn open(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().chain(&self.up)
    }

    /// Beats of data that were accepted and belong to no complete burst.
    pub fn loose_beats(&self) -> usize {
        self.beats.len()
    }

    /// A beat is up and was not taken.
    pub fn beat_is_up(&self) -> bool {
        self.up_beat.is_some()
    }

    /// Bursts that are up or accepted, and not yet confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.open().count() + self.confirmations.len()
    }

    /// Confirmations are owed, or a request is up.
    pub fn owes(&self) -> bool {
        self.unconfirmed() > 0
    }

    /// Inputs of the master, before a beat.
    pub fn drive(&mut self, bench: &mut Bench) {
        let (address, data) = match self.order {
            Order::Any => (true, true),
            Order::AddressFirst => (true, self.address_bursts > self.data_bursts),
            Order::DataFirst => (self.data_bursts > self.address_bursts, true),
        };
        let ready = address && bench.chance(self.timing.accept);
        bench.set("m_axi_awready", ready.into());
        let ready = data && bench.chance(self.timing.accept);
        bench.set("m_axi_wready", ready.into());
        let due = self.confirmations.front().is_some_and(|&(due, _)| due <= bench.beat);
        self.confirming |= due && bench.chance(self.timing.answer);
        bench.set("m_axi_bvalid", self.confirming.into());
        let error = self.confirmations.front().is_some_and(|&(_, error)| error);
        bench.set("m_axi_bresp", if error { 2 } else { 0 });
    }

    /// Outputs of the master, in a beat.
    pub fn observe(&mut self, bench: &mut Bench) -> Seen {
        let mut seen = Seen::default();
        if self.confirming && bench.get("m_axi_bready") == 1 {
            seen.confirmed = self.confirmations.pop_front().map(|(_, error)| error);
            self.confirming = false;
        }
        self.observe_address(bench);
        seen.beat = self.observe_data(bench);
        let beats = self.requests.front().map_or(usize::MAX, |request| request.beats() as usize);
        if self.beats.len() >= beats {
            seen.written = self.retire(bench, beats);
        }
        self.most = self.most.max(self.unconfirmed());
        seen
    }

    fn observe_address(&mut self, bench: &mut Bench) {
        let up = (bench.get("m_axi_awvalid") == 1).then(|| Request::read(bench, "aw", ""));
        if let Some(before) = self.up {
            bench.expect("request that was not taken", before.address as usize, up, Some(before));
        }
        self.up = up;
        if let (Some(request), 1) = (up, bench.get("m_axi_awready")) {
            request.check(bench, self.bus);
            self.requests.push_back(request);
            self.address_bursts += 1;
            self.up = None;
        }
    }

    fn observe_data(&mut self, bench: &mut Bench) -> bool {
        let up = (bench.get("m_axi_wvalid") == 1).then(|| Beat {
            strobe: bench.get("m_axi_wstrb"),
            data: bench.get_lanes("m_axi_wdata", 8, self.bus as usize),
            last: bench.get("m_axi_wlast") == 1,
        });
        if self.up_beat.is_some() {
            bench.expect("beat that was not taken, before", self.beats.len(), &up, &self.up_beat);
        }
        self.up_beat = None;
        match up {
            Some(beat) if bench.get("m_axi_wready") == 1 => {
                self.data_bursts += usize::from(beat.last);
                self.beats.push_back(beat);
                true
            }
            waiting => {
                self.up_beat = waiting;
                false
            }
        }
    }

    /// The first request and its beats.
    fn retire(&mut self, bench: &mut Bench, beats: usize) -> Vec<Written> {
        let request = self.requests.pop_front().expect("its length is known");
        let due = self.timing.due(bench);
        let error = bench.chance(self.errors);
        self.confirmations.push_back((due, error));
        let written = |(index, beat): (usize, Beat)| {
            bench.expect("last of beat", index, beat.last, index + 1 == beats);
            let address = request.address + index as u64 * self.bus;
            Written { address, strobe: beat.strobe, data: beat.data }
        };
        self.beats.drain(..beats).enumerate().map(written).collect()
    }
}
