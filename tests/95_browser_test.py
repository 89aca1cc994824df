# SPDX-License-Identifier: MIT
"""Chromium reads a tree of documentation from beginning to end."""

import json
import pathlib
import random
import struct
import zlib

import chromium

FONT = pathlib.Path("/usr/share/fonts-font-awesome/fonts/fontawesome-webfont.woff2")
CHAPTERS, PAGES = 10, 15

pytestmark = chromium.needed(FONT)

STYLE = """\
@import "colours.css";
@font-face { font-family: doc; src: url("doc.woff2") format("woff2") }
body { font-family: doc, sans-serif; background: url("back.svg") }
"""

SCRIPT = """\
import { chapters } from "./book.js";
// The empty file comes first: its text is there before its request is over, and leaving the page would break that off.
const empty = await (await fetch("/static/empty.txt")).text();
const book = await (await fetch("/index.json")).json();
await document.fonts.load("16px doc", "\\uf000");
const ready = empty === "" && book.chapters === chapters && document.fonts.check("16px doc", "\\uf000");
document.documentElement.dataset.ready = ready ? "yes" : "no";
"""

ICON = '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><circle cx="8" cy="8" r="7" fill="{}"/></svg>\n'


def png(side, seed):
    """An image that does not compress."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def page(title, links, picture):
    items = "".join(f'<li><a href="{address}">{text}</a></li>\n' for address, text in links)
    return f"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/doc.css">
<script type="module" src="/static/doc.js"></script></head>
<body><h1>{title} – caf\u00e9 \uf000</h1>
<p><img src="{picture}" alt=""> <img src="/static/icon.svg" alt="">
<ul>
{items}</ul>
{"<p>" + "Text. " * 400}
</body>
</html>
"""


def documentation():
    """Chapters of pages with links between them, in every form of relative reference."""
    files = {
        "static/doc.css": STYLE,
        "static/colours.css": "body { color: #222 }\n",
        "static/doc.js": SCRIPT,
        "static/book.js": f"export const chapters = {CHAPTERS};\n",
        "static/icon.svg": ICON.format("navy"),
        "static/back.svg": ICON.format("ivory"),
        "static/doc.woff2": FONT.read_bytes(),
        "static/empty.txt": "",
        "static/large.png": png(400, 0),  # sent from the disk
        "index.json": json.dumps({"chapters": CHAPTERS}),
        "index.html": page("Contents", [(f"chapter-{c}", f"Chapter {c}") for c in range(CHAPTERS)], "static/large.png"),
    }
    for c in range(CHAPTERS):
        # The link to the directory has no trailing slash, so the browser is redirected first.
        links = [(f"p\u00e4ge {p}.html#top", f"Page {p}") for p in range(PAGES)]
        links += [("/", "Contents"), ("?back=%22", "Again")]
        files[f"chapter-{c}/index.html"] = page(f"Chapter {c}", links, "../static/large.png")
        files[f"chapter-{c}/picture of it.png"] = png(40, c)
        for p in range(PAGES):
            links = [("./", "Up"), (f"p\u00e4ge {(p + 1) % PAGES}.html", "On")]
            links.append((f"../chapter-{(c + 1) % CHAPTERS}/", "Next"))
            files[f"chapter-{c}/p\u00e4ge {p}.html"] = page(f"Page {c}.{p}", links, "./picture%20of%20it.png")
    return files


def test_a_browser_reads_everything(serve, place):
    server = serve(files=documentation())
    seen = chromium.run("visit.mjs", place, f"http://127.0.0.1:{server.port}/")
    assert seen["complaints"] == [], "\n".join(seen["complaints"][:50])
    assert seen["pages"] == 1 + CHAPTERS * (3 + PAGES)  # the first page of a chapter has three URLs
    assert seen["methods"] == [200, 204, 405, 405, 405, 501, 404, 200]
    for kind in ("document", "stylesheet", "script", "image", "font", "fetch"):
        assert seen["requests"][kind] > 0
    server.expect_healthy()


def test_pages_of_the_servers_own_under_a_strict_policy(serve, place):
    """Error pages, listings and statistics are styled whatever the policy of the site, and load nothing else."""
    (place / "dir").mkdir()
    (place / "dir" / "a.txt").write_text("a")
    file = place / "strict.toml"
    policy = "default-src 'none'; frame-ancestors 'none'"
    file.write_text(f'[headers_always]\nContent-Security-Policy = "{policy}"\n[[site]]\nnames = "strict.example"\n'
                    f'root = "{place}"\nlisting = "on"\n')
    server = serve(arguments=["--config", str(file)])
    strict, local = (f"http://{host}:{server.port}" for host in ("strict.example", "localhost"))
    seen = chromium.run("built_in_pages.mjs", place, f"{strict}/nothing", f"{strict}/dir/", f"{strict}/.hidden",
                        f"{local}/stats.html")
    assert [page["status"] for page in seen] == [404, 200, 403, 200]
    for page in seen:
        assert page["styled"], page["address"]
        # A browser reports every page that was not found, and must report nothing else.
        said = [what for what in page["said"] if "the server responded with a status of" not in what]
        assert said == [], page
        own = [address for address in page["requests"] if address != page["address"]]
        assert all(address.startswith(("data:", f"{local}/stats.json")) for address in own), page
    assert "favicon" not in server.access_log.read_text()
