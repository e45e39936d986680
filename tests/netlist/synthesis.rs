//! Netlists for ECP5 from yosys.

use std::path::Path;
use std::process::{Command, Output};

use edge_moe_isa::arch::ArchConfig;
use edge_moe_sim::CoreLibrary;

/// From Verilog to cells of ECP5, with the options of `bitstreams/Makefile`. One net a bit: Verilator would see
/// loops in a bus of which one bit follows another. Aliases of nets and long names go, which are most of what
/// Verilator would read.
const SCRIPT: &str = "read_verilog core.v; synth_ecp5 -nowidelut -top edge_moe; check -assert; splitnets; \
     opt_clean -purge; rename -hide w:* c:*; write_verilog -noattr ";

/// The netlist of a core, from yosys or as it was kept from an earlier run of it.
///
/// A kept netlist stands beside the Verilog, the script and the version that it is made from.
pub fn netlist(arch: &ArchConfig) -> String {
    let verilog = CoreLibrary::verilog(arch).unwrap();
    let version = run(yosys().arg("-V"));
    let origin = format!("// {}// {SCRIPT}\n{verilog}", String::from_utf8_lossy(&version.stdout));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("netlists");
    let kept =
        [folder.join(format!("{}.origin.v", arch.name)), folder.join(format!("{}.netlist.v", arch.name))];
    if std::fs::read_to_string(&kept[0]).is_ok_and(|text| text == origin)
        && let Ok(netlist) = std::fs::read_to_string(&kept[1])
    {
        return netlist;
    }
    let netlist = synthesise(&verilog);
    std::fs::create_dir_all(&folder).unwrap();
    for (path, text) in kept.iter().rev().zip([&netlist, &origin]) {
        std::fs::write(path, text).unwrap();
    }
    netlist
}

fn synthesise(verilog: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("core.v"), verilog).unwrap();
    run(yosys().args(["-q", "-p", &format!("{SCRIPT}netlist.v")]).current_dir(folder.path()));
    std::fs::read_to_string(folder.path().join("netlist.v")).unwrap()
}

/// yosys, or the program that `EMOE_YOSYS` names.
fn yosys() -> Command {
    Command::new(std::env::var_os("EMOE_YOSYS").unwrap_or_else(|| "yosys".into()))
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output();
    let output = output.unwrap_or_else(|cause| panic!("yosys cannot be run: {cause}; apt-get install yosys"));
    assert!(output.status.success(), "yosys failed:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
