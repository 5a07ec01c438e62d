"""How heart and breathing go together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_sleep.features.beats.heartbeats import Heartbeats
from sklearn_sleep.features.beats.hrv_frequency import RESAMPLED_FREQUENCY
from sklearn_sleep.features.breathing.breaths import Breaths

__all__ = ["COUPLING", "coupling", "peak_to_trough"]

FloatArray = npt.NDArray[np.float64]

COUPLING = ("HFC", "LFC", "VLFC", "HFC_LFC_ratio", "coherence")

# Thomas et al. 2005, Sleep 28:1151-1161: bands in Hz of high-, low- and very-low-frequency
# coupling, and three segments of 512 samples at 2 Hz that overlap by half.
_BANDS = {"VLFC": (0.001, 0.01), "LFC": (0.01, 0.1), "HFC": (0.1, 0.4)}
_SEGMENT_SECONDS, _N_SEGMENTS = 256.0, 3
_MINIMUM_COVERAGE = 0.8


def coupling(
    intervals: FloatArray, respiration: FloatArray, centres: FloatArray
) -> dict[str, FloatArray]:
    """Return the cardiopulmonary coupling of Thomas et al. 2005 in the 512 s around each time.

    The coupling at a frequency is the coherence of R-R intervals and respiration times the power
    of their cross spectrum, of which both are averages over three segments of 256 s.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_samples,)
        R-R intervals at 4 Hz in s; NaN where they were not measured.
    respiration : ndarray of float64, shape (n_samples,)
        At the same times, in any unit; NaN where it was not measured.
    centres : ndarray of float64, shape (n_windows,)
        Times in s from the first sample.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_windows,)
        ``HFC``, ``LFC`` and ``VLFC``: the part of the coupling from 0.1 to 0.4, from 0.01 to 0.1
        and from 0.001 to 0.01 Hz in that of all three. ``HFC_LFC_ratio``. ``coherence``: the
        largest squared coherence from 0.1 to 0.4 Hz, from 0 to 1. NaN where less than 80% was
        measured of either signal.
    """
    size = round(_SEGMENT_SECONDS * RESAMPLED_FREQUENCY)
    step = size // 2
    first = np.round(centres * RESAMPLED_FREQUENCY).astype(np.intp) - step * (_N_SEGMENTS + 1) // 2
    frequency = np.fft.rfftfreq(size, 1 / RESAMPLED_FREQUENCY)
    wanted = frequency <= _BANDS["HFC"][1]
    frequency = frequency[wanted]
    cross = np.zeros((len(centres), wanted.sum()), dtype=np.complex128)
    power = np.zeros((2, *cross.shape))
    measured = np.zeros(len(centres))
    for number in range(_N_SEGMENTS):
        position = first[:, None] + step * number + np.arange(size)
        inside = (position >= 0) & (position < len(intervals))
        position = position.clip(0, len(intervals) - 1)
        known = inside & np.isfinite(intervals[position]) & np.isfinite(respiration[position])
        measured += known.mean(axis=1) / _N_SEGMENTS
        segments = np.stack([_centred(x[position], known) for x in (intervals, respiration)])
        spectra = np.fft.rfft(segments * np.hanning(size), axis=-1)[..., wanted]
        cross += spectra[0] * spectra[1].conj()
        power += np.abs(spectra) ** 2
    product = power[0] * power[1]
    squared = np.abs(cross) ** 2
    coherence = np.divide(squared, product, out=np.zeros(squared.shape), where=product > 0)
    strength = coherence * squared
    bands = {name: (low <= frequency) & (frequency < high) for name, (low, high) in _BANDS.items()}
    by_band = {name: strength[:, inside].sum(axis=1) for name, inside in bands.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        total = sum(by_band.values())
        features = {name: part / total for name, part in by_band.items()}
        features["HFC_LFC_ratio"] = by_band["HFC"] / by_band["LFC"]
    features["coherence"] = coherence[:, bands["HFC"]].max(axis=1)
    enough = (measured >= _MINIMUM_COVERAGE) & (total > 0)
    return {name: np.where(enough, values, np.nan) for name, values in features.items()}


def _centred(windows: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Return windows less their mean, and zero where they are not known."""
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, windows, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(known, windows - mean, 0.0)


def peak_to_trough(breaths: Breaths, heartbeats: Heartbeats) -> FloatArray:
    """Return the respiratory sinus arrhythmia of each breath, by the peak-to-trough method.

    The longest R-R interval that ends in expiration less the shortest that ends in inspiration
    (Grossman, van Beek & Wientjes 1990, Psychophysiology 27:702-714).

    Parameters
    ----------
    breaths : Breaths
        Of a night.
    heartbeats : Heartbeats
        Of the same night.

    Returns
    -------
    ndarray of float64, shape (n_breaths,)
        In s; 0 where the heart does not slow with expiration, NaN where a phase of the breath has
        no measured interval.
    """
    intervals = heartbeats.intervals
    known = np.isfinite(intervals)
    times, intervals = heartbeats.times[1:][known], intervals[known]
    inspired = np.searchsorted(times, np.column_stack([breaths.onsets[:-1], breaths.peaks]))
    expired = np.searchsorted(times, np.column_stack([breaths.peaks, breaths.onsets[1:]]))
    shortest = -_largest_in(-intervals, inspired)
    difference = _largest_in(intervals, expired) - shortest
    return np.where(np.isfinite(difference), np.maximum(difference, 0.0), np.nan)


def _largest_in(values: FloatArray, bounds: npt.NDArray[np.intp]) -> FloatArray:
    """Return the largest value from each start up to its stop; minus infinity of none."""
    if not len(bounds):
        return np.empty(0)
    # A last value that no range holds, where ranges may begin.
    largest = np.maximum.reduceat(np.append(values, -np.inf), bounds.ravel())[::2]
    return np.where(bounds[:, 0] < bounds[:, 1], largest, -np.inf)
