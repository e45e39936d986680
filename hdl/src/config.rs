//! Units at the sizes of the named architectures.
//!
//! Const generics cannot be computed from each other in rust-hdl's types, so
//! every size stands here once, and is checked against `ArchConfig`.

use edge_moe_isa::arch::ArchConfig;

use crate::lane_array::LaneArray;

macro_rules! architecture {
    ($(#[$doc:meta])* $module:ident, $arch:ident: $lanes:literal x $vector:literal, bank $bank:literal,
     row $row:literal, word $word:literal, rows $rows:literal, results $results:literal,
     lane bits $lane_bits:literal, row address $row_address:literal) => {
        $(#[$doc])*
        pub mod $module {
            use super::*;

            /// The architecture.
            pub fn arch() -> ArchConfig {
                ArchConfig::$arch()
            }

            /// Its lane array.
            pub type Lanes = LaneArray<$lanes, $vector, $row, $word, $rows, $results, $lane_bits, $row_address, 48>;

            /// An array with two banks of rows in each lane.
            pub fn lanes() -> Lanes {
                let arch = arch();
                assert_eq!([arch.lanes, arch.vector, arch.bank_words], [$lanes, $vector, $bank], "sizes of `{}`", arch.name);
                assert_eq!([9 * $vector, 16 * $vector, 9 * $vector * $lanes, 16 * $lanes], [$row, $word, $rows, $results]);
                assert_eq!([1 << $lane_bits, 1 << $row_address], [$lanes, 2 * $bank]);
                Lanes::new(2 * $bank)
            }
        }
    };
}

architecture!(/// 4 × 4: tests.
    tiny, tiny: 4 x 4, bank 64, row 36, word 64, rows 144, results 64, lane bits 2, row address 7);
architecture!(/// 8 × 8: ECP5-85F boards.
    ecp5_85, ecp5_85: 8 x 8, bank 128, row 72, word 128, rows 576, results 128, lane bits 3, row address 8);
architecture!(/// 16 × 16.
    edge, edge: 16 x 16, bank 64, row 144, word 256, rows 2304, results 256, lane bits 4, row address 7);
architecture!(/// 32 × 32.
    zcu102, zcu102: 32 x 32, bank 32, row 288, word 512, rows 9216, results 512, lane bits 5, row address 6);
