"""What the breaths of a night tell, as slow signals: rate, effort, regularity, movement."""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.breathing.breaths import Breaths
from sklearn_sleep.features.samples import log_amplitude

_SECONDS_PER_MINUTE = 60.0
# s without a measured breath from which what breaths tell is missing: a whole epoch.
_LONGEST_GAP = 30.0
# Hz: faster than breaths and slower than the heart's sounds; the body moving in the belt.
_MOVEMENT = (1.0, 4.0)
# Samples a second that movements need.
_LEAST_FREQUENCY = 10.0
# Changes of a logarithm below this count as none.
_LEAST_CHANGE = 1e-3
# s: standard deviation of the bell over which rate and effort vary. Our choice: some two minutes,
# of thirty breaths.
_VARIABILITY_SMOOTHING = 30.0

BREATH_SIGNALS = (
    "BR",
    "effort",
    "rate_change",
    "effort_change",
    "rate_variability",
    "effort_variability",
    "regularity",
)
"""What `breath_signals` returns."""


def breath_signals(
    breaths: Breaths, n_epochs: int, samples_per_epoch: int
) -> dict[str, FloatArray]:
    """Return slow signals of breathing by name, (n_epochs * samples_per_epoch,), NaN in gaps.

    ``BR`` is the rate in 1/min and ``effort`` the logarithm of the depth; ``rate_change`` and
    ``effort_change`` are logarithms of how far each has changed since the breath before, as
    logarithms; ``rate_variability`` and ``effort_variability`` are those of how far each swings
    around its mean over some two minutes; ``regularity`` is Fisher's z of the correlation with the
    breath before.
    """
    step = EPOCH_DURATION / samples_per_epoch
    time = (np.arange(n_epochs * samples_per_epoch) + 0.5) * step
    # From half a rise to the next: onsets, at the end of a flat expiration, are less certain.
    # They are what is left where the next breath is not measured.
    is_next_measured = np.append(breaths.is_measured[1:], False)
    from_rises = np.diff(breaths.rises, append=np.nan)
    durations = np.where(is_next_measured, from_rises, breaths.durations)
    measured = breaths.is_measured & (breaths.depths > 0) & (durations > 0)
    if measured.sum() < 2:
        return {name: np.full(len(time), np.nan) for name in BREATH_SIGNALS}
    middles = ((breaths.onsets[1:] + breaths.onsets[:-1]) / 2)[measured]
    rate = _SECONDS_PER_MINUTE / durations[measured]
    effort = np.log(breaths.depths[measured])
    likeness = np.nan_to_num(breaths.similarities[measured], nan=0.0).clip(-0.99, 0.999)
    of_breaths = {
        "BR": rate,
        "effort": effort,
        "rate_change": _log_changes(np.log(rate)),
        "effort_change": _log_changes(effort),
        "regularity": np.arctanh(likeness),
    }
    bounds = np.concatenate([[0.0], middles, [n_epochs * EPOCH_DURATION]])
    far = np.diff(bounds)[np.searchsorted(middles, time)] > _LONGEST_GAP
    signals = {
        name: np.where(far, np.nan, np.interp(time, middles, values))
        for name, values in of_breaths.items()
    }
    sigma = _VARIABILITY_SMOOTHING / step
    signals["rate_variability"] = _log_deviation(np.log(signals["BR"]), sigma)
    signals["effort_variability"] = _log_deviation(signals["effort"], sigma)
    return {name: signals[name] for name in BREATH_SIGNALS}


def movement(
    samples: FloatArray, sampling_frequency: float, n_epochs: int, samples_per_epoch: int
) -> FloatArray:
    """Return the logarithm of a belt's amplitude from 1 to 4 Hz; NaN below 10 samples a second.

    Of samples, (n_samples,), NaN where they are missing, at a rate in Hz: (n_epochs *
    samples_per_epoch,).
    """
    if sampling_frequency < _LEAST_FREQUENCY:
        return np.full(n_epochs * samples_per_epoch, np.nan)
    size = max(round(EPOCH_DURATION / samples_per_epoch * sampling_frequency), 1)
    smooth = partial(uniform_filter1d, size=size)
    return log_amplitude(
        samples, sampling_frequency, _MOVEMENT, smooth, n_epochs, samples_per_epoch
    )


def _log_deviation(values: FloatArray, sigma: float) -> FloatArray:
    """Return the logarithm of how far values, (n_values,), are from the mean around; NaN of NaN."""
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    smooth = partial(gaussian_filter1d, sigma=sigma, mode="nearest")
    weight = np.maximum(smooth(there.astype(np.float64)), np.finfo(np.float64).tiny)
    around = smooth(filled) / weight
    variance = smooth(np.where(there, filled - around, 0.0) ** 2) / weight
    return np.where(there, np.log(np.sqrt(variance).clip(min=_LEAST_CHANGE)), np.nan)


def _log_changes(logarithms: FloatArray) -> FloatArray:
    changes = np.abs(np.diff(logarithms, prepend=logarithms[:1]))
    return np.log(changes.clip(min=_LEAST_CHANGE))
