"""Classifiers that stage sleep."""

from sklearn_sleep.classifiers.wav2sleep import Wav2SleepClassifier

__all__ = ["Wav2SleepClassifier"]
