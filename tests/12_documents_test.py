# SPDX-License-Identifier: MIT
"""Checks the documents against the code: files, keys, channels, and the configurations that they show."""

import getpass
import grp
import json
import os
import pathlib
import re
import subprocess
import tomllib

import pytest

from harness import DEADLINE, binary, fill_tree, free_port, wait_until

HOME = pathlib.Path(__file__).parent.parent
DOCUMENTS = sorted([HOME / "README.md", *(HOME / "docs").glob("*.md")])


def run(*words):
    return subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False)


def examples_in(text, language="toml"):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def at_home(text, place):
    """The configuration with its directories moved to `place`, where they exist, and with an existing user."""
    for directory in ("/srv", "/run", "/var/log", "/usr/share"):
        text = text.replace(f'"{directory}/', f'"{place}{directory}/')
    for directory in re.findall(r'"(/[^"]*/(?:srv|share)/[^"]*)"', text):
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    for directory in ("run/occwserv", "var/log/occwserv"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    text = text.replace('group = "www-data"', f'group = "{grp.getgrgid(os.getgid()).gr_name}"')
    return text.replace('"www-data"', f'"{getpass.getuser()}"')


def check(place, text):
    (place / "occwserv.toml").write_text(at_home(text, place))
    return run("check", "--config", place / "occwserv.toml")


# --- files ------------------------------------------------------------------------------------------------------------


def files_named_in(text):
    """Paths from the root of the repository, and the targets of links."""
    folders = "|".join(sorted(f.name for f in HOME.iterdir() if f.is_dir() and not f.name.startswith(".")))
    for word in re.findall(r"`([^`\s]+)`", text):
        if re.match(rf"({folders})/", word) and not word.startswith("build/"):
            yield word.rstrip("/")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        yield target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_file_named_exists(document):
    for name in files_named_in(document.read_text()):
        found = [*HOME.glob(name), *document.parent.glob(name)]
        assert found, f"{document.name} names {name}"


def anchors_of(document):
    """The anchors that GitHub generates from the headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_heading_named_exists(document):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", document.read_text()):
        other = document.parent / target if target else document
        assert anchor in anchors_of(other), f"{document.name} names {target}#{anchor}"


def test_the_tour_covers_the_server():
    tour = (HOME / "docs/TOUR.md").read_text()
    for source in sorted((HOME / "server").rglob("*.[ch]pp")):
        if "test" not in str(source.relative_to(HOME)) and (source.parent.name, source.stem) != ("manual", "main"):
            unit = str(source.relative_to(HOME).with_suffix(""))
            assert f"`{unit}." in tour, f"{unit} is not on the tour"


# --- the configuration reference --------------------------------------------------------------------------------------

REFERENCE = (HOME / "docs/CONFIGURATION.md").read_text()
TABLES = {  # by heading: the text before a key of that table in a file
    "The server": "",
    "Sites": "[[site]]\n",
    "`[[site.route]]`": "[[route]]\n",
    "`[site.route.cgi]`": '[[route]]\npath = "/x/*"\n[route.cgi]\n',
    "`[log]`": "[log]\n",
    "`[stats]`": "[stats]\n",
    "`[sandbox]`": "[sandbox]\n",
    "`[cache]`": "[cache]\n",
    "`[patience]`": "[patience]\n",
    "`[limits]`": "[limits]\n",
    "`[[proxy]]`": "[[proxy]]\n",
}
NEEDS = {  # keys that a table requires, except when that key is tested
    "Sites": {"root": '"/srv/www"', "names": '"a.example"'},
    "`[[site.route]]`": {"path": '"/x/*"'},
    "`[site.route.cgi]`": {"directory": '"/srv/www"'},
    "`[[proxy]]`": {"from": '"192.0.2.1"'},
}
BEFORE = {"interpreter": '[[route]]\npath = "*.php"\n[route.cgi]\n'}  # in place of the text of TABLES
NEEDS_TOO = {  # further keys that a key requires
    "group": {"user": '"www-data"'},
    "path": {"status": "410"},
    "code": {"redirect": '"/y"'},
    "from": {"protocol": "true"},
    "protocol": {"header": '"Forwarded"'},
}
ALONE = {"program", "interpreter"}  # keys that exclude those of NEEDS


def keys_of(heading):
    """Each key: its type, default and example."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", REFERENCE, re.M | re.S)
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| .* \| `(.*)` \|$", section, re.M)
    assert rows, f"no keys below {heading}"
    return {name: (kind, default, example) for name, kind, default, example in rows}


