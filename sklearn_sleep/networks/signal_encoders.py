"""From the waveforms of a night to a feature vector for each signal and epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.utils.checkpoint import checkpoint

from sklearn_sleep.networks.activations import make_activation
from sklearn_sleep.networks.blocks import ConvBlock
from sklearn_sleep.networks.cpu.pieces import current_buffers

__all__ = ["SignalEncoder", "SignalEncoders"]

# Each encoder halves the length until four feature vectors an epoch are left (the paper's design).
_VECTORS_PER_EPOCH = 4

STREAMED_VALUES = 2**22
"""Results of a night's first convolution from which it is computed in pieces.

As float32 they are 16 MB: two hours of ECG in 16 channels are less and stay in a processor's last
cache, ten hours are more. Measured with ``benchmarks/network.py``.
"""

# With the norm "auto": so many blocks with instance norm, then layer norm (published code).
_AUTO_INSTANCE_BLOCKS = 2


class Blocks(nn.Sequential):
    """Convolutional blocks one after the other.

    Attributes
    ----------
    gradient_checkpointing : bool
        Keep only the blocks' inputs in training, and compute the rest anew for the gradient.
    """

    gradient_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 1, time / 2 ** n_blocks)."""
        recompute = self.gradient_checkpointing and torch.is_grad_enabled()
        for block in self:
            x = checkpoint(block, x, use_reentrant=False) if recompute else block(x)
        return x


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
    norm : {"instance", "layer", "batch", "rms", "group", "weight", "auto"} or None
        Norm in the CNN. ``"auto"`` is instance norm in the first two blocks and layer norm in
        the others.
    activation : str, default="gelu"
        A name that `make_activation` knows.
    residual : bool, default=True
        Whether the blocks have residual connections.
    output_norm : bool, default=False
        Whether a layer norm of the feature vectors follows.
    causal : bool, default=False
        Whether the convolutions see no later samples.
    gradient_checkpointing : bool, default=False
        Keep only the blocks' inputs in training, and compute the rest anew for the gradient.

    Raises
    ------
    ValueError
        If `samples_per_epoch` cannot be halved to four, or batch norm is to be computed twice.
    """

    def __init__(
        self,
        samples_per_epoch: int,
        feature_dim: int,
        initial_channels: int,
        max_channels: int,
        norm: str | None,
        *,
        activation: str = "gelu",
        residual: bool = True,
        output_norm: bool = False,
        causal: bool = False,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if samples_per_epoch < 2 * _VECTORS_PER_EPOCH or samples_per_epoch.bit_count() != 1:
            raise ValueError(
                f"samples_per_epoch={samples_per_epoch} must be a power of two from 8. "
                "Set it with Resampler(samples_per_epoch={...})."
            )
        if gradient_checkpointing and norm == "batch":
            raise ValueError(
                "gradient_checkpointing computes the blocks twice, which would change the running "
                "statistics of the norm 'batch' twice; take another encoder_norm."
            )
        n_blocks = int(math.log2(samples_per_epoch // _VECTORS_PER_EPOCH))
        channels = [min(initial_channels * 2 ** (i // 2), max_channels) for i in range(n_blocks)]
        norms = [norm] * n_blocks
        if norm == "auto":
            norms = ["instance" if i < _AUTO_INSTANCE_BLOCKS else "layer" for i in range(n_blocks)]
        self.cnn = Blocks(
            *(
                ConvBlock(
                    before, after, of_block, activation=activation, causal=causal, residual=residual
                )
                for before, after, of_block in zip([1, *channels], channels, norms, strict=False)
            )
        )
        self.cnn.gradient_checkpointing = gradient_checkpointing
        self.linear = nn.Linear(_VECTORS_PER_EPOCH * channels[-1], feature_dim)
        # The published design, which `ConvBlock.stream` computes.
        self.can_stream = (norm, activation, residual, causal) == ("instance", "gelu", True, False)
        self.activation = make_activation(activation)
        self.output_norm = nn.LayerNorm(feature_dim) if output_norm else nn.Identity()

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
        if self._streams(x):
            streamed = [self._stream(night) for night in x.flatten(1)]
            y = torch.stack(streamed)
            for of_night in streamed:
                current_buffers().give(of_night)
        else:
            y = self.cnn(x.flatten(1)[:, None, None]).permute(0, 2, 3, 1)
        y = y.reshape(*x.shape[:2], -1)
        return self.output_norm(self.activation(self.linear(y)))

    def _streams(self, x: Tensor) -> bool:
        first = cast(ConvBlock, self.cnn[0])
        n_values = x[0].numel() * len(first.conv1.conv.kernel())
        is_long = n_values >= STREAMED_VALUES
        return self.can_stream and is_long and x.device.type == "cpu" and not is_compiling()

    def _stream(self, night: Tensor) -> Tensor:
        """Return the CNN's output of a night, (time, channels)."""
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if autocast else torch.float32
        y = night[:, None].contiguous()
        buffers = current_buffers()
        for block in self.cnn:
            before = y
            y = cast(ConvBlock, block).stream(y, dtype, recompute=self.cnn.gradient_checkpointing)
            buffers.give(before)
        return y


