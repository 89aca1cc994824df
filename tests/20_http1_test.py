# SPDX-License-Identifier: MIT
"""HTTP/1.0 and 1.1 on the wire: what is refused, how messages follow each other, and when a connection ends."""

import re
import socket

import pytest

from harness import Client

A = b"the letter a\n"  # /a.txt
GET_A = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_B = b"GET /dir/b.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
B = b"b { color: black }\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"  # and then its body


def refusal(server, request, status, saying=None):
    """The request is answered with that error and the connection closed."""
    with server.connect() as c:
        r = c.send(request).response()
        assert (r.status, r.closes) == (status, True)
        assert f"<h1>{status} " in r.text
        if saying is not None:
            assert saying in r.text
        c.expect_closed()


# --- the request line -------------------------------------------------------------------------------------------------


def head(line, *fields):
    return "\r\n".join([line, *fields]).encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize(
    "line, status",
    [
        ("GET /a.txt", 400),
        ("GET  /a.txt HTTP/1.1", 400),
        ("GET /a.txt  HTTP/1.1", 400),
        ("GET /a.txt HTTP/1.1 ", 400),
        (" GET /a.txt HTTP/1.1", 400),
        ("GET\t/a.txt\tHTTP/1.1", 400),
        ("GET /a b.txt HTTP/1.1", 400),
        ("GET a.txt HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET localhost:80 HTTP/1.1", 400),
        ("GET ftp://localhost/a.txt HTTP/1.1", 400),
        ("GET http:///a.txt HTTP/1.1", 400),
        ("GET http://user@localhost/a.txt HTTP/1.1", 400),
        ("GET /a.txt#part HTTP/1.1", 400),
        ("GET /\xe9 HTTP/1.1", 400),
        ('GET /"a" HTTP/1.1', 400),
        ("GET /a.txt http/1.1", 400),
        ("GET /a.txt HTTP/1", 400),
        ("GET /a.txt HTTP/1.10", 400),
        ("GET /a.txt HTTP/01.1", 400),
        ("GET /a.txt HTTPS/1.1", 400),
        ("G(T /a.txt HTTP/1.1", 400),
        ("\x16\x03\x01\x02", 400),
        ("CONNECT localhost HTTP/1.1", 400),
        ("GET /a.txt HTTP/2.0", 505),
        ("GET /a.txt HTTP/0.9", 505),
        ("PRI * HTTP/2.0", 505),
        ("A" * 33 + " / HTTP/1.1", 501),
    ],
)
def test_request_line_refused(standing, line, status):
    refusal(standing, head(line, "Host: localhost"), status)


def test_tls_is_named_as_what_it_is(standing):
    refusal(standing, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, saying="TLS")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.2", "HTTP/1.9"])
def test_later_minor_versions_are_read_as_1_1(standing, version):
    with standing.connect() as c:
        for _ in range(2):
            r = c.ask("/a.txt", version=version)
            assert (r.status, r.body, r.get("Connection")) == (200, A, "keep-alive")


def test_absolute_form(standing):
    with standing.connect() as c:
        assert c.ask("http://localhost/a.txt").body == A
        assert c.ask("HTTP://LOCALHOST:8080/a.txt?query").body == A
        assert c.ask("https://example.org").status == 200
        assert c.ask("http://[::1]?query").body == c.ask("/").body


def test_empty_lines_before_a_request(standing):
    with standing.connect() as c:
        for _ in range(2):
            assert c.send(b"\r\n\r\n" + GET_A).response().body == A
    refusal(standing, b"\r\n\r\n\r\n" + GET_A, 400)


# --- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "PATCH"])
def test_methods_that_a_page_does_not_have(standing, method):
    with standing.connect() as c:
        for target in ("/a.txt", "/none"):
            r = c.ask(target, method=method)
            assert (r.status, r.closes) == (405, False)
        assert c.ask("/a.txt").body == A


@pytest.mark.parametrize("method", ["PURGE", "get", "Get", "M-SEARCH", "A" * 32])
def test_methods_that_are_not_known(standing, method):
    with standing.connect() as c:
        assert c.ask("/a.txt", method=method).status == 501


def test_connect_opens_no_tunnel(standing):
    with standing.connect() as c:
        assert c.ask("localhost:80", method="CONNECT").status == 405


def test_options(standing):
    with standing.connect() as c:
        for target in ("*", "/", "/a.txt", "/none"):
            r = c.ask(target, method="OPTIONS")
            assert (r.status, r.get("Allow"), r.closes) == (204, "GET, HEAD, OPTIONS", False)
        assert c.ask("/a.txt").body == A


