//! Receiver and transmitter of the serial line against levels and a receiver beside them.

#[path = "bridge/line.rs"]
#[allow(dead_code, reason = "the bridge uses the rest")]
mod line;

mod common;

use common::{Bench, seeds, verilate};
use edge_moe_hdl::board::{UartReceiver, UartTransmitter};
use line::{Ear, Heard, Sender};
use rand::Rng;
use verilated::Library;

/// Beats of a bit; the last two need more than the low bits of the counter.
const CLOCKS_PER_BIT: [u32; 5] = [4, 5, 7, 40, 300];

fn receiver(clocks_per_bit: u32) -> Library {
    verilate(move || UartReceiver::new(clocks_per_bit), "receiver")
}

/// A beat of the receiver.
fn hear(bench: &mut Bench, high: bool) -> Option<Heard> {
    bench.set("rx", high.into());
    bench.tick();
    bench.eval();
    let (valid, fault) = (bench.get("valid") == 1, bench.get("fault") == 1);
    assert!(!(valid && fault), "both in beat {} (EMOE_SEED={})", bench.beat, bench.seed);
    let byte = Heard::Byte(bench.get("data") as u8);
    if valid { Some(byte) } else { fault.then_some(Heard::Fault) }
}

/// Bytes, gaps, breaks, glitches and noise.
fn anything(bench: &mut Bench, sender: &mut Sender, clocks_per_bit: u64) {
    match bench.random.random_range(0..8) {
        0 => sender.level(false, bench.random.random_range(1..30 * clocks_per_bit)),
        1 => sender.level(true, bench.random.random_range(1..30 * clocks_per_bit)),
        2 => sender.level(false, 1),
        3 => sender.byte(bench.random.random(), 1 << bench.random.random_range(0..10), clocks_per_bit),
        4 => sender.level(bench.random.random(), bench.random.random_range(1..2 * clocks_per_bit)),
        _ => (0..3).for_each(|_| sender.byte(bench.random.random(), 0, clocks_per_bit)),
    }
}

#[test]
fn a_receiver_hears_what_is_in_the_middle_of_bits() {
    let mut faults = 0;
    for clocks_per_bit in CLOCKS_PER_BIT {
        let library = receiver(clocks_per_bit);
        for seed in seeds() {
            let mut bench = Bench::new(&library, seed);
            bench.set("rx", 0);
            bench.reset();
            let clocks_per_bit = u64::from(clocks_per_bit);
            let (mut sender, mut ear) = (Sender::default(), Ear::new(clocks_per_bit));
            let (mut expected, mut heard) = (Vec::new(), Vec::new());
            let things = (4000 / clocks_per_bit).clamp(30, 400);
            for index in 0..things {
                anything(&mut bench, &mut sender, clocks_per_bit);
                if index + 1 == things {
                    sender.level(true, 20 * clocks_per_bit);
                }
                while !sender.is_silent() {
                    let high = sender.next();
                    expected.extend(ear.hear(high));
                    heard.extend(hear(&mut bench, high));
                }
            }
            let differs = (0..expected.len()).find(|&index| heard.get(index) != Some(&expected[index]));
            assert_eq!(differs, None, "byte that differs, {clocks_per_bit} beats a bit (EMOE_SEED={seed})");
            assert_eq!(heard.len(), expected.len(), "EMOE_SEED={seed}");
            faults += expected.iter().filter(|&&heard| heard == Heard::Fault).count();
        }
    }
    assert!(faults > 20, "{faults} bytes without a stop bit");
}

/// A sender whose bits are a few percent longer or shorter, and begin anywhere within a beat.
#[test]
fn a_receiver_tolerates_a_clock_that_is_four_percent_off() {
    let library = receiver(40);
    let mut bench = Bench::new(&library, 1);
    bench.set("rx", 1);
    bench.reset();
    for percent in [-4.0, -2.0, 0.0, 2.0, 4.0] {
        let bit = 40.0 * (1.0 + percent / 100.0);
        let sent: Vec<u8> = (0..100).map(|_| bench.random.random()).collect();
        let levels: Vec<bool> = sent
            .iter()
            .flat_map(|&byte| (0..10).map(move |bit| (u16::from(byte) << 1 | 0x200) >> bit & 1 == 1))
            .collect();
        let beats = (levels.len() as f64 * bit) as usize + 100;
        let mut heard = Vec::new();
        for beat in 0..beats {
            let high = levels.get(((beat as f64 + 0.37) / bit) as usize).copied().unwrap_or(true);
            heard.extend(hear(&mut bench, high));
        }
        let expected: Vec<Heard> = sent.into_iter().map(Heard::Byte).collect();
        assert_eq!(heard, expected, "{percent} %");
    }
}

#[test]
fn a_reset_forgets_the_byte_that_was_coming() {
    let library = receiver(8);
    let mut bench = Bench::new(&library, 1);
    bench.set("rx", 1);
    bench.reset();
    let mut sender = Sender::default();
    sender.byte(0xff, 0, 8);
    (0..60).for_each(|_| assert_eq!(hear(&mut bench, sender.next()), None));
    bench.reset();
    (0..200).for_each(|_| assert_eq!(hear(&mut bench, true), None));
}

#[test]
fn a_transmitter_is_understood() {
    for clocks_per_bit in CLOCKS_PER_BIT {
        let library = verilate(move || UartTransmitter::new(clocks_per_bit), "transmitter");
        for seed in seeds() {
            let mut bench = Bench::new(&library, seed);
            bench.set("valid", 0);
            bench.reset();
            let (mut ear, mut sent, mut heard) = (Ear::new(clocks_per_bit.into()), Vec::new(), Vec::new());
            let wants = bench.random.random_range(0.01..1.0);
            let beats = (400 * u64::from(clocks_per_bit)).clamp(8_000, 20_000);
            for beat in 0..beats {
                let valid = beat < beats - 20 * u64::from(clocks_per_bit) && bench.chance(wants);
                let byte: u8 = bench.random.random();
                bench.set("valid", valid.into());
                bench.set("data", byte.into());
                bench.eval();
                if valid && bench.get("ready") == 1 {
                    sent.push(Heard::Byte(byte));
                }
                heard.extend(ear.hear(bench.get("tx") == 1));
                bench.tick();
            }
            assert_eq!(heard, sent, "{clocks_per_bit} beats a bit (EMOE_SEED={seed})");
        }
    }
}

/// Bytes follow each other without a gap but for one beat.
#[test]
fn a_byte_takes_ten_bits_and_a_beat() {
    let library = verilate(|| UartTransmitter::new(4), "transmitter_of_four");
    let mut bench = Bench::new(&library, 1);
    bench.set("valid", 1);
    bench.set("data", 0);
    bench.reset();
    let mut taken = Vec::new();
    for beat in 0..200 {
        bench.eval();
        taken.extend((bench.get("ready") == 1).then_some(beat));
        bench.tick();
    }
    assert!(taken.windows(2).all(|pair| pair[1] - pair[0] == 41), "{taken:?}");
    bench.reset();
    assert_eq!(bench.get("tx"), 1, "the line rests after a reset");
}
