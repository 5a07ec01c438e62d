"""Nights side by side, in threads that each compute alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["map_nights"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_nights(
    function: Callable[[Item], Result], items: Iterable[Item], *, device: str
) -> list[Result]:
    """Apply a function to each night, several at a time on a CPU.

    Each call computes with one thread. Sums in parallel torch operations depend on how many
    threads share them; computed like this, a result is the same bit for bit on one core, on many,
    and in a worker process of a parallel search.

    Parameters
    ----------
    function : callable
        Takes a night.
    items : iterable
        The nights.
    device : str
        Where the function computes; on other devices than ``"cpu"`` the nights take turns.

    Returns
    -------
    list
        Results in the order of the items.
    """
    items = list(items)
    if torch.device(device).type != "cpu":
        return [function(item) for item in items]
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if n_threads == 1 or len(items) <= 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(
            min(n_threads, len(items)), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(n_threads)
