#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Repeats the experiment of section 3 of the paper: its Figures 8 and 9.

httperf attempts 20 000 hits on an 8 KiB static page, four requests per connection, at increasing rates. Each server has
one worker on one core, and httperf has the other core; the servers take turns at each rate. The bare loop of bench/floor
shows the limit of httperf itself, or of the machine.

Writes to docs/: figure8.svg, figure9.svg, figures.csv, and the table in BENCHMARKS.md.
"""

import argparse
import csv
import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import contenders
from server_process import Failure, core_seconds, two_cores
from servers import DISTURBED, LOADS, check_body, directories, running

HITS = 20000
REQUESTS_A_CONNECTION = 4
LOAD = next(load for load in LOADS if load.key == "paper")
# First twice the range of the paper, then up to a rate that no server here can handle.
RATES = [1000, 2000, 3000] + list(range(4000, 46000, 2000))
# A server keeps up with a rate if it answers at least this fraction of the attempted requests.
KEEPS_UP = 0.95
# Stop when no server answers this fraction of the attempted requests: higher rates show nothing new.
OVERRUN = 0.7
PATIENCE_SECONDS = 5  # of httperf, for each step of a connection

# The series: contender, title, colour, point type, dash type. Shapes and dashes tell them apart without colour.
SERIES = [
    ("apache", "Apache", "#D55E00", 9, 2),
    ("nginx file cache", "nginx", "#009E73", 5, 4),
    ("occwserv uring", "occwserv", "#0072B2", 7, 1),
    ("floor epoll", "bare loop", "#888888", 2, 3),
]
COLUMNS = ["server", "attempted", "request_rate", "reply_rate", "megabytes_per_second", "concurrent", "replies",
           "seconds", "timeouts", "refused", "no_descriptor", "other_errors", "cpu_us", "others"]

# What httperf prints. (With --hog it would choose the ports itself, and spin for ever once it finds one in use.)
PRINTED = {
    "replies": r"^Total: .* replies (\d+)",
    "seconds": r"^Total: .* test-duration ([\d.]+) s",
    "concurrent": r"^Connection rate: .*<=(\d+) concurrent",
    "request_rate": r"^Request rate: ([\d.]+)",
    "ok": r"^Reply status: .* 2xx=(\d+)",
    "kilobytes_per_second": r"^Net I/O: ([\d.]+) KB/s",
    "user": r"^CPU time \[s\]: user ([\d.]+)",
    "system": r"^CPU time \[s\]: .* system ([\d.]+) \(",
    "errors": r"^Errors: total (\d+)",
    "client_timo": r"^Errors: .* client-timo (\d+)",
    "socket_timo": r"^Errors: .* socket-timo (\d+)",
    "connrefused": r"^Errors: .* connrefused (\d+)",
    "connreset": r"^Errors: .* connreset (\d+)",
    "no_descriptor": r"^Errors: fd-unavail (\d+)",
}


def read_report(text):
    """The figures in a report of httperf's, by the names of PRINTED."""
    found = {name: re.search(pattern, text, re.MULTILINE) for name, pattern in PRINTED.items()}
    lacking = [name for name, match in found.items() if not match]
    if lacking:
        raise Failure(f"httperf did not say {', '.join(lacking)}: {text.strip()[-200:]}")
    return {name: float(match[1]) for name, match in found.items()}


def httperf(core, port, rate):
    """The report of httperf for one run. The attempted rate is in requests; httperf wants it in connections."""
    command = ["taskset", "-c", core, "httperf", "--server", "127.0.0.1", "--port", port, "--uri", LOAD.page(),
               "--num-conns", HITS // REQUESTS_A_CONNECTION, "--num-calls", REQUESTS_A_CONNECTION,
               "--rate", rate / REQUESTS_A_CONNECTION, "--timeout", PATIENCE_SECONDS]
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                              timeout=HITS / rate + 4 * PATIENCE_SECONDS + 10)
    except subprocess.TimeoutExpired as expired:
        raise Failure("httperf did not end") from expired
    said = read_report(done.stdout)
    if not said["replies"]:
        raise Failure(f"no answers, {said['errors']:.0f} errors")
    if said["ok"] != said["replies"]:
        raise Failure(f"{said['replies'] - said['ok']:.0f} answers were errors")
    return said


