# SPDX-License-Identifier: MIT
"""How the server ends, and what it reports about itself."""

import contextlib
import signal
import socket
import threading

import pytest

from harness import DEADLINE, has_sanitizer, wait_until

A = b"the letter a\n"  # /a.txt
GET_A = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 20 * 1024 * 1024
ENDING = [signal.SIGTERM, signal.SIGINT]
LONG = {"patience": {"idle_seconds": 3600, "head_seconds": 3600, "stall_seconds": 3600, "grace_seconds": 3600}}


def large_site(server):
    with open(server.site / "large.bin", "wb") as f:
        f.truncate(LARGE)


def begin_large(client):
    """Requests a large file and reads only the head of the response."""
    client.request("/large.bin")
    while b"\r\n\r\n" not in client.arrived:
        assert client.more()


def told(server, what):
    wait_until(lambda: what in server.error_log.read_text(), f"the error log says: {what}")


# --- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_it(serve, number):
    server = serve()
    server.ask("/a.txt")
    server.signal(number)
    server.wait()
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert "1 requests answered" in server.error_log.read_text()


@pytest.mark.parametrize("number", ENDING)
def test_right_after_the_start(serve, number):
    for _ in range(5):
        server = serve()
        server.signal(number)
        server.wait()


def test_idle_connections_are_closed(serve):
    """At once, although it would have an hour."""
    server = serve(LONG)
    with contextlib.ExitStack() as stack:
        fresh = [stack.enter_context(server.connect()) for _ in range(50)]
        used = [stack.enter_context(server.connect()) for _ in range(50)]
        for c in used:
            assert c.ask("/a.txt").body == A
        server.signal(signal.SIGTERM)
        for c in fresh + used:
            c.expect_closed()
        server.wait()


def test_a_connection_is_idle_after_a_head_that_came_in_pieces(serve):
    server = serve(LONG)
    with server.connect() as c:
        c.send_bytewise(GET_A)
        assert c.response().body == A
        server.signal(signal.SIGTERM)
        c.expect_closed()
        server.wait()


def test_a_connection_is_idle_after_a_body(serve):
    server = serve(LONG)
    with server.connect() as c:
        c.send_bytewise(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert c.response().status == 405
        assert c.ask("/a.txt").body == A
        server.signal(signal.SIGTERM)
        c.expect_closed()
        server.wait()


def test_a_response_under_way_is_finished(serve):
    server = serve(LONG)
    large_site(server)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(server.connect(receive_buffer=4096)) for _ in range(5)]
        for c in readers:
            begin_large(c)
        server.signal(signal.SIGTERM)
        told(server, "no new connections")
        for c in readers:
            assert len(c.response().body) == LARGE
            c.expect_closed()
        server.wait()
    told(server, "5 requests answered")


def test_a_head_under_way_is_answered(serve):
    server = serve(LONG)
    with server.connect() as c:
        assert c.ask("/a.txt").body == A
        c.send(GET_A[:20])
        with server.connect() as other:
            assert other.ask("/a.txt").body == A  # by now the server has most likely seen its bytes
        server.signal(signal.SIGTERM)
        told(server, "no new connections")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(GET_A[20:])
        answer = c.rest()
        # If they had not been seen, the connection was idle.
        assert answer == b"" or (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(A))
        server.wait()


def test_no_new_connections_while_ending(serve):
    server = serve(LONG)
    large_site(server)
    with server.connect(receive_buffer=4096) as c:
        begin_large(c)
        server.signal(signal.SIGTERM)

        def refused():
            try:
                with server.connect() as late, contextlib.suppress(ConnectionResetError):
                    late.request("/a.txt").rest()  # accepted before the signal arrived: answered or closed
                return False
            except OSError:
                return True

        wait_until(refused, "new connections are refused")
        assert len(c.response().body) == LARGE
        server.wait()


