"""The wav2sleep network (Carter & Tarassenko, ML4H 2024, arXiv 2411.04644)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.blocks import ConvBlock, DilatedConvBlock
from sklearn_sleep.networks.epoch_mixer import EpochMixer

__all__ = ["SequenceMixer", "SignalEncoder", "SignalEncoders", "Wav2Sleep"]

# Each encoder halves the length until four feature vectors an epoch are left (the paper's design).
_VECTORS_PER_EPOCH = 4


class SignalEncoder(nn.Module):
    """CNN from the waveform of a night to one feature vector an epoch.

    Parameters
    ----------
    samples_per_epoch : int
        A power of two, at least 8.
    feature_dim : int
        Width of the feature vectors.
    initial_channels, max_channels : int
        Channels of the first block, which double with every second block up to the maximum.
    norm : {"instance", "layer"}
        Norm in the CNN.
    """

    def __init__(
        self,
        samples_per_epoch: int,
        feature_dim: int,
        initial_channels: int,
        max_channels: int,
        norm: str,
    ) -> None:
        super().__init__()
        if samples_per_epoch < 2 * _VECTORS_PER_EPOCH or samples_per_epoch.bit_count() != 1:
            msg = (
                f"samples_per_epoch={samples_per_epoch} must be a power of two from 8. "
                "Set it with Resampler(samples_per_epoch={...})."
            )
            raise ValueError(msg)
        n_blocks = int(math.log2(samples_per_epoch // _VECTORS_PER_EPOCH))
        channels = [min(initial_channels * 2 ** (i // 2), max_channels) for i in range(n_blocks)]
        self.cnn = nn.Sequential(
            *(
                ConvBlock(before, after, norm)
                for before, after in zip([1, *channels], channels, strict=False)
            )
        )
        self.linear = nn.Linear(_VECTORS_PER_EPOCH * channels[-1], feature_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Encode nights.

        Parameters
        ----------
        x : Tensor of shape (batch, epochs, samples_per_epoch)
            Normalized samples.

        Returns
        -------
        Tensor of shape (batch, epochs, feature_dim)
        """
        y = self.cnn(x.flatten(1)[:, None, None])
        y = y.permute(0, 2, 3, 1).reshape(*x.shape[:2], -1)
        return functional.gelu(self.linear(y))


