"""Stages with an onset and a duration, and the 30-second epochs that they cover."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.core.signals import EPOCH_DURATION, LONGEST_RECORDING
from sklearn_sleep.core.stage_vocabulary import parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning

# Times are written as rounded decimals; one sample at 100 Hz, the lowest EEG rate of the databases.
TIME_TOLERANCE: Final = 0.01

# Scoring software starts pages by its own clock, a few hundredths of a second off; half a second
# off, no epoch has another stage for most of its time.
JITTER: Final = 0.5

# Clocks of whole seconds may tell a page one second too early, and its duration right.
_OVERLAP: Final = 1.0 + TIME_TOLERANCE

# Scoring starts at lights off or with the technician's clock; farther apart is another recording.
_LARGEST_SHIFT: Final = 6 * 3600.0
_HALF_DAY: Final = 12 * 3600.0

# So mne writes what counts from the recording's start; s at the begin of the day.
_NO_DATES: Final[dict[str | None, float]] = {"1970-01-01": 0.0, "1969-12-31": -2 * _HALF_DAY}

ResampleEpochs = Literal["warn", "majority", "error"]

CLOCK: Final = re.compile(
    r"(?:(?P<date>\d{1,4}[-./]\d{1,2}[-./]\d{1,4})[ T]+)?(?=\d+:|\d+\.\d\d\.\d\d)"
    r"(?P<hour>\d{1,2})(?P<mark>[:.])(?P<minute>\d\d)(?:(?P=mark)(?P<second>\d\d(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
)
"""A time of day as files write it, with or without its date, which may be a changed one."""

_EPOCH_NUMBER: Final = re.compile(r"(\d{1,9})(\.0*)?")


@dataclass(frozen=True)
class StageAnnotations:
    """Stages of a night, each with its onset and duration, in any order.

    Attributes
    ----------
    onset : ndarray of float64, shape (n_annotations,)
        Seconds from the start of the recording.
    duration : ndarray of float64, shape (n_annotations,)
        Seconds, NaN where the file does not tell it: see `until_next_entry`.
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
        """Return the same values as arrays; one `duration` in s may hold for all."""
        onsets = np.asarray(onset, dtype=np.float64)
        durations = np.broadcast_to(np.asarray(duration, dtype=np.float64), onsets.shape)
        return cls(onsets, durations, np.asarray(stage, dtype=np.int64))

    @classmethod
    def from_epochs(
        cls, stage: Sequence[int], epoch_duration: float, numbers: ArrayLike | None = None
    ) -> StageAnnotations:
        """Place one stage an epoch; 0-based `numbers` of the epochs, or else they follow."""
        epochs = np.arange(len(stage)) if numbers is None else np.asarray(numbers)
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # times are checked when the epochs are counted
            return cls.from_lists(epochs * epoch_duration, epoch_duration, stage)

    def chosen(self, which: NDArray[np.bool_]) -> StageAnnotations:
        """Return those that a mask, (n_annotations,), chooses."""
        return StageAnnotations(self.onset[which], self.duration[which], self.stage[which])

    def later(self, seconds: float, path: Path) -> StageAnnotations:
        """Return the same stages so much later; what is before the recording then is cut off."""
        onset = self.onset + seconds
        # Half a second moves no epoch's stage, and is the fraction of a second in the start.
        onset = np.where(np.abs(onset) <= JITTER, np.maximum(onset, 0.0), onset)
        before = onset < 0
        if not before.any():
            return StageAnnotations(onset, self.duration, self.stage)
        duration = np.where(before, self.duration + onset, self.duration)
        kept = ~(before & (duration <= JITTER))
        if not kept.any():
            raise HypnogramError(
                f"{path}: all stages lie before the start of the recording. Give the scoring of "
                "this recording."
            )
        scored = before & (self.stage != Stage.UNSCORED)
        if scored.any():
            warnings.warn(
                f"{path}: {int(scored.sum())} stage(s) start before the recording, the first "
                f"{-onset[scored].min():g} s; what lies before its start is left out.",
                HypnogramWarning,
                stacklevel=5,
            )
        return StageAnnotations(np.maximum(onset, 0.0)[kept], duration[kept], self.stage[kept])

    def until_next_entry(self, end: float | None, path: Path) -> StageAnnotations:
        """Return the stages, each without a duration lasting until the next entry of any kind.

        The last one lasts until `end` in s; where that is not known, or each is an epoch after the
        one before, it lasts an epoch.
        """
        unknown = np.isnan(self.duration)
        if not unknown.any():
            return self
        edges = np.unique(self.onset)
        following = np.append(edges[1:], np.nan)[np.searchsorted(edges, self.onset)]
        is_last = np.isnan(following)
        steps = np.diff(edges)
        by_epochs = steps.size > 0 and np.abs(steps - EPOCH_DURATION).max() <= JITTER
        # One at the end of the recording is no epoch of it.
        if end is None or by_epochs or end <= edges[-1] + TIME_TOLERANCE:
            following[is_last] = edges[-1] + EPOCH_DURATION
        else:
            following[is_last] = end
        if end is None and not by_epochs and (unknown & is_last).any():
            warnings.warn(
                f"{path}: nothing tells when the last stage, from {edges[-1]:g} s on, ends. It was "
                f"taken to last {EPOCH_DURATION:g} s; pass n_epochs, the length of the recording.",
                HypnogramWarning,
                stacklevel=5,
            )
        duration = np.where(unknown, following - self.onset, self.duration)
        return StageAnnotations(self.onset, duration, self.stage)


