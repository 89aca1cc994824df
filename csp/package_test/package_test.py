#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""csp as somebody else meets it: installs the component into a directory of its own, builds a project outside the source
tree against it (the programs in package_test/ and the examples of csp/README.md and csp/doc/), and runs what was built.

usage: package_test.py BUILD_DIRECTORY COMPILER
"""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSP = HERE.parent
EXAMPLE = re.compile(r"```cpp\n// example: (\w+)\n(.*?)```\n```text\n(.*?)```", re.DOTALL)


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def examples(page):
    """{name: (program, what it prints)}, of a page."""
    return {name: (program, output) for name, program, output in EXAMPLE.findall(page.read_text())}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="csp-package-")
        cls.addClassCleanup(cls.directory.cleanup)
        top = Path(cls.directory.name)
        cls.prefix, project, cls.built = top / "prefix", top / "project", top / "build"
        run("cmake", "--install", BUILD, "--component", "csp", "--prefix", cls.prefix)

        project.mkdir()
        for name in ("CMakeLists.txt", "sieve.cpp"):
            shutil.copy(HERE / name, project)
        cls.readme = examples(CSP / "README.md")
        cls.examples = dict(cls.readme)
        for page in sorted((CSP / "doc").glob("*.md")):
            cls.examples |= examples(page)
        for name, (program, _) in cls.examples.items():
            (project / f"{name}.cpp").write_text(program)
        run("cmake", "-S", project, "-B", cls.built, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={cls.prefix}",
            f"-DCMAKE_CXX_COMPILER={COMPILER}")
        run("cmake", "--build", cls.built)

    def test_a_program_outside_the_tree_runs(self):
        self.assertEqual(run(self.built / "sieve").split()[:5] + ["..."], ["2", "3", "5", "7", "11", "..."])

    def test_a_program_with_a_sanitizer_uses_a_library_without(self):
        self.assertEqual(run(self.built / "sieve_with_asan"), run(self.built / "sieve"))

    def test_the_examples_print_what_the_pages_say(self):
        self.assertEqual(len(self.readme), 5)
        for name, (_, output) in self.examples.items():
            with self.subTest(example=name):
                self.assertEqual(run(self.built / name), output)

    def test_nothing_is_installed_elsewhere(self):
        kinds = {str(p.relative_to(self.prefix)).rsplit("csp", 1)[0] for p in self.prefix.rglob("*") if p.is_file()}
        for kind in kinds:
            self.assertRegex(kind, r"^(include/|lib[^/]*/([^/]+/)?(cmake/csp/|lib)?|share/doc/)")

    def test_every_public_header_stands_in_the_umbrella_header(self):
        umbrella = (CSP / "csp.hpp").read_text()
        headers = {h.name for h in (self.prefix / "include/csp").glob("*.hpp")}
        left_out = {h for h in headers if f'"csp/{h}"' not in umbrella}
        self.assertEqual(left_out, {"csp.hpp", "frame_pool.hpp", "test_kernel.hpp", "testing.hpp"})

    def test_every_page_is_linked_from_the_readme(self):
        linked = set(re.findall(r"\(doc/(\w+\.md)\)", (CSP / "README.md").read_text()))
        self.assertEqual(linked, {page.name for page in (CSP / "doc").glob("*.md")})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    BUILD, COMPILER = Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1])
