//! Figures of the accelerator, and of what else computes the same network.
//!
//! Two steps: a run measures and leaves `benchmarks/results/NAME.json`; [`report`] renders the results that are
//! there into `docs/benchmarks.md` and its plots, the same bytes from the same results. Figures of other systems
//! are in `benchmarks/quoted.toml`.

pub mod accelerator;
pub mod cpu;
pub mod fidelity;
pub mod provenance;
pub mod quoted;
pub mod report;
pub mod resources;
pub mod results;
pub mod sweep;
pub mod workload;
