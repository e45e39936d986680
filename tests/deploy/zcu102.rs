//! `edge-moe deploy zcu102`, with a file system made here.

use std::time::{Duration, Instant};

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::Register;

use crate::bench::{Bench, Outcome};
use crate::tree::Tree;

const DEPLOY: &str = "deploy zcu102 --bitstream mine.bin";
const MANAGER: &str = "sys/class/fpga_manager/fpga0";

/// A ZCU102's file system, and a folder with a bitstream.
struct Zcu102 {
    tree: Tree,
    bench: Bench,
}

impl Zcu102 {
    fn new(state: &str) -> Self {
        let tree = Tree::new(&ArchConfig::zcu102(), 4096);
        tree.add_fpga_manager(state);
        let zcu102 = Self { tree, bench: Bench::new() };
        zcu102.put(&bitstream(0x2473_8093));
        zcu102
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.bench.path("mine.bin"), bytes).unwrap();
    }

    fn run(&self, arguments: &str) -> Outcome {
        let mut command = self.bench.command(arguments);
        command.env("EDGE_MOE_ROOT", self.tree.root());
        Outcome::of(command)
    }

    /// Was nothing written?
    #[track_caller]
    fn assert_untouched(&self) {
        assert!(!self.tree.path("lib/firmware/edge-moe-zcu102.bin").exists());
        assert_eq!(self.tree.text(&format!("{MANAGER}/firmware")), "");
    }
}

/// A bitstream as long as one that configures little, with the words that its kind begins with.
fn bitstream(idcode: u32) -> Vec<u8> {
    let mut words = vec![0xffff_ffff; 16];
    words.extend([0x0000_00bb, 0x1122_0044, 0xffff_ffff, 0xffff_ffff, 0xaa99_5566, 0x2000_0000]);
    words.extend([0x3001_8001, idcode]);
    words.resize(1 << 17, 0x2000_0000);
    words.into_iter().flat_map(u32::to_be_bytes).collect()
}

#[test]
fn the_fpga_is_programmed_and_asked_what_it_is() {
    let board = Zcu102::new("operating");
    let text = board.run(DEPLOY).succeeded();
    assert_eq!(text, "zcu102: mine.bin runs until power is off; `zcu102` answers at /dev/uio4\n");
    let firmware = std::fs::read(board.tree.path("lib/firmware/edge-moe-zcu102.bin")).unwrap();
    assert!(firmware == bitstream(0x2473_8093));
    assert_eq!(board.tree.text(&format!("{MANAGER}/firmware")), "edge-moe-zcu102.bin");
    assert_eq!(board.tree.text(&format!("{MANAGER}/flags")), "0");
}

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let board = Zcu102::new("operating");
    let text = board.run(&format!("{DEPLOY} --dry-run")).succeeded();
    for part in [
        "mine.bin, 524288 bytes\n",
        "sync word found, bytes as Vivado writes them\n",
        "IDCODE 0x24738093 (ZU9EG)\n",
        "would copy    mine.bin to ",
        "lib/firmware/edge-moe-zcu102.bin\n",
        "would write   edge-moe-zcu102.bin to ",
        "would expect  operating in ",
        "would expect  architecture zcu102 from the registers\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    board.assert_untouched();
}

#[test]
fn what_is_no_bitstream_of_the_board_is_not_written() {
    let board = Zcu102::new("operating");
    let mut without_sync = bitstream(0x0473_8093);
    without_sync[80..84].fill(0xff);
    for (bytes, problem) in [
        (without_sync, "has no sync word 0xAA995566"),
        (bitstream(0x0473_8093)[..100_000].to_vec(), "has 100000 bytes, a bitstream of a ZU9EG"),
        (bitstream(0x0473_0093), "is for IDCODE 0x04730093, a ZCU102 has 0x04738093"),
    ] {
        board.put(&bytes);
        board.run(DEPLOY).refused(3, &format!("mine.bin: {problem}"));
    }
    std::fs::remove_file(board.bench.path("mine.bin")).unwrap();
    board.run(DEPLOY).refused(3, "mine.bin: cannot be read");
    board.assert_untouched();
}

#[test]
fn a_board_without_what_it_takes_is_an_error_with_the_next_step() {
    let hint = Zcu102::new("operating")
        .run("deploy zcu102")
        .refused(2, "board `zcu102`: no bitstream of it is shipped");
    assert!(hint.contains("build.tcl"), "{hint}");
    let board = Zcu102::new("operating");
    let hint = board.run("deploy ulx3s-25f --bitstream mine.bin").refused(2, "--bitstream: ulx3s-25f is not");
    assert!(hint.contains("deploy zcu102"), "{hint}");
    assert_eq!(board.run(&format!("{DEPLOY} --flash")).code, 2);
    board.assert_untouched();

    std::fs::remove_file(board.tree.path(&format!("{MANAGER}/firmware"))).unwrap();
    let folder = board.tree.path(MANAGER).display().to_string();
    let hint = board.run(DEPLOY).refused(5, &format!("{folder}: loads no bitstream by name"));
    assert!(hint.contains("linux-xlnx"), "{hint}");
    std::fs::remove_dir_all(board.tree.path(MANAGER)).unwrap();
    let hint = board.run(DEPLOY).refused(5, &format!("{folder}: there is no FPGA manager"));
    assert!(hint.contains("on the board"), "{hint}");

    let board = Zcu102::new("operating");
    std::fs::remove_dir(board.tree.path("lib/firmware")).unwrap();
    let hint = board.run(DEPLOY).refused(4, &board.tree.path("lib/firmware").display().to_string());
    assert!(hint.contains("sudo"), "{hint}");
}

#[test]
fn an_fpga_that_does_not_run_after_it_was_programmed_is_an_error() {
    let board = Zcu102::new("write complete error");
    let folder = board.tree.path(MANAGER).display().to_string();
    let message = format!("{folder}: the FPGA's state is `write complete error`, not `operating`");
    let hint = board.run(DEPLOY).refused(5, &message);
    assert!(hint.contains("dmesg"), "{hint}");

    let board = Zcu102::new("write init");
    let folder = board.tree.path(MANAGER).display().to_string();
    let begin = Instant::now();
    let message = format!("{folder}: the FPGA's state is `write init`, not `operating`");
    board.run(&format!("{DEPLOY} --timeout 1")).refused(5, &message);
    assert!(begin.elapsed() >= Duration::from_secs(1));

    let board = Zcu102::new("unknown");
    std::fs::remove_file(board.tree.path(&format!("{MANAGER}/flags"))).unwrap();
    std::fs::create_dir(board.tree.path(&format!("{MANAGER}/flags"))).unwrap();
    let folder = board.tree.path(MANAGER).display().to_string();
    board.run(DEPLOY).refused(5, &format!("{folder}: 0 was not taken by `flags`: "));
}

#[test]
fn what_answers_after_programming_must_be_the_accelerator_of_the_board() {
    let board = Zcu102::new("operating");
    board.tree.set(Register::Lanes, 16);
    board.run(DEPLOY).refused(5, "/dev/uio4: the board is not `zcu102`: lanes is 16, not 32");
    std::fs::remove_dir_all(board.tree.path("sys/class/uio")).unwrap();
    let hint = board.run(DEPLOY).refused(5, "zynq: no UIO device is named `edge_moe`");
    assert!(hint.contains("edge_moe.dtbo"), "{hint}");
}
