# SPDX-License-Identifier: MIT
"""The logs in JSON, to syslog and the journal, moved away under load, on a full disk; and the ids of requests."""

import concurrent.futures
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import DEADLINE, asks_until_refused, binary, fill_tree, free_port, in_time, wait_until

MEMBERS = ["time", "request_id", "remote_addr", "host", "site", "method", "target", "protocol", "status", "bytes",
           "complete", "duration", "referer", "user_agent"]
JSON = ["--log-format", "json"]


def entries(server, count):
    """All lines of the access log in JSON, which must be exactly `count`."""

    def enough():
        text = server.access_log.read_bytes().decode("utf-8")
        return text.splitlines() if text.count("\n") >= count else None

    lines = wait_until(enough, f"{count} lines in the access log")
    assert len(lines) == count
    all_ = [json.loads(line) for line in lines]
    assert all(list(entry) == MEMBERS for entry in all_)
    return all_


def errors(server):
    """The error log in JSON."""
    return [json.loads(line) for line in server.error_log.read_bytes().decode("utf-8").splitlines()]


def told(server, what):
    return wait_until(
        lambda: [line for line in server.error_log.read_text(errors="replace").splitlines() if what in line],
        f"the error log says: {what}",
    )


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_a_line_in_json(serve):
    server = serve(arguments=JSON)
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(milliseconds=1)
    server.ask("/a.txt?query", "Referer: http://localhost/from", "User-Agent: tester/1.0 (a test)")
    (entry,) = entries(server, 1)
    time = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    assert before <= time <= datetime.datetime.now(datetime.timezone.utc)
    assert re.fullmatch(r".{19}\.\d{3}Z", entry.pop("time"))
    assert 0 <= entry.pop("duration") < DEADLINE
    assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]+-1", entry.pop("request_id"))
    assert entry == {
        "remote_addr": "127.0.0.1", "host": "localhost", "site": "default", "method": "GET", "target": "/a.txt?query",
        "protocol": "HTTP/1.1", "status": 200, "bytes": 13, "complete": True, "referer": "http://localhost/from",
        "user_agent": "tester/1.0 (a test)",
    }


def test_the_site_that_answered(serve, place):
    fill_tree(place / "one", {"a.txt": "a"})
    file = place / "sites.toml"
    file.write_text(f'[log]\nformat = "json"\n[[site]]\nnames = ["*.one.example", "1"]\nroot = "{place}/one"\n')
    server = serve(arguments=["--config", str(file)])
    with server.connect() as c:
        for host in ("www.one.example", "localhost"):
            c.send(f"GET /a.txt HTTP/1.1\r\nHost: {host}\r\n\r\n").response()
    assert [(e["host"], e["site"]) for e in entries(server, 2)] == [
        ("www.one.example", "*.one.example"), ("localhost", "default")]


@pytest.mark.parametrize(
    "sent, read",
    [
        (b'x" \\ {"a":1}', 'x" \\ {"a":1}'),
        (b"tab\there", "tab\there"),
        ("caf\u00e9 \u20ac \U0001f600".encode(), "caf\u00e9 \u20ac \U0001f600"),
        (b"\xff\xfe ed\xc3", "\ufffd\ufffd ed\ufffd"),
        (b"\xed\xa0\x80\xc0\xaf", "\ufffd" * 5),
        ("\u009b2J".encode(), "\u009b2J"),
    ],
)
def test_any_bytes_make_json(serve, sent, read):
    server = serve(arguments=JSON)
    with server.connect() as c:
        c.send(b"GET /a.txt HTTP/1.1\r\nHost: a\r\nUser-Agent: " + sent + b"\r\n\r\n").response()
    (entry,) = entries(server, 1)
    assert entry["user_agent"] == read
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", server.access_log.read_bytes())