def keys_known(place, beginning):
    """Given an unknown key, the server lists the keys that it knows."""
    (place / "strange.toml").write_text(f"{beginning}quite_another_thing = 1\n")
    said = run("check", "--config", place / "strange.toml").stderr
    return set(re.search(r"unknown key `quite_another_thing`.*; expected one of (.*)", said).group(1).split(", "))


def test_every_key_is_documented(place):
    of_the_server, of_a_site = set(keys_of("The server")), set(keys_of("Sites"))
    only_in_a_site = {"names", "default"}
    tables = {"log", "stats", "sandbox", "cache", "patience", "limits", "proxy", "site", "route"}
    assert keys_known(place, "") == of_the_server | (of_a_site - only_in_a_site) | tables
    assert keys_known(place, "[[site]]\n") == of_a_site | {"route"}
    for heading in list(TABLES)[2:]:
        assert keys_known(place, TABLES[heading]) == set(keys_of(heading)), heading


@pytest.mark.parametrize("heading", TABLES)
def test_what_is_documented_of_a_key(place, heading):
    """The example and the default of a key are valid, and its bounds are those that the server reports."""

    def checked(name, line):
        beside = ({} if name in ALONE else NEEDS.get(heading, {})) | NEEDS_TOO.get(name, {})
        others = [f"{key} = {value}\n" for key, value in beside.items() if key != name]
        top = "" if heading == "Sites" else 'root = "/srv/www"\n'
        return check(place, "".join([top, BEFORE.get(name, TABLES[heading]), *others, line, "\n"]))

    for name, (kind, default, example) in keys_of(heading).items():
        assert example.startswith(f"{name} = ")
        valid = [example] + [f"{name} = {value}" for value in re.findall(r"^`([^`]+)`$", default)]
        for line in valid:
            r = checked(name, line)
            assert r.returncode == 0, (line, r.stderr)
        if bounds := re.search(r"^(?:whole number|seconds), (\d+ to \d+|above 0 and at most \d+)$", kind):
            assert bounds.group(1) in checked(name, f"{name} = -1").stderr, name


def test_the_examples_are_valid(place):
    example, programs = examples_in(REFERENCE)
    (place / "srv/www").mkdir(parents=True, exist_ok=True)
    r = check(place, programs)
    assert r.returncode == 0, r.stderr
    fill_tree(place / "srv/example", {"index.html": "x", "lost.html": "x"})
    r = check(place, example)
    assert r.returncode == 0, r.stderr
    assert {"log", "site", "proxy"} <= set(tomllib.loads(example))


def test_the_configuration_of_the_package_is_valid(place):
    text = (HOME / "debian/occwserv.toml").read_text()
    settings = re.sub(r"^#( *(?:\[|\w+ = ))", r"\1", text, flags=re.M)  # with all that is only proposed
    assert {"root", "listen", "log", "route", "site"} <= set(tomllib.loads(settings))
    for root in ("srv/example.org", "usr/share/occwserv/site", "usr/libexec/occwserv/cgi-bin"):
        (place / root).mkdir(parents=True)
    settings = settings.replace('"/usr/libexec/', f'"{place}/usr/libexec/')
    r = check(place, settings.replace(":80", f":{free_port()}"))
    assert r.returncode == 0, r.stderr


def test_the_manual_has_an_entry_for_every_key():
    """The manual page is generated from the reference."""
    page = subprocess.run([HOME / "packaging/configuration_manual", HOME / "docs/CONFIGURATION.md"],
                          capture_output=True, text=True, check=True).stdout
    assert not re.search(r"^\|", page, re.M), "a table is left"
    for heading in TABLES:
        for name in keys_of(heading):
            assert re.search(rf"^\*\*{name}\*\*\n: \S", page, re.M), name


# --- recipes ----------------------------------------------------------------------------------------------------------

RECIPES = (HOME / "docs/RECIPES.md").read_text()


def recipe(heading):
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", RECIPES, re.M | re.S)
    return examples_in(section)


def put_program(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)


