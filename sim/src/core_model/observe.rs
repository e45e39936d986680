//! What can be seen of a core from outside: words it writes, and what its lanes do.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::Space;
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::{DescriptorTrace, Trace};
use verilated::{Model, Port};

use crate::memory::Traffic;
use crate::{Error, Result};

/// Values of a word in a 64-bit part of a port.
const VALUES: usize = 4;

/// A copy of an on-chip memory, made from the words that a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    vector: usize,
    values: Vec<i16>,
    written: Vec<bool>,
}

impl Shadow {
    fn new(words: u32, vector: u32) -> Self {
        let (words, vector) = (words as usize, vector as usize);
        Self { vector, values: vec![0; words * vector], written: vec![false; words] }
    }

    /// All words, V values each; words that were not written are as an earlier run left them.
    pub fn values(&self) -> &[i16] {
        &self.values
    }

    /// Whether the run wrote a word, for all words.
    pub fn written(&self) -> &[bool] {
        &self.written
    }

    /// Stores a word; false if there is no such word.
    fn store(&mut self, word: usize, parts: &[u64]) -> bool {
        let Some(written) = self.written.get_mut(word) else { return false };
        *written = true;
        let target = &mut self.values[word * self.vector..][..self.vector];
        for (target, part) in target.chunks_mut(VALUES).zip(parts) {
            target.iter_mut().enumerate().for_each(|(value, target)| *target = (part >> (16 * value)) as i16);
        }
        true
    }
}

/// The ports that show one on-chip memory.
struct WritePorts {
    space: Space,
    write: Port,
    address: Port,
    data: Port,
    shadow: Shadow,
}

impl WritePorts {
    fn find(model: &Model, arch: &ArchConfig, space: Space, words: u32) -> Result<Self> {
        let port = |name: &str, width| model.port(&format!("observe_{space}_{name}"), width);
        Ok(Self {
            space,
            write: port("write", 1)?,
            address: port("address", 20)?,
            data: port("data", 16 * arch.vector)?,
            shadow: Shadow::new(words, arch.vector),
        })
    }

    /// Takes the word that is written in this cycle, if one is.
    #[inline]
    fn observe(&mut self, model: &Model, cycle: u64) -> Result<()> {
        if model.get(self.write)? == 0 {
            return Ok(());
        }
        let mut parts = [0; 32];
        let parts = &mut parts[..self.data.words()];
        model.get_words(self.data, parts)?;
        let word = model.get(self.address)?;
        if self.shadow.store(word as usize, parts) {
            return Ok(());
        }
        let problem = format!("a write to word {word} of {}, which does not exist", self.space);
        Err(Error::Contradiction { cycle, problem })
    }
}

/// Everything that is seen of a core.
pub struct Observer {
    memories: [WritePorts; 2],
    activity: Port,
    descriptor: Port,
    settled: Port,
    running_port: Port,
    running: bool,
    /// The descriptor whose results are all written since this cycle.
    settled_descriptor: Option<usize>,
    trace: Trace,
    /// What had crossed the memory ports when the present descriptor started.
    traffic: Traffic,
}

impl Observer {
    pub fn new(model: &Model, arch: &ArchConfig) -> Result<Self> {
        Ok(Self {
            memories: [
                WritePorts::find(model, arch, Space::Scratchpad, arch.scratchpad_words)?,
                WritePorts::find(model, arch, Space::Residual, arch.residual_words)?,
            ],
            activity: model.port("observe_activity", 4)?,
            descriptor: model.port("observe_descriptor", 12)?,
            settled: model.port("observe_settled", 1)?,
            running_port: model.port("observe_running", 1)?,
            running: false,
            settled_descriptor: None,
            trace: Trace::default(),
            traffic: Traffic::default(),
        })
    }

    /// A reset ends whatever ran.
    pub fn reset(&mut self) {
        self.running = false;
        self.settled_descriptor = None;
    }

    /// Forgets the last run.
    pub fn start(&mut self, traffic: Traffic) {
        self.memories.iter_mut().for_each(|memory| memory.shadow.written.fill(false));
        self.trace = Trace::default();
        self.traffic = traffic;
        self.settled_descriptor = None;
    }

    /// Looks at a cycle after its logic settled.
    #[inline]
    pub fn observe(&mut self, model: &Model, cycle: u64, traffic: impl Fn() -> Traffic) -> Result<()> {
        for memory in &mut self.memories {
            memory.observe(model, cycle)?;
        }
        let running = model.get(self.running_port)? != 0;
        if running {
            self.count(model, cycle, traffic)?;
        } else if self.running {
            self.close(traffic());
        }
        self.running = running;
        if model.get(self.settled)? != 0 {
            self.settled_descriptor = Some(model.get(self.descriptor)? as usize);
        }
        Ok(())
    }

    /// Counts a cycle of a program.
    #[inline]
    fn count(&mut self, model: &Model, cycle: u64, traffic: impl Fn() -> Traffic) -> Result<()> {
        let descriptor = model.get(self.descriptor)? as usize;
        if descriptor >= self.trace.descriptors.len() {
            self.open(descriptor, traffic());
        } else if descriptor + 1 < self.trace.descriptors.len() {
            let problem = format!("descriptor {descriptor} is shown after a later one");
            return Err(Error::Contradiction { cycle, problem });
        }
        let activity = model.get(self.activity)? as usize;
        let Some(cycles) = self.trace.descriptors[descriptor].activities.get_mut(activity) else {
            let problem = format!("activity {activity} is shown, which does not exist");
            return Err(Error::Contradiction { cycle, problem });
        };
        *cycles += 1;
        self.trace.cycles += 1;
        Ok(())
    }

    /// A descriptor started.
    #[cold]
    fn open(&mut self, descriptor: usize, traffic: Traffic) {
        self.close(traffic);
        let start = self.trace.cycles;
        let started = DescriptorTrace { start, activities: [0; Activity::ALL.len()], ..Default::default() };
        self.trace.descriptors.resize(descriptor + 1, started);
    }

    /// Gives the descriptor that was started last its traffic.
    fn close(&mut self, traffic: Traffic) {
        if let Some(last) = self.trace.descriptors.last_mut() {
            last.read_bytes += traffic.read - self.traffic.read;
            last.written_bytes += traffic.written - self.traffic.written;
        }
        self.traffic = traffic;
    }

    pub fn running(&self) -> bool {
        self.running
    }

    /// The descriptor that settled since the last call.
    pub fn take_settled(&mut self) -> Option<usize> {
        self.settled_descriptor.take()
    }

    pub fn shadow(&self, space: Space) -> Option<&Shadow> {
        let memory = self.memories.iter().find(|memory| memory.space == space);
        memory.map(|memory| &memory.shadow)
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}
