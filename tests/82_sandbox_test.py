# SPDX-License-Identifier: MIT
"""The sandbox: what is in force, what the server can still do in it, and what happens where a kernel lacks it."""

import contextlib
import os
import pathlib
import platform
import re
import socket
import subprocess

import pytest

from harness import DEADLINE, Client, binary, fill_tree, free_port, has_landlock, operate, toml, wait_until

# Refuses system calls, by name, and then becomes the program that follows "--".
REFUSING = """
import ctypes, os, sys
calls, program = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
allow, refuse = 0x7fff0000, 0x00050000
filter = ctypes.c_void_p(seccomp.seccomp_init(allow))
for call in calls:
    name, error = call.split("=")
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    assert seccomp.seccomp_rule_add(filter, refuse | int(error), number, 0) == 0
assert seccomp.seccomp_load(filter) == 0
os.execv(program[0], program)
"""
EPERM, ENOSYS = 1, 38


@pytest.fixture
def sandboxed(serve, place):
    """Starts a server with a control socket, and returns it and the path of the socket."""

    def start(settings=None, arguments=(), **options):
        control = place / "c"
        return serve(settings, arguments=["--control", str(control), *arguments], **options), control

    return start


def line_of(control):
    """The line about the sandbox in the status."""
    said = operate("status", control)
    assert said.returncode == 0, said.stderr
    return re.search("^sandbox: (.*)$", said.stdout, re.MULTILINE).group(1)


def rights_of(server):
    """Seccomp mode and no_new_privs of every thread."""
    found = set()
    for status in pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = status.read_text()
            found.add(tuple(re.search(rf"^{key}:\t(\d)", text, re.MULTILINE).group(1) for key in ("Seccomp", "NoNewPrivs")))
    return found


# --- what is in force -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "arguments", "files", "system_calls"),
    [({}, [], True, True), ({"sandbox": {"files": False}}, [], False, True),
     ({"sandbox": {"system_calls": False}}, [], True, False), ({}, ["--no-sandbox"], False, False)],
    ids=["all", "no files", "no system calls", "no sandbox"])
def test_what_is_in_force(sandboxed, engine, settings, arguments, files, system_calls):
    server, control = sandboxed(settings, arguments)
    line = line_of(control)
    assert f"notice: sandbox: {line}\n" in server.error_log.read_text()
    assert ("files not restricted (as configured)" in line) is not files
    assert ("system calls not restricted (as configured)" in line) is not system_calls
    assert line.endswith(", io_uring restricted") is (engine == "uring")
    if files and has_landlock():
        assert re.match(r"files by Landlock \(ABI \d+", line)
    if system_calls:
        assert "system calls by seccomp" in line
        assert rights_of(server) == {("2", "1")}
    assert server.ask("/a.txt").body == b"the letter a\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("refused", "words"),
    [(f"landlock_create_ruleset={ENOSYS}", "files not restricted (this kernel has no Landlock)"),
     (f"landlock_restrict_self={EPERM}", "files not restricted (Landlock is not permitted here)"),
     (f"seccomp={EPERM}", "system calls not restricted (seccomp is not permitted here)")])
def test_a_machine_that_lacks_a_part(sandboxed, refused, words):
    if refused.startswith("landlock") and not has_landlock():
        pytest.skip("the kernel has no Landlock")
    server, control = sandboxed(launcher=["/usr/bin/python3", "-c", REFUSING, refused, "--"])
    assert words in line_of(control)
    assert server.ask("/a.txt").body == b"the letter a\n"


