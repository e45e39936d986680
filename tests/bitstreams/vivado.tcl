# Stands for Vivado: a command that Tcl does not have is noted on standard output, and answers with something like
# what Vivado would. SETUP and HOLD of the environment are the slacks of timing, PROGRESS that of each run.
#
#   tclsh vivado.tcl SCRIPT

proc unknown {command args} {
    puts [concat $command $args]
    switch -glob -- $command {
        ipx::get_bus_interfaces { return [lindex $args 0] }
        ipx::get_memory_maps - ipx::get_address_blocks { return "" }
        get_board_parts { return {xilinx.com:zcu102:part0:3.10 xilinx.com:zcu102:part0:3.4} }
        get_bd_addr_segs { return {m_axi/SEG_HP1_DDR_LOW m_axi/SEG_HP1_DDR_HIGH m_axi/SEG_HP1_QSPI m_axi/SEG_HP1_LPS_OCM} }
        get_timing_paths { return [lindex $args 0] }
        get_property {
            switch -- [lindex $args 0] {
                SLACK { return [expr {[lindex $args 1] eq "-setup" ? $::env(SETUP) : $::env(HOLD)}] }
                PROGRESS { return $::env(PROGRESS) }
            }
        }
    }
    return $command
}

set script [lindex $argv 0]
set argv {}
set argc 0
source $script
