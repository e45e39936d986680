//! Progress of long work: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` of something, such as `pictures`, on standard error.
pub fn bar(what: &'static str, of: &str, length: usize) -> ProgressBar {
    let template = format!("{{msg:<12}} {{bar:40}} {{pos}}/{{len}} {of}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("template is valid");
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}

/// A bar over bytes whose number is not known yet.
pub fn bytes(what: &'static str) -> ProgressBar {
    let template = "{msg:<12} {bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("template is valid");
    ProgressBar::new(0).with_style(style).with_message(what)
}
