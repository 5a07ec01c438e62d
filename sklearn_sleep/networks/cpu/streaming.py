"""The published encoder's blocks on a CPU: in pieces that stay in the cache."""

# A night of ECG has more than a million samples, and sixteen channels of them: 80 MB for each
# intermediate result. Layer by layer, the arithmetic waits for the memory. Here a block is computed
# piece by piece: a piece is normalized, activated and convolved while it is in the cache, so that
# each layer reads and writes the memory once. Only what the norms need of the whole night, a mean
# and a variance for each channel, separates the layers.
#
# The backward pass keeps the outputs of two convolutions, or of none, and computes the rest anew: a
# third of the memory or less. Pieces are shared by threads; sums over them are taken in their
# order, so that the result does not depend on the number of threads.

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sklearn_sleep.networks.cpu.pieces import Buffers, current_buffers, empty, for_pieces

Result = TypeVar("Result")

# Values in a piece: a megabyte, as an L2 cache has it (measured: 2**15 to 2**19).
PIECE_VALUES = 2**18


def stream_nights(
    nights: Tensor,
    blocks: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]],
    epsilon: float,
    *,
    recompute: bool = False,
) -> Tensor:
    """Compute a CNN: (batch, time) to (batch, time / 2 ** len(blocks), out_channels)."""
    is_lower = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if is_lower else torch.float32
    buffers = current_buffers()
    streamed = []
    for night in nights:
        y = night[:, None].contiguous()
        for w1, w2, w3, downsample in blocks:
            before, weights = y, (w1, w2, w3)
            y = stream_block(before, weights, downsample, epsilon, dtype, recompute=recompute)
            buffers.give(before)
        streamed.append(y)
    together = torch.stack(streamed)
    _give_all(buffers, *streamed)
    return together


