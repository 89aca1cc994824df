# SPDX-License-Identifier: MIT
"""The optimizations whose errors a client would notice: answers sent together, cached absences,
and files that stay open."""

import json
import os
import pathlib
import random
import socket
import struct

from harness import wait_until

SITE = {
    "a.txt": "the letter a\n",
    "page.html": "<!doctype html>" + "x" * 8000,
    "dir/index.html": "<!doctype html><title>dir</title>\n",
    "large.bin": random.Random(1).randbytes(300_000),
}


def get(target, *fields, method="GET"):
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *fields]) + "\r\n\r\n"


# --- pipelined requests -----------------------------------------------------------------------------------------------


def segments_received(client):
    """The number of segments with data received so far: tcpi_data_segs_in of struct tcp_info."""
    return struct.unpack_from("I", client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0]


def test_answers_leave_together(standing):
    """Sixteen requests in one write, and all answers in one segment."""
    with standing.connect() as c:

        def come_in_one_segment():
            before = segments_received(c)
            c.send(get("/a.txt") * 16)
            for _ in range(16):
                assert c.response().text == SITE["a.txt"]
            return segments_received(c) == before + 1

        # Once a second one request waits for a check of the file, and the answers before it are sent at once.
        wait_until(come_in_one_segment, "sixteen answers in one segment")


MIXED = [
    get("/a.txt"),
    get("/page.html", method="HEAD"),
    get("/page.html", "Range: bytes=10-19"),
    get("/none"),
    get("/dir"),
    get("/a.txt", "If-None-Match: *"),
    get("/large.bin", "Range: bytes=70000-199999"),
    get("/large.bin", "Range: bytes=0-9,100000-100009"),
    get("/large.bin"),
    get("/.hidden"),
    get("/healthz"),
    get("/a.txt", method="POST"),
    get("/page.html", "If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT"),
    get("/page.html", "Range: bytes=999999-"),
    get("*", method="OPTIONS"),
    get("/none", method="HEAD"),
]


def told(response):
    """The parts of an answer that do not differ when the request is repeated."""
    fields = [f for f in response.fields if f[0] not in ("Date", "Last-Modified", "X-Request-Id", "Content-Length")]
    if (response.get("Content-Type") or "").startswith("multipart/"):
        return response.status, len(response.body)
    body = response.body if response.status < 400 else b""  # that of an error may contain the request id
    return response.status, fields, body


def test_all_kinds_in_one_piece(standing):
    """In any order, each request gets the same answer as alone."""
    with standing.connect() as c:
        alone = {text: told(c.send(text).response(to=text.split(" ")[0])) for text in MIXED}
        for seed in range(20):
            texts = random.Random(seed).choices(MIXED, k=24)
            c.send("".join(texts))
            for text in texts:
                assert told(c.response(to=text.split(" ")[0])) == alone[text], (seed, text)


