"""Chooses places for the block RAMs and multipliers of an LFE5U-85F: `make floorplan`.

nextpnr places them last and at random near where they should be; a multiplier has a hundred wires, and
the random part made wires half as long again. Here the wires are springs (a net of more than three pins
is a node of its own), macros are drawn to the sites that an assignment of least cost gives them, ever
harder, until they are there (as SimPL does: Kim, Lee, Markov, ICCAD 2010). Then they move to where the
boxes around their nets are smallest, all at once, while logic follows, as long as that helps.

Reads a netlist that yosys wrote as JSON, prints a script for yosys that fixes the places.
"""

import argparse
import json
import sys

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

# Columns of nine tiles with four block RAMs and, in other rows, four multipliers.
COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
SITES = {
    "DP16KD": [(x + 2 * i, y, f"EBR{i}") for y in (22, 46, 70, 82) for x in COLUMNS for i in range(4)],
    "MULT18X18D": [(x + i, y, f"MULT18_{i}") for y in (10, 34, 58) for x in COLUMNS for i in (0, 1, 4, 5)],
}
CENTRE = np.array([63.0, 47.0])

# Nets of more pins (clock, reset) pull at nothing; those of so many pull half as hard.
MOST_PINS = 400
MANY_PINS = 30
# A pull to the centre that only decides what nothing else does.
CENTRE_PULL = 1e-4
# How hard macros are drawn to their sites, as a part of the pull of their wires: at first, growth a round.
FIRST_PULL = 0.005
GROWTH = 1.25
ROUNDS = 36
# The first rounds stretch macros over the chip by their order: the springs alone leave them in one heap.
STRETCHED_ROUNDS = 3
REFINEMENTS = 8
# What a macro's box must shrink for a move, growing by half of it a refinement.
WORTH = 0.5


class Netlist:
    """Cells by number, nets of two pins or more, and springs between cells and nets."""

    def __init__(self, path, top):
        cells = json.load(open(path))["modules"][top]["cells"]
        self.names = list(cells)
        pins = {}
        for number, cell in enumerate(cells.values()):
            for bits in cell["connections"].values():
                for bit in bits:
                    if isinstance(bit, int):
                        pins.setdefault(bit, []).append(number)
        nets = (sorted(set(cells)) for cells in pins.values())
        self.nets = [np.array(net) for net in nets if 1 < len(net) <= MOST_PINS]
        types = [cell["type"] for cell in cells.values()]
        self.macros = {
            kind: [number for number, of in enumerate(types) if of == kind] for kind in SITES
        }
        self.springs = self.connect()
        self.pull = np.asarray(self.springs.sum(axis=1)).ravel()

    def connect(self):
        rows, columns, weights = [], [], []

        def spring(a, b, weight):
            rows.extend((a, b))
            columns.extend((b, a))
            weights.extend((weight, weight))

        nodes = len(self.names)
        for net in self.nets:
            pins = len(net)
            if pins <= 3:
                for i in range(pins):
                    for j in range(i):
                        spring(net[i], net[j], 1 / (pins - 1))
            else:
                weight = pins / (pins - 1) / (1 if pins < MANY_PINS else 2)
                for cell in net:
                    spring(cell, nodes, weight)
                nodes += 1
        return coo_matrix((weights, (rows, columns)), shape=(nodes, nodes)).tocsr()


