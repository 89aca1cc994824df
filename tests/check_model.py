#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks a Promela model with spin by exhaustive search, and checks that the search was complete.

    check_model.py MODEL --cc CLANG                               expects no error
    check_model.py MODEL --cc CLANG --without NO_X --finds TEXT   with a precaution left out: expects this error
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path


def search(model, compiler, without):
    """Builds and runs the verifier of the model, and returns its output."""
    with tempfile.TemporaryDirectory(prefix="model-") as scratch:
        def run(*command):
            done = subprocess.run(list(map(str, command)), cwd=scratch, text=True, timeout=240,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                sys.exit(f"{command[0]} failed:\n{done.stdout}")
            return done.stdout

        run("spin", f"-P{compiler} -E -x c", *[f"-D{name}" for name in without], "-a", model.resolve())
        run(compiler, "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
        return run("./pan", "-m100000")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--cc", default="cc", help="a C compiler")
    parser.add_argument("--without", action="append", default=[], help="a macro that leaves a precaution out")
    parser.add_argument("--finds", help="what the search must find")
    options = parser.parse_args()
    printed = search(options.model, options.cc, options.without)
    print(printed)
    if options.finds:
        return 0 if options.finds in printed and "errors: 1" in printed else 1
    return 0 if "errors: 0" in printed and "max search depth too small" not in printed else 1


if __name__ == "__main__":
    sys.exit(main())
