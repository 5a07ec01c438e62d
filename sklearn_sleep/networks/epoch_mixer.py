"""The epoch mixers: one feature vector an epoch from whichever signals are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.activations import make_activation
from sklearn_sleep.networks.blocks import Dropout
from sklearn_sleep.networks.transformer import TransformerEncoder

__all__ = ["AttentionMixer", "ConcatenationMixer", "MeanMixer"]


class AttentionMixer(nn.Module):
    """Transformer over the signals of an epoch, read out by a CLS token (the published design).

    Parameters
    ----------
    feature_dim : int
        Width of a token.
    n_layers, n_heads, feedforward_dim : int
        Of the transformer.
    dropout : float
        Probability.
    n_register_tokens : int, default=0
        Further learned tokens beside the CLS token (Darcet et al., "Vision Transformers Need
        Registers", ICLR 2024, arXiv 2309.16588).
    activation, norm_first
        Of the transformer's layers.
    """

    def __init__(
        self,
        feature_dim: int,
        n_layers: int,
        n_heads: int,
        feedforward_dim: int,
        dropout: float,
        n_register_tokens: int = 0,
        *,
        activation: str = "gelu",
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        self.transformer_encoder = TransformerEncoder(
            feature_dim,
            n_layers,
            n_heads,
            feedforward_dim,
            dropout,
            activation=activation,
            norm_first=norm_first,
        )
        # The CLS token comes first. The shape is that of the published checkpoints.
        self.register_tokens = nn.Parameter(torch.randn(1, 1, feature_dim, n_register_tokens + 1))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Mix the signals of each epoch.

        Parameters
        ----------
        features : mapping of str to Tensor of shape (batch, epochs, feature_dim)
            Features by signal name.
        present : mapping of str to Tensor of bool, shape (batch, epochs)
            Where they are there.

        Returns
        -------
        Tensor of shape (batch, epochs, feature_dim)
        """
        tokens = torch.stack(list(features.values()), dim=2)
        mask = torch.stack([present[name] for name in features], dim=2)
        batch, epochs, _, width = tokens.shape
        learned = self.register_tokens[0, 0].T
        x = torch.cat([learned.expand(batch * epochs, -1, -1), tokens.flatten(0, 1)], dim=1)
        always = mask.new_ones(batch * epochs, len(learned))
        mask = torch.cat([always, mask.flatten(0, 1)], dim=1)
        return self.transformer_encoder(x, mask)[:, 0].view(batch, epochs, width)


class ConcatenationMixer(nn.Module):
    """All signals side by side, through a hidden layer.

    The place of a missing signal holds zeros, so that no weight of its place is trained.

    Parameters
    ----------
    signals : collection of str
        Names of all signals.
    feature_dim, hidden_dim : int
        Width of the features and of the hidden layer.
    dropout : float
        Probability, in the hidden layer.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    """

    def __init__(
        self,
        signals: Collection[str],
        feature_dim: int,
        hidden_dim: int,
        dropout: float,
        *,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.signals = tuple(sorted(signals))
        self.linear1 = nn.Linear(len(self.signals) * feature_dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, feature_dim)
        self.activation = make_activation(activation)
        self.dropout = Dropout(dropout)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Return (batch, epochs, feature_dim); arguments as in `AttentionMixer`."""
        there = {name: features[name] * present[name][..., None] for name in features}
        missing = torch.zeros_like(next(iter(there.values())))
        x = torch.cat([there.get(name, missing) for name in self.signals], dim=2)
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class MeanMixer(nn.Module):
    """Mean of the signals that are there; nothing is learned."""

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Return (batch, epochs, feature_dim); arguments as in `AttentionMixer`."""
        tokens = torch.stack(list(features.values()), dim=2)
        mask = torch.stack([present[name] for name in features], dim=2)[..., None]
        # Zeros where an epoch has no signal.
        return (tokens * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1)
