"""Nights side by side, in threads that each compute alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from sklearn_sleep.networks.cpu.pieces import keeping_buffers, share_pieces

__all__ = ["map_nights"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_nights(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    device: torch.device,
    in_turn: bool = False,
) -> list[Result]:
    """Apply a function to each night, several at a time on a CPU.

    Each call computes with one torch thread, and shares the pieces of its convolutions among
    threads (`sklearn_sleep.networks.cpu.pieces`). Sums in parallel torch operations depend on how
    many threads share them; computed like this, a result is the same bit for bit on one core, on
    many, and in a worker process of a parallel search.

    Parameters
    ----------
    function : callable
        Takes a night.
    items : iterable
        The nights.
    device : torch.device
        Where the function computes; on other devices than a CPU the nights take turns.
    in_turn : bool, default=False
        One night after the other, as functions need that write what the next one reads.

    Returns
    -------
    list
        Results in the order of the items.
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
