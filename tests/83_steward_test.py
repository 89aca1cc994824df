# SPDX-License-Identifier: MIT
"""The steward: the process beside the server that opens and starts what the sandbox forbids to the server itself."""

import os
import shutil
import signal

import pytest

from harness import DEADLINE, binary, living_children, living_in_group, operate, steward_of, told, toml, wait_until

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def process_at(control):
    return int(operate("status", control).stdout.partition("process ")[2].partition(",")[0])


def test_it_is_there_and_ends_with_the_server(operated, control):
    steward = steward_of(operated.process.pid)
    assert steward
    assert operate("stop", control).returncode == 0
    operated.wait()
    assert not os.path.exists(f"/proc/{steward}")


def test_it_ends_when_the_server_is_killed(operated):
    group = operated.process.pid
    operated.process.kill()
    operated.process.wait()
    wait_until(lambda: not living_in_group(group), "the steward has ended")
    operated.process = None


def test_signals_are_for_the_server(operated, control):
    steward = steward_of(operated.process.pid)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
        os.kill(steward, number)
    os.rename(operated.access_log, operated.access_log.with_suffix(".1"))
    operated.signal(signal.SIGUSR1)
    wait_until(operated.access_log.exists, "the steward has opened the log")
    assert operate("status", control).returncode == 0


def test_the_server_serves_on_without_it(operated, control):
    os.kill(steward_of(operated.process.pid), signal.SIGKILL)
    told(operated, ") was killed by signal 9: until the server is restarted, it cannot be upgraded")
    assert operated.ask("/a.txt").status == 200
    said = operate("upgrade", control)
    assert said.returncode == 1 and "the steward has ended: restart the server" in said.stderr + said.stdout
    operated.signal(signal.SIGUSR1)
    told(operated, "the access log is still written to the old file: the steward has ended: restart the server")
    assert operated.ask("/a.txt").status == 200
    assert operate("status", control).returncode == 0


def test_logs_are_rotated_although_the_configuration_has_a_mistake(serve, place):
    server = serve(settings={})
    (place / "occwserv.toml").write_text("listne = 1\n")
    os.rename(server.access_log, server.access_log.with_suffix(".1"))
    server.signal(signal.SIGUSR1)
    told(server, "the logs were reopened")
    assert server.ask("/a.txt").status == 200
    server.log_lines(1)


def test_the_new_server_has_a_steward_of_its_own(operated, control):
    old = steward_of(operated.process.pid)
    assert operate("upgrade", control).returncode == 0
    operated.process.wait()
    new_server = process_at(control)
    wait_until(lambda: not os.path.exists(f"/proc/{old}"), "the old steward has ended")
    assert steward_of(new_server)
    assert operate("upgrade", control).returncode == 0
    wait_until(lambda: not os.path.exists(f"/proc/{new_server}"), "the second server has ended")
    assert operate("stop", control).returncode == 0
    wait_until(lambda: not living_in_group(operated.process.pid), "all processes have ended")


def test_it_does_not_end_the_servers_that_come_after_the_successor(serve, control):
    """The first server still drains when the third one takes over from the second, and is an orphan then."""
    server = serve({"patience": {"idle_seconds": 3600, "grace_seconds": 3600}}, arguments=["--control", str(control)])
    first = steward_of(server.process.pid)
    with server.connect() as c:
        assert c.ask("/a.txt").status == 200
        assert operate("upgrade", control).returncode == 0
        second = process_at(control)
        seconds_steward = steward_of(second)
        assert operate("upgrade", control).returncode == 0
        third = process_at(control)
        for pid in (second, seconds_steward):
            wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the second server has ended")
    server.process.wait(DEADLINE)
    wait_until(lambda: not os.path.exists(f"/proc/{first}"), "the first steward has ended")
    assert process_at(control) == third
    server.expect_healthy()
    assert operate("stop", control).returncode == 0
    wait_until(lambda: not living_in_group(server.process.pid), "all processes have ended")


