"""Onsets of the pulses in a photoplethysmogram."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.samples import refine_peaks, require_rate

LEAST_PPG_FREQUENCY = 20.0
"""Samples a second of a PPG in which pulses can be found."""

# Elgendi et al. 2013, PLoS ONE 8:e76585: the band in Hz, the two moving averages in s (a systolic
# wave and a beat), and the part of the mean by which the first must exceed the second.
_BAND = (0.5, 8.0)
_WAVE_SECONDS, _BEAT_SECONDS, _OFFSET = 0.111, 0.667, 0.02
# The published mean is that of the whole recording. Over a night the pulse's height changes much.
_MEAN_SECONDS = 60.0
# No two beats of an adult come closer (Orphanidou et al. 2015, IEEE J Biomed Health Inform
# 19:832-838, takes 180 beats a minute as the most).
_SHORTEST_INTERVAL = 0.3
# Before the systolic peak, which comes 0.1 to 0.2 s after the onset (Allen 2007, Physiol Meas
# 28:R1-R39).
_RISE_SECONDS = 0.35
# Percentiles that tell rise and fall, peak and foot of most pulses, and leave out artefacts.
_EXTREMES = (5.0, 95.0)
# By what part of their range the two must differ to tell which way up a PPG is; noise is below.
_SURELY = 0.05


def detect_pulse_onsets(samples: npt.ArrayLike, sampling_frequency: float) -> FloatArray:
    """Return when pulses begin in s, (n_beats,), in a finite PPG, (n_samples,), at a rate in Hz.

    Systolic waves are found by two moving averages (Elgendi et al. 2013). The onset is where the
    tangent at the steepest rise meets the level of the foot, the intersecting tangents of
    Chiu et al. 1991 (Am Heart J 121:1460-1470), which moves less with noise and with the height of
    the pulse than foot or peak do. A PPG that falls more steeply than it rises is turned around;
    one that does both alike is so if its narrow peaks go down.

    >>> time = np.arange(0, 60, 1 / 64)
    >>> pulse = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    >>> bool(np.allclose(np.diff(detect_pulse_onsets(pulse, 64)), 0.8, atol=0.002))
    True
    """
    needs = f"pulse onsets need {LEAST_PPG_FREQUENCY:g} or more"
    require_rate(sampling_frequency, LEAST_PPG_FREQUENCY, "The PPG", needs)
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < 2 * sampling_frequency or np.ptp(values) == 0:
        return np.empty(0)
    band = butter(2, _BAND, "bandpass", fs=sampling_frequency, output="sos")
    pulse = sosfiltfilt(band, values)
    smooth = sosfiltfilt(butter(2, _BAND[1], fs=sampling_frequency, output="sos"), values)
    if _is_turned(pulse):
        pulse, smooth = -pulse, -smooth
    times = _onsets(smooth, _systolic_peaks(pulse, sampling_frequency), sampling_frequency)
    return times[np.diff(times, prepend=-np.inf) > 0]


def _is_turned(pulse: FloatArray) -> bool:
    """Return whether a PPG of mean 0 is upside down; not, where neither slopes nor peaks tell."""
    for values in (np.diff(pulse), pulse):
        low, high = np.percentile(values, _EXTREMES)
        if abs(low + high) > _SURELY * (high - low):
            return bool(low + high < 0)
    return False


def _systolic_peaks(pulse: FloatArray, sampling_frequency: float) -> npt.NDArray[np.intp]:
    squared = pulse.clip(min=0) ** 2

    def average(seconds: float) -> FloatArray:
        return uniform_filter1d(squared, max(round(seconds * sampling_frequency), 1))

    threshold = average(_BEAT_SECONDS) + _OFFSET * average(_MEAN_SECONDS)
    inside = average(_WAVE_SECONDS) > threshold
    edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2], edges[1::2]
    long_enough = stops - starts >= _WAVE_SECONDS * sampling_frequency
    starts, stops = starts[long_enough], stops[long_enough]
    if not len(starts):
        return np.empty(0, dtype=np.intp)
    highest = np.maximum.reduceat(pulse, np.column_stack([starts, stops - 1]).ravel())[::2]
    peaks = [start + pulse[start:stop].argmax() for start, stop in zip(starts, stops, strict=True)]
    return _without_close_ones(
        np.array(peaks, dtype=np.intp), highest, _SHORTEST_INTERVAL * sampling_frequency
    )


def _without_close_ones(
    peaks: npt.NDArray[np.intp], height: FloatArray, shortest: float
) -> npt.NDArray[np.intp]:
    """Return the peaks without the lower one of each two that are too close."""
    while (close := np.diff(peaks) < shortest).any():
        pair = np.flatnonzero(close)
        lower = np.where(height[pair] < height[pair + 1], pair, pair + 1)
        # One of overlapping pairs at a time.
        lower = lower[np.diff(pair, prepend=-2) > 1]
        peaks, height = np.delete(peaks, lower), np.delete(height, lower)
    return peaks


def _onsets(
    pulse: FloatArray, peaks: npt.NDArray[np.intp], sampling_frequency: float
) -> FloatArray:
    reach = round(_RISE_SECONDS * sampling_frequency)
    peaks = peaks[(peaks > reach) & (peaks < len(pulse) - 2)]
    window = peaks[:, None] + np.arange(-reach, 2)
    value, slope = pulse[window], np.gradient(pulse)[window]
    steepest = slope[:, 1:-1].argmax(axis=1) + 1
    rises = slope[np.arange(len(peaks)), steepest] > 0
    # Of a signal that stood still before an artefact there is no rise.
    peaks, steepest = peaks[rises], steepest[rises]
    value, slope = value[rises], slope[rises]
    offset, steepness = refine_peaks(slope, steepest)
    row = np.arange(len(peaks))
    before = np.arange(value.shape[1]) <= steepest[:, None]
    foot = np.where(before, value, np.inf).min(axis=1)
    rise = value[row, steepest] + slope[row, steepest] * offset - foot
    return (peaks - reach + steepest + offset - rise / steepness) / sampling_frequency
