#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what thousands of slow clients cost the server and the other clients.

Ordinary requests arrive at a modest, fixed rate on kept connections, in turns without and with slow clients: 3000 that
send a head, 3000 that send a body and 3000 that read an answer, a little every second, all at once; and some more of
each that are slower than the server tolerates (bench/slow). Then slowhttptest of Debian has a turn in its three modes at
once. No steady client may be cut off, every client that is too slow must be, and the ordinary requests must not be
delayed. The server has one core and the ordinary requests the other. The slow clients share the core of the requests,
which run as a real-time task where that is permitted: otherwise a request would wait some milliseconds for its turn on
a busy core, and that wait would be attributed to the server.
"""

import argparse
import csv
import functools
import json
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import contenders
from server_process import PAGE, Failure, Server, core_seconds, free_port, two_cores

DESCRIPTORS = 20000
LARGE = 64 * 1024 * 1024  # bytes; more than the kernel buffers for any client
ORDINARY = 8192
HEAD_SECONDS = STALL_SECONDS = 4  # shorter than the defaults, so that a turn does not take minutes
SLOW_SECONDS = 16  # two stall timeouts after the last client, and some more
KINDS = ("heads", "bodies", "readers")
MODES = {"-H": ["-i", "1", "-x", "32"], "-B": ["-i", "1", "-x", "32", "-s", "100000"],
         "-X": ["-w", "256", "-y", "1024", "-n", "1", "-z", "32"]}

CONFIGURATION = f"""
[patience]
head_seconds = {HEAD_SECONDS}
stall_seconds = {STALL_SECONDS}
[log]
error = "error.log"
"""


def tcp_memory():
    """Kernel memory of all TCP sockets of this machine, bytes."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * PAGE
    return 0


@functools.cache
def first_in_turn():
    """The prefix that gives a command real-time priority; empty if that is not permitted."""
    real_time = ["chrt", "--fifo", "1"]
    return real_time if subprocess.run([*real_time, "true"], capture_output=True).returncode == 0 else []


class Engine:
    """Runs all turns of one server."""

    def __init__(self, options, name, scratch):
        self.options = options
        self.name = name
        self.server_core, self.load_core = two_cores()
        self.scratch = scratch / name
        site = self.scratch / "site"
        site.mkdir(parents=True)
        (site / "page.html").write_bytes(b"x" * ORDINARY)
        with open(site / "large.bin", "wb") as large:
            large.truncate(LARGE)
        (self.scratch / "occwserv.toml").write_text(CONFIGURATION)
        self.port = free_port()
        self.command = [options.build / "occwserv", site, "--config", self.scratch / "occwserv.toml", "--workers", "1",
                        "--io", name, "--listen", f"127.0.0.1:{self.port}", "--access-log", self.scratch / "access.log"]
        self.turns = []

    def run(self):
        with Server(self.command, self.port, self.server_core, self.scratch) as server:
            self.ordinary(0.5)
            for number in range(1, self.options.rounds + 1):
                self.turn(server, number, "alone", lambda: None)
                self.turn(server, number, "beside slow clients", self.begin_slow)
            if shutil.which("slowhttptest"):
                self.turn(server, 1, "beside slowhttptest", self.begin_slowhttptest)
            server.check_alive()

    def on_load_core(self, *command):
        return ["taskset", "-c", str(self.load_core), *map(str, command)]

    def ordinary(self, seconds):
        command = first_in_turn() + self.on_load_core(self.options.build / "bench/load", "--port", self.port, "--path", "/page.html",
                                    "--length", ORDINARY, "--connections", 32, "--seconds", seconds, "--rate",
                                    self.options.rate, "--shares-its-core")
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
        result = json.loads(done.stdout)
        if result["errors"] or result["unsent"] or not result["answers"]:
            raise Failure(f"{result['errors']} errors, {result['unsent']} unsent; the first: {result['first_error']}")
        return result

    def turn(self, server, number, what, begin):
        print(f"{self.name}, round {number}: {what}", file=sys.stderr)
        slow = begin()
        try:
            cpu, core = server.cpu_seconds(), core_seconds(self.server_core)
            result = self.ordinary(self.options.seconds)
            cpu, core = server.cpu_seconds() - cpu, core_seconds(self.server_core) - core
            memory, kernel = server.memory()[0], tcp_memory()
            fates = slow.end() if slow else {}
        except BaseException:
            if slow:
                slow.kill()
            raise
        self.turns.append({"engine": self.name, "round": number, "turn": what, "p50_us": result["p50_us"],
                           "p99_us": result["p99_us"], "max_us": result["max_us"], "answers": result["answers"],
                           "cpu_percent": 100 * cpu / self.options.seconds, "rss_bytes": memory,
                           "others_percent": 100 * max(0.0, core - cpu) / self.options.seconds,
                           "kernel_tcp_bytes": kernel} | fates)

    def begin_slow(self):
        return Slow(self.on_load_core(self.options.build / "bench/slow", "--port", self.port, "--path", "/large.bin",
                                      "--steady", self.options.clients, "--too-slow", self.options.too_slow,
                                      "--seconds", SLOW_SECONDS))

    def begin_slowhttptest(self):
        return SlowHttpTest([
            self.on_load_core("slowhttptest", mode, "-c", self.options.clients, "-r", self.options.clients // 2,
                              "-l", int(self.options.seconds) + 4, "-v", "1", "-u",
                              f"http://127.0.0.1:{self.port}/{'large.bin' if mode == '-X' else 'page.html'}", *more)
            for mode, more in MODES.items()])


