# SPDX-License-Identifier: MIT
"""Chromium browses a repository through cgit, which the server runs by CGI."""

import pathlib
import shutil
import subprocess

import chromium

CGIT, FILES = pathlib.Path("/usr/lib/cgit/cgit.cgi"), pathlib.Path("/usr/share/cgit")

pytestmark = chromium.needed(CGIT, FILES)

COMMITS = "".join(f"""\
commit refs/heads/main
committer C O Mitter <committer@example.org> {1425445567 + i} +0000
data <<END
Say it {i} times
END
M 100644 inline src/count.c
data <<END
int count() {{ return {i}; }} // <caf\u00e9>
END
""" for i in range(3))


def repository(path):
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, input=COMMITS.encode(), check=True)
    (path / "description").write_text("Counts\n")


def test_cgit_in_a_browser(serve, place):
    repository(place / "repositories/demo.git")
    (place / "cgitrc").write_text("virtual-root=/cgit/\ncss=/files/cgit.css\nlogo=/files/cgit.png\n"
                                  f"favicon=/files/favicon.ico\nscan-path={place}/repositories\n")
    shutil.copytree(FILES, place / "site/files")
    cgi = {"program": str(CGIT), "environment": {
        "CGIT_CONFIG": str(place / "cgitrc"),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}}
    server = serve(settings={"route": [{"path": "/cgit/*", "cgi": cgi}]}, site=place / "site")

    seen = chromium.run("follow.mjs", place, f"http://127.0.0.1:{server.port}/cgit/",
                        "demo.git", "log", "Say it 1 times", "tree", "src", "count.c", "plain")
    assert seen["complaints"] == []
    index, summary, log, commit, tree, directory, file, plain = seen["pages"]
    assert "Counts" in index["text"]
    assert summary["address"].endswith("/cgit/demo.git/") and "Say it 2 times" in summary["text"]
    assert log["address"].endswith("/log/") and all(f"Say it {i} times" in log["text"] for i in range(3))
    assert "-int count() { return 0; }" in commit["text"] and "+int count() { return 1; } // <caf\u00e9>" in commit["text"]
    assert "src" in tree["text"] and "count.c" in directory["text"]
    assert "int count() { return" in file["text"]
    assert plain["text"].strip().endswith("// <caf\u00e9>")
    for page in seen["pages"][:-1]:
        assert page["images"] and page["font"] == "sans-serif", page  # by cgit.css
    kinds = {(resource, status): kind for resource, status, kind in seen["answers"] if status != 304}
    assert kinds.keys() == {("document", 200), ("stylesheet", 200), ("image", 200)}
    assert kinds["stylesheet", 200].startswith("text/css")
    server.expect_healthy()