def test_refused_requests_in_json(serve):
    server = serve(arguments=JSON, workers=1)  # so that the lines are in order
    for request in (b"\x16\x03\x01", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /" + b"a" * 9000):
        with server.connect() as c:
            c.send(request).response()
    assert [(e["status"], e["method"], e["target"], e["protocol"]) for e in entries(server, 3)] == [
        (400, "", "", ""), (400, "GET", "/a b", "HTTP/1.1"), (414, "", "", "")]


def test_long_texts_are_cut_in_json(serve):
    server = serve(arguments=JSON)
    server.ask("/a.txt?" + "q" * 8000, "User-Agent: " + "\u00e9" * 3000)
    (entry,) = entries(server, 1)
    assert entry["target"].startswith("/a.txt?qqq") and entry["target"].endswith("q...")
    assert entry["user_agent"].endswith("\u00e9...")


def test_a_client_that_left_is_not_complete(serve):
    size = 20 * 1024 * 1024
    server = serve(files={"large.bin": b"x" * size}, arguments=JSON)
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        c.read_exactly(1000)
    (entry,) = entries(server, 1)
    assert entry["complete"] is False and entry["bytes"] < size


def test_errors_in_json(serve):
    server = serve(arguments=JSON)
    server.stop()
    all_ = errors(server)
    assert {"time", "severity", "message"} == set(all_[0])
    assert all_[0]["severity"] == "notice" and all_[0]["message"].startswith("serving ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", all_[0]["time"])


# --- the ids of requests ----------------------------------------------------------------------------------------------


def test_an_error_has_the_id_that_the_log_has(serve):
    server = serve(arguments=JSON, workers=1)
    with server.connect() as c:
        answers = [c.ask(target) for target in ("/none", "/a.txt", "/.x", "/none")]
    with server.connect() as c:
        answers.append(c.send(b"\x16\x03\x01").response())
    ids = [r.get("X-Request-Id") for r in answers]
    logged = [e["request_id"] for e in entries(server, 5)]
    assert ids == [logged[0], None, logged[2], logged[3], logged[4]]
    assert [i.rsplit("-", 1)[1] for i in logged] == ["1", "2", "3", "4", "1"]
    assert len({i.rsplit("-", 1)[0] for i in logged[:4]}) == 1
    assert len(set(logged)) == 5


def test_no_two_requests_have_one_id(serve):
    """Neither on two cores nor in two starts."""
    seen = []
    for _ in range(2):
        server = serve()
        for _ in range(20):
            with server.connect() as c:
                seen += [c.ask("/none").get("X-Request-Id") for _ in range(3)]
        server.stop()
    assert len(set(seen)) == len(seen)


def test_what_a_client_calls_its_request_is_not_trusted(server):
    r = server.ask("/none", "X-Request-Id: mine")
    assert r.get("X-Request-Id") not in (None, "mine")
    assert "X-Request-Id" not in dict(server.ask("/a.txt", "X-Request-Id: mine").fields)


@pytest.mark.parametrize("target", ["/a.txt", "/large.bin"])
def test_always_an_id(serve, target):
    """Also in cached answers, whether the connection persists or not."""
    server = serve({"log": {"request_id": "always"}}, files={"a.txt": "a\n", "large.bin": b"x" * 300_000})
    ids = []
    with server.connect() as c:
        for _ in range(20):
            r = c.ask(target)
            assert r.status == 200
            ids.append(r.get("X-Request-Id"))
        ids.append(c.ask(target, "If-None-Match: *").get("X-Request-Id"))
        r = c.ask(target, "Connection: close")
        assert r.closes
        ids.append(r.get("X-Request-Id"))
    with server.connect() as c:
        r = c.ask(target, "Connection: keep-alive", version="HTTP/1.0")
        assert r.get("Connection") == "keep-alive"
        ids.append(r.get("X-Request-Id"))
    assert all(re.fullmatch("[0-9a-f]{12}-[0-9a-f]+-[0-9a-f]+", i) for i in ids)
    assert len(set(ids)) == len(ids)


def test_a_reload_decides_on_ids(serve):
    server = serve({"log": {"request_id": "always"}})
    file = pathlib.Path(server.words[server.words.index("--config") + 1])
    with server.connect() as c:
        assert c.ask("/a.txt").get("X-Request-Id")
        file.write_text("[log]\nrequest_id = 'errors'\n")
        server.signal(signal.SIGHUP)
        told(server, "configuration reloaded")
        assert c.ask("/a.txt").get("X-Request-Id") is None


def test_a_limit_is_logged_with_the_request_id(serve):
    server = serve({"limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 1}}, workers=1)
    with server.connect() as c:
        r = asks_until_refused(lambda: c.ask("/a.txt"), burst=1, a_second=1)
    (line,) = told(server, "requests_per_second_per_address")
    assert line.endswith(f"[request {r.get('X-Request-Id')}]")


def test_a_server_without_descriptors_says_so(serve):
    server = serve(workers=1)
    with server.connect() as c:
        assert c.ask("/").status == 200
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, most))
        r = c.ask("/a.txt", "User-Agent: x")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))
        assert r.status == 503
        assert c.ask("/a.txt").status == 200
    (line,) = told(server, "error: 503 ")
    assert '503 to 127.0.0.1 for "GET /a.txt HTTP/1.1": The server has too many open files. Try again later. [request ' in line
    assert line.endswith(f"[request {r.get('X-Request-Id')}]")


