"""Files that know what they were when they were written, so that damage is found."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn_sleep.core.identity import digest

_KEY = "checksum"


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_checked_json(content: Mapping[str, Any]) -> str:
    """Return values by name as JSON, their checksum among them."""
    return json.dumps({**content, _KEY: digest(content)}, indent=2)


def read_checked_json(path: Path) -> dict[str, Any]:
    """Read what `to_checked_json` made, or an older version without a checksum; ValueError if not.

    The values come without the checksum.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not values by name.")
    checksum = content.pop(_KEY, None)
    if checksum is not None and checksum != digest(content):
        raise ValueError(
            f"{path} is not as it was written: it is damaged, or was changed by hand. To use it as "
            f"it is, remove its line {_KEY!r}."
        )
    return content
