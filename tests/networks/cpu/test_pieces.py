"""Pieces, and memory that is used again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sklearn_sleep.networks.cpu import pieces
from sklearn_sleep.networks.cpu.pieces import (
    Buffers,
    current_buffers,
    empty,
    for_pieces,
    keeping_buffers,
    share_pieces,
)


@pytest.mark.parametrize("n_values", [1, 2**10, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_empty_tensors_can_be_written_anywhere(n_values, dtype):
    with torch.inference_mode():
        tensor = empty((n_values, 2), dtype)
    assert (tensor.shape, tensor.dtype, tensor.is_inference()) == ((n_values, 2), dtype, False)
    tensor.fill_(3)
    assert tensor.float().mean() == 3


def test_a_system_without_huge_pages(monkeypatch):
    monkeypatch.setattr(pieces.mmap, "MADV_HUGEPAGE", 9999)  # which the system refuses
    with pytest.raises(OSError, match="Invalid"):
        pieces.mmap.mmap(-1, 4096).madvise(9999)
    assert empty((2**20,), torch.float32).fill_(2).sum() == 2**21


def test_buffers_are_not_given_twice():
    buffers = Buffers()
    first, second = (buffers.take((8, 4), torch.float32) for _ in range(2))
    first.fill_(1)
    second.fill_(2)
    assert torch.equal(first, torch.ones(8, 4))
    buffers.give(first)
    buffers.give(first)  # it is not there any more
    third, fourth = (buffers.take((16,), torch.bfloat16) for _ in range(2))
    addresses = {tensor.data_ptr() for tensor in (second, third, fourth)}
    assert len(addresses) == 3
    assert third.data_ptr() == first.data_ptr()


def test_the_smallest_that_fits_is_taken():
    buffers = Buffers()
    tensors = [buffers.take((n,), torch.float32) for n in (100, 10, 1000)]
    for tensor in tensors:
        buffers.give(tensor)
    assert buffers.take((50,), torch.float32).data_ptr() == tensors[0].data_ptr()
    assert buffers.take((2000,), torch.float32).data_ptr() not in {t.data_ptr() for t in tensors}


def test_a_tensor_from_elsewhere_is_left_alone():
    buffers = Buffers()
    tensor = torch.ones(4)
    buffers.give(tensor)
    assert buffers.take((4,), torch.float32).data_ptr() != tensor.data_ptr()


def test_buffers_are_kept_within_the_context_alone():
    assert current_buffers() is not current_buffers()
    with keeping_buffers():
        kept = current_buffers()
        assert current_buffers() is kept
        with keeping_buffers():
            assert current_buffers() is kept
    assert current_buffers() is not kept


@pytest.mark.parametrize("n_threads", [None, 1, 3])
def test_pieces_in_their_order(n_threads):
    """Each piece once, in order, with the caller's mode, whatever the number of threads."""

    def describe(start, stop):
        return start, stop, torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    def call():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return for_pieces(describe, 10, 4)

    expected = [(0, 4, True, False), (4, 8, True, False), (8, 10, True, False)]
    if n_threads is None:
        assert call() == expected
        return
    with (
        ThreadPoolExecutor(n_threads) as pool,
        ThreadPoolExecutor(1, initializer=share_pieces, initargs=(pool,)) as caller,
    ):
        assert caller.submit(call).result() == expected
