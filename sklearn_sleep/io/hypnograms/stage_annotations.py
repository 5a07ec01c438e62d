"""Stages with an onset and a duration, and the 30-second epochs that they cover.

Every annotation format is read into `StageAnnotations`; what a gap, an overlap or a page of 20
seconds means is decided here alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sleep.core.stages import Stage, parse_stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning

__all__ = [
    "EPOCH_DURATION",
    "ResampleEpochs",
    "StageAnnotations",
    "durations_to_next",
    "parse_stage_at",
    "stage_per_epoch",
    "time_of_day_difference",
]

EPOCH_DURATION: Final = 30.0
"""Seconds of an epoch of the returned hypnogram (AASM manual, version 2)."""

# Times are written as rounded decimals; one sample at 100 Hz, the lowest EEG rate of the databases.
TIME_TOLERANCE: Final = 0.01

# Nobody scores a longer recording, and a wrong digit in a duration must not fill the memory.
LONGEST_RECORDING: Final = 14 * 24 * 3600.0

ResampleEpochs = Literal["warn", "majority", "error"]


@dataclass(frozen=True)
class StageAnnotations:
    """Stages of a night, each with its onset and duration, in any order.

    Attributes
    ----------
    onset : ndarray of float64, shape (n_annotations,)
        Seconds from the start of the recording.
    duration : ndarray of float64, shape (n_annotations,)
        Seconds.
    stage : ndarray of int64, shape (n_annotations,)
        `Stage` codes.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    stage: NDArray[np.int64]

    @classmethod
    def from_lists(
        cls, onset: ArrayLike, duration: ArrayLike, stage: Sequence[int]
    ) -> StageAnnotations:
        """Build from sequences; a single `duration` holds for all.

        Parameters
        ----------
        onset : array-like of float, shape (n_annotations,)
            Seconds from the start of the recording.
        duration : float or array-like of float, shape (n_annotations,)
            Seconds.
        stage : sequence of int, shape (n_annotations,)
            `Stage` codes.

        Returns
        -------
        StageAnnotations
            The same values as arrays.

        Examples
        --------
        >>> StageAnnotations.from_lists([0, 30], 30, [0, 1]).duration
        array([30., 30.])
        """
        onsets = np.asarray(onset, dtype=np.float64)
        durations = np.broadcast_to(np.asarray(duration, dtype=np.float64), onsets.shape)
        return cls(onsets, durations, np.asarray(stage, dtype=np.int64))

    @classmethod
    def from_epochs(
        cls, stage: Sequence[int], epoch_duration: float, numbers: ArrayLike | None = None
    ) -> StageAnnotations:
        """Build from one stage an epoch.

        Parameters
        ----------
        stage : sequence of int, shape (n_annotations,)
            `Stage` codes.
        epoch_duration : float
            Seconds of an epoch.
        numbers : array-like of int, shape (n_annotations,), default=None
            0-based number of the epoch of each stage; by default they follow one another.

        Returns
        -------
        StageAnnotations
            Each stage with the onset of its epoch.

        Examples
        --------
        >>> StageAnnotations.from_epochs([0, 1], 20.0).onset
        array([ 0., 20.])
        """
        epochs = np.arange(len(stage)) if numbers is None else np.asarray(numbers)
        return cls.from_lists(epochs * epoch_duration, epoch_duration, stage)


def parse_stage_at(
    text: str, path: Path, place: str, parse: Callable[[str], Stage] = parse_stage
) -> Stage:
    """`parse_stage`, with the file and the place in it named in the error.

    Parameters
    ----------
    text : str
        What the file says.
    path : Path
        The file.
    place : str
        Where in the file, as a person would look for it.
    parse : callable, default=parse_stage
        What makes a stage of the text.

    Returns
    -------
    Stage
        The stage.

    Raises
    ------
    HypnogramError
        The text names no stage.

    Examples
    --------
    >>> parse_stage_at("N2", Path("night.csv"), "line 3")
    <Stage.N2: 2>
    """
    try:
        return parse(text)
    except HypnogramError as error:
        raise HypnogramError(f"{path}: {place}: {error}") from None