@pytest.mark.parametrize("target", ["/", "/a.txt", "/dir", "/none", "/.hidden", "/empty/"])
def test_head_is_get_without_a_body(standing, target):
    with standing.connect() as c:
        got = c.ask(target)
        headed = c.ask(target, method="HEAD")
        assert headed.status == got.status

        def lasting(r):
            return [(name, value) for name, value in r.fields if name != "Date"]

        assert lasting(headed) == lasting(got)
        assert c.ask("/a.txt").body == A  # so no body came in between


# --- fields -----------------------------------------------------------------------------------------------------------

GET = "GET /a.txt HTTP/1.1"
HOST = "Host: localhost"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [HOST, HOST],
        [HOST, "Host: other"],
        ["Host:"],
        ["Host: a b"],
        ["Host: localhost:port"],
        ["Host: localhost:65536"],
        ["Host: user@localhost"],
        ["Host: localhost/"],
        ["Host: [::1"],
        ["Host: a, b"],
        ["Host : localhost"],
        ["Host\t: localhost"],
        [" Host: localhost"],
        [HOST, "X: a", " folded"],
        [HOST, "X: a", "\tfolded"],
        [HOST, "X"],
        [HOST, ": nameless"],
        [HOST, "X Y: a"],
        [HOST, "X(: a"],
        [HOST, "X\xe9: a"],
        [HOST, "X: a\0b"],
        [HOST, "X: a\x01b"],
        [HOST, "X: a\x7fb"],
        [HOST, "X: a\nY: b"],
        [HOST, "X: a\rY: b"],
        [HOST, "Connection: a b"],
        [HOST, "Upgrade: a b"],
        [HOST, "Content-Length: 0", "Content-Length: 0"],
        [HOST, "Content-Length: 1", "Content-Length: 2"],
        [HOST, "Content-Length: 1, 1"],
        [HOST, "Content-Length: +1"],
        [HOST, "Content-Length: -1"],
        [HOST, "Content-Length: 0x1"],
        [HOST, "Content-Length: 1 2"],
        [HOST, "Content-Length:"],
        [HOST, "Content-Length: 18446744073709551616"],
        [HOST, "Content-Length: 5", "Transfer-Encoding: chunked"],
        [HOST, "Transfer-Encoding: chunked", "Content-Length: 5"],
        [HOST, "Transfer-Encoding: chunked, chunked"],
        [HOST, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        [HOST, "Transfer-Encoding: chunked, identity"],
        [HOST, "Transfer-Encoding: chunked;a=b"],
        [HOST, "Transfer-Encoding: \x0bchunked"],
    ],
    ids=lambda fields: repr(" | ".join(fields[-2:]))[:60],
)
def test_fields_refused(standing, fields):
    refusal(standing, head(GET, *fields), 400)


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity", "xchunked"])
def test_transfer_codings_that_are_not_known(standing, coding):
    refusal(standing, head("POST / HTTP/1.1", HOST, f"Transfer-Encoding: {coding}"), 501)


def test_transfer_encoding_of_1_0(standing):
    refusal(standing, head("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked"), 400)


def test_expectations_that_are_not_known(standing):
    refusal(standing, head(GET, HOST, "Expect: miracles"), 417)


@pytest.mark.parametrize(
    "request_",
    [
        GET_A.replace(b"\r\n", b"\n"),
        b"GET /a.txt HTTP/1.1\nHost: localhost\r\n\r\n",
        b"GET /a.txt HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\n",
        b"GET /a.txt HTTP/1.1\rHost: localhost\r\n\r\n",
        b"GET /a.txt HTTP/1.1\r\r\nHost: localhost\r\n\r\n",
        b"GET /a.txt\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\nGET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"{}\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
    ],
)
def test_line_ends_and_control_bytes(standing, request_):
    refusal(standing, request_, 400)


def test_fields_that_are_fine(standing):
    with standing.connect() as c:
        fields = ["x:", "X: \t spaced \t ", "X: caf\u00e9", "!#$%&'*+-.^_`|~: 1", "HOSTS: 2"]
        fields += ["Connection: ,keep-alive,,", "Content-Length: 0", "Expect: 100-CONTINUE"]
        assert c.ask("/a.txt", *fields).body == A
        assert c.ask("/a.txt").body == A


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_longest_target(standing):
    longest = 8 * 1024
    with standing.connect() as c:
        assert c.ask("/a.txt?" + "q" * (longest - 7)).body == A
    refusal(standing, head("GET /a.txt?" + "q" * (longest - 6) + " HTTP/1.1", HOST), 414, saying="target")
    refusal(standing, head("GET /" + "a" * 3 * longest + " HTTP/1.1", HOST), 414, saying="target")


def test_a_request_line_without_end(standing):
    refusal(standing, b"GET /" + b"a" * 9000, 414, saying="target")


