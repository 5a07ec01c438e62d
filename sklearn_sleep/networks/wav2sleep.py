"""The wav2sleep network (Carter & Tarassenko, ML4H 2024, arXiv 2411.04644)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from sklearn_sleep.networks.epoch_mixer import AttentionMixer, ConcatenationMixer, MeanMixer
from sklearn_sleep.networks.sequence_mixer import DilatedCNN, SequenceTransformer
from sklearn_sleep.networks.signal_encoders import SignalEncoder, SignalEncoders

__all__ = ["Wav2Sleep"]


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
    signal_map : mapping of str to str, optional
        Name of the encoder of each signal, ``{"EOG-L": "EOG", "EOG-R": "EOG"}``: signals with the
        same one share it. Each has an encoder of its own name if not given.
    embed_signals : bool, default=False
        Add a learned vector that stands for the signal to its features, so that the mixer can tell
        signals of a shared encoder apart.
    feature_dim : int, default=128
        Width of the feature vectors.
    activation : {"gelu", "relu", "leaky", "silu", "swish", "linear"}, default="gelu"
        Activation in the encoders, and in the mixers unless they have one of their own.
    initial_channels, max_channels : int, default=16, 128
        Channels of the encoders' CNNs.
    encoder_norm : {"instance", "layer", "batch", "rms", "group", "weight", "auto"} or None, \
default="instance"
        Norm in the encoders. ``"auto"`` is instance norm in the first two blocks and layer norm in
        the others; ``"weight"`` normalizes the weights rather than the features.
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
    epoch_mixer : {"attention", "concat", "mean"}, default="attention"
        How the signals of an epoch become one feature vector: by a transformer with a CLS token,
        by a hidden layer over all of them side by side (zeros for the missing ones), or by their
        mean.
    mixer_layers, mixer_heads, mixer_feedforward_dim : int, default=2, 8, 512
        Of the epoch mixer; the hidden layer of ``"concat"`` has the width
        `mixer_feedforward_dim`.
    mixer_activation : str, optional
        Activation in the epoch mixer; `activation` if not given.
    mixer_norm_first : bool, default=True
        Whether the transformer's layer norms come before its sublayers.
    mixer_register_tokens : int, default=0
        Learned tokens beside the CLS token.
    sequence_mixer : {"dilated_cnn", "transformer"}, default="dilated_cnn"
        How epochs see their night.
    sequence_blocks : int, default=2
        Blocks of the dilated CNN, or layers of the transformer, which has `mixer_heads` heads and
        the width `mixer_feedforward_dim`.
    sequence_kernel_size, sequence_dilations : int, default=7, 6
        Of each block of the dilated CNN; dilations are 1, 2, 4, …
    sequence_norm : {"layer", "instance", "batch", "rms", "group", "weight"} or None, \
default="layer"
        Norm in the dilated CNN.
    sequence_activation : str, optional
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

    Raises
    ------
    ValueError
        If a parameter is not what it must be.

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
        signal_map: Mapping[str, str] | None = None,
        embed_signals: bool = False,
        feature_dim: int = 128,
        activation: str = "gelu",
        initial_channels: int = 16,
        max_channels: int = 128,
        encoder_norm: str | None = "instance",
        residual: bool = True,
        output_norm: bool = False,
        causal: bool = False,
        chunk_causal: bool = True,
        epoch_mixer: str = "attention",
        mixer_layers: int = 2,
        mixer_heads: int = 8,
        mixer_feedforward_dim: int = 512,
        mixer_activation: str | None = None,
        mixer_norm_first: bool = True,
        mixer_register_tokens: int = 0,
        sequence_mixer: str = "dilated_cnn",
        sequence_blocks: int = 2,
        sequence_kernel_size: int = 7,
        sequence_dilations: int = 6,
        sequence_norm: str | None = "layer",
        sequence_activation: str | None = None,
        sequence_causal: bool | None = None,
        dropout: float = 0.1,
        sequence_dropout: float | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.signal_encoders = SignalEncoders(
            signals,
            feature_dim,
            initial_channels,
            max_channels,
            encoder_norm,
            signal_map=signal_map,
            embed_signals=embed_signals,
            activation=activation,
            residual=residual,
            output_norm=output_norm,
            causal=causal,
            chunk_causal=chunk_causal,
            gradient_checkpointing=gradient_checkpointing,
        )
        self.epoch_mixer: nn.Module
        of_mixer = activation if mixer_activation is None else mixer_activation
        if epoch_mixer == "attention":
            self.epoch_mixer = AttentionMixer(
                feature_dim,
                mixer_layers,
                mixer_heads,
                mixer_feedforward_dim,
                dropout,
                mixer_register_tokens,
                activation=of_mixer,
                norm_first=mixer_norm_first,
            )
        elif epoch_mixer == "concat":
            self.epoch_mixer = ConcatenationMixer(
                signals, feature_dim, mixer_feedforward_dim, dropout, activation=of_mixer
            )
        elif epoch_mixer == "mean":
            self.epoch_mixer = MeanMixer()
        else:
            raise _unknown("epoch_mixer", epoch_mixer, ("attention", "concat", "mean"))
        self.sequence_mixer: nn.Module
        of_sequence = activation if sequence_activation is None else sequence_activation
        only_past = causal if sequence_causal is None else sequence_causal
        dropped = dropout if sequence_dropout is None else sequence_dropout
        if sequence_mixer == "dilated_cnn":
            self.sequence_mixer = DilatedCNN(
                feature_dim,
                sequence_blocks,
                sequence_kernel_size,
                sequence_dilations,
                dropped,
                sequence_norm,
                activation=of_sequence,
                causal=only_past,
            )
        elif sequence_mixer == "transformer":
            self.sequence_mixer = SequenceTransformer(
                feature_dim,
                sequence_blocks,
                mixer_heads,
                mixer_feedforward_dim,
                dropped,
                activation=of_sequence,
                causal=only_past,
            )
        else:
            raise _unknown("sequence_mixer", sequence_mixer, ("dilated_cnn", "transformer"))
        self.classifier = nn.Linear(feature_dim, n_classes)

    def compile_encoders(self, **options: Any) -> None:
        """Compile the encoders' CNNs, which take most of the time, with `torch.compile`.

        They are compiled in place at their first use, for nights of any length; names of weights
        stay as they are, and a copy or a pickle is not compiled. Nights that are computed in pieces
        on a CPU (`sklearn_sleep.networks.cpu.streaming`) are not concerned: that is faster still.

        Parameters
        ----------
        **options
            Parameters of `torch.compile`.
        """
        for encoder in self.signal_encoders.encoders.values():
            cast(SignalEncoder, encoder).cnn.compile(**{"dynamic": True, **options})

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
        mixed = self.epoch_mixer(*self.signal_encoders(x, present))
        return self.classifier(self.sequence_mixer(mixed))


def _unknown(parameter: str, value: str, known: tuple[str, ...]) -> ValueError:
    return ValueError(
        f"{parameter}={value!r} is not known; use one of {', '.join(map(repr, known))}."
    )