def test_the_grace_period_ends(serve):
    """A client that never reads does not keep the server from ending, nor does one that never finishes its head."""
    server = serve({"patience": {**LONG["patience"], "grace_seconds": 0.5}})
    large_site(server)
    with server.connect(receive_buffer=4096) as stalled, server.connect() as unfinished:
        begin_large(stalled)
        unfinished.send(GET_A[:20])
        server.ask("/a.txt")
        server.signal(signal.SIGTERM)
        server.wait()
        assert len(stalled.rest()) < LARGE
    assert "ended while answers were still being sent" in server.error_log.read_text()
    assert len(server.log_lines(1)) >= 1  # finished requests are in the log


@pytest.mark.parametrize("first", ENDING)
@pytest.mark.parametrize("second", ENDING)
def test_a_second_signal_ends_it_at_once(serve, first, second):
    server = serve(LONG)
    large_site(server)
    with server.connect(receive_buffer=4096) as stalled:
        begin_large(stalled)
        server.ask("/a.txt")
        server.signal(first)
        told(server, "no new connections")
        server.signal(second)
        server.wait()
    assert any("/a.txt" in line for line in server.log_lines(1))


def test_ending_under_load(serve):
    """Every answer that begins is completed; then the server ends."""
    server = serve()
    over = threading.Event()
    served = []

    def load():
        count = 0
        with contextlib.suppress(OSError, AssertionError):
            while not over.is_set():
                with server.connect() as c:
                    for _ in range(20):
                        c.request("/a.txt")
                        if not c.more():
                            break  # closed between two requests
                        assert c.response().body == A
                        count += 1
        served.append(count)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for t in threads:
        t.start()
    try:
        server.log_lines(200)
        server.signal(signal.SIGTERM)
        server.wait()
    finally:
        over.set()
        for t in threads:
            t.join(DEADLINE)
    assert len(server.log_lines()) >= sum(served)


def test_the_port_is_free_again(serve):
    server = serve()
    with server.connect() as c:
        c.ask("/a.txt")
        server.stop()  # with a connection open, which it closes first
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", server.port))


# --- the table of processes -------------------------------------------------------------------------------------------


def tables(server):
    return server.stderr.read_text()


def test_sigquit_shows_the_processes(server):
    server.expect_healthy()
    server.signal(signal.SIGQUIT)
    names = ["acceptor", "parking", "front_end_farm", "front_end_worker", "cache_hash_request", "static_farm",
             "page_worker", "back_end", "log", "stats", "supervisor"]
    wait_until(lambda: all(name in tables(server) for name in names), f"all of {names}")
    server.expect_healthy()


def test_sigquit_under_load_and_again(serve):
    server = serve()
    large_site(server)
    with server.connect(receive_buffer=4096) as stalled:
        begin_large(stalled)
        for _ in range(3):
            before = tables(server).count("parking")
            server.signal(signal.SIGQUIT)
            for _ in range(50):
                assert server.ask("/a.txt").body == A
            wait_until(lambda: tables(server).count("parking") > before, "another table")  # noqa: B023
    server.expect_healthy()


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT])
def test_signals_that_mean_nothing(server, number):
    server.signal(number)
    server.expect_healthy()


# --- memory -----------------------------------------------------------------------------------------------------------


without_sanitizer = pytest.mark.skipif(has_sanitizer(), reason="sanitizers need memory of their own")


def resident_kilobytes(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@without_sanitizer
def test_memory_does_not_grow_with_requests(serve):
    server = serve()

    def burst():
        for _ in range(20):
            with server.connect() as c:
                c.send(GET_A * 250)
                for _ in range(250):
                    c.response()

    burst()
    first = resident_kilobytes(server)
    for _ in range(4):
        burst()
    assert resident_kilobytes(server) - first < 8 * 1024


@without_sanitizer
def test_memory_of_idle_connections(server):
    """A connection between two requests keeps little more than its socket."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(400)]
        for c in clients[:20]:
            c.ask("/a.txt")
        first = resident_kilobytes(server)
        for c in clients[20:]:
            c.ask("/a.txt")
        assert resident_kilobytes(server) - first < 16 * 1024
