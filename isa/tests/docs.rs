//! Pages of `docs/` hold the parts that the definitions generate.

use std::env;
use std::fs;

use edge_moe_isa::descriptor::reference_markdown;
use edge_moe_isa::registers::{activities_markdown, errors_markdown, registers_markdown};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/");
const END: &str = "<!-- end generated -->";

/// Holds the part of a page that is called `part` to what `source` generates.
fn check(page: &str, part: &str, source: &str, generated: String) {
    let path = format!("{DOCS}{page}");
    let begin = format!("<!-- generated: {part} -->\n");
    let text = fs::read_to_string(&path).unwrap_or_else(|cause| panic!("docs/{page}: {cause}"));
    let missing = |mark: &str| panic!("docs/{page} lacks the mark `{}`", mark.trim());
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| missing(&begin));
    let (present, after) = rest.split_once(END).unwrap_or_else(|| missing(END));
    let expected = format!("\n{}\n", generated.trim_end());
    if present.trim() != expected.trim() && env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}{begin}{expected}\n{END}{after}");
        fs::write(&path, text).unwrap_or_else(|cause| panic!("docs/{page}: {cause}"));
        return;
    }
    assert!(
        present.trim() == expected.trim(),
        "docs/{page} does not match isa/src/{source}; \
         update it with `UPDATE_DOCS=1 cargo test -p edge-moe-isa --test docs`"
    );
}

#[test]
fn descriptor_pages_are_those_of_the_definitions() {
    check("program.md", "descriptors", "descriptor.rs", reference_markdown());
}

/// One after another, since all are parts of one file.
#[test]
fn register_tables_are_those_of_the_definitions() {
    let parts = [
        ("registers", registers_markdown()),
        ("error codes", errors_markdown()),
        ("activities", activities_markdown()),
    ];
    for (part, generated) in parts {
        check("registers.md", part, "registers.rs", generated);
    }
}
