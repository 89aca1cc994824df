# SPDX-License-Identifier: MIT
"""Files below the root: which are served, with which fields, and which never."""

import concurrent.futures
import contextlib
import datetime
import email.utils
import hashlib
import json
import os
import pathlib
import random
import socket
import subprocess
import threading
import time

import pytest

from harness import binary, fill_tree, open_descriptors, wait_until

LARGEST_PAGE = 64 * 1024  # the default: larger files are sent from the disk


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


# --- fields of a file -------------------------------------------------------------------------------------------------


def test_fields_of_a_file(standing):
    os.utime(standing.site / "a.txt", (784_111_777, 784_111_777))  # otherwise it might be too new to have a date
    r = wait_until(lambda: (r := standing.ask("/a.txt")).get("Last-Modified") and r, "the date is noticed")
    assert (r.status, r.reason, r.body) == (200, "OK", b"the letter a\n")
    assert r.get("Content-Type") == "text/plain; charset=utf-8"
    assert r.get("Content-Length") == "13"
    assert r.get("X-Content-Type-Options") == "nosniff"
    modified = email.utils.parsedate_to_datetime(r.get("Last-Modified")).timestamp()
    assert modified == int((standing.site / "a.txt").stat().st_mtime)


SIZES = pytest.mark.parametrize("size", [10, LARGEST_PAGE + 1], ids=["page", "large"])


@SIZES
@pytest.mark.parametrize("when", [86_400, 784_111_777], ids=["1970", "1994"])
def test_last_modified(server, when, size):
    (server.site / "a.bin").write_bytes(noise(size))
    os.utime(server.site / "a.bin", (when, when))
    assert server.ask("/a.bin").get("Last-Modified") == email.utils.formatdate(when, usegmt=True)


@SIZES
def test_a_date_that_means_nothing_is_left_out(server, size):
    """Package managers and image builders set the epoch; a time in the future would have to be replaced (RFC 9110
    section 8.8.2.1). None of these dates is used for a comparison, whether earlier or later than the date of the client."""
    name = server.site / "odd.bin"
    name.write_bytes(noise(size))
    with server.connect() as c:
        for when in (0, 1, 86_399, -1, -10**9, -5 * 10**9, 4_102_444_800, 9_300_000_000, 10**10):
            with contextlib.suppress(OSError):  # a file system that does not support this time
                os.utime(name, (when, when))
            for date in ("Thu, 01 Jan 1970 00:00:00 GMT", email.utils.formatdate(time.time() - 60, usegmt=True)):
                r = c.ask("/odd.bin", f"If-Modified-Since: {date}")
                assert (r.status, r.get("Last-Modified"), len(r.body)) == (200, None, size), when
                assert c.ask("/odd.bin", f"If-Range: {date}", "Range: bytes=0-1").status == 200


def test_a_date_is_told_once_the_clock_has_passed_it(server):
    """Also for a cached page: then the clock of the server, or that of the file, was behind."""
    when = int(time.time()) + 3
    os.utime(server.site / "a.txt", (when, when))
    with server.connect() as c:
        first = c.ask("/a.txt")
        assert first.get("Last-Modified") is None or time.time() > when  # the machine was busy
        wait_until(lambda: c.ask("/a.txt").get("Last-Modified") == email.utils.formatdate(when, usegmt=True), "its date")
        assert c.ask("/a.txt").get("ETag") == first.get("ETag")


@SIZES
def test_no_date_in_the_second_of_the_change(server, size):
    """The file may change again and keep its date, which makes the date a weak validator (RFC 9110 section 8.8.2.2):
    with If-Range a client would mix two versions."""
    name = server.site / "young.bin"

    def ask(*fields):
        r = c.ask("/young.bin", *fields)
        given, date = r.get("Last-Modified"), email.utils.parsedate_to_datetime(r.get("Date"))
        assert given is None or date - email.utils.parsedate_to_datetime(given) >= datetime.timedelta(seconds=1)
        return r

    with server.connect() as c:  # so that all requests reach the same cache
        for seed in range(3):  # replaces the one before, which may be cached for a moment
            name.write_bytes(noise(size, seed))
            written = email.utils.formatdate(name.stat().st_mtime, usegmt=True)
            wait_until(lambda: ask().body == noise(size, seed), "the new version")
            wait_until(lambda: ask().get("Last-Modified") == written, "its date")
            r = ask(f"If-Range: {written}", "Range: bytes=2-5")
            assert (r.status, r.body) == (206, noise(size, seed)[2:6])
            assert ask(f"If-Modified-Since: {written}").status == 304


