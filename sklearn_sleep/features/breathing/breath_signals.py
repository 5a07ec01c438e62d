"""What the breaths of a night tell, as slow signals: rate, effort, regularity, movement."""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.breathing.breaths import Breaths
from sklearn_sleep.features.samples import bridge_gaps

_SECONDS_PER_MINUTE = 60.0
# s without a measured breath from which what breaths tell is missing: a whole epoch.
_LONGEST_GAP = 30.0
# Hz: faster than breaths and slower than the heart's sounds; the body moving in the belt.
_MOVEMENT = (1.0, 4.0)
# Samples a second that movements need.
_LEAST_FREQUENCY = 10.0
# Part of a signal's standard deviation below which its movements count as none.
_LEAST_MOVEMENT = 1e-4
# Changes of a logarithm below this count as none.
_LEAST_CHANGE = 1e-3


BREATH_SIGNALS = ("BR", "effort", "rate_change", "effort_change", "regularity")
"""What `breath_signals` returns."""


def breath_signals(
    breaths: Breaths, n_epochs: int, samples_per_epoch: int
) -> dict[str, FloatArray]:
    """Return slow signals of breathing by name, (n_epochs * samples_per_epoch,), NaN in gaps.

    ``BR`` is the rate in 1/min and ``effort`` the logarithm of the depth; ``rate_change`` and
    ``effort_change`` are logarithms of how far each has changed since the breath before, as
    logarithms; ``regularity`` is Fisher's z of the correlation with the breath before.
    """
    step = EPOCH_DURATION / samples_per_epoch
    time = (np.arange(n_epochs * samples_per_epoch) + 0.5) * step
    measured = np.isfinite(breaths.durations) & (breaths.depths > 0)
    if measured.sum() < 2:
        return {name: np.full(len(time), np.nan) for name in BREATH_SIGNALS}
    middles = ((breaths.onsets[1:] + breaths.onsets[:-1]) / 2)[measured]
    rate = _SECONDS_PER_MINUTE / breaths.durations[measured]
    effort = np.log(breaths.depths[measured])
    likeness = np.nan_to_num(breaths.similarities[measured], nan=0.0).clip(-0.99, 0.999)
    changes = _log_changes(np.log(rate)), _log_changes(effort)
    of_breaths = (rate, effort, *changes, np.arctanh(likeness))
    bounds = np.concatenate([[0.0], middles, [n_epochs * EPOCH_DURATION]])
    far = np.diff(bounds)[np.searchsorted(middles, time)] > _LONGEST_GAP
    return {
        name: np.where(far, np.nan, np.interp(time, middles, values))
        for name, values in zip(BREATH_SIGNALS, of_breaths, strict=True)
    }


def movement(
    samples: FloatArray, sampling_frequency: float, n_epochs: int, samples_per_epoch: int
) -> FloatArray:
    """Return the logarithm of a belt's amplitude from 1 to 4 Hz against its own deviation.

    Of samples, (n_samples,), NaN where they are missing, at a rate in Hz: (n_epochs *
    samples_per_epoch,).
    """
    n_values = n_epochs * samples_per_epoch
    values, missing = bridge_gaps(samples)
    if sampling_frequency < _LEAST_FREQUENCY or missing.all() or np.ptp(values) == 0:
        return np.full(n_values, np.nan)
    band = butter(2, _MOVEMENT, "bandpass", fs=sampling_frequency, output="sos")
    fast = sosfiltfilt(band, values - values[0])
    step = EPOCH_DURATION / samples_per_epoch
    power = uniform_filter1d(fast**2, max(round(step * sampling_frequency), 1))
    at = ((np.arange(n_values) + 0.5) * step * sampling_frequency).astype(np.intp)
    at = at.clip(max=len(values) - 1)
    amplitude = np.log(np.sqrt(power[at].clip(min=0)).clip(min=_LEAST_MOVEMENT * values.std()))
    return np.where(missing[at], np.nan, amplitude)


def _log_changes(logarithms: FloatArray) -> FloatArray:
    changes = np.abs(np.diff(logarithms, prepend=logarithms[:1]))
    return np.log(changes.clip(min=_LEAST_CHANGE))
