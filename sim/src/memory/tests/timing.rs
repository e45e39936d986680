//! When it is read and written.

use super::*;

fn cycles(master: &Master) -> Vec<u64> {
    master.seen.iter().map(|beat| beat.cycle).collect()
}

/// Cycle 0 offers the first address before the memory is ready for it; it is taken in cycle 1.
#[test]
fn latency_is_paid_once_while_bursts_overlap() {
    let mut master = Master::new(memory(|settings| settings.latency = 30..=30));
    master.reads = (0..4).map(|index| burst(0, 256 + 64 * index, 16)).collect();
    master.run(120);
    assert_eq!(cycles(&master), (31..31 + 64).collect::<Vec<_>>());
}

#[test]
fn bandwidth_is_a_ratio() {
    let ratio = |bytes, period| {
        let mut master =
            Master::new(memory(|settings| settings.bandwidth = Bandwidth { bytes, cycles: period }));
        master.reads = (0..2).map(|index| burst(0, 256 + 64 * index, 16)).collect();
        master.run(400);
        let seen = cycles(&master);
        assert_eq!(seen.len(), 32);
        seen[31] - seen[0]
    };
    assert_eq!(ratio(4, 1), 31);
    assert_eq!(ratio(1, 1), 4 * 31);
    assert_eq!(ratio(8, 3), 31 * 3 / 2);
    assert_eq!(ratio(8, 1), 31, "not more than a beat a cycle");
}

#[test]
fn reads_and_writes_share_the_bandwidth_and_writes_go_first() {
    let mut master = Master::new(memory(|_| ()));
    master.reads = (0..3).map(|index| burst(0, 256 + 64 * index, 16)).collect();
    master.run(12);
    master.write(0, &[1; 16]);
    master.run(100);
    let seen = cycles(&master);
    assert_eq!(seen[47] - seen[0], 47 + 16);
    let answered = master.answers[0].0;
    assert!(answered < seen[0] + 35, "answered in cycle {answered}, reads began in {}", seen[0]);
}

#[test]
fn a_beat_waits_until_it_is_taken() {
    let mut master = Master::new(memory(|_| ()));
    master.reads = vec![burst(0, 256, 3)];
    master.busy = 0..25;
    master.run(20);
    let waiting = master.memory.to_core(0).r;
    assert!(waiting.is_some());
    master.run(5);
    assert_eq!(master.memory.to_core(0).r, waiting);
    master.run(10);
    assert_eq!(cycles(&master), [25, 26, 27]);
}

#[test]
fn no_more_bursts_are_taken_than_may_be_in_flight() {
    let mut master = Master::new(memory(|settings| {
        settings.latency = 100..=100;
        settings.reads_in_flight = 3;
    }));
    master.reads = (0..5).map(|index| burst(0, 256 + 64 * index, 1)).collect();
    master.run(90);
    assert_eq!(master.reads.len(), 2);
}

#[test]
fn a_later_burst_of_the_other_id_may_be_answered_first() {
    let seeds = 0..50;
    let overtakes = seeds.filter(|&seed| {
        let mut master = Master::new(memory(|settings| {
            settings.latency = 1..=60;
            settings.seed = seed;
        }));
        master.reads = vec![burst(0, 256, 2), burst(1, 320, 2)];
        master.run(100);
        master.seen[0].id == 1
    });
    assert!((10..40).contains(&overtakes.count()));
}
