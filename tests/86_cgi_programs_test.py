# SPDX-License-Identifier: MIT
"""Programs of others, as Debian has them: git http-backend, cgit, gitweb and PHP. Apache and lighttpd run the same programs
beside the server, and what comes of it is compared."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import urllib.parse

import pytest

import peers
from harness import DEADLINE

GIT_BACKEND = "/usr/lib/git-core/git-http-backend"
CGIT, CGIT_FILES = "/usr/lib/cgit/cgit.cgi", "/usr/share/cgit"
GITWEB, GITWEB_FILES = "/usr/lib/cgi-bin/gitweb.cgi", "/usr/share/gitweb/static"
PHP = "/usr/bin/php-cgi"

PROGRAMS = {"/git": GIT_BACKEND, "/cgit": CGIT, "/gitweb": GITWEB}
BODY_BYTES = 24 * 1024 * 1024

pytestmark = peers.needed(GIT_BACKEND, CGIT, GITWEB, PHP)

SITE = {
    "told.php": """<?php
header('Content-Type: application/json');
$told = array_filter($_SERVER, fn($name) => !preg_match('/^(argv|argc|PATH|REQUEST_TIME.*|UNIQUE_ID)$/', $name),
                     ARRAY_FILTER_USE_KEY);
echo json_encode(['server' => $told, 'sapi' => php_sapi_name(), 'get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE,
                  'directory' => getcwd(), 'length' => strlen(file_get_contents('php://input'))]);
""",
    "info.php": "<?php phpinfo();\n",
    "upload.php": """<?php
header('Content-Type: application/json');
$told = [];
foreach ($_FILES as $name => $file)
    $told[$name] = ['name' => $file['name'], 'type' => $file['type'], 'size' => $file['size'], 'error' => $file['error'],
                    'sha256' => $file['error'] ? '' : hash_file('sha256', $file['tmp_name'])];
echo json_encode(['files' => $told, 'post' => $_POST]);
""",
    "session.php": """<?php
session_save_path(getenv('SESSIONS'));
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
setcookie('plain', 'a b', ['path' => '/', 'httponly' => true]);
echo $_SESSION['visits'];
""",
    "fields.php": """<?php
http_response_code(404);
header('X-Own: first');
header('X-Own: second', false);
header('Cache-Control: private, max-age=7');
echo 'nothing of that name';
""",
    "away.php": "<?php header('Location: /told.php?from=away');\n",
    "compressed.php": "<?php ob_start('ob_gzhandler'); echo str_repeat('the same again ', 1000);\n",
    "large.php": "<?php for ($i = 0; $i < 300; ++$i) echo str_repeat(chr(65 + $i % 26), 65536);\n",
    "fails.php": "<?php no_such_function();\n",
}

GITWEB_SETTINGS = """\
$projectroot = $ENV{GIT_PROJECT_ROOT};
$feature{'timed'}{'default'} = [0];
@stylesheets = ("/files/gitweb.css");
$javascript = undef;
$omit_owner = 1;
1;
"""


# --- the three servers ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def umask():
    """The programs of Apache run as another user, who must be able to read what the tests write."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def environment(home):
    """The programs' environment, and the files that it names: each server has its own repositories."""
    repositories, sessions = home / "repositories", home / "sessions"
    for directory in (repositories, sessions):
        directory.mkdir(parents=True)
    fill(repositories)
    (home / "gitweb.conf").write_text(GITWEB_SETTINGS)
    (home / "cgitrc").write_text(f"virtual-root=/cgit/\ncss=/files/cgit.css\nlogo=/files/cgit.png\n"
                                 f"favicon=/files/favicon.ico\nsnapshots=tar.gz\n"
                                 f"enable-commit-graph=1\nenable-git-config=1\nenable-index-owner=0\nscan-path={repositories}\n")
    return {
        "GIT_PROJECT_ROOT": str(repositories), "GIT_HTTP_EXPORT_ALL": "",
        # Git refuses repositories of others than its user.
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        "CGIT_CONFIG": str(home / "cgitrc"), "GITWEB_CONFIG": str(home / "gitweb.conf"), "SESSIONS": str(sessions),
    }


