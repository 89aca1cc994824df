# SPDX-License-Identifier: MIT
"""Which representation of a file is sent: conditions, ranges, codings; and that it is the current version."""

import concurrent.futures
import email
import email.utils
import hashlib
import html
import json
import os
import random
import re
import shutil
import subprocess
import time
import urllib.parse
import zlib

import pytest

from harness import DEADLINE, fill_tree, wait_until
from requirements import noting

REQUIREMENTS = []
shows = noting(REQUIREMENTS)

MODIFIED = 784_111_777
BEFORE, DATE, AFTER = (email.utils.formatdate(MODIFIED + seconds, usegmt=True) for seconds in (-1, 0, 1))
FUTURE = email.utils.formatdate(4_102_444_800, usegmt=True)
TEXT = "".join(f"<p>{i} is a number, and the next is {i + 1}.</p>\n" for i in range(500)).encode()
LARGE = random.Random(31).randbytes(3 * 1024 * 1024)


def decoded(coding, body):
    if coding is None:
        return body
    if coding == "gzip":
        return zlib.decompress(body, wbits=31)
    program = {"br": "brotli", "zstd": "zstd"}[coding]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run([program, "-dc"], input=body, stdout=subprocess.PIPE, check=True, timeout=DEADLINE).stdout


def tag_of(server, target, *fields):
    return server.ask(target, *fields, method="HEAD").get("ETag")


def dated(server, files):
    """Gives all files the same old date, because a new date is not a strong validator yet."""
    for name in files:
        os.utime(server.site / name, (MODIFIED, MODIFIED))
    return server


# --- conditions -------------------------------------------------------------------------------------------------------

OTHER = '"other"'
CONDITIONS = [  # TAG stands for the tag of the page
    ("13.1.1 If-Match is true if one of its tags is the page's", 206, ["If-Match: TAG"]),
    ("13.1.1 in a list too", 206, [f"If-Match: {OTHER}, TAG"]),
    ("13.1.1 or if it is *, and there is a page", 206, ["If-Match: *"]),
    ("13.1.1 else false", 412, [f"If-Match: {OTHER}"]),
    ("13.1.1 the comparison is strong", 412, ["If-Match: W/TAG"]),
    ("13.1.4 If-Unmodified-Since is true at the page's date", 206, [f"If-Unmodified-Since: {DATE}"]),
    ("13.1.4 and after it", 206, [f"If-Unmodified-Since: {AFTER}"]),
    ("13.1.4 else false", 412, [f"If-Unmodified-Since: {BEFORE}"]),
    ("13.1.4 what is no date is ignored", 206, ["If-Unmodified-Since: yesterday"]),
    ("13.1.2 If-None-Match is false if one of its tags is the page's", 304, ["If-None-Match: TAG"]),
    ("13.1.2 in a list too", 304, [f"If-None-Match: {OTHER}, TAG"]),
    ("13.1.2 or if it is *", 304, ["If-None-Match: *"]),
    ("13.1.2 the comparison is weak", 304, ["If-None-Match: W/TAG"]),
    ("13.1.2 else true", 206, [f"If-None-Match: {OTHER}"]),
    ("13.1.3 If-Modified-Since is false at the page's date", 304, [f"If-Modified-Since: {DATE}"]),
    ("13.1.3 and after it", 304, [f"If-Modified-Since: {AFTER}"]),
    ("13.1.3 else true", 206, [f"If-Modified-Since: {BEFORE}"]),
    ("13.1.3 what is no date is ignored", 206, ["If-Modified-Since: yesterday"]),
    ("13.1.3 so is a date of the future", 206, [f"If-Modified-Since: {FUTURE}"]),
    ("13.2.2 step 1: If-Match goes before If-Unmodified-Since", 206, ["If-Match: TAG", f"If-Unmodified-Since: {BEFORE}"]),
    ("13.2.2 step 1: even if the latter is true", 412, [f"If-Match: {OTHER}", f"If-Unmodified-Since: {DATE}"]),
    ("13.2.2 step 1: goes before step 3", 412, [f"If-Match: {OTHER}", "If-None-Match: TAG"]),
    ("13.2.2 step 1: goes on with step 3", 304, ["If-Match: TAG", "If-None-Match: TAG"]),
    ("13.2.2 step 1: goes on with step 4", 304, ["If-Match: TAG", f"If-Modified-Since: {DATE}"]),
    ("13.2.2 step 2: goes before step 3", 412, [f"If-Unmodified-Since: {BEFORE}", "If-None-Match: TAG"]),
    ("13.2.2 step 2: goes on with step 3", 304, [f"If-Unmodified-Since: {DATE}", "If-None-Match: TAG"]),
    ("13.2.2 step 2: goes on with step 4", 304, [f"If-Unmodified-Since: {DATE}", f"If-Modified-Since: {DATE}"]),
    ("13.2.2 step 3: If-None-Match goes before If-Modified-Since", 206,
     [f"If-None-Match: {OTHER}", f"If-Modified-Since: {DATE}"]),
    ("13.2.2 step 3: even if the latter is true", 304, ["If-None-Match: TAG", f"If-Modified-Since: {BEFORE}"]),
    ("13.2.2 step 5: If-Range with the page's tag", 206, ["If-Range: TAG"]),
    ("13.2.2 step 5: with another", 200, [f"If-Range: {OTHER}"]),
    ("13.1.5 the comparison is strong", 200, ["If-Range: W/TAG"]),
    ("13.1.5 with the page's date", 206, [f"If-Range: {DATE}"]),
    ("13.1.5 with an earlier", 200, [f"If-Range: {BEFORE}"]),
    ("13.1.5 or a later one", 200, [f"If-Range: {AFTER}"]),
    ("13.2.2 step 5: comes after step 3", 304, ["If-Range: TAG", "If-None-Match: TAG"]),
    ("13.2.2 step 5: comes after step 1", 412, ["If-Range: TAG", f"If-Match: {OTHER}"]),
    ("13.2.2 step 6: without conditions", 206, []),
    ("5.6.1.2 empty elements of If-Match are passed over", 206, ["If-Match: ,TAG,,"]),
    ("13.1.1 but a list that has no others names nothing", 412, ["If-Match:"]),
    ("13.1.1 nor does one of commas", 412, ["If-Match: , ,"]),
    ("5.3 If-Match in two lines", 206, [f"If-Match: {OTHER}", "If-Match: TAG"]),
    ("5.3 one of them empty", 206, ["If-Match:", "If-Match: TAG"]),
    ("13.1.1 an empty If-Match goes before If-Unmodified-Since", 412, ["If-Match:", f"If-Unmodified-Since: {DATE}"]),
    ("5.6.1.2 empty elements of If-None-Match are passed over", 304, ["If-None-Match: , TAG,"]),
    ("13.1.2 a list that has no others names nothing", 206, ["If-None-Match:"]),
    ("5.3 If-None-Match in two lines", 304, [f"If-None-Match: {OTHER}", "If-None-Match: TAG"]),
    ("13.1.3 an empty If-None-Match goes before If-Modified-Since", 206,
     ["If-None-Match:", f"If-Modified-Since: {DATE}"]),
    ("13.1.3 two dates are none", 206, [f"If-Modified-Since: {DATE}", f"If-Modified-Since: {DATE}"]),
    ("13.1.4 two dates are none", 206, [f"If-Unmodified-Since: {BEFORE}", f"If-Unmodified-Since: {BEFORE}"]),
    ("13.1.5 an empty If-Range is of no page", 200, ["If-Range:"]),
    ("13.1.5 nor are two tags", 200, ["If-Range: TAG", "If-Range: TAG"]),
    ("13.1.5 nor two dates", 200, [f"If-Range: {DATE}", f"If-Range: {DATE}"]),
]
RANGE = "Range: bytes=5-9"
METHODS = ("GET", "HEAD")


