"""Norms of (batch, channels, 1, time), under the published names."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.cpu.choice import normalizes_nights
from sklearn_sleep.networks.cpu.night_norm import normalize_night
from sklearn_sleep.networks.parts import Registry

_EPSILON = 1e-5  # torch's default

# Groups of the published group norm.
_N_GROUPS = 8


class InstanceNorm(nn.Module):
    """Norm of each channel over the time of each night; nothing is learned."""

    def __init__(self, channels: int, epsilon: float = _EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time), quick where channels come last in memory."""
        if x.shape[-1] == 1:
            # A single value is its own mean.
            return torch.zeros_like(x)
        nights = [self._normalize(night) for night in x.split(1)]
        return nights[0] if len(nights) == 1 else torch.cat(nights)

    def _normalize(self, night: Tensor) -> Tensor:
        if normalizes_nights(night):
            return normalize_night(night, self.epsilon)
        # Of a single night, batch norm is the same.
        return functional.batch_norm(night, None, None, training=True, eps=self.epsilon)


class ChannelNorm(nn.Module):
    """Layer norm over the channels at each time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The shape is that of the published checkpoints.
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        weight, bias = self.weight.flatten(), self.bias.flatten()
        y = functional.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, _EPSILON)
        return y.permute(0, 3, 1, 2)


class RMSNorm(nn.Module):
    """Each time divided by the root mean square of its channels (arXiv 1910.07467)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The shape is that of the published checkpoints.
        self.weight = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (batch, channels, 1, time)."""
        mean_square = x.square().mean(dim=1, keepdim=True)
        return x * torch.rsqrt(mean_square + _EPSILON) * self.weight.unsqueeze(2)


class GroupNorm(nn.Module):
    """Norm over time and the channels of each of eight groups (arXiv 1803.08494), or fewer."""

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


# Each is made for a number of channels. Weight norm is in the convolution itself.
NORMS = Registry(
    "norm",
    {
        "instance": InstanceNorm,
        "layer": ChannelNorm,
        "batch": nn.BatchNorm2d,
        "rms": RMSNorm,
        "group": GroupNorm,
        "weight": nn.Identity,
        None: nn.Identity,
    },
)
