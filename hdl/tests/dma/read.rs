//! The read channels of one port.

use std::collections::{HashSet, VecDeque};

use rand::Rng;

use super::{Request, Timing, bytes};
use crate::common::Bench;

struct Burst {
    request: Request,
    /// Its next beat.
    beat: u64,
    due: u64,
    /// The master was reset since.
    stale: bool,
}

/// Memory behind one read port. Bursts of an id are answered in order; those of different ids in any
/// order, beat by beat.
pub struct ReadMemory {
    port: String,
    bus: u64,
    base: u64,
    timing: Timing,
    /// Bus addresses whose beats are answered with an error.
    pub errors: HashSet<u64>,
    bursts: VecDeque<Burst>,
    /// Index of the burst whose beat is up.
    up: Option<usize>,
    request: Option<Request>,
    /// The request that is up was up at a reset.
    stale_request: bool,
    /// Most bursts that were on their way at once.
    pub most: usize,
    /// Requests that were accepted.
    pub accepted: Vec<Request>,
}

/// What happened on a port in a beat.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    /// A bus beat was taken.
    pub beat: bool,
    /// It was an error, and the master was not reset since its request.
    pub error: bool,
}

impl ReadMemory {
    /// Port `port` of arrays of signals, `bus` bytes wide.
    pub fn new(port: usize, bus: u64, base: u64, timing: Timing) -> Self {
        Self {
            port: format!("${port}"),
            bus,
            base,
            timing,
            errors: HashSet::new(),
            bursts: VecDeque::new(),
            up: None,
            request: None,
            stale_request: false,
            most: 0,
            accepted: Vec::new(),
        }
    }

    fn set(&self, bench: &mut Bench, signal: &str, value: u64) {
        bench.set(&format!("m_axi_{signal}{}", self.port), value);
    }

    fn get(&self, bench: &Bench, signal: &str) -> u64 {
        bench.get(&format!("m_axi_{signal}{}", self.port))
    }

    /// Changes how it behaves.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// Answers are owed, or a request is up.
    pub fn owes(&self) -> bool {
        !self.bursts.is_empty() || self.request.is_some()
    }

    /// The master was reset in the beat that was seen last.
    pub fn reset(&mut self) {
        self.bursts.iter_mut().for_each(|burst| burst.stale = true);
        self.stale_request = self.request.is_some();
    }

    /// Inputs of the master, before a beat.
    pub fn drive(&mut self, bench: &mut Bench) {
        let ready = bench.chance(self.timing.accept);
        self.set(bench, "arready", ready.into());
        if self.up.is_none() {
            let first = |id| self.bursts.iter().position(|burst| burst.request.id == id);
            let due = |index: &usize| self.bursts[*index].due <= bench.beat;
            let candidates: Vec<usize> = [first(0), first(1)].into_iter().flatten().filter(due).collect();
            if !candidates.is_empty() && bench.chance(self.timing.answer) {
                self.up = Some(candidates[bench.random.random_range(0..candidates.len())]);
            }
        }
        self.set(bench, "rvalid", self.up.is_some().into());
        let Some(index) = self.up else { return };
        let burst = &self.bursts[index];
        let address = burst.request.address + burst.beat * self.bus;
        self.set(bench, "rid", burst.request.id);
        self.set(bench, "rlast", (burst.beat == burst.request.length).into());
        self.set(bench, "rresp", if self.errors.contains(&address) { 2 } else { 0 });
        bench.set_lanes(&format!("m_axi_rdata{}", self.port), 8, &bytes(address - self.base, self.bus));
    }

    /// Outputs of the master, in a beat.
    pub fn observe(&mut self, bench: &mut Bench) -> Seen {
        let up = (self.get(bench, "arvalid") == 1).then(|| Request::read(bench, "ar", &self.port));
        if let Some(before) = self.request {
            bench.expect("request that was not taken", before.address as usize, up, Some(before));
        }
        self.request = up;
        let mut seen = Seen::default();
        if let (Some(index), 1) = (self.up, self.get(bench, "rready")) {
            let burst = &mut self.bursts[index];
            let address = burst.request.address + burst.beat * self.bus;
            seen = Seen { beat: true, error: !burst.stale && self.errors.contains(&address) };
            burst.beat += 1;
            if burst.beat == burst.request.beats() {
                self.bursts.remove(index);
            }
            self.up = None;
        }
        if let (Some(request), 1) = (up, self.get(bench, "arready")) {
            request.check(bench, self.bus);
            let due = self.timing.due(bench);
            self.bursts.push_back(Burst { request, beat: 0, due, stale: self.stale_request });
            self.accepted.push(request);
            self.request = None;
            self.stale_request = false;
        }
        self.most = self.most.max(self.bursts.len());
        seen
    }
}
