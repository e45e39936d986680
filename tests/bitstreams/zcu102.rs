//! The scripts of the ZCU102 under a Tcl that stands for Vivado: they run to their end, a build whose timing is not
//! met writes no bitstream, and what they say agrees with the device tree and the driver.

use std::path::PathBuf;
use std::process::Command;

use edge_moe::attached::UIO_NAME;
use edge_moe_isa::registers;
use tempfile::TempDir;

use crate::common::root;

const SCRIPTS: [&str; 3] = ["package_ip.tcl", "block_design.tcl", "build.tcl"];

/// The scripts in a folder of their own, as they lie in the repository, and Verilog for them.
struct Scripts(TempDir);

impl Scripts {
    fn new() -> Self {
        let scripts = Self(tempfile::tempdir().unwrap());
        for folder in ["bitstreams/zcu102", "out/rtl/zcu102"] {
            std::fs::create_dir_all(scripts.0.path().join(folder)).unwrap();
        }
        for name in SCRIPTS {
            std::fs::copy(root().join("bitstreams/zcu102").join(name), scripts.path(name)).unwrap();
        }
        std::fs::write(scripts.verilog(), "module edge_moe; endmodule\n").unwrap();
        scripts
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("bitstreams/zcu102").join(name)
    }

    fn verilog(&self) -> PathBuf {
        self.0.path().join("out/rtl/zcu102/edge_moe.v")
    }

    /// Runs one of them; whether it succeeded, and what it said. None without a Tcl.
    fn run(&self, name: &str, [setup, hold, progress]: [&str; 3]) -> Option<(bool, String)> {
        let Ok(tclsh) = which::which("tclsh") else {
            println!("there is no tclsh: scripts are not run");
            return None;
        };
        let mut command = Command::new(tclsh);
        command.arg(root().join("tests/bitstreams/vivado.tcl")).arg(self.path(name));
        command.env("SETUP", setup).env("HOLD", hold).env("PROGRESS", progress);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8(text).unwrap()))
    }
}

#[test]
fn a_build_goes_through_all_steps() {
    let Some((succeeded, text)) = Scripts::new().run("build.tcl", ["0.012", "0.010", "100%"]) else { return };
    assert!(succeeded, "{text}");
    let mut rest = text.as_str();
    for step in [
        "ipx::package_project",
        "ipx::associate_bus_interfaces -busif s_axi -clock aclk",
        "ipx::associate_bus_interfaces -busif m_axi_1 -clock aclk",
        "ipx::save_core",
        "set_property board_part xilinx.com:zcu102:part0:3.10",
        "create_bd_design",
        "assign_bd_address -offset 0xA0000000 -range 4K",
        "exclude_bd_addr_seg m_axi/SEG_HP1_QSPI",
        "exclude_bd_addr_seg m_axi/SEG_HP1_LPS_OCM",
        "validate_bd_design",
        "launch_runs synth_1",
        "launch_runs impl_1",
        "report_timing_summary",
        "report_utilization",
        "write_bitstream -force -bin_file",
        "write_hw_platform",
    ] {
        let found = rest.find(step).unwrap_or_else(|| panic!("`{step}` is missing, or not in order: {text}"));
        rest = &rest[found..];
    }
    assert!(!text.contains("exclude_bd_addr_seg m_axi/SEG_HP1_DDR"), "{text}");
}

#[test]
fn a_build_that_fails_writes_no_bitstream() {
    for (figures, problem) in [
        (["-0.001", "0.010", "100%"], "timing is not met (setup slack -0.001 ns)"),
        (["0.012", "-0.2", "100%"], "timing is not met (hold slack -0.2 ns)"),
        (["", "0.010", "100%"], "timing is not met (setup slack  ns)"),
        (["0.012", "0.010", "37%"], "synth_1 failed"),
    ] {
        let Some((succeeded, text)) = Scripts::new().run("build.tcl", figures) else { return };
        assert!(!succeeded && text.contains(problem), "{text}");
        assert!(!text.contains("write_bitstream") && !text.contains("write_hw_platform"), "{text}");
    }
    let scripts = Scripts::new();
    std::fs::remove_file(scripts.verilog()).unwrap();
    let Some((succeeded, text)) = scripts.run("package_ip.tcl", ["1", "1", "100%"]) else { return };
    assert!(!succeeded && text.contains("edge_moe.v is missing") && !text.contains("ipx::"), "{text}");
}

#[test]
fn scripts_device_tree_and_driver_agree() {
    let text = |name: &str| std::fs::read_to_string(root().join("bitstreams/zcu102").join(name)).unwrap();
    let (design, tree) = (text("block_design.tcl"), text("edge_moe.dtso"));
    assert!(design.contains("set register_base 0xA0000000\nset register_bytes 4K\n"));
    assert_eq!(registers::BYTES, 4096);
    assert!(tree.contains(&format!("{UIO_NAME}@a0000000 {{")));
    assert!(tree.contains("reg = <0x0 0xa0000000 0x0 0x1000>;"));
    assert!(design.contains("set clock_mhz 300\n") && tree.contains("assigned-clock-rates = <300000000>;"));
    assert!(design.contains("SPI 89") && tree.contains("interrupts = <0 89 4>;"));
}