@pytest.mark.parametrize(
    "name, media_type",
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.PNG", "image/png"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("README", "application/octet-stream"),
        ("html", "application/octet-stream"),
    ],
)
def test_media_types(serve, name, media_type):
    assert serve(files={name: "x"}).ask(f"/{name}").get("Content-Type") == media_type


# --- sizes ------------------------------------------------------------------------------------------------------------


SIZES = [0, 1, 4095, 4096, 65_535, LARGEST_PAGE, LARGEST_PAGE + 1, 1024 * 1024 + 1, 5 * 1024 * 1024]


def test_sizes(serve):
    """Files that fit in the cache and larger ones; the second time from the cache; and any request after them."""
    files = {f"{size}.bin": noise(size, size) for size in SIZES}
    server = serve(files=files)
    with server.connect() as c:
        for _ in range(2):
            for name, content in files.items():
                r = c.ask(f"/{name}", method="HEAD")
                assert (r.status, r.get("Content-Length")) == (200, str(len(content)))
                r = c.ask(f"/{name}")
                assert (r.status, r.get("Content-Length"), r.body == content) == (200, str(len(content)), True)


def test_large_files_in_a_pipeline(serve):
    files = {"large.bin": noise(5 * 1024 * 1024), "small.txt": b"small"}
    server = serve(files=files)
    with server.connect() as c:
        names = ["small.txt", "large.bin", "large.bin", "small.txt"]
        c.send("".join(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n" for name in names))
        for name in names:
            assert c.response().body == files[name]


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_largest_page_is_configured(serve, limit):
    files = {f"{size}.bin": noise(size, size) for size in (0, 1, 2, 99, 100, 101, 5000)}
    server = serve({"cache": {"largest_page_bytes": limit}}, files=files)
    for name, content in files.items():
        assert server.ask(f"/{name}").body == content


@pytest.mark.parametrize("memory", [0, 1, 50_000])
def test_a_cache_with_little_room(serve, memory):
    files = {f"{i}.bin": noise(10_000, i) for i in range(20)}
    server = serve({"cache": {"memory_bytes": memory}}, files=files)
    with server.connect() as c:
        for _ in range(3):
            for name, content in files.items():
                assert c.ask(f"/{name}").body == content


def test_a_small_receive_buffer(serve):
    """The response is sent in many pieces."""
    content = noise(3 * 1024 * 1024)
    server = serve({"cache": {"largest_page_bytes": 2 * 1024 * 1024}},
                   files={"file.bin": content, "page.bin": content[: 2 * 1024 * 1024]})
    for name, wanted in (("file.bin", content), ("page.bin", content[: 2 * 1024 * 1024])):
        with server.connect(receive_buffer=4096) as c:
            assert c.ask(f"/{name}").body == wanted


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, targets",
    [
        ("with space.txt", ["/with%20space.txt"]),
        ("caf\u00e9.txt", ["/caf%C3%A9.txt", "/caf%c3%a9.txt"]),
        ("\u65e5\u672c\u8a9e/\U0001f600.txt", ["/%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%98%80.txt"]),
        ("50%.txt", ["/50%25.txt"]),
        ("50%2e.txt", ["/50%252e.txt"]),
        ("a+b.txt", ["/a+b.txt", "/a%2Bb.txt"]),
        ("a?b#c.txt", ["/a%3Fb%23c.txt"]),
        ("a&b=c;d,e@f:g!h$i'j(k)*l~.txt", ["/a&b=c;d,e@f:g!h$i'j(k)*l~.txt"]),
        ("a..b...txt", ["/a..b...txt"]),
        ("...", []),
        ("plain.txt", ["/plain.txt", "/%70lain.txt", "/./plain.txt", "//plain.txt", "/x/../plain.txt", "/plain.txt?",
                       "/plain.txt?a=/../b", "/x/%2e%2E/plain.txt", "/%2e/plain.txt", "/x/y/../../plain.txt"]),
        ("d/" * 100 + "deep.txt", ["/" + "d/" * 100 + "deep.txt"]),
        ("n" * 255, ["/" + "n" * 255]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_names(serve, name, targets):
    server = serve(files={name: "the file"})
    with server.connect() as c:
        for target in targets:
            r = c.ask(target)
            assert (r.status, r.body) == (200, b"the file"), target


def test_names_too_long_for_the_file_system(standing):
    assert standing.ask("/" + "n" * 256).status == 404
    assert standing.ask("/" + "d/" * 3000 + "x").status == 404


def test_case_and_a_slash_matter(standing):
    for target in ("/A.txt", "/a.TXT", "/a.txt/", "/a.txt/x", "/dir/index.html/", "/a.tx", "/a.txt%20"):
        assert standing.ask(target).status == 404, target


@pytest.mark.parametrize(
    "target",
    ["/..", "/../", "/../a.txt", "/dir/../../a.txt", "/./../a.txt", "//../a.txt", "/%2e%2e/a.txt", "/.%2e/a.txt",
     "/%2E./a.txt", "/dir/%2e%2e/%2e%2e/etc/passwd", "/../../../../../../etc/passwd",
     "/a.txt%00", "/%00", "/a%00.txt", "/%", "/%2", "/%zz", "/%2z", "/a.txt%", "/%u002e", "/%25%"],
)
def test_paths_that_are_refused(standing, target):
    with standing.connect() as c:
        assert c.ask(target).status == 400


NAMES_OF_NO_FILE = [
    "/dir%2fb.css", "/dir%2Fb.css", "/%2f", "/%2fetc%2fpasswd", "/dir%5cb.css", "/dir%5c..%5ca.txt", "/dir\\b.css",
    "/a%0a.txt", "/a%0d.txt", "/a.txt%7f", "/%01", "/%c0%ae%c0%ae/a.txt", "/%c0%af", "/%e0%80%af", "/%f0%80%80%af",
    "/%c1%bf", "/%ed%a0%80", "/%f4%90%80%80", "/%ff", "/%c3", "/%80.txt", "/a.txt%2f", "/dir%2f",
]
# Files with exactly these names, and those that a server would find if it treated an encoded slash as a slash.
ODD_FILES = [b"dir\\b.css", b"a\n.txt", b"a\r.txt", b"a.txt\x7f", b"\x01", b"\xff", b"\xc3", b"\x80.txt", b"dir%2fb.css",
             b"dir%2Fb.css", b"a.txt%2f", b"dir%5cb.css", b"%ff", b"a%0a.txt"]


def with_odd_files(serve, settings):
    server = serve(settings, workers=1)
    for name in ODD_FILES:
        (pathlib.Path(os.fsdecode(os.fsencode(server.site) + b"/" + name))).write_bytes(b"odd")
    return server


def test_paths_that_name_no_file(serve):
    """They are valid (RFC 3986 section 2.1), so the answer is 404; and they are never looked up in the file system."""
    server = with_odd_files(serve, {})
    with server.connect() as c:
        for target in NAMES_OF_NO_FILE:
            for _ in range(2):
                assert c.ask(target).status == 404, target
        assert c.ask("/dir%252fb.css").body == b"odd"  # this is a literal name


def test_paths_that_name_no_file_have_the_fallback(serve):
    """As for the page of an application that interprets the path itself."""
    server = with_odd_files(serve, {"try": ["{path}", "{path}.txt", "{path}/index.html", "/index.html"]})
    with server.connect() as c:
        index = c.ask("/").body
        for target in NAMES_OF_NO_FILE:
            for _ in range(3):
                r = c.ask(target)
                assert (r.status, r.body) == (200, index), target
        assert c.ask("/dir/b.css").body != index and c.ask("/stats.json").status == 200
        json.loads(c.ask("/stats.json").text)  # which lists the cached pages
        assert c.ask("/..%2fa.txt").status == 403  # a name that begins with a dot


# --- directories ------------------------------------------------------------------------------------------------------


def test_index_pages(standing):
    assert "home" in standing.ask("/").text
    assert standing.ask("/?query").body == standing.ask("/index.html").body
    r = standing.ask("/dir/")
    assert (r.status, "<title>dir" in r.text) == (200, True)
    assert r.get("Content-Type") == "text/html; charset=utf-8"
    assert standing.ask("/empty/").status == 403
    assert standing.ask("/empty/leaf/").status == 403
    assert standing.ask("/none/").status == 404


def test_the_order_of_index_pages(serve):
    server = serve({"index": ["first.html", "second.html"]},
                   files={"second.html": "2", "index.html": "0", "both/first.html": "1", "both/second.html": "2",
                          "odd/first.html/x": "", "odd/second.html": "2"})
    assert server.ask("/").body == b"2"
    assert server.ask("/both/").body == b"1"
    assert server.ask("/odd/").body == b"2"  # a directory is not a page


@pytest.mark.parametrize(
    "target, location",
    [
        ("/dir", "/dir/"),
        ("/dir?a=b&c", "/dir/?a=b&c"),
        ("/dir?", "/dir/"),
        ("//dir", "/dir/"),
        ("//evil.example/%2e%2e/dir", "/dir/"),
        ("/with%20space", "/with%20space/"),
        ("/caf%c3%a9?x=%20", "/caf%C3%A9/?x=%20"),
        ("/100%25", "/100%25/"),
        ("/a%22b%3Cc", "/a%22b%3Cc/"),
        ("http://localhost/dir?q", "/dir/?q"),
    ],
)
def test_a_directory_without_its_slash(serve, target, location):
    names = ["dir", "with space", "caf\u00e9", "100%", 'a"b<c']
    server = serve(files={f"{name}/index.html": "there" for name in names})
    with server.connect() as c:
        r = c.ask(target)
        assert (r.status, r.get("Location")) == (301, location)
        assert r.get("Content-Type") == "text/html; charset=utf-8"
        assert c.ask(location).body == b"there"


# --- what is never served ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/.htpasswd", "/.git/config", "/dir/.env", "/%2egit/config", "/.", "/.none",
                                    "/.well-known/.hidden", "/dir/.well-known/x", "/.well-known.txt", "/..."])
def test_dotfiles(serve, target):
    server = serve(files={".htpasswd": "secret", ".git/config": "secret", "dir/.env": "secret", "...": "secret",
                          ".well-known/.hidden": "secret", "dir/.well-known/x": "secret", ".well-known.txt": "secret",
                          "index.html": "home"})
    r = server.ask(target)
    assert r.status == (200 if target == "/." else 403)
    assert b"secret" not in r.body


def test_well_known_is_served(serve):
    server = serve(files={".well-known/security.txt": "contact", ".well-known/index.html": "index"})
    assert server.ask("/.well-known/security.txt").body == b"contact"
    assert server.ask("/.well-known").get("Location") == "/.well-known/"
    assert server.ask("/.well-known/").body == b"index"


def test_symbolic_links(serve, place):
    server = serve(files={"a.txt": "in", "dir/b.txt": "in", "dir/index.html": "in"})
    fill_tree(place / "outside", {"secret.txt": "secret", "index.html": "secret"})
    site = server.site

    def link(name, to):
        (site / name).symlink_to(to)
        return f"/{name}"

    with server.connect() as c:
        for target in (link("file", "a.txt"), link("up", "dir/../a.txt"), link("dir/parent", "../a.txt")):
            assert (c.ask(target).status, c.ask(target).body) == (200, b"in"), target
        link("directory", "dir")
        assert c.ask("/directory").get("Location") == "/directory/"
        assert c.ask("/directory/b.txt").body == b"in"
        assert c.ask("/directory/").body == b"in"

        link("outer", place / "outside")
        leaving = [link("absolute", place / "outside/secret.txt"), link("climbing", "../../outside/secret.txt"),
                   link("passwd", "/etc/passwd"), link("slash", "/"), "/outer/none", "/slash/none", "/slash/etc/none/x",
                   link("twice", "absolute"), "/outer", "/outer/", "/outer/secret.txt"]
        for target in leaving:
            r = c.ask(target)
            assert (r.status, b"secret" in r.body, b"root:" in r.body) == (403, False, False), target
        for target in (link("dangling", "none"), link("loop", "loop"), link("absolute-dangling", site / "none"),
                       link("proc", "/proc/self/root"), "/proc/none"):
            assert c.ask(target).status == 404, target
        for target in (link("absolute-inside", site / "a.txt"), link("out-and-in", f"../{site.name}/a.txt")):
            assert (c.ask(target).status, c.ask(target).body) == (200, b"in"), target


def test_links_to_hidden_names(serve):
    """A visible name that leads to a hidden one does not show what is hidden; a Kubernetes volume is made of such links."""
    server = serve(files={".git/config": "secret", "dir/.env": "secret", "..data/a.txt": "in", "a.txt": "in"}, listing="on")
    links = {"repository": ".git", "environment": "dir/.env", "absolute": server.site / ".git/config", "volume": "..data"}
    for name, to in links.items():
        (server.site / name).symlink_to(to)
    with server.connect() as c:
        for target in ("/repository/config", "/repository/", "/environment", "/absolute"):
            assert c.ask(target).status == 404, target
        assert c.ask("/volume/a.txt").body == b"in"
        listed = {e["name"] for e in json.loads(c.ask("/", "Accept: application/json").text)}
        assert listed == {"a.txt", "dir", "volume"}


def test_directories_into_which_links_may_lead(serve, place):
    """As in /usr/share/doc, with links to /usr/share/javascript."""
    fill_tree(place / "shared", {"j.js": "shared", ".hidden": "secret", "lib/k.js": "shared", "deep/index.html": "shared"})
    fill_tree(place / "other", {"secret.txt": "secret"})
    config = place / "links.toml"
    config.write_text(f'[[site]]\nnames = "one.example"\nroot = "{place}/one"\nlinks_into = ["{place}/shared/"]\n'
                      f'listing = "on"\n[[site]]\nnames = "two.example"\nroot = "{place}/one"\n')
    fill_tree(place / "one", {"dir/a.txt": "in"})
    for name, to in {"j.js": place / "shared/j.js", "dir/shared": "../../shared", "out": place / "other",
                     "hidden": place / "shared/.hidden"}.items():
        (place / "one" / name).symlink_to(to)
    server = serve(arguments=["--config", str(config)])

    def ask(target, host="one.example"):
        with server.connect() as c:
            return c.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n").response()

    for target in ("/j.js", "/dir/shared/j.js", "/dir/shared/lib/k.js", "/dir/shared/deep/"):
        assert (ask(target).status, ask(target).body) == (200, b"shared"), target
        assert ask(target, "two.example").status == 403, "the other site has the same root, and does not say so"
    assert (ask("/dir/shared/none").status, ask("/hidden").status, ask("/out/secret.txt").status) == (404, 404, 403)
    assert {e["name"] for e in json.loads(ask("/").text)} == {"dir", "j.js"}
    assert {e["name"] for e in json.loads(ask("/dir/shared/").text)} == {"deep", "j.js", "lib"}

    config.write_text(config.read_text().replace(f"{place}/shared/", f"{place}/none"))
    checked = subprocess.run([binary(), "check", "--config", str(config)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, f"links_into: {place}/none cannot be opened" in checked.stderr) == (2, True), checked.stderr


def test_an_index_page_that_leads_out(serve, place):
    fill_tree(place, {"secret.html": "secret"})
    server = serve(files={"dir/x": ""})
    (server.site / "dir/index.html").symlink_to(place / "secret.html")
    assert server.ask("/dir/").status == 403


def test_special_files_are_refused_at_once(serve):
    server = serve()
    os.mkfifo(server.site / "fifo")
    os.mkfifo(server.site / "index.htm")
    (server.site / "index.html").unlink()
    sock = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(server.site)  # the name of a local socket must be short
    try:
        sock.bind("socket")
    finally:
        os.chdir(here)
    targets = ["/fifo", "/socket", "/"]
    if os.geteuid() == 0:
        try:
            os.mknod(server.site / "null", 0o666 | 0o020000, os.makedev(1, 3))
            os.mknod(server.site / "zero", 0o666 | 0o020000, os.makedev(1, 5))
            targets += ["/null", "/zero"]
        except PermissionError:
            pass  # in a container without that capability
    # A writer of the pipe waits for a reader, and a request must not become one.
    writer = subprocess.Popen(["sh", "-c", 'echo news >"$0"', str(server.site / "fifo")])
    try:
        with server.connect() as c:
            for target in targets * 10:
                assert c.ask(target).status == 403, target
            assert c.ask("/a.txt").status == 200
        sock.close()
        reader = os.open(server.site / "fifo", os.O_RDONLY | os.O_NONBLOCK)

        def what_is_written():
            try:
                return os.read(reader, 100)
            except BlockingIOError:
                return b""

        assert wait_until(what_is_written, "nothing was lost") == b"news\n"
        os.close(reader)
        assert writer.wait(60) == 0
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(server):
    (server.site / "a.txt").chmod(0)
    assert server.ask("/a.txt").status == 403


# --- error pages ------------------------------------------------------------------------------------------------------


def test_error_pages_of_the_site(serve):
    server = serve(files={"error.404.html": "our own 404", "error.400.html": "our own 400", "error.405.html": "",
                          "error.403.html/x": "a directory", "a.txt": "a"})
    with server.connect() as c:
        r = c.ask("/none")
        assert (r.status, r.body, r.get("Content-Type")) == (404, b"our own 404", "text/html; charset=utf-8")
        assert c.ask("/dir/none").body == b"our own 404"
        r = c.ask("/none", method="HEAD")
        assert (r.status, r.get("Content-Length")) == (404, "11")
        assert (c.ask("/a.txt", method="PUT").status, c.ask("/a.txt", method="PUT").body) == (405, b"")
        assert "403 Forbidden" in c.ask("/.x").text
        assert c.ask("/error.404.html").status == 200
        r = c.send("GET / HTTP/1.1\r\n\r\n").response()
        assert (r.status, r.body) == (400, b"our own 400")


def test_an_error_page_is_of_the_type_that_its_name_says(serve):
    server = serve({"error_pages": {"404": "/lost.txt"}}, files={"lost.txt": "<lost>"})
    r = server.ask("/none")
    assert (r.status, r.body, r.get("Content-Type")) == (404, b"<lost>", "text/plain; charset=utf-8")


def test_an_error_page_that_leads_out(serve, place):
    fill_tree(place, {"secret.html": "secret"})
    server = serve()
    (server.site / "error.404.html").symlink_to(place / "secret.html")
    r = server.ask("/none")
    assert (r.status, b"secret" in r.body) == (404, False)


# --- files that change ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, LARGEST_PAGE + 10], ids=["kept", "from the disk"])
def test_changes_are_noticed(serve, size):
    server = serve(files={"page.html": b"1" * size, "other.html": b"o"})
    page = server.site / "page.html"
    # Cached on a core by the first request and fresh by the second; each core has its own connection.
    with server.connect() as one, server.connect() as two:

        def both_say(status, body=None):
            answers = [c.ask("/page.html") for c in (one, two)]
            return all(r.status == status and body in (None, r.body) for r in answers)

        assert both_say(200, b"1" * size) and both_say(200, b"1" * size)

        replacement = server.site / "replacement.html"
        replacement.write_bytes(b"2" * size)
        os.utime(replacement, ns=(page.stat().st_atime_ns, page.stat().st_mtime_ns))  # exactly the same date and size
        replacement.rename(page)
        wait_until(lambda: both_say(200, b"2" * size), "the file that was put there is served")

        page.write_bytes(b"3" * (size + 1))
        wait_until(lambda: both_say(200, b"3" * (size + 1)), "what was written to the file is served")

        page.unlink()
        wait_until(lambda: both_say(404), "the file is gone")

        page.mkdir()
        wait_until(lambda: both_say(301), "it is a directory now")

        page.rmdir()
        page.write_bytes(b"4")
        wait_until(lambda: both_say(200, b"4"), "the file is there again")
        assert one.ask("/other.html").body == b"o"


def test_growing_and_shrinking_across_the_limit(serve):
    server = serve(files={"page.bin": b""})
    with server.connect() as c:
        for size in (1, LARGEST_PAGE + 1, 5, LARGEST_PAGE, LARGEST_PAGE + 2, 0):
            content = noise(size, size)
            (server.site / "page.bin").write_bytes(content)
            wait_until(lambda: c.ask("/page.bin").body == content, f"{size} bytes")  # noqa: B023


def test_a_new_index_page(serve):
    server = serve(files={"dir/x": ""})
    assert server.ask("/dir/").status == 403
    (server.site / "dir/index.htm").write_text("now there is one")
    wait_until(lambda: server.ask("/dir/").body == b"now there is one", "the index page")
    (server.site / "dir/index.html").write_text("and one that goes before it")
    wait_until(lambda: server.ask("/dir/").body == b"and one that goes before it", "the other index page")


def test_a_file_cut_off_while_it_is_sent(serve):
    """The length was announced already, so the server can only close; other clients do not notice."""
    size = 40 * 1024 * 1024
    server = serve(files={"large.bin": b"x" * size})
    with server.connect(receive_buffer=4096) as c:
        c.request("/large.bin")
        wait_until(lambda: c.more() and b"\r\n\r\n" in c.arrived, "the head of the response")
        os.truncate(server.site / "large.bin", 1024 * 1024)
        assert len(c.rest()) < size
    server.expect_healthy()
    assert len(server.ask("/large.bin").body) == 1024 * 1024


def test_a_file_that_ends_before_its_end(serve):
    """As with a file that is truncated while it is read. These files always behave so."""
    site = pathlib.Path("/sys/kernel/mm/transparent_hugepage")
    if not os.access(site / "enabled", os.R_OK) or (site / "enabled").stat().st_size < 1000:
        pytest.skip("this system has no such files")
    r = serve(site=site).ask("/enabled")
    assert (r.status, "being modified" in r.text) == (503, True)


def test_files_replaced_under_load(serve):
    """Every response is one version or the other, never a mixture."""
    versions = {bytes([48 + i]) * (1000 * (i + 1)) for i in range(8)}
    server = serve(files={"page.bin": min(versions)})
    page, fresh = server.site / "page.bin", server.site / "fresh.bin"
    over = threading.Event()

    def replace():
        for version in sorted(versions) * 25:
            fresh.write_bytes(version)
            fresh.rename(page)
            with server.connect() as c:
                c.ask("/page.bin")
        over.set()

    def read():
        seen = set()
        with server.connect() as c:
            while not over.is_set():
                seen.add(c.ask("/page.bin").body)
        return seen

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            replace()
        finally:
            over.set()
        assert set().union(*(reader.result() for reader in readers)) <= versions


# --- whole trees ------------------------------------------------------------------------------------------------------


def fetch_all(server, expected, threads=16):
    """Fetches {target: digest} with this many threads, each on its own connection, and compares every byte."""
    targets = list(expected)
    random.Random(1).shuffle(targets)

    def fetch(mine):
        wrong = []
        with server.connect() as c:
            for target in mine:
                r = c.ask(target)
                if r.status != 200 or hashlib.sha256(r.body).digest() != expected[target]:
                    wrong.append((target, r.status, len(r.body)))
        return wrong

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        wrong = sum(pool.map(fetch, [targets[i::threads] for i in range(threads)]), [])
    assert wrong == []


def test_a_generated_tree(serve):
    r = random.Random(7)
    files = {}
    for i in range(3000):
        depth = r.randrange(5)
        name = "/".join([f"d{r.randrange(6)}" for _ in range(depth)] + [f"{i}.{r.choice(['html', 'txt', 'bin', ''])}"])
        size = r.choice([0, 1, 100, 2000, 20_000]) if r.random() < 0.98 else r.randrange(60_000, 300_000)
        files[name] = r.randbytes(size)
    server = serve(files=files)
    expected = {f"/{name}": hashlib.sha256(content).digest() for name, content in files.items()}
    before = len(open_descriptors(server))
    fetch_all(server, expected)
    fetch_all(server, expected)  # now the caches contain much of it
    # No file stays open. Closed connections may take a moment to disappear.
    wait_until(lambda: len(open_descriptors(server)) <= before, "all descriptors are closed again")


def test_a_documentation_tree(serve):
    """A bounded part of what is installed on this machine, with names that we did not choose."""
    root = pathlib.Path("/usr/share/doc")
    expected = {}
    for path in sorted(root.glob("**/*")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > 1024 * 1024:
            continue
        if any(parent.is_symlink() for parent in path.parents) or "/." in str(path):
            continue
        target = "/" + "/".join(part for part in path.relative_to(root).parts)
        if target.isascii() and all(c.isalnum() or c in "/._-+~" for c in target) and os.access(path, os.R_OK):
            expected[target] = hashlib.sha256(path.read_bytes()).digest()
        if len(expected) == 1500:
            break
    if not expected:
        pytest.skip("no documentation is installed")
    fetch_all(serve(site=root), expected)
