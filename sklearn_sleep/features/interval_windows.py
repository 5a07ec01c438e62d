"""R-R intervals, and the windows around epochs in which they are summarised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["IntervalWindows"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class IntervalWindows:
    """Windows over the normal R-R intervals of a night.

    Attributes
    ----------
    intervals : ndarray of float64, shape (n_intervals,)
        In s; those alone that were measured.
    follows : ndarray of bool, shape (n_intervals,)
        Whether an interval begins with the beat at which the one before it ends.
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