def settings(home):
    """The configuration of the server that stands for all tests of this file."""
    cgi = {"environment": environment(home), "body": "stream"}
    for files in (CGIT_FILES, GITWEB_FILES):
        shutil.copytree(files, home / "site/files", dirs_exist_ok=True)
    routes = [{"path": f"{path}/*", "cgi": {"program": program, **cgi}} for path, program in PROGRAMS.items()]
    routes.append({"path": "*.php", "cgi": {"interpreter": PHP, "environment": cgi["environment"]}})
    return {"route": routes, "limits": {"body_bytes": BODY_BYTES}}


@pytest.fixture(scope="module")
def ports(standing):
    """{name of a server: its port}"""
    home = standing.site.parent
    home.chmod(0o755)
    ports = {"occwserv": standing.port}
    with contextlib.ExitStack() as running:
        for name, peer in (("apache", peers.apache), ("lighttpd", peers.lighttpd)):
            own = environment(home / f"for-{name}")
            if peer is peers.apache:
                peers.hand_over(home / f"for-{name}")
            ports[name] = running.enter_context(
                peer(home / name, home / "site", PROGRAMS, {".php": PHP}, own, BODY_BYTES))
        yield ports


# --- what they answer -------------------------------------------------------------------------------------------------

# Fields of the servers' own.
OWN = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "x-request-id",
       "accept-ranges", "upgrade"}
A_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d?\d \w\w\w 20\d\d \d\d:\d\d:\d\d (GMT|[+]0000)")
# The time at which cgit generated a page.
A_TIME = re.compile(rb"at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [+]0000")


@dataclasses.dataclass
class Answer:
    status: int
    fields: list
    body: bytes

    def get(self, name):
        return next((value for key, value in self.fields if key == name.lower()), None)


def ask(port, target, method="GET", body=None, fields=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with contextlib.closing(connection):
        connection.request(method, target, body=body, headers=fields or {})
        r = connection.getresponse()
        fields = {}
        for name, value in r.getheaders():
            fields.setdefault(name.lower(), []).append(value)
        # Apache joins the values of most fields.
        pairs = [(name, A_DATE.sub("DATE", value)) for name in fields.keys() - OWN
                 for value in (fields[name] if name == "set-cookie" else [", ".join(fields[name])])]
        return Answer(r.status, sorted(pairs), r.read())


def without_what_differs(body, port):
    """A body without the port of the server, and without the time."""
    return A_TIME.sub(b"at TIME", body.replace(f":{port}".encode(), b":PORT"))


def without_apache(ports):
    """Apache cuts off answers of programs that do not read the body: more than half of them, but not always."""
    return {name: port for name, port in ports.items() if name != "apache"}


def same(ports, target, *words, **options):
    """The answer of all, which must be the same."""
    answers = {name: ask(port, target, *words, **options) for name, port in ports.items()}
    for name, answer in answers.items():
        answer.body = without_what_differs(answer.body, ports[name])
    ours = answers.pop("occwserv")
    for name, theirs in answers.items():
        assert (ours.status, ours.fields) == (theirs.status, theirs.fields), name
        assert ours.body == theirs.body, name
    return ours


# --- git --------------------------------------------------------------------------------------------------------------

AUTHOR = {"GIT_AUTHOR_NAME": "A U Thor", "GIT_AUTHOR_EMAIL": "author@example.org", "GIT_COMMITTER_NAME": "C O Mitter",
          "GIT_COMMITTER_EMAIL": "committer@example.org", "GIT_AUTHOR_DATE": "2015-03-04T05:06:07Z",
          "GIT_COMMITTER_DATE": "2015-03-04T05:06:07Z"}
GIT_ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
                   "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **AUTHOR}


def git(*words, at=None, more=None, **options):
    """Runs git, and returns what it said."""
    done = subprocess.run(["git", *map(str, words)], cwd=at, env={**GIT_ENVIRONMENT, **(more or {})}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * DEADLINE, **options)
    assert done.returncode == 0, f"git {words}: {done.stdout.decode(errors='replace')}"
    return done.stdout.decode(errors="replace").strip()


def history(commits):
    """A history with so many commits, for git fast-import."""
    lines = []
    for i in range(commits):
        body = f"commit {i}\n"
        lines.append(f"commit refs/heads/main\ncommitter C O Mitter <committer@example.org> {1425445567 + i} +0000\n"
                     f"data {len(body)}\n{body}")
        for name, text in (("README", f"Read this <first> & {i}\n"), (f"src/file{i % 7}.c", f"int f{i}() {{ return {i}; }}\n")):
            lines.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}")
    return "\n".join(lines).encode()


