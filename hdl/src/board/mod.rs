//! What stands around the accelerator on a board.

pub mod bridge;
pub mod sdram;
pub mod uart;

pub use bridge::Bridge;
pub use uart::{UartReceiver, UartTransmitter};
