"""Samples of a night that features may be computed from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.masking import mask_epochs
from sklearn_sleep.core.recording import Signal

__all__ = ["bridge_gaps", "usable_samples"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def usable_samples(signal: Signal, may_use: BoolArray | None) -> FloatArray:
    """Return a night's samples, NaN in epochs that may not be used.

    Parameters
    ----------
    signal : Signal
        Not cut into epochs.
    may_use : ndarray of bool, shape (n_epochs,), or None
        Which epochs may be used; all of them if None.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    ValueError
        If the signal is cut into epochs.
    """
    signal.require_continuous("The search for beats and breaths", "Search before Epocher().")
    samples = signal.data.astype(np.float64)
    if may_use is None:
        return samples
    return mask_epochs(samples, ~may_use, signal.sampling_frequency)


def bridge_gaps(samples: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return samples with straight lines over what is missing, and where that is.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples,)
        NaN where they are missing.

    Returns
    -------
    filled : ndarray of float64, shape (n_samples,)
        The same array if nothing is missing, or everything is.
    missing : ndarray of bool, shape (n_samples,)

    Examples
    --------
    >>> filled, missing = bridge_gaps(np.array([0.0, np.nan, 1.0]))
    >>> filled, missing
    (array([0. , 0.5, 1. ]), array([False,  True, False]))
    """
    missing = np.isnan(samples)
    if missing.all() or not missing.any():
        return samples, missing
    known = np.flatnonzero(~missing)
    return np.interp(np.arange(len(samples)), known, samples[known]), missing
