# SPDX-License-Identifier: MIT
"""The rooms of server/: which of them may include which."""

import collections
import pathlib
import re

SERVER = pathlib.Path(__file__).resolve().parent.parent / "server"

# From below to above. A file includes files of its own room and of rooms further up in this list; rooms in one line do
# not know each other. `farm` and `relay` serve all stages, and the picture of the network knows every room.
ORDER = [
    {"farm.hpp", "relay.hpp"},
    {"configuration"},
    {"messages"},
    {"respond"},
    {"acceptor", "front_end", "cache", "static_farm", "cgi_farm", "back_end", "log", "stats"},
    {"service"},
    {"sandbox"},
    {"commands"},
    {"sandbox"},
    {"lifecycle"},
    {"network.hpp"},
    {"network.cpp"},
    {"main.cpp"},
    {"testing"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def room_of(path):
    """`path` is relative to server/."""
    return path.parts[0]


def sources():
    return [p for p in SERVER.rglob("*.[ch]pp") if not p.name.endswith("_test.cpp")]


def includes(source):
    return [pathlib.Path(p) for p in re.findall(r'^#include "server/([^"]+)"', source.read_text(), re.MULTILINE)]


def test_every_file_is_in_a_room():
    assert {room_of(p.relative_to(SERVER)) for p in sources()} == set(LEVEL)


def test_rooms_include_only_what_is_below_them():
    wrong = []
    for source in sources():
        here = room_of(source.relative_to(SERVER))
        for there in map(room_of, includes(source)):
            if there != here and LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{source.relative_to(SERVER)} includes {there}")
    assert wrong == []


def test_libraries_know_nothing_of_the_server():
    wrong = [
        str(source)
        for library in ("csp", "io", "http")
        for source in (SERVER.parent / library).rglob("*.[ch]pp")
        if includes(source)
    ]
    assert wrong == []


def test_no_file_includes_itself_by_way_of_others():
    included = collections.defaultdict(list)
    for source in sources():
        if source.suffix == ".hpp":
            included[source.relative_to(SERVER)] = includes(source)

    done, under_way = set(), []

    def visit(path):
        assert path not in under_way, [str(p) for p in [*under_way, path]]
        if path in done:
            return
        under_way.append(path)
        for below in included[path]:
            visit(below)
        under_way.pop()
        done.add(path)

    for path in list(included):
        visit(path)
