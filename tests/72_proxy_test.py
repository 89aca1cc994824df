# SPDX-License-Identifier: MIT
"""Trusted proxies, which may name their clients, and all others, which may not."""

import itertools
import re
import signal
import socket
import struct
import subprocess

import pytest

from harness import asks_until_refused, in_time, wait_until

GET_A = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
A = b"the letter a\n"
CLIENT = "203.0.113.7"

INTRODUCING = {"proxy": [{"from": "127.0.0.1", "protocol": True}]}
NOTING = {"proxy": [{"from": ["127.0.0.1", "10.0.0.0/8"], "header": "X-Forwarded-For"}]}


def version_1(client=CLIENT):
    return f"PROXY TCP4 {client} 192.0.2.2 56324 443\r\n".encode()


def version_2(client=CLIENT, extensions=b"", command=0x21):
    addresses = socket.inet_aton(client) + socket.inet_aton("192.0.2.2") + struct.pack(">HH", 56324, 443)
    rest = addresses + extensions
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack(">BBH", command, 0x11, len(rest)) + rest


def logged_clients(server, least):
    return [line.split(" ", 1)[0] for line in server.log_lines(least)]


def connect_from(server, address):
    """A connection from another loopback address."""
    c = server.connect()
    c.socket.close()
    c.socket = socket.socket()
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    c.socket.settimeout(60)
    c.socket.bind((address, 0))
    c.socket.connect(("127.0.0.1", server.port))
    return c


# --- the PROXY protocol -----------------------------------------------------------------------------------------------


EXTENSIONS = b"\x01\x00\x02h2" + b"\x20\x00\x05\0\0\0\0\0" + b"\x04\x03\xe8" + b"\0" * 1000

