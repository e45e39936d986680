//! `edge-moe devices`, with a `/sys` made here.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::bench::Bench;

/// A USB device with a serial port, as the kernel shows it.
fn attach(bench: &Bench, port: &str, usb: &str, attributes: &[(&str, &str)]) {
    let device = bench.path("sys/devices/pci0000:00/usb1").join(usb);
    let interface = device.join(format!("{usb}:1.0")).join(port);
    let tty = interface.join("tty").join(port);
    std::fs::create_dir_all(&tty).unwrap();
    for (name, value) in attributes {
        std::fs::write(device.join(name), format!("{value}\n")).unwrap();
    }
    symlink(&interface, tty.join("device")).unwrap();
    std::fs::create_dir_all(bench.path("sys/class/tty")).unwrap();
    symlink(&tty, bench.path("sys/class/tty").join(port)).unwrap();
}

#[test]
fn devices_lists_what_is_attached() {
    let bench = Bench::new();
    let report: Value = serde_json::from_str(&bench.run("devices --json").succeeded()).unwrap();
    let names = |report: &Value| -> Vec<String> {
        let devices = report["devices"].as_array().unwrap();
        devices.iter().map(|device| device["device"].as_str().unwrap().to_owned()).collect()
    };
    let always = if cfg!(feature = "sim") { vec!["software", "rtl"] } else { vec!["software"] };
    assert_eq!(names(&report), always);

    let ftdi = [("idVendor", "0403"), ("idProduct", "6015"), ("manufacturer", "FER-RADIONA-EMARD")];
    let ulx3s = |size: &str| {
        let product = format!("ULX3S FPGA {size} v3.0.8");
        [&ftdi[..], &[("product", &*product.leak()), ("serial", "D00001")]].concat()
    };
    attach(&bench, "ttyUSB10", "1-2", &ulx3s("85K"));
    attach(&bench, "ttyUSB2", "1-3", &ulx3s("25K"));
    attach(&bench, "ttyACM0", "1-4", &[("idVendor", "2341"), ("idProduct", "0043")]);
    std::fs::create_dir_all(bench.path("sys/class/tty/ttyS0")).unwrap();
    for (uio, name) in [("uio0", "other"), ("uio1", "edge_moe")] {
        let folder = bench.path("sys/class/uio").join(uio);
        std::fs::create_dir_all(folder.join("maps/map0")).unwrap();
        std::fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        std::fs::write(folder.join("maps/map0/addr"), "0xa0000000\n").unwrap();
        std::fs::write(folder.join("maps/map0/size"), "0x1000\n").unwrap();
    }
    let report: Value = serde_json::from_str(&bench.run("devices --json").succeeded()).unwrap();
    assert_eq!(report["version"], 1);
    let attached = ["uart:/dev/ttyACM0", "uart:/dev/ttyUSB2", "uart:/dev/ttyUSB10", "zynq:/dev/uio1"];
    assert_eq!(names(&report), [always.as_slice(), &attached].concat());
    let [acm, small, large, zynq] = [0, 1, 2, 3].map(|index| &report["devices"][always.len() + index]);
    assert_eq!((&acm["board"], &acm["runs"]), (&Value::Null, &json!([])));
    assert_eq!((&small["board"], &small["runs"]), (&json!("ulx3s-25f"), &json!(["tiny"])));
    assert_eq!(small["note"], "once `edge-moe deploy ulx3s-25f` has programmed it");
    assert_eq!((&large["board"], &large["runs"]), (&json!("ulx3s-85f"), &json!([])));
    assert_eq!(large["note"], "board `ulx3s-85f`: bitstreams has no bitstream of it");
    assert_eq!(large["usb"]["serial"], "D00001");
    assert_eq!(zynq["description"], "accelerator on the bus, 0x1000 bytes of registers at 0xa0000000");
    assert!(zynq["note"].as_str().unwrap().starts_with("there is no buffer of u-dma-buf"), "{zynq}");

    let text = bench.run("devices").succeeded();
    let line = "uart:/dev/ttyUSB2   ULX3S FPGA 25K v3.0.8, serial number D00001 (0403:6015); board ulx3s-25f; \
                runs tiny; once `edge-moe deploy ulx3s-25f` has programmed it\n";
    assert!(text.contains(line) && text.contains("runs any\n"), "{text}");

    let buffer = |name: &str| {
        let folder = bench.path("sys/class/u-dma-buf").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("phys_addr"), "0x0000000070000000\n").unwrap();
        std::fs::write(folder.join("size"), "33554432\n").unwrap();
    };
    buffer("udmabuf0");
    let line = "zynq:/dev/uio1,/dev/udmabuf0  accelerator on the bus, 0x1000 bytes of registers at 0xa0000000, \
                buffer of 33554432 bytes at 0x70000000; its registers say what it runs\n";
    let text = bench.run("devices").succeeded();
    assert!(text.contains(line), "{text}");
    buffer("udmabuf1");
    let line = "at 0xa0000000; say with which buffer: /dev/udmabuf0, /dev/udmabuf1\n";
    let text = bench.run("devices").succeeded();
    assert!(text.contains("zynq:/dev/uio1  ") && text.contains(line), "{text}");
}