def random_blobs(count, size, seed):
    """The same for files that do not compress."""
    noise = random.Random(seed)
    pieces = [b"commit refs/heads/main\ncommitter C O Mitter <committer@example.org> 1425445567 +0000\ndata 0\n"]
    for i in range(count):
        pieces += [f"M 100644 inline blob{i}\ndata {size}\n".encode(), noise.randbytes(size), b"\n"]
    return b"".join(pieces)


def unrelated(number):
    """A branch with a history of its own."""
    return f"reset refs/heads/own{number}\ncommit refs/heads/own{number}\n" \
        f"committer C O Mitter <committer@example.org> {1425445567 + number} +0000\ndata 0\n\n".encode()


def repository(path, stream, *settings_of_it):
    git("init", "-q", "--bare", "-b", "main", path)
    for setting in settings_of_it:
        git("config", *setting.split("="), at=path)
    git("-c", "core.compression=0", "fast-import", "--quiet", at=path, input=stream)
    return path


def fill(repositories):
    demo = repository(repositories / "demo.git", history(100), "http.receivepack=true", "gitweb.owner=A U Thor")
    (demo / "description").write_text("A history of some commits\n")
    git("update-server-info", at=demo)
    repository(repositories / "closed.git", history(3), "http.receivepack=false")


def address(ports, name, of="demo.git"):
    return f"http://127.0.0.1:{ports[name]}/git/{of}"


def traced(path):
    return {"GIT_TRACE_CURL": str(path), "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_PACKET": str(path)}


SERVERS = pytest.mark.parametrize("name", ["occwserv", "apache", "lighttpd"])


@SERVERS
def test_clone_push_and_fetch(ports, place, name):
    url = address(ports, name)
    one, other = place / "one", place / "other"
    git("clone", "-q", url, one)
    git("clone", "-q", url, other)
    assert git("rev-list", "--count", "HEAD", at=one) == "100"

    (one / "new").write_bytes(random.Random(1).randbytes(300_000))
    git("add", "new", at=one)
    git("commit", "-qm", "a new file", at=one)
    # A request larger than http.postBuffer is chunked.
    git("-c", "http.postBuffer=65536", "push", "-q", "origin", "HEAD", at=one, more=traced(place / "push"))
    assert "Transfer-Encoding: chunked" in (place / "push").read_text()

    git("tag", "v1", at=one)
    git("push", "-q", "origin", "v1", at=one)
    git("fetch", "-q", "--tags", at=other)
    assert git("rev-parse", "v1", at=other) == git("rev-parse", "origin/main", at=other) == \
        git("rev-parse", "HEAD", at=one)
    git("push", "-q", "origin", ":v1", "HEAD~1:refs/heads/back", at=one)
    assert git("ls-remote", url, at=one).count("\n") == 2
    git("push", "-qf", "origin", f"{git('rev-parse', 'HEAD~1', at=one)}:main", ":back", at=one)
    git("fsck", "--strict", at=other)


@SERVERS
def test_compressed_requests(ports, place, name):
    """Git compresses a long list of what it has."""
    other = repository(place / "other.git", b"".join(unrelated(i) for i in range(60)))
    git("fetch", "-q", address(ports, name), "main:theirs", at=other, more=traced(place / "trace"))
    assert "Content-Encoding: gzip" in (place / "trace").read_text()
    assert git("rev-list", "--count", "theirs", at=other) == "100"


@SERVERS
@pytest.mark.parametrize("version", [0, 2])
def test_a_shallow_clone(ports, place, name, version):
    git("-c", f"protocol.version={version}", "clone", "-q", "--depth", "2", address(ports, name), place / "clone",
        more=traced(place / "trace"))
    assert git("rev-list", "--count", "HEAD", at=place / "clone") == "2"
    trace = (place / "trace").read_text()
    assert ("git< version 2" in trace) == (version == 2)
    git("fetch", "-q", "--deepen", "5", at=place / "clone")
    assert git("rev-list", "--count", "HEAD", at=place / "clone") == "7"


