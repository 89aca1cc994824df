#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the hit rate of the cache with plain LRU of the same number of pages and bytes.

Three traces, the same in every run: `hot`, in which every file is requested once in random order and ten hot pages
get a fifth of all requests; `zipf`, in which the k-th most popular file is requested in proportion to 1/k^0.9; and
`scan`, the same with a crawler in the middle that requests every file in order. LRU and a cache without limits are
simulated; the live server gets the same requests over a few keep-alive connections.

    hit_rate.py --simulate-only         needs no server
    hit_rate.py --cache-bytes 16777216
"""

import argparse
import itertools
import json
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import OrderedDict
from pathlib import Path

import contenders
from server_process import Failure, Server, free_port, two_cores

HOT_PAGES = 10
HOT_PART = 0.2
ZIPF_EXPONENT = 0.9
SEED = 2003
SMALLEST, LARGEST = 256, 4096  # bytes of a file
FILES_A_DIRECTORY = 1000
PATIENCE_SECONDS = 10  # timeout for one answer
TELLING_SECONDS = 0.5  # by then the last answers are counted

CONFIG = """
root = "{pages}"
listen = ["127.0.0.1:{port}"]
workers = 1
[log]
access = ""
[cache]
memory_bytes = {cache_bytes}
pages = {cache_pages}
"""


def sizes(files):
    draw = random.Random(SEED)
    return [draw.randint(SMALLEST, LARGEST) for _ in range(files)]


def hot_trace(files):
    """Hot pages are files 0 to 9; every other file is requested once."""
    draw = random.Random(SEED)
    once = list(range(HOT_PAGES, files))
    draw.shuffle(once)
    for file in once:
        while draw.random() < HOT_PART:
            yield draw.randrange(HOT_PAGES)
        yield file


def zipf_trace(files):
    draw = random.Random(SEED)
    favourites = list(range(files))
    draw.shuffle(favourites)
    weights = list(itertools.accumulate((k + 1) ** -ZIPF_EXPONENT for k in range(files)))
    yield from draw.choices(favourites, cum_weights=weights, k=files)


def scan_trace(files):
    zipf = list(zipf_trace(files))
    half = len(zipf) // 2
    return itertools.chain(zipf[:half], range(files), zipf[half:])


TRACES = {"hot": hot_trace, "zipf": zipf_trace, "scan": scan_trace}


def lru_hits(trace, size_of, most_pages, most_bytes):
    """The number of hits in a cache that evicts the least recently used page."""
    kept = OrderedDict()
    used = hits = 0
    for file in trace:
        if file in kept:
            kept.move_to_end(file)
            hits += 1
            continue
        kept[file] = size_of[file]
        used += size_of[file]
        while len(kept) > most_pages or used > most_bytes:
            _, freed = kept.popitem(last=False)
            used -= freed
    return hits


def unlimited_hits(trace):
    trace = list(trace)
    return len(trace) - len(set(trace))


def path_of(file):
    return f"/{file // FILES_A_DIRECTORY:03}/{file:06}.html"


def make_files(root, size_of):
    for file, size in enumerate(size_of):
        path = Path(root, path_of(file)[1:])
        if file % FILES_A_DIRECTORY == 0:
            path.parent.mkdir(mode=0o755)
        path.write_bytes(content(file, size))


def content(file, size):
    """Begins with the number of the file, so that no answer can be mistaken for another."""
    return f"{file:06}".encode().ljust(size, b".")


class Client:
    """A keep-alive connection with at most one request in progress."""

    def __init__(self, port):
        self.port = port
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, file):
        self.file = file
        self.sent = time.perf_counter()
        self.socket.sendall(f"GET {path_of(file)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def receive(self, size):
        """Reads the answer, which must be this file; returns the seconds it took."""
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + size:
            piece = self.socket.recv(65536)
            if not piece:
                raise Failure(f"{path_of(self.file)}: the connection was closed after {len(received)} bytes")
            received += piece
        took = time.perf_counter() - self.sent
        head, body = bytes(received[:end]), bytes(received[end + 4:])
        if not head.startswith(b"HTTP/1.1 200 ") or body != content(self.file, size):
            raise Failure(f"{path_of(self.file)}: wrong answer {head[:60]!r}")
        if re.search(rb"(?i)\r\nconnection: *close", head):
            self.socket.close()
            self.connect()
        return took

    def close(self):
        self.socket.close()


def replay(trace, size_of, port, connections, seconds):
    """Sends the trace in order, one request at a time on each connection; gives up after `seconds`.

    Returns the latency of each request, and the total time."""
    clients = [Client(port) for _ in range(connections)]
    latencies = []
    start = time.perf_counter()
    trace = iter(trace)
    try:
        while batch := list(zip(clients, trace)):
            for client, file in batch:
                client.send(file)
            latencies += [client.receive(size_of[file]) for client, file in batch]
            if time.perf_counter() - start > seconds:
                raise Failure(f"only {len(latencies)} requests in {seconds} s")
    except OSError as error:
        raise Failure(f"after {len(latencies)} requests: {error}") from error
    finally:
        for client in clients:
            client.close()
    return latencies, time.perf_counter() - start


def what_the_cache_says(port):
    """The hit rate since the start, pages and bytes, and the number of hot pages among the highest-ranked."""
    time.sleep(TELLING_SECONDS)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats.json", timeout=PATIENCE_SECONDS) as answer:
        said = json.load(answer)
    hits = said["cache"]["at_once"] + said["cache"]["kept"]
    (core,) = said["cores"]
    first = {page["path"] for page in core["cache"]["first_kept"]}
    hot = sum(path_of(file) in first for file in range(HOT_PAGES))
    return hits / (hits + said["cache"]["missed"]), core["cache"]["kept"], core["cache"]["bytes"], hot


def live(executable, trace, size_of, pages, options):
    """Starts the live server and prints one line about it."""
    core, _ = two_cores()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        config = Path(scratch, "occwserv.toml")
        port = free_port()
        config.write_text(CONFIG.format(pages=pages, port=port, cache_bytes=options.cache_bytes,
                                        cache_pages=options.cache_pages))
        with Server([executable, "--config", config], port, core, Path(scratch)) as server:
            latencies, took = replay(trace, size_of, port, options.connections, options.seconds)
            server.check_alive()
            rate, kept, kept_bytes, hot = what_the_cache_says(port)
            rss, _ = server.memory()
    latencies.sort()
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    return (f"{rate:10.1%}{len(latencies) / took:12.0f}{p50 * 1e6:9.0f}{p99 * 1e6:9.0f}{kept:8}{kept_bytes >> 10:9}"
            f"{rss >> 10:9}{hot:5}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release", help="a release build")
    parser.add_argument("--files", type=int, default=100000)
    parser.add_argument("--cache-bytes", type=int, default=16 << 20)
    parser.add_argument("--cache-pages", type=int, default=8192, help="of the server and of LRU")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=180, help="a replay may take so long")
    parser.add_argument("--trace", action="append", choices=list(TRACES), help="only this (repeatable)")
    parser.add_argument("--simulate-only", action="store_true", help="start no server")
    options = parser.parse_args()
    if not HOT_PAGES < options.files < 1000000:
        parser.error("between 11 and 999999 files")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped as well

    size_of = sizes(options.files)
    executable = options.build.resolve() / "occwserv"
    print(f"{options.files} files of {sum(size_of) >> 20} MiB; cache of {options.cache_bytes >> 20} MiB and "
          f"{options.cache_pages} pages\n"
          f"{'':6}{'requests':>10}{'no limit':>10}{'LRU':>8}{'server':>10}{'answers/s':>12}{'p50 us':>9}{'p99 us':>9}{'kept':>8}"
          f"{'KiB':>9}{'RSS KiB':>9}{'hot':>5}")
    well = True
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as pages:
        Path(pages).chmod(0o755)
        if not options.simulate_only:
            make_files(pages, size_of)
        for name in options.trace or TRACES:
            trace = list(TRACES[name](options.files))
            lru = lru_hits(trace, size_of, options.cache_pages, options.cache_bytes) / len(trace)
            print(f"{name:6}{len(trace):10}{unlimited_hits(trace) / len(trace):10.1%}{lru:8.1%}", end="", flush=True)
            if options.simulate_only:
                print()
                continue
            try:
                print(live(executable, trace, size_of, pages, options), flush=True)
            except Failure as failure:
                print(f"  FAILED: {failure}")
                well = False
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
