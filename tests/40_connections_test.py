# SPDX-License-Identifier: MIT
"""Clients that are slow, silent, numerous or gone: none of them affects other clients."""

import concurrent.futures
import contextlib
import itertools
import json
import random
import resource
import select
import socket
import threading
import time

import pytest

from harness import asks_until_refused, in_time, open_descriptors, operate, wait_until

A = b"the letter a\n"  # /a.txt
GET_A = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 20 * 1024 * 1024


@contextlib.contextmanager
def many(server, count, **options):
    """This many connections at once."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.connect(**options)) for _ in range(count)]


def large_site(server):
    """Adds a file that is larger than all socket buffers."""
    with open(server.site / "large.bin", "wb") as f:
        f.truncate(LARGE)


def is_cut_off(client):
    """Whether the server has closed, as a client detects by sending more."""
    try:
        client.socket.send(b"x", socket.MSG_DONTWAIT)
    except (BlockingIOError, TimeoutError):
        pass
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


# --- slow requests ----------------------------------------------------------------------------------------------------


def drip(client, over, data=b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000):
    """Sends a byte five times a second, until the server closes."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for i in range(len(data)):
            client.send(data[i : i + 1])
            if over.wait(0.2):
                return


def test_a_head_that_takes_too_long(serve):
    server = serve({"patience": {"head_seconds": 1}})
    over = threading.Event()
    with server.connect() as c, concurrent.futures.ThreadPoolExecutor(1) as pool:
        sender = pool.submit(drip, c, over)
        try:
            r = c.response()  # before all bytes are sent, which would take days
        finally:
            over.set()
        sender.result()
        assert (r.status, r.closes) == (408, True)
        assert "time" in r.text
        c.finish_sending()
        c.expect_closed()
    server.expect_healthy()


def test_slow_clients_do_not_hold_up_others(serve):
    server = serve({"patience": {"head_seconds": 1}})
    over = threading.Event()
    with many(server, 50) as slow, concurrent.futures.ThreadPoolExecutor(50) as pool:
        senders = [pool.submit(drip, c, over) for c in slow]
        try:
            for _ in range(100):
                assert server.ask("/a.txt").body == A
            assert [c.response().status for c in slow] == [408] * 50
        finally:
            over.set()
        for sender in senders:
            sender.result()
    server.expect_healthy()


def test_the_time_for_a_head_begins_with_its_first_byte(serve):
    """A connection that was idle for longer than head_seconds still has the full time for the next head."""
    server = serve({"patience": {"head_seconds": 2, "idle_seconds": 600}})

    def trial(clock):
        with server.connect() as c:
            # Use many writes, so that the server sees a part of the first head.
            c.send_bytewise(GET_A)
            assert c.response().body == A
            clock.stop()
            c.expect_silence(3)  # in particular no 408: no request is pending
            assert c.ask("/a.txt").body == A

    in_time(1, trial)


def test_an_idle_connection_is_closed_in_silence(serve):
    server = serve({"patience": {"idle_seconds": 0.5}})

    def trial(clock):
        with server.connect() as fresh, server.connect() as used:
            assert used.ask("/a.txt").body == A
            clock.stop()
            fresh.expect_closed()
            used.expect_closed()

    in_time(0.25, trial)
    assert all('" 200 ' in line for line in server.log_lines(1))  # closing is not logged as a request


def test_a_body_that_stalls(serve):
    server = serve({"patience": {"stall_seconds": 0.5, "least_bytes_a_second": 1000}})
    with server.connect() as c:
        r = c.ask("/a.txt", "Content-Length: 1000", method="POST", body=b"x" * 10)
        assert r.status == 405
        c.expect_closed()
    server.expect_healthy()


def test_lingering_is_bounded(serve):
    """A client that continues to send after a refusal cannot keep its connection that way."""
    server = serve({"patience": {"linger_seconds": 0.5}})
    with server.connect() as c:
        c.send("BAD\r\n\r\n")
        assert c.response().status == 400
        wait_until(lambda: is_cut_off(c), "the server does not listen to this client any more")
    server.expect_healthy()


