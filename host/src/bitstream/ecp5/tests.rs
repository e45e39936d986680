//! A bitstream as Trellis' `ecppack` writes it, and one written here; whole, cut and with flipped bits.

use proptest::prelude::*;

use super::*;

/// Compressed, with an SPI mode, for an LFE5U-25F: `tests/data/README.md` says how it was made.
fn real() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/ecp5-25f.bit");
    std::fs::read(path).unwrap()
}

/// CRC-16 bit by bit, as the definition has it: the message with 16 zeros behind, modulo the polynomial.
fn crc16(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().chain(&[0, 0]).flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    bits.fold(0, |crc: u16, bit| (crc << 1 | u16::from(bit)) ^ if crc >> 15 != 0 { 0x8005 } else { 0 })
}

/// An uncompressed bitstream with numbered frames.
fn plain(device: &Device) -> Vec<u8> {
    let mut bytes = b"\xff\0Part: ".to_vec();
    bytes.extend(device.name.as_bytes());
    bytes.extend(b"-6CABGA381\0\xff\xff\xff\xbd\xb3\xff\xff\xff\xff\x3b\0\0\0");
    let mut since = bytes.len();
    bytes.extend(b"\xe2\0\0\0");
    bytes.extend(device.idcode.to_be_bytes());
    bytes.extend(b"\x22\0\0\0\x40\0\0\0\x46\0\0\0\x82\x91");
    bytes.extend(device.frames.to_be_bytes());
    for frame in 0..device.frames {
        bytes.extend((0..device.frame_bytes).map(|at| (at as u16 ^ frame) as u8));
        bytes.extend(crc16(&bytes[since..]).to_be_bytes());
        since = bytes.len();
        bytes.push(0xff);
    }
    let mut covered = vec![0xff];
    covered.extend(b"\xc2\x80\0\0\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend(&covered[1..]);
    bytes.extend(crc16(&covered).to_be_bytes());
    bytes.extend(b"\x5e\0\0\0\xff\xff\xff\xff");
    bytes
}

fn message(bytes: &[u8]) -> String {
    check(bytes).unwrap_err().to_string()
}

fn flipped(mut bytes: Vec<u8>, bit: usize) -> Vec<u8> {
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    bytes
}

/// Where a sequence of bytes begins.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn the_crc_is_the_one_that_catalogues_know() {
    assert_eq!(crc16(b"123456789"), 0xfee8);
}

#[test]
fn a_real_bitstream_is_whole() {
    let container = check(&real()).unwrap();
    assert_eq!(container.comment, ["Part: LFE5U-25F-6CABGA381"]);
    assert_eq!((container.device.name, container.compressed), ("LFE5U-25F", true));
    // Every frame, the usercode, and one block RAM.
    assert_eq!((container.ram_writes, container.crcs), (1, 7562 + 1 + 1));
}

#[test]
fn bitstreams_without_compression_are_whole_on_every_device() {
    for device in &DEVICES {
        let container = check(&plain(device)).unwrap();
        assert_eq!((container.device, container.compressed), (device, false));
        assert_eq!(container.crcs, usize::from(device.frames) + 1);
    }
}

#[test]
fn cut_bitstreams_are_refused_wherever_they_end() {
    let bytes = real();
    // Padding at the end may be longer or shorter.
    let end = bytes.len() - 4;
    assert!(check(&bytes[..end]).is_ok());
    for length in (0..400).chain((400..end).step_by(997)).chain(end - 400..end) {
        assert!(check(&bytes[..length]).is_err(), "{length}");
    }
    assert_eq!(
        message(&bytes[..bytes.len() / 2]),
        format!("is cut off: it ends after {} bytes, within the configuration frames", bytes.len() / 2)
    );
    assert!(message(&bytes[..end - 4]).contains("the one that ends them is missing"));
}