def with_programs(text, place):
    """The configuration with its programs at `place`, where they exist."""
    for directory in re.findall(r'directory = "(.*?)"', text):
        put_program(pathlib.Path(directory) / "program")
    for key, program in re.findall(r'(program|interpreter) = "(.*?)"', text):
        put_program(place / program.lstrip("/"))
        text = text.replace(f'{key} = "{program}"', f'{key} = "{place}{program}"')
    return text


@pytest.mark.parametrize("number", range(len(examples_in(RECIPES))))
def test_every_recipe_is_valid(place, number):
    text = examples_in(RECIPES)[number]
    for root in re.findall(r'^root = "/(.*)"$', text, re.M):
        fill_tree(place / root, {"index.html": "x"})
    text = with_programs(at_home(text, place), place)
    # The tests may not open ports below 1024.
    r = check(place, text.replace(":80\"", f":{free_port()}\"").replace(":8080\"", f":{free_port()}\""))
    assert r.returncode == 0 and "0 warnings" in r.stdout, r


def test_what_replaces_a_directive_is_a_key():
    known = {name for heading in TABLES for name in keys_of(heading)}
    (section,) = re.findall(r"^## Moving from nginx\n(.*?)(?=^## )", RECIPES, re.M | re.S)
    for instead in re.findall(r"^\| `.*\| (.*) \|$", section, re.M):
        for key in re.findall(r"`(\w+)(?: = [^`]*)?`", instead):
            assert key in known, instead


@pytest.fixture
def following(serve, place):
    """Starts a server with a recipe, at an address of the harness and with its directory as the default site."""

    def start(text, files, **options):
        for root in ["site", *re.findall(r'^root = "/(.*)"$', text, re.M)]:
            fill_tree(place / root, files)
        text = re.sub(r"^listen = .*\n", "", at_home(text, place), flags=re.M)
        (place / "occwserv.toml").write_text(text)
        return serve(arguments=["--config", str(place / "occwserv.toml")], site=place / "site", listing=None, **options)

    return start


def ask(server, host, target, *fields):
    with server.connect() as c:
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *fields]
        return c.send("\r\n".join(lines) + "\r\n\r\n").response()


def test_a_single_page_application(following):
    (text,) = recipe("A single-page application")
    server = following(text, {"index.html": "the application", "assets/a-1f2e.js": "a()"})
    for target in ("/", "/orders/7"):
        r = ask(server, "app.example.org", target)
        assert (r.status, r.text, r.get("Cache-Control")) == (200, "the application", "no-cache")
    r = ask(server, "app.example.org", "/assets/a-1f2e.js")
    assert (r.status, r.get("Cache-Control")) == (200, "public, max-age=31536000, immutable")
    r = ask(server, "app.example.org", "/assets/missing.js")
    assert (r.status, r.get("Cache-Control")) == (404, None)
    assert r.get("Content-Security-Policy") is not None


def test_a_shared_directory(following):
    (text,) = recipe("Share a directory")
    server = following(text, {"a.txt": "a", ".hidden": "h"})
    r = ask(server, "localhost", "/")
    assert r.status == 200 and "a.txt" in r.text and ".hidden" not in r.text


def test_a_proxy_in_front_that_speaks_http(following):
    by_field, _ = recipe("A TLS proxy in front")
    server = following(by_field, {"index.html": "x"})
    r = ask(server, "example.org", "/", "X-Forwarded-For: 198.51.100.7, 203.0.113.9")
    assert (r.status, r.get("Strict-Transport-Security")) == (200, "max-age=63072000")
    assert ask(server, "localhost", "/stats.json", "X-Forwarded-For: 203.0.113.9").status == 404
    assert ask(server, "localhost", "/stats.json").status == 200
    # The lines of two workers may be logged in any order.
    assert any(line.startswith("203.0.113.9 ") for line in server.log_lines(least=3))


def test_a_proxy_in_front_that_passes_on_bytes(following):
    _, by_header = recipe("A TLS proxy in front")
    server = following(by_header, {"index.html": "x"})
    with server.connect() as c:
        c.send("PROXY TCP4 203.0.113.9 192.0.2.1 4000 443\r\n")
        assert c.ask("/").status == 200
    assert server.log_lines(least=1)[0].startswith("203.0.113.9 ")


def test_www_to_apex(following):
    (text,) = recipe("www to apex")
    server = following(text, {"index.html": "x"})
    for target in ("/", "/a/b%20c?d=e"):
        r = ask(server, "www.example.org", target)
        assert (r.status, r.get("Location")) == (308, f"https://example.org{target}")
    assert ask(server, "example.org", "/").status == 200


