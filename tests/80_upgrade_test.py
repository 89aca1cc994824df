# SPDX-License-Identifier: MIT
"""Operating a running server: the control socket, upgrades, and notifications to the service manager."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from harness import DEADLINE, Client, activate, binary, free_port, living_children, operate, steward_of, told, wait_until

LONG = {"patience": {"idle_seconds": 3600, "head_seconds": 3600, "stall_seconds": 3600, "grace_seconds": 3600}}
UPGRADES = 8  # each takes a second, in which the old server checks that the new one stays alive


# --- the control socket -----------------------------------------------------------------------------------------------


def test_status(operated, control):
    with operated.connect() as c:
        assert c.ask("/a.txt").status == 200
        said = operate("status", control)
    assert said.returncode == 0 and said.stderr == ""
    assert f"process {operated.process.pid}, up " in said.stdout
    assert f"http://127.0.0.1:{operated.port}" in said.stdout
    assert "connections 1, of which 0 are being answered" in said.stdout
    assert re.search(r"^requests \d+$", said.stdout, re.M)


def test_ps(operated, control):
    said = operate("ps", control)
    assert said.returncode == 0
    for name in ("acceptor", "parking", "cache_process", "back_end", "supervisor", "witness", "compressor"):
        assert re.search(rf"^ +\d+ +\d+  {name} ", said.stdout, re.M), said.stdout
    assert len(said.stdout.splitlines()) < 200  # a thousand cache processes are one line


def test_stop_waits_for_the_end(operated, control):
    assert operate("stop", control).returncode == 0
    with pytest.raises(ConnectionRefusedError):
        operated.connect()
    operated.wait()
    assert not control.exists()
    told(operated, "asked to stop: no new connections")


def test_reload_answers(operated, control):
    said = operate("reload", control)
    assert (said.returncode, said.stdout) == (0, "configuration reloaded\n")
    told(operated, "reload by process ")
    operated.expect_healthy()


@pytest.mark.parametrize("line", [b"", b"\n", b"nothing of ours\n", b"x" * 10_000, b"\0\n"])
def test_nonsense_at_the_control_socket(operated, control, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        s.connect(str(control))
        with contextlib.suppress(OSError):
            s.sendall(line)
            s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100)[:5] in (b"", b"error")
    operated.expect_healthy()
    assert operate("status", control).returncode == 0


def test_no_server_at_the_control_socket(control):
    said = operate("status", control)
    assert said.returncode == 1
    assert said.stderr.startswith(f"occwserv: there is no control socket at {control}")


def test_a_stale_socket(serve, control):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(control))
    said = operate("status", control)
    assert said.returncode == 1 and f"no server listens on {control}" in said.stderr
    serve(arguments=["--control", str(control)])
    assert operate("status", control).returncode == 0


def test_a_file_in_place_of_the_control_socket(operated, control, place):
    words = [binary(), str(operated.site), "--port", str(free_port()), "--control"]
    said = subprocess.run([*words, str(control)], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert said.returncode == 1 and f"process {operated.process.pid} listens there already" in said.stderr
    (place / "file").write_text("precious")
    said = subprocess.run([*words, str(place / "file")], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert said.returncode == 1 and "another file is there" in said.stderr
    assert (place / "file").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused(operated, control, place):
    os.chmod(control, 0o777)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            try:
                s.connect(str(control))
                s.sendall(b"status\n")
                os._exit(0 if s.recv(100).startswith(b"error\nonly root") else 1)
            except PermissionError:
                os._exit(0)
            except BaseException:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_progress_of_the_end_is_told(serve):
    server = serve(LONG)
    with open(server.site / "large.bin", "wb") as f:
        f.truncate(20 * 1024 * 1024)
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        while b"\r\n\r\n" not in c.arrived:
            assert c.more()
        server.signal(signal.SIGTERM)
        told(server, "ending: 1 connections, of which 1 are being answered")
        c.response()
        server.wait()


# --- the service manager ----------------------------------------------------------------------------------------------


@pytest.fixture
def manager(place, monkeypatch):
    """The notification socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.settimeout(DEADLINE)
        s.bind(str(place / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(place / "n"))
        yield s


def test_notifications_to_the_manager(serve, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    server = serve()
    assert manager.recv(1000) == b"READY=1\n"
    for _ in range(3):
        assert manager.recv(1000) == b"WATCHDOG=1"
    server.signal(signal.SIGTERM)
    while (heard := manager.recv(1000)) == b"WATCHDOG=1":
        pass
    assert heard == b"STOPPING=1\n"
    server.wait()


def test_a_server_that_hangs_sends_no_sign_of_life(serve, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    server = serve()
    manager.recv(1000)
    server.signal(signal.SIGSTOP)
    manager.settimeout(0.5)
    try:
        with pytest.raises(TimeoutError):
            for _ in range(50):
                manager.recv(1000)
    finally:
        server.signal(signal.SIGCONT)


def test_socket_activation(place, engine):
    site = place / "site"
    site.mkdir()
    (site / "index.html").write_text("activated")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        process = activate(s, site, "--listen", "192.0.2.1:80", "--io", engine, "--workers", "2", "--access-log", "")
        try:
            for _ in range(20):
                with Client(port) as c:
                    assert c.ask("/").body == b"activated"
        finally:
            process.terminate()
            _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert f"on http://127.0.0.1:{port} with 2 workers" in said


# --- upgrades ---------------------------------------------------------------------------------------------------------


class Load:
    """Clients that send requests without pause, on kept and new connections, and record every error."""

    def __init__(self, port, clients=4):
        self.port, self.answers, self.failures, self.over = port, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(i % 2 == 0,)) for i in range(clients)]

    def _ask(self, keep):
        try:
            while not self.over.is_set():
                with Client(self.port) as c:
                    while not self.over.is_set():
                        answer = c.ask("/a.txt", *([] if keep else ["Connection: close"]))
                        assert answer.status == 200 and answer.body == b"the letter a\n"
                        self.answers += 1
                        if answer.closes:
                            break
        except Exception as e:  # noqa: BLE001  any error is a failure
            self.failures.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join(DEADLINE)


def pid_of(status):
    return int(re.search(r"process (\d+), up", status.stdout).group(1))


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_upgrades_under_load(operated, control):
    pids = [operated.process.pid]
    try:
        with Load(operated.port) as load:
            for _ in range(UPGRADES):
                before = load.answers
                said = operate("upgrade", control)
                assert said.returncode == 0, said.stderr
                pids.append(pid_of(operate("status", control)))
                assert pids[-1] != pids[-2]
                wait_until(lambda: load.answers > before + 50 or load.failures, "answers come")  # noqa: B023
            assert load.failures == []
        assert load.failures == []
        assert len(set(pids)) == UPGRADES + 1
        wait_until(lambda: all(gone(pid) for pid in pids[:-1]), "the old ones end")
        operated.expect_healthy()
    finally:
        operate("stop", control)
    wait_until(lambda: gone(pids[-1]), "the last one ends")
    operated.wait()


def test_an_idle_client_may_ask_once_more(serve, control):
    server = serve(LONG, arguments=["--control", str(control)])
    with server.connect() as idle:
        idle.ask("/a.txt")
        assert operate("upgrade", control).returncode == 0
        # Each core learns of the end a moment after the log does; until then its connections persist as before.
        wait_until(lambda: idle.ask("/a.txt").closes, "the client is told that this was the last time")
        idle.expect_closed()
    server.process.wait(DEADLINE)
    assert operate("stop", control).returncode == 0
    server.wait()


def test_an_upgrade_of_a_server_that_is_full(serve, control):
    """The old server ends in time, though its acceptor waits with a client for room."""
    settings = {"limits": {"connections": 1}, "patience": {"grace_seconds": 1, "stall_seconds": 3600}}
    server = serve(settings, workers=1, arguments=["--control", str(control)])
    with open(server.site / "large.bin", "wb") as f:
        f.truncate(20 * 1024 * 1024)
    with server.connect(receive_buffer=4096) as reader, server.connect():
        reader.request("/large.bin")
        while b"\r\n\r\n" not in reader.arrived:
            assert reader.more()
        wait_until(lambda: re.search(r"  acceptor +output ", operate("ps", control).stdout), "a client waits for room")
        assert operate("upgrade", control).returncode == 0
        server.process.wait(DEADLINE)
    assert operate("stop", control).returncode == 0
    server.wait()


def test_an_upgrade_that_fails(operated, control, place):
    bad = place / "bad"
    bad.write_text("#!/bin/sh\nexit 3\n")
    bad.chmod(0o755)
    said = operate("upgrade", control, "--binary", bad)
    assert said.returncode == 1
    assert "exited with code 3" in said.stderr and "The old server keeps running." in said.stderr
    said = operate("upgrade", control, "--binary", place / "none")
    assert said.returncode == 1 and "cannot be run" in said.stderr
    operated.expect_healthy()
    assert pid_of(operate("status", control)) == operated.process.pid


def test_an_upgrade_whose_reason_is_told(operated, control):
    """The caller gets the error of the new server."""
    operated.site.rename(operated.site.with_name("moved"))
    said = operate("upgrade", control)
    assert said.returncode == 1
    assert f"{operated.site} cannot be served" in said.stderr
    operated.site.with_name("moved").rename(operated.site)
    operated.expect_healthy()


def test_an_upgrade_whose_configuration_is_wrong(serve, control):
    server = serve({"workers": 1}, arguments=["--control", str(control)])
    with server.error_log.with_name("occwserv.toml").open("a") as f:
        f.write("[limits]\nhead_bites = 1\n[patience]\nidle_seconds = 0\n")
    said = operate("upgrade", control)
    assert said.returncode == 1
    assert "unknown key `head_bites` in [limits]" in said.stderr and "expected a number of seconds" in said.stderr
    server.expect_healthy()


# --- concurrent and failing upgrades ---------------------------------------------------------------------------------


def program(place, text):
    """A new binary: a script."""
    file = place / "new"
    file.write_text(f"#!/usr/bin/python3 -B\nimport os, signal, sys, time\n{text}")
    file.chmod(0o755)
    return file


# The message of a new server when it is ready.
SAY_READY = "os.write(3 + int(os.environ['OCCWSERV_LISTEN_FDS']), b'ready\\n')\n"
STAY = "time.sleep(600)\n"


@contextlib.contextmanager
def operating(command, at, *words):
    """`occwserv COMMAND` while it waits for its answer."""
    asking = subprocess.Popen([binary(), command, "--control", str(at), *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        yield asking
    finally:
        if asking.poll() is None:
            asking.kill()
        asking.communicate()


def new_servers(pid):
    """The living processes that the steward of this server has started."""
    return living_children(steward_of(pid))


def only_child(server):
    (pid,) = wait_until(lambda: new_servers(server.process.pid), "the new server is started")
    return pid


def goes_on(server, control):
    """The old server continues as before, and nothing of the new server remains."""
    server.expect_healthy()
    assert pid_of(operate("status", control)) == server.process.pid
    wait_until(lambda: new_servers(server.process.pid) == [], "nothing of the new server remains")
    assert [name for name in os.listdir(control.parent) if name.startswith(control.name)] == [control.name]


def test_one_upgrade_at_a_time(operated, control, place):
    with operating("upgrade", control, "--binary", program(place, STAY)):
        new = only_child(operated)
        said = operate("upgrade", control)
        assert (said.returncode, said.stderr) == (1, "occwserv: an upgrade is in progress\n")
        assert new_servers(operated.process.pid) == [new]
        os.kill(new, signal.SIGKILL)
    wait_until(lambda: operate("upgrade", control).returncode == 0, "the next one succeeds")
    assert pid_of(operate("status", control)) != operated.process.pid
    operated.expect_healthy()
    assert operate("stop", control).returncode == 0
    operated.process.wait(DEADLINE)
    operated.wait()


@pytest.mark.parametrize("how", ["stop", "SIGTERM"])
@pytest.mark.parametrize("when", ["before it is ready", "when it is ready"])
def test_the_end_comes_before_an_upgrade(serve, control, place, how, when):
    """Afterwards neither the old nor the new server runs."""
    unix = place / "s"
    server = serve(arguments=["--control", str(control), "--listen", f"unix:{unix}"])
    words = [] if when == "when it is ready" else ["--binary", program(place, STAY)]
    with operating("upgrade", control, *words) as asking:
        new = only_child(server)
        if when == "when it is ready":  # it logs what it serves at that time
            wait_until(lambda: server.error_log.read_text().count("notice: using ") == 2, "the new server is ready")
            assert pid_of(operate("status", control)) == server.process.pid, "the control socket is still the old one's"
        if how == "stop":
            assert operate("stop", control).returncode == 0
        else:
            server.signal(signal.SIGTERM)
        _, said = asking.communicate(timeout=DEADLINE)
        assert asking.returncode == 1 and "cancelled: this server is stopping" in said
    server.wait()
    assert gone(new)
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert not unix.exists() and not [name for name in os.listdir(place) if name.startswith(control.name)]


@pytest.mark.parametrize("end, told_as", [
    ("os.kill(os.getpid(), 9)\n", "was killed by signal 9"), ("sys.exit(3)\n", "exited with code 3")])
def test_a_new_server_that_dies_when_it_is_ready(operated, control, place, end, told_as):
    with operated.connect() as idle:
        assert idle.ask("/a.txt").status == 200
        said = operate("upgrade", control, "--binary", program(place, SAY_READY + end))
        assert said.returncode == 1
        assert f"the new server {told_as} just after it had begun to serve" in said.stderr
        assert "The old server keeps running." in said.stderr
        assert not idle.ask("/a.txt").closes
    goes_on(operated, control)
    told(operated, f"error: upgrade failed: the new server {told_as} just after")


# Waits until the old server tells the new one to take the control socket.
UNTIL_TOLD = """
line = 3 + int(os.environ['OCCWSERV_LISTEN_FDS'])
os.set_blocking(line, True)
os.read(line, 100)
"""
# How it takes it.
TAKE = """
import socket
s = socket.socket(socket.AF_UNIX)
s.bind(f"{CONTROL}.{os.getpid()}")
s.listen()
os.rename(f"{CONTROL}.{os.getpid()}", CONTROL)
"""


@pytest.mark.parametrize("last, reason", [
    # Its connection closes before its exit can be seen, as when the kernel kills a process.
    ("os.close(line)\ntime.sleep(0.2)\nsys.exit(3)\n", "exited with code 3 just after it had begun to serve"),
    (TAKE + "sys.exit(3)\n", "exited with code 3 just after it had begun to serve"),
    ("os.write(line, b'there is no room\\n')\n" + STAY, "there is no room"),
], ids=["before", "between", "cannot"])
def test_a_new_server_that_fails_when_it_takes_the_place(operated, control, place, last, reason):
    """The old server has its control socket again."""
    words = f"CONTROL = {str(control)!r}\n" + SAY_READY + UNTIL_TOLD + last
    said = operate("upgrade", control, "--binary", program(place, words))
    assert said.returncode == 1 and reason in said.stderr and "The old server keeps running." in said.stderr
    goes_on(operated, control)
    assert operate("stop", control).returncode == 0
    operated.wait()
    assert not control.exists()


def test_a_new_occwserv_that_is_killed_when_it_is_ready(serve, control, place):
    unix = place / "s"
    server = serve(arguments=["--control", str(control), "--listen", f"unix:{unix}"])
    for number, deadly in enumerate([signal.SIGKILL, signal.SIGTERM], start=2):
        with operating("upgrade", control) as asking:
            new = only_child(server)
            ready = ["notice: using "] * number
            wait_until(lambda: re.findall(ready[0], server.error_log.read_text()) == ready, "it is ready")  # noqa: B023
            os.kill(new, deadly)
            _, said = asking.communicate(timeout=DEADLINE)
            assert asking.returncode == 1 and "just after it had begun to serve" in said, said
        goes_on(server, control)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(unix))  # the file is still there


def test_an_old_server_that_is_killed_during_an_upgrade(serve, control, place):
    """The new one takes over, and no file of the old one remains."""
    unix = place / "s"
    server = serve(arguments=["--control", str(control), "--listen", f"unix:{unix}"])
    with operating("upgrade", control):
        new = only_child(server)
        wait_until(lambda: server.error_log.read_text().count("notice: using ") == 2, "the new server is ready")
        os.kill(server.process.pid, signal.SIGKILL)
    server.exit_code = server.process.wait(DEADLINE)
    try:
        wait_until(lambda: pid_of(operate("status", control)) == new, "the new server has the control socket")
        wait_until(lambda: [name for name in os.listdir(place) if name.startswith(control.name)] == [control.name],
                   "the second name of the old control socket is removed")
        server.expect_healthy()
    finally:
        assert operate("stop", control).returncode == 0
    wait_until(lambda: gone(new), "the new server ends")
    assert not control.exists() and not unix.exists()


def test_a_new_server_that_never_is_ready_may_be_killed(operated, control, place):
    with operating("upgrade", control, "--binary", program(place, STAY)) as asking:
        os.kill(only_child(operated), signal.SIGKILL)
        _, said = asking.communicate(timeout=DEADLINE)
    assert asking.returncode == 1
    assert "the new server was killed by signal 9 before it served, and did not say why" in said
    goes_on(operated, control)


def test_a_socket_of_another_server_stays(serve, place, control):
    """Also after an upgrade, when the file was created by the old server."""
    unix = place / "s"
    server = serve(arguments=["--control", str(control), "--listen", f"unix:{unix}"])
    assert operate("upgrade", control).returncode == 0
    server.process.wait(DEADLINE)
    assert unix.exists(), "the old server has left it to the new one"
    unix.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(unix))
        another.listen()
        assert operate("stop", control).returncode == 0
        assert unix.exists() and not control.exists()


def test_a_silent_client_does_not_hold_up_the_end(operated, control):
    """Its connection closes with the server. server/lifecycle/control_test.cpp tests that nothing waits for it."""
    with contextlib.ExitStack() as clients:
        silent = []
        for words in (b"", b"stat", b"\0"):
            s = clients.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(str(control))
            s.sendall(words)
            silent.append(s)
        assert operate("stop", control).returncode == 0
        operated.wait()
        for s in silent:
            s.settimeout(DEADLINE)
            with contextlib.suppress(ConnectionResetError):
                assert s.recv(1) == b""
