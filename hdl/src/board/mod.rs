//! What stands around the accelerator on a board.

mod bridge;
mod core;
mod reset;
pub mod sdram;
mod serial_board;
mod uart;
mod ulx3s;

use crate::config::{self, Unit};
use crate::support::{EmitError, verilog};
pub use bridge::Bridge;
pub use serial_board::{SerialBoard, Settings};
pub use uart::{UartReceiver, UartTransmitter};
pub use ulx3s::{SETTINGS as ULX3S_SETTINGS, Ulx3s};

/// Boards with a folder in `bitstreams/` and a [`top`].
pub const BOARDS: [&str; 1] = ["ulx3s-85f"];

/// The whole FPGA of a board; none if there is no such board.
pub fn top(board: &str) -> Option<Unit> {
    let ulx3s = |name: &str| {
        let board = serial_board("ecp5-85", ULX3S_SETTINGS).expect("there is such a board")?;
        verilog(|| Ulx3s::new(board), name)
    };
    (board == BOARDS[0]).then_some(Unit { name: "ulx3s", verilog: ulx3s })
}

/// Verilog of the module `serial_board` around the core of a named architecture; none if it is unknown or has
/// a wider memory than such boards.
pub fn serial_board(arch: &str, settings: Settings) -> Option<Result<String, EmitError>> {
    let board = match arch {
        "tiny" => |core, settings| verilog(|| SerialBoard::<32, 4>::new(core, settings), "serial_board"),
        "ecp5-85" => |core, settings| verilog(|| SerialBoard::<64, 8>::new(core, settings), "serial_board"),
        _ => return None,
    };
    let core = config::edge_moe(arch)?;
    Some(core.and_then(|core| board(core, settings)))
}
