"""RecordingCache: processed nights on disk, so that each is processed once."""

from __future__ import annotations

import contextlib
import os
import re
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
from filelock import FileLock

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.atomic_write import is_disk_full
from sklearn_sleep.core.captured_warnings import CapturedWarning, capture_warnings, reissue_warnings
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.folder_mark import FolderMark
from sklearn_sleep.core.identity import PROCESSING_VERSION, digest
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.recording import DerivedSource, Recording
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import CacheWarning
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin

_MARK = FolderMark(
    "recording-cache.json",
    "recording cache",
    2,
    details={"processing": PROCESSING_VERSION},
    only_if_empty=True,
)
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


class RecordingCache(TakesEpochsMixin, EpochsTransformer):
    """Keep what the steps before it make of each night on disk.

    A signal of a night is processed when it is first read, written to a file, and memory-mapped
    from then on: by every fold, candidate, process, machine and later run that applies the same
    steps with the same parameters to the same file. A file appears under its name only when it is
    whole, its checksum is compared when a process first opens it, and one that is damaged is made
    again. Processes that need the same signal wait for the one that makes it.

    The key of a night is its `Recording.fingerprint`: path, size and time of the file, channels,
    and the steps with their parameters. The code of a step of your own is not part of it: clear the
    folder when you change the code. A folder whose samples another version of this package would
    make differently is refused. Files that are damaged or cannot be written are told of in a
    `CacheWarning`.

    Parameters
    ----------
    folder : path
        Where to keep it: a new or empty folder, or one that was used before. Other machines may
        share it.
    max_bytes : int, optional
        Limit of the folder's size. Beyond it, files that were used least lately are removed. It
        should hold all nights that are used in turn: of less, none is left when it is needed
        again.
    n_jobs : int, optional
        With a number, nights that are not there yet are processed by so many processes as soon as
        the step is applied; see joblib. Without one, each when it is first read.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    See Also
    --------
    sklearn_sleep.ingest : Fills a cache from a cohort's folder, and reports on each night.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler
    >>> folder = tempfile.mkdtemp()
    >>> pipeline = make_pipeline(
    ...     EDFReader(["EEG"]), Resampler(), Epocher(), RecordingCache(folder)
    ... )
    >>> epochs = pipeline.fit_transform("tests/data/sleep-edf-5min.edf")
    >>> samples = epochs.recordings[0].signals["EEG"].data
    >>> type(samples).__name__, samples.shape
    ('memmap', (10, 4096))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "folder": [str, os.PathLike],
        "max_bytes": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        self._store().claim()

    def transform(self, X: Epochs) -> Epochs:
        """Return the same rows over recordings that are read from the cache, and written to it."""
        self._check(X)
        store = self._store()
        sources = [CachedSource(recording, store) for recording in X.recordings]
        if self.n_jobs is not None:
            self._process(sources)
        recordings = [Recording(source) for source in sources]
        return Epochs(X.table, recordings, X.recording_index)

    def _store(self) -> CacheStore:
        return CacheStore(os.path.abspath(self.folder), self.max_bytes)  # noqa: PTH100 - no links

    def _process(self, sources: list[CachedSource]) -> None:
        missing = [(source,) for source in sources if not source.is_kept()]
        for heard in run_parallel(
            _keep,
            missing,
            description="Processing nights",
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            return_as="generator_unordered",
        ):
            reissue_warnings(heard)


class CachedSource(DerivedSource):
    """A processed recording whose samples are kept in a cache."""

    def __init__(self, recording: Recording, store: CacheStore) -> None:
        super().__init__(recording)
        self._store = store

    @cached_property
    def key(self) -> str:
        """What names the night in the cache."""
        return digest([PROCESSING_VERSION, self.recording.fingerprint])[:32]

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name; its samples are read when asked for."""
        signal = self.recording.signals[name]
        return Signal(
            signal.definition,
            partial(self._read, name),
            signal.sampling_frequency,
            signal.unit,
            n_epochs=signal.n_epochs,
            is_epoched=signal.is_epoched,
        )

    def is_kept(self) -> bool:
        """Return whether all signals are in the cache."""
        return all(self._store.has(self.key, name) for name in self.names)

    def _read(self, name: str) -> SampleArray:
        return self._store.get(self.key, name, lambda: self.recording.signals[name].data)


def _keep(source: CachedSource) -> list[CapturedWarning]:
    def keep() -> None:
        for name in source.names:
            source.signal(name).data  # noqa: B018 - reading writes the cache

    _, heard = capture_warnings(keep)
    return heard


@dataclass(frozen=True)
class CacheStore:
    """Arrays on disk by key and signal; those used least lately go beyond a number of bytes.

    The checksum of a file is part of its name, so that one rename puts both in place.
    """

    folder: str
    max_bytes: int | None = None

    def claim(self) -> None:
        """Make the folder, or make sure that it is a cache that this version can use."""
        _MARK.claim(self.folder)

    def get(self, key: str, signal: str, compute: Callable[[], SampleArray]) -> SampleArray:
        """Return an array of float32, memory-mapped; one process computes it if it is not there."""
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
        """Return whether an array is there; nothing of it is read."""
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

    def _open(self, key: str, signal: str) -> SampleArray | None:
        path = self._find(key, signal)
        if path is None:
            return None
        try:
            status = path.stat()
            if _is_sound(path, status):
                # Copy on write, which no other process sees: torch takes only arrays that can be
                # written, and nothing is copied before something is.
                samples = _map(path, status.st_size)
                # For the eviction; a file system may not keep the time of access by itself, and
                # may be there to be read alone.
                with contextlib.suppress(OSError):
                    os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
                return samples
        except FileNotFoundError:  # evicted in this moment
            return None
        except OSError as error:  # of the disk or the rights, which says nothing of the file
            warnings.warn(
                f"{path} cannot be read ({error}), and the night is processed again.",
                CacheWarning,
                stacklevel=5,
            )
            return None
        warnings.warn(
            f"{path} is damaged, and the night is processed again.", CacheWarning, stacklevel=5
        )
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None

    def _warn_unwritten(self, key: str, signal: str, error: OSError) -> None:
        reason = "the disk is full" if is_disk_full(error) else "the cache cannot be written"
        warnings.warn(
            f"{self._entry(key)}: {reason} ({error}). {signal} is used without it.",
            CacheWarning,
            stacklevel=5,
        )

    def _write(self, key: str, signal: str, samples: SampleArray) -> None:
        name = quote(signal, safe="")
        # Only the holder of the lock writes it, also over what a killed process has left.
        partial = self._entry(key) / f".{name}.partial"
        try:
            # To be read too: else numpy goes past Python, with an error that does not say why.
            with partial.open("w+b") as file:
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


def _map(path: Path, n_bytes: int) -> SampleArray:
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
