"""Files that are whole or not there, whatever happens to the process that writes them."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a place to write a file to, which goes under its name when the block has ended.

    The place is a hidden name beside it that ends in ``.partial`` and that no other thread, process
    or machine takes. It is removed if the block fails; only a killed process leaves it.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
