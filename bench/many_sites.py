#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the cost of a large configuration: `check`, `reload`, and CPU time per answer, compared with a single site.

    many_sites.py [--server build/release/occwserv] [--rounds 5] [--answers 20000]

The answers are measured in turns, for a cached page. Their elapsed time is not reported, because this script is the
load.
"""

import argparse
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from server_process import Failure, free_port

CONNECTIONS = 8
PAGE = b"a page of a site\n" * 60


def site(home, number, routes):
    root = home / f"s{number}"
    root.mkdir(exist_ok=True)
    (root / "a.html").write_bytes(PAGE)
    text = f'[[site]]\nnames = "s{number}.example"\nroot = "{root}"\n'
    kinds = ("/old{}/x/*", "/gone{}", "*.x{}")
    for i in range(routes):
        text += f'  [[site.route]]\n  path = "{kinds[i % 3].format(i)}"\n  status = 410\n'
    return text


CONFIGURATIONS = {  # number of sites, and of routes in each
    "1 site": (1, 0),
    "1 site, 1000 routes": (1, 1000),
    "1000 sites": (1000, 0),
    "1000 sites, 5 routes each": (1000, 5),
}


class Served:
    """A server with this configuration, one worker, and no access log."""

    def __init__(self, binary, engine, home, sites, routes):
        self.home, self.binary, self.host = home, binary, f"s{sites // 2}.example"
        home.mkdir()
        self.file, self.control, self.port = home / "occwserv.toml", home / "c", free_port()
        self.file.write_text("".join(site(home, n, routes) for n in range(sites)))
        words = ["--config", self.file, "--listen", f"127.0.0.1:{self.port}", "--workers", "1", "--io", engine,
                 "--access-log", "", "--error-log", home / "error.log", "--control", self.control]
        self.process = subprocess.Popen([binary, *map(str, words)], stdin=subprocess.DEVNULL)

    def wait(self):
        for _ in range(500):
            if self.process.poll() is None and "notice: using" in self._log():
                return
            time.sleep(0.02)
        raise Failure("the server does not start")

    def _log(self):
        log = self.home / "error.log"
        return log.read_text() if log.exists() else ""

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def seconds(self, *command):
        began = time.monotonic()
        subprocess.run([self.binary, *map(str, command)], check=True, capture_output=True)
        return time.monotonic() - began

    def check(self):
        return self.seconds("check", "--config", self.file)

    def reload(self):
        return self.seconds("reload", "--control", self.control)

    def descriptors(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu(self):
        """CPU time of all its threads, nanoseconds."""
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in Path(f"/proc/{self.process.pid}/task").iterdir())

    def cpu_of_an_answer(self, answers):
        """CPU time per answer in microseconds, on kept connections with one request at a time."""
        request = f"GET /a.html HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode()
        clients = [socket.create_connection(("127.0.0.1", self.port), 30) for _ in range(CONNECTIONS)]
        length = 0

        def round_trip():
            for c in clients:
                c.sendall(request)
            for c in clients:
                got = c.recv(65536)
                while len(got) < length:
                    got += c.recv(65536)
                if not got.startswith(b"HTTP/1.1 200") or not got.endswith(PAGE):
                    raise Failure(f"answered {got[:80]!r}")
            return len(got)

        for _ in range(50):
            round_trip()  # then the page is cached
        before = self.cpu()
        for _ in range(answers // CONNECTIONS):
            round_trip()
        spent = self.cpu() - before
        for c in clients:
            c.close()
        return spent / (answers // CONNECTIONS * CONNECTIONS) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="build/release/occwserv")
    parser.add_argument("--io", default="uring")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=20_000)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        all_served = {name: Served(o.server, o.io, Path(scratch) / name.replace(" ", "-"), *what)
                      for name, what in CONFIGURATIONS.items()}
        try:
            checks, reloads, answers = ({name: [] for name in all_served} for _ in range(3))
            for s in all_served.values():
                s.wait()
            for _ in range(o.rounds):
                for name, s in all_served.items():
                    checks[name].append(s.check())
                    reloads[name].append(s.reload())
                    answers[name].append(s.cpu_of_an_answer(o.answers))
            print(f"{'':28} {'check':>9} {'reload':>9} {'CPU an answer':>15} {'descriptors':>12}")
            for name, s in all_served.items():
                print(f"{name:28} {statistics.median(checks[name]) * 1000:>6.1f} ms "
                      f"{statistics.median(reloads[name]) * 1000:>6.1f} ms "
                      f"{statistics.median(answers[name]):>7.2f} ± {statistics.pstdev(answers[name]):.2f} µs "
                      f"{s.descriptors():>12}")
        finally:
            for s in all_served.values():
                s.stop()


if __name__ == "__main__":
    main()
