# SPDX-License-Identifier: MIT
"""Common clients."""

import gzip
import os
import random
import shutil
import subprocess
import urllib.request

import pytest

from harness import DEADLINE, wait_until

curl_is_there = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
wget_is_there = pytest.mark.skipif(shutil.which("wget") is None, reason="wget is not installed")


def run(*words, **options):
    # Ignore the proxies and settings of the user.
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(words, capture_output=True, timeout=DEADLINE, env=environment, check=False, **options)


def curl(*words):
    ended = run("curl", "-q", "-sS", "--noproxy", "*", "--max-time", str(DEADLINE / 2), *words)
    assert ended.returncode == 0, ended
    return ended.stdout.decode()


def address(server, path="/"):
    return f"http://127.0.0.1:{server.port}{path}"


# --- curl -------------------------------------------------------------------------------------------------------------


@curl_is_there
def test_curl_gets_a_page(standing):
    assert curl(address(standing, "/a.txt")) == "the letter a\n"


@curl_is_there
def test_curl_reuses_the_connection(standing):
    said = curl("-w", "%{num_connects};", address(standing, "/a.txt"), address(standing, "/dir/b.css"),
                address(standing, "/none"), "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null")
    assert said == "1;0;0;"


@curl_is_there
def test_curl_as_1_0(standing):
    said = curl("--http1.0", "-i", address(standing, "/a.txt"))
    assert "\r\nConnection: close\r\n" in said and said.endswith("\r\n\r\nthe letter a\n")


@curl_is_there
def test_curl_head(standing):
    said = curl("-I", address(standing, "/a.txt"))
    assert said.startswith("HTTP/1.1 200 OK\r\n") and "\r\nContent-Length: 13\r\n" in said
    assert said.endswith("\r\n\r\n")


@curl_is_there
def test_curl_follows_to_the_directory(standing):
    assert "<title>dir" in curl("-L", address(standing, "/dir"))


@curl_is_there
@pytest.mark.parametrize("size", [5, 100_000, 900_000, 5_000_000])
@pytest.mark.parametrize("field", [None, "Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"])
def test_curl_uploads_are_refused(standing, place, size, field):
    (place / "upload").write_bytes(b"x" * size)
    how = ["-H", field] if field else []
    status = "413" if size > 1024 * 1024 and field != "Transfer-Encoding: chunked" else "405"
    for verb in (["-T", str(place / "upload")], ["--data-binary", f"@{place / 'upload'}"]):
        said = curl("-o", "/dev/null", "-w", "%{http_code}", *verb, *how, address(standing, "/a.txt"))
        assert said == status


@curl_is_there
def test_curl_posts_then_gets_on_one_connection(standing):
    said = curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects};", "-d", "hello", address(standing, "/a.txt"),
                "--next", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects};", address(standing, "/a.txt"))
    assert said == "405 1;200 0;"


@curl_is_there
def test_curl_with_the_path_as_it_is(standing):
    for path, status in (("/../a.txt", "400"), ("/dir/../a.txt", "200"), ("/./a.txt", "200"), ("/.git/config", "403")):
        assert curl("--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", address(standing, path)) == status


@curl_is_there
def test_curl_options(standing):
    said = curl("-i", "-X", "OPTIONS", "--request-target", "*", address(standing))
    assert said.startswith("HTTP/1.1 204 No Content\r\n") and "\r\nAllow: GET, HEAD, OPTIONS\r\n" in said


@curl_is_there
def test_curl_many_at_once(serve):
    r = random.Random(3)
    files = {f"{i}.bin": r.randbytes(r.choice([10, 5000, 200_000])) for i in range(100)}
    server = serve(files=files)
    got = server.site.parent / "got"
    got.mkdir()
    curl("-Z", "--parallel-max", "20", "--fail", "-o", f"{got}/#1.bin", address(server, "/[0-99].bin"))
    assert {path.name: path.read_bytes() for path in got.iterdir()} == files


@curl_is_there
def test_curl_decompresses(serve):
    text = "".join(f"line {i}\n" for i in range(1000))
    server = serve(files={"page.txt": text, "by-hand.txt": text, "by-hand.txt.gz": gzip.compress(text.encode())},
                   workers=1)

    def coding(name):
        # Compare the response as sent, because curl may print a decoded one differently.
        said = curl("--compressed", "-o", "/dev/null", "-D", "-", address(server, f"/{name}"))
        found = [line.split(": ")[1] for line in said.splitlines() if line.lower().startswith("content-encoding")]
        assert curl("--compressed", address(server, f"/{name}")) == text
        return found

    wait_until(lambda: coding("page.txt"), "the text is sent compressed")
    assert coding("by-hand.txt") == ["gzip"]
    assert curl(address(server, "/page.txt")) == text


