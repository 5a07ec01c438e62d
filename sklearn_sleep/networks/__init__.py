"""Torch modules, and nothing of scikit-learn or of files."""

from sklearn_sleep.networks.wav2sleep import Wav2Sleep

__all__ = ["Wav2Sleep"]
