# SPDX-License-Identifier: MIT
"""Startup: dropping privileges, standard streams and descriptors in any state, and addresses that depend on the
machine."""

import contextlib
import ctypes
import os
import platform
import re
import signal
import socket
import struct
import subprocess

import pytest

from harness import DEADLINE, Client, binary, fill_tree, free_port, operate, wait_until

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def site(place):
    fill_tree(place / "site", {"a.txt": "the letter a\n"})
    place.chmod(0o755)  # the user of the server must be able to reach the site
    return place / "site"


@pytest.fixture
def theirs(place):
    """A directory of the user that the server runs as."""
    place.chmod(0o755)
    made = place / "theirs"
    made.mkdir()
    os.chown(made, NOBODY, NOBODY)
    return made


@pytest.fixture
def victim(place):
    """A file of root that no other user may read."""
    file = place / "victim"
    file.write_text("root's\n")
    file.chmod(0o600)
    return file


def untouched(victim):
    there = victim.stat()
    return (there.st_uid, there.st_gid, victim.read_text()) == (0, 0, "root's\n")


@contextlib.contextmanager
def running(*words, **options):
    """Runs the server with these arguments, at most until the end of the block."""
    process = subprocess.Popen([binary(), *map(str, words)], text=True,
                               **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE} | options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        with contextlib.suppress(ValueError):
            process.communicate(timeout=DEADLINE)


def refused(*words):
    said = subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False)
    assert said.returncode == 1, said
    return said.stderr


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)



# --- dropping privileges ----------------------------------------------------------------------------------------------


