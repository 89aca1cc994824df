# SPDX-License-Identifier: MIT
"""Programs that answer requests (CGI, RFC 3875): what they are told, what becomes of what they write, and what happens
when they or their clients misbehave."""

import hashlib
import http.client
import json
import os
import pathlib

import pytest

from conftest import SMALL_SITE
from harness import DEADLINE, fill_tree, living_children, living_processes, operate, steward_of, told, toml, wait_until
from requirements import Requirement, noting

# Those that a test in C++ shows, by its full name.
REQUIREMENTS = [
    Requirement(f"3875 {section}", says, test=test)
    for section, says, test in [
        ("4.1.1", "AUTH_TYPE MUST be set if the server has authenticated the client, as (4.1.11) REMOTE_USER: it does not"
         " authenticate, so it sets neither", "Environment.Section411And4110And4111NobodyIsAuthenticated"),
        ("4.1.2", "CONTENT_LENGTH MUST be set if and only if there is a body",
         "Environment.Section412ContentLengthIsSetIfThereIsABodyOfKnownLength"),
        ("4.1.3", "CONTENT_TYPE MUST be set if the request has Content-Type",
         "Environment.Section413ContentTypeIsPassedAsSent"),
        ("4.1.4", "GATEWAY_INTERFACE MUST be the version of CGI", "Environment.Section414GatewayInterface"),
        ("4.1.5", "PATH_INFO is not URL-encoded", "Environment.Section415PathInfoIsDecoded"),
        ("4.1.5", "A path that cannot be expressed in it MAY be refused: 404",
         "Environment.Section415APathThatCannotBePassedIsRefused"),
        ("4.1.6", "PATH_TRANSLATED is derived from PATH_INFO, and absent without it",
         "Environment.Section416PathTranslatedIsBeneathTheRootAndComesWithPathInfo"),
        ("4.1.7", "QUERY_STRING MUST be set, URL-encoded, also if there is no query",
         "Environment.Section417QueryStringIsAsSentAndSetEvenIfEmpty"),
        ("4.1.8", "REMOTE_ADDR MUST be set, and stands for the name of the client in (4.1.9) REMOTE_HOST",
         "Environment.Section418And419TheClient"),
        ("4.1.12", "REQUEST_METHOD MUST be set, and is case-sensitive", "Environment.Section4112TheMethodIsAsSent"),
        ("4.1.13", "SCRIPT_NAME MUST be set to the path of the program, not URL-encoded",
         "Environment.Section4113ScriptName"),
        ("4.1.14", "SERVER_NAME MUST be set to the host of the request",
         "Environment.Section4114ServerNameIsTheHostThatTheClientAskedFor"),
        ("4.1.15", "SERVER_PORT MUST be set to the port on which the request came",
         "Environment.Section4115ServerPortIsThatOfTheSocketAndAlwaysSet"),
        ("4.1.16", "SERVER_PROTOCOL MUST be set to the version of the request",
         "Environment.Section4116ServerProtocolIsThatOfTheRequest"),
        ("4.1.17", "SERVER_SOFTWARE MUST be set", "Environment.Section4117ServerSoftware"),
        ("4.1.18", "A field becomes a variable HTTP_, in upper case, with an underscore for a hyphen",
         "Environment.Section4118FieldsBecomeVariables"),
        ("4.1.18", "Several fields with the same name MUST be rewritten as one value",
         "Environment.Section4118TheLinesOfAListAreJoined"),
        ("4.1.18", "Fields with credentials SHOULD be removed", "Environment.CredentialsArePassedOnlyIfConfigured"),
        ("4.1.18", "Fields that concern only the connection MAY be removed",
         "Environment.Section4118FieldsOfTheConnectionAreNotPassed"),
        ("6.2", "A line of the head ends in LF or CRLF", "ScriptHead.LinesEndInLfOrCrlf"),
        ("6.2.3", "A client redirect MUST be answered 302", "ScriptHead.AClientRedirect"),
        ("6.2.4", "A client redirect may come with a document and a status", "ScriptHead.AClientRedirectWithADocument"),
        ("6.3", "The head MUST have at least one CGI field", "ScriptHead.AtLeastOneCgiFieldIsRequired"),
        ("6.3", "A CGI field MUST NOT appear more than once: equal ones are accepted, others refused",
         "ScriptHead.CgiFieldsMustNotDiffer"),
        ("6.3.4", "Fields that concern the communication with the client MUST NOT be returned: they are dropped",
         "ScriptHead.FieldsOfTheConnectionAndTheServerAreDropped"),
        ("6.3.5", "Fields for the server (X-CGI-) are not sent to the client",
         "ScriptHead.FieldsOfTheConnectionAndTheServerAreDropped"),
    ]
]
shows = noting(REQUIREMENTS)
SOURCES = pathlib.Path(__file__).parent.parent / "server" / "cgi_farm"