#[test]
fn every_flipped_bit_before_and_behind_the_frames_is_found() {
    let bytes = real();
    let frames = find(&bytes, &[0xb8, 0x91]);
    let usercode = find(&bytes, &[0xc2, 0x80, 0, 0]);
    let spi_mode = find(&bytes, &[0x79, 0x59, 0, 0]);
    let comment = 2..bytes.iter().skip(2).position(|&byte| byte == 0).unwrap() + 2;
    let ram = find(&bytes, &[0xb2, 0xd0]);
    let around = (0..frames + 40).chain(usercode - 40..ram + 40).chain(bytes.len() - 60..bytes.len());
    let mut missed = Vec::new();
    for bit in around.flat_map(|byte| 8 * byte..8 * byte + 8) {
        if !comment.contains(&(bit / 8)) && check(&flipped(bytes.clone(), bit)).is_ok() {
            missed.push((bit / 8, bit % 8));
        }
    }
    // SPI modes differ in one bit, and no CRC covers them.
    assert_eq!(missed, [(spi_mode + 1, 3), (spi_mode + 1, 4)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_found(place in any::<prop::sample::Index>()) {
        let bytes = real();
        // From the command that resets the CRC to the padding at the end.
        let start = find(&bytes, &[0x3b, 0, 0, 0]);
        let bit = 8 * start + place.index(8 * (bytes.len() - start));
        prop_assert!(check(&flipped(bytes, bit)).is_err(), "byte {}, bit {}", bit / 8, bit % 8);
    }

    #[test]
    fn no_bytes_make_it_panic(place in any::<prop::sample::Index>(), wrong in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut bytes = real();
        let at = place.index(bytes.len() - wrong.len());
        bytes[at..at + wrong.len()].copy_from_slice(&wrong);
        let _ = check(&bytes);
        let _ = check(&wrong);
    }
}

#[test]
fn flipped_bits_without_compression_are_found() {
    let bytes = plain(&DEVICES[0]);
    let start = find(&bytes, &[0x3b, 0, 0, 0]);
    for bit in (8 * start..8 * bytes.len()).step_by(44_987) {
        assert!(check(&flipped(bytes.clone(), bit)).is_err(), "byte {}, bit {}", bit / 8, bit % 8);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let bytes = plain(&DEVICES[3]);
    let with = |wanted: &[u8], place: usize, value: u8| {
        let mut bytes = bytes.clone();
        let at = find(&bytes, wanted) + place;
        bytes[at] = value;
        message(&bytes)
    };
    assert_eq!(message(b"PK\x03\x04"), "does not begin with the bytes ff 00: it is no Lattice bitstream");
    assert_eq!(with(b"Part", 1, 7), "byte 3: the comment holds 0x07, which is no text");
    assert_eq!(
        with(b"85F", 0, b'4'),
        "the comment says `Part: LFE5U-45F-6CABGA381`, the IDCODE is that of LFE5U-85F"
    );
    assert_eq!(with(&[0xbd, 0xb3], 0, 0), "byte 29: the preamble ff ff bd b3 is missing");
    assert_eq!(with(&[0x41, 0x11], 0, 1), "byte 41: no ECP5 that is known has IDCODE 0x01113043");
    assert_eq!(with(&[0x82, 0x91], 2, 0), "byte 61: 238 frames, LFE5U-85F has 13294");
    assert!(
        with(&[0x82, 0x91], 1, 0x11).starts_with("byte 61: command 0x82 has operands [11, 33, ee], expected")
    );
    assert!(with(&[0x82, 0x91], 0, 0x83).contains("0x83 is no command of an ECP5 bitstream"));
    assert!(with(&[0x82, 0x91], 5, 0x83).starts_with("byte 207: CRC-16 of frame 0 of 13294 is 0x"));
    assert!(with(&[0x5e, 0, 0, 0, 0xff], 4, 0x82).ends_with("after the command that ends the configuration"));
    assert!(with(&[0x3b, 0, 0, 0], 0, 0x46).contains("the first command must reset the CRC"));
}
