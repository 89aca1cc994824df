# SPDX-License-Identifier: MIT
"""Runs Chromium with one of the scripts in tests/browser."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from harness import DEADLINE

HERE = pathlib.Path(__file__).parent / "browser"
TOOLS = pathlib.Path(os.environ.get("OCCWSERV_BROWSER", "build/release/tests/browser")).resolve()
CHROMIUM = shutil.which("chromium")


def needed(*files):
    """Skips the tests if there is no browser, or one of these is missing."""
    return pytest.mark.skipif(
        CHROMIUM is None or not all(file.exists() for file in (TOOLS / "node_modules", *files)),
        reason="chromium, a font or playwright-core is not there (packaging/dependencies.sh test, tests/browser/install)",
    )


def run(script, place, *words):
    """Runs the script and returns its result."""
    command = ["node", str(HERE / script), str(TOOLS), CHROMIUM, str(place / "profile"), *map(str, words)]
    with open(place / "browser.said", "w+b") as said:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, start_new_session=True) as process:
            try:
                out, _ = process.communicate(timeout=4 * DEADLINE)
            finally:
                # Chromium ends by itself when its pipe to the script is closed.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        assert process.returncode == 0, said.read().decode(errors="replace")
    return json.loads(out)