# --- log rotation -----------------------------------------------------------------------------------------------------


def test_logs_are_moved_away_under_load(serve):
    """Nothing is lost: all files together have one complete line for each request."""
    server = serve()
    clients, moves = 4, 10
    stop = threading.Event()
    asked = [0] * clients

    def load(me):
        with server.connect() as c:
            while not stop.is_set():
                assert c.ask(f"/a.txt?{me}-{asked[me]}").status == 200
                asked[me] += 1

    moved = []
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(load, me) for me in range(clients)]
        try:
            for i in range(moves):
                wait_until(lambda: server.access_log.stat().st_size > 0, "lines in the log")
                moved.append(server.access_log.rename(f"{server.access_log}.{i}"))
                server.signal(signal.SIGUSR1)
                # Not only the access log: a signal during a reopening would be one with it.
                wait_until(lambda i=i: server.error_log.read_text().count("notice: the logs were reopened") > i,
                           "both logs are open again")
        finally:
            stop.set()
        for job in jobs:
            job.result()
    server.stop()
    lines = [line for file in [*moved, server.access_log] for line in file.read_text().splitlines(keepends=True)]
    targets = [re.fullmatch(r'127\.0\.0\.1 - - \[.*\] "GET /a\.txt\?(\S+) HTTP/1\.1" 200 13 "-" "-"\n', line).group(1)
               for line in lines]
    assert len(targets) == sum(asked)
    assert set(targets) == {f"{me}-{i}" for me in range(clients) for i in range(asked[me])}
    assert server.error_log.read_text().count("notice: the logs were reopened") == moves


def test_a_log_that_cannot_be_reopened(serve, place):
    (place / "logs").mkdir()
    server = serve(access_log=str(place / "logs" / "access"), workers=1)
    server.ask("/a.txt?before")
    (place / "logs").rename(place / "moved")
    server.signal(signal.SIGUSR1)
    (line,) = told(server, "is still written to the old file")
    assert f"the access log is still written to the old file: the log {place}/logs/access cannot be opened: No such file" in line
    server.ask("/a.txt?after")
    server.stop()
    assert re.findall(r"\?(\w+)", (place / "moved" / "access").read_text()) == ["before", "after"]


def test_logs_are_moved_away_while_the_server_ends(serve):
    server = serve({"patience": {"grace_seconds": 3600, "stall_seconds": 3600}}, workers=1,
                   files={"large.bin": b"x" * 20 * 1024 * 1024})
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        while b"\r\n\r\n" not in c.arrived:
            assert c.more()
        server.signal(signal.SIGTERM)
        told(server, "no new connections")
        server.access_log.rename(f"{server.access_log}.1")
        server.signal(signal.SIGUSR1)
        told(server, "the logs were reopened")
        c.response()
        server.wait()
    assert "GET /large.bin " in server.access_log.read_text()


