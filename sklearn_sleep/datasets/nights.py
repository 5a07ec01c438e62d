"""Nights and their hypnograms as (X, y, groups), whichever cohort they belong to."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch

from sklearn_sleep.core.captured_warnings import capture_warnings
from sklearn_sleep.core.channels import find_channels
from sklearn_sleep.core.epochs import make_epoch_table
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS, count_epochs
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import EDFError, EDFWarning, HypnogramError, HypnogramWarning
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.edf.source import channels_of
from sklearn_sleep.io.hypnograms.reading import read_hypnogram
from sklearn_sleep.io.hypnograms.stage_annotations import ResampleEpochs

StageArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NightFiles:
    """The files of a night, whose it is, and the labels by signal that its dataset has."""

    recording: Path
    annotation: Path | None
    subject: str
    visit: str = ""
    dataset: str = ""
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be in a file, what was done, and which warning says so."""

    path: str
    message: str
    category: type[Warning]


def as_table(problems: Sequence[Problem]) -> pd.DataFrame:
    """Return a row for each problem: ``path`` and ``problem``."""
    rows = [(problem.path, problem.message) for problem in problems]
    return pd.DataFrame(rows, columns=["path", "problem"])


@dataclass
class _Loaded:
    """What was read of a night; without stages it is left out."""

    row: dict[str, Any]
    stages: StageArray | None = None
    problems: list[Problem] = field(default_factory=list)


def load_nights(
    nights: Sequence[NightFiles],
    *,
    with_dataset: bool = False,
    resample_epochs: ResampleEpochs = "warn",
    wake_minutes: float | None = None,
    hypnogram_options: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Return the Bunch of `Cohort.load`, without what is known of the people, of these nights.

    Only headers and annotations are read, these with `hypnogram_options`. A night that cannot be
    read is warned of and left out.
    """
    options = {"resample_epochs": resample_epochs, **(hypnogram_options or {})}
    loaded: list[_Loaded] = []
    for night in run_parallel(
        _load_night,
        [(files, options, wake_minutes) for files in nights],
        description="Loading nights",
        n_jobs=n_jobs,
        verbose=verbose,
    ):
        for problem in night.problems:
            warnings.warn(problem.message, problem.category, stacklevel=4)
        loaded.append(night)
    columns = [
        *("path", "annotation", "dataset", "subject", "visit", "start", "duration"),
        *("signals", "n_epochs", "scored_epochs", "patient"),
    ]
    rows = [night.row for night in loaded if night.stages is not None]
    recordings = pd.DataFrame(rows, columns=columns)
    stages = [night.stages for night in loaded if night.stages is not None]
    scored = [np.flatnonzero(hypnogram != Stage.UNSCORED) for hypnogram in stages]
    X = make_epoch_table(list(recordings["path"]), scored)
    codes = X["recording"].cat.codes.to_numpy()
    for column in ("subject", "dataset") if with_dataset else ("subject",):
        values = pd.Categorical(recordings[column])
        X[column] = pd.Categorical.from_codes(values.codes[codes], dtype=values.dtype)
    counts = recordings["scored_epochs"].to_numpy(dtype=np.int64)
    X["scored_epochs"] = counts.astype(np.min_scalar_type(-int(counts.max(initial=1)) - 1))[codes]
    labels = [hypnogram[rows] for hypnogram, rows in zip(stages, scored, strict=True)]
    return Bunch(
        X=X,
        y=np.concatenate([np.empty(0, np.int64), *labels]),
        groups=X["subject"],
        recordings=recordings,
        problems=as_table([problem for night in loaded for problem in night.problems]),
    )


def _load_night(
    files: NightFiles, options: Mapping[str, Any], wake_minutes: float | None
) -> _Loaded:
    """Load a night, and hand on what is warned of as data: this may be another process."""
    loaded, heard = capture_warnings(_read_night, files, options, wake_minutes)
    path = str(files.recording)
    loaded.problems[:0] = [Problem(path, text, category) for category, text in heard]
    return loaded


def _read_night(
    files: NightFiles, options: Mapping[str, Any], wake_minutes: float | None
) -> _Loaded:
    path = str(files.recording)

    def leave_out(message: str, category: type[Warning]) -> _Loaded:
        return _Loaded({}, problems=[Problem(path, message, category)])

    if files.annotation is None:
        return leave_out(f"{path} has no annotation and is left out.", HypnogramWarning)
    try:
        header = read_edf_header(path)
    except (EDFError, OSError) as error:
        return leave_out(f"{error}. The night is left out.", EDFWarning)
    n_epochs = count_epochs(header.duration)
    if n_epochs == 0:
        why = f"{path} is shorter than an epoch ({EPOCH_DURATION:g} s) and is left out."
        return leave_out(why, EDFWarning)
    try:
        hypnogram = read_hypnogram(
            files.annotation,
            n_epochs=n_epochs,
            recording_start=header.start,
            **options,
        )
    except (HypnogramError, EDFError, OSError) as error:
        return leave_out(f"{error} {path} is left out.", HypnogramWarning)
    if wake_minutes is not None:
        hypnogram = _trim_wake(hypnogram, wake_minutes)
    n_scored = int((hypnogram != Stage.UNSCORED).sum())
    if not n_scored:
        why = f"{files.annotation} scores none of the epochs of {path}, which is left out."
        return leave_out(why, HypnogramWarning)
    row = {
        "path": path,
        "annotation": str(files.annotation),
        "dataset": files.dataset,
        "subject": files.subject,
        "visit": files.visit,
        "start": header.start,
        "duration": header.duration,
        "n_epochs": n_epochs,
        "scored_epochs": n_scored,
        "patient": header.patient,
        "signals": _signals_there(header, files.channels),
    }
    return _Loaded(row, hypnogram)


def _signals_there(header: EDFHeader, chosen: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    channels = channels_of(header)
    return tuple(
        name
        for name, definition in SIGNALS.items()
        if find_channels(channels, definition, chosen.get(name)) is not None
    )


def _trim_wake(hypnogram: StageArray, minutes: float) -> StageArray:
    """Return stages, unscored farther than some minutes from sleep."""
    asleep = np.flatnonzero((hypnogram != Stage.W) & (hypnogram != Stage.UNSCORED))
    if not len(asleep):
        return hypnogram
    margin = round(minutes * 60 / EPOCH_DURATION)
    trimmed = hypnogram.copy()
    trimmed[: max(asleep[0] - margin, 0)] = Stage.UNSCORED
    trimmed[asleep[-1] + margin + 1 :] = Stage.UNSCORED
    return trimmed
