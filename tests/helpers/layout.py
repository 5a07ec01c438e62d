"""The house as its imports draw it: ``python tests/helpers/layout.py`` prints rooms by floor."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sklearn_sleep"


def room_of(module: str) -> str:
    """Return the room of a module such as ``"sklearn_sleep.core.signals"``: ``"core"``."""
    return module.split(".")[1] if "." in module else ""


def modules() -> dict[str, Path]:
    """Return the file of each module of the package, by its dotted name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@functools.cache
def imports(path: Path) -> list[str]:
    """Return what a file imports of the package, inside functions too, but not for typing alone."""
    found: list[str] = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = modules()
    for_typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_typing:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if _is_ours(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.append(full if full in known else node.module)
    return found


def _is_ours(module: str) -> bool:
    return module == PACKAGE.name or module.startswith(f"{PACKAGE.name}.")


def arrows(depth: int | None = None) -> dict[str, set[str]]:
    """Return which rooms each room imports; with ``depth=None`` which modules each module does."""
    found: dict[str, set[str]] = {}
    for name, path in modules().items():
        start = name if depth is None else room_of(name)
        if not start:  # the package's face
            continue
        found.setdefault(start, set())
        for imported in imports(path):
            end = imported if depth is None else room_of(imported)
            if end != start:
                found[start].add(end)
    return found


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of nodes that reach each other."""
    reach = {node: _reachable(graph, node) for node in graph}
    together = [frozenset({n for n in reach[node] if node in reach.get(n, ())}) for node in graph]
    return [set(nodes) for nodes in dict.fromkeys(together) if len(nodes) > 1]


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for node in graph.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the floor of each room: one above the highest that it imports; 1 is the ground."""
    floor: dict[str, int] = {}

    def place(room: str) -> int:
        if room not in floor:
            floor[room] = 1 + max((place(other) for other in graph[room]), default=0)
        return floor[room]

    for room in graph:
        place(room)
    return floor


def draw() -> str:
    """Return the rooms from the top floor down, and what each imports."""
    graph = arrows(depth=1)
    floor = floors(graph)
    lines = [f"{len(graph)} rooms on {max(floor.values())} floors"]
    for number in range(max(floor.values()), 0, -1):
        for room in sorted(room for room, at in floor.items() if at == number):
            below = " ".join(sorted(graph[room], key=lambda other: (-floor[other], other)))
            lines.append(f"{number}  {room:<14}{below}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    print(draw())
