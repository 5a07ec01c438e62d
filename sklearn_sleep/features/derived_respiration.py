"""Respiration told by the height of heartbeats, where no belt was worn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.features.beat_correction import LONGEST_INTERVAL
from sklearn_sleep.features.heartbeats import Heartbeats
from sklearn_sleep.features.samples import bridge_gaps

__all__ = ["DERIVED_FREQUENCY", "derive_respiration"]

FloatArray = npt.NDArray[np.float64]

# Samples a second; as many as breaths are looked for in.
DERIVED_FREQUENCY = 10.0
# s around the R peak in which a QRS complex lies; it takes 0.07 to 0.11 s (Surawicz et al. 2009,
# Circulation 119:e235-e240).
_QRS_REACH = 0.05
# Hz; below it is what moves the ECG's baseline (Task Force 1996, Circulation 93:1043-1065).
_BASELINE = 0.5


def derive_respiration(
    samples: npt.ArrayLike, sampling_frequency: float, heartbeats: Heartbeats, *, signal: str
) -> FloatArray:
    """Return the height of each beat as a signal: the lungs move the heart against the electrodes.

    Of an ECG it is the height of the QRS complex, from its lowest to its highest point (Moody et
    al. 1985, Comput Cardiol 12:113-116); of a PPG that of the pulse. They are the "amplitude
    modulation" of Charlton et al. 2016 (Physiol Meas 37:610-626).

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        ECG or PPG; NaN where it is missing.
    sampling_frequency : float
        In Hz.
    heartbeats : Heartbeats
        Of these samples. Beats that were corrected tell nothing.
    signal : {"ECG", "PPG"}
        Which it is.

    Returns
    -------
    ndarray of float64
        At `DERIVED_FREQUENCY`, linear between beats; NaN between beats that are more than 3 s
        apart. Its sign means nothing.

    Examples
    --------
    >>> time = np.arange(0, 60, 1 / 64)
    >>> breath = 1 + 0.1 * np.sin(2 * np.pi * time / 4)
    >>> pulse = breath * np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    >>> times = np.arange(0.2, 60, 0.8)
    >>> beats = Heartbeats(times, np.zeros(len(times), dtype=bool), times)
    >>> derived = derive_respiration(pulse, 64, beats, signal="PPG")
    >>> derived[20:60:10].round(1)  # a second from one to the next
    array([1. , 0.9, 1. , 1.1])
    """
    values = np.asarray(samples, dtype=np.float64)
    n_derived = int(len(values) / sampling_frequency * DERIVED_FREQUENCY)
    times = heartbeats.times[~heartbeats.is_corrected]
    at = np.round(times * sampling_frequency).astype(np.intp)
    inside = (at >= 0) & (at < len(values))
    times, at = times[inside], at[inside]
    if len(at) < 2:
        return np.full(n_derived, np.nan)
    if signal == "ECG":
        heights = _heights_around(values, at, sampling_frequency)
    else:
        times, heights = _heights_of_pulses(values, times, at)
    known = np.isfinite(heights)
    times, heights = times[known], heights[known]
    if len(times) < 2:
        return np.full(n_derived, np.nan)
    grid = np.arange(n_derived) / DERIVED_FREQUENCY
    derived = np.interp(grid, times, heights, left=np.nan, right=np.nan)
    following = np.searchsorted(times, grid).clip(1, len(times) - 1)
    derived[np.diff(times)[following - 1] > LONGEST_INTERVAL] = np.nan
    return derived


def _heights_around(
    values: FloatArray, peaks: npt.NDArray[np.intp], sampling_frequency: float
) -> FloatArray:
    values, missing = bridge_gaps(values)
    high = butter(2, _BASELINE, "highpass", fs=sampling_frequency, output="sos")
    filtered = sosfiltfilt(high, values)
    reach = max(round(_QRS_REACH * sampling_frequency), 1)
    window = (peaks[:, None] + np.arange(-reach, reach + 1)).clip(0, len(values) - 1)
    return np.where(missing[window].any(axis=1), np.nan, np.ptp(filtered[window], axis=1))


def _heights_of_pulses(
    values: FloatArray, times: FloatArray, onsets: npt.NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Return the time in the middle of each pulse and its height."""
    last = onsets[:-1] < onsets[1:]
    onsets = np.append(onsets[:-1][last], onsets[-1])
    times = np.append(times[:-1][last], times[-1])
    # One value for each onset, of which the last begins no pulse; NaN stays NaN.
    highest, lowest = (f.reduceat(values, onsets)[:-1] for f in (np.maximum, np.minimum))
    heights = highest - lowest
    heights[np.diff(times) > LONGEST_INTERVAL] = np.nan
    return (times[:-1] + times[1:]) / 2, heights
