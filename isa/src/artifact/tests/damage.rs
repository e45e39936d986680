//! Damaged files: an error, never a panic.

use super::*;
use proptest::prelude::*;

/// Changes of one byte: its lowest bit, its highest, all of them.
const PATTERNS: [u8; 3] = [0x01, 0x80, 0xff];

#[test]
fn every_changed_byte_is_noticed() {
    let mut bytes = artifact();
    for index in 0..bytes.len() {
        for pattern in PATTERNS {
            bytes[index] ^= pattern;
            assert!(Artifact::parse(&bytes).is_err(), "byte {index} changed by {pattern:#04x}");
            bytes[index] ^= pattern;
        }
    }
    Artifact::parse(&bytes).unwrap();
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = artifact();
    for length in 0..bytes.len() {
        assert!(Artifact::parse(&bytes[..length]).is_err(), "first {length} bytes");
    }
}

#[test]
fn every_sealed_truncation_is_noticed() {
    let bytes = artifact();
    for length in HEADER_BYTES..bytes.len() {
        assert!(Artifact::parse(&seal(bytes[..length].to_vec())).is_err(), "first {length} bytes");
    }
}

#[test]
fn an_appended_byte_is_noticed() {
    let mut bytes = artifact();
    bytes.push(0);
    assert_eq!(refusal(&bytes), "is 4481 bytes long, its header says 4480");
    assert!(refusal(&seal(bytes)).starts_with("has an impossible header: manifest of "));
}

/// Parses; what is accepted must hold by itself.
fn parse_and_check_again(bytes: &[u8]) {
    let Ok(artifact) = Artifact::parse(bytes) else { return };
    let image = &bytes[artifact.image];
    artifact.manifest.check(image.len() as u64).unwrap();
    let Manifest { arch, writable_bytes, programs, .. } = &artifact.manifest;
    let total_bytes = writable_bytes + image.len() as u64;
    let window = MemoryWindow { writable_bytes: *writable_bytes, total_bytes };
    assert_eq!(artifact.programs.len(), programs.len());
    for (descriptors, program) in artifact.programs.iter().zip(programs) {
        assert_eq!(descriptors.len(), program.steps.len());
        check::check(arch, window, descriptors).unwrap();
    }
}

/// A byte that JSON gives a meaning to, or any byte.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(&b"0123456789-.eE[]{},:\"ntf "[..]), any::<u8>()]
}

proptest! {
    /// Changes in manifest and image under a correct checksum.
    #[test]
    fn sealed_changes_never_panic(
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), byte()), 1..4),
    ) {
        let mut bytes = artifact();
        let manifest_bytes = serde_json::to_vec(&manifest()).unwrap().len();
        let length = bytes.len();
        for (in_manifest, index, value) in changes {
            let range = if in_manifest { HEADER_BYTES..HEADER_BYTES + manifest_bytes } else { 4096..length };
            bytes[range.start + index.index(range.len())] = value;
        }
        parse_and_check_again(&seal(bytes));
    }

    /// Any number in the manifest replaced by any other.
    #[test]
    fn changed_numbers_never_panic(
        which in any::<prop::sample::Index>(),
        number in prop_oneof![any::<u64>(), (0u32..64).prop_map(|shift| 1 << shift), 0u64..100],
    ) {
        let text = serde_json::to_string(&manifest()).unwrap();
        let is_digit = |index: &usize| text.as_bytes()[*index].is_ascii_digit();
        let digits: Vec<usize> = (0..text.len()).filter(is_digit).collect();
        let start = *which.get(&digits);
        let changed = format!("{}{number}{}", &text[..start], &text[start + 1..]);
        parse_and_check_again(&artifact_of(changed.as_bytes(), &image()));
    }
}
