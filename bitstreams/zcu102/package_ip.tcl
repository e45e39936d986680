# Packages the Verilog of the accelerator as an IP.
#
#   cargo run --release -p edge-moe-hdl --bin emit -- zcu102 --out out/rtl
#   vivado -mode batch -source bitstreams/zcu102/package_ip.tcl [-tclargs VERILOG FOLDER]
#
# VERILOG: the top unit; out/rtl/zcu102/edge_moe.v if not given. FOLDER: where the IP is written; out/zcu102/ip if
# not given. Never run by its authors: see README.md.

set here [file dirname [file normalize [info script]]]
set repository [file normalize $here/../..]
if {$argc == 2} {
    lassign $argv verilog folder
} else {
    set verilog $repository/out/rtl/zcu102/edge_moe.v
    set folder $repository/out/zcu102/ip
}
if {![file exists $verilog]} {
    error "$verilog is missing: cargo run --release -p edge-moe-hdl --bin emit -- zcu102 --out out/rtl"
}

set part xczu9eg-ffvb1156-2-e

create_project -in_memory -part $part
add_files -norecurse $verilog
set_property top edge_moe [current_fileset]
update_compile_order -fileset sources_1

# Interfaces are found by the names of ports: s_axi_* (AXI4-Lite), m_axi_0_* and m_axi_1_* (AXI4, 128 bits; only the
# first one writes), aclk, aresetn, irq.
ipx::package_project -root_dir $folder -vendor edge-moe -library user -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name edge_moe $core
set_property version 1.0 $core
set_property display_name "Edge-MoE accelerator" $core
set_property description "Accelerator of multi-task mixture-of-experts vision transformers, 32 x 32 multipliers" $core
set_property supported_families {zynquplus Production} $core

foreach interface {s_axi m_axi_0 m_axi_1} {
    if {[llength [ipx::get_bus_interfaces $interface -of_objects $core]] != 1} {
        error "no interface $interface was found among the ports"
    }
    ipx::associate_bus_interfaces -busif $interface -clock aclk $core
}
ipx::associate_bus_interfaces -clock aclk -reset aresetn $core
# The clock that the block design gives it decides.
ipx::remove_bus_parameter -quiet FREQ_HZ [ipx::get_bus_interfaces aclk -of_objects $core]

ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core
set interrupt [ipx::get_bus_interfaces irq -of_objects $core]
set_property value LEVEL_HIGH [ipx::add_bus_parameter SENSITIVITY $interrupt]

# A page of registers; docs/registers.md says which.
set map [ipx::get_memory_maps s_axi -of_objects $core]
if {$map eq ""} {
    set map [ipx::add_memory_map s_axi $core]
    set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $core]
}
set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
if {$block eq ""} {
    set block [ipx::add_address_block registers $map]
}
set_property range 4096 $block
set_property width 32 $block
set_property usage register $block

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
puts "packaged $folder"
