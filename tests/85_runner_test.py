# SPDX-License-Identifier: MIT
"""The runner: the process that starts programs. There is one for each configuration in force that has programs."""

import pytest

from harness import living_children, living_in_group, operate, steward_of, wait_until


@pytest.fixture
def programs(place):
    place.chmod(0o755)
    (place / "cgi-bin").mkdir()
    program = place / "cgi-bin" / "a.cgi"
    program.write_text("#!/bin/sh\necho\necho hello\n")
    program.chmod(0o755)
    return {"route": [{"path": "/cgi/*", "cgi.directory": str(program.parent)}]}


def runners_of(server):
    return living_children(steward_of(server.process.pid))


def test_there_is_none_without_programs(operated):
    assert runners_of(operated) == []


def test_it_is_replaced_by_a_reload(serve, programs, control):
    server = serve(programs, arguments=["--control", str(control)])
    (first,) = runners_of(server)
    assert operate("reload", control).returncode == 0
    wait_until(lambda: first not in runners_of(server), "the old runner has ended")
    assert len(runners_of(server)) == 1
    server.expect_healthy()


def test_it_ends_with_the_server(serve, programs, control):
    server = serve(programs, arguments=["--control", str(control)])
    assert runners_of(server)
    assert operate("stop", control).returncode == 0
    server.wait()
    wait_until(lambda: not living_in_group(server.process.pid), "all processes have ended")


def test_it_ends_when_the_server_is_killed(serve, programs):
    server = serve(programs)
    group = server.process.pid
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not living_in_group(group), "all processes have ended")
    server.process = None


def test_the_new_server_has_one_of_its_own(serve, programs, control):
    server = serve(programs, arguments=["--control", str(control)])
    (first,) = runners_of(server)
    assert operate("upgrade", control).returncode == 0
    server.process.wait()
    assert operate("status", control).returncode == 0
    wait_until(lambda: first not in living_in_group(server.process.pid), "the old runner has ended")
    assert operate("stop", control).returncode == 0
    wait_until(lambda: not living_in_group(server.process.pid), "all processes have ended")
