"""Convolutional blocks shared by the signal encoders and the sequence mixer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "ChannelNorm",
    "ConvBlock",
    "ConvLayer",
    "DilatedConvBlock",
    "Dropout",
    "InstanceNorm",
    "convolve",
    "dropout_seed",
    "make_norm",
]

INSTANCE_NORM_EPSILON = 1e-2
"""Of the published encoders' instance norms."""

_dropout = threading.local()


@contextlib.contextmanager
def dropout_seed(seed: int) -> Iterator[None]:
    """Draw the dropout of this thread from a seed of its own.

    Nights are computed side by side in threads; with a seed each, the result does not depend on
    which thread comes first.

    Parameters
    ----------
    seed : int
        Seed of the generator, which is made on the CPU.
    """
    _dropout.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        _dropout.generator = None


class Dropout(nn.Module):
    """Dropout that draws from the generator of `dropout_seed`, where there is one.

    Parameters
    ----------
    p : float
        Probability of an element to be set to zero.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements in training mode."""
        if not self.training or self.p == 0.0:
            return x
        generator = getattr(_dropout, "generator", None)
        if generator is None:
            return functional.dropout(x, self.p)
        keep = torch.rand(x.shape, generator=generator) >= self.p
        return x * keep.to(x.device, x.dtype).div_(1.0 - self.p)


class InstanceNorm(nn.Module):
    """Norm of each channel over the time of each night.

    Parameters
    ----------
    epsilon : float, default=1e-2
        Added to the variance. The published encoders take this much, so that flat signals do not
        blow up.
    """

    def __init__(self, epsilon: float = INSTANCE_NORM_EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        # Of a single night, batch norm is the same, and quick where channels come last in memory.
        nights = [
            functional.batch_norm(night, None, None, training=True, eps=self.epsilon)
            for night in x.split(1)
        ]
        return nights[0] if len(nights) == 1 else torch.cat(nights)


class ChannelNorm(nn.Module):
    """Layer norm over the channels at each time.

    Parameters
    ----------
    channels : int
        Number of channels.
    epsilon : float, default=1e-5
        Added to the variance.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        # The shape is that of the published checkpoints.
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        weight, bias = self.weight.flatten(), self.bias.flatten()
        y = functional.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, self.epsilon)
        return y.permute(0, 3, 1, 2)


def make_norm(norm: str, channels: int) -> nn.Module:
    """Return the norm layer of a name.

    Parameters
    ----------
    norm : {"instance", "layer"}
        Name.
    channels : int
        Number of channels.

    Returns
    -------
    Module
    """
    if norm == "instance":
        return InstanceNorm()
    if norm == "layer":
        return ChannelNorm(channels)
    msg = f"norm={norm!r} is not known; use 'instance' or 'layer'."
    raise ValueError(msg)


def convolve(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """Convolve over time with the weights of a 1-D convolution.

    On CPUs, 2-D convolutions with the channels last in memory take a fifth of the time of 1-D
    convolutions at the few channels that the encoders begin with (``benchmarks/convolution.py``).

    Parameters
    ----------
    x : Tensor of shape (batch, channels, 1, time)
        Channels last in memory.
    conv : Conv1d
        Without bias, padded so that the length is kept.

    Returns
    -------
    Tensor of shape (batch, conv.out_channels, 1, time / stride)
    """
    (kernel_size,), (stride,), (dilation,) = conv.kernel_size, conv.stride, conv.dilation
    padding = dilation * (kernel_size - 1) // 2
    if conv.in_channels == 1:
        # A single channel is neither first nor last; a product puts the new channels last.
        padded = functional.pad(x[:, 0, 0], (padding, padding))
        y = padded.unfold(1, kernel_size, stride) @ conv.weight[:, 0].T
        return y.transpose(1, 2).unsqueeze(2)
    if kernel_size == 1:
        # torch 2.13 corrupts memory in 1x1 convolutions of stride 2 with the channels last.
        y = x.squeeze(2).transpose(1, 2)[:, ::stride] @ conv.weight[:, :, 0].T
        return y.transpose(1, 2).unsqueeze(2)
    return functional.conv2d(
        x,
        conv.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last),
        stride=(1, stride),
        padding=(0, padding),
        dilation=(1, dilation),
    )


class ConvLayer(nn.Module):
    """Convolution, norm and activation, with the length kept (or halved by stride 2).

    Parameters
    ----------
    in_channels, out_channels : int
        Number of channels.
    kernel_size : int
        Odd.
    stride, dilation : int, default=1
        Of the convolution.
    norm : {"instance", "layer"}, default="instance"
        Norm after the convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: str = "instance",
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            padding=dilation * (kernel_size - 1) // 2,
            bias=False,
        )
        self.norm = make_norm(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / stride)."""
        return functional.gelu(self.norm(convolve(x, self.conv)))


class ConvBlock(nn.Module):
    """Three convolutions that halve the length, with a residual connection.

    Parameters
    ----------
    in_channels, out_channels : int
        Number of channels.
    norm : {"instance", "layer"}
        Norm after each convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.conv1 = ConvLayer(in_channels, out_channels, 3, norm=norm)
        self.conv2 = ConvLayer(out_channels, out_channels, 3, norm=norm)
        self.conv3 = ConvLayer(out_channels, out_channels, 3, stride=2, norm=norm)
        self.downsample = nn.Conv1d(in_channels, out_channels, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / 2)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        return functional.gelu(y + convolve(x, self.downsample))


class DilatedConvBlock(nn.Module):
    """Convolutions of growing dilation with a residual connection around them.

    Parameters
    ----------
    channels : int
        Number of channels.
    kernel_size : int
        Odd.
    n_dilations : int
        Dilations are 1, 2, 4, … to ``2 ** (n_dilations - 1)``.
    dropout : float
        Probability, before the residual sum.
    norm : {"instance", "layer"}
        Norm after each convolution.
    """

    def __init__(
        self, channels: int, kernel_size: int, n_dilations: int, dropout: float, norm: str
    ) -> None:
        super().__init__()
        self.conv_layers = nn.Sequential(
            *(
                ConvLayer(channels, channels, kernel_size, dilation=2**i, norm=norm)
                for i in range(n_dilations)
            )
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 1, time)."""
        return functional.gelu(self.dropout(self.conv_layers(x)) + x)
