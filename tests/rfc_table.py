#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints docs/RFC.md from the tables of the tests: tests/rfc_table.py >docs/RFC.md"""

import importlib
import pathlib
import sys

BEFORE = """\
# HTTP/1.1 to the letter

What RFC 9110 and RFC 9112 demand of an origin server, and what shows that it is so: `tests/21_rfc_test.py`, against the
running server with both engines; for conditional requests, ranges and content codings `tests/31_representations_test.py`.
`tests/rfc_table.py` makes this page from the tests' own tables, and a test fails when it is out of date. Authentication is not
in it.

| section | requirement | shown by |
|---|---|---|
"""

BETWEEN = """
## Stricter than the letter

* Of the tolerances that RFC 9112 allows, only empty lines before a request line (two of them) are kept. A bare LF, a folded
  line, white space in the request line or around chunk sizes are 400, and the connection is closed.
* Two Content-Length lines are refused even if they agree, and so is `5, 5` (section 6.3 would let either pass).
* White space around the semicolon and the equals sign of a chunk extension, which RFC 9110 section 5.6.3 would remove, is
  refused: other parsers end the size elsewhere.
* Empty elements in Transfer-Encoding are refused, which RFC 9110 section 5.6.1.2 would ignore: where a body ends shall not
  depend on a mended list. In Connection they are ignored.
* A refused CONNECT closes the connection: its client may already have sent bytes into the tunnel that somebody else has
  chosen. So does the 501 to an unknown method: what follows its head may be anything.
* A path may not climb above the root, nor have an encoded NUL: 400. A path that is valid (RFC 3986 section 2.1) but names no
  file here – with an encoded slash, a backslash, a control byte, or bytes that are not UTF-8 – is never looked up in the file
  system: routes and fixed pages may answer it, otherwise the answer is 404. An encoded slash does not separate segments.
* Several lines of a field whose value is not a list make an invalid value: such an If-Modified-Since, If-Unmodified-Since or
  Range is ignored, such an If-Range is false. An empty If-Match names no page: 412.
* Last-Modified is sent once it is a strong validator (RFC 9110 section 8.8.2.2), that is, not in the second in which the file
  changed; and never if the file's time is in the future, or on the first day of 1970 or before. Without it, If-Modified-Since
  is ignored and If-Range with a date is false.

## More lenient than the letter

* In a query `"`, `<`, `>`, `{`, `}`, `|`, `\\`, `^`, a backquote, brackets and bytes beyond ASCII are accepted, which RFC 3986
  section 3.4 does not allow: curl and other programs encode nothing there, and nginx accepts them, too. None of them ends the
  target, so parsers cannot disagree about where it ends. In a Location they are encoded. Control bytes, spaces and `#` are
  refused; in a path, `"`, `<`, `>` and bytes beyond ASCII as well.
* A client that refuses an uncompressed text (`identity;q=0`) gets it in a coding that it accepts, made at once. Where there
  is no such coding – for an image, or a file too large to be compressed – it gets the file as it is, rather than 406 (RFC
  9110 section 12.5.3 lets a server choose): programs that send `gzip, *;q=0` want images all the same.

## Hostile requests

`tests/22_hostile_test.py` sends each of these in one write and byte by byte. Behind each stands another request: where the
connection must be closed it is never answered, nor found in the log; elsewhere it must be. A body that breaks off ends the
connection without a second answer, since its request has been answered.

| about | vectors | refused, connection closed | answered, next request answered |
|---|---|---|---|
"""

TESTS = ("21_rfc_test", "31_representations_test")


def named(module):
    # A program beside the tests, whose names begin with digits.
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


def text():
    rows = [
        f"| {r.section} | {r.says} | {shown_by(r)} |\n"
        for r in sorted(sum((named(test).REQUIREMENTS for test in TESTS), []), key=in_order)
    ]
    groups = named("22_hostile_test").GROUPS
    counts = [(name, len(vectors), sum(v.closes for v in vectors)) for name, vectors in groups.items()]
    counts.append(("all", sum(c[1] for c in counts), sum(c[2] for c in counts)))
    summary = [f"| {name} | {all_} | {closed} | {all_ - closed} |\n" for name, all_, closed in counts]
    return BEFORE + "".join(rows) + BETWEEN + "".join(summary)


if __name__ == "__main__":
    sys.stdout.write(text())
