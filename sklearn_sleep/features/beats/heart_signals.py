"""What the beats of a night tell, as slow signals: the heart rate and how it varies."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.core.arrays import BoolArray, FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.beats.heartbeats import Heartbeats
from sklearn_sleep.features.samples import bridge_gaps, log_amplitude

_SECONDS_PER_MINUTE = 60.0
# Samples an epoch of the heart rate, which the slower signals are made of: 4.3 a second, as near to
# the 4 at which R-R intervals are resampled for spectra up to 0.4 Hz as a power of two comes.
HEART_RATE_SAMPLES = 128
# s without a measured R-R interval from which the rate counts as missing. Our choice: some ten
# beats, two or three breaths.
_LONGEST_GAP = 10.0
# Hz, of short recordings: Task Force 1996, Circulation 93:1043-1065; and s over which the amplitude
# of each is smoothed, one or two of its waves. Our choice.
_BANDS = {"HF": (0.15, 0.4, 5.0), "LF": (0.04, 0.15, 15.0), "VLF": (0.0033, 0.04, 60.0)}
HEART_SIGNALS = ("HR", "RR_change", *_BANDS)
"""What `heart_signals` returns."""

# Hz: pulses and the first waves of their shape (as their onsets are looked for); and s over which
# their height is smoothed. Our choice: two beats.
_PULSE, _PULSE_SMOOTHING = (0.5, 8.0), 2.0
# Smallest change from one interval to the next in s, of half a sample at 500 Hz, and smallest
# amplitude in 1/min, which logarithms are taken of.
_LEAST_CHANGE, _LEAST_AMPLITUDE = 1e-3, 1e-2


def heart_rate(heartbeats: Heartbeats, n_epochs: int) -> FloatArray:
    """Return the rate in 1/min, (n_epochs * 128,), NaN far from measured intervals."""
    return _between_beats(heartbeats, lambda intervals: _SECONDS_PER_MINUTE / intervals, n_epochs)


def heart_signals(
    heartbeats: Heartbeats, n_epochs: int, samples_per_epoch: int
) -> dict[str, FloatArray]:
    """Return slow signals of the heart by name, (n_epochs * samples_per_epoch,), NaN in gaps.

    ``HR`` is the rate in 1/min, ``RR_change`` the logarithm of the change in s from one R-R
    interval to the next, ``HF``, ``LF`` and ``VLF`` those of the rate's amplitude in each band.
    """
    rate = heart_rate(heartbeats, n_epochs)
    change = _between_beats(heartbeats, _log_changes, n_epochs)
    missing = np.isnan(rate)
    signals = {"HR": rate, "RR_change": change}
    filled, _ = bridge_gaps(rate)
    for band, (low, high, smoothing) in _BANDS.items():
        signals[band] = np.where(missing, np.nan, _log_amplitude(filled, low, high, smoothing))
    return {name: average(values, samples_per_epoch) for name, values in signals.items()}


def pulse_amplitude(
    samples: FloatArray, sampling_frequency: float, n_epochs: int, samples_per_epoch: int
) -> FloatArray:
    """Return the logarithm of a PPG's amplitude from 0.5 to 8 Hz, NaN where it is missing.

    The vessels of the finger narrow with each arousal. Of samples, (n_samples,), at a rate in Hz:
    (n_epochs * samples_per_epoch,).
    """
    sigma = _PULSE_SMOOTHING * sampling_frequency
    smooth = partial(gaussian_filter1d, sigma=sigma, mode="nearest")
    return log_amplitude(samples, sampling_frequency, _PULSE, smooth, n_epochs, samples_per_epoch)


def average(values: FloatArray, samples_per_epoch: int) -> FloatArray:
    """Return means of what is there, from 128 samples an epoch to fewer, NaN of nothing."""
    parts = values.reshape(-1, HEART_RATE_SAMPLES // samples_per_epoch)
    there = np.isfinite(parts)
    counts = there.sum(axis=1)
    sums = np.where(there, parts, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _log_changes(intervals: FloatArray) -> FloatArray:
    changes = np.abs(np.diff(intervals, prepend=intervals[:1]))
    return np.log(changes.clip(min=_LEAST_CHANGE))


def _between_beats(
    heartbeats: Heartbeats, compute: Callable[[FloatArray], FloatArray], n_epochs: int
) -> FloatArray:
    """Return values of measured intervals, linear from beat to beat, NaN where none are near."""
    time = np.arange(n_epochs * HEART_RATE_SAMPLES) * EPOCH_DURATION / HEART_RATE_SAMPLES
    intervals = heartbeats.intervals
    measured = np.isfinite(intervals)
    if not measured.any():
        return np.full(len(time), np.nan)
    ends = heartbeats.times[1:][measured]
    values = np.interp(time, ends, compute(intervals[measured]))
    values[_far_from(time, ends, intervals[measured], n_epochs)] = np.nan
    return values


def _far_from(
    time: FloatArray, ends: FloatArray, intervals: FloatArray, n_epochs: int
) -> BoolArray:
    """Return which times in s lie in a gap of more than 10 s between measured intervals."""
    following = np.searchsorted(ends, time)
    gap_begins = np.append(0.0, ends)[following]
    gap_ends = np.append(ends - intervals, n_epochs * EPOCH_DURATION)[following]
    return (time < gap_ends) & (gap_ends - gap_begins > _LONGEST_GAP)


def _log_amplitude(rate: FloatArray, low: float, high: float, smoothing: float) -> FloatArray:
    """Return the logarithm of the amplitude of a rate's waves between frequencies in Hz."""
    frequency = HEART_RATE_SAMPLES / EPOCH_DURATION
    if np.isnan(rate).all():
        return rate
    band = butter(2, (low, high), "bandpass", fs=frequency, output="sos")
    waves = sosfiltfilt(band, rate - rate[0])
    power = gaussian_filter1d(waves**2, smoothing * frequency, mode="nearest")
    return np.log(np.sqrt(power).clip(min=_LEAST_AMPLITUDE))