@as_root
def test_privileges_are_dropped_for_good(serve, place):
    place.chmod(0o755)
    server = serve(arguments=["--user", "nobody"])
    of = status_of(server.process.pid)
    assert set(of["Uid"].split()) == set(of["Gid"].split()) == {str(NOBODY)}
    assert {name: int(of[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert of["NoNewPrivs"] == "1"
    server.expect_healthy()


@as_root
def test_logs_where_only_root_can_write(serve, place):
    """As in /var/log: opened before privileges are dropped."""
    place.chmod(0o755)
    server = serve(arguments=["--user", "nobody"])
    assert server.ask("/a.txt").status == 200
    assert "/a.txt" in server.log_lines(1)[0]
    assert server.access_log.stat().st_uid == 0


def swap_for_links(directory, victim):
    """Replaces every new control socket with a link to `victim`, as fast as possible. Does not return."""
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.chdir(directory)
    while True:
        for name in os.listdir("."):
            with contextlib.suppress(OSError):
                if name.startswith("c.") and not os.path.islink(name):
                    os.unlink(name)
                    os.symlink(victim, name)


@as_root
def test_the_control_socket_changes_no_owner_of_a_file(site, theirs, victim, engine):
    attacker = os.fork()
    if attacker == 0:
        signal.alarm(int(DEADLINE))
        with contextlib.suppress(BaseException):
            swap_for_links(theirs, victim)
        os._exit(1)
    try:
        for _ in range(8):
            with running(site, "--listen", "127.0.0.1:0", "--user", "nobody", "--control", theirs / "c", "--io", engine,
                         "--workers", "1", "--access-log", "") as server:
                wait_until(lambda: server.poll() is not None or os.path.lexists(theirs / "c"),  # noqa: B023
                           "the control socket is made")
            assert untouched(victim)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(theirs / "c")
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)


@as_root
@pytest.mark.parametrize("log", ["--access-log", "--error-log"])
def test_logs_do_not_reach_through_links(site, theirs, victim, place, log):
    (theirs / "log").symlink_to(victim)
    said = refused(site, "--listen", "127.0.0.1:0", "--user", "nobody", log, theirs / "log")
    assert f"the log {theirs / 'log'} cannot be opened: Permission denied" in said
    (theirs / "log").unlink()
    (theirs / "log").symlink_to(place / "new")
    assert "cannot be opened" in refused(site, "--listen", "127.0.0.1:0", "--user", "nobody", log, theirs / "log")
    assert untouched(victim) and not (place / "new").exists()


@as_root
def test_a_link_of_roots_own_to_a_log_is_followed(site, place):
    (place / "real").mkdir()
    (place / "log").symlink_to("real/log")
    with running(site, "--listen", "127.0.0.1:0", "--user", "nobody", "--error-log", place / "log", "--access-log", ""):
        wait_until(lambda: (place / "real/log").exists() and "serving" in (place / "real/log").read_text(), "the log")
    assert (place / "real/log").stat().st_uid == 0


@as_root
def test_what_is_made_in_the_users_directory_is_the_users(site, theirs):
    made = {name: theirs / name for name in ("control", "socket", "access", "error")}
    words = ["--user", "nobody", "--control", made["control"], "--listen", f"unix:{made['socket']}",
             "--access-log", made["access"], "--error-log", made["error"]]
    with running(site, *words) as server:
        wait_until(lambda: made["error"].exists() and "serving" in made["error"].read_text(), "it serves")
        assert {name: file.stat().st_uid for name, file in made.items()} == dict.fromkeys(made, NOBODY)
        assert operate("stop", made["control"]).returncode == 0
        assert server.wait(DEADLINE) == 0
    assert not made["control"].exists() and not made["socket"].exists()


@as_root
def test_a_control_socket_where_only_root_can_write(site, place):
    with running(site, "--listen", "127.0.0.1:0", "--user", "nobody", "--control", place / "c", "--access-log", ""):
        wait_until((place / "c").exists, "the control socket is there")
        there = (place / "c").stat()
        assert (there.st_uid, there.st_mode & 0o777) == (NOBODY, 0o600)
        assert operate("status", place / "c").returncode == 0


@as_root
def test_the_root_is_opened_as_the_user(site, place):
    """As at each reload: files that only root can reach are not served."""
    (place / "closed").mkdir(mode=0o700)
    (place / "closed/site").mkdir()
    (place / "way").symlink_to("closed/site")
    said = refused(place / "way", "--listen", "127.0.0.1:0", "--user", "nobody")
    assert f"{place / 'way'} cannot be served: Permission denied" in said


# --- descriptors ------------------------------------------------------------------------------------------------------


def descriptors(pid):
    return {int(d): os.readlink(f"/proc/{pid}/fd/{d}") for d in os.listdir(f"/proc/{pid}/fd")}


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)], ids=str)
def test_standard_streams_that_are_closed(site, place, engine, closed):
    """Their numbers are never reused, neither at the start nor after a log or an address has changed."""
    control, file, log = place / "c", place / "occwserv.toml", place / "error.log"
    ports = [free_port(), free_port()]

    def configure(*listen, access):
        file.write_text(f'listen = {[f"127.0.0.1:{port}" for port in listen]}\nworkers = 1\n'
                        f'[log]\naccess = "{place / access}"\nerror = "{log}"\n')

    def close():
        for number in closed:
            os.close(number)

    configure(ports[0], access="one")
    with running(site, "--config", file, "--control", control, "--io", engine, preexec_fn=close) as server:
        wait_until(lambda: log.exists() and "notice: using" in log.read_text(), "it serves")
        for listen, access in (ports, "two"), (ports[1:], "three"), (ports, "one"):
            configure(*listen, access=access)
            said = operate("reload", control)
            assert said.returncode == 0, said.stderr
            with contextlib.ExitStack() as clients:
                for _ in range(20):
                    assert clients.enter_context(Client(ports[1])).ask("/a.txt").status == 200
                now = descriptors(server.pid)
            assert {now[number] for number in closed} == {"/dev/null"}


def test_what_a_careless_parent_left_open_is_closed(site, place, engine):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    log = place / "error.log"
    words = [site, "--listen", "127.0.0.1:0", "--io", engine, "--error-log", log, "--access-log", ""]
    with running(*words, pass_fds=[writer]) as server:
        os.close(writer)
        wait_until(lambda: log.exists() and "notice: using" in log.read_text(), "it serves")
        assert os.read(reader, 1) == b"", "nobody has the other end any more"
        assert not {d for d in descriptors(server.pid).values() if d.startswith("pipe:")} - {
            d for n, d in descriptors(server.pid).items() if n <= 2}
    os.close(reader)


def test_a_descriptor_may_be_named_as_a_file(site, place):
    """As a shell's <(…) and >(…) do."""
    reader, writer = os.pipe()
    os.write(writer, b'listen = ["127.0.0.1:0"]\n')
    os.close(writer)
    with open(place / "log", "w+b") as log, running(
            site, "--config", f"/dev/fd/{reader}", "--access-log", "", "--error-log", f"/dev/fd/{log.fileno()}",
            pass_fds=[reader, log.fileno()]):
        os.close(reader)
        wait_until(lambda: "serving" in (place / "log").read_text(), "it serves, and says so")


# --- addresses --------------------------------------------------------------------------------------------------------


def told_ports(text):
    return re.findall(r"http://127\.0\.0\.1:(\d+)", text)


