"""Breaths of a night, in the signal of a respiratory belt or one that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import butter, find_peaks, sosfiltfilt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.remembered import remember
from sklearn_sleep.features.samples import bridge_gaps, refine_peaks, require_rate

LEAST_BREATH_FREQUENCY = 4.0
"""Samples a second of a respiratory signal in which breaths can be found."""

# Hz: 3 to 60 breaths a minute.
_BAND = (0.05, 1.0)
# Samples a second at which breaths are looked for: ten in the shortest.
_FREQUENCY = 10.0
# Khodadad et al. 2018, Physiol Meas 39:094001: a breath swings by 0.3 of the median one or more.
_SMALLEST_SWING = 0.3
# s: the swing is that of the surroundings, since depth changes over a night, and of most of the
# blocks there, so that a movement does not hide the breaths around it.
_BLOCK, _SURROUNDINGS = 5.0, 75.0
# At which successive breaths are compared; a breath of 4 s has 40 samples.
_POINTS = 32
# Percentiles of the slope that tell rise and fall of most breaths, and leave out movements.
_STEEPEST = (5.0, 95.0)
_SURELY_STEEPER = 1.02
# From the root mean square of a sine to its swing.
_SWING_OF_SINE = 2 * np.sqrt(2)


@dataclass(frozen=True)
class Breaths:
    """The breaths of a night.

    `onsets`, (n_breaths + 1,), are times in s at which inspirations begin, the last one the end of
    the last breath; `peaks`, (n_breaths,), those at which they end; `rises`, (n_breaths,), those at
    which they are at half of their depth, where a signal is steep and its noise shifts them least.
    `depths` are rises from onset to peak, in the signal's unit; `similarities` correlations with
    the breath before, stretched to the same length, NaN of the first; `is_measured` says whether
    the signal was there throughout.
    """

    onsets: FloatArray
    peaks: FloatArray
    rises: FloatArray
    depths: FloatArray
    similarities: FloatArray
    is_measured: npt.NDArray[np.bool_]

    @property
    def durations(self) -> FloatArray:
        """Durations in s, (n_breaths,); NaN of breaths that were not measured."""
        return np.where(self.is_measured, np.diff(self.onsets), np.nan)

    @classmethod
    def none(cls) -> Breaths:
        """Return the breaths of a night without any."""
        nothing = np.empty(0)
        return cls(nothing, nothing, nothing, nothing, nothing, np.empty(0, dtype=bool))


def detect_breaths(samples: npt.ArrayLike, sampling_frequency: float) -> Breaths:
    """Return the breaths of a respiratory signal, (n_samples,), NaN where it is missing.

    The signal is filtered from 0.05 to 1 Hz. An inspiration ends at a peak that rises from both
    sides by 0.3 of the usual swing or more, the least that Khodadad et al. 2018 (Physiol Meas
    39:094001) take for a breath, and begins at the lowest point after the peak before. The usual
    swing is that of the 75 s around. Pauses, as of an apnoea, make long breaths. A signal that
    falls more steeply than it rises is turned, since inspiration is the shorter part at rest.

    >>> time = np.arange(0, 60, 0.1)
    >>> breaths = detect_breaths(-np.cos(2 * np.pi * time / 4), 10)
    >>> breaths.durations.round(1)[3:6], breaths.depths.round(1)[3:6]
    (array([4., 4., 4.]), array([2., 2., 2.]))
    """
    return _find_breaths(np.asarray(samples, dtype=np.float64), sampling_frequency)


@remember
def _find_breaths(samples: FloatArray, sampling_frequency: float) -> Breaths:
    """Return what `detect_breaths` does, of float64."""
    values, missing, frequency = _filter(samples, sampling_frequency)
    if not len(values):
        return Breaths.none()
    fall, rise = np.percentile(np.diff(values), _STEEPEST)
    if -fall > _SURELY_STEEPER * rise:
        values = -values
    peaks, _ = find_peaks(values, prominence=_SMALLEST_SWING * _usual_swing(values, frequency))
    if len(peaks) < 2:
        return Breaths.none()
    bounds = np.concatenate([[0], peaks, [len(values)]])
    lowest = [a + values[a:b].argmin() for a, b in pairwise(bounds)]
    onsets = np.array(lowest, dtype=np.intp)
    peak_times, peak_heights = _refine(values, peaks)
    onset_times, onset_heights = _refine(-values, onsets)
    lost = np.concatenate([[0], np.cumsum(missing)])
    return Breaths(
        onset_times / frequency,
        peak_times / frequency,
        _half_rises(values, onset_times[:-1], peak_times) / frequency,
        peak_heights + onset_heights[:-1],
        _similarities(values, onset_times),
        lost[onsets[1:]] == lost[onsets[:-1]],
    )


def _filter(
    samples: FloatArray, sampling_frequency: float
) -> tuple[FloatArray, npt.NDArray[np.bool_], float]:
    """Return a signal that changes from 0.05 to 1 Hz at some 10 Hz; its gaps; its rate."""
    needs = f"breaths need {LEAST_BREATH_FREQUENCY:g} or more"
    require_rate(sampling_frequency, LEAST_BREATH_FREQUENCY, "The respiration", needs)
    values, missing = bridge_gaps(samples)
    # A night that is over before the filter has settled tells nothing.
    too_short = (~missing).sum() < sampling_frequency / _BAND[0]
    if too_short or np.ptp(values) == 0:
        return np.empty(0), np.empty(0, dtype=bool), sampling_frequency
    band = butter(2, _BAND, "bandpass", fs=sampling_frequency, output="sos")
    step = max(int(sampling_frequency // _FREQUENCY), 1)
    # Without its first value, of which a filter keeps a trace for minutes.
    filtered = sosfiltfilt(band, values - values[0])[::step]
    return filtered, missing[::step], sampling_frequency / step


def _half_rises(values: FloatArray, onsets: FloatArray, peaks: FloatArray) -> FloatArray:
    """Return where values last rise through the middle from onset to peak; all in samples."""
    positions = onsets[:, None] + np.linspace(0, 1, _POINTS) * (peaks - onsets)[:, None]
    heights = np.interp(positions, np.arange(len(values)), values)
    heights -= (heights[:, :1] + heights[:, -1:]) / 2
    # The peak itself is above; if rounding says otherwise, it stands for the crossing.
    before = _POINTS - 1 - np.argmax(heights[:, ::-1] < 0, axis=1)
    before = before.clip(max=_POINTS - 2)
    row = np.arange(len(heights))
    low, high = heights[row, before], heights[row, before + 1]
    share = np.divide(-low, high - low, out=np.zeros(len(row)), where=high > low)
    start, end = positions[row, before], positions[row, before + 1]
    return start + share.clip(0, 1) * (end - start)


def _similarities(values: FloatArray, onsets: FloatArray) -> FloatArray:
    """Return the correlation of each breath with the one before; `onsets` in samples."""
    parts = np.linspace(0, 1, _POINTS)
    positions = onsets[:-1, None] + parts * np.diff(onsets)[:, None]
    shapes = np.interp(positions, np.arange(len(values)), values)
    shapes -= shapes.mean(axis=1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    similarities = np.full(len(shapes), np.nan)
    similarities[1:] = (shapes[1:] * shapes[:-1]).sum(axis=1)
    return similarities


def _usual_swing(values: FloatArray, frequency: float) -> FloatArray:
    """Return how far the signal swings around each sample."""
    size = max(round(_BLOCK * frequency), 1)
    n_blocks = max(len(values) // size, 1)
    blocks = values[: n_blocks * size].reshape(n_blocks, -1)
    level = np.sqrt((blocks**2).mean(axis=1))
    level = median_filter(level, size=round(_SURROUNDINGS / _BLOCK), mode="nearest")
    middle = size * (np.arange(n_blocks) + 0.5)
    return _SWING_OF_SINE * np.interp(np.arange(len(values)), middle, level)


def _refine(values: FloatArray, at: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return where between samples maxima lie, in samples, and their heights, (n_maxima,)."""
    inside = at.clip(1, len(values) - 2)
    offset, height = refine_peaks(values[inside[:, None] + np.arange(-1, 2)], np.ones_like(inside))
    # At the edges of the night there is nothing to refine with.
    offset[inside != at], height[inside != at] = 0.0, values[at[inside != at]]
    return at + offset, height
