"""Masking: signals that the network does not see in training, and epochs that are not used."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.signals import EPOCH_DURATION, source_of
from sklearn_sleep.exceptions import SignalQualityWarning

Float = TypeVar("Float", bound=np.floating[Any])


def check_mask_probability(mask_probability: Mapping[str, float]) -> None:
    """Raise ValueError unless every signal's value is between 0 and 1."""
    for name, probability in mask_probability.items():
        if source_of(name) != name:
            raise ValueError(
                f"mask_probability names {name!r}; name its source, {source_of(name)!r}, which "
                "masks all that is derived from it."
            )
        if not (isinstance(probability, int | float | np.number) and 0 <= probability <= 1):
            raise ValueError(f"mask_probability[{name!r}]={probability!r} must be between 0 and 1.")


def draw_kept_signals(
    available: Sequence[str],
    mask_probability: Mapping[str, float],
    backup_signals: Collection[str] | None,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Draw the signals of a night that are not masked, at least one, in the order of `available`.

    Each is masked with its own probability (Carter & Tarassenko 2024, section 3), and what is
    derived from a signal with it. Where that would mask them all, one of `backup_signals` is kept,
    all equally likely; without any of them one of all, those with a lower probability of being
    masked more often.
    """
    sources = tuple(dict.fromkeys(map(source_of, available)))
    masked = np.array([mask_probability.get(name, 0.0) for name in sources])
    kept = rng.random(len(sources)) >= masked
    if not kept.any():
        backup = np.array([name in (backup_signals or ()) for name in sources], dtype=float)
        weight = backup if backup.any() else 1 - masked
        if not weight.any():
            weight = np.ones(len(sources))
        kept[rng.choice(len(sources), p=weight / weight.sum())] = True
    keeps = dict(zip(sources, kept.tolist(), strict=True))
    return tuple(name for name in available if keeps[source_of(name)])


def draw_subsets(
    available: Sequence[str],
    n_subsets: int,
    single_signal_probability: float,
    mask_probability: Mapping[str, float],
    backup_signals: Collection[str] | None,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Draw the subsets of a night's signals that it is staged from in a pass of training.

    Of several the first is of all signals. Each other one is a single signal, all equally likely,
    or what `draw_kept_signals` draws. What is derived from a signal counts as that signal.
    """
    sources = tuple(dict.fromkeys(map(source_of, available)))
    subsets: list[tuple[str, ...]] = [tuple(available)] if n_subsets > 1 else []
    while len(subsets) < n_subsets:
        if single_signal_probability and rng.random() < single_signal_probability:
            single = sources[rng.integers(len(sources))]
            subsets.append(tuple(name for name in available if source_of(name) == single))
        else:
            subsets.append(draw_kept_signals(available, mask_probability, backup_signals, rng))
    return subsets


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
