# SPDX-License-Identifier: MIT
"""What a standard requires, and what shows that it is so: docs/RFC.md is made from these."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Requirement:
    section: str  # "9112 3.2": the RFC and its section
    says: str
    vectors: tuple = ()  # of a row
    test: str = ""  # the name of a test that shows it instead


def noting(requirements):
    """The decorator that marks a test with what it shows, and notes that in the list."""

    def shows(section, says):
        def note(test):
            requirements.append(Requirement(section, says, test=test.__name__))
            return test

        return note

    return shows
