"""Nights and their hypnograms as (X, y, groups), whichever cohort they belong to."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch

from sklearn_sleep.core.asked_signals import check_asked_signals
from sklearn_sleep.core.captured_warnings import capture_warnings, reissue_warnings
from sklearn_sleep.core.channels import Derivation, find_likely, find_signals, tell_likely
from sklearn_sleep.core.epochs import make_epoch_table
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS, SignalDefinition, count_epochs
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import (
    EDFError,
    EDFRepairWarning,
    EDFWarning,
    HypnogramError,
    HypnogramWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.edf.source import channels_of
from sklearn_sleep.io.hypnograms.reading import read_hypnogram
from sklearn_sleep.io.hypnograms.stage_annotations import ResampleEpochs

StageArray = npt.NDArray[np.int64]
MISSING = "-"


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


class _Choice(NamedTuple):
    """Signals to look for, under which labels and in which units, and whether the user did ask."""

    definitions: Sequence[SignalDefinition]
    channels: Mapping[str, Any]
    units: Mapping[str, str]
    are_asked_for: bool


@dataclass
class _Loaded:
    """What was read of a night; without stages it is left out."""

    row: dict[str, Any]
    stages: StageArray | None = None
    channels: Mapping[str, str] = field(default_factory=dict)  # the label of each signal
    likely: Mapping[str, Sequence[str]] = field(default_factory=dict)  # labels of missing signals
    problems: list[Problem] = field(default_factory=list)


def load_nights(
    nights: Sequence[NightFiles],
    *,
    with_dataset: bool = False,
    resample_epochs: ResampleEpochs = "warn",
    wake_minutes: float | None = None,
    hypnogram_options: Mapping[str, Any] | None = None,
    signals: Sequence[str | SignalDefinition] | None = None,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Any:
    """Return the Bunch of `Cohort.load`, without what is known of the people, of these nights.

    Only headers and annotations are read, these with `hypnogram_options`. A night that cannot be
    read is warned of and left out.
    """
    options = {"resample_epochs": resample_epochs, **(hypnogram_options or {})}
    definitions = check_asked_signals(
        list(SIGNALS) if signals is None else signals, channels, units
    )
    choice = _Choice(definitions, channels or {}, units or {}, signals is not None)
    loaded: list[_Loaded] = []
    for night in run_parallel(
        _load_night,
        [(files, options, wake_minutes, choice) for files in nights],
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
    names = [definition.name for definition in definitions]
    labels = [
        [night.channels.get(name, MISSING) for name in names]
        for night in loaded
        if night.stages is not None
    ]
    taken = pd.DataFrame(labels, columns=names, index=recordings["path"])
    if signals is not None and (told := tell_missing(taken)):
        likely: dict[str, dict[str, None]] = {}
        for night in loaded:
            for name, found in night.likely.items():
                likely.setdefault(name, {}).update(dict.fromkeys(found))
        if likely:
            told += " " + tell_likely({name: list(found) for name, found in likely.items()})
        warnings.warn(told, MissingSignalWarning, stacklevel=4)
    stages = [night.stages for night in loaded if night.stages is not None]
    scored = [np.flatnonzero(hypnogram != Stage.UNSCORED) for hypnogram in stages]
    X = make_epoch_table(list(recordings["path"]), scored)
    codes = X["recording"].cat.codes.to_numpy()
    for column in ("subject", "dataset") if with_dataset else ("subject",):
        values = pd.Categorical(recordings[column])
        X[column] = pd.Categorical.from_codes(values.codes[codes], dtype=values.dtype)
    counts = recordings["scored_epochs"].to_numpy(dtype=np.int64)
    X["scored_epochs"] = counts.astype(np.min_scalar_type(-int(counts.max(initial=1)) - 1))[codes]
    scores = [hypnogram[rows] for hypnogram, rows in zip(stages, scored, strict=True)]
    return Bunch(
        X=X,
        y=np.concatenate([np.empty(0, np.int64), *scores]),
        groups=X["subject"],
        recordings=recordings,
        channels=taken,
        problems=as_table([problem for night in loaded for problem in night.problems]),
    )


def _load_night(
    files: NightFiles, options: Mapping[str, Any], wake_minutes: float | None, choice: _Choice
) -> _Loaded:
    """Load a night, and hand on what is warned of as data: this may be another process."""
    loaded, heard = capture_warnings(_read_night, files, options, wake_minutes, choice)
    path = str(files.recording)
    loaded.problems[:0] = [Problem(path, text, category) for category, text in heard]
    return loaded


def _read_night(
    files: NightFiles, options: Mapping[str, Any], wake_minutes: float | None, choice: _Choice
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
    taken = _channels_taken(header, files, choice)
    channels = {derivation.definition.name: derivation.label for derivation in taken}
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
        "signals": tuple(name for name in channels if name in SIGNALS),
    }
    likely = (
        find_likely(channels_of(header), choice.definitions, taken) if choice.are_asked_for else {}
    )
    return _Loaded(row, hypnogram, channels, likely)


def _channels_taken(
    header: EDFHeader, files: NightFiles, choice: _Choice
) -> tuple[Derivation, ...]:
    """Return what `EDFReader` takes each signal from; those that are missing are not there."""
    own = choice.channels
    labels = {**files.channels, **own, **(own.get(files.dataset) or {})}
    found, heard = capture_warnings(
        find_signals, channels_of(header), choice.definitions, channels=labels, units=choice.units
    )
    # A unit that was assumed is told of where it is read.
    reissue_warnings([one for one in heard if not issubclass(one[0], EDFRepairWarning)])
    return found


def tell_missing(channels: pd.DataFrame) -> str:
    """Return which signals are missing in which nights, in few words; nothing if none is."""
    told = []
    for name, labels in channels.items():
        nights = labels.index[labels == MISSING]
        if len(nights):
            stems = list_names([Path(path).name for path in nights])
            told.append(f"{name} is missing in {len(nights)} of {len(labels)} nights: {stems}.")
    return " ".join(told)


def tell_channels(channels: pd.DataFrame) -> str:
    """Return which labels signals were taken from in how many nights, a line for each signal."""
    lines = ["Signals: the channels that they are taken from, and in how many nights"]
    for name, labels in channels.items():
        counts = [f"{label} ({count})" for label, count in labels.value_counts().items()]
        lines.append(f"  {name}: {list_names(counts, 6)}")
    return "\n".join(filter(None, [*lines, tell_missing(channels)]))


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
