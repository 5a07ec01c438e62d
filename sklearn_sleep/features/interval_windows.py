"""Intervals between beats or breaths, at 4 Hz and in the windows that summarise them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import BoolArray, FloatArray, IntArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.base import Feature, FeatureSource, compute_columns

# Hz at which intervals are resampled (Task Force 1996, Circulation 93:1043-1065).
RESAMPLED_FREQUENCY = 4


def check_windows(windows: Any) -> None:
    """Raise ValueError if a feature step's parameter ``windows`` is not one."""
    for window in windows:
        if not _is_window(window):
            raise ValueError(
                f"windows={windows!r} must be a list of pairs of whole seconds, those before and "
                "those after the beginning of the epoch, such as [(240, 60)]."
            )


def _is_window(window: Any) -> bool:
    try:
        back, ahead = window
    except (TypeError, ValueError):
        return False
    whole = all(isinstance(seconds, int | np.integer) for seconds in (back, ahead))
    return whole and back >= 0 and ahead >= 0 and back + ahead > 0


def name_windows(names: Iterable[str], windows: Sequence[tuple[int, int]]) -> list[str]:
    """Return the names of features in each window; of one window alone they stay as they are."""
    if len(windows) == 1:
        return list(names)
    return [f"{name}_{back}_{ahead}" for back, ahead in windows for name in names]


def resample_intervals(
    beats: FloatArray, intervals: FloatArray, *, first: int, last: int
) -> tuple[FloatArray, BoolArray]:
    """Return R-R intervals in s from `first` to `last` s at 4 Hz, and where they were measured.

    Linear between beats, at times in s, (n_beats,), over intervals that are NaN, (n_beats - 1,),
    too; zero if none was measured.
    """
    times = np.arange(first * RESAMPLED_FREQUENCY, last * RESAMPLED_FREQUENCY) / RESAMPLED_FREQUENCY
    known = np.isfinite(intervals)
    if not known.any():
        return np.zeros(len(times)), np.zeros(len(times), dtype=bool)
    resampled = np.interp(times, beats[1:][known], intervals[known])
    # The interval that a time falls in is the one that ends with the next beat.
    following = np.searchsorted(beats, times)
    inside = (following > 0) & (following < len(beats))
    measured = np.zeros(len(times), dtype=bool)
    measured[inside] = known[following[inside] - 1]
    return resampled, measured


def largest_in(values: FloatArray, bounds: IntArray) -> FloatArray:
    """Return the largest value in each of some ranges, (n_ranges, 2); minus infinity of none."""
    if not len(bounds):
        return np.empty(0)
    # A last value that no range holds, where ranges may begin.
    largest = np.maximum.reduceat(np.append(values, -np.inf), bounds.ravel())[::2]
    return np.where(bounds[:, 0] < bounds[:, 1], largest, -np.inf)


