//! What is read and written.

use super::*;

#[test]
fn both_parts_are_read_at_their_addresses() {
    let mut master = Master::new(memory(|_| ()));
    master.reads = vec![burst(0, 252, 1), burst(0, 256, 16), burst(0, 1276, 1)];
    master.run(60);
    let mut expected = vec![u32::from_le_bytes([3, 2, 1, 0])];
    expected.extend(image_words(256, 16));
    expected.extend(image_words(1276, 1));
    assert_eq!(master.values(), expected);
    let last: Vec<usize> = (0..18).filter(|&beat| master.seen[beat].last).collect();
    assert_eq!(last, [0, 16, 17]);
    assert!(master.seen.iter().all(|beat| beat.response == OKAY));
    assert_eq!(master.memory.traffic(0), Traffic { read: 72, written: 0 });
    assert!(master.memory.is_idle());
}

#[test]
fn writes_change_the_bytes_of_their_strobes_when_they_are_answered() {
    let mut master = Master::new(memory(|_| ()));
    master.write(64, &[0x0403_0201, 0x0807_0605]);
    master.data[1].strobe = 0b0110;
    while master.answers.is_empty() {
        let before = master.memory.to_core(0).b.is_none();
        assert_eq!(master.memory.writable()[64] == 191, before);
        master.cycle().unwrap();
    }
    assert_eq!(master.memory.writable()[64..72], [1, 2, 3, 4, 187, 6, 7, 184]);
    assert_eq!(master.answers[0].1, WriteAnswer { id: 0, response: OKAY });
    assert_eq!(master.memory.traffic(0), Traffic { read: 0, written: 8 });
}

#[test]
fn data_may_come_before_its_address() {
    let mut master = Master::new(memory(|_| ()));
    master.write(0, &[1, 2, 3]);
    let address = std::mem::take(&mut master.writes);
    master.run(20);
    assert!(master.data.is_empty() && !master.memory.is_idle());
    master.writes = address;
    master.run(20);
    assert_eq!(master.memory.writable()[..12], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    assert!(master.memory.is_idle());
}

#[test]
fn an_address_may_come_before_its_data() {
    let mut master = Master::new(memory(|_| ()));
    master.write(0, &[1, 2]);
    let data = std::mem::take(&mut master.data);
    master.run(20);
    master.data = data;
    master.run(20);
    assert_eq!((master.memory.writable()[0], master.memory.writable()[4]), (1, 2));
    assert_eq!(master.answers.len(), 1);
}

#[test]
fn failing_addresses_are_answered_with_an_error_and_keep_their_bytes() {
    let errors = 72..76;
    let mut master = Master::new(memory(|settings| settings.faults.errors = Some(errors)));
    master.reads = vec![burst(0, 64, 4), burst(0, 76, 1)];
    master.run(30);
    let responses: Vec<u8> = master.seen.iter().map(|beat| beat.response).collect();
    assert_eq!(responses, [OKAY, OKAY, SLVERR, OKAY, OKAY]);
    master.write(68, &[0, 0]);
    master.write(64, &[0]);
    master.run(40);
    let answers: Vec<u8> = master.answers.iter().map(|(_, answer)| answer.response).collect();
    assert_eq!(answers, [SLVERR, OKAY]);
    assert_eq!(master.memory.writable()[64..76], [0, 0, 0, 0, 0, 0, 0, 0, 183, 182, 181, 180]);
}

#[test]
fn a_memory_that_stops_owes_its_answers_until_the_fault_ends() {
    let mut master = Master::new(memory(|settings| settings.faults.answered_reads = Some(1)));
    master.reads = vec![burst(0, 256, 2), burst(0, 320, 2), burst(1, 384, 1)];
    master.run(200);
    assert_eq!(master.values(), image_words(256, 2));
    assert!(!master.memory.is_idle());
    master.memory.set_faults(Faults::default());
    master.run(20);
    assert_eq!(master.seen.len(), 5);
    assert!(master.memory.is_idle());
}

#[test]
fn a_reset_forgets_what_is_under_way() {
    let mut master = Master::new(memory(|_| ()));
    master.reads = vec![burst(0, 256, 16)];
    master.write(0, &[1, 2]);
    master.run(4);
    master.memory.reset();
    (master.reads, master.writes, master.data) = Default::default();
    assert!(master.memory.is_idle());
    master.run(40);
    assert_eq!((master.seen.len(), master.answers.len()), (0, 0));
    assert_eq!(master.memory.writable()[0], 255);
}

#[test]
fn under_back_pressure_all_bursts_of_an_id_are_answered_in_order() {
    for seed in 0..20 {
        let mut master = Master::new(memory(|settings| {
            *settings = MemorySettings { back_pressure: 0.5, latency: 1..=40, seed, ..settings.clone() };
        }));
        let starts: Vec<u64> = (0..14).map(|burst| 256 + 64 * burst).collect();
        master.reads = starts.iter().map(|&start| burst((start / 64 % 3 == 0).into(), start, 16)).collect();
        master.write(0, &[7; 16]);
        master.write(64, &[8; 16]);
        while !(master.reads.is_empty() && master.data.is_empty() && master.memory.is_idle()) {
            master.cycle().unwrap();
        }
        for id in [0, 1] {
            let of_id = master.seen.iter().filter(|beat| beat.id == id).map(|beat| beat.value);
            let starts = starts.iter().filter(|&start| u8::from(start / 64 % 3 == 0) == id);
            assert_eq!(
                of_id.collect::<Vec<_>>(),
                starts.flat_map(|&start| image_words(start, 16)).collect::<Vec<_>>()
            );
        }
        let ids: Vec<u8> = master.seen.iter().map(|beat| beat.id).collect();
        let changes = ids.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes > 10, "seed {seed}: beats of two ids mix, {changes} changes");
        assert_eq!((master.memory.writable()[60], master.memory.writable()[124]), (7, 8));
    }
}
