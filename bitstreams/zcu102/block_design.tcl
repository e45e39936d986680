# The block design: processing system, accelerator, and what connects them. Read by build.tcl into an open project
# whose catalogue has the IP of package_ip.tcl.
#
#   registers      M_AXI_HPM0_FPD -> s_axi, one page at 0xA0000000
#   memory         m_axi_0 -> S_AXI_HP1_FPD, m_axi_1 -> S_AXI_HP3_FPD: two ports of the DDR controller, neither of them
#                  that of the DisplayPort (HP0)
#   interrupt      irq -> pl_ps_irq0[0], which is SPI 89 of the interrupt controller
#   clock          pl_clk0, 300 MHz
#
# Widths of the ports are those after a reset of the processing system (128 bits), so that they are right when Linux
# programs the FPGA, whatever the boot loader has set up.

set clock_mhz 300
set register_base 0xA0000000
set register_bytes 4K

create_bd_design edge_moe_system

set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e processing_system]
# DDR4, MIO and peripherals of the board.
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} $ps
# S_AXI_GP3 is HP1, S_AXI_GP5 is HP3.
set_property -dict [list \
    CONFIG.PSU__USE__M_AXI_GP0 1 \
    CONFIG.PSU__MAXIGP0__DATA_WIDTH 128 \
    CONFIG.PSU__USE__M_AXI_GP1 0 \
    CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__S_AXI_GP3 1 \
    CONFIG.PSU__SAXIGP3__DATA_WIDTH 128 \
    CONFIG.PSU__USE__S_AXI_GP5 1 \
    CONFIG.PSU__SAXIGP5__DATA_WIDTH 128 \
    CONFIG.PSU__USE__IRQ0 1 \
    CONFIG.PSU__USE__FABRIC__RST 1 \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz \
] $ps

set core [create_bd_cell -type ip -vlnv edge-moe:user:edge_moe:1.0 edge_moe]
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]

# One to one, for widths, protocols and identifiers.
proc connect_axi {name from to} {
    set bridge [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $name]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 1] $bridge
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $name/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins $name/M00_AXI] [get_bd_intf_pins $to]
}
connect_axi registers processing_system/M_AXI_HPM0_FPD edge_moe/s_axi
connect_axi memory_0 edge_moe/m_axi_0 processing_system/S_AXI_HP1_FPD
connect_axi memory_1 edge_moe/m_axi_1 processing_system/S_AXI_HP3_FPD

connect_bd_net [get_bd_pins processing_system/pl_clk0] \
    [get_bd_pins processing_system/maxihpm0_fpd_aclk] \
    [get_bd_pins processing_system/saxihp1_fpd_aclk] \
    [get_bd_pins processing_system/saxihp3_fpd_aclk] \
    [get_bd_pins reset/slowest_sync_clk] \
    [get_bd_pins registers/aclk] \
    [get_bd_pins memory_0/aclk] \
    [get_bd_pins memory_1/aclk] \
    [get_bd_pins edge_moe/aclk]
connect_bd_net [get_bd_pins processing_system/pl_resetn0] [get_bd_pins reset/ext_reset_in]
connect_bd_net [get_bd_pins reset/peripheral_aresetn] \
    [get_bd_pins registers/aresetn] \
    [get_bd_pins memory_0/aresetn] \
    [get_bd_pins memory_1/aresetn] \
    [get_bd_pins edge_moe/aresetn]
connect_bd_net [get_bd_pins edge_moe/irq] [get_bd_pins processing_system/pl_ps_irq0]

# Registers at their page; all of DDR, low and high, for the memory ports.
assign_bd_address -offset $register_base -range $register_bytes \
    -target_address_space [get_bd_addr_spaces processing_system/Data] \
    [get_bd_addr_segs -of_objects [get_bd_intf_pins edge_moe/s_axi]]
assign_bd_address
# Nothing of the processing system but DDR.
foreach segment [get_bd_addr_segs -quiet -of_objects [get_bd_addr_spaces {edge_moe/m_axi_0 edge_moe/m_axi_1}]] {
    if {![string match *DDR* $segment]} {
        exclude_bd_addr_seg $segment
    }
}

validate_bd_design
save_bd_design
