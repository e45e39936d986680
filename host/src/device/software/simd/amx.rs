//! AMX int8: `tdpbusd` multiplies a tile of 16 rows of 64 activation bytes with a panel of 64 inputs of
//! 16 channels.
//!
//! The intrinsics are not stable in Rust, so the tiles stand in inline assembly. Activations are split in
//! bytes as in [`super::avx512`], which also does all that is not a linear layer.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::super::vectorised::{Finish, FinishAlike};
use super::panel::{Line, ROWS};
use super::{Avx512, Computation, Panels, Path, PerRow, ROW_BYTES, Rows, TILE_ROWS};

/// Proof that the CPU has AMX int8 and AVX-512, and that the system lets this process use them.
#[derive(Clone, Copy, Debug)]
pub struct Amx(Avx512);

/// Leaf 7 of `cpuid`: bits of register edx (Intel SDM, volume 2A, CPUID).
const TILE_BIT: u32 = 1 << 24;
const INT8_BIT: u32 = 1 << 25;

/// Panels that a tile of activations is multiplied with at a time.
const PANELS: usize = 2;
/// Lines that a tile holds.
const TILE_LINES: usize = 16;

/// Sums of one tile: low and high bytes of the activations with one panel, then with the other.
type Sums = [[PerRow; TILE_ROWS]; 2 * PANELS];

/// `start + low + 256·high`, wrapping.
struct Join<'a> {
    start: &'a PerRow,
    low: &'a PerRow,
    high: &'a PerRow,
    sums: &'a mut PerRow,
}

impl Computation for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn compute(self) {
        let parts = self.low.iter().zip(self.high);
        for ((sum, &start), (&low, &high)) in self.sums.iter_mut().zip(self.start).zip(parts) {
            *sum = start.wrapping_add(low).wrapping_add(high.wrapping_shl(8));
        }
    }
}

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

    fn finish(self, finish: Finish<'_>) {
        self.0.finish(finish);
    }

    fn finish_alike(self, finish: FinishAlike<'_>) {
        self.0.finish_alike(finish);
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

    fn pack_weights(self, rows: &[&[u8]], panel: &mut [Line], starts: &mut [PerRow]) {
        self.0.pack_weights(rows, panel, starts);
    }

    fn weights(self, panels: Panels<'_>, starts: &[PerRow], rows: Rows<'_>, _: &[Line], sums: &mut [i32]) {
        panels.check(rows.count, sums);
        let count = panels.panels();
        let steps = panels.count.div_ceil(TILE_LINES);
        let bytes = rows.count.next_multiple_of(TILE_ROWS) * rows.stride;
        assert!(panels.first + steps * TILE_LINES <= panels.stride && starts.len() == count);
        assert!(4 * (panels.first + steps * TILE_LINES) <= rows.stride && steps > 0);
        assert!(bytes <= rows.low.len() && bytes <= rows.high.len());
        let mut tile: Sums = [[[0; ROWS]; TILE_ROWS]; 2 * PANELS];
        // SAFETY: `self` exists. Rows exist up to a whole tile, panels and rows up to a whole step; where
        // there is no second panel the first is taken twice.
        unsafe {
            configure();
            for row in (0..rows.count).step_by(TILE_ROWS) {
                let start = row * rows.stride + 4 * panels.first;
                for panel in (0..count).step_by(PANELS) {
                    let line = |panel: usize| panels.lines.as_ptr().add(panel * panels.stride + panels.first);
                    let operands = Operands {
                        low: rows.low.as_ptr().add(start),
                        high: rows.high.as_ptr().add(start),
                        stride: rows.stride,
                        first: line(panel),
                        second: line((panel + 1).min(count - 1)),
                        steps,
                    };
                    multiply(&operands, &mut tile);
                    for (r, sums) in sums.chunks_mut(count * ROWS).skip(row).take(TILE_ROWS).enumerate() {
                        let sums = sums[panel * ROWS..].as_chunks_mut::<ROWS>().0.iter_mut();
                        for ((sums, start), tile) in sums.zip(&starts[panel..]).zip(tile.as_chunks::<2>().0) {
                            self.0.vectorise(Join { start, low: &tile[0][r], high: &tile[1][r], sums });
                        }
                    }
                }
            }
            release();
        }
    }

    fn pairs(self, panels: Panels<'_>, rows: &[i16], stride: usize, sums: &mut [i32]) {
        self.0.pairs(panels, rows, stride, sums);
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

/// What a tile multiplies.
#[repr(C)]
struct Operands {
    /// Low and high bytes of 16 rows of activations, `stride` bytes a row.
    low: *const u8,
    high: *const u8,
    stride: usize,
    /// Two panels of weights.
    first: *const Line,
    second: *const Line,
    /// 64 bytes of each row, 16 lines of each panel.
    steps: usize,
}

/// Multiplies 16 rows of activations with two panels.
///
/// # Safety
/// The tile registers are configured; what `operands` names exists, and its steps are not zero.
#[inline(never)]
unsafe extern "C" fn multiply(operands: &Operands, sums: &mut Sums) {
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
            low = inout(reg) operands.low => _,
            high = inout(reg) operands.high => _,
            stride = in(reg) operands.stride,
            first = inout(reg) operands.first => _,
            second = inout(reg) operands.second => _,
            line = in(reg) size_of::<Line>(),
            steps = inout(reg) operands.steps => _,
            sums = in(reg) sums,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
