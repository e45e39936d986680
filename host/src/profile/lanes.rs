//! What the lanes do, cycle by cycle, and the trace that it makes.

use edge_moe_isa::registers::Activity;
use edge_moe_isa::trace::{DescriptorTrace, Trace};

/// The lanes' time from the start of a program on.
#[derive(Default)]
pub(super) struct Lanes {
    now: u64,
    /// What they did, one after another, and for how many cycles.
    spans: Vec<(Activity, u64)>,
}

impl Lanes {
    /// Cycle up to which it is known what they did.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// They did this up to cycle `until`; nothing if that is past.
    pub fn advance(&mut self, until: u64, activity: Activity) {
        if until > self.now {
            self.spans.push((activity, until - self.now));
            self.now = until;
        }
    }

    /// Cuts their time at the starts of the descriptors; it ends with the program.
    pub fn into_trace(self, starts: &[u64], read: &[(u64, u64)], written: &[(u64, u64)]) -> Trace {
        let trace = |&start| DescriptorTrace { start, ..DescriptorTrace::default() };
        let mut descriptors: Vec<DescriptorTrace> = starts.iter().map(trace).collect();
        let (mut index, mut now) = (0, 0);
        for (activity, mut cycles) in self.spans {
            while cycles > 0 {
                while starts.get(index + 1).is_some_and(|&start| start <= now) {
                    index += 1;
                }
                let part = starts.get(index + 1).map_or(cycles, |&start| cycles.min(start - now));
                descriptors[index].activities[activity as usize] += part;
                now += part;
                cycles -= part;
            }
        }
        for &(cycle, bytes) in read {
            descriptors[window(starts, cycle)].read_bytes += bytes;
        }
        for &(cycle, bytes) in written {
            descriptors[window(starts, cycle)].written_bytes += bytes;
        }
        Trace { cycles: self.now, descriptors }
    }
}

/// The descriptor that was started last at a cycle; the first one also has the time before it.
fn window(starts: &[u64], cycle: u64) -> usize {
    starts.partition_point(|&start| start <= cycle).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_cut_at_the_starts_of_descriptors() {
        let mut lanes = Lanes::default();
        lanes.advance(10, Activity::Fetch);
        lanes.advance(30, Activity::Beat);
        lanes.advance(20, Activity::Norm);
        let trace = lanes.into_trace(&[4, 10, 10, 25], &[(3, 64), (25, 16)], &[(99, 8)]);
        assert_eq!(trace.cycles, 30);
        let cycles: Vec<u64> = trace.descriptors.iter().map(DescriptorTrace::cycles).collect();
        assert_eq!(cycles, [10, 0, 15, 5]);
        let bytes = trace.descriptors.iter().map(|descriptor| descriptor.read_bytes).collect::<Vec<_>>();
        assert_eq!(bytes, [64, 0, 0, 16]);
        assert_eq!(trace.descriptors[3].written_bytes, 8);
        assert_eq!(trace.descriptors[2].beats(), 15);
    }
}
