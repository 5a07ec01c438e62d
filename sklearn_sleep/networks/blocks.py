"""Convolutional blocks shared by the signal encoders and the sequence mixer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.activations import make_activation
from sklearn_sleep.networks.convolution import Convolution
from sklearn_sleep.networks.cpu.streaming import stream_block
from sklearn_sleep.networks.norms import make_norm

__all__ = [
    "ENCODER_NORM_EPSILON",
    "ConvBlock",
    "ConvLayer",
    "DilatedConvBlock",
    "Dropout",
    "dropout_seed",
]

ENCODER_NORM_EPSILON = 1e-2
"""Of the published encoders' instance norms: so much that flat signals do not blow up."""

SEQUENCE_NORM_EPSILON = 1e-5
"""Of the published sequence mixer's instance norms (torch's default)."""

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


class ConvLayer(nn.Module):
    """Convolution, norm and activation, with the length kept (or halved by stride 2).

    Parameters
    ----------
    in_channels, out_channels : int
        Number of channels.
    kernel_size : int
        Odd, or any if `causal`.
    norm : {"instance", "layer", "batch", "rms", "group", "weight"} or None
        Norm after the convolution. Without one the convolution has a bias.
    activation : str
        A name that `make_activation` knows.
    stride, dilation : int, default=1
        Of the convolution.
    causal : bool, default=False
        Whether the convolution sees no later times.
    instance_epsilon : float, default=1e-2
        What an instance norm adds to the variance.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        norm: str | None,
        activation: str,
        stride: int = 1,
        dilation: int = 1,
        causal: bool = False,
        instance_epsilon: float = ENCODER_NORM_EPSILON,
    ) -> None:
        super().__init__()
        self.conv = Convolution(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            causal=causal,
            bias=norm is None,
            weight_norm=norm == "weight",
        )
        self.norm = make_norm(norm, out_channels, instance_epsilon)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / stride)."""
        return self.activation(self.norm(self.conv(x)))


class ConvBlock(nn.Module):
    """Three convolutions that halve the length, with a residual connection.

    Parameters
    ----------
    in_channels, out_channels : int
        Number of channels.
    norm : {"instance", "layer", "batch", "rms", "group", "weight"} or None
        Norm after each convolution.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    causal : bool, default=False
        Whether the convolutions see no later times.
    residual : bool, default=True
        Whether a linear map of the input is added.
    """

    downsample: Convolution | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm: str | None,
        *,
        activation: str = "gelu",
        causal: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()

        def make_layer(channels: int, stride: int = 1) -> ConvLayer:
            return ConvLayer(
                channels,
                out_channels,
                3,
                norm=norm,
                activation=activation,
                stride=stride,
                causal=causal,
            )

        self.conv1 = make_layer(in_channels)
        self.conv2 = make_layer(out_channels)
        self.conv3 = make_layer(out_channels, stride=2)
        self.downsample = Convolution(in_channels, out_channels, 1, stride=2) if residual else None
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / 2)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        if self.downsample is not None:
            y = y + self.downsample(x)
        return self.activation(y)

    def stream(self, x: Tensor, dtype: torch.dtype, *, recompute: bool = False) -> Tensor:
        """Compute the block of the published design in pieces that stay in a CPU's cache.

        Parameters
        ----------
        x : Tensor of shape (time, in_channels)
            One night.
        dtype : torch.dtype
            Type in which convolutions are computed.
        recompute : bool, default=False
            Whether the gradient computes the convolutions anew, rather than keep them.

        Returns
        -------
        Tensor of shape (time / 2, out_channels)
        """
        if self.downsample is None:
            raise ValueError("Only blocks with a residual connection can be computed in pieces.")
        weights = (self.conv1.conv.kernel(), self.conv2.conv.kernel(), self.conv3.conv.kernel())
        return stream_block(
            x,
            weights,
            self.downsample.kernel(),
            ENCODER_NORM_EPSILON,
            dtype,
            recompute=recompute,
        )


class DilatedConvBlock(nn.Module):
    """Convolutions of growing dilation with a residual connection around them.

    Parameters
    ----------
    channels : int
        Number of channels.
    kernel_size : int
        Odd, or any if `causal`.
    n_dilations : int
        Dilations are 1, 2, 4, … to ``2 ** (n_dilations - 1)``.
    dropout : float
        Probability, before the residual sum.
    norm : {"instance", "layer", "batch", "rms", "group", "weight"} or None
        Norm after each convolution.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    causal : bool, default=False
        Whether the convolutions see no later times.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        n_dilations: int,
        dropout: float,
        norm: str | None,
        *,
        activation: str = "gelu",
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.conv_layers = nn.Sequential(
            *(
                ConvLayer(
                    channels,
                    channels,
                    kernel_size,
                    norm=norm,
                    activation=activation,
                    dilation=2**i,
                    causal=causal,
                    instance_epsilon=SEQUENCE_NORM_EPSILON,
                )
                for i in range(n_dilations)
            )
        )
        self.dropout = Dropout(dropout)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 1, time)."""
        return self.activation(self.dropout(self.conv_layers(x)) + x)
