"""Users' files, opened without waiting and read up to a size."""

import os
import stat
from io import FileIO
from typing import Final

from sklearn_sleep.exceptions import SleepError

# The XML of a night with all its events takes 2 MB, a table of thousands of people 20 MB.
_LARGEST: Final = 1 << 26


def open_file(path: str | os.PathLike[str], error: type[SleepError]) -> FileIO:
    """Open a file, unbuffered; `error` if it is a FIFO or a device, which may never answer."""
    file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise error(f"{path}: this is a FIFO or a device, and not a file.")


def _open_at_once(path: str, flags: int) -> int:
    # A FIFO would wait for who writes into it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_file(
    path: str | os.PathLike[str], error: type[SleepError], largest: int = _LARGEST
) -> bytes:
    """Return the content of a file; `error` if it takes more bytes than such a file can."""
    with open_file(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise error(
                f"{path}: the file takes {size / 1e6:.0f} MB, where at most {largest / 1e6:.0f} "
                "make sense. Give the file that is meant."
            )
        return file.read(size)
