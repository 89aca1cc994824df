# SPDX-License-Identifier: MIT
"""If the system refuses a descriptor or a thread, the server sends an error, logs a line, or refuses to start with a
message. It never aborts, and leaves nothing behind."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys

import pytest

from harness import DEADLINE, binary, free_port, steward_of, wait_until


def answers(port, process):
    """True if the server serves, false if it ended, None while neither has happened."""
    if process.poll() is not None:
        return "ended"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        # Accept any outcome: without a free descriptor the client waits in the queue of the kernel.
        client.settimeout(1)
        if client.recv(16).startswith(b"HTTP/1.1 "):
            return "serves"
    return "begun" if os.path.exists(process.control) and process.poll() is None else None


@pytest.mark.parametrize("few", range(3, 41))
def test_a_start_with_few_descriptors_serves_or_says_why_not(place, engine, few):
    (place / "site").mkdir()
    (place / "site" / "index.html").write_text("home")
    control, unix, port = place / "control", place / "unix", free_port()
    words = [binary(), str(place / "site"), "--workers", "2", "--io", engine, "--control", str(control)]
    words += ["--listen", f"127.0.0.1:{port}", "--listen", f"unix:{unix}"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)),
    )
    process.control = control
    try:
        state = wait_until(lambda: answers(port, process), "the server serves or has ended")
        if state != "ended":
            process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=DEADLINE)[0].decode()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    loader_failed = process.returncode == 127 and "shared libraries" in said  # before our program starts
    assert process.returncode in (0, 1) or loader_failed, f"with {few} descriptors: {process.returncode}: {said}"
    if process.returncode == 1:
        assert said.startswith("occwserv: ") and said.count("\n") == 1, said
    assert not control.exists() and not unix.exists(), f"left behind with {few} descriptors: {said}"


# The system counts threads per user, so no other test may use this one. The number is one that belongs to no user.
USER = 61184 + os.getpid() % 4000

# Gives the directory to the user and becomes that; root opens the program, since it may be where only root may go.
AS_USER = """
import os, sys
user, place, program = int(sys.argv[1]), sys.argv[2], os.open(sys.argv[3], os.O_RDONLY)
for directory, _, files in os.walk(place):
    for name in ["", *files]:
        os.chown(os.path.join(directory, name), user, user)
os.setgroups([])
os.setgid(user)
os.setuid(user)
os.execve(program, sys.argv[3:], os.environ)
"""


def limit_threads(server, soft):
    """Runs as the user of the server, because otherwise only root with all its capabilities may do this."""
    script = "import resource as r, sys; n = int(sys.argv[1]); hard = r.prlimit(n, r.RLIMIT_NPROC)[1]; "
    script += "r.prlimit(n, r.RLIMIT_NPROC, (int(sys.argv[2]) if int(sys.argv[2]) else hard, hard))"
    who = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    for pid in (server.process.pid, steward_of(server.process.pid)):
        words = [sys.executable, "-c", script, str(pid), str(soft)]
        subprocess.run(words, check=True, timeout=DEADLINE, cwd="/", **who)


@contextlib.contextmanager
def no_new_threads(server):
    """The system refuses them: the user has more than one already."""
    limit_threads(server, 1)
    yield
    limit_threads(server, 0)


@pytest.fixture
def confined(serve, place):
    """A server that does not run as root, which no limit of threads would bind."""
    control = place / "run" / "control"
    control.parent.mkdir()
    launcher = [sys.executable, "-c", AS_USER, str(USER), str(place)] if os.geteuid() == 0 else []
    server = serve(listing="on", arguments=["--control", str(control)], launcher=launcher)
    server.control = control
    wait_until(lambda: "notice: using " in server.error_log.read_text(), "the server has begun")
    return server


def command(server, *words):
    return subprocess.run([binary(), *words, "--control", str(server.control)], capture_output=True, timeout=DEADLINE)


def test_without_a_thread_a_listing_is_refused_and_the_server_lives(confined):
    with no_new_threads(confined):
        assert confined.ask("/empty/").status == 503
        assert confined.ask("/a.txt").status in (200, 503)
        assert confined.is_alive()
    assert confined.ask("/empty/").status == 200
    assert confined.ask("/a.txt").status == 200


def test_without_a_thread_the_logs_go_on_where_they_were(confined):
    with no_new_threads(confined):
        confined.signal(signal.SIGUSR1)
        told = "is still written to the old file: cannot start a process: Resource temporarily unavailable"
        wait_until(lambda: told in confined.error_log.read_text(), "the log says what became of it")
    confined.expect_healthy()


def test_without_a_thread_there_is_no_upgrade_and_the_old_server_goes_on(confined):
    with no_new_threads(confined):
        upgrade = command(confined, "upgrade")
        assert upgrade.returncode == 1
        assert b"cannot start a process: Resource temporarily unavailable" in upgrade.stderr + upgrade.stdout
    confined.expect_healthy()
