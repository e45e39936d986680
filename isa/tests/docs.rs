//! `docs/program.md` holds the descriptor pages that the definitions generate.

use std::env;
use std::fs;

use edge_moe_isa::descriptor::reference_markdown;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/program.md");
const BEGIN: &str = "<!-- generated: descriptors -->\n";
const END: &str = "<!-- end generated -->";

/// The page before, between and after the marks.
fn parts(page: &str) -> (&str, &str, &str) {
    let (before, rest) = page.split_once(BEGIN).expect("docs/program.md has the opening mark");
    let (generated, after) = rest.split_once(END).expect("docs/program.md has the closing mark");
    (before, generated, after)
}

#[test]
fn descriptor_pages_are_those_of_the_definitions() {
    let page = fs::read_to_string(PAGE).expect("docs/program.md can be read");
    let (before, generated, after) = parts(&page);
    let expected = format!("\n{}", reference_markdown());
    if generated != expected && env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}{BEGIN}{expected}{END}{after}");
        fs::write(PAGE, page).expect("docs/program.md can be written");
        return;
    }
    assert!(
        generated == expected,
        "docs/program.md does not match isa/src/descriptor.rs; \
         update it with `UPDATE_DOCS=1 cargo test -p edge-moe-isa --test docs`"
    );
}
