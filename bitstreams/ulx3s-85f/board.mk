# The ULX3S with an LFE5U-85F.
TOP           := ulx3s
ARCH          := ecp5-85
PART          := LFE5U-85F-6BG381C
NEXTPNR_PART  := --85k --package CABGA381 --speed 6
OPENFPGALOADER_BOARD := ulx3s
# MHz and baud: as in hdl/src/board/ulx3s.rs.
CLOCK         := 60
BAUD          := 2000000
# The seed that is shipped, and all whose clocks the manifest holds.
SEED          := 2
SEEDS         := 1 2 3 4 5
