# SPDX-License-Identifier: MIT
"""The requirements of RFC 9110 and RFC 9112 for an origin server, one per row; docs/RFC.md is generated from this file.

Most are bytes and what becomes of them. What needs more than that is a test of its own below, marked with the
requirement it shows.
"""

import email.utils
import pathlib
import re
import time

import pytest

import rfc_table
from harness import DEADLINE
from requirements import Requirement, noting
from wire import A, GET_A, HOST, answered, bytewise, chunks, get, head, last, play, post, refused


def line(text):
    return head(text, HOST)


def row(section, says, *vectors):
    return Requirement(section, says, vectors)


ROWS = [
    # Messages
    row("9112 2.2", "A message is octets, not characters: a value with bytes that are not ASCII MUST be parsed safely",
        answered(get("X: \xe9\xff"), 200), answered(get("X: \xe2\x82\xac"), 200)),
    row("9112 2.2", "A bare CR is invalid and MUST NOT end a line",
        refused("GET /a.txt HTTP/1.1\rHost: a\r\n\r\n", 400), refused(get("X: a\rb"), 400)),
    row("9112 2.2", "An empty line before the request line SHOULD be ignored",
        answered(b"\r\n" + GET_A, 200), answered(b"\r\n\r\n" + GET_A, 200)),
    row("9112 2.2", "White space between the request line and the first field MUST be refused or ignored: refused",
        refused(head("GET /a.txt HTTP/1.1", " " + HOST), 400), refused(head("GET /a.txt HTTP/1.1", "", HOST), 400),
        refused(head("GET /a.txt HTTP/1.1", " X: y", HOST), 400)),
    row("9112 2.2", "A message that does not match the grammar SHOULD be answered 400 and the connection closed",
        refused("GET /a.txt HTTP/1.1\nHost: a\n\n", 400), refused("hello\r\n\r\n", 400), refused("{}\r\n\r\n", 400)),
    row("9112 2.3", "The version is case-sensitive and has two digits",
        refused(line("GET /a.txt http/1.1"), 400), refused(line("GET /a.txt HTTP/1.10"), 400)),
    row("9110 2.5", "A later minor version SHOULD be processed as the highest supported one",
        answered(line("GET /a.txt HTTP/1.2"), 200), answered(line("GET /a.txt HTTP/1.9"), 200),
        refused(head("GET /a.txt HTTP/1.2"), 400)),
    row("9110 15.6.6", "An unsupported major version is answered 505",
        refused(line("GET /a.txt HTTP/2.0"), 505), refused(line("GET /a.txt HTTP/0.9"), 505)),
    row("9112 C.1", "HTTP/0.9 is not supported: a request line without a version is refused",
        refused("GET /a.txt\r\n\r\n", 400)),
    # The request line
    row("9112 3", "An invalid request line SHOULD be answered 400, and MUST NOT be repaired silently",
        refused(line("GET  /a.txt HTTP/1.1"), 400), refused(line("GET /a.txt HTTP/1.1 "), 400),
        refused(line("GET /a b.txt HTTP/1.1"), 400), refused(line("GET\t/a.txt HTTP/1.1"), 400)),
    row("9112 3", "A method longer than any implemented SHOULD be answered 501",
        refused(line("A" * 33 + " / HTTP/1.1"), 501, name="33 letters"), refused(line("A" * 32 + " / HTTP/1.1"), 501)),
    row("9112 3", "Support for request lines of 8000 octets is RECOMMENDED",
        answered(line("GET /a.txt?" + "q" * 8000 + " HTTP/1.1"), 200, name="8011 octets")),
    row("9110 4.1", "Support for URIs of 8000 octets is RECOMMENDED",
        answered(line("GET http://localhost/a.txt?" + "q" * 8000 + " HTTP/1.1"), 200, name="8023 octets")),
    row("9112 3", "A target longer than the server will parse MUST be answered 414",
        refused(line("GET /" + "a" * 8192 + " HTTP/1.1"), 414, name="8193 octets"),
        refused("GET /" + "a" * 100_000, 414, name="without end")),
    # The forms of the target
    row("9112 3.2", "An HTTP/1.1 request without Host MUST be answered 400", refused(get(host=None), 400)),
    row("9112 3.2", "A request with two Host lines MUST be answered 400, also in HTTP/1.0",
        refused(get(HOST), 400), refused(get("Host: other"), 400), refused(head("GET / HTTP/1.0", HOST, HOST), 400)),
    row("9112 3.2", "A request with an invalid Host MUST be answered 400",
        refused(get(host="Host:"), 400), refused(get(host="Host: a b"), 400), refused(get(host="Host: a:x"), 400),
        refused(get(host="Host: user@a"), 400), refused(get(host="Host: a/"), 400)),
    row("9112 3.2", "HTTP/1.0 does not require Host", last(head("GET /a.txt HTTP/1.0"), 200)),
    row("9112 3.2.1", "The path and query of origin-form are taken as sent; a fragment is not part of it",
        answered(line("GET /a.txt?b HTTP/1.1"), 200), refused(line("GET /a.txt#b HTTP/1.1"), 400)),
    row("9112 3.2.2", "Absolute-form MUST be accepted",
        answered(line("GET http://localhost/a.txt HTTP/1.1"), 200),
        answered(line("GET HTTP://LOCALHOST:8080/a.txt?q HTTP/1.1"), 200),
        answered(line("GET http://localhost HTTP/1.1"), 200), answered(line("OPTIONS http://localhost HTTP/1.1"), 204)),
    row("9112 3.2.2", "With absolute-form the received Host MUST be ignored in favour of the target's",
        answered(head("GET http://localhost/a.txt HTTP/1.1", "Host: other"), 200),
        answered(head("GET http://localhost/a.txt HTTP/1.1", "Host:"), 200),
        answered(head("GET http://localhost/a.txt HTTP/1.1", "Host: [::1]:1"), 200),
        refused(head("GET http://localhost/a.txt HTTP/1.1", "Host: a b"), 400),
        refused(head("GET http://localhost/a.txt HTTP/1.1", "Host:", "Host:"), 400)),
    row("9112 3.2.1", "A query is not in the grammar with \", <, >, other delimiters or bytes that are not ASCII: accepted there, "
        "because programs do not encode them; refused elsewhere",
        answered(line('GET /a.txt?q="a" HTTP/1.1'), 200), answered(line("GET /a.txt?<b>{c}|\\^`[d] HTTP/1.1"), 200),
        answered(line("GET /a.txt?\xc3\xa9\xff HTTP/1.1"), 200), answered(line("GET http://a/a.txt?<b> HTTP/1.1"), 200),
        refused(line('GET /"a" HTTP/1.1'), 400), refused(line("GET /<a>?b HTTP/1.1"), 400),
        refused(line("GET /a.txt?<b #c HTTP/1.1"), 400), refused(line('GET /a.txt?"b c" HTTP/1.1'), 400),
        refused(line("GET /a.txt?<b\x01 HTTP/1.1"), 400), refused(line("GET /a.txt?<b\x7f HTTP/1.1"), 400)),
    row("9110 4.2.1", "An http URI with an empty host MUST be refused",
        refused(line("GET http:///a.txt HTTP/1.1"), 400), refused(line("GET http://:80/a.txt HTTP/1.1"), 400)),
    row("9110 4.2.4", "User information in a target SHOULD be treated as an error",
        refused(line("GET http://user@localhost/a.txt HTTP/1.1"), 400)),
    row("9112 3.2.3", "Authority-form is only for CONNECT", refused(line("GET localhost:80 HTTP/1.1"), 400)),
    row("9112 3.2.4", "Asterisk-form is only for OPTIONS",
        answered(line("OPTIONS * HTTP/1.1"), 204), refused(line("GET * HTTP/1.1"), 400)),
    row("9110 7.4", "A request for an https resource MUST be rejected on a connection that is not secured: 421",
        answered(line("GET https://localhost/a.txt HTTP/1.1"), 421),
        answered(line("OPTIONS HTTPS://localhost/ HTTP/1.1"), 421)),
    # Methods
    row("9110 9.1", "GET and HEAD MUST be supported; a method is case-sensitive",
        answered(GET_A, 200), refused(line("get /a.txt HTTP/1.1"), 501), refused(line("Get /a.txt HTTP/1.1"), 501)),
    row("9110 9.1", "An unknown method SHOULD be answered 501, a method that is not allowed 405",
        refused(line("BREW /a.txt HTTP/1.1"), 501), answered(line("DELETE /a.txt HTTP/1.1"), 405),
        answered(line("PUT /a.txt HTTP/1.1"), 405), answered(line("PATCH /a.txt HTTP/1.1"), 405),
        answered(line("POST /a.txt HTTP/1.1"), 405)),
    row("9110 9.3.1", "Content in a GET has no meaning, and is discarded",
        answered(get("Content-Length: 5") + b"hello", 200),
        answered(get("Transfer-Encoding: chunked") + b"0\r\n\r\n", 200)),
    row("9110 9.3.6", "CONNECT with an empty or invalid port MUST be refused",
        refused(line("CONNECT localhost HTTP/1.1"), 400), refused(line("CONNECT localhost: HTTP/1.1"), 400),
        refused(line("CONNECT localhost:0x50 HTTP/1.1"), 400), refused(line("CONNECT localhost:65536 HTTP/1.1"), 400)),
    row("9110 9.3.6", "An origin server need not tunnel; bytes meant for the tunnel are not read as requests",
        refused(line("CONNECT localhost:80 HTTP/1.1"), 405)),
    row("9110 9.3.8", "TRACE need not be supported: 405",
        answered(line("TRACE /a.txt HTTP/1.1"), 405)),
    # Fields
    row("9110 5.1", "Field names are case-insensitive",
        answered(get(host="hOsT: localhost"), 200), last(get("cOnNeCtIoN: close"), 200)),
    row("9110 5.1", "Unknown fields SHOULD be ignored", answered(get("X-Unknown: y", "!#$%&'*+-.^_`|~: y"), 200)),
    row("9110 5.3", "Field lines with the same name form one list",
        last(get("Connection: te", "Connection: close"), 200),
        answered(get("Expect: 100-continue", "Expect:", "Expect: 100-continue"), 200),
        refused(get("Expect: 100-continue", "Expect: miracles"), 417),
        refused(post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 501)),
    row("9110 5.4", "Fields larger than the server will process MUST be answered 4xx",
        refused(get("X: " + "y" * 17_000), 431, name="a long line"),
        refused(get(*[f"X-{i}: y" for i in range(100)]), 431, name="101 lines"),
        answered(get(*[f"X-{i}: y" for i in range(99)]), 200, name="100 lines")),
    row("9110 5.5", "CR, LF and NUL within a value MUST be refused or replaced: refused, like other control characters",
        refused(get("X: a\rb"), 400), refused(get("X: a\nb"), 400), refused(get("X: a\0b"), 400),
        refused(get("X: a\x01b"), 400), refused(get("X: a\x7fb"), 400)),
    row("9110 5.5", "obs-text in a value SHOULD be treated as opaque", answered(get("X: \x80\xff"), 200)),
    row("9110 5.6.1.2", "A reasonable number of empty list elements MUST be ignored",
        answered(get("Connection: ,keep-alive, ,"), 200), last(get("Connection: ,,close,"), 200),
        answered(get("Connection:"), 200), answered(get("Expect:"), 200), answered(get("Expect: ,100-continue, ,"), 200),
        answered(get("Upgrade: ,h2c,", "Connection: ,upgrade"), 200), answered(get("Accept: ,", "Accept:"), 200),
        answered(get("Accept-Encoding: ,,gzip,"), 200), answered(get("TE: ,trailers,", "Trailer: ,X"), 200),
        answered(get("Via: ,1.1 a,", "Forwarded: ,for=a,", "Cache-Control: ,no-cache"), 200),
        refused(post("Expect: ,100-continue,,100-continue", "Content-Length: 5"), 405)),
    row("9110 5.6.2", "A field name is a token",
        refused(get("X Y: z"), 400), refused(get("X(: y"), 400), refused(get("X\xe9: y"), 400),
        refused(get(": y"), 400)),
    row("9112 5", "White space around a value is not part of it",
        answered(get(host="Host:localhost"), 200), answered(get(host="Host: \t localhost \t"), 200),
        last(get("Connection:\t close \t"), 200)),
    row("9112 5.1", "White space between a name and its colon MUST be answered 400",
        refused(get("X : y"), 400), refused(get("X\t: y"), 400), refused(get(host="Host : localhost"), 400)),
    row("9112 5.2", "A folded line MUST be refused or unfolded: 400",
        refused(get("X: a\r\n b"), 400), refused(get("X: a\r\n\tb"), 400)),
    # Bodies
    row("9112 6", "Content-Length or Transfer-Encoding announce a body, for every method",
        answered(head("DELETE /a.txt HTTP/1.1", HOST, "Content-Length: 5") + b"hello", 405),
        answered(head("OPTIONS * HTTP/1.1", HOST, "Content-Length: 5") + b"hello", 204)),
    row("9112 9.3", "What follows the head of an unknown method is not read as a request",
        refused(head("BREW /a.txt HTTP/1.1", HOST, "Content-Length: 5") + b"hello", 501),
        refused(head("BREW /a.txt HTTP/1.1", HOST, "Connection: keep-alive"), 501)),
    row("9112 6.1", "An unknown transfer coding SHOULD be answered 501",
        refused(post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), 501)),
    row("9112 6.1", "chunked MUST NOT be applied twice",
        refused(post("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"), 400)),
    row("9112 6.1", "Transfer-Encoding in HTTP/1.0 MUST be treated as faulty framing, and the connection closed",
        refused(head("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        refused(head("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked", "Connection: keep-alive") + b"0\r\n\r\n",
                400)),
    row("9112 6.1", "A request with both Content-Length and Transfer-Encoding MAY be refused, and its connection MUST be closed",
        refused(post("Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
        refused(post("Transfer-Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n"), 400)),
    row("9112 6.3", "If chunked is not the last transfer coding, the answer MUST be 400 and the connection closed",
        refused(post("Transfer-Encoding: gzip"), 400), refused(post("Transfer-Encoding: identity"), 400),
        refused(post("Transfer-Encoding: chunked, gzip"), 400)),
    row("9112 6.3", "An invalid Content-Length MUST be answered 400 and the connection closed",
        refused(post("Content-Length: x"), 400), refused(post("Content-Length: -1"), 400),
        refused(post("Content-Length: 5", "Content-Length: 6"), 400), refused(post("Content-Length: 5, 6"), 400)),
    row("9112 6.3", "A request with neither has no body", answered(line("POST /a.txt HTTP/1.1"), 405)),
    row("9110 8.6", "Large Content-Lengths MUST NOT overflow",
        refused(post("Content-Length: 18446744073709551616"), 400),
        refused(post("Content-Length: 18446744073709551621"), 400)),
    row("9110 15.5.14", "Content larger than the server will process is answered 413",
        refused(post("Content-Length: 1048577"), 413), refused(post("Content-Length: 9223372036854775807"), 413)),
    row("9112 7.1", "Chunked MUST be decoded",
        answered(chunks("5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"), 405), answered(chunks("0\r\n\r\n"), 405)),
    row("9112 7", "Transfer coding names are case-insensitive",
        answered(post("Transfer-Encoding: CHUNKED", body="0\r\n\r\n"), 405)),
    row("9112 7.1", "Large chunk sizes MUST NOT overflow",
        refused(chunks("10000000000000000\r\n"), 405), refused(chunks("ffffffffffffffff\r\n"), 405),
        refused(chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), 405)),
    row("9112 7.1.1", "Unknown chunk extensions MUST be ignored",
        answered(chunks("5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n"), 405)),
    row("9112 7.1.1", "The length of chunk extensions ought to be limited",
        refused(chunks("5;" + "a" * 5000 + "\r\nhello\r\n0\r\n\r\n"), 405, name="5000 octets")),
    row("9110 6.5.1", "Trailer fields MUST NOT be merged into the header section",
        answered(chunks("0\r\nConnection: close\r\nContent-Length: 5\r\nHost: b\r\nHost: c\r\n\r\n"), 405)),
    row("9112 7.1.2", "Trailer fields are discarded", answered(chunks("0\r\nX: y\r\nY: z\r\n\r\n"), 405)),
    row("9112 8", "A body that ends too early ends the connection",
        refused(chunks("5\r\nhello!\r\n"), 405), refused(chunks("x\r\n"), 405)),
    # Connections
    row("9112 9.3", "An HTTP/1.1 connection persists unless a field says otherwise",
        answered(GET_A, 200), answered(get("Connection: keep-alive"), 200), answered(get("Connection: x"), 200)),
    row("9112 9.3", "An HTTP/1.0 connection persists only with keep-alive",
        answered(head("GET /a.txt HTTP/1.0", "Connection: keep-alive"), 200),
        answered(head("GET /a.txt HTTP/1.0", "Connection: Keep-Alive"), 200),
        last(head("GET /a.txt HTTP/1.0"), 200), last(head("GET /a.txt HTTP/1.0", "Keep-Alive: 5"), 200)),
    row("9112 9.3", "The whole body MUST be read, or the connection closed",
        answered(post("Content-Length: 100000", body="x" * 100_000), 405, name="100000 octets")),
    row("9112 9.6", "After a request with close, no further request MUST be processed",
        last(get("Connection: close"), 200), last(get("Connection: CLOSE"), 200),
        last(get("Connection: keep-alive, close"), 200),
        last(head("GET /a.txt HTTP/1.0", "Connection: close, keep-alive"), 200),
        last(line("GET /none HTTP/1.1")[:-2] + b"Connection: close\r\n\r\n", 404)),
    row("9112 9.3.2", "Pipelined requests MUST be answered in order",
        answered(GET_A + line("GET /none HTTP/1.1") + line("GET /dir HTTP/1.1") + line("OPTIONS * HTTP/1.1") +
                 line("PUT / HTTP/1.1") + GET_A, 200, 404, 301, 204, 405, 200)),
    row("9112 9.3.2", "Requests after a refused request are not read",
        refused(GET_A + get(host=None) + GET_A, 200, 400)),
    row("9110 7.8", "Upgrade MAY be ignored, and MUST be ignored in HTTP/1.0",
        answered(get("Connection: upgrade", "Upgrade: websocket"), 200),
        answered(get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), 200),
        last(head("GET /a.txt HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"), 200)),
    # Expect
    row("9110 10.1.1", "100-continue MUST be answered with 100 or a final status: the final status is sent at once",
        refused(post("Content-Length: 5", "Expect: 100-continue"), 405),
        refused(post("Transfer-Encoding: chunked", "Expect: 100-continue"), 405)),
    row("9110 10.1.1", "The expectation is case-insensitive, and has no effect without content",
        refused(post("Content-Length: 5", "Expect: 100-CONTINUE"), 405), answered(get("Expect: 100-Continue"), 200)),
    row("9110 10.1.1", "An unknown expectation MAY be answered 417",
        refused(get("Expect: miracles"), 417), refused(get("Expect: 100-continue, miracles"), 417)),
    row("9110 10.1.1", "In HTTP/1.0 the expectation MUST be ignored",
        last(head("POST /a.txt HTTP/1.0", "Expect: 100-continue", "Content-Length: 5") + b"hello", 405),
        answered(head("POST /a.txt HTTP/1.0", "Expect: 100-continue", "Content-Length: 5", "Connection: keep-alive") +
                 b"hello", 405)),
]

