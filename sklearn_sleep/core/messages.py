"""Parts of messages."""

from collections.abc import Sequence


def list_names(names: Sequence[object], most: int = 3) -> str:
    """Return the first names, and how many follow: ``"a, b, c and 3 more"``."""
    named = ", ".join(map(str, names[:most]))
    return f"{named} and {len(names) - most} more" if len(names) > most else named
