#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints docs/RFC.md from the tables of the tests: tests/rfc_table.py >docs/RFC.md"""

import importlib
import pathlib
import sys

BEFORE = """\
# Conformance to HTTP/1.1 and CGI/1.1

The requirements of RFC 9110 and RFC 9112 for an origin server, and the tests that show that the server meets them:
`tests/21_rfc_test.py`, and `tests/31_representations_test.py` for conditional requests, ranges and content codings. Both run
against the server with both engines. `tests/rfc_table.py` generates this page from the tables in the tests, and a test fails
when the page is out of date. Authentication is not supported, and not covered. A table for CGI (RFC 3875) is
[at the end](#cgi).

| section | requirement | shown by |
|---|---|---|
"""

BETWEEN = """
## Stricter than the RFCs require

* Of the leniencies that RFC 9112 allows, the server implements only one: up to two empty lines before a request line. A bare
  LF, a folded line, and white space in the request line or around chunk sizes are answered 400, and the connection is closed.
* Two Content-Length lines are refused even if they agree, and so is `5, 5` (section 6.3 would let either pass).
* White space around the semicolon and the equals sign of a chunk extension, which RFC 9110 section 5.6.3 would remove, is
  refused: other parsers may end the size elsewhere.
* Empty elements in Transfer-Encoding are refused, although RFC 9110 section 5.6.1.2 would ignore them: the end of a body must
  not depend on a repaired list. In Connection they are ignored.
* A refused CONNECT closes the connection: the client may already have sent bytes into the tunnel that a third party chose. The
  501 for an unknown method closes it too, because anything may follow the head.
* A path that leads above the root or has an encoded NUL is answered 400. A path that is valid (RFC 3986 section 2.1) but names no
  file here – with an encoded slash, a backslash, a control byte, or bytes that are not UTF-8 – is never looked up in the file
  system: routes and fixed pages may answer it, otherwise the answer is 404. An encoded slash does not separate segments.
* Several lines of a field whose value is not a list form an invalid value: such an If-Modified-Since, If-Unmodified-Since or
  Range is ignored, such an If-Range is false. An empty If-Match names no page: 412.
* Last-Modified is sent once it is a strong validator (RFC 9110 section 8.8.2.2), that is, after the second in which the file
  changed. It is never sent if the time of the file is in the future, or on the first day of 1970 or before. Without it,
  If-Modified-Since is ignored and If-Range with a date is false.

## More lenient than the RFCs allow

* In a query `"`, `<`, `>`, `{`, `}`, `|`, `\\`, `^`, a backquote, brackets and bytes that are not ASCII are accepted, although
  RFC 3986 section 3.4 does not allow them: curl and other programs do not encode them there, and nginx accepts them too. None
  of them can end the target, so parsers cannot disagree about its end. In a Location they are encoded. Control characters,
  spaces and `#` are refused; in a path, `"`, `<`, `>` and bytes that are not ASCII are refused too.
* A client that refuses an uncompressed text (`identity;q=0`) gets it in a coding that it accepts, compressed on demand. If
  there is no such coding – for an image, or a file that is too large to be compressed – it gets the file uncompressed instead
  of 406 (RFC 9110 section 12.5.3 lets the server choose): programs that send `gzip, *;q=0` want images all the same.

## Hostile requests

`tests/22_hostile_test.py` sends each of these in one write and byte by byte, followed by another request. If the connection
must be closed, that request must not be answered and must not appear in the log; otherwise it must be answered. A body that
ends too early closes the connection without a second answer, because its request has been answered.

| about | vectors | refused, connection closed | answered, next request answered |
|---|---|---|---|
"""

CGI = """
## CGI

The requirements of RFC 3875 for a server. The tests whose names begin with `test_` are in `tests/85_cgi_test.py`; the others
are in `server/cgi_farm/environment_test.cpp` and `server/cgi_farm/script_head_test.cpp`. The query never becomes the command line
of a program, although section 4.4 would have it so for a query without `=`: such words were once taken for options of the
interpreter (CVE-2012-1823).

| section | requirement | shown by |
|---|---|---|
"""

TESTS = ("21_rfc_test", "31_representations_test", "85_cgi_test")


def named(module):
    # The names of these modules begin with digits, so they cannot be imported by a statement.
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    return importlib.import_module(module)


def in_order(requirement):
    number, section = requirement.section.split(" ")
    return number, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in section.split(".")]


def shown_by(requirement):
    if requirement.test:
        return f"`{requirement.test}`"
    count = len(requirement.vectors)
    return f"`test_row`, {count} {'message' if count == 1 else 'messages'}"


def rows_of(requirements):
    return "".join(f"| {r.section} | {r.says} | {shown_by(r)} |\n" for r in sorted(requirements, key=in_order))


def text():
    requirements = sum((named(test).REQUIREMENTS for test in TESTS), [])
    of_cgi = [r for r in requirements if r.section.startswith("3875 ")]
    of_http = [r for r in requirements if r not in of_cgi]
    groups = named("22_hostile_test").GROUPS
    counts = [(name, len(vectors), sum(v.closes for v in vectors)) for name, vectors in groups.items()]
    counts.append(("all", sum(c[1] for c in counts), sum(c[2] for c in counts)))
    summary = [f"| {name} | {all_} | {closed} | {all_ - closed} |\n" for name, all_, closed in counts]
    return BEFORE + rows_of(of_http) + BETWEEN + "".join(summary) + CGI + rows_of(of_cgi)


if __name__ == "__main__":
    sys.stdout.write(text())
