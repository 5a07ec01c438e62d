"""Layers of which encoders and mixers are made: activations, dropout and convolutions."""

import contextlib
import math
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.cpu.choice import TILE_LENGTH, tiles_convolutions
from sklearn_sleep.networks.norms import NORMS
from sklearn_sleep.networks.parts import Part, Registry

# Under the published names; "leaky" has torch's slope of 0.01 below zero.
ACTIVATIONS = Registry(
    "activation",
    {
        "relu": nn.ReLU,
        "leaky": nn.LeakyReLU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "swish": nn.SiLU,
        "linear": nn.Identity,
    },
)

_dropout = threading.local()


@contextlib.contextmanager
def dropout_seed(seed: int) -> Iterator[None]:
    """Draw this thread's dropout from a seed of its own, so that nights may take any turn."""
    _dropout.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        _dropout.generator = None


def _draw_15_bits(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return whole numbers from 0 to 2**15 - 1, two of each that is drawn, to save time."""
    n = shape.numel()
    drawn = torch.empty((n + 1) // 2, dtype=torch.int32).random_(generator=generator)
    return (drawn.view(torch.int16)[:n] & (2**15 - 1)).view(shape)


class Dropout(nn.Module):
    """Dropout that draws from the generator of `dropout_seed`, where there is one."""

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Set elements to zero with probability `p` in training."""
        if not self.training or self.p == 0.0:
            return x
        generator = getattr(_dropout, "generator", None)
        if generator is None:
            return functional.dropout(x, self.p)
        keep = _draw_15_bits(x.shape, generator) >= round(self.p * 2**15)
        return x * keep.to(x.device, x.dtype).div_(1.0 - self.p)


class WeightNorm(nn.Module):
    """Convolution weights as a direction and a length for each output channel."""

    # Salimans & Kingma, NeurIPS 2016, arXiv 1602.07868. Parameters carry the names that torch's
    # weight_norm gives them, for published checkpoints; unlike that, this one can be pickled.

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.original0 = nn.Parameter(torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True))
        self.original1 = nn.Parameter(weight.clone())

    def forward(self) -> Tensor:
        """Return the weights, (out_channels, in_channels, kernel_size)."""
        length = torch.linalg.vector_norm(self.original1, dim=(1, 2), keepdim=True)
        return self.original1 * (self.original0 / length)


class Convolution(nn.Module):
    """1-D convolution, channels last, that keeps the length or divides it by the stride."""

    # On CPUs, 2-D convolutions with the channels last take a fifth of the time of 1-D ones at the
    # few channels that the encoders begin with.

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        causal: bool = False,
        bias: bool = False,
        weight_norm: bool = False,
    ) -> None:
        super().__init__()
        reach = dilation * (kernel_size - 1)
        if not causal and reach % 2:
            raise ValueError(
                f"kernel_size={kernel_size} has no middle; "
                "take an odd one, or a causal convolution."
            )
        self.stride = stride
        self.dilation = dilation
        self.padding = (reach, 0) if causal else (reach // 2, reach // 2)
        weight = torch.empty(out_channels, in_channels, kernel_size)
        # As torch begins its convolutions.
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        if weight_norm:
            self.register_parameter("weight", None)
            self.parametrizations = nn.ModuleDict({"weight": WeightNorm(weight)})
        else:
            self.weight = nn.Parameter(weight)
        if bias:
            bound = 1 / math.sqrt(in_channels * kernel_size)
            self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        else:
            self.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, in_channels, 1, time) to (batch, out_channels, 1, time / stride)."""
        weight = self.kernel()
        _, in_channels, kernel_size = weight.shape
        if kernel_size == 1:
            # torch 2.13 corrupts memory in 1x1 convolutions of stride 2 with the channels last.
            y = x.squeeze(2).transpose(1, 2)[:, :: self.stride] @ weight[:, :, 0].T
            return self._with_bias(y).transpose(1, 2).unsqueeze(2)
        if in_channels == 1 and self.dilation == 1:
            # A single channel is neither first nor last; a product puts the new channels last.
            padded = functional.pad(x[:, 0, 0], self.padding)
            y = padded.unfold(1, kernel_size, self.stride) @ weight[:, 0].T
            return self._with_bias(y).transpose(1, 2).unsqueeze(2)
        if self.dilation == 1 and tiles_convolutions(x):
            return self._with_bias(self._convolve_tiles(x, weight)).transpose(1, 2).unsqueeze(2)
        before, after = self.padding
        if before != after:
            x = functional.pad(x, self.padding)
            after = 0
        return functional.conv2d(
            x,
            weight.unsqueeze(2).contiguous(memory_format=torch.channels_last),
            self.bias,
            stride=(1, self.stride),
            padding=(0, after),
            dilation=(1, self.dilation),
        )

    def _convolve_tiles(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return (batch, time / stride, out_channels), computed in tiles of one length."""
        batch, in_channels, _, length = x.shape
        before, after = self.padding
        width = TILE_LENGTH if length >= 4 * TILE_LENGTH else TILE_LENGTH // 4
        n_outputs = (length + before + after - weight.shape[2]) // self.stride + 1
        n_tiles = -(-n_outputs // width)
        tile = (width - 1) * self.stride + weight.shape[2]
        needed = (n_tiles - 1) * width * self.stride + tile
        padded = functional.pad(x.squeeze(2), (before, needed - before - length))
        tiles = padded.transpose(1, 2).unfold(1, tile, width * self.stride).transpose(2, 3)
        y = functional.conv2d(
            tiles.reshape(-1, 1, tile, in_channels).permute(0, 3, 1, 2),
            weight.unsqueeze(2).contiguous(memory_format=torch.channels_last),
            stride=(1, self.stride),
        )
        return y.permute(0, 2, 3, 1).reshape(batch, n_tiles * width, -1)[:, :n_outputs]

    def kernel(self) -> Tensor:
        """Return the weights, (out_channels, in_channels, kernel_size)."""
        return self.parametrizations["weight"]() if self.weight is None else self.weight

    def _with_bias(self, y: Tensor) -> Tensor:
        return y if self.bias is None else y + self.bias


class ConvLayer(nn.Module):
    """Convolution (of further options; with a bias where no norm follows), norm, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        norm: Part,
        activation: Part,
        **options: Any,
    ) -> None:
        super().__init__()
        options |= {"bias": norm is None, "weight_norm": norm == "weight"}
        self.conv = Convolution(in_channels, out_channels, kernel_size, **options)
        self.norm = NORMS.make(norm, out_channels)
        self.activation = ACTIVATIONS.make(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / stride) of (batch, in_channels, 1, time)."""
        return self.activation(self.norm(self.conv(x)))
