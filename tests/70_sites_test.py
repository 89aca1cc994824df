# SPDX-License-Identifier: MIT
"""Sites and routes over real sockets, the output of `check` and `explain` for them, and how a reload changes them."""

import os
import signal
import subprocess
import threading

import pytest

from harness import binary, fill_tree, wait_until

SITES = """
[headers]
X-From = "the top"
[[site]]
names = ["one.example", "*.one.example"]
root = "{place}/one"
error_pages = {{ 404 = "/lost.html" }}
headers_always = {{ X-Site = "one" }}
  [[site.route]]
  path = "*.css"
  headers = {{ Cache-Control = "max-age=60", X-From = "" }}
  [[site.route]]
  path = "/old/*"
  redirect = "/new/{{rest}}{{query}}"
  code = 308
  [[site.route]]
  path = "/away"
  redirect = "https://two.example{{path}}"
  [[site.route]]
  path = "/soon"
  redirect = "/later"
  headers = {{ Cache-Control = "max-age=5" }}
  [[site.route]]
  path = "/app/*"
  rewrite = "/app.html"
  [[site.route]]
  path = "/closed"
  status = 410
[[site]]
names = "two.example"
root = "{place}/two"
"""


def with_sites(serve, place, text=SITES):
    """A server with its default site and those of a file; yields the server and the file."""
    fill_tree(place / "one", {"index.html": "one", "a.txt": "a of one", "s.css": "b {}", "app.html": "the app",
                              "lost.html": "lost in one"})
    fill_tree(place / "two", {"index.html": "two", "a.txt": "a of two"})
    file = place / "sites.toml"
    file.write_text(text.format(place=place))
    return serve(arguments=["--config", str(file)]), file


ODD_PATHS = {  # and the path in the URL
    "/old/a%2Fb": "/new/a%2Fb", "/old/a%2fb/": "/new/a%2Fb/", "/old/%ff%0A": "/new/%FF%0A", "/old/a%5Cb?q": "/new/a%5Cb?q",
    "/old/x?\"<>": "/new/x?%22%3C%3E",
}


def test_routes_of_paths_that_name_no_file(serve, place):
    """Routes match the path of the request, whether it can name a file or not; an encoded slash does not separate segments."""
    server, _ = with_sites(serve, place)
    for target, to in ODD_PATHS.items():
        r = ask(server, "one.example", target)
        assert (r.status, r.get("Location")) == (308, to), target
    for target in ("/app/a%2fb", "/app/%ff", "/app/%0a"):
        assert ask(server, "one.example", target).body == b"the app", target
    for target in ("/old%2fx", "/app%2fx", "/closed%2f", "/%2fclosed"):
        assert ask(server, "one.example", target).status == 404, target
    assert ask(server, "one.example", "/away%2f").status == 404


def ask(server, host, target="/", method="GET", *fields):
    with server.connect() as c:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
        return c.send("\r\n".join(lines) + "\r\n\r\n").response(to=method)


def told(server, what, times=1):
    wait_until(lambda: server.error_log.read_text().count(what) >= times, f"the error log says: {what}")


# --- sites ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("often", [1, 5], ids=["from the disk", "from the cache"])
def test_the_name_decides(serve, place, often):
    server, _ = with_sites(serve, place)
    for _ in range(often):
        assert ask(server, "one.example", "/a.txt").text == "a of one"
        assert ask(server, "TWO.example.:80", "/a.txt").text == "a of two"
        assert ask(server, "x.one.example", "/a.txt").text == "a of one"
        assert ask(server, "elsewhere.example", "/a.txt").text == "the letter a\n", "the default"


def test_without_a_default_other_names_are_misdirected(serve, place):
    fill_tree(place / "one", {"index.html": "one"})
    file = place / "c.toml"
    file.write_text(f'[[site]]\nnames = "localhost"\nroot = "{place}/one"\n')
    server = serve(arguments=["--config", str(file)], files={})
    # The directory of the command line is the default; take it away.
    server.stop()
    server.words.remove(str(server.site))
    server.exit_code = None
    server.start()
    assert ask(server, "localhost").text == "one"
    assert ask(server, "other").status == 421


def test_headers_add_up(serve, place):
    server, _ = with_sites(serve, place)
    for _ in range(3):
        r = ask(server, "one.example", "/a.txt")
        assert (r.get("X-From"), r.get("X-Site"), r.get("Cache-Control")) == ("the top", "one", "no-cache")
        r = ask(server, "one.example", "/s.css")
        assert (r.get("X-From"), r.get("X-Site"), r.get("Cache-Control")) == (None, "one", "max-age=60")
    r = ask(server, "one.example", "/s.css", "GET", f"If-None-Match: {r.get('ETag')}")
    assert (r.status, r.get("Cache-Control")) == (304, "max-age=60")
    r = ask(server, "one.example", "/none.css")
    assert (r.status, r.get("X-Site"), r.get("Cache-Control")) == (404, "one", None), "an error is not kept so long"
    assert ask(server, "two.example").get("X-Site") is None
    assert ask(server, "localhost").get("X-From") == "the top"


