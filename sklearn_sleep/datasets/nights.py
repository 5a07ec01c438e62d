"""Nights and their hypnograms as (X, y, groups), whichever cohort they belong to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from sklearn_sleep.core.captured_warnings import capture_warnings
from sklearn_sleep.core.epochs import make_epoch_table
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS, count_epochs
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import EDFError, EDFWarning, HypnogramError, HypnogramWarning
from sklearn_sleep.io.cohort_channels import COHORT_CHANNELS
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.edf.source import dataset_from_path, find_channels
from sklearn_sleep.io.hypnograms.reading import read_hypnogram
from sklearn_sleep.io.hypnograms.stage_annotations import ResampleEpochs

__all__ = ["NightFiles", "Problem", "as_bunch", "load_nights"]

StageArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NightFiles:
    """The files of a night, and whose it is.

    Parameters
    ----------
    recording : Path
        EDF or BDF file.
    annotation : Path or None
        File of the hypnogram.
    subject : str
        The person, the same on all visits.
    visit : str, default=""
        Which of the person's nights it is.
    """

    recording: Path
    annotation: Path | None
    subject: str
    visit: str = ""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be in a file.

    Parameters
    ----------
    path : str
        The file.
    message : str
        What is wrong, and what was done.
    category : type
        The warning that says so.
    """

    path: str
    message: str
    category: type[Warning]


@dataclass
class _Loaded:
    """What was read of a night; without stages it is left out."""

    row: dict[str, Any]
    stages: StageArray | None = None
    problems: list[Problem] = field(default_factory=list)


def load_nights(
    nights: Sequence[NightFiles],
    *,
    dataset: str = "",
    resample_epochs: ResampleEpochs = "warn",
    wake_minutes: float | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load recordings and their annotations; only headers and annotations are read.

    Parameters
    ----------
    nights : sequence of NightFiles
        The nights.
    dataset : str, default=""
        Name of the cohort; X has a column of it, unless it is empty.
    resample_epochs : {"warn", "majority", "error"}, default="warn"
        As in `read_hypnogram`.
    wake_minutes : float, optional
        Rows of wake longer before the first and after the last epoch of sleep are left out.
    n_jobs : int, optional
        Nights that are loaded at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    Returns
    -------
    Bunch
        ``X``, ``y``, ``groups``, ``recordings`` and ``problems``, as `load_cohort` gives them.

    Warns
    -----
    EDFWarning, HypnogramWarning
        If a night cannot be read; it is left out.
    """
    loading = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_load_night)(files, dataset, resample_epochs, wake_minutes) for files in nights
    )
    loaded: list[_Loaded] = []
    progress = tqdm(
        loading, desc="Loading nights", total=len(nights), unit="night", disable=not verbose
    )
    for night in progress:
        for problem in night.problems:
            warnings.warn(problem.message, problem.category, stacklevel=3)
        loaded.append(night)
    kept = [night for night in loaded if night.stages is not None]
    problems = [problem for night in loaded for problem in night.problems]
    columns = [
        *("path", "annotation", "dataset", "subject", "visit", "start", "duration"),
        *("signals", "n_epochs", "scored_epochs", "patient"),
    ]
    recordings = pd.DataFrame([night.row for night in kept], columns=columns)
    stages = [night.stages for night in kept if night.stages is not None]
    return as_bunch(recordings, stages, problems, with_dataset=bool(dataset))


def as_bunch(
    recordings: pd.DataFrame,
    stages: Sequence[StageArray],
    problems: Sequence[Problem],
    *,
    with_dataset: bool,
) -> Any:
    """Return nights as (X, y, groups) and what is known of them.

    Parameters
    ----------
    recordings : DataFrame
        A row per night: ``path``, ``subject``, ``dataset`` and others.
    stages : sequence of ndarray of int
        `Stage` of each epoch of each night; only scored epochs become rows.
    problems : sequence of Problem
        What was wrong.
    with_dataset : bool
        Whether X has a column ``dataset``.

    Returns
    -------
    Bunch
    """
    scored = [np.flatnonzero(hypnogram != Stage.UNSCORED) for hypnogram in stages]
    X = make_epoch_table(list(recordings["path"]), scored)
    codes = X["recording"].cat.codes.to_numpy()
    for column in ("subject", "dataset") if with_dataset else ("subject",):
        values = pd.Categorical(recordings[column])
        X[column] = pd.Categorical.from_codes(values.codes[codes], dtype=values.dtype)
    counts = recordings["scored_epochs"].to_numpy(dtype=np.int64)
    X["scored_epochs"] = counts.astype(np.min_scalar_type(-int(counts.max(initial=1)) - 1))[codes]
    labels = [hypnogram[rows] for hypnogram, rows in zip(stages, scored, strict=True)]
    found = pd.DataFrame(
        [(problem.path, problem.message) for problem in problems], columns=["path", "problem"]
    )
    return Bunch(
        X=X,
        y=np.concatenate([np.empty(0, np.int64), *labels]),
        groups=X["subject"],
        recordings=recordings,
        problems=found,
    )


def _load_night(
    files: NightFiles, dataset: str, resample_epochs: ResampleEpochs, wake_minutes: float | None
) -> _Loaded:
    """Load a night, and hand on what is warned of as data: this may be another process."""
    loaded, heard = capture_warnings(_read_night, files, dataset, resample_epochs, wake_minutes)
    path = str(files.recording)
    loaded.problems[:0] = [Problem(path, text, category) for category, text in heard]
    return loaded


def _read_night(
    files: NightFiles, dataset: str, resample_epochs: ResampleEpochs, wake_minutes: float | None
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
        msg = f"{path} is shorter than an epoch ({EPOCH_DURATION:g} s) and is left out."
        return leave_out(msg, EDFWarning)
    try:
        hypnogram = read_hypnogram(
            files.annotation,
            n_epochs=n_epochs,
            recording_start=header.start,
            resample_epochs=resample_epochs,
        )
    except (HypnogramError, EDFError, OSError) as error:
        return leave_out(f"{error} {path} is left out.", HypnogramWarning)
    if wake_minutes is not None:
        hypnogram = _trim_wake(hypnogram, wake_minutes)
    n_scored = int((hypnogram != Stage.UNSCORED).sum())
    if not n_scored:
        msg = f"{files.annotation} scores none of the epochs of {path}, which is left out."
        return leave_out(msg, HypnogramWarning)
    dataset = dataset or dataset_from_path(path)
    row = {
        "path": path,
        "annotation": str(files.annotation),
        "dataset": dataset,
        "subject": files.subject,
        "visit": files.visit,
        "start": header.start,
        "duration": header.duration,
        "n_epochs": n_epochs,
        "scored_epochs": n_scored,
        "patient": header.patient,
        "signals": _signals_there(header, dataset),
    }
    return _Loaded(row, hypnogram)


def _signals_there(header: EDFHeader, dataset: str) -> tuple[str, ...]:
    chosen = COHORT_CHANNELS.get(dataset, {})
    return tuple(
        name
        for name, definition in SIGNALS.items()
        if find_channels(header, definition, chosen.get(name)) is not None
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