class SignalEncoders(nn.Module):
    """The encoders, each of one signal or shared by several.

    Parameters
    ----------
    signals : mapping of str to int
        Samples per epoch by signal name.
    feature_dim, initial_channels, max_channels : int
        Sizes of each `SignalEncoder`.
    norm : str or None
        Norm in the CNNs, a name that `SignalEncoder` knows.
    signal_map : mapping of str to str, optional
        Name of the encoder of each signal; each has one of its own name if not given.
    embed_signals : bool, default=False
        Whether a learned vector that stands for the signal is added to its features.
    activation, residual, output_norm
        Of each `SignalEncoder`.
    causal : bool, default=False
        Whether features know nothing of later epochs.
    chunk_causal : bool, default=True
        If `causal`, whether each epoch is encoded on its own rather than by causal convolutions.
    gradient_checkpointing : bool, default=False
        Of each `SignalEncoder`.

    Raises
    ------
    ValueError
        If `signal_map` does not name the encoder of each signal, or signals of different rates
        share one.
    """

    embedder: nn.Embedding | None

    def __init__(
        self,
        signals: Mapping[str, int],
        feature_dim: int,
        initial_channels: int,
        max_channels: int,
        norm: str | None,
        *,
        signal_map: Mapping[str, str] | None = None,
        embed_signals: bool = False,
        activation: str = "gelu",
        residual: bool = True,
        output_norm: bool = False,
        causal: bool = False,
        chunk_causal: bool = True,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.signal_map = {name: name for name in signals} if signal_map is None else signal_map
        self.encodes_epochs_alone = causal and chunk_causal
        self.encoders = nn.ModuleDict(
            {
                encoder: SignalEncoder(
                    samples_per_epoch,
                    feature_dim,
                    initial_channels,
                    max_channels,
                    norm,
                    activation=activation,
                    residual=residual,
                    output_norm=output_norm,
                    causal=causal and not chunk_causal,
                    gradient_checkpointing=gradient_checkpointing,
                )
                for encoder, samples_per_epoch in _encoder_rates(signals, self.signal_map).items()
            }
        )
        # Sorted by name, as the published implementation numbers them.
        self.signal_numbers = {name: number for number, name in enumerate(sorted(signals))}
        self.embedder = nn.Embedding(len(signals), feature_dim) if embed_signals else None

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode the signals that are there, and no others.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (batch, epochs, samples_per_epoch)
            Samples by signal name.
        present : mapping of str to Tensor of bool, shape (batch, epochs)
            Which epochs have the signal.

        Returns
        -------
        features : dict of str to Tensor of shape (batch, epochs, feature_dim)
            Of the signals that any of the nights has, sorted by name.
        present : dict of str to Tensor of bool, shape (batch, epochs)
            Which of these feature vectors mean something.

        Raises
        ------
        ValueError
            If no night has a signal.
        """
        names = sorted(name for name in x if bool(present[name].any()))
        if not names:
            raise ValueError("None of the nights has a signal; there is nothing to encode.")
        features = {name: self._encode(name, x[name], present[name]) for name in names}
        return features, {name: present[name] for name in names}

    def _encode(self, name: str, samples: Tensor, present: Tensor) -> Tensor:
        encoder = self.encoders[self.signal_map[name]]
        if self.encodes_epochs_alone:
            # Each epoch goes in as if it were a night.
            where = present
            encoded = encoder(samples[present][:, None])[:, 0]
        else:
            where = present.any(dim=1)
            encoded = encoder(samples[where] * present[where][..., None])
        if self.embedder is not None:
            encoded = encoded + self.embedder.weight[self.signal_numbers[name]]
        if bool(where.all()):
            return encoded.view(*samples.shape[:2], -1)
        scattered = encoded.new_zeros(*samples.shape[:2], encoded.shape[-1])
        return scattered.index_put((where,), encoded)


def _encoder_rates(signals: Mapping[str, int], signal_map: Mapping[str, str]) -> dict[str, int]:
    """Return the samples per epoch of each encoder."""
    if set(signal_map) != set(signals):
        raise ValueError(
            f"signal_map must name the encoder of each of the signals {sorted(signals)}, "
            f"but names those of {sorted(signal_map)}."
        )
    rates: dict[str, int] = {}
    for name, encoder in signal_map.items():
        if rates.setdefault(encoder, signals[name]) != signals[name]:
            raise ValueError(
                f"{name} has {signals[name]} samples per epoch and cannot share the encoder "
                f"{encoder!r} with signals of {rates[encoder]}. "
                "Set Resampler(samples_per_epoch={...}) or give it another encoder."
            )
    return rates
