//! Bitstreams of Zynq UltraScale+ as Linux loads them: configuration words of 32 bits without the header of a
//! `.bit` file. After words that do nothing comes the sync word; packets follow it, one of which names the device.

use std::fmt;

/// What the configuration words begin with.
const SYNC: u32 = 0xaa99_5566;
/// Bytes before the sync word: padding and bus width detection.
const MOST_PADDING: usize = 4096;
/// Packet that writes one word to the register IDCODE.
const WRITE_IDCODE: u32 = 0x3001_8001;
/// Words after the sync word among which it stands.
const PREAMBLE_WORDS: usize = 256;
/// Sizes that a bitstream of the ZU9EG can have: compressed, at least a hundredth of its 26.5 MB.
const BYTES: std::ops::RangeInclusive<usize> = 256 << 10..=32 << 20;
/// IDCODE of the ZU9EG, the FPGA of a ZCU102.
pub const ZU9EG: u32 = 0x0473_8093;
/// Bits of an IDCODE that are the device: the upper four are its revision.
const DEVICE_BITS: u32 = 0x0fff_ffff;

/// Order of the bytes of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// As Vivado's `write_bitstream -bin_file` writes them.
    Big,
    /// As bootgen's `-process_bitstream bin` does.
    Little,
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Big => "bytes as Vivado writes them",
            Self::Little => "bytes swapped as bootgen does",
        })
    }
}

/// What a bitstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container {
    /// Order of the bytes of its words.
    pub byte_order: ByteOrder,
    /// Device that it is for.
    pub idcode: u32,
}

/// Checks what can be checked of a bitstream without its device: form, size, IDCODE. Its CRC is checked by the
/// device.
///
/// # Errors
/// What is wrong with it.
pub fn check(bytes: &[u8]) -> Result<Container, String> {
    if bytes.starts_with(&[0, 9, 0x0f, 0xf0]) {
        return Err("is a .bit file; Linux loads the .bin file that Vivado writes beside it".into());
    }
    if !BYTES.contains(&bytes.len()) {
        let (least, most) = (BYTES.start(), BYTES.end());
        return Err(format!("has {} bytes, a bitstream of a ZU9EG {least} to {most}", bytes.len()));
    }
    let (start, byte_order) =
        sync(bytes).ok_or("has no sync word 0xAA995566: it is no bitstream of an AMD FPGA")?;
    let words = bytes[start..].as_chunks().0.iter().take(PREAMBLE_WORDS).map(|word| match byte_order {
        ByteOrder::Big => u32::from_be_bytes(*word),
        ByteOrder::Little => u32::from_le_bytes(*word),
    });
    let idcode = words.skip_while(|word| *word != WRITE_IDCODE).nth(1);
    let idcode = idcode.ok_or("names no device: encrypted bitstreams are not deployed")?;
    if idcode & DEVICE_BITS != ZU9EG {
        return Err(format!("is for IDCODE 0x{idcode:08x}, a ZCU102 has 0x{ZU9EG:08x} (ZU9EG)"));
    }
    Ok(Container { byte_order, idcode })
}

/// The place of the sync word, and the order of its bytes.
fn sync(bytes: &[u8]) -> Option<(usize, ByteOrder)> {
    let order = |word: &[u8; 4]| match *word {
        word if word == SYNC.to_be_bytes() => Some(ByteOrder::Big),
        word if word == SYNC.to_le_bytes() => Some(ByteOrder::Little),
        _ => None,
    };
    let words = bytes.as_chunks().0.iter().take(MOST_PADDING / 4);
    words.enumerate().find_map(|(word, bytes)| Some((4 * word, order(bytes)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bitstream's beginning with the words that Vivado writes, and nothing behind it.
    fn words(idcode: u32) -> Vec<u32> {
        let mut words = vec![0xffff_ffff; 16];
        words.extend([0x0000_00bb, 0x1122_0044, 0xffff_ffff, 0xffff_ffff, SYNC, 0x2000_0000]);
        words.extend([0x3000_8001, 7, 0x2000_0000, WRITE_IDCODE, idcode]);
        words.resize(1 << 17, 0x2000_0000);
        words
    }

    #[test]
    fn both_byte_orders_are_read() {
        let words = words(0x1473_8093);
        let big: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let little: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let container = |byte_order| Ok(Container { byte_order, idcode: 0x1473_8093 });
        assert_eq!(check(&big), container(ByteOrder::Big));
        assert_eq!(check(&little), container(ByteOrder::Little));
    }

    #[test]
    fn what_is_no_bitstream_of_the_board_is_refused() {
        let bytes = |idcode| words(idcode).iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let good = bytes(ZU9EG);
        let mut bit = vec![0, 9, 0x0f, 0xf0];
        bit.extend(&good);
        let mut encrypted = good.clone();
        encrypted[25 * 4..27 * 4].fill(0x20);
        for (bytes, part) in [
            (bit, "is a .bit file"),
            (good[..1000].to_vec(), "has 1000 bytes, a bitstream of a ZU9EG"),
            (vec![0; 33 << 20], "has 34603008 bytes"),
            (vec![0xff; 1 << 20], "has no sync word 0xAA995566"),
            (encrypted, "names no device"),
            (bytes(0x0473_0093), "is for IDCODE 0x04730093, a ZCU102 has 0x04738093 (ZU9EG)"),
        ] {
            let problem = check(&bytes).unwrap_err();
            assert!(problem.contains(part), "{part}: {problem}");
        }
    }
}
