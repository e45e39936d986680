//! Pictures of answers and of the network's inner workings, for people, and
//! the same answers as files for programs.

mod canvas;
mod class_map;
mod depth_map;
mod pair;
mod palette;
mod raw;
mod routing;
mod save;

pub use class_map::class_map;
pub use depth_map::depth_map;
pub use raw::{class_indices, depth_16bit};
pub use routing::{RoutingPanel, RoutingView, routing};
pub use save::{save_npy, save_png};
