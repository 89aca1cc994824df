#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the memory of a server per idle keep-alive connection, after one request on each.

Without a command it measures all servers of contenders.py, otherwise that server; {port} is replaced by the port.
    idle.py
    idle.py --path / -- build/release/occwserv site --listen 127.0.0.1:{port}
Only the memory of its processes is counted, not that of the kernel for the sockets, which is the same for all.
"""

import argparse
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import contenders
from server_process import Failure, Server, free_port, two_cores
from servers import directories, running

PAGE = "8k"
CONNECTIONS_AN_ADDRESS = 20000  # of about 28000 ports
IP_BIND_ADDRESS_NO_PORT = 24  # not in Python 3.11; without it, bind avoids the ports of earlier connections


def request(client, path):
    """Sends one request on an open connection and reads the whole answer."""
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += receive(client)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Failure(f"answered {head[:40]!r}")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"connection", b"").strip() == b"close":
        raise Failure("refuses keep-alive")
    left = int(fields[b"content-length"]) - len(body)
    while left > 0:
        left -= len(receive(client))


def receive(client):
    piece = client.recv(65536)
    if not piece:
        raise Failure("closed the connection early")
    return piece


def connect(number, port):
    client = socket.socket()
    client.settimeout(10)
    client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    client.bind((f"127.0.0.{1 + number // CONNECTIONS_AN_ADDRESS}", 0))
    client.connect(("127.0.0.1", port))
    return client


def quiet_memory(server):
    """Its memory once it has used no CPU time for a second and no longer grows; waits at most 20 s."""
    before = None
    for _ in range(20):
        now = (server.cpu_seconds(), server.memory())
        if now == before:
            break
        before = now
        time.sleep(1)
    server.check_alive()
    return now[1]


def measure(server, path, count):
    """Bytes per connection: (RSS, PSS or None)."""
    clients = []
    try:
        with connect(0, server.port) as client:
            for _ in range(100):  # memory allocated once, by the first requests, does not count
                request(client, path)
        before = quiet_memory(server)
        for number in range(count):
            clients.append(connect(number, server.port))
            request(clients[-1], path)
        after = quiet_memory(server)
        request(clients[0], path)  # still open, all of them
        request(clients[-1], path)
    except OSError as error:
        raise Failure(f"connection {len(clients)} of {count}: {error}") from error
    finally:
        for client in clients:
            client.close()
    return [None if None in pair else (pair[1] - pair[0]) / count for pair in zip(before, after)]


def report(name, make_server, path, count):
    """Prints one line; False if the server failed."""
    try:
        with make_server() as server:
            rss, pss = measure(server, path, count)
    except Failure as failure:
        print(f"{name:18}  FAILED: {failure}")
        return False
    print(f"{name:18}{rss:12.0f}{'-' if pss is None else f'{pss:.0f}':>12}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=contenders.PROJECT / "build/release", help="a release build")
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--path", default=f"/{PAGE}.html")
    parser.add_argument("--server", action="append", help="only servers whose name begins so (repeatable)")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the servers inherit it
    if most < options.connections + 100:
        parser.error(f"a process may open {most} files: too few for {options.connections} connections")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped as well

    core, _ = two_cores()
    print(f"Bytes an idle connection, of {options.connections}:\n{'':18}{'RSS':>12}{'PSS':>12}")
    with directories() as (pages, scratch):
        if options.command:
            port = free_port()
            command = [word.replace("{port}", str(port)) for word in options.command]
            well = report("given command", lambda: Server(command, port, core, scratch, Path.cwd()), options.path,
                          options.connections)
            return 0 if well else 1
        well = True
        for contender in contenders.contenders(options.build.resolve()):
            if options.server and not any(contender.name.startswith(s) for s in options.server):
                continue
            if contender.executable is None:
                print(f"{contender.name:18}  absent")
                continue
            well &= report(contender.name, lambda: running(contender, 8192, pages, scratch, core), options.path,
                           options.connections)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
