//! AMX int8: `tdpbusd` multiplies a tile of 16 rows of 64 activation bytes with a panel of 64 inputs of
//! 16 channels.
//!
//! The intrinsics are not stable in Rust, so the tiles stand in inline assembly. Activations are split in
//! bytes as in [`super::avx512`], which also does all that is not a linear layer.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::panel::{Line, ROWS};
use super::{Avx512, Computation, Path, ROW_BYTES, Rows, panels_of};

/// Proof that the CPU has AMX int8 and AVX-512, and that the system lets this process use them.
#[derive(Clone, Copy, Debug)]
pub struct Amx(Avx512);

/// Leaf 7 of `cpuid`: bits of register edx (Intel SDM, volume 2A, CPUID).
const TILE_BIT: u32 = 1 << 24;
const INT8_BIT: u32 = 1 << 25;

/// Rows of activations of a tile.
pub const TILE_ROWS: usize = 16;
/// Panels that a tile of activations is multiplied with at a time.
const PANELS: usize = 2;
/// Lines that a tile holds.
const TILE_LINES: usize = 16;

/// Sums of one tile: low and high bytes of the activations with each of two panels.
type Sums = [[[[i32; ROWS]; TILE_ROWS]; 2]; PANELS];

impl Amx {
    /// The path, if CPU and system have it.
    pub fn detect() -> Option<Self> {
        let avx512 = Avx512::detect()?;
        let features = __cpuid_count(7, 0).edx;
        let detected = features & TILE_BIT != 0 && features & INT8_BIT != 0;
        (detected && permitted()).then_some(Self(avx512))
    }
}

/// Asks Linux for the tile registers (its documentation, arch/x86/xstate.rst).
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: takes two numbers, touches no memory of this process.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

impl Path for Amx {
    const SPLIT: bool = true;

    fn vectorise<C: Computation>(self, computation: C) -> C::Output {
        self.0.vectorise(computation)
    }

    fn gelu(self, values: &mut [i16], fraction_bits: u32) {
        self.0.gelu(values, fraction_bits);
    }

    fn weigh(self, logits: &[i16], operands: &mut [i16]) -> u32 {
        self.0.weigh(logits, operands)
    }

    fn pack(self, rows: &[&[u8]], panel: &mut [Line]) {
        self.0.pack(rows, panel);
    }

    fn excess(self, panel: &[Line]) -> [i64; ROWS] {
        self.0.excess(panel)
    }

    fn weights(
        self,
        panels: &[Line],
        lines: usize,
        inputs: usize,
        rows: Rows<'_>,
        _: &[u8],
        sums: &mut [i64],
    ) {
        let count = panels_of(panels, lines, rows.count, sums);
        let steps = inputs.div_ceil(ROW_BYTES);
        let bytes = rows.count.next_multiple_of(TILE_ROWS) * rows.stride;
        assert!(steps * TILE_LINES <= lines && steps * ROW_BYTES <= rows.stride);
        assert!(bytes <= rows.low.len() && bytes <= rows.high.len());
        let mut tile: Sums = [[[[0; ROWS]; TILE_ROWS]; 2]; PANELS];
        // SAFETY: `self` exists. Rows exist up to a whole tile, panels and rows up to a whole step; where
        // there is no second panel the first is taken twice.
        unsafe {
            configure();
            for first in (0..rows.count).step_by(TILE_ROWS) {
                let start = first * rows.stride;
                let activations = [rows.low.as_ptr().add(start), rows.high.as_ptr().add(start)];
                for panel in (0..count).step_by(PANELS) {
                    let second = (panel + 1).min(count - 1);
                    let operands = [panel, second].map(|panel| panels.as_ptr().add(panel * lines));
                    multiply(activations[0], activations[1], rows.stride, operands[0], operands[1], steps, &mut tile);
                    for row in 0..TILE_ROWS.min(rows.count - first) {
                        let sums = &mut sums[((first + row) * count + panel) * ROWS..];
                        for (sums, [low, high]) in sums.chunks_mut(ROWS).zip(&tile).take(count - panel) {
                            for (sum, (&low, &high)) in sums.iter_mut().zip(low[row].iter().zip(&high[row])) {
                                *sum = (i64::from(high) << 8) + i64::from(low);
                            }
                        }
                    }
                }
            }
            release();
        }
    }

    fn pairs(self, panels: &[Line], lines: usize, rows: &[i16], stride: usize, sums: &mut [i64]) {
        self.0.pairs(panels, lines, rows, stride, sums);
    }
}

/// Gives all eight tile registers 16 rows of 64 bytes.
///
/// # Safety
/// The CPU has AMX, and the system lets this process use it.
unsafe fn configure() {
    /// Palette 1: bytes per row from byte 16 on (u16 each), rows from byte 48 on (u8 each).
    #[repr(C, align(64))]
    struct Configuration([u8; 64]);
    let mut configuration = Configuration([0; 64]);
    configuration.0[0] = 1;
    for tile in 0..8 {
        configuration.0[16 + 2 * tile] = ROW_BYTES as u8;
        configuration.0[48 + tile] = TILE_ROWS as u8;
    }
    // SAFETY: reads the 64 bytes of a legal configuration.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
}

/// Gives the tile registers back.
///
/// # Safety
/// The CPU has AMX.
unsafe fn release() {
    // SAFETY: touches the tile registers only.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Multiplies 16 rows of activations (low and high bytes, `stride` bytes a row) with two panels.
///
/// # Safety
/// The tile registers are configured; `steps` times 64 bytes of 16 rows and 16 lines of each panel exist;
/// `steps` is not zero.
#[inline(never)]
unsafe extern "C" fn multiply(
    low: *const u8,
    high: *const u8,
    stride: usize,
    first: *const Line,
    second: *const Line,
    steps: usize,
    sums: &mut Sums,
) {
    // SAFETY: reads what the contract names, writes the four kilobytes of `sums`.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tileloadd tmm5, [{high} + {stride}*1]",
            "tileloadd tmm6, [{first} + {line}*1]",
            "tileloadd tmm7, [{second} + {line}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm5, tmm6",
            "tdpbusd tmm2, tmm4, tmm7",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {low}, 64",
            "add {high}, 64",
            "add {first}, 1024",
            "add {second}, 1024",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {line}*1], tmm0",
            "tilestored [{sums} + {line}*1 + 1024], tmm1",
            "tilestored [{sums} + {line}*1 + 2048], tmm2",
            "tilestored [{sums} + {line}*1 + 3072], tmm3",
            low = inout(reg) low => _,
            high = inout(reg) high => _,
            stride = in(reg) stride,
            first = inout(reg) first => _,
            second = inout(reg) second => _,
            line = in(reg) size_of::<Line>(),
            steps = inout(reg) steps => _,
            sums = in(reg) sums,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
