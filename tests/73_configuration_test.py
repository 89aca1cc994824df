# SPDX-License-Identifier: MIT
"""The effect of a configuration: paths, headers, routes; and the output of `check` and `explain`."""

import base64
import getpass
import hashlib
import json
import os
import re
import socket
import subprocess

import pytest

from harness import DEADLINE, binary, fill_tree, free_port, told, wait_until


def run(*words):
    return subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, check=False)


@pytest.fixture
def configured(serve, place):
    """Starts a server with only a configuration; {site} in its text is replaced by the root."""

    def start(text, files):
        fill_tree(place / "site", files)
        file = place / "c.toml"
        file.write_text(text.replace("{site}", str(place / "site")))
        # The harness names a directory, which would be a second default site.
        server = serve(arguments=["--config", str(file)], site=place / "site")
        server.configuration = file
        return server

    return start


def ask(server, target, *fields, method="GET", host="localhost"):
    with server.connect() as c:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
        return c.send("\r\n".join(lines) + "\r\n\r\n").response(to=method)


# --- paths and redirects ----------------------------------------------------------------------------------------------

ROUTES = """
[[site]]
names = "a.example"
root = "{site}"
  [[site.route]]
  path = "/old%20page"
  redirect = "/stra\u00dfe"
  [[site.route]]
  path = "/caf%C3%A9/*"
  redirect = "/new/{rest}{query}"
  [[site.route]]
  path = "/find/*"
  redirect = "/search?q={rest}{query}"
  [[site.route]]
  path = "/plain \u00e9"
  status = 410
"""


@pytest.mark.parametrize(
    "target, status, location",
    [
        ("/old%20page", 302, "/stra%C3%9Fe"),
        ("/%6Fld%20page", 302, "/stra%C3%9Fe"),
        ("/caf%c3%a9/a+b", 302, "/new/a+b"),
        ("/caf%C3%A9/x%3Fy?a=%2B", 302, "/new/x%3Fy?a=%2B"),
        ("/find/a+b%26c=d", 302, "/search?q=a%2Bb%26c%3Dd"),
        ("/find/50%25?x=1", 302, "/search?q=50%25&x=1"),
        ("/plain%20%C3%A9", 410, None),
    ],
)
def test_a_path_has_one_meaning(configured, target, status, location):
    server = configured(ROUTES, {"index.html": "x"})
    r = ask(server, target, host="a.example")
    assert (r.status, r.get("Location")) == (status, location)
    assert location is None or re.fullmatch(r"[!-~]+", location)


# --- response headers -------------------------------------------------------------------------------------------------

APPLICATION = """
[[site]]
names = "app.example"
root = "{site}"
try = ["{path}", "{path}.html", "/index.html"]
headers = { X-All = "all", X-Both = "good" }
headers_always = { X-Frame-Options = "DENY", X-Both = "always" }
  [[site.route]]
  path = "/assets/*"
  try = "{path}"
  headers = { Cache-Control = "max-age=31536000, immutable" }
  [[site.route]]
  path = "/long/*"
  headers = { Cache-Control = "max-age=1000", Expires = "0", CDN-Cache-Control = "max-age=7", X-Long = "1" }
  [[site.route]]
  path = "*.html"
  headers = { X-Html = "1" }
  headers_always = { X-Html-Always = "1" }
  [[site.route]]
  path = "/re/*"
  rewrite = "/about.html"
  headers = { Cache-Control = "max-age=5" }
  [[site.route]]
  path = "*.js"
  headers = { Cache-Control = "max-age=2000" }
"""

PAGES = {"index.html": "the application", "about.html": "about", "assets/a.js": "a()", "long/b.txt": "b",
         "large.html": "x" * 1_200_000}


def test_the_page_of_an_application_poisons_no_cache(configured):
    server = configured(APPLICATION, PAGES)
    for _ in range(3):  # from the disk and from the cache
        r = ask(server, "/assets/a.js", host="app.example")
        assert (r.status, r.get("Cache-Control")) == (200, "max-age=2000"), "of two of one name the later counts"
        r = ask(server, "/assets/missing.js", host="app.example")
        assert (r.status, r.get("Cache-Control")) == (404, None)
        r = ask(server, "/long/b.txt", host="app.example")
        assert (r.get("Cache-Control"), r.get("Expires"), r.get("X-Long")) == ("max-age=1000", "0", "1")
        for missing in ("/long/missing", "/missing.js"):
            r = ask(server, missing, host="app.example")
            assert (r.status, r.text, r.get("Cache-Control")) == (200, "the application", "no-cache"), missing
            assert r.get("Expires") is None and r.get("CDN-Cache-Control") is None
        assert ask(server, "/long/missing", host="app.example").get("X-Long") == "1", "only the lifetime is left out"
        r = ask(server, "/re/x.js", host="app.example")
        assert (r.text, r.get("Cache-Control")) == ("about", "max-age=5")


