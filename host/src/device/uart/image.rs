//! Brings an image into a board's memory: only the blocks that are not there yet.

use edge_moe_isa::link::CHECKSUM_BYTES;

use super::link::{Board, Link};
use crate::Result;
use crate::executable::Executable;

const BLOCK: usize = CHECKSUM_BYTES as usize;
/// Blocks between two checks of what was written, which cost a pause of the line each.
const CHECKED_BLOCKS: usize = 16;

/// Loads an image behind its writable memory. An interrupted load goes on where it ended: blocks whose
/// checksum is right already are skipped. `progress` is told bytes in place and all bytes.
///
/// # Errors
/// Too little memory, memory that does not keep what was written, and those of the line.
pub(super) fn load(
    link: &mut Link,
    board: &Board,
    executable: &Executable,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let window = executable.window();
    let needed = window.total_bytes.next_multiple_of(4);
    if needed > u64::from(board.memory_bytes) {
        let problem =
            format!("the model needs {needed} bytes of memory, the board has {}", board.memory_bytes);
        return Err(link.error(problem));
    }
    let start = window.writable_bytes as u32;
    let image = padded(executable.image());
    let total = image.len();
    let missing = link.differing_blocks(start, &image)?;
    let block_bytes = |index: &usize| BLOCK.min(total - index * BLOCK);
    let mut in_place = total - missing.iter().map(block_bytes).sum::<usize>();
    tracing::debug!("{} of {} blocks of the image are missing", missing.len(), total.div_ceil(BLOCK));
    progress(in_place as u64, total as u64);
    let runs = missing.chunk_by(|index, next| index + 1 == *next);
    for run in runs.flat_map(|run| run.chunks(CHECKED_BLOCKS)) {
        let offset = run[0] * BLOCK;
        let address = start + offset as u32;
        let bytes = &image[offset..total.min(offset + run.len() * BLOCK)];
        link.write_memory(address, bytes, &mut |written| {
            progress((in_place + written) as u64, total as u64);
        })?;
        link.verify(address, bytes, "was written")?;
        in_place += bytes.len();
    }
    Ok(())
}

/// An image in whole words.
fn padded(image: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if image.len().is_multiple_of(4) {
        return image.into();
    }
    let mut image = image.to_vec();
    image.resize(image.len().next_multiple_of(4), 0);
    image.into()
}
