//! What the host, the software model and the RTL of the Edge-MoE accelerator
//! agree on: the sizes of a device ([`arch`]), the descriptors it executes
//! ([`descriptor`]), what makes a program legal ([`check`]), the layout of
//! packed weights ([`packing`]), the registers of a device ([`registers`]), the link to a board ([`link`]), the
//! trace of a run ([`trace`]), and the artifact that carries it all ([`artifact`]). Nothing here touches a file or a device.

pub mod arch;
pub mod artifact;
pub mod check;
pub mod descriptor;
pub mod link;
pub mod packing;
pub mod registers;
pub mod trace;

/// Version of everything in this crate that a device or a file can see. A
/// device and an artifact work together only if their versions are equal.
pub const INTERFACE_VERSION: u32 = 1;