def parse_stage_at(
    text: str, path: Path, place: str, parse: Callable[[str], Stage] = parse_stage
) -> Stage:
    """Return the stage that a text names, or raise with the file and the place in it."""
    try:
        return parse(text)
    except HypnogramError as error:
        raise HypnogramError(f"{path}: {place}: {error}") from None


def parse_seconds(text: str, where: str) -> float:
    """Return seconds as a file writes them; `where` (file, place, what) begins the error."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise HypnogramError(
            f"{where} is {shorten(text)}, which is no number of seconds."
        ) from None


def parse_epoch_numbers(texts: Sequence[str], places: Sequence[str], path: Path) -> list[int]:
    """Return the 0-based numbers of epochs, from numbers as the file writes them.

    With a 0 among them numbers count from 0; from 1 on without a gap they count from 1.
    """
    values = []
    for text, place in zip(texts, places, strict=True):
        match = _EPOCH_NUMBER.fullmatch(text.strip())
        if match is None:
            raise HypnogramError(
                f"{path}: {place}: epoch is {shorten(text)}, which is no epoch number."
            )
        values.append(int(match[1]))
    first = min(values)
    if first > 1 or (first == 1 and len(set(values)) < max(values)):
        raise HypnogramError(
            f"{path}: epochs are numbered from {first} to {max(values)}, some of them missing, so "
            "that it cannot be told whether the recording's first epoch is 0 or 1. Give times "
            "instead, in columns 'onset' and 'duration' (s)."
        )
    return [value - first for value in values]


def are_seconds(numbers: ArrayLike) -> bool:
    """Return whether what may be epoch numbers rises by more than one each time, as times do."""
    steps = np.diff(np.unique(np.asarray(numbers)))
    return steps.size > 1 and bool(steps.min() > 1)


def stage_per_epoch(
    annotations: StageAnnotations, path: Path, *, resample_epochs: ResampleEpochs
) -> NDArray[np.int64]:
    """Return the stage of each 30-second epoch, (n_epochs,), from the recording's start.

    What a gap, an overlap or a page of 20 s means is decided here, for all formats.
    """
    annotations = _without_marks(annotations)
    _check_times(annotations, path)
    annotations = _beside_stages(annotations.later(0.0, path))
    start, end, stage = _runs(annotations, path)
    _handle_off_grid(annotations, start, end, path, resample_epochs)
    hypnogram = _majority(start, end, stage)
    _warn_of_gaps(start, end, path)
    return hypnogram


def _without_marks(annotations: StageAnnotations) -> StageAnnotations:
    """Leave out unscored entries of no duration, such as lights on, which cover nothing."""
    covers = (annotations.stage != Stage.UNSCORED) | (annotations.duration != 0)
    return annotations.chosen(covers) if covers.any() else annotations


def _check_times(annotations: StageAnnotations, path: Path) -> None:
    onset, duration = annotations.onset, annotations.duration
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~((onset >= -_LARGEST_SHIFT) & (duration > TIME_TOLERANCE))
        wrong |= ~(onset + duration <= LONGEST_RECORDING)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise HypnogramError(
            f"{path}: stage {first + 1} of {onset.size} starts {onset[first]:g} s after the "
            f"recording and lasts {duration[first]:g} s. A stage must start at most "
            f"{_LARGEST_SHIFT / 3600:g} h before it, last more than 0 s and end within "
            f"{LONGEST_RECORDING:g} s. Correct or remove it."
        )


def _beside_stages(annotations: StageAnnotations) -> StageAnnotations:
    """Cut unscored stretches, such as a movement, down to what no stage covers."""
    unscored = annotations.stage == Stage.UNSCORED
    if not unscored.any() or unscored.all():
        return annotations
    onset, end = annotations.onset, annotations.onset + annotations.duration
    order = np.argsort(onset[~unscored], kind="stable")
    starts, ends = onset[~unscored][order], np.maximum.accumulate(end[~unscored][order])
    pieces = []
    for first, last in zip(onset[unscored].tolist(), end[unscored].tolist(), strict=True):
        left = int(np.searchsorted(ends, first, side="right"))
        right = int(np.searchsorted(starts, last, side="left"))
        edges = [first, *np.stack([starts, ends], axis=1)[left:right].ravel().tolist(), last]
        pieces += [pair for pair in zip(edges[::2], edges[1::2], strict=True) if pair[0] < pair[1]]
    columns = np.array(pieces, dtype=np.float64).reshape(-1, 2).T
    return StageAnnotations(
        np.append(onset[~unscored], columns[0]),
        np.append(annotations.duration[~unscored], columns[1] - columns[0]),
        np.append(annotations.stage[~unscored], np.full(len(pieces), Stage.UNSCORED)),
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
        if stage == last_stage and start <= last_end + JITTER:
            runs[-1] = (last_start, max(end, last_end), stage)
        elif start < last_end - _OVERLAP:
            raise HypnogramError(
                f"{path}: stages overlap: {Stage(last_stage).name} lasts until {last_end:g} s, but "
                f"{Stage(stage).name} starts at {start:g} s. Remove one of the two."
            )
        elif start <= last_end + JITTER:
            runs.append((last_end, max(end, last_end), stage))
        else:
            runs.append((start, end, stage))
    columns = tuple(zip(*runs, strict=True))
    return np.array(columns[0]), np.array(columns[1]), np.array(columns[2], dtype=np.int64)


def _snapped(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put times that miss an epoch's edge only by rounding or jitter on that edge."""
    edge = np.round(time / EPOCH_DURATION) * EPOCH_DURATION
    return np.where(np.abs(time - edge) <= JITTER, edge, time)


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
    """Return how many s later one time of day is than another, on a clock of 24 or 12 hours."""
    turn = timedelta(hours=hours)
    return ((first - second + turn / 2) % turn - turn / 2).total_seconds()