def check_condition(c, target, content, tag, method, row):
    what, wanted, fields = row
    # (14.2) For HEAD a range has no meaning.
    status = 200 if (wanted, method) == (206, "HEAD") else wanted
    r = c.ask(target, RANGE, *[f.replace("TAG", tag) for f in fields], method=method)
    assert r.status == status, (what, target, method)
    if status == 412:
        assert r.get("ETag") is None and "Precondition Failed" in r.text or method == "HEAD"
        return
    assert (r.get("ETag"), r.get("Cache-Control"), r.get("Last-Modified")) == (tag, "no-cache", DATE)
    assert r.get("Vary") == ("Accept-Encoding" if target.endswith("html") else None)
    assert r.get("Content-Range") == (f"bytes 5-9/{len(content)}" if status == 206 else None)
    if status == 206:
        assert r.body == content[5:10]
    elif method == "GET":
        assert r.body == (content if status == 200 else b"")
    if status == 304:
        assert r.get("Content-Type") is None and r.get("Content-Encoding") is None
    else:
        assert r.get("Content-Length") == str(5 if status == 206 else len(content))


@pytest.fixture(scope="module")
def conditional(engine, tmp_path_factory):
    """For each row three kinds of pages: one in the cache, one not yet in it, and one that is never cached."""
    from conftest import Server, _servers

    files = {"warm.html": TEXT, "large.bin": LARGE}
    files |= {f"cold/{method}/{i}.html": TEXT for method in METHODS for i in range(len(CONDITIONS))}
    home = tmp_path_factory.mktemp("conditional")
    fill_tree(home / "site", files)
    with _servers() as start:
        server = start(Server(home, engine))
        yield dated(server, files)


@shows("9110 13.2.2", "Preconditions MUST be evaluated in that order: for a page from the cache")
@pytest.mark.parametrize("method", METHODS)
def test_conditions_of_a_page_in_the_cache(conditional, method):
    with conditional.connect() as c:
        for _ in range(3):
            tag = c.ask("/warm.html").get("ETag")
        for row in CONDITIONS:
            check_condition(c, "/warm.html", TEXT, tag, method, row)
            assert c.ask("/warm.html").body == TEXT  # so no content was sent where there must be none


@shows("9110 13.2.2", "The same for a page that was not requested before")
@pytest.mark.parametrize("method", METHODS)
def test_conditions_of_a_cold_page(conditional, method):
    tag = tag_of(conditional, "/warm.html")
    with conditional.connect() as c:
        for i, row in enumerate(CONDITIONS):
            check_condition(c, f"/cold/{method}/{i}.html", TEXT, tag, method, row)


@shows("9110 13.2.2", "The same for a file that is sent from disk")
@pytest.mark.parametrize("method", METHODS)
def test_conditions_of_a_large_file(conditional, method):
    tag = tag_of(conditional, "/large.bin")
    with conditional.connect() as c:
        for row in CONDITIONS:
            check_condition(c, "/large.bin", LARGE, tag, method, row)


@shows("9110 13.2.1", "Conditions MUST be ignored if the answer without them is not a success")
def test_conditions_of_a_missing_page(conditional):
    with conditional.connect() as c:
        for field in ("If-Match: *", 'If-Match: "a"', "If-None-Match: *", f"If-Modified-Since: {DATE}",
                      f"If-Unmodified-Since: {DATE}", RANGE):
            assert c.ask("/none", field).status == 404
            assert c.ask("/cold", field).status == 301
            assert c.ask("/warm.html", field, method="POST").status == 405
            assert c.ask("/warm.html", field, method="OPTIONS").status == 204


# --- ranges -----------------------------------------------------------------------------------------------------------

SITE = {
    "page.html": TEXT,
    "small.txt": b"0123456789",
    "empty.txt": b"",
    "one.txt": b"1",
    "large.bin": LARGE,
    "list/a.txt": b"a",
}
RANGED = ("page.html", "small.txt", "large.bin")


def parts_of(r):
    """The parts of a multipart response: (first, last, size, content)."""
    message = email.message_from_bytes(b"Content-Type: " + r.get("Content-Type").encode() + b"\r\n\r\n" + r.body)
    assert message.get_content_type() == "multipart/byteranges" and not message.defects
    parts = []
    for part in message.get_payload():
        numbers = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", part["Content-Range"]).groups()
        parts.append((*map(int, numbers), part["Content-Type"]))
    # Cut the content out between the boundaries: the email package would treat it as text.
    boundary = b"\r\n--" + message.get_boundary().encode()
    pieces = (b"\r\n" + r.body).split(boundary)
    assert pieces[0] == b"" or pieces[0] == b"\r\n", pieces[0]
    assert pieces[-1] == b"--\r\n"
    contents = [piece.split(b"\r\n\r\n", 1)[1] for piece in pieces[1:-1]]
    assert len(contents) == len(parts)
    return [(*part, content) for part, content in zip(parts, contents)]


@shows("9110 14.2", "A satisfiable range is answered 206 with Content-Range and these bytes")
@pytest.mark.parametrize("name", RANGED)
def test_one_range(standing, name):
    content = SITE[name]
    size = len(content)
    rows = [("0-0", 0, 0), ("0-4", 0, 4), ("3-", 3, size - 1), ("-1", size - 1, size - 1), ("-4", size - 4, size - 1),
            (f"-{size + 5}", 0, size - 1), (f"{size - 1}-", size - 1, size - 1), ("2-99999999999999999999999", 2, size - 1),
            ("0-", 0, size - 1), ("0-3,2-5", 0, 5), ("0-3,4-7", 0, 7), ("5-7,0-9", 0, 9), (f"2-3,{size}-", 2, 3),
            (f"{size}-,-2", size - 2, size - 1)]
    with standing.connect() as c:
        for _ in range(2):
            for written, first, last in rows:
                r = c.ask(f"/{name}", f"Range: bytes={written}")
                assert (r.status, r.get("Content-Range")) == (206, f"bytes {first}-{last}/{size}"), written
                assert r.body == content[first : last + 1], written
                assert r.get("ETag") == c.ask(f"/{name}", method="HEAD").get("ETag")