def test_a_large_clone(standing, engine, place):
    """With one engine some 100 MB: the other differs only in how it waits."""
    blobs = 100 if engine == "uring" else 10
    repositories = standing.site.parent / "repositories"
    large = repository(repositories / "large.git", random_blobs(blobs, 1_000_000, seed=2), "core.bigFileThreshold=1m")
    git("clone", "-q", "--bare", address({"here": standing.port}, "here", of="large.git"), place / "clone")
    assert git("rev-parse", "main", at=place / "clone") == git("rev-parse", "main", at=large)
    packs = list((place / "clone/objects/pack").glob("*.pack"))
    assert sum(pack.stat().st_size for pack in packs) > blobs * 1_000_000
    shutil.rmtree(large)


def test_a_large_push(standing, place):
    repositories = standing.site.parent / "repositories"
    git("init", "-q", "--bare", "-b", "main", repositories / "target.git")
    git("config", "http.receivepack", "true", at=repositories / "target.git")
    own = repository(place / "own.git", random_blobs(15, 1_000_000, seed=3))
    git("push", "-q", address({"here": standing.port}, "here", of="target.git"), "main", at=own)
    assert git("rev-parse", "main", at=repositories / "target.git") == git("rev-parse", "main", at=own)
    shutil.rmtree(repositories / "target.git")


def test_answers_of_git(ports):
    r = same(ports, "/git/demo.git/info/refs?service=git-upload-pack")
    assert (r.status, r.get("Content-Type")) == (200, "application/x-git-upload-pack-advertisement")
    assert r.get("Cache-Control") == "no-cache, max-age=0, must-revalidate"
    r = same(ports, "/git/demo.git/info/refs?service=git-upload-pack", fields={"Git-Protocol": "version=2"})
    assert b"version 2" in r.body
    assert same(ports, "/git/demo.git/HEAD").body == b"ref: refs/heads/main\n"
    assert same(ports, "/git/demo.git/info/refs").get("Content-Type") == "text/plain"
    assert same(ports, "/git/closed.git/info/refs?service=git-receive-pack").status == 403
    assert same(ports, "/git/none.git/info/refs?service=git-upload-pack").status == 404
    assert same(ports, "/git/demo.git/config").status == 404
    assert same(ports, "/git/demo.git/git-upload-pack").status == 405
    r = same(without_apache(ports), "/git/demo.git/git-upload-pack", method="POST", body=b"0000",
             fields={"Content-Type": "text/plain"})
    assert r.status == 415


def test_a_compressed_body_of_unknown_length(ports):
    """As by curl, in both framings: the program sees the body as it was sent."""
    wanted = gzip.compress(b"0014command=ls-refs\n0000")
    fields = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip",
              "Git-Protocol": "version=2"}
    whole = same(ports, "/git/demo.git/git-upload-pack", method="POST", body=wanted, fields=fields)
    assert b"refs/heads/main" in whole.body
    pieces = {name: ask(port, "/git/demo.git/git-upload-pack", method="POST", fields=fields,
                        body=iter([wanted[:5], wanted[5:]])) for name, port in ports.items()}
    assert pieces["occwserv"].body == pieces["apache"].body == pieces["lighttpd"].body == whole.body


# --- cgit and gitweb --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, text", [
    ("/", "A history of some commits"), ("/demo.git/", "commit 99"), ("/demo.git/log/", "commit 60"),
    ("/demo.git/log/src?qt=grep&q=commit+9", "commit 98"), ("/demo.git/tree/", "README"),
    ("/demo.git/tree/src/file3.c", "int f94()"), ("/demo.git/diff/", "return 99;"), ("/demo.git/plain/README", "<first> & 99"),
    ("/demo.git/refs/", "main"), ("/demo.git/atom/", "<feed"),
    ("/demo.git/patch/", "Subject: commit 99"),
])
def test_pages_of_cgit(ports, path, text):
    r = same(ports, f"/cgit{path}")
    assert r.status == 200 and text in r.body.decode()