# --- slow readers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readers", [1, 20])
def test_a_reader_that_stalls_is_cut_off(serve, readers):
    server = serve({"patience": {"stall_seconds": 0.5}})
    large_site(server)
    with many(server, readers, receive_buffer=4096) as stalled:
        for c in stalled:
            c.request("/large.bin")
        for _ in range(20):
            assert server.ask("/a.txt").body == A
        # The log shows when the server has given up, and that the response is incomplete.
        lines = server.log_lines(20 + readers)
        sent = [int(line.split('" 200 ')[1].split()[0]) for line in lines if "/large.bin" in line]
        assert len(sent) == readers and all(0 < size < LARGE for size in sent)
        for c in stalled:
            assert len(c.rest()) < LARGE
    server.expect_healthy()


def test_what_a_reader_does_not_take_is_not_kept(serve):
    """It keeps little while the client may still read it, and nothing after the reset, though the client reads nothing."""
    server = serve({"patience": {"stall_seconds": 0.5}})
    large_site(server)
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        watched = select.poll()
        watched.register(c.socket, 0)
        wait_until(lambda: watched.poll(0), "the connection is reset")
        handed = int(server.log_lines(1)[0].split('" 200 ')[1].split()[0])
        assert 0 < handed < 512 * 1024, "so much for each reader is in the kernel's memory"
    server.expect_healthy()


def test_a_page_from_the_cache_that_stalls(serve):
    server = serve({"patience": {"stall_seconds": 0.5}, "cache": {"largest_page_bytes": LARGE}})
    large_site(server)
    in_time(0.25, lambda _: server.ask("/large.bin"))
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        server.log_lines(2)  # the server has given up
        assert len(c.rest()) < LARGE
    server.expect_healthy()


def test_a_reader_that_is_slow_but_goes_on(serve):
    """A transfer that makes progress is not aborted, though it takes many times the stall timeout."""
    server = serve({"patience": {"stall_seconds": 0.5, "least_bytes_a_second": 1000}})
    large_site(server)

    def trial(clock):
        with server.connect(receive_buffer=16 * 1024) as c:
            c.request("/large.bin")
            got = 0
            pause = threading.Event()
            while got < LARGE:
                data = c.socket.recv(1024 * 1024)
                assert data, f"cut off after {got} bytes"
                clock.tick()
                got += len(data)
                if got < 400_000:
                    pause.wait(0.1)  # makes the client slow; not a wait for an effect

    in_time(0.25, trial)
    server.expect_healthy()


@pytest.mark.parametrize("bytes_at_once, seconds, buffer", [(200, 0, 4096), (16 * 1024, 0.05, 64 * 1024)])
def test_a_reader_below_the_least_rate(serve, bytes_at_once, seconds, buffer):
    """A client that reads only a little now and then is too slow, even if the kernel always accepts more."""
    server = serve({"patience": {"stall_seconds": 0.5, "least_bytes_a_second": 1_000_000}})
    large_site(server)
    with server.connect(receive_buffer=buffer) as c:
        c.request("/large.bin")
        pause = threading.Event()

        def cut_off():
            with contextlib.suppress(ConnectionResetError):
                c.socket.recv(bytes_at_once)
            pause.wait(seconds)  # makes the client slow
            return server.access_log.read_text()

        entry = wait_until(cut_off, "the server has given up")
        assert "/large.bin" in entry and f" {LARGE} " not in entry
    server.expect_healthy()


def test_a_client_that_only_asks(serve):
    """A client sends requests without end and reads no answer; the server neither grows nor waits for it."""
    server = serve({"patience": {"stall_seconds": 0.5}}, access_log="")
    with server.connect(receive_buffer=4096) as c:
        c.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
            for _ in range(100_000):
                c.send(GET_A * 10)
        for _ in range(20):
            assert server.ask("/a.txt").body == A
        wait_until(lambda: is_cut_off(c), "the client was cut off")
    server.expect_healthy()