def test_error_pages_are_the_sites_own(serve, place):
    server, _ = with_sites(serve, place)
    assert (ask(server, "one.example", "/nothing").status, ask(server, "one.example", "/nothing").text) == (
        404,
        "lost in one",
    )
    assert "lost in one" not in ask(server, "two.example", "/nothing").text


# --- routes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_redirects(serve, place, method):
    server, _ = with_sites(serve, place)
    r = ask(server, "one.example", "/old/a%20b?x=1", method)
    assert (r.status, r.get("Location")) == (308, "/new/a%20b?x=1")
    r = ask(server, "one.example", "/old", method)
    assert (r.status, r.get("Location")) == (308, "/new/")
    r = ask(server, "one.example", "/away", method)
    assert (r.status, r.get("Location"), r.get("X-Site")) == (302, "https://two.example/away", "one")


def test_how_long_a_redirect_is_kept(serve, place):
    """A permanent redirect may be cached as long as a page: otherwise browsers would keep a mistake for ever."""
    fill_tree(place / "one/dir", {"index.html": "dir"})
    server, _ = with_sites(serve, place)
    for target, status, wanted in (("/old/a", 308, "no-cache"), ("/old/a.css", 308, "max-age=60"), ("/away", 302, None),
                                   ("/soon", 302, "max-age=5"), ("/dir", 301, "no-cache")):
        r = ask(server, "one.example", target)
        assert (r.status, r.get("Cache-Control"), r.get("X-Site")) == (status, wanted, "one"), target


def test_options_has_the_sites_headers(serve, place):
    """Browsers look there for the permissions of pages of other sites."""
    server, _ = with_sites(serve, place)
    for target, top in (("/a.txt", "the top"), ("/none.css", None), ("*", "the top")):
        r = ask(server, "one.example", target, "OPTIONS")
        assert (r.status, r.get("Allow"), r.get("X-Site"), r.get("X-From")) == (204, "GET, HEAD, OPTIONS", "one", top)


def test_no_client_chooses_where_a_redirect_leads(serve, place):
    server, _ = with_sites(serve, place)
    for target in ("/old//evil.example/", "/old/..//evil.example", "/old/%2e%2e/%2e%2e//evil.example", "//evil.example"):
        location = ask(server, "one.example", target).get("Location")
        assert location is None or location.startswith("/new/"), location
    assert ask(server, "one.example", "/old/%0d%0aX-Evil:%201").get("Location") == "/new/%0D%0AX-Evil%3A%201"


def test_rewrites(serve, place):
    server, _ = with_sites(serve, place)
    for target in ("/app", "/app/", "/app/some/where?x=1", "/app/x"):
        r = ask(server, "one.example", target)
        assert (r.status, r.text) == (200, "the app"), target


def test_status(serve, place):
    server, _ = with_sites(serve, place)
    assert ask(server, "one.example", "/closed").status == 410
    assert ask(server, "two.example", "/closed").status == 404


# --- check and explain ------------------------------------------------------------------------------------------------


def run(*words):
    return subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


def test_check_tells_all_at_once(place, engine):
    file = place / "c.toml"
    file.write_text('listne = ":80"\n[[site]]\nroot = "a"\n[[site]]\nnames = "b"\nroot = 1\n')
    r = run("check", "--config", file)
    assert r.returncode == 2
    assert f"{file}:1:1: unknown key `listne`; did you mean `listen`?" in r.stderr
    assert f"{file}:2:1: no request can reach this site" in r.stderr
    assert f"{file}:6:8: expected a string" in r.stderr
    assert "3 mistakes" in r.stderr


def test_check_of_a_good_one(place, engine):
    fill_tree(place, {"site/index.html": "x"})
    file = place / "c.toml"
    file.write_text(f'root = "{place}/site"\n[[route]]\npath = "/a/*"\nstatus = 410\n'
                    '[[route]]\npath = "/a/b"\nstatus = 403\n')
    r = run("check", "--config", file)
    assert (r.returncode, r.stdout) == (0, "no mistakes, 1 warning; 1 site\n")
    assert f"warning: {file}:5:1: the route `/a/b` is never used" in r.stderr


def test_check_of_a_directory_that_is_not_there(place, engine):
    r = run("check", place / "absent")
    assert r.returncode == 2
    assert "absent cannot be served" in r.stderr


