//! Progress of long work: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` pictures on standard error.
pub fn bar(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<12} {bar:40} {pos}/{len} pictures, {eta} left");
    let bar = ProgressBar::new(length as u64).with_style(style.expect("template is valid"));
    bar.with_message(what)
}
