"""The published encoder's blocks on a CPU: in pieces that stay in the cache.

A night of ECG has more than a million samples, and sixteen channels of them: 80 MB for each
intermediate result. Layer by layer, the arithmetic waits for the memory. Here a block is computed
piece by piece: a piece is normalized, activated and convolved while it is in the cache, so that
each layer reads and writes the memory once. Only what the norms need of the whole night, a mean
and a variance for each channel, separates the layers.

The backward pass keeps the outputs of the convolutions alone and computes the rest anew, which is
also a third of the memory. Pieces are shared by threads; sums over them are taken in their order,
so that the result does not depend on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["stream_block", "streaming_threads"]

# Values in a piece: a megabyte, as an L2 cache has it. It must not depend on the number of threads,
# or else sums would.
PIECE_VALUES = 2**18

_threads = threading.local()


@contextmanager
def streaming_threads(pool: ThreadPoolExecutor | None) -> Iterator[None]:
    """Share the pieces among the threads of a pool, for calls of this thread.

    Parameters
    ----------
    pool : ThreadPoolExecutor or None
        Its threads must compute with one torch thread each.
    """
    before = getattr(_threads, "pool", None)
    _threads.pool = pool
    try:
        yield
    finally:
        _threads.pool = before


def stream_block(
    x: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    downsample: Tensor,
    epsilon: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Compute a block: three convolutions with instance norm and GELU, and a residual.

    Parameters
    ----------
    x : Tensor of shape (time, in_channels)
        Contiguous on the CPU; time is even.
    weights : three Tensors of shape (out_channels, channels, 3)
        Of the convolutions; the third has stride 2.
    downsample : Tensor of shape (out_channels, in_channels, 1)
        Of the residual connection, with stride 2.
    epsilon : float
        Of the instance norms.
    dtype : {torch.float32, torch.bfloat16}, default=torch.float32
        Type in which convolutions are computed and results are stored. Norms, activations, sums
        and what a single input channel holds are float32 in any case.

    Returns
    -------
    Tensor of shape (time / 2, out_channels)
        Of type `dtype`.
    """
    return _Block.apply(x, *weights, downsample, epsilon, dtype)


class _Norm(NamedTuple):
    """Instance norm of a night: ``y * scale + shift``, each of shape (channels,)."""

    scale: Tensor
    shift: Tensor