def test_the_tests_in_cpp_exist():
    sources = "".join(path.read_text() for path in sorted(SOURCES.glob("*_test.cpp")))
    for suite, test in (r.test.split(".") for r in REQUIREMENTS if "." in r.test):
        assert f"TEST({suite}, {test})" in sources

PYTHON = "#!/usr/bin/python3 -ISB\n"
SHELL = "#!/bin/sh\n"
PLAIN = "printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"

PROGRAMS = {
    "environment": PYTHON + "import json, os, sys\nprint('Content-Type: application/json\\n')\n"
    "json.dump({'environment': dict(os.environ), 'directory': os.getcwd(), 'group': os.getpgid(0), 'pid': os.getpid(),"
    " 'nice': os.nice(0), 'words': sys.argv, 'open': sorted(map(int, os.listdir('/proc/self/fd')))[:-1]}, sys.stdout)\n",
    "hello": SHELL + PLAIN + "echo hello\n",
    "echo": SHELL + PLAIN + "exec cat\n",
    "count": PYTHON + "import hashlib, os, sys\nbody = sys.stdin.buffer.read()\n"
    "print('Content-Type: text/plain\\n')\n"
    "print(len(body), hashlib.sha256(body).hexdigest(), os.environ.get('CONTENT_LENGTH', '-'))\n",
    "sub/deep": SHELL + PLAIN + "echo \"$SCRIPT_NAME $PATH_INFO\"\n",
    "status": SHELL + "printf 'Status: 418 I am a teapot\\nContent-Type: text/plain\\n\\nshort and stout\\n'\n",
    "sized": SHELL + "printf 'Content-Type: text/plain\\nContent-Length: 4\\n\\nfourteen bytes'\n",
    "own-error": SHELL + "printf 'Status: 500 Mine\\nContent-Type: text/plain\\n\\nmy own error'\n",
    "own-id": SHELL + "printf 'Status: 500\\nX-Request-Id: own\\nContent-Type: text/plain\\n\\nfailed'\n",
    "no-content": SHELL + "printf 'Status: 204 No Content\\n\\n'\n",
    "away": SHELL + "printf 'Location: http://elsewhere.example/x\\n\\n'\n",
    "inside": SHELL + "printf 'Location: /a.txt?q=1\\n\\n'\n",
    "inside-program": SHELL + "printf 'Location: /cgi-bin/environment/more?q=2\\n\\n'\n",
    "inside-with-body": SHELL + "printf 'Location: /cgi-bin/echo\\n\\n'\n",
    "unchanged": SHELL + "printf 'Status: 304 Not Modified\\nX-Sendfile: large\\n\\n'\n",
    "keeps-whole-bodies": SHELL + "trap '' TERM\n" + PLAIN + "echo begun\ncat >/dev/null\n: >\"$WHOLE\"\n",
    "circle": SHELL + "printf 'Location: /cgi-bin/circle\\n\\n'\n",
    "nph-whole": SHELL + "printf 'HTTP/1.1 203 Mine\\r\\nX-Own: yes\\r\\n\\r\\nraw'\n",
    "clock": PYTHON + "import sys\nprint('Content-Type: text/plain\\n', flush=True)\n"
    "for line in sys.stdin: print('tick', line.strip(), flush=True)\n",
    "complains": SHELL + "echo 'this went wrong' >&2\n" + PLAIN + "echo fine\n",
    "slow": SHELL + PLAIN + "echo begun\nexec sleep 1000\n",
    "silent": SHELL + "exec sleep 1000\n",
    "large": SHELL + PLAIN + "head -c 20000000 /dev/zero\n",
    "fails": SHELL + "exit 3\n",
    "killed": SHELL + "kill -9 $$\n",
    "killed-midway": SHELL + PLAIN + "echo half\nkill -9 $$\n",
    "short": SHELL + "printf 'Content-Type: text/plain\\nContent-Length: 100\\n\\nshort'\n",
    "broken-head": SHELL + "echo no head at all\n",
    "endless-head": SHELL + "yes 'X-Field: value'\n",
    "empty-head": SHELL + "printf '\\n\\nbody'\n",
    "no-interpreter": "#!/no/such/interpreter\n",
    "writes-first": PYTHON + "import sys\nprint('Content-Type: text/plain\\n', flush=True)\n"
    "sys.stdout.write('x' * 300000)\nsys.stdout.flush()\nprint(len(sys.stdin.buffer.read()))\n",
    "talks": SHELL + PLAIN + "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done\nwc -c\n",
    "never-reads": SHELL + PLAIN + "echo I do not read\n",
    "floods": PYTHON + "import sys\nfor i in range(20000): sys.stderr.write(f'complaint {i}\\n')\n"
    "print('Content-Type: text/plain\\n\\nafter the flood')\n",
    "lingers": SHELL + PLAIN + "echo done\nsleep 1000 &\n",
    "lingers-elsewhere": SHELL + PLAIN + "echo done\nsleep 1000 >/dev/null 2>&1 </dev/null &\n",
    "closes-early": PYTHON + "import os, sys, time\nprint('Content-Type: text/plain\\n\\nall of it', flush=True)\n"
    "os.close(1)\ntime.sleep(1000)\n",
    "complains-at-the-end": PYTHON + "import os, sys\nprint('Content-Type: text/plain\\n\\nall of it', flush=True)\n"
    "os.close(1)\nfor i in range(20000): sys.stderr.write(f'complaint {i}\\n')\nsys.stderr.flush()\n"
    "open('came-to-its-end', 'w')\n",
    "deaf": SHELL + "trap '' TERM\n" + PLAIN + "echo begun\nwhile :; do sleep 1; done\n",
}
NOT_EXECUTABLE = {"data": "not a program\n", ".hidden": SHELL + PLAIN}


