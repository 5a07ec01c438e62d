"""The sequence mixers: each epoch in the light of its night, (batch, epochs, feature_dim)."""

import math

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.layers import ACTIVATIONS, ConvLayer, Dropout
from sklearn_sleep.networks.parts import Registry, SequenceMixerOptions
from sklearn_sleep.networks.state_space import StateSpaceLayer
from sklearn_sleep.networks.transformer import TransformerEncoder

SEQUENCE_MIXERS = Registry("sequence_mixer")

# Of the position encoding, over 2 pi (Vaswani et al. 2017).
_LONGEST_WAVELENGTH = 10_000


class DilatedConvBlock(nn.Module):
    """Convolutions of dilations 1, 2, 4, … with a residual connection around them."""

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        self.conv_layers = nn.Sequential(
            *(
                ConvLayer(
                    options.feature_dim,
                    options.feature_dim,
                    options.kernel_size,
                    norm=options.norm,
                    activation=options.activation,
                    dilation=2**i,
                    causal=options.causal,
                )
                for i in range(options.dilations)
            )
        )
        self.dropout = Dropout(options.dropout)
        self.activation = ACTIVATIONS.make(options.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, feature_dim, 1, epochs)."""
        return self.activation(self.dropout(self.conv_layers(x)) + x)


@SEQUENCE_MIXERS.register("dilated_cnn")
class DilatedCNN(nn.Module):
    """Dilated CNN over the epochs of a night (the published design)."""

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        self.dilated_convs = nn.Sequential(
            *(DilatedConvBlock(options) for _ in range(options.layers))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        # A view with the channels last in memory.
        return self.dilated_convs(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


@SEQUENCE_MIXERS.register("transformer")
class SequenceTransformer(nn.Module):
    """Transformer over the epochs of a night.

    Positions are told by sines and cosines added to the features (Vaswani et al., "Attention Is
    All You Need", NeurIPS 2017, arXiv 1706.03762), so that nights may have any length.
    """

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        self.transformer_encoder = TransformerEncoder(options)
        self.norm = nn.LayerNorm(options.feature_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        _, epochs, width = x.shape
        present = torch.ones(1, epochs, dtype=torch.bool, device=x.device)
        return self.norm(self.transformer_encoder(x + _positions(epochs, width).to(x), present))


@SEQUENCE_MIXERS.register("gru")
class RecurrentMixer(nn.Module):
    """GRU layers that read the night in both directions, or forwards alone where they are causal.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, arXiv 1406.1078.
    """

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        width, n_directions = options.feature_dim, 1 if options.causal else 2
        self.gru = nn.GRU(
            width, width, options.layers, batch_first=True, bidirectional=n_directions == 2
        )
        self.linear = nn.Linear(n_directions * width, width)
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        read, _ = self.gru(x)
        return x + self.dropout(self.linear(read))


@SEQUENCE_MIXERS.register("state_space")
class StateSpaceMixer(nn.Module):
    """Linear recurrences in both directions, or forwards alone where they are causal.

    Each feature has diagonal ones of its own (Gu et al., "On the Parameterization and
    Initialization of Diagonal State Space Models", NeurIPS 2022, arXiv 2206.11893), stable and
    normalized as those of Orvieto et al., "Resurrecting Recurrent Neural Networks for Long
    Sequences", ICML 2023, arXiv 2303.06349. Time grows as n log n with the length of the night.
    """

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(StateSpaceLayer(options) for _ in range(options.layers)))
        self.norm = nn.LayerNorm(options.feature_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        return self.norm(self.layers(x))


def _positions(epochs: int, width: int) -> Tensor:
    """Return the position encoding, (epochs, width)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(_LONGEST_WAVELENGTH) / width))
    angle = torch.arange(epochs)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]