# --- many connections -------------------------------------------------------------------------------------------------


def test_five_hundred_idle_connections(server):
    with many(server, 500) as clients:
        for c in clients:
            c.request("/a.txt")
        for c in clients:
            assert c.response().body == A
        for c in reversed(clients):
            assert c.ask("/dir/b.css").status == 200
    server.expect_healthy()


def test_descriptors_are_given_back(server):
    server.expect_healthy()
    before = len(open_descriptors(server))
    for _ in range(3):
        with many(server, 100) as clients:
            for i, c in enumerate(clients):
                c.send(GET_A[: i % len(GET_A)] if i % 2 else GET_A)
    wait_until(lambda: len(open_descriptors(server)) <= before, "all descriptors are closed again")


def test_clients_beyond_the_limit_wait(serve):
    server = serve({"limits": {"connections": 4}})

    def take_turn(c):
        """An answered client leaves and makes room for another."""
        body = c.response().body
        c.close()
        return body

    with many(server, 40) as clients, concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for c in clients:
            c.request("/a.txt")  # none is refused
        assert list(pool.map(take_turn, clients)) == [A] * len(clients)
    server.expect_healthy()


def test_the_limit_holds(serve):
    """The limit applies to clients being answered: others wait until one of them is finished."""
    server = serve({"limits": {"connections": 3}, "patience": {"stall_seconds": 3600}}, workers=1)
    large_site(server)
    with contextlib.ExitStack() as stack:
        inside = []
        for _ in range(3):
            inside.append(stack.enter_context(server.connect(receive_buffer=4096)))
            inside[-1].request("/large.bin")
            inside[-1].read_exactly(1)
        outside = [stack.enter_context(server.connect()) for _ in range(5)]
        for c in outside:
            c.request("/a.txt")
        outside[0].expect_silence(0.5)
        inside.pop().close()
        for c in outside:  # each takes the place of the one before, which is idle by then
            assert c.response().body == A


def idle_for_a_while(server, count):
    """This many connections, each of which may be closed to make room."""
    clients = [server.connect() for _ in range(count)]
    time.sleep(0.3)
    return clients


def test_idle_connections_yield_to_new_ones(serve):
    server = serve({"limits": {"connections": 5}}, workers=1)
    with contextlib.ExitStack() as stack:
        used = stack.enter_context(server.connect())
        assert used.ask("/a.txt").body == A
        silent = [stack.enter_context(c) for c in idle_for_a_while(server, 4)]
        assert used.ask("/a.txt").body == A  # now the one that has been idle for the shortest time
        for c in silent:
            assert stack.enter_context(server.connect()).ask("/a.txt").body == A
            c.expect_closed()
        assert used.ask("/a.txt").body == A
        figures = json.loads(server.ask("/stats.json").body)
        assert sum(core["connections"]["yielded"] for core in figures["cores"]) >= 4


def test_silent_connections_lock_nobody_out(serve, place):
    """More connections than descriptors: clients are answered, and so is the operator."""
    control = place / "control"
    server = serve({"patience": {"grace_seconds": 0.5}}, descriptors=64, arguments=["--control", str(control)],
                   files={"a.txt": A, "l.bin": b"x" * 200_000})
    wait_until(lambda: "connections = 10000 is reduced to" in server.error_log.read_text(), "that they are few is told")
    with contextlib.ExitStack() as stack:
        for c in idle_for_a_while(server, 100):
            stack.enter_context(c)
        for _ in range(20):
            assert server.ask("/a.txt").body == A
            assert len(server.ask("/l.bin").body) == 200_000  # which requires opening a file
        for command in ("status", "ps", "reload"):
            assert operate(command, control).returncode == 0
        assert operate("upgrade", control).returncode == 0
        assert operate("stop", control).returncode == 0
    server.wait()


