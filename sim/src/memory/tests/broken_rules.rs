//! Every rule of the bus, broken.

use super::*;

/// Offers what a core drives, cycle by cycle and then no more, until the memory objects.
#[track_caller]
fn objection(driven: &[FromCore]) -> String {
    let mut memory = memory(|_| ());
    let nothing = FromCore::default();
    for cycle in 0..40 {
        if let Err(violation) = memory.clock(&[*driven.get(cycle).unwrap_or(&nothing)]) {
            assert_eq!((violation.port, violation.cycle < 40), (0, true));
            return violation.problem;
        }
    }
    panic!("the memory did not object");
}

/// An address that stays until it is taken in cycle 1.
fn reading(ar: Address) -> [FromCore; 2] {
    [FromCore { ar: Some(ar), ..FromCore::default() }; 2]
}

fn writing(aw: Address) -> [FromCore; 2] {
    [FromCore { aw: Some(aw), ..FromCore::default() }; 2]
}

#[test]
fn a_legal_read_and_write_are_not_objected_to() {
    let mut master = Master::new(memory(|_| ()));
    master.reads = vec![burst(1, 256, 16)];
    master.write(192, &[0; 16]);
    master.run(60);
    assert_eq!((master.seen.len(), master.answers.len()), (16, 1));
}

#[test]
fn bursts_have_a_form() {
    let good = burst(0, 256, 4);
    let cases = [
        (
            Address { len: 16, ..good },
            "read of 17 beats, at most 16 are allowed, id 0 address 0x3ffffff100 len 16",
        ),
        (Address { burst: 0, ..good }, "read of burst type 0, only 1 (INCR) is allowed"),
        (Address { size: 3, ..good }, "read of size 3, only 2 is allowed"),
        (Address { address: good.address + 2, ..good }, "read that is not aligned to 4 bytes"),
        (Address { address: good.address + 52, ..good }, "read across a boundary of 64 bytes"),
        (Address { id: 2, ..good }, "read of id 2, only 0 and 1 are allowed"),
    ];
    for (address, start) in cases {
        let problem = objection(&reading(address));
        assert!(problem.starts_with(start), "{problem}");
    }
    let problem = objection(&writing(Address { len: 16, ..burst(0, 0, 1) }));
    assert!(problem.starts_with("write of 17 beats"), "{problem}");
}

#[test]
fn bursts_stay_in_their_memory() {
    let end = (WRITABLE + IMAGE) as u64;
    let problem = objection(&reading(burst(0, end, 1)));
    assert!(
        problem.starts_with("read outside of device memory, 1280 bytes from 0x3ffffff000 on"),
        "{problem}"
    );
    let below = Address { address: BASE - 4, ..burst(0, 0, 1) };
    assert!(objection(&reading(below)).starts_with("read outside of device memory"));
    let problem = objection(&writing(burst(0, WRITABLE as u64, 1)));
    assert!(problem.starts_with("write outside of the writable part, 256 bytes"), "{problem}");
}

#[test]
fn what_is_valid_stays_until_it_is_taken() {
    let [first, _] = reading(burst(0, 256, 1));
    let problem = objection(&[first]);
    assert!(problem.starts_with("arvalid fell before it was taken: Address { id: 0,"), "{problem}");
    let [_, other] = reading(burst(0, 320, 1));
    assert!(objection(&[first, other]).starts_with("ar changed before it was taken"));
    let [first, _] = writing(burst(0, 0, 1));
    assert!(objection(&[first]).starts_with("awvalid fell before it was taken"));
    let data = |value| FromCore { w: Some(word(value, true)), ..FromCore::default() };
    assert!(objection(&[data(1)]).starts_with("wvalid fell before it was taken"));
    assert!(objection(&[data(1), data(2)]).starts_with("w changed before it was taken"));
}

/// Drives a write address of `beats` (unless 0) with or after as many beats of data, the last marked.
fn write(beats: u32, data: usize, marked: bool) -> String {
    let mut master = Master::new(memory(|_| ()));
    master.data = (1..=data).map(|beat| word(0, marked && beat == data)).collect();
    if beats > 0 {
        master.writes = vec![burst(0, 0, beats)];
    }
    (0..60).find_map(|_| master.cycle().err()).expect("an objection").problem
}

#[test]
fn wlast_marks_the_last_beat() {
    assert_eq!(write(4, 3, true), "wlast at beat 3 of a write of 4 beats");
    assert_eq!(write(4, 5, true), "no wlast at beat 4 of a write of 4 beats");
    assert_eq!(write(4, 4, false), "no wlast at beat 4 of a write of 4 beats");
    assert_eq!(write(0, 17, false), "no wlast at beat 16 of a write of at most 16 beats");
    let mut master = Master::new(memory(|_| ()));
    master.data = vec![word(0, true)];
    master.run(10);
    master.writes = vec![burst(0, 0, 2)];
    let problem = (0..10).find_map(|_| master.cycle().err()).unwrap().problem;
    assert_eq!(problem, "wlast at beat 1 of a write of 2 beats");
}

#[test]
fn a_violation_names_port_and_cycle() {
    let mut memory = memory(|_| ());
    memory.start_at(100);
    let [from_core, _] = reading(burst(2, 256, 1));
    memory.clock(&[from_core]).unwrap();
    let violation = memory.clock(&[from_core]).unwrap_err();
    assert!(violation.to_string().starts_with("memory port 0, cycle 101: read of id 2"), "{violation}");
}
