"""Work on a night in pieces: threads that share them, and memory that is used again."""

import contextlib
import math
import mmap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

_HUGE_PAGE = 2**21  # bytes, on x86-64 and most of ARM

_of_thread = threading.local()


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return an uninitialized tensor on the CPU, in huge pages where the system has them."""
    # Torch itself asks for pages of 4 KB, each of which costs a call to the system (measured: a
    # quarter of the time of an encoder), and what it frees may stay with the process.
    n_bytes = math.prod(shape) * dtype.itemsize
    # An inference tensor could not be written to in training.
    with torch.inference_mode(False):
        if not hasattr(mmap, "MADV_HUGEPAGE") or n_bytes < _HUGE_PAGE:
            return torch.empty(shape, dtype=dtype)
        memory = mmap.mmap(-1, n_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):  # of a system that has none
            memory.madvise(mmap.MADV_HUGEPAGE)
        return torch.frombuffer(memory, dtype=dtype).view(shape)


class Buffers:
    """Memory for intermediate results, used again and again."""

    # A page of memory that a process touches for the first time is cleared by the system, which
    # takes as long as the arithmetic of a layer.

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._taken: dict[int, Tensor] = {}

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an uninitialized tensor."""
        n_bytes = math.prod(shape) * dtype.itemsize
        fitting = [memory for memory in self._free if len(memory) >= n_bytes]
        if fitting:
            memory = min(fitting, key=len)
            self._free = [free for free in self._free if free is not memory]
        else:
            memory = empty((n_bytes,), torch.uint8)
        self._taken[memory.data_ptr()] = memory
        return memory[:n_bytes].view(dtype).view(shape)

    def give(self, tensor: Tensor) -> None:
        """Take a tensor back that is read no more; one from elsewhere is left alone."""
        memory = self._taken.pop(tensor.data_ptr(), None)
        if memory is not None:
            self._free.append(memory)


def share_pieces(pool: ThreadPoolExecutor | None) -> None:
    """Share pieces among a pool's threads, of one torch thread each, in all that this thread does.

    Without a pool, this thread computes them. Its buffers are kept from now on.
    """
    _of_thread.pool, _of_thread.buffers = pool, Buffers()


@contextlib.contextmanager
def keeping_buffers() -> Iterator[None]:
    """Keep buffers from call to call of this thread, until the context is left."""
    before = getattr(_of_thread, "buffers", None)
    _of_thread.buffers = before or Buffers()
    try:
        yield
    finally:
        _of_thread.buffers = before


def current_buffers() -> Buffers:
    """Return the buffers of this thread; new ones where none are kept."""
    return getattr(_of_thread, "buffers", None) or Buffers()


def for_pieces(function: Callable[[int, int], Result], length: int, step: int) -> list[Result]:
    """Return the results of a function of the start and the stop of each piece, in their order.

    The length of a piece, `step`, must not depend on the number of threads, or else sums would.
    """
    bounds = [(start, min(start + step, length)) for start in range(0, length, step)]
    pool = getattr(_of_thread, "pool", None)
    inference = torch.is_inference_mode_enabled()

    def call(piece: tuple[int, int]) -> Result:
        # Threads of a pool know none of these states of the calling thread.
        with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", enabled=False):
            return function(*piece)

    if pool is None or len(bounds) == 1:
        return [call(piece) for piece in bounds]
    return list(pool.map(call, bounds))
