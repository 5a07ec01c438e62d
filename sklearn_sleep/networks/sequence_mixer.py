"""The sequence mixers: each epoch in the light of its night."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.blocks import DilatedConvBlock
from sklearn_sleep.networks.transformer import TransformerEncoder

__all__ = ["DilatedCNN", "SequenceTransformer"]

_LONGEST_WAVELENGTH = 10_000
"""Of the position encoding, over 2 pi (Vaswani et al. 2017)."""


class DilatedCNN(nn.Module):
    """Dilated CNN over the epochs of a night (the published design).

    Parameters
    ----------
    feature_dim : int
        Width of the feature vectors.
    n_blocks, kernel_size, n_dilations : int
        Number of blocks, and the kernel size and the number of dilations in each.
    dropout : float
        Probability.
    norm : {"instance", "layer", "batch", "rms", "group", "weight"} or None
        Norm after each convolution.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    causal : bool, default=False
        Whether an epoch sees no later ones.
    """

    def __init__(
        self,
        feature_dim: int,
        n_blocks: int,
        kernel_size: int,
        n_dilations: int,
        dropout: float,
        norm: str | None,
        *,
        activation: str = "gelu",
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.dilated_convs = nn.Sequential(
            *(
                DilatedConvBlock(
                    feature_dim,
                    kernel_size,
                    n_dilations,
                    dropout,
                    norm,
                    activation=activation,
                    causal=causal,
                )
                for _ in range(n_blocks)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        # A view with the channels last in memory.
        return self.dilated_convs(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class SequenceTransformer(nn.Module):
    """Pre-norm transformer over the epochs of a night.

    Positions are told by sines and cosines added to the features (Vaswani et al., "Attention Is
    All You Need", NeurIPS 2017, arXiv 1706.03762), so that nights may have any length.

    Parameters
    ----------
    feature_dim, n_layers, n_heads, feedforward_dim : int
        Sizes.
    dropout : float
        Probability.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    causal : bool, default=False
        Whether an epoch sees no later ones.
    """

    def __init__(
        self,
        feature_dim: int,
        n_layers: int,
        n_heads: int,
        feedforward_dim: int,
        dropout: float,
        *,
        activation: str = "gelu",
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.transformer_encoder = TransformerEncoder(
            feature_dim,
            n_layers,
            n_heads,
            feedforward_dim,
            dropout,
            activation=activation,
            causal=causal,
        )
        self.norm = nn.LayerNorm(feature_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        _, epochs, width = x.shape
        present = torch.ones(1, epochs, dtype=torch.bool, device=x.device)
        return self.norm(self.transformer_encoder(x + _positions(epochs, width).to(x), present))


def _positions(epochs: int, width: int) -> Tensor:
    """Return the position encoding, (epochs, width)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(_LONGEST_WAVELENGTH) / width))
    angle = torch.arange(epochs)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]