class Placement:
    """Positions of all nodes, and the site of each macro."""

    def __init__(self, netlist):
        self.netlist = netlist
        self.laplacian = diags(netlist.pull) - netlist.springs
        random = np.random.default_rng(1)
        nodes = len(netlist.pull)
        self.position = np.stack([random.uniform(0, 2 * middle, nodes) for middle in CENTRE], 1)
        self.site = {}

    def solve(self, strength):
        """Lets the springs come to rest, macros drawn to their sites."""
        pull = np.full(len(self.netlist.pull), CENTRE_PULL)
        force = CENTRE_PULL * np.tile(CENTRE, (len(pull), 1))
        for cell, site in self.site.items():
            pull[cell] += strength * self.netlist.pull[cell]
            force[cell] += strength * self.netlist.pull[cell] * np.array(site[:2])
        system = self.laplacian + diags(pull)
        jacobi = diags(1 / system.diagonal())
        for axis in (0, 1):
            self.position[:, axis], _ = cg(
                system, force[:, axis], x0=self.position[:, axis], rtol=1e-5, maxiter=500, M=jacobi
            )

    def length(self):
        """Half the boxes' girths, macros on their sites."""
        for cell, site in self.site.items():
            self.position[cell] = site[:2]
        return sum(np.ptp(self.position[net], axis=0).sum() for net in self.netlist.nets)

    def assign(self, kind, cost):
        macros, chosen = linear_sum_assignment(cost)
        for macro, site in zip(macros, chosen):
            self.site[self.netlist.macros[kind][macro]] = SITES[kind][site]

    def draw(self, kind, stretched):
        """Gives macros the sites that are nearest, all in all."""
        macros = self.netlist.macros[kind]
        wanted = self.position[macros]
        if stretched:
            order = wanted.argsort(axis=0).argsort(axis=0) / (len(macros) - 1)
            wanted = (wanted + np.array([4, 10]) + order * np.array([116, 72])) / 2
        sites = np.array([site[:2] for site in SITES[kind]], float)
        distance = np.abs(wanted[:, None] - sites[None]).sum(2)
        self.assign(kind, distance * self.netlist.pull[macros][:, None])

    def refine(self, kind, worth):
        """Gives macros the sites where the boxes of their nets are smallest, if all else stays."""
        sites = np.array([site[:2] for site in SITES[kind]], float)
        cost = np.zeros((len(self.netlist.macros[kind]), len(sites)))
        for row, macro in enumerate(self.netlist.macros[kind]):
            for net in self.nets_of[macro]:
                others = self.position[net[net != macro]]
                low, high = others.min(0), others.max(0)
                cost[row] += np.maximum(0, np.maximum(low - sites, sites - high)).sum(1)
            cost[row] += worth * (np.abs(sites - self.site[macro][:2]).sum(1) > 0)
        self.assign(kind, cost)
        for macro in self.netlist.macros[kind]:
            self.position[macro] = self.site[macro][:2]

    def place(self):
        for number in range(ROUNDS):
            self.solve(FIRST_PULL * GROWTH**number)
            for kind in SITES:
                self.draw(kind, number < STRETCHED_ROUNDS)
            print(f"round {number + 1} of {ROUNDS}", end="\r", file=sys.stderr)
        macros = {macro for of_kind in self.netlist.macros.values() for macro in of_kind}
        self.nets_of = {macro: [] for macro in macros}
        for net in self.netlist.nets:
            for macro in macros.intersection(net):
                self.nets_of[macro].append(net)
        best = None
        for number in range(REFINEMENTS):
            self.solve(100)
            length = self.length()
            print(f"{int(length)} units of wire", file=sys.stderr)
            if best is None or length < best[0]:
                best = (length, dict(self.site))
            for kind in SITES:
                self.refine(kind, WORTH * (1 + number))
        return best[1]


def main():
    parser = argparse.ArgumentParser(description="Prints places of block RAMs and multipliers for yosys")
    parser.add_argument("netlist", help="JSON of yosys")
    parser.add_argument("top", help="the top module")
    arguments = parser.parse_args()
    netlist = Netlist(arguments.netlist, arguments.top)
    sites = Placement(netlist).place()
    print("# Made by bitstreams/floorplan.py.")
    for cell, (x, y, bel) in sorted(sites.items()):
        print(f'setattr -set BEL "X{x}/Y{y}/{bel}" {arguments.top}/{netlist.names[cell]}')
    print(f"# Names change with the Verilog: then, make floorplan.\nselect -assert-count {len(sites)} a:BEL")


if __name__ == "__main__":
    main()
