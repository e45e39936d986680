"""Holds the AMX path of the software device to exact integer products, on an emulated CPU that has AMX.

usage: check.py BOCHS KERNEL PROGRAM FOLDER
"""

import itertools
import operator
import pathlib
import random
import struct
import subprocess
import sys

import emulator

ROWS = [1, 15, 16, 17, 33, 61]
PANELS = [1, 2, 3, 5]
STEPS = [1, 2, 3, 4, 5, 6, 7, 9]
# Lines of a block (host/src/device/software/simd.rs), and rows of a panel.
BLOCK_LINES, PANEL_ROWS = 112, 16
SEED = 20240229


class Case:
    """A product: rows of s16 activations with channels of s8 weights; `before` stood in the buffers."""

    def __init__(self, weights, activations, before=0):
        self.weights, self.activations, self.before = weights, activations, before
        self.rows, self.channels, self.inputs = len(activations), len(weights), len(weights[0])

    def encode(self):
        """As products.rs reads it."""
        header = struct.pack("<4I", self.rows, self.inputs, self.channels, self.before)
        weights = b"".join(struct.pack(f"<{self.inputs}b", *row) for row in self.weights)
        return header + weights + b"".join(struct.pack(f"<{self.inputs}h", *row) for row in self.activations)

    def sums(self):
        """Of every block of lines, row after row, for whole panels."""
        padding = [0] * (-self.channels % PANEL_ROWS)
        for first in range(0, self.inputs, 4 * BLOCK_LINES):
            block = slice(first, first + 4 * BLOCK_LINES)
            weights = [row[block] for row in self.weights]
            for row in self.activations:
                row = row[block]
                yield from (sum(map(operator.mul, row, channel)) for channel in weights)
                yield from padding

    def __str__(self):
        return f"{self.rows} rows, {self.channels} channels, {self.inputs} inputs"


def cases():
    """Every shape with random values, some with extreme ones."""
    rng = random.Random(SEED)
    for rows, panels, steps in itertools.product(ROWS, PANELS, STEPS):
        inputs = 64 * steps - rng.choice([0, 1, 3, 20, 63])
        channels = PANEL_ROWS * panels - rng.choice([0, 1, 15])
        weights = [[rng.randint(-128, 127) for _ in range(inputs)] for _ in range(channels)]
        activations = [[rng.randint(-32768, 32767) for _ in range(inputs)] for _ in range(rows)]
        yield Case(weights, activations, rng.randrange(1 << 16))
    for weight, activation in itertools.product([-128, -1, 0, 127], [-32768, -256, -1, 0, 255, 32767]):
        yield Case([[weight] * 448] * 48, [[activation] * 448] * 17, 0x7FFF)


def check(name, cases, run):
    """Runs the cases, which the path of that name is to compute."""
    code, output, path = run(b"".join(case.encode() for case in cases))
    if code != 0 or path.decode() != name:
        sys.exit(f"expected path {name} and exit code 0, got {path.decode()} and {code}")
    at = 0
    for case in cases:
        for index, expected in enumerate(case.sums()):
            (sum,) = struct.unpack_from("<i", output, at) if at + 4 <= len(output) else (None,)
            if sum != expected:
                sys.exit(f"{name}, {case}: sum {index} is {sum}, not {expected}")
            at += 4
    if at != len(output):
        sys.exit(f"{name}: {len(output) - at} bytes too many")
    print(f"{name}: {len(cases)} products, {at // 4} sums, all exact")


def main(bochs, kernel, program, folder):
    kernel, program = pathlib.Path(kernel).read_bytes(), pathlib.Path(program).read_bytes()

    def on(components, tiles_permitted):
        return lambda given: emulator.run(bochs, kernel, program, given, folder, components, tiles_permitted)

    everything = emulator.AVX | emulator.AVX512 | emulator.TILES
    all_cases = list(cases())
    check("amx", all_cases, on(everything, True))
    # Without the system's permission, or its support, the path must not be taken.
    check("avx512-vnni", all_cases[::10], on(everything, False))
    check("avx2", all_cases[::10], on(emulator.AVX, True))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__.strip().splitlines()[-1])
    try:
        main(*sys.argv[1:])
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))
