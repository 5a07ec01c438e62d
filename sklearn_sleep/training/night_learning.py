"""Losses and gradients of whole nights, several at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.networks.layers import dropout_seed
from sklearn_sleep.training.night_dataset import NightBatch, NightSample
from sklearn_sleep.training.parallel import map_nights

__all__ = [
    "NightGradients",
    "accumulate_gradients",
    "differentiate_nights",
    "names_of_batch_norms",
    "network_input",
    "nights_with_signals",
]


@dataclass(frozen=True)
class NightGradients:
    """Summed loss and gradients of nights; logits and the signals that were not masked of each."""

    loss: Tensor
    gradients: list[Tensor | None]
    logits: list[Tensor]
    kept_signals: list[tuple[str, ...]]


def differentiate_nights(
    loss_of: Callable[[NightSample, np.random.Generator], tuple[Tensor, Tensor, tuple[str, ...]]],
    nights: Sequence[NightSample],
    seeds: Sequence[int],
    parameters: Sequence[nn.Parameter],
    *,
    device: torch.device,
    in_turn: bool,
) -> NightGradients:
    """Sum losses and their gradients over nights in a fixed order; `loss_of` gives kept signals."""

    def differentiate(item: tuple[NightSample, int]) -> tuple[Tensor, Tensor, Any, Any]:
        night, seed = item
        rng = np.random.default_rng(seed)
        with dropout_seed(int(rng.integers(2**63))):
            loss, logits, kept = loss_of(night, rng)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return loss.detach(), logits.detach(), gradients, kept

    seeded = zip(nights, seeds, strict=True)
    results = map_nights(
        differentiate,
        [(night, seed) for night, seed in seeded if night.x],
        device=device,
        in_turn=in_turn,
    )
    gradients: list[Tensor | None] = [None] * len(parameters)
    for _, _, of_night, _ in results:
        gradients = _add(gradients, of_night)
    return NightGradients(
        sum((loss for loss, *_ in results), torch.zeros((), device=device)),
        gradients,
        [logits for _, logits, _, _ in results],
        [kept for *_, kept in results],
    )


def accumulate_gradients(
    parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None], factor: float
) -> None:
    """Add gradients to those that parameters have, times a factor."""
    for parameter in parameters:
        if parameter.grad is not None and factor:
            parameter.grad *= factor
    summed = _add([parameter.grad for parameter in parameters], gradients)
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient


def _add(sums: Sequence[Tensor | None], gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Add gradients to sums, in place where there is one."""
    result: list[Tensor | None] = []
    for total, gradient in zip(sums, gradients, strict=True):
        if gradient is None:
            result.append(total)
        else:  # autograd's own tensors may share memory
            result.append(gradient.clone() if total is None else total.add_(gradient))
    return result


def network_input(x: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return a batch of one night, from (n_epochs, samples_per_epoch) and (n_epochs,) by signal."""
    return {
        "x": {name: samples[None] for name, samples in x.items()},
        "present": {name: present[name][None] for name in x},
    }


def nights_with_signals(batch: NightBatch, consequence: str) -> tuple[NightSample, ...]:
    """Return the nights that have a signal, and warn of the others and what becomes of them."""
    paths = [night.path for night in batch.nights if not night.x]
    if paths:
        warnings.warn(
            f"No usable signal in {', '.join(paths)}. {consequence}",
            MissingSignalWarning,
            stacklevel=3,
        )
    return tuple(night for night in batch.nights if night.x)


def names_of_batch_norms(module: nn.Module) -> list[str]:
    """Return the parts of a network that follow running averages, one night after the other."""
    return [
        name
        for name, part in module.named_modules()
        if getattr(part, "running_mean", None) is not None
    ]