HEADERS = {
    "version 1": (version_1(), CLIENT),
    "IPv6": (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"),
    "unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "version 2": (version_2(), CLIENT),
    "extensions": (version_2(extensions=EXTENSIONS), CLIENT),
    "local": (version_2(command=0x20), "127.0.0.1"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_client_that_a_header_names(serve, name):
    """With the first requests in the same segment, and byte by byte."""
    header, client = HEADERS[name]
    server = serve(INTRODUCING)
    with server.connect() as c:
        c.send(header + GET_A + GET_A)
        assert [c.response().body, c.response().body] == [A, A]
    with server.connect() as c:
        c.send_bytewise(header + GET_A)
        assert c.response().body == A
        assert c.ask("/a.txt").body == A  # the header applies to the whole connection
    assert logged_clients(server, 4) == [client] * 4
    assert "PROXY" not in server.error_log.read_text()


def test_as_curl_speaks_it(serve):
    server = serve(INTRODUCING)
    said = subprocess.run(["curl", "-sS", "--haproxy-protocol", f"http://127.0.0.1:{server.port}/a.txt"],
                          capture_output=True, timeout=60)
    assert (said.returncode, said.stdout) == (0, A)
    assert logged_clients(server, 1) == ["127.0.0.1"]
    without = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{server.port}/a.txt"], capture_output=True, timeout=60)
    assert without.returncode in (52, 56)  # an empty answer, or a reset


LIMITED = {"limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 2}}


def test_a_client_that_a_header_does_not_name_is_not_the_proxy(serve):
    """The client counts at the address of the proxy; the proxy itself does not (LOCAL, as in its health checks)."""
    server = serve(INTRODUCING | LIMITED, workers=1)
    unspecified = b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"
    headers = itertools.cycle([b"PROXY UNKNOWN\r\n", unspecified, b"PROXY TCP6 :: ::1 1 2\r\n"])

    def ask():
        with server.connect() as c:
            return c.send(next(headers) + GET_A).response()

    asks_until_refused(ask, burst=2, a_second=1)
    with server.connect() as c:
        c.send(version_2(command=0x20))
        assert [c.ask("/a.txt").status for _ in range(5)] == [200] * 5
    one = {"limits": {"connections_per_address": 1}}
    server = serve(INTRODUCING | one, workers=1)
    with server.connect() as first, server.connect() as second:
        assert first.send(b"PROXY UNKNOWN\r\n" + GET_A).response().status == 200
        assert second.send(unspecified + GET_A).response().status == 429


@pytest.mark.parametrize("sent", [GET_A, b"PROXY TCP4 nonsense\r\n" + GET_A, version_2()[:12] + b"\xff" * 100,
                                  b"PROXY " + b"x" * 200])
def test_a_connection_without_its_header_gets_no_answer(serve, sent):
    server = serve(INTRODUCING)
    with server.connect() as c:
        c.send(sent)
        c.expect_closed()
    wait_until(lambda: "did not begin with a PROXY header was closed (client 127.0.0.1;" in server.error_log.read_text(),
               "the error log tells of it")
    with server.connect() as c:
        assert c.send(version_1() + GET_A).response().body == A
    assert logged_clients(server, 1) == [CLIENT]


def test_a_header_has_the_time_of_a_head(serve):
    server = serve(INTRODUCING | {"patience": {"head_seconds": 1}})
    with server.connect() as silent, server.connect() as slow:
        slow.send(version_1()[:20])
        silent.expect_closed()
        slow.expect_closed()
    wait_until(lambda: "did not begin with a PROXY header" in server.error_log.read_text(), "the error log says so")
    assert logged_clients(server, 0) == []


def test_a_health_check_without_a_request(serve):
    """As from the health check of a proxy; they are not logged."""
    server = serve(INTRODUCING)
    for sent in (b"", version_1()[:10], version_1(), version_2(command=0x20)):
        with server.connect() as c:
            c.send(sent)
            c.finish_sending()
            c.expect_closed()
    assert "PROXY" not in server.error_log.read_text()


def test_from_elsewhere_a_header_is_no_header(serve):
    """The connection comes from an address that is not configured."""
    server = serve({"proxy": [{"from": "127.0.0.2", "protocol": True}]}, workers=1)
    with server.connect() as c:
        assert c.ask("/a.txt").body == A
    for header in (version_1(), version_2()):
        with server.connect() as c:
            assert c.send(header + GET_A).response().status == 400
    with connect_from(server, "127.0.0.2") as c:
        assert c.send(version_1() + GET_A).response().body == A
    assert logged_clients(server, 4) == ["127.0.0.1"] * 3 + [CLIENT]


# --- HTTP proxies -----------------------------------------------------------------------------------------------------

HOPS = [  # fields of the request, and the resulting client
    ([], "127.0.0.1"),
    ([f"X-Forwarded-For: {CLIENT}"], CLIENT),
    ([f"X-Forwarded-For: 192.0.2.1, {CLIENT}"], CLIENT),
    ([f"X-Forwarded-For: 192.0.2.1, {CLIENT}, 10.0.0.2"], CLIENT),
    (["X-Forwarded-For: 10.0.0.2"], "10.0.0.2"),
    ([f"X-Forwarded-For: 192.0.2.1", f"X-Forwarded-For: {CLIENT}"], CLIENT),
    ([f"X-Forwarded-For: {CLIENT}, nonsense"], "127.0.0.1"),
    ([f"X-Forwarded-For: [2001:db8::7]:80"], "2001:db8::7"),
    ([f"Forwarded: for={CLIENT}", f"X-Real-IP: {CLIENT}"], "127.0.0.1"),  # not the configured field
]


def test_each_request_is_its_clients(serve):
    server = serve(NOTING)
    with server.connect() as c:
        for fields, _ in HOPS:
            assert c.ask("/a.txt", *fields).body == A
    assert logged_clients(server, len(HOPS)) == [client for _, client in HOPS]


def test_rfc_7239(serve):
    server = serve({"proxy": [{"from": "127.0.0.1", "header": "Forwarded"}]})
    with server.connect() as c:
        c.ask("/a.txt", f'Forwarded: for=192.0.2.1, for="{CLIENT}:80";proto=https;by=_us')
        c.ask("/a.txt", f'Forwarded: for="', f'Forwarded: for="[2001:db8::7]"')
        c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}")
    assert logged_clients(server, 3) == [CLIENT, "2001:db8::7", "127.0.0.1"]


def test_only_trusted_proxies_name_clients(serve):
    server = serve({"proxy": [{"from": "127.0.0.2", "header": "X-Forwarded-For"}],
                    "limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 2}}, workers=1)
    others = itertools.count()
    with server.connect() as c:

        def ask():
            i = next(others)
            return c.ask("/a.txt", f"X-Forwarded-For: 203.0.113.{i}", f"Forwarded: for=203.0.113.{i}")

        asks_until_refused(ask, burst=2, a_second=1)
    assert set(logged_clients(server, next(others))) == {"127.0.0.1"}


# --- proxies without an address ---------------------------------------------------------------------------------------


def connect_to(server, path):
    c = server.connect()
    c.socket.close()
    c.socket = socket.socket(socket.AF_UNIX)
    c.socket.settimeout(60)
    c.socket.connect(str(path))
    return c


def on_unix(serve, place, settings):
    path = place / "s"
    server = serve(settings, workers=1, arguments=["--listen", f"unix:{path}"])
    return server, lambda: connect_to(server, path)


@pytest.mark.parametrize("written", ["unix:", "unix"])
def test_a_proxy_on_a_unix_socket(serve, place, written):
    settings = {"proxy": [{"from": [written, "192.0.2.0/24"], "header": "X-Forwarded-For"}]} | LIMITED
    server, connect = on_unix(serve, place, settings)
    with connect() as c:
        asks_until_refused(lambda: c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}"), burst=2, a_second=1)
        assert [c.ask("/a.txt").status for _ in range(4)] == [200] * 4  # its own
        hidden = itertools.cycle(["unknown", "_hidden", "", "::"])  # one common account for clients that it does not name
        asks_until_refused(lambda: c.ask("/a.txt", f"X-Forwarded-For: {next(hidden)}"), burst=2, a_second=1)
        assert c.ask("/a.txt", "X-Forwarded-For: 203.0.113.8, 192.0.2.1").status == 200
    wait_until(lambda: "203.0.113.8" in logged_clients(server, 0), "the last line")
    assert [client for client, _ in itertools.groupby(logged_clients(server, 0))] == [CLIENT, "unix:", "203.0.113.8"]


def test_a_proxy_on_a_unix_socket_that_introduces_its_clients(serve, place):
    server, connect = on_unix(serve, place, {"proxy": [{"from": "unix:", "protocol": True}]})
    with connect() as c:
        assert c.send(version_1() + GET_A).response().body == A
    with connect() as c:
        c.send(GET_A)
        c.expect_closed()
    assert logged_clients(server, 1) == [CLIENT]


def test_no_network_has_a_unix_socket_in_it(serve, place):
    server, connect = on_unix(serve, place, {"proxy": [{"from": ["::/0", "0.0.0.0/0"], "header": "X-Forwarded-For"}]})
    with connect() as c:
        assert c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}").body == A
    assert logged_clients(server, 1) == ["unix:"]


# --- limits -----------------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_client(serve):
    server = serve(NOTING | {"limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 2}},
                   workers=1)
    addresses = itertools.count(1)

    def trial(_):
        client, another = (f"203.0.113.{next(addresses)}" for _ in range(2))
        with server.connect() as c:
            mine = [c.ask("/a.txt", f"X-Forwarded-For: {client}").status for _ in range(3)]
            made_up = c.ask("/a.txt", f"X-Forwarded-For: 192.0.2.99, {client}")
            other = c.ask("/a.txt", f"X-Forwarded-For: {another}")
            own = [c.ask("/a.txt").status for _ in range(5)]
        assert mine == [200, 200, 429]
        assert (made_up.status, other.status, own) == (429, 200, [200] * 5)
        assert made_up.get("Retry-After") == "1"

    in_time(1, trial)


@pytest.mark.parametrize("header, hidden", [
    ("X-Forwarded-For", ["X-Forwarded-For: unknown", "X-Forwarded-For: 192.0.2.1, _hidden", "X-Forwarded-For: 10.0.0.2",
                         "X-Forwarded-For: \"", "X-Forwarded-For:"]),
    ("Forwarded", ["Forwarded: for=unknown", "Forwarded: for=_hidden", "Forwarded: for=", "Forwarded: proto=https",
                   f"X-Forwarded-For: {CLIENT}", f"X-Real-IP: {CLIENT}", "Via: 1.1 a"]),
])
def test_a_client_that_is_not_named_is_not_the_proxy(serve, header, hidden):
    """It does not escape the limits either: it counts at the address of the last known proxy."""
    server = serve({"proxy": [{"from": ["127.0.0.1", "10.0.0.2"], "header": header}]} | LIMITED, workers=1)
    with server.connect() as c:
        assert [c.ask("/a.txt").status for _ in range(4)] == [200] * 4
        for field in hidden:

            def trial(_):
                assert [c.ask("/a.txt", field).status for _ in range(3)][-1] == 429, field  # noqa: B023

            in_time(1, trial)


def test_connections_are_counted_by_client(serve):
    server = serve({"proxy": [{"from": "127.0.0.1", "protocol": True}], "limits": {"connections_per_address": 1}},
                   workers=1)
    with server.connect() as first, server.connect() as second, server.connect() as other:
        assert first.send(version_1() + GET_A).response().body == A
        assert other.send(version_1("203.0.113.8") + GET_A).response().body == A
        r = second.send(version_1() + GET_A).response()
        assert (r.status, r.closes) == (429, True)

    def is_let_in_again():
        with server.connect() as c:
            return c.send(version_1() + GET_A).response().status == 200

    wait_until(is_let_in_again, "the first connection has gone, so another may come")


# --- the configuration ------------------------------------------------------------------------------------------------


def test_proxies_change_at_a_reload(serve, place):
    file = place / "proxies.toml"
    file.write_text('[[proxy]]\nfrom = "127.0.0.1"\nheader = "X-Forwarded-For"\n')
    server = serve(arguments=["--config", str(file)])

    def reload(text, said):
        file.write_text(text)
        server.signal(signal.SIGHUP)
        wait_until(lambda: said in server.error_log.read_text(), said)

    with server.connect() as c:
        assert c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}").body == A
        reload('[[proxy]]\nfrom = "127.0.0.999"\n', "is not a network")
        assert c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}").body == A
        reload("", "configuration reloaded")

        def is_believed():
            count = len(server.log_lines())
            c.ask("/a.txt", f"X-Forwarded-For: {CLIENT}")
            return logged_clients(server, count + 1)[-1] == CLIENT

        wait_until(lambda: not is_believed(), "the proxy is not believed any more, on an old connection either")
    text = server.error_log.read_text()
    assert re.search(r"proxies\.toml:2:8: `127\.0\.0\.999` is not a network: expected an address", text)
    assert re.search(r"proxies\.toml:1:1: this \[\[proxy\]\] does not state client addresses", text)
