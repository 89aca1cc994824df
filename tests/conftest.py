# SPDX-License-Identifier: MIT
"""Fixtures: `server` is a server with a small site; `serve` starts as many servers as a test needs, with its own settings."""

import contextlib
import pathlib
import tempfile

import pytest

from harness import ENGINES, Server, fill_tree, release_ports

SMALL_SITE = {
    "index.html": "<!doctype html><title>home</title>\n",
    "a.txt": "the letter a\n",
    "dir/index.html": "<!doctype html><title>dir</title>\n",
    "dir/b.css": "b { color: black }\n",
    "empty/leaf/x": "no index page above\n",
}

running = []  # servers whose output a failing test reports


def pytest_addoption(parser):
    parser.addoption("--io", choices=ENGINES, help="test this engine only")


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--io")
        metafunc.parametrize("engine", [chosen] if chosen else ENGINES, scope="module")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.sections += [("the server's story", server.story()) for server in running]


def pytest_runtest_logfinish():
    running[:] = [server for server in running if server.is_alive()]
    release_ports()


@contextlib.contextmanager
def _servers():
    """Yields a function that starts a server. At the end stops all servers, and checks that they ended without error."""
    with contextlib.ExitStack() as stops:

        def start(server):
            running.append(server)
            stops.callback(server.stop)
            return server.start()

        yield start


@pytest.fixture
def place():
    """A directory for the test, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="occwserv-test-") as name:
        yield pathlib.Path(name).resolve()


@pytest.fixture
def serve(place, engine):
    """serve(settings, files=…, arguments=…) starts a server for the test."""
    with _servers() as start:
        count = 0

        def make(settings=None, files=SMALL_SITE, site=None, **options):
            nonlocal count
            count += 1
            home = place / f"server-{count}"
            if site is None:
                fill_tree(home / "site", files, age=3600)
            return start(Server(home, engine, settings=settings, site=site, **options))

        yield make


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def control(place):
    """The path of a control socket."""
    return place / "c"


@pytest.fixture
def operated(serve, control):
    """A server with that control socket."""
    return serve(arguments=["--control", str(control)])


@pytest.fixture(scope="module")
def standing(engine, request):
    """One server for all tests of a file that do not change it, with SITE of that file or else the small site, and what its
    settings() returns, if it has one."""
    with tempfile.TemporaryDirectory(prefix="occwserv-test-") as name, _servers() as start:
        home = pathlib.Path(name).resolve()
        fill_tree(home / "site", getattr(request.module, "SITE", SMALL_SITE), age=3600)
        settings = getattr(request.module, "settings", lambda _: None)(home)
        yield start(Server(home, engine, settings=settings))
