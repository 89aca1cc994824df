# SPDX-License-Identifier: MIT
"""When a process that the server cannot do without faults, the server reports it, ends at once with exit code 1, and
removes its control socket. server/testing/faults_test.cpp tests the faults that it survives."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from harness import DEADLINE, Server, binary, fill_tree, operate, wait_until


@pytest.fixture
def faulty():
    """The server with injected memory faults, next to the server under test if it was built."""
    path = pathlib.Path(os.environ.get("OCCWSERV_WITH_FAULTS") or
                        pathlib.Path(binary()).parent / "server" / "occwserv_with_faults")
    if not os.access(path, os.X_OK):
        pytest.skip(f"there is no {path}")
    return str(path)


def requests(server):
    with contextlib.suppress(OSError, AssertionError):
        server.ask("/a.txt")


def reloads(server):
    server.signal(signal.SIGHUP)


def reopens(server):
    server.signal(signal.SIGUSR1)


@pytest.mark.parametrize(
    ("process", "cause"), [("log", reopens), ("supervisor", reloads)]
)
def test_a_fault_that_is_not_survived_ends_the_server(place, engine, faulty, monkeypatch, process, cause):
    home, control, when = place / "home", place / "control", place / "now"
    fill_tree(home / "site", {"a.txt": "a"})
    # The log survives a failed helper thread, for which it may request memory first.
    monkeypatch.setenv("OCCWSERV_FAULT", "log:3" if process == "log" else process)
    monkeypatch.setenv("OCCWSERV_FAULT_WHEN", str(when))
    server = Server(home, engine, settings={}, arguments=["--control", str(control)])
    server.words[0] = faulty
    server.start()
    try:
        wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
        requests(server)
        when.touch()
        cause(server)
        requests(server)
        code = server.process.wait(DEADLINE)
    finally:
        if server.is_alive():
            server.process.kill()
            server.process.wait()
    assert code == 1, server.story()
    assert f"process {process} faulted: std::bad_alloc" in server.stderr.read_text()
    if process != "log":
        assert f"the process {process} has faulted: the server exits" in server.error_log.read_text()
    assert not control.exists()


@pytest.mark.parametrize("process", ["control", "session", "upgrades", "attempt"])
def test_a_fault_of_what_serves_a_command_costs_that_command(place, engine, faulty, monkeypatch, process):
    home, control, when = place / "home", place / "control", place / "now"
    fill_tree(home / "site", {"a.txt": "a"})
    monkeypatch.setenv("OCCWSERV_FAULT", process)
    monkeypatch.setenv("OCCWSERV_FAULT_WHEN", str(when))
    server = Server(home, engine, settings={}, arguments=["--control", str(control)])
    server.words[0] = faulty
    server.start()
    try:
        wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
        when.touch()
        command = ["upgrade", "--binary", str(place / "none")] if process in ("upgrades", "attempt") else ["status"]
        operate(command[0], control, *command[1:])
        assert f"process {process} faulted: std::bad_alloc" in server.stderr.read_text()
        assert operate("status", control).returncode == 0
        assert server.ask("/a.txt").body == b"a"
    finally:
        server.stop()


def test_an_upgrade_that_faults_leaves_no_socket(place, engine, faulty, monkeypatch):
    """Although the new server has created its control socket in place of ours."""
    home, control, when = place / "home", place / "control", place / "now"
    fill_tree(home / "site", {"a.txt": "a"})
    monkeypatch.setenv("OCCWSERV_FAULT", "attempt")
    monkeypatch.setenv("OCCWSERV_FAULT_WHEN", str(when))
    server = Server(home, engine, settings={}, arguments=["--control", str(control)])
    server.words[0] = faulty
    server.start()
    try:
        wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
        asking = subprocess.Popen([faulty, "upgrade", "--control", str(control)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: server.error_log.read_text().count("notice: using ") == 2, "the new server is ready")
            when.touch()
            _, said = asking.communicate(timeout=DEADLINE)
        finally:
            if asking.poll() is None:
                asking.kill()
                asking.communicate()
        assert asking.returncode == 1
        assert "process attempt faulted: std::bad_alloc" in server.stderr.read_text()
        assert [name for name in os.listdir(place) if name.startswith("control")] == ["control"]
        assert f"process {server.process.pid}, up " in operate("status", control).stdout
        assert "out of memory" in said and "The old server keeps running." in said
    finally:
        server.stop()


def test_a_log_writer_without_memory_loses_a_line(place, engine, faulty, monkeypatch):
    """The fault is counted, and the server continues."""
    home, when = place / "home", place / "now"
    fill_tree(home / "site", {"a.txt": "a"})
    monkeypatch.setenv("OCCWSERV_FAULT", "log_writer")
    monkeypatch.setenv("OCCWSERV_FAULT_WHEN", str(when))
    server = Server(home, engine, settings={})
    server.words[0] = faulty
    server.start()
    try:
        wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
        when.touch()
        reloads(server)
        wait_until(lambda: "(Cannot allocate memory); lines are lost" in server.stderr.read_text(), "a line is lost")
        assert "process log_writer faulted: std::bad_alloc" in server.stderr.read_text()
        reloads(server)
        wait_until(lambda: "1 line of the error log was lost\n" in server.error_log.read_text(), "the loss is told")
        assert server.ask("/a.txt").body == b"a"
    finally:
        server.stop()


class HangingDirectory:
    """A directory that this server treats as a file system that does not respond, until the directory is removed."""

    def __init__(self, place):
        self.path = place / "hangs"
        self.path.mkdir()
        self.log = str(self.path / "access")
        self.sentence = f"cannot open the log {self.log}: no answer from its file system within 10 s"


@pytest.fixture
def hanging(place, monkeypatch):
    directory = HangingDirectory(place)
    monkeypatch.setenv("OCCWSERV_HANGING_DIRECTORY", str(directory.path))
    return directory


@pytest.fixture
def reloading(place, engine, faulty, hanging):
    """A server whose configuration then names a log in the directory that hangs."""
    home, control = place / "home", place / "control"
    fill_tree(home / "site", {"a.txt": "a"})
    server = Server(home, engine, settings={"workers": 1}, arguments=["--control", str(control)])
    for option in ("--access-log", "--error-log"):
        at = server.words.index(option)
        del server.words[at:at + 2]
    server.words[0] = faulty
    server.control = control
    file = home / "occwserv.toml"
    server.configure = lambda access: file.write_text(f'workers = 1\n[log]\naccess = "{access}"\nerror = "{home}/error.log"\n')
    server.configure("")
    server.start()
    try:
        wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
        yield server
    finally:
        server.stop()


def status_of(server):
    return operate("status", server.control).stdout


def test_a_reload_does_not_wait_for_ever_for_a_log(reloading, hanging, place):
    reloading.configure(hanging.log)
    for _ in range(2):  # the second time it fails at once
        said = operate("reload", reloading.control)
        assert said.returncode == 1 and hanging.sentence in said.stderr, said
        assert "The configuration is unchanged." in said.stderr
        assert reloading.ask("/a.txt").body == b"a"
    reloading.configure(place / "access")
    assert operate("reload", reloading.control).returncode == 0
    hanging.path.rmdir()


@pytest.mark.parametrize("how", ["stop", "SIGTERM"])
def test_the_end_does_not_wait_for_a_log_that_is_to_be_opened(reloading, hanging, how):
    """While the reload waits, the server answers commands and can be stopped without waiting for it."""
    reloading.configure(hanging.log)
    asking = subprocess.Popen([binary(), "reload", "--control", str(reloading.control)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: "log_opener " in operate("ps", reloading.control).stdout, "the log is being opened")
        assert "serving " in status_of(reloading)
        if how == "stop":
            assert operate("stop", reloading.control).returncode == 0
        else:
            reloading.signal(signal.SIGTERM)
        _, said = asking.communicate(timeout=DEADLINE)
        assert asking.returncode == 1 and "the server is ending" in said
    finally:
        if asking.poll() is None:
            asking.kill()
            asking.communicate()
    assert reloading.process.wait(DEADLINE) == 0
    assert hanging.path.exists() and not reloading.control.exists()


def test_a_start_does_not_wait_for_ever_for_a_log(place, faulty, hanging):
    (place / "site").mkdir()
    words = [faulty, str(place / "site"), "--port", "0", "--access-log", hanging.log]
    said = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (said.returncode, said.stderr) == (1, f"occwserv: {hanging.sentence}\n")


def test_the_watchdog_is_told_of_a_server_that_answers(serve, place, monkeypatch):
    """And the probes that detect it appear in no log and no statistics."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place / "manager"))
        manager.settimeout(DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place / "manager"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        server = serve()
        pings = 0
        while pings < 3:
            pings += manager.recv(100) == b"WATCHDOG=1"
        server.ask("/a.txt")
        assert len(server.log_lines(1)) == 1
