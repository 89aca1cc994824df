# SPDX-License-Identifier: MIT
"""Output and exit code of the program if it has nothing to serve, or its arguments or configuration are wrong."""

import os
import re
import socket
import subprocess

import pytest

from harness import DEADLINE, Client, binary, fill_tree, free_port, free_ports, wait_until


def run(*words, **options):
    """Runs the program, which must end by itself."""
    return subprocess.run(
        [binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
        **options
    )


def refused(*words, code):
    """The text on standard error when the program refuses to run."""
    ended = run(*words)
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    assert ended.stderr.endswith("\n")
    return ended.stderr


def sentence(*words, code):
    """The same, if it must be one sentence."""
    said = refused(*words, code=code)
    assert said.startswith("occwserv: ") and said.count("\n") == 1, said
    return said


@pytest.fixture
def site(place):
    fill_tree(place / "site", {"index.html": "home"})
    return place / "site"


@pytest.fixture
def mistaken(place, site):
    """The messages about a configuration, without the name of the file."""
    file = place / "wrong.toml"

    def complaints(text):
        file.write_text(text)
        lines = refused(site, "--config", file, code=2).splitlines()
        assert all(line.startswith(f"{file}:") for line in lines), lines
        return [line.removeprefix(f"{file}:") for line in lines]

    return complaints


# --- questions --------------------------------------------------------------------------------------------------------


def test_help_names_every_option():
    ended = run("--help")
    assert ended.returncode == 0 and ended.stderr == ""
    for option in ("DIR", "--port", "--listen", "--workers", "--io", "--config", "--access-log", "--error-log",
                   "--help", "--version"):
        assert option in ended.stdout


def test_version():
    ended = run("--version")
    assert ended.returncode == 0
    assert re.fullmatch(r"occwserv \d+\.\d+\.\d+\n", ended.stdout)


# --- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, named",
    [
        (["--no-such-option"], "--no-such-option"),
        (["--port"], "--port"),
        (["--port", "65536"], "--port"),
        (["--port", "http"], "--port"),
        (["--workers", "0"], "--workers"),
        (["--workers", "-1"], "--workers"),
        (["--workers", "many"], "--workers"),
        (["--io", "poll"], "--io"),
        (["one-directory-too-many"], "one-directory-too-many"),
    ],
    ids=" ".join,
)
def test_wrong_usage_names_the_option(site, words, named):
    said = refused(site, *words, code=2)
    assert said.startswith("occwserv: ")
    assert named in said.splitlines()[0]


@pytest.mark.parametrize("where", ["localhost:80", "1.2.3:80", "127.0.0.1", "127.0.0.1:65536", "[::1:80", "::1", ""])
def test_an_invalid_address(site, where):
    said = sentence(site, "--listen", where, code=2)
    assert f"`{where}` is not an address" in said
    assert "127.0.0.1:8080" in said  # an example of an address


def test_nothing_to_serve():
    assert "nothing to serve" in sentence("--port", free_port(), code=2)


# --- unavailable resources --------------------------------------------------------------------------------------------


def test_a_directory_that_is_missing(place):
    assert str(place / "none") in sentence(place / "none", "--port", free_port(), code=1)


def test_a_file_instead_of_a_directory(place):
    (place / "file").write_text("")
    assert str(place / "file") in sentence(place / "file", "--port", free_port(), code=1)


def test_an_address_of_another_machine(site):
    assert "192.0.2.1:8080" in sentence(site, "--listen", "192.0.2.1:8080", code=1)


@pytest.mark.parametrize("log", ["--access-log", "--error-log"])
def test_a_log_that_cannot_be_opened(site, place, log):
    file = place / "none" / "log"
    assert str(file) in sentence(site, "--port", free_port(), log, file, code=1)


def test_a_port_in_use(site):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = sentence(site, "--port", port, code=1)
    assert f"127.0.0.1:{port} is in use by " in said
    assert re.search(rf" \S+ \(process {os.getpid()}\)", said)
    assert "--port" in said  # what to do about it


def test_a_port_in_use_by_another_occwserv(server, site):
    said = sentence(site, "--port", server.port, "--io", server.engine, code=1)
    assert f"127.0.0.1:{server.port} is in use by occwserv (process {server.process.pid})" in said
    server.expect_healthy()


def test_one_of_several_ports_in_use(server, site):
    port = free_port()
    said = sentence(site, "--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{server.port}", code=1)
    assert f"127.0.0.1:{server.port} is in use" in said


# --- the configuration ------------------------------------------------------------------------------------------------


