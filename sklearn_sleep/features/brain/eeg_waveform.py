"""Shape, spectrum and complexity of each epoch of a brain signal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.integrate import simpson, trapezoid
from scipy.signal import welch
from scipy.stats import iqr

__all__ = ["BANDS", "COMPLEXITY", "RATIOS", "SHAPE", "band_powers", "complexity", "shape"]

FloatArray = npt.NDArray[np.float64]

SHAPE = (
    "sd",
    "iqr",
    "skewness",
    "kurtosis",
    "zero_crossings",
    "hjorth_mobility",
    "hjorth_complexity",
)
# Hz; those of YASA (Vallat & Walker 2021, eLife 10:e70092), which split delta where slow
# oscillations begin (Steriade et al. 1993, J Neurosci 13:3252-3265).
BANDS = {
    "slow_delta": (0.4, 1.0),
    "fast_delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (12.0, 16.0),
    "beta": (16.0, 30.0),
}
RATIOS = ("delta_theta_ratio", "delta_sigma_ratio", "delta_beta_ratio", "alpha_theta_ratio")
COMPLEXITY = ("permutation_entropy", "higuchi_dimension", "petrosian_dimension")
# s of the Welch segments: two periods of the slowest wave.
_SEGMENT = 5.0
# Largest step of the curve lengths (Higuchi 1988, Physica D 31:277-283), as YASA has it.
_LARGEST_STEP = 10


def shape(epochs: FloatArray) -> dict[str, FloatArray]:
    """Return how the samples of each epoch are distributed, and how fast they change.

    Parameters
    ----------
    epochs : ndarray of float64, shape (n_epochs, n_samples)
        Filtered.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_epochs,)
        By the names in `SHAPE`.
    """
    n_samples = epochs.shape[1]
    # Moments about the mean, for all that rests on them.
    centred = epochs - epochs.mean(axis=1, keepdims=True)
    squares = centred**2
    variance = squares.mean(axis=1)
    change = np.diff(epochs, axis=1)
    of_change, of_its_change = change.var(axis=1), np.diff(change, axis=1).var(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mobility = np.sqrt(of_change / variance)
        return {
            "sd": np.sqrt(variance * n_samples / (n_samples - 1)),
            "iqr": iqr(epochs, axis=1),
            "skewness": (squares * centred).mean(axis=1) / variance**1.5,
            "kurtosis": (squares**2).mean(axis=1) / variance**2 - 3,
            "zero_crossings": _sign_changes(epochs),
            "hjorth_mobility": mobility,
            "hjorth_complexity": np.sqrt(of_its_change / of_change) / mobility,
        }


def band_powers(epochs: FloatArray, sampling_frequency: float) -> dict[str, FloatArray]:
    """Return the part of each band in an epoch's power, ratios of bands, and the power.

    The power spectral density is the median over Hamming-windowed segments of 5 s that overlap by
    half (Welch's method). Bands are integrated by Simpson's rule and ``power`` by trapezoids, as
    in YASA.

    Parameters
    ----------
    epochs : ndarray of float64, shape (n_epochs, n_samples)
        In uV.
    sampling_frequency : float
        In Hz, 60 or more.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_epochs,)
        By the names in `BANDS` and `RATIOS`, without unit; and ``power`` from 0.4 to 30 Hz in
        uV**2.
    """
    frequency, density = welch(
        epochs,
        sampling_frequency,
        window="hamming",
        nperseg=round(_SEGMENT * sampling_frequency),
        average="median",
        axis=1,
    )

    def power(low: float, high: float, integrate: Any = simpson) -> FloatArray:
        inside = (low <= frequency) & (frequency <= high)
        return np.asarray(integrate(density[:, inside], frequency[inside], axis=1))

    whole = BANDS["slow_delta"][0], BANDS["beta"][1]
    total = power(*whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = {name: power(*band) / total for name, band in BANDS.items()}
        delta = powers["slow_delta"] + powers["fast_delta"]
        ratios = (
            delta / powers["theta"],
            delta / powers["sigma"],
            delta / powers["beta"],
            powers["alpha"] / powers["theta"],
        )
    return powers | dict(zip(RATIOS, ratios, strict=True)) | {"power": power(*whole, trapezoid)}


def complexity(epochs: FloatArray) -> dict[str, FloatArray]:
    """Return how little of each epoch follows from what came before.

    Parameters
    ----------
    epochs : ndarray of float64, shape (n_epochs, n_samples)
        Filtered.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_epochs,)
        ``permutation_entropy`` of the order of three successive samples, from 0 to 1 (Bandt &
        Pompe 2002, Phys Rev Lett 88:174102); ``higuchi_dimension``, the slope of the curve's
        length over steps of 1 to 10 samples (Higuchi 1988, Physica D 31:277-283);
        ``petrosian_dimension``, from changes of direction (Petrosian 1995, Proc IEEE CBMS
        212-217).
    """
    n_samples = epochs.shape[1]
    turns = _sign_changes(np.diff(epochs, axis=1))
    logarithm = math.log10(n_samples)
    petrosian = logarithm / (logarithm + np.log10(n_samples / (n_samples + 0.4 * turns)))
    return {
        "permutation_entropy": _permutation_entropy(epochs),
        "higuchi_dimension": _higuchi_dimension(epochs),
        "petrosian_dimension": petrosian,
    }


def _sign_changes(epochs: FloatArray) -> FloatArray:
    negative = np.signbit(epochs)
    return (negative[:, 1:] != negative[:, :-1]).sum(axis=1).astype(np.float64)


def _permutation_entropy(epochs: FloatArray) -> FloatArray:
    first, second, third = epochs[:, :-2], epochs[:, 1:-1], epochs[:, 2:]
    # Three comparisons tell the six orders apart; equal samples keep their order in time.
    order = 4 * (second < first) + 2 * (third < second) + (third < first)
    share = np.stack([(order == number).mean(axis=1) for number in range(8)])
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(share > 0, share * np.log2(share), 0.0).sum(axis=0)
    return entropy / math.log2(6)


def _higuchi_dimension(epochs: FloatArray) -> FloatArray:
    n_samples = epochs.shape[1]
    lengths = []
    for step in range(1, _LARGEST_STEP + 1):
        distance = np.abs(epochs[:, step:] - epochs[:, :-step])
        of_starts = []
        for start in range(step):
            n_steps = (n_samples - 1 - start) // step
            total = distance[:, start::step][:, :n_steps].sum(axis=1)
            of_starts.append(total / step * (n_samples - 1) / (step * n_steps))
        lengths.append(np.mean(of_starts, axis=0))
    with np.errstate(divide="ignore"):
        logarithms = np.log(lengths)
    inverse = np.log(1 / np.arange(1, _LARGEST_STEP + 1))
    inverse -= inverse.mean()
    # Not a matrix product, whose rounding depends on how many epochs there are.
    slope = (inverse[:, None] * logarithms).sum(axis=0) / (inverse**2).sum()
    return np.where(np.isfinite(slope), slope, np.nan)