class SignalEncoders(nn.Module):
    """One encoder for each signal.

    Parameters
    ----------
    signals : mapping of str to int
        Samples per epoch by signal name.
    feature_dim, initial_channels, max_channels : int
        Sizes of each `SignalEncoder`.
    norm : {"instance", "layer"}
        Norm in the CNNs.
    """

    def __init__(
        self,
        signals: Mapping[str, int],
        feature_dim: int,
        initial_channels: int,
        max_channels: int,
        norm: str,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {
                name: SignalEncoder(
                    samples_per_epoch, feature_dim, initial_channels, max_channels, norm
                )
                for name, samples_per_epoch in signals.items()
            }
        )

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Encode the signals that are there, and no others.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (batch, epochs, samples_per_epoch)
            Samples by signal name.
        present : mapping of str to Tensor of bool, shape (batch, epochs)
            Which epochs have the signal.

        Returns
        -------
        tokens : Tensor of shape (batch, epochs, n_signals, feature_dim)
            Features, zero where a signal is missing.
        mask : Tensor of bool, shape (batch, epochs, n_signals)
            Where a signal is there.
        """
        tokens, masks = [], []
        # Sorted by name, as the published implementation orders its tokens.
        for name in sorted(name for name in x if bool(present[name].any())):
            nights = present[name].any(dim=1)
            mask = present[name]
            samples = x[name][nights] * mask[nights][..., None]
            features = self.encoders[name](samples)
            if not bool(nights.all()):
                scattered = features.new_zeros(len(nights), *features.shape[1:])
                features = scattered.index_put((nights,), features)
            tokens.append(features)
            masks.append(mask)
        if not tokens:
            msg = "None of the nights has a signal; there is nothing to encode."
            raise ValueError(msg)
        return torch.stack(tokens, dim=2), torch.stack(masks, dim=2)


class SequenceMixer(nn.Module):
    """Dilated CNN over the epochs of a night.

    Parameters
    ----------
    feature_dim : int
        Width of the feature vectors.
    n_blocks, kernel_size, n_dilations : int
        Number of blocks, and the kernel size and the number of dilations in each.
    dropout : float
        Probability.
    norm : {"instance", "layer"}
        Norm after each convolution.
    """

    def __init__(
        self,
        feature_dim: int,
        n_blocks: int,
        kernel_size: int,
        n_dilations: int,
        dropout: float,
        norm: str,
    ) -> None:
        super().__init__()
        self.dilated_convs = nn.Sequential(
            *(
                DilatedConvBlock(feature_dim, kernel_size, n_dilations, dropout, norm)
                for _ in range(n_blocks)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        # A view with the channels last in memory.
        return self.dilated_convs(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class Wav2Sleep(nn.Module):
    """Stage nights from any subset of their signals.

    The submodules carry the names of the published implementation, so that its weights load.
    Defaults are those of the published model.

    Parameters
    ----------
    signals : mapping of str to int
        Samples per 30-second epoch, a power of two, by signal name.
    n_classes : int
        Number of stages.
    feature_dim : int, default=128
        Width of the feature vectors.
    initial_channels, max_channels : int, default=16, 128
        Channels of the encoders' CNNs.
    encoder_norm : {"instance", "layer"}, default="instance"
        Norm in the encoders.
    mixer_layers, mixer_heads, mixer_feedforward_dim : int, default=2, 8, 512
        Of the epoch mixer.
    sequence_blocks, sequence_kernel_size, sequence_dilations : int, default=2, 7, 6
        Of the sequence mixer; dilations are 1, 2, 4, …
    sequence_norm : {"layer", "instance"}, default="layer"
        Norm in the sequence mixer.
    dropout : float, default=0.1
        Probability in both mixers.

    Examples
    --------
    >>> network = Wav2Sleep({"ECG": 64, "THX": 16}, n_classes=4, feature_dim=8, mixer_heads=2)
    >>> x = {"ECG": torch.randn(1, 20, 64), "THX": torch.randn(1, 20, 16)}
    >>> network(x).shape
    torch.Size([1, 20, 4])
    >>> network({"THX": x["THX"]}).shape
    torch.Size([1, 20, 4])
    """

    def __init__(
        self,
        signals: Mapping[str, int],
        n_classes: int,
        *,
        feature_dim: int = 128,
        initial_channels: int = 16,
        max_channels: int = 128,
        encoder_norm: str = "instance",
        mixer_layers: int = 2,
        mixer_heads: int = 8,
        mixer_feedforward_dim: int = 512,
        sequence_blocks: int = 2,
        sequence_kernel_size: int = 7,
        sequence_dilations: int = 6,
        sequence_norm: str = "layer",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.signal_encoders = SignalEncoders(
            signals, feature_dim, initial_channels, max_channels, encoder_norm
        )
        self.epoch_mixer = EpochMixer(
            feature_dim, mixer_layers, mixer_heads, mixer_feedforward_dim, dropout
        )
        self.sequence_mixer = SequenceMixer(
            feature_dim,
            sequence_blocks,
            sequence_kernel_size,
            sequence_dilations,
            dropout,
            sequence_norm,
        )
        self.classifier = nn.Linear(feature_dim, n_classes)

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return the logits of each epoch's stage.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (batch, epochs, samples_per_epoch)
            Normalized samples by signal name, finite everywhere. Nights of one batch have the
            same number of epochs.
        present : mapping of str to Tensor of bool, shape (batch, epochs), optional
            Which epochs have the signal; all of them if not given.

        Returns
        -------
        Tensor of shape (batch, epochs, n_classes)
        """
        if present is None:
            present = {
                name: torch.ones(samples.shape[:2], dtype=torch.bool, device=samples.device)
                for name, samples in x.items()
            }
        tokens, mask = self.signal_encoders(x, present)
        return self.classifier(self.sequence_mixer(self.epoch_mixer(tokens, mask)))
