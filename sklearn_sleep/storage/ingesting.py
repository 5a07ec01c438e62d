"""ingest: process every night of a cohort once, and report on each."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.captured_warnings import CapturedWarning, capture_warnings, reissue_warnings
from sklearn_sleep.core.checksums import file_checksum, read_checked_json, to_checked_json
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.folder_mark import FolderMark
from sklearn_sleep.core.identity import PROCESSING_VERSION, digest
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.recording import DerivedSource, Recording
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.datasets import Cohort, load_cohort
from sklearn_sleep.datasets.nights import MISSING
from sklearn_sleep.datasets.registry import find_cohort
from sklearn_sleep.exceptions import CacheWarning, EDFRepairWarning
from sklearn_sleep.features.quality.assessment import assess_signal
from sklearn_sleep.features.quality.signal_quality import SignalQuality, summarize
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, RecordingCache, Resampler
from sklearn_sleep.storage.parquet import write_parquet_night
from sklearn_sleep.storage.report import make_report, write_report

_SIGNALS = ("ECG", "PPG", "ABD", "THX")
_MARK = FolderMark(
    "ingest.json",
    "store of ingested nights",
    version=2,
    details={"processing": PROCESSING_VERSION},
    unmarked="nights/*.json",
    only_if_empty=True,
)
_CHANNEL = "channel"  # what follows a signal in the name of the report's column
_QUALITY = ("missing", "flat", "clipped", "noisy", "inverted", "wrong unit")


def ingest(
    cohort: str | os.PathLike[str] | Bunch,
    store: str | os.PathLike[str],
    *,
    dataset: str | Cohort | None = None,
    signals: Sequence[str] = _SIGNALS,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    pipeline: Pipeline | None = None,
    format: Literal["cache", "parquet"] = "cache",  # noqa: A002 - the word that users look for
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Any:
    """Process every night of a cohort once, and report on each.

    A night is written when it is whole; a call that was interrupted, at whatever moment, goes on
    when it is repeated, and gives the very files that an uninterrupted one gives. A night that
    cannot be read is reported, and the others go on.

    Parameters
    ----------
    cohort : path or Bunch
        The cohort's folder, or what a ``load_`` function or `load_cohorts` returned.
    store : path
        Folder of the results, made if need be: ``recordings`` (a `RecordingCache`) or ``parquet``,
        ``nights`` (what is known of each night), ``report.csv`` and ``report.html``.
    dataset : str or Cohort, optional
        The cohort whose layout the folder has: a public one (``ccshs cfs chat isruc mass mesa mros
        shhs sleep_edf wsc``) or your own. Without it, any folder of EDF files and hypnograms, as
        `load_cohort` takes it.
    signals : sequence of str, default=("ECG", "PPG", "ABD", "THX")
        What to read, if no pipeline is given.
    channels, units
        Labels and units by signal, as in `EDFReader`, if no pipeline is given.
    pipeline : Pipeline, optional
        Steps from `EDFReader` to `Epocher`, without a cache. By default
        ``EDFReader(signals), Resampler(), Normalizer(), Epocher()``.
    format : {"cache", "parquet"}, default="cache"
        ``"cache"`` is what pipelines of this package read, memory-mapped; ``"parquet"`` writes a
        file for each night, a row for each epoch, for other tools, and needs
        ``sklearn_sleep[parquet]``.
    n_jobs : int, optional
        Processes, each of which processes a night at a time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Returns
    -------
    Bunch
        X, y, groups
            The rows of the nights that were processed.
        report : DataFrame
            A row per night, whatever became of it: ``path``, ``status`` (``done``, ``failed``,
            ``left out``), ``dataset``, ``subject``, ``visit``, ``start``, ``hours``, ``epochs``,
            ``scored_epochs``, how many of them are W, N1, N2, N3 and R, ``signals``, ``repairs``,
            ``problems``, for each signal the faults that `SignalQuality` finds in it, and the label
            of the channel that it was taken from, ``"-"`` where it is missing.
        channels : DataFrame
            These labels alone: a row per night that could be opened, by path, a column per signal.
        steps : list of estimators
            From EDF files to the processed nights: the first steps of a pipeline,
            ``make_pipeline(*steps, Wav2SleepClassifier())``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If a parameter is wrong, the folder holds no night that can be read, or the store is of
        another version's format or holds something else.
    OSError
        If the disk is full, so that the report cannot be written.
    ImportError
        If Parquet is asked for and pyarrow is not installed.

    Warns
    -----
    CacheWarning
        If what the store holds of a night is damaged. It is made again.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep import make_cohort
    >>> folder = tempfile.mkdtemp()
    >>> _ = make_cohort(f"{folder}/mesa", layout="mesa", n_subjects=1, hours=0.5)
    >>> ingested = ingest(f"{folder}/mesa", f"{folder}/store", dataset="mesa", signals=["ECG"])
    >>> ingested.report[["status", "subject", "signals"]]
      status    subject signals
    0   done  mesa-0001     ECG
    >>> len(ingested.steps)
    5
    """
    if format not in ("cache", "parquet"):
        raise ValueError(f"format={format!r} must be 'cache' or 'parquet'.")
    store = Path(store)
    _MARK.check(store)
    loaded = _load(cohort, dataset, n_jobs, verbose)
    _MARK.claim(store)
    (store / "nights").mkdir(exist_ok=True)
    remove_partials(store, "**/.*.partial")
    steps = _make_steps(pipeline, signals, channels, units, dataset)
    make_pipeline(*steps).fit(loaded.X.iloc[:0])  # wrong parameters stop here, not in each night
    cache = RecordingCache(store / "recordings") if format == "cache" else None
    job = _Job(store, steps, cache)
    nights = list(_nights(loaded))
    found = []
    for row, heard in run_parallel(
        job.process, nights, description="Ingesting", n_jobs=n_jobs, verbose=verbose
    ):
        found.append(row)
        reissue_warnings(heard)
    names = [f"{name} {_CHANNEL}" for name in steps[0].get_feature_names_out()]
    report = make_report([*_with_problems(found, loaded), *_left_out(loaded)])
    write_report(report, store)
    done = [one["path"] for one in found if one["status"] == "done"]
    rows = loaded.X["recording"].isin(done).to_numpy()
    X = loaded.X[rows].reset_index(drop=True)
    X["recording"] = X["recording"].cat.remove_unused_categories()
    return Bunch(
        X=X,
        y=loaded.y[rows],
        groups=X["subject"],
        report=report,
        channels=report.set_index("path")
        .reindex(columns=names)
        .dropna(how="all")
        .rename(columns=lambda name: name.removesuffix(f" {_CHANNEL}")),
        steps=[*steps, cache] if cache else steps,
    )


def _load(
    cohort: str | os.PathLike[str] | Bunch,
    dataset: str | Cohort | None,
    n_jobs: int | None,
    verbose: int | None,
) -> Bunch:
    if isinstance(cohort, Bunch):
        return cohort
    if dataset is None:
        return load_cohort(cohort, n_jobs=n_jobs, verbose=verbose)
    return find_cohort(dataset, "dataset").load(cohort, n_jobs=n_jobs, verbose=verbose)


def _make_steps(
    pipeline: Pipeline | None,
    signals: Sequence[str],
    channels: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
    dataset: str | Cohort | None,
) -> list[Any]:
    if pipeline is None:
        if isinstance(dataset, Cohort):
            channels = {dataset.name: {**dataset.channels, **(channels or {})}}
        reader = EDFReader(list(signals), channels=channels, units=units)
        return [reader, Resampler(), Normalizer(), Epocher()]
    steps = [clone(step) for _, step in pipeline.steps]
    if not isinstance(steps[0], EDFReader):
        raise ValueError(
            f"The pipeline must begin with an EDFReader, not {type(steps[0]).__name__}."
        )
    if any(isinstance(step, RecordingCache) for step in steps):
        raise ValueError(
            "The pipeline has a RecordingCache; leave it out, ingest puts one at the end."
        )
    return steps


def _nights(loaded: Bunch) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.int64]]]:
    """Yield what is known of each night, and the stage of each of its epochs."""
    rows_of = loaded.X.groupby("recording", observed=True, sort=False).indices
    for night in loaded.recordings.to_dict("records"):
        rows = rows_of[night["path"]]
        stages = np.full(int(night["n_epochs"]), int(Stage.UNSCORED), dtype=np.int64)
        stages[loaded.X["epoch"].to_numpy()[rows]] = loaded.y[rows]
        yield {str(name): value for name, value in night.items()}, stages


def _with_problems(found: Sequence[dict[str, Any]], loaded: Bunch) -> Iterator[dict[str, Any]]:
    """Yield the rows with what was said of the nights when their hypnograms were loaded."""
    said_of = loaded.problems.groupby("path")["problem"].agg(list).to_dict()
    for row in found:
        problems = row.get("problems", "")
        known = [problems, *problems.splitlines(), *row.get("repairs", "").splitlines()]
        new = [text for text in said_of.get(row["path"], ()) if text not in known]
        yield {**row, "problems": "\n".join(filter(None, [problems, *new]))}


def _left_out(loaded: Bunch) -> Iterator[dict[str, Any]]:
    """Yield a row for each file of the cohort that is no row of X."""
    loaded_paths = set(loaded.recordings["path"])
    others = loaded.problems[~loaded.problems["path"].isin(loaded_paths)]
    for path, problems in others.groupby("path", sort=True)["problem"]:
        yield {"path": path, "status": "left out", "problems": "\n".join(problems)}


@dataclass(frozen=True)
class _Job:
    """What is done to each night, in a worker; without a cache, samples go to Parquet files."""

    store: Path
    steps: list[Any]
    cache: RecordingCache | None

    def process(
        self, night: Mapping[str, Any], stages: npt.NDArray[np.int64]
    ) -> tuple[dict[str, Any], list[CapturedWarning]]:
        """Process a night, unless it has been; return its row, and warnings of what was kept."""
        of_kept: list[CapturedWarning] = []
        taken: dict[str, str] = {}
        try:
            (epochs, processed), heard = capture_warnings(self._open, night, len(stages))
            taken = self._channels(epochs.recordings[0])
            path = self._path(processed.recordings[0], night, stages)
            kept, of_kept = capture_warnings(self._kept, path, processed.recordings[0], night)
            if kept is not None:
                return {**kept, **taken}, of_kept
            row, more = capture_warnings(self._read, epochs, processed, night, stages)
            row = {**_describe(night, stages), **row, **_tell([*heard, *more])}
            if not self._is_there(processed.recordings[0], night):
                return {**row, **taken, "status": "failed"}, of_kept
            content: dict[str, Any] = {"row": row}
            if self.cache is None:
                content["parquet"] = file_checksum(self._parquet(night))
            with atomic_write(path) as partial:
                partial.write_text(to_checked_json(content), encoding="utf-8")
        except Exception as error:  # one bad file must not stop the others, whatever is wrong
            problems = f"{type(error).__name__}: {error}"
            row = {**_describe(night, stages), "status": "failed", "problems": problems}
        return {**row, **taken}, of_kept

    def _channels(self, held: Recording) -> dict[str, str]:
        """Return the label that each signal is taken from, by column of the report."""
        source = held.source.recording.source  # type: ignore[attr-defined]  # of _ReadOnce
        labels = getattr(source, "taken_from", {})
        names = self.steps[0].get_feature_names_out()
        return {f"{name} {_CHANNEL}": labels.get(name, MISSING) for name in names}

    def _open(self, night: Mapping[str, Any], n_epochs: int) -> tuple[Epochs, Epochs]:
        """Return the night as it is read, and as it is processed."""
        table = pd.DataFrame(
            {
                "recording": pd.Categorical([night["path"]] * n_epochs),
                "epoch": np.arange(n_epochs, dtype=np.int32),
                "subject": night["subject"],
                "dataset": night["dataset"],
            }
        )
        reader, *others = self.steps
        epochs = reader.transform(table)
        held = Recording(_ReadOnce(epochs.recordings[0]))
        epochs = processed = Epochs(epochs.table, [held], epochs.recording_index)
        for step in others:
            processed = step.transform(processed)
        return epochs, self.cache.transform(processed) if self.cache else processed

    def _read(
        self,
        epochs: Epochs,
        processed: Epochs,
        night: Mapping[str, Any],
        stages: npt.NDArray[np.int64],
    ) -> dict[str, Any]:
        (raw,), (recording,) = epochs.recordings, processed.recordings
        row: dict[str, Any] = {}
        samples: dict[str, SampleArray] = {}
        for name, signal in recording.signals.items():
            if name in raw.signals:
                row.update(_quality_of(raw.signals[name]))
            data = signal.data
            if self.cache is None:
                samples[name] = data
            # A signal that a step has taken out is not there.
            if not np.isnan(data).all():
                row.setdefault("signals", []).append(name)
        if self.cache is None:
            attributes = {name: str(night[name]) for name in ("path", "subject", "dataset")}
            write_parquet_night(self._parquet(night), samples, stages, attributes=attributes)
        return {**row, "signals": " ".join(row.get("signals", ())), "status": "done"}

    def _is_there(self, recording: Recording, night: Mapping[str, Any]) -> bool:
        if self.cache is None:
            return self._parquet(night).is_file()
        return recording.source.is_kept()  # type: ignore[attr-defined]  # of the cache, the last step

    def _kept(
        self, path: Path, recording: Recording, night: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the row of a night that has been processed, if all of it is there and sound."""
        if not (path.is_file() and self._is_there(recording, night)):
            return None
        damaged = path
        try:
            content = read_checked_json(path)
            row: dict[str, Any] = dict(content["row"])
            if self.cache is not None:  # which compares the checksums of its files when it reads
                return row
            damaged = self._parquet(night)
            if file_checksum(damaged) == content["parquet"]:
                return row
        except (ValueError, KeyError, TypeError):
            pass
        warnings.warn(f"{damaged} is damaged; the night is made again.", CacheWarning, stacklevel=2)
        return None

    def _path(
        self, recording: Recording, night: Mapping[str, Any], stages: npt.NDArray[np.int64]
    ) -> Path:
        kind = "cache" if self.cache else "parquet"
        key = digest(
            [PROCESSING_VERSION, recording.fingerprint, kind, _describe(night, stages), stages]
        )
        return self.store / "nights" / f"{key[:32]}.json"

    def _parquet(self, night: Mapping[str, Any]) -> Path:
        # Names of files may be the same in several folders, as in ISRUC.
        place = hashlib.sha256(night["path"].encode()).hexdigest()[:8]
        stem = f"{Path(night['path']).stem}-{place}"
        folder = re.sub(r"\W+", "_", night["dataset"]) or "cohort"  # stays in the store
        return self.store / "parquet" / folder / f"{stem}.parquet"


