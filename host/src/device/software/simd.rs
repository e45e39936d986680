//! The products of the software device on the widest instructions that a CPU has.
//!
//! A [`Path`] multiplies *panels* with rows of activations. A panel ([`panel`]) holds sixteen rows of the
//! left operand side by side, four bytes at a time, so that one line of it is a vector of sixteen channels.
//! Every path computes the same exact integer sums; they differ in the instructions they use.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod panel;
mod portable;
#[cfg(test)]
mod tests;

use std::fmt;

#[cfg(target_arch = "x86_64")]
use {amx::Amx, avx2::Avx2, avx512::Avx512};

use super::vectorised::{Finish, FinishAlike, Gelu, Weigh};
use panel::Line;
pub use portable::Portable;

/// Instructions that the software device computes with. A value of it proves that the CPU has them.
#[derive(Clone, Copy, Debug)]
pub enum Simd {
    /// Plain Rust: any CPU.
    Portable(Portable),
    /// AVX2: 16-bit products, eight sums at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 with VNNI: 8-bit products in fours, sixteen sums at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// AMX int8 tiles for the linear layers, AVX-512 for the rest.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx),
}

impl Simd {
    /// What this CPU has, slowest first; never empty.
    pub fn available() -> Vec<Self> {
        let mut available = vec![Self::Portable(Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            available.extend(Avx2::detect().map(Self::Avx2));
            available.extend(Avx512::detect().map(Self::Avx512));
            available.extend(Amx::detect().map(Self::Amx));
        }
        available
    }

    /// The fastest that this CPU has.
    pub fn best() -> Self {
        *Self::available().last().expect("plain Rust runs anywhere")
    }

    /// Name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => "amx",
        }
    }
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes of a row of weights or activations in a buffer are a multiple of this: a row of an AMX tile.
pub const ROW_BYTES: usize = 64;

/// Lines of a panel that are multiplied at a time. Sums of that many fit 32 bits: 448 weights times s16,
/// 2^7·2^15·448 < 2^31, or 224 9-bit operands times s16, 2^8·2^15·224 < 2^31. Whole rows of AMX tiles.
pub const BLOCK_LINES: usize = 112;

/// One number per row of a panel.
pub type PerRow = [i32; panel::ROWS];

/// Some panels of rows, and which of their lines are multiplied: at most [`BLOCK_LINES`].
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    /// Panel after panel.
    pub lines: &'a [Line],
    /// Lines of one panel.
    pub stride: usize,
    /// The first line that is multiplied.
    pub first: usize,
    /// How many are.
    pub count: usize,
}

impl Panels<'_> {
    /// Number of panels.
    fn panels(&self) -> usize {
        self.lines.len() / self.stride
    }

    /// The lines of one panel.
    fn panel(&self, index: usize) -> &[Line] {
        &self.lines[index * self.stride + self.first..][..self.count]
    }

    /// Checks that every line is there, and one sum for each of `rows` rows and each channel.
    fn check(&self, rows: usize, sums: &[i32]) {
        assert!(self.first + self.count <= self.stride && self.count <= BLOCK_LINES);
        assert_eq!(self.lines.len(), self.panels() * self.stride, "whole panels");
        assert_eq!(sums.len(), rows * self.panels() * panel::ROWS, "one sum per row and channel");
    }
}

/// Rows of activations of an AMX tile.
pub const TILE_ROWS: usize = 16;

/// Rows of s16 activations as a path multiplies them, rows one after another. Values beyond a row's end are
/// zero up to `stride`. Behind the last row, low and high bytes of any value go on to a multiple of [`TILE_ROWS`].
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The values themselves; empty if the path splits them.
    pub words: &'a [i16],
    /// Low byte of each value; empty unless the path splits them.
    pub low: &'a [u8],
    /// High byte of each value, plus 128 modulo 256; empty unless the path splits them.
    pub high: &'a [u8],
    /// Values from one row to the next.
    pub stride: usize,
    /// Number of rows.
    pub count: usize,
}

/// Something that [`Path::vectorise`] compiles. `compute` must be `#[inline(always)]`, and all that it calls
/// inlined: what is not is compiled for any CPU.
pub trait Computation {
    /// What it gives.
    type Output;

    /// Does it.
    fn compute(self) -> Self::Output;
}

/// One way to multiply. `sums` holds one row of `16 · panels` sums per row of activations.
pub trait Path: Copy + Send + Sync {
    /// Does [`weights`](Self::weights) take activations split in bytes?
    const SPLIT: bool;

    /// Compiles a computation for the instructions of this path.
    fn vectorise<C: Computation>(self, computation: C) -> C::Output;

    /// Requantises a row of sums.
    fn finish(self, finish: Finish<'_>) {
        self.vectorise(finish);
    }

    /// Requantises a row of sums with one multiplier.
    fn finish_alike(self, finish: FinishAlike<'_>) {
        self.vectorise(finish);
    }

    /// [`gelu`](edge_moe_kernels::gelu::gelu()) of every value.
    fn gelu(self, values: &mut [i16], fraction_bits: u32) {
        self.vectorise(Gelu { values, fraction_bits });
    }

    /// The [`softmax`](edge_moe_kernels::softmax::softmax()) of a query's logits as a row operand; returns the
    /// sum of the probabilities.
    fn weigh(self, logits: &[i16], operands: &mut [i16]) -> u32 {
        self.vectorise(Weigh { logits, operands })
    }

    /// Fills a panel with up to sixteen rows of equal length; what they leave of it becomes zero.
    fn pack(self, rows: &[&[u8]], panel: &mut [Line]);

    /// The same for s8 weights. `starts`, one for each [`BLOCK_LINES`] lines, becomes what the sums of the
    /// block begin with: zero, or what makes up for split activations.
    fn pack_weights(self, rows: &[&[u8]], panel: &mut [Line], starts: &mut [PerRow]) {
        self.pack(rows, panel);
        starts.fill(PerRow::default());
    }

    /// Sums of s8 weights times s16 activations, on top of `starts`, one per panel. `next` is what will be
    /// multiplied next; a path may ask for it meanwhile.
    fn weights(self, panels: Panels<'_>, starts: &[PerRow], rows: Rows<'_>, next: &[Line], sums: &mut [i32]);

    /// Sums of s16 values, two a line, times 9-bit operands in `rows`, `stride` values a row.
    fn pairs(self, panels: Panels<'_>, rows: &[i16], stride: usize, sums: &mut [i32]);
}