def test_a_configuration_that_cannot_be_read(site, place):
    assert str(place / "none.toml") in refused(site, "--config", place / "none.toml", code=2)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("listne = ['127.0.0.1:80']", "1:1: unknown key `listne`; did you mean `listen`?"),
        ("\n\n  wokers = 2", "3:3: unknown key `wokers`; did you mean `workers`?"),
        ("[cache]\nmemory_byte = 1", "2:1: unknown key `memory_byte` in [cache]; did you mean `memory_bytes`?"),
        ("[stats]\nfor = 1", "2:1: unknown key `for` in [stats]; expected one of allow"),
        ("workers = 0", "1:11: expected a whole number from 1 to 1024"),
        ("workers = 1025", "1:11: expected a whole number from 1 to 1024"),
        ("workers = 1.5", "1:11: expected a whole number from 1 to 1024"),
        ("workers = '2'", "1:11: expected a whole number from 1 to 1024"),
        ("workers = -1", "1:11: expected a whole number from 1 to 1024"),
        ("workers = 9223372036854775807", "1:11: expected a whole number from 1 to 1024"),
        ("root = 1", "1:8: expected a string"),
        ("index = 1", "1:9: expected a string or an array of strings"),
        ("index = ['a', 1]", "1:15: expected a string"),
        ("io = 'kqueue'", '1:6: expected one of "auto", "uring", "epoll"'),
        ("log = 1", "1:7: expected the table [log]"),
        ("[log]\naccess = true", "2:10: expected a string"),
        ("[patience]\nidle_seconds = 0", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[patience]\nidle_seconds = -0.5", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[patience]\nidle_seconds = 86401", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[patience]\nidle_seconds = nan", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[patience]\nidle_seconds = inf", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[patience]\nidle_seconds = '1'", "2:16: expected a number of seconds, above 0 and at most 86400"),
        ("[limits]\nfields = 129", "2:10: expected a whole number from 1 to 128"),
    ],
    ids=lambda value: value.splitlines()[-1] if "=" in value else "",
)
def test_a_mistake_in_the_configuration(mistaken, text, complaint):
    assert mistaken(text) == [complaint]


def test_an_address_in_the_configuration(mistaken):
    (said,) = mistaken("listen = ['127.0.0.1:80', 'here']")
    assert said.startswith("1:") and "`here` is not an address" in said


def test_every_mistake_is_told_at_once(mistaken):
    said = mistaken("wokers = 2\nroot = 3\n[limits]\nfield = 1\nhead_bytes = 1\n")
    assert len(said) == 4
    assert {line.split(":")[0] for line in said} == {"1", "2", "4", "5"}


@pytest.mark.parametrize(
    "text, line", [("root = ", 1), ("a = 1\nb = 'x", 2), ("workers = 1\nworkers = 2", 2), ("[", 1)]
)
def test_what_is_not_toml(mistaken, text, line):
    (said,) = mistaken(text)
    assert re.match(rf"{line}:\d+: \S", said)


def test_the_configuration_is_heeded(serve, place):
    fill_tree(place / "elsewhere", {"start.html": "started", "index.html": "not this"})
    other_port = free_port()
    server = serve(
        {"index": ["none.html", "start.html"], "listen": [f"127.0.0.1:{other_port}"], "workers": 1,
         "spare_workers": 1, "limits": {"target_bytes": 20}},
        site=place / "elsewhere",
    )
    assert server.ask("/").body == b"started"
    assert server.ask("/" + "a" * 19).status == 404
    assert server.ask("/" + "a" * 20).status == 414
    # The addresses on the command line replace those in the file.
    with pytest.raises(ConnectionRefusedError):
        Client(other_port)


# --- what is served ---------------------------------------------------------------------------------------------------


def test_the_error_log_tells_what_is_served(server):
    def told():
        text = server.error_log.read_text()
        return text if "using " in text else None

    text = wait_until(told, "the first lines of the error log")
    assert f"notice: serving {server.site} on http://127.0.0.1:{server.port} with 2 workers\n" in text
    engine = {"uring": "io_uring", "epoll": "epoll"}[server.engine]
    assert f"notice: using {engine}, as configured\n" in text
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (notice|warning|error): \S", line)
               for line in text.splitlines())


def test_several_addresses(serve):
    ports = free_ports(3)
    words = [word for port in ports[:2] for word in ("--listen", f"127.0.0.1:{port}")]
    server = serve(arguments=[*words, "--listen", f"[::1]:{ports[2]}"])
    for port in ports[:2]:
        with Client(port) as c:
            assert c.ask("/a.txt").body == b"the letter a\n"
    with socket.create_connection(("::1", ports[2]), DEADLINE) as six:
        six.settimeout(DEADLINE)
        six.sendall(b"GET /a.txt HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
        assert six.makefile("rb").read().endswith(b"the letter a\n")
    server.expect_healthy()


def test_the_access_log_on_standard_output(serve):
    server = serve(access_log="-")
    server.ask("/a.txt")
    server.stop()
    assert '"GET /a.txt HTTP/1.1" 200 13' in server.stderr.read_text()  # the harness directs both outputs there
    assert not server.access_log.exists()


def test_no_access_log(serve):
    server = serve(access_log="")
    server.ask("/a.txt")
    server.stop()
    assert "/a.txt" not in server.stderr.read_text()
    assert not server.access_log.exists()


# --- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "explain", "status", "ps", "reload", "upgrade", "stop"])
def test_help_names_every_command(command):
    assert re.search(rf"^  {command} +\S", run("--help").stdout, re.M)
    of_its_own = run(command, "--help")
    assert of_its_own.returncode == 0 and "--help" in of_its_own.stdout
