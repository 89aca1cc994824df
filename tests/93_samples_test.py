# SPDX-License-Identifier: MIT
"""The site of `make run`: its links, and its programs under the server."""

import concurrent.futures
import hashlib
import html.parser
import http.client
import os
import pathlib
import random
import re
import urllib.parse

import pytest

import chromium
from harness import DEADLINE, binary, living_in_group, toml, wait_until

SITE = pathlib.Path(binary()).resolve().parent / "site"  # the build puts it there
PAGES = [str(p.relative_to(SITE)) for p in sorted(SITE.rglob("*.html"))]
VOID = {"meta", "link", "img", "br", "input", "wbr", "hr"}
FORM = "application/x-www-form-urlencoded"


# --- pages ------------------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The links and the ids of a page, and the elements that do not end where they should."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.open, self.wrong = [], set(), [], []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_startendtag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src", "action") and not value.startswith("https:"):
                self.links.append(value)
            if name == "id":
                self.ids.add(value)

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"/{tag}")


def test_there_are_pages():
    assert {"index.html", "programs.html", "sample/index.html"} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    page = Page((SITE / name).read_text())
    assert page.wrong == []
    for link in page.links:
        target = urllib.parse.urlsplit(urllib.parse.urljoin(f"/{name}", link))
        if target.path.startswith("/cgi-bin/"):
            assert os.access(SITE / "cgi-bin" / target.path.split("/")[2], os.X_OK), link
            continue
        file = SITE / target.path.lstrip("/")
        file = file / "index.html" if file.is_dir() else file
        assert file.is_file(), link
        if target.fragment and target.fragment != "main":
            assert target.fragment in Page(file.read_text()).ids, link


def test_all_pages_have_the_same_navigation():
    def navigation(name):
        nav = (SITE / name).read_text().partition("<nav")[2].partition("</nav>")[0]
        return [(pathlib.PurePath(link).name, text) for link, text in re.findall(r'<a href="([^"]*)"[^>]*>(\w+)</a>', nav)]

    assert {name: navigation(name) for name in PAGES} == dict.fromkeys(PAGES, navigation("index.html"))


# --- programs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def samples(serve):
    return serve(site=SITE, arguments=["--cgi", "/cgi-bin/"])


def ask(server, target, method="GET", body=None, media_type=None, **fields):
    """Returns the status, the fields and the text of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    try:
        fields |= {"Content-Type": media_type} if media_type else {}
        connection.request(method, f"/cgi-bin/{target}", body, {k.replace("_", "-"): v for k, v in fields.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def test_the_environment_is_escaped(samples):
    status, fields, text = ask(samples, 'environment/a%20b?c=<i>&d', X_Try='<b>"&')
    assert status == 200 and fields["Content-Type"] == "text/html; charset=utf-8"
    shown = dict(re.findall(r"<code>(\w+)</code></th><td><code>(.*)</code></td>", text))
    assert shown["PATH_INFO"] == "/a b"
    assert shown["QUERY_STRING"] in ("c=&lt;i&gt;&amp;d", "c=%3Ci%3E&amp;d")
    assert shown["HTTP_X_TRY"] == "&lt;b&gt;&quot;&amp;"
    assert shown["REQUEST_METHOD"] == "GET" and shown["SCRIPT_NAME"] == "/cgi-bin/environment"


def test_the_form(samples):
    sent = urllib.parse.urlencode({"name": "Töny", "says": "<b>&", "empty": ""})
    rows = ('<tr><th scope="row">name</th><td>Töny</td></tr>\n<tr><th scope="row">says</th><td>&lt;b&gt;&amp;</td></tr>\n'
            '<tr><th scope="row">empty</th><td></td></tr>')
    status, _, text = ask(samples, f"form?{sent}")
    assert status == 200 and rows in text and "by GET" in text
    for body in (sent, iter([sent.encode()])):  # the second has no Content-Length
        status, _, text = ask(samples, "form", "POST", body, FORM)
        assert status == 200 and rows in text and "by POST" in text


def test_the_form_refuses(samples):
    assert ask(samples, "form", "DELETE")[0] == 405
    assert ask(samples, "form", "DELETE")[1]["Allow"] == "GET, HEAD, POST"
    assert ask(samples, "form", "POST", "a=b", "text/plain")[0] == 415
    assert ask(samples, "form", "POST", "a=" + "b" * 65536, FORM)[0] == 413
    assert ask(samples, "form", "POST", "&".join("a=b" for _ in range(101)), FORM)[0] == 400


def multipart(*parts):
    """A body with these parts, each the parameters of its Content-Disposition and its content; and its media type."""
    body = b"".join(b"--a1\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (named.encode(), content)
                    for named, content in parts)
    return body + b"--a1--\r\n", 'multipart/form-data; boundary="a1"'


def uploaded(text):
    return re.findall(r'"row">(.*)</th><td data-in="what">(.*)</td><td data-in="bytes">(\d+)</td>.*<code>(.*)</code>', text)


def test_the_upload(samples):
    noise = random.Random(1).randbytes(300_000)
    files = {"plain": b"text\n", "empty": b"", "like a boundary": b"\r\n--a\r\n--a\r" * 20_000, "noise": noise}
    body, media_type = multipart(*((f'name="file"; filename="{name} <ä>"', content) for name, content in files.items()),
                                 ('name="note; filename=no"', b"a note"))
    status, _, text = ask(samples, "upload", "POST", body, media_type)
    assert status == 200
    assert uploaded(text) == [
        *(("file", f"file {name} &lt;ä&gt;", str(len(content)), hashlib.sha256(content).hexdigest())
          for name, content in files.items()),
        ("note; filename=no", "text", "6", hashlib.sha256(b"a note").hexdigest())]


def test_the_upload_refuses(samples):
    body, media_type = multipart(('name="a"', b"b"))
    assert ask(samples, "upload")[0] == 405
    assert ask(samples, "upload", "POST", body, FORM)[0] == 415
    assert ask(samples, "upload", "POST", body[:-8], media_type)[0] == 400
    assert ask(samples, "upload", "POST", b"--a1\r\n" + b"A: b\r\n" * 3000 + b"\r\n", media_type)[0] == 400
    assert ask(samples, "upload", "POST", *multipart(*[('name="a"', b"b")] * 21))[0] == 400


def test_the_clock_streams_and_ends_with_its_client(samples):
    alone = set(living_in_group(samples.process.pid))
    with samples.connect() as c:
        c.request("/cgi-bin/clock")
        while len(re.findall(rb"\d\d:\d\d:\d\d\n", c.arrived)) < 2:  # Date has no line feed after the time
            assert c.more()
        assert b"stopped" not in c.arrived
    wait_until(lambda: not any("clock" in command for command in commands()), "the clock has ended with its client")
    assert set(living_in_group(samples.process.pid)) <= alone


def commands():
    """The command lines of the processes that run a program of this site."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = pathlib.Path("/proc", process, "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended
            continue
        if f"{SITE}/cgi-bin/" in command:
            yield command