def test_other_answers_of_cgit(ports):
    r = same(ports, "/cgit/demo.git/snapshot/demo-main.tar.gz")
    assert r.get("Content-Type") == "application/x-gzip; charset=UTF-8"
    assert b"Read this <first> & 99" in gzip.decompress(r.body)
    assert same(ports, "/cgit/none.git/").status == 404
    assert same(ports, "/cgit/demo.git/tree/none").status == 404
    assert same(ports, "/cgit/demo.git/log/", method="HEAD").body == b""
    styles = [ask(port, "/files/cgit.css").body for port in ports.values()]
    assert styles[0].startswith(b"div#cgit") and styles == [styles[0]] * 3


@pytest.mark.parametrize("query, text", [
    ("", "A history of some commits"), ("?p=demo.git", "commit 99"), ("?p=demo.git;a=shortlog", "commit 90"),
    ("?p=demo.git;a=tree", "README"), ("?p=demo.git;a=blob;f=src/file3.c", "int f94()"),
    ("?p=demo.git;a=commitdiff", "return"), ("?p=demo.git;a=blob_plain;f=README", "<first> & 99"),
    ("?p=demo.git;a=atom", "<feed"), ("?p=demo.git;a=search;s=commit+9", "commit 98"),
])
def test_pages_of_gitweb(ports, query, text):
    r = same(ports, f"/gitweb{query}")
    assert r.status == 200 and text in r.body.decode().replace("&nbsp;", " ")


def test_other_answers_of_gitweb(ports):
    assert same(ports, "/gitweb?p=none.git").status == 404
    assert same(ports, "/gitweb?p=demo.git;a=nonsense").status == 400
    assert same(ports, "/gitweb/demo.git/tree/HEAD:/src").status == 200


# --- PHP --------------------------------------------------------------------------------------------------------------


def test_what_php_is_told(ports):
    answers = {}
    for name, port in ports.items():
        r = ask(port, "/told.php?a=1&b%5B%5D=2&b%5B%5D=%C3%A9+", fields={"X-Own": "value", "Cookie": "c=d", "User-Agent": "test"})
        assert r.get("Content-Type").startswith("application/json")
        answers[name] = json.loads(r.body)
    ours = answers["occwserv"]
    assert ours["sapi"] == "cgi-fcgi" and ours["cookie"] == {"c": "d"}
    assert ours["get"] == {"a": "1", "b": ["2", "\u00e9 "]}
    assert ours["server"]["PHP_SELF"] == ours["server"]["SCRIPT_NAME"] == "/told.php"
    # These differ: names and addresses of the servers, and what each says beyond RFC 3875.
    varying = {"SERVER_SOFTWARE", "SERVER_PORT", "REMOTE_PORT", "HTTP_HOST"}
    rfc = {"AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR",
           "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PROTOCOL"}
    also = {"PHP_SELF", "SCRIPT_FILENAME", "DOCUMENT_ROOT", "REQUEST_URI", "REDIRECT_STATUS", "HTTP_X_OWN", "HTTP_COOKIE"}
    own = {"GIT_PROJECT_ROOT", "CGIT_CONFIG", "GITWEB_CONFIG", "SESSIONS"}
    for name in ("apache", "lighttpd"):
        theirs = answers[name]
        if name == "lighttpd":
            assert theirs["server"].pop("CONTENT_LENGTH") == "0"  # although there is no body (RFC 3875, section 4.1.2)
        for key in rfc | also:
            assert ours["server"].get(key) == theirs["server"].get(key), (name, key)
        assert own | varying <= theirs["server"].keys()
        for key in ("sapi", "get", "post", "cookie", "directory"):
            assert ours[key] == theirs[key], (name, key)
    assert own | varying <= ours["server"].keys()


def test_phpinfo(ports):
    for port in ports.values():
        r = ask(port, "/info.php")
        assert r.status == 200 and b"CGI/FastCGI" in r.body and b"</html>" in r.body


