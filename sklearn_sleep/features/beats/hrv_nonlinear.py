"""Heart rate variability: entropy and scaling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_sleep.features.beats.interval_windows import IntervalWindows

__all__ = ["NONLINEAR", "nonlinear", "sample_entropy"]

FloatArray = npt.NDArray[np.float64]

NONLINEAR = ("SampEn", "DFA_alpha1", "DFA_alpha2")

# Richman & Moorman 2000, Am J Physiol 278:H2039-H2049.
_EMBEDDING, _TOLERANCE = 2, 0.2
# Beats of the boxes, short and long (Peng et al. 1995, Chaos 5:82-87, with the usual upper end of
# 64; Task Force of the e-Cardiology group 2015, Europace 17:1341-1353).
_SHORT_BOXES, _LONG_BOXES = tuple(range(4, 17)), (16, 20, 24, 28, 32, 40, 48, 56, 64)


def nonlinear(windows: IntervalWindows) -> dict[str, FloatArray]:
    """Return sample entropy and the exponents of detrended fluctuation analysis.

    Intervals that were not measured are left out, and those around them joined.

    Parameters
    ----------
    windows : IntervalWindows
        Windows over normal intervals.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_windows,)
        By the names in `NONLINEAR`. NaN where there are too few intervals: fewer than 16 for
        ``DFA_alpha1``, than 64 for ``DFA_alpha2``; and where no two templates match.
    """
    entropy = [
        sample_entropy(windows.intervals[start:stop])
        for start, stop in zip(windows.starts, windows.stops, strict=True)
    ]
    return {
        "SampEn": np.array(entropy, dtype=np.float64),
        "DFA_alpha1": _scaling_exponent(windows, _SHORT_BOXES),
        "DFA_alpha2": _scaling_exponent(windows, _LONG_BOXES),
    }


def sample_entropy(values: npt.ArrayLike) -> float:
    """Return the sample entropy of Richman & Moorman 2000 with m = 2 and r = 0.2 SD.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Of one window.

    Returns
    -------
    float
        NaN where no two templates match.

    Examples
    --------
    >>> round(sample_entropy(np.random.default_rng(0).standard_normal(300)), 1)
    2.3
    >>> round(sample_entropy(np.sin(np.arange(300) / 5)), 1)
    0.2
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < _EMBEDDING + 2:
        return np.nan
    near = np.abs(x[:, None] - x) <= _TOLERANCE * x.std(ddof=1)
    # As many templates of two as of three, and none with itself.
    n = len(x) - _EMBEDDING
    matches = near[:n, :n]
    for shift in range(1, _EMBEDDING):
        matches = matches & near[shift : shift + n, shift : shift + n]
    longer = matches & near[_EMBEDDING:, _EMBEDDING:]
    pairs, longer_pairs = np.count_nonzero(matches) - n, np.count_nonzero(longer) - n
    return float(-np.log(longer_pairs / pairs)) if longer_pairs > 0 else np.nan


def _scaling_exponent(windows: IntervalWindows, boxes: tuple[int, ...]) -> FloatArray:
    """Return the slope of the logarithm of the fluctuation over that of the box size."""
    fluctuation = np.column_stack([_mean_square_fluctuation(windows, size) for size in boxes])
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(fluctuation) / 2
    logarithm[~np.isfinite(logarithm)] = np.nan
    size = np.log(boxes)
    size = size - size.mean()
    # NaN if the largest box is too large for the window.
    return logarithm @ size / (size @ size)


def _mean_square_fluctuation(windows: IntervalWindows, size: int) -> FloatArray:
    """Return the mean square of the profile less its trend in each box, over whole boxes.

    The profile of a window differs from that of the night by a line, which goes with the trend,
    so that the boxes that begin at each beat are computed once.
    """
    n_boxes = windows.count // size
    if len(windows.intervals) < size:
        return np.full(len(n_boxes), np.nan)
    profile = np.cumsum(windows.intervals - windows.intervals.mean())
    residual = _squared_residual(profile, size)
    # Running sums over boxes that follow each other: one row a box, one column a phase.
    n_rows = -(-len(residual) // size)
    rows = np.pad(residual, (0, n_rows * size - len(residual))).reshape(n_rows, size)
    running = np.vstack([np.zeros(size), np.cumsum(rows, axis=0)])
    row, phase = np.divmod(windows.starts, size)
    first = np.minimum(row, n_rows)
    total = running[np.minimum(first + n_boxes, n_rows), phase] - running[first, phase]
    return np.where(n_boxes > 0, total / np.maximum(n_boxes * size, 1), np.nan)


def _squared_residual(profile: FloatArray, size: int) -> FloatArray:
    """Return for the box from each beat on the sum of squares that a line leaves."""
    boxes = np.lib.stride_tricks.sliding_window_view(profile, size)
    position = np.arange(size) - (size - 1) / 2
    # About the first of each box, for the digits.
    centred = boxes - boxes[:, :1]
    sums, products = centred.sum(axis=1), centred @ position
    squares = np.einsum("ij,ij->i", centred, centred)
    residual = squares - sums**2 / size - products**2 / (position @ position)
    return np.maximum(residual, 0.0)
