# SPDX-License-Identifier: MIT
"""The statistics page in Chromium, with the server under load: it updates, and the browser reports no error."""

import contextlib
import threading

import chromium

pytestmark = chromium.needed()

SITE = {f"page-{i}.html": f"<!doctype html><title>{i}</title>" + "text " * 50 * i for i in range(30)}
SITE["large.bin"] = b"x" * 400_000
SITE["cgi-bin/hi"] = "#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 2\\n\\nhi'\n"


@contextlib.contextmanager
def load(server, clients=4):
    """Clients that continuously request pages, also missing ones, and the first pages more often than the last."""
    over = threading.Event()

    def ask(number):
        turn = number
        while not over.is_set():
            with server.connect() as c:
                for _ in range(50):
                    turn += 1
                    c.ask(f"/page-{(turn * turn) % (turn % 29 + 1)}.html")
                c.ask("/no-such-page")
                c.ask("/large.bin")
                c.ask("/cgi-bin/hi")
            over.wait(0.02)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_the_page_moves(serve, place):
    pictures = chromium.TOOLS.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    server = serve(files=SITE, settings={"cache": {"pages": 12}}, arguments=["--cgi", "/cgi-bin/"])
    (server.site / "cgi-bin/hi").chmod(0o755)
    with load(server):
        seen = chromium.run("watch_stats.mjs", place, f"http://127.0.0.1:{server.port}/stats.html", pictures)
    assert seen["complaints"] == []
    assert seen["elsewhere"] == []  # nothing is loaded except the page and its data
    assert [page["name"] for page in seen["pages"]] == ["wide", "dark", "phone"]
    for page in seen["pages"]:
        assert "page_worker" in page["told"]
        assert "/cgi-bin/*" in page["programs"] and "of 32" in page["programs"]
        assert page["wider"] <= 0, f"{page['name']} must be moved sideways to be read"
        assert (pictures / f"stats-{page['name']}.png").stat().st_size > 20_000
    server.expect_healthy()
