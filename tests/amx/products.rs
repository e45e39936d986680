//! Products of weights and activations by the fastest path of the software device: standard input has cases
//! (see [`Case`]), standard output gets their sums, standard error the name of the path.
//!
//! The modules are the host's, which keeps them to itself.

#[allow(dead_code)]
#[path = "../../host/src/device/software"]
mod software {
    pub mod rows;
    pub mod simd;
    mod sums;
    mod vectorised;
}

use std::io::{self, Read, Write};

use software::rows::Activations;
use software::simd::panel::{self, Line, ROWS};
use software::simd::{BLOCK_LINES, Panels, Path, PerRow, Simd};

/// Rows that are multiplied at a time, as the device does.
const BLOCK_ROWS: usize = 48;

/// One product: four u32 (rows, inputs, channels, and what the buffers hold before), then the channels'
/// s8 weights and the rows' s16 activations, all little-endian.
struct Case {
    inputs: usize,
    before: i16,
    weights: Vec<u8>,
    activations: Vec<i16>,
}

impl Case {
    /// The next case, unless there is none.
    fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0u32; 4];
        match input.read_exact(bytemuck::cast_slice_mut(&mut header)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let [rows, inputs, channels, before] = header.map(|number| number as usize);
        let mut weights = vec![0; channels * inputs];
        let mut activations = vec![0; rows * inputs];
        input.read_exact(&mut weights)?;
        input.read_exact(bytemuck::cast_slice_mut(&mut activations))?;
        Ok(Some(Self { inputs, before: before as i16, weights, activations }))
    }

    /// Sums of every block of lines: row after row, for whole panels of channels.
    fn sums<P: Path>(&self, path: P) -> Vec<i32> {
        let lines = panel::lines(self.inputs);
        let channels: Vec<&[u8]> = self.weights.chunks(self.inputs).collect();
        let count = channels.len().div_ceil(ROWS);
        let mut panels = vec![Line([[self.before as u8; 4]; ROWS]); count * lines];
        let mut starts = vec![vec![PerRow::default(); lines.div_ceil(BLOCK_LINES)]; count];
        for ((rows, panel), starts) in channels.chunks(ROWS).zip(panels.chunks_mut(lines)).zip(&mut starts) {
            path.pack_weights(rows, panel, starts);
        }
        let input = self.input(path);
        let (used, width) = (self.inputs.div_ceil(4), count * ROWS);
        let mut sums = Vec::new();
        for first in (0..used).step_by(BLOCK_LINES) {
            let starts: Vec<PerRow> = starts.iter().map(|starts| starts[first / BLOCK_LINES]).collect();
            let panels =
                Panels { lines: &panels, stride: lines, first, count: BLOCK_LINES.min(used - first) };
            for row in (0..input.count()).step_by(BLOCK_ROWS) {
                let rows = input.rows(row..input.count().min(row + BLOCK_ROWS));
                let mut block = vec![i32::from(self.before); rows.count * width];
                path.weights(panels, &starts, rows, &[], &mut block);
                sums.extend(block);
            }
        }
        sums
    }

    /// The activations, in buffers that held other ones before.
    fn input<P: Path>(&self, path: P) -> Activations {
        let mut input = Activations::default();
        let rows = self.activations.chunks(self.inputs);
        let (padded, before) =
            (rows.len().next_multiple_of(16), vec![self.before; 4 * panel::lines(self.inputs)]);
        input.fill(path, before.len(), (0..padded).map(|_| &before[..]));
        input.fill(path, self.inputs, rows);
        input
    }
}

fn main() -> io::Result<()> {
    let simd = Simd::best();
    eprint!("{simd}");
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    while let Some(case) = Case::read(&mut input)? {
        let sums = match simd {
            Simd::Portable(path) => case.sums(path),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2(path) => case.sums(path),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512(path) => case.sums(path),
            #[cfg(target_arch = "x86_64")]
            Simd::Amx(path) => case.sums(path),
        };
        output.write_all(bytemuck::cast_slice(&sums))?;
    }
    output.flush()
}