def durations_to_next(onset: NDArray[np.float64], end: float) -> NDArray[np.float64]:
    """Seconds from each onset to the next, and from the last one to `end`.

    Parameters
    ----------
    onset : ndarray of float64, shape (n_annotations,)
        Seconds, rising.
    end : float
        Seconds at which the last stage ends.

    Returns
    -------
    ndarray of float64, shape (n_annotations,)
        Durations.

    Examples
    --------
    >>> durations_to_next(np.array([0.0, 90.0]), 120.0)
    array([90., 30.])
    """
    return np.diff(onset, append=end)


def stage_per_epoch(
    annotations: StageAnnotations, path: Path, *, resample_epochs: ResampleEpochs
) -> NDArray[np.int64]:
    """Stage of each 30-second epoch from the recording's start to the last annotation.

    Parameters
    ----------
    annotations : StageAnnotations
        At least one.
    path : Path
        The file, for messages.
    resample_epochs : {"warn", "majority", "error"}
        What to do where stages change off the 30-second grid, see `read_hypnogram`.

    Returns
    -------
    ndarray of int64, shape (n_epochs,)
        `Stage` codes; -1 where nothing is annotated.

    Raises
    ------
    HypnogramError
        A time is impossible, two different stages overlap, or stages are off the grid and
        `resample_epochs` is ``"error"``.

    Warns
    -----
    HypnogramWarning
        There are gaps between stages, or stages are off the grid and `resample_epochs` is
        ``"warn"``.

    Examples
    --------
    >>> annotations = StageAnnotations.from_lists([30.0, 90.0], [60.0, 30.0], [0, 2])
    >>> stage_per_epoch(annotations, Path("night.xml"), resample_epochs="error")
    array([-1,  0,  0,  2])
    """
    _check_times(annotations, path)
    start, end, stage = _runs(annotations, path)
    _handle_off_grid(annotations, start, end, path, resample_epochs)
    hypnogram = _majority(start, end, stage)
    _warn_of_gaps(start, end, path)
    return hypnogram


def _check_times(annotations: StageAnnotations, path: Path) -> None:
    onset, duration = annotations.onset, annotations.duration
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~((onset >= -TIME_TOLERANCE) & (duration > 0))
        wrong |= ~(onset + duration <= LONGEST_RECORDING)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise HypnogramError(
            f"{path}: stage {first + 1} of {onset.size} starts {onset[first]:g} s after the "
            f"recording and lasts {duration[first]:g} s. A stage must start at 0 s or later, last "
            f"more than 0 s and end within {LONGEST_RECORDING:g} s. Correct or remove it."
        )


