"""The folder of a RecordingCache: one file for each signal of a night, whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from filelock import FileLock

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.recording import FloatArray
from sklearn_sleep.exceptions import CacheWarning

__all__ = ["CacheStore"]

_MARK = "recording-cache.json"
_FORMAT = {"format": "sklearn_sleep recording cache", "version": 1}
_FILE = re.compile(r"(?P<signal>.+)\.(?P<checksum>[0-9a-f]{8})\.npy")
_BLOCK = 1 << 20
# A writer looks at the whole folder again after it has written this part of the limit.
_LOOK_AFTER = 0.05
# What is evicted is a little more than the excess, so that not every file that follows evicts.
_EVICT_TO = 0.95

# Files whose checksum this process has compared, and the bytes that it has written to each folder
# since it looked for what to evict there.
_verified: dict[str, tuple[int, int]] = {}
_written_since: dict[str, int] = {}


@dataclass(frozen=True)
class CacheStore:
    """Arrays on disk by key and signal.

    The checksum of a file is part of its name, so that one rename puts both in place.

    Parameters
    ----------
    folder : str
        Made if need be.
    max_bytes : int or None, default=None
        Files that were used least lately are removed beyond this.
    """

    folder: str
    max_bytes: int | None = None

    def claim(self) -> None:
        """Make the folder, or make sure that it is a cache.

        Raises
        ------
        ValueError
            If it holds something else, or a cache of another format.
        """
        folder = Path(self.folder)
        mark = folder / _MARK
        if not mark.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            # Other processes may be about to make the mark, or have made it, and more, by now.
            others = [path for path in folder.iterdir() if not path.name.startswith(f".{_MARK}.")]
            if others and not mark.is_file():
                raise ValueError(
                    f"{folder} is not empty and not a cache. Give a new or an empty folder."
                )
            with atomic_write(mark) as partial:
                partial.write_text(json.dumps(_FORMAT), encoding="utf-8")
            return
        try:
            found = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != _FORMAT:
            raise ValueError(f"{mark} is not of this version of sklearn_sleep. Give a new folder.")

    def get(self, key: str, signal: str, compute: Callable[[], FloatArray]) -> FloatArray:
        """Return an array, memory-mapped; it is computed by one process if it is not there.

        Parameters
        ----------
        key : str
            Hexadecimal digits that name the night and what was done to it.
        signal : str
            Name of the signal.
        compute : callable
            Returns the array.

        Returns
        -------
        ndarray
            Of float32. Writing into it changes the copy of this process only.

        Warns
        -----
        CacheWarning
            If a file is damaged, and computed again, or cannot be written.
        """
        found = self._open(key, signal)
        if found is not None:
            return found
        entry = self._entry(key)
        lock = FileLock(entry / f"{quote(signal, safe='')}.lock")
        try:
            entry.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            self._warn_unwritten(key, signal, error)
            return compute()
        try:
            found = self._open(key, signal)
            if found is not None:
                return found
            samples = np.ascontiguousarray(compute(), dtype=np.float32)
            try:
                self._write(key, signal, samples)
                self._stay_below_limit()
            except OSError as error:
                self._warn_unwritten(key, signal, error)
                return samples
            # Whoever waits for the lock finds the file.
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()
        finally:
            lock.release()
        written = self._open(key, signal)
        return samples if written is None else written

    def has(self, key: str, signal: str) -> bool:
        """Return whether an array is there; nothing of it is read.

        Parameters
        ----------
        key, signal : str
            As in `get`.

        Returns
        -------
        bool
        """
        return self._find(key, signal) is not None

    def _entry(self, key: str) -> Path:
        # Two levels, since folders of ten thousands of names are slow.
        return Path(self.folder) / key[:2] / key[2:]

    def _find(self, key: str, signal: str) -> Path | None:
        wanted = quote(signal, safe="")
        try:
            with os.scandir(self._entry(key)) as entries:
                for entry in entries:
                    match = _FILE.fullmatch(entry.name)
                    if match and match["signal"] == wanted:
                        return Path(entry.path)
        except FileNotFoundError:
            pass
        return None

    def _open(self, key: str, signal: str) -> FloatArray | None:
        path = self._find(key, signal)
        if path is None:
            return None
        try:
            status = path.stat()
            # Copy on write: torch takes only arrays that can be written, and nothing is copied
            # before something is.
            samples = _map(path, status.st_size)
            sound = _is_sound(path, status) and samples.dtype == np.float32
            # For the eviction; a file system may not keep the time of access by itself, and that
            # of others cannot be set.
            with contextlib.suppress(PermissionError):
                os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        except FileNotFoundError:  # evicted in this moment
            return None
        except (OSError, EOFError, ValueError):
            sound = False
        if sound:
            return samples
        msg = f"{path} is damaged, and the night is processed again."
        warnings.warn(msg, CacheWarning, stacklevel=5)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None

    def _warn_unwritten(self, key: str, signal: str, error: OSError) -> None:
        msg = (
            f"{self._entry(key)}: the cache cannot be written ({error}). {signal} is used without "
            "it. Is the disk full?"
        )
        warnings.warn(msg, CacheWarning, stacklevel=5)

    def _write(self, key: str, signal: str, samples: FloatArray) -> None:
        name = quote(signal, safe="")
        # Only the holder of the lock writes it, also over what a killed process has left.
        partial = self._entry(key) / f".{name}.partial"
        try:
            with partial.open("wb") as file:
                np.save(file, samples, allow_pickle=False)
            checksum = _checksum(partial)
            path = partial.with_name(f"{name}.{checksum}.npy")
            status = partial.stat()
            partial.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _verified[str(path)] = (status.st_size, status.st_mtime_ns)
        if self.folder in _written_since:
            _written_since[self.folder] += status.st_size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in Path(self.folder).glob("??/*/*.npy"):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()

    def _stay_below_limit(self) -> None:
        """Remove files that were used least lately, if there is more than the limit allows."""
        if self.max_bytes is None:
            return
        if _written_since.get(self.folder, self.max_bytes) < _LOOK_AFTER * self.max_bytes:
            return
        with FileLock(Path(self.folder) / "eviction.lock"):
            files = sorted(self._files(), key=lambda item: item[1].st_atime_ns)
            total = sum(status.st_size for _, status in files)
            if total > self.max_bytes:
                # The last one is what was just written.
                for path, status in files[:-1]:
                    if total <= _EVICT_TO * self.max_bytes:
                        break
                    with contextlib.suppress(PermissionError):  # open in Windows
                        path.unlink(missing_ok=True)
                        total -= status.st_size
        _written_since[self.folder] = 0


def _map(path: Path, n_bytes: int) -> FloatArray:
    # The smallest header has 128 bytes; an array without a sample cannot be mapped.
    mode: Any = "c" if n_bytes > 128 else None
    return np.load(path, mmap_mode=mode, allow_pickle=False)


def _checksum(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _is_sound(path: Path, status: Any) -> bool:
    """Compare the checksum, once in a process for each file."""
    match = _FILE.fullmatch(path.name)
    key = (status.st_size, status.st_mtime_ns)
    if _verified.get(str(path)) == key:
        return True
    if match is None or _checksum(path) != match["checksum"]:
        return False
    _verified[str(path)] = key
    return True
