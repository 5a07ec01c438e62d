"""Transformer encoder over tokens of which some may be missing."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.layers import ACTIVATIONS, Dropout
from sklearn_sleep.networks.parts import MixerOptions


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens, to none that come later if it is causal."""

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
        """Let each token of (n, tokens, feature_dim) attend to the present ones, (n, tokens)."""
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
    """Attention and a hidden layer, each with a layer norm, dropout and a residual sum."""

    def __init__(self, options: MixerOptions) -> None:
        super().__init__()
        width = options.feature_dim
        self.self_attn = SelfAttention(width, options.heads, options.dropout, causal=options.causal)
        self.linear1 = nn.Linear(width, options.feedforward_dim)
        self.linear2 = nn.Linear(options.feedforward_dim, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.activation = ACTIVATIONS.make(options.activation)
        self.dropout = Dropout(options.dropout)
        self.norm_first = options.norm_first

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
    """Transformer layers, one after the other."""

    def __init__(self, options: MixerOptions) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(options) for _ in range(options.layers))

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return (n, tokens, feature_dim)."""
        for layer in self.layers:
            x = layer(x, present)
        return x
