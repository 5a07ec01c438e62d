"""The epoch mixers: one feature vector an epoch from whichever signals are there."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.layers import ACTIVATIONS, Dropout
from sklearn_sleep.networks.parts import EpochMixerOptions, Registry
from sklearn_sleep.networks.transformer import TransformerEncoder

# Each takes features (batch, epochs, feature_dim) and where they are there (batch, epochs), both by
# signal name, and returns (batch, epochs, feature_dim).
EPOCH_MIXERS = Registry("epoch_mixer")


@EPOCH_MIXERS.register("attention")
class AttentionMixer(nn.Module):
    """Transformer over the signals of an epoch, read out by a CLS token (the published design)."""

    def __init__(self, options: EpochMixerOptions) -> None:
        super().__init__()
        self.transformer_encoder = TransformerEncoder(options)
        # The CLS token comes first. The shape is that of the published checkpoints. The others are
        # registers (Darcet et al., "Vision Transformers Need Registers", arXiv 2309.16588).
        n_tokens = 1 + options.register_tokens
        self.register_tokens = nn.Parameter(torch.randn(1, 1, options.feature_dim, n_tokens))

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Mix the signals of each epoch."""
        tokens = torch.stack(list(features.values()), dim=2)
        mask = torch.stack([present[name] for name in features], dim=2)
        batch, epochs, _, width = tokens.shape
        learned = self.register_tokens[0, 0].T
        x = torch.cat([learned.expand(batch * epochs, -1, -1), tokens.flatten(0, 1)], dim=1)
        always = mask.new_ones(batch * epochs, len(learned))
        mask = torch.cat([always, mask.flatten(0, 1)], dim=1)
        return self.transformer_encoder(x, mask, n_read=1)[:, 0].view(batch, epochs, width)


@EPOCH_MIXERS.register("concat")
class ConcatenationMixer(nn.Module):
    """All signals side by side, zeros for the missing ones, through a hidden layer."""

    def __init__(self, options: EpochMixerOptions) -> None:
        super().__init__()
        self.signals = tuple(sorted(options.signals))
        width = options.feature_dim
        self.linear1 = nn.Linear(len(self.signals) * width, options.feedforward_dim)
        self.linear2 = nn.Linear(options.feedforward_dim, width)
        self.activation = ACTIVATIONS.make(options.activation)
        self.dropout = Dropout(options.dropout)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Mix the signals of each epoch."""
        there = {name: features[name] * present[name][..., None] for name in features}
        missing = torch.zeros_like(next(iter(there.values())))
        x = torch.cat([there.get(name, missing) for name in self.signals], dim=2)
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


@EPOCH_MIXERS.register("mean")
class MeanMixer(nn.Module):
    """Mean of the signals that are there; nothing is learned."""

    def __init__(self, options: EpochMixerOptions) -> None:
        super().__init__()

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Mix the signals of each epoch; zeros where it has none."""
        tokens = torch.stack(list(features.values()), dim=2)
        mask = torch.stack([present[name] for name in features], dim=2)[..., None]
        return (tokens * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1)