@pytest.fixture
def counted(serve, place):
    """A server whose counter has a file of its own, and that file."""
    file = place / "count"
    settings = toml({"root": str(SITE), "route": [{"path": "/cgi-bin/*"}]})
    settings += f'[route.cgi]\nenvironment = {{ COUNTER_FILE = "{file}" }}\n'
    (place / "occwserv.toml").write_text(settings)
    return serve(site=SITE, arguments=["--config", str(place / "occwserv.toml")]), file


def visit(server):
    status, _, text = ask(server, "counter")
    assert status == 200
    return int(re.search(r"<strong>(\d+)</strong>", text).group(1))


def test_the_counter_misses_nobody(counted):
    server, file = counted
    with concurrent.futures.ThreadPoolExecutor(8) as visitors:
        numbers = list(visitors.map(lambda _: visit(server), range(24)))
    assert sorted(numbers) == [*range(1, 25)]
    assert file.read_text() == f"{24:19d}\n"


def test_the_counter_writes_to_no_file_of_others(counted, place):
    server, file = counted
    other = place / "other"
    other.write_text("7\n")
    file.symlink_to(other)
    assert ask(server, "counter")[0] == 500
    assert other.read_text() == "7\n"
    wait_until(lambda: "counter: " in server.error_log.read_text(), "the error log says why")


def test_the_program_in_c(samples):
    status, _, text = ask(samples, "hello?a=<b>&c")
    assert status == 200 and "Hello, <strong>127.0.0.1</strong>" in text and "<code>a=&lt;b&gt;&amp;c</code>" in text


# --- in a browser -----------------------------------------------------------------------------------------------------


@chromium.needed()
def test_the_page_of_programs(samples, place):
    file = place / "file.bin"
    file.write_bytes(os.urandom(5000))
    seen = chromium.run("programs.mjs", place, f"http://127.0.0.1:{samples.port}/programs.html", file)
    assert seen["complaints"] == []
    assert seen["clock"][0] < seen["clock"][1], "the frame fills while it is watched"
    assert "visit number" in seen["counter"] and "Hello, 127.0.0.1" in seen["hello"]
    assert "by GET" in seen["get"] and "c ! x & c ? x, and <b>no</b> markup" in seen["get"]
    assert "by POST" in seen["post"] and "c ! x & c ? x, and <b>no</b> markup" in seen["post"]
    assert "file.bin" in seen["upload"] and hashlib.sha256(file.read_bytes()).hexdigest() in seen["upload"]
