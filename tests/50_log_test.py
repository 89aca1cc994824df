# SPDX-License-Identifier: MIT
"""The access log: one complete line in the combined format for each request, whatever bytes it contains."""

import concurrent.futures
import datetime
import re
import signal

import pytest

LINE = re.compile(
    r"(?P<client>[0-9a-f.:]+) - - \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "
    r'"(?P<line>[^"]*)" (?P<status>[1-5]\d\d) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)


def parsed(server, count):
    """All lines of the log, which must be exactly `count` in the end."""
    lines = server.log_lines(count)
    assert len(lines) == count, lines
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches) if not match]
    assert all(0x20 <= ord(c) < 0x7F for line in lines for c in line)
    return [match.groupdict() for match in matches]


def test_a_line(server):
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    server.ask("/a.txt?query", "Referer: http://localhost/from", "User-Agent: tester/1.0 (a test)")
    (entry,) = parsed(server, 1)
    assert entry["client"] == "127.0.0.1"
    assert entry["line"] == "GET /a.txt?query HTTP/1.1"
    assert (entry["status"], entry["bytes"]) == ("200", "13")
    assert entry["referer"] == "http://localhost/from"
    assert entry["agent"] == "tester/1.0 (a test)"
    time = datetime.datetime.strptime(entry["time"], "%d/%b/%Y:%H:%M:%S %z")
    assert before <= time <= datetime.datetime.now(datetime.timezone.utc)


def test_what_was_not_sent_is_a_dash(server):
    server.ask("/a.txt")
    (entry,) = parsed(server, 1)
    assert (entry["referer"], entry["agent"]) == ("-", "-")


def test_every_kind_of_answer(server):
    with server.connect() as c:
        answers = [
            (method, target, c.ask(target, method=method))
            for method, target in [
                ("GET", "/"), ("HEAD", "/"), ("GET", "/dir"), ("GET", "/none"), ("GET", "/.x"), ("GET", "/empty/"),
                ("OPTIONS", "*"), ("OPTIONS", "/"), ("POST", "/a.txt"), ("GET", "/%00"), ("PURGE", "/"),
            ]
        ]
    entries = parsed(server, len(answers))
    for entry, (method, target, r) in zip(entries, answers):
        assert entry["line"] == f"{method} {target} HTTP/1.1"
        assert (entry["status"], entry["bytes"]) == (str(r.status), str(len(r.body)))


@pytest.mark.parametrize(
    "request_, status, line",
    [
        (b"GET / HTTP/1.1\r\n\r\n", "400", "GET / HTTP/1.1"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505", "GET / HTTP/2.0"),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400", "GET /a b HTTP/1.1"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", "413", "POST / HTTP/1.1"),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "400", "-"),  # there is no request line to log
        (b"GET /" + b"a" * 9000, "414", "-"),
        (b"\x16\x03\x01", "400", "-"),
    ],
)
def test_refused_requests(server, request_, status, line):
    with server.connect() as c:
        r = c.send(request_).response()
    (entry,) = parsed(server, 1)
    assert (entry["status"], entry["line"], entry["bytes"]) == (status, line, str(len(r.body)))


def test_no_line_can_be_forged(server):
    agent = 'x" 200 1 "-" "y\\'
    with server.connect() as c:
        c.ask("/a.txt", f"User-Agent: {agent}", "Referer: caf\u00e9\ttab")
    (entry,) = parsed(server, 1)
    assert entry["agent"] == r"x\x22 200 1 \x22-\x22 \x22y\x5C"
    assert entry["referer"] == r"caf\xC3\xA9\x09tab"


def test_long_texts_are_cut(server):
    with server.connect() as c:
        c.ask("/a.txt?" + "q" * 8000, "User-Agent: " + "u" * 5000, "Referer: " + "\u00e9" * 1000)
        c.ask("/a.txt")
    long, short = parsed(server, 2)
    assert long["line"].startswith("GET /a.txt?qqq") and long["line"].endswith("...")
    assert short["line"] == "GET /a.txt HTTP/1.1"


def test_each_of_a_pipeline_has_its_line(server):
    with server.connect() as c:
        c.send("".join(f"GET /a.txt?{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(200)))
        for _ in range(200):
            c.response()
    assert [entry["line"] for entry in parsed(server, 200)] == [f"GET /a.txt?{i} HTTP/1.1" for i in range(200)]


def test_a_client_that_left_is_logged_with_what_it_got(serve):
    size = 20 * 1024 * 1024
    server = serve(files={"large.bin": b"x" * size})
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        c.read_exactly(1000)
    (entry,) = parsed(server, 1)
    assert entry["status"] == "200" and int(entry["bytes"]) < size


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_lost_at_the_end(serve, number):
    """As many lines as answers, although the server is stopped right after the last."""
    server = serve()
    clients, each = 16, 50

    def ask(name):
        with server.connect() as c:
            for i in range(each):
                assert c.ask(f"/a.txt?{name}-{i}").status == 200

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(clients)))
    server.signal(number)
    server.wait()
    entries = parsed(server, clients * each)
    assert {entry["line"] for entry in entries} == {
        f"GET /a.txt?{name}-{i} HTTP/1.1" for name in range(clients) for i in range(each)
    }
    assert f"{clients * each} requests answered ({clients * each} 2xx, 0 3xx, 0 4xx, 0 5xx)" in (
        server.error_log.read_text()
    )


def test_the_log_is_appended_to(serve):
    server = serve()
    server.ask("/a.txt?first")
    server.stop()
    again = serve(site=server.site, access_log=str(server.access_log))
    again.ask("/a.txt?second")
    again.stop()
    assert re.findall(r"\?(\w+)", server.access_log.read_text()) == ["first", "second"]


@pytest.mark.parametrize("log", ["/dev/full"])
def test_a_full_disk_does_not_stop_the_server(serve, log):
    server = serve(access_log=log)
    for _ in range(3):
        assert server.ask("/a.txt").status == 200
    server.stop()
    assert server.stderr.read_text().count("log cannot be written") == 1  # reported once
