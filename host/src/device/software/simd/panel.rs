//! Sixteen rows side by side.

/// Rows of a panel.
pub const ROWS: usize = 16;

/// Four bytes of each of sixteen rows: bytes 4·r…4·r + 3 of line `i` are bytes 4·i…4·i + 3 of row `r`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [[u8; 4]; ROWS]);

/// Lines of a panel of rows of `bytes` bytes, padded to whole rows of an AMX tile.
pub fn lines(bytes: usize) -> usize {
    bytes.next_multiple_of(super::ROW_BYTES) / 4
}
