"""Classifiers that stage sleep, and the parts of their training."""

from sklearn_sleep.classifiers.accelerated import AcceleratedWav2SleepClassifier
from sklearn_sleep.classifiers.augmentation import Augmentation
from sklearn_sleep.classifiers.cohort_size import recipe_for
from sklearn_sleep.classifiers.diagnostics import epoch_attention, history_frame
from sklearn_sleep.classifiers.resumable import ResumableCheckpoint
from sklearn_sleep.classifiers.sequence_smoother import SequenceSmoother
from sklearn_sleep.classifiers.training import ValidationNights, WarmUpDecay
from sklearn_sleep.classifiers.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.classifiers.weight_average import WeightAverage

__all__ = [
    "AcceleratedWav2SleepClassifier",
    "Augmentation",
    "ResumableCheckpoint",
    "SequenceSmoother",
    "ValidationNights",
    "WarmUpDecay",
    "Wav2SleepClassifier",
    "WeightAverage",
    "epoch_attention",
    "history_frame",
    "recipe_for",
]