@shows("9110 15.3.7.2", "Several ranges are sent as multipart/byteranges, without a Content-Range of the whole")
@pytest.mark.parametrize("name", RANGED)
def test_several_ranges(standing, name):
    content = SITE[name]
    size = len(content)
    rows = [("0-1,4-5", [(0, 1), (4, 5)]), ("6-7,0-0,-1", [(6, 7), (0, 0), (size - 1, size - 1)]),
            ("4-5,0-1", [(4, 5), (0, 1)]), ("0-1, 1-2 ,,5-6", [(0, 2), (5, 6)]), (f"0-0,{size}-,2-2", [(0, 0), (2, 2)]),
            (",".join(f"{2 * i}-{2 * i}" for i in range(5)), [(2 * i, 2 * i) for i in range(5)])]
    if size > 1000:
        rows += [(f"0-{size // 3},{size // 2}-{size - 5}", [(0, size // 3), (size // 2, size - 5)])]
    with standing.connect() as c:
        media_type = c.ask(f"/{name}", method="HEAD").get("Content-Type")
        for written, wanted in rows:
            r = c.ask(f"/{name}", f"Range: bytes={written}")
            assert (r.status, r.get("Content-Range")) == (206, None), written
            assert parts_of(r) == [(first, last, size, media_type, content[first : last + 1]) for first, last in wanted]


@pytest.mark.parametrize("name", RANGED)
def test_a_boundary_cannot_be_predicted(standing, name):
    """Otherwise content could be crafted that appears to contain another part."""
    with standing.connect() as c:
        assert len({c.ask(f"/{name}", "Range: bytes=0-0,2-2").get("Content-Type") for _ in range(20)}) == 20


@shows("9110 14.2", "A range that is invalid, excessive, or not for GET MAY, and in some cases MUST, be ignored")
@pytest.mark.parametrize("name", RANGED)
def test_ranges_that_are_ignored(standing, name):
    many = ",".join(f"{2 * i}-{2 * i}" for i in range(5 if name == "small.txt" else 17))
    many += ",0-0" * 60
    with standing.connect() as c:
        for written in ("pages=1-2", "bytes=", "bytes=x", "bytes=5-4", "bytes=1-2,x", "bytes=-", "bytes 1-2", "1-2",
                        "bytes=--1", f"bytes={many}"):
            r = c.ask(f"/{name}", f"Range: {written}")
            assert (r.status, r.body == SITE[name], r.get("Content-Range")) == (200, True, None), written
            assert r.get("Accept-Ranges") == "bytes"
        r = c.ask(f"/{name}", "Range: bytes=1-2", "Range: bytes=1-2")  # two lines: the field is not a list
        assert (r.status, r.body) == (200, SITE[name])
        for written in ("0-0", "0-0,3-4", "99999999-"):
            r = c.ask(f"/{name}", f"Range: bytes={written}", method="HEAD")
            assert (r.status, r.get("Content-Length"), r.get("Content-Range")) == (200, str(len(SITE[name])), None)


@shows("9110 15.5.17", "A range beyond the end is answered 416, with the size in Content-Range")
@pytest.mark.parametrize("name", RANGED)
def test_ranges_beyond_the_end(standing, name):
    size = len(SITE[name])
    with standing.connect() as c:
        tag = c.ask(f"/{name}").get("ETag")
        for written in (f"{size}-", f"{size}-{size + 5}", "-0", f"{size}-,{size + 9}-", "99999999999999999999999-"):
            for fields in ([], [f"If-Range: {tag}"]):
                r = c.ask(f"/{name}", f"Range: bytes={written}", *fields)
                assert (r.status, r.get("Content-Range")) == (416, f"bytes */{size}"), written
            assert c.ask(f"/{name}", f"Range: bytes={written}", 'If-Range: "x"').status == 200
        assert c.ask(f"/{name}").body == SITE[name]


def test_ranges_of_tiny_files(standing):
    with standing.connect() as c:
        for written in ("0-", "0-0", "-1", "5-"):
            r = c.ask("/empty.txt", f"Range: bytes={written}")
            assert (r.status, r.body) == (200, b"")  # an empty range cannot be expressed
        for written in ("0-", "0-0", "-1", "0-99", "-5"):
            r = c.ask("/one.txt", f"Range: bytes={written}")
            assert (r.status, r.body, r.get("Content-Range")) == (206, b"1", "bytes 0-0/1")
        assert c.ask("/one.txt", "Range: bytes=1-").status == 416


def test_ranges_of_a_file_beyond_4_gib(serve):
    server = serve(files={"sparse.bin": b"begin"})
    size = 5 * 1024**3
    with open(server.site / "sparse.bin", "r+b") as f:
        f.truncate(size)
        f.seek(size - 3)
        f.write(b"end")
    with server.connect() as c:
        assert c.ask("/sparse.bin", method="HEAD").get("Content-Length") == str(size)
        assert c.ask("/sparse.bin", "Range: bytes=-4").body == b"\0end"
        r = c.ask("/sparse.bin", f"Range: bytes={size - 3}-")
        assert (r.body, r.get("Content-Range")) == (b"end", f"bytes {size - 3}-{size - 1}/{size}")
        parts = parts_of(c.ask("/sparse.bin", f"Range: bytes=0-5,{4 * 1024**3 - 1}-{4 * 1024**3},-3"))
        assert [part[-1] for part in parts] == [b"begin\0", b"\0\0", b"end"]
        assert c.ask("/sparse.bin", f"Range: bytes={size}-").get("Content-Range") == f"bytes */{size}"


# --- codings ----------------------------------------------------------------------------------------------------------

CODINGS = ("gzip", "br", "zstd")


def wait_for_codings(server, *targets):
    """Waits until the compressor has finished the page, on every core that will be asked."""

    def all_coded(c):
        return all(c.ask(target, "Accept-Encoding: br").get("Content-Encoding") == "br" for target in targets)

    with server.connect() as c:
        wait_until(lambda: all_coded(c), "the text is sent compressed")


@pytest.fixture(scope="module")
def coded(engine, tmp_path_factory):
    from conftest import Server, _servers

    home = tmp_path_factory.mktemp("coded")
    files = {"page.html": TEXT, "short.txt": b"short " * 10, "noise.txt": random.Random(1).randbytes(5000),
             "image.png": TEXT, "large.html": TEXT * 60}
    fill_tree(home / "site", files)
    with _servers() as start:
        server = start(Server(home, engine, workers=1))  # so that there is only one cache
        wait_for_codings(server, "/page.html")
        yield server


@shows("9110 12.5.3", "The coding has the highest weight; a refused one is sent only if there is no other")
@pytest.mark.parametrize(
    "field, wanted",
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("deflate", None),
        ("identity", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0.5, br;q=0.501", "br"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", "br"),
        ("br;q=0, zstd;q=0, *;q=0.1, identity;q=0", "gzip"),
        ("*", "br"),
        ("*;q=0", None),  # an error would help nobody
        ("gzip;q=0.5, identity;q=1", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=2, br;q=0.001", "br"),  # malformed elements are ignored
        (",, gzip ,", "gzip"),
        ("br;q=0.1\r\nAccept-Encoding: gzip", "gzip"),  # two lines
    ],
)
def test_accept_encoding(coded, field, wanted):
    fields = [] if field is None else [f"Accept-Encoding: {field}"]
    with coded.connect() as c:
        r = c.ask("/page.html", *fields)
        assert (r.status, r.get("Content-Encoding"), r.get("Vary")) == (200, wanted, "Accept-Encoding")
        assert decoded(wanted, r.body) == TEXT
        assert wanted is None or len(r.body) < len(TEXT) / 2
        headed = c.ask("/page.html", *fields, method="HEAD")
        for name in ("Content-Encoding", "Vary", "ETag", "Content-Length", "Content-Type", "Last-Modified"):
            assert headed.get(name) == r.get(name)


@shows("9110 8.8.3.3", "Each coding has its own entity tag, to which conditions and ranges apply")
def test_a_tag_for_each_coding(coded):
    with coded.connect() as c:
        bodies, tags = {}, {}
        for coding in (None, *CODINGS):
            r = c.ask("/page.html", *([f"Accept-Encoding: {coding}"] if coding else []))
            assert r.get("Content-Encoding") == coding
            bodies[coding], tags[coding] = r.body, r.get("ETag")
        assert len(set(tags.values())) == 4
        for coding in CODINGS:
            accept = f"Accept-Encoding: {coding}"
            for other, tag in tags.items():
                r = c.ask("/page.html", accept, f"If-None-Match: {tag}")
                assert r.status == (304 if other == coding else 200)
                assert (r.get("ETag"), r.get("Vary")) == (tags[coding], "Accept-Encoding")
            r = c.ask("/page.html", accept, "Range: bytes=10-99", f"If-Range: {tags[coding]}")
            assert (r.status, r.get("Content-Encoding"), r.get("ETag")) == (206, coding, tags[coding])
            assert r.get("Content-Range") == f"bytes 10-99/{len(bodies[coding])}"
            assert r.body == bodies[coding][10:100]
            assert c.ask("/page.html", accept, "Range: bytes=10-99", f"If-Range: {tags[None]}").body == bodies[coding]
            parts = parts_of(c.ask("/page.html", accept, "Range: bytes=0-9,-10"))
            assert [part[-1] for part in parts] == [bodies[coding][:10], bodies[coding][-10:]]


@shows("9110 12.5.3", "A client that refuses an uncompressed text gets it compressed, even on the first request")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_that_refuses_identity(serve, method):
    files = {f"{coding}.html": TEXT for coding in CODINGS} | {"short.txt": b"short", "image.png": TEXT}
    server = serve(files=files, workers=1)
    with server.connect() as c:
        for coding in CODINGS:
            refusing = f"Accept-Encoding: {coding}, identity;q=0"
            first = c.ask(f"/{coding}.html", refusing, method=method)
            assert (first.status, first.get("Content-Encoding"), first.get("Vary")) == (200, coding, "Accept-Encoding")
            again = c.ask(f"/{coding}.html", refusing)  # now cached, perhaps uncompressed
            assert (again.get("Content-Encoding"), again.get("ETag")) == (coding, first.get("ETag"))
            assert decoded(coding, again.body) == TEXT and (method == "HEAD" or first.body == again.body)
            wait_for_codings(server, f"/{coding}.html")
            kept = c.ask(f"/{coding}.html", refusing)
            assert (kept.body, kept.get("ETag")) == (again.body, first.get("ETag"))  # the same tag for the same bytes
        for _ in range(3):
            r = c.ask("/short.txt", "Accept-Encoding: gzip, *;q=0")
            assert r.get("Content-Encoding") == "gzip" and decoded("gzip", r.body) == b"short"
            assert c.ask("/short.txt", "Accept-Encoding: gzip").get("Content-Encoding") is None
            # There is no other coding: programs that send this accept images all the same.
            for target, accept in (("/image.png", "gzip, *;q=0"), ("/gzip.html", "*;q=0"), ("/gzip.html", "x, *;q=0")):
                r = c.ask(target, f"Accept-Encoding: {accept}")
                assert (r.status, r.get("Content-Encoding"), r.body) == (200, None, TEXT)


def test_what_is_not_compressed(coded):
    """Short texts, texts that would not become smaller, dense formats, and files that are too large for the cache."""
    with coded.connect() as c:
        for _ in range(5):
            for name in ("short.txt", "noise.txt", "image.png", "large.html"):
                r = c.ask(f"/{name}", "Accept-Encoding: gzip, br, zstd")
                assert (r.status, r.get("Content-Encoding")) == (200, None), name
                assert r.get("Vary") == (None if name == "image.png" else "Accept-Encoding")
                assert r.body == (coded.site / name).read_bytes()
            wait_for_codings(coded, "/page.html")  # what can be compressed has been compressed


def gzipped(text):
    z = zlib.compressobj(wbits=31)
    return z.compress(text) + z.flush()


@pytest.mark.parametrize("size", [1, 300], ids=["in the cache", "from the disk"])
def test_precompressed_files(serve, size):
    """Precompressed files are used from the first request on, and changes, additions and removals are noticed."""
    text, other = TEXT * size, b"made by hand " * 10_000
    server = serve(files={"page.html": text, "page.html.gz": gzipped(text), "image.png": "i", "image.png.gz": "no"})
    sidecar = server.site / "page.html.gz"
    with server.connect() as c:

        def gets():
            return c.ask("/page.html", "Accept-Encoding: gzip")

        r = gets()
        assert (r.get("Content-Encoding"), r.body, r.get("Vary")) == ("gzip", gzipped(text), "Accept-Encoding")
        assert r.get("Content-Type") == "text/html; charset=utf-8"
        assert r.get("Content-Length") == str(len(gzipped(text)))
        plain = c.ask("/page.html")
        assert (plain.get("Content-Encoding"), plain.body == text) == (None, True)
        assert plain.get("ETag") != r.get("ETag")
        assert c.ask("/image.png", "Accept-Encoding: gzip").body == b"i"
        assert c.ask("/page.html.gz").get("Content-Encoding") is None

        sidecar.write_bytes(gzipped(other))
        wait_until(lambda: gets().body == gzipped(other), "the new file beside it is sent")
        assert gets().get("ETag") != r.get("ETag")
        sidecar.unlink()
        wait_until(lambda: (r := gets()) and decoded(r.get("Content-Encoding"), r.body) == text, "it is gone")
        sidecar.write_bytes(gzipped(text))
        wait_until(lambda: gets().body == gzipped(text), "it is there again")


@pytest.mark.parametrize("size", [1, 300], ids=["in the cache", "from the disk"])
def test_unusable_precompressed_files(serve, size):
    """An older precompressed file belongs to an earlier version; an empty one is still being written."""
    text, other = TEXT * size, b"made by hand " * 10_000
    files = {}
    for name in ("older", "empty", "rounded"):
        files |= {f"{name}.html": text, f"{name}.html.gz": b"" if name == "empty" else gzipped(other)}
    server = serve(files=files)
    for name, sidecar, file in (("older", 1, 2), ("rounded", 2, 2.75)):
        os.utime(server.site / f"{name}.html", (MODIFIED + file,) * 2)
        os.utime(server.site / f"{name}.html.gz", (MODIFIED + sidecar,) * 2)
    with server.connect() as c:

        def gets(name):
            r = c.ask(f"/{name}.html", "Accept-Encoding: gzip")
            return decoded(r.get("Content-Encoding"), r.body)

        for _ in range(3):
            assert (gets("older"), gets("empty"), gets("rounded")) == (text, text, other)
        os.utime(server.site / "older.html.gz")
        wait_until(lambda: gets("older") == other, "the copy has been made again")


@pytest.mark.parametrize("size", [1, 10], ids=["in the cache", "from the disk"])
def test_precompressed_files_of_any_type(serve, size):
    """Only types that are already compressed have no precompressed files."""
    content = (TEXT * size)[: 70_000 * size]
    names = ("model.onnx", "table.data", "map.pbf", "image.bin", "paper.pdf", "NOTICE")
    files = {name: content for name in (*names, "picture.png", "alone.bin")}
    files |= {f"{name}.gz": gzipped(content) for name in (*names, "picture.png")}
    server = serve(files=files)
    with server.connect() as c:
        for name in names:
            r = c.ask(f"/{name}", "Accept-Encoding: gzip")
            assert (r.get("Content-Encoding"), r.get("Vary"), decoded("gzip", r.body)) == ("gzip", "Accept-Encoding", content)
            plain = c.ask(f"/{name}")
            assert (plain.get("Content-Encoding"), plain.get("Vary"), plain.body) == (None, "Accept-Encoding", content)
            assert plain.get("Content-Type") == r.get("Content-Type")
        for name in ("picture.png", "alone.bin"):
            r = c.ask(f"/{name}", "Accept-Encoding: gzip")
            assert (r.get("Content-Encoding"), r.get("Vary"), r.body) == (None, None, content), name


@pytest.mark.parametrize("size", [1, 300], ids=["in the cache", "from the disk"])
def test_an_image_that_is_stored_compressed(serve, size):
    """It is always sent with its coding, as by other servers: all browsers accept it, and there is no other form."""
    content = random.Random(size).randbytes(1000 * size)
    server = serve(files={"drawing.svgz": content})
    with server.connect() as c:
        for accept in ("gzip", "br", "identity"):
            r = c.ask("/drawing.svgz", f"Accept-Encoding: {accept}")
            assert (r.get("Content-Type"), r.get("Content-Encoding")) == ("image/svg+xml; charset=utf-8", "gzip")
            assert (r.get("Vary"), r.body) == (None, content)
        part = c.ask("/drawing.svgz", "Range: bytes=0-9")
        assert (part.status, part.get("Content-Encoding"), part.body) == (206, "gzip", content[:10])


@shows("9110 8.8.3", "The tag of a coding stays valid after a restart, before anything is compressed again")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_tags_of_codings_outlive_the_server(serve, method):
    server = serve(files={"page.html": TEXT}, workers=1)
    wait_for_codings(server, "/page.html")
    tags = {coding: tag_of(server, "/page.html", f"Accept-Encoding: {coding}") for coding in CODINGS}
    server.stop()
    server.exit_code = None
    server.start()
    with server.connect() as c:
        for coding, tag in tags.items():
            r = c.ask("/page.html", f"Accept-Encoding: {coding}", f"If-None-Match: {tag}", method=method)
            assert (r.status, r.get("ETag"), r.get("Vary")) == (304, tag, "Accept-Encoding")
            assert c.ask("/page.html", f"If-None-Match: {tag}", method=method).status == 200, "not accepted"
        for tag in tags.values():
            r = c.ask("/page.html", "Accept-Encoding: gzip, br, zstd", f'If-None-Match: "x{tag[1:]}', method=method)
            assert r.status == 200


@shows("9110 13.1.1", "If-Match and If-Range with the tag of a coding still hold after a restart")
@pytest.mark.parametrize("coding", CODINGS)
def test_conditions_with_tags_of_codings_outlive_the_server(serve, coding):
    server = serve(files={"page.html": TEXT}, workers=1)
    wait_for_codings(server, "/page.html")
    accept = f"Accept-Encoding: {coding}"
    with server.connect() as c:
        whole = c.ask("/page.html", accept)
    tag = whole.get("ETag")
    for condition, status in ((f"If-Match: {tag}", 200), (f'If-Match: "x{tag[1:]}', 412), (f"If-Range: {tag}", 206)):
        server.stop()
        server.exit_code = None
        server.start()
        with server.connect() as c:
            r = c.ask("/page.html", accept, condition, *([RANGE] if status == 206 else []))
            assert r.status == status
            if status == 200:
                assert (r.get("ETag"), r.body) == (tag, whole.body)
            if status == 206:
                assert (r.get("ETag"), r.get("Content-Encoding")) == (tag, coding)
                assert r.get("Content-Range").endswith(f"/{len(whole.body)}") and r.body in whole.body


@pytest.mark.parametrize("size", [1, 60], ids=["page", "large"])
def test_the_date_of_a_precompressed_file(serve, size):
    """The later of the two dates, since a change of either file makes another version; judged as any other date."""
    text = TEXT * size
    server = serve(files={"page.html": text, "page.html.gz": gzipped(text)})
    later = email.utils.formatdate(MODIFIED + 5, usegmt=True)

    def ask(c, coding, *fields):
        return c.ask("/page.html", *([f"Accept-Encoding: {coding}"] if coding else []), *fields)

    os.utime(server.site / "page.html", (MODIFIED,) * 2)
    os.utime(server.site / "page.html.gz", (MODIFIED + 5,) * 2)
    with server.connect() as c:
        for _ in range(3):
            for coding, date, other in ((None, DATE, later), ("gzip", later, DATE)):
                r = ask(c, coding)
                assert (r.get("Content-Encoding"), r.get("Last-Modified")) == (coding, date)
                assert ask(c, coding, RANGE, f"If-Range: {date}").status == 206
                assert ask(c, coding, RANGE, f"If-Range: {other}").status == 200
        os.utime(server.site / "page.html.gz", (time.time() + 1000,) * 2)
        wait_until(lambda: ask(c, "gzip").get("Last-Modified") is None, "its date is in the future")
        assert ask(c, None).get("Last-Modified") == DATE


def test_codings_last(serve):
    """A page keeps its compressed forms until it changes, however many clients request it while they are made."""
    files = {f"{i}.html": b"%d" % i + TEXT for i in range(30)}
    server = serve(files=files, workers=1)

    def ask(i):
        with server.connect() as c:
            return [c.ask(f"/{i}.html", "Accept-Encoding: gzip, br").status for _ in range(20)]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, [i for i in range(30) for _ in range(8)]))
    wait_for_codings(server, *[f"/{name}" for name in files])
    end = time.monotonic() + 2
    with server.connect() as c:
        while time.monotonic() < end:
            for name, content in files.items():
                r = c.ask(f"/{name}", "Accept-Encoding: br")
                assert r.get("Content-Encoding") == "br", name
        assert decoded("br", r.body) == content
        (server.site / "3.html").write_bytes(b"new" + TEXT)

        def new_one():
            r = c.ask("/3.html", "Accept-Encoding: br")
            return decoded(r.get("Content-Encoding"), r.body) == b"new" + TEXT

        wait_until(new_one, "the new text, in whatever coding")
    wait_for_codings(server, "/3.html")


# --- tags and changes -------------------------------------------------------------------------------------------------


@shows("9110 8.8.1", "A strong validator changes whenever the content does, and only then")
def test_tags_are_made_from_content(serve, place):
    files = {"page.html": TEXT, "large.bin": LARGE, "empty.txt": b""}
    server = serve(files=files)
    tags = {name: tag_of(server, f"/{name}") for name in files}
    assert all(re.fullmatch(r'"[!#-~]+"', tag) for tag in tags.values()) and len(set(tags.values())) == 3
    for name in files:
        os.utime(server.site / name, (MODIFIED, MODIFIED))
    wait_until(lambda: server.ask("/page.html").get("Last-Modified") == DATE, "the new date")
    assert {name: tag_of(server, f"/{name}") for name in files} == tags
    shutil.copytree(server.site, place / "copy")
    elsewhere = serve(site=place / "copy")
    assert {name: tag_of(elsewhere, f"/{name}") for name in files} == tags

    for name in ("page.html", "large.bin"):
        path = server.site / name
        changed = bytearray(files[name])
        changed[len(changed) // 2] ^= 1
        with server.connect() as c:
            assert c.ask(f"/{name}").get("ETag") == tags[name]
            path.write_bytes(changed)
            os.utime(path, (MODIFIED, MODIFIED))
            wait_until(lambda: c.ask(f"/{name}").get("ETag") != tags[name], "another tag")  # noqa: B023
            r = c.ask(f"/{name}")
            assert (r.body == changed, r.get("Last-Modified")) == (True, DATE)


def test_the_tag_of_a_very_large_file_comes_later(serve):
    server = serve(files={"huge.bin": LARGE * 6})
    tag = wait_until(lambda: tag_of(server, "/huge.bin"), "the file has been hashed")
    assert server.ask("/huge.bin", f"If-None-Match: {tag}").status in (200, 304)  # from another core, which is still hashing
    wait_until(lambda: server.ask("/huge.bin", f"If-None-Match: {tag}").status == 304, "the tag is known")


def test_the_tag_of_a_file_too_large_to_be_read_for_it(serve):
    """The tag is made from the times of the file once these have not changed for a while; a terabyte is never read."""
    server = serve(files={"sparse.bin": b"begin"})
    os.truncate(server.site / "sparse.bin", 1024**4)
    tag = wait_until(lambda: tag_of(server, "/sparse.bin"), "the file has not changed for two seconds")
    assert tag.startswith('"t-')
    with server.connect() as c:
        # Another core may have checked the file up to a second ago, when it had no tag.
        wait_until(lambda: c.ask("/sparse.bin", f"If-None-Match: {tag}", method="HEAD").status == 304, "the tag holds")
        r = c.ask("/sparse.bin", f"If-Range: {tag}", "Range: bytes=-4")
        assert (r.status, r.body) == (206, b"\0\0\0\0")
    os.truncate(server.site / "sparse.bin", 1024**4 - 1)
    wait_until(lambda: server.ask("/sparse.bin", f"If-None-Match: {tag}", method="HEAD").status == 200,
               "the file is another one")


def test_two_versions_within_a_tick_of_the_clock(serve):
    """File times have a resolution of some milliseconds, in which a file may be written, requested and written again."""
    server = serve(files={f"{i}.txt": b"" for i in range(50)})
    with server.connect() as c:
        for i in range(50):
            for text in (b"first", b"other"):
                (server.site / f"{i}.txt").write_bytes(text)
                c.ask(f"/{i}.txt")
        for i in range(50):
            wait_until(lambda: c.ask(f"/{i}.txt").body == b"other", "the later version")  # noqa: B023


def test_changes_are_noticed_under_traffic(serve):
    """All clients see a change within a second, under load; and every answer is one of the versions."""
    server = serve(files={"page.html": b"version 0" + TEXT})
    page, fresh = server.site / "page.html", server.site / ".fresh"
    versions = [b"version %d" % i + TEXT for i in range(4)]
    over = []

    def traffic():
        with server.connect() as c:
            while not over:
                r = c.ask("/page.html", "Accept-Encoding: gzip")
                assert r.status in (200, 404)
                if r.status == 200:
                    assert decoded(r.get("Content-Encoding"), r.body) in versions

    def all_say(status, body=None):
        answers = [server.ask("/page.html") for _ in range(6)]
        return all(r.status == status and body in (None, r.body) for r in answers)

    def replace():
        fresh.write_bytes(versions[2])
        fresh.rename(page)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        others = [pool.submit(traffic) for _ in range(4)]
        try:
            for change, status, body in [
                (lambda: None, 200, versions[0]),
                (lambda: (fresh.write_bytes(versions[1]), fresh.rename(page)), 200, versions[1]),
                (replace, 200, versions[2]),
                (page.unlink, 404, None),
                (lambda: (fresh.write_bytes(versions[3]), fresh.rename(page)), 200, versions[3]),
            ]:
                change()
                wait_until(lambda: all_say(status, body), f"status {status}")  # noqa: B023
        finally:
            over.append(True)
        for other in others:
            other.result()


# --- clients that stop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [False, True], ids=["", "the page changes"])
@pytest.mark.parametrize("how_many", [1, 30])
def test_a_stopped_client_of_a_page(serve, how_many, changes):
    """It delays no other client, and gets the rest of the same version when it continues."""
    content = LARGE[: 1024 * 1024 * 5 // 2]
    new = b"new" + content
    # A client may stall for an hour, and a client that had to wait for it would wait as long.
    server = serve({"cache": {"largest_page_bytes": 4 * 1024 * 1024}, "patience": {"stall_seconds": 3600}},
                   files={"page.bin": content})
    for _ in range(6):
        assert server.ask("/page.bin").body == content  # now the cache of every core has it
    stopped = [server.connect(receive_buffer=2048) for _ in range(how_many)]
    for c in stopped:
        c.request("/page.bin")
        while b"\r\n\r\n" not in c.arrived:  # the response has begun
            c.arrived += c.socket.recv(64)
    if changes:
        (server.site / "fresh").write_bytes(new)
        (server.site / "fresh").rename(server.site / "page.bin")
        changed = time.monotonic()
        # Every core checks the file again after a second, whichever core our probes reach.
        wait_until(lambda: server.ask("/page.bin").body == new and time.monotonic() > changed + 1, "the new version")

    def ask(_):
        return server.ask("/page.bin").body == (new if changes else content)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))

    def go_on(c):
        r = c.response()
        c.close()
        return r.body == content

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(go_on, stopped))


# --- listings, tries, errors ------------------------------------------------------------------------------------------

LISTED = {
    "plain.txt": "1234",
    'quote"s.txt': "x",
    "it's.txt": "x",
    "a<b>&c.html": "x",
    "&amp;.txt": "x",
    "with space.txt": "x",
    "caf\u00e9 \u65e5\u672c.txt": "x",
    "100%25.txt": "x",
    "a:b?c#d.txt": "x",
    "-dash": "x",
    ".hidden": "secret",
    "sub dir/x": "x",
    ".git/config": "secret",
}
SHOWN = [name for name in LISTED if not name.startswith(".") and "/" not in name] + ["sub dir/"]


def links_of(text):
    return [html.unescape(link) for link in re.findall(r'<a href="([^"]*)"', text)]


def test_listing_html(serve):
    server = serve(files={f"d/{name}": content for name, content in LISTED.items()}, listing="on")
    with server.connect() as c:
        assert c.ask("/d").get("Location") == "/d/"
        r = c.ask("/d/")
        assert (r.status, r.get("Content-Type"), r.get("Vary")) == (200, "text/html; charset=utf-8", "Accept")
        assert ".hidden" not in r.text and ".git" not in r.text
        links = [urllib.parse.unquote(link[2:]) for link in links_of(r.text) if link.startswith("./")]
        assert sorted(links) == sorted(SHOWN) and links[0] == "sub dir/"
        assert "../" in links_of(r.text)
        for link in links_of(r.text):
            to = urllib.parse.urlsplit(urllib.parse.urljoin("http://a/d/", link)).path
            assert c.ask(to).status == 200, link
        shown = [html.unescape(name) for name in re.findall(r"<bdi>([^<]*)</bdi>", r.text)]
        assert set(SHOWN) <= set(shown)
        headed = c.ask("/d/", method="HEAD")
        assert headed.get("Content-Length") == r.get("Content-Length")


def test_listing_json(serve):
    server = serve(files={f"d/{name}": content for name, content in LISTED.items()}, listing="on")
    os.utime(server.site / "d/plain.txt", (MODIFIED, MODIFIED))
    r = server.ask("/d/", "Accept: application/json")
    assert (r.status, r.get("Content-Type"), r.get("Vary")) == (200, "application/json", "Accept")
    entries = {entry["name"]: entry for entry in json.loads(r.text)}
    assert sorted(entries) == sorted(name.rstrip("/") for name in SHOWN)
    assert entries["plain.txt"] == {"name": "plain.txt", "type": "file", "size": 4, "modified": "1994-11-06T08:49:37Z"}
    assert (entries["sub dir"]["type"], entries["sub dir"]["size"]) == ("directory", None)
    for accept in ("*/*", "text/html", "text/html, application/json;q=0.9", "text/html,*/*;q=0.8"):
        assert server.ask("/d/", f"Accept: {accept}").get("Content-Type").startswith("text/html"), accept


@pytest.mark.parametrize("settings, status", [(None, 200), ({}, 403), ({"listing": "off"}, 403), ({"listing": "on"}, 200)])
def test_which_directories_are_listed(serve, settings, status):
    """A directory named on the command line is listed; one of a configured site only if the configuration says so."""
    server = serve(settings, files={"d/a.txt": "a", "e/index.html": "index"}, listing=None)
    r = server.ask("/d/")
    assert (r.status, "a.txt" in r.text) == (status, status == 200)
    assert server.ask("/e/").body == b"index"


def test_a_long_listing(serve):
    server = serve(files={f"d/{i}": "" for i in range(10_000)}, listing="on")
    for_program = "Accept: application/json"
    with server.connect() as c:
        whole = c.ask("/d/")
        assert "10000 files, 0 B in total<" in whole.text.replace("</", "<")
        assert (whole.get("Link"), c.ask("/d/", for_program).get("Link")) == (None, None)

        (server.site / "d/99 & +#?.txt").write_text("")
        (server.site / "d/sub").mkdir()
        assert "9999 files, 0 B in total, on this page" in c.ask("/d/").text
        for fields, names in (((), lambda r: [urllib.parse.unquote(link[2:]).rstrip("/") for link in links_of(r.text)
                                              if link.startswith("./") and link != "./"]),
                              ((for_program,), lambda r: [e["name"] for e in json.loads(r.text)])):
            first = c.ask("/d/", *fields)
            link = re.fullmatch('<(.*)>; rel="next"', first.get("Link"))[1]
            assert fields or f'<a rel="next" href="{link}">' in first.text
            headed = c.ask("/d/", *fields, f"If-None-Match: {first.get('ETag')}", method="HEAD")
            assert (headed.status, headed.get("Link")) == (304, first.get("Link"))
            second = c.ask("/d/" + link, *fields)
            assert (second.status, second.get("Link"), len(names(first)), len(names(second))) == (200, None, 10_000, 2)
            assert names(first)[0] == "sub" and names(first)[1:] + names(second) == sorted(names(first)[1:] + names(second))
            assert set(names(first) + names(second)) == {"sub", "99 & +#?.txt", *map(str, range(10_000))}
        assert json.loads(c.ask("/d/?after=%ff%ff", for_program).text) == []
        assert [e["name"] for e in json.loads(c.ask("/d/?x=1&after=9998", for_program).text)] == ["9999"]


@pytest.mark.parametrize("target", ["/d/", "/d/e/"])
def test_a_listing_is_current(serve, target):
    server = serve(files={"d/a.txt": "a", "d/e/b.txt": "b"}, listing="on")
    with server.connect() as c:
        assert "new.txt" not in c.ask(target).text
        (server.site / target[1:] / "new.txt").write_text("new")
        assert "new.txt" in c.ask(target).text


def test_a_listing_shows_only_what_is_served(serve, place):
    """Targets of links outside the root, pipes, and names that no URL can have."""
    fill_tree(place, {"outside/secret.txt": "secret"})
    server = serve(files={"d/a.txt": "1234", "b.txt": "12"}, listing="on")
    d = server.site / "d"
    for name, to in (("in", "a.txt"), ("by-way-of-parent", "../b.txt"), ("up", ".."), ("out", place / "outside/secret.txt"),
                     ("out-directory", "../../outside"), ("passwd", "/etc/passwd"), ("dangling", "none"), ("loop", "loop")):
        (d / name).symlink_to(to)
    os.mkfifo(d / "fifo")
    for name in (b"\xff\xfe.txt", b"two\nlines", b"back\\slash"):
        with open(os.path.join(os.fsencode(d), name), "wb"):
            pass
    entries = {e["name"]: e["size"] for e in json.loads(server.ask("/d/", "Accept: application/json").text)}
    assert entries == {"a.txt": 4, "in": 4, "by-way-of-parent": 2, "up": None}


@shows("9110 13.1.1", "A request whose If-Match is false MUST NOT be performed, also for a listing")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_of_a_listing(serve, method):
    server = serve(files={"d/a.txt": "a"}, listing="on")
    with server.connect() as c:
        for accept in ("text/html", "application/json"):

            def status(*fields):
                return c.ask("/d/", f"Accept: {accept}", *fields, method=method).status  # noqa: B023

            r = c.ask("/d/", f"Accept: {accept}", method=method)
            tag = r.get("ETag")
            assert status(f"If-Match: {tag}") == status("If-Match: *") == status("Range: bytes=0-0") == 200
            assert status('If-Match: "other"') == status("If-Match: W/" + tag) == 412
            same = c.ask("/d/", f"Accept: {accept}", f"If-None-Match: {tag}", method=method)
            assert (same.status, same.get("ETag"), same.get("Vary")) == (304, tag, "Accept")
            assert status("If-None-Match: *") == 304
            assert status('If-None-Match: "other"') == status(f"If-Modified-Since: {FUTURE}") == 200
            (server.site / f"d/{accept[:4]}").write_text("new")
            assert status(f"If-None-Match: {tag}") == 200


@pytest.mark.parametrize(
    "target, wanted",
    [
        ("/about", b"about"),
        ("/about?query", b"about"),
        ("/about.html", b"about"),
        ("/dir", b""),  # a directory comes before dir.html, because it was requested
        ("/dir/", b"index of dir"),
        ("/dir/page", b"page"),
        ("/script.js", b"script"),
        ("/", b"application"),
        ("/any/where/else", b"application"),
        ("/about/", b"application"),  # its relative links would lead elsewhere
        ("/index.html", b"application"),
    ],
)
def test_tries(serve, target, wanted):
    server = serve({"try": ["{path}", "{path}.html", "/index.html"]},
                   files={"about.html": "about", "dir.html": "beside dir", "dir/index.html": "index of dir",
                          "dir/page.html": "page", "script.js": "script", "index.html": "application"})
    with server.connect() as c:
        for _ in range(3):
            r = c.ask(target)
            if target == "/dir":
                assert (r.status, r.get("Location")) == (301, "/dir/")
            else:
                assert (r.status, r.body) == (200, wanted)
                assert r.get("Content-Type").startswith("text/javascript" if wanted == b"script" else "text/html")
                assert c.ask(target, f"If-None-Match: {r.get('ETag')}").status == 304
        assert c.ask("/.hidden").status == 403
        assert c.ask("/..").status == 400


TRIES = ["{path}", "{path}.html", "/index.html"]


@pytest.mark.parametrize(
    "tries, listing, answers",
    [
        (TRIES, "off", {"/about": "about", "/about/": "application", "/bare": "application", "/bare/": "application"}),
        (TRIES[:2], "off", {"/about": "about", "/about/": 403, "/bare": 301, "/bare/": 403, "/": "application"}),
        (TRIES, "on", {"/about": 301, "/about/": 200, "/bare": 301, "/bare/": 200}),
        (["{path}/index.html"], "off", {"/": "application", "/dir/": "dir", "/bare/": 404}),
    ],
)
def test_a_directory_without_a_page_is_passed_over(serve, tries, listing, answers):
    """For the next try; where none has an answer, it is what it is."""
    server = serve({"try": tries}, listing=listing,
                   files={"about.html": "about", "about/picture.png": "", "bare/x": "", "dir/index.html": "dir",
                          "index.html": "application"})
    with server.connect() as c:
        for target, wanted in answers.items():
            r = c.ask(target)
            assert wanted in (r.status, r.text), target


def test_a_try_that_comes_and_goes(serve):
    server = serve({"try": ["{path}", "{path}.html", "/index.html"]}, files={"index.html": "application"})
    with server.connect() as c:
        for name, wanted in (("about.html", b"about"), ("about", b"the very name")):
            for _ in range(3):
                c.ask("/about")
            (server.site / name).write_bytes(wanted)
            wait_until(lambda: c.ask("/about").body == wanted, name)  # noqa: B023
        (server.site / "about").unlink()
        wait_until(lambda: c.ask("/about").body == b"about", "the second")
        (server.site / "about.html").unlink()
        wait_until(lambda: c.ask("/about").body == b"application", "the last")


@pytest.mark.parametrize(
    "status, target, fields, method",
    [(404, "/none", [], "GET"), (403, "/.x", [], "GET"), (400, "/%00", [], "GET"), (405, "/small.txt", [], "PUT"),
     (416, "/small.txt", ["Range: bytes=99-"], "GET"), (412, "/small.txt", ['If-Match: "x"'], "GET"),
     (501, "/", [], "BREW")],
)
def test_errors_as_json(standing, status, target, fields, method):
    with standing.connect() as c:
        r = c.ask(target, "Accept: application/json", *fields, method=method)
    assert (r.status, r.get("Content-Type"), r.get("Vary")) == (status, "application/json", "Accept")
    told = json.loads(r.text)
    assert (told["status"], told["error"]) == (status, r.reason) and told["message"]
    r = standing.ask(target, "Accept: text/html, */*;q=0.1", *fields, method=method)
    assert (r.status, r.get("Content-Type"), r.get("Vary")) == (status, "text/html; charset=utf-8", "Accept")
    r = standing.ask(target, "Accept: */*", *fields, method=method)
    assert (r.status, r.get("Content-Type"), r.get("Vary")) == (status, "text/plain; charset=utf-8", "Accept")
    assert r.text == f"{status} {r.reason}\n{told['message']}\nRequest {r.get('X-Request-Id')}\n"


@pytest.mark.parametrize(
    "status, line, fields",
    [
        (400, "GET / HTTP/1.1", []),  # no Host
        (400, "GET /a b HTTP/1.1", ["Host: a"]),
        (400, "GET / HTTP/1.1", ["Host: a", "no colon"]),
        (413, "PUT / HTTP/1.1", ["Host: a", "Content-Length: 99999999999"]),
        (414, "GET /" + "a" * 8200 + " HTTP/1.1", ["Host: a"]),
        (417, "GET / HTTP/1.1", ["Host: a", "Expect: the unexpected"]),
        (431, "GET / HTTP/1.1", ["Host: a", *["X: y"] * 100]),
        (431, "GET / HTTP/1.1", ["Host: a", "X: " + "y" * 20_000]),
        (501, "B" + "R" * 32 + "EW / HTTP/1.1", ["Host: a"]),
        (505, "GET / HTTP/2.0", ["Host: a"]),
    ],
)
def test_errors_of_the_head_as_json(standing, status, line, fields):
    """The head is invalid, but the part that could be parsed says which form the client accepts."""
    for accept, media_type in (("application/json", "application/json"), ("text/html", "text/html; charset=utf-8")):
        with standing.connect() as c:
            r = c.send("\r\n".join([line, f"Accept: {accept}", *fields]) + "\r\n\r\n").response()
            assert (r.status, r.get("Content-Type"), r.get("Vary"), r.closes) == (status, media_type, "Accept", True)
            assert media_type == "text/html; charset=utf-8" or json.loads(r.text)["status"] == status


def test_an_error_page_that_changes(serve):
    server = serve(files={"error.404.html": "one"})
    assert server.ask("/none").body == b"one"
    (server.site / "error.404.html").write_text("two")
    wait_until(lambda: server.ask("/none").body == b"two", "the new page, once the look at the old one is a second old")
    assert server.ask("/none", "Accept: application/json").get("Content-Type") == "application/json"


# --- a whole tree, as it is fetched by browsers -----------------------------------------------------------------------


def test_a_documentation_tree_compressed(serve):
    """3000 files of every kind, some with precompressed files, over 16 connections; with a cold cache, then a warm one."""
    r = random.Random(11)
    files, expected = {}, {}
    for i in range(3000):
        kind = r.choice(["html", "html", "css", "js", "svg", "png", "woff2", "txt"])
        size = r.choice([0, 1, 300, 3000, 20_000]) if r.random() < 0.99 else r.randrange(60_000, 1_500_000)
        dense = kind in ("png", "woff2")
        content = r.randbytes(size) if dense else (b"%d " % i + TEXT * (size // len(TEXT) + 1))[:size]
        name = f"{'/'.join(['d%d' % r.randrange(6) for _ in range(r.randrange(4))])}/{i}.{kind}".lstrip("/")
        files[name] = content
        if not dense and r.random() < 0.1:
            files[name + ".gz"] = gzipped(content)
        expected[f"/{name}"] = hashlib.sha256(content).digest()
    server = serve(files=files)

    def fetch(mine):
        wrong = []
        with server.connect() as c:
            for target in mine:
                r = c.ask(target, "Accept-Encoding: gzip")
                if r.status != 200 or hashlib.sha256(decoded(r.get("Content-Encoding"), r.body)).digest() != expected[target]:
                    wrong.append((target, r.status, r.fields))
        return wrong

    targets = list(expected)
    r.shuffle(targets)
    for _ in range(2):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(fetch, [targets[i::16] for i in range(16)]), []) == []
