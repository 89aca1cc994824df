#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares servers that run programs by CGI: requests a second, CPU time per request, and the latency of others meanwhile.

    cgi.py [--rounds 3] [--seconds 2] [--server occw --server lighttpd] [--part throughput] [--csv build/cgi.csv]

First, a trivial program in C, linked dynamically and statically, in a closed loop. Then the latency of a static page at a
fixed rate: alone, while 50 programs wait, while 50 programs stream, and while four compute. The servers take turns (A B C D
A B C D ...), each is restarted for every measurement, and the tables show medians.

Every server has one core, for itself and its programs, and the load has another. The CPU time is that of the server and
of all its programs, those that have ended and those that nobody waited for included: they are in a control group, whose
time is read. Where no control group can be made, it is the time that the server's core was busy.
"""

import argparse
import csv
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import contenders
from server_process import Failure, Server, core_seconds, free_port, two_cores

CONNECTIONS = 8
HELLO_BYTES = 6
PAGE_BYTES = 8192
WARM_UP_SECONDS = 0.5
PAGE_RATE = 500  # requests for the static page a second, beside other work
LINKED = ("dynamic", "static")


# --- the servers ------------------------------------------------------------------------------------------------------

MODULES = "/usr/lib/apache2/modules"

# A Content-Length of the program is passed on only with ap_trust_cgilike_cl.
APACHE_CGI = """
LoadModule alias_module {modules}/mod_alias.so
LoadModule env_module {modules}/mod_env.so
SetEnv ap_trust_cgilike_cl yes
LoadModule cgid_module {modules}/mod_cgid.so
ScriptSock {s.scratch}/cgid
ScriptAlias /cgi-bin/ {programs}/
<Directory {programs}>
    Options +ExecCGI
</Directory>
"""

# The output is passed on as it comes, as by the others.
LIGHTTPD_CGI = """
server.modules += ("mod_alias", "mod_cgi")
server.stream-response-body = 1
alias.url = ("/cgi-bin/" => "{programs}/")
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = ("" => "") }}
"""

# As root, it would look at each request whether others than root may change the program.
OCCWSERV_CGI = """
{user}
[[route]]
path = "/cgi-bin/*"
cgi = {{ directory = "{programs}", running = 64 }}
"""


def occwserv_command(executable, s, programs, engine):
    config = s.scratch / "occwserv.toml"
    user = f'user = "{contenders.UNPRIVILEGED}"' if os.geteuid() == 0 else ""
    config.write_text(OCCWSERV_CGI.format(user=user, programs=programs))
    return [*contenders.occwserv_command(executable, s, engine), "--config", config]


def lighttpd_command(executable, s, programs):
    command = contenders.lighttpd_command(executable, s)
    with open(s.scratch / "lighttpd.conf", "a") as config:
        config.write(LIGHTTPD_CGI.format(programs=programs))
    return command


def apache_command(executable, s, programs):
    command = contenders.apache_command(executable, s)
    with open(s.scratch / "apache.conf", "a") as config:
        config.write(APACHE_CGI.format(s=s, programs=programs, modules=MODULES))
    return command


@dataclass
class Contender:
    name: str
    executable: Path | None
    prepare: Callable


def all_contenders(build):
    executables = {c.name: c.executable for c in contenders.contenders(build)}
    return [
        Contender("occwserv uring", executables["occwserv uring"], lambda e, s, p: occwserv_command(e, s, p, "uring")),
        Contender("occwserv epoll", executables["occwserv epoll"], lambda e, s, p: occwserv_command(e, s, p, "epoll")),
        Contender("lighttpd", executables["lighttpd"], lighttpd_command),
        Contender("apache", executables["apache"], apache_command),
    ]


def floor_of(build, linked):
    """The floor runs only one program."""
    program = build / "bench" / f"hello-{linked}"
    return Contender("floor", build / "bench/cgi_floor",
                     lambda e, s, _: [e, "--port", s.port, "--program", program])


# --- their CPU time ---------------------------------------------------------------------------------------------------


def unified_hierarchy():
    """The directory of this process in the hierarchy of control groups; None if there is none."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            own = next(l for l in Path("/proc/self/cgroup").read_text().splitlines() if l.startswith("0::"))
            return Path(where + own[3:].rstrip("/"))
    return None