class Slow:
    """Starts our slow clients, and waits until all are connected."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.kill()
            raise Failure("the slow clients did not get ready")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        out, _ = self.process.communicate(timeout=SLOW_SECONDS + 10)
        said = json.loads(out)
        fates = {}
        for name in (f"{pace}_{kind}" for pace in ("steady", "too_slow") for kind in KINDS):
            fates |= {f"{name}_open": said[name]["open"], f"{name}_cut_off": said[name]["cut_off"],
                      f"{name}_failed": said[name]["failed"], f"{name}_after_seconds": said[name]["after_seconds"]}
        return fates


class SlowHttpTest:
    """Runs slowhttptest of Debian in all its modes at once. It reports whether it found the service available."""

    def __init__(self, commands):
        self.processes = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                           errors="replace") for c in commands]

    def kill(self):
        for p in self.processes:
            p.kill()
            p.wait()

    def end(self):
        said = [p.communicate(timeout=60)[0] for p in self.processes]
        return {"slowhttptest_available": sum("service available:" in s and "NO" not in s.rsplit(
            "service available:", 1)[1].split("\n", 1)[0] for s in said)}


def median(turns, what, figure):
    figures = [t[figure] for t in turns if t["turn"] == what]
    return statistics.median(figures) if figures else None


def print_tables(turns, options):
    print(f"\nOrdinary requests for 8 KiB, {options.rate} a second over 32 connections, beside 3 x {options.clients} "
          f"steady and 3 x {options.too_slow} too slow clients")
    print(f"{'':28}{'p50 us':>9}{'p99 us':>23}{'server CPU':>12}{'RSS MB':>8}{'bytes a client':>16}"
          f"{'TCP in kernel MB':>18}")
    for engine in dict.fromkeys(t["engine"] for t in turns):
        mine = [t for t in turns if t["engine"] == engine]
        alone = next(t["rss_bytes"] for t in mine if t["turn"] == "alone")  # before the first slow client
        for what in dict.fromkeys(t["turn"] for t in mine):
            tails = [t["p99_us"] for t in mine if t["turn"] == what]
            spread = f"{statistics.median(tails):.0f} ({min(tails)}-{max(tails)})"
            rss = max(t["rss_bytes"] for t in mine if t["turn"] == what)
            clients = 3 * (options.clients + (options.too_slow if "slow clients" in what else 0))
            each = f"{(rss - alone) / clients:.0f}" if what != "alone" else "-"
            print(f"{engine + ', ' + what:28}{median(mine, what, 'p50_us'):9.0f}{spread:>23}"
                  f"{median(mine, what, 'cpu_percent'):11.1f}%{rss / 1e6:8.1f}{each:>16}"
                  f"{median(mine, what, 'kernel_tcp_bytes') / 1e6:18.1f}")
    print("\nOf the slow clients, in all rounds:")
    print(f"{'':30}{'steady, cut off':>18}{'too slow, cut off':>20}{'after':>10}")
    for engine in dict.fromkeys(t["engine"] for t in turns):
        mine = [t for t in turns if t["engine"] == engine and t["turn"] == "beside slow clients"]
        for kind in KINDS:
            steady = [sum(t[f"steady_{kind}_{f}"] for t in mine) for f in ("cut_off", "open", "failed")]
            slow = [sum(t[f"too_slow_{kind}_{f}"] for t in mine) for f in ("cut_off", "open", "failed")]
            after = max(t[f"too_slow_{kind}_after_seconds"] for t in mine)
            print(f"{engine + ', ' + kind:30}{f'{steady[0]} of {sum(steady)}':>18}{f'{slow[0]} of {sum(slow)}':>20}"
                  f"{after:>8.1f} s")
            if steady[2] + slow[2]:
                print(f"{'':30}and {steady[2] + slow[2]} could not connect")
        for t in turns:
            if t["engine"] == engine and "slowhttptest_available" in t:
                print(f"{engine}: slowhttptest found the service available in {t['slowhttptest_available']} of its 3 modes")
    if not first_in_turn():
        print("The ordinary requests had to share their core with the slow clients: see the beginning of this program.")
    disturbed = [t for t in turns if t["others_percent"] > 5]
    if disturbed:
        print(f"DISTURBED: in {len(disturbed)} of {len(turns)} turns others had more than 5 % of the server's core.")


def what_is_wrong(turns):
    """The violations, which must be none on any machine."""
    for t in turns:
        for kind in KINDS:
            if t.get(f"steady_{kind}_cut_off"):
                yield f"{t['engine']}: {t[f'steady_{kind}_cut_off']} steady {kind} were cut off"
            if t.get(f"too_slow_{kind}_open"):
                yield f"{t['engine']}: {t[f'too_slow_{kind}_open']} too slow {kind} were not cut off"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release", help="a release build")
    parser.add_argument("--engine", action="append", choices=["epoll", "uring"], help="only this one")
    parser.add_argument("--clients", type=int, default=3000, help="steady slow clients of each kind")
    parser.add_argument("--too-slow", type=int, default=200, help="more of each kind, to be cut off")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8, help="of ordinary requests, each turn")
    parser.add_argument("--rate", type=int, default=500, help="ordinary requests a second")
    parser.add_argument("--csv", type=Path, help="write every turn here")
    options = parser.parse_args()
    options.build = options.build.resolve()

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < DESCRIPTORS:
        parser.error(f"a process may open {most} files; {DESCRIPTORS} are wanted")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped as well
    turns, failures = [], []
    with tempfile.TemporaryDirectory(prefix="bench-slow-") as scratch:
        for name in options.engine or ["epoll", "uring"]:
            engine = Engine(options, name, Path(scratch))
            try:
                engine.run()
            except Failure as failure:
                failures.append(f"{name}: {failure}")
            turns += engine.turns
    if turns:
        print_tables(turns, options)
    failures += what_is_wrong(turns)
    for failure in failures:
        print(f"FAILED: {failure}")
    if options.csv and turns:
        with options.csv.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(dict.fromkeys(key for t in turns for key in t)))
            writer.writeheader()
            writer.writerows(turns)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
