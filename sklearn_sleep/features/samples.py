"""Samples of a night, as features are computed of them: usable, filtered, peaks refined."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, firwin, oaconvolve, sosfiltfilt

from sklearn_sleep.core.arrays import BoolArray, FloatArray
from sklearn_sleep.core.masking import mask_epochs
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal

# Length of a Hamming-windowed low-pass filter, times the width of its transition over the
# sampling frequency (Ifeachor & Jervis 2002, Digital Signal Processing, table 7.3).
_HAMMING_LENGTH = 3.3

# Part of a signal's standard deviation below which an amplitude in a band counts as none.
_LEAST_AMPLITUDE = 1e-4


def usable_samples(signal: Signal, may_use: BoolArray | None) -> FloatArray:
    """Return samples, (n_samples,), NaN in epochs that may not be used, (n_epochs,)."""
    signal.require_continuous("The search for beats and breaths", "Search before Epocher().")
    samples = signal.data.astype(np.float64)
    if may_use is None:
        return samples
    return mask_epochs(samples, ~may_use, signal.sampling_frequency)


def bridge_gaps(samples: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return samples, (n_samples,), with straight lines over NaN, and where NaN were.

    >>> bridge_gaps(np.array([0.0, np.nan, 1.0]))
    (array([0. , 0.5, 1. ]), array([False,  True, False]))
    """
    missing = np.isnan(samples)
    if missing.all() or not missing.any():
        return samples, missing
    known = np.flatnonzero(~missing)
    return np.interp(np.arange(len(samples)), known, samples[known]), missing


def require_rate(sampling_frequency: float, least: float, signal: str, needs: str) -> None:
    """Raise ValueError for a signal of fewer samples a second than what `needs` says."""
    if sampling_frequency < least:
        raise ValueError(
            f"{signal} has {sampling_frequency:g} samples per second; {needs}. "
            "Leave out the Resampler before the feature step."
        )


def filter_at(
    times: FloatArray, samples: FloatArray, sampling_frequency: float, sections: FloatArray
) -> FloatArray:
    """Return samples, (n_samples,), filtered with zero phase, at times in s, (n_times,).

    Linear between samples at a rate in Hz; NaN where the nearest is.
    """
    filled, missing = bridge_gaps(samples)
    if missing.all():
        return np.full(len(times), np.nan)
    # Without its first value, of which a filter keeps a trace for minutes.
    filtered = sosfiltfilt(sections, filled - filled[0])
    resampled = np.interp(times, np.arange(len(filled)) / sampling_frequency, filtered)
    nearest = np.round(times * sampling_frequency).astype(np.intp).clip(max=len(filled) - 1)
    resampled[missing[nearest]] = np.nan
    return resampled


def log_amplitude(
    samples: FloatArray,
    sampling_frequency: float,
    band: tuple[float, float],
    smooth: Callable[[FloatArray], FloatArray],
    n_epochs: int,
    samples_per_epoch: int,
) -> FloatArray:
    """Return the logarithm of the amplitude in a band in Hz, (n_epochs * samples_per_epoch,).

    Of samples, (n_samples,), at a rate in Hz; NaN where they are missing, and of a constant signal.
    `smooth` gets the power of the band's waves, (n_samples,).
    """
    n_values = n_epochs * samples_per_epoch
    values, missing = bridge_gaps(samples)
    if missing.all() or np.ptp(values) == 0:
        return np.full(n_values, np.nan)
    sections = butter(2, band, "bandpass", fs=sampling_frequency, output="sos")
    # Smoothing may leave a trace below 0.
    power = smooth(sosfiltfilt(sections, values - values[0]) ** 2).clip(min=0)
    middles = (np.arange(n_values) + 0.5) * EPOCH_DURATION / samples_per_epoch
    at = (middles * sampling_frequency).astype(np.intp).clip(max=len(values) - 1)
    amplitude = np.log(np.sqrt(power[at]).clip(min=_LEAST_AMPLITUDE * values.std()))
    return np.where(missing[at], np.nan, amplitude)


def band_pass(
    samples: FloatArray,
    sampling_frequency: float,
    band: tuple[float, float],
    transitions: tuple[float, float],
) -> FloatArray:
    """Return finite samples, (n_samples,), filtered with zero phase; all frequencies in Hz.

    The gain falls to zero over the transitions below and above the band, by half in their middle.

    >>> time = np.arange(0, 30, 0.01)
    >>> waves = 5 + np.sin(2 * np.pi * 10 * time)
    >>> filtered = band_pass(waves, 100, (0.4, 30), (0.4, 7.5))
    >>> bool(np.allclose(filtered[1000:2000], waves[1000:2000] - 5, atol=0.01))
    True
    """
    lengths = [
        round(_HAMMING_LENGTH * sampling_frequency / width) // 2 * 2 + 1 for width in transitions
    ]
    below = firwin(lengths[0], band[0] - transitions[0] / 2, fs=sampling_frequency)
    above = firwin(lengths[1], band[1] + transitions[1] / 2, fs=sampling_frequency)
    half = max(lengths) // 2
    response = np.zeros(2 * half + 1)
    response[half - len(above) // 2 : half + len(above) // 2 + 1] += above
    response[half - len(below) // 2 : half + len(below) // 2 + 1] -= below
    reach = min(half, len(samples) - 1)
    # The night's ends go on as their own image turned around, which makes no step.
    padded = np.pad(samples, reach, mode="reflect", reflect_type="odd")
    padded = np.pad(padded, half - reach, mode="edge")
    return oaconvolve(padded, response, mode="valid")


def refine_peaks(curves: FloatArray, peak: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return by how many samples, and how high, the parabola through each peak has its vertex.

    Of curves, (n_curves, n_samples), and the highest sample of each, (n_curves,), which is not at
    an end: offsets from -0.5 to 0.5, 0 where the three lie on a line, and heights, (n_curves,).

    >>> offset, height = refine_peaks(-((np.arange(5.0) - 2.25) ** 2)[None], np.array([2]))
    >>> float(offset[0]), float(height[0])
    (0.25, 0.0)
    """
    row = np.arange(len(curves))
    before, at, after = (curves[row, peak + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1.0), 0.0)
    offset = offset.clip(-0.5, 0.5)
    return offset, at - 0.25 * (before - after) * offset
