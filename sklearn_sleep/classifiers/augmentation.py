"""Augmentation: changes of training nights that leave their stages as they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

__all__ = ["Augmentation"]

# Knots of the slowly varying gain, as a contact that dries or a finger that cools.
_EPOCHS_PER_KNOT = 20


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
    amplitude : float, default=0.0
        Standard deviation of the logarithm of each signal's gain, of a constant part and of one
        that changes over some ten minutes, each.
    noise : float, default=0.0
        Largest standard deviation of white noise, as a fraction of that of the signal; it is drawn
        uniformly from 0 on.

    Examples
    --------
    >>> import numpy as np, torch
    >>> night = {"THX": torch.arange(12.0).reshape(3, 4)}
    >>> Augmentation(time_shift=0.5).apply(night, np.random.default_rng(3))
    {'THX': tensor([[ 2.,  3.,  4.,  5.],
            [ 6.,  7.,  8.,  9.],
            [10., 11., 11., 10.]])}
    """

    def __init__(
        self, *, time_shift: float = 0.5, amplitude: float = 0.0, noise: float = 0.0
    ) -> None:
        self.time_shift = time_shift
        self.amplitude = amplitude
        self.noise = noise

    def check(self) -> None:
        """Raise unless the parameters are what they must be.

        Raises
        ------
        ValueError
            Names the parameter.
        """
        if not 0 <= self.time_shift <= 0.5:
            msg = (
                f"time_shift={self.time_shift!r} must be from 0 to 0.5 epochs; beyond that, most "
                "of an epoch would have its neighbour's stage."
            )
            raise ValueError(msg)
        for name in ("amplitude", "noise"):
            if not getattr(self, name) >= 0:
                msg = f"{name}={getattr(self, name)!r} must not be negative."
                raise ValueError(msg)

    def apply(self, x: Mapping[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Return the changed samples.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (n_epochs, samples_per_epoch)
            Samples by signal; they are not changed.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        dict of str to Tensor
            Of the same shapes.
        """
        shift = rng.uniform(-self.time_shift, self.time_shift) if self.time_shift else 0.0
        return {name: self._change(samples, shift, rng) for name, samples in x.items()}

    def _change(self, samples: Tensor, shift: float, rng: np.random.Generator) -> Tensor:
        changed = _shift(samples, round(shift * samples.shape[1]))
        if self.amplitude:
            gain = _draw_gain(len(samples), self.amplitude, rng)
            changed = changed * torch.from_numpy(gain)[:, None]
        if self.noise:
            scale = float(rng.uniform(0, self.noise)) * float(samples.std())
            noise = rng.standard_normal(samples.shape, dtype=np.float32)
            changed = changed + torch.from_numpy(scale * noise)
        return changed


def _shift(samples: Tensor, n: int) -> Tensor:
    """Shift by n samples, later if positive; the gap at an end is filled by mirroring there."""
    if not n:
        return samples
    flat = samples.flatten()
    if n > 0:
        return torch.cat([flat[:n].flip(0), flat[:-n]]).view_as(samples)
    return torch.cat([flat[-n:], flat[n:].flip(0)]).view_as(samples)


def _draw_gain(n_epochs: int, spread: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    knots = spread * rng.standard_normal(n_epochs // _EPOCHS_PER_KNOT + 2)
    positions = np.linspace(0, len(knots) - 1, n_epochs)
    logarithm = spread * rng.standard_normal() + np.interp(positions, np.arange(len(knots)), knots)
    return np.exp(logarithm).astype(np.float32)
