"""Sleep spindles in an EEG."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.signal import oaconvolve
from scipy.signal.windows import hann
from scipy.stats import trimboth

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.samples import band_pass

# Hz: the EEG, and sigma waves; and the widths over which the filters fall.
_BROAD, _BROAD_TRANSITIONS = (1.0, 30.0), (1.0, 7.5)
_SIGMA, _SIGMA_TRANSITIONS = (12.0, 15.0), (1.5, 1.5)
# After Lacourse et al. 2019, J Neurosci Methods 316:3-11, with the thresholds of YASA (Vallat &
# Walker 2021, eLife 10:e70092): part of sigma in the power, correlation of sigma with the EEG, and
# standard deviations of the sigma amplitude over its mean.
_LEAST_SHARE, _LEAST_CORRELATION, _LEAST_DEVIATIONS = 0.2, 0.65, 1.5
# uV: an amplitude that suffices whatever the night's mean, as of one with much movement.
_LARGEST_THRESHOLD = 10.0
# s: windows of the power, and of correlation and amplitude; and by which edges are smoothed.
_POWER_WINDOW, _WINDOW, _EDGE = 2.0, 0.3, 0.1
# Part of the amplitudes that is left out on each side before their deviation is taken.
_TRIMMED = 0.1
# s: a spindle takes 0.5 to 2 (AASM Manual: 0.5 or more); closer ones than this are one.
_DURATION, _CLOSEST = (0.5, 2.0), 0.5


def detect_spindles(samples: npt.ArrayLike, sampling_frequency: float) -> FloatArray:
    """Return where sleep spindles begin and end in s, (n_spindles, 2).

    Of a finite EEG in uV, (n_samples,), at 80 Hz or more. A spindle is where waves of 12 to 15 Hz
    hold 20% of the power from 1 to 30 Hz, correlate by 0.65 with all of the EEG, and are as high as
    their mean over the night and 1.5 standard deviations, for 0.5 to 2 s.

    >>> time = np.arange(0, 60, 0.01)
    >>> eeg = 20 * np.sin(2 * np.pi * 2 * time) + np.random.default_rng(0).standard_normal(6000)
    >>> eeg += 30 * np.exp(-(((time - 30) / 0.4) ** 2)) * np.sin(2 * np.pi * 13 * time)
    >>> detect_spindles(eeg, 100).round(1)
    array([[29.6, 30.4]])
    """
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < _POWER_WINDOW * sampling_frequency:
        return np.empty((0, 2))
    broad = band_pass(values, sampling_frequency, _BROAD, _BROAD_TRANSITIONS)
    sigma = band_pass(values, sampling_frequency, _SIGMA, _SIGMA_TRANSITIONS)
    size = max(round(_WINDOW * sampling_frequency), 1)
    amplitude = np.sqrt(_average(sigma**2, size))
    least = amplitude.mean() + _LEAST_DEVIATIONS * trimboth(amplitude, _TRIMMED).std(ddof=1)
    together = (
        _share(sigma, broad, sampling_frequency) >= _LEAST_SHARE,
        _correlation(sigma, broad, size) >= _LEAST_CORRELATION,
        amplitude >= min(least, _LARGEST_THRESHOLD),
    )
    # Two of the three throughout, and the third nearly so: their edges differ.
    n_fulfilled = np.stack(together).sum(axis=0, dtype=np.float64)
    fulfilled = _average(n_fulfilled, round(_EDGE * sampling_frequency))
    inside = np.flatnonzero(fulfilled > len(together) - 1 + 1e-9)
    if not len(inside):
        return np.empty((0, 2))
    gap = np.diff(inside) > _CLOSEST * sampling_frequency
    starts = inside[np.concatenate([[True], gap])] / sampling_frequency
    stops = inside[np.concatenate([gap, [True]])] / sampling_frequency
    long = (stops - starts > _DURATION[0]) & (stops - starts < _DURATION[1])
    return np.column_stack([starts, stops])[long]


def _average(values: FloatArray, size: int) -> FloatArray:
    # Sums that run along leave a trace below zero where there is nothing.
    return uniform_filter1d(values, max(size, 1), mode="nearest").clip(min=0)


def _share(sigma: FloatArray, broad: FloatArray, sampling_frequency: float) -> FloatArray:
    """Return the part of sigma waves in the power, in Hann windows."""
    window = hann(round(_POWER_WINDOW * sampling_frequency), sym=False) ** 2
    of_sigma, of_all = (oaconvolve(x**2, window, mode="same").clip(min=0) for x in (sigma, broad))
    return np.divide(of_sigma, of_all, out=np.zeros_like(of_all), where=of_all > 0)


def _correlation(x: FloatArray, y: FloatArray, size: int) -> FloatArray:
    """Return the correlation of both signals in moving windows."""
    mean_x, mean_y = (uniform_filter1d(z, size, mode="nearest") for z in (x, y))
    shared = uniform_filter1d(x * y, size, mode="nearest") - mean_x * mean_y
    variances = (_average(x**2, size) - mean_x**2) * (_average(y**2, size) - mean_y**2)
    scale = np.sqrt(variances.clip(min=0))
    return np.divide(shared, scale, out=np.zeros_like(scale), where=scale > 1e-9)
