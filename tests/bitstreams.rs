//! Every bitstream in the repository is what its manifest says.

mod common;

use common::root;
use edge_moe::bitstream::{self, Bitstream, MANIFEST, sha256};
use edge_moe_isa::arch::ArchConfig;

#[test]
fn every_bitstream_is_what_its_manifest_says() {
    let folder = root().join("bitstreams");
    for board in bitstream::boards(&folder).unwrap() {
        let files = folder.join(&board);
        // Size, SHA-256, container with its CRCs, IDCODE.
        let bitstream =
            Bitstream::open(&files.join(MANIFEST), None).unwrap_or_else(|error| panic!("{error}"));
        bitstream.check_versions().unwrap_or_else(|error| panic!("{error}"));
        let manifest = &bitstream.manifest;
        assert_eq!(manifest.board, board);
        assert_eq!(Some(&manifest.arch), ArchConfig::by_name(&manifest.arch.name).as_ref(), "{board}");
        let constraints = std::fs::read(files.join(&manifest.sources.constraints)).unwrap();
        assert_eq!(sha256(&constraints), manifest.sources.constraints_sha256, "{board}: build it again");
    }
}

#[test]
fn every_folder_of_a_board_has_a_manifest() {
    let folder = root().join("bitstreams");
    let boards = bitstream::boards(&folder).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir())
    {
        let name = entry.file_name().into_string().unwrap();
        assert!(boards.contains(&name), "bitstreams/{name} has no {MANIFEST}");
    }
}
