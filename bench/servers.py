#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares web servers: CPU time per answer, and the 99th percentile of the latency.

Every server has one worker on one core, and the load generator has another core. The servers take turns
(A B C D A B C D ...). Each is restarted and warmed up for every measurement, and the table shows medians. First comes a
closed loop, in which each server runs as fast as it can, then an open loop with the same offered rate for all, so that
the latencies can be compared.
"""

import argparse
import csv
import http.client
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import contenders
from server_process import Failure, Server, core_seconds, free_port, two_cores

WARM_UP_SECONDS = 0.5
# The rate for comparing latencies, as a fraction of the throughput of the slowest server that takes part.
OFFERED = 0.6
# Servers below this fraction of the median throughput do not take part: the rate would be so low that the others were
# idle.
TOO_SLOW = 0.25
# A measurement is unreliable if other processes used the core of the server for more than this fraction of its own
# time.
DISTURBED = 0.15


@dataclass
class Load:
    key: str
    title: str
    size: int
    connections: int
    requests_per_connection: int = 0
    pipeline: int = 1  # requests in one write
    part: int = 0  # bytes of the file per request; 0: all of it
    status: int = 200
    distinct: bool = False  # each request is for a different name

    def page(self):
        return f"/{self.key}.{'mp4' if self.part else 'html'}"

    def exists(self):
        return self.status != 404

    def suits(self, contender):
        """The floor has only one answer."""
        return self.status == 200 or not contender.name.startswith("floor")

    def length(self):
        """Length of each answer; None: not checked, for an error page."""
        return (self.part or self.size) if self.exists() else None


LOADS = [
    Load("paper", "8 KiB, 4 requests a connection, then close", 8192, 32, 4),
    Load("8k", "8 KiB, keep-alive", 8192, 32),
    Load("100b", "100 bytes, keep-alive", 100, 32),
    Load("1m", "1 MiB, keep-alive", 1 << 20, 32),
    Load("pipeline", "8 KiB, sixteen requests in one piece", 8192, 32, pipeline=16),
    Load("missing", "404", 0, 32, status=404),
    Load("scan", "404, another name each time", 0, 32, status=404, distinct=True),
    Load("video", "64 KiB ranges of 30 MB, one after the other", 30_000_000, 32, part=65536, status=206),
]


def body(size):
    return b"x" * size


@contextmanager
def directories():
    """The document root, on disk, and a scratch directory, in memory if possible."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as pages, \
            tempfile.TemporaryDirectory(prefix="bench-", dir=memory) as scratch:
        for directory in map(Path, (pages, scratch)):
            directory.chmod(0o755)  # for servers that drop privileges
        for load in filter(Load.exists, LOADS):
            Path(pages, load.page()[1:]).write_bytes(body(load.size))
        yield Path(pages), Path(scratch)


@contextmanager
def running(contender, size, pages, scratch, core):
    """Starts the server with its own empty scratch directory."""
    own = scratch / contender.name.replace(" ", "-")
    own.mkdir(mode=0o755)
    try:
        setting = contenders.Setting(port=free_port(), pages=pages, scratch=own, size=size)
        with Server(contender.prepare(contender.executable, setting), setting.port, core, own) as server:
            yield server
    finally:
        shutil.rmtree(own)


def is_right(answer, load):
    if not load.exists():
        answer.read()
        return answer.status == load.status
    return answer.status == load.status and answer.read() == body(load.length())


def check_body(port, load):
    fields = {"Range": f"bytes=0-{load.part - 1}"} if load.part else {}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for _ in range(2):
            client.request("GET", load.page(), headers=fields)
            answer = client.getresponse()
            if not is_right(answer, load):
                raise Failure(f"wrong answer to {load.page()} (status {answer.status})")
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"no answer to {load.page()}: {error!r}") from error
    finally:
        client.close()


