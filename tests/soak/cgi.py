#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends thousands of requests to programs that misbehave, and looks for what was left behind.

    tests/soak/cgi.py [--requests 10000] [--clients 16] [--io uring] [--seed 1]

The programs are those of tests/85_cgi_test.py. Each request is for one of them, chosen at random, by a client that stays or
leaves as its row of CASES says. At the end there is a table of what the clients got. It fails if a client got what it must
not get, or if processes, descriptors or memory are left. It takes some minutes, and is not part of the tests.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import importlib
import json
import os
import pathlib
import random
import socket
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import Client, Server, living_processes, release_ports, steward_of, wait_until

programs = importlib.import_module("85_cgi_test")

PATIENCE = 300.0  # seconds; for one request on a busy machine
MOST_GROWTH = 8 * 1024 * 1024  # bytes of memory of a process, from the first fifth of the requests to the last
LARGE_BODY = b"x" * 300_000


# --- the clients: each returns in a few words what it got -------------------------------------------------------------


def stays(body=None):
    """Reads the response to its end."""

    def ask(port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with contextlib.closing(connection):
            try:
                connection.request("POST" if body else "GET", path, body=body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the answer may have come before the whole body was sent
            try:
                r = connection.getresponse()
                return f"{r.status}, {len(r.read())} bytes" if r.status == 200 else str(r.status)
            except http.client.IncompleteRead as cut:
                return f"{r.status}, cut short"
            except ConnectionResetError:
                return "connection reset"

    return ask


def leaves(how, after=None, fields=(), body=b""):
    """Leaves after so many bytes of the answer, or, if none come, a little later."""

    def ask(port, path):
        c = Client(port)
        c.socket.settimeout(PATIENCE)
        c.request(path, *fields, method="POST" if fields else "GET", body=body)
        if after is None:
            time.sleep(0.02)
        else:
            while len(c.arrived) < after:
                if not c.more():
                    return f"closed after {c.arrived[:12]!r}"
        getattr(c, how)()
        return f"{c.arrived[9:12].decode()}, left" if c.arrived else "left"

    return ask


def closes_its_side(port, path):
    """Announces more than it sends, says that it will send no more, and waits."""
    with Client(port) as c:
        c.socket.settimeout(PATIENCE)
        c.request(path, "Content-Length: 1000", method="POST", body=b"only this")
        c.finish_sending()
        whole = c.rest()
    return whole[9:12].decode() or "closed"


def announces_too_much(port, path):
    with Client(port) as c:
        c.socket.settimeout(PATIENCE)
        c.request(path, f"Content-Length: {10**12}", "Expect: 100-continue", method="POST")
        return c.rest()[9:12].decode()


def sends_too_much(port, path):
    """More than the limit, in chunks: known only when it comes."""
    chunk = b"10000\r\n" + b"y" * 65536 + b"\r\n"
    with Client(port) as c:
        c.socket.settimeout(PATIENCE)
        c.request(path, "Transfer-Encoding: chunked", method="POST")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(40):
                c.send(chunk)
        return c.rest()[9:12].decode() or "reset"


CASES = {  # what is done: the program, the client, and what it may get
    "never reads the body": ("never-reads", stays(LARGE_BODY), {"200, 14 bytes"}),
    "writes before it reads": ("writes-first", stays(LARGE_BODY), {"200, 300007 bytes"}),
    "floods its standard error": ("floods", stays(), {"200, 16 bytes"}),
    "forks, and the child keeps the output": ("lingers", stays(), {"200, 5 bytes"}),
    "forks, and the child keeps nothing": ("lingers-elsewhere", stays(), {"200, 5 bytes"}),
    "sends a broken head": ("broken-head", stays(), {"502"}),
    "sends an endless head": ("endless-head", stays(), {"502"}),
    "sends an empty head": ("empty-head", stays(), {"502"}),
    "fails": ("fails", stays(), {"502"}),
    "cannot be started": ("no-interpreter", stays(), {"500"}),
    "is killed": ("killed", stays(), {"502"}),
    "is killed midway": ("killed-midway", stays(), {"200, cut short"}),
    "sends less than it said": ("short", stays(), {"200, cut short"}),
    "closes its output early": ("closes-early", stays(), {"200, 10 bytes"}),
    "sleeps until it is ended for it": ("silent", stays(), {"504"}),
    "sleeps, and the client leaves": ("silent", leaves("close"), {"left"}),
    "sleeps, and the client resets": ("silent", leaves("reset"), {"left"}),
    "sleeps after its head, and the client leaves": ("slow", leaves("close", after=1), {"200, left"}),
    "ignores SIGTERM, and the client leaves": ("deaf", leaves("close", after=1), {"200, left"}),
    "writes much, and the client leaves midway": ("large", leaves("close", after=100_000), {"200, left"}),
    "writes much, and the client resets midway": ("large", leaves("reset", after=100_000), {"200, left"}),
    "gets less of a body than was announced": ("count", leaves("close", fields=("Content-Length: 1000",),
                                                              body=b"only this"), {"left"}),
    "gets less of a body, from a client that waits": ("count", closes_its_side, {"400", "closed"}),
    "gets a body that is announced as too large": ("count", announces_too_much, {"413"}),
    "gets a body that proves too large": ("count", sends_too_much, {"413", "reset"}),
    "behaves": ("hello", stays(), {"200, 6 bytes"}),
}
RARE = {"sleeps until it is ended for it"}  # each holds a place for a second


# --- what is left behind ----------------------------------------------------------------------------------------------


def programs_of(site):
    """All processes that were started for this site, wherever they are now: they have its root in their environment."""
    mark = f"DOCUMENT_ROOT={site}\0".encode()
    for number, name, *_ in living_processes():
        with contextlib.suppress(OSError):
            if mark in pathlib.Path(f"/proc/{number}/environ").read_bytes():
                yield number, name


def children(pid):
    """All children, zombies included."""
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watch:
    """The processes of the server, and what they have."""

    def __init__(self, server):
        self.server = server
        steward = steward_of(server.process.pid)
        self.processes = {"server": server.process.pid, "steward": steward, "runner": programs.runner_of(server)}

    def descriptors(self):
        return {name: descriptors(pid) for name, pid in self.processes.items()}

    def memory(self):
        return {name: resident(pid) for name, pid in self.processes.items()}

    def settle(self):
        """Waits until no program is left, dead or alive."""
        wait_until(lambda: not children(self.processes["runner"]), "the runner has no child", PATIENCE)
        wait_until(lambda: not list(programs_of(self.server.site)), "no process of a program is left", PATIENCE)


def places(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/stats.json")
        return json.loads(connection.getresponse().read())["programs"]


# --- the run ----------------------------------------------------------------------------------------------------------


def chosen(count, seed):
    """So many cases: each often, and in no order."""
    names = list(RARE) * (count // 200) + [name for name in CASES if name not in RARE] * (count // (len(CASES) - len(RARE)) + 1)
    names = names[:count]
    random.Random(seed).shuffle(names)
    return names


def run(server, names, clients, got):
    def one(name):
        program, client, _ = CASES[name]
        try:
            return name, client(server.port, f"/cgi-bin/{program}")
        except (OSError, http.client.HTTPException, socket.timeout) as error:
            return name, repr(error)

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for number, (name, outcome) in enumerate(pool.map(one, names), 1):
            got[name][outcome] += 1
            if number % 500 == 0:
                print(f"{number} of {len(names)}", file=sys.stderr)


def report(got):
    """Prints what the clients got; the cases in which that was wrong."""
    wrong = []
    for name, outcomes in got.items():
        if outcomes.keys() - CASES[name][2]:
            wrong.append(name)
        told = "; ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items()))
        print(f"{'WRONG  ' if name in wrong else '':7}{name:50}{told}")
    return wrong


def soak(options, home):
    place = home / "server"
    cgi = {"directory": str(home / "site/cgi-bin"), "idle_seconds": 3, "running": options.clients, "waiting": 1000,
           "wait_seconds": 300}
    (home / "site").mkdir()
    programs.install(home / "site")
    server = Server(place, options.io, settings={"route": [{"path": "/cgi-bin/*", "cgi": cgi}]}, site=home / "site")
    server.start()
    watch = Watch(server)
    got = {name: collections.Counter() for name in CASES}
    names = chosen(options.requests, options.seed)
    began = time.monotonic()
    try:
        run(server, names[: len(names) // 5], options.clients, got)
        watch.settle()
        fds, memory = watch.descriptors(), watch.memory()
        run(server, names[len(names) // 5 :], options.clients, got)
        watch.settle()
        wait_until(lambda: all(p["running"] == p["waiting"] == 0 for p in places(server.port)), "every place is free")
        wait_until(lambda: all(n <= fds[name] for name, n in watch.descriptors().items()),
                   f"no more descriptors than {fds}: {watch.descriptors()}")
        grown = {name: now - memory[name] for name, now in watch.memory().items()}
        wrong = report(got)
        print(f"{len(names)} requests in {time.monotonic() - began:.0f} s, {options.clients} at once; afterwards no program, and")
        for name in watch.processes:
            print(f"  {name:8} {fds[name]:3} descriptors, {watch.memory()[name] >> 10} KiB, "
                  f"{grown[name] >> 10} KiB more than after the first fifth")
        print(f"  error log: {server.error_log.stat().st_size >> 10} KiB")
        return not wrong and all(more <= MOST_GROWTH for more in grown.values())
    except BaseException:
        report(got)
        print(server.story()[-5000:], file=sys.stderr)
        raise
    finally:
        server.stop()
        release_ports()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--io", choices=("uring", "epoll"), default="uring")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="occwserv-soak-") as name:
        ok = soak(options, pathlib.Path(name).resolve())
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
