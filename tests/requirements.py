# SPDX-License-Identifier: MIT
"""Requirements of a standard, and the tests that show them: docs/RFC.md is generated from these."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Requirement:
    section: str  # "9112 3.2": the RFC and its section
    says: str
    vectors: tuple = ()  # of a row
    test: str = ""  # name of the test that shows it instead


def noting(requirements):
    """A decorator that records which requirement a test shows."""

    def shows(section, says):
        def note(test):
            requirements.append(Requirement(section, says, test=test.__name__))
            return test

        return note

    return shows
