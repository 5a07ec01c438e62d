"""Augmentation: changes of training nights that leave their stages as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

# Knots of the slowly varying gain, as a contact that dries or a finger that cools.
_EPOCHS_PER_KNOT = 20
# Of a night that is reordered: pieces at most, and epochs of each at least. Our choice.
_MOST_PIECES, _SHORTEST_PIECE = 4, 10


class Augmentation(BaseEstimator):
    """Change the samples of a training night in ways that leave its stages as they are.

    A network of small cohorts learns nights by heart, down to where in an epoch a beat falls.
    Drawn anew in each pass, these changes leave it what does not depend on that.

    Parameters
    ----------
    time_shift : float, default=0.5
        Largest shift in epochs, up to 0.5: all signals of a night are shifted together, by a time
        drawn uniformly from both directions. Epochs then begin where no scorer's did, and at most
        half of each lies in a neighbour. At the ends the night is mirrored.
    speed_change : float, default=0.0
        Largest change of speed: all signals of a night are played faster or slower by one factor
        whose logarithm is drawn uniformly between those of ``1 / (1 + speed_change)`` and
        ``1 + speed_change``, as other hearts and lungs would. Each epoch keeps its middle and its
        length, so that a faster one takes in some of its neighbours. Speed perturbation comes
        from speech recognition (Ko et al., Interspeech 2015).
    amplitude : float, default=0.0
        Standard deviation of the logarithm of each signal's gain, of a constant part and of one
        that changes over some ten minutes, each.
    gain : float, default=0.0
        Standard deviation of the logarithm of each signal's gain, constant through the night.
    noise : float, default=0.0
        Largest standard deviation of white noise, as a fraction of that of the signal; it is drawn
        uniformly from 0 on.
    reorder : float, default=0.0
        Probability that a night is cut into two to four pieces of at least five minutes, which are
        put together with their stages in an order that is drawn, and may be the one they had. A
        network that remembers hours then learns less by heart what follows on what in few nights.

    Examples
    --------
    >>> import numpy as np, torch
    >>> night = {"THX": torch.arange(12.0).reshape(3, 4)}
    >>> Augmentation(time_shift=0.5).apply(night, np.random.default_rng(3))
    {'THX': tensor([[ 2.,  3.,  4.,  5.],
            [ 6.,  7.,  8.,  9.],
            [10., 11., 11., 10.]])}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: [Real]
        for name in ("time_shift", "speed_change", "amplitude", "gain", "noise", "reorder")
    }

    def __init__(
        self,
        *,
        time_shift: float = 0.5,
        speed_change: float = 0.0,
        amplitude: float = 0.0,
        gain: float = 0.0,
        noise: float = 0.0,
        reorder: float = 0.0,
    ) -> None:
        self.time_shift = time_shift
        self.speed_change = speed_change
        self.amplitude = amplitude
        self.gain = gain
        self.noise = noise
        self.reorder = reorder

    def check(self) -> None:
        """Raise unless the parameters are what they must be."""
        self._validate_params()
        if not 0 <= self.time_shift <= 0.5:
            raise ValueError(
                f"time_shift={self.time_shift!r} must be from 0 to 0.5 epochs; beyond that, most "
                "of an epoch would have its neighbour's stage."
            )
        if not 0 <= self.speed_change <= 1:
            raise ValueError(
                f"speed_change={self.speed_change!r} must be from 0 to 1; at more than twice the "
                "speed, most of an epoch would have its neighbours' stages."
            )
        for name in ("amplitude", "gain", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must not be negative.")
        if not 0 <= self.reorder <= 1:
            raise ValueError(f"reorder={self.reorder!r} must be a probability, from 0 to 1.")

    def apply(self, x: Mapping[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Return changed samples by signal, (n_epochs, samples_per_epoch) as they were."""
        shift = rng.uniform(-self.time_shift, self.time_shift) if self.time_shift else 0.0
        speed = 1.0
        if self.speed_change:
            speed = float(np.exp(rng.uniform(-1, 1) * np.log1p(self.speed_change)))
        # Signals of one rate are played alike, and changed side by side.
        by_shape: dict[torch.Size, list[str]] = {}
        for name, samples in x.items():
            by_shape.setdefault(samples.shape, []).append(name)
        changed: dict[str, Tensor] = {}
        for names in by_shape.values():
            playing = _plan_playing(x[names[0]], shift, speed)
            if playing is None and not (self.amplitude or self.gain or self.noise):
                changed |= {name: x[name] for name in names}
                continue
            together = torch.stack([x[name] for name in names])
            changed |= zip(names, self._change(together, playing, rng), strict=True)
        return {name: changed[name] for name in x}

    def draw_order(self, n_epochs: int, rng: np.random.Generator) -> Tensor | None:
        """Return the epochs of a night in their new order, (n_epochs,); None if they stay."""
        n_pieces = min(_MOST_PIECES, n_epochs // _SHORTEST_PIECE)
        if n_pieces < 2 or rng.random() >= self.reorder:
            return None
        n_pieces = int(rng.integers(2, n_pieces + 1))
        # What is left beside the shortest pieces falls to them in shares drawn by cuts.
        spare = n_epochs - n_pieces * _SHORTEST_PIECE
        cuts = np.sort(rng.integers(spare + 1, size=n_pieces - 1))
        pieces = np.split(np.arange(n_epochs), cuts + _SHORTEST_PIECE * np.arange(1, n_pieces))
        return torch.from_numpy(np.concatenate([pieces[i] for i in rng.permutation(n_pieces)]))

    def _change(
        self, samples: Tensor, playing: _Playing | None, rng: np.random.Generator
    ) -> Tensor:
        """Return changed samples of signals, (n_signals, n_epochs, samples_per_epoch)."""
        n_signals, n_epochs, _ = samples.shape
        changed = samples if playing is None else playing.apply(samples)
        gain = np.ones((n_signals, 1), np.float32)
        if self.amplitude:
            gain = np.stack([_draw_gain(n_epochs, self.amplitude, rng) for _ in range(n_signals)])
        if self.gain:
            constant = np.exp(self.gain * rng.standard_normal((n_signals, 1)))
            gain = gain * constant.astype(np.float32)
        if self.amplitude or self.gain:
            changed = changed * torch.from_numpy(gain)[..., None]
        if self.noise:
            share = rng.uniform(0, self.noise, (n_signals, 1, 1)).astype(np.float32)
            noise = torch.from_numpy(rng.standard_normal(samples.shape, dtype=np.float32))
            deviation = samples.std(dim=(1, 2), keepdim=True)
            changed = torch.addcmul(changed, noise, torch.from_numpy(share) * deviation)
        return changed


@dataclass(frozen=True)
class _Playing:
    """Where each sample of a night is taken from, (n_epochs * samples_per_epoch,): between two."""

    before: Tensor
    after: Tensor
    fraction: Tensor

    def apply(self, samples: Tensor) -> Tensor:
        """Return played samples of signals, (n_signals, n_epochs, samples_per_epoch)."""
        flat = samples.flatten(1)
        before, after = (flat.index_select(1, where) for where in (self.before, self.after))
        return torch.lerp(before, after, self.fraction).view(samples.shape)


def _plan_playing(samples: Tensor, shift: float, speed: float) -> _Playing | None:
    """Shift by epochs and play faster around each epoch's middle; mirrored beyond the ends."""
    n_epochs, width = samples.shape
    n_later = round(shift * width)
    if not n_later and speed == 1.0:
        return None
    middle = (width - 1) / 2
    # In float64: float32 has too few digits for the samples of a night.
    middles = middle - n_later + width * torch.arange(n_epochs, dtype=torch.float64)
    offsets = speed * (torch.arange(width, dtype=torch.float64) - middle)
    positions = (middles[:, None] + offsets).flatten()
    last = n_epochs * width - 1
    positions = torch.where(positions < 0, -1 - positions, positions)
    positions = torch.where(positions > last, 2 * last + 1 - positions, positions).clamp(0, last)
    before = positions.long()
    fraction = (positions - before).to(samples.dtype)
    return _Playing(before, (before + 1).clamp(max=last), fraction)


def _draw_gain(n_epochs: int, spread: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    knots = spread * rng.standard_normal(n_epochs // _EPOCHS_PER_KNOT + 2)
    positions = np.linspace(0, len(knots) - 1, n_epochs)
    logarithm = spread * rng.standard_normal() + np.interp(positions, np.arange(len(knots)), knots)
    return np.exp(logarithm).astype(np.float32)