class Group:
    """A control group for a server and its programs, or else the core on which they run."""

    def __init__(self, core):
        self.core = core
        self.directory = None
        parent = unified_hierarchy()
        if parent is not None:
            try:
                directory = parent / f"occwserv-bench-{os.getpid()}"
                directory.mkdir()
                self.directory = directory
                self.cpu_seconds()
            except (OSError, StopIteration):
                self.remove()

    def prefix(self):
        """Put before a command, it makes the command a member of the group."""
        if self.directory is None:
            return []
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self.directory / "cgroup.procs"]

    def cpu_seconds(self):
        if self.directory is None:
            return core_seconds(self.core)
        usage = (self.directory / "cpu.stat").read_text().split("\n", 1)[0]
        return int(usage.removeprefix("usage_usec ")) / 1e6

    def members(self):
        if self.directory is None:
            return []
        return [int(pid) for pid in (self.directory / "cgroup.procs").read_text().split()]

    def kill(self):
        """Programs that a server has left behind."""
        for _ in range(500):
            if not self.members():
                return
            for pid in self.members():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)

    def remove(self):
        if self.directory is not None:
            self.kill()
            self.directory.rmdir()
            self.directory = None


# --- loads ------------------------------------------------------------------------------------------------------------


class Busy:
    """Clients of programs that do not end. A thread reads and discards what they stream."""

    def __init__(self, port, count, how):
        self.sockets = [self._begin(port, how) for _ in range(count)]
        self.leaving = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    @staticmethod
    def _begin(port, how):
        s = socket.create_connection(("127.0.0.1", port), 30)
        s.sendall(f"GET /cgi-bin/busy?{how} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        arrived = b""
        while b"begun" not in arrived:
            more = s.recv(65536)
            if not more:
                raise Failure(f"the program that should {how} did not begin: {arrived[:200]!r}")
            arrived += more
        s.setblocking(False)
        return s

    def _read(self):
        while not self.leaving.wait(0.1):
            for s in self.sockets:
                try:
                    s.recv(65536)
                except BlockingIOError:
                    pass

    def end(self):
        self.leaving.set()
        self.reader.join()
        for s in self.sockets:
            s.close()


BESIDE = {  # what runs beside the static page: how many programs, and what they do
    "alone": (0, ""),
    "50 wait": (50, "wait"),
    "50 stream": (50, "stream"),
    "4 compute": (4, "compute"),
}


class Comparison:
    def __init__(self, options, scratch):
        self.options = options
        self.scratch = scratch
        self.server_core, self.load_core = two_cores()
        self.pages, self.programs = scratch / "pages", scratch / "cgi-bin"
        for directory in (scratch, self.pages, self.programs):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)  # for servers that drop privileges
        (self.pages / "page.html").write_bytes(b"x" * PAGE_BYTES)
        for name in ("hello-dynamic", "hello-static", "busy"):
            shutil.copy(options.build / "bench" / name, self.programs / name)
        self.contenders = [c for c in all_contenders(options.build) if c.executable is not None
                           and (not options.server or any(c.name.startswith(s) for s in options.server))]
        self.measured = []
        self.failures = []
        self.in_group = True

    def run(self):
        for number in range(1, self.options.rounds + 1):
            if "throughput" in self.options.part:
                for linked in LINKED:
                    for contender in [floor_of(self.options.build, linked), *self.contenders]:
                        self.turn(number, contender, f"hello, {linked}", lambda server, group: self.hello(server, group, linked))
            if "latency" in self.options.part:
                for beside in BESIDE:
                    for contender in self.contenders:
                        self.turn(number, contender, beside, lambda server, group: self.page(server, beside))

    def turn(self, number, contender, what, measure):
        print(f"round {number}/{self.options.rounds}, {what}: {contender.name}", file=sys.stderr)
        which = {"server": contender.name, "what": what, "round": number}
        try:
            with self.running(contender) as (server, group):
                self.measured.append(which | measure(server, group))
                server.check_alive()
        except Failure as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            self.failures.append(which | {"failure": str(failure)})

    @contextmanager
    def running(self, contender):
        own = self.scratch / contender.name.replace(" ", "-")
        own.mkdir(mode=0o755)
        with ExitStack() as after:
            after.callback(shutil.rmtree, own)
            group = Group(self.server_core)
            after.callback(group.remove)
            self.in_group &= group.directory is not None
            setting = contenders.Setting(port=free_port(), pages=self.pages, scratch=own, size=HELLO_BYTES)
            command = contender.prepare(contender.executable, setting, self.programs)
            server = after.enter_context(Server([*group.prefix(), *command], setting.port, self.server_core, own))
            yield server, group

    def load(self, port, path, length, *words):
        command = ["taskset", "-c", self.load_core, self.options.build / "bench/load", "--port", port, "--path", path,
                   "--length", length, *words]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=self.options.seconds + 120)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise SystemExit(f"the load generator failed: {done.stderr or done.stdout}")
        if result["errors"] or not result["answers"]:
            raise Failure(f"{result['errors']} errors, {result['answers']} answers; the first: {result['first_error']}")
        return result

    def hello(self, server, group, linked):
        ask = lambda seconds: self.load(server.port, f"/cgi-bin/hello-{linked}", HELLO_BYTES, "--connections", CONNECTIONS,
                                        "--seconds", seconds)
        ask(WARM_UP_SECONDS)
        cpu = group.cpu_seconds()
        result = ask(self.options.seconds)
        cpu = group.cpu_seconds() - cpu
        return {"per_second": result["per_second"], "cpu_us": cpu / result["answers"] * 1e6, "p99_us": result["p99_us"]}

    def page(self, server, beside):
        ask = lambda seconds: self.load(server.port, "/page.html", PAGE_BYTES, "--connections", 32, "--seconds", seconds,
                                        "--rate", PAGE_RATE)
        ask(WARM_UP_SECONDS)
        busy = Busy(server.port, *BESIDE[beside])
        try:
            result = ask(self.options.seconds)
        finally:
            busy.end()
        if result["unsent"]:
            raise Failure(f"was far behind {PAGE_RATE}/s: {result['unsent']} requests had no free connection in time")
        return {name: result[name] for name in ("per_second", "p50_us", "p99_us", "max_us")}

    def figures(self, what, server, figure):
        return [m[figure] for m in self.measured if m["what"] == what and m["server"] == server]

    def median(self, what, server, figure):
        figures = self.figures(what, server, figure)
        return statistics.median(figures) if figures else None

    def print_tables(self):
        for linked in LINKED:
            what = f"hello, {linked}"
            if not any(m["what"] == what for m in self.measured):
                continue
            print(f"\na trivial program, linked {'dynamically' if linked == 'dynamic' else 'statically'}; "
                  f"{CONNECTIONS} connections")
            print(f"{'':18}{'requests/s':>12}{'spread':>15}{'CPU us':>9}{'spread':>12}{'x floor':>9}{'p99 us':>9}")
            for name in ["floor", *(c.name for c in self.contenders)]:
                self.print_hello(what, name)
        if any(m["what"] in BESIDE for m in self.measured):
            print(f"\na static page of {PAGE_BYTES} bytes at {PAGE_RATE}/s: median and spread of p99 us, beside programs that ...")
            print(f"{'':18}" + "".join(f"{beside:>24}" for beside in BESIDE))
            for name in [c.name for c in self.contenders]:
                cells = [self.figures(beside, name, "p99_us") for beside in BESIDE]
                print(f"{name:18}" + "".join(
                    f"{statistics.median(c):>9.0f} ({min(c)}-{max(c)})".rjust(24) if c else f"{'FAILED':>24}" for c in cells))
        print(f"\nMedians of {self.options.rounds} rounds of {self.options.seconds} s, in turns; spread: smallest-largest. "
              "CPU us: a request, of the server\nand all its programs"
              + (", by their control group." if self.in_group else ": all that their core did, since no control group could be made."))
        for f in self.failures:
            print(f"FAILED: {f['server']}, {f['what']}, round {f['round']}: {f['failure']}")

    def print_hello(self, what, name):
        cpu, rates = self.figures(what, name, "cpu_us"), self.figures(what, name, "per_second")
        if not cpu:
            print(f"{name:18}  FAILED, see below")
            return
        floor = self.median(what, "floor", "cpu_us")
        over = f"{statistics.median(cpu) / floor:.2f}" if floor else "-"
        print(f"{name:18}{statistics.median(rates):12.0f}{f'{min(rates):.0f}-{max(rates):.0f}':>15}"
              f"{statistics.median(cpu):9.0f}{f'{min(cpu):.0f}-{max(cpu):.0f}':>12}{over:>9}"
              f"{self.median(what, name, 'p99_us'):9.0f}")

    def write_csv(self, path):
        with path.open("w", newline="") as out:
            columns = ["server", "what", "round", "per_second", "cpu_us", "p50_us", "p99_us", "max_us", "failure"]
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(self.measured + self.failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--server", action="append", help="only servers whose names begin with this")
    parser.add_argument("--part", action="append", choices=("throughput", "latency"))
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    options.part = options.part or ["throughput", "latency"]
    options.build = options.build.resolve()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped as well
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bench-cgi-", dir=memory) as scratch:
        comparison = Comparison(options, Path(scratch))
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