def apply_load(generator, core, port, load, seconds, rate):
    command = ["taskset", "-c", core, generator, "--port", port, "--path", load.page(),
               "--status", load.status, "--pipeline", load.pipeline, "--connections", load.connections, "--requests-per-connection", load.requests_per_connection,
               "--seconds", seconds, "--rate", rate]
    if load.length() is not None:
        command += ["--length", load.length()]
    if load.part:
        command += ["--range-of", load.size]
    if load.distinct:
        command += ["--distinct"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds + 60)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"the load generator failed: {done.stderr or done.stdout}")
    if result["errors"] or not result["answers"]:
        raise Failure(f"{result['errors']} errors, {result['answers']} answers; the first: {result['first_error']}")
    return result


class Comparison:
    def __init__(self, options, pages, scratch):
        self.options = options
        self.pages = pages
        self.scratch = scratch
        self.server_core, self.load_core = two_cores()
        self.generator = options.build / "bench/load"
        everyone = contenders.contenders(options.build)
        wanted = [c for c in everyone if not options.server or any(c.name.startswith(s) for s in options.server)]
        self.absent = [c.name for c in wanted if c.executable is None]
        self.contenders = [c for c in wanted if c.executable is not None]
        self.loads = [load for load in LOADS if not options.load or load.key in options.load]
        self.measured = []  # one dictionary per measurement
        self.failures = []  # likewise, with the reason under "failure"

    def run(self):
        self.take_turns({load.key: 0 for load in self.loads})
        if not self.options.no_rate:  # except for pipelined requests
            self.take_turns({load.key: self.common_rate(load) for load in self.loads if load.pipeline == 1})

    def take_turns(self, rates):
        for number in range(1, self.options.rounds + 1):
            for load in [load for load in self.loads if load.key in rates]:
                for contender in filter(load.suits, self.contenders):
                    offered = rates[load.key]
                    if offered and contender.name not in self.keeping_up(load):
                        continue
                    what = f"{offered}/s" if offered else "closed loop"
                    print(f"round {number}/{self.options.rounds}, {load.key}, {what}: {contender.name}",
                          file=sys.stderr)
                    which = {"server": contender.name, "load": load.key, "round": number, "rate": offered}
                    try:
                        self.measured.append(which | self.measure(contender, load, offered))
                    except Failure as failure:
                        print(f"FAILED: {failure}", file=sys.stderr)
                        self.failures.append(which | {"failure": str(failure)})

    def measure(self, contender, load, rate):
        with running(contender, load.size, self.pages, self.scratch, self.server_core) as server:
            check_body(server.port, load)
            apply_load(self.generator, self.load_core, server.port, load, WARM_UP_SECONDS, rate)
            cpu, core = server.cpu_seconds(), core_seconds(self.server_core)
            result = apply_load(self.generator, self.load_core, server.port, load, self.options.seconds, rate)
            cpu, core = server.cpu_seconds() - cpu, core_seconds(self.server_core) - core
            server.check_alive()
        if result["unsent"]:
            raise Failure(f"was far behind {rate}/s: {result['unsent']} requests had no free connection in time")
        return {
            "answers": result["answers"], "per_second": result["per_second"],
            "cpu_us": cpu / result["answers"] * 1e6, "core_us": core / result["answers"] * 1e6,
            "p50_us": result["p50_us"], "p99_us": result["p99_us"], "max_us": result["max_us"],
        }

    def figures(self, load, name, figure, loop):
        return [m[figure] for m in self.measured
                if m["load"] == load.key and m["server"] == name and (m["rate"] > 0) == (loop == "open")]

    def median(self, load, name, figure, loop="closed"):
        figures = self.figures(load, name, figure, loop)
        return statistics.median(figures) if figures else None

    def keeping_up(self, load):
        """{name: throughput}, without the servers that are too slow."""
        all_of_them = {c.name: self.median(load, c.name, "per_second") for c in self.contenders}
        known = {name: throughput for name, throughput in all_of_them.items() if throughput}
        least = TOO_SLOW * statistics.median(known.values()) if known else 0
        return {name: throughput for name, throughput in known.items() if throughput >= least}

    def common_rate(self, load):
        return int(OFFERED * min(self.keeping_up(load).values(), default=0))

    def cheapest_other(self, load):
        """(CPU time per answer, name) of the cheapest server except the floor and occwserv; (None, None) if there is none."""
        others = [(self.median(load, c.name, "cpu_us"), c.name) for c in self.contenders if c.other]
        return min((o for o in others if o[0]), default=(None, None))

    def print_tables(self):
        for load in self.loads:
            rate = next((m["rate"] for m in self.measured if m["load"] == load.key and m["rate"]), None)
            _, cheapest = self.cheapest_other(load)
            print(f"\n{load.title}; {load.connections} connections; cheapest other: {cheapest or '-'}")
            at_rate = f"at {rate}/s: p99 us" if rate else "p99 us"
            print(f"{'':18}{'CPU us':>9}{'spread':>8}{'x floor':>9}{'x nginx':>9}{'x cheapest other':>18}"
                  f"{'answers/s':>11}{'busy':>6}{'p99 us':>9}{at_rate:>24}{'spread':>12}")
            for name in [c.name for c in self.contenders if load.suits(c)]:
                self.print_row(load, name)
            for name in self.absent:
                print(f"{name:18}  absent")
        print(f"\nMedians of {self.options.rounds} rounds of {self.options.seconds} s. CPU: user and system time of "
              "all processes of the server,\nan answer, closed loop. spread: (largest - smallest) / median for CPU, "
              "smallest-largest for p99.\nx floor: to floor epoll. x nginx: to the better nginx. x cheapest other: to "
              "the cheapest that is neither the floor nor ours.\nbusy: the server's share of its core; well below "
              "100 %, the load generator was the limit, or the core was not its own.\n"
              f"No p99 at the common rate: below {TOO_SLOW:.0%} of the median throughput.")
        disturbed = [m for m in self.measured if m["core_us"] - m["cpu_us"] > DISTURBED * m["cpu_us"]]
        if disturbed:
            print(f"DISTURBED: in {len(disturbed)} of {len(self.measured)} measurements the server's core also "
                  "worked for others; run this on a quiet machine.")
        for f in self.failures:
            what = f"at {f['rate']}/s" if f["rate"] else "closed loop"
            print(f"FAILED: {f['server']}, {f['load']}, {what}, round {f['round']}: {f['failure']}")

    def print_row(self, load, name):
        cpu = self.median(load, name, "cpu_us")
        if cpu is None:
            print(f"{name:18}  FAILED, see below")
            return
        all_cpu = self.figures(load, name, "cpu_us", "closed")
        floor = self.median(load, "floor epoll", "cpu_us")
        nginx = min(filter(None, (self.median(load, n, "cpu_us") for n in ("nginx", "nginx file cache"))), default=None)
        other, _ = self.cheapest_other(load)
        over = [f"{cpu / base:.2f}" if base else "-" for base in (floor, nginx, other)]
        throughput = self.median(load, name, "per_second")
        tails = self.figures(load, name, "p99_us", "open")
        tail, tail_spread = (f"{statistics.median(tails):.0f}", f"{min(tails)}-{max(tails)}") if tails else ("-", "-")
        print(f"{name:18}{cpu:9.2f}{(max(all_cpu) - min(all_cpu)) / cpu:8.1%}{over[0]:>9}{over[1]:>9}{over[2]:>18}"
              f"{throughput:11.0f}{throughput * cpu / 1e6:6.0%}{self.median(load, name, 'p99_us'):9.0f}"
              f"{tail:>24}{tail_spread:>12}")

    def write_csv(self, path):
        with path.open("w", newline="") as out:
            columns = ["server", "load", "round", "rate", "answers", "per_second", "cpu_us", "core_us", "p50_us",
                       "p99_us", "max_us", "failure"]
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(self.measured + self.failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release", help="a release build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--server", action="append", help="only servers whose name begins so (repeatable)")
    parser.add_argument("--load", action="append", choices=[load.key for load in LOADS], help="only this (repeatable)")
    parser.add_argument("--no-rate", action="store_true", help="leave the open loop out")
    parser.add_argument("--csv", type=Path, help="write every measurement here")
    options = parser.parse_args()
    options.build = options.build.resolve()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped as well
    with directories() as (pages, scratch):
        comparison = Comparison(options, pages, scratch)
        try:
            comparison.run()
        finally:
            if comparison.measured or comparison.failures:
                comparison.print_tables()
            if options.csv:
                comparison.write_csv(options.csv)
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
