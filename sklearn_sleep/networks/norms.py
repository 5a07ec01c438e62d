"""Norms of (batch, channels, 1, time), under the published names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["NORMS", "ChannelNorm", "GroupNorm", "InstanceNorm", "RMSNorm", "make_norm"]

NORMS = ("instance", "layer", "batch", "rms", "group", "weight", None)
"""Names of the norms after a convolution; weight norm is in the convolution itself."""

_N_GROUPS = 8
"""Groups of the published group norm."""

_PIECE_LENGTH = 2048
"""Values that are summed up in float32 before they are added to others (measured: 1024 to 4096)."""


class InstanceNorm(nn.Module):
    """Norm of each channel over the time of each night.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance (torch's default).
    """

    def __init__(self, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        if x.shape[-1] == 1:
            # A single value is its own mean.
            return torch.zeros_like(x)
        nights = [self._normalize(night) for night in x.split(1)]
        return nights[0] if len(nights) == 1 else torch.cat(nights)

    def _normalize(self, night: Tensor) -> Tensor:
        """Normalize (1, channels, 1, time), quick where channels come last in memory."""
        is_eager = not torch.compiler.is_compiling()
        if night.device.type == "cpu" and night.dtype != torch.bfloat16 and is_eager:
            return _NormalizeNight.apply(night, self.epsilon)
        # Of a single night, batch norm is the same.
        return functional.batch_norm(night, None, None, training=True, eps=self.epsilon)


class _NormalizeNight(torch.autograd.Function):
    """Instance norm of one night on a CPU, by torch's batch norm with moments of its own.

    With the channels last, torch sums a whole night in one float32: the result of a ten-hour ECG
    is off by 0.002 (torch 2.13). Summed piece by piece it is off by less than 1e-5, in the same
    time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float) -> Tensor:
        mean, variance = _moments(x)
        ctx.save_for_backward(x, mean, torch.rsqrt(variance + epsilon))
        ctx.epsilon = epsilon
        return functional.batch_norm(x, mean, variance, training=False, eps=epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, mean, inverse_deviation = ctx.saved_tensors
        of_x, _, _ = torch.ops.aten.native_batch_norm_backward(
            gradient.contiguous(memory_format=torch.channels_last),
            x,
            None,
            None,
            None,
            mean,
            inverse_deviation,
            True,
            ctx.epsilon,
            [True, False, False],
        )
        return of_x, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance of each channel of (1, channels, 1, time)."""
    pieces = x.split(_PIECE_LENGTH, dim=3)
    moments = [torch.batch_norm_update_stats(piece, None, None, 0.0) for piece in pieces]
    means = torch.stack([mean for mean, _ in moments]).double()
    variances = torch.stack([variance for _, variance in moments]).double()
    lengths = torch.tensor([piece.shape[3] for piece in pieces], dtype=torch.float64)
    parts = lengths / x.shape[3]
    mean = parts @ means
    variance = parts @ (variances + (means - mean).square())
    return mean.to(x.dtype), variance.to(x.dtype)


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


class RMSNorm(nn.Module):
    """Each time divided by the root mean square of its channels.

    Zhang & Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, arXiv 1910.07467.

    Parameters
    ----------
    channels : int
        Number of channels.
    epsilon : float, default=1e-5
        Added to the mean square.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        # The shape is that of the published checkpoints.
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        mean_square = x.square().mean(dim=1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.epsilon) * self.weight.unsqueeze(2)


class GroupNorm(nn.Module):
    """Norm over the time and the channels of each of eight groups.

    Wu & He, "Group Normalization", ECCV 2018, arXiv 1803.08494. Fewer than eight channels are a
    group each, as in the published implementation.

    Parameters
    ----------
    channels : int
        Number of channels.

    Raises
    ------
    ValueError
        If the channels cannot be shared out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        n_groups = min(channels, _N_GROUPS)
        if channels % n_groups:
            raise ValueError(
                f"The norm 'group' makes {n_groups} groups, but there are {channels} channels; "
                f"take a multiple of {n_groups}, or another norm."
            )
        self.norm = nn.GroupNorm(n_groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        # With the channels last, torch 2.13 sums a whole night in one float32.
        return self.norm(x.contiguous()).contiguous(memory_format=torch.channels_last)


def make_norm(norm: str | None, channels: int, instance_epsilon: float) -> nn.Module:
    """Return the norm layer of a name.

    Parameters
    ----------
    norm : {"instance", "layer", "batch", "rms", "group", "weight"} or None
        Name. ``"weight"`` is in the convolution itself, so that nothing is left to do after it.
    channels : int
        Number of channels.
    instance_epsilon : float
        What ``"instance"`` adds to the variance; the others add 1e-5.

    Returns
    -------
    Module

    Raises
    ------
    ValueError
        If there is no such norm.

    Examples
    --------
    >>> make_norm("layer", 4, 1e-5)(torch.randn(2, 4, 1, 10)).shape
    torch.Size([2, 4, 1, 10])
    """
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r} is not known; use one of {', '.join(map(repr, NORMS))}.")
    if norm == "instance":
        return InstanceNorm(instance_epsilon)
    if norm == "layer":
        return ChannelNorm(channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "rms":
        return RMSNorm(channels)
    if norm == "group":
        return GroupNorm(channels)
    return nn.Identity()
