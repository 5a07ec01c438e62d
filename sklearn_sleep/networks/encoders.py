"""From the waveforms of a night to a feature vector for each signal and epoch."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sklearn_sleep.networks.cpu.choice import streams_nights
from sklearn_sleep.networks.cpu.streaming import stream_nights
from sklearn_sleep.networks.layers import ACTIVATIONS, ConvLayer, Convolution
from sklearn_sleep.networks.norms import InstanceNorm
from sklearn_sleep.networks.parts import EncoderOptions, Part

# Each encoder halves the length until four feature vectors an epoch are left (the paper's design).
_VECTORS_PER_EPOCH = 4

# With the norm "auto": so many blocks with instance norm, then layer norm (published code).
_AUTO_INSTANCE_BLOCKS = 2

# Of the published encoders' instance norms: so much that flat signals do not blow up.
_NORM_EPSILON = 1e-2


class ConvBlock(nn.Module):
    """Three convolutions that halve the length, with a linear map of the input added."""

    downsample: Convolution | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm: Part,
        *,
        activation: Part = "gelu",
        causal: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        layer = partial(ConvLayer, norm=norm, activation=activation, causal=causal)
        self.conv1 = layer(in_channels, out_channels, 3)
        self.conv2 = layer(out_channels, out_channels, 3)
        self.conv3 = layer(out_channels, out_channels, 3, stride=2)
        self.downsample = Convolution(in_channels, out_channels, 1, stride=2) if residual else None
        self.activation = ACTIVATIONS.make(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out_channels, 1, time / 2) of (batch, in_channels, 1, time)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        if self.downsample is not None:
            y = y + self.downsample(x)
        return self.activation(y)

    def kernels(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the weights of the three convolutions and of the residual connection."""
        if self.downsample is None:
            raise ValueError("Only blocks with a residual connection can be computed in pieces.")
        layers = (self.conv1, self.conv2, self.conv3)
        first, second, third = (layer.conv.kernel() for layer in layers)
        return first, second, third, self.downsample.kernel()


class Blocks(nn.Sequential):
    """Convolutional blocks, of which training keeps the inputs alone if `recompute` is set."""

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, 1, time / 2 ** n_blocks) of (batch, 1, 1, time)."""
        recompute = self.recompute and torch.is_grad_enabled()
        for block in self:
            x = checkpoint(block, x, use_reentrant=False) if recompute else block(x)
        return x


class SignalEncoder(nn.Module):
    """CNN from the waveform of a night to one feature vector an epoch."""

    def __init__(
        self, samples_per_epoch: int, options: EncoderOptions, in_channels: int = 1
    ) -> None:
        super().__init__()
        if samples_per_epoch < 2 * _VECTORS_PER_EPOCH or samples_per_epoch.bit_count() != 1:
            raise ValueError(
                f"samples_per_epoch={samples_per_epoch} must be a power of two from 8. "
                "Set it with Resampler(samples_per_epoch={...})."
            )
        # Channels are doubled with every second block, up to the most.
        n_blocks = int(math.log2(samples_per_epoch // _VECTORS_PER_EPOCH))
        channels = [
            min(options.initial_channels * 2 ** (i // 2), options.max_channels)
            for i in range(n_blocks)
        ]
        # Where epochs are encoded on their own, nothing can be seen of later ones.
        causal = options.causal and not options.chunk_causal
        self.cnn = Blocks(
            *(
                ConvBlock(
                    before,
                    after,
                    _norm_of_block(options.norm, position),
                    activation=options.activation,
                    causal=causal,
                    residual=options.residual,
                )
                for position, (before, after) in enumerate(
                    zip([in_channels, *channels], channels, strict=False)
                )
            )
        )
        self.cnn.recompute = options.gradient_checkpointing
        if self.cnn.recompute and any(isinstance(m, nn.BatchNorm2d) for m in self.cnn.modules()):
            raise ValueError(
                "gradient_checkpointing computes the blocks twice, which would change the running "
                "statistics of the norm 'batch' twice; take another encoder_norm."
            )
        self.linear = nn.Linear(_VECTORS_PER_EPOCH * channels[-1], options.feature_dim)
        # The published design, which `stream_nights` computes.
        found = (options.norm, options.activation, options.residual, causal)
        self.can_stream = found == ("instance", "gelu", True, False) and in_channels == 1
        self.activation = ACTIVATIONS.make(options.activation)
        width = options.feature_dim
        self.output_norm = nn.LayerNorm(width) if options.output_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Encode normalized samples as (batch, epochs, feature_dim).

        They are (batch, epochs, samples), or (batch, signals, epochs, samples) of a group.
        """
        if x.ndim == 4:
            y = self.cnn(x.flatten(2)[:, :, None]).permute(0, 2, 3, 1)
            return self._finish(y.reshape(x.shape[0], x.shape[2], -1))
        blocks = [cast(ConvBlock, block) for block in self.cnn]
        if self.can_stream and streams_nights(x, len(blocks[0].conv1.conv.kernel())):
            kernels = [block.kernels() for block in blocks]
            y = stream_nights(x.flatten(1), kernels, _NORM_EPSILON, recompute=self.cnn.recompute)
        else:
            y = self.cnn(x.flatten(1)[:, None, None]).permute(0, 2, 3, 1)
        return self._finish(y.reshape(*x.shape[:2], -1))

    def _finish(self, y: Tensor) -> Tensor:
        return self.output_norm(self.activation(self.linear(y)))