@dataclass(frozen=True)
class IntervalWindows(FeatureSource):
    """A window around each of some epochs over R-R intervals or breaths: those that end in it.

    Window `i` holds ``intervals[starts[i] : stops[i]]``. `times`, (n + 1,), are in s and rising;
    `durations`, (n,), lie between them, NaN where they were not measured; `epoch`, (n_windows,), is
    0-based; `window` has the seconds before and after the epoch's beginning.
    """

    times: FloatArray
    durations: FloatArray
    epoch: IntArray
    window: tuple[int, int]

    @cached_property
    def measured(self) -> BoolArray:
        """Which durations were measured, (n_beats - 1,)."""
        return np.isfinite(self.durations)

    @cached_property
    def intervals(self) -> FloatArray:
        """Intervals in s, (n_intervals,); those alone that were measured."""
        return self.durations[self.measured]

    @cached_property
    def follows(self) -> BoolArray:
        """Whether an interval begins where the one before it ends, (n_intervals,)."""
        follows = np.zeros(len(self.durations), dtype=bool)
        follows[1:] = self.measured[1:] & self.measured[:-1]
        return follows[self.measured]

    @cached_property
    def starts(self) -> IntArray:
        """The first interval of each window, (n_windows,)."""
        return self._first_after(-self.window[0])

    @cached_property
    def stops(self) -> IntArray:
        """The interval behind the last of each window, (n_windows,)."""
        return self._first_after(self.window[1])

    def _first_after(self, seconds: int) -> IntArray:
        begin = EPOCH_DURATION * self.epoch.astype(np.float64)
        return np.searchsorted(self.times[1:][self.measured], begin + seconds)

    @property
    def count(self) -> IntArray:
        """Intervals in each window, (n_windows,)."""
        return self.stops - self.starts

    @cached_property
    def count_of_pairs(self) -> FloatArray:
        """Intervals in each window that follow on another one in it, (n_windows,)."""
        return self.total_of_pairs(np.ones(len(self.intervals)))

    def total(self, values: npt.ArrayLike) -> FloatArray:
        """Return the sum of values, one an interval, over each window."""
        running = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return running[self.stops] - running[self.starts]

    def total_of_pairs(self, values: npt.ArrayLike) -> FloatArray:
        """Return the sum of values, one an interval and its predecessor, both in the window."""
        counted = np.where(self.follows, values, 0.0)
        running = np.concatenate([[0.0], np.cumsum(counted)])
        # The predecessor of the first one is not in the window.
        first = np.minimum(self.starts + 1, self.stops)
        return running[self.stops] - running[first]

    @staticmethod
    def changes(values: FloatArray) -> FloatArray:
        """Return the differences between values, one an interval, and their predecessors."""
        return np.diff(values, prepend=values[:1])

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the mean of values, one an interval, over each window; NaN of none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.total(values) / self.count

    def mean_of_pairs(self, values: FloatArray) -> FloatArray:
        """Return the mean of values, one an interval and its predecessor; NaN of none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.total_of_pairs(values) / self.count_of_pairs

    def maximum(self, values: FloatArray) -> FloatArray:
        """Return the largest of values, one an interval, over each window; NaN of none."""
        largest = largest_in(values, np.column_stack([self.starts, self.stops]))
        return np.where(self.count > 0, largest, np.nan)

    def standard_deviation(self, values: FloatArray) -> FloatArray:
        """Return that of the sample (over n - 1), of values, one an interval."""
        return _standard_deviation(self.total, values, self.count.astype(np.float64))

    def standard_deviation_of_pairs(self, values: FloatArray) -> FloatArray:
        """Return that of the sample, of values, one an interval and its predecessor."""
        return _standard_deviation(self.total_of_pairs, values, self.count_of_pairs)

    def root_mean_square_of_changes(self, values: FloatArray) -> FloatArray:
        """Return that of the differences between values, one an interval, and predecessors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(self.total_of_pairs(self.changes(values) ** 2) / self.count_of_pairs)

    @cached_property
    def ordered(self) -> FloatArray:
        """The intervals of each window, sorted, and infinite beyond its last: (n_windows, most)."""
        most = int(self.count.max(initial=0))
        position = self.starts[:, None] + np.arange(most)
        inside = position < self.stops[:, None]
        values = np.append(self.intervals, np.inf)
        return np.sort(values[np.where(inside, position, len(self.intervals))], axis=1)

    def quantile(self, ordered: FloatArray, fraction: float) -> FloatArray:
        """Return a quantile of values laid out like `ordered`, linear between two; NaN of none."""
        if not ordered.shape[1]:
            return np.full(len(ordered), np.nan)
        last = np.maximum(self.count, 1) - 1
        position = fraction * last
        below = position.astype(np.intp)
        above = np.minimum(below + 1, last)
        row = np.arange(len(ordered))
        low, high = ordered[row, below], ordered[row, above]
        with np.errstate(invalid="ignore"):
            between = low + (position - below) * (high - low)
        return np.where(self.count > 0, between, np.nan)


def compute_in_windows(
    functions: Mapping[str, Feature], windows: Iterable[IntervalWindows]
) -> FloatArray:
    """Return features of the same epochs in several windows, (n_epochs, n_windows * n_features)."""
    return np.hstack([compute_columns(functions, one, len(one.epoch)) for one in windows])


def _standard_deviation(
    total: Callable[[FloatArray], FloatArray], values: FloatArray, n: FloatArray
) -> FloatArray:
    # Sums of squares lose fewer digits about the middle.
    centred = values - (np.median(values) if len(values) else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = total(centred**2) - total(centred) ** 2 / n
        return np.sqrt(np.where(n > 1, np.maximum(squares, 0.0) / (n - 1), np.nan))
