"""The wav2sleep network (Carter & Tarassenko, ML4H 2024, arXiv 2411.04644)."""

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.encoders import SignalEncoder, SignalEncoders
from sklearn_sleep.networks.epoch_mixers import EPOCH_MIXERS
from sklearn_sleep.networks.parts import (
    EncoderOptions,
    EpochMixerOptions,
    Part,
    SequenceMixerOptions,
)
from sklearn_sleep.networks.sequence_mixers import SEQUENCE_MIXERS


class Wav2Sleep(nn.Module):
    """Stage nights from any subset of their signals, with parts that may be anything.

    The submodules carry the names of the published implementation, so that its weights load.

    Parameters
    ----------
    encoders : Module
        Takes samples and where they are there, as `forward` does, and returns features
        (batch, epochs, feature_dim) and where they mean something, both by signal name.
    epoch_mixer : Module
        Takes these, and returns one feature vector an epoch, (batch, epochs, feature_dim).
    sequence_mixer : Module
        Takes and returns (batch, epochs, feature_dim).
    head : Module
        Takes these, and returns logits, (batch, epochs, n_classes).

    Examples
    --------
    >>> from sklearn_sleep.networks.epoch_mixers import MeanMixer
    >>> options = EncoderOptions(feature_dim=8)
    >>> network = Wav2Sleep(
    ...     SignalEncoders({"ECG": 64, "THX": 16}, options),
    ...     MeanMixer(EpochMixerOptions(signals=("ECG", "THX"), feature_dim=8)),
    ...     sequence_mixer=nn.Identity(),
    ...     head=nn.Linear(8, 4),
    ... )
    >>> network({"THX": torch.randn(1, 20, 16)}).shape
    torch.Size([1, 20, 4])
    """

    def __init__(
        self,
        encoders: nn.Module,
        epoch_mixer: nn.Module,
        sequence_mixer: nn.Module,
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.signal_encoders = encoders
        self.epoch_mixer = epoch_mixer
        self.sequence_mixer = sequence_mixer
        self.classifier = head

    def compile_encoders(self, **options: Any) -> None:
        """Compile the encoders' CNNs, which take most of the time, in place at their first use.

        Names of weights stay, and a copy or a pickle is not compiled. Nights in pieces on a CPU
        (`sklearn_sleep.networks.cpu`) are not concerned: that is faster still.
        """
        for encoder in cast(SignalEncoders, self.signal_encoders).encoders.values():
            cast(SignalEncoder, encoder).cnn.compile(**{"dynamic": True, **options})

    def forward(
        self,
        x: Mapping[str, Tensor],
        present: Mapping[str, Tensor] | None = None,
        subsets: Sequence[Collection[str]] | None = None,
    ) -> Tensor:
        """Return the logits of each epoch's stage, (batch, epochs, n_classes).

        Takes normalized, finite samples (batch, epochs, samples_per_epoch) by signal name, and
        which epochs have the signal (batch, epochs); all of them if not given. Of a single night,
        and `subsets` of its signals, it returns the logits from each, (subsets, epochs, n_classes),
        for which each signal is encoded but once.
        """
        if present is None:
            present = {
                name: torch.ones(samples.shape[:2], dtype=torch.bool, device=samples.device)
                for name, samples in x.items()
            }
        features, where = self.signal_encoders(x, present)
        if subsets is not None:
            features, where = self._choose(features, where, subsets)
        mixed = self.epoch_mixer(features, where)
        return self.classifier(self.sequence_mixer(mixed))

    def _choose(
        self,
        features: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        subsets: Sequence[Collection[str]],
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return features and presence of one night, (1, epochs, …), as if each subset were one."""
        groups = getattr(self.signal_encoders, "groups", {})
        chosen = {name: _in_subsets(name, groups.get(name, (name,)), subsets) for name in features}
        return (
            {name: of.expand(len(subsets), -1, -1) for name, of in features.items()},
            {
                name: of & torch.tensor(chosen[name], device=of.device)[:, None]
                for name, of in present.items()
            },
        )


def _in_subsets(
    name: str, members: Collection[str], subsets: Sequence[Collection[str]]
) -> list[bool]:
    """Return whether a signal, or a group of them, is in each subset; ValueError if in part."""
    inside = [[member in subset for member in members] for subset in subsets]
    # Members that the night lacks are in no subset.
    known = [any(of_member) for of_member in zip(*inside, strict=True)]
    for of_subset in inside:
        there = [yes for yes, is_known in zip(of_subset, known, strict=True) if is_known]
        if any(there) and not all(there):
            raise ValueError(
                f"The signals of the group {name!r} are masked one by one, and the group is to be "
                "encoded once for all subsets; let it have one source, or set subsets_per_night=1."
            )
    return [any(of_subset) for of_subset in inside]


# Parameters that are as another one where they are not given.
FOLLOWED = {
    "mixer_activation": "activation",
    "sequence_activation": "activation",
    "sequence_causal": "causal",
    "sequence_dropout": "dropout",
}


def make_wav2sleep(
    signals: Mapping[str, int],
    n_classes: int,
    *,
    signal_map: Mapping[str, str] | None = None,
    signal_groups: Mapping[str, Sequence[str]] | None = None,
    embed_signals: bool = False,
    feature_dim: int = EncoderOptions.feature_dim,
    activation: Part = EncoderOptions.activation,
    initial_channels: int = EncoderOptions.initial_channels,
    max_channels: int = EncoderOptions.max_channels,
    encoder_norm: Part = EncoderOptions.norm,
    residual: bool = True,
    output_norm: bool = False,
    causal: bool = False,
    chunk_causal: bool = True,
    epoch_mixer: Part = "attention",
    mixer_layers: int = EpochMixerOptions.layers,
    mixer_heads: int = EpochMixerOptions.heads,
    mixer_feedforward_dim: int = EpochMixerOptions.feedforward_dim,
    mixer_activation: Part = None,
    mixer_norm_first: bool = True,
    mixer_register_tokens: int = 0,
    sequence_mixer: Part = "dilated_cnn",
    sequence_blocks: int = SequenceMixerOptions.layers,
    sequence_kernel_size: int = SequenceMixerOptions.kernel_size,
    sequence_dilations: int = SequenceMixerOptions.dilations,
    sequence_norm: Part = SequenceMixerOptions.norm,
    sequence_activation: Part = None,
    sequence_causal: bool | None = None,
    dropout: float = EpochMixerOptions.dropout,
    sequence_dropout: float | None = None,
    gradient_checkpointing: bool = False,
    **unknown: Any,
) -> Wav2Sleep:
    """Make the network of `Wav2SleepClassifier` from its ``module__`` parameters.

    Defaults are those of the published model. Wherever an activation, a norm or a mixer is named,
    a function or a class that makes a `torch.nn.Module` may stand instead.

    Parameters
    ----------
    signals : mapping of str to int
        Samples per 30-second epoch, a power of two, by signal name.
    n_classes : int
        Number of stages.
    signal_map : mapping of str to str, optional
        Name of the encoder of each signal, ``{"EOG-L": "EOG", "EOG-R": "EOG"}``: signals with the
        same one share it. Each has an encoder of its own name if not given.
    signal_groups : mapping of str to sequence of str, optional
        Signals of one rate that enter one encoder side by side, ``{"eyes": ["EOG-L", "EOG-R"]}``,
        zeros for the missing ones, and are one token for the epoch mixer. In `signal_map` stands
        the group in place of its signals.
    embed_signals : bool, default=False
        Add a learned vector that stands for the signal to its features, so that the mixer can tell
        signals of a shared encoder apart.
    feature_dim : int, default=128
        Width of the feature vectors.
    activation : str or callable, default="gelu"
        Activation in the encoders, and in the mixers unless they have one of their own: a name in
        `ACTIVATIONS`, or what makes one without arguments.
    initial_channels, max_channels : int, default=16, 128
        Channels of the encoders' CNNs.
    encoder_norm : str, callable or None, default="instance"
        Norm in the encoders: a name in `NORMS`, or what makes one for a number of channels.
        ``"auto"`` is instance norm in the first two blocks and layer norm in the others;
        ``"weight"`` normalizes the weights rather than the features.
    residual : bool, default=True
        Whether the encoders' blocks have residual connections.
    output_norm : bool, default=False
        Whether a layer norm follows on the encoders.
    causal : bool, default=False
        Whether a stage depends on no later sample, so that a night can be staged while it lasts.
        Instance and group norms run over time and still see the whole night in the sequence mixer
        and, without `chunk_causal`, in the encoders.
    chunk_causal : bool, default=True
        If `causal`, encode each epoch on its own rather than with causal convolutions.
    epoch_mixer : str or callable, default="attention"
        How the signals of an epoch become one feature vector: a name in `EPOCH_MIXERS`, or what
        makes one of `EpochMixerOptions`.
    mixer_layers, mixer_heads, mixer_feedforward_dim : int, default=2, 8, 512
        Of the epoch mixer; the hidden layer of ``"concat"`` has the width
        `mixer_feedforward_dim`.
    mixer_activation : str or callable, optional
        Activation in the epoch mixer; `activation` if not given.
    mixer_norm_first : bool, default=True
        Whether the transformer's layer norms come before its sublayers.
    mixer_register_tokens : int, default=0
        Learned tokens beside the CLS token.
    sequence_mixer : str or callable, default="dilated_cnn"
        How epochs see their night: a name in `SEQUENCE_MIXERS`, or what makes one of
        `SequenceMixerOptions`. ``"dilated_cnn"`` is that of the paper; ``"gru"`` and
        ``"state_space"`` are recurrent, in both directions unless causal, and ``"transformer"``
        takes time that grows with the square of the night's length.
    sequence_blocks : int, default=2
        Blocks or layers of the sequence mixer. As a transformer it has `mixer_heads` heads and the
        width `mixer_feedforward_dim`.
    sequence_kernel_size, sequence_dilations : int, default=7, 6
        Of each block of the dilated CNN; dilations are 1, 2, 4, …
    sequence_norm : str, callable or None, default="layer"
        Norm in the dilated CNN, as `encoder_norm`.
    sequence_activation : str or callable, optional
        Activation in the sequence mixer; `activation` if not given.
    sequence_causal : bool, optional
        Whether an epoch sees no later ones in the sequence mixer; as `causal` if not given.
    dropout : float, default=0.1
        Probability in both mixers.
    sequence_dropout : float, optional
        Probability in the sequence mixer; `dropout` if not given.
    gradient_checkpointing : bool, default=False
        In training, keep only the inputs of the encoders' blocks and compute the rest anew for the
        gradient: less memory for more time.

    Returns
    -------
    Wav2Sleep

    Examples
    --------
    >>> network = make_wav2sleep({"ECG": 64, "THX": 16}, 4, feature_dim=8, mixer_heads=2)
    >>> x = {"ECG": torch.randn(1, 20, 64), "THX": torch.randn(1, 20, 16)}
    >>> network(x).shape, network({"THX": x["THX"]}).shape
    (torch.Size([1, 20, 4]), torch.Size([1, 20, 4]))
    """
    if unknown:
        *known, _ = inspect.signature(make_wav2sleep).parameters
        raise TypeError(
            f"The network has no parameter {', '.join(unknown)}; it has {', '.join(known)}."
        )
    encoders = SignalEncoders(
        signals,
        EncoderOptions(
            feature_dim=feature_dim,
            activation=activation,
            initial_channels=initial_channels,
            max_channels=max_channels,
            norm=encoder_norm,
            residual=residual,
            output_norm=output_norm,
            causal=causal,
            chunk_causal=chunk_causal,
            signal_map=signal_map,
            signal_groups=signal_groups,
            embed_signals=embed_signals,
            gradient_checkpointing=gradient_checkpointing,
        ),
    )
    of_epochs = EpochMixerOptions(
        signals=tuple(encoders.groups),
        feature_dim=feature_dim,
        layers=mixer_layers,
        heads=mixer_heads,
        feedforward_dim=mixer_feedforward_dim,
        dropout=dropout,
        activation=activation if mixer_activation is None else mixer_activation,
        norm_first=mixer_norm_first,
        register_tokens=mixer_register_tokens,
    )
    of_sequence = SequenceMixerOptions(
        feature_dim=feature_dim,
        layers=sequence_blocks,
        heads=mixer_heads,
        feedforward_dim=mixer_feedforward_dim,
        dropout=dropout if sequence_dropout is None else sequence_dropout,
        activation=activation if sequence_activation is None else sequence_activation,
        causal=causal if sequence_causal is None else sequence_causal,
        kernel_size=sequence_kernel_size,
        dilations=sequence_dilations,
        norm=sequence_norm,
    )
    return Wav2Sleep(
        encoders,
        EPOCH_MIXERS.make(epoch_mixer, of_epochs),
        SEQUENCE_MIXERS.make(sequence_mixer, of_sequence),
        nn.Linear(feature_dim, n_classes),
    )
