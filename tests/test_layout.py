"""The rules of the house (docs/design.md), read from the code's own imports."""

from __future__ import annotations

import layout
import pytest

MOST_ROOMS, MOST_FLOORS = 16, 9


def test_rooms_and_floors_do_not_become_more():
    graph = layout.arrows(depth=1)
    assert len(graph) <= MOST_ROOMS, layout.draw()
    assert layout.circles(graph) == []
    assert max(layout.floors(graph).values()) <= MOST_FLOORS, layout.draw()


def test_no_file_imports_itself_by_a_detour():
    assert layout.circles(layout.arrows()) == []


def test_nobody_imports_the_face():
    importers = [
        name for name, path in layout.modules().items() if "sklearn_sleep" in layout.imports(path)
    ]
    assert importers == []


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("exceptions", set()),
        ("core", {"_version", "exceptions"}),
        ("networks", {"exceptions"}),
        ("evaluation", {"core", "exceptions"}),
        ("io", {"core", "exceptions"}),
        ("datasets", {"core", "exceptions", "io"}),
        ("simulation", {"core", "datasets", "exceptions", "io"}),
    ],
)
def test_rooms_import_only_what_lies_below(room, allowed):
    assert layout.arrows(depth=1)[room] <= allowed


def test_contributing_shows_the_house():
    text = (layout.PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"```\n{layout.draw()}\n```" in text


def test_circles_and_floors_are_found():
    circle = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert layout.circles(circle) == [{"a", "b", "c"}]
    assert layout.floors({"a": set(), "b": {"a"}, "c": {"a", "b"}}) == {"a": 1, "b": 2, "c": 3}
