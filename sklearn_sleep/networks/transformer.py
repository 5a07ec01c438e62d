"""Transformer encoder over tokens of which some may be missing."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.layers import ACTIVATIONS, Dropout
from sklearn_sleep.networks.parts import MixerOptions

# Of so few tokens, torch 2.13 takes five times as long for the softmax along the last dimension as
# for moving that to the front and back.
_FEW_TOKENS = 32


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last dimension of (n, heads, tokens, tokens)."""
    if scores.shape[-1] > _FEW_TOKENS or scores.device.type != "cpu":
        return scores.softmax(-1)
    return scores.permute(3, 0, 1, 2).contiguous().softmax(0).permute(1, 2, 3, 0)


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

    def forward(self, x: Tensor, present: Tensor, n_read: int | None = None) -> Tensor:
        """Let each token of (n, tokens, feature_dim) attend to the present ones, (n, tokens).

        Where the first `n_read` alone are asked for, others are not computed.
        """
        n, tokens, width = x.shape
        query, key, value = self._project(x, n_read)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        allowed = present[:, None, None, :]
        if self.causal:
            allowed = allowed & present.new_ones(query.shape[-2], tokens).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
        attended = self.dropout(softmax(scores)) @ value
        return self.out_proj(attended.transpose(1, 2).reshape(n, -1, width))

    def _project(self, x: Tensor, n_read: int | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries of the tokens that are read, keys and values of all, by head."""
        width = x.shape[-1]
        weight, bias = self.in_proj_weight, self.in_proj_bias
        heads = (self.n_heads, width // self.n_heads)
        if n_read is None:
            projected = functional.linear(x, weight, bias).unflatten(-1, (3, *heads))
            query, key, value = projected.permute(2, 0, 3, 1, 4)
            return query, key, value
        query = functional.linear(x[:, :n_read], weight[:width], bias[:width])
        both = functional.linear(x, weight[width:], bias[width:]).unflatten(-1, (2, *heads))
        key, value = both.permute(2, 0, 3, 1, 4)
        return query.unflatten(-1, heads).transpose(1, 2), key, value


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

    def forward(self, x: Tensor, present: Tensor, n_read: int | None = None) -> Tensor:
        """Return (n, tokens, feature_dim), or of the first `n_read` tokens alone."""
        if self.norm_first:
            attended = self.self_attn(self.norm1(x), present, n_read)
            x = x[:, :n_read] + self.dropout(attended)
            return x + self.dropout(self._feed_forward(self.norm2(x)))
        x = self.norm1(x[:, :n_read] + self.dropout(self.self_attn(x, present, n_read)))
        return self.norm2(x + self.dropout(self._feed_forward(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoder(nn.Module):
    """Transformer layers, one after the other."""

    def __init__(self, options: MixerOptions) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(options) for _ in range(options.layers))

    def forward(self, x: Tensor, present: Tensor, n_read: int | None = None) -> Tensor:
        """Return (n, tokens, feature_dim), or of the first `n_read` tokens alone."""
        for layer in self.layers[:-1]:
            x = layer(x, present)
        return self.layers[-1](x, present, n_read)