def test_the_standard_stream_is_not_reopened(serve):
    server = serve(access_log="-", workers=1)
    server.ask("/a.txt?before")
    server.signal(signal.SIGUSR1)
    told(server, "the logs were reopened")
    server.ask("/a.txt?after")
    server.stop()
    assert re.findall(r"\?(\w+)", server.stderr.read_text()) == ["before", "after"]


# --- full disks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["combined", "json"])
def test_nothing_is_lost_at_the_end(serve, form):
    server = serve(arguments=["--log-format", form])
    clients, each = 8, 100

    def ask(name):
        with server.connect() as c:
            for i in range(each):
                assert c.ask(f"/a.txt?{name}-{i}").status == 200

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(clients)))
    server.signal(signal.SIGTERM)
    server.wait()
    text = server.access_log.read_text()
    assert text.endswith("\n") and text.count("\n") == clients * each
    assert len(set(re.findall(r"\?(\d+-\d+)", text))) == clients * each


def limit_files(server, size):
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, most))


def test_a_log_that_may_not_grow_and_may_again(serve):
    """As on a disk that is full for a while: reported once, counted, resumed; the number of lost lines is right."""
    server = serve(workers=1)
    with server.connect() as c:
        c.ask("/a.txt?early")
        wait_until(lambda: server.access_log.stat().st_size > 0, "the first line")
        size = server.access_log.stat().st_size
        limit_files(server, size + 20)  # there is room for a part of a line
        wait_until(lambda: c.ask("/a.txt?lost").status == 200 and "cannot be written" in server.stderr.read_text(),
                   "that the log is full is said")
        for _ in range(50):
            assert c.ask("/a.txt?lost").status == 200
        limit_files(server, resource.RLIM_INFINITY)
        wait_until(lambda: c.ask("/a.txt?late").status == 200 and " lost" in server.error_log.read_text(),
                   "that the log works again is said")
    server.stop()
    text = server.access_log.read_text()
    asked = int(re.search(r"; (\d+) requests answered", server.error_log.read_text()).group(1))
    (lost,) = re.findall(r"warning: (\d+) lines? of the access log w\w+ lost", server.error_log.read_text())
    pattern = r'127\.0\.0\.1 - - \[.*"GET /a.txt\?\w+ HTTP/1.1" .*"-" "-"'
    whole = [line for line in text.splitlines() if re.fullmatch(pattern, line)]
    assert len(whole) + int(lost) == asked
    assert "early" in whole[0] and "late" in whole[-1]
    assert len(text.splitlines()) == len(whole) + 1  # the partial line, ended by a line feed
    assert server.stderr.read_text().count("the access log cannot be written (File too large)") == 1


def test_a_full_disk_for_both_logs(serve):
    server = serve(access_log="/dev/full")
    for _ in range(3):
        assert server.ask("/a.txt").status == 200
    server.stop()
    assert server.stderr.read_text().count("log cannot be written") == 1
    assert "warning: 3 lines of the access log were lost" in server.error_log.read_text()


# --- pipes ------------------------------------------------------------------------------------------------------------


class Pipe:
    """A pipe of the minimum size, which is not read until the test starts to."""

    def __init__(self):
        self.reads, self.writes = os.pipe()
        self.size = fcntl.fcntl(self.writes, fcntl.F_SETPIPE_SZ, 4096)
        self.came = b""

    def is_full(self):
        _, writable, _ = select.select([], [self.writes], [], 0)
        return not writable

    def read(self, most=1 << 20):
        """The next bytes; empty at the end, when there is no writer left."""
        more = os.read(self.reads, most)
        self.came += more
        return more

    def read_on(self):
        """Reads until the end, in a thread."""

        def work():
            while self.read():
                pass

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def close_ours(self):
        if self.writes is not None:
            os.close(self.writes)
        self.writes = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_ours()
        if hasattr(self, "thread"):
            self.thread.join(DEADLINE)
        os.close(self.reads)


