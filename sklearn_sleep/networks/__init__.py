"""Torch modules, and nothing of scikit-learn or of files."""

from sklearn_sleep.networks.encoders import SignalEncoders
from sklearn_sleep.networks.epoch_mixers import EPOCH_MIXERS
from sklearn_sleep.networks.layers import ACTIVATIONS
from sklearn_sleep.networks.norms import NORMS
from sklearn_sleep.networks.parts import EncoderOptions, EpochMixerOptions, SequenceMixerOptions
from sklearn_sleep.networks.sequence_mixers import SEQUENCE_MIXERS
from sklearn_sleep.networks.wav2sleep import Wav2Sleep, make_wav2sleep

__all__ = [
    "ACTIVATIONS",
    "EPOCH_MIXERS",
    "NORMS",
    "SEQUENCE_MIXERS",
    "EncoderOptions",
    "EpochMixerOptions",
    "SequenceMixerOptions",
    "SignalEncoders",
    "Wav2Sleep",
    "make_wav2sleep",
]