def _norm_of_block(norm: Part, position: int) -> Part:
    if norm == "auto":
        norm = "instance" if position < _AUTO_INSTANCE_BLOCKS else "layer"
    return partial(InstanceNorm, epsilon=_NORM_EPSILON) if norm == "instance" else norm


class SignalEncoders(nn.Module):
    """The encoders, each of one signal or shared by several, of so many samples per epoch."""

    embedder: nn.Embedding | None

    def __init__(self, signals: Mapping[str, int], options: EncoderOptions) -> None:
        super().__init__()
        self.groups = group_signals(signals, options.signal_groups)
        signal_map = options.signal_map
        self.signal_map = {name: name for name in self.groups} if signal_map is None else signal_map
        self.encodes_epochs_alone = options.causal and options.chunk_causal
        self.encoders = nn.ModuleDict(
            {
                encoder: SignalEncoder(samples_per_epoch, options, n_signals)
                for encoder, (samples_per_epoch, n_signals) in encoder_inputs(
                    signals, self.groups, self.signal_map
                ).items()
            }
        )
        # Sorted by name, as the published implementation numbers them.
        self.signal_numbers = {name: number for number, name in enumerate(sorted(self.groups))}
        width = options.feature_dim
        self.embedder = nn.Embedding(len(self.groups), width) if options.embed_signals else None

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return features (batch, epochs, feature_dim) of the signals that any night has, by name.

        Takes samples (batch, epochs, samples_per_epoch) and which epochs have them (batch, epochs),
        which is returned of these signals; of groups in their place.
        """
        x, present = self._group(x, present)
        names = sorted(name for name in x if bool(present[name].any()))
        if not names:
            raise ValueError("None of the nights has a signal; there is nothing to encode.")
        by_encoder: dict[str, list[str]] = {}
        for name in names:
            by_encoder.setdefault(self.signal_map[name], []).append(name)
        features: dict[str, Tensor] = {}
        for encoder, sharing in by_encoder.items():
            # Signals that share an encoder go through it together.
            encoded = self._encode(
                encoder,
                _concatenate([x[name] for name in sharing]),
                _concatenate([present[name] for name in sharing]),
            )
            for name, of_signal in zip(sharing, encoded.chunk(len(sharing)), strict=True):
                features[name] = of_signal
                if self.embedder is not None:
                    features[name] = of_signal + self.embedder.weight[self.signal_numbers[name]]
        return {name: features[name] for name in names}, {name: present[name] for name in names}

    def _group(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the samples of each signal alone and of each group, 0 where they are missing."""
        of_groups, where = {}, {}
        for name, members in self.groups.items():
            there = [member for member in members if member in x]
            if not there:
                continue
            if len(members) == 1:
                of_groups[name], where[name] = x[there[0]], present[there[0]]
                continue
            nothing, nowhere = torch.zeros_like(x[there[0]]), torch.zeros_like(present[there[0]])
            samples = torch.stack([x.get(member, nothing) for member in members], dim=1)
            of_members = torch.stack([present.get(member, nowhere) for member in members], dim=1)
            of_groups[name] = samples * of_members[..., None]
            where[name] = of_members.any(dim=1)
        return of_groups, where

    def _encode(self, encoder: str, samples: Tensor, present: Tensor) -> Tensor:
        encode = self.encoders[encoder]
        if self.encodes_epochs_alone:
            # Each epoch goes in as if it were a night.
            where = present
            of_epochs = samples if samples.ndim == 3 else samples.transpose(1, 2)
            encoded = encode(of_epochs[present][..., None, :])[:, 0]
        else:
            where = present.any(dim=1)
            mask = present[where] if samples.ndim == 3 else present[where][:, None]
            encoded = encode(samples[where] * mask[..., None])
        if bool(where.all()):
            return encoded.view(*present.shape, -1)
        scattered = encoded.new_zeros(*present.shape, encoded.shape[-1])
        return scattered.index_put((where,), encoded)


def _concatenate(tensors: list[Tensor]) -> Tensor:
    """Put nights of several signals into one batch; those of one signal are not copied."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def group_signals(
    signals: Mapping[str, int], signal_groups: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    """Return the signals of each group, and those that stand alone, by name."""
    given = {name: tuple(members) for name, members in (signal_groups or {}).items()}
    grouped = [member for members in given.values() for member in members]
    alone = {name: (name,) for name in signals if name not in grouped}
    unknown = [name for name in grouped if name not in signals]
    repeated = len(set(grouped)) < len(grouped) or not given.keys().isdisjoint(alone)
    if unknown or repeated or not all(given.values()):
        raise ValueError(
            f"signal_groups={signal_groups!r} must name, under names of their own, signals of "
            f"{list(signals)}, each in one group."
        )
    return {**alone, **given}


def encoder_inputs(
    signals: Mapping[str, int],
    groups: Mapping[str, tuple[str, ...]],
    signal_map: Mapping[str, str],
) -> dict[str, tuple[int, int]]:
    """Return the samples per epoch of each encoder, and how many signals enter it."""
    if set(signal_map) != set(groups):
        raise ValueError(
            f"signal_map must name the encoder of each of the signals {sorted(groups)}, "
            f"but names those of {sorted(signal_map)}."
        )
    inputs: dict[str, tuple[int, int]] = {}
    for name, encoder in signal_map.items():
        for member in groups[name]:
            found = signals[member], len(groups[name])
            if inputs.setdefault(encoder, found) != found:
                raise ValueError(
                    f"{member} has {found[0]} samples per epoch and cannot share the encoder "
                    f"{encoder!r} with signals of {inputs[encoder][0]}. "
                    "Set Resampler(samples_per_epoch={...}) or give it another encoder."
                )
    return inputs
