//! Handles of ports.

/// Where a port is found in a model and how wide it is.
///
/// Looked up once by name, then copied freely; good for every model of the
/// same [`Library`](crate::Library).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Number of the library it was looked up in.
    pub(crate) owner: u32,
    pub(crate) index: u32,
    pub(crate) width: u32,
    pub(crate) bytes: u32,
    pub(crate) input: bool,
}

impl Port {
    /// Width in bits.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Number of 64-bit words that hold the port.
    pub fn words(self) -> usize {
        self.width.div_ceil(64) as usize
    }

    /// Whether the port can be driven (inputs and inouts).
    pub fn is_input(self) -> bool {
        self.input
    }
}

/// The lowest `width` bits set; all 64 from 64 on.
pub(crate) fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

/// The lowest `width` bits (1 to 64) of `value` read as two's complement.
pub(crate) fn sign_extend(value: u64, width: u32) -> i64 {
    let unused = 64 - width;
    ((value << unused) as i64) >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_cover_the_width() {
        assert_eq!((mask(1), mask(63), mask(64), mask(100)), (1, u64::MAX >> 1, u64::MAX, u64::MAX));
    }

    #[test]
    fn sign_extension_reads_twos_complement() {
        assert_eq!(sign_extend(0x7f, 8), 127);
        assert_eq!(sign_extend(0x80, 8), -128);
        assert_eq!(sign_extend(1, 1), -1);
        assert_eq!(sign_extend(u64::MAX, 64), -1);
    }
}
