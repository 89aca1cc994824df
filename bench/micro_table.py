#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the CSP micro benchmarks of several runtimes in turns (A B C A B C ...) and prints one table of medians.

Each program prints one line per row: name, value and unit, separated by tabs; "-" for what the runtime cannot express.
"""

import argparse
import csv
import statistics
import subprocess
import sys
from pathlib import Path

ROWS = [
    "commstime sequential", "commstime parallel", "ring 1000", "alt 8", "fork one by one", "fork all",
    "fork all cold", "blocked bytes", "core ping-pong", "core stream",
]
MORE_IS_BETTER = {"core stream"}

# References, ns: occam-pi's own compiler and runtime (KRoC, its build for one core), and a bare prototype in C++ that has
# only what each row needs. Both were measured in turns with ours, on one machine.
TARGETS = {
    "commstime sequential": {"KRoC": 8.5, "prototype": 2.7},
    "commstime parallel": {"KRoC": 11.5, "prototype": 4.8},
    "ring 1000": {"KRoC": 8.5, "prototype": 2.6},
    "alt 8": {"KRoC": 14.6, "prototype": 4.8},
    "fork one by one": {"KRoC": 16.0, "prototype": 4.1},
    "fork all": {"KRoC": 35.0, "prototype": 3.0},
    "fork all cold": {"KRoC": 50.0, "prototype": 12.6},
}


def run(name, program, quick):
    """Runs a program once: {row: (value, unit)}."""
    command = [str(program)] + (["--quick"] if quick else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        sys.exit(f"{name}: {' '.join(command)} ended with {done.returncode}\n{done.stderr}")
    rows = {}
    for line in done.stdout.splitlines():
        row, value, unit = line.split("\t")
        if row not in ROWS:
            sys.exit(f"{name}: unknown row {row!r}")
        if value != "-":
            rows[row] = (float(value), unit)
    return rows


def number(value):
    if value is None:
        return "-"
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def summarize(samples, row, runtimes):
    """The cells of one row of the table."""
    medians = {
        name: statistics.median([s[row][0] for s in samples[name]]) if all(row in s for s in samples[name]) else None
        for name in runtimes if samples[name]
    }
    unit = next((s[row][1] for name in runtimes for s in samples[name] if row in s), "")
    ours, go = medians.get("ours"), medians.get("Go")
    ratio = None
    if ours and go:
        ratio = ours / go if row in MORE_IS_BETTER else go / ours
    targets = TARGETS.get(row, {})
    missed = [who for who, target in targets.items() if ours is not None and ours > target]
    return (
        [row, unit] + [number(medians.get(name)) for name in runtimes] + [f"{ratio:.1f}x" if ratio else "-"]
        + [number(targets.get(who)) for who in ("KRoC", "prototype")] + [", ".join(missed)]
    )


def print_table(header, table):
    widths = [max(len(line[i]) for line in [header] + table) for i in range(len(header))]
    for line in [header] + table:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, help="the program of bench/micro")
    parser.add_argument("--go", type=Path, dest="Go")
    parser.add_argument("--fiber", type=Path, dest="Boost.Fiber")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work in each program")
    parser.add_argument("--csv", type=Path, help="write every figure of every round here")
    options = parser.parse_args()

    runtimes = ["ours", "Go", "Boost.Fiber"]
    programs = {name: getattr(options, name) for name in runtimes}
    for name, program in programs.items():
        if program is None or not program.exists():
            print(f"{name}: absent ({program or 'no program given'})")
            programs[name] = None

    samples = {name: [] for name in runtimes}
    for number_of_round in range(1, options.rounds + 1):
        for name in runtimes:
            if programs[name]:
                print(f"round {number_of_round} of {options.rounds}: {name}", file=sys.stderr)
                samples[name].append(run(name, programs[name], options.quick))

    header = ["row", "unit"] + runtimes + ["better than Go", "KRoC", "prototype", "missed by us"]
    print_table(header, [summarize(samples, row, runtimes) for row in ROWS])
    print(f"\nMedians of {options.rounds} rounds. KRoC and prototype: references, measured on another machine.")

    if options.csv:
        with options.csv.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["runtime", "round", "row", "value", "unit"])
            for name in runtimes:
                for i, sample in enumerate(samples[name], 1):
                    writer.writerows([name, i, row, value, unit] for row, (value, unit) in sample.items())


if __name__ == "__main__":
    main()
