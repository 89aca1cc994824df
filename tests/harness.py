# SPDX-License-Identifier: MIT
"""Shared by the black-box tests: a server for each test, and a client that sees every byte.

Nothing here sleeps in order to wait for an effect: the code polls or reads until DEADLINE. That is generous, because
the tests also run against binaries with sanitizers; it expires only when something is wrong.

A test must pass on every machine, however slow, busy or small. So there are no other bounds in seconds, on the number
of requests answered in a time, or on the size of a batch. Three tools help: `free_port` reserves ports, `in_time`
repeats a trial in which the machine delayed the client, and `asks_until_refused` computes what a limit per second
allows in the time that was used.
"""

import contextlib
import dataclasses
import email.utils
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

DEADLINE = 60.0  # seconds
ENGINES = ("uring", "epoll")


def binary():
    """The server under test: $OCCWSERV, or else the release build."""
    path = os.environ.get("OCCWSERV", "build/release/occwserv")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no server to test: {path} (set OCCWSERV)")
    return str(pathlib.Path(path).resolve())


def has_sanitizer():
    """Whether the binary was built with a sanitizer, which needs additional memory."""
    return any(name in pathlib.Path(binary()).read_bytes() for name in (b"__asan_init", b"__tsan_init"))


def wait_until(condition, what, deadline=DEADLINE):
    """Polls condition() and returns its first true value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"this did not come about within {deadline} s: {what}")
        time.sleep(0.01)


class Clock:
    """Records whether a client was late."""

    def __init__(self, most):
        self.most, self.last, self.was_late = most, time.monotonic(), False

    def start(self):
        """Starts the clock: from now on the client must be on time."""
        self.last = time.monotonic()

    def tick(self):
        now = time.monotonic()
        self.was_late |= now - self.last > self.most
        self.last = now

    def stop(self):
        """Stops the clock: from now on the client may wait as long as it likes."""
        self.tick()
        self.most = float("inf")


def in_time(most, trial):
    """Returns the result of trial(clock), in which a client tests a timeout of the server.

    The client calls clock.tick() at least every `most` seconds, or never if `most` is for all of the trial. A trial that
    fails counts only if the client was on time. Otherwise the machine was too busy for it, and it is repeated.
    """
    for attempts_left in reversed(range(20)):
        clock = Clock(most)
        try:
            return trial(clock)
        except (AssertionError, OSError):
            clock.tick()
            if not clock.was_late or attempts_left == 0:
                raise


def asks_until_refused(ask, burst, a_second):
    """Sends requests until a limit per second refuses one, and checks the number answered before. Returns the refusal."""
    began = time.monotonic()
    answered = 0
    while (r := ask()).status == 200:
        answered += 1
        assert time.monotonic() - began < DEADLINE, "the limit refuses nothing"
    assert r.status == 429
    assert burst <= answered <= burst + a_second * (time.monotonic() - began)
    return r


# --- ports ------------------------------------------------------------------------------------------------------------

reserved = []  # sockets that reserve ports


def free_port():
    """A port that is free, and reserved until the end of the test.

    A socket that does not listen is bound to it. Because it has SO_REUSEADDR, which the server sets too, the server can
    listen there, once or many times. But the kernel does not assign the port to a program that asks for any free port,
    whether to listen or to connect. So there is no race, and no need to try another port.
    """
    for family, host in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        with contextlib.suppress(OSError):  # a kernel without IPv6
            s = socket.socket(family)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind((host, 0))
            reserved.append(s)
            return s.getsockname()[1]
    raise AssertionError("no port is free")


def free_ports(count):
    return [free_port() for _ in range(count)]


def release_ports():
    """Releases the ports at the end of each test. A server that continues to run keeps its port by listening."""
    while reserved:
        reserved.pop().close()


# --- configurations and commands --------------------------------------------------------------------------------------


def toml_value(value):
    """A value of a configuration. Dictionaries become inline tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def toml(settings):
    """The text of a configuration. Dictionaries become tables, and lists of dictionaries arrays of tables."""
    lines, tables = [], []
    for key, value in settings.items():
        if isinstance(value, dict):
            tables.append((f"[{key}]", value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables += [(f"[[{key}]]", table) for table in value]
        else:
            lines.append(f"{key} = {toml_value(value)}")
    for head, table in tables:
        lines.append(head)
        lines += [f"{key} = {toml_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def operate(command, at, *words):
    """Runs `occwserv COMMAND` for the server with this control socket."""
    return subprocess.run([binary(), command, "--control", str(at), *map(str, words)], capture_output=True, text=True,
                          timeout=DEADLINE, stdin=subprocess.DEVNULL, check=False)


def activate(listening, *words):
    """Starts the server as systemd does: with this socket as its descriptor 3."""
    launcher = "import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID']=str(os.getpid()); " \
               "os.environ['LISTEN_FDS']='1'; os.execv(sys.argv[2], sys.argv[2:])"
    command = ["/usr/bin/python3", "-c", launcher, listening.fileno(), binary(), *words]
    return subprocess.Popen([*map(str, command)], pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


# --- the client -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    fields: list  # of (name, value), as sent
    body: bytes

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        """The value of a field that may occur at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} occurs {len(values)} times"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    @property
    def closes(self):
        return self.get("Connection") == "close"


def check_every_response(r):
    """Checks what every response must have."""
    assert r.get("Server") == "occwserv"
    assert email.utils.parsedate_to_datetime(r.get("Date")).tzinfo is not None
    assert r.get("Date").endswith(" GMT")
    assert abs(time.time() - email.utils.parsedate_to_datetime(r.get("Date")).timestamp()) < 10 * DEADLINE
    assert r.get("Connection") in (None, "keep-alive", "close")
    assert r.get("Transfer-Encoding") is None
    if r.status in (204, 304):
        assert r.get("Content-Length") is None and r.body == b""
    else:
        assert r.get("Content-Length") is not None
        assert r.get("Content-Type") is not None
    if r.status == 405:
        assert r.get("Allow") == "GET, HEAD, OPTIONS"
    if r.status >= 400:
        assert r.get("Content-Type") in ("text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8")
        assert re.fullmatch("[0-9a-f]{12}-[1-9a-f][0-9a-f]*-[1-9a-f][0-9a-f]*", r.get("X-Request-Id"))
    if r.status in (408, 413, 414, 431, 505):
        assert r.closes


class Client:
    """One connection, byte by byte."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        self.arrived = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def send_bytewise(self, data):
        for i in range(len(data)):
            self.send(data[i : i + 1])
        return self

    def request(self, target="/", *fields, method="GET", version="HTTP/1.1", body=b""):
        """Sends a request with a Host field."""
        lines = [f"{method} {target} {version}", "Host: localhost", *fields]
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def more(self):
        """Reads what has arrived, or waits for more; false at the end of the connection."""
        data = self.socket.recv(256 * 1024)
        self.arrived += data
        return bool(data)

    def _read_head(self):
        while b"\r\n\r\n" not in self.arrived:
            assert self.more(), f"closed before the end of a response's head: {self.arrived!r}"
        head, self.arrived = self.arrived.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, reason = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = [tuple(line.split(": ", 1)) for line in lines]
        return Response(int(status), reason, fields, b"")

    def read_exactly(self, size):
        pieces = [self.arrived]
        got = len(self.arrived)
        while got < size:
            data = self.socket.recv(min(size - got, 1024 * 1024))
            assert data, f"closed after {got} of {size} bytes"
            pieces.append(data)
            got += len(data)
        whole = b"".join(pieces)
        self.arrived = whole[size:]
        return whole[:size]

    def response(self, to="GET"):
        """Reads one response to a request with the method `to`."""
        r = self._read_head()
        if to != "HEAD":
            r.body = self.read_exactly(int(r.get("Content-Length") or 0))
        check_every_response(r)
        return r

    def ask(self, target="/", *fields, method="GET", version="HTTP/1.1", body=b""):
        return self.request(target, *fields, method=method, version=version, body=body).response(to=method)

    def rest(self):
        """Reads until the server closes or resets the connection."""
        with contextlib.suppress(ConnectionResetError):
            while self.more():
                pass
        rest, self.arrived = self.arrived, b""
        return rest

    def expect_closed(self):
        """Checks that the server closes without sending more."""
        rest = self.rest()
        assert rest == b"", f"more came before the end: {rest[:200]!r}"

    def expect_silence(self, seconds):
        """Checks that nothing arrives in that time, not even the end. It proves little; use it only for what must never arrive."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1)
            raise AssertionError(f"silence was expected, not {data!r}")
        except TimeoutError:
            pass
        finally:
            self.socket.settimeout(DEADLINE)


# --- the server -------------------------------------------------------------------------------------------------------


def has_landlock():
    """Whether the kernel has Landlock, as the server finds out: by asking for its version."""
    ask = "import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) <= 0)"
    return subprocess.run(["/usr/bin/python3", "-c", ask], check=False).returncode == 0


def engine_refused(said):
    """The kernel does not permit io_uring: skips the test, but not in CI, where the skip would go unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(f"io_uring must be there in CI: {said.strip()}")
    pytest.skip(said.strip())


def living_processes():
    """For each living process: its number, name, parent and group. Zombies do not count."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            before, _, after = pathlib.Path("/proc", number, "stat").read_text(errors="replace").rpartition(")")
            state, parent, group = after.split()[:3]
            if state not in "ZX":
                yield int(number), before.partition("(")[2], int(parent), int(group)


def living_in_group(group):
    return [number for number, _, _, its_group in living_processes() if its_group == group]


def living_children(pid):
    return [number for number, _, parent, _ in living_processes() if parent == pid]


def steward_of(pid):
    """The child of the server that is its steward; None if it has none."""
    return next((n for n, name, parent, _ in living_processes() if parent == pid and name == "occw-steward"), None)


class Server:
    """A running server with its own site and logs."""

    def __init__(self, place, engine, settings=None, arguments=(), site=None, access_log=None, workers=2,
                 listing="off", streams=None, launcher=(), descriptors=None):
        place.mkdir(parents=True, exist_ok=True)
        self.site = site or place / "site"
        self.site.mkdir(exist_ok=True)
        self.access_log = place / "access.log"
        self.error_log = place / "error.log"
        self.stderr = place / "stderr"
        self.engine = engine
        self.streams = streams  # its standard output and error; by default one file for both
        self.process = None
        self.exit_code = None
        words = ["--workers", str(workers), "--io", engine]
        words += ["--access-log", str(self.access_log) if access_log is None else access_log]
        words += ["--error-log", str(self.error_log)]
        words += [] if listing is None else ["--listing", listing]  # off, as it is for a configured site
        if settings is not None:
            (place / "occwserv.toml").write_text(toml(settings))
            words += ["--config", str(place / "occwserv.toml")]
        self.words = [*launcher, binary(), str(self.site), *words, *arguments]
        self.descriptors = descriptors  # its limit of descriptors; None: ours

    def start(self):
        self.port = free_port()
        with open(self.stderr, "wb") as stderr:
            self.process = subprocess.Popen(
                [*self.words, "--listen", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=self.streams[0] if self.streams else stderr,
                stderr=self.streams[1] if self.streams else stderr,
                start_new_session=True,
                preexec_fn=self._limit_descriptors if self.descriptors else None,
            )
        wait_until(lambda: self.process.poll() is not None or self._serves(), "the server serves")
        if self.process.returncode is not None:
            ended, self.process = self.process, None  # already ended
            said = self.stderr.read_text()
            if self.engine == "uring" and "io_uring" in said and ended.returncode == 1:
                engine_refused(said)
            raise AssertionError(f"the server ended with {ended.returncode}: {said}")
        return self

    def _limit_descriptors(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def _serves(self):
        """Waits until the server has reported that it listens."""
        return self.error_log.exists() and f"http://127.0.0.1:{self.port} " in self.error_log.read_text()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Waits until the server has ended by itself, and checks that it left nothing behind."""
        self.exit_code = self.process.wait(DEADLINE)
        try:
            # The steward ends when the server has ended.
            wait_until(lambda: not living_in_group(self.process.pid), "no process of the server lives on")
        finally:
            for pid in living_in_group(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert self.exit_code == 0, f"exit code {self.exit_code}"

    def stop(self):
        """Stops the server unless the test has stopped it."""
        if self.process is None or self.exit_code is not None:
            return
        if not self.is_alive() and self.process.returncode != 0:
            raise AssertionError(f"the server ended before its time, with exit code {self.process.returncode}")
        try:
            self.signal(signal.SIGTERM)
            self.wait()
        except subprocess.TimeoutExpired:
            # It hangs; make it print its processes before it is killed.
            self.signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
            raise
        finally:
            if self.is_alive():
                self.process.kill()
                self.process.wait()

    def connect(self, **options):
        return Client(self.port, **options)

    def ask(self, target="/", *fields, **options):
        """Sends one request on a new connection."""
        with self.connect() as c:
            return c.ask(target, *fields, **options)

    def expect_healthy(self):
        """Checks that the server still answers, for every kind of answer."""
        with self.connect() as c:
            assert c.ask("/no-such-page").status == 404
            assert c.ask("/", method="OPTIONS").status == 204

    def log_lines(self, least=0):
        """Waits for at least so many lines in the access log, and returns them."""

        def enough():
            text = self.access_log.read_bytes().decode("ascii")
            lines = text.splitlines()
            return (lines or [""]) if len(lines) >= least and (not text or text.endswith("\n")) else None

        lines = wait_until(enough, f"{least} lines in the access log")
        return [line for line in lines if line]

    def story(self):
        """The output of the server, for the report of a failed test."""
        parts = [("command", " ".join(self.words))]
        for path in (self.stderr, self.error_log, self.access_log):
            if path.exists():
                parts.append((path.name, path.read_text(errors="replace")[-20_000:]))
        return "\n".join(f"--- {name}\n{text}" for name, text in parts)


def told(server, what):
    wait_until(lambda: what in server.error_log.read_text(), f"the error log says: {what}")


def open_descriptors(server):
    """The open descriptors of the server, once it has opened all that it keeps: it answers before it handles signals."""
    wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
    return os.listdir(f"/proc/{server.process.pid}/fd")


def fill_tree(root, files, age=0):
    """Creates files, given as {relative name: content}, which were modified `age` seconds ago.

    What was modified less than a second ago has no Last-Modified yet, so the answers to two requests may differ.
    """
    modified = time.time() - age
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if age:
            os.utime(path, (modified, modified))
