"""Losses and gradients of whole nights, side by side in threads that each compute alone."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.networks.cpu.pieces import keeping_buffers, share_pieces
from sklearn_sleep.networks.layers import dropout_seed
from sklearn_sleep.training.night_dataset import NightBatch, NightSample

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        gradients: Sequence[Tensor | None] = [None] * len(parameters)
        if loss.requires_grad:  # not where the signals of a night have frozen parts alone
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


def hold_frozen_statistics(module: nn.Module) -> None:
    """Keep norms whose weights are frozen from following the nights of a training."""
    for part in module.modules():
        if getattr(part, "running_mean", None) is not None:
            weights = list(part.parameters(recurse=False))
            if weights and not any(weight.requires_grad for weight in weights):
                part.eval()


def names_of_batch_norms(module: nn.Module) -> list[str]:
    """Return the parts of a network that follow running averages, one night after the other."""
    return [
        name
        for name, part in module.named_modules()
        if getattr(part, "running_mean", None) is not None
    ]


def map_nights(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    device: torch.device,
    in_turn: bool = False,
) -> list[Result]:
    """Apply a function to each night, several at a time on a CPU, and keep their order.

    Each call computes with one torch thread, and shares the pieces of its convolutions among
    threads (`sklearn_sleep.networks.cpu`). Sums in parallel torch operations depend on how many
    threads share them; computed like this, a result is the same bit for bit on one core, on many,
    and in a worker process of a parallel search. With `in_turn`, each night finds what the one
    before has written.
    """
    items = list(items)
    if device.type != "cpu":
        return [function(item) for item in items]
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if n_threads == 1 or not items:
            with keeping_buffers():
                return [function(item) for item in items]
        # While one night is where it cannot be shared, the pieces of another fill the cores.
        n_nights = 1 if in_turn else min(n_threads, len(items))
        with (
            ThreadPoolExecutor(n_threads, initializer=_compute_alone) as pieces,
            ThreadPoolExecutor(n_nights, initializer=_compute_alone, initargs=(pieces,)) as nights,
        ):
            return list(nights.map(function, items))
    finally:
        torch.set_num_threads(n_threads)


def _compute_alone(pieces: ThreadPoolExecutor | None = None) -> None:
    """Prepare a thread."""
    torch.set_num_threads(1)
    share_pieces(pieces)
