//! Profile of a run: where the cycles, the products and the bytes went, layer by layer.
//!
//! [`predict`] makes a [`edge_moe_isa::trace::Trace`] without RTL; a simulated device brings one of its own.
//! [`Report`] makes figures of either, [`html`] a page, [`plots::plots`] drawings. See `docs/profile.md`.

mod attention_model;
mod cycle_model;
mod html;
mod lanes;
mod layers;
pub mod plots;
mod queues;
mod report;
mod stream;
pub mod svg;
pub mod timing;
mod work;

pub use cycle_model::{Machine, Memory, predict};
pub use html::html;
pub use layers::{Cycles, Kind, Part};
pub use queues::{Queues, observe};
pub use report::{Evidence, Report, Subject, Visits};
pub use work::{Work, work};

#[cfg(test)]
mod tests;
