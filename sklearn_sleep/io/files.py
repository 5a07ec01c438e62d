"""Users' files, opened without waiting and read up to a size."""

import codecs
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

from sklearn_sleep.exceptions import SleepError

# The XML of a night with all its events takes 2 MB, and a hundred times that in memory.
_LARGEST: Final = 1 << 24
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def open_file(path: str | os.PathLike[str], error: type[SleepError]) -> FileIO:
    """Open a file, unbuffered; `error` if it is a FIFO or a device, which may never answer."""
    file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115 - it is returned
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


def utf16_encoding(content: bytes) -> str:
    """Return which UTF-16 a text begins in, by its mark or by NULs in turn; empty if in none."""
    if content.startswith(_UTF16_MARKS):
        return "utf-16"
    even, odd = content[:32:2], content[1:32:2]
    if len(content) < 4 or not any(even + odd):
        return ""
    if not any(odd):
        return "utf-16-le"
    return "" if any(even) else "utf-16-be"


def decode(content: bytes) -> str:
    """Return text by its byte order mark or as UTF-16 or UTF-8 if it is that, else as Latin-1."""
    if encoding := utf16_encoding(content):
        return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def printable(path: Path) -> str:
    """Return a path with escapes for the bytes of its name that are no UTF-8."""
    return str(path).encode(errors="backslashreplace").decode()


def fault_in(path: Path, folder: Path, *, may_be_elsewhere: bool = False) -> str:
    """Return why a path in a cohort's folder is none of its files, empty if it is one."""
    if printable(path) != str(path):
        return "has a name that is not UTF-8, and is left out. Rename it."
    if not path.is_file():
        return "is a FIFO, a device or a broken link, and is left out."
    if may_be_elsewhere or not path.is_symlink():
        return ""
    if path.resolve().is_relative_to(folder.resolve()):
        return ""
    return "is a link that leaves the cohort's folder, and is left out. Put the file itself there."
