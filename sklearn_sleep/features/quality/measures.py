"""What can be wrong with a signal: measures by epoch and by night."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from sklearn_sleep.features.samples import bridge_gaps

__all__ = [
    "band_power_share",
    "clipped_share",
    "constant_share",
    "cutting_limits",
    "epoch_range",
    "is_turned",
    "share_at",
    "split_epochs",
]

FloatArray = npt.NDArray[np.floating]
# Equal samples in a row that are no chance: a second, and at low rates five of them.
_RUN_SECONDS, _RUN_SAMPLES = 1.0, 5
_CLIPPED_RUN = 3
# Samples at a limit for each in the hundredth of the range below it: a sine of 256 levels that just
# reaches its limits has 1.3, noise that a limit cuts 1% off has 8.
_NEAR_LIMIT, _PILE = 0.01, 3.0
# Deflections to the wrong side that are larger by this factor turn the signal.
_TURNED_FACTOR = 1.5
_EXTREME = (0.5, 99.5)  # percentiles that a few wild samples do not move


def split_epochs(samples: FloatArray, per_epoch: int, n_epochs: int) -> FloatArray:
    """Return samples by epoch, NaN where there are none.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        From the recording's start.
    per_epoch : int
        Samples of an epoch.
    n_epochs : int
        Number of epochs.

    Returns
    -------
    ndarray of float32, shape (n_epochs, per_epoch)

    Examples
    --------
    >>> split_epochs(np.arange(3, dtype=np.float32), 2, 2)
    array([[ 0.,  1.],
           [ 2., nan]], dtype=float32)
    """
    wanted = per_epoch * n_epochs
    if len(samples) < wanted:
        samples = np.append(samples, np.full(wanted - len(samples), np.nan, np.float32))
    return samples[:wanted].reshape(n_epochs, per_epoch)


def constant_share(epochs: FloatArray, sampling_frequency: float) -> FloatArray:
    """Return the share of each epoch in which the signal stands still for a second or longer.

    Parameters
    ----------
    epochs : ndarray of float32, shape (n_epochs, samples_per_epoch)
        Samples.
    sampling_frequency : float
        In Hz.

    Returns
    -------
    ndarray of float, shape (n_epochs,)

    Examples
    --------
    >>> epochs = np.array([np.r_[np.zeros(15), np.arange(1, 16)]], np.float32)
    >>> constant_share(epochs, 1.0)
    array([0.5])
    """
    least = max(round(_RUN_SECONDS * sampling_frequency), _RUN_SAMPLES)
    return _long_runs(epochs.ravel(), least).reshape(epochs.shape).mean(axis=1)


def cutting_limits(samples: FloatArray, lowest: float, highest: float) -> list[float]:
    """Return the extremes of a night that cut its waves off.

    Samples pile up at such a limit: more are there than in the hundredth of the range below it. The
    crests of a wave that just reaches it do not, whatever its resolution.

    Parameters
    ----------
    samples : ndarray of float
        Of a night; NaN where they are missing.
    lowest, highest : float
        Of the night.

    Returns
    -------
    list of float
        No, one or both extremes.

    Examples
    --------
    >>> wave = np.minimum(np.sin(np.arange(6000) / 30), 0.9)
    >>> cutting_limits(wave, wave.min(), wave.max())
    [0.9]
    """
    near = _NEAR_LIMIT * (highest - lowest)
    limits = []
    for limit, is_near in (
        (lowest, samples <= lowest + near),
        (highest, samples >= highest - near),
    ):
        at_limit = np.count_nonzero(samples == limit)
        # One more, since every wave has a highest sample.
        if at_limit > _PILE * (np.count_nonzero(is_near) - at_limit + 1):
            limits.append(float(limit))
    return limits


def clipped_share(epochs: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return the share of each epoch that stays at the limits of what was recorded.

    Parameters
    ----------
    epochs : ndarray of float, shape (n_epochs, samples_per_epoch)
        Samples.
    lowest, highest : float
        Of the night.

    Returns
    -------
    ndarray of float, shape (n_epochs,)

    Examples
    --------
    >>> wave = np.clip(np.sin(np.arange(60) / 3), -0.5, 2).astype(np.float32)
    >>> clipped_share(wave.reshape(2, 30), wave.min(), wave.max()).round(1)
    array([0.2, 0.4])
    """
    samples = epochs.ravel()
    extreme = (samples == lowest) | (samples == highest)
    if not extreme.any():
        return np.zeros(len(epochs))
    clipped = extreme & _long_runs(samples, _CLIPPED_RUN)
    return clipped.reshape(epochs.shape).mean(axis=1)