def test_an_upgrade_does_not_wait_for_a_stopped_steward(operated, control):
    steward = steward_of(operated.process.pid)
    os.kill(steward, signal.SIGSTOP)
    try:
        said = operate("upgrade", control)
        assert said.returncode == 1
        assert "was not started within 10 s" in said.stderr + said.stdout
        assert operated.ask("/a.txt").status == 200
    finally:
        os.kill(steward, signal.SIGCONT)
    # It has read by now what it was asked for, and the next upgrade comes after that.
    assert operate("upgrade", control, "--binary", "/absent").returncode == 1
    wait_until(lambda: not living_children(steward), "no late successor is left")
    assert process_at(control) == operated.process.pid


def test_the_files_of_many_addresses_are_removed(serve, place, control):
    files = [place / f"s{number}" for number in range(60)]
    listen = [word for file in files for word in ("--listen", f"unix:{file}")]
    server = serve(arguments=["--control", str(control), *listen])
    assert all(file.exists() for file in files)
    assert operate("stop", control).returncode == 0
    server.wait()
    assert not [file for file in files if file.exists()]


# --- root -------------------------------------------------------------------------------------------------------------


@as_root
def test_logs_where_only_root_can_write_are_rotated(serve, place):
    """The user of the server cannot open them, but the steward can."""
    place.chmod(0o755)
    server = serve(arguments=["--user", "nobody"])
    os.rename(server.access_log, server.access_log.with_suffix(".1"))
    server.signal(signal.SIGUSR1)
    told(server, "the logs were reopened")
    assert server.ask("/a.txt").status == 200
    server.log_lines(1)
    assert server.access_log.stat().st_uid == 0


@as_root
def test_in_the_users_directory_it_has_the_users_rights(serve, place):
    """The user replaces the log with a link to a file of root."""
    place.chmod(0o755)
    theirs = place / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    victim = place / "victim"
    victim.write_text("root's\n")
    victim.chmod(0o600)
    server = serve(arguments=["--user", "nobody"], access_log=str(theirs / "log"))
    (theirs / "log").unlink()
    (theirs / "log").symlink_to(victim)
    server.signal(signal.SIGUSR1)
    told(server, f"the log {theirs / 'log'} cannot be opened: Permission denied")
    assert server.ask("/a.txt").status == 200
    assert victim.read_text() == "root's\n"


@as_root
def test_a_binary_that_others_can_change_is_not_run(serve, place, control):
    place.chmod(0o755)
    server = serve(arguments=["--control", str(control)])
    theirs = place / "theirs"
    theirs.mkdir()
    shutil.copy(binary(), theirs / "occwserv")
    os.chown(theirs, NOBODY, NOBODY)
    said = operate("upgrade", control, "--binary", str(theirs / "occwserv"))
    assert said.returncode == 1
    assert f"{theirs / 'occwserv'} is not run as root" in said.stderr + said.stdout
    assert process_at(control) == server.process.pid
    os.chown(theirs, 0, 0)
    (theirs / "occwserv").chmod(0o777)
    said = operate("upgrade", control, "--binary", str(theirs / "occwserv"))
    assert said.returncode == 1 and "can be written by one" in said.stderr + said.stdout
    server.expect_healthy()


@as_root
def test_only_root_may_name_the_users_of_programs(serve, place, control):
    """The user of the server can write its configuration, and has a program of his run as root."""
    place.chmod(0o755)
    program = place / "program"
    program.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 6\\n\\n%6s' \"$(id -u)\"\n")
    program.chmod(0o755)
    route = {"path": "/app", "cgi": {"program": str(program)}}
    settings = {"user": "nobody", "control": str(control), "route": [route]}
    server = serve(settings=settings)
    assert server.ask("/app").body == f"{NOBODY:6}".encode()
    configuration = server.site.parent / "occwserv.toml"
    os.chown(configuration, NOBODY, NOBODY)
    assert operate("reload", control).returncode == 0
    assert server.ask("/app").body == f"{NOBODY:6}".encode()
    route["cgi"]["user"] = "root"
    configuration.write_text(toml(settings))
    said = operate("reload", control)
    assert said.returncode == 1 and "others than root can write" in said.stderr + said.stdout
    assert server.ask("/app").body == f"{NOBODY:6}".encode()