@curl_is_there
@pytest.mark.parametrize("size", [5000, 2_000_000], ids=["kept", "from the disk"])
def test_curl_resumes(serve, place, size):
    content = random.Random(size).randbytes(size)
    server = serve(files={"file.bin": content})
    got = place / "got.bin"
    for had in (1, size // 2, size - 1):
        got.write_bytes(content[:had])
        said = curl("-C", "-", "-o", str(got), "-w", "%{http_code} %{size_download}", address(server, "/file.bin"))
        assert (said, got.read_bytes() == content) == (f"206 {size - had}", True)
    assert curl("-r", "1-2,5-5", "-o", "/dev/null", "-w", "%{http_code}", address(server, "/file.bin")) == "206"


@curl_is_there
def test_curl_if_modified(serve, place):
    server = serve()
    page = server.site / "a.txt"
    os.utime(page, (784_111_777, 784_111_777))
    got, tag = place / "got.txt", place / "tag"

    def news(*how):
        return curl(*how, "-o", str(got), "-w", "%{http_code}", address(server, "/a.txt"))

    assert news("-R", "--etag-save", str(tag)) == "200"
    assert news("-z", str(got)) == "304"
    assert news("-z", "Sat, 05 Nov 1994 08:49:37 GMT") == "200"
    assert news("--etag-compare", str(tag)) == "304"
    page.write_text("the letter A\n")
    wait_until(lambda: news("-z", "Sun, 06 Nov 1994 08:49:37 GMT") == "200", "the newer page")
    # Each core has its own cache, which may be stale for a second.
    wait_until(lambda: news("--etag-compare", str(tag)) == "200", "the newer page, on every core")
    assert got.read_text() == "the letter A\n"


# --- wget -------------------------------------------------------------------------------------------------------------


@wget_is_there
def test_wget_fetches_a_tree(serve):
    def page(*links):
        return "<!doctype html><title>t</title>" + "".join(f'<a href="{link}">x</a>' for link in links)

    files = {
        "index.html": page("a.html", "dir/", "with%20space.html", "caf%C3%A9.html", "large.bin"),
        "a.html": page("/", "dir/b.html", "none.html"),
        "dir/index.html": page("b.html", "deeper/c.html"),
        "dir/b.html": page("../a.html"),
        "dir/deeper/c.html": page(),
        "with space.html": page(),
        "caf\u00e9.html": page(),
        "large.bin": random.Random(5).randbytes(2_000_000),
    }
    server = serve(files=files)
    got = server.site.parent / "got"
    got.mkdir()
    ended = run("wget", "--no-config", "--no-proxy", "-q", "-r", "-nH", "-e", "robots=off", "--tries=1",
                "--restrict-file-names=nocontrol", "-P", str(got), address(server))
    assert ended.returncode == 8, ended  # one link is broken
    found = {str(path.relative_to(got)): path.read_bytes() for path in got.glob("**/*") if path.is_file()}
    wanted = {name: content if isinstance(content, bytes) else content.encode() for name, content in files.items()}
    assert found == wanted


@wget_is_there
def test_wget_takes_the_date_of_the_file(standing, place):
    ended = run("wget", "--no-config", "--no-proxy", "-q", "-P", str(place), address(standing, "/a.txt"))
    assert ended.returncode == 0, ended
    assert int((place / "a.txt").stat().st_mtime) == int((standing.site / "a.txt").stat().st_mtime)


def wget(*words):
    return run("wget", "--no-config", "--no-proxy", "--tries=1", *words)


@wget_is_there
@pytest.mark.parametrize("size", [5000, 2_000_000], ids=["kept", "from the disk"])
def test_wget_resumes(serve, place, size):
    content = random.Random(size).randbytes(size)
    server = serve(files={"file.bin": content})
    got = place / "file.bin"
    for had in (0, 1, size // 2, size):
        got.write_bytes(content[:had])
        ended = wget("-c", "-P", str(place), address(server, "/file.bin"))
        assert (ended.returncode, got.read_bytes() == content) == (0, True), ended
        # For a complete file the server answers 416, and wget treats that as the end.
        assert {0: b"200 OK", size: b"416 "}.get(had, b"206 Partial Content") in ended.stderr


@wget_is_there
def test_wget_fetches_what_is_newer(serve, place):
    server = serve()
    page, got = server.site / "a.txt", place / "a.txt"
    os.utime(page, (784_111_777, 784_111_777))
    for answer in (b"200 OK", b"304 Not Modified"):
        ended = wget("-N", "-P", str(place), address(server, "/a.txt"))
        assert (ended.returncode, answer in ended.stderr) == (0, True), ended
    page.write_text("the letter A\n")

    def newer():
        return wget("-N", "-P", str(place), address(server, "/a.txt")).returncode == 0 and got.read_text()

    wait_until(lambda: newer() == "the letter A\n", "the newer page")


# --- Python's own -----------------------------------------------------------------------------------------------------


def test_urllib(standing):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address(standing, "/dir"), timeout=DEADLINE) as r:
        assert (r.status, r.url, "<title>dir" in r.read().decode()) == (200, address(standing, "/dir/"), True)
