"""Files that are whole or not there, whatever happens to the process that writes them."""

import contextlib
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_DAY = 24 * 3600.0


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
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if is_disk_full(error):
            raise disk_full(path) from error
        raise


def is_disk_full(error: BaseException) -> bool:
    """Return whether there was no space, or none for this user."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def disk_full(path: Path) -> OSError:
    """Return an error that says which file the disk has no space for."""
    return OSError(
        errno.ENOSPC, "The disk is full, and this file was not written; free some space", str(path)
    )


def remove_partials(
    folder: str | os.PathLike[str], pattern: str = ".*.partial", *, older_than: float = _DAY
) -> None:
    """Remove what killed processes had begun to write, not what others are writing (seconds)."""
    for path in Path(folder).glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > older_than:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
