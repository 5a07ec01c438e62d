"""Masking: signals that the network does not see in training, and epochs that are not used."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.exceptions import SignalQualityWarning

Float = TypeVar("Float", bound=np.floating[Any])


def check_mask_probability(mask_probability: Mapping[str, float]) -> None:
    """Raise ValueError unless every signal's value is between 0 and 1."""
    for name, probability in mask_probability.items():
        if not (isinstance(probability, int | float | np.number) and 0 <= probability <= 1):
            raise ValueError(f"mask_probability[{name!r}]={probability!r} must be between 0 and 1.")


def draw_kept_signals(
    available: Sequence[str],
    mask_probability: Mapping[str, float],
    backup_signals: Collection[str] | None,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Draw the signals of a night that are not masked, at least one, in the order of `available`.

    Each is masked with its own probability (Carter & Tarassenko 2024, section 3). Where that would
    mask them all, one of `backup_signals` is kept, all equally likely; without any of them one of
    all, those with a lower probability of being masked more often.
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
    """Return a night's samples, (n_samples,), at a rate in Hz, NaN in masked epochs.

    What follows the last epoch belongs to it. The same array if nothing is masked, else a copy.
    """
    if not masked.any():
        return samples
    epoch = (np.arange(len(samples)) / (sampling_frequency * EPOCH_DURATION)).astype(np.intp)
    samples = samples.copy()
    samples[masked[epoch.clip(max=len(masked) - 1)]] = np.nan
    return samples


def infinite_as_missing(samples: npt.NDArray[Float], name: str, path: str) -> npt.NDArray[Float]:
    """Return samples with NaN for infinite ones, of which a SignalQualityWarning tells."""
    is_infinite = np.isinf(samples)
    if not is_infinite.any():
        return samples
    warnings.warn(
        f"{name} of {path} has {is_infinite.sum()} infinite samples, which count as missing.",
        SignalQualityWarning,
        stacklevel=3,
    )
    return np.where(is_infinite, samples.dtype.type(np.nan), samples)