LONG_TARGET = "/a.txt?" + "x" * 1000
LONG_LINE = r'127\.0\.0\.1 - - \[.*\] "GET /a\.txt\?x{1000} HTTP/1\.1" 200 13 "-" "-"'


def account_of(server, text):
    """The final numbers of complete lines, of lines reported lost, and of answered requests."""
    errors = server.error_log.read_text()
    whole = [line for line in text.splitlines() if re.fullmatch(LONG_LINE, line)]
    lost = sum(map(int, re.findall(r"warning: (\d+) lines? of the access log w\w+ lost", errors)))
    return len(whole), lost, int(re.search(r"; (\d+) requests answered", errors).group(1))


def test_a_pipe_without_a_reader_for_a_while(serve, place):
    """The server does not wait for ever, and continues to log when a reader appears."""
    with Pipe() as pipe, open(place / "said", "wb") as said:
        server = serve(access_log="-", workers=1, streams=(pipe.writes, said))
        with server.connect() as c:
            wait_until(lambda: c.ask(LONG_TARGET).status == 200 and
                       "the access log cannot be written (its reader does not read)" in (place / "said").read_text(),
                       "the server reports that the reader does not read")
            for _ in range(500):
                assert c.ask(LONG_TARGET).status == 200
            pipe.close_ours()
            pipe.read_on()
            wait_until(lambda: c.ask(LONG_TARGET).status == 200 and " lost" in server.error_log.read_text(),
                       "the pipe is written to again")
        server.stop()
        pipe.thread.join(DEADLINE)
        text = pipe.came.decode()
    whole, lost, answered = account_of(server, text)
    # The number of lost lines depends on how many are on their way to the log, which writes them in batches.
    assert whole + lost == answered and lost > 0
    assert re.fullmatch(LONG_LINE, text.splitlines()[-1])
    assert (place / "said").read_text().count("cannot be written") == 1


def test_a_slow_reader_loses_nothing(serve):
    def trial(clock):
        with Pipe() as pipe:
            server = serve(access_log="-", workers=1, streams=(pipe.writes, pipe.writes))
            with server.connect() as c:
                c.send(f"GET {LONG_TARGET} HTTP/1.1\r\nHost: a\r\n\r\n" * 300)
                for _ in range(300):
                    assert c.response().status == 200
            wait_until(pipe.is_full, "it has to wait")
            pipe.close_ours()
            clock.start()
            while pipe.came.count(b"\n") < 300:
                clock.tick()
                assert pipe.read(1000), "the server has no more"
            server.stop()
        assert account_of(server, pipe.came.decode()) == (300, 0, 300)

    in_time(2, trial)


def test_the_end_while_nobody_reads_the_standard_streams(serve):
    with Pipe() as pipe:
        server = serve(access_log="-", workers=1, streams=(pipe.writes, pipe.writes))
        with server.connect() as c:
            for _ in range(100):
                assert c.ask(LONG_TARGET).status == 200
        wait_until(pipe.is_full, "nothing goes in any more")
        server.signal(signal.SIGTERM)
        server.wait()
        pipe.close_ours()
        pipe.read_on()
    whole, lost, answered = account_of(server, pipe.came.decode())
    assert whole + lost == answered == 100 and lost > 0


def test_a_pipe_with_a_name(serve, place):
    """There need not be a reader yet; and readers may come and go."""
    os.mkfifo(place / "pipe")
    server = serve(access_log=str(place / "pipe"), workers=1)
    with server.connect() as c:
        for i in range(3):
            assert c.ask(f"/a.txt?{i}").status == 200
            with open(place / "pipe", encoding="ascii") as reader:
                assert f"/a.txt?{i} " in reader.readline()


# --- a disk that hangs ------------------------------------------------------------------------------------------------