class _ReadOnce(DerivedSource):
    """A recording that holds the samples which were read last: they are looked at and processed."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._held: tuple[str, SampleArray] | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        # As if it were not there: the cache is to be found without it.
        return self.recording.source.identity

    def signal(self, name: str) -> Signal:
        signal = self.recording.signals[name]

        def read() -> SampleArray:
            if self._held is None or self._held[0] != name:
                self._held = None  # not two at a time
                self._held = (name, signal.data)
            return self._held[1]

        return Signal(
            signal.definition,
            read,
            signal.sampling_frequency,
            signal.unit,
            n_epochs=signal.n_epochs,
        )


def _describe(night: Mapping[str, Any], stages: npt.NDArray[np.int64]) -> dict[str, Any]:
    start = night["start"]
    counts = {name: int((stages == Stage[name]).sum()) for name in stage_names(5)}
    return {
        **{name: night[name] for name in ("path", "dataset", "subject", "visit")},
        "start": "" if pd.isna(start) else start.isoformat(),
        "hours": round(float(night["duration"]) / 3600, 4),
        "epochs": len(stages),
        "scored_epochs": int((stages != Stage.UNSCORED).sum()),
        **counts,
    }


def _quality_of(signal: Signal) -> dict[str, Any]:
    defaults = SignalQuality()
    summary = summarize(assess_signal(signal), defaults.faults, defaults.maximum_unusable)
    return {
        f"{signal.name} {fault}": summary[fault]
        if isinstance(summary[fault], bool)
        else round(summary[fault], 4)
        for fault in _QUALITY
    }


def _tell(heard: Sequence[CapturedWarning]) -> dict[str, str]:
    repairs = [text for category, text in heard if issubclass(category, EDFRepairWarning)]
    problems = [text for category, text in heard if not issubclass(category, EDFRepairWarning)]
    return {"repairs": "\n".join(repairs), "problems": "\n".join(problems)}
