"""Transformer encoder over tokens of which some may be missing."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.activations import make_activation
from sklearn_sleep.networks.blocks import Dropout

__all__ = ["SelfAttention", "TransformerEncoder", "TransformerLayer"]


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens.

    Parameters
    ----------
    feature_dim : int
        Width of a token.
    n_heads : int
        Number of heads, a divisor of `feature_dim`.
    dropout : float
        Probability, on the attention weights.
    causal : bool, default=False
        Whether tokens attend to none that come after them.

    Raises
    ------
    ValueError
        If the heads cannot share out the width.
    """

    def __init__(
        self, feature_dim: int, n_heads: int, dropout: float, *, causal: bool = False
    ) -> None:
        super().__init__()
        if feature_dim % n_heads:
            raise ValueError(f"feature_dim={feature_dim} must be a multiple of n_heads={n_heads}.")
        self.n_heads = n_heads
        self.causal = causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * feature_dim, feature_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * feature_dim))
        self.out_proj = nn.Linear(feature_dim, feature_dim)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Let each token attend to the present ones.

        Parameters
        ----------
        x : Tensor of shape (n, tokens, feature_dim)
            Tokens.
        present : Tensor of bool, shape (n, tokens)
            Which of them may be attended to.

        Returns
        -------
        Tensor of shape (n, tokens, feature_dim)
        """
        n, tokens, width = x.shape
        projected = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        heads = projected.view(n, tokens, 3, self.n_heads, width // self.n_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        allowed = present[:, None, None, :]
        if self.causal:
            allowed = allowed & present.new_ones(tokens, tokens).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
        attended = self.dropout(scores.softmax(-1)) @ value
        return self.out_proj(attended.transpose(1, 2).reshape(n, tokens, width))


class TransformerLayer(nn.Module):
    """Transformer encoder layer.

    Parameters
    ----------
    feature_dim, n_heads : int
        Width of a token and number of heads.
    feedforward_dim : int
        Width of the hidden layer.
    dropout : float
        Probability, on the attention weights and after each sublayer.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    norm_first : bool, default=True
        Whether the layer norms come before the sublayers rather than after the residual sums.
    causal : bool, default=False
        Whether tokens attend to none that come after them.
    """

    def __init__(
        self,
        feature_dim: int,
        n_heads: int,
        feedforward_dim: int,
        dropout: float,
        *,
        activation: str = "gelu",
        norm_first: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.self_attn = SelfAttention(feature_dim, n_heads, dropout, causal=causal)
        self.linear1 = nn.Linear(feature_dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, feature_dim)
        self.norm1 = nn.LayerNorm(feature_dim)
        self.norm2 = nn.LayerNorm(feature_dim)
        self.activation = make_activation(activation)
        self.dropout = Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return (n, tokens, feature_dim)."""
        if self.norm_first:
            x = x + self.dropout(self.self_attn(self.norm1(x), present))
            return x + self.dropout(self._feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attn(x, present)))
        return self.norm2(x + self.dropout(self._feed_forward(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoder(nn.Module):
    """Transformer layers, one after the other.

    Parameters
    ----------
    feature_dim, n_layers, n_heads, feedforward_dim : int
        Sizes.
    dropout : float
        Probability.
    activation, norm_first, causal
        Of each `TransformerLayer`.

    Examples
    --------
    >>> encoder = TransformerEncoder(8, n_layers=1, n_heads=2, feedforward_dim=16, dropout=0.0)
    >>> encoder(torch.randn(5, 3, 8), torch.ones(5, 3, dtype=torch.bool)).shape
    torch.Size([5, 3, 8])
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
        norm_first: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(
                feature_dim,
                n_heads,
                feedforward_dim,
                dropout,
                activation=activation,
                norm_first=norm_first,
                causal=causal,
            )
            for _ in range(n_layers)
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return (n, tokens, feature_dim)."""
        for layer in self.layers:
            x = layer(x, present)
        return x