@pytest.mark.parametrize("words", [["--listen", "127.0.0.1:0"], ["--port", "0"]], ids=" ".join)
def test_port_0_is_one_port_and_told(site, place, engine, words):
    log, control = place / "error.log", place / "c"
    with running(site, *words, "--workers", "3", "--io", engine, "--error-log", log, "--control", control,
                 "--access-log", ""):
        wait_until(lambda: log.exists() and "notice: using" in log.read_text(), "it serves")
        (port,) = told_ports(log.read_text())
        assert told_ports(operate("status", control).stdout) == [port] != ["0"]
        for _ in range(20):
            with Client(int(port)) as c:
                assert c.ask("/a.txt").status == 200
        for order in ("reload", "upgrade", "reload"):
            said = operate(order, control)
            assert said.returncode == 0 and "served" not in said.stdout, said
            assert told_ports(operate("status", control).stdout) == [port]
        with Client(int(port)) as c:
            assert c.ask("/a.txt").status == 200
        assert operate("stop", control).returncode == 0


def test_port_0_comes_at_a_reload(site, place, engine):
    log, control, file, first = place / "error.log", place / "c", place / "occwserv.toml", free_port()
    file.write_text(f'listen = ["127.0.0.1:{first}"]\n')
    with running(site, "--config", file, "--workers", "2", "--io", engine, "--error-log", log, "--control", control,
                 "--access-log", ""):
        wait_until(lambda: log.exists() and "notice: using" in log.read_text(), "it serves")
        file.write_text(f'listen = ["127.0.0.1:0", "127.0.0.1:{first}"]\n')
        said = operate("reload", control)
        (port,) = told_ports(said.stdout)
        assert int(port) not in (0, first)
        assert told_ports(operate("status", control).stdout) == [port, str(first)]
        with Client(int(port)) as c:
            assert c.ask("/a.txt").status == 200
        assert told_ports(operate("reload", control).stdout) == [], "it stays"


def without_ipv6():
    """Makes IPv6 sockets fail with EAFNOSUPPORT in this process and its children."""
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]  # of socket(2)
    load, jump_if_equal, give = 0x20, 0x15, 0x06
    program = b"".join(struct.pack("HBBI", *line) for line in [
        (load, 0, 0, 0), (jump_if_equal, 0, 3, number), (load, 0, 0, 16), (jump_if_equal, 0, 1, socket.AF_INET6),
        (give, 0, 0, 0x00050000 | 97), (give, 0, 0, 0x7FFF0000)])
    lines = ctypes.create_string_buffer(program)
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(lines)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    if prctl(no_new_privileges, 1, 0, 0, 0) != 0 or prctl(seccomp, by_filter, filter_, 0, 0) != 0:
        os._exit(77)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="the filter does not know this machine")
def test_every_address_where_the_kernel_has_no_ipv6(site, place, engine):
    port, log, control = free_port(), place / "error.log", place / "c"
    with running(site, "--listen", f":{port}", "--io", engine, "--error-log", log, "--control", control,
                 "--access-log", "", preexec_fn=without_ipv6) as server:
        wait_until(lambda: server.poll() is not None or (log.exists() and "using " in log.read_text()), "it serves")
        assert server.poll() is None, server.stderr.read()
        assert f"warning: this kernel has no IPv6: the server listens on 0.0.0.0:{port} instead of `:{port}`\n" in log.read_text()
        for _ in range(2):
            with Client(port) as c:
                assert c.ask("/a.txt").status == 200
            assert f"http://0.0.0.0:{port} " in operate("status", control).stdout
            said = operate("reload", control)
            assert said.returncode == 0 and "served" not in said.stdout, said
    with running(site, "--listen", f"[::]:{port}", "--io", engine, preexec_fn=without_ipv6) as server:
        assert server.wait(DEADLINE) == 1, "who asks for IPv6 gets it or is told"


def test_a_start_right_after_a_kill(site, place, engine):
    """The kernel may keep the sockets of a killed program for some milliseconds."""
    log, port = place / "error.log", free_port()
    for number in range(10):
        words = [site, "--listen", f"127.0.0.1:{port}", "--io", engine, "--error-log", log, "--access-log", ""]
        with running(*words) as server:
            wait_until(lambda: server.poll() is not None or  # noqa: B023
                       log.exists() and log.read_text().count("notice: using") > number, "it serves")  # noqa: B023
            assert server.poll() is None, server.stderr.read()
            with Client(port) as c:
                assert c.ask("/a.txt").status == 200
                server.kill()
                server.wait(DEADLINE)