class _Block(torch.autograd.Function):
    """A block with its gradient; keeps its input and the outputs of its convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Any) -> Tensor:
        *weights, downsample, epsilon, dtype = parameters
        ys, norms = [], []
        y, norm = x, None
        for weight, stride in zip(weights, (1, 1, 2), strict=True):
            y, norm = _convolve_and_measure(y, norm, weight, stride, epsilon, dtype)
            if any(ctx.needs_input_grad):
                ys.append(y)
                norms.append(norm)
        ctx.save_for_backward(x, *weights, downsample, *ys)
        ctx.norms = norms
        out = torch.empty(y.shape, dtype=dtype)
        projection = downsample[:, :, 0].T

        def finish(start: int, stop: int) -> None:
            skipped = x[2 * start : 2 * stop : 2].float() @ projection
            out[start:stop] = functional.gelu(skipped.add_(_activate(y, norm, start, stop)))

        _for_pieces(finish, y.shape)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, *weights, downsample, y1, y2, y3 = ctx.saved_tensors
        norm1, norm2, norm3 = ctx.norms
        into_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        at_n3, of_downsample = _through_sum(gradient.contiguous(), x, downsample, y3, norm3, into_x)
        at_n2, of_w3 = _through_convolution(at_n3, y3, norm3, weights[2], 2, y2, norm2)
        del at_n3
        at_n1, of_w2 = _through_convolution(at_n2, y2, norm2, weights[1], 1, y1, norm1)
        del at_n2
        of_w1 = _through_first_convolution(at_n1, y1, norm1, weights[0], x, into_x)
        return into_x, of_w1, of_w2, of_w3, of_downsample, None, None


class _AtNorm(NamedTuple):
    """Gradient at the output of a norm, and what its own gradient needs of the whole night."""

    gradient: Tensor
    mean: Tensor
    projection: Tensor


def _for_pieces(function: Callable[[int, int], Any], shape: torch.Size) -> list[Any]:
    """Call a function for the start and the stop of each piece, and return what it gives."""
    length, channels = shape
    step = max(PIECE_VALUES // channels, 1)
    bounds = [(start, min(start + step, length)) for start in range(0, length, step)]
    pool = getattr(_threads, "pool", None)
    inference = torch.is_inference_mode_enabled()

    def call(piece: tuple[int, int]) -> Any:
        # Threads of a pool know none of these states of the calling thread.
        with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", enabled=False):
            return function(*piece)

    if pool is None or len(bounds) == 1:
        return [call(piece) for piece in bounds]
    return list(pool.map(call, bounds))


def _convolve_and_measure(
    x: Tensor,
    norm: _Norm | None,
    weight: Tensor,
    stride: int,
    epsilon: float,
    dtype: torch.dtype,
) -> tuple[Tensor, _Norm]:
    """Return a convolution of the activated input, and the norm that follows on it."""
    length = len(x) // stride
    y = torch.empty(length, len(weight), dtype=dtype)

    def convolve(start: int, stop: int) -> tuple[int, Tensor, Tensor]:
        a = _activate(x, norm, stride * start - 1, stride * (stop - 1) + 2)
        piece = _convolve(a, weight, stride, dtype)
        y[start:stop] = piece
        piece = piece.float()
        mean = piece.mean(0)
        return len(piece), mean, piece.sub_(mean).square_().sum(0)

    counts, means, squares = zip(*_for_pieces(convolve, y.shape), strict=True)
    count = torch.tensor(counts, dtype=torch.float64)[:, None]
    by_piece = torch.stack(means).double()
    mean = (count * by_piece).sum(0) / length
    # Within the pieces and between them (Chan, Golub & LeVeque 1983, Am. Stat. 37:242).
    spread = torch.stack(squares).double().sum(0) + (count * (by_piece - mean) ** 2).sum(0)
    scale = torch.rsqrt(spread / length + epsilon)
    return y, _Norm(scale.float(), (-mean * scale).float())


def _normalize(y: Tensor, norm: _Norm, start: int, stop: int) -> Tensor:
    return torch.addcmul(norm.shift, y[start:stop].float(), norm.scale)


def _activate(y: Tensor, norm: _Norm | None, start: int, stop: int) -> Tensor:
    """Return the layer's output from `start` to `stop`, with zeros outside the night."""
    first, last = max(start, 0), min(stop, len(y))
    a = y[first:last].float() if norm is None else functional.gelu(_normalize(y, norm, first, last))
    if first > start or last < stop:
        a = functional.pad(a, (0, 0, first - start, stop - last))
    return a


def _before_norm(at: _AtNorm, y: Tensor, norm: _Norm, start: int, stop: int) -> Tensor:
    """Return the gradient at a convolution's output, with zeros outside the night."""
    first, last = max(start, 0), min(stop, len(y))
    gradient = torch.addcmul(
        at.gradient[first:last].float() - at.mean,
        _normalize(y, norm, first, last),
        at.projection,
        value=-1,
    ).mul_(norm.scale)
    if first > start or last < stop:
        gradient = functional.pad(gradient, (0, 0, first - start, stop - last))
    return gradient


def _at_norm(gradient: Tensor, sums: list[tuple[Tensor, Tensor]]) -> _AtNorm:
    """Put together what the pieces of a gradient at a norm's output sum up to."""
    means, projections = zip(*sums, strict=True)
    mean = torch.stack(means).double().sum(0) / len(gradient)
    projection = torch.stack(projections).double().sum(0) / len(gradient)
    return _AtNorm(gradient, mean.float(), projection.float())