REQUIREMENTS = list(ROWS)
shows = noting(REQUIREMENTS)


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=f"{r.section} {r.says}: {v.name[:40]}") for r in ROWS for v in r.vectors]
)
def test_row(standing, vector):
    play(standing, vector)


# --- every answer -----------------------------------------------------------------------------------------------------

REQUESTS = {
    200: GET_A,
    204: line("OPTIONS * HTTP/1.1"),
    301: line("GET /dir HTTP/1.1"),
    400: get(host=None),
    403: line("GET /.a HTTP/1.1"),
    404: line("GET /none HTTP/1.1"),
    405: line("PUT / HTTP/1.1"),
    413: post("Content-Length: 1048577"),
    414: line("GET /" + "a" * 8192 + " HTTP/1.1"),
    417: get("Expect: miracles"),
    431: get(*["X: y"] * 101),
    501: line("BREW / HTTP/1.1"),
    505: line("GET / HTTP/3.0"),
}


def raw_head(server, request):
    """The head of the answer as bytes, without its empty line."""
    with server.connect() as c:
        c.send(request).finish_sending()
        return c.rest().split(b"\r\n\r\n", 1)[0]


@pytest.fixture(params=REQUESTS, ids=str)
def answer_head(standing, request):
    return raw_head(standing, REQUESTS[request.param])