def row_of(said):
    named = said["client_timo"] + said["socket_timo"] + said["connrefused"] + said["connreset"] + said["no_descriptor"]
    return {
        "request_rate": said["request_rate"], "reply_rate": said["replies"] / said["seconds"],
        "megabytes_per_second": said["kilobytes_per_second"] * 1024 / 1e6, "concurrent": said["concurrent"],
        "replies": said["replies"], "seconds": said["seconds"],
        "timeouts": said["client_timo"] + said["socket_timo"], "refused": said["connrefused"] + said["connreset"],
        "no_descriptor": said["no_descriptor"], "other_errors": said["errors"] - named,
    }


class Experiment:
    def __init__(self, options, pages, scratch):
        self.options = options
        self.pages = pages
        self.scratch = scratch
        self.server_core, self.load_core = two_cores()
        known = {c.name: c for c in contenders.contenders(options.build)}
        self.contenders = [known[name] for name, *_ in SERIES]
        absent = [c.name for c in self.contenders if c.executable is None]
        if absent:
            raise SystemExit(f"absent: {', '.join(absent)}; `make bench-paper` fetches and builds them")
        self.rows = []
        self.failures = []

    def run(self):
        overrun = 0
        for rate in self.options.rate or RATES:
            at_rate = list(self.take_turns(rate))
            self.rows += at_rate
            best = max((row["reply_rate"] for row in at_rate), default=0)
            overrun = overrun + 1 if best < OVERRUN * rate else 0
            if overrun == 3:
                break

    def take_turns(self, rate):
        """One row per server: the medians of all rounds at this rate."""
        runs = {c.name: [] for c in self.contenders}
        for number in range(1, self.options.rounds + 1):
            for contender in self.contenders:
                print(f"{rate}/s, round {number}/{self.options.rounds}: {contender.name}", file=sys.stderr)
                try:
                    runs[contender.name].append(self.measure(contender, rate))
                except Failure as failure:
                    print(f"FAILED: {failure}", file=sys.stderr)
                    self.failures.append(f"{contender.name} at {rate}/s: {failure}")
        for name, results in runs.items():
            if results:
                medians = {key: statistics.median(result[key] for result in results) for key in results[0]}
                yield {"server": name, "attempted": rate} | medians

    def measure(self, contender, rate):
        with running(contender, LOAD.size, self.pages, self.scratch, self.server_core) as server:
            check_body(server.port, LOAD)
            before = self.times(server)
            said = httperf(self.load_core, server.port, rate)
            cpu, server_core, load_core = (after - start for after, start in zip(self.times(server), before))
            server.check_alive()
        others = max(server_core - cpu, load_core - said["user"] - said["system"])
        return row_of(said) | {"cpu_us": cpu / said["replies"] * 1e6, "others": max(others, 0) / said["seconds"]}

    def times(self, server):
        """CPU seconds: the server's, those of its core, and those of httperf's core."""
        return server.cpu_seconds(), core_seconds(self.server_core), core_seconds(self.load_core)


def write_csv(path, rows):
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})


def read_csv(path):
    with path.open(newline="") as text:
        return [{key: value if key == "server" else float(value) for key, value in row.items()}
                for row in csv.DictReader(text)]


FIGURE_HEAD = """
set terminal svg size 1040,400 dynamic enhanced font "Helvetica,Arial,sans-serif,13" background "white"
set output "{output}"
set multiplot layout 1,2 margins 0.05,0.845,0.16,0.9 spacing 0.075
set border 3 linecolor rgb "#444444"
set tics nomirror out textcolor rgb "#222222"
set grid ytics linecolor rgb "#dddddd" linetype 1 linewidth 0.6
set xrange [0:{most}]
set xlabel "attempted, 1000 requests/s"
set key at screen 0.86,0.88 left top vertical reverse Left samplen 3 spacing 1.4
"""


class Figure:
    """Two panels side by side, both over the attempted rate."""

    def __init__(self, output, rows):
        self.rows = rows
        self.lines = [FIGURE_HEAD.format(output=output, most=max(row["attempted"] for row in rows) / 1000 * 1.02)]

    def say(self, *lines):
        self.lines += lines

    def panel(self, title, column, scale, *first):
        """A panel for one column of the rows, multiplied by `scale`; the curves in `first` are drawn below the others."""
        curves = list(first)
        for name, label, colour, point, dash in SERIES:
            block = f"${column}{len(curves)}"
            points = [f"{row['attempted'] / 1000:g} {row[column] * scale:g}" for row in self.rows
                      if row["server"] == name]
            self.say(f"{block} << end", *points, "end")
            curves.append(f'{block} with linespoints linecolor rgb "{colour}" linewidth 1.8 dashtype {dash} '
                          f'pointtype {point} pointsize 0.6 title "{label}"')
        self.say(f'set title "{title}" offset 0,-0.4', "plot " + ", ".join(curves), "set key off")

    def draw(self):
        subprocess.run(["gnuplot"], input="\n".join(self.lines) + "\nunset multiplot\n", text=True, check=True)