def place_clocks(
    texts: Sequence[str],
    kind: str,
    places: Sequence[str],
    path: Path,
    recording_start: datetime | None,
) -> NDArray[np.float64]:
    """Return s from the recording's start, of times of day (`kind`) in turn, over midnight."""
    dates: list[str | None] = []
    seconds: list[float] = []
    for text, place in zip(texts, places, strict=True):
        date, second = _date_and_seconds(text, f"{path}: {place}: {kind}")
        # Dates are changed to protect people; but one follows the other at midnight alone.
        if seconds and date != dates[-1] and abs(second - seconds[-1]) < _HALF_DAY:
            raise HypnogramError(
                f"{path}: {place}: {kind} is {shorten(text)}, more than half a day after the row "
                "before it. Give the scoring of one night, in order of time."
            )
        dates.append(date)
        seconds.append(second)
    if dates[0] in _NO_DATES and (recording_start is None or recording_start.year != 1970):
        first = seconds[0] + _NO_DATES[dates[0]]
    elif recording_start is None:
        raise HypnogramError(
            f"{path}: {places[0]}: {kind} is {shorten(texts[0])}, a time of day. Pass "
            "recording_start, when the recording starts, so that it can be placed."
        )
    else:
        midnight = datetime.combine(recording_start.date(), datetime.min.time())
        first = time_of_day_difference(midnight + timedelta(seconds=seconds[0]), recording_start)
    # A step back of more than half a day is midnight.
    steps = (np.diff(seconds) + _HALF_DAY) % (2 * _HALF_DAY) - _HALF_DAY
    return first + np.append(0.0, np.cumsum(steps))