@shows("9112 4", "A status line is version, three digits and a reason, and MUST have the space before the reason")
def test_status_line(answer_head):
    assert re.fullmatch(rb"HTTP/1\.1 [2-5][0-9][0-9] [\x20-\x7e]*", answer_head.split(b"\r\n")[0])


@shows("9112 2.2", "A sender MUST NOT generate a bare CR, nor (5.2) folded lines, nor (5.1) space before a colon")
def test_grammar_of_answers(answer_head):
    for one in answer_head.split(b"\r\n")[1:]:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?", one)


@shows("9110 6.6.1", "An origin server with a clock MUST send Date in all 2xx, 3xx and 4xx, (5.6.7) as IMF-fixdate")
def test_date(answer_head):
    (sent,) = re.findall(rb"\r\nDate: ([^\r]*)", answer_head)
    assert re.fullmatch(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", sent)
    then = email.utils.parsedate_to_datetime(sent.decode()).timestamp()
    assert abs(then - time.time()) < DEADLINE


@shows("9110 5.3", "A sender MUST NOT generate several field lines with the same name, unless the value is a list")
def test_field_lines_are_not_repeated(answer_head):
    names = [one.split(b":")[0].lower() for one in answer_head.split(b"\r\n")[1:]]
    assert len(set(names)) == len(names)


@shows("9110 8.6", "Content-Length MUST NOT be sent with 204, nor (9112 6.1) Transfer-Encoding")
def test_204_has_no_length(standing):
    sent = raw_head(standing, REQUESTS[204]).lower()
    assert sent.startswith(b"http/1.1 204 ")
    assert b"\r\ncontent-length:" not in sent and b"\r\ntransfer-encoding:" not in sent


@shows("9110 10.2.1", "A 405 MUST have Allow")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_405_has_allow(standing, method):
    with standing.connect() as c:
        for target in ("/a.txt", "/none", "/"):
            assert c.ask(target, method=method).get("Allow") == "GET, HEAD, OPTIONS"


@shows("9110 9.3.7", "A successful answer to OPTIONS SHOULD have Allow")
@pytest.mark.parametrize("target", ["*", "/", "/a.txt", "/none"])
def test_options_has_allow(standing, target):
    assert standing.ask(target, method="OPTIONS").get("Allow") == "GET, HEAD, OPTIONS"


@shows("9110 9.3.2", "HEAD MUST NOT be answered with content, and SHOULD be answered with the fields of GET")
@pytest.mark.parametrize("target", ["/", "/a.txt", "/dir", "/none", "/.hidden", "/empty/", "/%zz"])
def test_head_is_get_without_content(standing, target):
    def lasting(r):
        return r.status, sorted((name, value) for name, value in r.fields if name not in ("Date", "X-Request-Id"))

    with standing.connect() as c:
        got, headed = c.ask(target), c.ask(target, method="HEAD")
        assert lasting(headed) == lasting(got)  # (8.6) Content-Length too: it MUST be that of GET
        assert c.ask("/a.txt").body == A  # so no content was sent in between


@shows("9110 9.3.2", "The error for a refused HEAD has no content either")
@pytest.mark.parametrize(
    "fields, status",
    [([HOST, "Expect: miracles"], 417), ([], 400), ([HOST, "X: a\nb"], 400), ([HOST, "X: " + "y" * 17_000], 431)],
    ids=["417", "400", "400-scan", "431-scan"],
)
def test_refused_head_has_no_content(standing, fields, status):
    with standing.connect() as c:
        c.send(head("HEAD /a.txt HTTP/1.1", *fields))
        assert c.response(to="HEAD").status == status
        c.expect_closed()


@shows("9110 6.2", "The server sends its own version, also to HTTP/1.0")
def test_version_of_answers(standing):
    assert raw_head(standing, head("GET /a.txt HTTP/1.0")).startswith(b"HTTP/1.1 200 ")


@shows("9112 6.1", "Transfer-Encoding MUST NOT be sent to HTTP/1.0")
@pytest.mark.parametrize("target", ["/", "/a.txt", "/none", "/dir"])
def test_no_transfer_encoding_to_1_0(standing, target):
    assert b"\r\ntransfer-encoding:" not in raw_head(standing, head(f"GET {target} HTTP/1.0")).lower()


@shows("9110 15.2", "A 1xx MUST NOT be sent to HTTP/1.0")
def test_no_100_to_1_0(standing):
    with standing.connect() as c:
        c.send(head("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 5"))
        assert c.response().status == 405


@shows("9110 10.2.2", "Location is a URI reference")
def test_location(standing):
    assert standing.ask("/dir?a=b").get("Location") == "/dir/?a=b"


# --- connections ------------------------------------------------------------------------------------------------------


@shows("9112 9.6", "A server that sends close MUST close after that answer; a server that closes SHOULD send it")
def test_close_is_said(standing):
    with standing.connect() as c:
        assert c.ask("/a.txt", "Connection: close").get("Connection") == "close"
        c.expect_closed()
    with standing.connect() as c:
        assert c.send(head("GET /a.txt HTTP/1.0")).response().get("Connection") == "close"
        c.expect_closed()


@shows("9112 9.3", "Persistence is confirmed to an HTTP/1.0 client")
def test_keep_alive_is_said_to_1_0(standing):
    with standing.connect() as c:
        for _ in range(3):
            r = c.ask("/a.txt", "Connection: keep-alive", version="HTTP/1.0")
            assert (r.body, r.get("Connection")) == (A, "keep-alive")


@shows("9112 9.6", "After the last answer the server closes in stages, so that a reset cannot destroy the answer")
@pytest.mark.parametrize("broken", [b"x\r\n", b"100001\r\n"], ids=["framing", "limit"])
def test_a_broken_body_resets_nothing(standing, broken):
    with standing.connect() as c:
        c.send(chunks(broken))
        assert c.response().status == 405
        c.send(b"x" * 100_000)
        assert c.socket.recv(1) == b""  # and no ConnectionResetError
        c.send(b"x" * 100_000)


@shows("9110 5.3", "A request MUST NOT be processed before its header section is complete")
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_nothing_is_answered_early(standing, method):
    with standing.connect() as c:
        c.send(line(f"{method} /a.txt HTTP/1.1")[:-1]).expect_silence(0.2)
        assert c.send("\n").response().status in (200, 204)


@shows("9110 15.5.9", "A request that is not complete in time is answered 408, and the connection is closed")
@pytest.mark.parametrize("part", [b"GET", b"GET /a.txt HTTP/1.1\r\nHost: local", GET_A[:-1]])
def test_408(serve, part):
    server = serve({"patience": {"head_seconds": 1}})
    with server.connect() as c:
        r = c.send(part).response()
        assert (r.status, r.closes) == (408, True)
        c.expect_closed()


@shows("9112 2.2", "The segmentation of a message has no effect")
def test_rows_byte_by_byte(standing):
    for r in ROWS:
        for vector in r.vectors:
            if len(vector.sent) < 1000:
                play(standing, vector, bytewise)


@pytest.mark.parametrize(
    "request_, status, named",
    [
        (REQUESTS[413], 413, "Content-Length"),
        (REQUESTS[414], 414, "request target"),
        (REQUESTS[431], 431, "fields"),
        (get("X: " + "y" * 17_000), 431, "request head"),
        (line("A" * 33 + " / HTTP/1.1"), 501, "request method"),
    ],
    ids=["413", "414", "431-fields", "431-head", "501"],
)
def test_the_limit_that_was_hit_is_named(standing, request_, status, named):
    with standing.connect() as c:
        r = c.send(request_).response()
        assert r.status == status
        assert named in r.text and "limit" in r.text


def test_the_table_is_up_to_date():
    kept = pathlib.Path(__file__).parent.parent / "docs" / "RFC.md"
    assert kept.read_text() == rfc_table.text(), "docs/RFC.md: run tests/rfc_table.py >docs/RFC.md"
