"""Masking: signals that the network does not see in training, and epochs that are not used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.signals import EPOCH_DURATION

__all__ = ["check_mask_probability", "draw_kept_signals", "mask_epochs"]

Float = TypeVar("Float", bound=np.floating[Any])


def check_mask_probability(mask_probability: Mapping[str, float]) -> None:
    """Raise unless every value is a probability.

    Parameters
    ----------
    mask_probability : mapping of str to float
        Probability of being masked, by signal name.

    Raises
    ------
    ValueError
        If a value is not between 0 and 1.
    """
    for name, probability in mask_probability.items():
        if not 0 <= probability <= 1:
            raise ValueError(f"mask_probability[{name!r}]={probability!r} must be between 0 and 1.")


def draw_kept_signals(
    available: Sequence[str],
    mask_probability: Mapping[str, float],
    backup_signals: Collection[str] | None,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Draw the signals of a night that are not masked.

    Each signal is masked with its own probability (Carter & Tarassenko 2024, section 3). Where
    that would mask them all, one is kept.

    Parameters
    ----------
    available : sequence of str
        The signals that the night has, at least one.
    mask_probability : mapping of str to float
        Probability of being masked, by signal name; 0 for those not named.
    backup_signals : collection of str or None
        The signals that may be the one that is kept, all equally likely. ``None``, or a night that
        has none of them: any signal, those with a lower probability of being masked more often.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of str
        In the order of `available`, never empty.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draw_kept_signals(["ECG", "PPG", "THX"], {"ECG": 1.0, "THX": 1.0}, None, rng)
    ('PPG',)
    """
    masked = np.array([mask_probability.get(name, 0.0) for name in available])
    kept = rng.random(len(available)) >= masked
    if not kept.any():
        backup = np.array([name in (backup_signals or ()) for name in available], dtype=float)
        weight = backup if backup.any() else 1 - masked
        if not weight.any():
            weight = np.ones(len(available))
        kept[rng.choice(len(available), p=weight / weight.sum())] = True
    return tuple(name for name, keep in zip(available, kept, strict=True) if keep)


def mask_epochs(
    samples: npt.NDArray[Float], masked: npt.NDArray[np.bool_], sampling_frequency: float
) -> npt.NDArray[Float]:
    """Return a night's samples, NaN in masked epochs.

    Parameters
    ----------
    samples : ndarray of float, shape (n_samples,)
        From the start of the first epoch; what follows the last epoch belongs to it.
    masked : ndarray of bool, shape (n_epochs,)
        Which epochs are masked.
    sampling_frequency : float
        In Hz.

    Returns
    -------
    ndarray of float, shape (n_samples,)
        The same array if nothing is masked, else a copy.

    Examples
    --------
    >>> mask_epochs(np.ones(7), np.array([False, True]), sampling_frequency=0.1)
    array([ 1.,  1.,  1., nan, nan, nan, nan])
    """
    if not masked.any():
        return samples
    epoch = (np.arange(len(samples)) / (sampling_frequency * EPOCH_DURATION)).astype(np.intp)
    samples = samples.copy()
    samples[masked[epoch.clip(max=len(masked) - 1)]] = np.nan
    return samples