def test_a_form(ports):
    fields = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"name": "caf\u00e9 & more", "empty": "", "long": "x" * 100_000})
    results = []
    for port in ports.values():
        told = json.loads(ask(port, "/told.php?q=1", method="POST", body=body, fields=fields).body)
        assert told["post"] == {"name": "caf\u00e9 & more", "empty": "", "long": "x" * 100_000}
        results.append((told["get"], told["length"], told["server"]["CONTENT_LENGTH"]))
    assert results == [({"q": "1"}, len(body), str(len(body)))] * 3


def test_a_body_of_unknown_length_has_a_length_for_php(standing):
    """The server collects it; lighttpd does so too, Apache does not."""
    fields = {"Content-Type": "application/x-www-form-urlencoded"}
    told = json.loads(ask(standing.port, "/told.php", method="POST", body=iter([b"a=1&", b"b=2"]), fields=fields).body)
    assert told["post"] == {"a": "1", "b": "2"} and told["server"]["CONTENT_LENGTH"] == "7"


def multipart(*files):
    """A form with these files, each a name and its content."""
    pieces = [b'--limit\r\nContent-Disposition: form-data; name="said"\r\n\r\nwords\r\n']
    for name, content in files:
        pieces += [f'--limit\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.bin"\r\n'
                   'Content-Type: application/octet-stream\r\n\r\n'.encode(), content, b"\r\n"]
    return b"".join(pieces) + b"--limit--\r\n", {"Content-Type": "multipart/form-data; boundary=limit"}


def test_uploads(ports):
    one, two = b"\r\n--limi\0\xff" * 1000, os.urandom(1_900_000)
    body, fields = multipart(("one", one), ("two", two))
    told = json.loads(same(ports, "/upload.php", method="POST", body=body, fields=fields).body)
    assert told["post"] == {"said": "words"}
    for name, content in (("one", one), ("two", two)):
        assert told["files"][name] == {"name": f"{name}.bin", "type": "application/octet-stream", "error": 0,
                                       "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_uploads_beyond_the_limits_of_php(ports):
    body, fields = multipart(("small", b"fits"), ("large", bytes(3_000_000)))  # upload_max_filesize is 2M
    told = json.loads(same(ports, "/upload.php", method="POST", body=body, fields=fields).body)
    assert (told["files"]["small"]["error"], told["files"]["large"]["error"]) == (0, 1)
    body, fields = multipart(("huge", bytes(20_000_000)))  # post_max_size is 8M: PHP does not read it
    told = json.loads(same(without_apache(ports), "/upload.php", method="POST", body=body, fields=fields).body)
    assert told == {"files": [], "post": []}


def test_a_body_beyond_the_limit_of_the_server(ports):
    """The answer may come before the whole body is sent."""
    for port in ports.values():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.putrequest("POST", "/upload.php")
            connection.putheader("Content-Length", str(BODY_BYTES + 1024))
            connection.endheaders()
            assert connection.getresponse().status == 413


def test_a_session(ports):
    for port in ports.values():
        r = ask(port, "/session.php")
        assert r.body == b"1"
        set_cookies = [value for name, value in r.fields if name == "set-cookie"]
        assert len(set_cookies) == 2 and any("plain=a%20b; path=/; HttpOnly" == value for value in set_cookies)
        session = next(value for value in set_cookies if value.startswith("PHPSESSID=")).partition(";")[0]
        assert r.get("Cache-Control") == "no-store, no-cache, must-revalidate"
        for visit in (b"2", b"3"):
            assert ask(port, "/session.php", fields={"Cookie": session}).body == visit


def test_other_answers_of_php(ports):
    r = same(ports, "/fields.php")
    assert (r.status, r.body) == (404, b"nothing of that name")
    assert r.get("X-Own") == "first, second"
    r = same(ports, "/away.php")
    assert (r.status, r.get("Location")) == (302, "/told.php?from=away")
    r = same(ports, "/compressed.php", fields={"Accept-Encoding": "gzip"})
    assert r.get("Content-Encoding") == "gzip"
    assert gzip.decompress(r.body) == b"the same again " * 1000
    assert same(ports, "/large.php").body == b"".join(bytes([65 + i % 26]) * 65536 for i in range(300))
    assert same(ports, "/large.php", method="HEAD").body == b""
    assert same(ports, "/fails.php").status == 500