def test_a_container(following):
    (text,) = recipe("A container")
    server = following(text, {"index.html": "x"}, access_log="-")
    assert ask(server, "example.org", "/").status == 200
    line = wait_until(lambda: server.stderr.read_text().partition("\n")[0], "the log is on standard output")
    assert json.loads(line)["status"] == 200


# --- channels and the order of processes ------------------------------------------------------------------------------

FARMS = {
    "front_end_worker": "front_end_farm",
    "page_worker": "static_farm",
    "cgi_page": "cgi_farm",
    "stats_worker": "stats_farm",
}


def rows_of(document, columns):
    """The rows of all tables with this number of columns, without the headings."""
    lines = (HOME / "docs" / document).read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in rows if len(row) == columns]


def channels_declared():
    """Name and type of each channel declared in the sources of the server, or made by csp::ask for an answer."""
    found = set()
    declaration = re.compile(r"csp::(?:chan|bridge|buffered_bridge)<([\w:]+)> ([\w, ]+)(?:\([^;]*\))?;")
    of_question = re.compile(r"csp::(?:bridge_)?out<([\w:]+)> answer = \{\};")
    for source in (HOME / "server").rglob("*.[ch]pp"):
        if not source.name.endswith("_test.cpp") and "test" not in source.parent.name and "test_" not in source.name:
            for kind, names in declaration.findall(source.read_text()):
                found |= {(name.strip(), kind) for name in names.split(",")}
            found |= {("answer", kind) for kind in of_question.findall(source.read_text())}
    return found


def test_every_channel_is_documented():
    documented = {(row[0].strip("`"), row[1].strip("`")) for row in rows_of("PROTOCOLS.md", 5) if row[0].startswith("`")}
    declared = channels_declared()
    assert documented - declared == set(), "documented, but not declared"
    assert declared - documented == set(), "declared, but not documented"


def clients_by_channel():
    """The order in PROTOCOLS.md: which process is a client of which on each channel, and on which channels it waits for answers."""
    waits, answers = set(), set()
    for name, _, writers, readers, kind in rows_of("PROTOCOLS.md", 5):
        if not name.startswith("`") or "never written" in kind:
            continue
        pairs = [(w, r) for w in writers.split(", ") for r in readers.split(", ")]
        if (writers, readers) == ("worker", "its farm"):
            pairs = list(FARMS.items())
        elif (writers, readers) == ("its farm", "worker"):
            pairs = [(farm, worker) for worker, farm in FARMS.items()]
        for writer, reader in pairs:
            if "answer" in kind.replace("end for the answer", "").replace("has its answer", ""):
                answers.add((reader, writer, name.strip("`")))
            elif writer == "body_feeder":  # forked by the very cgi_page that reads
                waits.add((writer, reader, name.strip("`")))
            else:
                waits.add((writer, FARMS.get(reader, reader), name.strip("`")))
    return waits, answers


def test_the_proof_names_every_client():
    waits, answers = clients_by_channel()
    claimed = {(process, server.strip(), channel)
               for _, process, of in rows_of("DEADLOCK.md", 3)
               for server, channel in re.findall(r"([\w ]+?) \(`(\w+)`\)", of)}
    assert waits - claimed == set(), "not in the proof"
    assert claimed - waits - answers == set(), "in the proof, but there is no such channel"
    clients = {(process, server) for process, server, _ in claimed}
    assert {(a, b) for a, b, _ in answers} - clients == set(), "awaits an answer, and is no client"


def test_the_order_of_the_proof_holds():
    rows = [row for row in rows_of("DEADLOCK.md", 3) if row[0].isdigit()]
    place = {process: int(number) for number, process, _ in rows}
    assert list(place.values()) == list(range(1, len(rows) + 1))
    argued = set(re.findall(r"^\*\*`(\w+)`\*\*", (HOME / "docs/DEADLOCK.md").read_text(), re.M))
    up = set()
    for _, process, of in rows:
        for server, channel, is_up in re.findall(r"([\w ]+?) \(`(\w+)`\)(, up)?", of):
            server = server.strip()
            assert (place[process] < place[server]) == (not is_up), f"{process} waits for {server}"
            up |= {channel} if is_up else set()
    assert up == argued, "each that points up has its argument"
