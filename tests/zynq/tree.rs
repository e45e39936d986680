//! A file system in a folder, with an accelerator as Linux shows it: registers of a UIO device, a buffer of
//! u-dma-buf, an FPGA manager. Files stand for devices, so registers hold what was written to them.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::{Path, PathBuf};

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::registers::{self, Register, constants};
use tempfile::TempDir;

/// Bus address of the buffer: its upper half matters.
pub const BUS_ADDRESS: u64 = 0x8_7000_0000;

pub struct Tree {
    pub directory: TempDir,
}

impl Tree {
    /// A tree with nothing in it.
    pub fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A tree with an accelerator `uio4` among other devices, and a buffer of so many bytes.
    pub fn new(arch: &ArchConfig, buffer_bytes: u64) -> Self {
        let tree = Self::empty();
        tree.add_uio("uio0", "axi-pmon", 0x1000);
        tree.add_uio("uio4", "edge_moe", 0x1000);
        tree.add_buffer("udmabuf0", buffer_bytes);
        for (register, value) in constants(arch) {
            tree.set(register, value);
        }
        tree
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn add_uio(&self, device: &str, name: &str, bytes: u64) {
        let folder = format!("sys/class/uio/{device}");
        self.write(&format!("{folder}/name"), format!("{name}\n"));
        self.write(&format!("{folder}/maps/map0/addr"), "0x00000000a0000000\n");
        self.write(&format!("{folder}/maps/map0/size"), format!("0x{bytes:016x}\n"));
        self.write(&format!("dev/{device}"), vec![0; registers::BYTES as usize]);
    }

    pub fn add_buffer(&self, name: &str, bytes: u64) {
        let folder = format!("sys/class/u-dma-buf/{name}");
        self.write(&format!("{folder}/phys_addr"), format!("0x{BUS_ADDRESS:016x}\n"));
        self.write(&format!("{folder}/size"), format!("{bytes}\n"));
        self.write(&format!("{folder}/sync_for_cpu"), "0\n");
        self.write(&format!("{folder}/sync_for_device"), "0\n");
        self.write(&format!("dev/{name}"), "");
        let file = std::fs::File::options().write(true).open(self.path(&format!("dev/{name}"))).unwrap();
        file.set_len(bytes).unwrap();
    }

    pub fn add_fpga_manager(&self, state: &str) {
        let folder = "sys/class/fpga_manager/fpga0";
        for (name, text) in [("flags", "0\n"), ("firmware", ""), ("state", &format!("{state}\n"))] {
            self.write(&format!("{folder}/{name}"), text);
        }
        std::fs::create_dir_all(self.path("lib/firmware")).unwrap();
    }

    /// Puts a value into a register of `uio4`, as the device would.
    pub fn set(&self, register: Register, value: u32) {
        let mut bytes = self.registers();
        bytes[register.offset() as usize..][..4].copy_from_slice(&value.to_le_bytes());
        // Not `write`: the file may be mapped, and must not become shorter meanwhile.
        let file = std::fs::File::options().write(true).open(self.path("dev/uio4")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    }

    pub fn get(&self, register: Register) -> u32 {
        u32::from_le_bytes(*self.registers()[register.offset() as usize..].first_chunk().unwrap())
    }

    fn registers(&self) -> Vec<u8> {
        std::fs::read(self.path("dev/uio4")).unwrap()
    }
}