def test_headers_reach_the_file_by_whatever_address(configured):
    server = configured(APPLICATION, PAGES)
    for _ in range(3):
        for target in ("/", "/index.html", "/about", "/re/x", "/large"):
            assert ask(server, target, host="app.example").get("X-Html") == "1", target
        assert ask(server, "/long/b.txt", host="app.example").get("X-Html") is None


def test_which_statuses_headers_go_with(configured):
    server = configured(APPLICATION, PAGES)

    def seen(target, *fields, method="GET"):
        r = ask(server, target, *fields, method=method, host="app.example")
        return r.status, r.get("X-All"), r.get("X-Both"), r.get("X-Frame-Options")

    tag = ask(server, "/about", host="app.example").get("ETag")
    assert seen("/about") == (200, "all", "good", "DENY")
    assert seen("/about", "Range: bytes=0-1") == (206, "all", "good", "DENY")
    assert seen("/about", f"If-None-Match: {tag}") == (304, "all", "good", "DENY")
    assert seen("/about", method="OPTIONS") == (204, "all", "good", "DENY")
    assert seen("/assets") == (301, "all", "good", "DENY")
    assert seen("/assets/none.js") == (404, None, "always", "DENY")
    assert seen("/about", method="POST") == (405, None, "always", "DENY")
    assert seen("/about", "Range: bytes=99-") == (416, None, "always", "DENY")
    assert seen("/.hidden") == (403, None, "always", "DENY")
    assert ask(server, "/assets/none.html", host="app.example").get("X-Html-Always") == "1"


# --- built-in pages ---------------------------------------------------------------------------------------------------

STRICT = """
[[site]]
names = "strict.example"
root = "{site}"
listing = "on"
headers_always = { Content-Security-Policy = "default-src 'self'", content-security-policy-report-only = "default-src 'none'" }
"""