def test_the_most_fields(standing):
    with standing.connect() as c:
        assert c.ask("/a.txt", *[f"X-{i}: {i}" for i in range(99)]).body == A
    refusal(standing, head(GET, HOST, *[f"X-{i}: {i}" for i in range(100)]), 431, saying="fields")


def test_the_longest_head(standing):
    def of_size(size):
        filling = size - len(head(GET, HOST, "X: "))
        return head(GET, HOST, "X: " + "x" * filling)

    with standing.connect() as c:
        assert c.send(of_size(16 * 1024)).response().body == A
        assert c.ask("/a.txt").body == A
    refusal(standing, of_size(16 * 1024 + 1), 431, saying="head")
    refusal(standing, head(GET, HOST, "X: ")[:-4] + b"x" * 100_000, 431, saying="head")


# --- persistence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version, fields, stays",
    [
        ("HTTP/1.1", [], True),
        ("HTTP/1.1", ["Connection: keep-alive"], True),
        ("HTTP/1.1", ["Connection: close"], False),
        ("HTTP/1.1", ["Connection: Close"], False),
        ("HTTP/1.1", ["Connection: keep-alive, close"], False),
        ("HTTP/1.1", ["Connection: te", "Connection: close"], False),
        ("HTTP/1.0", [], False),
        ("HTTP/1.0", ["Connection: keep-alive"], True),
        ("HTTP/1.0", ["Connection: Keep-Alive"], True),
        ("HTTP/1.0", ["Connection: close"], False),
    ],
)
def test_persistence(standing, version, fields, stays):
    with standing.connect() as c:
        r = c.ask("/a.txt", *fields, version=version)
        assert (r.status, r.body) == (200, A)
        if stays:
            assert r.get("Connection") == "keep-alive"
            assert c.ask("/a.txt").body == A
        else:
            assert r.get("Connection") == "close"
            c.expect_closed()


def test_1_0_needs_no_host(standing):
    with standing.connect() as c:
        assert c.send(b"GET /a.txt HTTP/1.0\r\n\r\n").response().body == A
        c.expect_closed()


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
            assert (got.status, got.body, got.get("Location")) == (wanted.status, wanted.body, wanted.get("Location"))


def test_pipelined_requests_cut_anywhere(standing):
    both = GET_A + GET_B
    for cut in range(1, len(both)):
        with standing.connect() as c:
            c.send(both[:cut])
            c.send(both[cut:])
            assert (c.response().body, c.response().body) == (A, B)


def test_nothing_is_read_past_connection_close(standing):
    with standing.connect() as c:
        c.send(head("GET /a.txt HTTP/1.1", HOST, "Connection: close") + GET_B)
        assert c.response().body == A
        c.expect_closed()


def test_a_mistake_ends_the_pipeline(standing):
    with standing.connect() as c:
        c.send(GET_A + b"GET /a.txt HTTP/1.1\r\n\r\n" + GET_B)
        assert c.response().status == 200
        assert c.response().status == 400
        c.expect_closed()


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


# --- one request, cut everywhere --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("request_, status", [(GET_A, 200), (GET_A.replace(b"Host", b"Hos:"), 400)])
def test_a_request_byte_by_byte(standing, request_, status):
    with standing.connect() as c:
        assert c.send_bytewise(request_).response().status == status


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
    """The body of a request that was answered without it is not taken for the next request."""
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
    """The client gets the whole answer, though the body is still unread: it is not reset away."""
    with standing.connect() as c:
        c.send(head("POST /a.txt HTTP/1.1", HOST, "Connection: close", "Content-Length: 200000"))
        c.send(b"x" * 200_000)
        r = c.response()
        assert (r.status, r.closes) == (405, True)
        c.finish_sending()
        c.expect_closed()


@pytest.mark.parametrize(
    "broken",
    [b"x\r\n", b"5\nhello\r\n", b"5 \r\nhello\r\n", b"1\r\nab\r\n", b"11111111111111111\r\n", b"-1\r\n",
     b"0\r\nbad trailer\r\n\r\n", b"0\r\n\n", b"\r\n"],
)
def test_a_broken_chunked_body_ends_the_connection(standing, broken):
    with standing.connect() as c:
        c.send(CHUNKED + broken + GET_A)
        assert c.response().status == 405
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
        c.send(body[: 1024 * 1024])  # before it looks for an answer
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


# --- two who would not agree ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ],
)
def test_no_second_request_is_smuggled(standing, request_):
    with standing.connect() as c:
        c.send(request_ + GET_A)
        assert c.response().status in (400, 501)
        c.expect_closed()


# --- responses --------------------------------------------------------------------------------------------------------


def test_error_pages_are_html_and_name_no_version(standing):
    r = standing.ask("/none")
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
