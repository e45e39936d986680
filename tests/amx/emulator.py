"""Runs a static x86-64 Linux program on Bochs' Sapphire Rapids, which has AMX."""

import pathlib
import struct
import subprocess

# Where things lie, in bytes: page tables, parameters and kernel (kernel.s), the program's stack, the program,
# its heap and mappings, its standard input. 64 MiB in all, at the same addresses in every address space; Bochs
# loads an image in the right place only if it stays inside one block, of 8 MiB at most.
TABLES, PARAMETERS, KERNEL, STACK_TOP = 0x1000, 0x7000, 0x8000, 0x90000
PROGRAM, HEAP, MAPPINGS, INPUT, END = 2 << 20, 8 << 20, 24 << 20, 56 << 20, 64 << 20

# XCR0: x87, SSE, AVX; the three components of AVX-512; the two of AMX.
AVX, AVX512, TILES = 0b111, 0b111 << 5, 0b11 << 17

CONFIGURATION = """
memory: guest=64, host=64, block_size=8192
cpu: model=sapphire_rapids, reset_on_triple_fault=0
romimage: file={folder}/reset.bin
vgaromimage: file={folder}/video.bin
optramimage1: file={folder}/low.bin, address={low:#x}
optramimage2: file={folder}/program.bin, address={program:#x}
optramimage3: file={folder}/input.bin, address={input:#x}
port_e9_hack: enabled=1
display_library: nogui
log: {folder}/bochs.log
panic: action=fatal
"""


def run(bochs, kernel, program, standard_input, folder, components, tiles_permitted):
    """Exit code, standard output and standard error of a program, given as bytes like the kernel.

    `components` is XCR0, `tiles_permitted` what the kernel says when the program asks for the tile registers.
    """
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if INPUT + len(standard_input) > END:
        raise ValueError(f"{len(standard_input)} bytes of input, room for {END - INPUT}")
    image, entry, header = load(program)
    parameters = entry, 0, INPUT, INPUT + len(standard_input), HEAP, MAPPINGS, MAPPINGS, INPUT, components
    images = {
        "reset": reset(),
        "video": bytes(512),
        "low": low(kernel, [*parameters, int(tiles_permitted)], entry, header),
        "program": image,
        # Never empty, which Bochs would not load.
        "input": standard_input + b"\0",
    }
    for name, data in images.items():
        (folder / f"{name}.bin").write_bytes(data)
    configuration = folder / "bochsrc"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, low=TABLES, program=PROGRAM, input=INPUT)
    )
    command = [bochs, "-q", "-f", configuration]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    try:
        return frames(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"the emulator stopped early ({error}): see {folder}/bochs.log") from None


def reset():
    """The ROM: sixteen bytes before its end, a jump to the kernel."""
    return (bytes(0xFFF0) + b"\xea" + struct.pack("<HH", KERNEL, 0)).ljust(0x10000, b"\0")


def low(kernel, parameters, entry, header):
    """Memory from the page tables to the end of the stack."""
    memory = bytearray(STACK_TOP - TABLES)

    def put(address, layout, *values):
        struct.pack_into(layout, memory, address - TABLES, *values)

    page, present_writable_user, large = 0x1000, 0b111, 1 << 7
    for level in range(2):
        put(TABLES + level * page, "<Q", TABLES + (level + 1) * page | present_writable_user)
    for index in range(END >> 21):
        put(TABLES + 2 * page + 8 * index, "<Q", index << 21 | present_writable_user | large)
    # What a Linux program finds on its stack: no arguments but its name, no environment, and of the auxiliary
    # vector its headers (3, 4, 5), page size (6), entry (9), and 16 random bytes (25).
    name = STACK_TOP - 16
    auxiliary = [3, header[0], 4, header[1], 5, header[2], 6, page, 9, entry, 25, name, 0, 0]
    words = [1, name, 0, 0, *auxiliary]
    parameters[1] = (name - 8 * len(words)) & ~63
    put(parameters[1], f"<{len(words)}Q", *words)
    put(PARAMETERS, f"<{len(parameters)}Q", *parameters)
    put(KERNEL, f"{len(kernel)}s", kernel)
    return memory


def load(program):
    """An ELF program's memory from `PROGRAM` on, its entry, and its program headers (address, size, count)."""
    if program[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", program, 16) != (2,):
        raise ValueError("not a static 64-bit ELF program at fixed addresses")
    entry, headers = struct.unpack_from("<QQ", program, 24)
    size, count = struct.unpack_from("<HH", program, 54)
    memory, header_address = bytearray(), 0
    for at in range(headers, headers + count * size, size):
        kind, _, offset, address, _, stored, total = struct.unpack_from("<IIQQQQQ", program, at)
        if kind != 1:
            continue
        if not PROGRAM <= address <= address + total <= HEAP:
            raise ValueError(f"a segment at {address:#x} lies outside of {PROGRAM:#x}...{HEAP:#x}")
        memory.extend(bytes(max(0, address + total - PROGRAM - len(memory))))
        memory[address - PROGRAM : address - PROGRAM + stored] = program[offset : offset + stored]
        if offset <= headers < offset + stored:
            header_address = address + headers - offset
    return memory, entry, (header_address, size, count)


def frames(printed):
    """What the kernel printed, after what Bochs did."""
    at = printed.index(b"EDGE-MOE") + 8
    written = {1: bytearray(), 2: bytearray(), 255: bytearray()}
    while not written[255]:
        if len(printed) < at + 5:
            raise ValueError("no exit code")
        descriptor, length = struct.unpack_from("<BI", printed, at)
        written[descriptor] += printed[at + 5 : at + 5 + length]
        at += 5 + length
    return struct.unpack("<i", written[255])[0], bytes(written[1]), bytes(written[2])
