# SPDX-License-Identifier: MIT
"""Fixtures: `server` is one with a small site; `serve` starts as many as a test wants, with settings of its choice."""

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

running = []  # servers of which a failing test tells the story


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
    """Yields what starts a server; in the end all are stopped, and must have ended well."""
    with contextlib.ExitStack() as stops:

        def start(server):
            running.append(server)
            stops.callback(server.stop)
            return server.start()

        yield start


@pytest.fixture
def place():
    """A directory of the test's own, gone when the test is over."""
    with tempfile.TemporaryDirectory(prefix="occwserv-test-") as name:
        yield pathlib.Path(name).resolve()


@pytest.fixture
def serve(place, engine):
    """serve(settings, files=…, arguments=…) starts a server of the test's own."""
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


@pytest.fixture(scope="module")
def standing(engine, request):
    """A server for all tests of a file that change nothing of it, with the file's own SITE or else the small one."""
    with tempfile.TemporaryDirectory(prefix="occwserv-test-") as name, _servers() as start:
        home = pathlib.Path(name).resolve()
        fill_tree(home / "site", getattr(request.module, "SITE", SMALL_SITE), age=3600)
        yield start(Server(home, engine))