def test_a_page_in_memory_needs_no_descriptor(serve):
    server = serve(workers=1, files={"a.txt": A, "b.html": "<p>" + "b" * 1000})
    with server.connect() as c:
        for _ in range(5):
            c.ask("/a.txt")
            c.ask("/b.html", "Accept-Encoding: gzip")
        time.sleep(1.5)  # the cached page is no longer fresh: its file must be checked
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, most))
        for _ in range(15):
            assert c.ask("/a.txt").body == A
            assert c.ask("/b.html", "Accept-Encoding: gzip").status == 200
        assert c.ask("/dir/b.css").status == 503
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))
        assert c.ask("/a.txt").body == A


def test_without_a_descriptor_for_the_next_client_an_idle_one_yields(serve):
    server = serve(workers=1)
    for _ in range(5):
        server.ask("/a.txt")  # then it is in memory
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(c) for c in idle_for_a_while(server, 20)]
        assert len(idle) == 20
        used = max(int(d) for d in open_descriptors(server)) + 1
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used, most))
        kept = [stack.enter_context(server.connect()) for _ in range(10)]
        for c in kept:
            assert c.ask("/a.txt").body == A
    if server.engine == "epoll":  # a ring uses the limit that was in force when accept was submitted
        said = server.error_log.read_text()
        assert said.count("error: a connection could not be accepted: Too many open files") == 1


def test_connections_of_one_address(serve):
    server = serve({"limits": {"connections_per_address": 3}}, workers=1)

    def admitted():
        c = server.connect()
        if c.ask("/a.txt").status == 200:
            return c
        c.close()  # the connection that tested whether the server started still counts

    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(wait_until(admitted, "there is room")) for _ in range(3)]
        for _ in range(3):
            with server.connect() as c:
                r = c.response()  # before any request: it may not even send one
                assert (r.status, r.closes, r.get("Retry-After")) == (429, True, "1")
                assert "connections_per_address" in r.text
                c.finish_sending()
                c.expect_closed()
        for c in inside:
            assert c.ask("/a.txt").body == A  # connected clients are not affected
        inside[0].close()

        def has_room():
            with server.connect() as c:
                c.request("/a.txt")
                return c.response().status == 200

        wait_until(has_room, "who leaves makes room")


def test_a_flood_of_connections_gets_few_answers(serve):
    """Only a limited number is told why at once; the others cost almost nothing. No state remains."""
    server = serve({"limits": {"connections_per_address": 2}, "patience": {"linger_seconds": 0.5}}, workers=1)
    server.expect_healthy()
    with many(server, 2) as inside:
        for c in inside:
            assert c.ask("/a.txt").body == A
        with many(server, 300) as flood:
            told = sum(b"429 Too Many Requests" in c.rest() for c in flood)
        assert 0 < told <= 300
        for c in inside:
            assert c.ask("/a.txt").body == A
    server.expect_healthy()


