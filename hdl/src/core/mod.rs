//! The core: fetches a program and runs it on the units.

mod activity;
mod attention;
mod compute;
mod copy;
mod dispatch;
mod divide;
mod faults;
mod fetch;
mod job;
mod matrix;
mod norm;
mod operands;
mod reader;
mod route;
mod row_loader;
mod top;
mod visits;

pub use compute::Compute;
pub use top::{EdgeMoe, axi_names};
