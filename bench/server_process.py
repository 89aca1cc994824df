# SPDX-License-Identifier: MIT
"""A server under measurement: started on one core, watched through /proc, stopped by its process ids."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Failure(Exception):
    """A server did not start, died, or answered wrongly."""


def two_cores():
    """The core of the servers and the core of the load."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load")
    return cores[0], cores[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def core_seconds(core):
    """The time this core has been busy since boot, for all processes."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq = map(int, ticks[:7])
            return (user + nice + system + irq + softirq) / TICKS
    raise KeyError(core)


def process_table():
    """{pid: the fields of /proc/pid/stat after the name}"""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                table[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                pass  # the process has just ended
    return table


class Server:
    """A context manager: the server runs within it, and afterwards none of its processes is left."""

    def __init__(self, command, port, core, scratch, directory=None):
        self.command = ["taskset", "-c", str(core)] + [str(word) for word in command]
        self.port = port
        self.directory = directory or scratch
        self.output = scratch / "output"

    def __enter__(self):
        with self.output.open("wb") as output:
            # Its own session identifies its processes, even one that has lost its parent.
            self.process = subprocess.Popen(self.command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True)
        try:
            self._wait_until_listening()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def _wait_until_listening(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failure(f"does not listen on port {self.port}: {self.last_words()}")

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failure(f"ended by itself with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it printed nothing)"

    def pids(self):
        table = process_table()
        leader = self.process.pid
        found = {pid for pid, stat in table.items() if int(stat[3]) == leader}
        if self.process.returncode is None:
            found.add(leader)
        more = True
        while more:  # descendants in other sessions
            more = {pid for pid, stat in table.items() if int(stat[1]) in found} - found
            found |= more
        return found

    def cpu_seconds(self):
        """User and system time of all its processes, their threads, and their children that have ended."""
        table = process_table()
        return sum(sum(map(int, table[pid][11:15])) for pid in self.pids() if pid in table) / TICKS

    def memory(self):
        """Resident bytes of all its processes, and their proportional share (None if it may not be read)."""
        rss = pss = 0
        for pid in self.pids():
            rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except PermissionError:
                pss = None
            if pss is not None:
                pss += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
        return rss, pss
