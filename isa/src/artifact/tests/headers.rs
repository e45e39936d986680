//! Headers that are wrong or lie, with the right checksum.

use super::*;

/// A legal artifact with one header field replaced and its checksum corrected.
fn with_field<const N: usize>(offset: usize, value: [u8; N]) -> Vec<u8> {
    let mut bytes = artifact();
    bytes[offset..offset + N].copy_from_slice(&value);
    let checksum = crc32fast::hash(&bytes[CRC_START..]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_is_no_artifact_is_named() {
    assert_eq!(refusal(&[]), "is 0 bytes long, an artifact has at least 64");
    assert_eq!(refusal(&MAGIC), "is 8 bytes long, an artifact has at least 64");
    assert_eq!(refusal(&artifact()[..63]), "is 63 bytes long, an artifact has at least 64");
    assert_eq!(refusal(b"\x89PNG\r\n\x1a\n"), "does not start with the magic of an .emoe artifact");
    let text_mode = with_field(0, *b"\x89EMOE\n\n\n");
    assert_eq!(refusal(&text_mode), "does not start with the magic of an .emoe artifact");
}

#[test]
fn another_version_is_named() {
    for version in [0, 2, u32::MAX] {
        let expected = format!("has interface version {version}, this program reads version 1");
        assert_eq!(refusal(&with_field(8, version.to_le_bytes())), expected);
    }
}

#[test]
fn a_wrong_length_is_named() {
    for length in [0, 4479, 4481, u64::MAX] {
        let expected = format!("is 4480 bytes long, its header says {length}");
        assert_eq!(refusal(&with_field(16, length.to_le_bytes())), expected);
    }
}

#[test]
fn a_wrong_checksum_is_named() {
    let mut bytes = artifact();
    let checksum = crc32fast::hash(&bytes[CRC_START..]);
    bytes[12..16].copy_from_slice(&(checksum ^ 1).to_le_bytes());
    let expected = format!("is damaged: checksum {checksum:#010x}, its header says {:#010x}", checksum ^ 1);
    assert_eq!(refusal(&bytes), expected);
}

#[test]
fn parts_that_do_not_tile_the_file_are_refused() {
    let huge = [4481, 1 << 32, 1 << 63, u64::MAX - 4095, u64::MAX - 64, u64::MAX];
    let manifest_bytes = serde_json::to_vec(&manifest()).unwrap().len();
    for length in [0, 383, 385].into_iter().chain(huge) {
        let parts = format!("manifest of {manifest_bytes} and image of {length} bytes in 4480");
        let expected = format!("has an impossible header: {parts}");
        assert_eq!(refusal(&with_field(32, length.to_le_bytes())), expected);
    }
    for length in [4033, 4416].into_iter().chain(huge) {
        let parts = format!("manifest of {length} and image of 384 bytes in 4480");
        let expected = format!("has an impossible header: {parts}");
        assert_eq!(refusal(&with_field(24, length.to_le_bytes())), expected);
    }
}

#[test]
fn lengths_whose_sum_wraps_to_the_file_are_refused() {
    // 64 + manifest wraps to 63; manifest end 2^64 − 4096 plus image wraps to 4480.
    for (manifest_bytes, image_bytes) in [(u64::MAX, 384u64), (u64::MAX - 4095 - 64, 4096 + 4480)] {
        let mut bytes = with_field(24, manifest_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&image_bytes.to_le_bytes());
        let parts = format!("manifest of {manifest_bytes} and image of {image_bytes} bytes in 4480");
        assert_eq!(refusal(&seal(bytes)), format!("has an impossible header: {parts}"));
    }
}

#[test]
fn bytes_between_the_parts_are_zero() {
    let manifest_bytes = serde_json::to_vec(&manifest()).unwrap().len();
    for offset in [40, 63, 64 + manifest_bytes, 4095] {
        let expected = "has an impossible header: bytes that must be zero are not";
        assert_eq!(refusal(&with_field(offset, [1])), expected, "byte {offset}");
    }
}

#[test]
fn a_shorter_or_longer_manifest_is_not_json() {
    let manifest_bytes = serde_json::to_vec(&manifest()).unwrap().len() as u64;
    let longer = refusal(&with_field(24, (manifest_bytes + 1).to_le_bytes()));
    assert!(longer.starts_with("has an unreadable manifest: trailing characters"), "{longer}");
    // The bytes cut off count as padding, which must be zero.
    let shorter = refusal(&with_field(24, (manifest_bytes - 1).to_le_bytes()));
    assert_eq!(shorter, "has an impossible header: bytes that must be zero are not");
    let none = artifact_of(&[], &image());
    assert!(refusal(&none).starts_with("has an unreadable manifest: EOF while parsing"));
}