def install(site):
    for name, text in {**PROGRAMS, **NOT_EXECUTABLE}.items():
        path = site / "cgi-bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644 if name in NOT_EXECUTABLE else 0o755)


@pytest.fixture
def programs(serve, place):
    """A server with these programs."""
    fill_tree(place / "site", SMALL_SITE)
    install(place / "site")
    return serve(site=place / "site", arguments=["--cgi", "/cgi-bin/"])


@pytest.fixture
def configured(serve, place):
    """configured(**keys) is a server whose route for the programs has these keys."""

    def make(**keys):
        install(place)
        cgi = {"directory": str(place / "cgi-bin"), **keys}
        return serve(settings={"route": [{"path": "/cgi-bin/*", "cgi": cgi}]})

    return make


def ask(server, target, method="GET", body=None, fields=None, timeout=DEADLINE):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    is_chunked = "Transfer-Encoding" in (fields or {})
    connection.request(method, target, body=body, headers=fields or {}, encode_chunked=is_chunked)
    r = connection.getresponse()
    r.content = r.read()
    connection.close()
    return r


def environment(server, target="/cgi-bin/environment", **options):
    r = ask(server, target, **options)
    assert r.status == 200, r.content
    return json.loads(r.content)["environment"]


def runner_of(server):
    steward = steward_of(server.process.pid)
    return next((n for n, name, parent, _ in living_processes() if parent == steward and name == "occw-runner"), None)


def running(server):
    """The programs that run, or processes that they left behind."""
    return living_children(runner_of(server))


def expect_none_left(server):
    wait_until(lambda: not running(server), "no program is left")
    stats = json.loads(ask(server, "/stats.json").content)
    wait_until(lambda: all(p["running"] == 0 for p in json.loads(ask(server, "/stats.json").content)["programs"]),
               f"every place is free: {stats['programs']}")


# --- what a program is told -------------------------------------------------------------------------------------------


