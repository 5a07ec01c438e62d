"""RecordingCache: processed nights on disk, so that each is processed once."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property, partial
from numbers import Integral
from typing import Any, ClassVar

from joblib import Parallel, delayed
from tqdm.auto import tqdm

from sklearn_sleep._version import __version__
from sklearn_sleep.core.captured_warnings import CapturedWarning, capture_warnings, reissue_warnings
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.recording import DerivedSource, FloatArray, Recording, Signal
from sklearn_sleep.preprocessing._cache_store import CacheStore
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin

__all__ = ["RecordingCache"]


class RecordingCache(TakesEpochsMixin, EpochsTransformer):
    """Keep what the steps before it make of each night on disk.

    A signal of a night is processed when it is first read, written to a file, and memory-mapped
    from then on: by every fold, candidate, process, machine and later run that applies the same
    steps with the same parameters to the same file. A file appears under its name only when it is
    whole, its checksum is compared when a process first opens it, and one that is damaged is made
    again. Processes that need the same signal wait for the one that makes it.

    The key of a night is its `Recording.fingerprint`: path, size and time of the file, channels,
    and the steps with their parameters, together with the version of this package. The code of a
    step of your own is not part of it: clear the folder when you change the code.

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
    verbose : bool, default=False
        Show the progress of these processes.

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
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        self._store().claim()

    def transform(self, X: Epochs) -> Epochs:
        """Return the same rows over recordings that are read from the cache.

        Parameters
        ----------
        X : Epochs of shape (n_rows,)
            Rows over recordings.

        Returns
        -------
        Epochs of shape (n_rows,)

        Raises
        ------
        ValueError
            If the folder holds something else than a cache.

        Warns
        -----
        CacheWarning
            When samples are read: a file is damaged, or cannot be written.
        """
        self._check_input(X)
        store = self._store()
        store.claim()
        sources = [CachedSource(recording, store) for recording in X.recordings]
        if self.n_jobs is not None:
            self._process(sources)
        recordings = [Recording(source) for source in sources]
        return Epochs(X.table, recordings, X.recording_index)

    def _store(self) -> CacheStore:
        return CacheStore(os.path.abspath(self.folder), self.max_bytes)  # noqa: PTH100 - no links

    def _process(self, sources: list[CachedSource]) -> None:
        missing = [source for source in sources if not source.is_kept()]
        processed = Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")(
            delayed(_keep)(source) for source in missing
        )
        progress = tqdm(
            processed,
            desc="Processing nights",
            total=len(missing),
            unit="night",
            disable=not self.verbose,
        )
        for heard in progress:
            reissue_warnings(heard)


class CachedSource(DerivedSource):
    """A processed recording whose samples are kept in a cache.

    Parameters
    ----------
    recording : Recording
        With all steps before the cache.
    store : CacheStore
        Where its samples are kept.
    """

    def __init__(self, recording: Recording, store: CacheStore) -> None:
        super().__init__(recording)
        self._store = store

    @cached_property
    def key(self) -> str:
        """What names the night in the cache."""
        text = f"{__version__} {self.recording.fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

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

    def _read(self, name: str) -> FloatArray:
        return self._store.get(self.key, name, lambda: self.recording.signals[name].data)


def _keep(source: CachedSource) -> list[CapturedWarning]:
    def keep() -> None:
        for name in source.names:
            source.signal(name).data  # noqa: B018 - reading writes the cache

    _, heard = capture_warnings(keep)
    return heard