def stream_block(
    x: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    downsample: Tensor,
    epsilon: float,
    dtype: torch.dtype = torch.float32,
    *,
    recompute: bool = False,
) -> Tensor:
    """Compute a `ConvBlock`: (time, in_channels), contiguous, to (time / 2, out_channels).

    Convolutions are of type `dtype`, float32 or bfloat16, and so is the result; norms, activations,
    sums and what a single input channel holds are float32. To `recompute` is to keep the input
    alone for the gradient. Without gradient the result is one of the `current_buffers`.
    """
    tensors = (x, *weights, downsample)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return _Block.apply(*tensors, epsilon, dtype, recompute)
    buffers = current_buffers()
    out = buffers.take((len(x) // 2, len(downsample)), dtype)
    layers = _compute(*tensors, epsilon, out, buffers.take)
    _give_all(buffers, *(layer.y for layer in layers[1:]))
    return out


class _Norm(NamedTuple):
    """Instance norm of a night: ``y * scale + shift``, each of shape (channels,)."""

    scale: Tensor
    shift: Tensor


class _Layer(NamedTuple):
    """What a convolution gave, (time, channels), and the norm that follows on it before GELU."""

    y: Tensor
    norm: _Norm


class _Block(torch.autograd.Function):
    """A block with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Any) -> Tensor:
        w1, w2, w3, downsample, epsilon, dtype, recompute = parameters
        buffers = current_buffers()
        out = empty((len(x) // 2, len(downsample)), dtype)
        make = buffers.take if recompute else empty
        layers = _compute(x, w1, w2, w3, downsample, epsilon, out, make)
        ys = [layer.y for layer in layers[1:]]
        if recompute:
            _give_all(buffers, *ys)
        ctx.norms, ctx.dtype, ctx.buffers = [layer.norm for layer in layers], dtype, buffers
        ctx.save_for_backward(x, w1, w2, w3, downsample, *(() if recompute else ys))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, w1, w2, w3, downsample, *kept = ctx.saved_tensors
        dtype, buffers = ctx.dtype, ctx.buffers

        def convolve_anew(
            before: Tensor | _Layer, weight: Tensor, length: int, norm: _Norm
        ) -> _Layer:
            y = buffers.take((length, len(weight)), dtype)
            _convolve_pieces(before, weight, y, lambda _: None)
            return _Layer(y, norm)

        first = convolve_anew(x, w1, len(x), ctx.norms[0])
        if kept:
            second, third = map(_Layer, kept, ctx.norms[1:])
        else:
            second = convolve_anew(first, w2, len(x), ctx.norms[1])
            third = convolve_anew(second, w3, len(x) // 2, ctx.norms[2])
        into_x = empty(x.shape, x.dtype) if ctx.needs_input_grad[0] else None
        at_third, of_downsample = _through_sum(
            gradient.contiguous(), x, downsample, third, into_x, buffers
        )
        at_second, of_w3 = _through_convolution(at_third, third, w3, second, buffers)
        _give_all(buffers, at_third.gradient, third.y)
        at_first, of_w2 = _through_convolution(at_second, second, w2, first, buffers)
        _give_all(buffers, at_second.gradient, second.y)
        of_w1 = _through_first_convolution(at_first, first, w1, x, into_x)
        _give_all(buffers, at_first.gradient, first.y)
        return into_x, of_w1, of_w2, of_w3, of_downsample, None, None, None


def _compute(
    x: Tensor,
    w1: Tensor,
    w2: Tensor,
    w3: Tensor,
    downsample: Tensor,
    epsilon: float,
    out: Tensor,
    make: Callable[[tuple[int, int], torch.dtype], Tensor],
) -> tuple[_Layer, _Layer, _Layer]:
    """Write a block's output; return its layers, the last two in memory that `make` gives."""
    buffers, dtype = current_buffers(), out.dtype
    length, channels = len(x), len(w1)
    y1 = buffers.take((length, channels), dtype)
    first = _convolve_and_measure(x, w1, epsilon, y1)
    y2 = make((length, channels), dtype)
    second = _convolve_and_measure(first, w2, epsilon, y2)
    buffers.give(y1)
    y3 = make((length // 2, channels), dtype)
    third = _convolve_and_measure(second, w3, epsilon, y3)
    projection = downsample[:, :, 0].T.to(x.dtype)

    def finish(start: int, stop: int) -> None:
        total = _activate(third, start, stop)
        total += x[2 * start : 2 * stop : 2] @ projection
        out[start:stop] = torch.ops.aten.gelu_(total)

    _for_pieces(finish, y3)
    return first, second, third


class _AtNorm(NamedTuple):
    """Gradient at the output of a norm, and what its own gradient needs of the whole night."""

    gradient: Tensor
    mean: Tensor
    projection: Tensor


def _for_pieces(function: Callable[[int, int], Result], y: Tensor) -> list[Result]:
    """Call a function for the start and the stop of each piece of (time, channels)."""
    length, channels = y.shape
    return for_pieces(function, length, max(PIECE_VALUES // channels, 1))


def _give_all(buffers: Buffers, *tensors: Tensor) -> None:
    for tensor in tensors:
        buffers.give(tensor)


def _convolve_and_measure(
    before: Tensor | _Layer, weight: Tensor, epsilon: float, y: Tensor
) -> _Layer:
    """Write a convolution into `y`, and return it with the norm that follows on it."""
    measured = _convolve_pieces(before, weight, y, _mean_and_spread)
    counts, means, squares = zip(*measured, strict=True)
    count = torch.tensor(counts, dtype=torch.float64)[:, None]
    by_piece = torch.stack(means).double()
    mean = (count * by_piece).sum(0) / len(y)
    # Within the pieces and between them (Chan, Golub & LeVeque 1983, Am. Stat. 37:242).
    spread = torch.stack(squares).double().sum(0) + (count * (by_piece - mean) ** 2).sum(0)
    scale = torch.rsqrt(spread / len(y) + epsilon)
    return _Layer(y, _Norm(scale.float(), (-mean * scale).float()))


def _convolve_pieces(
    before: Tensor | _Layer, weight: Tensor, y: Tensor, measure: Callable[[Tensor], Result]
) -> list[Result]:
    """Write a convolution of the input or of an activated layer; return a measure of each piece."""
    stride = _stride(before, y)

    def convolve(start: int, stop: int) -> Result:
        a = _activate(before, stride * start - 1, stride * (stop - 1) + 2)
        piece = _convolve(a, weight, stride, y.dtype)
        y[start:stop] = piece
        return measure(piece)

    return _for_pieces(convolve, y)


def _stride(before: Tensor | _Layer, y: Tensor) -> int:
    return len(before if isinstance(before, Tensor) else before.y) // len(y)


def _mean_and_spread(piece: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return the length, each channel's mean, and its sum of squares around that."""
    if piece.dtype == torch.float32:
        mean = piece.mean(0)
        return len(piece), mean, piece.sub_(mean).square_().sum(0)
    # A channel that a few digits resolve has no mean far beyond its spread.
    piece = piece.float()
    mean = piece.mean(0)
    spread = piece.square_().sum(0) - len(piece) * mean.square()
    return len(piece), mean, spread.clamp_(min=0)


def _normalize(layer: _Layer, start: int, stop: int) -> Tensor:
    return torch.addcmul(layer.norm.shift, layer.y[start:stop].float(), layer.norm.scale)


def _activate(before: Tensor | _Layer, start: int, stop: int) -> Tensor:
    """Return the input, or a layer's output, from `start` to `stop`; zeros outside the night."""
    length = len(before if isinstance(before, Tensor) else before.y)
    first, last = max(start, 0), min(stop, length)
    if isinstance(before, Tensor):
        a = before[first:last].float()
    else:
        a = torch.ops.aten.gelu_(_normalize(before, first, last))
    return _with_zeros(a, first - start, stop - last)


def _with_zeros(x: Tensor, before: int, after: int) -> Tensor:
    return functional.pad(x, (0, 0, before, after)) if before or after else x


def _before_norm(at: _AtNorm, layer: _Layer, start: int, stop: int) -> Tensor:
    """Return the gradient at a convolution's output, with zeros outside the night."""
    (y, norm), first, last = layer, max(start, 0), min(stop, len(layer.y))
    # scale * (gradient - mean - projection * (scale * y + shift)), in two steps.
    of_y = -at.projection * norm.scale.square()
    constant = -norm.scale * (at.mean + at.projection * norm.shift)
    before = torch.addcmul(constant, at.gradient[first:last].float(), norm.scale)
    return _with_zeros(before.addcmul_(y[first:last].float(), of_y), first - start, stop - last)


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
    layer: _Layer,
    into_x: Tensor | None,
    buffers: Buffers,
) -> tuple[_AtNorm, Tensor]:
    """Go back through the last activation and the residual sum."""
    projection = downsample[:, :, 0]
    at_norm = buffers.take(layer.y.shape, layer.y.dtype)

    def differentiate(start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        n = _normalize(layer, start, stop)
        skipped = x[2 * start : 2 * stop : 2].float()
        total = (skipped @ projection.T).add_(functional.gelu(n))
        at_sum = torch.ops.aten.gelu_backward(gradient[start:stop].float(), total)
        if into_x is not None:
            # Every second input; the first convolution adds to them all.
            pairs = into_x[2 * start : 2 * stop].unflatten(0, (-1, 2))
            pairs[:, 0], pairs[:, 1] = at_sum @ projection, 0
        return at_sum.T @ skipped, _through_activation(at_sum, n, at_norm, start, stop)

    of_weight, sums = zip(*_for_pieces(differentiate, layer.y), strict=True)
    return _at_norm(at_norm, list(sums)), torch.stack(of_weight).sum(0)[:, :, None]


def _through_activation(
    gradient: Tensor, n: Tensor, into: Tensor, start: int, stop: int
) -> tuple[Tensor, Tensor]:
    """Write the gradient at a norm's output `n`; return its sums, without and with `n`."""
    piece = torch.ops.aten.gelu_backward(gradient, n)
    into[start:stop] = piece
    return piece.sum(0), piece.mul_(n).sum(0)


def _through_convolution(
    at: _AtNorm, layer: _Layer, weight: Tensor, before: _Layer, buffers: Buffers
) -> tuple[_AtNorm, Tensor]:
    """Go back through a norm, its convolution and the activation before that."""
    dtype, length, stride = layer.y.dtype, len(before.y), _stride(before, layer.y)
    at_norm = buffers.take(before.y.shape, dtype)

    def differentiate(start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        # One more on each side: what they give falls into this piece too.
        gradient = _before_norm(at, layer, start - 1, stop + 1)
        first, last = stride * start, stride * stop
        at_input = _transpose_convolve(gradient, weight, stride, last - first, dtype)
        # The convolution saw one input more on either side; with stride 2, before it alone.
        reach = last + 2 - stride
        n = _normalize(before, max(first - 1, 0), min(reach, length))
        a = _with_zeros(functional.gelu(n), int(first == 0), max(reach - length, 0))
        of_weight = _weight_gradient(a, gradient[1:-1], weight, stride, dtype)
        n = n[int(first > 0) :][: last - first]
        return of_weight, _through_activation(at_input, n, at_norm, first, last)

    of_weight, sums = zip(*_for_pieces(differentiate, layer.y), strict=True)
    return _at_norm(at_norm, list(sums)), torch.stack(of_weight).sum(0)


def _through_first_convolution(
    at: _AtNorm, layer: _Layer, weight: Tensor, x: Tensor, into_x: Tensor | None
) -> Tensor:
    """Go back through the first norm and convolution; the block's input was not activated."""
    dtype = layer.y.dtype

    def differentiate(start: int, stop: int) -> Tensor:
        gradient = _before_norm(at, layer, start - 1, stop + 1)
        if into_x is not None:
            into_x[start:stop] += _transpose_convolve(gradient, weight, 1, stop - start, dtype)
        a = _activate(x, start - 1, stop + 1)
        return _weight_gradient(a, gradient[1:-1], weight, 1, dtype)

    return torch.stack(_for_pieces(differentiate, layer.y)).sum(0)


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
