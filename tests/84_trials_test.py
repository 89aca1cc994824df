# SPDX-License-Identifier: MIT
"""Tries what the sandbox forbids from inside the running server: by system call, by ring, and through the steward."""

import os
import pathlib
import shutil
import socket

import pytest

import harness
from harness import DEADLINE, free_port, has_landlock, has_sanitizer, living_children, living_in_group, steward_of, wait_until

NOBODY = 65534
EPERM, EACCES = "Operation not permitted", "Permission denied"


@pytest.fixture
def tried(serve, place, monkeypatch):
    """Starts the server that tries things, and returns it and a function that has it try one."""
    program = pathlib.Path(harness.binary()).parent / "server" / "occwserv_with_trials"
    if not program.exists():
        pytest.skip("the server with trials is not built")
    monkeypatch.setattr(harness, "binary", lambda: str(program))
    (place / "run").mkdir()
    at = place / "run" / "trials"
    monkeypatch.setenv("OCCWSERV_TRIALS", str(at))
    server = serve(arguments=["--control", str(place / "run" / "control")])
    wait_until(at.exists, "the server takes trials")

    def ask(line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(str(at))
            s.sendall(f"{line}\n".encode())
            return s.makefile().read()

    yield server, ask
    if server.process is not None:
        assert ask("end") == "over"


unsanitized = pytest.mark.skipif(has_sanitizer(), reason="a sanitizer needs these calls itself")


@unsanitized
def test_by_system_call(tried, place):
    server, told = tried
    shutil.copy("/bin/true", place / "true")
    assert told(f"execve {place}/true") == EPERM
    assert told("fork") == EPERM
    assert told(f"ptrace {steward_of(server.process.pid)}") == EPERM
    assert told("ring") == EPERM
    assert told(f"connect {server.port}") == EPERM
    assert told(f"connect-unix {place}/run/control") == EPERM
    server.expect_healthy()


@pytest.mark.skipif(not has_landlock(), reason="only Landlock restricts files")
def test_files(tried, place):
    server, told = tried
    assert told("connect-unix /nowhere") == EPERM
    assert told(f"write {server.site}/new") == EACCES
    assert told(f"write {server.site}/a.txt") == EACCES
    assert told(f"unlink {server.site}/a.txt") == EACCES
    assert told(f"unlink {server.access_log}") == EACCES
    assert told(f"write {place}/run/file") == EACCES, "beside the control socket, sockets only"
    # Without [sandbox] `read`, only the rights of its user keep the server from reading.
    assert told("read /etc/shadow") == (EACCES if os.geteuid() != 0 else "done")
    assert not (server.site / "new").exists() and server.access_log.exists()
    server.expect_healthy()


def test_by_ring(tried, engine, place):
    server, told = tried
    if engine != "uring":
        pytest.skip("this engine has no ring")
    assert told(f"ring-connect {free_port()}") == EACCES
    assert told(f"ring-unlink {server.access_log}") == EACCES
    if has_landlock():
        assert told(f"ring-write {server.site}/new") == EACCES
    assert told(f"ring-read {server.site}/a.txt") == "done", "what the engine does itself"
    assert told("ring-read /etc/shadow") == (EACCES if os.geteuid() != 0 else "done")
    assert server.access_log.exists()


def test_by_the_steward(tried, place):
    server, told = tried
    assert told(f"steward-log {server.access_log}") == "done"
    other = place / "elsewhere.log"
    assert told(f"steward-log {other}") == f"the steward does not open {other}: the configuration names no such log"
    assert not other.exists()
    address = f"unix:{place}/elsewhere"
    assert told(f"steward-listen {address}") == (
        f"the steward does not listen on {address}: the configuration names no such address")
    assert not (place / "elsewhere").exists()
    if os.geteuid() == 0:
        theirs = place / "theirs"
        theirs.mkdir()
        shutil.copy("/bin/true", theirs / "true")
        os.chown(theirs, NOBODY, NOBODY)
        assert told(f"steward-run {theirs}/true").startswith(f"{theirs}/true is not run as root: ")
    assert living_children(steward_of(server.process.pid)) == []
    server.expect_healthy()


@pytest.mark.parametrize("what", ["steward-keeps-line", "steward-keeps-job"])
def test_the_steward_ends_with_a_server_that_gave_its_lines_away(tried, what):
    server, told = tried
    group = server.process.pid
    steward = steward_of(group)
    assert told(what) == "done"
    wait_until(lambda: living_children(steward), "the steward has a job")
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not living_in_group(group), "the steward and its jobs have ended")
    server.process = None
