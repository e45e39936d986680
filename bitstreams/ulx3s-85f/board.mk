# The ULX3S with an LFE5U-85F.
TOP           := ulx3s
ARCH          := ecp5-85
PART          := LFE5U-85F-6BG381C
NEXTPNR_PART  := --85k --package CABGA381 --speed 6
OPENFPGALOADER_BOARD := ulx3s
# MHz and baud: as in hdl/src/board/ulx3s.rs.
CLOCK         := 30
BAUD          := 2000000
# The seed that is shipped, and all that are tried for the spread. Routing of seed 2 came to no end.
SEED          := 1
SEEDS         := 1 3 4 5 6
