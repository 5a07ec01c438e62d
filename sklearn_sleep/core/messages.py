"""Parts of messages."""

import reprlib
from collections.abc import Sequence

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shorten(value: object) -> str:
    """Return the representation of what a file holds, with its middle left out if it is long."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "an integer of thousands of digits"


def list_names(names: Sequence[object], most: int = 3) -> str:
    """Return the first names, and how many follow: ``"a, b, c and 3 more"``."""
    named = ", ".join(map(str, names[:most]))
    return f"{named} and {len(names) - most} more" if len(names) > most else named
