# SPDX-License-Identifier: MIT
"""HTTP/1.1 on the wire: exact limits, pipelined and split messages, and request bodies that are discarded.

The requirements of the RFCs are in 21_rfc_test, refused requests in 22_hostile_test.
"""

import re
import socket

import pytest

from harness import Client
from wire import A, GET_A, HOST, get, head

GET_B = b"GET /dir/b.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
B = b"b { color: black }\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"  # and then its body


def refusal(server, request, status, saying=None):
    """The request is answered with this error, and the connection is closed."""
    with server.connect() as c:
        r = c.send(request).response()
        assert (r.status, r.closes) == (status, True)
        assert r.text.startswith(f"{status} {r.reason}\n")
        if saying is not None:
            assert saying in r.text
        c.expect_closed()


def test_a_tls_handshake_is_recognized(standing):
    refusal(standing, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, saying="TLS")


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_longest_target(standing):
    longest = 8 * 1024
    with standing.connect() as c:
        assert c.ask("/a.txt?" + "q" * (longest - 7)).body == A
    refusal(standing, head("GET /a.txt?" + "q" * (longest - 6) + " HTTP/1.1", HOST), 414, saying="target")
    refusal(standing, head("GET /" + "a" * 3 * longest + " HTTP/1.1", HOST), 414, saying="target")


def test_the_most_fields(standing):
    with standing.connect() as c:
        assert c.ask("/a.txt", *[f"X-{i}: {i}" for i in range(99)]).body == A
    refusal(standing, get(*[f"X-{i}: {i}" for i in range(100)]), 431, saying="fields")


def test_the_longest_head(standing):
    def of_size(size):
        filling = size - len(get("X: "))
        return get("X: " + "x" * filling)

    with standing.connect() as c:
        assert c.send(of_size(16 * 1024)).response().body == A
        assert c.ask("/a.txt").body == A
    refusal(standing, of_size(16 * 1024 + 1), 431, saying="head")
    refusal(standing, get("X: ")[:-4] + b"x" * 100_000, 431, saying="head")


# --- persistence ------------------------------------------------------------------------------------------------------


def test_many_requests_on_one_connection(standing):
    with standing.connect() as c:
        for i in range(1000):
            assert c.ask(f"/a.txt?{i}").body == A


def test_a_hundred_requests_in_one_write(standing):
    targets = ["/a.txt", "/dir/b.css", "/none", "/dir", "/"] * 20
    with standing.connect() as c:
        expected = [c.ask(target) for target in targets[:5]] * 20
        c.send(b"".join(head(f"GET {target} HTTP/1.1", HOST) for target in targets))
        for wanted in expected:
            got = c.response()
            assert (got.status, got.get("Location")) == (wanted.status, wanted.get("Location"))
            assert got.body == wanted.body or got.status == 404  # an error page contains the request id


def test_pipelined_requests_cut_anywhere(standing):
    both = GET_A + GET_B
    for cut in range(1, len(both)):
        with standing.connect() as c:
            c.send(both[:cut])
            c.send(both[cut:])
            assert (c.response().body, c.response().body) == (A, B)


def test_a_client_that_has_finished_sending_is_still_answered(standing):
    with standing.connect() as c:
        c.send(GET_A + GET_B)
        c.finish_sending()
        assert (c.response().body, c.response().body) == (A, B)
        c.expect_closed()


@pytest.mark.parametrize("part", [b"", b"\r\n", b"G", b"GET /a.txt HTTP/1.1\r\nHost: local"])
def test_a_client_that_ends_before_its_request_does(standing, part):
    with standing.connect() as c:
        c.send(part)
        c.finish_sending()
        c.expect_closed()
    standing.expect_healthy()


# --- requests split at every byte -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_, status, body",
    [
        (GET_A, 200, A),
        (b"\r\nGET /dir HTTP/1.1\r\nHost: a\r\n\r\n", 301, None),
        (b"POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 405, None),
        (CHUNKED + b"3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n", 405, None),
    ],
)
def test_a_request_cut_at_every_byte(standing, request_, status, body):
    for cut in range(1, len(request_)):
        with standing.connect() as c:
            c.send(request_[:cut])
            c.send(request_[cut:])
            r = c.response()
            assert (r.status, r.closes) == (status, False)
            assert body is None or r.body == body
            assert c.ask("/a.txt").body == A