def _through_sum(
    gradient: Tensor,
    x: Tensor,
    downsample: Tensor,
    y: Tensor,
    norm: _Norm,
    into_x: Tensor | None,
) -> tuple[_AtNorm, Tensor]:
    """Go back through the last activation and the residual sum."""
    projection = downsample[:, :, 0]
    at_norm = torch.empty(y.shape, dtype=y.dtype)

    def differentiate(start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        n = _normalize(y, norm, start, stop)
        skipped = x[2 * start : 2 * stop : 2].float()
        total = (skipped @ projection.T).add_(functional.gelu(n))
        at_sum = torch.ops.aten.gelu_backward(gradient[start:stop].float(), total)
        if into_x is not None:
            into_x[2 * start : 2 * stop : 2] = at_sum @ projection
        piece = torch.ops.aten.gelu_backward(at_sum, n)
        at_norm[start:stop] = piece
        return at_sum.T @ skipped, (piece.sum(0), piece.mul(n).sum(0))

    of_weight, sums = zip(*_for_pieces(differentiate, y.shape), strict=True)
    return _at_norm(at_norm, list(sums)), sum(of_weight)[:, :, None]


def _through_convolution(
    at: _AtNorm,
    y: Tensor,
    norm: _Norm,
    weight: Tensor,
    stride: int,
    before: Tensor,
    norm_before: _Norm,
) -> tuple[_AtNorm, Tensor]:
    """Go back through a norm, its convolution and the activation before that."""
    at_norm = torch.empty(before.shape, dtype=y.dtype)

    def differentiate(start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        # One more on each side: what they give falls into this piece too.
        gradient = _before_norm(at, y, norm, start - 1, stop + 1)
        first, last = stride * start, stride * stop
        at_input = _transpose_convolve(gradient, weight, stride, last - first, y.dtype)
        a = _activate(before, norm_before, first - 1, stride * (stop - 1) + 2)
        of_weight = _weight_gradient(a, gradient[1:-1], weight, stride, y.dtype)
        n = _normalize(before, norm_before, first, last)
        piece = torch.ops.aten.gelu_backward(at_input, n)
        at_norm[first:last] = piece
        return of_weight, (piece.sum(0), piece.mul(n).sum(0))

    of_weight, sums = zip(*_for_pieces(differentiate, y.shape), strict=True)
    return _at_norm(at_norm, list(sums)), sum(of_weight)


def _through_first_convolution(
    at: _AtNorm, y: Tensor, norm: _Norm, weight: Tensor, x: Tensor, into_x: Tensor | None
) -> Tensor:
    """Go back through the first norm and convolution; the block's input was not activated."""

    def differentiate(start: int, stop: int) -> Tensor:
        gradient = _before_norm(at, y, norm, start - 1, stop + 1)
        if into_x is not None:
            into_x[start:stop] += _transpose_convolve(gradient, weight, 1, stop - start, y.dtype)
        a = _activate(x, None, start - 1, stop + 1)
        return _weight_gradient(a, gradient[1:-1], weight, 1, y.dtype)

    return sum(_for_pieces(differentiate, y.shape))


def _as_image(x: Tensor) -> Tensor:
    """View (time, channels) as what 2-D convolutions take, with the channels last in memory."""
    return x.T[None, :, None, :]


def _as_kernel(weight: Tensor) -> Tensor:
    return weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _convolve(x: Tensor, weight: Tensor, stride: int, dtype: torch.dtype) -> Tensor:
    """Convolve without padding, from (time, channels) to (time, channels)."""
    if x.shape[1] == 1:
        return x[:, 0].unfold(0, 3, stride) @ weight[:, 0].T
    x, weight = x.to(dtype), weight.to(dtype)
    return functional.conv2d(_as_image(x), _as_kernel(weight), stride=(1, stride))[0, :, 0].T


def _transpose_convolve(
    gradient: Tensor, weight: Tensor, stride: int, length: int, dtype: torch.dtype
) -> Tensor:
    """Return the gradient of `length` inputs; `gradient` has one output more on each side."""
    if stride == 1:
        return _convolve(gradient, weight.flip(2).transpose(0, 1), 1, dtype).float()
    # Output j takes the inputs 2j - 1, 2j and 2j + 1, so that the one before the piece has no part.
    outputs = gradient[1:]
    n_inputs = 2 * len(outputs) + 1
    unread = gradient.new_empty(1).expand(n_inputs, weight.shape[1])
    inputs = _convolution_backward(outputs, unread, weight, 2, (True, False), dtype)[0]
    return inputs[0, :, 0].T[1 : 1 + length].float()


def _weight_gradient(
    x: Tensor, gradient: Tensor, weight: Tensor, stride: int, dtype: torch.dtype
) -> Tensor:
    if x.shape[1] == 1:
        return (gradient.T @ x[:, 0].unfold(0, 3, stride))[:, None]
    wanted = (False, True)
    return _convolution_backward(gradient, x, weight, stride, wanted, dtype)[1].squeeze(2).float()


def _convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: int,
    wanted: tuple[bool, bool],
    dtype: torch.dtype,
) -> Any:
    return torch.ops.aten.convolution_backward(
        _as_image(gradient.to(dtype)),
        _as_image(x.to(dtype)),
        _as_kernel(weight.to(dtype)),
        None,
        [1, stride],
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        1,
        [*wanted, False],
    )