# Prevents a program from reopening its standard streams for appends that do not block, so that it must write to the
# streams that it inherited. Then a blocking pipe without a reader behaves like a file on a disk that hangs.
MAY_NOT_OPEN_STREAMS = '''
import ctypes, os, platform, struct, sys
openat = {"x86_64": 257, "aarch64": 56}[platform.machine()]
how = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK
rules = [(0x20, 0, 0, 0), (0x15, 0, 4, openat), (0x20, 0, 0, 32), (0x54, 0, 0, how | os.O_CREAT), (0x15, 0, 1, how),
         (0x06, 0, 0, 0x00050000 | 13), (0x06, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Program(len(rules), code)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
'''
LAUNCHER = ["/usr/bin/python3", "-c", MAY_NOT_OPEN_STREAMS]


@pytest.fixture
def hanging(serve, place):
    """A server whose access log hangs, and the pipe that serves as that log."""
    with Pipe() as pipe, open(place / "said", "wb") as said:
        server = serve(access_log="-", workers=1, streams=(pipe.writes, said), launcher=LAUNCHER)
        yield server, pipe


def ask_many(server, count):
    with server.connect() as c:
        for _ in range(count // 100):
            c.send(f"GET {LONG_TARGET} HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            for _ in range(100):
                assert c.response().status == 200


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]])
def test_a_log_that_hangs_holds_up_neither_clients_nor_the_end(hanging, place, signals):
    server, pipe = hanging
    ask_many(server, 9000)  # more than fit in memory and in the channels
    wait_until(lambda: "the access log cannot be written" in (place / "said").read_text(), "that it hangs is said")
    server.signal(signals[0])
    for number in signals[1:]:
        told(server, "ended; ")
        server.signal(number)
    server.wait()
    pipe.close_ours()
    pipe.read_on()
    pipe.thread.join(DEADLINE)
    whole, lost, answered = account_of(server, pipe.came.decode())
    assert answered == 9000
    assert lost <= answered <= whole + lost, "of the lines in hand it is not known which got through"


def test_a_log_that_hangs_and_goes_on(hanging):
    server, pipe = hanging
    ask_many(server, 9000)
    pipe.close_ours()
    pipe.read_on()
    with server.connect() as c:
        wait_until(lambda: c.ask(LONG_TARGET).status == 200 and " lost" in server.error_log.read_text(),
                   "the log goes on")
    server.stop()
    pipe.thread.join(DEADLINE)
    whole, lost, answered = account_of(server, pipe.came.decode())
    assert whole + lost == answered and lost > 0


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_slow_reader_loses_nothing_at_the_end(serve):
    """This takes longer than the server waits for a log that makes no progress."""

    def trial(clock):
        with Pipe() as pipe:
            server = serve(access_log="-", workers=1, streams=(pipe.writes, pipe.writes))
            ask_many(server, 300)
            wait_until(pipe.is_full, "it has to wait")
            pipe.close_ours()
            server.signal(signal.SIGTERM)
            clock.start()
            while pipe.read(4000):
                clock.tick()
                time.sleep(0.05)
            server.wait()
        assert account_of(server, pipe.came.decode()) == (300, 0, 300)

    in_time(1, trial)


def test_a_second_signal_ends_the_wait_for_a_reader(serve):
    with Pipe() as pipe:
        server = serve(access_log="-", workers=1, streams=(pipe.writes, pipe.writes))
        ask_many(server, 300)
        wait_until(pipe.is_full, "it has to wait")
        server.signal(signal.SIGTERM)
        told(server, "ended; ")
        server.signal(signal.SIGTERM)
        server.wait()
        pipe.close_ours()
        pipe.read_on()
    whole, lost, answered = account_of(server, pipe.came.decode())
    assert whole + lost == answered == 300 and lost > 0