def _date_and_seconds(text: str, where: str) -> tuple[str | None, float]:
    """Return the date as it is written, and s since midnight."""
    match = CLOCK.fullmatch(text)
    if match is None:
        raise HypnogramError(f"{where} is {shorten(text)}, where other rows have times of day.")
    hour, minute = int(match["hour"]), int(match["minute"])
    second = float((match["second"] or "0").replace(",", "."))
    if hour > (12 if match["half"] else 24) or minute > 59 or second >= 61:
        raise HypnogramError(f"{where} is {shorten(text)}, which is no time of day. Correct it.")
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    return match["date"], hour * 3600 + minute * 60 + second


def check_order(onset: NDArray[np.float64], places: Sequence[str], path: Path) -> None:
    """Raise unless stages placed by clocks are in turn, and begin within hours of the recording."""
    if abs(onset[0]) > _LARGEST_SHIFT:
        raise HypnogramError(
            f"{path}: {places[0]}: the scoring starts {onset[0] / 3600:.1f} h after the recording, "
            "by their times of day. Give the scoring of this recording."
        )
    back = np.flatnonzero(np.diff(onset) < -JITTER)
    if back.size:
        raise HypnogramError(
            f"{path}: {places[back[0] + 1]}: this stage starts earlier than the one before it, or "
            "half a day later. Put the rows in order of time, on a clock of 24 hours."
        )


def clock_shift(start: datetime, recording_start: datetime, path: Path) -> float:
    """Return how many s after the recording the scoring starts, by their times of day.

    Dates are changed to protect people, so that they are not looked at; a fraction of a second
    that one of the two lacks is no difference.
    """
    seconds = time_of_day_difference(start, recording_start)
    if abs(seconds) <= 1.0:
        return 0.0
    if abs(seconds) > _LARGEST_SHIFT:
        raise HypnogramError(
            f"{path}: the scoring starts at {start:%H:%M:%S} and the recording at "
            f"{recording_start:%H:%M:%S}, {abs(seconds) / 3600:.1f} h apart. Give the scoring of "
            "this recording, or leave out recording_start if the two start together."
        )
    warnings.warn(
        f"{path}: the scoring starts at {start:%H:%M:%S} and the recording at "
        f"{recording_start:%H:%M:%S}; its times were moved by {seconds:g} s, so that clocks agree.",
        HypnogramWarning,
        stacklevel=5,
    )
    return seconds


def check_start(clock: timedelta, recording_start: datetime, path: Path, hours: float) -> None:
    """Raise if scoring starts, so long after midnight, more than 1 s off the EDF file's start."""
    start = datetime.combine(recording_start.date(), datetime.min.time()) + clock
    # EDF headers tell whole seconds.
    if abs(time_of_day_difference(start, recording_start, hours=hours)) > 1.0:
        raise HypnogramError(
            f"{path}: the recording starts at {start:%H:%M:%S} here and at "
            f"{recording_start:%H:%M:%S} in the EDF file, so that stages do not tell the place in "
            "it. Leave the night out."
        )
