//! A directory with a board's bitstream and an openFPGALoader that is a script.
#![allow(dead_code, reason = "each test uses some of it")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use assert_cmd::Command;
use edge_moe::bitstream::sha256;
use serde_json::json;
use tempfile::TempDir;

use crate::common::root;

pub const BOARD: &str = "ulx3s-25f";
pub const IDCODE: &str = "0x41111043";
pub const DETECTED: &str =
    r"printf 'index 0:\n\tidcode 0x41111043\n\tmanufacturer lattice\n\tmodel  LFE5U-25\n'";
pub const LOADED: &str = r"printf 'Loading: [=========] 100.00%%\nDone\n'";

/// A directory with a bitstream of a ULX3S-25F and an openFPGALoader that notes how it is called.
pub struct Bench {
    pub directory: TempDir,
}

pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(bench.path("bitstreams").join(BOARD)).unwrap();
        std::fs::copy(root().join("tests/data/ecp5-25f.bit"), bench.bitstream()).unwrap();
        std::fs::write(bench.path("top.v"), "module top; endmodule\n").unwrap();
        std::fs::write(bench.path("bitstreams/ulx3s-25f/ulx3s.lpf"), "FREQUENCY 25 MHZ;\n").unwrap();
        for (seed, fmax) in [(1, 91.239), (2, 84.5), (3, 79.9)] {
            bench.report(seed, fmax);
        }
        bench.write_manifest("").succeeded();
        bench.loader(DETECTED, LOADED);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn bitstream(&self) -> PathBuf {
        self.path("bitstreams/ulx3s-25f/ulx3s-25f.bit")
    }

    pub fn manifest(&self) -> PathBuf {
        self.path("bitstreams/ulx3s-25f/manifest.toml")
    }

    /// What nextpnr reports of a seed.
    pub fn report(&self, seed: u64, fmax: f64) {
        let report = json!({
            "critical_paths": [],
            "fmax": {
                "clk": { "achieved": fmax, "constraint": 80.00128 },
                "clk_25mhz": { "achieved": 200.0, "constraint": 25.0 },
            },
            "utilization": {
                "MULT18X18D": { "available": 28, "used": 18 },
                "DP16KD": { "available": 56, "used": 7 },
                "DTR": { "available": 1, "used": 0 },
            },
        });
        std::fs::write(self.path(&format!("{seed}.json")), report.to_string()).unwrap();
    }

    /// Makes a report one of a slower design.
    pub fn edit_report_clock(&self, name: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        std::fs::write(self.path(name), text.replace("80.00128", "40.0")).unwrap();
    }

    /// Writes the manifest as a recipe does, with more options.
    pub fn write_manifest(&self, options: &str) -> Outcome {
        let arguments = "manifest bitstreams/ulx3s-25f/ulx3s-25f.bit --board ulx3s-25f --openfpgaloader-board ulx3s \
             --part LFE5U-25F-6BG381C --arch tiny --baud 3000000 --clock 80 --seed 1 --verilog top.v \
             --constraints bitstreams/ulx3s-25f/ulx3s.lpf --tool yosys=0.70 --tool nextpnr=0.11 \
             --git-tree 0123456789abcdef0123456789abcdef01234567 -o bitstreams/ulx3s-25f/manifest.toml";
        let reports = "--report 1=1.json --report 2=2.json --report 3=3.json";
        let options = if options.is_empty() { reports } else { options };
        self.run(&format!("{arguments} {options}"))
    }

    /// Replaces openFPGALoader by a script: what it does for `--detect`, and otherwise.
    pub fn loader(&self, detect: &str, program: &str) {
        let calls = self.path("calls");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in\n*--detect*) {detect} ;;\n*) {program} ;;\nesac\n",
            calls.display()
        );
        let path = self.path("openFPGALoader");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// How openFPGALoader was called.
    pub fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::cargo_bin("edge-moe").unwrap();
        command.current_dir(self.directory.path()).args(arguments.split_ascii_whitespace());
        command.env("OPENFPGALOADER", self.path("openFPGALoader"));
        command.env_remove("EDGE_MOE_BITSTREAMS").env("EDGE_MOE_SYSFS", self.path("sys"));
        command
    }

    pub fn run(&self, arguments: &str) -> Outcome {
        Outcome::of(self.command(arguments))
    }

    /// Changes the manifest's text.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.manifest()).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(self.manifest(), text.replacen(from, to, 1)).unwrap();
    }

    /// Replaces the bitstream, and its size and hash in the manifest.
    pub fn replace(&self, bytes: &[u8]) {
        let old = std::fs::read(self.bitstream()).unwrap();
        self.edit(&sha256(&old), &sha256(bytes));
        self.edit(&format!("bytes = {}", old.len()), &format!("bytes = {}", bytes.len()));
        std::fs::write(self.bitstream(), bytes).unwrap();
    }
}

impl Outcome {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().expect("the command was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// Failed with this code, no result and one message that starts so; returns the hint.
    #[track_caller]
    pub fn refused(self, code: i32, message: &str) -> String {
        assert_eq!((self.code, &*self.stdout), (code, ""), "{}", self.stderr);
        let errors: Vec<&str> = self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].starts_with(message), "{}", self.stderr);
        let hint = self.stderr.lines().find_map(|line| line.strip_prefix("hint: "));
        hint.unwrap_or_default().to_owned()
    }
}
