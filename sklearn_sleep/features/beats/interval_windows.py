"""Intervals between beats or breaths, and the windows around epochs that summarise them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["IntervalWindows", "check_windows", "name_windows"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


def check_windows(windows: Any) -> None:
    """Raise ValueError if a feature step's parameter ``windows`` is not one."""
    for window in windows:
        if not _is_window(window):
            raise ValueError(
                f"windows={windows!r} must be a list of pairs of whole seconds, those before and "
                "those after the beginning of the epoch, such as [(240, 60)]."
            )


def name_windows(names: Sequence[str], windows: Sequence[tuple[int, int]]) -> list[str]:
    """Return the names of features in each window; of one window alone they stay as they are."""
    if len(windows) == 1:
        return list(names)
    return [f"{name}_{back}_{ahead}" for back, ahead in windows for name in names]


@dataclass(frozen=True)
class IntervalWindows:
    """Windows over the R-R intervals of a night, or over its breaths.

    Attributes
    ----------
    intervals : ndarray of float64, shape (n_intervals,)
        In s; those alone that were measured.
    follows : ndarray of bool, shape (n_intervals,)
        Whether an interval begins where the one before it ends.
    starts, stops : ndarray of int, shape (n_windows,)
        The intervals of each window, from `starts` up to but not including `stops`.
    """

    intervals: FloatArray
    follows: npt.NDArray[np.bool_]
    starts: IntArray
    stops: IntArray

    @classmethod
    def around(
        cls, beats: npt.ArrayLike, intervals: npt.ArrayLike, begin: FloatArray, end: FloatArray
    ) -> IntervalWindows:
        """Sort intervals into windows by the time at which they end.

        Parameters
        ----------
        beats : array-like of shape (n_beats,)
            Times in s, rising.
        intervals : array-like of shape (n_beats - 1,)
            Those between successive beats, in s; NaN where they were not measured.
        begin, end : ndarray of shape (n_windows,)
            Times in s; `end` is not part of a window.

        Returns
        -------
        IntervalWindows
        """
        durations = np.asarray(intervals, dtype=np.float64)
        measured = np.isfinite(durations)
        follows = np.zeros(len(durations), dtype=bool)
        follows[1:] = measured[1:] & measured[:-1]
        times = np.asarray(beats, dtype=np.float64)[1:][measured]
        return cls(
            durations[measured],
            follows[measured],
            np.searchsorted(times, begin),
            np.searchsorted(times, end),
        )

    @property
    def count(self) -> IntArray:
        """Intervals in each window."""
        return self.stops - self.starts

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

    @property
    def count_of_pairs(self) -> FloatArray:
        """Intervals in each window that follow on another one in it."""
        return self.total_of_pairs(np.ones(len(self.intervals)))

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
        bounds = np.column_stack([self.starts, self.stops])
        # One value more, where windows may begin that hold none.
        largest = np.maximum.reduceat(np.append(values, np.nan), bounds.ravel())[::2]
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

    def sorted_intervals(self) -> FloatArray:
        """Return the intervals of each window, sorted, and infinite beyond its last.

        Returns
        -------
        ndarray of shape (n_windows, most_intervals)
        """
        most = int(self.count.max(initial=0))
        position = self.starts[:, None] + np.arange(most)
        inside = position < self.stops[:, None]
        values = np.append(self.intervals, np.inf)
        return np.sort(values[np.where(inside, position, len(self.intervals))], axis=1)


def _standard_deviation(
    total: Callable[[FloatArray], FloatArray], values: FloatArray, n: FloatArray
) -> FloatArray:
    # Sums of squares lose fewer digits about the middle.
    centred = values - (np.median(values) if len(values) else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = total(centred**2) - total(centred) ** 2 / n
        return np.sqrt(np.where(n > 1, np.maximum(squares, 0.0) / (n - 1), np.nan))


def _is_window(window: Any) -> bool:
    try:
        back, ahead = window
    except (TypeError, ValueError):
        return False
    whole = all(isinstance(seconds, int | np.integer) for seconds in (back, ahead))
    return whole and back >= 0 and ahead >= 0 and back + ahead > 0
