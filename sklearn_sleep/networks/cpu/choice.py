"""Whether the code of this folder computes, or torch's own operations, which it only speeds up."""

import torch
from torch import Tensor

# False computes with torch's own operations everywhere.
CPU_CODE = True

# Results of a night's first convolution from which it is computed in pieces. As float32 they are
# 16 MB: two hours of ECG in 16 channels are less and stay in a processor's last cache, ten hours
# are more. Measured with benchmarks/network.py.
STREAMED_VALUES = 2**22


def streams_nights(x: Tensor, n_channels: int) -> bool:
    """Say whether nights, (batch, ...), with so many channels at first are computed in pieces."""
    return _is_ours(x) and x[0].numel() * n_channels >= STREAMED_VALUES


def normalizes_nights(x: Tensor) -> bool:
    """Say whether `normalize_night` takes the place of torch's batch norm."""
    return _is_ours(x) and x.dtype != torch.bfloat16


def _is_ours(x: Tensor) -> bool:
    return CPU_CODE and x.device.type == "cpu" and not torch.compiler.is_compiling()


# Outputs in a tile of a convolution that is to be differentiated.
TILE_LENGTH = 512


def tiles_convolutions(x: Tensor) -> bool:
    """Say whether a convolution of (batch, channels, 1, time) is computed in tiles of one length.

    oneDNN compiles the gradient of each length of a night anew, in 0.1 to 2 s, a hundred times what
    it then takes (torch 2.13); of tiles, it compiles one.
    """
    return _is_ours(x) and torch.is_grad_enabled() and x.shape[-1] > TILE_LENGTH // 2