# --- syslog and the journal -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def datagrams(path):
    """Reads datagrams while it is open; yields the list of those received."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        came = []
        s.settimeout(0.1)
        over = threading.Event()

        def read():
            while True:
                try:
                    came.append(s.recv(65536).decode())
                except TimeoutError:
                    if over.is_set():
                        return

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield came
        finally:
            over.set()
            reader.join()
            os.unlink(path)


def test_syslog(serve, place):
    with datagrams(place / "log") as came:
        server = serve(access_log=f"syslog:local5:{place}/log")
        with server.connect() as c:
            c.send("".join(f"GET /a.txt?{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(500)))
            for _ in range(500):
                c.response()
        server.stop()
    pattern = (r"<174>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d occwserv\[" + str(server.process.pid) +
               r'\]: 127\.0\.0\.1 - - \[.*\] "GET /a\.txt\?(\d+) HTTP/1\.1" 200 13 "-" "-"')
    assert [re.fullmatch(pattern, text).group(1) for text in came] == [str(i) for i in range(500)]


def test_the_journal(serve, place):
    with datagrams(place / "log") as came:
        server = serve(access_log=f"journal:{place}/log", arguments=JSON)
        server.ask("/a.txt")
        server.stop()
    (text,) = came
    fields = dict(line.split("=", 1) for line in text.splitlines())
    assert json.loads(fields.pop("MESSAGE"))["target"] == "/a.txt"
    assert fields == {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "occwserv", "OCCWSERV_LOG": "access"}


def test_syslog_without_a_reader_for_a_while(serve, place):
    server = serve(access_log=f"syslog:{place}/log")
    asked = 0
    with server.connect() as c:

        def ask_until(condition, what):
            def ask():
                nonlocal asked
                assert c.ask("/a.txt").status == 200
                asked += 1
                return condition()

            wait_until(ask, what)

        ask_until(lambda: "cannot be written (No such file" in server.stderr.read_text(), "it is said")
        with datagrams(place / "log") as came:
            ask_until(lambda: came, "a line comes through")
            (line,) = told(server, "of the access log w")
            server.stop()
    assert int(re.search(r"warning: (\d+) lines?", line).group(1)) + len(came) == asked
    assert server.stderr.read_text().count("cannot be written") == 1


def test_a_reader_that_does_not_read_stops_no_client(serve, place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(place / "log"))
        server = serve(access_log=f"syslog:{place}/log")
        with server.connect() as c:
            for _ in range(5):
                c.send(b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
                for _ in range(1000):
                    assert c.response().status == 200
            wait_until(lambda: "the access log cannot be written" in server.stderr.read_text(), "it is said")
        server.expect_healthy()
        server.stop()
        assert re.search(r"warning: \d+ lines of the access log were lost", server.error_log.read_text())


# --- invalid settings -------------------------------------------------------------------------------------------------


def complaint_of(*words):
    r = subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE, check=False)
    return r.returncode, r.stderr


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("format = 'xml'", '2:10: expected one of "combined", "json"'),
        ("access = 'syslog:lokal1'", "2:10: `lokal1` is not a syslog facility: expected one of auth, "),
        ("error = 'journal:nowhere'", "2:9: `nowhere` is not the path of a socket: a path begins with /"),
        ("request_id = 'never'", '2:14: expected one of "errors", "always"'),
    ],
)
@pytest.mark.parametrize("command", [["check"], []])
def test_mistakes_have_their_place(place, engine, command, text, complaint):
    file = place / "occwserv.toml"
    file.write_text(f"[log]\n{text}\n")
    code, said = complaint_of(*command, place, "--config", file, "--port", free_port())
    assert code == 2
    assert f"{file}:{complaint}" in said


@pytest.mark.parametrize("command, code", [(["check"], 2), ([], 1)])
def test_a_file_that_cannot_be_opened(place, engine, command, code):
    got, said = complaint_of(*command, place, "--access-log", place / "none" / "log", "--port", free_port())
    assert got == code
    assert f"the log {place}/none/log cannot be opened: No such file or directory" in said


@pytest.mark.parametrize("words, complaint", [
    (["--log-format", "xml"], "--log-format"),
    (["--error-log", "syslog:none"], "`none` is not a syslog facility"),
])
def test_mistakes_on_the_command_line(place, engine, words, complaint):
    code, said = complaint_of(place, *words, "--port", free_port())
    assert code == 2 and complaint in said


def test_check_makes_no_file(place, engine):
    code, said = complaint_of("check", place, "--access-log", place / "log")
    assert code == 0, said
    assert not (place / "log").exists()
