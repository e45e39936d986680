//! Whatever a program says, checking it neither panics nor lets a descriptor out of its memory.

use super::*;
use proptest::prelude::*;

/// The size of a memory, in its own units.
fn size(arch: &ArchConfig, space: Space) -> u64 {
    match space {
        Space::Memory => WINDOW.total_bytes,
        Space::Scratchpad => arch.scratchpad_words.into(),
        Space::Residual => arch.residual_words.into(),
    }
}

fn assert_stays_inside(arch: &ArchConfig, operation: &Operation) {
    let footprint = Footprint::of(arch, operation);
    for region in footprint.needed().chain(footprint.changed()) {
        assert!(region.length > 0 && region.end() <= size(arch, region.space), "{operation:?}: {region}");
    }
    let in_memory = |region: &&Region| region.space == Space::Memory;
    for region in footprint.changed().filter(in_memory) {
        assert!(region.end() <= WINDOW.writable_bytes, "{operation:?} writes {region}");
    }
    for region in footprint.needed().filter(in_memory) {
        let in_image = region.start >= WINDOW.writable_bytes;
        let a_copy = matches!(operation, Operation::Copy(_));
        let in_writable_part = region.end() <= WINDOW.writable_bytes;
        assert!(in_image || a_copy && in_writable_part, "{operation:?} reads {region}");
    }
}

/// Checks bytes as a program; true if it is legal.
fn check_bytes(arch: &ArchConfig, bytes: &[u8]) -> bool {
    let Ok(program) = decode(bytes) else { return false };
    let legal = check(arch, WINDOW, &program).is_ok();
    if legal {
        program.iter().for_each(|descriptor| assert_stays_inside(arch, &descriptor.operation));
    }
    legal
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    let legal: Vec<u8> = all_operations().0.iter().flat_map(Descriptor::encode).collect();
    let mut accepted = 0;
    for (index, pattern) in (0..legal.len()).flat_map(|index| (0..8).map(move |bit| (index, 1 << bit))) {
        let mut bytes = legal.clone();
        bytes[index] ^= pattern;
        accepted += u32::from(check_bytes(&ArchConfig::tiny(), &bytes));
    }
    assert!((100..1000).contains(&accepted), "{accepted} of {} changes accepted", 8 * legal.len());
}

proptest! {
    #[test]
    fn mutated_programs_stay_inside(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes: Vec<u8> = all_operations().0.iter().flat_map(Descriptor::encode).collect();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        check_bytes(&ArchConfig::tiny(), &bytes);
    }

    /// Fields of any value, for every named device.
    #[test]
    fn arbitrary_fields_never_panic(
        opcode in 1u8..7,
        fields in prop::array::uniform32(prop::sample::select(&[0u8, 1, 2, 4, 64, 128, 255][..])),
    ) {
        let mut bytes = [0; 2 * BYTES];
        bytes[4..36].copy_from_slice(&fields);
        bytes[0] = opcode;
        for arch in ArchConfig::named() {
            check_bytes(&arch, &bytes);
            if let Ok(descriptors) = decode(&bytes) {
                InFlight::default().issue(&arch, &descriptors[0].operation);
            }
        }
    }
}