def share_at(epochs: FloatArray, limits: Sequence[float]) -> FloatArray:
    """Return the share of each epoch that is at a limit, if only for a sample.

    Parameters
    ----------
    epochs : ndarray of float, shape (n_epochs, samples_per_epoch)
        Samples.
    limits : sequence of float
        From `cutting_limits`.

    Returns
    -------
    ndarray of float, shape (n_epochs,)

    Examples
    --------
    >>> share_at(np.array([[0.0, 1.0, 0.5, 1.0], [0.5, 0.0, 0.5, 0.5]]), [1.0])
    array([0.5, 0. ])
    """
    return sum(((epochs == limit).mean(axis=1) for limit in limits), np.zeros(len(epochs)))


def band_power_share(
    epochs: FloatArray, sampling_frequency: float, band: tuple[float, float], lowest: float
) -> FloatArray:
    """Return the share of the power of each epoch that lies in a band.

    Parameters
    ----------
    epochs : ndarray of float32, shape (n_epochs, samples_per_epoch)
        Samples; gaps are bridged.
    sampling_frequency : float
        In Hz.
    band : tuple of float
        In Hz, both ends included.
    lowest : float
        Power below this frequency, in Hz, does not count: baseline wander.

    Returns
    -------
    ndarray of float, shape (n_epochs,)
        NaN where there is no power.

    Examples
    --------
    >>> time = np.arange(300) / 10
    >>> wave = np.sin(2 * np.pi * 0.3 * time) + 0.5 * np.sin(2 * np.pi * 3 * time)
    >>> band_power_share(wave[None].astype(np.float32), 10, (0.1, 1), 0.05).round(2)
    array([0.8])
    """
    frequency = fft.rfftfreq(epochs.shape[1], 1 / sampling_frequency)
    within = (frequency >= band[0]) & (frequency <= band[1])
    shares = np.full(len(epochs), np.nan)
    for number, epoch in enumerate(epochs):
        filled, missing = bridge_gaps(epoch)
        if missing.all():
            continue
        power = np.abs(fft.rfft(filled - filled.mean())) ** 2
        total = float(power[frequency >= lowest].sum())
        if total > 0:
            shares[number] = float(power[within].sum()) / total
    return shares


def epoch_range(epochs: FloatArray) -> FloatArray:
    """Return the range of each epoch without its most extreme hundredth.

    Parameters
    ----------
    epochs : ndarray of float32, shape (n_epochs, samples_per_epoch)
        Samples.

    Returns
    -------
    ndarray of float, shape (n_epochs,)
        NaN where samples are missing.

    Examples
    --------
    >>> epoch_range(np.arange(1001, dtype=np.float32)[None])
    array([990.], dtype=float32)
    """
    low, high = np.percentile(epochs, _EXTREME, axis=1)
    return (high - low).astype(epochs.dtype)


def is_turned(epochs: FloatArray) -> FloatArray:
    """Return for each epoch whether the larger deflections go down.

    Of an ECG these are the R waves; of the slope of a PPG, the upstrokes.

    Parameters
    ----------
    epochs : ndarray of float32, shape (n_epochs, samples_per_epoch)
        Samples.

    Returns
    -------
    ndarray of float, shape (n_epochs,)
        1 or 0; NaN where samples are missing.

    Examples
    --------
    >>> pulses = np.tile((np.arange(100) < 5).astype(np.float32), (2, 10))
    >>> is_turned(pulses), is_turned(-pulses)
    (array([0., 0.]), array([1., 1.]))
    """
    low, middle, high = np.percentile(epochs, (_EXTREME[0], 50, _EXTREME[1]), axis=1)
    with np.errstate(invalid="ignore"):
        turned = (middle - low) > _TURNED_FACTOR * (high - middle)
    return np.where(np.isfinite(low), turned.astype(np.float64), np.nan)


def _long_runs(samples: FloatArray, least: int) -> npt.NDArray[np.bool_]:
    """Return which samples are among so many equal ones in a row."""
    if not len(samples):
        return np.zeros(0, dtype=bool)
    begins = np.flatnonzero(np.append(True, samples[1:] != samples[:-1]))
    lengths = np.diff(np.append(begins, len(samples)))
    return np.repeat(lengths >= least, lengths)