def test_a_reader_slower_than_the_answers(standing):
    count = 400
    with standing.connect(receive_buffer=4096) as c:
        c.send(get("/page.html") * (count // 2) + get("/a.txt") * (count // 2))
        c.finish_sending()
        answers = [c.response() for _ in range(count)]
        c.expect_closed()
    assert [r.text for r in answers] == [SITE["page.html"]] * (count // 2) + [SITE["a.txt"]] * (count // 2)


def test_the_last_of_several(standing):
    """All requests before the one with close are answered, and none after it."""
    with standing.connect() as c:
        c.send(get("/a.txt") * 3 + get("/a.txt", "Connection: close") + get("/page.html") * 3)
        answers = [c.response() for _ in range(4)]
        assert [r.closes for r in answers] == [False, False, False, True]
        c.expect_closed()


def test_a_part_of_the_next_request_delays_nothing(standing):
    with standing.connect() as c:
        for part in ("\r\n", "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n", "G"):
            rest = get("/a.txt")[len(part):] if part.startswith("G") else get("/a.txt")
            c.send(get("/page.html") + part)
            assert c.response().text == SITE["page.html"]
            assert c.send(rest).response().text == SITE["a.txt"]


def test_what_is_wrong_behind_a_request_delays_nothing(standing):
    with standing.connect() as c:
        c.send(get("/a.txt") + get("/a.txt") + "\x00\r\n\r\n")
        assert [c.response().status for _ in range(3)] == [200, 200, 400]
        c.expect_closed()


def test_clients_that_leave_before_the_last_answer(serve):
    server = serve(files=SITE)
    for i in range(50):
        c = server.connect(receive_buffer=4096)
        c.send(get("/page.html") * 100)
        if i % 2:
            c.response()
        c.reset()
    server.expect_healthy()
    page = len(SITE["page.html"])
    for line in server.log_lines(50):
        status, sent = line.rsplit('" "', 1)[0].split('" ')[1].split(" ")[:2]
        assert status != "200" or int(sent or 0) <= page


# --- cached absences --------------------------------------------------------------------------------------------------


def test_a_file_that_appears(server):
    for i in range(3):
        with server.connect() as c:
            assert [c.ask(f"/new-{i}.txt").status for _ in range(50)] == [404] * 50
            (server.site / f"new-{i}.txt").write_text("here")
            wait_until(lambda: c.ask(f"/new-{i}.txt").status == 200, "the file is seen", deadline=10)
            assert c.ask(f"/new-{i}.txt").text == "here"
            (server.site / f"new-{i}.txt").unlink()
            wait_until(lambda: c.ask(f"/new-{i}.txt").status == 404, "the file is missed", deadline=10)


def test_a_name_that_is_missed_once_is_not_remembered(server):
    """A scan for many names costs only one look-up each, and a file that appears is seen at once."""
    with server.connect() as c:
        for i in range(20):
            assert c.ask(f"/once-{i}.txt").status == 404
            (server.site / f"once-{i}.txt").write_text("here")
            assert c.ask(f"/once-{i}.txt").status == 200
            (server.site / f"once-{i}.txt").unlink()


def test_the_answer_for_a_missing_page(serve):
    """By its Accept field, whether the answer was cached or not; with its own id; and without content for a HEAD."""
    server = serve(files={"error.404.html": "<p>gone fishing", "a.txt": "a"})
    ids = set()
    with server.connect() as c:
        for _ in range(20):
            page = c.ask("/none", "If-None-Match: *", "Range: bytes=0-1")
            assert (page.status, page.text, page.get("Vary")) == (404, "<p>gone fishing", "Accept")
            program = c.ask("/none", "Accept: application/json")
            assert (program.get("Content-Type"), program.text[:14]) == ("application/json", '{"status":404,')
            head = c.ask("/none", method="HEAD")
            assert (head.status, head.get("Content-Length")) == (404, str(len(page.text)))
            assert c.ask("/none", method="OPTIONS").status == 204
            ids |= {r.get("X-Request-Id") for r in (page, program, head)}
    assert len(ids) == 60
    (server.site / "error.404.html").write_text("<p>still gone")
    wait_until(lambda: server.ask("/none").text == "<p>still gone", "the new text", deadline=10)


def test_each_form_of_a_missing_page(server):
    """Plain text, HTML for clients that name it, JSON for those that prefer it, each with the request's id."""
    with server.connect() as c:
        for _ in range(20):
            text = c.ask("/none")
            assert text.get("Content-Type") == "text/plain; charset=utf-8"
            assert text.text == f"404 Not Found\nThere is no such page.\nRequest {text.get('X-Request-Id')}\n"
            page = c.ask("/none", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
            assert page.get("Content-Type") == "text/html; charset=utf-8"
            assert page.text.startswith("<!doctype html>") and page.get("X-Request-Id") in page.text
            program = c.ask("/none", "Accept: application/json")
            assert json.loads(program.text)["request_id"] == program.get("X-Request-Id")


def test_missing_names_evict_no_page(server):
    """Popular pages stay in memory, however many missing names are requested."""
    page = "/dir/b.css"
    text = (server.site / "dir/b.css").read_text()
    with server.connect() as c:
        for _ in range(20):
            assert c.ask(page).text == text
        for part in range(5):
            names = [f"/{random.Random(part * 1000 + i).random()}" for i in range(500)]
            c.send("".join(get(name) for name in names for _ in range(2)))
            for _ in range(1000):
                assert c.response().status == 404
            assert c.ask(page).text == text
    shown = json.loads(server.ask("/stats.json").body)
    assert page in json.dumps(shown)


# --- large files, kept open -------------------------------------------------------------------------------------------


def test_ranges_while_a_file_is_replaced(serve):
    """Every part belongs to the version of its tag, however the file is changed."""
    size, part = 300_000, 50_000
    versions = [random.Random(i).randbytes(size) for i in range(4)]
    server = serve(files={"video.mp4": versions[0]})
    video = server.site / "video.mp4"
    tags = {}
    with server.connect() as c:

        def look():
            for at in range(0, size, part):
                r = c.ask("/video.mp4", f"Range: bytes={at}-{at + part - 1}")
                assert r.status == 206
                now = next(i for i, v in enumerate(versions) if r.body == v[at : at + part])
                if r.get("ETag"):
                    assert tags.setdefault(r.get("ETag"), now) == now
            return now

        for number, how in ((1, "renamed"), (2, "written"), (3, "renamed")):
            assert look() == number - 1
            if how == "renamed":
                (server.site / "new").write_bytes(versions[number])
                (server.site / "new").rename(video)
                wait_until(lambda: look() == number, "the new version", deadline=10)
            else:
                video.write_bytes(versions[number])
                assert look() == number, "seen at once, since the open file is looked at"
        video.unlink()
        wait_until(lambda: c.ask("/video.mp4", "Range: bytes=0-9").status == 404, "it is missed", deadline=10)


def test_a_removed_file_is_not_held_open(serve):
    server = serve(files={"video.mp4": b"x" * 300_000, "a.txt": "a"})

    def holds():
        opened = pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()
        return any("video.mp4" in os.readlink(fd) for fd in opened if fd.is_symlink())

    for _ in range(3):
        assert server.ask("/video.mp4", "Range: bytes=100-199").body == b"x" * 100
    (server.site / "video.mp4").unlink()
    wait_until(lambda: not holds(), "the file is closed, though nobody asks for it", deadline=10)