# --- bodies -----------------------------------------------------------------------------------------------------------

BODIES = {
    "none": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nGET / HTTP/1",
    "long": b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
    "chunked": CHUNKED + b"5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\n\r\n",
    "chunked, empty": CHUNKED + b"0\r\n\r\n",
    "chunked, trailers": CHUNKED + b"000A\r\n0123456789\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\n",
    "chunked, long": CHUNKED + b"8000\r\n" + b"x" * 0x8000 + b"\r\n" + b"1\r\ny\r\n" * 1000 + b"0\r\n\r\n",
    "of GET": b"GET /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_skipped(standing, name):
    """The body of a request that was answered without it is not read as the next request."""
    status = 200 if name == "of GET" else 405
    with standing.connect() as c:
        for _ in range(3):
            c.send(BODIES[name] + GET_A)  # all in one write
            assert [c.response().status, c.response().status] == [status, 200]
        c.send(BODIES[name])
        assert c.response().status == status
        assert c.ask("/dir/b.css").body == B


@pytest.mark.parametrize("name", ["length", "chunked", "chunked, trailers", "of GET"])
def test_a_body_byte_by_byte(standing, name):
    with standing.connect() as c:
        c.send_bytewise(BODIES[name] + GET_A)
        assert c.response().status in (200, 405)
        assert c.response().body == A


def test_connection_close_with_a_body(standing):
    """The client gets the whole answer although the body was not read: no reset destroys it."""
    with standing.connect() as c:
        c.send(head("POST /a.txt HTTP/1.1", HOST, "Connection: close", "Content-Length: 200000"))
        c.send(b"x" * 200_000)
        r = c.response()
        assert (r.status, r.closes) == (405, True)
        c.finish_sending()
        c.expect_closed()


def test_content_length_at_the_limit(serve):
    server = serve({"limits": {"body_bytes": 1000}})
    with server.connect() as c:
        assert c.ask("/a.txt", "Content-Length: 1000", method="POST", body=b"x" * 1000).status == 405
        assert c.ask("/a.txt").body == A
    refusal(server, head("POST / HTTP/1.1", HOST, "Content-Length: 1001"), 413, saying="limit")
    with server.connect() as c:
        c.send(CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n" + GET_A)
        assert c.response().status in (405, 413)
        c.expect_closed()


def test_the_refusal_of_a_large_body_reaches_a_client_that_still_sends(standing):
    body = b"x" * (4 * 1024 * 1024)
    with standing.connect() as c:
        c.send(head("PUT /a.txt HTTP/1.1", HOST, f"Content-Length: {len(body)}"))
        c.send(body[: 1024 * 1024])  # before it reads an answer
        r = c.response()
        assert (r.status, r.closes) == (413, True)
        assert "limit" in r.text


def test_expect_100_continue_is_answered_finally(standing):
    for body in (b"", b"x" * 5):  # sent without waiting, or not
        with standing.connect() as c:
            c.request("/a.txt", "Content-Length: 5", "Expect: 100-continue", method="POST", body=body)
            r = c.response()
            assert (r.status, r.closes) == (405, True)
            c.finish_sending()
            c.expect_closed()


# --- responses --------------------------------------------------------------------------------------------------------


def test_error_pages_are_html_and_name_no_version(standing):
    r = standing.ask("/none", "Accept: text/html")
    assert r.reason == "Not Found"
    assert re.match(r"<!doctype html>\n<html lang=\"en\">", r.text)
    assert "404 Not Found" in r.text
    assert r.get("X-Content-Type-Options") == "nosniff"
    assert "0.1" not in r.get("Server")


def test_nothing_of_the_request_is_repeated_in_an_error_page(standing):
    for target in ("/%3Cscript%3E", "/none?%3Cscript%3E", "/%22onload=%22"):
        assert "script" not in standing.ask(target).text


def test_out_of_band_data_does_no_harm(standing):
    with Client(standing.port) as c:
        c.send(GET_A[:10])
        c.socket.send(b"!", socket.MSG_OOB)
        c.send(GET_A[10:])
        c.response()
    standing.expect_healthy()
