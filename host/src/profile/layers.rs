//! Descriptors by layer and by kind of layer.

use edge_moe_isa::descriptor::Operation;
use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::DescriptorTrace;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::work::Work;

/// What a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Patches to tokens.
    PatchEmbedding,
    /// Query, key, value and what follows attention.
    Projections,
    /// Q·Kᵀ, softmax, A·V.
    Attention,
    /// A dense feed-forward part.
    Mlp,
    /// A mixture of experts.
    Experts,
    /// Gate logits and token queues.
    Routing,
    /// LayerNorm.
    Norm,
    /// From one memory to another.
    Copies,
    /// The answers of a task.
    Heads,
    /// The end of the program, and linear layers of no network.
    Other,
}

impl Kind {
    /// All of them, in the order in which a picture meets them.
    pub const ALL: [Self; 10] = [
        Self::PatchEmbedding,
        Self::Norm,
        Self::Projections,
        Self::Attention,
        Self::Mlp,
        Self::Routing,
        Self::Experts,
        Self::Heads,
        Self::Copies,
        Self::Other,
    ];

    /// The kind of a descriptor, by its operation and its label in the program.
    pub fn of(operation: &Operation, label: &str) -> Self {
        let last = label.rsplit(' ').next().unwrap_or_default();
        match operation {
            Operation::Attention(_) => Self::Attention,
            Operation::Experts(_) => Self::Experts,
            Operation::Route(_) => Self::Routing,
            Operation::Norm(_) => Self::Norm,
            Operation::Copy(_) => Self::Copies,
            Operation::End(_) => Self::Other,
            Operation::Linear(_) => match last {
                "embedding" => Self::PatchEmbedding,
                "query" | "key" | "value" | "proj" => Self::Projections,
                "fc1" | "fc2" => Self::Mlp,
                "gate" => Self::Routing,
                "head" => Self::Heads,
                _ => Self::Other,
            },
        }
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::PatchEmbedding => "patch embedding",
            Self::Projections => "Q, K, V, proj",
            Self::Attention => "attention",
            Self::Mlp => "MLP",
            Self::Experts => "experts",
            Self::Routing => "gate, route",
            Self::Norm => "norm",
            Self::Copies => "copies",
            Self::Heads => "heads",
            Self::Other => "other",
        }
    }
}

/// Cycles of each [`Activity`], by its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycles(pub [u64; Activity::ALL.len()]);

impl Cycles {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those of an activity.
    pub fn of(&self, activity: Activity) -> u64 {
        self.0[activity as usize]
    }

    /// What the lanes waited for, the longest first; nothing that took no time.
    pub fn stalls(&self) -> Vec<(Activity, u64)> {
        let waits = Activity::ALL[1..].iter().map(|&activity| (activity, self.of(activity)));
        let mut stalls: Vec<_> = waits.filter(|&(_, cycles)| cycles > 0).collect();
        stalls.sort_by_key(|&(_, cycles)| std::cmp::Reverse(cycles));
        stalls
    }
}

impl Serialize for Cycles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Activity::ALL.len()))?;
        for &activity in Activity::ALL {
            map.serialize_entry(activity.name(), &self.of(activity))?;
        }
        map.end()
    }
}

/// A descriptor, a layer, or all layers of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Label of the layer in the program, or name of the kind.
    pub name: String,
    /// Kind of layer.
    pub kind: Kind,
    /// Cycle from which on time is counted for it.
    pub start: u64,
    /// Cycles until the next descriptor started, and beats after that.
    pub cycles: u64,
    /// Of all cycles.
    pub share: f64,
    /// Useful multiplications.
    pub macs: u64,
    /// Of what the multipliers could have done in these cycles.
    pub multiplier_use: f64,
    /// See [`Work::bound_cycles`].
    pub bound_cycles: u64,
    /// Bytes it needs, whenever they were moved.
    pub bytes: u64,
    /// Bytes that were read in these cycles, for whatever layer.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Where the cycles went: beats, and stalls by name.
    pub activities: Cycles,
}

impl Part {
    /// Part of one descriptor; shares are not known yet.
    pub(super) fn new(name: &str, kind: Kind, trace: &DescriptorTrace, work: &Work) -> Self {
        Self {
            name: name.to_string(),
            kind,
            start: trace.start,
            cycles: trace.cycles(),
            share: 0.0,
            macs: work.macs,
            multiplier_use: 0.0,
            bound_cycles: work.bound_cycles,
            bytes: work.bytes,
            read_bytes: trace.read_bytes,
            written_bytes: trace.written_bytes,
            activities: Cycles(trace.activities),
        }
    }

    /// The sum of some parts; it starts with the first.
    fn sum(name: &str, parts: &[&Self]) -> Self {
        let mut sum = Self { name: name.to_string(), ..parts[0].clone() };
        for part in &parts[1..] {
            sum.cycles += part.cycles;
            sum.macs += part.macs;
            sum.bound_cycles += part.bound_cycles;
            sum.bytes += part.bytes;
            sum.read_bytes += part.read_bytes;
            sum.written_bytes += part.written_bytes;
            sum.activities.0.iter_mut().zip(part.activities.0).for_each(|(sum, cycles)| *sum += cycles);
        }
        sum
    }

    /// Fills in the shares of a program of so many cycles on so many multipliers.
    pub(super) fn relate(&mut self, cycles: u64, multipliers: u32) {
        self.share = ratio(self.cycles, cycles);
        self.multiplier_use = ratio(self.macs, self.cycles * u64::from(multipliers));
    }
}

/// A part of a whole; zero of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Descriptors of the same name as one part, in order of the first of them.
pub(super) fn by_name(parts: &[Part]) -> Vec<Part> {
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        if !names.contains(&part.name.as_str()) {
            names.push(&part.name);
        }
    }
    let named = |name: &&str| parts.iter().filter(|part| part.name == **name).collect::<Vec<_>>();
    names.iter().map(|name| Part::sum(name, &named(name))).collect()
}

/// All parts of a kind as one; kinds that do not occur are left out.
pub(super) fn by_kind(parts: &[Part]) -> Vec<Part> {
    let of = |kind: Kind| {
        let parts: Vec<&Part> = parts.iter().filter(|part| part.kind == kind).collect();
        (!parts.is_empty()).then(|| Part::sum(kind.name(), &parts))
    };
    Kind::ALL.into_iter().filter_map(of).collect()
}