def _runs(
    annotations: StageAnnotations, path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Start, end and stage of the stretches of one stage, in order."""
    order = np.argsort(annotations.onset, kind="stable")
    starts = _snapped(annotations.onset[order])
    ends = _snapped((annotations.onset + annotations.duration)[order])
    runs: list[tuple[float, float, int]] = []
    for start, end, stage in zip(
        starts.tolist(), ends.tolist(), annotations.stage[order].tolist(), strict=True
    ):
        if not runs:
            runs.append((start, end, stage))
            continue
        last_start, last_end, last_stage = runs[-1]
        if stage == last_stage and start <= last_end + TIME_TOLERANCE:
            runs[-1] = (last_start, max(end, last_end), stage)
        elif start < last_end - TIME_TOLERANCE:
            raise HypnogramError(
                f"{path}: stages overlap: {Stage(last_stage).name} lasts until {last_end:g} s, but "
                f"{Stage(stage).name} starts at {start:g} s. Remove one of the two."
            )
        elif start <= last_end + TIME_TOLERANCE:
            runs.append((last_end, max(end, last_end), stage))
        else:
            runs.append((start, end, stage))
    columns = tuple(zip(*runs, strict=True))
    return np.array(columns[0]), np.array(columns[1]), np.array(columns[2], dtype=np.int64)


def _snapped(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put times that miss an epoch's edge only by rounding on that edge."""
    edge = np.round(time / EPOCH_DURATION) * EPOCH_DURATION
    return np.where(np.abs(time - edge) <= TIME_TOLERANCE, edge, time)


def _handle_off_grid(
    annotations: StageAnnotations,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    path: Path,
    resample_epochs: ResampleEpochs,
) -> None:
    edges = np.union1d(start, end)
    off_grid = edges[edges % EPOCH_DURATION != 0]
    if resample_epochs == "majority" or not off_grid.size:
        return
    what = (
        f"{path}: {off_grid.size} of {edges.size} changes of stage are off the grid of 30-second "
        f"epochs, the first at {off_grid[0]:g} s (the shortest stage lasts "
        f"{annotations.duration.min():g} s)."
    )
    if resample_epochs == "error":
        raise HypnogramError(
            f"{what} resample_epochs='majority' would give each epoch the stage that covers most "
            "of it."
        )
    warnings.warn(
        f"{what} Each epoch was given the stage that covers most of it, the earlier one on a tie. "
        "Pass resample_epochs='majority' if this is meant, 'error' to refuse such files.",
        HypnogramWarning,
        stacklevel=4,
    )


def _majority(
    start: NDArray[np.float64], end: NDArray[np.float64], stage: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Stage that covers most of each epoch, the earlier one on a tie."""
    n_epochs = int(np.ceil(end[-1] / EPOCH_DURATION))
    grid = np.arange(n_epochs + 1) * EPOCH_DURATION
    cuts = np.union1d(np.union1d(start, end), grid)
    middle = (cuts[1:] + cuts[:-1]) / 2
    run = np.searchsorted(start, middle, side="right") - 1
    scored = (run >= 0) & (middle < end[run])
    # Column 0 is UNSCORED, so that time without a stage competes like any stage.
    column = np.where(scored, stage[run], Stage.UNSCORED) + 1
    epoch = (middle // EPOCH_DURATION).astype(np.int64)
    covered = np.zeros((n_epochs, len(Stage)))
    np.add.at(covered, (epoch, column), np.diff(cuts))
    first_seen = np.full((n_epochs, len(Stage)), np.inf)
    np.minimum.at(first_seen, (epoch, column), middle)
    most = covered >= covered.max(axis=1, keepdims=True) - TIME_TOLERANCE
    return np.where(most, first_seen, np.inf).argmin(axis=1).astype(np.int64) - 1


def _warn_of_gaps(start: NDArray[np.float64], end: NDArray[np.float64], path: Path) -> None:
    # A run that starts within the tolerance of the last end was joined to it.
    is_gap = start[1:] > end[:-1]
    if not is_gap.any():
        return
    gap_start, gap_end = end[:-1][is_gap], start[1:][is_gap]
    warnings.warn(
        f"{path}: {gap_start.size} gap(s) between stages, {(gap_end - gap_start).sum():g} s in "
        f"all, the first from {gap_start[0]:g} to {gap_end[0]:g} s. Epochs that lie mostly in a "
        "gap are unscored (-1).",
        HypnogramWarning,
        stacklevel=4,
    )


def time_of_day_difference(first: datetime, second: datetime, *, hours: float = 24.0) -> float:
    """Return how much later one time of day is than another, whatever their dates.

    Parameters
    ----------
    first, second : datetime
        The times.
    hours : float, default=24.0
        Hours of the clock: 12 if afternoon is not told from morning.

    Returns
    -------
    float
        Seconds, from minus to plus half a turn of the clock.

    Examples
    --------
    >>> evening, morning = datetime(2000, 1, 1, 23, 59), datetime(1985, 1, 1, 0, 1)
    >>> time_of_day_difference(evening, morning)
    -120.0
    """
    midnight = datetime.min.time()
    seconds = [
        (time - datetime.combine(time.date(), midnight)).total_seconds() for time in (first, second)
    ]
    turn = hours * 3600.0
    return (seconds[0] - seconds[1] + turn / 2) % turn - turn / 2
