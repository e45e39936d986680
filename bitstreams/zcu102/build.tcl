# Builds the bitstream of a ZCU102: packages the IP, makes the block design, synthesises, implements, reports, and
# writes .bit, .bin and .xsa. Fails if timing is not met, and then writes no bitstream.
#
#   cargo run --release -p edge-moe-hdl --bin emit -- zcu102 --out out/rtl
#   vivado -mode batch -source bitstreams/zcu102/build.tcl
#
# Everything is written to out/zcu102. Never run by its authors: see README.md.

set here [file dirname [file normalize [info script]]]
set out [file normalize $here/../../out/zcu102]
set verilog [file normalize $here/../../out/rtl/zcu102/edge_moe.v]
set jobs 4
file mkdir $out

set argv [list $verilog $out/ip]
set argc 2
source $here/package_ip.tcl

create_project -force edge_moe_zcu102 $out/project -part xczu9eg-ffvb1156-2-e
# The newest revision that this Vivado knows.
set board [lindex [lsort -dictionary [get_board_parts -quiet *:zcu102:*]] end]
if {$board eq ""} {
    error "this Vivado has no board files of the ZCU102"
}
set_property board_part $board [current_project]
set_property ip_repo_paths $out/ip [current_project]
update_ip_catalog

source $here/block_design.tcl

set design [get_files edge_moe_system.bd]
add_files -norecurse [make_wrapper -files $design -top]
set_property top edge_moe_system_wrapper [current_fileset]
generate_target all $design

# Broadcasts to 32 lanes: let the placer copy registers.
set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]

proc finish {run} {
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        error "$run failed: see its log in out/zcu102/project"
    }
}
launch_runs synth_1 -jobs $jobs
finish synth_1
launch_runs impl_1 -jobs $jobs
finish impl_1

open_run impl_1
report_timing_summary -file $out/timing.rpt
report_utilization -hierarchical -hierarchical_depth 3 -file $out/utilization.rpt
report_power -file $out/power.rpt
report_methodology -file $out/methodology.rpt

foreach {kind option} {setup -setup hold -hold} {
    set path [get_timing_paths $option -max_paths 1]
    set slack [get_property SLACK $path]
    puts "$kind slack: $slack ns"
    if {$slack eq "" || $slack < 0} {
        error "timing is not met ($kind slack $slack ns): no bitstream is written; see out/zcu102/timing.rpt"
    }
}

write_bitstream -force -bin_file $out/edge-moe-zcu102.bit
# What PetaLinux and the device tree generator read.
write_hw_platform -fixed -force -include_bit -file $out/edge-moe-zcu102.xsa
puts "wrote $out/edge-moe-zcu102.bin"
