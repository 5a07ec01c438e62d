"""Heart rate variability in the time domain, and of the Poincare plot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_sleep.features.beats.interval_windows import IntervalWindows

__all__ = ["TIME_DOMAIN", "time_domain"]

FloatArray = npt.NDArray[np.float64]

TIME_DOMAIN = (
    "meanNN",
    "maxNN",
    "minNN",
    "rangeNN",
    "SDNN",
    "RMSSD",
    "SDSD",
    "NN50",
    "NN20",
    "pNN50",
    "pNN20",
    "medianNN",
    "madNN",
    "iqrNN",
    "cvNN",
    "cvSD",
    "meanHR",
    "maxHR",
    "minHR",
    "stdHR",
    "SD1",
    "SD2",
    "S",
    "SD1_SD2_ratio",
    "CSI",
    "CVI",
)


def time_domain(windows: IntervalWindows) -> dict[str, FloatArray]:
    """Return the features of each window.

    Parameters
    ----------
    windows : IntervalWindows
        Windows over normal intervals.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_windows,)
        By the names in `TIME_DOMAIN`. NaN where there are too few intervals.
    """
    n_pairs = windows.count_of_pairs
    change = windows.changes(windows.intervals)
    size = np.abs(change)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = windows.mean(windows.intervals)
        sd = windows.standard_deviation(windows.intervals)
        sd_of_change = windows.standard_deviation_of_pairs(change)
        rmssd = windows.root_mean_square_of_changes(windows.intervals)
        over_50 = np.where(n_pairs > 0, windows.total_of_pairs(size > 0.05), np.nan)
        over_20 = np.where(n_pairs > 0, windows.total_of_pairs(size > 0.02), np.nan)
        ordered = _order_statistics(windows)
        shortest, longest = ordered["min"], ordered["max"]
        sd1 = np.sqrt(sd_of_change**2 / 2)
        # Rounding may take what is zero just below it.
        sd2 = np.sqrt(np.maximum(2 * sd**2 - sd1**2, 0.0))
        return {
            "meanNN": mean,
            "maxNN": longest,
            "minNN": shortest,
            "rangeNN": longest - shortest,
            "SDNN": sd,
            "RMSSD": rmssd,
            "SDSD": sd_of_change,
            "NN50": over_50,
            "NN20": over_20,
            "pNN50": over_50 / n_pairs,
            "pNN20": over_20 / n_pairs,
            "medianNN": ordered["median"],
            "madNN": ordered["mad"],
            "iqrNN": ordered["iqr"],
            "cvNN": sd / mean,
            "cvSD": rmssd / mean,
            "meanHR": 60 / mean,
            "maxHR": 60 / shortest,
            "minHR": 60 / longest,
            "stdHR": windows.standard_deviation(60 / windows.intervals),
            "SD1": sd1,
            "SD2": sd2,
            "S": np.pi * sd1 * sd2,
            "SD1_SD2_ratio": sd1 / sd2,
            "CSI": sd2 / sd1,
            "CVI": np.log10(16 * sd1 * sd2),
        }


def _order_statistics(windows: IntervalWindows) -> dict[str, FloatArray]:
    """Return minimum, maximum, median, quartile distance and median absolute deviation."""
    n = windows.count
    ordered = windows.sorted_intervals()
    some = n > 0
    if not some.any():
        nothing = np.full(len(n), np.nan)
        return dict.fromkeys(("min", "max", "median", "iqr", "mad"), nothing)
    n = np.maximum(n, 1)
    median = _quantile(ordered, n, 0.5)
    # Infinite beyond the last interval, where they stay.
    deviation = np.sort(np.abs(ordered - np.where(some, median, 0.0)[:, None]), axis=1)
    statistics = {
        "min": ordered[:, 0],
        "max": ordered[np.arange(len(n)), n - 1],
        "median": median,
        "iqr": _quantile(ordered, n, 0.75) - _quantile(ordered, n, 0.25),
        "mad": _quantile(deviation, n, 0.5),
    }
    return {name: np.where(some, values, np.nan) for name, values in statistics.items()}


def _quantile(ordered: FloatArray, n: npt.NDArray[np.intp], fraction: float) -> FloatArray:
    """Return the quantile of the first n of each row, linear between two of them."""
    position = fraction * (n - 1)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, n - 1)
    row = np.arange(len(n))
    low, high = ordered[row, below], ordered[row, above]
    return low + (position - below) * (high - low)