def test_explain(place, engine):
    fill_tree(place / "one", {"a.txt": "a of one", "app.html": "the app"})
    fill_tree(place / "two", {"a.txt": "a of two"})
    file = place / "c.toml"
    file.write_text(SITES.format(place=place))
    r = run("explain", "http://one.example/a.txt", "--config", file)
    assert r.returncode == 0, r.stderr
    assert f"one.example, *.one.example, in {place}/one" in r.stdout
    assert f"{place}/one/a.txt" in r.stdout
    assert "200 OK" in r.stdout and "X-Site: one" in r.stdout and "kept when requested" in r.stdout
    assert "encoded" not in r.stdout
    fill_tree(place / "one", {"a.txt.br": "x", "a.txt.gz": "x"})
    os.utime(place / "one/a.txt.gz", (1, 1))
    r = run("explain", "http://one.example/a.txt", "--config", file)
    assert f"encoded   {place}/one/a.txt.br\n" in r.stdout
    assert f"encoded   {place}/one/a.txt.gz: not used, because it is empty or older" in r.stdout
    r = run("explain", "http://one.example/old/x", "--config", file)
    assert "/old/*: redirect to /new/{rest}{query}" in r.stdout
    assert "308 Permanent Redirect" in r.stdout and "Location: /new/x" in r.stdout
    r = run("explain", "http://nobody.example/", "--config", file)
    assert "421" in r.stdout


# --- reload -----------------------------------------------------------------------------------------------------------


def test_a_reload_takes_what_is_new(serve, place):
    server, file = with_sites(serve, place)
    with server.connect() as c:
        parked = "GET /a.txt HTTP/1.1\r\nHost: two.example\r\n\r\n"
        assert c.send(parked).response().text == "a of two"
        file.write_text(SITES.format(place=place).replace("two.example", "three.example"))
        server.signal(signal.SIGHUP)
        told(server, "SIGHUP: configuration reloaded")
        assert c.send(parked).response().text == "the letter a\n", "an idle connection stays, and sees what is new"
    assert ask(server, "three.example", "/a.txt").text == "a of two"
    assert ask(server, "one.example", "/a.txt").text == "a of one"


def test_a_reload_follows_a_link_to_another_version(serve, place):
    """At once, even if the cache has a fresh page of the old root."""
    for version in ("1", "2", "3"):
        fill_tree(place / f"version{version}", {"index.html": version})
    link = place / "present"
    link.symlink_to("version1")
    server = serve({}, site=link, workers=1)
    for n, version in enumerate(("1", "2", "3")):
        if n > 0:
            link.unlink()
            link.symlink_to(f"version{version}")
            server.signal(signal.SIGHUP)
            told(server, "configuration reloaded", n)
        for _ in range(5):
            assert server.ask("/").text == version


def test_a_reload_with_mistakes_changes_nothing(serve, place):
    server, file = with_sites(serve, place)
    file.write_text("[[site]]\nnames = 1\nroot = 2\n")
    server.signal(signal.SIGHUP)
    told(server, "SIGHUP: reload failed, the configuration is unchanged")
    assert f"error: {file}:2:9: expected a string or an array" in server.error_log.read_text()
    assert f"error: {file}:3:8: expected a string" in server.error_log.read_text()
    assert ask(server, "two.example", "/a.txt").text == "a of two"
    file.write_text(f'[[site]]\nnames = "x"\nroot = "{place}/absent"\n')
    server.signal(signal.SIGHUP)
    told(server, "the configuration is unchanged", 2)
    assert f"{place}/absent cannot be served" in server.error_log.read_text()
    assert ask(server, "two.example", "/a.txt").text == "a of two"


def test_settings_that_cannot_change_are_reported(serve, place):
    server, file = with_sites(serve, place)
    file.write_text(SITES.format(place=place).replace("\n[headers]", "spare_workers = 9\n[headers]"))
    server.signal(signal.SIGHUP)
    told(server, "warning: `spare_workers` takes effect after a restart")
    told(server, "configuration reloaded")


def test_reloads_under_load_fail_no_request(serve, place):
    server, file = with_sites(serve, place)
    over = threading.Event()
    answered, wrong = [0] * 4, []

    def client(me):
        host, text = ("one.example", "a of one") if me % 2 else ("two.example", "a of two")
        with server.connect() as c:
            while not over.is_set():
                r = c.send(f"GET /a.txt HTTP/1.1\r\nHost: {host}\r\n\r\n").response()
                answered[me] += 1
                if (r.status, r.text) != (200, text):
                    wrong.append((r.status, r.text))

    threads = [threading.Thread(target=client, args=(me,)) for me in range(4)]
    for t in threads:
        t.start()
    for i in range(1, 21):
        file.write_text(SITES.format(place=place).replace('"one"\n', f'"one"\n# {i}\n').replace("max-age=60", f"max-age={i}"))
        server.signal(signal.SIGHUP)
        told(server, "configuration reloaded", i)
    seen = ask(server, "one.example", "/s.css").get("Cache-Control")
    before = list(answered)
    wait_until(lambda: all(a > b for a, b in zip(answered, before)) or wrong, "every client is still answered")
    over.set()
    for t in threads:
        t.join()
    assert not wrong
    assert seen == "max-age=20"
