"""Strokes: which part of each column of an image the line through samples covers.

In each column of pixels the line through the samples covers one stretch, from its lowest to its
highest point, which the width of the line makes longer. Nothing between two samples, and no sample,
is lost, and nothing shows in a column that is not in it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["stroke_spans"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]


class _TimeBase(NamedTuple):
    """Where samples lie among columns."""

    before: IntArray  # the sample before each border
    fraction: FloatArray  # how far the border lies on the way to the next sample
    # The first samples of columns, the second ones, ...: columns that have one, and it.
    picks: tuple[tuple[IntArray, IntArray], ...]


@lru_cache(maxsize=32)
def _time_base(n_samples: int, columns: int) -> _TimeBase:
    # The first and the last sample lie at the edges, as SleepVLM has them.
    place = np.linspace(0, columns, n_samples)
    borders = np.arange(columns + 1)
    before = np.clip(np.searchsorted(place, borders, side="right") - 1, 0, n_samples - 2)
    fraction = (borders - place[before]) / (place[before + 1] - place[before])
    first = np.searchsorted(place, borders[:-1])
    count = np.searchsorted(place, borders[1:]) - first
    picks = []
    for pick in range(int(count.max())):
        has_more = np.flatnonzero(count > pick)
        picks.append((has_more, first[has_more] + pick))
    return _TimeBase(before, fraction.astype(np.float32)[:, None], tuple(picks))


def stroke_spans(y: FloatArray, columns: int, width: float) -> tuple[FloatArray, FloatArray]:
    """Return the stretch of each column that a line covers.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples, n_epochs)
        Height of each sample in pixels, downwards; NaN where there is none. At least two samples.
    columns : int
        Pixels from the first sample to the last.
    width : float
        Of the line, in pixels.

    Returns
    -------
    top, bottom : ndarray of float32, shape (columns, n_epochs)
        In pixels; infinity above minus infinity where there is no line.

    Examples
    --------
    >>> y = np.array([[10.0], [10.0], [16.0]], dtype=np.float32)
    >>> top, bottom = stroke_spans(y, columns=4, width=0.2)
    >>> top.ravel(), bottom.ravel()
    (array([ 9.9,  9.9,  9.9, 12.9], dtype=float32),
     array([10.1, 10.1, 13.1, 16.1], dtype=float32))
    """
    base = _time_base(len(y), columns)
    at_border = y[base.before]
    rise = y[base.before + 1]
    rise -= at_border
    rise *= base.fraction
    at_border += rise
    top = np.minimum(at_border[:-1], at_border[1:])
    bottom = np.maximum(at_border[:-1], at_border[1:])
    for where, pick in base.picks:
        values = y[pick]
        if len(where) == len(top):
            np.minimum(top, values, out=top)
            np.maximum(bottom, values, out=bottom)
        else:
            top[where] = np.minimum(top[where], values)
            bottom[where] = np.maximum(bottom[where], values)
    missing = np.isnan(top)
    if missing.any():
        top[missing] = np.inf
        bottom[missing] = -np.inf
    top -= np.float32(width / 2)
    bottom += np.float32(width / 2)
    return top, bottom
