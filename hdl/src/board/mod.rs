//! What stands around the accelerator on a board.

pub mod sdram;
