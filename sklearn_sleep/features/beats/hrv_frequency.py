"""Heart rate variability in the frequency domain."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.fft import rfftfreq
from scipy.integrate import trapezoid

__all__ = ["FREQUENCY_DOMAIN", "RESAMPLED_FREQUENCY", "frequency_domain", "resample_intervals"]

FloatArray = npt.NDArray[np.float64]

FREQUENCY_DOMAIN = ("total_power", "VLF", "LF", "LF_norm", "HF", "HF_norm", "LF_HF_ratio")

# In Hz: the intervals are resampled at 4 Hz, and bands are those of the Task Force 1996,
# Circulation 93:1043-1065; as in sleepecg, very low frequencies begin above 0.0033.
RESAMPLED_FREQUENCY = 4
_VLF, _LF, _HF = (0.0033, 0.04), (0.04, 0.15), (0.15, 0.4)


def frequency_domain(
    beats: npt.ArrayLike,
    intervals: npt.ArrayLike,
    *,
    n_epochs: int,
    epoch_seconds: int,
    back: int,
    ahead: int,
    minimum_coverage: float,
) -> dict[str, FloatArray]:
    """Return the features of a window around the beginning of each epoch of a night.

    R-R intervals are interpolated linearly at 4 Hz, over missing ones too; the power spectral
    density is the periodogram of the window less its mean, and the power of a band its integral by
    trapezoids. On beats without gaps this is what sleepecg computes.

    Parameters
    ----------
    beats : array-like of shape (n_beats,)
        Times in s, rising.
    intervals : array-like of shape (n_beats - 1,)
        Those between successive beats, in s; NaN where they were not measured.
    n_epochs, epoch_seconds : int
        Number of epochs and their length.
    back, ahead : int
        Seconds of the window before and after the beginning of the epoch.
    minimum_coverage : float
        Part of a window that measured intervals must fill.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_epochs,)
        By the names in `FREQUENCY_DOMAIN`: powers in s**2, ``_norm`` in percent. NaN where too
        little is covered.
    """
    resampled, measured = resample_intervals(
        np.asarray(beats, dtype=np.float64),
        np.asarray(intervals, dtype=np.float64),
        first=-back,
        last=(n_epochs - 1) * epoch_seconds + ahead,
    )
    n_window = (back + ahead) * RESAMPLED_FREQUENCY
    step = epoch_seconds * RESAMPLED_FREQUENCY
    starts = step * np.arange(n_epochs)
    covered = np.concatenate([[0], np.cumsum(measured)])
    enough = covered[starts + n_window] - covered[starts] >= minimum_coverage * n_window
    bins = np.arange(1, math.ceil(_HF[1] * (back + ahead)) + 1)
    power = _periodogram(resampled, n_window, step, n_epochs, bins)
    # The mean is taken off, so that nothing is left at zero.
    density = np.hstack([np.zeros((n_epochs, 1)), power])
    density[~enough] = np.nan
    # Bins at the edge of two bands fall to one of them by rounding; this is SciPy's.
    frequency = rfftfreq(n_window, 1 / RESAMPLED_FREQUENCY)[: len(bins) + 1]

    def band(low: float, high: float) -> FloatArray:
        inside = (low < frequency) & (frequency <= high)
        return np.asarray(trapezoid(density[:, inside], frequency[inside]))

    vlf, lf, hf = band(*_VLF), band(*_LF), band(*_HF)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "total_power": band(-1.0, _HF[1]),
            "VLF": vlf,
            "LF": lf,
            "LF_norm": 100 * lf / (lf + hf),
            "HF": hf,
            "HF_norm": 100 * hf / (lf + hf),
            "LF_HF_ratio": lf / hf,
        }


def resample_intervals(
    beats: FloatArray, intervals: FloatArray, *, first: int, last: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return R-R intervals at 4 Hz, linear between beats, and where they were measured.

    Parameters
    ----------
    beats : ndarray of float64, shape (n_beats,)
        Times in s, rising.
    intervals : ndarray of float64, shape (n_beats - 1,)
        Those between successive beats, in s; NaN where they were not measured.
    first, last : int
        Times in s of the first value, and behind the last one.

    Returns
    -------
    resampled : ndarray of float64
        In s; zero if none was measured.
    measured : ndarray of bool, as long
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


def _periodogram(
    samples: FloatArray, n_window: int, step: int, n_windows: int, bins: npt.NDArray[np.intp]
) -> FloatArray:
    """Return the power spectral density of overlapping windows at some bins other than zero.

    Windows share blocks, whose Fourier sums are computed once and turned to their place in each.
    """
    block = math.gcd(n_window, step)
    blocks = samples[: len(samples) // block * block].reshape(-1, block)
    # Less a common value, which changes no bin, for the digits.
    blocks = blocks - samples.mean()
    angle = -2 * np.pi * np.outer(np.arange(block), bins) / n_window
    of_blocks = blocks @ np.cos(angle) + 1j * (blocks @ np.sin(angle))
    first = np.arange(n_windows) * (step // block)
    total = np.zeros((n_windows, len(bins)), dtype=np.complex128)
    for number in range(n_window // block):
        turn = np.exp(-2j * np.pi * bins * (number * block % n_window) / n_window)
        total += of_blocks[first + number] * turn
    return 2 * (total.real**2 + total.imag**2) / (RESAMPLED_FREQUENCY * n_window)