def draw_figures(rows, out):
    ideal = 'x with lines linecolor rgb "#bbbbbb" linewidth 1 title "as attempted"'
    top = max(max(row["reply_rate"], row["request_rate"]) for row in rows) / 1000 * 1.15

    figure = Figure(out / "figure8.svg", rows)
    figure.say(f"set yrange [0:{top:g}]")
    figure.panel("requests sent, 1000/s", "request_rate", 0.001, ideal)
    # The rates at which the two servers of the paper began to fail.
    figure.say('set label 1 "2003: occwserv 0.7, Apache 1.3" at graph 0.14, graph 0.06 textcolor rgb "#444444"',
               'set arrow 1 from graph 0.13, graph 0.06 to 1.4, 1.0 size 0.6,20 linecolor rgb "#444444"',
               "$paper << end", "0.7 0.7", "1.3 1.3", "end")
    figure.panel("answers received, 1000/s", "reply_rate", 0.001, ideal,
                 '$paper with points pointtype 6 pointsize 0.5 linecolor rgb "#000000" notitle')
    figure.draw()

    figure = Figure(out / "figure9.svg", rows)
    figure.say("set yrange [0:*]")
    figure.panel("bandwidth, megabytes/s", "megabytes_per_second", 1)
    figure.say("set logscale y", "set yrange [1:2000]")
    figure.panel("most connections at once (httperf can have 1022)", "concurrent", 1)
    figure.draw()


def kept_up(rows, name):
    """The highest rate such that the server kept up with it and all lower rates; 0 if none."""
    highest = 0
    for row in sorted((r for r in rows if r["server"] == name), key=lambda r: r["attempted"]):
        if row["reply_rate"] < KEEPS_UP * row["attempted"]:
            break
        highest = row["attempted"]
    return highest


def circumstances(rows):
    """Describes the machine, and how idle it was."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    said = f"{names[0] if names else os.uname().machine}, {len(os.sched_getaffinity(0))} cores."
    disturbed = sum(row["others"] > DISTURBED for row in rows)
    if disturbed:
        said += (f"\n\n**Disturbed:** in {disturbed} of {len(rows)} measurements other programs had more than "
                 f"{DISTURBED:.0%} of a core. Repeat this on a quiet machine.")
    return said


def table(rows):
    lines = ["| | keeps up to, requests/s | connections/s | most answers/s | most MB/s | CPU us an answer |",
             "|---|---:|---:|---:|---:|---:|",
             "| occwserv, 2003 | 700 | 175 | | | |",
             "| Apache, 2003 | 1300 | 325 | | 10 (the network's limit) | |"]
    for name, title, *_ in SERIES:
        own = [row for row in rows if row["server"] == name]
        if own:
            highest = kept_up(rows, name)
            lines.append(f"| {title} | {highest:.0f} | {highest / REQUESTS_A_CONNECTION:.0f} "
                         f"| {max(row['reply_rate'] for row in own):.0f} "
                         f"| {max(row['megabytes_per_second'] for row in own):.0f} "
                         f"| {min(row['cpu_us'] for row in own):.0f} |")
    return "\n".join(lines)


def put_into(path, mark, text):
    """Replaces the text between the two comments with that name."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = path.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise SystemExit(f"{path} has no place for {mark}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release", help="a release build")
    parser.add_argument("--rounds", type=int, default=1, help="runs a server at each rate; their medians count")
    parser.add_argument("--rate", type=int, action="append", help="only this rate, in requests/s (repeatable)")
    parser.add_argument("--out", type=Path, default=contenders.PROJECT / "docs")
    parser.add_argument("--draw", action="store_true", help="only draw again what figures.csv has")
    options = parser.parse_args()
    options.build = options.build.resolve()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped as well
    failures = []
    if not options.draw:
        with directories() as (pages, scratch):
            experiment = Experiment(options, pages, scratch)
            experiment.run()
        failures = experiment.failures
        if not experiment.rows:
            raise SystemExit("nothing was measured")
        write_csv(options.out / "figures.csv", experiment.rows)
        put_into(options.out / "BENCHMARKS.md", "machine", circumstances(experiment.rows))
    rows = read_csv(options.out / "figures.csv")
    draw_figures(rows, options.out)
    put_into(options.out / "BENCHMARKS.md", "paper", table(rows))
    print(table(rows))
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