def test_meta_variables(programs):
    e = environment(programs, "/cgi-bin/environment/some/path%20info?a=1&b=%20", fields={"X-Own": "value"})
    assert e["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert e["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert e["SERVER_SOFTWARE"].startswith("occwserv")
    assert e["REQUEST_METHOD"] == "GET"
    assert e["SCRIPT_NAME"] == "/cgi-bin/environment"
    assert e["PATH_INFO"] == "/some/path info"
    assert e["PATH_TRANSLATED"] == str(programs.site / "some/path info")
    assert e["QUERY_STRING"] == "a=1&b=%20"
    assert e["SCRIPT_FILENAME"] == str(programs.site / "cgi-bin/environment")
    assert e["DOCUMENT_ROOT"] == str(programs.site)
    assert e["REQUEST_URI"] == "/cgi-bin/environment/some/path%20info?a=1&b=%20"
    assert e["SERVER_PORT"] == str(programs.port)
    assert e["SERVER_NAME"] == "127.0.0.1"
    assert e["REMOTE_ADDR"] == "127.0.0.1"
    assert e["REDIRECT_STATUS"] == "200"
    assert e["HTTP_X_OWN"] == "value"
    assert "CONTENT_LENGTH" not in e and "HTTPS" not in e


def test_the_query_is_there_even_if_it_is_empty(programs):
    assert environment(programs)["QUERY_STRING"] == ""


@shows("3875 7.2", "The working directory SHOULD be that of the program")
def test_surroundings(programs):
    told_of = json.loads(ask(programs, "/cgi-bin/environment").content)
    assert told_of["directory"] == str(programs.site / "cgi-bin")
    assert told_of["group"] == told_of["pid"], "a process group of its own"
    assert told_of["open"] == [0, 1, 2], "no descriptors but the standard streams"
    assert told_of["nice"] == min(os.nice(0) + 10, 19)
    assert len(json.loads(ask(programs, "/cgi-bin/environment?-s+x").content)["words"]) == 1, "no word of the query"
    assert "PATH" in told_of["environment"]
    for name in ("HOME", "LISTEN_FDS", "OCCWSERV_LISTEN_FDS", "LD_PRELOAD"):
        assert name not in told_of["environment"]


def test_nothing_forbidden_reaches_the_environment(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/environment", "Proxy: http://evil.example/", "X_Under: score", "X-Under: right",
                  "Authorization: Basic c2VjcmV0", "X-Twice: 1", "X-Twice: 2", "Connection: close")
        body = c.rest()
    assert b"HTTP_PROXY" not in body and b"evil" not in body
    assert b"score" not in body and b'"HTTP_X_UNDER": "right"' in body
    assert b"AUTHORIZATION" not in body and b"c2VjcmV0" not in body
    assert b'"HTTP_X_TWICE": "1, 2"' in body
    assert b"HTTP_CONNECTION" not in body


@pytest.mark.parametrize("path", ["/cgi-bin/environment/%2Fetc", "/cgi-bin/environment/a%0Ab", "/cgi-bin/%2e%2e%2fx",
                                  "/cgi-bin/environment/%5C"])
def test_paths_that_are_not_passed_on(programs, path):
    assert ask(programs, path).status == 404


def test_a_nul_in_the_path(programs):
    assert ask(programs, "/cgi-bin/environment/%00").status == 400


def test_dot_segments_are_removed_before(programs):
    assert environment(programs, "/x/../cgi-bin/sub/../environment/a/./b")["PATH_INFO"] == "/a/b"


def test_enormous_fields(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/hello", "X-Large: " + "x" * 100_000)
        assert c.response().status == 431
    fields = [f"X-{i}: {'y' * 100}" for i in range(80)]
    with programs.connect() as c:
        c.request("/cgi-bin/environment", *fields, "Connection: close")
        assert c.rest().count(b"y" * 100) == 80


# --- which program ----------------------------------------------------------------------------------------------------


@shows("3875 3.3", "The path names the program, and what follows it is PATH_INFO")
def test_the_program_is_the_part_of_the_path_that_is_a_file(programs):
    assert ask(programs, "/cgi-bin/sub/deep/more/info").content == b"/cgi-bin/sub/deep /more/info\n"
    assert ask(programs, "/cgi-bin/hello/").status == 200


@pytest.mark.parametrize("path, status", [("/cgi-bin/nothing", 404), ("/cgi-bin/data", 403), ("/cgi-bin/", 403),
                                          ("/cgi-bin", 403), ("/cgi-bin/sub", 403), ("/cgi-bin/sub/", 403),
                                          ("/cgi-bin/.hidden", 403), ("/cgi-bin/sub/nothing/x", 404)])
def test_what_is_no_program(programs, path, status):
    assert ask(programs, path).status == status


def test_links_do_not_lead_outside(programs, place):
    outside = place / "outside"
    outside.write_text(PROGRAMS["hello"])
    outside.chmod(0o755)
    (programs.site / "cgi-bin/link").symlink_to(outside)
    (programs.site / "cgi-bin/good").symlink_to("hello")
    assert ask(programs, "/cgi-bin/link").status == 403
    assert ask(programs, "/cgi-bin/good").content == b"hello\n"


def test_programs_are_never_sent_as_files(programs):
    for path in ("/cgi-bin/hello", "/cgi-bin//hello", "/%63gi-bin/hello"):
        assert b"#!" not in ask(programs, path).content


# --- its response -----------------------------------------------------------------------------------------------------


@shows("3875 6.2.1", "A document is sent with its Content-Type, and 200 if it has no Status")
def test_a_document(programs):
    r = ask(programs, "/cgi-bin/hello")
    assert (r.status, r.content, r.headers["Content-Type"]) == (200, b"hello\n", "text/plain")


def test_the_connection_stays_open(programs):
    connection = http.client.HTTPConnection("127.0.0.1", programs.port, timeout=DEADLINE)
    for path in ("/cgi-bin/hello", "/a.txt", "/cgi-bin/sized", "/cgi-bin/status", "/cgi-bin/no-content", "/cgi-bin/hello"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is not None, path
    connection.request("POST", "/cgi-bin/count", body=b"x" * 1000)
    assert connection.getresponse().read().startswith(b"1000 ")
    assert connection.sock is not None
    connection.close()


@shows("3875 6.3.3", "The status is that of the Status field")
def test_status_and_length(programs):
    r = ask(programs, "/cgi-bin/status")
    assert (r.status, r.content) == (418, b"short and stout\n")
    r = ask(programs, "/cgi-bin/sized")
    assert (r.headers["Content-Length"], r.content) == ("4", b"four")
    assert ask(programs, "/cgi-bin/no-content").status == 204


def test_an_error_of_the_program_is_not_one_of_the_server(programs):
    r = ask(programs, "/cgi-bin/own-error")
    assert (r.status, r.content) == (500, b"my own error")
    ask(programs, "/cgi-bin/complains")
    told(programs, "this went wrong")
    assert "error: 500" not in programs.error_log.read_text()


def test_a_response_has_one_id_which_the_log_has(programs):
    ids = ask(programs, "/cgi-bin/own-id").headers.get_all("X-Request-Id")
    assert len(ids) == 1 and ids != ["own"]


def test_http_1_0_gets_the_end_of_the_connection(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/hello", "Connection: keep-alive", version="HTTP/1.0")
        whole = c.rest()
    assert b"Transfer-Encoding" not in whole and b"Connection: close" in whole and whole.endswith(b"\r\n\r\nhello\n")


@shows("3875 4.3.3", "A body in the response to HEAD MUST be discarded")
def test_head(programs):
    r = ask(programs, "/cgi-bin/hello", method="HEAD")
    assert (r.status, r.content) == (200, b"")
    assert environment(programs)["REQUEST_METHOD"] == "GET"


@shows("3875 4.3.4", "Other methods reach the program")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods(programs, method):
    assert environment(programs, method=method)["REQUEST_METHOD"] == method


def test_trace_is_not_for_programs(programs):
    assert ask(programs, "/cgi-bin/environment", method="TRACE").status == 405


@shows("3875 6.2.2", "A local redirect MUST be answered as a request for that path would be")
def test_redirects(programs):
    r = ask(programs, "/cgi-bin/away")
    assert (r.status, r.headers["Location"]) == (302, "http://elsewhere.example/x")
    r = ask(programs, "/cgi-bin/inside", method="POST", body=b"ignored")
    assert (r.status, r.content) == (200, b"the letter a\n")
    e = environment(programs, "/cgi-bin/inside-program", method="POST", body=b"ignored")
    assert (e["REQUEST_METHOD"], e["PATH_INFO"], e["QUERY_STRING"]) == ("GET", "/more", "q=2")
    assert "CONTENT_LENGTH" not in e
    assert ask(programs, "/cgi-bin/circle").status == 502
    told(programs, "more than 10 redirects")


def test_the_body_is_not_for_the_program_of_a_redirect(programs):
    for fields in {}, {"Transfer-Encoding": "chunked"}:
        body = iter([b"x" * 50_000] * 4) if fields else b"x" * 200_000
        assert ask(programs, "/cgi-bin/inside-with-body", "POST", body, fields).content == b""


@shows("3875 5.2", "The output of an NPH program MUST be sent unmodified")
def test_a_program_may_write_the_whole_response(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/nph-whole")
        assert c.rest() == b"HTTP/1.1 203 Mine\r\nX-Own: yes\r\n\r\nraw"
    assert '" 203 ' in programs.log_lines(1)[-1]


def test_output_comes_as_it_is_written_and_input_meanwhile(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/clock", "Content-Length: 6", method="POST")
        for word in (b"1\n", b"2\n", b"3\n"):
            c.send(word)
            wait_until(lambda: b"tick " + word in c.arrived or not c.more(), "an answer to one line")


@shows("3875 6.4", "All output up to its end MUST be sent, unmodified")
def test_large_output(programs):
    r = ask(programs, "/cgi-bin/large")
    assert len(r.content) == 20_000_000


def test_a_slow_client_does_not_stop_others(programs):
    with programs.connect(receive_buffer=4096) as slow:
        slow.request("/cgi-bin/large")
        wait_until(lambda: running(programs), "the program runs")
        assert ask(programs, "/cgi-bin/hello").content == b"hello\n"
        assert ask(programs, "/a.txt").status == 200
    expect_none_left(programs)


def test_standard_error_goes_to_the_log_with_the_id_of_the_request(programs):
    r = ask(programs, "/cgi-bin/complains", fields={"X-Any": "1"})
    assert r.content == b"fine\n"
    told(programs, "this went wrong")
    line = next(l for l in programs.error_log.read_text().splitlines() if "this went wrong" in l)
    assert "/cgi-bin/complains" in line and "[request " in line


# --- bodies -----------------------------------------------------------------------------------------------------------


@shows("3875 4.2", "The program MUST be able to read CONTENT_LENGTH bytes of the body")
@pytest.mark.parametrize("size", [1, 5000, 200_000])
def test_bodies(programs, size):
    body = os.urandom(size)
    r = ask(programs, "/cgi-bin/count", method="POST", body=body)
    assert r.content.decode().split() == [str(size), hashlib.sha256(body).hexdigest(), str(size)]


@shows("3875 4.2", "A transfer coding MUST be removed from the body, and CONTENT_LENGTH be that of the rest")
@pytest.mark.parametrize("size", [10, 300_000])
def test_a_body_of_unknown_length_is_collected(programs, size):
    pieces = iter([b"y" * (size // 2), b"z" * (size - size // 2)])
    r = ask(programs, "/cgi-bin/count", method="POST", body=pieces, fields={"Transfer-Encoding": "chunked"})
    assert (r.content.split()[0], r.content.split()[2]) == (str(size).encode(), str(size).encode())


@shows("9110 10.1.1", "100 Continue is sent when a program is to read the body, and the connection persists")
def test_100_continue(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/count", "Content-Length: 4", "Expect: 100-continue", method="POST")
        wait_until(lambda: b"\r\n\r\n" in c.arrived or not c.more(), "100 Continue")
        assert c.arrived == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.arrived = b""
        c.send(b"four")
        wait_until(lambda: c.arrived.endswith(b"0\r\n\r\n") or not c.more(), "the response")
        assert b"\r\n4 " in c.arrived
        c.arrived = b""
        assert c.ask("/a.txt").status == 200


@shows("9110 10.1.1", "A request that no program answers gets the final status without 100 Continue")
def test_no_100_continue_for_what_is_no_program(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/nothing", "Content-Length: 4", "Expect: 100-continue", method="POST")
        assert c.response().status == 404


@pytest.mark.parametrize("kept", ["collect", "stream"])
@pytest.mark.parametrize("program", ["never-reads", "inside", "inside-program", "fails", "no-interpreter", "sized",
                                     "no-content", "count", "absent"])
def test_no_part_of_a_body_is_taken_for_a_request(configured, program, kept):
    server = configured(body=kept)
    body = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n" * 3000
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[i:i + 1000] for i in range(0, len(body), 1000)))
    for method in "POST", "HEAD":
        for field, sent in (f"Content-Length: {len(body)}", body), ("Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"):
            for expects in [], ["Expect: 100-continue"]:
                with server.connect() as c:
                    c.request(f"/cgi-bin/{program}", field, *expects, method=method, body=sent)
                    c.request("/a.txt", "Connection: close")
                    rest = c.rest()
                is_closed = program == "absent" and expects
                assert rest.count(b"\r\nServer: occwserv\r\n") == (1 if is_closed else 2), (method, field, rest[:300])
                assert b"/evil" not in rest and (is_closed or rest.endswith(b"the letter a\n"))


def test_a_body_that_is_too_large(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/count", f"Content-Length: {10**12}", method="POST")
        assert c.response().status == 413


def test_a_body_that_is_shorter_than_it_said(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/count", "Content-Length: 1000", method="POST", body=b"only this")
        wait_until(lambda: running(programs), "the program runs")
    expect_none_left(programs)


@shows("3875 4.2", "The program need not read the body")
def test_programs_that_do_not_read(programs):
    body = b"x" * 1_000_000
    for _ in range(3):
        assert ask(programs, "/cgi-bin/never-reads", method="POST", body=body).content == b"I do not read\n"
    r = ask(programs, "/cgi-bin/writes-first", method="POST", body=body)
    assert r.content == b"x" * 300000 + b"1000000\n"
    expect_none_left(programs)


# --- failures ---------------------------------------------------------------------------------------------------------


@shows("3875 6.1", "A program MUST send a response: without one the client gets an error page")
@pytest.mark.parametrize("program, status, cause", [
    ("fails", 502, "exited with code 3"),
    ("killed", 502, "was killed by signal 9"),
    ("broken-head", 502, "a line of the head is no field"),
    ("endless-head", 502, "the head is longer than 65536 bytes"),
    ("empty-head", 502, "neither Content-Type nor Status nor Location"),
    ("no-interpreter", 500, "interpreter"),
])
def test_failures_have_a_page_and_a_cause_in_the_log(programs, program, status, cause):
    r = ask(programs, f"/cgi-bin/{program}")
    assert r.status == status, r.content
    told(programs, f"/cgi-bin/{program}: ")
    line = next(l for l in programs.error_log.read_text().splitlines() if f"/cgi-bin/{program}: " in l)
    assert cause in line and r.headers["X-Request-Id"] in line
    expect_none_left(programs)


def test_mistakes_of_clients_are_no_failures_of_programs(programs):
    failed = lambda: sum(p["failed"] for p in json.loads(ask(programs, "/stats.json").content)["programs"])
    with programs.connect() as c:
        c.request("/cgi-bin/count", "Transfer-Encoding: chunked", method="POST", body=b"no chunk\r\n")
        assert c.rest().startswith(b"HTTP/1.1 400 ")
    assert failed() == 0
    assert ask(programs, "/cgi-bin/fails").status == 502
    assert failed() == 1


def test_a_response_that_is_cut_short_does_not_look_whole(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/killed-midway")
        assert not c.rest().endswith(b"0\r\n\r\n")
    told(programs, "was killed by signal 9; its response was cut short")
    with programs.connect() as c:
        c.request("/cgi-bin/short")
        assert c.rest().endswith(b"short")
    told(programs, "95 bytes before the end")


def test_a_flood_of_complaints(programs):
    assert ask(programs, "/cgi-bin/floods").content == b"after the flood\n"
    told(programs, "complaint 0")
    told(programs, "more lines)")
    assert programs.error_log.read_text().count("complaint ") < 100


@pytest.mark.parametrize("program", ["lingers", "lingers-elsewhere"])
def test_what_a_program_leaves_behind_is_killed(programs, program):
    assert ask(programs, f"/cgi-bin/{program}").content == b"done\n"
    expect_none_left(programs)


def test_complaints_after_the_output_do_not_stop_a_program(programs):
    assert ask(programs, "/cgi-bin/complains-at-the-end").content == b"all of it\n"
    wait_until(lambda: (programs.site / "cgi-bin/came-to-its-end").exists(), "the program has come to its end")


def test_a_program_that_closes_its_output_is_answered_for_at_once(programs):
    assert ask(programs, "/cgi-bin/closes-early").content == b"all of it\n"
    expect_none_left(programs)


@pytest.mark.parametrize("program", ["slow", "silent", "deaf"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_ends_the_program(programs, program, how):
    c = programs.connect()
    c.request(f"/cgi-bin/{program}")
    wait_until(lambda: running(programs), "the program runs")
    c.reset() if how == "reset" else c.close()
    expect_none_left(programs)
    programs.expect_healthy()


@pytest.mark.parametrize("program, body", [("silent", b""), ("count", b"only this")])
def test_a_client_that_leaves_is_no_failure_of_the_server(programs, program, body):
    with programs.connect() as c:
        c.request(f"/cgi-bin/{program}", "Content-Length: 1000" if body else "X-No: body", method="POST", body=body)
        wait_until(lambda: running(programs), "the program runs")
    line = wait_until(lambda: next((l for l in programs.log_lines() if f"/cgi-bin/{program}" in l), None), "it is logged")
    assert '" 499 0 ' in line
    expect_none_left(programs)
    assert " error: " not in programs.error_log.read_text()


def test_the_end_of_the_server_ends_the_programs(programs):
    with programs.connect() as c:
        c.request("/cgi-bin/deaf")
        wait_until(lambda: b"begun" in c.arrived or not c.more(), "the program has begun")
        left = running(programs)
        programs.process.kill()
        programs.process.wait()
        wait_until(lambda: not set(left) & {n for n, *_ in living_processes()}, "no program is left")
    programs.process = None


# --- limits -----------------------------------------------------------------------------------------------------------


@shows("3875 6.1", "The server MAY end a program that sends nothing for too long: 504")
def test_a_program_without_output_is_ended(configured):
    server = configured(idle_seconds=1)
    assert ask(server, "/cgi-bin/silent").status == 504
    told(server, "/cgi-bin/silent: no output for 1 s")
    expect_none_left(server)


def test_a_program_that_writes_need_not_read(configured):
    r = ask(configured(idle_seconds=2), "/cgi-bin/talks", "POST", b"x" * 300_000)
    assert r.content == b"1\n2\n3\n4\n5\n6\n300000\n"


def test_a_program_that_runs_too_long_is_ended(configured):
    server = configured(total_seconds=1)
    with server.connect() as c:
        c.request("/cgi-bin/slow")
        assert b"begun" in c.rest()
    told(server, "/cgi-bin/slow: it ran for 1 s; its response was cut short")
    expect_none_left(server)


def test_output_beyond_the_limit(configured):
    server = configured(output_bytes=100_000)
    with server.connect() as c:
        c.request("/cgi-bin/large")
        assert len(c.rest()) < 2_000_000
    told(server, "it wrote more than output_bytes")


def test_limits_of_the_system(configured):
    server = configured(cpu_seconds=1, memory_bytes=200_000_000, open_files=20)
    told_of = PYTHON + "import resource as r\nprint('Content-Type: text/plain\\n')\n" \
        "print(*(r.getrlimit(what)[0] for what in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_NOFILE, r.RLIMIT_CORE)))\n"
    path = pathlib.Path(server.site).parent.parent / "cgi-bin/limits"
    path.write_text(told_of)
    path.chmod(0o755)
    assert ask(server, "/cgi-bin/limits").content == b"1 200000000 20 0\n"


def test_only_so_many_run_at_once(configured):
    server = configured(running=1, waiting=1, wait_seconds=60)
    first, second = server.connect(), server.connect()
    first.request("/cgi-bin/slow")
    wait_until(lambda: b"begun" in first.arrived or not first.more(), "the first runs")
    second.request("/cgi-bin/hello")
    places = lambda: json.loads(ask(server, "/stats.json").content)["programs"][0]
    wait_until(lambda: places()["waiting"] == 1, "the second waits")
    r = ask(server, "/cgi-bin/hello")
    assert r.status == 503 and int(r.headers["Retry-After"]) > 0
    assert places()["refused"] == 1
    first.close()
    wait_until(lambda: b"hello" in second.arrived or not second.more(), "the second is answered")
    second.close()
    expect_none_left(server)


def test_a_request_does_not_wait_for_ever(configured):
    server = configured(running=1, wait_seconds=1)
    with server.connect() as first:
        first.request("/cgi-bin/slow")
        wait_until(lambda: b"begun" in first.arrived or not first.more(), "the first runs")
        assert ask(server, "/cgi-bin/hello").status == 503


def test_a_client_that_leaves_while_it_waits(configured):
    server = configured(running=1, wait_seconds=3600)
    with server.connect() as first:
        first.request("/cgi-bin/slow")
        wait_until(lambda: b"begun" in first.arrived or not first.more(), "the first runs")
        with server.connect() as second:
            second.request("/cgi-bin/hello")
            places = lambda: json.loads(ask(server, "/stats.json").content)["programs"][0]
            wait_until(lambda: places()["waiting"] == 1, "the second waits")
        wait_until(lambda: places()["waiting"] == 0, "it waits no more")


# --- other kinds of routes --------------------------------------------------------------------------------------------


def test_one_program_for_all_paths_beneath_a_route(serve, place):
    install(place)
    cgi = {"program": str(place / "cgi-bin/environment"), "environment": {"OWN": "value", "PATH": "/own/path"}}
    server = serve(settings={"route": [{"path": "/app/*", "cgi": cgi}]})
    e = environment(server, "/app/a/b?c")
    assert (e["SCRIPT_NAME"], e["PATH_INFO"], e["QUERY_STRING"]) == ("/app", "/a/b", "c")
    assert (e["OWN"], e["PATH"]) == ("value", "/own/path")
    e = environment(server, "/app")
    assert (e["SCRIPT_NAME"], e.get("PATH_INFO", "")) == ("/app", "")


def test_an_interpreter_for_an_ending(serve, place):
    interpreter = place / "interpreter"
    interpreter.write_text(SHELL + PLAIN + "cat \"$SCRIPT_FILENAME\"; pwd\n")
    interpreter.chmod(0o755)
    server = serve(settings={"route": [{"path": "*.own", "cgi": {"interpreter": str(interpreter)}}]},
                   files={"sub/page.own": "the page\n", "a.txt": "plain\n"})
    assert ask(server, "/sub/page.own").content == b"the page\n" + str(server.site / "sub").encode() + b"\n"
    assert ask(server, "/sub/other.own").status == 404
    assert ask(server, "/a.txt").content == b"plain\n"


def test_authorization_is_passed_on_if_it_is_configured(configured):
    server = configured(authorization=True)
    assert environment(server, fields={"Authorization": "Basic abc"})["HTTP_AUTHORIZATION"] == "Basic abc"


def test_a_body_of_unknown_length_can_be_passed_through(configured):
    server = configured(body="stream")
    r = ask(server, "/cgi-bin/count", method="POST", body=iter([b"a" * 10, b"b" * 10]),
            fields={"Transfer-Encoding": "chunked"})
    assert (r.content.split()[0], r.content.split()[2]) == (b"20", b"-")


def test_a_body_that_is_cut_short_has_no_end(configured, place):
    """Without a length, the program would take it for the whole body."""
    server = configured(body="stream", environment={"WHOLE": str(place / "whole")})
    with server.connect() as client:
        client.request("/cgi-bin/keeps-whole-bodies", "Transfer-Encoding: chunked", method="POST")
        client.send("4\r\nhalf\r\n")
        wait_until(lambda: b"begun" in client.arrived or not client.more(), "the program runs")
    expect_none_left(server)
    assert not (place / "whole").exists()


def test_x_sendfile(serve, place):
    install(place)
    (place / "files").mkdir()
    (place / "files/large").write_bytes(b"z" * 500_000)
    for name, file in (("good", "large"), ("outside", "../cgi-bin/hello")):
        path = place / "cgi-bin" / name
        path.write_text(SHELL + f"printf 'Content-Type: text/x-own\\nX-Sendfile: {place}/files/{file}\\n\\n'\n")
        path.chmod(0o755)
    cgi = {"directory": str(place / "cgi-bin"), "sendfile_root": str(place / "files")}
    server = serve(settings={"route": [{"path": "/cgi-bin/*", "cgi": cgi}]})
    r = ask(server, "/cgi-bin/good")
    assert (r.status, len(r.content), r.headers["Content-Type"]) == (200, 500_000, "text/x-own")
    assert "X-Sendfile" not in r.headers
    assert ask(server, "/cgi-bin/outside").status == 502
    with server.connect() as client:  # what has no content gets none
        client.request("/cgi-bin/unchanged")
        client.request("/a.txt", "Connection: close")
        rest = client.rest()
        assert rest.startswith(b"HTTP/1.1 304 ") and b"zzz" not in rest and b"HTTP/1.1 200 " in rest


def test_routes_without_programs_have_no_runner(server):
    assert runner_of(server) is None


def test_a_reload_changes_the_programs(serve, place, control):
    install(place)
    settings = {"control": str(control),
                "route": [{"path": "/cgi-bin/*", "cgi": {"directory": str(place / "cgi-bin")}}]}
    server = serve(settings=settings)
    with server.connect() as during:
        during.request("/cgi-bin/clock", "Content-Length: 1000", method="POST")
        during.send("1\n")
        wait_until(lambda: b"tick 1" in during.arrived or not during.more(), "the program runs")
        before = runner_of(server)
        settings["route"][0]["path"] = "/other/*"
        (server.site.parent / "occwserv.toml").write_text(toml(settings))
        assert operate("reload", control).returncode == 0
        assert ask(server, "/other/hello").content == b"hello\n"
        assert ask(server, "/cgi-bin/hello").status == 404
        during.send("2\n")
        wait_until(lambda: b"tick 2" in during.arrived or not during.more(), "the old program goes on")
    wait_until(lambda: before not in {n for n, *_ in living_processes()}, "the old runner has ended")