def test_a_part_that_fails_ends_the_start(place, engine):
    if not has_landlock():
        pytest.skip("the kernel has no Landlock")
    (place / "site").mkdir()
    ENOMEM = 12
    said = subprocess.run(
        ["/usr/bin/python3", "-c", REFUSING, f"landlock_restrict_self={ENOMEM}", "--", binary(), place / "site", "--io",
         engine, "--listen", f"unix:{place}/s", "--control", place / "c"],
        capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert said.returncode == 1
    assert "the sandbox cannot be closed: Landlock: Cannot allocate memory" in said.stderr
    assert not (place / "c").exists() and not (place / "s").exists(), "nothing is left behind"


# --- life in the sandbox ----------------------------------------------------------------------------------------------


def test_all_that_a_server_does(sandboxed, place):
    """Serves, reads other roots, opens a port, answers statistics and commands, and ends."""
    file = place / "conf.toml"
    first, second = place / "first", place / "second"
    fill_tree(first, {"a.txt": "first\n"})
    fill_tree(second, {"a.txt": "second\n"})
    ports = free_port(), free_port()

    def write(root, *listen):
        file.write_text(toml({"root": str(root), "control": str(place / "c"), "listen": [f"127.0.0.1:{p}" for p in listen]}))

    def body(port):
        with Client(port) as c:
            return c.ask("/a.txt").body

    write(first, ports[0])
    log = place / "error.log"
    with subprocess.Popen([binary(), "--config", file, "--error-log", log, "--access-log", place / "access.log"],
                          stdin=subprocess.DEVNULL) as server:
        wait_until(lambda: server.poll() is not None or (log.exists() and "notice: using" in log.read_text()), "it serves")
        try:
            assert body(ports[0]) == b"first\n"
            write(second, ports[0])
            assert operate("reload", place / "c").returncode == 0
            assert body(ports[0]) == b"second\n"
            second.rename(place / "before")
            first.rename(second)
            assert operate("reload", place / "c").returncode == 0
            assert body(ports[0]) == b"first\n"
            write(second, *ports)
            assert operate("reload", place / "c").returncode == 0
            assert body(ports[1]) == b"first\n"
            with Client(ports[0]) as c:
                assert c.ask("/stats.json").status == 200
                assert c.ask("/metrics").status == 200
            assert "a worker" not in operate("ps", place / "c").stderr
        finally:
            said = operate("stop", place / "c")
        assert said.returncode == 0, said.stderr
        assert server.wait(DEADLINE) == 0
    assert not (place / "c").exists()


def test_a_reload_does_not_change_it(sandboxed, place):
    server, control = sandboxed({})
    config = place / "server-1" / "occwserv.toml"
    config.write_text(toml({"sandbox": {"files": False, "read": ["/srv"]}}))
    said = operate("reload", control)
    assert said.returncode == 0, said.stderr
    assert "`sandbox` takes effect after a restart" in said.stdout
    assert "files not restricted (as configured)" not in line_of(control)
    assert server.ask("/a.txt").status == 200


# --- the directories that may be read -----------------------------------------------------------------------------------


@pytest.fixture
def reading(sandboxed, place):
    """A server that may read `place`/sites only, and a function that writes its configuration."""
    if not has_landlock():
        pytest.skip("the kernel has no Landlock")
    for name in ("sites/one", "sites/two", "elsewhere"):
        fill_tree(place / name, {"a.txt": f"{name}\n"})

    def write(root):
        (place / "server-1").mkdir(exist_ok=True)
        settings = {"sandbox": {"read": [str(place / "sites")]},
                    "site": [{"names": ["other.example"], "root": str(root)}]}
        (place / "server-1" / "occwserv.toml").write_text(toml(settings))
        return settings

    server, control = sandboxed(write(place / "sites/one"), site=place / "sites/two")
    return server, control, write


def other(server, target="/a.txt"):
    with server.connect() as c:
        return c.send(f"GET {target} HTTP/1.1\r\nHost: other.example\r\n\r\n").response()


def test_reading_is_restricted(reading, place):
    server, control, write = reading
    assert server.ask("/a.txt").body == b"sites/two\n"
    assert other(server).body == b"sites/one\n"
    write(place / "sites/two")
    said = operate("reload", control)
    assert said.returncode == 0, said.stderr
    assert other(server).body == b"sites/two\n"
    with server.connect() as c:
        assert c.ask("/stats.json").status == 200


def test_a_root_outside_is_refused(reading, place):
    server, control, write = reading
    write(place / "elsewhere")
    said = operate("reload", control)
    assert said.returncode == 1
    assert f"`root` names {place}/elsewhere, which is outside the directories that [sandbox] `read` permits" in said.stderr
    assert other(server).body == b"sites/one\n"


def test_a_directory_that_is_replaced_is_outside(reading, place):
    server, control, write = reading
    (place / "sites").rename(place / "before")
    fill_tree(place / "sites", {"one/a.txt": "new\n", "two/a.txt": "new\n"})
    said = operate("reload", control)
    assert said.returncode == 1
    assert "Permission denied" in said.stderr
    assert other(server).body == b"sites/one\n"


@pytest.mark.parametrize("command", ["check", "start", "explain"])
def test_a_root_outside_is_a_mistake(place, command):
    for name in ("inside", "outside"):
        (place / name).mkdir()
    file = place / "conf.toml"
    file.write_text(toml({"root": str(place / "outside"), "sandbox": {"read": [str(place / "inside")]}}))
    words = {"check": ["check"], "start": ["--port", "0"], "explain": ["explain", "/"]}[command]
    said = subprocess.run([binary(), *words, "--config", file], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False)
    assert said.returncode in (1, 2)
    assert "conf.toml:1:1: `root` names" in said.stderr or "conf.toml:1:8: `root` names" in said.stderr, said.stderr
    assert "outside the directories that [sandbox] `read` permits" in said.stderr


def test_a_directory_that_is_missing_is_a_mistake(place):
    file = place / "conf.toml"
    file.write_text(toml({"root": str(place), "sandbox": {"read": [str(place / "missing")]}}))
    said = subprocess.run([binary(), "check", "--config", file], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False)
    assert said.returncode == 2
    assert f"[sandbox] `read` names {place}/missing, which does not exist" in said.stderr


# --- what the sandbox must not break ------------------------------------------------------------------------------------


def test_messages_to_a_manager_with_an_abstract_socket(place, engine):
    (place / "site").mkdir()
    name = f"occwserv-test-{os.getpid()}-{engine}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(DEADLINE)
        command = [binary(), place / "site", "--io", engine, "--listen", f"unix:{place}/s", "--error-log", place / "log"]
        with subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": f"@{name}"}, stdin=subprocess.DEVNULL) as server:
            try:
                assert b"READY=1" in manager.recv(4096)
            finally:
                server.terminate()
            assert server.wait(DEADLINE) == 0