def test_requests_of_one_address(serve):
    server = serve(
        {"limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 5}}, workers=1
    )
    with server.connect() as c, server.connect() as other:
        in_turn = itertools.cycle([c, other])
        r = asks_until_refused(lambda: next(in_turn).ask("/a.txt"), burst=5, a_second=1)
        assert not r.closes and int(r.get("Retry-After")) in (1, 2)
        assert "requests_per_second_per_address" in r.text
        # The time in Retry-After is right.
        wait_until(lambda: c.ask("/a.txt").status == 200, "it may ask again")


def test_limits_are_logged_once(serve):
    server = serve({"limits": {"requests_per_second_per_address": 1, "requests_burst_per_address": 1}}, workers=1)
    with server.connect() as c:
        refused = 0
        while refused < 10:
            refused += c.ask("/a.txt").status == 429
    server.stop()  # now the log is complete
    lines = [line for line in server.error_log.read_text().splitlines() if "requests_per_second" in line]
    assert len(lines) == 1 and "127.0.0.1" in lines[0]


def test_a_body_sent_fast_saves_up_nothing(serve):
    """A client that sent much may not then be silent for the time which that would take at the minimum rate."""
    server = serve({"patience": {"stall_seconds": 0.5, "least_bytes_a_second": 100}})
    with server.connect() as c:
        assert c.ask("/a.txt", "Content-Length: 1000000", method="POST", body=b"x" * 999_999).status == 405
        c.expect_closed()  # not after three hours
    server.expect_healthy()


def test_a_head_that_is_slow_but_goes_on(serve):
    server = serve({"patience": {"head_seconds": 0.5, "least_bytes_a_second": 50}})

    def trial(clock):
        with server.connect() as c:
            pause = threading.Event()
            c.send("GET /a.txt HTTP/1.1\r\nHost: localhost\r\nX: ")
            for _ in range(20):
                clock.tick()
                c.send(b"x" * 50)
                pause.wait(0.1)  # makes the client slow; not a wait for an effect
            assert c.send("\r\n\r\n").response().body == A

    in_time(0.25, trial)
    server.expect_healthy()


def test_every_worker_of_a_small_farm_is_busy(serve):
    """Each slow reader occupies a worker; the farm forks more."""
    server = serve({"spare_workers": 1}, workers=1)
    large_site(server)
    with many(server, 60, receive_buffer=4096) as readers:
        for c in readers:
            c.request("/large.bin")
        for c in readers:
            while b"\r\n\r\n" not in c.arrived:
                assert c.more()  # now each occupies a worker
        assert server.ask("/a.txt").body == A


# --- clients that leave -----------------------------------------------------------------------------------------------

STAGES = {
    "at once": b"",
    "in an empty line": b"\r",
    "in the request line": b"GET /a.t",
    "in a field": GET_A[:40],
    "before the last byte": GET_A[:-1],
    "after a request": GET_A,
    "after a request for much": b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "in a pipeline": (GET_A + b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n") * 5 + GET_A[:30],
    "in a body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nabc",
    "in a chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "after a mistake": b"BAD\r\n\r\n",
}


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("stage", STAGES)
def test_clients_leave_at_every_stage(serve, stage, leave):
    server = serve()
    large_site(server)
    server.expect_healthy()
    before = len(open_descriptors(server))
    for read in (False, True) * 5:
        c = server.connect(receive_buffer=4096)
        c.send(STAGES[stage])
        if read and stage.startswith("after"):
            assert c.socket.recv(100)
        getattr(c, leave)()
    server.expect_healthy()
    wait_until(lambda: len(open_descriptors(server)) <= before, "all descriptors are closed again")
    with server.connect() as c:
        assert c.ask("/a.txt").body == A


def test_a_crowd_that_behaves_in_every_way(serve):
    """All of the above at once, in a fixed random order; well-behaved clients among them are served."""
    server = serve({"patience": {"head_seconds": 1, "stall_seconds": 1, "linger_seconds": 0.5}})
    large_site(server)
    over = threading.Event()

    def rude(seed):
        r = random.Random(seed)
        while not over.is_set():
            c = server.connect(receive_buffer=r.choice([4096, 65536]))
            with contextlib.suppress(OSError):
                c.socket.settimeout(0.05)
                c.send(r.choice(list(STAGES.values())))
                for _ in range(r.randrange(3)):
                    c.socket.recv(r.choice([1, 1000, 100_000]))
            r.choice([c.close, c.reset])()

    def honest(_):
        for i in range(20):
            with server.connect() as c:
                assert c.ask(f"/a.txt?{i}").body == A
                assert c.ask("/none").status == 404
                assert c.ask("/dir", method="HEAD").status == 301
                assert c.ask("/a.txt", "Content-Length: 3", method="POST", body=b"abc").status == 405
                assert c.ask("/a.txt").body == A

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        crowd = [pool.submit(rude, seed) for seed in range(8)]
        try:
            list(pool.map(honest, range(8)))
        finally:
            over.set()
        for one in crowd:
            one.result()
    server.expect_healthy()