@pytest.mark.parametrize("target, status", [("/nothing", 404), ("/dir/", 200)])
def test_a_built_in_page_brings_its_own_policy(configured, target, status):
    server = configured(STRICT, {"dir/a.txt": "a", "index.html": "x"})
    assert ask(server, "/", host="strict.example").get("Content-Security-Policy") == "default-src 'self'"
    r = ask(server, target, "Accept: text/html", host="strict.example")
    assert r.status == status
    (style,) = re.findall(r"<style>(.*?)</style>", r.text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in r.get("Content-Security-Policy")
    assert "default-src 'none'" in r.get("Content-Security-Policy")
    assert r.get("Content-Security-Policy-Report-Only") is None
    assert '<link rel="icon" href="data:,">' in r.text and " style=" not in r.text


def test_an_error_shows_the_id_of_its_request(server):
    r = server.ask("/nothing", "Accept: text/html")
    assert f"<code>{r.get('X-Request-Id')}</code>" in r.text
    r = ask(server, "/nothing", "Accept: application/json")
    assert json.loads(r.body)["request_id"] == r.get("X-Request-Id")


# --- check ------------------------------------------------------------------------------------------------------------

SITE = 'root = "{site}"\n'
ROUTE = SITE + "[[route]]\n"

MISTAKES = [  # the text, the line, the message, and the correction that it suggests
    (ROUTE + 'path = "//x"\nstatus = 410', 3, "did you mean `/x`?"),
    (ROUTE + 'path = "/a/../b"\nstatus = 410', 3, "did you mean `/b`?"),
    (ROUTE + 'path = "/a?b=c"\nstatus = 410', 3, "write `/a`"),
    (ROUTE + 'path = "/a"\nredirect = "/b c"', 4, "write %20"),
    (ROUTE + 'path = "/a"\nredirect = "/b/{foo}"', 4, "unknown placeholder `{foo}`; expected {path}, {rest}, {query}"),
    (ROUTE + 'path = "/a"\nredirect = "https://b.example$request_uri"', 4, "write {path}{query}"),
    (ROUTE + 'path = "/a"\nredirect = "/a?x=1"', 2, "loops: /a -> /a;"),
    (ROUTE + 'path = "/*"\nredirect = "/closed.html"', 2, "/example -> /closed.html -> /closed.html"),
    (ROUTE + 'path = "/a"\ntry = "$uri"', 4, "write {path}"),
    (SITE + 'try = ["$uri", "$uri/", "=404"]', 2, "remove it, since the server answers 404"),
    (SITE + 'try = ["{path}", "{path}/"]', 2, "write `{path}`"),
    (SITE + 'error_pages = { 404 = "lost.html" }', 2, "a path must begin with /"),
    (SITE + '[headers]\nX-A = "1"\nlisting = "on"', 4, "`listing` is in [headers], which makes it a header"),
    (SITE + '[headers]\nworkers = 2', 3, "`workers` is in [headers]"),
    (SITE + '[headers]\nlinks_into = "/usr/share"', 3, "`links_into` is in [headers]"),
    (SITE + 'listen = [":8080", "127.0.0.1:8080"]', 2, "`127.0.0.1:8080` is included in `:8080`: remove it"),
    (SITE + 'user = "nobody-of-this-name"', 2, "there is no user `nobody-of-this-name`"),
    (SITE + f'user = "{getpass.getuser()}"\ngroup = "no-such-group"', 3, "there is no group `no-such-group`"),
    (SITE + 'control = "/no/such/directory/control"', 2, "the directory /no/such/directory does not exist"),
    (SITE + 'listen = "192.0.2.1:8080"', 2, "this machine has no such address"),
    ('root = "{site}/absent"\n', 1, "cannot be served"),
]

WARNINGS = [
    (SITE + 'listen = ["127.0.0.1:8080", "127.0.0.1:8080"]', 2, "listed twice: remove one"),
    (SITE + '[headers]\nlistning = "on"', 3, "if you mean the key `listing`, move it out of [headers]"),
    (SITE + '[headers]\nX_Token = "1"', 3, "many proxies drop header names"),
    (SITE + '[headers]\nStrict-Transport-Security = "max-age=1"', 3, "move it to [headers_always]"),
    (SITE + 'index = "start.html"', 2, "`/` is answered with 403"),
    (SITE + 'try = ["{path}", "/app.html"]', 2, "`try` names `/app.html`, which is not in"),
    (SITE + 'error_pages = { 404 = "/lost.html" }', 2, "the server sends its built-in page"),
    (ROUTE + 'path = "/a/*"\nrewrite = "/app.html"', 2, "the route `/a/*` rewrites to `/app.html`, which is not in"),
    (ROUTE + 'path = "/a/*"\ntry = "/app.html"', 4, "`try` names `/app.html`, which is not in"),
    (ROUTE + 'path = "/*"\nrewrite = "/index.html"', 2, 'path = "/healthz", try = "{path}"'),
    (ROUTE + 'path = "*.html"\nstatus = 410', 2, "hides /stats.html, which the server answers itself"),
    (SITE + 'control = "/run/no-such-directory/control"', 2, "RuntimeDirectory="),
]


def checked(place, text, index="index.html"):
    fill_tree(place / "site", {index: "x"})
    file = place / "c.toml"
    file.write_text(text.replace("{site}", str(place / "site")) + "\n")
    return file, run("check", "--config", file)


@pytest.mark.parametrize("text, line, said", MISTAKES, ids=lambda v: str(v).splitlines()[-1][:50])
def test_check_finds_a_mistake(place, text, line, said):
    if "listen" not in text:
        text = f'listen = "127.0.0.1:{free_port()}"\n{text}'
        line += 1
    file, r = checked(place, text)
    assert r.returncode == 2, r
    (told,) = [each for each in r.stderr.splitlines() if said in each]
    assert told.startswith(f"{file}:{line}:"), told
    # A start refuses every configuration that check rejects.
    started = run("--config", file)
    assert started.returncode in (1, 2), started


@pytest.mark.parametrize("text, line, said", WARNINGS, ids=lambda v: str(v).splitlines()[-1][:50])
def test_check_warns(place, text, line, said):
    if "listen" not in text:
        text = f'listen = "127.0.0.1:{free_port()}"\n{text}'
        line += 1
    file, r = checked(place, text)
    assert r.returncode == 0, r
    (told,) = [each for each in r.stderr.splitlines() if said in each]
    assert told.startswith(f"warning: {file}:{line}:"), told


@pytest.mark.parametrize("text", [
    SITE,
    SITE + '[headers]\nX-A = "1"\nvia = "1"\nLink = "x"\n[headers_always]\nX-Frame-Options = "DENY"',
    ROUTE + 'path = "/healthz"\ntry = "{path}"\n[[route]]\npath = "/metrics"\ntry = "{path}"\n[[route]]\n'
    'path = "*.html"\ntry = "{path}"\n[[route]]\npath = "/stats.json"\ntry = "{path}"\n[[route]]\npath = "/*"\n'
    'rewrite = "/index.html"',
    ROUTE + 'path = "/*"\nredirect = "https://example.org{path}{query}"\n[stats]\nallow = "none"',
    ROUTE + 'path = "/*"\nrewrite = "/index.html"\n[stats]\nallow = "none"',
])
def test_check_is_content(place, text):
    _, r = checked(place, f'listen = "127.0.0.1:{free_port()}"\n{text}')
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout == "no mistakes, 0 warnings; 1 site\n"


def test_an_address_in_use_is_a_warning(place):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        file, r = checked(place, f'listen = "127.0.0.1:{port}"\n{SITE}')
    assert r.returncode == 0
    assert f"warning: {file}:1:10: `127.0.0.1:{port}` is in use by " in r.stderr
    assert f"(process {os.getpid()})" in r.stderr


def test_a_listener_twice_on_the_command_line(place):
    fill_tree(place / "site", {"index.html": "x"})
    port = free_port()
    r = run("check", place / "site", "--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}")
    assert r.returncode == 0 and f"warning: `127.0.0.1:{port}` is listed twice" in r.stderr, r
    r = run(place / "site", "--listen", f"127.0.0.1:{port}", "--listen", f"0.0.0.0:{port}")
    assert r.returncode == 2 and f"`127.0.0.1:{port}` is included in `0.0.0.0:{port}`: remove it" in r.stderr, r


def test_a_start_logs_what_check_warns_of(configured):
    server = configured('[[site]]\nnames = "a.example"\nroot = "{site}"\nerror_pages = { 404 = "/lost.html" }\n',
                        {"index.html": "x"})
    wait_until(lambda: "the error page `/lost.html` for 404 is not in" in server.error_log.read_text(), "the warning is logged")


# --- explain ----------------------------------------------------------------------------------------------------------

EXPLAINED = """
listing = "on"
error_pages = { 404 = "/lost.html" }
[headers]
X-All = "1"
[headers_always]
X-Always = "2"
Content-Security-Policy = "default-src 'self'"
[[site]]
names = "site.example"
root = "{site}"
try = ["{path}", "{path}.html"]
  [[site.route]]
  path = "/old/*"
  redirect = "/new/{rest}{query}"
  code = 308
  [[site.route]]
  path = "/gone"
  status = 410
  [[site.route]]
  path = "/app/*"
  try = ["{path}", "/app.html"]
  headers = { Cache-Control = "max-age=9" }
  [[site.route]]
  path = "/re/*"
  rewrite = "/about.html"
  [[site.route]]
  path = "*.html"
  headers = { X-Html = "3" }
[[site]]
names = "*.wild.example"
root = "{site}"
"""

ANSWERS = ["/", "/about", "/about.html", "/about/", "/none", "/none.html", "/gone", "/old/a%20b?x=1", "/old", "/app",
           "/app/some/where", "/app.html", "/re/x", "/re", "/dir", "/dir/", "/dir/?x", "/.hidden", "/a%2Fb", "/%zz",
           "/large.bin", "/stats.html", "/healthz", "/metrics", "/stats.json", "/lost.html", "/%C3%A9", "/unreadable"]


def test_explain_agrees_with_the_server(configured):
    """For each of these, explain prints the status and headers that the server sends."""
    server = configured(EXPLAINED, {"index.html": "i", "about.html": "about", "app.html": "app", "lost.html": "lost",
                                    "dir/a.txt": "a", "large.bin": b"x" * 100_000, "\u00e9": "e", "unreadable": "x"})
    (server.site / "unreadable").chmod(0)
    of_the_connection = {"server", "date", "connection", "x-request-id", "etag", "content-length",
                         "last-modified"}  # which is not sent while the file is new
    for host in ("site.example", "a.wild.example"):
        for target in ANSWERS:
            told = run("explain", f"http://{host}{target}", "--config", server.configuration)
            assert told.returncode == 0, told
            lines = [line.split(None, 1) for line in told.stdout.splitlines()]
            (status,) = [int(what.split()[0]) for kind, what in (l for l in lines if len(l) == 2) if kind == "answer"]
            r = ask(server, target, host=host)
            assert status == r.status, (host, target, told.stdout)
            if target in ("/stats.html", "/healthz", "/metrics", "/stats.json"):
                continue
            headers = sorted(what for kind, what in (l for l in lines if len(l) == 2) if kind == "header")
            headers = [h for h in headers if h.split(":")[0].lower() not in of_the_connection]
            sent = sorted(f"{n}: {v}" for n, v in r.fields if n.lower() not in of_the_connection)
            assert headers == sent, (host, target)


def test_explain_tells_why(place):
    fill_tree(place / "site", {"index.html": "i", "about.html": "a", "app.html": "app", "lost.html": "lost"})
    file = place / "c.toml"
    file.write_text(EXPLAINED.replace("{site}", str(place / "site")))

    def told(address):
        return run("explain", address, "--config", file).stdout

    assert f"file      {place}/site/about.html" in told("http://site.example/about")
    assert f"file      {place}/site/about.html" in told("/about"), "of the first site where there is no default"
    gone = told("/gone")
    assert "410 Gone" in gone and "the route /gone sets this status" in gone and "built into the server" in gone
    none = told("/none")
    assert "404 Not Found" in none and f"page      {place}/site/lost.html" in none and "X-Always: 2" in none
    assert "X-All" not in none
    assert "the fallback for a missing file" in told("/app/x")
    assert "the server answers this itself" in told("/healthz")
    assert run("explain", "/about", place / "site").stdout.count("404 Not Found") == 1  # the default site of a directory
    assert "421" in told("http://elsewhere.example/")


# --- programs ---------------------------------------------------------------------------------------------------------


def put_program(file, text="#!/bin/sh\n"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def test_cgi_on_the_command_line_is_a_route_in_front_of_the_others(place):
    put_program(place / "site/cgi-bin/a")
    put_program(place / "site/b/c/a")
    file = place / "c.toml"
    file.write_text(f"""root = "{place}/site"
[[route]]
path = "/*"
try = ["{{path}}", "/missing"]
""")
    words = ("--config", file, "--cgi", "/cgi-bin/", "--cgi", "/b/c")
    assert run("check", "--config", file).stderr.startswith(f"warning: {file}:4:7: ")
    r = run("check", *words)
    assert (r.returncode, r.stderr.count("warning")) == (0, 1), r.stderr
    assert r.stderr.startswith(f"warning: {file}:4:7: "), "the places of the other routes are still right"
    for prefix in ("/cgi-bin", "/b/c"):
        said = run("explain", f"{prefix}/a", *words).stdout
        assert f"route     {prefix}/*: the programs in {place}/site{prefix}\n" in said
    assert "route     /*: try" in run("explain", "/cgi-binary", *words).stdout


def test_explain_says_how_programs_are_run(place):
    put_program(place / "site/x/a")
    file = place / "c.toml"
    file.write_text(f"""root = "{place}/site"
[[route]]
path = "/x/*"
cgi = {{ running = 3, waiting = 4, wait_seconds = 5, memory_bytes = 2000000, environment = {{ A = "b" }} }}
""")
    said = run("explain", "/x/a/rest?q", "--config", file).stdout
    for row in ("answer    that of the program",
                "running   at most 3 at once; 4 more requests wait, each for 5 s at most",
                "limits    60 s without output, 3600 s in all, 2000000 bytes of memory, 1024 open files",
                "variable  A=b"):
        assert f"{row}\n" in said
    assert "answer    404" in run("explain", "/y", "--config", file).stdout


@pytest.mark.parametrize("words, why", [
    (("--cgi", "cgi-bin/"), "--cgi cgi-bin/: expected the beginning of a path, such as /cgi-bin/"),
    (("--cgi", "/a/../b/"), "--cgi /a/../b/: expected the beginning of a path"),
    (("--cgi", "/a%2Fb/"), "--cgi /a%2Fb/: expected the beginning of a path"),
    (("--cgi", "*.cgi"), "--cgi *.cgi: expected the beginning of a path"),
])
def test_a_wrong_prefix_of_programs(place, words, why):
    (place / "site").mkdir(exist_ok=True)
    r = run("check", place / "site", *words)
    assert (r.returncode, why in r.stderr) == (2, True), r.stderr


def test_programs_need_a_directory_to_serve(place):
    (place / "a").mkdir()
    (place / "c.toml").write_text(f'[[site]]\nnames = "a.example"\nroot = "{place}/a"\n')
    r = run("check", "--config", place / "c.toml", "--cgi", "/x/")
    assert (r.returncode, "--cgi needs a directory to serve" in r.stderr) == (2, True), r.stderr


PROGRAMS = """root = "{site}"
[[route]]
path = "/cgi-bin/*"
cgi = {}
[[route]]
path = "/one/*"
cgi = { program = "{site}/one", working_directory = "/no/such/directory" }
[[route]]
path = "*.php"
cgi = { interpreter = "/no/such/php" }
"""


def test_check_finds_programs_that_cannot_be_run(place):
    site = place / "site"
    put_program(site / "cgi-bin/broken", "#!/no/such/sh\n")
    put_program(site / "cgi-bin/good")
    (site / "cgi-bin/data.txt").write_text("data")
    put_program(site / "one")
    file = place / "c.toml"
    file.write_text(PROGRAMS.replace("{site}", str(site)))
    r = run("check", "--config", file)
    assert r.returncode == 0, r.stderr
    for line in (
        f"{file}:4:7: {site}/cgi-bin/broken cannot be run: its first line names /no/such/sh, which does not exist",
        f"{file}:4:7: data.txt in {site}/cgi-bin cannot be run: not executable",
        f"{file}:7:7: `working_directory` is /no/such/directory, which is not a directory: no program can start",
        f"{file}:10:7: /no/such/php does not exist",
    ):
        assert f"warning: {line}\n" in r.stderr
    r = run("check", "--config", file, "--state", "/no/such/state")
    assert (r.returncode, "`state` is /no/such/state, which is not a directory" in r.stderr) == (2, True)


def test_mistakes_in_the_rules_of_programs(place):
    file = place / "c.toml"
    file.write_text("""root = "."
[[route]]
path = "/a"
cgi = { directory = "x", runing = 3 }
""")
    r = run("check", "--config", file)
    assert r.returncode == 2
    assert f"{file}:4:26: unknown key `runing` in [site.route.cgi]; did you mean `running`?" in r.stderr
    assert f"{file}:4:7: a `directory` of programs needs a path such as" in r.stderr


def test_the_server_says_which_programs_it_runs(serve, place):
    site = place / "programs"
    put_program(site / "cgi-bin/a")
    server = serve(site=site, arguments=["--cgi", "/cgi-bin/"])
    told(server, f"programs answer /cgi-bin/*: {site}/cgi-bin")


SOURCES = """[[site]]
names = "a.example"
root = "{site}"
index = ["index.html", "index.php"]
  [[site.route]]
  path = "/fixed/*"
  try = "/one.php"
  [[site.route]]
  path = "/moved/*"
  rewrite = "/one.php"
  [[site.route]]
  path = "/run/*"
  try = ["/bin/program", "/bin/data"]
  [[site.route]]
  path = "/data/*"
  try = "/bin/data"
  [[site.route]]
  path = "/shown/*"
  try = "{path}"
  [[site.route]]
  path = "*.php"
  cgi = { interpreter = "/bin/false" }
  [[site.route]]
  path = "/bin/*"
  cgi = {}
"""


def test_the_source_of_a_program_is_sent_by_no_address(configured):
    server = configured(SOURCES, {"index.php": "secret", "one.php": "secret", "bin/program": "secret",
                                  "bin/data": "data", "shown/a.php": "shown", "sub/index.php": "secret"})
    (server.site / "bin/program").chmod(0o755)
    for _ in range(2):  # from the disk and from the cache
        for target in ("/", "/sub/", "/fixed/a", "/run/a"):
            r = ask(server, target, host="a.example")
            assert (r.status, "secret" in r.text) == (403, False), target
        assert ask(server, "/data/a", host="a.example").text == "data"
        assert ask(server, "/shown/a.php", host="a.example").text == "shown", "an earlier route says so"
