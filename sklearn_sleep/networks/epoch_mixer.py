"""The epoch mixer: one feature vector an epoch from whichever signals are there."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.blocks import Dropout

__all__ = ["EpochMixer", "TransformerEncoder"]


class SelfAttention(nn.Module):
    """Multi-head self-attention over a few tokens.

    Parameters
    ----------
    feature_dim : int
        Width of a token.
    n_heads : int
        Number of heads, a divisor of `feature_dim`.
    dropout : float
        Probability, on the attention weights.
    """

    def __init__(self, feature_dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        if feature_dim % n_heads:
            msg = f"feature_dim={feature_dim} must be a multiple of n_heads={n_heads}."
            raise ValueError(msg)
        self.n_heads = n_heads
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
        scores = scores.masked_fill(~present[:, None, None, :], -math.inf)
        attended = self.dropout(scores.softmax(-1)) @ value
        return self.out_proj(attended.transpose(1, 2).reshape(n, tokens, width))


class TransformerLayer(nn.Module):
    """Pre-norm transformer encoder layer.

    Parameters
    ----------
    feature_dim, n_heads : int
        Width of a token and number of heads.
    feedforward_dim : int
        Width of the hidden layer.
    dropout : float
        Probability, on the attention weights and after each sublayer.
    """

    def __init__(
        self, feature_dim: int, n_heads: int, feedforward_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_attn = SelfAttention(feature_dim, n_heads, dropout)
        self.linear1 = nn.Linear(feature_dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, feature_dim)
        self.norm1 = nn.LayerNorm(feature_dim)
        self.norm2 = nn.LayerNorm(feature_dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return (n, tokens, feature_dim)."""
        x = x + self.dropout(self.self_attn(self.norm1(x), present))
        hidden = self.dropout(functional.gelu(self.linear1(self.norm2(x))))
        return x + self.dropout(self.linear2(hidden))


class TransformerEncoder(nn.Module):
    """Transformer layers, one after the other.

    Parameters
    ----------
    feature_dim, n_layers, n_heads, feedforward_dim : int
        Sizes.
    dropout : float
        Probability.
    """

    def __init__(
        self, feature_dim: int, n_layers: int, n_heads: int, feedforward_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(feature_dim, n_heads, feedforward_dim, dropout)
            for _ in range(n_layers)
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return (n, tokens, feature_dim)."""
        for layer in self.layers:
            x = layer(x, present)
        return x


class EpochMixer(nn.Module):
    """Transformer over the signals of an epoch, read out by a CLS token.

    Parameters
    ----------
    feature_dim : int
        Width of a token.
    n_layers, n_heads, feedforward_dim : int
        Of the transformer.
    dropout : float
        Probability.
    n_register_tokens : int, default=0
        Further learned tokens beside the CLS token.
    """

    def __init__(
        self,
        feature_dim: int,
        n_layers: int,
        n_heads: int,
        feedforward_dim: int,
        dropout: float,
        n_register_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.transformer_encoder = TransformerEncoder(
            feature_dim, n_layers, n_heads, feedforward_dim, dropout
        )
        # The CLS token comes first. The shape is that of the published checkpoints.
        self.register_tokens = nn.Parameter(torch.randn(1, 1, feature_dim, n_register_tokens + 1))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Mix the signals of each epoch.

        Parameters
        ----------
        tokens : Tensor of shape (batch, epochs, n_signals, feature_dim)
            Features of each signal.
        present : Tensor of bool, shape (batch, epochs, n_signals)
            Which of them are there.

        Returns
        -------
        Tensor of shape (batch, epochs, feature_dim)
        """
        batch, epochs, _, width = tokens.shape
        learned = self.register_tokens[0, 0].T
        x = torch.cat(
            [learned.expand(batch * epochs, -1, -1), tokens.flatten(0, 1)],
            dim=1,
        )
        always = present.new_ones(batch * epochs, len(learned))
        mask = torch.cat([always, present.flatten(0, 1)], dim=1)
        return self.transformer_encoder(x, mask)[:, 0].view(batch, epochs, width)
